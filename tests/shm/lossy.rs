//! Lossy channels between processes: receivers that only read, senders that come and go or are killed.

use crate::support::another::{self, Another, is_root, the_test};
use crate::support::scratch::Scratch;
use ringmail::shm::lossy::{Builder, Receiver, Resume, Seen, Sender};
use ringmail::shm::{self, Cause, Kind, Message, OpenError, Peer, Role, Schema};
use ringmail::shm::{RecvError, RecvTimeoutError, TryRecvError, spsc};
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A message of that many words, each of which names it.
#[derive(Clone, Copy, zerocopy::TryFromBytes, zerocopy::IntoBytes, zerocopy::Immutable)]
#[repr(C)]
struct Block<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Message for Block<WORDS> {
    const SCHEMA: Schema = Schema::new("block");
}

impl<const WORDS: usize> Block<WORDS> {
    fn new(number: u64) -> Self {
        Self(std::array::from_fn(|i| number.rotate_left(i as u32)))
    }

    fn check(&self, number: u64) {
        assert!(self.0 == Self::new(number).0, "message {number} is a mixture, or another one");
    }
}

fn builder<T: Message + Copy>(name: &str) -> Builder<T> {
    Builder::new(name).capacity(64)
}

/// No test of its own: what the others run in a process of its own.
#[test]
fn the_other_process() {
    another::run(|part, about| match part {
        "reads" => reads(about),
        "forbidden" => forbidden(about),
        other => panic!("no part {other}"),
    });
    if let Ok(about) = std::env::var("SHM_LOSSY") {
        let (words, name) = about.split_once(' ').unwrap();
        match words {
            "1" => sends_for_ever::<1>(name),
            "128" => sends_for_ever::<128>(name),
            "512" => sends_for_ever::<512>(name),
            other => panic!("no message of {other} words"),
        }
    }
}

/// One by one, and in slices that are longer than a batch.
fn sends_for_ever<const WORDS: usize>(name: &str) {
    let mut tx = builder::<Block<WORDS>>(name).open_sender().unwrap();
    loop {
        let next = tx.sent();
        (next..next + 50).for_each(|n| tx.send(Block::new(n)));
        let slice: Vec<_> = (next + 50..next + 100).map(Block::new).collect();
        tx.send_slice(&slice);
    }
}

fn spawn(name: &str, words: usize) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(the_test(module_path!(), "the_other_process")).env("SHM_LOSSY", format!("{words} {name}"));
    child.stdout(Stdio::null()).spawn().unwrap()
}

