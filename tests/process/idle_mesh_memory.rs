//! What peers that send nothing cost in memory. One test, alone in its process: memory that another freed meanwhile would be missing from
//! the differences.
//!
//! `cargo test --release --test idle_mesh_memory -- --nocapture` prints the figures.
#![cfg(target_os = "linux")]

use ringmail::mesh::{Builder, Seat};
use std::time::Duration;

/// Bytes of this process that lie in memory. The kernel adds them up page by page for this file; those of `statm` lag behind by what each
/// core has not told yet.
fn resident() -> usize {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

/// Bytes that came to lie in memory since there were `before`; 0 if there are fewer now.
fn grown_since(before: usize) -> usize {
    resident().saturating_sub(before)
}

#[test]
fn an_idle_pair_takes_no_memory_for_its_messages() {
    type Message = [u64; 8];
    const SHARDS: usize = 64;
    const PAIRS: usize = SHARDS * (SHARDS - 1);
    const SLOTS: usize = 1024 * size_of::<Message>();

    let before = resident();
    let seats = Builder::new().shards(SHARDS).capacity(1024).build::<Message>().unwrap();
    let built = grown_since(before);
    let mut ends: Vec<_> = seats.into_iter().map(|seat| seat.join().unwrap()).collect();
    let joined = grown_since(before);
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
    let used = grown_since(before);
    println!("polled, parked, and one pair used: {} KiB", used >> 10);
    assert!(used.saturating_sub(joined) < 8 * SLOTS + (1 << 20), "{} bytes for one pair and the noise", used - joined);
    drop(ends);

    // On request all of it is there at the join. So large that the allocator takes it from the system, not from what it has kept.
    let slots = SLOTS << 6;
    let before = resident();
    let seats = Builder::new().shards(4).capacity(1024 << 6).prefault(true).build::<Message>().unwrap();
    assert!(grown_since(before) < slots, "not before");
    let _ends: Vec<_> = seats.into_iter().map(|seat: Seat<Message>| seat.join().unwrap()).collect();
    let populated = grown_since(before);
    println!("12 populated pairs: {} KiB of {} KiB", populated >> 10, (12 * slots) >> 10);
    assert!(populated >= 12 * slots, "{populated}");
}
