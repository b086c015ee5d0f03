//! Request and answer over two channels, with some work in between.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use super::job::{Job, Reply, Samples};
use crate::peers::{BlockRecv, BlockSend, Channel};

const CAPACITY: usize = 8;
/// What the server computes for each request.
const WORK: Duration = Duration::from_micros(20);
/// Ends the server; no request has this number.
const END: u64 = u64::MAX;

/// So many steps of computing; not a span of time, or a server that loses its core would have less to do.
fn compute(steps: u64) {
    let mut x = 0_u64;
    for step in 0..steps {
        x = black_box(x.wrapping_mul(5).wrapping_add(step));
    }
}

/// How many steps take `WORK` on a core that computes nothing else: by the fastest of many tries.
fn calibrate() -> u64 {
    const STEPS: u64 = 4096;
    let fastest = (0..200)
        .map(|_| {
            let start = Instant::now();
            compute(STEPS);
            start.elapsed().as_nanos() as u64
        })
        .min();
    STEPS * WORK.as_nanos() as u64 / fastest.unwrap_or(0).max(1)
}

/// Both sides block; the client asks again as soon as it has its answer.
pub(super) fn blocking<P>(job: &Job) -> Reply
where
    P: Channel<u64>,
    P::Tx: BlockSend<u64>,
    P::Rx: BlockRecv<u64>,
{
    let steps = calibrate();
    let (mut ask, mut asked) = P::pair(CAPACITY);
    let (mut answer, mut answered) = P::pair(CAPACITY);
    let mut samples = Samples::default();
    thread::scope(|scope| {
        scope.spawn(move || {
            loop {
                let request = asked.recv();
                if request == END {
                    break;
                }
                compute(steps);
                answer.send(request + 1);
            }
        });
        let span = job.begin();
        let mut request = 0;
        while samples.is_empty() || !span.over() {
            let start = Instant::now();
            ask.send(request);
            assert_eq!(answered.recv(), request + 1, "{}", job.name);
            request += 1;
            if span.counts(start) {
                samples.push(start.elapsed());
            }
        }
        ask.send(END);
    });
    samples.reply(&[0.5, 0.99, 1.0])
}
