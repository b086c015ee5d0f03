//! One pending poll of a future: for that time an executor's thread does nothing else.
//!
//! The time covers the making of the future and its first poll. Polls come in short bursts between sleeps, so that the figure is the
//! poll's and not the end of the thread's own time slice: a loop that polls without a pause loses its core every few milliseconds,
//! in the middle of some poll.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::thread::sleep;
use std::time::{Duration, Instant};

use pollster::block_on;
use ringmail::WaitStrategy;
use ringmail::mesh;

use super::job::{Job, Reply, Samples};
use super::usage::yields;
use crate::peers::{AsyncRecv, AsyncSend, Channel};

/// Messages that the channels hold.
const CAPACITY: usize = 8;
/// Polls between two sleeps.
const BURST: usize = 8;
/// How long a sleep is.
const PAUSE: Duration = Duration::from_micros(100);

/// Runs bursts for the slice's time; `poll` says how long one took. Median, 99.9 %, worst, the first of all, and how often the thread
/// has yielded in each.
pub(super) fn bursts(job: &Job, mut poll: impl FnMut() -> Duration) -> Reply {
    let span = job.begin();
    let (mut samples, first, mut yielded) = (Samples::default(), poll(), 0);
    while samples.is_empty() || !span.over() {
        let (counts, before) = (span.counts(Instant::now()), yields());
        for _ in 0..BURST {
            let took = poll();
            if counts {
                samples.push(took);
            }
        }
        if counts {
            yielded += yields() - before;
        }
        sleep(PAUSE);
    }
    let mut reply = samples.reply(&[0.5, 0.999, 1.0]);
    reply.values.extend([first.as_nanos() as f64, yielded as f64 / reply.samples as f64]);
    reply
}

/// How long it took to make a future and poll it once.
fn pending<F: Future>(who: &str, make: impl FnOnce() -> F) -> Duration {
    let mut context = Context::from_waker(Waker::noop());
    let start = Instant::now();
    let mut future = pin!(make());
    let pending = future.as_mut().poll(&mut context).is_pending();
    let took = start.elapsed();
    assert!(pending, "{who}: ready, where nothing was to be had");
    took
}

/// A receive on a channel on which nothing ever comes.
pub(super) fn idle<P>(job: &Job) -> Reply
where
    P: Channel<u64>,
    P::Tx: AsyncSend<u64>,
    P::Rx: AsyncRecv<u64>,
{
    let (mut tx, mut rx) = P::pair(CAPACITY);
    let reply = bursts(job, || pending(job.name, || rx.recv()));
    block_on(tx.send(7));
    assert_eq!(block_on(rx.recv()), 7, "{}", job.name);
    reply
}

/// The receive after one that found a message.
pub(super) fn used<P>(job: &Job) -> Reply
where
    P: Channel<u64>,
    P::Tx: AsyncSend<u64>,
    P::Rx: AsyncRecv<u64>,
{
    let (mut tx, mut rx) = P::pair(CAPACITY);
    let mut seq = 0;
    bursts(job, || {
        block_on(tx.send(seq));
        assert_eq!(block_on(rx.recv()), seq, "{}", job.name);
        seq += 1;
        pending(job.name, || rx.recv())
    })
}

/// A send on a channel that stays full.
pub(super) fn full<P>(job: &Job) -> Reply
where
    P: Channel<u64>,
    P::Tx: AsyncSend<u64>,
    P::Rx: AsyncRecv<u64>,
{
    let (mut tx, mut rx) = P::pair(1);
    block_on(tx.send(1));
    let reply = bursts(job, || pending(job.name, || tx.send(2)));
    // None of the sends that were given up has left a message.
    assert_eq!(block_on(rx.recv()), 1, "{}", job.name);
    block_on(tx.send(3));
    assert_eq!(block_on(rx.recv()), 3, "{}", job.name);
    reply
}

/// [`idle`] of an endpoint of a mesh of two.
pub(super) fn mesh<const AT_ONCE: bool>(job: &Job) -> Reply {
    let wait = if AT_ONCE { WaitStrategy::ParkAtOnce } else { WaitStrategy::default() };
    let seats = mesh::Builder::new().shards(2).capacity(CAPACITY).wait(wait).build::<u64>();
    let join = |seat: mesh::Seat<u64>| seat.join().expect("a shard joins at once");
    let mut ends: Vec<_> = seats.expect("a mesh of two").into_iter().map(join).collect();
    let reply = bursts(job, || pending(job.name, || ends[1].recv_async()));
    ends[0].try_send_to(1, 7).expect("room for one message");
    assert_eq!(block_on(ends[1].recv_async()), Ok((0, 7)), "{}", job.name);
    reply
}
