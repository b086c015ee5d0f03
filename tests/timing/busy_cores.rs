//! Waits on a core that a computing thread wants as well: none gives a time slice away.
//!
//! Medians with wide bounds: what a time slice costs is 4 ms and more, and a machine that tests run on has other work.

use crate::alone;
use crate::support::seen;
use crate::support::tasks::poll;
use ringmail::wait::{EventCount, waker_fn};
use ringmail::{WaitStrategy, fan_in, mesh, mpsc, spsc};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

fn pin(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).unwrap();
}

/// Runs `f` on a thread whose core has a computing thread of the same priority, both pinned there.
fn beside_a_computing_thread<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> R {
    let _alone = alone();
    let allowed = sched_getaffinity(None).unwrap();
    let core = (0..CpuSet::MAX_CPU).find(|&core| allowed.is_set(core)).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let stops = stop.clone();
    let computes = thread::spawn(move || {
        pin(core);
        let mut x = 1u64;
        while !stops.load(Ordering::Relaxed) {
            x = std::hint::black_box(x.wrapping_mul(31));
        }
    });
    let done = thread::spawn(move || {
        pin(core);
        f()
    });
    let answer = done.join();
    stop.store(true, Ordering::Relaxed);
    computes.join().unwrap();
    answer.unwrap()
}

fn median(mut f: impl FnMut() -> Duration) -> Duration {
    let mut took: Vec<_> = (0..31).map(|_| f()).collect();
    took.sort();
    took[took.len() / 2]
}

fn time(f: impl FnOnce()) -> Duration {
    let start = Instant::now();
    f();
    start.elapsed()
}

#[track_caller]
fn is_at_once(what: &str, mut f: impl FnMut() -> Duration) {
    seen(|| {
        let took = median(&mut f);
        println!("{what}: {took:?}");
        if took < Duration::from_micros(200) { Ok(()) } else { Err(format!("{what}: {took:?}")) }
    });
}

#[test]
fn a_pending_poll_returns_at_once() {
    beside_a_computing_thread(|| {
        let waker = Waker::noop();
        let (_tx, mut rx) = spsc::channel::<u32>(4).unwrap();
        is_at_once("spsc", || time(|| assert!(poll(&mut rx.recv_async(), waker).is_pending())));
        let (mut tx, _rx) = spsc::channel::<u32>(1).unwrap();
        tx.try_send(1).unwrap();
        is_at_once("spsc, full", || time(|| assert!(poll(&mut tx.send_async(2), waker).is_pending())));
        let (_tx, mut rx) = mpsc::channel::<u32>(4).unwrap();
        is_at_once("mpsc", || time(|| assert!(poll(&mut rx.recv_async(), waker).is_pending())));
        let (mut tx, _rx) = mpsc::channel::<u32>(1).unwrap();
        tx.try_send(1).unwrap();
        is_at_once("mpsc, full", || time(|| assert!(poll(&mut tx.send_async(2), waker).is_pending())));
        let (_tx, mut rx) = fan_in::channel::<u32>(4).unwrap();
        is_at_once("fan_in", || time(|| assert!(poll(&mut rx.recv_async(), waker).is_pending())));
        let mut seats = mesh::Builder::new().shards(2).build::<u32>().unwrap();
        let _other = seats.pop();
        let mut me = seats.pop().unwrap().join().unwrap();
        is_at_once("mesh", || time(|| assert!(poll(&mut me.recv_async(), waker).is_pending())));
    });
}

#[test]
fn the_first_poll_of_a_channel_returns_at_once() {
    beside_a_computing_thread(|| {
        let fresh = || {
            let (_tx, mut rx) = spsc::channel::<u32>(4).unwrap();
            time(|| assert!(poll(&mut rx.recv_async(), Waker::noop()).is_pending()))
        };
        is_at_once("spsc", fresh);
    });
}

