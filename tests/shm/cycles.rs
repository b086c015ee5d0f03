//! Some thousand sessions: on each kind of channel each side ends in each way, again and again, and the other side goes on. Every end is told
//! once, at its place, with the right number and counts, and nothing hangs.

use crate::support::another::the_test;
use crate::support::scratch::Scratch;
use ringmail::shm::{Cause, Peer, RecvError, SendError, bytes, fan_in, spsc};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Longer than any step takes, whatever else the machine does.
const STALL: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_millis(2);
/// Messages of the channel: those of two sessions.
const CAPACITY: u64 = 8;
/// Words of a record of one word.
const RECORD: u64 = 4;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Spsc,
    FanIn,
    Bytes,
}

use Kind::{Bytes, FanIn, Spsc};

impl Kind {
    /// What messages are counted as.
    fn units(self, messages: u64) -> u64 {
        if self == Bytes { RECORD * messages } else { messages }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum How {
    Kill,
    Close,
    Panic,
}

impl How {
    fn told(self) -> Cause {
        match self {
            Self::Kill => Cause::PeerDied,
            Self::Close => Cause::Closed,
            Self::Panic => Cause::GivenUp,
        }
    }

    /// Ends this handle's session, or this process.
    fn end<H>(self, handle: H) {
        match self {
            Self::Kill => {
                rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap()
            }
            Self::Close => drop(handle),
            Self::Panic => {
                let panics = AssertUnwindSafe(|| {
                    let _handle = handle;
                    resume_unwind(Box::new(()));
                });
                assert!(catch_unwind(panics).is_err());
            }
        }
    }
}

enum Tx {
    /// A fan-in's as well.
    Messages(spsc::Sender<u64>),
    Records(bytes::Sender),
}

impl Tx {
    fn open(kind: Kind, name: &str) -> Self {
        let (capacity, bytes) = (CAPACITY as usize, (8 * RECORD * CAPACITY) as usize);
        match kind {
            Spsc => Self::Messages(spsc::Builder::new(name).capacity(capacity).open_sender().unwrap()),
            FanIn => Self::Messages(fan_in::Builder::new(name).lanes(2).capacity(capacity).open_sender().unwrap()),
            Bytes => Self::Records(bytes::Builder::new(name).capacity(bytes).open_sender().unwrap()),
        }
    }

    /// Sends this one: whether there was room in time, or else who has ended.
    fn send(&mut self, message: u64, timeout: Duration) -> Result<bool, Cause> {
        match self {
            Self::Messages(tx) => match tx.send_timeout(message, timeout) {
                Ok(()) => Ok(true),
                Err(SendError::Timeout(back)) => Ok(back != message),
                Err(SendError::Disconnected(_, ended)) => Err(ended),
            },
            Self::Records(tx) => match tx.send_timeout(&message.to_le_bytes(), timeout) {
                Ok(()) => Ok(true),
                Err(bytes::SendError::Disconnected(ended)) => Err(ended),
                Err(error) => {
                    assert_eq!(error, bytes::SendError::Timeout);
                    Ok(false)
                }
            },
        }
    }

    fn peer(&self) -> Peer {
        match self {
            Self::Messages(tx) => tx.peer(),
            Self::Records(tx) => tx.peer(),
        }
    }
}

enum Rx {
    Spsc(spsc::Receiver<u64>),
    FanIn(fan_in::Receiver<u64>),
    Bytes(bytes::Receiver),
}

/// What a receiver said, but for the lane beside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Said {
    Message(u64),
    Disconnected(Cause),
    Nothing,
}

/// A session as it was told: its number, its process, and what was sent before it, which is counted as [`Kind::units`] says.
type Of = (u64, u32, Option<u64>);

impl Rx {
    fn open(kind: Kind, name: &str) -> Self {
        let (capacity, bytes) = (CAPACITY as usize, (8 * RECORD * CAPACITY) as usize);
        match kind {
            Spsc => Self::Spsc(spsc::Builder::new(name).capacity(capacity).open_receiver().unwrap()),
            FanIn => Self::FanIn(fan_in::Builder::new(name).lanes(2).capacity(capacity).open_receiver().unwrap()),
            Bytes => Self::Bytes(bytes::Builder::new(name).capacity(bytes).open_receiver().unwrap()),
        }
    }

