//! More threads than cores: both sides of a channel on one core, where spinning keeps the other side from running.
//!
//! `RINGMAIL_PARKS=1000000` makes it long: so many parks for each capacity and barrier.

use crate::support::ends;
use ringmail::spsc::Builder;
use ringmail::{FenceMode, WaitStrategy};
use std::thread;

/// Puts the calling thread on one core, the same for all, if that can be done here.
fn share_a_core() {
    #[cfg(feature = "affinity")]
    if let Some(&core) = ringmail::affinity::Topology::detect().map(|t| t.allowed()).unwrap_or_default().first() {
        // A sandbox may forbid it; the law holds all the same.
        let _ = ringmail::affinity::pin_current(core);
    }
}

fn exchange(capacity: usize, barrier: FenceMode, wait: WaitStrategy, messages: u64) -> ringmail::Stats {
    let (mut tx, mut rx) = Builder::new(capacity).fence_mode(barrier).wait(wait).build().unwrap();
    let sender = thread::spawn(move || {
        share_a_core();
        (0..messages).for_each(|i| tx.send(i).unwrap());
    });
    let receiver = thread::spawn(move || {
        share_a_core();
        let mut next = 0;
        while let Ok(value) = rx.recv() {
            assert_eq!(value, next, "lost or out of order");
            next += 1;
        }
        assert_eq!(next, messages);
        rx.stats()
    });
    sender.join().unwrap();
    receiver.join().unwrap()
}

#[test]
fn nothing_is_lost_on_one_core() {
    for (capacity, messages) in [(1, 20_000), (2, 20_000), (1024, 100_000)] {
        for barrier in [FenceMode::Auto, FenceMode::Fence] {
            let stats = ends(move || exchange(capacity, barrier, WaitStrategy::Park, messages));
            assert_eq!((stats.sent, stats.received), (messages, messages));
        }
    }
}

#[test]
fn polling_strategies_get_there_too() {
    for barrier in [FenceMode::Auto, FenceMode::Never] {
        ends(move || exchange(1, barrier, WaitStrategy::Yield, 5_000));
        ends(move || exchange(64, barrier, WaitStrategy::Yield, 50_000));
    }
    // A side that only spins uses up its time slice before the other may run: few, and a large ring.
    ends(|| exchange(1024, FenceMode::Auto, WaitStrategy::BusySpin, 10_000));
}

#[test]
fn many_channels_at_once() {
    ends(|| {
        let pairs: Vec<_> =
            (0..8).map(|_| thread::spawn(|| exchange(2, FenceMode::Auto, WaitStrategy::Park, 2_000))).collect();
        for pair in pairs {
            assert_eq!(pair.join().unwrap().received, 2_000);
        }
    });
}

/// Without polling, so that a side that waits does sleep; and without a limit in time, so that it can be as long as one likes.
#[test]
fn nothing_is_lost_in_as_many_parks_as_asked_for() {
    let wanted = std::env::var("RINGMAIL_PARKS").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000);
    for (capacity, barrier) in
        [(1, FenceMode::Auto), (1, FenceMode::Fence), (1024, FenceMode::Auto), (1024, FenceMode::Fence)]
    {
        let (mut parks, mut messages) = (0, 0);
        while parks < wanted {
            let stats = exchange(capacity, barrier, WaitStrategy::ParkAtOnce, 100 * capacity as u64 + wanted / 2);
            assert_eq!(stats.sent, stats.received);
            parks += stats.sender_parks + stats.receiver_parks;
            messages += stats.received;
        }
        println!("capacity {capacity}, {barrier:?}: {parks} parks, {messages} messages, none lost");
    }
}
