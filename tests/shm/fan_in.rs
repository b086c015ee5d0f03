//! Many senders over mapped memory, some of which die.

use crate::support::another::the_test;
use crate::support::scratch::Scratch;
use crate::support::seen;
use ringmail::shm::fan_in::Disconnected;
use ringmail::shm::fan_in::{Builder, Departed, Receiver, Sender};
use ringmail::shm::{self, Cause, Kind, OpenError, Peer, Role, TrySendError, bytes, spsc};
use ringmail::shm::{RecvError, RecvTimeoutError, TryRecvError};
use ringmail::{BuildError, WaitStrategy};
use std::fs;
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn receiver(dir: &Scratch, lanes: usize, capacity: usize) -> Receiver<u64> {
    Builder::new(dir.file()).lanes(lanes).capacity(capacity).open_receiver().expect("a receiver")
}

fn sender(dir: &Scratch) -> Sender<u64> {
    Builder::new(dir.file()).open_sender().expect("a sender")
}

/// What a child process is told by its environment: which channel, and how many messages to send before it is killed.
const CHANNEL: &str = "RINGMAIL_TEST_FAN_IN";
const MESSAGES: &str = "RINGMAIL_TEST_MESSAGES";

/// Not a test of its own: the other process of those below.
#[test]
fn child() {
    let Ok(name) = std::env::var(CHANNEL) else { return };
    let n = std::env::var(MESSAGES).unwrap().parse::<u64>().unwrap();
    let mut tx = Builder::<u64>::new(name).open_sender().unwrap();
    for i in 0..n {
        tx.send(i).unwrap();
    }
    // Until somebody kills it.
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn spawn(dir: &Scratch, messages: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(the_test(module_path!(), "child"))
        .env(CHANNEL, dir.file())
        .env(MESSAGES, messages.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// What is told where `lane`'s session of this number left in order, which had sent so many messages.
fn left(rx: &mut Receiver<u64>, lane: usize, epoch: u64, sent: u64) {
    let told = rx.recv_timeout(Duration::from_secs(60)).unwrap_err();
    let RecvTimeoutError::Disconnected(Disconnected::Sender(departed)) = told else { panic!("{told:?}") };
    let Departed { sent: told, cause: why, .. } = departed;
    assert_eq!((departed.lane, departed.epoch, told, why), (lane, epoch, Some(sent), Cause::Closed));
    assert_eq!(departed.pid, std::process::id());
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn each_sender_has_a_lane_and_its_own_order() {
    let dir = Scratch::new("order");
    let mut rx = receiver(&dir, 3, 5);
    assert_eq!((rx.lanes(), rx.capacity(), rx.last_lane()), (3, 15, None));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty), "nobody was there yet");
    let mut senders: Vec<_> = (0..3).map(|_| sender(&dir)).collect();
    assert_eq!(senders.iter().map(Sender::lane).collect::<Vec<_>>(), [0, 1, 2]);
    let full = Builder::<u64>::new(dir.file()).open_sender().unwrap_err();
    assert!(matches!(full, OpenError::NoFreeLane { lanes: 3 }), "{full}");
    assert!(matches!(
        Builder::<u64>::new(dir.file()).open_receiver(),
        Err(OpenError::Taken { role: Role::Receiver, .. })
    ));
    for round in 0..40u64 {
        for (lane, tx) in (0..).zip(&mut senders) {
            for i in 0..5 {
                tx.try_send(lane << 32 | (round * 5 + i)).unwrap();
            }
            assert_eq!(tx.try_send(0), Err(TrySendError::Full(0)));
        }
        assert_eq!(rx.len(), 15);
        let mut next = [round * 5; 3];
        for _ in 0..15 {
            let (lane, value) = rx.try_recv_from().unwrap();
            assert_eq!((value >> 32, value as u32 as u64), (lane as u64, next[lane]));
            assert_eq!(rx.last_lane(), Some(lane));
            next[lane] += 1;
        }
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    }
    assert!((0..3).all(|lane| rx.stats(lane).unwrap().received == 200 && rx.peer(lane) == Some(Peer::Here)));
    assert_eq!((rx.peer(3), rx.stats(3)), (None, None));
}

/// A lane that always has messages does not keep the others waiting.
#[test]
fn a_full_lane_takes_turns_with_the_others() {
    let dir = Scratch::new("turns");
    let mut rx = receiver(&dir, 2, 1000);
    let (mut one, mut two) = (sender(&dir), sender(&dir));
    (0..1000).for_each(|i| one.try_send(i).unwrap());
    two.try_send(7).unwrap();
    let waited = (0..).find(|_| rx.try_recv_from().unwrap().0 == 1).unwrap();
    assert!(waited <= 64, "{waited} messages of the other lane came first");
    // And goes on when it is alone.
    assert_eq!(
        (0..1000 - waited).filter(|_| rx.try_recv_from().is_ok_and(|(lane, _)| lane == 0)).count(),
        1000 - waited
    );
}

#[test]
fn all_must_have_left_for_the_channel_to_be_disconnected() {
    let dir = Scratch::new("left");
    let mut rx = receiver(&dir, 4, 8);
    let (mut one, mut two) = (sender(&dir), sender(&dir));
    one.send(1).unwrap();
    drop(one);
    assert_eq!(rx.recv(), Ok(1));
    left(&mut rx, 0, 1, 1);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty), "the second may send");
    two.send(2).unwrap();
    two.close();
    assert_eq!(rx.recv(), Ok(2));
    left(&mut rx, 1, 1, 1);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected(Disconnected::All)));
    // Said once: whoever comes later is waited for.
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(rx.recv_timeout(Duration::from_millis(1)), Err(RecvTimeoutError::Timeout));
    assert!(!rx.wait_for_sender(Duration::from_millis(1)) || rx.peer(1) == Some(Peer::Here));
    // One who comes later takes the first lane that is free, and its count goes on.
    let mut three = sender(&dir);
    assert_eq!((three.lane(), three.epoch()), (0, 2));
    assert!(rx.wait_for_sender(Duration::ZERO));
    three.send(3).unwrap();
    assert_eq!(rx.recv_from(), Ok((0, 3)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    rx.close();
    assert_eq!(three.try_send(4), Err(TrySendError::Disconnected(4, Cause::Closed)));
    assert_eq!(rx.recv(), Err(RecvError(Disconnected::All)));
}

#[test]
fn a_death_is_told_once_with_what_was_sent_and_the_others_go_on() {
    for wait in [WaitStrategy::Park, WaitStrategy::Yield, WaitStrategy::BusySpin] {
        let dir = Scratch::new(&format!("death{wait:?}"));
        let mut rx = Builder::<u64>::new(dir.file()).lanes(8).wait(wait).open_receiver().unwrap();
        let victim = spawn(&dir, 5);
        assert!(rx.wait_for_sender(Duration::from_secs(60)));
        let mut other = sender(&dir);
        for i in 0..5 {
            assert_eq!(rx.recv_from(), Ok((0, i)));
        }
        kill(victim);
        let departed = rx.recv_timeout(Duration::from_secs(60)).unwrap_err();
        let RecvTimeoutError::Disconnected(Disconnected::Sender(Departed {
            lane: 0,
            epoch: 1,
            sent: Some(5),
            cause: Cause::PeerDied,
            ..
        })) = departed
        else {
            panic!("{departed:?}")
        };
        assert_eq!(rx.peer(0), Some(Peer::Died));
        assert_eq!(rx.recv_timeout(Duration::from_millis(200)), Err(RecvTimeoutError::Timeout), "told once");
        other.send(9).unwrap();
        assert_eq!(rx.recv_from(), Ok((1, 9)));
        drop(other);
        left(&mut rx, 1, 1, 1);
        assert_eq!(rx.recv(), Err(RecvError(Disconnected::All)));
        assert_eq!(rx.recv_timeout(Duration::from_millis(1)), Err(RecvTimeoutError::Timeout), "told once");
    }
}

#[test]
fn a_death_is_told_soon() {
    for wait in [WaitStrategy::Park, WaitStrategy::Yield, WaitStrategy::BusySpin] {
        seen(|| {
            let dir = Scratch::new(&format!("soon{wait:?}"));
            let mut rx = Builder::<u64>::new(dir.file()).lanes(8).wait(wait).open_receiver().unwrap();
            let victim = spawn(&dir, 5);
            for i in 0..5 {
                assert_eq!(rx.recv_from(), Ok((0, i)));
            }
            kill(victim);
            let killed = Instant::now();
            let told = rx.recv_timeout(Duration::from_secs(60)).unwrap_err();
            let took = killed.elapsed();
            assert!(matches!(told, RecvTimeoutError::Disconnected(Disconnected::Sender(_))), "{told:?}");
            if took < Duration::from_secs(1) { Ok(()) } else { Err(format!("{wait:?}: {took:?}")) }
        });
    }
}

#[test]
fn a_death_is_told_with_where_its_successor_began() {
    let dir = Scratch::new("successor");
    let mut rx = receiver(&dir, 2, 64);
    let victim = spawn(&dir, 5);
    let end = Instant::now() + Duration::from_secs(60);
    while rx.len() != 5 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
    kill(victim);
    let mut next = sender(&dir);
    assert_eq!((next.lane(), next.epoch()), (0, 2));
    next.send(100).unwrap();
    assert_eq!((0..5).map(|_| rx.try_recv().unwrap()).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    let told = rx.try_recv().unwrap_err();
    let TryRecvError::Disconnected(Disconnected::Sender(Departed {
        lane: 0,
        epoch: 1,
        sent: Some(5),
        cause: Cause::PeerDied,
        ..
    })) = told
    else {
        panic!("{told:?}")
    };
    assert_eq!(rx.recv(), Ok(100), "not before the end of the one before");
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    next.send(101).unwrap();
    assert_eq!(rx.recv(), Ok(101));
}

#[test]
fn a_lane_that_says_what_cannot_be_ends_alone() {
    let dir = Scratch::new("corrupt");
    let mut rx = receiver(&dir, 2, 4);
    let (mut one, mut two) = (sender(&dir), sender(&dir));
    one.send(1).unwrap();
    // The position of the second lane: behind the header and the first lane, of three pages.
    let file = fs::File::options().write(true).open(dir.file()).unwrap();
    file.write_all_at(&[0xff; 8], 4096 + 3 * 4096).unwrap();
    assert_eq!(rx.recv_from(), Ok((0, 1)));
    let told = rx.recv().unwrap_err();
    let RecvError(Disconnected::Sender(Departed { lane: 1, cause: Cause::Corrupted, .. })) = told else {
        panic!("{told:?}")
    };
    assert_eq!(rx.recv_timeout(Duration::from_millis(20)), Err(RecvTimeoutError::Timeout));
    one.send(2).unwrap();
    let _ = two.try_send(3);
    assert_eq!(rx.recv_from(), Ok((0, 2)));
    drop(one);
    left(&mut rx, 0, 1, 2);
    assert_eq!(rx.recv(), Err(RecvError(Disconnected::All)));
}

#[test]
fn what_was_not_received_stays_for_the_next_receiver() {
    let dir = Scratch::new("stays");
    let mut rx = receiver(&dir, 2, 8);
    let (mut one, mut two) = (sender(&dir), sender(&dir));
    for i in 0..6 {
        one.send(i).unwrap();
        two.send(10 + i).unwrap();
    }
    let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| rx.drain(3, |_, _| panic!("on purpose"))));
    assert!(panics.is_err());
    let mut got = Vec::new();
    assert_eq!(rx.drain(4, |lane, value| got.push((lane, value))), 4);
    assert_eq!(got, [(0, 0), (0, 1), (0, 2), (0, 3)]);
    drop(rx);
    let mut rx = receiver(&dir, 2, 8);
    let mut got: Vec<_> = (0..8).map(|_| rx.recv_from().unwrap()).collect();
    got.sort_unstable();
    assert_eq!(got, [(0, 4), (0, 5), (1, 10), (1, 11), (1, 12), (1, 13), (1, 14), (1, 15)]);
}

