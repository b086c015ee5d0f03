//! One sender, one receiver, each in a process of its own or both in one.

use crate::ring::layout::Stats;
use crate::shm::builder::{Channel, Messages, One, parts};
use crate::shm::chunk::ReadChunk;
use crate::shm::error::{Cause, OpenError, RecvError, RecvTimeoutError, TryRecvError, without_deadline};
use crate::shm::iter::iterates;
use crate::shm::peer::session::End;
use crate::shm::peer::session::Peer;
use crate::shm::ring::mapped::MessageBytes;
use crate::shm::ring::open::SessionInfo;
use crate::shm::ring::receiving_end::{LARGE, Rx};
use crate::shm::schema::{Message, Schema};
use crate::shm::segment::layout::{Kind, Layout};
pub use crate::shm::sender::Sender;
use crate::wait::{Deadline, WaitStrategy};
use core::fmt;
use core::mem::MaybeUninit;
use core::time::Duration;
use std::time::Instant;

/// Capacity by default.
pub(crate) const CAPACITY: usize = 1024;

/// Opens the sides of a channel of messages `T`.
pub type Builder<T> = super::builder::Builder<Messages<T>, One>;

impl<T: Message> Channel for (Messages<T>, One) {
    type Sender = Sender<T>;
    type Receiver = Receiver<T>;

    const KIND: Kind = Kind::Spsc;
    const SCHEMA: Schema = T::SCHEMA;
    const CAPACITY: usize = CAPACITY;

    fn lane(capacity: usize) -> Result<parts::Lane, OpenError> {
        layout_of::<T>(Self::KIND, capacity).map(parts::Lane)
    }

    fn sender(
        parts::OpenedRole(opened): parts::OpenedRole,
        wait: WaitStrategy,
        _version: u32,
    ) -> Result<Sender<T>, OpenError> {
        Ok(Sender::begin(opened, wait))
    }

    fn receiver(parts::OpenedRole(opened): parts::OpenedRole, wait: WaitStrategy) -> Result<Receiver<T>, OpenError> {
        Ok(Receiver { rx: Rx::begin(opened, wait)? })
    }
}

/// Of a lane of so many messages.
pub(crate) fn layout_of<T: Message>(kind: Kind, messages: usize) -> Result<Layout, OpenError> {
    const {
        assert!(align_of::<MessageBytes<T>>() <= 4096, "a message cannot ask for more than a page's alignment");
        assert!(size_of::<T>() > 0, "a message of no bytes says nothing");
    }
    let (size, stride, align) = (size_of::<T>(), size_of::<MessageBytes<T>>(), align_of::<MessageBytes<T>>());
    Ok(Layout::new(kind, messages, size, stride, align)?)
}

/// The receiving side. Dropping it closes the channel in order; what it has not received stays for the next receiver. Or a receiver of a
/// [`broadcast`](crate::shm::broadcast): dropping it gives its seat up, unless that is reserved.
///
/// `Send`, not `Clone`. In a forked child it must not be used, and does nothing.
pub struct Receiver<T: Message> {
    pub(crate) rx: Rx<T>,
}

