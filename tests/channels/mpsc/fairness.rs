//! Many senders on one ring: how often one that waits is overtaken, and that none starves.
//!
//! `cargo test --test channels mpsc::fairness -- --nocapture` prints what was seen; `RINGMAIL_MESSAGES=10000000` makes it long.

use crate::support::tasks::poll;
use crate::support::{ends, seen_in};
use ringmail::WaitStrategy;
use ringmail::mpsc::Builder;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

/// As documented for `mpsc`, under "Turns": how often, and for how long.
fn bound(senders: u64) -> (u64, Duration) {
    (256 * senders * (senders - 1), Duration::from_millis(10) * (senders * (senders - 1)) as u32)
}

fn messages() -> u64 {
    std::env::var("RINGMAIL_MESSAGES").ok().and_then(|n| n.parse().ok()).unwrap_or(50_000)
}

/// How often each send of `senders` threads was overtaken, and how long it took: messages that were claimed after the call and received
/// before it.
fn overtaken(senders: usize, capacity: usize, wait: WaitStrategy, messages: u64) -> Vec<(u64, Duration)> {
    let (tx, mut rx) = Builder::new(capacity).wait(wait).build().unwrap();
    let each = messages / senders as u64;
    let threads: Vec<_> = (0..senders)
        .map(|id| {
            let mut tx = tx.clone();
            let send = move |seq| {
                let (claimed, start) = (tx.stats().sent, Instant::now());
                tx.send((id, seq)).unwrap();
                (claimed, start.elapsed())
            };
            thread::spawn(move || (0..each).map(send).collect::<Vec<_>>())
        })
        .collect();
    drop(tx);
    let order: Vec<_> = rx.iter().collect();
    let sends: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let count = |(position, &(id, seq)): (usize, &(usize, u64))| {
        let (claimed, took): (u64, Duration) = sends[id][seq as usize];
        ((position as u64).saturating_sub(claimed), took)
    };
    order.iter().enumerate().map(count).collect()
}

/// Counted from the call. A thread that is interrupted before it stands in the queue does not wait yet: a few sends in a thousand
/// may be over the bound for that.
fn overtaken_within_the_bound(senders: usize, capacity: usize) {
    ends(move || seen_in(3, || try_overtaken(senders, capacity)));
}

fn try_overtaken(senders: usize, capacity: usize) -> Result<(), String> {
    let overtaken = overtaken(senders, capacity, WaitStrategy::Park, messages());
    let (times, long) = bound(senders as u64);
    let beyond = overtaken.iter().filter(|&&(n, took)| n > times && took > long).count();
    let (most, longest) = (overtaken.iter().map(|o| o.0).max(), overtaken.iter().map(|o| o.1).max());
    println!(
        "{senders} senders, capacity {capacity}: overtaken {most:?} times at most, {longest:?} at most, {beyond} of {} sends more than {times} \
             times and {long:?}",
        overtaken.len()
    );
    if beyond * 500 > overtaken.len() {
        return Err(format!("{beyond} sends overtaken more than {times} times and {long:?}"));
    }
    Ok(())
}

#[test]
fn overtakes_are_bounded_for_eight_waiters_and_one_place() {
    overtaken_within_the_bound(8, 1);
}

#[test]
fn overtakes_are_bounded_for_eight_waiters_and_64_places() {
    overtaken_within_the_bound(8, 64);
}

#[test]
fn overtakes_are_bounded_for_two_waiters_and_one_place() {
    overtaken_within_the_bound(2, 1);
}

#[test]
fn overtakes_are_bounded_for_two_waiters_and_64_places() {
    overtaken_within_the_bound(2, 64);
}

/// How often `send`s of another handle go before one that waits, at most `limit`, one each `every`: no thread, the one that waits is
/// there to go but is not polled before.
fn overtaken_by_hand(capacity: usize, limit: u32, every: Duration) -> u32 {
    let (mut waiting, mut rx) = Builder::new(capacity).build().unwrap();
    let mut other = waiting.clone();
    (0..capacity).for_each(|_| waiting.try_send(0).unwrap());
    let mut send = waiting.send_async(1);
    assert!(poll(&mut send, Waker::noop()).is_pending());
    let mut goes = || {
        thread::sleep(every);
        // One that was ready many times in a row lets others go first.
        let mut send = other.send_async(2);
        poll(&mut send, Waker::noop()).is_ready() || poll(&mut send, Waker::noop()).is_ready()
    };
    // The receiver takes one at a time: there is always one more in the ring, unless it holds but one.
    let overtaken = (0..limit).take_while(|_| rx.try_recv().is_ok() && goes()).count() as u32;
    println!("capacity {capacity}: overtaken {overtaken} times");
    if overtaken < limit {
        assert!(poll(&mut send, Waker::noop()).is_ready());
    }
    overtaken
}

#[test]
fn a_waiter_is_overtaken_256_times_at_most_if_that_takes_long() {
    let every = Duration::from_micros(100);
    assert_eq!([2, 3, 64].map(|capacity| overtaken_by_hand(capacity, 1000, every)), [256; 3]);
}

#[test]
fn one_that_waits_is_overtaken_for_10_ms_and_no_longer() {
    for capacity in [2, 64] {
        let start = Instant::now();
        assert!(overtaken_by_hand(capacity, u32::MAX, Duration::ZERO) >= 256);
        assert!(start.elapsed() >= Duration::from_millis(10));
    }
}

#[test]
fn a_future_not_polled_keeps_no_other_from_an_empty_ring() {
    assert_eq!(overtaken_by_hand(1, 1000, Duration::from_micros(50)), 1000);
}

/// Eight threads that do nothing but send, with `send`: each gets its share through while all the others go on.
#[test]
fn none_of_eight_senders_starves() {
    const SENDERS: usize = 8;
    for (capacity, wait) in [(1, WaitStrategy::Park), (64, WaitStrategy::Park), (64, WaitStrategy::ParkAtOnce)] {
        ends(move || {
            let (tx, mut rx) = Builder::new(capacity).wait(wait).build().unwrap();
            let (stop, start) = (Arc::new(AtomicBool::new(false)), Arc::new(Barrier::new(SENDERS + 1)));
            let done = Arc::new(AtomicU64::new(0));
            for id in 0..SENDERS {
                let (mut tx, stop, start, done) = (tx.clone(), stop.clone(), start.clone(), done.clone());
                thread::spawn(move || {
                    start.wait();
                    while !stop.load(Ordering::Relaxed) {
                        tx.send(id).unwrap();
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                });
            }
            drop(tx);
            start.wait();
            let mut counts = [0u64; SENDERS];
            // Not a share but a law: everybody gets through. How long that takes is the scheduler's business.
            while counts.iter().any(|&n| n < 500) {
                counts[rx.recv().unwrap()] += 1;
            }
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            println!("capacity {capacity}, {wait:?}: {least} to {most} messages a sender");
            stop.store(true, Ordering::Relaxed);
            rx.iter().for_each(drop);
            crate::support::until(|| done.load(Ordering::Relaxed) == SENDERS as u64);
        });
    }
}
