//! What a peer that dies, restarts or writes nonsense at a bad moment must not do to a channel over mapped memory.

use crate::support::another::the_test;
use crate::support::scratch::Scratch;
use ringmail::WaitStrategy;
use ringmail::shm::spsc::{Builder, Receiver, Sender};
use ringmail::shm::{Cause, OpenError, Peer, RecvError, SendError, TryRecvError, TrySendError, fan_in};
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn sender(name: &str) -> Sender<u64> {
    Builder::new(name).capacity(8).open_sender().expect("a sender")
}

fn receiver(name: &str) -> Receiver<u64> {
    Builder::new(name).capacity(8).open_receiver().expect("a receiver")
}

/// Writes a word of the file, as a hostile process could.
fn poke(name: &str, at: u64, word: u64) {
    let file = fs::File::options().write(true).open(name).expect("the file");
    file.write_all_at(&word.to_ne_bytes(), at).expect("a word");
}

const SENDER: u64 = 4096;
const RECEIVER: u64 = 2 * 4096;
/// Where the words of a session lie: `begun`, `epoch`, `unfenced`, `core`, `taken`; `parked` is 128 bytes after the first, the table 256.
const SENDER_SESSION: u64 = SENDER + 256;
const RECEIVER_SESSION: u64 = RECEIVER;
/// Where the receiver's position lies; the sender's is the first word of its page.
const HEAD: u64 = RECEIVER + 2304;
const DATA: u64 = 3 * 4096;

/// Another process opens a side and ends without closing it, as if killed: a sender sends `message` first.
fn dies(name: &str, role: &str, message: u64) {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(the_test(module_path!(), "the_other_process"));
    child.env("SHM_ATTACK", format!("{role} {message} {name}"));
    let done = child.output().expect("a child");
    assert_eq!(done.status.code(), Some(42), "{done:?}");
}

/// No test of its own: what [`dies`] runs.
#[test]
fn the_other_process() {
    let Ok(order) = std::env::var("SHM_ATTACK") else { return };
    let parts: Vec<_> = order.splitn(3, ' ').collect();
    if parts[0] == "sender" {
        let mut tx = sender(parts[2]);
        tx.try_send(parts[1].parse().unwrap()).unwrap();
        // No destructor runs.
        std::process::exit(42);
    }
    if parts[0] == "lane" {
        let mut tx = fan_in::Builder::<u64>::new(parts[2]).open_sender().unwrap();
        tx.try_send(parts[1].parse().unwrap()).unwrap();
        std::process::exit(42);
    }
    let _rx = receiver(parts[2]);
    std::process::exit(42);
}

#[test]
fn a_side_that_is_just_being_opened_is_not_dead() {
    let dir = Scratch::new("opening");
    let (name, stop) = (dir.file(), AtomicBool::new(false));
    let rx = receiver(&name);
    std::thread::scope(|scope| {
        // More threads than cores: then a look is interrupted halfway now and then.
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let opener = scope.spawn(|| {
            let mut opened = 0;
            while !stop.load(Ordering::Relaxed) {
                drop(sender(&name));
                opened += 1;
            }
            opened
        });
        let end = Instant::now() + Duration::from_secs(4);
        let (mut died, mut looks) = (0, 0);
        while Instant::now() < end {
            died += u32::from(rx.peer() == Peer::Died);
            looks += 1;
        }
        stop.store(true, Ordering::Relaxed);
        assert_eq!((died, opener.join().unwrap() > 0), (0, true), "nobody died, in {looks} looks");
    });
}

/// The same in the verbs that wait: none of the senders dies, so no wait may say so.
#[test]
fn a_wait_across_orderly_sessions_never_reports_a_death() {
    let dir = Scratch::new("sessions");
    let (name, stop) = (dir.file(), AtomicBool::new(false));
    let mut rx = Builder::<u64>::new(&name).capacity(8).wait(WaitStrategy::ParkAtOnce).open_receiver().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                drop(sender(&name));
            }
        });
        let end = Instant::now() + Duration::from_secs(4);
        let mut died = 0;
        while Instant::now() < end {
            died +=
                u32::from(rx.recv_timeout(Duration::from_micros(50)) == Err(RecvError::Disconnected(Cause::PeerDied)));
        }
        stop.store(true, Ordering::Relaxed);
        assert_eq!(died, 0, "nobody died");
    });
}

