//! Eight senders that do nothing but send: whoever has a message waits for one turn of each other, so all get equal shares.
//!
//! The shares are the receiver's doing only as far as the scheduler lets all senders run: they are printed, and must be equal when
//! a long run is asked for, on a quiet machine: `RINGMAIL_MESSAGES=10000000 cargo test --release --test fan_in_fairness -- --nocapture`.
// Tests are not what loom models.
#![allow(clippy::disallowed_types)]

mod support;

use ringmail::fan_in::Builder;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use support::ends;

const SENDERS: usize = 8;

fn asked_for() -> Option<u64> {
    std::env::var("RINGMAIL_MESSAGES").ok().and_then(|n| n.parse().ok())
}

/// Messages of each sender among the first `messages`, all received while all senders go on sending; and the most turns that one
/// lane had while another, which had a message all the time, waited for its own.
fn counts(capacity: usize, budget: u32, messages: u64) -> ([u64; SENDERS], u64) {
    let (tx, mut rx) = Builder::new(capacity).budget(budget).build().unwrap();
    let (stop, start) = (Arc::new(AtomicBool::new(false)), Arc::new(Barrier::new(SENDERS + 1)));
    let sent: Arc<[AtomicU64; SENDERS]> = Arc::default();
    let senders: Vec<_> = (0..SENDERS)
        .map(|id| {
            let (mut tx, stop, start, sent) = (tx.lane().unwrap(), stop.clone(), start.clone(), sent.clone());
            thread::spawn(move || {
                start.wait();
                while !stop.load(Ordering::Relaxed) {
                    tx.send(id).unwrap();
                    sent[id].fetch_add(1, Ordering::Release);
                }
            })
        })
        .collect();
    drop(tx);
    start.wait();
    let (mut counts, mut last, mut run, mut most) = ([0; SENDERS], usize::MAX, 0, 0);
    // By lane that is known to have a message and waits: the turns of each other since.
    let mut waits = [None::<[u64; SENDERS]>; SENDERS];
    for _ in 0..messages {
        let id = rx.recv().unwrap();
        (last, run) = (id, if id == last && run < budget { run + 1 } else { 1 });
        counts[id] += 1;
        if run > 1 {
            continue;
        }
        waits[id] = None;
        for lane in (0..SENDERS).filter(|&lane| lane != id) {
            match &mut waits[lane] {
                Some(turns) => {
                    turns[id] += 1;
                    most = most.max(turns[id]);
                }
                none => *none = (sent[lane].load(Ordering::Acquire) > counts[lane]).then_some([0; SENDERS]),
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    rx.iter().for_each(drop);
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    (counts, most)
}

#[test]
fn eight_saturating_senders_wait_for_one_turn_of_each_other_and_share_equally() {
    for (capacity, budget) in [(1024, 64), (64, 64), (256, 1)] {
        // Without a limit in time if it was asked to be long.
        let run = move || counts(capacity, budget, asked_for().unwrap_or(1_000_000));
        let (counts, most) = if asked_for().is_some() { run() } else { ends(run) };
        let ratio = *counts.iter().max().unwrap() as f64 / *counts.iter().min().unwrap() as f64;
        println!("capacity {capacity}, budget {budget}: max/min {ratio:.3}, {most} turns, {counts:?}");
        assert!(most <= 1, "a lane with a message waited for {most} turns of another");
        assert!(asked_for().is_none() || ratio <= 1.2, "{ratio:.3}: {counts:?}");
    }
}
