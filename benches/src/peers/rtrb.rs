//! rtrb: `push`/`pop`; chunks for runs (`write_chunk_uninit` filled by an iterator, `read_chunk` iterated), or its slice
//! verbs as a second contender.

use rtrb::{Consumer, Producer, RingBuffer, chunks::ChunkError};

use super::{BatchRecv, BatchSend, Channel, Check, MAX_RUN, TryRecv, TrySend};

/// rtrb; runs travel in chunks.
#[derive(Debug)]
pub struct Rtrb;

impl<T: Send> Channel<T> for Rtrb {
    type Tx = Producer<T>;
    type Rx = Consumer<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        RingBuffer::new(capacity)
    }
}

impl<T> TrySend<T> for Producer<T> {
    #[inline]
    fn try_send(&mut self, value: T) -> bool {
        self.push(value).is_ok()
    }
}

impl<T> TryRecv<T> for Consumer<T> {
    #[inline]
    fn try_recv(&mut self) -> Option<T> {
        self.pop().ok()
    }
}

impl BatchSend for Producer<u64> {
    #[inline]
    fn send_run(&mut self, from: u64, n: usize) -> usize {
        match self.write_chunk_uninit(n) {
            Ok(chunk) => chunk.fill_from_iter(from..from + n as u64),
            Err(ChunkError::TooFewSlots(0)) => 0,
            Err(ChunkError::TooFewSlots(room)) => {
                self.write_chunk_uninit(room).map_or(0, |chunk| chunk.fill_from_iter(from..from + room as u64))
            }
        }
    }
}

impl BatchRecv for Consumer<u64> {
    #[inline]
    fn recv_run(&mut self, n: usize, check: &mut Check) -> usize {
        let n = match self.read_chunk(n) {
            Ok(_) => n,
            Err(ChunkError::TooFewSlots(ready)) => ready,
        };
        let Ok(chunk) = self.read_chunk(n) else { return 0 };
        let (first, second) = chunk.as_slices();
        check.see_all(first);
        check.see_all(second);
        chunk.commit_all();
        n
    }
}

/// rtrb; runs travel through `push_partial_slice` and `pop_partial_slice`.
#[derive(Debug)]
pub struct RtrbSlices;

/// A sending end with the buffer that its slices come from.
#[derive(Debug)]
pub struct SliceTx(Producer<u64>, [u64; MAX_RUN]);

/// A receiving end with the buffer that its slices land in.
#[derive(Debug)]
pub struct SliceRx(Consumer<u64>, [u64; MAX_RUN]);

impl Channel<u64> for RtrbSlices {
    type Tx = SliceTx;
    type Rx = SliceRx;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        let (tx, rx) = RingBuffer::new(capacity);
        (SliceTx(tx, [0; MAX_RUN]), SliceRx(rx, [0; MAX_RUN]))
    }
}

impl BatchSend for SliceTx {
    #[inline]
    fn send_run(&mut self, from: u64, n: usize) -> usize {
        let run = &mut self.1[..n];
        super::number(run, from);
        self.0.push_partial_slice(run).0.len()
    }
}

impl BatchRecv for SliceRx {
    #[inline]
    fn recv_run(&mut self, n: usize, check: &mut Check) -> usize {
        let (taken, _) = self.0.pop_partial_slice(&mut self.1[..n]);
        check.see_all(taken);
        taken.len()
    }
}