#[test]
fn a_restart_before_a_look_does_not_hide_a_death() {
    let dir = Scratch::new("hidden");
    let mut rx = receiver(&dir.file());
    dies(&dir.file(), "sender", 1);
    let mut tx = sender(&dir.file());
    tx.send(2).unwrap();
    assert_eq!([rx.recv(), rx.recv(), rx.recv()], [Ok(1), Err(RecvError::Disconnected(Cause::PeerDied)), Ok(2)]);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn a_death_is_not_reported_again_once_the_next_is_there() {
    let dir = Scratch::new("twice");
    let mut rx = receiver(&dir.file());
    dies(&dir.file(), "sender", 1);
    assert_eq!(rx.recv(), Ok(1));
    assert_eq!(rx.recv(), Err(RecvError::Disconnected(Cause::PeerDied)));
    let mut tx = sender(&dir.file());
    assert_eq!(rx.recv_timeout(Duration::from_millis(5)), Err(RecvError::Timeout));
    tx.send(2).unwrap();
    assert_eq!(rx.recv(), Ok(2));
    drop((rx, tx));

    let dir = Scratch::new("twice-sender");
    let mut tx = sender(&dir.file());
    tx.send_slice(&[0; 8]).unwrap();
    dies(&dir.file(), "receiver", 0);
    assert!(matches!(tx.send(9), Err(error) if error.to_string().contains("ended without closing")));
    let _rx = receiver(&dir.file());
    assert_eq!(tx.try_send(9), Err(TrySendError::Full(9)));
}

#[test]
fn an_orderly_session_after_it_does_not_hide_a_death() {
    let dir = Scratch::new("between");
    let mut rx = receiver(&dir.file());
    drop(sender(&dir.file()));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected(Cause::Closed)));
    dies(&dir.file(), "sender", 1);
    drop(sender(&dir.file()));
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected(Cause::PeerDied)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected(Cause::Closed)));
    dies(&dir.file(), "sender", 2);
    drop(sender(&dir.file()));
    let _tx = sender(&dir.file());
    assert_eq!(rx.try_recv(), Ok(2));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected(Cause::PeerDied)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected(Cause::Closed)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));

    // To a sender: what happened first is told first, though it finds the channel closed.
    let dir = Scratch::new("between-receivers");
    let mut tx = sender(&dir.file());
    dies(&dir.file(), "receiver", 0);
    drop(receiver(&dir.file()));
    assert_eq!(tx.try_send(1), Err(TrySendError::Disconnected(1, Cause::PeerDied)));
    assert_eq!(tx.try_send(1), Err(TrySendError::Disconnected(1, Cause::Closed)));
    dies(&dir.file(), "receiver", 0);
    let mut rx = receiver(&dir.file());
    rx.close();
    assert!(matches!(tx.send(1), Err(SendError::Disconnected(1, Cause::PeerDied))));
    assert!(matches!(tx.send(1), Err(SendError::Disconnected(1, Cause::Closed))));
    assert_eq!(tx.send(1), Ok(()), "both are told: the next may come");
}

/// A sender that is killed when it has said how its session ends, and before its ring closes.
#[test]
fn an_end_that_was_said_and_not_done_is_told() {
    for (how, told) in [(1, Cause::Closed), (2, Cause::GivenUp)] {
        let dir = Scratch::new(&format!("said-{how}"));
        let mut rx = receiver(&dir.file());
        dies(&dir.file(), "sender", 1);
        poke(&dir.file(), SENDER_SESSION + 256 + 32, 1 << 8 | how);
        assert_eq!(rx.try_recv(), Ok(1));
        let looks = (0..10_000).take_while(|_| rx.try_recv() == Err(TryRecvError::Empty)).count();
        assert!(looks < 4_200, "{looks}");

        let dir = Scratch::new(&format!("said-lane-{how}"));
        let builder = || fan_in::Builder::<u64>::new(dir.file()).lanes(1).capacity(8);
        let mut rx = builder().open_receiver().unwrap();
        dies(&dir.file(), "lane", 1);
        poke(&dir.file(), SENDER_SESSION + 256 + 32, 1 << 8 | how);
        assert_eq!(rx.recv(), Ok(1));
        let said = rx.recv_timeout(Duration::from_secs(9)).unwrap_err();
        assert!(matches!(said, fan_in::RecvError::Departed(departed) if departed.cause == told), "{said:?}");
    }
}

