//! From a send to the return of a receive whose thread was asleep.
//!
//! The receiver is pinned to one core, the sender to another; the crew computes on both. The sender sends about every millisecond,
//! so that the receiver is asleep by then.

use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use super::job::{Job, Reply, Samples, nanos};
use crate::pair_slice::pin;
use crate::paired::stats::Rng;
use crate::peers::{BlockRecv, BlockSend, Channel};

const CAPACITY: usize = 8;
/// Ends the receiver; no message is sent so late.
const END: u64 = u64::MAX;

pub(super) fn blocking<P>(job: &Job) -> Reply
where
    P: Channel<u64>,
    P::Tx: BlockSend<u64>,
    P::Rx: BlockRecv<u64>,
{
    let (mut tx, mut rx) = P::pair(CAPACITY);
    let (from, to) = (job.cores[0], job.cores[1]);
    let (epoch, span) = (Instant::now(), job.begin());
    thread::scope(|scope| {
        scope.spawn(move || {
            pin(from);
            let mut rng = Rng::new(1);
            // One more than has to count, at least.
            let mut left = 2;
            while left > 0 || !span.over() {
                sleep(Duration::from_micros(800 + rng.below(400) as u64));
                let now = Instant::now();
                left -= u32::from(left > 0 && span.counts(now));
                tx.send(nanos(epoch, now));
            }
            tx.send(END);
        });
        let receiving = scope.spawn(move || {
            pin(to);
            let (mut samples, mut last) = (Samples::default(), 0);
            loop {
                let sent = rx.recv();
                let now = Instant::now();
                if sent == END {
                    return samples;
                }
                let came = nanos(epoch, now);
                assert!(last < sent && sent <= came, "{}: {sent} after {last} at {came} is no message", job.name);
                last = sent;
                if span.counts(epoch + Duration::from_nanos(sent)) {
                    samples.push(Duration::from_nanos(came - sent));
                }
            }
        });
        receiving.join().expect("the receiver panicked").reply(&[0.5, 0.99, 1.0])
    })
}
