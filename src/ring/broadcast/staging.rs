//! Values that the producer writes ahead, and publishes together.

use super::super::slot;
use super::producer::Producer;

/// Slots before the gate, which the producer alone writes as long as this is there.
pub(crate) struct Staging<'a, T> {
    producer: &'a mut Producer<T>,
    room: u64,
    /// How many of them hold a value, from `tail` on.
    staged: u64,
}

impl<'a, T> Staging<'a, T> {
    /// `room` slots, which [`Producer::room`] has just found.
    #[inline(always)]
    pub(crate) fn new(producer: &'a mut Producer<T>, room: u64) -> Self {
        let room = producer.known_room().min(room);
        Self { producer, room, staged: 0 }
    }

    #[inline(always)]
    pub(crate) fn room(&self) -> u64 {
        self.room
    }

    #[inline(always)]
    pub(crate) fn staged(&self) -> u64 {
        self.staged
    }

    /// Writes one value; returns it if all slots hold one. If the drop of an older value panics, the new one is dropped, and its slot stays empty.
    #[inline(always)]
    pub(crate) fn stage(&mut self, value: T) -> Result<(), T> {
        if self.staged == self.room {
            return Err(value);
        }
        let slot = self.producer.empty(self.producer.tail().plus(self.staged));
        // SAFETY: before the gate, so ours (B2), and empty: values behind `staged` were taken out again.
        unsafe { slot::write(slot, value) };
        self.staged += 1;
        Ok(())
    }

    /// Writes values until the iterator or the room ends. Returns how many. A value is taken out of the iterator only once its slot is empty.
    #[inline(always)]
    pub(crate) fn stage_iter(&mut self, values: &mut impl Iterator<Item = T>) -> u64 {
        let before = self.staged;
        while self.staged < self.room {
            let slot = self.producer.empty(self.producer.tail().plus(self.staged));
            let Some(value) = values.next() else { break };
            // SAFETY: as in `stage`.
            unsafe { slot::write(slot, value) };
            self.staged += 1;
        }
        self.staged - before
    }

    /// Publishes what was written, and ends it. Returns how many.
    #[inline(always)]
    pub(crate) fn publish(mut self) -> u64 {
        let n = core::mem::take(&mut self.staged);
        if n != 0 {
            self.producer.publish(n);
        }
        n
    }
}

impl<T> Drop for Staging<'_, T> {
    /// Drops what was written.
    #[inline]
    fn drop(&mut self) {
        struct Rest<'a, T>(&'a mut Producer<T>, u64, u64);
        impl<T> Rest<'_, T> {
            fn run(&mut self) {
                while self.1 != self.2 {
                    let slot = self.0.slot(self.0.tail().plus(self.1));
                    // First: if the drop panics, this value is not dropped again.
                    self.1 += 1;
                    // SAFETY: ours (B2), and it holds a value that we wrote: nothing was published since.
                    unsafe { slot::discard(slot) };
                }
            }
        }
        impl<T> Drop for Rest<'_, T> {
            fn drop(&mut self) {
                self.run();
            }
        }
        Rest(self.producer, 0, self.staged).run();
    }
}