/// Of several that died since somebody looked, each death is told, behind what that one sent.
#[test]
fn each_death_between_two_looks_is_news() {
    let dir = Scratch::new("several");
    let mut rx = receiver(&dir.file());
    (1..=3).for_each(|message| dies(&dir.file(), "sender", message));
    let _tx = sender(&dir.file());
    for message in 1..=3 {
        assert_eq!(rx.recv(), Ok(message));
        assert_eq!(rx.recv(), Err(RecvError::Disconnected(Cause::PeerDied)));
    }
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn removing_never_takes_a_channel_in_use() {
    let dir = Scratch::new("remove");
    let (name, stop) = (dir.file(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let _ = Builder::<u64>::new(&name).remove();
                }
            });
        }
        let end = Instant::now() + Duration::from_secs(3);
        let (mut held, mut lost) = (0, 0);
        while Instant::now() < end {
            // Somebody who removes it may have this side for a moment.
            let Ok(_tx) = Builder::<u64>::new(&name).capacity(8).open_sender() else { continue };
            held += 1;
            for _ in 0..20 {
                std::thread::yield_now();
            }
            lost += u32::from(fs::metadata(&name).is_err());
        }
        stop.store(true, Ordering::Relaxed);
        assert_eq!((lost, held > 0), (0, true), "of {held}");
    });
}

#[test]
fn impossible_counts_of_a_session_are_no_panic() {
    for word in [u64::MAX, u64::MAX - 1, 1 << 63] {
        for at in [0, 8, 16, 128] {
            let dir = Scratch::new(&format!("counts-{word}-{at}"));
            let name = dir.file();
            drop((sender(&name), receiver(&name)));
            poke(&name, SENDER_SESSION + at, word);
            poke(&name, RECEIVER_SESSION + at, word);
            let tx = Builder::<u64>::new(&name).open_sender();
            let rx = Builder::<u64>::new(&name).open_receiver();
            let (Ok(mut tx), Ok(mut rx)) = (tx, rx) else { continue };
            tx.send(1).unwrap();
            assert_eq!(rx.recv(), Ok(1));
            let _ = rx.recv_timeout(Duration::from_millis(2));
        }
    }
    // While both are open.
    for word in [u64::MAX, u64::MAX - 1, u64::MAX - 2] {
        let dir = Scratch::new(&format!("live-{word}"));
        let name = dir.file();
        let (_tx, mut rx) = (sender(&name), receiver(&name));
        for at in [0, 8, 16, 128] {
            poke(&name, SENDER_SESSION + at, word);
            poke(&name, RECEIVER_SESSION + at, word);
            let _ = rx.recv_timeout(Duration::from_millis(2));
            let _ = rx.peer();
        }
    }
}

/// Of another pid namespace, a process may have this number and this file in its hands.
#[test]
fn a_file_that_another_is_just_making_is_left_alone() {
    let dir = Scratch::new("making");
    let theirs: Vec<_> = (0..2000).map(|i| dir.0.join(format!(".channel.{}.{i}.new", std::process::id()))).collect();
    theirs.iter().for_each(|path| fs::write(path, "half").unwrap());
    drop(sender(&dir.file()));
    assert!(theirs.iter().all(|path| path.exists()));
    assert_eq!(fs::read_dir(&dir.0).unwrap().count(), theirs.len() + 1);
}