    /// The next thing that is said, of whom, and of a lane what it had sent by its end.
    fn recv(&mut self, timeout: Duration) -> (Said, Of, Option<u64>) {
        let said = |error| match error {
            RecvError::Timeout => Said::Nothing,
            RecvError::Disconnected(ended) => Said::Disconnected(ended),
        };
        let (said, session) = match self {
            Self::Spsc(rx) => (rx.recv_timeout(timeout).map_or_else(said, Said::Message), rx.session()),
            Self::Bytes(rx) => {
                let mut body = Vec::new();
                let got = rx.recv_timeout_into(&mut body, timeout);
                (got.map_or_else(said, |_| Said::Message(u64::from_le_bytes(body.try_into().unwrap()))), rx.session())
            }
            Self::FanIn(rx) => loop {
                let said = match rx.recv_timeout_from(timeout) {
                    Ok((0, BESIDE)) => continue,
                    Ok((lane, message)) => {
                        assert_eq!(lane, 1);
                        Said::Message(message)
                    }
                    Err(fan_in::RecvError::Timeout) => Said::Nothing,
                    Err(fan_in::RecvError::Removed) => Said::Disconnected(Cause::Removed),
                    // Where it began is not told.
                    Err(fan_in::RecvError::Departed(fan_in::Departed {
                        lane, cause: why, epoch, pid, sent, ..
                    })) => {
                        assert_eq!(lane, 1);
                        return (Said::Disconnected(why), (epoch, pid, None), sent);
                    }
                    Err(other) => panic!("{other}, and a lane is in use"),
                };
                break (said, rx.session());
            },
        };
        (said, session.map_or((0, 0, None), |session| (session.number, session.pid, session.start)), None)
    }
}

/// What the sender on the lane beside says.
const BESIDE: u64 = u64::MAX;

/// Ends this program if a step takes too long.
struct Watch(mpsc::Sender<String>);

impl Watch {
    fn new() -> Self {
        let (steps, watched) = mpsc::channel();
        thread::spawn(move || {
            let mut last = String::from("the first step");
            loop {
                match watched.recv_timeout(3 * STALL) {
                    Ok(step) => last = step,
                    Err(mpsc::RecvTimeoutError::Disconnected) => return,
                    Err(mpsc::RecvTimeoutError::Timeout) => {
                        // Not by the macro, whose words a test's harness keeps.
                        let _ = writeln!(std::io::stderr(), "hangs: {last}");
                        std::process::exit(101);
                    }
                }
            }
        });
        Self(steps)
    }

    fn step(&self, what: String) {
        self.0.send(what).unwrap();
    }
}

/// A session in a process of its own that kills itself: its number.
fn killed(part: &str, kind: Kind, base: u64, n: u64, name: &str) -> u32 {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(the_test(module_path!(), "the_other_process"));
    let child =
        child.env("SHM_CYCLES", format!("{part} {kind:?} {base} {n} {name}")).stdout(std::process::Stdio::null());
    let mut child = child.spawn().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9), "{part} {kind:?} {base} {n}");
    child.id()
}

/// No test of its own: what [`killed`] runs.
#[test]
fn the_other_process() {
    let Ok(order) = std::env::var("SHM_CYCLES") else { return };
    let parts: Vec<_> = order.splitn(5, ' ').collect();
    let kind = [Spsc, FanIn, Bytes].into_iter().find(|kind| format!("{kind:?}") == parts[1]).unwrap();
    let (base, n) = (parts[2].parse().unwrap(), parts[3].parse().unwrap());
    let session = if parts[0] == "send" { sends } else { receives };
    session(kind, base, n, parts[4], How::Kill);
}

