//! A worker.

use crate::ring::layout::Stats;
use crate::shm::error::{Cause, OpenError, RecvError, RecvTimeoutError, TryRecvError, without_deadline};
use crate::shm::iter::iterates;
use crate::shm::peer::session::{End, Peer};
use crate::shm::ring::open::{Opened, SessionInfo};
use crate::shm::ring::worker::Worker;
use crate::shm::schema::Message;
use crate::wait::{Deadline, WaitStrategy};
use core::fmt;
use core::time::Duration;
use std::time::Instant;

/// A worker: the only one that reads its lane. Dropping it leaves what it has not received to the other workers.
///
/// `Send`, not `Clone`. In a forked child it must not be used, and does nothing.
pub struct Receiver<T: Message> {
    worker: Worker<T>,
}

impl<T: Message> Receiver<T> {
    pub(super) fn begin(opened: Opened, wait: WaitStrategy) -> Result<Self, OpenError> {
        Ok(Self { worker: Worker::begin(opened, wait)? })
    }

    /// Takes the next message if there is one now: of this worker's lane, or one that another worker has left.
    ///
    /// A message counts as received once this has returned it: at most once, should this process be killed.
    ///
    /// Wait-free where its lane has one. Where nothing is found, one look in 64 is at the words of the other lanes, and one in 4096 asks the kernel about their
    /// workers and the sender: the steps are bounded by the number of lanes.
    ///
    /// # Errors
    /// `Empty`, or `Disconnected` with the cause, once for each session of the sender that is over: see [the module](super#the-senders-end).
    #[inline]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError<Cause>> {
        self.worker.try_by(|from| from.take())
    }

    /// As [`Receiver::try_recv`], waiting for a message if need be; also for a sender.
    ///
    /// # Errors
    /// `Disconnected` with the cause, as there.
    #[inline]
    pub fn recv(&mut self) -> Result<T, RecvError<Cause>> {
        self.worker.wait_by(|from| from.take(), || Deadline::NEVER).map_err(without_deadline)
    }

    /// As [`Receiver::recv`], waiting for at most `timeout`.
    ///
    /// # Errors
    /// No message in time, or as there.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, RecvTimeoutError<Cause>> {
        self.worker.wait_by(|from| from.take(), || Deadline::after(Some(timeout)))
    }

    /// As [`Receiver::recv`], waiting until `deadline`.
    ///
    /// # Errors
    /// No message in time, or as there.
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<T, RecvTimeoutError<Cause>> {
        self.worker.wait_by(|from| from.take(), || Deadline::at(deadline))
    }

    /// Lends a copy of the next message to `f` if there is one now, and frees its place when `f` has returned: should this process be killed meanwhile, or `f`
    /// panic, the message comes again, to this worker or to another. At least once.
    ///
    /// While `f` has a message that another worker left, no worker can take the lane of that one.
    ///
    /// # Errors
    /// As [`Receiver::try_recv`]; `f` was not called.
    pub fn try_recv_with<R>(&mut self, f: impl FnOnce(&T) -> R) -> Result<R, TryRecvError<Cause>> {
        let mut f = Some(f);
        self.worker.try_by(|from| from.take_with(|message| f.take().map(|f| f(message))).flatten())
    }

    /// As [`Receiver::try_recv_with`], waiting for a message if need be.
    ///
    /// ```
    /// # use ringmail::shm::fan_out::Builder;
    /// # let channel = Builder::<u64>::create_anonymous(1, 4)?;
    /// # let mut tx = Builder::<u64>::from_fd(&channel).open_sender()?;
    /// # let mut rx = Builder::<u64>::from_fd(&channel).open_receiver()?;
    /// tx.send(7)?;
    /// assert_eq!(rx.recv_with(|job| job * 2)?, 14);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Receiver::recv`]; `f` was not called.
    pub fn recv_with<R>(&mut self, f: impl FnOnce(&T) -> R) -> Result<R, RecvError<Cause>> {
        let mut f = Some(f);
        let taken = self
            .worker
            .wait_by(|from| from.take_with(|message| f.take().map(|f| f(message))).flatten(), || Deadline::NEVER);
        taken.map_err(without_deadline)
    }

    /// Hands up to `max` messages that are there now to `f`, all of one lane, then frees their places together. Returns how many. Should this process be
    /// killed meanwhile, or `f` panic, all of them come again, to this worker or to others. 0 also where an end is to be told: it tells none,
    /// [`Receiver::try_recv`] does.
    pub fn drain(&mut self, max: usize, mut f: impl FnMut(T)) -> usize {
        if max == 0 { 0 } else { self.worker.find_by(|from| from.drain(max, &mut f)).unwrap_or(0) }
    }

    /// Changes how this side waits.
    pub fn set_wait(&mut self, strategy: WaitStrategy) {
        self.worker.set_wait(strategy);
    }

    /// Leaves: receives nothing more, and gives the lane back. What it has not received goes to the other workers. Dropping does the same.
    pub fn close(&mut self) {
        self.worker.close(None);
    }

    /// Leaves as [`Receiver::close`] does, and says that it has given up; the channel keeps that in its table of sessions. So does one that is dropped by a panic.
    pub fn give_up(&mut self) {
        self.worker.close(Some(End::GivenUp));
    }

    /// The session of the sender that the last message of this lane came from, or whose end was told last; `None` before.
    pub fn session(&self) -> Option<SessionInfo> {
        self.worker.rx.session()
    }

    /// What the kernel says of the sender. A system call.
    pub fn peer(&self) -> Peer {
        self.worker.rx.peer()
    }

    /// Waits until a process has the sending side, at most for `timeout`. Returns whether one has.
    pub fn wait_for_peer(&mut self, timeout: Duration) -> bool {
        self.worker.rx.wait_for_peer(timeout)
    }

    /// Which lane this worker has.
    pub fn lane(&self) -> usize {
        self.worker.lane()
    }

    /// Lanes of the channel, used or not.
    pub fn lanes(&self) -> usize {
        self.worker.lane_count()
    }

    /// Messages in this worker's lane. The sender may add some at any time, and there may be some in lanes of workers that have left.
    pub fn len(&self) -> usize {
        self.worker.rx.ring.len()
    }

    /// Whether there was no message in its lane a moment ago.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether this side has closed, or the sender has closed or given up and none has come since; also once the other side has written what cannot be.
    /// Messages, and an end to be told, may still be there to receive.
    pub fn is_closed(&self) -> bool {
        self.worker.rx.is_over()
    }

    /// Most messages that its lane holds.
    pub fn capacity(&self) -> usize {
        self.worker.rx.ring.capacity()
    }

    /// What this worker's lane has done since the channel was made, under all who had its sides.
    pub fn stats(&self) -> Stats {
        self.worker.rx.stats()
    }
}

iterates! {
    [T: Message] Receiver<T>, T, RecvError<Cause>,
    Receiver::recv,
    |this: &mut Self| this.worker.find_by(|from| from.take()),
}

impl<T: Message> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("lane", &self.lane()).field("len", &self.len()).finish_non_exhaustive()
    }
}
