//! Controls: this loom reports a missing edge and a missing fence, and reports nothing where both are there.
#![cfg(ringmail_loom)]

use loom::sync::atomic::{AtomicU32, fence};
use loom::thread;
use ringmail_loom_tests::check::{model, outcomes};
use ringmail_loom_tests::payload::Unordered;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::{self, Acquire, Relaxed, Release, SeqCst};

/// One thread writes plain memory and sets a flag; the other, if it sees the flag, reads.
fn message_passing(name: &str, publish: Ordering, observe: Ordering) {
    model(name, None, move || {
        let (flag, memory) = (Arc::new(AtomicU32::new(0)), Unordered::new());
        let (theirs, written) = (flag.clone(), memory.clone());
        let writer = thread::spawn(move || {
            written.write();
            theirs.store(1, publish);
        });
        if flag.load(observe) == 1 {
            memory.read();
        }
        writer.join().unwrap();
    });
}

/// What a failing model said.
fn complaint(f: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("loom overlooked a planted mistake");
    panic.downcast_ref::<String>().cloned().or(panic.downcast_ref::<&str>().map(|s| s.to_string())).unwrap_or_default()
}

#[test]
fn message_passing_holds() {
    message_passing("litmus::message_passing", Release, Acquire);
}

#[test]
fn message_passing_without_release_is_a_race() {
    let said = complaint(|| message_passing("litmus::without_release", Relaxed, Acquire));
    assert!(said.contains("Causality violation"), "{said}");
}

#[test]
fn message_passing_without_acquire_is_a_race() {
    let said = complaint(|| message_passing("litmus::without_acquire", Release, Relaxed));
    assert!(said.contains("Causality violation"), "{said}");
}

/// Two threads write one word each and read the other's.
fn store_buffering(name: &str, fenced: bool, allowed: &[(u32, u32)]) {
    outcomes(name, None, allowed.to_vec(), move || {
        let (x, y) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (x2, y2) = (x.clone(), y.clone());
        let go = move |mine: &AtomicU32, other: &AtomicU32| {
            mine.store(1, Relaxed);
            if fenced {
                fence(SeqCst);
            }
            other.load(Relaxed)
        };
        let other = thread::spawn(move || go(&y2, &x2));
        let here = go(&x, &y);
        (here, other.join().unwrap())
    });
}

#[test]
fn store_buffering_without_fences_loses() {
    store_buffering("litmus::store_buffering", false, &[(0, 0), (0, 1), (1, 0), (1, 1)]);
}

#[test]
fn store_buffering_with_fences_does_not() {
    store_buffering("litmus::store_buffering_fenced", true, &[(0, 1), (1, 0), (1, 1)]);
}

/// A waiter that sleeps on a condition that no thread signals is reported, not waited for.
#[test]
fn a_lost_wake_is_a_deadlock() {
    let said = complaint(|| {
        model("litmus::deadlock", None, || {
            let lock = Arc::new((loom::sync::Mutex::new(()), loom::sync::Condvar::new()));
            let theirs = lock.clone();
            let waker = thread::spawn(move || theirs.1.notify_one());
            drop(lock.1.wait(lock.0.lock().unwrap()));
            waker.join().unwrap();
        });
    });
    assert!(said.contains("deadlock"), "{said}");
}

/// An execution that leaks is reported.
#[test]
fn a_leak_is_reported() {
    let said = complaint(|| {
        model("litmus::leak", None, || {
            let flag = Arc::new(AtomicU32::new(0));
            let theirs = flag.clone();
            let setter = thread::spawn(move || theirs.store(1, Relaxed));
            if flag.load(Relaxed) == 1 {
                std::mem::forget(loom::alloc::Track::new(()));
            }
            setter.join().unwrap();
        });
    });
    assert!(said.contains("leak"), "{said}");
}