#[test]
fn what_is_sent_is_received_or_counted_as_lost() {
    let dir = Scratch::new("lossy");
    let mut tx = builder::<u64>(&dir.file()).open_sender().unwrap();
    let mut rx = builder::<u64>(&dir.file()).open_receiver().unwrap();
    assert_eq!((tx.capacity(), rx.capacity(), rx.latest()), (64, 64, Ok(None)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    (0..100).for_each(|n| tx.send(n));
    assert_eq!((rx.lag(), rx.position(), rx.is_empty()), (100, 0, false));
    rx.set_resume(Resume::Oldest);
    assert_eq!(rx.try_recv(), Ok(Seen::Lost(36)));
    for n in 36..100 {
        assert_eq!(rx.recv(), Ok(Seen::Message(n)));
    }
    assert_eq!((rx.try_recv(), rx.lag(), rx.is_empty()), (Err(TryRecvError::Empty), 0, true));
    tx.send_slice(&(100..150).collect::<Vec<_>>());
    assert_eq!(rx.latest(), Ok(Some((149, 149))));
    assert_eq!(rx.try_changed(), Ok((149, 149)));
    assert_eq!((rx.try_changed(), rx.position()), (Err(TryRecvError::Empty), 150));
    let started = Instant::now();
    assert_eq!(rx.recv_timeout(Duration::from_millis(5)), Err(RecvTimeoutError::Timeout));
    assert_eq!(rx.changed_deadline(started), Err(RecvTimeoutError::Timeout));
    assert!(started.elapsed() >= Duration::from_millis(5));
}

#[test]
fn a_receiver_begins_where_it_is_told_to() {
    let dir = Scratch::new("lossy-begin");
    let mut tx = builder::<u64>(&dir.file()).open_sender().unwrap();
    tx.send_slice(&(0..80).collect::<Vec<_>>());
    let open = || builder::<u64>(&dir.file());
    let mut late = open().open_receiver().unwrap();
    let mut early = open().from_oldest(true).open_receiver().unwrap();
    assert_eq!((late.position(), early.position()), (80, 16));
    tx.send(80);
    assert_eq!(late.try_recv(), Ok(Seen::Message(80)));
    // By one more the oldest is gone.
    assert_eq!(early.try_recv(), Ok(Seen::Lost(33)));
    assert_eq!(early.try_recv(), Ok(Seen::Message(49)));
    drop(tx);
    // What an ended sender left is received, and then told of.
    let mut heir = open().from_oldest(true).open_receiver().unwrap();
    for n in 17..81 {
        assert_eq!(heir.recv(), Ok(Seen::Message(n)));
    }
    assert_eq!(heir.recv(), Err(RecvError(Cause::Closed)));
    // And one that gets none of it is not.
    let mut late = open().open_receiver().unwrap();
    assert_eq!(late.recv_timeout(Duration::from_millis(2)), Err(RecvTimeoutError::Timeout));
    assert_eq!(late.latest(), Ok(Some((80, 80))));
}

#[test]
fn each_end_is_told_once_and_numbers_go_on() {
    let dir = Scratch::new("lossy-ends");
    let open = || builder::<u64>(&dir.file()).open_sender().unwrap();
    let mut tx = open();
    let mut rx = builder::<u64>(&dir.file()).open_receiver().unwrap();
    tx.send(0);
    assert_eq!((rx.peer(), rx.is_closed(), tx.epoch()), (Peer::Here, false, 1));
    tx.close();
    assert_eq!((rx.peer(), rx.is_closed()), (Peer::Left, true));
    assert_eq!(rx.recv(), Ok(Seen::Message(0)));
    assert_eq!(rx.session().map(|session| (session.number, session.pid)), Some((1, std::process::id())));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected(Cause::Closed)));
    assert_eq!((rx.try_recv(), rx.session()), (Err(TryRecvError::Empty), None));
    let tx = open();
    assert_eq!((tx.sent(), tx.epoch(), rx.is_closed()), (1, 2, false));
    tx.give_up();
    assert_eq!(rx.recv(), Err(RecvError(Cause::GivenUp)));
    let panics = std::thread::scope(|scope| {
        let panics = scope.spawn(|| {
            let mut tx = open();
            tx.send(1);
            panic!("on purpose");
        });
        panics.join()
    });
    assert!(panics.is_err());
    assert_eq!(rx.recv(), Ok(Seen::Message(1)));
    assert_eq!(rx.changed(), Err(RecvError(Cause::GivenUp)));
    // A clone is told for itself; two sessions in a row are told one after the other.
    drop(open());
    open().give_up();
    let mut other = rx.clone();
    for rx in [&mut rx, &mut other] {
        assert_eq!(rx.recv(), Err(RecvError(Cause::Closed)));
        assert_eq!(rx.recv(), Err(RecvError(Cause::GivenUp)));
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    }
}

#[test]
fn a_receiver_that_waits_gets_what_comes() {
    let dir = Scratch::new("lossy-wait");
    let mut tx = builder::<u64>(&dir.file()).open_sender().unwrap();
    let mut rx = builder::<u64>(&dir.file()).open_receiver().unwrap();
    let mut config = builder::<u64>(&dir.file()).longest_sleep(Duration::ZERO).open_receiver().unwrap();
    std::thread::scope(|scope| {
        let waits = scope.spawn(move || (0..5).map(|_| rx.recv().unwrap().message()).collect::<Vec<_>>());
        let changes = scope.spawn(move || {
            while config.changed_timeout(Duration::from_secs(60)).unwrap().0 != 4 {}
            config.recv_timeout(Duration::from_secs(60))
        });
        for n in 0..5 {
            std::thread::sleep(Duration::from_millis(5));
            tx.send(n);
        }
        drop(tx);
        assert_eq!(waits.join().unwrap(), (0..5).map(Some).collect::<Vec<_>>());
        assert_eq!(changes.join().unwrap(), Err(RecvTimeoutError::Disconnected(Cause::Closed)));
    });
}

