//! Three programs in the manner of well-known crates, each on ringmail and on the channels that it is usually written on: `tests/porting` has them, and tests
//! that they give the same output.
//!
//! ```text
//! cargo run --release --package ringmail-benches --bin programs -- [--neighbours] [--rounds N] [--only NAME]
//! ```
//!
//! * `logger`: four threads write lines to a writer that does not wait for the file, until all are written.
//! * `pool-gzip`: blocks of 64 KiB that are compressed by a worker a core, 2 ahead a worker, with results in order.
//! * `pool-crc`, `pool-crc-2`: a checksum of blocks of 4 KiB, some hundred nanoseconds each, 64 and 2 ahead a worker.
//! * `pool-both`: `pool-gzip`, then `pool-crc`, in one process.
//! * `server-4`, `server-16`: lines in bursts of 64 to so many clients over TCP; the next burst begins when each client has read the last. None is lost.
//!
//! With `--neighbours` one thread a core computes meanwhile, of the same priority, in a process of its own.
//!
//! A round is one slice of each contender, in an order that turns; so what else the machine does meets all of them. Each slice is a process of its own, which
//! first runs once without the clock: what an allocator or a waiting policy keeps in a process does not pass from one contender to another. Printed are the median of a slice's time,
//! and the time of each contender by ringmail's: the median of the ratios of each round, with its 95 % interval. Above 1 ringmail is
//! faster. Then the same of the processor time of the process.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::process::{self, Command, Stdio};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};
use std::{env, iter, thread};

use clap::Parser;
use ringmail_benches::pair_slice::{end_on_panic, pin};
use ringmail_benches::paired::stats::{median_interval, quartiles};

#[path = "../../../tests/porting/logger/on_crossbeam.rs"]
mod logger_on_crossbeam;
#[path = "../../../tests/porting/logger/on_ringmail.rs"]
mod logger_on_ringmail;
#[path = "../../../tests/porting/pool/on_crossbeam.rs"]
mod pool_on_crossbeam;
#[path = "../../../tests/porting/pool/on_ringmail.rs"]
mod pool_on_ringmail;
#[path = "../../../tests/porting/server/on_crossbeam.rs"]
mod server_on_crossbeam;
#[path = "../../../tests/porting/server/on_ringmail.rs"]
mod server_on_ringmail;
#[path = "../../../tests/porting/server/on_tokio.rs"]
mod server_on_tokio;
#[path = "../../../tests/porting/pool/work.rs"]
mod work;

/// What a slice took: time, and processor time of the process, in seconds.
type Took = [f64; 2];

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

/// A slice's time begins now.
fn begin() -> impl FnOnce() -> Took {
    let (start, before) = (Instant::now(), cpu());
    move || [start.elapsed().as_secs_f64(), (cpu() - before).as_secs_f64()]
}

const THREADS: usize = 4;
const LINES: usize = 25_000;

/// Four threads write to the logger that is `made`; dropping its guard makes sure that all is written.
fn logger<L: Write + Clone + Send + 'static, G>(made: impl FnOnce(BufWriter<File>) -> (L, G)) -> Took {
    let path = env::temp_dir().join(format!("ringmail-programs-{}", process::id()));
    let (log, guard) = made(BufWriter::new(File::create(&path).expect("there is a folder for such files")));
    let start = Arc::new(Barrier::new(THREADS + 1));
    let threads: Vec<_> = (0..THREADS)
        .map(|id| {
            let (mut log, start) = (log.clone(), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                (0..LINES).try_for_each(|n| log.write_all(format!("thread {id}: order {n} is filled\n").as_bytes()))
            })
        })
        .collect();
    start.wait();
    let took = begin();
    threads.into_iter().for_each(|thread| thread.join().expect("a writer does not panic").expect("there is a worker"));
    drop(guard);
    let took = took();
    let written = BufReader::new(File::open(&path).expect("it was written")).lines().count();
    fs::remove_file(&path).expect("it is there");
    assert_eq!(written, THREADS * LINES, "each line is written once");
    took
}

fn logger_ringmail() -> Took {
    logger(|file| {
        let (log, guard) = logger_on_ringmail::non_blocking(file, 1024, false).expect("there is memory");
        assert_eq!(log.lost.load(Ordering::Relaxed), 0);
        (log, guard)
    })
}

fn logger_crossbeam() -> Took {
    logger(|file| {
        let (log, guard) = logger_on_crossbeam::non_blocking(file, 1024, false);
        assert_eq!(log.lost.load(Ordering::Relaxed), 0);
        (log, guard)
    })
}

/// A worker a core.
fn workers() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// So many blocks of a text.
fn blocks(count: usize, bytes: usize) -> impl Iterator<Item = Vec<u8>> {
    let text = work::text(bytes * 16);
    (0..count).map(move |n| text[n % 16 * bytes..][..bytes].to_vec())
}

const GZIP: (usize, usize) = (64, 64 << 10);
const CRC: (usize, usize) = (10_000, 4 << 10);

