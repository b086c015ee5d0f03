//! Broadcasts between processes: seats, gates, reserved seats, ends of either side.

use crate::support::another::the_test;
use crate::support::scratch::Scratch;
use crate::support::seen;
use ringmail::WaitStrategy;
use ringmail::shm::broadcast::{Builder, NoReceiver, Receiver, Sender};
use ringmail::shm::{self, Cause, Kind, Message, OpenError, Peer, RecvError, RecvTimeoutError, Schema, TryRecvError};
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than any of this takes.
const LONG: Duration = Duration::from_secs(60);

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
        assert!(self.0 == Self::new(number).0, "message {number} is a mixture, or another one: {}", self.0[0]);
    }
}

fn builder<T: Message>(name: &str) -> Builder<T> {
    Builder::new(name).capacity(8).receivers(3)
}

fn sender(dir: &Scratch) -> Sender<u64> {
    builder(&dir.file()).open_sender().unwrap()
}

fn receiver(dir: &Scratch) -> Receiver<u64> {
    builder(&dir.file()).open_receiver().unwrap()
}

fn reserved(dir: &Scratch, name: &str) -> Receiver<u64> {
    builder(&dir.file()).open_reserved(name).unwrap()
}

/// No test of its own: what the others run in a process of its own.
#[test]
fn the_other_process() {
    let Ok(about) = std::env::var("SHM_BROADCAST") else { return };
    let (part, name) = about.split_once(' ').unwrap();
    match part {
        // Takes three of the messages, and stays.
        "takes-3" | "takes-3-reserved" => {
            let open = builder::<u64>(name);
            let mut rx = if part == "takes-3" { open.open_receiver() } else { open.open_reserved("journal") }.unwrap();
            (0..3).for_each(|_| {
                rx.recv().unwrap();
            });
            loop {
                std::thread::sleep(LONG);
            }
        }
        "sends-128" => sends_for_ever::<128>(name),
        "sends-512" => sends_for_ever::<512>(name),
        "follows-128" => follows_for_ever::<128>(name),
        "follows-512" => follows_for_ever::<512>(name),
        other => panic!("no part {other}"),
    }
}

fn sends_for_ever<const WORDS: usize>(name: &str) {
    let mut tx = builder::<Block<WORDS>>(name).open_sender().unwrap();
    loop {
        let next = tx.sent();
        (next..next + 5).for_each(|n| tx.send(Block::new(n)).unwrap());
        let slice: Vec<_> = (next + 5..next + 16).map(Block::new).collect();
        tx.send_slice(&slice).unwrap();
    }
}

