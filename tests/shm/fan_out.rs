//! One sender and many workers over mapped memory, some of which die.

use crate::support::another::the_test;
use crate::support::scratch::Scratch;
use ringmail::WaitStrategy;
use ringmail::shm::fan_out::{Builder, Receiver, Sender};
use ringmail::shm::{self, Cause, Kind, OpenError, Peer, RecvError, RecvTimeoutError, Role, SendTimeoutError};
use ringmail::shm::{Message, Schema, TryRecvError, TrySendError, spsc};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than any step should take, also on a machine with much to do.
const LONG: Duration = Duration::from_secs(60);

fn builder(dir: &Scratch) -> Builder<u64> {
    Builder::new(dir.file())
}

fn sender(dir: &Scratch, lanes: usize, capacity: usize) -> Sender<u64> {
    builder(dir).lanes(lanes).capacity(capacity).open_sender().expect("the sender")
}

fn worker(dir: &Scratch) -> Receiver<u64> {
    builder(dir).open_receiver().expect("a worker")
}

/// What a child is told by its environment: which channel, and what to do with each message.
const CHANNEL: &str = "RINGMAIL_TEST_FAN_OUT";
const PART: &str = "RINGMAIL_TEST_FAN_OUT_PART";

fn say(number: u64) {
    // One write: it is taken whole, and in the order of all children.
    std::io::stdout().write_all(&format!("\nmessage {number}\n").into_bytes()).unwrap();
    std::io::stdout().flush().unwrap();
}

/// Not a test of its own: the other process of those below.
#[test]
fn child() {
    let (Ok(name), Ok(part)) = (std::env::var(CHANNEL), std::env::var(PART)) else { return };
    match &*part {
        "handle" => {
            let mut rx = Builder::<u64>::new(name).wait(WaitStrategy::ParkAtOnce).open_receiver().unwrap();
            println!("\nopen");
            // Says it before its place is free: what a kill brings back is said again.
            while rx.recv_with(|&message| say(message)).is_ok() {}
        }
        "receive" => {
            let mut rx = Builder::<u64>::new(name).open_receiver().unwrap();
            println!("\nopen");
            for message in rx.iter() {
                say(message);
            }
        }
        "hold" => {
            let _rx = Builder::<u64>::new(name).open_receiver().unwrap();
            println!("\nopen");
            thread::sleep(LONG);
        }
        "send" => {
            let mut tx = Builder::<u64>::new(name).open_sender().unwrap();
            println!("\nopen");
            for message in 0.. {
                tx.send(message).unwrap();
                say(message);
            }
        }
        other => panic!("{other}"),
    }
    // No destructor runs.
    std::process::exit(42);
}

/// Children, and the pipe to which all of them write.
struct Children {
    name: String,
    pipe: (mpsc::Receiver<String>, Option<UnixStream>),
    children: Vec<Child>,
    unread: String,
}

impl Children {
    fn new(dir: &Scratch) -> Self {
        let (mut reader, writer) = UnixStream::pair().unwrap();
        // Read all the time: a child that cannot say what it has received would receive no more.
        let (tell, said) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut bytes) {
                let _ = tell.send(String::from_utf8(bytes[..n].to_vec()).unwrap());
            }
        });
        Self { name: dir.file(), pipe: (said, Some(writer)), children: vec![], unread: String::new() }
    }

    /// Starts one and waits until it has opened its side.
    fn start(&mut self, part: &str) {
        self.launch(part);
        let opened = self.lines().take_while(|line| line != "open").collect::<Vec<_>>();
        self.unread.insert_str(0, &opened.into_iter().map(|line| line + "\n").collect::<String>());
    }

    fn launch(&mut self, part: &str) {
        let out = self.pipe.1.as_ref().expect("still starting").try_clone().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(the_test(module_path!(), "child")).env(CHANNEL, &self.name).env(PART, part);
        self.children.push(command.stdout(Stdio::from(OwnedFd::from(out))).stderr(Stdio::null()).spawn().unwrap());
    }

    fn kill(&mut self, at: usize) {
        let mut child = self.children.remove(at);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// What they say, as long as one of them lives or may be started.
    fn lines(&mut self) -> impl Iterator<Item = String> + '_ {
        std::iter::from_fn(|| {
            loop {
                if let Some((line, rest)) = self.unread.split_once('\n') {
                    let (line, rest) = (line.to_owned(), rest.to_owned());
                    self.unread = rest;
                    return Some(line);
                }
                self.unread.push_str(&self.pipe.0.recv().ok()?);
            }
        })
    }

    fn messages(&mut self) -> impl Iterator<Item = u64> + '_ {
        self.lines().filter_map(|line| line.strip_prefix("message ").map(|number| number.parse().unwrap()))
    }

    /// The messages that are said until all have ended; none may be started after that.
    fn rest(&mut self) -> Vec<u64> {
        self.pipe.1 = None;
        self.messages().collect()
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        while !self.children.is_empty() {
            self.kill(0);
        }
    }
}