/// Takes all results of the pool that is `made`.
fn pool<I, O: Iterator>(input: I, (count, _): (usize, usize), made: impl FnOnce(I) -> O) -> Took {
    let took = begin();
    let results = made(input).map(black_box).count();
    assert_eq!(results, count, "a result for each block");
    took()
}

fn gzip_ringmail() -> Took {
    pool(blocks(GZIP.0, GZIP.1), GZIP, |input| {
        pool_on_ringmail::pool(input, workers(), 2, work::compressed).expect("there is memory")
    })
}

fn gzip_crossbeam() -> Took {
    pool(blocks(GZIP.0, GZIP.1), GZIP, |input| pool_on_crossbeam::pool(input, workers(), 2, work::compressed))
}

fn crc_ringmail<const AHEAD: usize>() -> Took {
    pool(blocks(CRC.0, CRC.1), CRC, |input| {
        pool_on_ringmail::pool(input, workers(), AHEAD, work::checksum).expect("there is memory")
    })
}

fn crc_crossbeam<const AHEAD: usize>() -> Took {
    pool(blocks(CRC.0, CRC.1), CRC, |input| pool_on_crossbeam::pool(input, workers(), AHEAD, work::checksum))
}

/// Both pools, one after the other.
fn both(one: fn() -> Took, other: fn() -> Took) -> Took {
    let (one, other) = (one(), other());
    [one[0] + other[0], one[1] + other[1]]
}

const BURST: usize = 64;
const KEPT: usize = 1024;

/// The connections of a server.
type Sockets = iter::Take<Box<dyn Iterator<Item = TcpStream> + Send>>;

/// Publishes bursts to `CLIENTS` clients of the server that is `made`.
fn server<const CLIENTS: usize, P>(made: impl FnOnce(Sockets) -> P, publish: impl Fn(&mut P, &str)) -> Took {
    let bursts = 1600 / CLIENTS;
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let address = listener.local_addr().expect("it is bound");
    let sockets: Box<dyn Iterator<Item = TcpStream> + Send> =
        Box::new(iter::from_fn(move || listener.accept().ok().map(|(socket, _)| socket)));
    let mut publisher = made(sockets.take(CLIENTS));
    let read = Arc::new(Barrier::new(CLIENTS + 1));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (socket, read) = (TcpStream::connect(address).expect("the server listens"), Arc::clone(&read));
            thread::spawn(move || {
                let mut lines = BufReader::new(socket).lines().map(|line| line.expect("the server writes"));
                assert_eq!(lines.next().as_deref(), Some("* welcome"));
                read.wait();
                for n in 0..bursts * BURST {
                    assert!(lines.next().is_some_and(|line| line.starts_with("order ")), "no line is lost");
                    if (n + 1) % BURST == 0 {
                        read.wait();
                    }
                }
                assert_eq!(lines.next(), None, "the end");
            })
        })
        .collect();
    read.wait();
    let took = begin();
    for burst in 0..bursts {
        (0..BURST).for_each(|n| publish(&mut publisher, &format!("order {n} of burst {burst} is filled at 101.25")));
        read.wait();
    }
    let took = took();
    drop(publisher);
    clients.into_iter().for_each(|client| client.join().expect("a client does not panic"));
    took
}

fn server_ringmail<const CLIENTS: usize>() -> Took {
    server::<CLIENTS, _>(
        |sockets| server_on_ringmail::serve(sockets, KEPT).expect("there is memory"),
        |publisher, line| publisher.publish(line).expect("it is a short line"),
    )
}

fn server_crossbeam<const CLIENTS: usize>() -> Took {
    server::<CLIENTS, _>(|sockets| server_on_crossbeam::serve(sockets, KEPT), |publisher, line| publisher.publish(line))
}

fn server_tokio<const CLIENTS: usize>() -> Took {
    server::<CLIENTS, _>(|sockets| server_on_tokio::serve(sockets, KEPT), |publisher, line| publisher.publish(line))
}