fn follows_for_ever<const WORDS: usize>(name: &str) {
    let mut rx = builder::<Block<WORDS>>(name).open_receiver().unwrap();
    let mut next = None;
    loop {
        match rx.recv() {
            Ok(message) => {
                let number = next.unwrap_or(message.0[0]);
                message.check(number);
                next = Some(number + 1);
            }
            Err(RecvError(Cause::PeerDied | Cause::Closed)) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

fn spawn(part: &str, name: &str) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(the_test(module_path!(), "the_other_process")).env("SHM_BROADCAST", format!("{part} {name}"));
    child.stdout(Stdio::null()).spawn().unwrap()
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn each_receiver_gets_every_message_and_the_slowest_gates() {
    let dir = Scratch::new("broadcast");
    let mut tx = sender(&dir);
    assert!(tx.try_send(0).unwrap_err().is_full(), "no receiver");
    assert_eq!((tx.slowest(), tx.receivers(), tx.seats(), tx.capacity()), (None, 0, 3, 8));
    let (mut a, mut b) = (receiver(&dir), receiver(&dir));
    assert_eq!((a.seat(), b.seat(), a.seat_name()), (0, 1, None));
    assert!(tx.wait_for_receiver(LONG));
    (0..8).for_each(|n| tx.try_send(n).unwrap());
    assert!(tx.try_send(8).unwrap_err().is_full());
    assert_eq!(a.drain(usize::MAX, |_| {}), 8);
    assert!(tx.try_send(8).unwrap_err().is_full(), "b gates");
    let slowest = tx.slowest().unwrap();
    assert_eq!((slowest.seat, slowest.lag, slowest.vacant, &slowest.name), (1, 8, false, &None));
    assert_eq!(b.recv(), Ok(0));
    tx.try_send(8).unwrap();
    assert_eq!((a.lag(), b.lag(), a.recv()), (1, 8, Ok(8)));
    // A late one begins with what is sent from now on.
    let mut c = receiver(&dir);
    assert_eq!((c.seat(), c.lag(), c.try_recv()), (2, 0, Err(TryRecvError::Empty)));
    let full = builder::<u64>(&dir.file()).open_receiver().unwrap_err();
    assert!(matches!(full, OpenError::NoFreeSeat { receivers: 3 }), "{full}");
    let mut taken = Vec::new();
    assert_eq!(b.try_recv_many(&mut taken, 20), Ok(8));
    assert_eq!(taken, (1..9).collect::<Vec<_>>());
    assert_eq!(tx.try_send_slice(&[9, 10]), Ok(2));
    for rx in [&mut a, &mut b, &mut c] {
        assert_eq!((rx.recv(), rx.recv(), rx.is_empty(), rx.peer()), (Ok(9), Ok(10), true, Peer::Here));
    }
    assert_eq!((tx.len(), tx.is_empty(), tx.sent(), tx.departed()), (0, true, 11, None));
}

#[test]
fn a_receiver_that_leaves_gates_no_more_and_is_told_once() {
    let dir = Scratch::new("broadcast-leave");
    let mut tx = sender(&dir);
    let (mut a, b) = (receiver(&dir), receiver(&dir));
    (0..8).for_each(|n| tx.try_send(n).unwrap());
    assert_eq!(a.drain(usize::MAX, |_| {}), 8);
    assert!(tx.try_send(8).is_err());
    drop(b);
    tx.try_send(8).unwrap();
    let departed = tx.departed().unwrap();
    let (pid, at) = (std::process::id(), Some(0));
    let told = (departed.seat, departed.session, departed.pid, departed.at, departed.cause);
    assert_eq!(told, (1, 1, pid, at, Cause::Closed));
    assert_eq!(tx.departed(), None);
    // Its seat is free, and another's.
    let mut b = receiver(&dir);
    assert_eq!((b.seat(), b.try_recv()), (1, Err(TryRecvError::Empty)));
    assert_eq!((a.recv(), a.try_recv()), (Ok(8), Err(TryRecvError::Empty)));
    (0..7).for_each(|n| tx.try_send(n).unwrap());
    a.drain(usize::MAX, |_| {});
    b.drain(usize::MAX, |_| {});
    tx.try_send(9).unwrap();
    a.give_up();
    b.close();
    // Found where the room is used up.
    let mut sent = 0;
    while tx.try_send(10 + sent).is_ok() {
        sent += 1;
    }
    assert!(sent <= 8, "no receiver is left, and a lap is over");
    let mut causes: Vec<_> =
        std::iter::from_fn(|| tx.departed()).map(|told| (told.seat, told.session, told.cause)).collect();
    causes.sort_unstable_by_key(|told| told.0);
    assert_eq!(causes, [(0, 1, Cause::GivenUp), (1, 2, Cause::Closed)]);
    // The next one is waited for, and misses nothing from then on.
    std::thread::scope(|scope| {
        let joins = scope.spawn(|| receiver(&dir).recv());
        tx.send_timeout(77, LONG).unwrap();
        assert_eq!(joins.join().unwrap(), Ok(77));
    });
}

#[test]
fn without_a_receiver_messages_may_pass() {
    let dir = Scratch::new("broadcast-pass");
    let mut tx = builder::<u64>(&dir.file()).no_receiver(NoReceiver::Pass).open_sender().unwrap();
    (0..100).for_each(|n| tx.try_send(n).unwrap());
    let mut rx = receiver(&dir);
    let mut sent = 0;
    while tx.try_send(100 + sent).is_ok() {
        sent += 1;
    }
    assert_eq!((sent, rx.lag()), (8, 8));
    (0..8).for_each(|n| assert_eq!(rx.recv(), Ok(100 + n)));
    drop(rx);
    (0..100).for_each(|n| tx.try_send(n).unwrap());
}

#[test]
fn a_killed_receiver_is_passed_over() {
    let dir = Scratch::new("broadcast-killed");
    let mut tx = sender(&dir);
    let mut rx = receiver(&dir);
    let child = spawn("takes-3", &dir.file());
    let pid = child.id();
    while tx.receivers() != 2 {
        std::thread::yield_now();
    }
    (0..8).for_each(|n| tx.send(n).unwrap());
    assert_eq!(rx.drain(usize::MAX, |_| {}), 8);
    while tx.slowest().unwrap().lag != 5 {
        std::thread::yield_now();
    }
    (8..11).for_each(|n| tx.send(n).unwrap());
    assert!(tx.send_timeout(11, Duration::from_millis(150)).is_err(), "it lives, and gates");
    assert_eq!(tx.departed(), None);
    kill(child);
    let started = Instant::now();
    tx.send(11).unwrap();
    assert!(started.elapsed() < LONG);
    let departed = tx.departed().unwrap();
    let told = (departed.seat, departed.session, departed.pid, departed.at, departed.cause);
    assert_eq!(told, (1, 1, pid, Some(3), Cause::PeerDied));
    assert_eq!((tx.departed(), tx.receivers()), (None, 1));
    (8..12).for_each(|n| assert_eq!(rx.recv(), Ok(n)));
    // By the verbs that do not wait, too.
    let child = spawn("takes-3", &dir.file());
    while tx.receivers() != 2 {
        std::thread::yield_now();
    }
    kill(child);
    (0..8).for_each(|n| tx.send(n).unwrap());
    assert_eq!(rx.drain(usize::MAX, |_| {}), 8);
    let looks = (0..10_000).take_while(|_| tx.try_send(8).is_err()).count();
    assert!((1..=4096).contains(&looks), "{looks}");
    assert_eq!(tx.departed().map(|told| (told.seat, told.session, told.at)), Some((1, 2, Some(12))));
}

#[test]
fn the_next_sender_passes_over_a_dead_receiver_and_does_not_tell_it_again() {
    let dir = Scratch::new("broadcast-dead-before");
    let mut tx = sender(&dir);
    let mut rx = receiver(&dir);
    let child = spawn("takes-3", &dir.file());
    while tx.receivers() != 2 {
        std::thread::yield_now();
    }
    kill(child);
    for n in 0..40 {
        tx.send(n).unwrap();
        assert_eq!(rx.recv(), Ok(n));
    }
    assert_eq!(tx.departed().map(|told| told.cause), Some(Cause::PeerDied));
    drop(tx);
    let mut tx = sender(&dir);
    for n in 40..80 {
        tx.send(n).unwrap();
        while rx.try_recv() != Ok(n) {}
    }
    assert_eq!(tx.departed(), None);
    drop(rx);
    assert!(!tx.wait_for_receiver(Duration::ZERO), "the other is dead");
}

#[test]
fn receivers_that_come_are_covered_at_the_next_look() {
    let dir = Scratch::new("broadcast-covered");
    let mut tx = sender(&dir);
    let first = receiver(&dir);
    let mut second = receiver(&dir);
    drop(first);
    // A lap, in which the sender looks.
    for n in 0..20 {
        tx.send(n).unwrap();
        assert_eq!(second.recv(), Ok(n));
    }
    second.set_wait(WaitStrategy::ParkAtOnce);
    let sleeper = std::thread::spawn(move || {
        let mut next = 20;
        while let Ok(message) = second.recv() {
            assert_eq!(message, next);
            next += 1;
        }
        next - 20
    });
    // On a busy machine it may not have come to sleeping before the next message.
    let late = Instant::now() + LONG;
    let mut sent = 0;
    while tx.stats().sender_wakes < 10 {
        assert!(Instant::now() < late, "it is woken, and does not nap: {:?}", tx.stats());
        std::thread::sleep(Duration::from_millis(3));
        tx.send(20 + sent).unwrap();
        sent += 1;
    }
    drop(tx);
    assert_eq!(sleeper.join().unwrap(), sent);
    // From the first sleep on, not some laps later.
    assert!(sent < 400, "{sent} messages until it was woken ten times");
}

#[test]
fn a_reserved_seat_keeps_its_place_and_loses_nothing() {
    let dir = Scratch::new("broadcast-reserved");
    let mut tx = sender(&dir);
    let mut rx = receiver(&dir);
    let mut journal = reserved(&dir, "journal");
    assert_eq!((journal.seat(), journal.seat_name().as_deref()), (1, Some("journal")));
    let taken = builder::<u64>(&dir.file()).open_reserved("journal").unwrap_err();
    assert!(matches!(taken, OpenError::Taken { pid, .. } if pid == std::process::id()), "{taken}");
    (0..8).for_each(|n| tx.try_send(n).unwrap());
    assert_eq!(rx.drain(usize::MAX, |_| {}), 8);
    assert_eq!((journal.recv(), journal.recv()), (Ok(0), Ok(1)));
    drop(journal);
    (8..10).for_each(|n| tx.try_send(n).unwrap());
    assert!(tx.try_send(10).unwrap_err().is_full());
    let slowest = tx.slowest().unwrap();
    assert_eq!(slowest.to_string(), "\"journal\", seat 1, 8 behind, vacant");
    assert_eq!(tx.departed().map(|told| (told.seat, told.cause)), Some((1, Cause::Closed)));
    // A receiver that joins takes another seat.
    let other = receiver(&dir);
    assert_eq!(other.seat(), 2);
    drop(other);
    assert!(tx.send_timeout(10, Duration::from_millis(200)).is_err());
    let mut journal = reserved(&dir, "journal");
    assert_eq!(journal.seat(), 1);
    (2..10).for_each(|n| assert_eq!(journal.recv(), Ok(n)));
    tx.try_send(10).unwrap();
    drop(journal);
    // One that is killed keeps it as well.
    let child = spawn("takes-3-reserved", &dir.file());
    (11..14).for_each(|n| tx.send(n).unwrap());
    while reserved_lag(&dir) != 1 {
        std::thread::yield_now();
    }
    kill(child);
    assert_eq!(rx.drain(usize::MAX, |_| {}), 6);
    (14..21).for_each(|n| tx.send(n).unwrap());
    let full = tx.send_timeout(21, Duration::from_millis(200));
    assert!(full.is_err(), "its seat gates");
    assert_eq!(tx.departed().map(|told| (told.seat, told.at, told.cause)), Some((1, Some(13), Cause::PeerDied)));
    assert_eq!(tx.departed(), None);
    let mut journal = reserved(&dir, "journal");
    (13..21).for_each(|n| assert_eq!(journal.recv(), Ok(n)));
    // Released, it is a seat like the others.
    assert!(!builder::<u64>(&dir.file()).release("journal").unwrap(), "it has a receiver");
    assert!(!builder::<u64>(&dir.file()).release("other").unwrap());
    drop(journal);
    rx.drain(usize::MAX, |_| {});
    (21..29).for_each(|n| tx.send(n).unwrap());
    rx.drain(usize::MAX, |_| {});
    assert!(tx.try_send(29).is_err());
    assert!(builder::<u64>(&dir.file()).release("journal").unwrap());
    tx.try_send(29).unwrap();
    assert_eq!(receiver(&dir).seat(), 1);
}

/// How far the reserved seat is behind, to an onlooker.
fn reserved_lag(dir: &Scratch) -> u64 {
    let seen = shm::inspect(&dir.file()).unwrap();
    seen.seats.iter().find(|seat| seat.name.is_some()).map_or(0, |seat| seat.lag)
}

#[test]
fn a_sender_that_ends_is_told_once_and_positions_go_on() {
    let dir = Scratch::new("broadcast-ends");
    let mut tx = sender(&dir);
    let (mut a, mut b) = (receiver(&dir), receiver(&dir));
    tx.send_slice(&[0, 1]).unwrap();
    assert_eq!(a.recv(), Ok(0));
    tx.close();
    assert!(tx.is_closed() && tx.try_send(2).is_err_and(|refused| !refused.is_full()));
    drop(tx);
    let mut tx = sender(&dir);
    assert_eq!((tx.sent(), tx.epoch()), (2, 2));
    tx.send(2).unwrap();
    assert_eq!((a.recv(), a.recv()), (Ok(1), Err(RecvError(Cause::Closed))));
    assert_eq!((a.recv(), a.try_recv()), (Ok(2), Err(TryRecvError::Empty)));
    tx.give_up();
    assert_eq!(a.recv(), Err(RecvError(Cause::GivenUp)));
    let told: Vec<_> = (0..5).map(|_| b.recv()).collect();
    let (closed, gave_up) = (Err(RecvError(Cause::Closed)), Err(RecvError(Cause::GivenUp)));
    assert_eq!(told, [Ok(0), Ok(1), closed, Ok(2), gave_up]);
    // A new receiver is told of none of it.
    let mut c = receiver(&dir);
    assert_eq!(c.recv_timeout(Duration::from_millis(2)), Err(RecvTimeoutError::Timeout));
    drop(tx);
    let mut tx = sender(&dir);
    tx.send(3).unwrap();
    for rx in [&mut a, &mut b, &mut c] {
        assert_eq!(rx.recv(), Ok(3));
    }
}

#[test]
fn a_receiver_that_sleeps_is_woken_and_so_is_the_sender() {
    let dir = Scratch::new("broadcast-sleep");
    let mut tx = sender(&dir);
    std::thread::scope(|scope| {
        let receivers: Vec<_> = (0..3)
            .map(|_| {
                let mut rx = receiver(&dir);
                scope.spawn(move || {
                    let mut next = 0;
                    while let Ok(message) = rx.recv() {
                        assert_eq!(message, next);
                        next += 1;
                        if message % 1000 == 999 {
                            std::thread::sleep(Duration::from_millis(5));
                        }
                    }
                    next
                })
            })
            .collect();
        for n in 0..20_000 {
            if n % 2000 == 0 {
                std::thread::sleep(Duration::from_millis(3));
            }
            tx.send(n).unwrap();
        }
        drop(tx);
        for receiver in receivers {
            assert_eq!(receiver.join().unwrap(), 20_000);
        }
    });
}

#[test]
fn a_wake_comes_soon() {
    seen(|| {
        let dir = Scratch::new("broadcast-wake");
        let mut tx = sender(&dir);
        let (mut a, mut b, mut c) = (receiver(&dir), receiver(&dir), receiver(&dir));
        let mut slow = Duration::ZERO;
        std::thread::scope(|scope| {
            for rx in [&mut a, &mut b, &mut c] {
                scope.spawn(move || {
                    for _ in 0..20 {
                        rx.recv().unwrap();
                    }
                });
            }
            for n in 0..20 {
                std::thread::sleep(Duration::from_millis(5));
                let started = Instant::now();
                tx.send(n).unwrap();
                while !tx.is_empty() {
                    std::thread::yield_now();
                }
                slow += started.elapsed();
            }
        });
        if slow < Duration::from_millis(20 * 45) { Ok(()) } else { Err(format!("wakes are lost: {slow:?}")) }
    });
}

#[test]
fn a_panic_in_a_handler_commits_nothing_and_harms_no_other() {
    let dir = Scratch::new("broadcast-panic");
    let mut tx = sender(&dir);
    let (mut a, mut b) = (receiver(&dir), receiver(&dir));
    tx.send_slice(&[0, 1, 2]).unwrap();
    let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        a.drain(3, |n| assert_eq!(n, 0, "on purpose"));
    }));
    assert!(panics.is_err());
    (0..3).for_each(|n| assert_eq!((a.recv(), b.recv()), (Ok(n), Ok(n))));
    tx.send(3).unwrap();
    assert_eq!((a.recv(), b.recv()), (Ok(3), Ok(3)));
    // One that goes by a panic has given up.
    let panics = std::thread::spawn(move || {
        let _b = b;
        panic!("on purpose");
    });
    assert!(panics.join().is_err());
    for n in 4..13 {
        tx.send(n).unwrap();
        assert_eq!(a.recv(), Ok(n));
    }
    assert_eq!(tx.departed().map(|told| (told.seat, told.cause)), Some((1, Cause::GivenUp)));
}

