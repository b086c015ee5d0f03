//! What a sender that writes nonsense, dies at a bad moment, or a system that refuses must not do to a mapped channel of many lanes.

use crate::support::another::the_test;
use crate::support::scratch::Scratch;
use ringmail::WaitStrategy;
use ringmail::shm::fan_in::{Builder, Departed, Receiver, RecvError, Sender, TryRecvError};
use ringmail::shm::{self, Cause, Peer, SendError, TrySendError, bytes};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

fn receiver(dir: &Scratch, lanes: usize) -> Receiver<u64> {
    Builder::new(dir.file()).lanes(lanes).capacity(8).open_receiver().expect("a receiver")
}

fn sender(dir: &Scratch) -> Sender<u64> {
    Builder::new(dir.file()).open_sender().expect("a sender")
}

/// Where the first lane lies: its sender's words `begun`, `epoch`, `unfenced`, `core`, its sender's notes, and its messages.
const SESSION: u64 = 4096 + 256;
/// Where the table of the last sessions lies behind the first of these words, and what an entry says of one that died.
const TABLE: u64 = 256;
const DIED: u64 = 3;
const MARKS: u64 = 4096 + 2560;
const DATA: u64 = 3 * 4096;
/// Bytes from one lane to the next.
const LANE: u64 = 3 * 4096;

/// Another process does `part` with the channel at `name` and ends without closing, as if killed.
fn other(part: &str, name: &str) {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(the_test(module_path!(), "the_other_process"));
    child.env("FAN_IN_ATTACK", format!("{part} {name}"));
    let done = child.output().expect("a child");
    assert_eq!(done.status.code(), Some(42), "{done:?}");
}

/// No test of its own: what [`other`] runs.
#[test]
fn the_other_process() {
    let Ok(order) = std::env::var("FAN_IN_ATTACK") else { return };
    let (part, name) = order.split_once(' ').unwrap();
    if part == "dies" {
        let mut tx = Builder::<u64>::new(name).open_sender().unwrap();
        (0..5).for_each(|i| tx.try_send(i).unwrap());
        // No destructor runs.
        std::process::exit(42);
    }
    sleeps_where_the_call_is_forbidden(name);
    std::process::exit(42);
}

/// A message whose position is in order and whose bytes are none.
#[test]
fn a_message_that_is_none_is_told_once_and_ends_its_lane_alone() {
    let dir = Scratch::new("none");
    let builder = || Builder::<bool>::new(dir.file()).lanes(2).capacity(8);
    let mut rx = builder().open_receiver().unwrap();
    let (mut one, mut two) = (builder().open_sender().unwrap(), builder().open_sender().unwrap());
    one.send(true).unwrap();
    two.send(true).unwrap();
    dir.poke(DATA, 2);
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(rx.try_recv_from());
    }
    let corrupt = |found: &Result<_, _>| {
        matches!(found, Err(TryRecvError::Departed(Departed { lane: 0, epoch: 1, cause: Cause::Corrupted, .. })))
    };
    assert_eq!(told.iter().filter(|found| corrupt(found)).count(), 1, "{told:?}");
    assert!(told.contains(&Ok((1, true))) && told.contains(&Err(TryRecvError::Empty)), "{told:?}");
    // Nothing more is read there, and whoever sends hears of it, also one that comes later.
    assert_eq!(one.try_send(true), Err(TrySendError::Disconnected(true, Cause::Closed)));
    drop(one);
    let mut next = builder().open_sender().unwrap();
    assert_eq!(next.lane(), 0);
    assert_eq!(next.send(true), Err(SendError::Disconnected(true, Cause::Closed)));
    two.send(false).unwrap();
    assert_eq!(rx.recv_from(), Ok((1, false)));
    drop(two);
    let told = rx.recv().unwrap_err();
    assert!(
        matches!(told, RecvError::Departed(Departed { lane: 1, epoch: 1, sent: Some(2), cause: Cause::Closed, .. })),
        "{told:?}"
    );
    assert_eq!(rx.recv(), Err(RecvError::Disconnected));
    // Whoever waits for another sender then does not find the one that is not read.
    assert!(!rx.wait_for_sender(Duration::from_millis(1)));
    let _two = builder().open_sender().unwrap();
    assert!(rx.wait_for_sender(Duration::from_secs(9)));
}

#[test]
fn an_invalid_record_is_told_once_by_waiting_verbs_too() {
    let dir = Scratch::new("record");
    let builder = || bytes::fan_in::Builder::new(dir.file()).lanes(2).capacity(4096);
    let mut rx = builder().open_receiver().unwrap();
    let mut tx = builder().open_sender().unwrap();
    let mut body = Vec::new();
    tx.send("fine").unwrap();
    tx.send("flags").unwrap();
    dir.poke(DATA + 4 * 8, u64::MAX);
    assert_eq!(rx.recv_into(&mut body).unwrap().0, 0);
    let told = rx.recv_into(&mut body).unwrap_err();
    let RecvError::Departed(Departed { lane: 0, epoch: 1, cause: Cause::Corrupted, .. }) = told else {
        panic!("{told:?}")
    };
    assert_eq!(rx.recv_into(&mut body), Err(RecvError::Disconnected));
}