#[test]
fn a_file_that_others_may_write_is_refused() {
    let dir = Scratch::new("mode");
    drop(sender(&dir.file()));
    for mode in [0o620, 0o602, 0o666] {
        fs::set_permissions(dir.file(), fs::Permissions::from_mode(mode)).unwrap();
        let refused = Builder::<u64>::new(dir.file()).open_sender();
        assert!(matches!(refused, Err(OpenError::NotOurs { .. })), "{mode:o}: {refused:?}");
    }
}

/// A child between `fork` and `exec` has copies of all descriptors: the side must be free all the same.
#[test]
fn a_closed_side_is_free_despite_a_fork_meanwhile() {
    let dir = Scratch::new("forked");
    let (name, tx, rx) = (dir.file(), sender(&dir.file()), receiver(&dir.file()));
    let forked = dir.0.join("forked");
    let mut child = Command::new("true");
    let (signal, slept) = (forked.clone(), Duration::from_millis(700));
    // SAFETY: the child makes a file and sleeps.
    unsafe {
        child.pre_exec(move || {
            fs::write(&signal, "")?;
            std::thread::sleep(slept);
            Ok(())
        })
    };
    let child = std::thread::spawn(move || child.status().unwrap());
    while !forked.exists() {
        std::thread::yield_now();
    }
    drop(tx);
    let (peer, again) = (rx.peer(), Builder::<u64>::new(&name).open_sender());
    child.join().unwrap();
    assert_eq!(peer, Peer::Left);
    assert!(again.is_ok(), "{again:?}");
}

#[test]
fn bytes_that_are_no_message_are_never_counted_as_received() {
    let dir = Scratch::new("invalid");
    let mut tx = Builder::<bool>::new(dir.file()).open_sender().unwrap();
    let mut rx = Builder::<bool>::new(dir.file()).open_receiver().unwrap();
    tx.send_slice(&[true, true, true]).unwrap();
    poke(&dir.file(), DATA + 8, 7);
    let mut got = 0;
    assert_eq!(rx.drain(9, |_| got += 1), 1);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected(Cause::Corrupted)));
    assert_eq!((got, rx.stats().received), (1, 1));
    drop(rx);
    let mut rx = Builder::<bool>::new(dir.file()).open_receiver().unwrap();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected(Cause::Corrupted)), "the next sees it, too");
}

#[test]
fn a_handle_that_found_nonsense_does_nothing_any_more() {
    let dir = Scratch::new("sticky");
    let (name, mut tx, mut rx) = (dir.file(), sender(&dir.file()), receiver(&dir.file()));
    tx.send_slice(&[0; 8]).unwrap();
    poke(&name, HEAD, 1 << 40);
    assert_eq!(tx.try_send(1), Err(TrySendError::Disconnected(1, Cause::Corrupted)));
    poke(&name, HEAD, 8 << 1);
    assert_eq!(tx.try_send(1), Err(TrySendError::Disconnected(1, Cause::Corrupted)));
    poke(&name, SENDER, 1 << 40);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected(Cause::Corrupted)));
    poke(&name, SENDER, 8 << 1);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected(Cause::Corrupted)));
}

/// Nothing but the words stops at the end of their range.
#[test]
fn positions_wrap() {
    for capacity in [1, 3, 8] {
        let dir = Scratch::new(&format!("wrap{capacity}"));
        let open = || (Builder::<u64>::new(dir.file()).capacity(capacity), Builder::<u64>::new(dir.file()));
        let (tx, rx) = open();
        drop((tx.open_sender().unwrap(), rx.open_receiver().unwrap()));
        // Five messages before the end.
        poke(&dir.file(), SENDER, 5u64.wrapping_neg() << 1);
        poke(&dir.file(), HEAD, 5u64.wrapping_neg() << 1);
        let (tx, rx) = open();
        let (mut tx, mut rx) = (tx.open_sender().unwrap(), rx.open_receiver().unwrap());
        for round in 0..20 {
            for i in 0..capacity as u64 {
                assert_eq!(tx.try_send(round * 100 + i), Ok(()));
            }
            assert_eq!(tx.try_send(0), Err(TrySendError::Full(0)));
            assert_eq!((tx.len(), rx.len()), (capacity, capacity));
            assert!(tx.stats().depth <= capacity && rx.stats().depth <= capacity);
            for i in 0..capacity as u64 {
                assert_eq!(rx.try_recv(), Ok(round * 100 + i));
            }
        }
    }
}