#[test]
fn ten_channels_of_one_name_one_after_the_other() {
    let dir = Scratch::new("broadcast-ten");
    let mut before: Option<(Sender<u64>, Receiver<u64>)> = None;
    for n in 0..10 {
        let mut tx = sender(&dir);
        let (mut rx, mut journal) = (receiver(&dir), reserved(&dir, "journal"));
        assert_eq!(tx.sent(), 0, "another channel");
        tx.send(n).unwrap();
        assert_eq!((rx.recv(), journal.recv()), (Ok(n), Ok(n)));
        drop(journal);
        assert!(builder::<u64>(&dir.file()).release("journal").unwrap());
        if let Some((mut tx, mut rx)) = before.take() {
            tx.send(n).unwrap();
            assert_eq!(rx.recv(), Ok(n));
            drop(tx);
            assert_eq!(rx.recv(), Err(RecvError(Cause::Closed)));
            assert_eq!(rx.recv(), Err(RecvError(Cause::Removed)));
        }
        fs::remove_file(dir.file()).unwrap();
        before = Some((tx, rx));
    }
    let (mut tx, _rx) = before.unwrap();
    let full = (0..20).find_map(|n| tx.send_timeout(n, LONG).err());
    assert!(matches!(full, Some(shm::SendTimeoutError::Disconnected(_, Cause::Removed))), "{full:?}");
}

