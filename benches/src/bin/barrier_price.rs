//! What a channel that parks costs a thread that has nothing to do with it.
//!
//! A bystander spins on one core and records every gap of more than a microsecond between two looks at the clock. On the other
//! core a sender and a receiver exchange bursts, the receiver parking after each. `FenceMode::Auto` interrupts the bystander
//! with `membarrier` at each park until the receiver parks so often that it changes to fences; `FenceMode::Fence` never does.
//!
//! ```text
//! cargo run --release -p ringmail-benches --bin barrier_price [SECONDS]
//! ```

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, error::Error, thread};

use ringmail::affinity::{Topology, pin_current};
use ringmail::{FenceMode, spsc};

const THRESHOLD: Duration = Duration::from_micros(1);

/// What stands beside the bystander in a round.
#[derive(Clone, Copy, PartialEq)]
enum Beside {
    Nothing,
    Channel(FenceMode, usize),
}

/// What the bystander saw.
#[derive(Default)]
struct Seen {
    gaps: Vec<Duration>,
    parks: u64,
    seconds: f64,
}

fn round(beside: Beside, length: Duration, cores: (usize, usize)) -> Result<Seen, Box<dyn Error>> {
    let (bystander, workers) = cores;
    let stop = AtomicBool::new(false);
    let parks = AtomicU64::new(0);
    let mut seen = Seen::default();
    thread::scope(|s| -> Result<(), Box<dyn Error>> {
        let mut threads = Vec::new();
        if let Beside::Channel(barrier, burst) = beside {
            let (mut tx, mut rx) = spsc::Builder::new(8192).fence_mode(barrier).build::<u64>()?;
            let (stop, parks) = (&stop, &parks);
            threads.push(s.spawn(move || -> Result<(), String> {
                pin_current(workers).map_err(|e| e.to_string())?;
                while !stop.load(Ordering::Relaxed) {
                    for i in 0..burst as u64 {
                        tx.send(i).map_err(|e| e.to_string())?;
                    }
                    thread::sleep(Duration::from_micros(200));
                }
                Ok(())
            }));
            threads.push(s.spawn(move || -> Result<(), String> {
                pin_current(workers).map_err(|e| e.to_string())?;
                for value in &mut rx {
                    std::hint::black_box(value);
                }
                parks.store(rx.stats().receiver_parks, Ordering::Relaxed);
                Ok(())
            }));
        }
        pin_current(bystander)?;
        let mut gaps = Vec::with_capacity(1 << 16);
        let start = Instant::now();
        let mut last = start;
        while last - start < length {
            let now = Instant::now();
            if now - last > THRESHOLD && gaps.len() < gaps.capacity() {
                gaps.push(now - last);
            }
            last = now;
        }
        stop.store(true, Ordering::Relaxed);
        seen = Seen { gaps, parks: 0, seconds: (last - start).as_secs_f64() };
        for thread in threads {
            thread.join().map_err(|_| "a worker panicked")??;
        }
        Ok(())
    })?;
    seen.parks = parks.load(Ordering::Relaxed);
    Ok(seen)
}

fn main() -> Result<(), Box<dyn Error>> {
    let seconds: f64 = match env::args().nth(1) {
        Some(text) => {
            text.parse().ok().filter(|s| (0.5..=3600.0).contains(s)).ok_or("SECONDS is a number, 0.5 to 3600")?
        }
        None => 20.0,
    };
    let allowed = Topology::detect()?.allowed();
    let [bystander, workers, ..] = allowed[..] else {
        return Err("this needs two cores: one for the bystander, one for the channel".into());
    };
    let cases = [
        ("nothing", Beside::Nothing),
        ("Auto, one message a park", Beside::Channel(FenceMode::Auto, 1)),
        ("Auto, 4096 messages a park", Beside::Channel(FenceMode::Auto, 4096)),
        ("Fence, one message a park", Beside::Channel(FenceMode::Fence, 1)),
        ("Fence, 4096 messages a park", Beside::Channel(FenceMode::Fence, 4096)),
    ];
    // Interleaved, so that the host's moods fall on all alike; on a thread of its own, as `main` must not stay pinned.
    const ROUNDS: u32 = 10;
    let length = Duration::from_secs_f64(seconds / f64::from(ROUNDS) / cases.len() as f64);
    let all = Arc::new(Mutex::new(cases.map(|_| Seen::default())));
    for _ in 0..ROUNDS {
        for (i, &(_, beside)) in cases.iter().enumerate() {
            let seen = thread::spawn(move || round(beside, length, (bystander, workers)).map_err(|e| e.to_string()));
            let mut seen = seen.join().map_err(|_| "the bystander panicked")??;
            let total = &mut all.lock().map_err(|_| "poisoned")?[i];
            total.gaps.append(&mut seen.gaps);
            total.parks += seen.parks;
            total.seconds += seen.seconds;
        }
    }
    println!("gaps over 1 µs of a bystander on core {bystander}, the channel on core {workers}");
    println!("{:28} {:>9} {:>9} {:>10} {:>10} {:>8}", "beside it", "parks/s", "gaps/s", "median", "p99", "stolen");
    for ((name, _), seen) in cases.iter().zip(all.lock().map_err(|_| "poisoned")?.iter_mut()) {
        seen.gaps.sort_unstable();
        let at =
            |q: f64| seen.gaps.get(((seen.gaps.len() as f64 - 1.0).max(0.0) * q) as usize).copied().unwrap_or_default();
        let stolen = seen.gaps.iter().sum::<Duration>().as_secs_f64() / seen.seconds;
        println!(
            "{name:28} {:9.0} {:9.0} {:>10.1?} {:>10.1?} {:7.2}%",
            seen.parks as f64 / seen.seconds,
            seen.gaps.len() as f64 / seen.seconds,
            at(0.5),
            at(0.99),
            stolen * 100.0
        );
    }
    Ok(())
}