/// All that there is for a worker now.
fn all_of(rx: &mut Receiver<u64>) -> Vec<u64> {
    std::iter::from_fn(|| rx.recv_timeout(Duration::from_millis(1)).ok()).collect()
}

fn sorted(mut of: Vec<u64>) -> Vec<u64> {
    of.sort_unstable();
    of
}

#[test]
fn each_message_goes_to_one_worker() {
    let dir = Scratch::new("spread");
    let mut tx = sender(&dir, 3, 4);
    let mut workers: Vec<_> = (0..3).map(|_| worker(&dir)).collect();
    assert_eq!(workers.iter().map(Receiver::lane).collect::<Vec<_>>(), [0, 1, 2]);
    let full = builder(&dir).open_receiver().unwrap_err();
    assert!(matches!(full, OpenError::NoFreeLane { lanes: 3 }), "{full}");
    assert!(matches!(builder(&dir).open_sender(), Err(OpenError::Taken { role: Role::Sender, .. })));
    assert_eq!((tx.worker_count(), tx.lanes(), tx.capacity(), tx.epoch()), (3, 3, 12, 1));
    // Idle ones first, then those with more room: all fill up alike.
    (0..12).for_each(|i| tx.try_send(i).unwrap());
    assert_eq!(tx.try_send(12), Err(TrySendError::Full(12)));
    assert_eq!(workers.iter().map(Receiver::len).collect::<Vec<_>>(), [4, 4, 4]);
    let seen = workers.iter_mut().flat_map(all_of).collect::<Vec<_>>();
    assert_eq!(sorted(seen), (0..12).collect::<Vec<_>>());
    assert!(tx.is_empty());
    tx.close();
    assert!(workers.iter_mut().all(|rx| rx.recv() == Err(RecvError(Cause::Closed))));
    assert!(workers.iter_mut().all(|rx| rx.try_recv() == Err(TryRecvError::Empty)), "told once");
}

#[test]
fn one_that_is_busy_gets_less() {
    let dir = Scratch::new("busy");
    let mut tx = sender(&dir, 2, 8);
    let (mut idle, busy) = (worker(&dir), worker(&dir));
    assert!(tx.wait_for_worker(LONG));
    for i in 0..64 {
        tx.send(i).unwrap();
        while idle.try_recv().is_ok() {}
    }
    assert!(busy.len() <= 2, "{} for one that receives nothing", busy.len());
}

#[test]
fn a_channel_without_a_worker_is_full() {
    let dir = Scratch::new("none");
    let mut tx = sender(&dir, 2, 4);
    assert_eq!(tx.try_send(0), Err(TrySendError::Full(0)));
    assert_eq!(tx.send_timeout(0, Duration::from_millis(5)), Err(SendTimeoutError::Timeout(0)));
    assert!(!tx.wait_for_worker(Duration::from_millis(1)));
    let file = dir.file();
    let late = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        let mut rx = Builder::<u64>::new(file).open_receiver().unwrap();
        let first = rx.recv().unwrap();
        // Leaves with the second one in its lane, or before it is sent.
        (first, rx.lane())
    });
    let start = Instant::now();
    tx.send(1).unwrap();
    assert_eq!(late.join().unwrap(), (1, 0));
    assert!(start.elapsed() < LONG);
    assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)));
    let mut rx = worker(&dir);
    tx.send(2).unwrap();
    assert_eq!(rx.recv(), Ok(2));
}