/// The next sender of the lane has said that the last one died and that its own session begins, and is stopped before it is set up.
#[test]
fn a_successor_that_is_being_set_up_hides_no_count() {
    let dir = Scratch::new("setup");
    let mut rx = receiver(&dir, 2);
    other("dies", &dir.file());
    (0..5).for_each(|i| assert_eq!(rx.recv(), Ok(i)));
    // `end`, `start`, `pid` of the table's second entry: how session 1 ended is in the first.
    dir.poke(SESSION + TABLE + 32, 1 << 8 | DIED);
    for (n, word) in [2 << 8, 5, 1].into_iter().enumerate() {
        dir.poke(SESSION + TABLE + 64 + 8 * n as u64, word);
    }
    dir.poke(SESSION, 2);
    let told = rx.try_recv().unwrap_err();
    let TryRecvError::Departed(Departed { lane: 0, epoch: 1, sent: Some(5), cause: Cause::PeerDied, .. }) = told else {
        panic!("{told:?}")
    };
}

/// A sender that was there and takes its words back: its end is noticed all the same.
#[test]
fn a_sender_that_was_there_cannot_unsay_it() {
    let dir = Scratch::new("unsaid");
    let mut rx = receiver(&dir, 2);
    other("dies", &dir.file());
    assert_eq!(rx.peer(0), Some(Peer::Died));
    (0..5).for_each(|i| assert_eq!(rx.recv(), Ok(i)));
    dir.poke(SESSION, 0);
    dir.poke(SESSION + 8, 0);
    let told = rx.recv_timeout(Duration::from_secs(1)).unwrap_err();
    assert_ne!(told, RecvError::Timeout);
}

/// The receiver's handler takes what it is given: its turn is over all the same.
#[test]
fn draining_a_full_lane_leaves_the_others_their_turn() {
    let dir = Scratch::new("drain");
    let builder = || Builder::<u64>::new(dir.file()).lanes(2).capacity(64);
    let mut rx = builder().open_receiver().unwrap();
    let (mut one, mut two) = (builder().open_sender().unwrap(), builder().open_sender().unwrap());
    two.send(7).unwrap();
    let mut before = 0;
    for _ in 0..100 {
        while one.try_send(1).is_ok() {}
        let mut from = 0;
        before += rx.drain(64, |lane, _| from = lane);
        if from == 1 {
            break;
        }
    }
    assert!(before <= 65, "{before} messages until the other lane's came");
}

/// Senders come and go in order while several look, each interrupted halfway now and then. (One that asked the kernel before it read the words
/// found a death in some 100,000 looks.)
#[test]
fn an_onlooker_sees_no_death_where_there_is_none() {
    let dir = Scratch::new("onlooker");
    let _rx = receiver(&dir, 1);
    let end = Instant::now() + Duration::from_secs(5);
    let (died, looks) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while Instant::now() < end {
                    let sender = shm::look(&dir.file()).unwrap().lanes[0].sender;
                    died.fetch_add((sender.state == Peer::Died).into(), Ordering::Relaxed);
                    looks.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        scope.spawn(|| {
            while Instant::now() < end {
                drop(sender(&dir));
            }
        });
    });
    assert_eq!(died.into_inner(), 0, "nobody died, in {} looks", looks.into_inner());
}

/// What senders write of themselves may be anything: an onlooker adds it up all the same.
#[test]
fn an_onlooker_adds_up_what_hostile_lanes_say() {
    let dir = Scratch::new("sum");
    let builder = || bytes::fan_in::Builder::new(dir.file()).lanes(2).capacity(4096);
    let _rx = builder().open_receiver().unwrap();
    dir.poke(MARKS, u64::MAX);
    dir.poke(MARKS + LANE, u64::MAX);
    let seen = shm::look(&dir.file()).unwrap();
    assert_eq!((seen.sent(), seen.depth()), (u64::MAX, 0));
}

/// Where a filter of system calls refuses `futex_waitv`, as containers do that know older kernels only, with EPERM instead of ENOSYS: the
/// receiver sleeps, and does not turn.
#[test]
fn a_call_that_is_forbidden_is_no_busy_loop() {
    let dir = Scratch::new("forbidden");
    other("sleeps", &dir.file());
}

/// Processor time of this process.
fn worked() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn sleeps_where_the_call_is_forbidden(name: &str) {
    let builder = || Builder::<u64>::new(name).lanes(16).wait(WaitStrategy::Park);
    let mut rx = builder().open_receiver().unwrap();
    let began = worked();
    if let Err(why) = forbid(libc::SYS_futex_waitv) {
        println!("skipped: no filter of system calls is to be had: {why}");
        return;
    }
    assert!(!rx.wait_for_sender(Duration::from_millis(500)));
    let mut tx = builder().open_sender().unwrap();
    assert_eq!(rx.recv_timeout(Duration::from_millis(500)), Err(RecvError::Timeout));
    let worked = worked() - began;
    println!("worked for {worked:?} of a second");
    assert!(worked < Duration::from_millis(400), "worked for {worked:?} of a second");
    tx.send(7).unwrap();
    assert_eq!(rx.recv(), Ok(7));
}

/// From now on `call` fails with EPERM in this process.
fn forbid(call: libc::c_long) -> std::io::Result<()> {
    let step = |code: u32, jump: u8, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: jump, k };
    let mut steps = [
        // Loads the number of the call.
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, call as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    let flags = libc::SECCOMP_FILTER_FLAG_TSYNC;
    // SAFETY: takes rights from this process, no more.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: a valid program, which lives until the call is over.
    let done = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}
