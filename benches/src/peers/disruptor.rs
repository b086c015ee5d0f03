//! disruptor: a single producer, or one that is cloned for each sender, and an event poller, so that all ends run on the
//! workload's own threads. It has no verb that blocks: `publish` spins until there is room.

use disruptor::{
    BusySpin, EventPoller, MissingFreeSlots, MultiProducer, MultiProducerBarrier, Producer, SingleConsumerBarrier,
    SingleProducer, SingleProducerBarrier, build_multi_producer, build_single_producer,
};

use super::{BatchRecv, BatchSend, Channel, Check, Drain, Msg, TryRecv, TrySend};

/// `disruptor::build_single_producer` with one event poller.
#[derive(Debug)]
pub struct Disruptor;

/// The publishing end.
#[expect(missing_debug_implementations, reason = "the peer's ends have none")]
pub struct Tx<T>(SingleProducer<T, SingleConsumerBarrier>);

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

/// `disruptor::build_multi_producer` with one event poller.
#[derive(Debug)]
pub struct DisruptorMulti;

/// A publishing end of several.
#[expect(missing_debug_implementations, reason = "the peer's ends have none")]
#[derive(Clone)]
pub struct MultiTx<T>(MultiProducer<T, SingleConsumerBarrier>);

/// The polling end of several publishing ones.
#[expect(missing_debug_implementations, reason = "the peer's ends have none")]
pub struct MultiRx<T>(EventPoller<T, MultiProducerBarrier>);

impl<T: Msg + Sync> Channel<T> for DisruptorMulti {
    type Tx = MultiTx<T>;
    type Rx = MultiRx<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        let (poller, builder) = build_multi_producer(capacity, T::default, BusySpin).new_event_poller();
        (MultiTx(builder.build()), MultiRx(poller))
    }
}

impl<T: Msg> TrySend<T> for MultiTx<T> {
    #[inline]
    fn try_send(&mut self, value: T) -> bool {
        self.0.try_publish(|slot| *slot = value).is_ok()
    }
}

/// No `TryRecv`: before it hands out one event, `take(1)` looks for the end of all that are ready, slot by slot, which costs
/// hundreds of nanoseconds behind a full ring. Its documentation takes them all at once.
impl<T: Msg> Drain<T> for MultiRx<T> {
    #[inline]
    fn drain(&mut self, n: usize, mut each: impl FnMut(T)) -> usize {
        let Ok(mut events) = self.0.take(n as u64) else { return 0 };
        let mut taken = 0;
        for event in &mut events {
            each(*event);
            taken += 1;
        }
        taken
    }
}