impl<T: Message> Receiver<T> {
    /// Takes the next message if there is one now. Wait-free; waits eight spin hints where messages come close to each other, as
    /// [`Receiver::try_recv`](crate::Receiver::try_recv) of one process does.
    ///
    /// Does not ask the kernel whether the sender lives: [`Receiver::peer`] and the verbs that wait do. A message counts as
    /// received once this has returned it: at most once, should this process be killed.
    ///
    /// # Errors
    /// `Empty`, or `Disconnected` with the cause once nothing is left.
    #[inline(always)]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError<Cause>> {
        loop {
            if let Some(value) = self.rx.take() {
                return Ok(value);
            }
            if self.rx.is_quiet() {
                return Err(TryRecvError::Empty);
            }
            // As in `wait_and_take`.
            self.rx.try_find_on()?;
        }
    }

    /// Takes the next message, waiting for one if need be; also for a sender that was never there.
    ///
    /// # Errors
    /// `Disconnected` with the cause once nothing is left.
    #[inline(always)]
    pub fn recv(&mut self) -> Result<T, RecvError<Cause>> {
        self.recv_until(|| Deadline::NEVER).map_err(without_deadline)
    }

    /// Takes the next message, waiting for at most `timeout`.
    ///
    /// # Errors
    /// No message in time, or `Disconnected` with the cause once nothing is left.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, RecvTimeoutError<Cause>> {
        self.recv_until(|| Deadline::after(Some(timeout)))
    }

    /// Takes the next message, waiting until `deadline`.
    ///
    /// # Errors
    /// No message in time, or `Disconnected` with the cause once nothing is left.
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<T, RecvTimeoutError<Cause>> {
        self.recv_until(|| Deadline::at(deadline))
    }

    /// Takes the next message if there is one now, straight to `place`, and lends it there. Wait-free.
    ///
    /// For large messages: one that is returned by value is copied twice. A message counts as received once this has returned: at most once.
    ///
    /// # Errors
    /// As [`Receiver::try_recv`]; `place` may have been written to.
    ///
    /// ```
    /// # use ringmail::shm::spsc::Builder;
    /// # use std::mem::MaybeUninit;
    /// # let channel = Builder::<u64>::create_anonymous(1)?;
    /// # let mut tx = Builder::<u64>::from_fd(&channel).open_sender()?;
    /// # let mut rx = Builder::<u64>::from_fd(&channel).open_receiver()?;
    /// tx.send(7)?;
    /// let mut place = MaybeUninit::uninit();
    /// assert_eq!(rx.try_recv_into(&mut place), Ok(&mut 7));
    /// assert!(rx.try_recv_into(&mut place).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn try_recv_into<'a>(&mut self, place: &'a mut MaybeUninit<T>) -> Result<&'a mut T, TryRecvError<Cause>> {
        self.rx.try_find()?;
        self.rx.take_into(place).map_err(|_| TryRecvError::Disconnected(Cause::Corrupted))
    }

    /// Takes the next message to `place`, as [`Receiver::try_recv_into`] does, waiting for one if need be.
    ///
    /// # Errors
    /// As [`Receiver::recv`]; `place` may have been written to.
    #[inline(always)]
    pub fn recv_into<'a>(&mut self, place: &'a mut MaybeUninit<T>) -> Result<&'a mut T, RecvError<Cause>> {
        self.recv_into_until(place, || Deadline::NEVER).map_err(without_deadline)
    }

    /// Takes the next message to `place`, as [`Receiver::try_recv_into`] does, waiting for at most `timeout`.
    ///
    /// # Errors
    /// As [`Receiver::recv_timeout`]; `place` may have been written to.
    pub fn recv_timeout_into<'a>(
        &mut self,
        place: &'a mut MaybeUninit<T>,
        timeout: Duration,
    ) -> Result<&'a mut T, RecvTimeoutError<Cause>> {
        self.recv_into_until(place, || Deadline::after(Some(timeout)))
    }

    /// Lends the next message to `f` where it lies, without a copy, if there is one now, and frees its place when `f` has returned: should this
    /// process be killed meanwhile, or `f` panic, the next receive gets the message again. At least once.
    ///
    /// # Errors
    /// As [`Receiver::try_recv`].
    ///
    /// # Safety
    /// The sender's process keeps to the protocol of this crate, as code of one's own does: it writes to no message that it has sent. For all others,
    /// [`Receiver::try_recv_into`] copies first.
    ///
    /// ```
    /// # use ringmail::shm::spsc::Builder;
    /// # let channel = Builder::<u64>::create_anonymous(1)?;
    /// # let mut tx = Builder::<u64>::from_fd(&channel).open_sender()?;
    /// # let mut rx = Builder::<u64>::from_fd(&channel).open_receiver()?;
    /// tx.send(7)?;
    /// // SAFETY: the sender is of this very process, and of this crate.
    /// let double = unsafe { rx.try_recv_in_place(|message| 2 * message) }?;
    /// assert_eq!(double, 14);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    #[allow(unsafe_code, reason = "passes the caller's promise on to the ring")]
    pub unsafe fn try_recv_in_place<R>(&mut self, f: impl FnOnce(&T) -> R) -> Result<R, TryRecvError<Cause>> {
        self.rx.try_find()?;
        // SAFETY: as the caller promises.
        unsafe { self.rx.take_in_place(f) }.ok_or(TryRecvError::Disconnected(Cause::Corrupted))
    }

    /// Lends a copy of the next message to `f`, and frees its place when `f` has returned: should this process be killed meanwhile, or `f` panic,
    /// the next receive gets the message again. At least once.
    ///
    /// # Errors
    /// As [`Receiver::try_recv`].
    pub fn try_recv_with<R>(&mut self, f: impl FnOnce(&T) -> R) -> Result<R, TryRecvError<Cause>> {
        let Some(value) = self.peek() else { return Err(nothing(&mut self.rx)) };
        let done = f(&value);
        self.rx.pass(1);
        Ok(done)
    }

    /// A copy of the next message, which stays where it is and is taken by the next verb that receives; `None` if there is none now, or an end is to
    /// be told first: [`Receiver::try_recv`] says which. Tells no end.
    pub fn peek(&mut self) -> Option<T> {
        if self.rx.finds() { self.rx.copy(0) } else { None }
    }

    /// Copies of up to `n` of the next messages, at least one unless `n` is 0, whose places stay occupied until [`ReadChunk::commit`]; none from
    /// behind an end that is to be told. Dropped, or should this process be killed, all of them come again. At least once.
    ///
    /// # Errors
    /// As [`Receiver::try_recv`].
    ///
    /// ```
    /// # use ringmail::shm::spsc::Builder;
    /// # let channel = Builder::<u64>::create_anonymous(8)?;
    /// # let mut tx = Builder::<u64>::from_fd(&channel).open_sender()?;
    /// # let mut rx = Builder::<u64>::from_fd(&channel).open_receiver()?;
    /// tx.send_slice(&[1, 2, 3]).expect("an empty channel has room");
    /// let mut chunk = rx.read_chunk(2)?;
    /// assert!(chunk.iter().eq([1, 2]));
    /// chunk.commit(1);
    /// assert_eq!(rx.try_recv(), Ok(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_chunk(&mut self, n: usize) -> Result<ReadChunk<'_, T>, TryRecvError<Cause>> {
        match self.rx.ready(n) {
            0 if n != 0 => Err(nothing(&mut self.rx)),
            n => Ok(ReadChunk::new(&mut self.rx, n, 0, None)),
        }
    }

    /// Moves up to `max` of the messages there are now to the end of `buffer`, and frees their places together. Returns how many, at least one
    /// unless `max` is 0. They count as received once this has returned: at most once.
    ///
    /// # Errors
    /// As [`Receiver::try_recv`]; an end only where no message is before it.
    pub fn try_recv_many(&mut self, buffer: &mut Vec<T>, max: usize) -> Result<usize, TryRecvError<Cause>> {
        match self.rx.move_into(buffer, max) {
            0 if max != 0 => Err(nothing(&mut self.rx)),
            n => Ok(n),
        }
    }

    /// Waits for a message, then moves up to `max` of those there to the end of `buffer`, as [`Receiver::try_recv_many`] does.
    ///
    /// # Errors
    /// As [`Receiver::recv`]; an end only where no message is before it.
    pub fn recv_many(&mut self, buffer: &mut Vec<T>, max: usize) -> Result<usize, RecvError<Cause>> {
        loop {
            match self.try_recv_many(buffer, max) {
                Ok(n) => return Ok(n),
                Err(TryRecvError::Disconnected(ended)) => return Err(RecvError(ended)),
                Err(TryRecvError::Empty) => {
                    self.rx.wait_for_message(Deadline::NEVER).map_err(without_deadline)?;
                }
            }
        }
    }

    /// Hands up to `max` of the messages there are now to `f`, then frees their places together. Returns how many. Should this
    /// process be killed meanwhile, or `f` panic, all of them come again. 0 also where an end is to be told first: it tells none,
    /// [`Receiver::try_recv`] does.
    pub fn drain(&mut self, max: usize, f: impl FnMut(T)) -> usize {
        let there = self.rx.ready(max);
        self.rx.take_all(there, Rx::read, f)
    }

    /// Changes how this side waits.
    pub fn set_wait(&mut self, strategy: WaitStrategy) {
        self.rx.set_wait(strategy);
    }

    /// Accepts nothing more: the sender's next send fails. What is in the channel stays there for the next receiver. Dropping does the same.
    pub fn close(&mut self) {
        self.rx.close(None);
    }

    /// Closes as [`Receiver::close`] does, and says that not all was done that was to be: the sender gets [`Cause::GivenUp`]. So does one whose
    /// receiver is dropped by a panic.
    pub fn give_up(&mut self) {
        self.rx.close(Some(End::GivenUp));
    }

    /// The session of the sender that the last message came from, or whose end was told last; `None` before.
    pub fn session(&self) -> Option<SessionInfo> {
        self.rx.session()
    }

    /// What the kernel says of the sender. A system call.
    pub fn peer(&self) -> Peer {
        self.rx.peer()
    }

    /// Waits until a process has the sending side, at most for `timeout`. Returns whether one has.
    pub fn wait_for_peer(&mut self, timeout: Duration) -> bool {
        self.rx.wait_for_peer(timeout)
    }

    /// Messages that were sent and that this receiver has not taken. The sender may add some at any time. As [`Receiver::len`].
    pub fn lag(&self) -> u64 {
        self.len() as u64
    }

    /// The seat, of a [`broadcast`](crate::shm::broadcast); 0 of a channel with one receiver.
    pub fn seat(&self) -> usize {
        self.rx.lane()
    }

    /// The name of the seat, if it is a reserved one of a [`broadcast`](crate::shm::broadcast).
    pub fn seat_name(&self) -> Option<String> {
        self.rx.seat_name()
    }

    /// Messages in the channel. The sender may add some at any time.
    pub fn len(&self) -> usize {
        self.rx.ring.len()
    }

    /// Whether there was no message a moment ago.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there was no room a moment ago. A full channel stays full until this handle receives.
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Whether this side has closed, or the sender has closed or given up and none has come since; also once the other side has written what cannot be.
    /// Messages, and an end to be told, may still be there to receive, and another sender may come. A sender that was killed has not closed:
    /// [`Receiver::peer`] asks the kernel.
    pub fn is_closed(&self) -> bool {
        self.rx.is_over()
    }

    /// Most messages that the channel holds.
    pub fn capacity(&self) -> usize {
        self.rx.ring.capacity()
    }

    /// What the channel has done since it was made, under all who had its sides.
    pub fn stats(&self) -> Stats {
        self.rx.stats()
    }

    #[inline(always)]
    fn recv_into_until<'a>(
        &mut self,
        place: &'a mut MaybeUninit<T>,
        deadline: impl FnOnce() -> Deadline,
    ) -> Result<&'a mut T, RecvTimeoutError<Cause>> {
        self.rx.find(deadline)?;
        self.rx.take_into(place).map_err(|_| RecvTimeoutError::Disconnected(Cause::Corrupted))
    }

    #[inline(always)]
    fn recv_until(&mut self, deadline: impl FnOnce() -> Deadline) -> Result<T, RecvTimeoutError<Cause>> {
        match self.rx.take() {
            Some(value) => Ok(value),
            // Here, as the answer of a function is one more copy.
            None if const { size_of::<T>() >= LARGE } => self.wait_and_take(deadline()),
            None => self.recv_later(deadline()),
        }
    }

    #[cold]
    #[inline(never)]
    fn recv_later(&mut self, deadline: Deadline) -> Result<T, RecvTimeoutError<Cause>> {
        self.wait_and_take(deadline)
    }

    #[inline(always)]
    fn wait_and_take(&mut self, deadline: Deadline) -> Result<T, RecvTimeoutError<Cause>> {
        loop {
            self.rx.find_later(deadline)?;
            // Should it be no message, the next turn says so.
            if let Some(value) = self.rx.take() {
                return Ok(value);
            }
        }
    }
}

iterates! {
    [T: Message] Receiver<T>, T, RecvError<Cause>,
    Receiver::recv,
    |this: &mut Self| if this.rx.finds() { this.rx.take() } else { None },
}

/// Why a verb that takes no step across sessions by itself found nothing.
fn nothing<T>(rx: &mut Rx<T>) -> TryRecvError<Cause> {
    rx.nothing().map_or(TryRecvError::Empty, TryRecvError::Disconnected)
}

impl<T: Message> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("len", &self.len()).field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}
