//! One sender hands jobs to four workers: `fan_out` beside crossbeam-channel and flume, whose receivers are cloned.
//!
//! ```text
//! cargo run --release --package ringmail-benches --bin fan_out [rounds]
//! ```
//!
//! * `0us`, `1us`: jobs of nothing, and of one microsecond of arithmetic. What counts is jobs a second. Printed too is the processor time of a job, which others on the machine change
//!   less: what is above the work is the price of queue, waits and wakes.
//! * `sizes`: jobs of 50 µs to 5 ms, most of them short. They are sleeps, so that four workers run at once also on fewer cores. What counts is how much longer
//!   the whole takes than a perfect split: the time that the workers were busy, divided by four.
//!
//! A round is one slice of each contender, in an order that turns; so what else the machine does meets all of them. Printed are the medians of the
//! rounds, and of the ratios of each round. All contenders have room for as many jobs in all.

use ringmail::fan_out;
use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

const WORKERS: usize = 4;
const ROUNDS: usize = 15;

/// A queue of jobs with one sender and several receivers.
trait Queue {
    type Sender: Send + 'static;
    type Receiver: Send + 'static;

    /// With room for `each` jobs for each of the receivers.
    fn make(each: usize) -> (Self::Sender, Vec<Self::Receiver>);
    fn send(tx: &mut Self::Sender, job: u64);
    fn recv(rx: &mut Self::Receiver) -> Option<u64>;
}

struct FanOut;

impl Queue for FanOut {
    type Sender = fan_out::Sender<u64>;
    type Receiver = fan_out::Receiver<u64>;

    fn make(each: usize) -> (Self::Sender, Vec<Self::Receiver>) {
        let (tx, hub) = fan_out::Builder::new(each).build_hub().expect("there is memory");
        (tx, (0..WORKERS).map(|_| hub.join().expect("there is memory")).collect())
    }

    fn send(tx: &mut Self::Sender, job: u64) {
        tx.send(job).expect("workers are there");
    }

    fn recv(rx: &mut Self::Receiver) -> Option<u64> {
        rx.recv().ok()
    }
}

struct Crossbeam;

impl Queue for Crossbeam {
    type Sender = crossbeam_channel::Sender<u64>;
    type Receiver = crossbeam_channel::Receiver<u64>;

    fn make(each: usize) -> (Self::Sender, Vec<Self::Receiver>) {
        let (tx, rx) = crossbeam_channel::bounded(each * WORKERS);
        (tx, vec![rx; WORKERS])
    }

    fn send(tx: &mut Self::Sender, job: u64) {
        tx.send(job).expect("workers are there");
    }

    fn recv(rx: &mut Self::Receiver) -> Option<u64> {
        rx.recv().ok()
    }
}

struct Flume;

impl Queue for Flume {
    type Sender = flume::Sender<u64>;
    type Receiver = flume::Receiver<u64>;

    fn make(each: usize) -> (Self::Sender, Vec<Self::Receiver>) {
        let (tx, rx) = flume::bounded(each * WORKERS);
        (tx, vec![rx; WORKERS])
    }

    fn send(tx: &mut Self::Sender, job: u64) {
        tx.send(job).expect("workers are there");
    }

    fn recv(rx: &mut Self::Receiver) -> Option<u64> {
        rx.recv().ok()
    }
}

/// What a slice took, how long its workers were busy in all, and the processor time of all its threads.
struct Slice {
    took: Duration,
    busy: Duration,
    cpu: Duration,
}

/// Processor time of this process so far; none where there is no clock for it.
#[cfg(target_os = "linux")]
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(not(target_os = "linux"))]
fn cpu() -> Duration {
    Duration::ZERO
}

/// Sends all `jobs`; workers `run` them. From the first send until the last worker has learnt of the end.
fn slice<Q: Queue>(each: usize, jobs: &[u64], run: fn(u64) -> Duration) -> Slice {
    let (mut tx, workers) = Q::make(each);
    let start = Arc::new(Barrier::new(WORKERS + 1));
    let workers: Vec<_> = workers
        .into_iter()
        .map(|mut rx| {
            let start = Arc::clone(&start);
            thread::spawn(move || {
                start.wait();
                let (mut busy, mut done) = (Duration::ZERO, 0);
                while let Some(job) = Q::recv(&mut rx) {
                    busy += run(job);
                    done += 1;
                }
                (busy, done)
            })
        })
        .collect();
    start.wait();
    let (begin, before) = (Instant::now(), cpu());
    jobs.iter().for_each(|&job| Q::send(&mut tx, job));
    drop(tx);
    let done: Vec<(Duration, usize)> =
        workers.into_iter().map(|worker| worker.join().expect("a worker does not panic")).collect();
    let (took, cpu) = (begin.elapsed(), cpu() - before);
    assert_eq!(done.iter().map(|(_, done)| done).sum::<usize>(), jobs.len(), "each job is done once");
    Slice { took, busy: done.iter().map(|(busy, _)| *busy).sum(), cpu }
}