#[test]
fn a_handle_that_has_closed_does_nothing_to_the_next_worker_of_its_lane() {
    let dir = Scratch::new("closed-handle");
    let mut tx = sender(&dir, 1, 4);
    let mut one = worker(&dir);
    one.close();
    let mut next = worker(&dir);
    drop(one);
    for i in 0..8 {
        tx.send_timeout(i, LONG).unwrap();
        assert_eq!(next.recv_timeout(LONG), Ok(i));
    }
}

#[test]
fn what_a_killed_worker_left_is_found_by_verbs_that_do_not_wait() {
    let dir = Scratch::new("killed-drain");
    let mut tx = sender(&dir, 2, 8);
    let mut children = Children::new(&dir);
    children.start("hold");
    let mut other = worker(&dir);
    (0..6).for_each(|i| tx.send(i).unwrap());
    children.kill(0);
    // The sender does nothing more.
    let (mut got, began) = (vec![], Instant::now());
    while got.len() < 6 && began.elapsed() < LONG {
        other.drain(8, |message| got.push(message));
        got.extend(other.try_iter());
    }
    assert_eq!(sorted(got), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn what_a_worker_leaves_goes_to_the_others() {
    for ends in ["drop", "close", "panic"] {
        let dir = Scratch::new(ends);
        let mut tx = sender(&dir, 2, 8);
        let (mut one, mut two) = (worker(&dir), worker(&dir));
        (0..8).for_each(|i| tx.send(i).unwrap());
        let mut seen = vec![one.recv().unwrap()];
        match ends {
            "drop" => drop(one),
            "close" => {
                one.close();
                assert_eq!(one.recv(), Err(RecvError(Cause::Closed)));
                // Its lane is free: the handle is still there.
                assert_eq!(worker(&dir).lane(), 0);
            }
            _ => {
                let panics = thread::spawn(move || {
                    let mut one = one;
                    one.recv_with(|_| panic!("a handler")).unwrap();
                });
                assert!(panics.join().is_err());
            }
        }
        seen.extend(all_of(&mut two));
        assert_eq!(sorted(seen), (0..8).collect::<Vec<_>>(), "{ends}");
        // What is sent now goes to the one that is there.
        (8..16).for_each(|i| tx.try_send(i).unwrap());
        drop(tx);
        assert_eq!(two.iter().collect::<Vec<_>>(), (8..16).collect::<Vec<_>>());
    }
}

#[test]
fn a_worker_that_comes_to_a_lane_gets_what_the_last_one_left() {
    let dir = Scratch::new("next");
    let mut tx = sender(&dir, 1, 8);
    drop({
        let mut rx = worker(&dir);
        (0..6).for_each(|i| tx.send(i).unwrap());
        assert_eq!((rx.recv(), rx.drain(2, |_| {}), rx.len()), (Ok(0), 2, 3));
        rx
    });
    assert_eq!(tx.try_send(6), Err(TrySendError::Full(6)), "it has no worker");
    // Also once the sender is gone.
    drop(tx);
    let mut rx = worker(&dir);
    assert_eq!(rx.iter().collect::<Vec<_>>(), [3, 4, 5]);
}

#[test]
fn a_handler_that_panics_has_received_nothing() {
    let dir = Scratch::new("panic");
    let mut tx = sender(&dir, 2, 8);
    let (mut one, two) = (worker(&dir), worker(&dir));
    (0..4).for_each(|i| tx.send(i).unwrap());
    drop(two);
    // In its own lane, and in the other's.
    for _ in 0..4 {
        let panics = std::panic::AssertUnwindSafe(|| one.recv_with(|_| panic!("a handler")));
        assert!(std::panic::catch_unwind(panics).is_err());
        let panics = std::panic::AssertUnwindSafe(|| one.drain(8, |_| panic!("a handler")));
        assert!(std::panic::catch_unwind(panics).is_err());
        one.recv_with(|_| ()).unwrap();
    }
    assert_eq!((one.try_recv(), tx.len()), (Err(TryRecvError::Empty), 0));
}

/// The end comes to a worker once another has received what is in its lane, or has left it.
#[test]
fn the_end_waits_for_what_others_have() {
    let dir = Scratch::new("end");
    let mut tx = sender(&dir, 2, 8);
    let (mut one, mut two) = (worker(&dir), worker(&dir));
    (0..4).for_each(|i| tx.send(i).unwrap());
    drop(tx);
    let mut seen = vec![one.recv().unwrap(), one.recv().unwrap()];
    assert_eq!(one.recv_timeout(Duration::from_millis(200)), Err(RecvTimeoutError::Timeout));
    seen.push(two.recv().unwrap());
    let last = thread::spawn(move || one.iter().collect::<Vec<_>>());
    thread::sleep(Duration::from_millis(20));
    drop(two);
    seen.extend(last.join().unwrap());
    assert_eq!(sorted(seen), [0, 1, 2, 3]);
}

#[test]
fn a_next_sender_is_not_held_up() {
    let dir = Scratch::new("restart");
    let mut tx = sender(&dir, 2, 8);
    let (mut one, busy) = (worker(&dir), worker(&dir));
    (0..4).for_each(|i| tx.send(i).unwrap());
    drop(tx);
    let mut tx = builder(&dir).open_sender().unwrap();
    assert_eq!(tx.epoch(), 2);
    tx.send(4).unwrap();
    let mut seen = vec![one.recv().unwrap(), one.recv().unwrap()];
    // The end of the first one is told though `busy` has received nothing.
    assert_eq!(one.recv(), Err(RecvError(Cause::Closed)));
    drop(busy);
    seen.extend([(); 3].map(|()| one.recv().unwrap()));
    assert_eq!(sorted(seen), [0, 1, 2, 3, 4]);
    tx.give_up();
    assert_eq!(one.recv(), Err(RecvError(Cause::GivenUp)));
}

/// Sessions of workers, one after the other in each thread, until all messages were received.
fn churn(dir: &Scratch, threads: u64, messages: u64, send: impl FnOnce(), received: impl Fn(u64) + Sync) {
    let count = AtomicU64::new(0);
    thread::scope(|scope| {
        for n in 0..threads {
            let (count, received) = (&count, &received);
            scope.spawn(move || {
                for take in 1u64.. {
                    let mut rx = builder(dir).open_receiver().unwrap();
                    for _ in 0..take * 7 % 100 + n {
                        match rx.recv_timeout(Duration::from_millis(10)) {
                            Ok(message) => {
                                received(message);
                                count.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(_) if count.load(Ordering::Relaxed) == messages => return,
                            Err(_) => break,
                        }
                    }
                }
            });
        }
        send();
    });
}

#[test]
fn workers_come_and_go_while_the_sender_sends() {
    const MESSAGES: u64 = 20_000;
    let dir = Scratch::new("churn");
    let mut tx = sender(&dir, 4, 8);
    let seen = Mutex::new(Vec::new());
    churn(&dir, 3, MESSAGES, || (0..MESSAGES).for_each(|i| tx.send(i).unwrap()), |i| seen.lock().unwrap().push(i));
    assert_eq!(sorted(seen.into_inner().unwrap()), (0..MESSAGES).collect::<Vec<_>>());
    assert!(tx.is_empty());
}

/// Of each key the messages come in order. What is said with a place still occupied is said in the order in which it is received.
fn check_keys(seen: impl IntoIterator<Item = u64>, keys: u64) {
    let mut last = BTreeMap::new();
    for message in seen {
        let before = last.insert(message % keys, message);
        assert!(before.is_none_or(|before| before <= message), "{message} after {before:?}");
    }
}

#[test]
fn messages_of_a_key_stay_in_order_while_workers_come_and_go() {
    const KEYS: u64 = 7;
    const MESSAGES: u64 = 4000;
    let dir = Scratch::new("keys");
    let mut tx = sender(&dir, 4, 8);
    let seen = Mutex::new(Vec::new());
    let count = AtomicU64::new(0);
    thread::scope(|scope| {
        for n in 0..3 {
            let (seen, count, dir) = (&seen, &count, &dir);
            scope.spawn(move || {
                for take in 1u64.. {
                    let mut rx = builder(dir).open_receiver().unwrap();
                    let mut left = take * 7 % 40 + n;
                    while left != 0 {
                        left -= 1;
                        // In the handler, where the place is still occupied: so in order between workers, too.
                        let received = rx.try_recv_with(|&message| {
                            seen.lock().unwrap().push(message);
                            count.fetch_add(1, Ordering::Relaxed)
                        });
                        if received.is_err() {
                            thread::yield_now();
                        }
                        if count.load(Ordering::Relaxed) == MESSAGES {
                            return;
                        }
                    }
                }
            });
        }
        for message in 0..MESSAGES {
            tx.send_by_key(&(message % KEYS), message).unwrap();
        }
    });
    let seen = seen.into_inner().unwrap();
    check_keys(seen.iter().copied(), KEYS);
    assert_eq!(sorted(seen), (0..MESSAGES).collect::<Vec<_>>());
}

#[test]
fn a_key_waits_for_what_its_worker_left() {
    let dir = Scratch::new("key");
    let mut tx = sender(&dir, 2, 4);
    let (mut one, mut two) = (worker(&dir), worker(&dir));
    (0..3).for_each(|i| tx.send_by_key("key", i).unwrap());
    let (gone, mut stays) = if one.len() == 3 {
        (one, two)
    } else {
        std::mem::swap(&mut one, &mut two);
        (one, two)
    };
    assert_eq!((gone.len(), stays.len()), (3, 0));
    drop(gone);
    assert_eq!(tx.try_send_by_key("key", 3), Err(TrySendError::Full(3)));
    assert_eq!(stays.recv(), Ok(0));
    assert_eq!(tx.send_timeout_by_key("key", 3, Duration::from_millis(5)), Err(SendTimeoutError::Timeout(3)));
    // Others go to the one that is there.
    tx.try_send(100).unwrap();
    assert_eq!((stays.recv(), stays.recv()), (Ok(1), Ok(2)));
    tx.send_by_key("key", 3).unwrap();
    assert_eq!((stays.recv(), stays.recv()), (Ok(100), Ok(3)));
}

#[test]
fn nothing_is_lost_with_workers_that_are_killed() {
    const MESSAGES: u64 = 3000;
    let dir = Scratch::new("killed");
    // A lane more than workers: while another takes what one left, the lane of that one is not free.
    let mut tx = sender(&dir, 4, 16);
    let mut children = Children::new(&dir);
    (0..3).for_each(|_| children.start("handle"));
    let (mut seen, mut kills) = (Vec::new(), 0);
    for message in 0..MESSAGES {
        tx.send_by_key(&(message % 5), message).unwrap();
        if message % 300 == 299 {
            children.kill(0);
            kills += 1;
            children.start("handle");
        }
    }
    drop(tx);
    seen.extend(children.rest());
    check_keys(seen.iter().copied(), 5);
    let said = seen.len() as u64;
    let mut all = sorted(seen);
    all.dedup();
    assert_eq!(all, (0..MESSAGES).collect::<Vec<_>>());
    assert!(said <= MESSAGES + kills, "{said} said of {MESSAGES}: a kill brings back one at most");
}

#[test]
fn a_message_that_was_received_does_not_come_again() {
    const MESSAGES: u64 = 2000;
    let dir = Scratch::new("once");
    // A lane more than workers: while another takes what one left, the lane of that one is not free.
    let mut tx = sender(&dir, 4, 16);
    let mut children = Children::new(&dir);
    (0..3).for_each(|_| children.start("receive"));
    let mut kills = 0;
    for message in 0..MESSAGES {
        tx.send(message).unwrap();
        if message % 300 == 299 {
            children.kill(0);
            kills += 1;
            children.start("receive");
        }
    }
    drop(tx);
    let all = sorted(children.rest());
    assert!(all.windows(2).all(|two| two[0] < two[1]), "twice");
    let lost = MESSAGES - all.len() as u64;
    assert!(lost <= kills, "{lost} lost by {kills} kills: those that were received and not said");
}

/// All workers are killed, the last with messages in its lane; one that comes gets all.
#[test]
fn a_worker_gets_what_all_others_left() {
    let dir = Scratch::new("all");
    let mut tx = sender(&dir, 3, 4);
    let mut children = Children::new(&dir);
    (0..3).for_each(|_| children.start("hold"));
    (0..12).for_each(|i| tx.send(i).unwrap());
    (0..3).for_each(|_| children.kill(0));
    assert_eq!(tx.worker_count(), 0);
    // Found out by the kernel's word alone.
    assert_eq!(tx.send_timeout(12, Duration::from_millis(200)), Err(SendTimeoutError::Timeout(12)));
    let mut rx = worker(&dir);
    let mut seen = [(); 12].map(|()| rx.recv().unwrap()).to_vec();
    tx.send(12).unwrap();
    seen.push(rx.recv().unwrap());
    seen.sort_unstable();
    assert_eq!(seen, (0..13).collect::<Vec<_>>());
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn a_killed_worker_is_noticed_by_one_that_sleeps() {
    let dir = Scratch::new("notice");
    let mut tx = sender(&dir, 2, 4);
    let mut children = Children::new(&dir);
    children.start("hold");
    (0..4).for_each(|i| tx.send(i).unwrap());
    let mut rx = worker(&dir);
    rx.set_wait(WaitStrategy::ParkAtOnce);
    assert_eq!(rx.recv_timeout(Duration::from_millis(150)), Err(RecvTimeoutError::Timeout));
    let waits = thread::spawn(move || {
        let first = rx.recv();
        (first, Instant::now(), rx)
    });
    thread::sleep(Duration::from_millis(50));
    let killed = Instant::now();
    children.kill(0);
    let (first, at, mut rx) = waits.join().unwrap();
    assert_eq!((first, all_of(&mut rx)), (Ok(0), vec![1, 2, 3]));
    assert!(at - killed < LONG, "{:?}", at - killed);
}

#[test]
fn a_sender_that_is_killed_is_told_and_the_next_goes_on() {
    let dir = Scratch::new("sender");
    let (mut one, mut two) = (builder(&dir).lanes(2).capacity(8).open_receiver().unwrap(), worker(&dir));
    let mut children = Children::new(&dir);
    let mut seen = Vec::new();
    for round in 1..=10 {
        children.start("send");
        for _ in 0..20 {
            seen.extend([one.recv().unwrap(), two.recv().unwrap()]);
        }
        children.kill(0);
        // Each of the two is told once, when all was received.
        let mut rest = Vec::new();
        let mut told = [false; 2];
        while told != [true; 2] {
            for (rx, told) in [&mut one, &mut two].into_iter().zip(&mut told) {
                match rx.recv_timeout(Duration::from_millis(5)) {
                    Ok(message) => rest.push(message),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected(why)) => {
                        assert_eq!((why, *told), (Cause::PeerDied, false), "round {round}");
                        *told = true;
                    }
                }
            }
        }
        seen.extend(rest);
        let all = sorted(std::mem::take(&mut seen));
        assert!(all.iter().copied().eq(0..all.len() as u64), "round {round}: {all:?}");
    }
}

#[test]
fn ten_runs_on_one_name() {
    let dir = Scratch::new("runs");
    for run in 0..10 {
        let mut tx = sender(&dir, 2, 4);
        assert_eq!(tx.epoch(), run + 1);
        let workers: Vec<_> = (0..2).map(|_| worker(&dir)).collect();
        let workers: Vec<_> =
            workers.into_iter().map(|mut rx| thread::spawn(move || rx.iter().collect::<Vec<_>>())).collect();
        (0..100).for_each(|i| tx.send(i).unwrap());
        drop(tx);
        let seen: Vec<u64> = workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();
        assert_eq!(sorted(seen), (0..100).collect::<Vec<_>>(), "run {run}");
    }
    assert!(builder(&dir).remove().unwrap());
}

/// A large message.
#[derive(zerocopy::TryFromBytes, zerocopy::IntoBytes, zerocopy::Immutable, Clone, Copy)]
#[repr(transparent)]
struct Bytes<const N: usize>([u8; N]);

impl<const N: usize> Message for Bytes<N> {
    const SCHEMA: Schema = Schema::new("bytes");
}

fn large<const N: usize>() {
    let dir = Scratch::new(&N.to_string());
    let builder = || Builder::<Bytes<N>>::new(dir.file()).lanes(2).capacity(3);
    let mut tx = builder().open_sender().unwrap();
    let mut leaves = builder().open_receiver().unwrap();
    let mut stays = builder().open_receiver().unwrap();
    let mut sum = 0;
    for round in 0..20u64 {
        let message = |n: u64| Bytes([(round * 6 + n) as u8; N]);
        (0..6).for_each(|n| tx.try_send_ref(&message(n)).unwrap());
        assert!(tx.try_send(message(6)).is_err_and(|refused| refused.is_full()));
        let whole = |Bytes(message): &Bytes<N>| {
            assert!(message.iter().all(|&byte| byte == message[0]));
            u64::from(message[0])
        };
        sum += whole(&leaves.recv().unwrap());
        drop(leaves);
        sum += (0..5).map(|_| stays.recv_with(whole).unwrap()).sum::<u64>();
        leaves = builder().open_receiver().unwrap();
    }
    assert_eq!(sum, (0..120).sum());
}

#[test]
fn messages_of_a_kilobyte_and_of_four() {
    large::<1024>();
    large::<4096>();
}

/// A forked child's handles do nothing, and it keeps its parent's locks only until it ends.
#[test]
fn a_forked_child_has_no_part_in_it() {
    let dir = Scratch::new("fork");
    let mut tx = sender(&dir, 2, 4);
    let (mut one, two) = (worker(&dir), worker(&dir));
    (0..4).for_each(|i| tx.send(i).unwrap());
    // SAFETY: the child only drops handles, which do nothing there, and ends.
    match unsafe { libc::fork() } {
        0 => {
            drop((tx, one, two));
            // SAFETY: ends the process.
            unsafe { libc::_exit(0) }
        }
        child => {
            let mut status = 0;
            // SAFETY: a child of ours.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(status, 0);
        }
    }
    assert_eq!((tx.worker_count(), one.peer()), (2, Peer::Here));
    drop(two);
    assert_eq!(sorted(all_of(&mut one)), [0, 1, 2, 3]);
}

/// Sender and workers on one core, with the smallest lanes.
#[test]
fn nothing_is_lost_on_one_core() {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let pinned = thread::spawn(|| {
        let before = sched_getaffinity(None).unwrap();
        let mut one = CpuSet::new();
        one.set((0..CpuSet::MAX_CPU).find(|&core| before.is_set(core)).unwrap());
        sched_setaffinity(None, &one).unwrap();
        let dir = Scratch::new("core");
        let mut tx = sender(&dir, 4, 1);
        let workers: Vec<_> = (0..4).map(|_| worker(&dir)).collect();
        let workers: Vec<_> =
            workers.into_iter().map(|mut rx| thread::spawn(move || rx.iter().collect::<Vec<_>>())).collect();
        (0..5000).for_each(|i| tx.send(i).unwrap());
        drop(tx);
        let seen: Vec<u64> = workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();
        assert_eq!(sorted(seen), (0..5000).collect::<Vec<_>>());
    });
    pinned.join().unwrap();
}

#[test]
fn an_anonymous_one_works_and_other_kinds_are_refused() {
    let channel = Builder::<u64>::create_anonymous(2, 4).unwrap();
    let mut tx = Builder::<u64>::from_fd(&channel).open_sender().unwrap();
    let mut rx = Builder::<u64>::from_fd(&channel).open_receiver().unwrap();
    tx.send(1).unwrap();
    assert_eq!(rx.recv(), Ok(1));
    let dir = Scratch::new("kind");
    drop(sender(&dir, 2, 4));
    assert!(matches!(spsc::Builder::<u64>::new(dir.file()).open_sender(), Err(OpenError::Mismatch(_))));
    assert!(matches!(shm::fan_in::Builder::<u64>::new(dir.file()).open_receiver(), Err(OpenError::Mismatch(_))));
}

#[test]
fn onlookers_see_the_workers() {
    let dir = Scratch::new("look");
    let mut tx = sender(&dir, 3, 4);
    let mut one = worker(&dir);
    drop(worker(&dir));
    (0..3).for_each(|i| tx.send(i).unwrap());
    one.recv().unwrap();
    let seen = shm::inspect(&dir.file()).unwrap();
    assert_eq!((seen.kind, seen.sent(), seen.depth(), seen.lanes.len()), (Kind::FanOut, 3, 2, 3));
    let states: Vec<_> = seen.lanes.iter().map(|lane| lane.receiver.state).collect();
    assert_eq!(states, [Peer::Here, Peer::Left, Peer::Never]);
    let text = seen.to_string();
    assert!(text.contains("worker    lane 0, here") && text.contains("sender    here"), "{text}");
    assert!(text.contains("worker    lane 1, left") && !text.contains("lane 2"), "{text}");
}
