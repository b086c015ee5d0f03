//! The sending side.

use crate::ring::stamped::Writer;
use crate::shm::error::OpenError;
use crate::shm::peer::session::{End, Session};
use crate::shm::ring::open::Opened;
use crate::shm::ring::stamped::{self, Stamped};
use crate::shm::schema::Message;
use crate::shm::segment::attach::RoleLock;
use crate::shm::segment::map::Map;
use crate::sync::Ordering;
use core::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// The sending side of a lossy channel. Dropping it closes it in order; a process that ends without is noticed by the kernel.
///
/// `Send`, not `Clone`. In a forked child it must not be used, and does nothing when dropped.
pub struct Sender<T: Message + Copy> {
    writer: Writer<T, Stamped>,
    map: Arc<Map>,
    /// Whether the session has ended.
    closed: bool,
    /// Whether it was opened while its thread panicked: then a panic is no reason to give up.
    in_panic: bool,
    /// Who opened it: a forked child has no part in it.
    pid: u32,
    /// Goes last, so that the next holder finds the session ended.
    _held: RoleLock,
}

impl<T: Message + Copy> Sender<T> {
    pub(super) fn begin(opened: Opened) -> Result<Self, OpenError> {
        let Opened { maps, layout, held, .. } = opened;
        let map = Arc::clone(&maps[0]);
        // What the last sender left is whole before this one's session begins: who sees that sees the numbers go on.
        let writer = stamped::writer(&held, &map, &layout).map_err(|_| OpenError::Corrupted)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
        let pid = std::process::id();
        // No receiver waits for a wake: none is registered for one, and none is given.
        map.producer().session.begin(writer.sent(), pid, now, || false, || writer.reopen(), |_| {});
        Ok(Self { writer, map, closed: false, in_panic: std::thread::panicking(), pid, _held: held })
    }

    /// Sends a message over the oldest one.
    ///
    /// Never waits and never fails, also if no receiver is there. Receivers that read the oldest message at this moment find that they are overrun.
    ///
    /// Wait-free; it has no locked instruction and makes no system call.
    #[inline(always)]
    pub fn send(&mut self, message: T) {
        self.writer.send(&message);
    }

    /// Sends a copy of a message, as [`Sender::send`]: from where it is straight to its place in the channel. For large ones.
    #[inline(always)]
    pub fn send_ref(&mut self, message: &T) {
        self.writer.send(message);
    }

    /// Sends all of `messages` in their order, as [`Sender::send`]. Of more than `capacity` messages the first ones are gone at the return.
    ///
    /// Receivers may see each of them at once.
    #[inline]
    pub fn send_slice(&mut self, messages: &[T]) {
        self.writer.send_slice(messages, || {});
    }

    /// Sends nothing more. Receivers get what is kept, and then `Disconnected`. Dropping does the same.
    pub fn close(mut self) {
        self.end(None);
    }

    /// Closes as [`Sender::close`] does, and says that not all was sent that was to be: receivers get
    /// [`Cause::GivenUp`](crate::shm::Cause::GivenUp). So do those whose sender is dropped by a panic.
    pub fn give_up(mut self) {
        self.end(Some(End::GivenUp));
    }

    /// Messages sent so far, under all who had this side: the number of the next one.
    pub fn sent(&self) -> u64 {
        self.writer.sent()
    }

    /// How many messages the channel keeps.
    pub fn capacity(&self) -> usize {
        self.writer.capacity() as usize
    }

    /// How often this side has been taken, this time included.
    pub fn epoch(&self) -> u64 {
        self.session().epoch.load(Ordering::Relaxed)
    }

    fn session(&self) -> &Session {
        &self.map.producer().session
    }

    /// Ends the session: in order, or by giving up if this thread panics, or as `how` says.
    fn end(&mut self, how: Option<End>) {
        if self.closed || self.pid != std::process::id() {
            return;
        }
        self.closed = true;
        let panics = !self.in_panic && std::thread::panicking();
        self.session().end(how.unwrap_or(if panics { End::GivenUp } else { End::Left }));
        self.writer.close();
    }
}

impl<T: Message + Copy> Drop for Sender<T> {
    fn drop(&mut self) {
        self.end(None);
    }
}

impl<T: Message + Copy> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("sent", &self.sent()).field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}
