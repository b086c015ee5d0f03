//! Channels over mapped memory: both sides in one process, and in two.

use crate::support::scratch::Scratch;
use ringmail::shm::spsc::{Builder, Receiver, Sender};
use ringmail::shm::{Cause, Message, OpenError, Peer, RecvError, Role, Schema, SendError, TryRecvError, TrySendError};
use ringmail::shm::{RecvTimeoutError, SendTimeoutError};
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::time::{Duration, Instant};

fn both<T: Message>(name: &str, capacity: usize) -> (Sender<T>, Receiver<T>) {
    let tx = Builder::new(name).capacity(capacity).open_sender().expect("a sender");
    (tx, Builder::new(name).open_receiver().expect("a receiver"))
}

#[test]
fn messages_arrive_in_order_and_capacity_is_exact() {
    for capacity in [1, 2, 3, 5, 8, 1000] {
        let dir = Scratch::new(&format!("order{capacity}"));
        let (mut tx, mut rx) = both::<u64>(&dir.file(), capacity);
        assert_eq!((tx.capacity(), rx.capacity()), (capacity, capacity));
        let mut next = 0;
        for round in 0..50u64 {
            for i in 0..capacity as u64 {
                assert_eq!(tx.try_send(round * 1000 + i), Ok(()));
            }
            assert_eq!(tx.try_send(0), Err(TrySendError::Full(0)));
            assert_eq!(tx.len(), capacity);
            for i in 0..capacity as u64 {
                assert_eq!(rx.try_recv(), Ok(round * 1000 + i));
                next += 1;
            }
            assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        }
        assert_eq!((rx.stats().received, tx.stats().sent), (next, next));
    }
}

#[test]
fn a_message_of_any_size_travels_whole() {
    fn check<const N: usize>() {
        let dir = Scratch::new(&format!("size{N}"));
        let (mut tx, mut rx) = both::<Bytes<N>>(&dir.file(), 3);
        for round in 0..10u8 {
            let message = Bytes(std::array::from_fn(|i| (i as u8).wrapping_mul(31) ^ round));
            assert!(tx.try_send(message).is_ok());
            assert!(rx.try_recv().is_ok_and(|got| got == message));
        }
    }
    check::<1>();
    check::<7>();
    check::<8>();
    check::<9>();
    check::<64>();
    check::<1021>();
    check::<1024>();
    check::<1028>();
    check::<1032>();
    check::<4096>();
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, zerocopy::TryFromBytes, zerocopy::IntoBytes, zerocopy::Immutable)]
#[repr(transparent)]
struct Bytes<const N: usize>([u8; N]);

impl<const N: usize> Message for Bytes<N> {
    const SCHEMA: Schema = Schema::new("bytes");
}

#[test]
fn what_was_not_received_stays_for_the_next() {
    let dir = Scratch::new("stays");
    let (mut tx, mut rx) = both::<u64>(&dir.file(), 8);
    tx.send_slice(&[1, 2, 3, 4]).unwrap();
    assert_eq!(rx.recv(), Ok(1));
    drop(rx);
    // Told once; from then on what is sent fills the ring, for the next.
    assert_eq!(tx.try_send(9), Err(TrySendError::Disconnected(9, Cause::Closed)));
    (5..=9).for_each(|i| assert_eq!(tx.send(i), Ok(())));
    assert_eq!(tx.try_send(0), Err(TrySendError::Full(0)));
    assert_eq!(tx.send_timeout(0, Duration::from_millis(1)), Err(SendTimeoutError::Timeout(0)));
    let mut rx = Builder::<u64>::new(dir.file()).open_receiver().unwrap();
    assert_eq!(rx.recv(), Ok(2));
    assert_eq!(tx.send(10), Ok(()));
    drop(tx);
    for expected in 3..=10 {
        assert_eq!(rx.recv(), Ok(expected));
    }
    assert_eq!(rx.recv(), Err(RecvError(Cause::Closed)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(rx.recv_timeout(Duration::from_millis(1)), Err(RecvTimeoutError::Timeout));
    // The next sender goes on where the last one stopped.
    let mut tx = Builder::<u64>::new(dir.file()).open_sender().unwrap();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    tx.send(11).unwrap();
    assert_eq!(rx.recv(), Ok(11));
    assert_eq!(rx.stats().received, 11);
}

#[test]
fn a_handler_that_panics_gets_its_messages_again() {
    let dir = Scratch::new("panic");
    let (mut tx, mut rx) = both::<u64>(&dir.file(), 8);
    tx.send_slice(&[1, 2, 3]).unwrap();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| rx.drain(3, |n| assert_ne!(n, 2))));
    assert!(caught.is_err());
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| rx.try_recv_with(|_| panic!())));
    assert!(caught.is_err());
    assert_eq!(rx.try_recv_with(|n| *n), Ok(1));
    let mut got = Vec::new();
    assert_eq!(rx.drain(9, |n| got.push(n)), 2);
    assert_eq!(got, [2, 3]);
    assert_eq!(rx.drain(9, |_| ()), 0);
}