#[test]
fn ten_openings_in_a_row_of_one_channel() {
    let dir = Scratch::new("broadcast-row");
    for n in 0..10 {
        let mut tx = sender(&dir);
        let mut rx = receiver(&dir);
        assert_eq!((tx.sent(), tx.epoch(), rx.seat()), (n, n + 1, 0));
        tx.send(n).unwrap();
        assert_eq!(rx.recv(), Ok(n));
    }
    assert!(builder::<u64>(&dir.file()).remove().unwrap());
}

/// The sender and one receiver are killed at any moment, one after the other: the receiver that stays sees the exact sequence.
fn kills<const WORDS: usize>(times: u64) {
    let dir = Scratch::new("broadcast-kills");
    let name = dir.file();
    let mut rx = builder::<Block<WORDS>>(&name).open_reserved("journal").unwrap();
    let (mut next, mut random) = (0, 0x9e37_79b9_7f4a_7c15_u64);
    for _ in 0..times {
        let (sends, follows) = (spawn(&format!("sends-{WORDS}"), &name), spawn(&format!("follows-{WORDS}"), &name));
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pause = Duration::from_nanos((random >> 33) % 3_000_000);
        let mut victims = vec![Some(follows), Some(sends)];
        let mut since = 0;
        let mut started = None;
        loop {
            match rx.recv_timeout(LONG) {
                Ok(message) => {
                    message.check(next);
                    next += 1;
                    since += 1;
                }
                Err(RecvTimeoutError::Disconnected(Cause::PeerDied)) => break,
                Err(other) => panic!("{other:?} at {next}"),
            }
            let begun = *started.get_or_insert_with(Instant::now);
            if let Some(victim) = victims.first_mut().filter(|_| since > 100 && begun.elapsed() > pause) {
                victim.take().into_iter().for_each(kill);
                victims.remove(0);
                (since, started) = (0, None);
            }
        }
        let tx = builder::<Block<WORDS>>(&name).open_sender().unwrap();
        assert_eq!(tx.sent(), next, "a number is used twice, or is missing");
        drop(tx);
        assert!(matches!(rx.recv(), Err(RecvError(Cause::Closed))));
    }
}