#[test]
fn senders_in_threads_exchange_many_messages_awake_and_asleep() {
    for (wait, n) in [(WaitStrategy::Park, 60_000), (WaitStrategy::Yield, 60_000), (WaitStrategy::ParkAtOnce, 1_000)] {
        let dir = Scratch::new(&format!("threads{wait:?}"));
        let mut rx = Builder::<u64>::new(dir.file()).lanes(4).capacity(64).wait(wait).open_receiver().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let mut tx = Builder::<u64>::new(dir.file()).wait(wait).open_sender().unwrap();
                scope.spawn(move || (0..n).for_each(|i| tx.send(i).unwrap()));
            }
            let (mut next, mut gone) = ([0; 4], [false; 4]);
            loop {
                match rx.recv_from() {
                    Ok((lane, value)) => {
                        assert!(value == next[lane] && !gone[lane]);
                        next[lane] += 1;
                    }
                    Err(RecvError(Disconnected::Sender(Departed {
                        lane,
                        epoch: 1,
                        sent,
                        cause: Cause::Closed,
                        ..
                    }))) => {
                        assert_eq!(sent, Some(n));
                        assert!(!std::mem::replace(&mut gone[lane], true), "told twice");
                    }
                    other => {
                        assert_eq!(other, Err(RecvError(Disconnected::All)));
                        break;
                    }
                }
            }
            assert_eq!((next, gone), ([n; 4], [true; 4]));
        });
    }
}

