//! ringmail: the `spsc` channel as `channel` makes it, and with spinning ends; runs through chunks, slices or `drain`.

use std::time::Duration;

use ringmail::spsc::{self, Builder, Receiver, Sender};
use ringmail::{Flavor, RecvTimeoutError, WaitStrategy};

use super::{
    AsyncRecv, AsyncSend, BatchRecv, BatchSend, BlockRecv, BlockSend, Channel, Check, MAX_RUN, TimedRecv, TryRecv,
    TrySend,
};

/// `ringmail::spsc::channel`; runs travel in chunks.
#[derive(Debug)]
pub struct Ringmail;

impl<T: Send> Channel<T> for Ringmail {
    type Tx = Sender<T>;
    type Rx = Receiver<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        spsc::channel(capacity).expect("the workloads' capacities are in range")
    }
}

impl<T, S: Flavor> TrySend<T> for ringmail::Sender<T, S> {
    #[inline]
    fn try_send(&mut self, value: T) -> bool {
        ringmail::Sender::try_send(self, value).is_ok()
    }
}

impl<T, S: Flavor> TryRecv<T> for ringmail::Receiver<T, S> {
    #[inline]
    fn try_recv(&mut self) -> Option<T> {
        ringmail::Receiver::try_recv(self).ok()
    }
}

impl<T, S: Flavor> BlockSend<T> for ringmail::Sender<T, S> {
    #[inline]
    fn send(&mut self, value: T) {
        assert!(ringmail::Sender::send(self, value).is_ok(), "ringmail: disconnected");
    }
}

impl<T, S: Flavor> BlockRecv<T> for ringmail::Receiver<T, S> {
    #[inline]
    fn recv(&mut self) -> T {
        ringmail::Receiver::recv(self).expect("ringmail: disconnected")
    }
}

impl<T, S: Flavor> TimedRecv<T> for ringmail::Receiver<T, S> {
    #[inline]
    fn recv_timeout(&mut self, timeout: Duration) -> Option<T> {
        match ringmail::Receiver::recv_timeout(self, timeout) {
            Ok(value) => Some(value),
            Err(RecvTimeoutError::Timeout) => None,
            Err(e) => panic!("ringmail: {e}"),
        }
    }
}

impl<T: Send, S: Flavor> AsyncSend<T> for ringmail::Sender<T, S>
where
    Self: Send,
{
    #[inline]
    async fn send(&mut self, value: T) {
        assert!(self.send_async(value).await.is_ok(), "ringmail: disconnected");
    }
}

impl<T: Send, S: Flavor> AsyncRecv<T> for ringmail::Receiver<T, S>
where
    Self: Send,
{
    #[inline]
    async fn recv(&mut self) -> T {
        self.recv_async().await.expect("ringmail: disconnected")
    }
}

impl BatchSend for Sender<u64> {
    #[inline]
    fn send_run(&mut self, from: u64, n: usize) -> usize {
        let Ok(mut chunk) = self.try_reserve(n) else { return 0 };
        chunk.fill_from_iter(from..from + n as u64);
        chunk.commit()
    }
}

impl BatchRecv for Receiver<u64> {
    #[inline]
    fn recv_run(&mut self, n: usize, check: &mut Check) -> usize {
        let Ok(chunk) = self.read_chunk(n) else { return 0 };
        let (first, second) = chunk.as_slices();
        check.see_all(first);
        check.see_all(second);
        let taken = first.len() + second.len();
        chunk.commit_all();
        taken
    }
}

/// ringmail with `WaitStrategy::BusySpin` on both ends.
#[derive(Debug)]
pub struct RingmailSpin;

impl<T: Send> Channel<T> for RingmailSpin {
    type Tx = Sender<T>;
    type Rx = Receiver<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        Builder::new(capacity).wait(WaitStrategy::BusySpin).build().expect("the workloads' capacities are in range")
    }
}

/// ringmail with `WaitStrategy::ParkAtOnce` on both ends.
#[derive(Debug)]
pub struct RingmailAtOnce;

impl<T: Send> Channel<T> for RingmailAtOnce {
    type Tx = Sender<T>;
    type Rx = Receiver<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        Builder::new(capacity).wait(WaitStrategy::ParkAtOnce).build().expect("the workloads' capacities are in range")
    }
}

/// ringmail; runs travel through `try_send_slice` and `try_recv_many`.
#[derive(Debug)]
pub struct RingmailSlices;

/// A sending end with the buffer that its slices come from.
#[derive(Debug)]
pub struct SliceTx(Sender<u64>, [u64; MAX_RUN]);

/// A receiving end with the buffer that its slices land in.
#[derive(Debug)]
pub struct SliceRx(Receiver<u64>, Vec<u64>);

impl Channel<u64> for RingmailSlices {
    type Tx = SliceTx;
    type Rx = SliceRx;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        let (tx, rx) = Ringmail::pair(capacity);
        (SliceTx(tx, [0; MAX_RUN]), SliceRx(rx, Vec::with_capacity(MAX_RUN)))
    }
}

impl BatchSend for SliceTx {
    #[inline]
    fn send_run(&mut self, from: u64, n: usize) -> usize {
        let run = &mut self.1[..n];
        super::number(run, from);
        self.0.try_send_slice(run).unwrap_or(0)
    }
}

impl BatchRecv for SliceRx {
    #[inline]
    fn recv_run(&mut self, n: usize, check: &mut Check) -> usize {
        self.1.clear();
        let taken = self.0.try_recv_many(&mut self.1, n).unwrap_or(0);
        check.see_all(&self.1);
        taken
    }
}

/// ringmail; runs travel through `try_send_iter` and `drain`.
#[derive(Debug)]
pub struct RingmailDrain;

/// A sending end fed by an iterator.
#[derive(Debug)]
pub struct IterTx(Sender<u64>);

/// A receiving end that is drained into a closure.
#[derive(Debug)]
pub struct DrainRx(Receiver<u64>);

impl Channel<u64> for RingmailDrain {
    type Tx = IterTx;
    type Rx = DrainRx;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        let (tx, rx) = Ringmail::pair(capacity);
        (IterTx(tx), DrainRx(rx))
    }
}

impl BatchSend for IterTx {
    #[inline]
    fn send_run(&mut self, from: u64, n: usize) -> usize {
        self.0.try_send_iter(&mut (from..from + n as u64)).unwrap_or(0)
    }
}

impl BatchRecv for DrainRx {
    #[inline]
    fn recv_run(&mut self, n: usize, check: &mut Check) -> usize {
        self.0.drain(n, |seq| check.see(seq))
    }
}
