//! Event counts that are rung for more than one channel, or that wake something other than a thread.

use crate::support::{Wakes, ends, let_it_sleep};
use ringmail::FenceMode;
use ringmail::spsc::Builder;
use ringmail::wait::{EventCount, waker_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

const N: u64 = 3000;

#[test]
fn one_thread_waits_for_two_channels_with_one_event() {
    ends(|| {
        let event = EventCount::new();
        let make = || Builder::new(2).receiver_event(event.clone()).build::<u64>().unwrap();
        let ((tx1, mut rx1), (tx2, mut rx2)) = (make(), make());
        let senders = [tx1, tx2].map(|mut tx| thread::spawn(move || (0..N).for_each(|i| tx.send(i).unwrap())));
        let (mut seen1, mut seen2) = (Vec::new(), Vec::new());
        loop {
            seen1.extend(rx1.try_iter());
            seen2.extend(rx2.try_iter());
            let over = |rx: &ringmail::spsc::Receiver<u64>| rx.is_closed() && rx.is_empty();
            if over(&rx1) && over(&rx2) {
                break;
            }
            let waits = |rx: &ringmail::spsc::Receiver<u64>| rx.is_empty() && !rx.is_closed();
            assert!(event.wait(None, || !(waits(&rx1) || over(&rx1))
                || !(waits(&rx2) || over(&rx2))
                || over(&rx1) && over(&rx2)));
        }
        assert!(seen1.into_iter().eq(0..N) && seen2.into_iter().eq(0..N));
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

#[test]
fn waiting_on_an_event_asks_first_and_gives_up_in_time() {
    let event = EventCount::default();
    assert!(event.wait(None, || true));
    assert!(!event.wait(Some(Duration::ZERO), || false));
    let start = Instant::now();
    assert!(!event.wait(Some(Duration::from_millis(20)), || false));
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert!(!event.notify(), "nobody waits any more");
}

#[test]
fn a_notify_ends_the_wait() {
    ends(|| {
        let (event, rung) = (EventCount::new(), Arc::new(AtomicBool::new(false)));
        let waiter = thread::spawn({
            let (event, rung) = (event.clone(), rung.clone());
            move || event.wait(Some(Duration::MAX), || rung.load(Ordering::SeqCst))
        });
        let_it_sleep();
        rung.store(true, Ordering::SeqCst);
        event.notify();
        assert!(waiter.join().unwrap());
    });
}

/// Slow, by contract; but whoever is left must not sleep for ever once the other has what it wanted.
#[test]
fn a_second_waiter_on_one_event_is_woken_too() {
    ends(|| {
        for round in 0..200 {
            let event = EventCount::new();
            let flags = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
            let waiters = flags.clone().map(|flag| {
                let event = event.clone();
                thread::spawn(move || assert!(event.wait(None, || flag.load(Ordering::SeqCst))))
            });
            for flag in &flags {
                thread::sleep(Duration::from_micros(round % 20 * 50));
                flag.store(true, Ordering::SeqCst);
                event.notify();
            }
            for waiter in waiters {
                waiter.join().unwrap();
            }
        }
    });
}

/// The same with a waiter that gives up.
#[test]
fn a_waiter_that_gives_up_leaves_the_event_to_the_other() {
    ends(|| {
        for round in 0..200 {
            let (event, flag) = (EventCount::new(), Arc::new(AtomicBool::new(false)));
            let patient = thread::spawn({
                let (event, flag) = (event.clone(), flag.clone());
                move || assert!(event.wait(None, || flag.load(Ordering::SeqCst)))
            });
            assert!(!event.wait(Some(Duration::from_micros(round * 10)), || false));
            thread::sleep(Duration::from_micros(500));
            flag.store(true, Ordering::SeqCst);
            event.notify();
            patient.join().unwrap();
        }
    });
}

/// Two receives of one task, as `join!` polls them: the one that is ready must not silence the event count of the other.
#[test]
fn two_futures_of_one_task_share_an_event() {
    // Fenced, because wakes are counted: one that finds another thread inside a barrier wakes itself.
    let event = EventCount::new().with_fence_mode(FenceMode::Fence);
    let make = || Builder::new(2).receiver_event(event.clone()).build::<u64>().unwrap();
    let ((mut tx1, mut rx1), (mut tx2, mut rx2)) = (make(), make());
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    let (mut first, mut second) = (Box::pin(rx1.recv_async()), Box::pin(rx2.recv_async()));
    assert!(first.as_mut().poll(&mut cx).is_pending());
    assert!(second.as_mut().poll(&mut cx).is_pending());
    tx2.send(2).unwrap();
    assert_eq!(wakes.count(), 1);
    assert!(first.as_mut().poll(&mut cx).is_pending());
    assert_eq!(second.as_mut().poll(&mut cx), Poll::Ready(Ok(2)));
    drop(second);
    let before = wakes.count();
    tx1.send(1).unwrap();
    assert_eq!(wakes.count(), before + 1, "the first still waits");
    assert_eq!(first.as_mut().poll(&mut cx), Poll::Ready(Ok(1)));
}

/// Two tasks on one event count keep waking each other, and the one that leaves wakes the one that stays.
#[test]
fn two_tasks_on_one_event_are_both_woken_in_the_end() {
    // Fenced, because wakes are counted: one that finds another thread inside a barrier wakes itself.
    let event = EventCount::new().with_fence_mode(FenceMode::Fence);
    let make = || Builder::new(2).receiver_event(event.clone()).build::<u64>().unwrap();
    let ((mut tx1, mut rx1), (_tx2, mut rx2)) = (make(), make());
    let ((wakes, waker), (_, other)) = (Wakes::new(), Wakes::new());
    let mut first = Box::pin(rx1.recv_async());
    assert!(first.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    {
        let mut second = Box::pin(rx2.recv_async());
        assert!(second.as_mut().poll(&mut Context::from_waker(&other)).is_pending());
        assert_eq!(wakes.count(), 1, "the newcomer tells the first to look again");
        assert!(first.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        // The second task is dropped without being polled again.
    }
    let before = wakes.count();
    tx1.send(1).unwrap();
    assert_eq!(first.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Ready(Ok(1)));
    assert!(before > 1 || wakes.count() > before, "it was told, sooner or later");
}

#[test]
fn a_waker_is_called_once_for_each_time_it_was_armed() {
    let calls = Arc::new(AtomicUsize::new(0));
    let event = EventCount::with_waker(waker_fn({
        let calls = calls.clone();
        move || _ = calls.fetch_add(1, Ordering::SeqCst)
    }));
    let (mut tx, mut rx) = Builder::new(8).receiver_event(event.clone()).build().unwrap();
    tx.send(0).unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 0, "nobody armed it");
    assert!(event.arm().confirm(|| !rx.is_empty()).is_none(), "there is something to do");
    tx.send(1).unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 0, "a event that found something is disarmed");
    assert_eq!(rx.drain(9, drop), 2);

    for round in 1..=3 {
        let armed = event.arm().confirm(|| !rx.is_empty()).unwrap();
        assert!(armed.is_quiet());
        for i in 0..3 {
            tx.send(i).unwrap();
            assert!(!armed.is_quiet());
        }
        assert_eq!(calls.load(Ordering::SeqCst), round);
        drop(armed);
        assert_eq!(rx.drain(9, drop), 3);
    }
    drop(event.arm());
    tx.send(1).unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 3, "dropping it disarms the event");
    let armed = event.arm();
    drop(tx);
    assert_eq!(calls.load(Ordering::SeqCst), 4, "a close rings too");
    drop(armed);
}

#[test]
fn a_waker_may_notify_another_event_and_arm_its_own() {
    struct Chain(EventCount, std::sync::OnceLock<EventCount>);
    impl Chain {
        fn go_on(&self) {
            self.0.notify();
            // Re-entry: no lock may be held while a hook runs.
            drop(self.1.get().map(EventCount::arm));
        }
    }
    ends(|| {
        let (wakes, outer) = (Arc::new(AtomicUsize::new(0)), EventCount::new());
        let chain = Arc::new(Chain(outer.clone(), std::sync::OnceLock::new()));
        let inner = EventCount::with_waker(waker_fn({
            let (chain, wakes) = (chain.clone(), wakes.clone());
            move || {
                wakes.fetch_add(1, Ordering::SeqCst);
                chain.go_on();
            }
        }));
        chain.1.set(inner.clone()).unwrap();
        let waiter = thread::spawn({
            let wakes = wakes.clone();
            move || outer.wait(None, || wakes.load(Ordering::SeqCst) > 0)
        });
        let_it_sleep();
        let armed = inner.arm();
        assert!(inner.notify());
        drop(armed);
        assert!(waiter.join().unwrap());
    });
}

#[cfg(target_os = "linux")]
mod eventfd {
    use super::*;
    use ringmail::wait::EventFd;
    use std::io::{ErrorKind, Read};
    use std::os::fd::AsFd;

    #[test]
    fn a_descriptor_is_readable_after_a_ring_until_cleared() {
        let fd = EventFd::new().unwrap();
        let event = EventCount::with_waker(fd.clone());
        let (mut tx, _rx) = Builder::new(8).receiver_event(event.clone()).build().unwrap();
        // The descriptor itself, as a reactor would use it.
        let mut file = std::fs::File::from(fd.as_fd().try_clone_to_owned().unwrap());
        let mut count = [0; 8];
        let mut readable = || file.read(&mut count).map(|_| u64::from_ne_bytes(count)).map_err(|e| e.kind());

        assert_eq!(readable(), Err(ErrorKind::WouldBlock));
        assert_eq!(fd.clear().unwrap(), 0);
        for expected in 1..=2 {
            let armed = event.arm();
            tx.send(expected).unwrap();
            drop(armed);
        }
        assert_eq!(readable(), Ok(2), "rung twice");
        assert_eq!(readable(), Err(ErrorKind::WouldBlock));
        let armed = event.arm();
        tx.send(3).unwrap();
        drop(armed);
        assert_eq!(fd.clear().unwrap(), 1);
        assert_eq!(fd.wait(Some(Duration::ZERO)).unwrap(), 0);
    }

    #[test]
    fn a_reactor_sleeps_on_the_descriptor_and_misses_nothing() {
        ends(|| {
            let fd = EventFd::new().unwrap();
            let event = EventCount::with_waker(fd.clone());
            let (mut tx, mut rx) = Builder::new(2).receiver_event(event.clone()).build().unwrap();
            let sender = thread::spawn(move || (0..N).for_each(|i| tx.send(i).unwrap()));
            let mut seen = Vec::new();
            while !(rx.is_closed() && rx.is_empty()) {
                seen.extend(rx.try_iter());
                let asleep = event.arm().confirm(|| !rx.is_empty() || rx.is_closed());
                if asleep.is_some() {
                    fd.wait(None).unwrap();
                }
            }
            assert!(seen.into_iter().eq(0..N));
            sender.join().unwrap();
        });
    }
}
