//! disruptor: a single producer and an event poller, so that both ends run on the workload's own threads.

use disruptor::{
    BusySpin, EventPoller, MissingFreeSlots, Producer, SingleProducer, SingleProducerBarrier, build_single_producer,
};

use super::{BatchRecv, BatchSend, Channel, Check, Msg, TryRecv, TrySend};

/// `disruptor::build_single_producer` with one event poller.
#[derive(Debug)]
pub struct Disruptor;

/// The publishing end.
#[expect(missing_debug_implementations, reason = "the peer's ends have none")]
pub struct Tx<T>(SingleProducer<T, disruptor::SingleConsumerBarrier>);

/// The polling end.
#[expect(missing_debug_implementations, reason = "the peer's ends have none")]
pub struct Rx<T>(EventPoller<T, SingleProducerBarrier>);

impl<T: Msg + Sync> Channel<T> for Disruptor {
    type Tx = Tx<T>;
    type Rx = Rx<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        let (poller, builder) = build_single_producer(capacity, T::default, BusySpin).new_event_poller();
        (Tx(builder.build()), Rx(poller))
    }
}

impl<T: Msg> TrySend<T> for Tx<T> {
    #[inline]
    fn try_send(&mut self, value: T) -> bool {
        self.0.try_publish(|slot| *slot = value).is_ok()
    }
}

impl<T: Msg> TryRecv<T> for Rx<T> {
    #[inline]
    fn try_recv(&mut self) -> Option<T> {
        let mut events = self.0.take(1).ok()?;
        (&mut events).next().copied()
    }
}

impl BatchSend for Tx<u64> {
    #[inline]
    fn send_run(&mut self, from: u64, n: usize) -> usize {
        let mut publish = |n| {
            self.0.try_batch_publish(n, |slots| {
                for (slot, seq) in slots.zip(from..) {
                    *slot = seq;
                }
            })
        };
        match publish(n) {
            Ok(_) => n,
            Err(MissingFreeSlots(missing)) => {
                let room = n - missing as usize;
                if room > 0 && publish(room).is_ok() { room } else { 0 }
            }
        }
    }
}

impl<T: Msg> BatchRecv for Rx<T> {
    #[inline]
    fn recv_run(&mut self, n: usize, check: &mut Check) -> usize {
        let Ok(mut events) = self.0.take(n as u64) else { return 0 };
        let before = check.seen();
        for event in &mut events {
            check.see(event.seq());
        }
        (check.seen() - before) as usize
    }
}