/// One sleep, one wake: the sender that brings the message answers it, and no other one.
#[test]
fn a_receiver_that_sleeps_is_woken_by_any_lane() {
    let dir = Scratch::new("wake");
    let mut rx =
        Builder::<u64>::new(dir.file()).lanes(128).capacity(4).wait(WaitStrategy::ParkAtOnce).open_receiver().unwrap();
    let mut senders: Vec<_> = (0..128).map(|_| sender(&dir)).collect();
    // Moved in: if this fails the receiver goes, and no send waits for it.
    std::thread::scope(move |scope| {
        let (mut first, mut last) = (senders.remove(0), senders.pop().unwrap());
        let enough = Arc::new(AtomicBool::new(false));
        let is_enough = Arc::clone(&enough);
        scope.spawn(move || {
            for i in 0.. {
                std::thread::sleep(Duration::from_millis(2));
                let sent = if i % 2 == 0 { first.send(i) } else { last.send(i) };
                // The receiver goes when it has seen enough.
                if is_enough.load(Ordering::Relaxed) {
                    break;
                }
                sent.unwrap();
            }
        });
        let (mut next, late) = ([0, 1], Instant::now() + Duration::from_secs(60));
        let wakes = |rx: &Receiver<u64>| [0, 127].map(|lane| rx.stats(lane).unwrap().sender_wakes);
        // On a busy machine the next may be there already: then it is not woken, and the lanes take turns.
        while wakes(&rx).iter().any(|&wakes| wakes < 13) {
            assert!(Instant::now() < late, "{:?} wakes of {next:?}", wakes(&rx));
            let (lane, value) = rx.recv_from().unwrap();
            let of = usize::from(lane == 127);
            assert_eq!((lane, value), ([0, 127][of], next[of]));
            next[of] += 2;
        }
        enough.store(true, Ordering::Relaxed);
        let others = (1..127).map(|lane| rx.stats(lane).unwrap().sender_wakes).sum::<u64>();
        assert_eq!(others, 0, "no other one answers");
    });
}

