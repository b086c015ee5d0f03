//! What a poll costs in time where peers send nothing. What they cost in memory is in `idle_mesh_memory`.
//!
//! `cargo test --release --test idle_mesh -- --nocapture` prints the figures.
// Tests are not what loom models.
#![allow(clippy::disallowed_types)]

use ringmail::FenceMode;
use ringmail::mesh::{Builder, Endpoint};
use std::hint::black_box;
use std::time::Instant;

const POLLS: u32 = 2000;

/// An endpoint with `peers` idle ones, which are there.
fn endpoint(peers: usize, barrier: FenceMode, watch_after: u32) -> (Endpoint<u64>, Vec<Endpoint<u64>>) {
    let seats = Builder::new().shards(peers + 1).capacity(4).fence_mode(barrier).watch_after(watch_after);
    let mut ends = seats.build().unwrap().into_iter().map(|seat| seat.join().unwrap());
    (ends.next().unwrap(), ends.collect())
}

/// Nanoseconds of a poll in vain.
fn poll_cost(me: &mut Endpoint<u64>) -> f64 {
    let start = Instant::now();
    for _ in 0..POLLS {
        black_box(black_box(&mut *me).poll(64, |_, value| _ = black_box(value)));
    }
    start.elapsed().as_nanos() as f64 / f64::from(POLLS)
}

/// The least of many short slices each, taken in turn: what the machine does besides is in none of them.
fn costs<const N: usize>(mut endpoints: [&mut Endpoint<u64>; N]) -> [f64; N] {
    let mut least = [f64::MAX; N];
    for _ in 0..200 {
        for (me, least) in endpoints.iter_mut().zip(&mut least) {
            *least = least.min(poll_cost(me));
        }
    }
    least
}

#[test]
fn polling_63_idle_peers_costs_less_than_3_times_polling_one() {
    for barrier in [FenceMode::Auto, FenceMode::Fence] {
        let after = 256;
        let (mut one, _peers) = endpoint(1, barrier, after);
        let (mut many, mut peers) = endpoint(63, barrier, after);
        let (mut scans, _others) = endpoint(63, barrier, u32::MAX);
        let [one, watched, scanned] = costs([&mut one, &mut many, &mut scans]);
        let ratio = watched / one;
        println!(
            "{barrier:?}: a poll in vain of 1 peer {one:.2} ns, of 63 {watched:.2} ns ({ratio:.2} times); \
             looking at each lane {scanned:.2} ns"
        );
        assert!(ratio < 3.0, "{ratio:.2}");
        // What comes is found by the very next poll all the same, whoever sends, and again after it has gone idle again.
        for (i, peer) in peers.iter_mut().enumerate() {
            for _ in 0..after + 10 {
                assert_eq!(many.poll(1, |_, _| ()).received, 0);
            }
            peer.try_send_to(0, i as u64).unwrap();
            let mut got = None;
            many.poll(1, |from, value| got = Some((from, value)));
            assert_eq!(got, Some((i + 1, i as u64)));
        }
        // So is who goes.
        for left in (0..peers.len()).rev() {
            for _ in 0..after + 10 {
                assert_eq!(many.poll(1, |_, _| ()).open, left + 1);
            }
            peers.pop();
            assert_eq!(many.poll(1, |_, _| ()).open, left);
        }
    }
}