#[test]
fn a_timed_wait_keeps_its_limit() {
    beside_a_computing_thread(|| {
        let (limit, late) = (Duration::from_millis(1), Duration::from_millis(3));
        let keeps = |what: &str, f: &mut dyn FnMut() -> Duration| {
            seen(|| {
                let took = median(&mut *f);
                println!("{what}: {took:?}");
                assert!(took >= limit, "{what}: {took:?}");
                if took < late { Ok(()) } else { Err(format!("{what}: {took:?}")) }
            });
        };
        let (_tx, mut rx) = spsc::channel::<u32>(4).unwrap();
        keeps("spsc", &mut || time(|| assert!(rx.recv_timeout(limit).is_err())));
        let (mut tx, _rx) = spsc::channel::<u32>(1).unwrap();
        tx.try_send(1).unwrap();
        keeps("spsc, full", &mut || time(|| assert!(tx.send_timeout(2, limit).is_err())));
        let (_tx, mut rx) = mpsc::channel::<u32>(4).unwrap();
        keeps("mpsc", &mut || time(|| assert!(rx.recv_timeout(limit).is_err())));
        let (mut tx, _rx) = mpsc::channel::<u32>(1).unwrap();
        tx.try_send(1).unwrap();
        keeps("mpsc, full", &mut || time(|| assert!(tx.send_timeout(2, limit).is_err())));
        let (_tx, mut rx) = fan_in::channel::<u32>(4).unwrap();
        keeps("fan_in", &mut || time(|| assert!(rx.recv_timeout(limit).is_err())));
        let mut seats = mesh::Builder::new().shards(2).build::<u32>().unwrap();
        let _other = seats.pop();
        let mut me = seats.pop().unwrap().join().unwrap();
        keeps("mesh", &mut || time(|| assert!(me.recv_timeout(limit).is_err())));
        let event = EventCount::new();
        keeps("event", &mut || time(|| assert!(!event.wait(Some(limit), || false))));
    });
}

#[test]
fn an_announcement_returns_at_once() {
    beside_a_computing_thread(|| {
        let event = EventCount::new();
        is_at_once("event", || time(|| drop(event.arm().confirm(|| false))));
        let mut seats = mesh::Builder::new().shards(2).build::<u32>().unwrap();
        let (mut me, _other) = (seats.remove(0).join().unwrap(), seats.remove(0).join().unwrap());
        let hook = waker_fn(|| {});
        is_at_once("mesh", || time(|| drop(me.arm(&hook).unwrap())));
    });
}

#[test]
fn a_message_is_received_soon() {
    seen(|| {
        let late = median_of_a_message();
        println!("late by {late:?}");
        if late < Duration::from_millis(2) { Ok(()) } else { Err(format!("late by {late:?}")) }
    });
}

fn median_of_a_message() -> Duration {
    // The receiver's core is the busy one; the message comes every 2 ms from wherever the scheduler likes.
    beside_a_computing_thread(|| {
        let (mut tx, mut rx) = spsc::channel::<Instant>(4).unwrap();
        let sends = thread::spawn(move || {
            for _ in 0..101 {
                thread::sleep(Duration::from_millis(2));
                tx.send(Instant::now()).unwrap();
            }
        });
        let mut late: Vec<_> = (0..101).map(|_| rx.recv().unwrap().elapsed()).collect();
        sends.join().unwrap();
        late.sort();
        late[late.len() / 2]
    })
}

#[test]
fn a_past_deadline_is_noticed_before_an_announcement() {
    let _alone = alone();
    for wait in [WaitStrategy::Park, WaitStrategy::ParkAtOnce, WaitStrategy::Yield, WaitStrategy::BusySpin] {
        let (mut tx, mut rx) = spsc::Builder::new(1).wait(wait).build::<u32>().unwrap();
        assert!(rx.recv_timeout(Duration::ZERO).is_err());
        tx.try_send(1).unwrap();
        assert!(tx.send_timeout(2, Duration::ZERO).is_err());
        let (mut tx, mut rx) = mpsc::Builder::new(1).wait(wait).build::<u32>().unwrap();
        assert!(rx.recv_timeout(Duration::ZERO).is_err());
        tx.try_send(1).unwrap();
        assert!(tx.send_timeout(2, Duration::ZERO).is_err());
        let stats = rx.stats();
        assert_eq!((stats.sender_parks, stats.receiver_parks), (0, 0), "{wait:?}");
    }
}