/// A session that sends `n` from `base` on.
fn sends(kind: Kind, base: u64, n: u64, name: &str, how: How) {
    let mut tx = Tx::open(kind, name);
    (base..base + n).for_each(|message| assert_eq!(tx.send(message, STALL), Ok(true)));
    how.end(tx);
}

/// A session that receives `n` from `base` on.
fn receives(kind: Kind, base: u64, n: u64, name: &str, how: How) {
    let mut rx = Rx::open(kind, name);
    (base..base + n).for_each(|message| assert_eq!(rx.recv(STALL).0, Said::Message(message)));
    how.end(rx);
}

/// A session of so many messages, of which the receiver knows nothing yet.
#[derive(Clone, Copy)]
struct Past {
    number: u64,
    base: u64,
    n: u64,
    pid: u32,
}

fn senders_come_and_go(kind: Kind, how: How, cycles: u64) {
    let dir = Scratch::new(&format!("cycles-send-{kind:?}-{how:?}"));
    let (name, watch) = (dir.file(), Watch::new());
    let mut rx = Rx::open(kind, &name);
    let mut beside = (kind == FanIn).then(|| Tx::open(kind, &name));
    let (mut next, mut past) = (0, None);
    let check = |rx: &mut Rx, Past { number, base, n, pid }: Past| {
        let of = (number, pid, Some(kind.units(base)));
        for message in base..base + n {
            watch.step(format!("{kind:?} {how:?}: message {message} of {number}"));
            assert_eq!(rx.recv(STALL), (Said::Message(message), of, None));
        }
        watch.step(format!("{kind:?} {how:?}: the end of {number}"));
        let (start, sent) = if kind == FanIn { (None, Some(base + n)) } else { (of.2, None) };
        assert_eq!(rx.recv(STALL), (Said::Disconnected(how.told()), (number, pid, start), sent));
    };
    for number in 1..=cycles {
        let (base, n) = (next, number % 4);
        // Where its ring is full, not.
        beside.iter_mut().for_each(|tx| assert!(tx.send(BESIDE, Duration::ZERO).is_ok()));
        // While a session goes on, this side is told of the one before.
        let pid = thread::scope(|scope| {
            let session = scope.spawn(|| match how {
                How::Kill => killed("send", kind, base, n, &name),
                _ => {
                    sends(kind, base, n, &name, how);
                    std::process::id()
                }
            });
            past.into_iter().for_each(|past| check(&mut rx, past));
            session.join().unwrap()
        });
        past = Some(Past { number, base, n, pid });
        next += n;
    }
    past.into_iter().for_each(|past| check(&mut rx, past));
    assert_eq!(rx.recv(SOON).0, Said::Nothing, "each is told once");
}

fn receivers_come_and_go(kind: Kind, how: How, cycles: u64) {
    let dir = Scratch::new(&format!("cycles-recv-{kind:?}-{how:?}"));
    let (name, watch) = (dir.file(), Watch::new());
    let mut beside = (kind == FanIn).then(|| Tx::open(kind, &name));
    let mut tx = Tx::open(kind, &name);
    let (mut sent, mut received, mut untold) = (0, 0, 0);
    for number in 1..=cycles {
        watch.step(format!("{kind:?} {how:?}: session {number}"));
        // Full, but that of every other receiver this side is told only after the next one's end.
        while sent < received + CAPACITY && number % 2 == 1 {
            match tx.send(sent, STALL) {
                Ok(sends) => sent += u64::from(sends),
                Err(ended) => {
                    assert_eq!(ended, how.told());
                    untold -= 1;
                }
            }
        }
        let n = (number % 4).min(sent - received);
        match how {
            How::Kill => drop(killed("recv", kind, received, n, &name)),
            _ => receives(kind, received, n, &name, how),
        }
        received += n;
        untold += 1;
        if number % 2 == 0 || number == cycles {
            loop {
                match tx.send(sent, SOON) {
                    Ok(true) => sent += 1,
                    Ok(false) => break,
                    Err(ended) => {
                        assert_eq!(ended, how.told(), "session {number}");
                        untold -= 1;
                    }
                }
            }
            assert_eq!((untold, sent), (0, received + CAPACITY), "each is told once, and then the ring fills");
        }
    }
    // The lane beside has met the same receivers, the last 64 of which the channel remembers.
    let mut told = 0;
    while let Some(tx) = &mut beside {
        match tx.send(BESIDE, SOON) {
            Ok(true) => {}
            Ok(false) => break,
            Err(ended) => {
                assert_eq!(ended, how.told());
                told += 1;
            }
        }
    }
    assert_eq!(told, if kind == FanIn { cycles } else { 0 });
    // And all that was sent is there for the next.
    let mut rx = Rx::open(kind, &name);
    (received..sent).for_each(|message| assert_eq!(rx.recv(STALL).0, Said::Message(message)));
    assert_eq!(rx.recv(SOON).0, Said::Nothing);
}