#[test]
fn another_number_of_lanes_or_kind_is_refused() {
    let dir = Scratch::new("differs");
    for lanes in [0, 129, usize::MAX] {
        let refused = Builder::<u64>::new(dir.file()).lanes(lanes).open_sender().unwrap_err();
        assert!(matches!(refused, OpenError::Lanes { most: 128, .. }), "{refused}");
    }
    let none = Builder::<u64>::new(dir.file()).capacity(0).open_sender().unwrap_err();
    assert!(matches!(none, OpenError::Build(BuildError::ZeroCapacity)), "{none}");
    let _rx = receiver(&dir, 3, 4);
    let other = Builder::<u64>::new(dir.file()).lanes(2).open_sender().unwrap_err().to_string();
    assert!(other.contains("lanes is 3, not 2"), "{other}");
    let other = spsc::Builder::<u64>::new(dir.file()).open_sender().unwrap_err().to_string();
    assert!(other.contains("kind of channel is 3, not 1"), "{other}");
    let other = bytes::fan_in::Builder::new(dir.file()).open_sender().unwrap_err().to_string();
    assert!(other.contains("kind of channel is 3, not 4"), "{other}");
}

#[test]
fn removing_needs_every_side_to_be_free() {
    let dir = Scratch::new("remove");
    let rx = receiver(&dir, 5, 4);
    let mut senders: Vec<_> = (0..5).map(|_| sender(&dir)).collect();
    drop(rx);
    while let Some(last) = senders.pop() {
        assert!(!Builder::<u64>::new(dir.file()).remove().unwrap());
        // From the first lane on, so that it is the last lane alone in the end.
        drop(if senders.is_empty() { last } else { std::mem::replace(&mut senders[0], last) });
    }
    assert!(Builder::<u64>::new(dir.file()).remove().unwrap());
    assert!(!fs::exists(dir.file()).unwrap());
}

