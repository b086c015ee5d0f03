//! Sessions of a mapped channel: each that a handle meets is told once when it is over, at its place in the order of messages.

use crate::support::another::the_test;
use crate::support::scratch::Scratch;
use ringmail::shm::{Cause, Peer, RecvError, SendError, TryRecvError, TrySendError, bytes, fan_in, spsc};
use ringmail::shm::{RecvTimeoutError, SendTimeoutError};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_millis(40);
const LATE: Duration = Duration::from_secs(60);

/// How a session of the other process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Close,
    Kill,
    Panic,
    GiveUp,
    /// Without a destructor, but by its own will.
    Exit,
}

const ENDS: [End; 5] = [End::Close, End::Kill, End::Panic, End::GiveUp, End::Exit];

impl End {
    fn told(self) -> Cause {
        match self {
            Self::Close => Cause::Closed,
            Self::Kill | Self::Exit => Cause::PeerDied,
            Self::Panic | Self::GiveUp => Cause::GivenUp,
        }
    }

    /// Ends this process so, with `handle`.
    fn end<H>(self, handle: H, give_up: impl FnOnce(&mut H)) {
        let mut handle = handle;
        match self {
            Self::Close => {}
            Self::Kill => {
                rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap()
            }
            Self::Panic => {
                let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
                    let _handle = handle;
                    std::panic::resume_unwind(Box::new(()));
                }));
                assert!(caught.is_err());
                return;
            }
            Self::GiveUp => give_up(&mut handle),
            Self::Exit => std::process::exit(0),
        }
        drop(handle);
    }
}

/// Another process opens the sender of `kind`, sends so many numbers from `base` on, and ends so.
fn send(kind: &str, name: &str, base: u64, n: u64, end: End) -> ExitStatus {
    run(&format!("send {kind} {base} {n} {end:?} {name}"))
}

/// Another process opens the receiver of `kind`, takes so many messages, and ends so.
fn receive(kind: &str, name: &str, n: u64, end: End) -> ExitStatus {
    run(&format!("recv {kind} 0 {n} {end:?} {name}"))
}

fn run(order: &str) -> ExitStatus {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(the_test(module_path!(), "the_other_process")).env("SHM_SESSIONS", order);
    child.output().unwrap().status
}

/// No test of its own: what [`run`] starts.
#[test]
fn the_other_process() {
    let Ok(order) = std::env::var("SHM_SESSIONS") else { return };
    let parts: Vec<_> = order.splitn(6, ' ').collect();
    let (base, n): (u64, u64) = (parts[2].parse().unwrap(), parts[3].parse().unwrap());
    let end = ENDS.into_iter().find(|end| format!("{end:?}") == parts[4]).unwrap();
    let name = parts[5];
    match (parts[0], parts[1]) {
        ("send", "spsc") => {
            let mut tx = spsc::Builder::<u64>::new(name).open_sender().unwrap();
            (base..base + n).for_each(|i| tx.send(i).unwrap());
            end.end(tx, |tx| tx.give_up());
        }
        ("send", "fan_in") => {
            let mut tx = fan_in::Builder::<u64>::new(name).open_sender().unwrap();
            (base..base + n).for_each(|i| tx.send(i).unwrap());
            end.end(tx, |tx| tx.give_up());
        }
        ("send", "bytes") => {
            let mut tx = bytes::Builder::new(name).open_sender().unwrap();
            (base..base + n).for_each(|i| tx.send(&i.to_le_bytes()).unwrap());
            end.end(tx, |tx| tx.give_up());
        }
        ("recv", "spsc") => {
            let mut rx = spsc::Builder::<u64>::new(name).open_receiver().unwrap();
            (0..n).for_each(|_| assert!(rx.recv().is_ok()));
            end.end(rx, |rx| rx.give_up());
        }
        ("recv", "bytes") => {
            let mut rx = bytes::Builder::new(name).open_receiver().unwrap();
            (0..n).for_each(|_| assert!(rx.recv_into(&mut Vec::new()).is_ok()));
            end.end(rx, |rx| rx.give_up());
        }
        _ => {
            let mut rx = fan_in::Builder::<u64>::new(name).open_receiver().unwrap();
            (0..n).for_each(|_| assert!(rx.recv().is_ok()));
            end.end(rx, |rx| rx.give_up());
        }
    }
}

/// A receiver of any kind, as these tests use it.
enum Rx {
    Spsc(spsc::Receiver<u64>),
    FanIn(fan_in::Receiver<u64>),
    Bytes(bytes::Receiver),
}