/// Takes until a death is told, and checks each message. How many sessions it saw die.
fn follow<const WORDS: usize>(rx: &mut Receiver<Block<WORDS>>, lost: &mut u64) -> u64 {
    let (mut at, mut received) = (rx.position(), 0);
    loop {
        match rx.recv() {
            Ok(Seen::Message(message)) => {
                message.check(at);
                at += 1;
                received += 1;
            }
            Ok(Seen::Lost(count)) => {
                at += count;
                *lost += count;
            }
            Err(RecvError(Cause::PeerDied)) => return received,
            Err(other) => panic!("{other:?}"),
        }
        assert_eq!(rx.position(), at, "received and lost add up");
    }
}

fn kills<const WORDS: usize>(times: u64) {
    let dir = Scratch::new("lossy-kills");
    let name = dir.file();
    drop(builder::<Block<WORDS>>(&name).open_sender().unwrap());
    let mut rx = builder::<Block<WORDS>>(&name).open_receiver().unwrap();
    let over = AtomicBool::new(false);
    let (mut received, mut lost, mut random) = (0, 0, 0x9e37_79b9_7f4a_7c15_u64);
    std::thread::scope(|scope| {
        let mut newest = builder::<Block<WORDS>>(&name).open_receiver().unwrap();
        let over = &over;
        scope.spawn(move || {
            let mut last = 0;
            while !over.load(Ordering::Relaxed) {
                if let Some((number, message)) = newest.latest().unwrap() {
                    message.check(number);
                    assert!(number >= last, "the newest went back");
                    last = number;
                }
                if let Ok((number, message)) = newest.try_changed() {
                    message.check(number);
                }
            }
        });
        for _ in 0..times {
            let from = rx.position();
            let mut child = spawn(&name, WORDS);
            while rx.lag() == 0 {
                std::thread::yield_now();
            }
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let pause = Duration::from_nanos((random >> 33) % 300_000);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(pause);
                    child.kill().unwrap();
                    child.wait().unwrap();
                });
                received += follow(&mut rx, &mut lost);
            });
            assert!(rx.position() > from);
            // All that was whole was received, and the next sender uses none of those numbers again.
            let tx = builder::<Block<WORDS>>(&name).open_sender().unwrap();
            assert_eq!(tx.sent(), rx.position(), "a number is used twice, or is missing");
            drop(tx);
            assert!(matches!(rx.recv(), Err(RecvError(Cause::Closed))));
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(received + lost, rx.position());
}

#[test]
fn a_sender_killed_at_any_moment_leaves_whole_messages_of_a_word() {
    kills::<1>(20);
}

#[test]
fn a_sender_killed_at_any_moment_leaves_whole_messages_of_1_kib() {
    kills::<128>(20);
}

#[test]
fn a_sender_killed_at_any_moment_leaves_whole_messages_of_4_kib() {
    kills::<512>(20);
}

#[test]
fn ten_channels_of_one_name_one_after_the_other() {
    let dir = Scratch::new("lossy-ten");
    let mut before: Option<(Sender<u64>, Receiver<u64>)> = None;
    for n in 0..10 {
        let mut tx = builder::<u64>(&dir.file()).open_sender().unwrap();
        let mut rx = builder::<u64>(&dir.file()).open_receiver().unwrap();
        assert_eq!(tx.sent(), 0, "another channel");
        tx.send(n);
        assert_eq!(rx.recv(), Ok(Seen::Message(n)));
        // Between those that have it open it goes on, without its name.
        if let Some((mut tx, mut rx)) = before.take() {
            tx.send(n);
            assert_eq!(rx.recv(), Ok(Seen::Message(n)));
            assert_eq!(rx.peer(), Peer::Here);
            drop(tx);
            assert_eq!(rx.recv(), Err(RecvError(Cause::Closed)));
            assert_eq!((rx.recv(), rx.peer()), (Err(RecvError(Cause::Removed)), Peer::Removed));
        }
        fs::remove_file(dir.file()).unwrap();
        before = Some((tx, rx));
    }
}