#[test]
fn a_role_has_one_holder() {
    let dir = Scratch::new("roles");
    let (tx, rx) = both::<u64>(&dir.file(), 8);
    let me = std::process::id();
    let second = Builder::<u64>::new(dir.file()).open_sender().unwrap_err();
    assert!(matches!(second, OpenError::Taken { role: Role::Sender, pid } if pid == me), "{second}");
    let second = Builder::<u64>::new(dir.file()).open_receiver().unwrap_err();
    assert!(matches!(second, OpenError::Taken { role: Role::Receiver, pid } if pid == me), "{second}");
    assert_eq!((tx.peer(), rx.peer()), (Peer::Here, Peer::Here));
    assert!(!Builder::<u64>::new(dir.file()).remove().unwrap(), "in use");
    drop(tx);
    assert_eq!(rx.peer(), Peer::Left);
    drop(rx);
    assert!(Builder::<u64>::new(dir.file()).remove().unwrap());
    assert!(matches!(Builder::<u64>::new(dir.file()).remove(), Err(OpenError::NotFound { .. })));
}

#[test]
fn another_channel_is_refused_with_what_differs() {
    let dir = Scratch::new("differs");
    let _tx = Builder::<u64>::new(dir.file()).capacity(16).open_sender().unwrap();
    let says = |error: OpenError| error.to_string();
    let other = says(Builder::<u64>::new(dir.file()).capacity(17).open_receiver().unwrap_err());
    assert!(other.contains("capacity is 16, not 17"), "{other}");
    let other = says(Builder::<i64>::new(dir.file()).open_receiver().unwrap_err());
    assert!(other.contains("u64 version 1") && other.contains("i64 version 1"), "{other}");
    let other = says(Builder::<u64>::new("a b").open_receiver().unwrap_err());
    assert!(other.contains("no name for a channel"), "{other}");
    let other = says(Builder::<u64>::new(dir.file()).capacity(0).open_receiver().unwrap_err());
    assert!(other.contains("capacity 0"), "{other}");
}

/// Writes over a part of the file of a fresh channel and opens it.
fn damaged(name: &str, damage: impl FnOnce(&fs::File)) -> OpenError {
    let dir = Scratch::new(name);
    drop(Builder::<u64>::new(dir.file()).capacity(16).open_sender().unwrap());
    damage(&fs::File::options().read(true).write(true).open(dir.file()).unwrap());
    Builder::<u64>::new(dir.file()).open_receiver().unwrap_err()
}