/// What one receive said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Said {
    Message(u64),
    Disconnected(Cause),
    /// Of a fan-in: none is left.
    All,
    Nothing,
}

const KINDS: [&str; 3] = ["spsc", "fan_in", "bytes"];

impl Rx {
    fn open(kind: &str, name: &str, missed: bool) -> Self {
        match kind {
            "spsc" => Self::Spsc(spsc::Builder::new(name).missed_ends(missed).open_receiver().unwrap()),
            "fan_in" => Self::FanIn(fan_in::Builder::new(name).missed_ends(missed).open_receiver().unwrap()),
            _ => Self::Bytes(bytes::Builder::new(name).missed_ends(missed).open_receiver().unwrap()),
        }
    }

    fn recv(&mut self, timeout: Duration) -> Said {
        let one = |got: Result<u64, RecvTimeoutError<Cause>>| match got {
            Ok(n) => Said::Message(n),
            Err(RecvTimeoutError::Timeout) => Said::Nothing,
            Err(RecvTimeoutError::Disconnected(ended)) => Said::Disconnected(ended),
        };
        match self {
            Self::Spsc(rx) => one(rx.recv_timeout(timeout)),
            Self::Bytes(rx) => {
                let mut body = Vec::new();
                let got = rx.recv_timeout_into(&mut body, timeout);
                one(got.map(|_| u64::from_le_bytes(body.try_into().unwrap())))
            }
            Self::FanIn(rx) => match rx.recv_timeout(timeout) {
                Ok(n) => Said::Message(n),
                Err(RecvTimeoutError::Timeout) => Said::Nothing,
                Err(RecvTimeoutError::Disconnected(fan_in::Disconnected::Sender(departed))) => {
                    Said::Disconnected(departed.cause)
                }
                Err(RecvTimeoutError::Disconnected(fan_in::Disconnected::All)) => Said::All,
                Err(other) => panic!("{other}"),
            },
        }
    }

    /// The number of the session of the last message or end, and its process.
    fn session(&self) -> (u64, u32) {
        let session = match self {
            Self::Spsc(rx) => rx.session(),
            Self::FanIn(rx) => rx.session(),
            Self::Bytes(rx) => rx.session(),
        };
        session.map_or((0, 0), |session| (session.number, session.pid))
    }

    /// All that is said until nothing is, but for that all have ended.
    fn story(&mut self) -> Vec<Said> {
        let mut story = vec![];
        loop {
            match self.recv(SOON) {
                Said::Nothing => return story,
                Said::All => {}
                said => story.push(said),
            }
        }
    }
}

/// The messages of a session and its end.
fn chapter(base: u64, n: u64, end: End) -> impl Iterator<Item = Said> {
    (base..base + n).map(Said::Message).chain([Said::Disconnected(end.told())])
}

#[test]
fn every_end_is_told_once_and_at_its_place() {
    for kind in KINDS {
        let dir = Scratch::new(&format!("place-{kind}"));
        let mut rx = Rx::open(kind, &dir.file(), false);
        let mut expected = vec![];
        for (i, end) in ENDS.into_iter().enumerate() {
            send(kind, &dir.file(), 10 * i as u64, i as u64, end);
            expected.extend(chapter(10 * i as u64, i as u64, end));
        }
        assert_eq!(rx.story(), expected, "{kind}");
        // And the next is received.
        send(kind, &dir.file(), 90, 1, End::Close);
        assert_eq!(rx.story(), chapter(90, 1, End::Close).collect::<Vec<_>>(), "{kind}");
    }
}

#[test]
fn who_comes_first_knows_nothing_of_the_run_before() {
    for kind in KINDS {
        for end in ENDS {
            let dir = Scratch::new(&format!("second-{kind}-{end:?}"));
            for run in 0..3 {
                let mut rx = Rx::open(kind, &dir.file(), false);
                assert_eq!(rx.recv(Duration::from_millis(5)), Said::Nothing, "{kind} {end:?} {run}");
                send(kind, &dir.file(), run, 1, end);
                assert_eq!(rx.recv(LATE), Said::Message(run), "{kind} {end:?} {run}");
                drop(rx);
            }
            // The sender first.
            for run in 0..3 {
                send(kind, &dir.file(), run, 1, end);
                let mut rx = Rx::open(kind, &dir.file(), false);
                assert_eq!(rx.story(), chapter(run, 1, end).collect::<Vec<_>>(), "{kind} {end:?} {run}");
            }
        }
    }
}