#[test]
fn records_of_many_senders_keep_their_lanes_and_numbers() {
    let dir = Scratch::new("bytes");
    let builder = || bytes::fan_in::Builder::new(dir.file());
    let mut rx = builder().lanes(3).capacity(4096).open_receiver().unwrap();
    let mut body = vec![1];
    assert_eq!(rx.try_recv_into(&mut body), Err(TryRecvError::Empty));
    let mut senders: Vec<_> = (0..3).map(|_| builder().open_sender().unwrap()).collect();
    for round in 0..100 {
        for (lane, tx) in senders.iter_mut().enumerate() {
            tx.send(&vec![lane as u8; 1 + round * 7 % 500]).unwrap();
        }
        let mut seen = [false; 3];
        for _ in 0..3 {
            let (lane, info) = rx.recv_into(&mut body).unwrap();
            assert_eq!((info.sequence, info.len), (round as u64, body.len()));
            assert_eq!(body, vec![lane as u8; 1 + round * 7 % 500]);
            assert!(!std::mem::replace(&mut seen[lane], true));
        }
    }
    assert!(rx.is_empty() && rx.max_len() == 4096 - 24 && rx.lanes() == 3);
    let gone = senders.remove(1);
    drop(gone);
    let mut back = builder().open_sender().unwrap();
    assert_eq!((back.lane(), back.epoch(), back.sequence()), (1, 2, 100));
    back.send("again").unwrap();
    let left = |rx: &mut bytes::fan_in::Receiver| {
        let told = rx.recv_timeout_into(&mut Vec::new(), Duration::from_secs(9)).unwrap_err();
        let RecvTimeoutError::Disconnected(Disconnected::Sender(Departed {
            lane, epoch, cause: Cause::Closed, ..
        })) = told
        else {
            panic!("{told:?}")
        };
        (lane, epoch)
    };
    assert_eq!(left(&mut rx), (1, 1), "the one before");
    assert_eq!(rx.recv_into(&mut body).unwrap().0, 1);
    assert_eq!(body, b"again");
    drop((senders, back));
    let mut left = [left(&mut rx), left(&mut rx), left(&mut rx)];
    left.sort_unstable();
    assert_eq!(left, [(0, 1), (1, 2), (2, 1)]);
    assert_eq!(
        rx.recv_timeout_into(&mut body, Duration::from_secs(9)),
        Err(RecvTimeoutError::Disconnected(Disconnected::All))
    );
    let seen = shm::inspect(&dir.file()).unwrap();
    assert_eq!((seen.kind, seen.lanes.len(), seen.sent(), seen.depth()), (Kind::BytesFanIn, 3, 301, 0));
    assert!(seen.to_string().contains("bytes::fan_in, 4096 bytes in each of 3 lanes"), "{seen}");
}

