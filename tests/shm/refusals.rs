//! A kernel that refuses the calls for locks: a typed error where a side is opened, and where a side is open another try later, never a loop.
//!
//! A filter of system calls refuses them, for one thread. Where none is to be had, the tests say that they were skipped.

use crate::support::another::skip;
use crate::support::scratch::Scratch;
use ringmail::WaitStrategy;
use ringmail::shm::{self, OpenError, RecvTimeoutError, TryRecvError, broadcast, bytes, fan_in, fan_out, lossy, spsc};
use std::thread;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

/// Kernel's numbers, which `libc` has for one C library only.
const F_OFD_GETLK: i32 = 36;
const F_OFD_SETLK: i32 = 37;

/// From now on `fcntl` with `command` fails with `errno` in this thread. Whether a filter is to be had.
fn refuse(command: i32, errno: i32) -> bool {
    refuse_call(libc::SYS_fcntl, command, errno)
}

/// The same of `call` with `command` as its second argument.
fn refuse_call(call: libc::c_long, command: i32, errno: i32) -> bool {
    let step = |code: u32, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf, k };
    let second_argument = 24 + if cfg!(target_endian = "big") { 4 } else { 0 };
    let mut steps = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 3, call as u32),
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, second_argument),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, command as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: takes rights from this thread, no more.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: a valid program, which lives until the call is over.
    let done = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    if done != 0 {
        skip(&format!("no filter of system calls is to be had: {}", std::io::Error::last_os_error()));
    }
    done == 0
}

/// What `f` comes to in a thread of its own, which has no rights to lose.
fn aside<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| scope.spawn(f).join().unwrap())
}

/// Processor time of this thread.
fn worked() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// All ways to open a side of a channel of `name`, each of a channel of its own.
fn openings(name: &str) -> Vec<(&'static str, Result<(), OpenError>)> {
    let of = |kind: &str| format!("{name}-{kind}");
    vec![
        ("spsc sender", spsc::Builder::<u64>::new(of("spsc")).open_sender().map(drop)),
        ("spsc receiver", spsc::Builder::<u64>::new(of("spsc")).open_receiver().map(drop)),
        ("bytes sender", bytes::Builder::new(of("bytes")).open_sender().map(drop)),
        ("bytes receiver", bytes::Builder::new(of("bytes")).open_receiver().map(drop)),
        ("fan_in sender", fan_in::Builder::<u64>::new(of("in")).open_sender().map(drop)),
        ("fan_in receiver", fan_in::Builder::<u64>::new(of("in")).open_receiver().map(drop)),
        ("fan_out sender", fan_out::Builder::<u64>::new(of("out")).open_sender().map(drop)),
        ("fan_out receiver", fan_out::Builder::<u64>::new(of("out")).open_receiver().map(drop)),
        ("broadcast sender", broadcast::Builder::<u64>::new(of("cast")).open_sender().map(drop)),
        ("broadcast receiver", broadcast::Builder::<u64>::new(of("cast")).open_receiver().map(drop)),
        ("broadcast reserved", broadcast::Builder::<u64>::new(of("cast")).open_reserved("journal").map(drop)),
        ("lossy sender", lossy::Builder::<u64>::new(of("lossy")).open_sender().map(drop)),
        ("lossy receiver", lossy::Builder::<u64>::new(of("lossy")).open_receiver().map(drop)),
        ("inspect", shm::inspect(&of("spsc")).map(drop)),
        ("remove", spsc::Builder::<u64>::new(of("spsc")).remove().map(drop)),
        ("release", broadcast::Builder::<u64>::new(of("cast")).release("journal").map(drop)),
    ]
}

/// Openings that take no lock.
const LOCK_NOTHING: &[&str] = &["inspect", "lossy receiver"];

#[test]
fn an_opening_that_the_kernel_refuses_says_so() {
    for (command, errno, passes) in [
        (F_OFD_SETLK, libc::ENOLCK, LOCK_NOTHING),
        (F_OFD_SETLK, libc::ENOSPC, LOCK_NOTHING),
        (F_OFD_SETLK, libc::EMFILE, LOCK_NOTHING),
        (F_OFD_SETLK, libc::EPERM, LOCK_NOTHING),
        // It asks who holds a lock only of a seat that is named.
        (F_OFD_GETLK, libc::ENOMEM, &["release"]),
        (F_OFD_GETLK, libc::EINVAL, &["release"]),
    ] {
        let dir = Scratch::new("refused");
        // The channels are there, with a receiver that was reserved a seat.
        openings(&dir.file()).into_iter().for_each(|(what, opened)| opened.expect(what));
        drop(spsc::Builder::<u64>::new(format!("{}-spsc", dir.file())).open_sender().unwrap());
        drop(broadcast::Builder::<u64>::new(format!("{}-cast", dir.file())).open_reserved("journal").unwrap());
        aside(|| {
            if !refuse(command, errno) {
                return;
            }
            for (what, opened) in openings(&dir.file()) {
                match opened {
                    Err(OpenError::Io { source, .. }) if source.raw_os_error() == Some(errno) => {}
                    Ok(()) if passes.contains(&what) => {}
                    other => panic!("{what}, command {command}, errno {errno}: {other:?}"),
                }
            }
        });
    }
}