#[test]
fn what_ended_before_a_receiver_came_is_told_to_one_that_asks() {
    for kind in KINDS {
        let dir = Scratch::new(&format!("missed-{kind}"));
        send(kind, &dir.file(), 0, 0, End::Close);
        send(kind, &dir.file(), 1, 2, End::Kill);
        send(kind, &dir.file(), 3, 0, End::Panic);
        let one: Vec<_> =
            chapter(0, 0, End::Close).chain(chapter(1, 2, End::Kill)).chain(chapter(3, 0, End::Panic)).collect();
        assert_eq!(Rx::open(kind, &dir.file(), true).story(), one, "{kind}");
        // They were told: not again.
        assert_eq!(Rx::open(kind, &dir.file(), true).story(), [], "{kind}");
        send(kind, &dir.file(), 0, 0, End::Close);
        send(kind, &dir.file(), 1, 2, End::Kill);
        send(kind, &dir.file(), 3, 0, End::Panic);
        let two: Vec<_> = chapter(1, 2, End::Kill).collect();
        assert_eq!(Rx::open(kind, &dir.file(), false).story(), two, "{kind}");
    }
}

#[test]
fn more_sessions_than_the_channel_keeps_are_told_as_a_count() {
    let dir = Scratch::new("forgotten");
    let mut rx = spsc::Builder::<u64>::new(dir.file()).open_receiver().unwrap();
    for i in 0..100u64 {
        let mut tx = spsc::Builder::<u64>::new(dir.file()).open_sender().unwrap();
        tx.send(i).unwrap();
    }
    let (mut messages, mut told) = (0, 0);
    loop {
        match rx.recv_timeout(SOON) {
            Ok(i) => {
                assert_eq!(i, messages);
                messages += 1;
            }
            Err(RecvTimeoutError::Disconnected(Cause::Forgotten { sessions })) => {
                assert_eq!((told, sessions, messages), (0, 36, 36), "the oldest, after their messages");
                told += sessions;
            }
            Err(RecvTimeoutError::Disconnected(Cause::Closed)) => {
                told += 1;
                assert_eq!(messages, told, "each behind its message");
            }
            Err(RecvTimeoutError::Timeout) => break,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((messages, told), (100, 100));
}

#[test]
fn a_message_says_whose_it_is() {
    for kind in KINDS {
        let dir = Scratch::new(&format!("whose-{kind}"));
        let mut rx = Rx::open(kind, &dir.file(), false);
        assert_eq!(rx.session(), (0, 0));
        let mut pids = vec![];
        for session in 1..4 {
            send(kind, &dir.file(), session, 1, End::Close);
        }
        for session in 1..4 {
            assert_eq!(rx.recv(LATE), Said::Message(session));
            assert_eq!(rx.session().0, session, "{kind}");
            assert_eq!(rx.recv(LATE), Said::Disconnected(Cause::Closed));
            assert_eq!(rx.session().0, session, "{kind}");
            pids.push(rx.session().1);
        }
        assert!(pids.iter().all(|&pid| pid != 0 && pid != std::process::id()));
    }
}

#[test]
fn a_sender_is_told_of_each_receiver_that_it_met() {
    for kind in KINDS {
        for end in ENDS {
            let dir = Scratch::new(&format!("sender-{kind}-{end:?}"));
            let name = dir.file();
            // One came and went before: no news.
            if kind == "bytes" {
                let mut tx = bytes::Builder::new(&name).capacity(4 * 32).open_sender().unwrap();
                tx.send(&[0; 8]).unwrap();
                receive(kind, &name, 1, End::Close);
                drop(tx);
                let mut tx = bytes::Builder::new(&name).open_sender().unwrap();
                for _ in 0..4 {
                    tx.try_send(&[1; 8]).unwrap();
                }
                assert_eq!(tx.try_send(&[1; 8]), Err(bytes::TrySendError::Full), "{end:?}");
                receive(kind, &name, 1, end);
                let mut told = vec![];
                // A death shows once there is no room left.
                loop {
                    match tx.send_timeout(&[2; 8], SOON) {
                        Ok(()) => {}
                        Err(bytes::SendTimeoutError::Timeout) => break,
                        Err(error) => told.push(error),
                    }
                }
                assert_eq!(told, [bytes::SendTimeoutError::Disconnected(end.told())], "{end:?}");
                continue;
            }
            let open = || -> spsc::Sender<u64> {
                match kind {
                    "spsc" => spsc::Builder::new(&name).capacity(4).open_sender().unwrap(),
                    _ => fan_in::Builder::new(&name).capacity(4).lanes(2).open_sender().unwrap(),
                }
            };
            let mut tx = open();
            tx.send(0).unwrap();
            receive(kind, &name, 1, End::Close);
            drop(tx);
            let mut tx = open();
            for _ in 0..4 {
                tx.try_send(1).unwrap();
            }
            assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)), "{kind} {end:?}");
            assert_eq!(tx.send_timeout(1, Duration::from_millis(1)), Err(SendTimeoutError::Timeout(1)));
            receive(kind, &name, 2, end);
            let mut told = vec![];
            // A death shows once there is no room left.
            loop {
                match tx.send_timeout(2, SOON) {
                    Ok(()) => {}
                    Err(SendTimeoutError::Timeout(2)) => break,
                    Err(error) => told.push(error),
                }
            }
            assert_eq!(told, [SendTimeoutError::Disconnected(2, end.told())], "{kind} {end:?}");
            let peer = match end.told() {
                Cause::PeerDied => Peer::Died,
                Cause::GivenUp => Peer::GivenUp,
                _ => Peer::Left,
            };
            assert_eq!(tx.peer(), peer);
        }
    }
}