#[test]
fn a_damaged_file_is_a_typed_error() {
    assert!(matches!(damaged("cut", |f| f.set_len(4096 * 3).unwrap()), OpenError::Size { .. }));
    assert!(matches!(damaged("empty", |f| f.set_len(0).unwrap()), OpenError::NotASegment { .. }));
    assert!(matches!(damaged("long", |f| f.set_len(1 << 20).unwrap()), OpenError::Size { .. }));
    assert!(matches!(damaged("magic", |f| f.write_all_at(b"X", 0).unwrap()), OpenError::NotASegment { .. }));
    assert!(matches!(damaged("major", |f| f.write_all_at(&[9], 8).unwrap()), OpenError::Abi { found: 9, .. }));
    assert!(matches!(damaged("sum", |f| f.write_all_at(&[9], 40).unwrap()), OpenError::NotASegment { .. }));
    assert!(matches!(damaged("tail", |f| f.write_all_at(&[99], 4096).unwrap()), OpenError::Corrupted));
    let dir = Scratch::new("foreign");
    symlink("/etc/passwd", dir.file()).unwrap();
    assert!(matches!(Builder::<u64>::new(dir.file()).open_sender(), Err(OpenError::NotASegment { .. })));
    fs::remove_file(dir.file()).unwrap();
    fs::create_dir(dir.file()).unwrap();
    assert!(Builder::<u64>::new(dir.file()).open_sender().is_err());
}

/// One writes nonsense where only the other side may write.
#[test]
fn nonsense_of_the_other_side_is_an_error_and_not_an_access() {
    for word in [1u64 << 40, u64::MAX, 17 << 1, 1 << 63] {
        let dir = Scratch::new(&format!("nonsense{word}"));
        let (mut tx, mut rx) = both::<u64>(&dir.file(), 16);
        let file = fs::File::options().write(true).open(dir.file()).unwrap();
        file.write_all_at(&word.to_ne_bytes(), 4096).unwrap();
        assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected(Cause::Corrupted)), "{word:x}");
        assert_eq!(rx.recv(), Err(RecvError(Cause::Corrupted)));
        assert_eq!(rx.drain(10, |_| panic!("there is none")), 0);
        // One to sixteen behind the beginning would be possible: a ring that was full.
        let word = if word == u64::MAX { word << 6 } else { word };
        file.write_all_at(&word.to_ne_bytes(), 2 * 4096 + 2304).unwrap();
        assert_eq!(tx.try_send(1), Err(TrySendError::Disconnected(1, Cause::Corrupted)), "{word:x}");
        assert_eq!(tx.send(1), Err(SendError(1, Cause::Corrupted)));
        assert_eq!(tx.send_slice(&[1; 40]), Err(SendError(0, Cause::Corrupted)));
        assert!(tx.len() <= 16 && rx.len() <= 16);
    }
    let dir = Scratch::new("invalid");
    let (mut tx, mut rx) = both::<bool>(&dir.file(), 16);
    tx.send(true).unwrap();
    let file = fs::File::options().write(true).open(dir.file()).unwrap();
    file.write_all_at(&[7], 3 * 4096).unwrap();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected(Cause::Corrupted)));
    assert_eq!(rx.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Disconnected(Cause::Corrupted)));
}