/// A worker whose kernel refuses the lock of a lane that another left: it sleeps between its tries, and gets the messages once the kernel is of another mind.
#[test]
fn a_worker_that_is_refused_a_lock_does_not_turn() {
    for (command, errno) in [(F_OFD_SETLK, libc::ENOLCK), (F_OFD_SETLK, libc::EPERM), (F_OFD_GETLK, libc::ENOMEM)] {
        let dir = Scratch::new("refused-left");
        let open = || fan_out::Builder::<u64>::new(dir.file()).lanes(2).capacity(4);
        let mut tx = open().open_sender().unwrap();
        let (one, mut two) = (open().open_receiver().unwrap(), open().open_receiver().unwrap());
        (0..4).for_each(|n| tx.send(n).unwrap());
        let own = two.len() as u64;
        drop(one);
        let mut got = Vec::new();
        let filtered = aside(|| {
            if !refuse(command, errno) {
                return false;
            }
            for strategy in [WaitStrategy::ParkAtOnce, WaitStrategy::Park] {
                two.set_wait(strategy);
                let before = worked();
                let until = Instant::now() + Duration::from_millis(500);
                // What is in its own lane comes all the same.
                while let Ok(message) = two.recv_deadline(until) {
                    got.push(message);
                }
                assert!(Instant::now() >= until && Instant::now() < until + LONG);
                let worked = worked() - before;
                assert!(worked < Duration::from_millis(60), "{worked:?} of half a second, {errno}");
            }
            if command == F_OFD_SETLK {
                assert_eq!(two.try_recv(), Err(TryRecvError::Empty));
                assert_eq!(two.drain(8, |_| panic!("it is not to be had")), 0);
            }
            true
        });
        if filtered && command == F_OFD_SETLK {
            assert_eq!(got.len() as u64, own, "its own alone");
        }
        while got.len() < 4 {
            got.push(two.recv_timeout(LONG).unwrap());
        }
        got.sort_unstable();
        assert_eq!(got, [0, 1, 2, 3]);
        assert_eq!(two.recv_timeout(Duration::from_millis(1)), Err(RecvTimeoutError::Timeout));
    }
}

/// Where a filter refuses the sleep on a word, a side sleeps otherwise, and does not turn.
#[test]
fn a_sleep_that_is_refused_is_no_busy_loop() {
    for errno in [libc::EPERM, libc::ENOSYS, libc::ENOMEM] {
        let dir = Scratch::new("refused-sleep");
        let open = || broadcast::Builder::<u64>::new(dir.file()).wait(WaitStrategy::ParkAtOnce);
        let (mut tx, mut rx) = (open().open_sender().unwrap(), open().open_receiver().unwrap());
        aside(|| {
            if !refuse_call(libc::SYS_futex, libc::FUTEX_WAIT, errno) {
                return;
            }
            let before = worked();
            assert_eq!(rx.recv_timeout(Duration::from_millis(500)), Err(RecvTimeoutError::Timeout));
            let worked = worked() - before;
            assert!(worked < Duration::from_millis(150), "{worked:?} of half a second");
            tx.send(7).unwrap();
            assert_eq!(rx.recv(), Ok(7));
        });
    }
}

/// A lock of another lane that the kernel does not take back at once: the worker gives it back later, and a next worker has the lane.
#[test]
fn a_lock_that_the_kernel_does_not_take_back_is_given_back_later() {
    let dir = Scratch::new("refused-back");
    let open = || fan_out::Builder::<u64>::new(dir.file()).lanes(2).capacity(4);
    let mut tx = open().open_sender().unwrap();
    let (one, mut two) = (open().open_receiver().unwrap(), open().open_receiver().unwrap());
    (0..2).for_each(|n| tx.send(n).unwrap());
    assert_eq!((one.len(), two.len()), (1, 1));
    two.recv().unwrap();
    drop(one);
    two.set_wait(WaitStrategy::ParkAtOnce);
    let filtered = aside(|| {
        // From the other's lane: with its lock.
        two.recv_with(|_| refuse(F_OFD_SETLK, libc::ENOLCK)).unwrap()
    });
    if filtered {
        assert!(matches!(open().open_receiver(), Err(OpenError::NoFreeLane { .. })));
    }
    assert_eq!(two.recv_timeout(Duration::from_millis(1)), Err(RecvTimeoutError::Timeout));
    assert_eq!(open().open_receiver().unwrap().lane(), 0);
}