/// A program and its contenders, ringmail first.
type Row = (&'static str, &'static [(&'static str, fn() -> Took)]);

const ROWS: [Row; 7] = [
    ("logger", &[("ringmail", logger_ringmail), ("crossbeam", logger_crossbeam)]),
    ("pool-gzip", &[("ringmail", gzip_ringmail), ("crossbeam", gzip_crossbeam)]),
    ("pool-crc", &[("ringmail", crc_ringmail::<64>), ("crossbeam", crc_crossbeam::<64>)]),
    ("pool-crc-2", &[("ringmail", crc_ringmail::<2>), ("crossbeam", crc_crossbeam::<2>)]),
    (
        "pool-both",
        &[
            ("ringmail", || both(gzip_ringmail, crc_ringmail::<64>)),
            ("crossbeam", || both(gzip_crossbeam, crc_crossbeam::<64>)),
        ],
    ),
    (
        "server-4",
        &[("ringmail", server_ringmail::<4>), ("crossbeam", server_crossbeam::<4>), ("tokio", server_tokio::<4>)],
    ),
    (
        "server-16",
        &[("ringmail", server_ringmail::<16>), ("crossbeam", server_crossbeam::<16>), ("tokio", server_tokio::<16>)],
    ),
];

/// What the contenders of a row took, a round at a time.
type Rounds = Vec<Vec<Took>>;

/// Of a contender: the median of what it took, and the median of what it took by the first one's, with its interval.
fn by_the_first(rounds: &Rounds, at: usize, which: usize) -> Option<(f64, f64, [f64; 2])> {
    let took: Vec<f64> = rounds.iter().map(|round| round[at][which]).collect();
    let ratios: Vec<f64> = rounds.iter().map(|round| round[at][which] / round[0][which]).collect();
    let ([_, middle, _], [_, ratio, _]) = (quartiles(&took)?, quartiles(&ratios)?);
    Some((middle, ratio, median_interval(&[ratios])?))
}

/// One thread a core computes, in a process of its own, until this value is dropped.
struct Neighbours(process::Child);

impl Neighbours {
    fn start() -> io::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        let child = command.arg("--compute").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut neighbours = Self(child);
        // It writes once all compute.
        neighbours.0.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?.read_exact(&mut [0])?;
        Ok(neighbours)
    }
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The computing process: until its input ends, with the parent.
fn compute() -> io::Result<()> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let started = Arc::new(Barrier::new(cores.len() + 1));
    for core in cores {
        let started = Arc::clone(&started);
        thread::spawn(move || {
            pin(core.id);
            started.wait();
            let mut x = 0_u64;
            loop {
                x = black_box(x.wrapping_mul(5).wrapping_add(1));
            }
        });
    }
    started.wait();
    io::stdout().write_all(b"!")?;
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new()).map(|_| ())
}

/// A slice's process: runs it `times` times without the clock, then once, and writes what that took.
fn run(row: &str, contender: &str, times: usize) -> io::Result<()> {
    let row = ROWS.iter().find(|(name, _)| *name == row);
    let slice = row.and_then(|(_, contenders)| contenders.iter().find(|(name, _)| *name == contender));
    let (_, slice) = slice.ok_or(io::ErrorKind::InvalidInput)?;
    for _ in 0..times {
        black_box(slice());
    }
    let [took, cpu] = slice();
    writeln!(io::stdout(), "{took} {cpu}")
}

/// Starts a slice's process, and reads what it took.
fn slice(row: &str, contender: &str) -> io::Result<Took> {
    let output = Command::new(env::current_exe()?).args(["--run", row, contender]).stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>().as_deref() {
        Ok(&[took, cpu]) => Ok([took, cpu]),
        _ => Err(io::Error::other(format!("{contender} in {row} ended with {}", output.status))),
    }
}

/// Programs on ringmail and on other crates' channels.
#[derive(Debug, Parser)]
struct Cli {
    /// One thread a core computes meanwhile.
    #[arg(long)]
    neighbours: bool,
    /// Slices of each contender.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Programs whose name begins so.
    #[arg(long, default_value = "")]
    only: String,
    /// Runs one contender of one program in this process, for a profiler too.
    #[arg(long, num_args = 2, value_names = ["PROGRAM", "CONTENDER"])]
    run: Option<Vec<String>>,
    /// With `--run`: how often without the clock.
    #[arg(long, default_value_t = 1)]
    times: usize,
    /// The computing process; the run starts it.
    #[arg(long, hide = true)]
    compute: bool,
}

fn main() -> io::Result<()> {
    end_on_panic();
    let cli = Cli::parse();
    if cli.compute {
        return compute();
    }
    if let Some([row, contender]) = cli.run.as_deref() {
        return run(row, contender, cli.times);
    }
    let neighbours = cli.neighbours.then(Neighbours::start).transpose()?;
    let beside = if neighbours.is_some() { "beside a computing thread on each" } else { "with nothing beside" };
    println!("{} cores, {beside}, {} rounds", workers(), cli.rounds);
    for (name, contenders) in ROWS.iter().filter(|(name, _)| name.starts_with(&cli.only)) {
        let mut rounds: Rounds = Vec::new();
        for turn in 0..cli.rounds {
            let mut round = vec![[0.0; 2]; contenders.len()];
            for at in (0..contenders.len()).map(|at| (at + turn) % contenders.len()) {
                round[at] = slice(name, contenders[at].0)?;
            }
            rounds.push(round);
        }
        println!("{name}: ms, by ringmail's; processor time, by ringmail's");
        for (at, (contender, _)) in contenders.iter().enumerate() {
            let figures = [0, 1].map(|which| match by_the_first(&rounds, at, which) {
                Some((took, ratio, [low, high])) => format!("{:>8.2}  {ratio:.2} [{low:.2}, {high:.2}]", took * 1e3),
                None => "no rounds".to_owned(),
            });
            println!("  {contender:<10}{}  {}", figures[0], figures[1]);
        }
    }
    Ok(())
}
