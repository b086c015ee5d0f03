//! What peers that send nothing cost: time of a poll, and memory of a pair. Both are measured on the whole process, one after
//! the other: memory that another test frees late would be missing from the difference.
//!
//! `cargo test --release --test idle_mesh -- --nocapture` prints the figures.
// Tests are not what loom models.
#![allow(clippy::disallowed_types)]

use ringmail::FenceMode;
use ringmail::mesh::{Builder, Endpoint, Seat};
use std::hint::black_box;
use std::sync::Mutex;
use std::time::{Duration, Instant};

static ALONE: Mutex<()> = Mutex::new(());

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
    let _alone = ALONE.lock();
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

/// Bytes of this process that lie in memory.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * rustix::param::page_size()
}

#[cfg(target_os = "linux")]
#[test]
fn an_idle_pair_takes_no_memory_for_its_messages() {
    type Message = [u64; 8];
    const SHARDS: usize = 64;
    const PAIRS: usize = SHARDS * (SHARDS - 1);
    const SLOTS: usize = 1024 * size_of::<Message>();
    let _alone = ALONE.lock();

    let before = resident();
    let seats = Builder::new().shards(SHARDS).capacity(1024).build::<Message>().unwrap();
    let built = resident() - before;
    let mut ends: Vec<_> = seats.into_iter().map(|seat| seat.join().unwrap()).collect();
    let joined = resident() - before;
    let per_pair = joined / PAIRS;
    println!(
        "{PAIRS} pairs reserve {} MiB; built {} KiB, joined {} KiB: {per_pair} bytes an idle pair",
        (PAIRS * SLOTS) >> 20,
        built >> 10,
        joined >> 10
    );
    assert!(per_pair < 4096, "{per_pair}: not a page of {SLOTS} bytes");

    // Polls and sleeps touch none either.
    for me in &mut ends {
        for _ in 0..1000 {
            assert_eq!(me.poll(1, |_, _| ()).received, 0);
        }
        assert_eq!(me.park_timeout(Duration::from_micros(1)), None);
    }
    // A pair that is used takes what it uses.
    assert_eq!(ends[1].try_send_iter_to(0, &mut std::iter::repeat_n([1; 8], 1024)), Ok(1024));
    assert_eq!(ends[0].poll(2000, |_, _| ()).received, 1024);
    let used = resident() - before;
    println!("polled, parked, and one pair used: {} KiB", used >> 10);
    assert!(used - joined < 8 * SLOTS + (1 << 20), "{} bytes for one pair and the noise", used - joined);
    drop(ends);

    // On request all of it is there at the join. So large that the allocator takes it from the system, not from what it has kept.
    let slots = SLOTS << 6;
    let before = resident();
    let seats = Builder::new().shards(4).capacity(1024 << 6).prefault(true).build::<Message>().unwrap();
    assert!(resident() - before < slots, "not before");
    let _ends: Vec<_> = seats.into_iter().map(|seat: Seat<Message>| seat.join().unwrap()).collect();
    let populated = resident() - before;
    println!("12 populated pairs: {} KiB of {} KiB", populated >> 10, (12 * slots) >> 10);
    assert!(populated >= 12 * slots, "{populated}");
}
