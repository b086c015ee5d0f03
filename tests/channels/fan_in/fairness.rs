//! Eight senders that do nothing but send. Whoever has a message waits for one turn of each other, whatever the machine does; so where
//! every lane has a message whenever its turn comes, all get equal shares.
//!
//! Whether they have is the scheduler's doing too: a thread without a core sends nothing. So the shares are measured where the receiver
//! has a core of its own and is what everybody waits for: `RINGMAIL_MESSAGES=10000000 cargo test --release --features affinity --test
//! channels fan_in::fairness -- --nocapture` asks for a long run, which must give equal ones, and prints those of threads that go where they like.

use crate::support::ends;
use ringmail::fan_in::Builder;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

const SENDERS: usize = 8;

fn asked_for() -> Option<u64> {
    std::env::var("RINGMAIL_MESSAGES").ok().and_then(|n| n.parse().ok())
}

/// Two cores, if threads can be put on them: one for the receiver, one for the senders.
fn two_cores() -> Option<[usize; 2]> {
    #[cfg(feature = "affinity")]
    if let [a, b, ..] = ringmail::affinity::Topology::detect().ok()?.allowed()[..] {
        return Some([a, b]);
    }
    None
}

fn pin(_core: Option<usize>) {
    #[cfg(feature = "affinity")]
    if let Some(core) = _core {
        // A sandbox may forbid it; only the equal shares of a long run depend on it.
        let _ = ringmail::affinity::pin_current(core);
    }
}

/// What a receiver does with a message: more than sending it costs, so that it is the senders who wait.
fn handle(id: usize) {
    let mut hash = id as u64;
    for step in 0..100 {
        hash = black_box(hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ step);
    }
}

/// Messages of each sender among the first `messages`, all received while all senders go on sending; and the most turns that one
/// lane had while another, which had a message all the time, waited for its own.
fn counts(capacity: usize, budget: u32, messages: u64, cores: Option<[usize; 2]>) -> ([u64; SENDERS], u64) {
    let (tx, mut rx) = Builder::new(capacity).budget(budget).build().unwrap();
    let (stop, start) = (Arc::new(AtomicBool::new(false)), Arc::new(Barrier::new(SENDERS + 1)));
    let sent: Arc<[AtomicU64; SENDERS]> = Arc::default();
    let senders: Vec<_> = (0..SENDERS)
        .map(|id| {
            let (mut tx, stop, start, sent) = (tx.lane().unwrap(), stop.clone(), start.clone(), sent.clone());
            thread::spawn(move || {
                pin(cores.map(|cores| cores[1]));
                start.wait();
                while !stop.load(Ordering::Relaxed) {
                    tx.send(id).unwrap();
                    sent[id].fetch_add(1, Ordering::Release);
                }
            })
        })
        .collect();
    drop(tx);
    pin(cores.map(|cores| cores[0]));
    start.wait();
    let (mut counts, mut last, mut run, mut most) = ([0; SENDERS], usize::MAX, 0, 0);
    // By lane that is known to have a message and waits: the turns of each other since.
    let mut waits = [None::<[u64; SENDERS]>; SENDERS];
    for _ in 0..messages {
        let id = rx.recv().unwrap();
        handle(id);
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

fn ratio(counts: &[u64; SENDERS]) -> f64 {
    *counts.iter().max().unwrap() as f64 / *counts.iter().min().unwrap() as f64
}

/// Without a limit in time if it was asked to be long.
fn run(capacity: usize, budget: u32, messages: u64, cores: Option<[usize; 2]>) -> f64 {
    let run = move || counts(capacity, budget, asked_for().unwrap_or(messages), cores);
    let (counts, most) = if asked_for().is_some() { run() } else { ends(run) };
    let ratio = ratio(&counts);
    println!("capacity {capacity}, budget {budget}: max/min {ratio:.3}, {most} turns, {counts:?}");
    assert!(most <= 1, "a lane with a message waited for {most} turns of another");
    ratio
}

#[test]
fn eight_senders_wait_for_one_turn_of_each_other() {
    for (capacity, budget) in [(1024, 64), (64, 64), (256, 1)] {
        run(capacity, budget, 200_000, None);
    }
}

#[test]
fn eight_saturating_senders_share_equally() {
    let Some(cores) = two_cores() else { return println!("not run: it takes two cores, and the feature `affinity`") };
    let ratio = thread::spawn(move || run(1024, 64, 200_000, Some(cores))).join().unwrap();
    assert!(asked_for().is_none() || ratio <= 1.2, "{ratio:.3}");
}