#[test]
fn records_of_a_lane_come_again_until_they_are_committed() {
    let dir = Scratch::new("batches");
    let builder = || bytes::fan_in::Builder::new(dir.file()).lanes(2);
    let (open, sender) = (|| builder().open_receiver().unwrap(), || builder().open_sender().unwrap());
    let (mut a, mut b) = (sender(), sender());
    for text in ["a1", "a2"] {
        a.send(text).unwrap();
    }
    b.send("b1").unwrap();
    drop(a);
    let (soon, mut body) = (Duration::from_secs(10), Vec::new());
    // One lane after the other, all of it; what is not committed comes again, also to the next receiver.
    for _ in 0..2 {
        let mut rx = open();
        let mut seen = Vec::new();
        for _ in 0..2 {
            rx.wait_for_record(soon).unwrap();
            let (lane, mut batch) = rx.batch().unwrap();
            while batch.try_recv_into(&mut body).is_ok() {
                seen.push((lane, String::from_utf8(body.clone()).unwrap()));
            }
        }
        assert_eq!(seen, [(0, "a1".into()), (0, "a2".into()), (1, "b1".into())]);
    }
    let mut rx = open();
    let mut seen = Vec::new();
    // The end of a lane is told behind its last record; between lanes there is no order.
    while seen.len() < 3 {
        match rx.wait_for_record(soon) {
            Ok(()) => {
                let Some((lane, mut batch)) = rx.batch() else { continue };
                while batch.try_recv_into(&mut body).is_ok() {}
                seen.push((lane, Some(batch.commit())));
            }
            Err(RecvTimeoutError::Disconnected(Disconnected::Sender(Departed {
                lane, cause: Cause::Closed, ..
            }))) => seen.push((lane, None)),
            Err(error) => panic!("{error}"),
        }
    }
    let of = |wanted| seen.iter().filter(|(lane, _)| *lane == wanted).map(|(_, what)| *what).collect::<Vec<_>>();
    assert_eq!((of(0), of(1)), (vec![Some(2), None], vec![Some(1)]));
    assert!(rx.batch().is_none());
    assert_eq!(rx.wait_for_record(Duration::from_millis(10)), Err(RecvTimeoutError::Timeout));
    drop(b);
    let told = rx.wait_for_record(soon);
    assert!(
        matches!(told, Err(RecvTimeoutError::Disconnected(Disconnected::Sender(Departed { lane: 1, .. })))),
        "{told:?}"
    );
    assert_eq!(rx.wait_for_record(soon), Err(RecvTimeoutError::Disconnected(Disconnected::All)));
}

#[test]
fn a_channel_without_a_name_has_lanes_too() {
    let channel = Builder::<u64>::create_anonymous(2, 8).unwrap();
    let mut rx = Builder::<u64>::from_fd(&channel).open_receiver().unwrap();
    let mut one = Builder::<u64>::from_fd(&channel).open_sender().unwrap();
    let mut two = Builder::<u64>::from_fd(&channel).open_sender().unwrap();
    assert!(matches!(Builder::<u64>::from_fd(&channel).open_sender(), Err(OpenError::NoFreeLane { lanes: 2 })));
    one.send(1).unwrap();
    two.send(2).unwrap();
    assert_eq!((rx.recv(), rx.recv()), (Ok(1), Ok(2)));
    let channel = bytes::fan_in::Builder::create_anonymous(2, 100, None).unwrap();
    let mut tx = bytes::fan_in::Builder::from_fd(&channel).open_sender().unwrap();
    tx.send("x").unwrap();
    let mut body = Vec::new();
    let mut rx = bytes::fan_in::Builder::from_fd(&channel).open_receiver().unwrap();
    assert_eq!(rx.recv_into(&mut body).unwrap().0, 0);
}
