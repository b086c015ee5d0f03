//! ringbuf: the caching producer and consumer of a `HeapRb`; runs through `push_iter`/`pop_iter` or the slice verbs.

use ringbuf::traits::{Consumer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};

use super::{BatchRecv, BatchSend, Channel, Check, MAX_RUN, TryRecv, TrySend};

/// ringbuf; runs travel through iterators.
#[derive(Debug)]
pub struct Ringbuf;

impl<T: Send> Channel<T> for Ringbuf {
    type Tx = HeapProd<T>;
    type Rx = HeapCons<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        HeapRb::new(capacity).split()
    }
}

impl<T> TrySend<T> for HeapProd<T> {
    #[inline]
    fn try_send(&mut self, value: T) -> bool {
        self.try_push(value).is_ok()
    }
}

impl<T> TryRecv<T> for HeapCons<T> {
    #[inline]
    fn try_recv(&mut self) -> Option<T> {
        self.try_pop()
    }
}

impl BatchSend for HeapProd<u64> {
    #[inline]
    fn send_run(&mut self, from: u64, n: usize) -> usize {
        self.push_iter(from..from + n as u64)
    }
}

impl BatchRecv for HeapCons<u64> {
    #[inline]
    fn recv_run(&mut self, n: usize, check: &mut Check) -> usize {
        let before = check.seen();
        self.pop_iter().take(n).for_each(|seq| check.see(seq));
        (check.seen() - before) as usize
    }
}

/// ringbuf; runs travel through `push_slice` and `pop_slice`.
#[derive(Debug)]
pub struct RingbufSlices;

/// A sending end with the buffer that its slices come from.
#[expect(missing_debug_implementations, reason = "the peer's ends have none")]
pub struct SliceTx(HeapProd<u64>, [u64; MAX_RUN]);

/// A receiving end with the buffer that its slices land in.
#[expect(missing_debug_implementations, reason = "the peer's ends have none")]
pub struct SliceRx(HeapCons<u64>, [u64; MAX_RUN]);

impl Channel<u64> for RingbufSlices {
    type Tx = SliceTx;
    type Rx = SliceRx;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        let (tx, rx) = HeapRb::new(capacity).split();
        (SliceTx(tx, [0; MAX_RUN]), SliceRx(rx, [0; MAX_RUN]))
    }
}

impl BatchSend for SliceTx {
    #[inline]
    fn send_run(&mut self, from: u64, n: usize) -> usize {
        let run = &mut self.1[..n];
        super::number(run, from);
        self.0.push_slice(run)
    }
}

impl BatchRecv for SliceRx {
    #[inline]
    fn recv_run(&mut self, n: usize, check: &mut Check) -> usize {
        let run = &mut self.1[..n];
        let taken = self.0.pop_slice(run);
        check.see_all(&run[..taken]);
        taken
    }
}
