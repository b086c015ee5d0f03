//! Many messages of a mapped ring at once, and those that are looked at before they are taken.

use crate::shm::ring::mapped::Fetched;
use crate::shm::ring::receiving_end::Rx;
use crate::sync::position::Position;
use zerocopy::{Immutable, TryFromBytes};

impl<T> Rx<T> {
    /// How many messages there are now, at most `max`, up to an end that is to be told.
    pub(crate) fn ready(&mut self, max: usize) -> usize {
        if self.finds() { self.ring.available(max as u64) as usize } else { 0 }
    }

    /// Takes the next `n` of the messages that were seen, and frees their places.
    pub(crate) fn pass(&mut self, n: usize) {
        if n != 0 {
            self.ring.pass(n as u64);
            self.free(n as u64);
        }
    }

    /// Hands what `read` finds to `f`, at most `max` times, then frees the places together. How often. If `f` panics, all stay.
    pub(crate) fn take_all<R>(
        &mut self,
        max: usize,
        mut read: impl FnMut(&mut Self) -> Option<R>,
        mut f: impl FnMut(R),
    ) -> usize {
        let mut taking = FreeOnDrop::new(self);
        let mut taken = 0;
        while taken < max {
            let Some(value) = read(taking.from) else { break };
            f(value);
            taken += 1;
        }
        taking.done = taken != 0;
        taken
    }
}

impl<T: TryFromBytes + Immutable> Rx<T> {
    /// A copy of the message `offset` places behind the next, which stays where it is; none if it was not seen, or is no message.
    pub(crate) fn copy(&mut self, offset: u64) -> Option<T> {
        match self.ring.copy(offset, &mut self.large[0].0) {
            Fetched::Message(message) => return Some(message.into_inner()),
            // One behind others is told when it is the next: those before it are messages.
            Fetched::NoMessage(_) if offset == 0 => self.poison(self.ring.position()),
            Fetched::NoMessage(_) | Fetched::Nothing(_) => {}
        }
        None
    }

    /// Moves up to `max` of the messages there are now to the end of `buffer`. Returns how many.
    pub(crate) fn move_into(&mut self, buffer: &mut Vec<T>, max: usize) -> usize {
        let n = self.ready(max);
        // May panic; nothing has moved yet.
        buffer.reserve(n);
        let mut moved = 0;
        while moved < n {
            if !self.ring.fetch_onto(buffer) {
                // It was seen, so it is no message.
                self.poison(self.ring.position());
                break;
            }
            moved += 1;
        }
        if moved != 0 {
            self.free(moved as u64);
        }
        moved
    }

    /// The same, each as `item` makes it.
    pub(crate) fn move_items<R>(&mut self, buffer: &mut Vec<R>, max: usize, item: impl Fn(T) -> R) -> usize {
        let n = self.ready(max);
        // May panic; nothing has moved yet.
        buffer.reserve(n);
        self.take_all(n, Self::read, |value| buffer.push(item(value)))
    }
}

/// Frees what was taken if all went well, else takes it back.
pub(crate) struct FreeOnDrop<'a, T> {
    pub(crate) from: &'a mut Rx<T>,
    began: Position,
    pub(crate) done: bool,
}

impl<'a, T> FreeOnDrop<'a, T> {
    pub(crate) fn new(from: &'a mut Rx<T>) -> Self {
        Self { began: from.ring.position(), from, done: false }
    }
}

impl<T> Drop for FreeOnDrop<'_, T> {
    fn drop(&mut self) {
        if self.done {
            let n = self.from.ring.position().since(self.began);
            self.from.free(n);
        } else {
            self.from.ring.rewind(self.began);
        }
    }
}
