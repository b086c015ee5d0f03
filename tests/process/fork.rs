//! A child of `fork` that makes channels of its own: it waits as any process does, whatever other threads of its parent did at that moment.
#![cfg(all(target_os = "linux", feature = "std"))]
// Tests are not what loom models.
#![allow(clippy::disallowed_types)]

use ringmail::wait::{EventCount, waker_fn};
use ringmail::{WaitStrategy, fan_in, mesh, mpsc, spsc};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Seconds after which a child that hangs is killed by a signal of its own.
const ALARM: u32 = 60;
const WAIT: Duration = Duration::from_millis(60);

fn cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to `time` alone.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Runs `f` in a child, which must return: 0 if all went well.
fn in_a_child(f: impl FnOnce() -> u8) -> Result<(), String> {
    // SAFETY: the child calls `f` and leaves without running anything of the parent's.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "no process to be had");
    if child == 0 {
        // SAFETY: a system call without memory.
        unsafe { libc::alarm(ALARM) };
        let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_or(101);
        // SAFETY: ends the process.
        unsafe { libc::_exit(code.into()) };
    }
    let mut status = 0;
    // SAFETY: writes to `status` alone.
    unsafe { libc::waitpid(child, &mut status, 0) };
    match () {
        () if libc::WIFSIGNALED(status) => Err(format!("killed by signal {}: it hung", libc::WTERMSIG(status))),
        () if libc::WEXITSTATUS(status) != 0 => Err(format!("exit code {}", libc::WEXITSTATUS(status))),
        () => Ok(()),
    }
}

/// Whether `wait`, which takes [`WAIT`], slept for most of it.
fn sleeps(wait: impl FnOnce()) -> bool {
    let before = cpu();
    wait();
    cpu() - before < WAIT / 2
}

/// Every kind of wait, on channels of the child's own.
fn waits_of_a_child() -> u8 {
    let event = EventCount::new();
    drop(event.arm());
    let (_tx, mut rx) = spsc::channel::<u32>(1).unwrap();
    if !sleeps(|| assert!(rx.recv_timeout(WAIT).is_err())) {
        return 1;
    }
    let (mut tx, mut rx) = mpsc::channel::<u32>(1).unwrap();
    if !sleeps(|| assert!(rx.recv_timeout(WAIT).is_err())) {
        return 2;
    }
    tx.try_send(1).unwrap();
    if !sleeps(|| assert!(tx.send_timeout(2, WAIT).is_err())) {
        return 3;
    }
    let (_tx, mut rx) = fan_in::channel::<u32>(1).unwrap();
    if !sleeps(|| assert!(rx.recv_timeout(WAIT).is_err())) {
        return 4;
    }
    let mut seats = mesh::Builder::new().shards(2).build::<u32>().unwrap();
    let (mut me, _other) = (seats.remove(0).join().unwrap(), seats.remove(0).join().unwrap());
    drop(me.arm(&waker_fn(|| {})).unwrap());
    if !sleeps(|| assert!(me.recv_timeout(WAIT).is_err())) {
        return 5;
    }
    if !sleeps(|| assert!(!event.wait(Some(WAIT), || false))) {
        return 6;
    }
    // And between two threads of the child.
    let (mut tx, mut rx) = spsc::Builder::new(1).wait(WaitStrategy::ParkAtOnce).build::<u32>().unwrap();
    let sends = thread::spawn(move || (0..100).for_each(|n| tx.send(n).unwrap()));
    let all = rx.iter().eq(0..100);
    sends.join().unwrap();
    if all { 0 } else { 7 }
}

#[test]
fn a_child_forked_beside_waiting_threads_waits_like_any_process() {
    let stop = Arc::new(AtomicBool::new(false));
    // Each wait of these passes a barrier: some forks find a thread inside.
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let stop = stop.clone();
            thread::spawn(move || {
                let event = EventCount::new();
                while !stop.load(Ordering::Relaxed) {
                    drop(event.arm());
                }
            })
        })
        .collect();
    let children: Result<(), String> = (0..12).try_for_each(|_| in_a_child(waits_of_a_child));
    stop.store(true, Ordering::Relaxed);
    waiting.into_iter().for_each(|thread| thread.join().unwrap());
    children.unwrap();
}

#[test]
fn a_handle_from_before_the_fork_ends_its_waits_by_time() {
    let (_tx, mut rx) = spsc::channel::<u32>(1).unwrap();
    in_a_child(move || u8::from(!sleeps(|| assert!(rx.recv_timeout(WAIT).is_err())))).unwrap();
}