#[test]
fn the_sender_alone_keeps_a_channel() {
    let dir = Scratch::new("lossy-remove");
    let mut tx = builder::<u64>(&dir.file()).open_sender().unwrap();
    let refused = builder::<u64>(&dir.file()).open_sender().unwrap_err();
    assert!(matches!(refused, OpenError::Taken { role: Role::Sender, pid } if pid == std::process::id()), "{refused}");
    assert!(!builder::<u64>(&dir.file()).remove().unwrap());
    tx.send(7);
    let rx = builder::<u64>(&dir.file()).open_receiver().unwrap();
    drop(tx);
    assert!(builder::<u64>(&dir.file()).remove().unwrap(), "a receiver holds no lock");
    assert_eq!(rx.latest(), Ok(Some((0, 7))), "what it has mapped stays");
    let none = builder::<u64>(&dir.file()).open_receiver().unwrap_err();
    assert!(matches!(none, OpenError::NotFound { .. }), "{none}");
    let none = builder::<u64>(&dir.file()).create(false).open_sender().unwrap_err();
    assert!(matches!(none, OpenError::NotFound { .. }), "{none}");
    assert!(!fs::exists(dir.file()).unwrap(), "a receiver makes nothing");
}

#[test]
fn another_kind_message_or_size_is_refused() {
    let dir = Scratch::new("lossy-other");
    let name = dir.file();
    drop(Builder::<u64>::new(&name).capacity(60).open_sender().unwrap());
    let kind = |error: OpenError| match error {
        OpenError::Mismatch(mismatch) => assert_eq!(mismatch.what, "kind of channel"),
        other => panic!("{other}"),
    };
    kind(spsc::Builder::<u64>::new(&name).open_sender().unwrap_err());
    kind(spsc::Builder::<u64>::new(&name).open_receiver().unwrap_err());
    let schema = |error: OpenError| assert!(matches!(error, OpenError::Schema { .. }), "{error}");
    schema(Builder::<i64>::new(&name).open_sender().unwrap_err());
    schema(Builder::<i64>::new(&name).open_receiver().unwrap_err());
    let size = |error: OpenError| match error {
        OpenError::Mismatch(mismatch) => assert_eq!((mismatch.found, mismatch.wanted), (64, 128)),
        other => panic!("{other}"),
    };
    size(Builder::<u64>::new(&name).capacity(128).open_sender().unwrap_err());
    size(Builder::<u64>::new(&name).capacity(65).open_receiver().unwrap_err());
    assert!(Builder::<u64>::new(&name).capacity(64).open_receiver().is_ok());
    let empty = Builder::<u64>::new(&name).capacity(0).open_sender().unwrap_err();
    assert!(matches!(empty, OpenError::Build(_)), "{empty}");
    let seen = shm::inspect(&name).unwrap();
    assert_eq!((seen.kind, seen.capacity, seen.message_bytes, seen.sent()), (Kind::Lossy, 64, 8, 0));
    assert!(seen.to_string().contains("lossy, 64 messages of 8 bytes"), "{seen}");

    let other = dir.0.join("spsc").to_string_lossy().into_owned();
    drop(spsc::Builder::<u64>::new(&other).open_sender().unwrap());
    kind(Builder::<u64>::new(&other).open_sender().unwrap_err());
    kind(Builder::<u64>::new(&other).open_receiver().unwrap_err());

    dir.writable().set_len(4096).unwrap();
    let cut = Builder::<u64>::new(&name).open_receiver().unwrap_err();
    assert!(matches!(cut, OpenError::Size { .. }), "{cut}");
    dir.poke(8, 9);
    let version = Builder::<u64>::new(&name).open_receiver().unwrap_err();
    assert!(matches!(version, OpenError::Abi { found: 9, .. }), "{version}");
    fs::write(&name, "no channel").unwrap();
    let foreign = Builder::<u64>::new(&name).open_receiver().unwrap_err();
    assert!(matches!(foreign, OpenError::NotASegment { .. }), "{foreign}");
}

#[test]
fn memory_without_a_name_carries_a_channel() {
    let channel = Builder::<bool>::create_anonymous(1).unwrap();
    let mut tx = Builder::<bool>::from_fd(&channel).open_sender().unwrap();
    let mut rx = Builder::<bool>::from_fd(channel.as_fd().try_clone_to_owned().unwrap()).open_receiver().unwrap();
    assert_eq!(tx.capacity(), 2);
    tx.send(true);
    assert_eq!(rx.recv(), Ok(Seen::Message(true)));
    tx.give_up();
    assert_eq!(rx.recv(), Err(RecvError(Cause::GivenUp)));
    assert_eq!(rx.recv_timeout(Duration::from_millis(2)), Err(RecvTimeoutError::Timeout), "it is not called removed");
}

