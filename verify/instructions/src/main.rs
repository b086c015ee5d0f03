//! One thread moves messages over one path of a channel. `check` beside this package runs it under callgrind.
//!
//! ```text
//! ringmail-instructions                  the names of the paths
//! ringmail-instructions MESSAGES...      moves so many messages over each of them, a multiple of 512; callgrind writes the counts of each under
//!                                        its name and that number
//! ```
//!
//! A name is `channel/verbs/shape`. Shape `burst` sends 512 messages, then receives 512; `ping` sends one run, then receives it.
//! In both the channel, of capacity 1024, is never full and no receive finds it empty, and each side loads the other's position
//! as often as such traffic makes it. `loop` is the measuring loop without a channel, which every count includes, and `planted` is
//! that loop with one locked instruction a message.

mod callgrind;
mod many;
mod others;
#[cfg(feature = "peers")]
mod peers;
mod rings;

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Messages that a channel holds.
const CAPACITY: usize = 1024;

/// Messages that the shape `burst` sends before it receives.
const BURST: u64 = 512;

/// A path's name, and what moves that many messages over it.
type Path = (&'static str, fn(u64));

/// Both shapes of one path. `$body` moves `$n` messages, `$depth` of them sent before any is received; `$run` is the ping's depth.
macro_rules! shapes {
    ($paths:ident, $name:expr, $run:expr, |$n:ident, $depth:ident| $body:expr) => {{
        #[inline(always)]
        fn path($n: u64, $depth: u64) {
            $body
        }
        // Each with a constant depth, so that `ping` has no inner loop.
        $paths.push((concat!($name, "/burst"), |n| path(n, $crate::BURST)));
        $paths.push((concat!($name, "/ping"), |n| path(n, $run)));
    }};
}
use shapes;

/// Moves the numbers below `messages`: `depth` of them by `put`, then as many by `take`, in runs of `run`. `put` gets the first
/// number of its run, `take` returns the sum of its.
#[inline(always)]
fn shuttle(messages: u64, depth: u64, run: u64, mut put: impl FnMut(u64), mut take: impl FnMut() -> u64) {
    let (mut next, mut sum) = (0, 0);
    while next < messages {
        for _ in 0..depth / run {
            put(next);
            next += run;
        }
        for _ in 0..depth / run {
            sum += take();
        }
    }
    assert_eq!(sum, messages * (messages - 1) / 2, "what came out is not what went in");
}

/// [`shuttle`] over a channel, whose handles lie in memory as a program's do: the compiler cannot keep them in registers.
#[inline(always)]
fn over<S, R>(
    messages: u64,
    depth: u64,
    run: u64,
    (mut tx, mut rx): (S, R),
    mut put: impl FnMut(&mut S, u64),
    mut take: impl FnMut(&mut R) -> u64,
) {
    let (tx, rx) = (black_box(&mut tx), black_box(&mut rx));
    shuttle(messages, depth, run, |value| put(tx, value), || take(rx));
}

/// [`shuttle`] without a channel.
#[inline(always)]
fn bare(messages: u64, depth: u64, mut each: impl FnMut()) {
    let mut taken = 0;
    let put = |value| {
        black_box(value);
        each();
    };
    shuttle(messages, depth, 1, put, || {
        taken += 1;
        black_box(taken) - 1
    });
}

static WORD: AtomicU64 = AtomicU64::new(0);

fn paths() -> Vec<Path> {
    let mut paths: Vec<Path> = Vec::new();
    shapes!(paths, "loop/none", 1, |n, depth| bare(n, depth, || {}));
    paths.push(("planted/lock", |n| bare(n, BURST, || _ = WORD.fetch_add(1, Ordering::Relaxed))));
    paths.push(("planted/xchg", |n| bare(n, BURST, || _ = WORD.swap(1, Ordering::Relaxed))));
    paths.push(("planted/fence", |n| bare(n, BURST, || fence(Ordering::SeqCst))));
    rings::add(&mut paths);
    many::add(&mut paths);
    others::add(&mut paths);
    #[cfg(feature = "peers")]
    peers::add(&mut paths);
    paths
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let paths = paths();
    match &arguments[..] {
        [] => {
            paths.iter().for_each(|(name, _)| println!("{name}"));
            ExitCode::SUCCESS
        }
        numbers => {
            let numbers = numbers.iter().map(|n| n.parse().ok().filter(|n| *n > 0 && n % BURST == 0));
            let Some(numbers) = numbers.collect::<Option<Vec<u64>>>() else {
                eprintln!("usage: ringmail-instructions [MESSAGES...]; a multiple of {BURST} each");
                return ExitCode::from(2);
            };
            // valgrind passes `membarrier` on to the kernel. If that refused it, each message would pay for fences, as in `spsc-fenced`.
            if !ringmail::init() {
                eprintln!("no membarrier here: channels fall back to fences");
                return ExitCode::from(3);
            }
            for (name, path) in paths {
                for &messages in &numbers {
                    callgrind::zero();
                    path(messages);
                    callgrind::dump(&format!("{name} {messages}"));
                }
            }
            ExitCode::SUCCESS
        }
    }
}
