//! The sending half.

use super::{Message, Receiver, Resume};
use crate::ring::stamped::{Heap, Writer};
use crate::wait::EventCount;
#[cfg(feature = "std")]
use crate::wait::{WaitStrategy, Waiter, WaiterGroup};
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

/// The sending half of a lossy channel. Dropping it ends the channel: receivers get what is kept, then `Disconnected`.
pub struct Sender<T> {
    pub(super) writer: Writer<T, Heap>,
    pub(super) event: EventCount,
    #[cfg(feature = "std")]
    pub(super) group: WaiterGroup,
    #[cfg(feature = "std")]
    pub(super) wait: WaitStrategy,
    pub(super) resume: Resume,
}

impl<T: Message> Sender<T> {
    /// Sends a message over the oldest one.
    ///
    /// Never waits and never fails, also if no receiver is there. Receivers that read the oldest message at this moment find that they are overrun.
    ///
    /// Wait-free; it has no locked instruction. If receivers sleep, it wakes all of them: a system call for each thread. A waker that panics unwinds
    /// it after all of them are woken; the message is sent.
    #[inline(always)]
    pub fn send(&mut self, message: T) {
        self.writer.send(&message);
        self.notify();
    }

    /// Sends all of `messages` in their order, as [`Sender::send`]. Of more than `capacity` messages the first ones are gone at the return.
    ///
    /// Receivers may see each of them at once; those that sleep are woken after each 32. If a waker panics, those sent so far are sent, which
    /// [`Sender::sent`] tells, and the rest is not.
    #[inline]
    pub fn send_slice(&mut self, messages: &[T]) {
        let event = &self.event;
        self.writer.send_slice(messages, || {
            if event.has_waiter() {
                event.notify_slow();
            }
        });
    }

    /// A receiver of what is sent from now on. [`Receiver::latest`] gives it what was sent before.
    ///
    /// Allocates; without memory the process ends.
    #[cfg(feature = "std")]
    pub fn subscribe(&self) -> Receiver<T> {
        let seated = self.group.seat().and_then(|seat| {
            let waiter = Waiter::try_new(self.event.clone(), self.wait)?;
            Ok(waiter.seated(seat))
        });
        Receiver { reader: self.writer.reader(), resume: self.resume, waiter: super::receiver::or_end(seated) }
    }

    /// A receiver of what is sent from now on. [`Receiver::latest`] gives it what was sent before.
    #[cfg(not(feature = "std"))]
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver { reader: self.writer.reader(), resume: self.resume }
    }
}

impl<T> Sender<T> {
    /// Messages sent so far: the number of the next one.
    pub fn sent(&self) -> u64 {
        self.writer.sent()
    }

    /// How many messages the channel keeps.
    pub fn capacity(&self) -> usize {
        self.writer.capacity() as usize
    }

    #[inline(always)]
    fn notify(&self) {
        if self.event.has_waiter() {
            self.event.notify_slow();
        }
    }
}

// A panic of the user's code, in a waker, leaves the channel usable.
impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.writer.close();
        self.notify();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("sent", &self.sent()).field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}