#[test]
fn a_try_verb_learns_of_a_death_after_boundedly_many_calls() {
    let dir = Scratch::new("vain");
    let mut rx = spsc::Builder::<u64>::new(dir.file()).open_receiver().unwrap();
    send("spsc", &dir.file(), 0, 0, End::Kill);
    let looks = (0..10_000).take_while(|_| rx.try_recv() == Err(TryRecvError::Empty)).count();
    assert!(looks < 4_200, "{looks}");
    let dir = Scratch::new("vain-send");
    let mut tx = spsc::Builder::<u64>::new(dir.file()).capacity(1).open_sender().unwrap();
    tx.try_send(1).unwrap();
    // The receiver takes nothing.
    receive("spsc", &dir.file(), 0, End::Kill);
    let looks = (0..10_000).take_while(|_| tx.try_send(2) == Err(TrySendError::Full(2))).count();
    assert!(looks < 4_200, "{looks}");
}

#[test]
fn a_file_that_is_gone_ends_every_wait() {
    for kind in KINDS {
        let dir = Scratch::new(&format!("removed-{kind}"));
        let name = dir.file();
        let mut rx = Rx::open(kind, &name, false);
        let start = Instant::now();
        std::fs::remove_file(&name).unwrap();
        match &mut rx {
            Rx::Spsc(rx) => {
                assert_eq!(rx.recv(), Err(RecvError(Cause::Removed)));
                assert_eq!(rx.peer(), Peer::Removed);
                assert!(!rx.wait_for_peer(LATE));
                let looks = (0..10_000).take_while(|_| rx.try_recv() == Err(TryRecvError::Empty)).count();
                assert!(looks < 4_200, "{looks}");
            }
            Rx::FanIn(rx) => {
                assert_eq!(rx.recv(), Err(RecvError(fan_in::Disconnected::Removed)));
                assert_eq!(rx.peer(0), Some(Peer::Removed));
                assert!(!rx.wait_for_sender(LATE));
                let looks = (0..10_000).take_while(|_| rx.try_recv() == Err(TryRecvError::Empty)).count();
                assert!(looks < 4_200, "{looks}");
            }
            Rx::Bytes(rx) => {
                assert_eq!(rx.recv_into(&mut Vec::new()), Err(RecvError(Cause::Removed)));
                assert_eq!(rx.peer(), Peer::Removed);
            }
        }
        assert!(start.elapsed() < LATE, "{kind}");
        // The next of that name is another channel.
        let mut other = Rx::open(kind, &name, false);
        send(kind, &name, 7, 1, End::Close);
        assert_eq!(other.recv(LATE), Said::Message(7));
    }
    let dir = Scratch::new("removed-sender");
    let mut tx = spsc::Builder::<u64>::new(dir.file()).capacity(2).open_sender().unwrap();
    let mut rx = spsc::Builder::<u64>::new(dir.file()).open_receiver().unwrap();
    std::fs::remove_file(dir.file()).unwrap();
    // The two that have it still reach each other.
    tx.send(1).unwrap();
    assert_eq!(rx.recv(), Ok(1));
    tx.send_slice(&[1, 2]).unwrap();
    assert_eq!(tx.send(3), Err(SendError(3, Cause::Removed)));
    assert_eq!(tx.peer(), Peer::Removed);
    drop(rx);
    assert_eq!(tx.send(3), Err(SendError(3, Cause::Closed)));
}