/// Arithmetic of `steps` steps, each of which waits for the one before.
fn compute(steps: u64) -> Duration {
    let mut word = steps;
    for _ in 0..steps {
        word = black_box(word.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 1);
    }
    Duration::ZERO
}

/// Sleeps for `micros`, and says for how long it did.
fn sleep(micros: u64) -> Duration {
    let begin = Instant::now();
    thread::sleep(Duration::from_micros(micros));
    begin.elapsed()
}

/// Steps of [`compute`] that take a microsecond, by the fastest of some tries.
fn steps_per_microsecond() -> u64 {
    let fastest = (0..50).map(|_| {
        let begin = Instant::now();
        compute(100_000);
        begin.elapsed()
    });
    let fastest = fastest.min().expect("there are some");
    (100_000_000 / fastest.as_nanos().max(1)) as u64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

type Contender = (&'static str, fn(usize, &[u64], fn(u64) -> Duration) -> Slice);

const CONTENDERS: [Contender; 3] =
    [("fan_out", slice::<FanOut>), ("crossbeam", slice::<Crossbeam>), ("flume", slice::<Flume>)];

/// Figures of all rounds, by contender: `figures` makes them of a slice.
fn rounds(rounds: usize, mut figures: impl FnMut(Contender) -> [f64; 2]) -> [Vec<[f64; 2]>; 3] {
    let mut all = [const { Vec::new() }; 3];
    for turn in 0..rounds {
        for at in (0..3).map(|i| (i + turn) % 3) {
            all[at].push(figures(CONTENDERS[at]));
        }
    }
    all
}

/// The medians of the figures `which`, and of what they are times the first contender's.
fn medians(all: &[Vec<[f64; 2]>; 3], which: usize) -> [(f64, f64); 3] {
    core::array::from_fn(|at| {
        let ratios = all[0].iter().zip(&all[at]).map(|(ours, theirs)| ours[which] / theirs[which]).collect();
        (median(all[at].iter().map(|figures| figures[which]).collect()), median(ratios))
    })
}

fn main() {
    let n = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(ROUNDS);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    println!("{WORKERS} workers and a sender on {cores} cores, {n} rounds");
    let steps = steps_per_microsecond();
    for (micros, each) in [(0, 64), (1, 4), (1, 64), (1, 256)] {
        let jobs = vec![steps * micros; 200_000];
        let all = rounds(n, |(_, slice)| {
            let slice = slice(each, &jobs, compute);
            let jobs = jobs.len() as f64;
            [jobs / slice.took.as_secs_f64() / 1e6, slice.cpu.as_secs_f64() * 1e6 / jobs]
        });
        println!(
            "{micros}us, room for {each} a worker: jobs a microsecond, fan_out's by it; processor time of a job, fan_out's by it"
        );
        let (rates, costs) = (medians(&all, 0), medians(&all, 1));
        for (at, (name, _)) in CONTENDERS.into_iter().enumerate() {
            let ((rate, faster), (cost, dearer)) = (rates[at], costs[at]);
            println!("  {name:<10} {rate:>6.3} {faster:>6.2}   {cost:>6.3} µs {dearer:>6.2}");
        }
    }
    let mut seed = 1u64;
    let jobs: Vec<u64> = (0..800)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // 50 to 5000, evenly over the logarithm.
            (50.0 * 100f64.powf((seed >> 40) as f64 / (1u64 << 24) as f64)) as u64
        })
        .collect();
    for each in [1, 2, 4, 64] {
        let all = rounds(n.div_ceil(3), |(_, slice)| {
            let slice = slice(each, &jobs, sleep);
            [slice.took.as_secs_f64() / (slice.busy.as_secs_f64() / WORKERS as f64), 1.0]
        });
        println!("sizes, room for {each} a worker: times a perfect split");
        for ((name, _), (split, _)) in CONTENDERS.into_iter().zip(medians(&all, 0)) {
            println!("  {name:<10} {split:>6.3}");
        }
    }
}