#[test]
fn no_room_on_the_disk_is_an_error_of_the_opening() {
    let dir = Scratch::new("nospace");
    // More than the memory of any machine that runs this.
    let refused = Builder::<Bytes<1024>>::new(dir.file()).capacity(1 << 30).open_sender().unwrap_err();
    assert!(matches!(refused, OpenError::NoSpace { bytes } if bytes > 1 << 40), "{refused}");
    assert_eq!(fs::read_dir(&dir.0).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn waits_end_in_time() {
    let dir = Scratch::new("time");
    let (mut tx, mut rx) = both::<u64>(&dir.file(), 1);
    let start = Instant::now();
    assert_eq!(rx.recv_timeout(Duration::from_millis(70)), Err(RecvTimeoutError::Timeout));
    assert!(start.elapsed() >= Duration::from_millis(70));
    tx.send(1).unwrap();
    assert_eq!(tx.send_timeout(2, Duration::from_millis(20)), Err(SendTimeoutError::Timeout(2)));
    assert_eq!(tx.send_deadline(2, Instant::now()), Err(SendTimeoutError::Timeout(2)));
    assert!(rx.wait_for_peer(Duration::ZERO));
    drop(rx);
    assert!(!tx.wait_for_peer(Duration::from_millis(20)));
}

#[test]
fn two_threads_exchange_many_messages_awake_and_asleep() {
    use ringmail::WaitStrategy::{BusySpin, Park, ParkAtOnce, Yield};
    for wait in [BusySpin, Yield, Park, ParkAtOnce] {
        let dir = Scratch::new(&format!("threads{wait:?}"));
        let name = dir.file();
        let n = if wait == ParkAtOnce { 3_000 } else { 100_000 };
        let mut tx = Builder::<u64>::new(&name).capacity(7).wait(wait).open_sender().unwrap();
        let mut rx = Builder::<u64>::new(&name).wait(wait).open_receiver().unwrap();
        let sending = std::thread::spawn(move || (0..n).for_each(|i| tx.send(i).unwrap()));
        for i in 0..n {
            assert_eq!(rx.recv(), Ok(i));
        }
        sending.join().unwrap();
        assert_eq!(rx.recv(), Err(RecvError(Cause::Closed)));
    }
}

#[test]
fn the_directory_of_names_is_the_users_alone() {
    let name = format!("test-{}", std::process::id());
    let tx = Builder::<u64>::new(&name).open_sender().unwrap();
    let uid = rustix::process::geteuid().as_raw();
    let mode = fs::metadata(format!("/dev/shm/ringmail-{uid}")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let mode = fs::metadata(format!("/dev/shm/ringmail-{uid}/{name}")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(tx);
    assert!(Builder::<u64>::new(&name).remove().unwrap());
}

#[test]
fn a_receiver_maps_the_senders_pages_for_reading_only_if_it_is_told_to() {
    let dir = Scratch::new("rights");
    // Bytes that may be written, and that may be read only.
    let rights = || {
        let mut bytes = (0, 0);
        for line in fs::read_to_string("/proc/self/maps").unwrap().lines().filter(|line| line.contains(&*dir.file())) {
            let mut words = line.split_ascii_whitespace();
            let (from, to) = words.next().unwrap().split_once('-').unwrap();
            let len = usize::from_str_radix(to, 16).unwrap() - usize::from_str_radix(from, 16).unwrap();
            match words.next().unwrap() {
                "rw-s" => bytes.0 += len,
                "r--s" => bytes.1 += len,
                other => panic!("{other}"),
            }
        }
        bytes
    };
    let page = rustix::param::page_size();
    let builder = || Builder::<u64>::new(&*dir.file()).capacity(4);
    let mut tx = builder().open_sender().unwrap();
    assert_eq!(rights(), (2 * page, page), "its own and the data; the receiver's");
    for (protect, theirs) in [(false, (3 * page, 0)), (true, (page, 2 * page))] {
        let mut rx = builder().write_protect(protect).open_receiver().unwrap();
        assert_eq!(rights(), (2 * page + theirs.0, page + theirs.1));
        tx.send(7).unwrap();
        assert_eq!(rx.recv(), Ok(7));
    }
}

#[test]
fn opening_and_closing_leaves_nothing_behind() {
    let dir = Scratch::new("leak");
    let open = || fs::read_dir("/proc/self/fd").unwrap().count();
    let mapped = || fs::read_to_string("/proc/self/maps").unwrap().matches(&*dir.file()).count();
    drop(both::<u64>(&dir.file(), 4));
    let before = open();
    for _ in 0..2_000 {
        drop(both::<u64>(&dir.file(), 4));
    }
    // Other tests of this program open files, too: a leak would be thousands.
    assert!(open() < before + 1_000, "{} descriptors, then {}", before, open());
    assert_eq!(mapped(), 0);
}