/// The file goes in each cycle; whoever had it is told so, each time that there is nothing else, and the next cycle is another channel.
fn files_come_and_go(kind: Kind, cycles: u64) {
    let dir = Scratch::new(&format!("cycles-removed-{kind:?}"));
    let (name, watch) = (dir.file(), Watch::new());
    let mut past: Option<(Tx, Rx, Option<Tx>, u64)> = None;
    for number in 1..=cycles + 1 {
        watch.step(format!("{kind:?}: the file of {number}"));
        let mut rx = Rx::open(kind, &name);
        let beside = (kind == FanIn).then(|| Tx::open(kind, &name));
        let mut tx = Tx::open(kind, &name);
        (0..3).for_each(|message| assert_eq!(tx.send(message, STALL), Ok(true)));
        assert_eq!(rx.recv(STALL), (Said::Message(0), (1, std::process::id(), Some(0)), None));
        std::fs::remove_file(&name).unwrap();
        let Some((mut old_tx, mut old_rx, old_beside, old)) = past.replace((tx, rx, beside, number)) else { continue };
        watch.step(format!("{kind:?}: the channel of {old}, whose file is gone"));
        // The two reach each other still.
        assert_eq!(old_tx.send(3, STALL), Ok(true));
        (1..4).for_each(|message| assert_eq!(old_rx.recv(STALL).0, Said::Message(message)));
        for _ in 0..2 {
            assert_eq!(old_rx.recv(STALL).0, Said::Disconnected(Cause::Removed));
        }
        if number % 2 == 0 {
            drop(old_tx);
            let (said, (of, ..), sent) = old_rx.recv(STALL);
            assert_eq!((said, of, sent), (Said::Disconnected(Cause::Closed), 1, (kind == FanIn).then_some(4)));
            for _ in 0..2 {
                assert_eq!(old_rx.recv(STALL).0, Said::Disconnected(Cause::Removed), "and again");
            }
        } else {
            (0..CAPACITY).for_each(|message| assert_eq!(old_tx.send(message, STALL), Ok(true)));
            assert_eq!((old_tx.send(9, STALL), old_tx.peer()), (Err(Cause::Removed), Peer::Removed));
            drop(old_rx);
            assert_eq!(old_tx.send(9, STALL), Err(Cause::Closed));
            for _ in 0..2 {
                assert_eq!(old_tx.send(9, STALL), Err(Cause::Removed), "and again");
            }
        }
        drop(old_beside);
    }
}

macro_rules! cycles {
    ($($name:ident: $run:ident($($argument:expr),+);)+) => {$(
        #[test]
        fn $name() {
            for kind in [Spsc, FanIn, Bytes] {
                $run(kind, $($argument),+);
            }
        }
    )+};
}

cycles! {
    senders_that_are_killed: senders_come_and_go(How::Kill, 40);
    senders_that_close: senders_come_and_go(How::Close, 80);
    senders_that_panic: senders_come_and_go(How::Panic, 80);
    receivers_that_are_killed: receivers_come_and_go(How::Kill, 40);
    receivers_that_close: receivers_come_and_go(How::Close, 50);
    receivers_that_panic: receivers_come_and_go(How::Panic, 50);
    files_that_are_removed: files_come_and_go(40);
}
