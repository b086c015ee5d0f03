//! A slow stream: the processor time of a message that comes alone.

use std::thread::{self, sleep};
use std::time::Duration;

use super::job::{Job, Reply};
use super::usage::Usage;
use crate::peers::{BlockRecv, BlockSend, Channel, Check};

const CAPACITY: usize = 64;

/// How many messages of a slow stream come first and do not count, and how many count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    pub(super) period: Duration,
    pub(super) warm: u64,
    pub(super) counted: u64,
}

impl Stream {
    /// As many as the slice has time for, at least one of each.
    pub(super) fn new(job: &Job, period: Duration) -> Self {
        let fit = |span: Duration| (span.as_nanos() / period.as_nanos()).max(1) as u64;
        Self { period, warm: fit(job.warm_up), counted: fit(job.length) }
    }

    /// The sender's half.
    pub(super) fn send(self, mut send: impl FnMut(u64)) -> Usage {
        let mut slowly = |seq| {
            sleep(self.period);
            send(seq);
        };
        (0..self.warm).for_each(&mut slowly);
        let before = Usage::now();
        (self.warm..self.warm + self.counted).for_each(&mut slowly);
        Usage::since(before)
    }

    /// The receiver's half.
    ///
    /// # Panics
    /// If a message was lost, repeated or reordered.
    pub(super) fn recv(self, who: &str, mut recv: impl FnMut() -> u64) -> Usage {
        let mut check = Check::default();
        (0..self.warm).for_each(|_| check.see(recv()));
        let before = Usage::now();
        (0..self.counted).for_each(|_| check.see(recv()));
        let usage = Usage::since(before);
        check.verify(who);
        usage
    }
}

/// Both sides are threads of this process.
pub(super) fn in_process<P, const MICROS: u64>(job: &Job) -> Reply
where
    P: Channel<u64>,
    P::Tx: BlockSend<u64>,
    P::Rx: BlockRecv<u64>,
{
    let stream = Stream::new(job, Duration::from_micros(MICROS));
    let (mut tx, mut rx) = P::pair(CAPACITY);
    thread::scope(|scope| {
        let receiving = scope.spawn(move || stream.recv(job.name, || rx.recv()));
        let sending = scope.spawn(move || stream.send(|seq| tx.send(seq)));
        let receiver = receiving.join().expect("the receiver panicked");
        let sender = sending.join().expect("the sender panicked");
        Usage::each(receiver, sender, stream.counted)
    })
}