#[test]
fn sides_killed_at_any_moment_leave_the_exact_sequence_of_1_kib() {
    kills::<128>(10);
}

#[test]
fn sides_killed_at_any_moment_leave_the_exact_sequence_of_4_kib() {
    kills::<512>(10);
}

#[test]
fn large_messages_arrive_whole_at_every_receiver() {
    let dir = Scratch::new("broadcast-large");
    let mut tx = builder::<Block<512>>(&dir.file()).open_sender().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let mut rx = builder::<Block<512>>(&dir.file()).open_receiver().unwrap();
            scope.spawn(move || (0..2000).for_each(|n| rx.recv().unwrap().check(n)));
        }
        (0..2000).for_each(|n| tx.send_ref(&Block::new(n)).unwrap());
    });
}

#[test]
fn what_cannot_be_made_is_refused() {
    let dir = Scratch::new("broadcast-refused");
    let open = |receivers| Builder::<u64>::new(dir.file()).receivers(receivers).open_sender();
    for wrong in [0, 65, usize::MAX] {
        assert!(matches!(open(wrong).unwrap_err(), OpenError::Receivers { most: 64, .. }));
    }
    for wrong in [String::new(), "x".repeat(105)] {
        let refused = builder::<u64>(&dir.file()).open_reserved(&wrong).unwrap_err();
        assert!(matches!(refused, OpenError::SeatName { most: 104, .. }), "{refused}");
    }
    assert!(matches!(builder::<u64>(&dir.file()).release("x"), Err(OpenError::NotFound { .. })));
    drop(open(64).unwrap());
    let mismatch = open(63).unwrap_err();
    assert!(matches!(mismatch, OpenError::Mismatch(mismatch) if mismatch.what == "receivers"), "{mismatch}");
    let rx: Vec<_> = (0..64).map(|_| Builder::<u64>::new(dir.file()).open_receiver().unwrap()).collect();
    assert_eq!(rx.iter().map(Receiver::seat).collect::<Vec<_>>(), (0..64).collect::<Vec<_>>());
    let mut tx = open(64).unwrap();
    (0..100).for_each(|n| tx.try_send(n).unwrap());
    assert!(rx.iter().all(|rx| rx.lag() == 100));
    let kind = shm::spsc::Builder::<u64>::new(dir.file()).open_receiver().unwrap_err();
    assert!(matches!(kind, OpenError::Mismatch(mismatch) if mismatch.what == "kind of channel"), "{kind}");
}