/// A receiver never closes its position: a sender that waits must not take it for news, again and again.
#[test]
fn an_impossible_position_is_no_busy_loop() {
    let dir = Scratch::new("loop");
    let mut tx = sender(&dir.file());
    let _rx = receiver(&dir.file());
    tx.send_slice(&[0; 8]).unwrap();
    poke(&dir.file(), HEAD, 1);
    let waited = tx.send_timeout(9, Duration::from_millis(200));
    let parks = tx.stats().sender_parks;
    assert!(parks < 20, "{parks} parks in 200 ms: {waited:?}");
    assert!(matches!(waited, Err(error) if error.to_string().contains("cannot be")));
}

#[test]
fn a_side_that_takes_its_words_back_was_there_all_the_same() {
    let dir = Scratch::new("zeroed");
    let name = dir.file();
    let mut rx = receiver(&name);
    assert_eq!(rx.peer(), Peer::Never);
    let tx = sender(&name);
    assert_eq!(rx.peer(), Peer::Here);
    drop(tx);
    (0..4).for_each(|word| poke(&name, SENDER_SESSION + 8 * word, 0));
    poke(&name, SENDER, 0);
    assert_eq!(rx.peer(), Peer::Died);
    // It would be waited for without end otherwise. No holder takes words back, so that is all it ever says.
    for _ in 0..2 {
        assert_eq!(rx.recv_timeout(Duration::from_secs(5)), Err(RecvError::Disconnected(Cause::Corrupted)));
    }
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected(Cause::Corrupted)));
}

#[test]
fn a_receiver_that_takes_its_words_back_is_not_waited_for() {
    let dir = Scratch::new("zeroed-receiver");
    let name = dir.file();
    let mut tx = sender(&name);
    drop(receiver(&name));
    assert_eq!(tx.peer(), Peer::Left);
    (0..4).for_each(|word| poke(&name, RECEIVER_SESSION + 8 * word, 0));
    poke(&name, HEAD + 128, 0);
    (0..8).for_each(|i| assert_eq!(tx.try_send(i), Ok(())));
    for _ in 0..2 {
        assert_eq!(tx.send_timeout(9, Duration::from_secs(5)), Err(SendError::Disconnected(9, Cause::Corrupted)));
    }
    assert_eq!(tx.try_send(9), Err(TrySendError::Disconnected(9, Cause::Corrupted)));
}

#[test]
fn a_hostile_side_makes_no_depth_above_the_capacity() {
    let dir = Scratch::new("depth");
    let name = dir.file();
    let (tx, rx) = (sender(&name), receiver(&name));
    for word in [1 << 40, u64::MAX, 9 << 1, u64::MAX << 1] {
        poke(&name, SENDER, word);
        assert!(rx.stats().depth <= 8, "{}", rx.stats().depth);
        poke(&name, HEAD, word);
        assert!(tx.stats().depth <= 8, "{}", tx.stats().depth);
        assert!(ringmail::shm::look(&name).unwrap().depth() <= 8);
    }
}

#[test]
fn a_file_may_have_the_longest_name_there_is() {
    let dir = Scratch::new("long");
    let name = dir.0.join("n".repeat(255)).to_string_lossy().into_owned();
    assert_eq!((sender(&name).capacity(), fs::read_dir(&dir.0).unwrap().count()), (8, 1));
}

#[test]
fn an_end_may_move_to_another_thread_but_not_be_shared() {
    static_assertions::assert_impl_all!(Sender<u64>: Send);
    static_assertions::assert_impl_all!(Receiver<u64>: Send);
    static_assertions::assert_not_impl_any!(Sender<u64>: Sync, Clone);
    static_assertions::assert_not_impl_any!(Receiver<u64>: Sync, Clone);
}
