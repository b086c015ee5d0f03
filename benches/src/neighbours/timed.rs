//! A receive with a time limit, on a channel on which nothing comes.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::job::{Job, Reply, Samples};
use super::poll::bursts;
use crate::peers::{BlockSend, Channel, TimedRecv};

const CAPACITY: usize = 8;

fn late(job: &Job, mut wait: impl FnMut()) -> Reply {
    let span = job.begin();
    let mut samples = Samples::default();
    while samples.is_empty() || !span.over() {
        let start = Instant::now();
        wait();
        if span.counts(start) {
            samples.push(start.elapsed());
        }
    }
    samples.reply(&[0.5, 0.99, 1.0])
}

/// How long a receive takes that is to give up after one millisecond.
pub(super) fn one_milli<P>(job: &Job) -> Reply
where
    P: Channel<u64>,
    P::Tx: BlockSend<u64>,
    P::Rx: TimedRecv<u64>,
{
    let (mut tx, mut rx) = P::pair(CAPACITY);
    let milli = Duration::from_millis(1);
    let reply = late(job, || assert_eq!(rx.recv_timeout(milli), None, "{}", job.name));
    still_works(job, &mut tx, &mut rx);
    reply
}

/// How long one takes that is to give up at once.
pub(super) fn zero<P>(job: &Job) -> Reply
where
    P: Channel<u64>,
    P::Tx: BlockSend<u64>,
    P::Rx: TimedRecv<u64>,
{
    let (mut tx, mut rx) = P::pair(CAPACITY);
    let reply = bursts(job, || {
        let start = Instant::now();
        let got = rx.recv_timeout(Duration::ZERO);
        let took = start.elapsed();
        assert_eq!(got, None, "{}", job.name);
        took
    });
    still_works(job, &mut tx, &mut rx);
    reply
}

fn still_works(job: &Job, tx: &mut impl BlockSend<u64>, rx: &mut impl TimedRecv<u64>) {
    tx.send(7);
    assert_eq!(rx.recv_timeout(Duration::from_secs(5)), Some(7), "{}", job.name);
}

/// A sleep of one millisecond: what the system's timer gives.
pub(super) fn bare_sleep(job: &Job) -> Reply {
    late(job, || sleep(Duration::from_millis(1)))
}