/// As a user who has no rights, if the tests run as root.
#[test]
fn a_receiver_needs_the_right_to_read_and_writes_nothing() {
    let dir = Scratch::new("lossy-rights");
    let mut tx = builder::<u64>(&dir.file()).open_sender().unwrap();
    tx.send_slice(&[0, 1, 2]);
    if is_root() {
        assert!(Another::new(module_path!(), "forbidden", &dir.file()).by_nobody().run());
    }
    fs::set_permissions(dir.file(), fs::Permissions::from_mode(0o444)).unwrap();
    let before = fs::read(dir.file()).unwrap();
    assert!(Another::new(module_path!(), "reads", &dir.file()).by_nobody().run());
    assert!(before == fs::read(dir.file()).unwrap(), "a receiver wrote to the file");
    tx.send(3);
    // What others may write is refused.
    fs::set_permissions(dir.file(), fs::Permissions::from_mode(0o666)).unwrap();
    let refused = builder::<u64>(&dir.file()).open_receiver().unwrap_err();
    assert!(matches!(refused, OpenError::NotOurs { .. }), "{refused}");
}

fn forbidden(name: &str) {
    let refused = builder::<u64>(name).owner(0).open_receiver().unwrap_err();
    match refused {
        OpenError::Io { source, .. } => assert_eq!(source.kind(), std::io::ErrorKind::PermissionDenied),
        OpenError::NotOurs { .. } => {}
        other => panic!("{other}"),
    }
}

fn reads(name: &str) {
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(name).unwrap());
    let stranger = rustix::process::geteuid().as_raw() != owner;
    if stranger {
        // Another user's file is read only if that is said.
        let refused = builder::<u64>(name).open_receiver().unwrap_err();
        assert!(matches!(refused, OpenError::NotOurs { .. }), "{refused}");
        assert!(builder::<u64>(name).open_sender().is_err());
    }
    let mut rx = builder::<u64>(name).owner(owner).from_oldest(true).prefault(true).open_receiver().unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let of_channel: Vec<_> = maps.lines().filter(|line| line.ends_with(name)).collect();
    assert!(!of_channel.is_empty() && of_channel.iter().all(|line| line.contains(" r--s ")), "{of_channel:?}");
    assert_eq!(rx.latest(), Ok(Some((2, 2))));
    let mut screen = rx.clone();
    assert_eq!(screen.changed(), Ok((2, 2)));
    for n in 0..3 {
        assert_eq!(rx.recv(), Ok(Seen::Message(n)));
    }
    assert_eq!(rx.recv_timeout(Duration::from_millis(20)), Err(RecvTimeoutError::Timeout));
    // Without a lock of its own it asks the kernel.
    assert_eq!(rx.peer(), Peer::Here);
    for _ in 0..10_000 {
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    }
}

#[test]
fn iterators_end_where_an_end_is_told() {
    let channel = Builder::<u64>::create_anonymous(4).unwrap();
    let open = || Builder::<u64>::from_fd(&channel);
    let mut rx = open().open_receiver().unwrap();
    for run in 0..2 {
        let mut tx = open().open_sender().unwrap();
        tx.send_slice(&[run, run, run, run, run, run]);
        drop(tx);
        // What a session left is there, and no end is told by this.
        if run == 0 {
            assert_eq!(rx.try_iter().collect::<Vec<_>>(), [Seen::Lost(4), Seen::Message(0), Seen::Message(0)]);
            assert_eq!(rx.try_iter().next(), None);
        }
        let mut iter = rx.iter();
        let seen: Vec<_> = iter.by_ref().collect();
        assert_eq!(iter.ended(), Some(&RecvError(Cause::Closed)));
        let left = if run == 0 { vec![] } else { vec![Seen::Lost(4), Seen::Message(1), Seen::Message(1)] };
        assert_eq!(seen, left);
    }
    let mut tx = open().open_sender().unwrap();
    tx.send(7);
    tx.give_up();
    assert_eq!(rx.into_iter().collect::<Vec<_>>(), [Seen::Message(7)]);
}