#[test]
fn an_onlooker_sees_who_gates_and_how_far() {
    let dir = Scratch::new("broadcast-look");
    let mut tx = sender(&dir);
    let (rx, mut journal) = (receiver(&dir), reserved(&dir, "journal"));
    tx.send_slice(&[1, 2, 3]).unwrap();
    assert_eq!(journal.recv(), Ok(1));
    drop(journal);
    let seen = shm::inspect(&dir.file()).unwrap();
    assert_eq!((seen.kind, seen.sent(), seen.depth(), seen.seats.len()), (Kind::Broadcast, 3, 3, 3));
    let seats: Vec<_> = seen.seats.iter().map(|seat| (seat.gates, seat.lag, seat.receiver.state)).collect();
    assert_eq!(seats, [(true, 3, Peer::Here), (true, 2, Peer::Left), (false, 0, Peer::Never)]);
    let text = seen.to_string();
    let pid = std::process::id();
    assert!(text.contains("receivers 2 of 3 seats"), "{text}");
    assert!(text.contains(&format!("seat 0    3 behind, here, process {pid}")), "{text}");
    assert!(text.contains(&format!("seat 1    \"journal\", 2 behind, left, process {pid}")), "{text}");
    drop(rx);
}

#[test]
fn an_anonymous_channel_has_seats_too() {
    let channel = Builder::<u64>::create_anonymous(2, 4).unwrap();
    let open = || Builder::<u64>::from_fd(&channel);
    let mut tx = open().open_sender().unwrap();
    let mut journal = open().open_reserved("journal").unwrap();
    let mut rx = open().open_receiver().unwrap();
    tx.send(1).unwrap();
    assert_eq!((journal.recv(), rx.recv()), (Ok(1), Ok(1)));
    drop(journal);
    tx.send(2).unwrap();
    assert_eq!(open().open_reserved("journal").unwrap().recv(), Ok(2));
    assert!(open().release("journal").unwrap());
}

#[test]
fn receivers_wait_by_descriptors() {
    use ringmail::shm::Watched;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    seen(|| {
        let dir = Scratch::new("broadcast-fd");
        let mut tx = sender(&dir);
        let (mut a, mut b) = (receiver(&dir), receiver(&dir));
        let fds = [a.wake_fd().unwrap(), b.wake_fd().unwrap()];
        let mut late = 0;
        for n in 0..20 {
            let armed = [a.arm().unwrap().expect("nothing is there"), b.arm().unwrap().expect("nothing is there")];
            let started = Instant::now();
            tx.send(n).unwrap();
            for fd in &fds {
                let seconds = Timespec { tv_sec: 60, tv_nsec: 0 };
                assert_eq!(poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&seconds)), Ok(1));
            }
            late += u32::from(started.elapsed() > Duration::from_millis(85));
            drop(armed);
            assert_eq!((a.recv(), b.recv()), (Ok(n), Ok(n)));
        }
        if late < 10 { Ok(()) } else { Err(format!("{late} of 20 wakes came by the timer")) }
    });
}
