//! Many senders, one receiver, each in a process of its own; a lane for each sender.
//!
//! ```
//! use ringmail::shm::fan_in::Builder;
//! # let name = format!("doc-fan-in-{}", std::process::id());
//! let mut rx = Builder::<u64>::new(&name).lanes(8).capacity(64).open_receiver()?;
//! // In other processes, up to eight at a time:
//! let mut one = Builder::<u64>::new(&name).open_sender()?;
//! let mut two = Builder::<u64>::new(&name).open_sender()?;
//! one.send(1)?;
//! two.send(2)?;
//! assert_eq!(rx.recv_from(), Ok((one.lane(), 1)));
//! assert_eq!(rx.recv_from(), Ok((two.lane(), 2)));
//! # drop((one, two, rx));
//! # assert!(Builder::<u64>::new(&name).remove()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A lane is the ring of [`spsc`](super::spsc), with its pages, its words and its promises; a lane's sender is that channel's. A message is
//! invisible until its lane's position moves, so no side ever waits for a sender that was killed or stopped in the middle of one. Senders
//! touch no common word, and none of them can hold up another.
//!
//! **Lanes.** Their number is fixed when the channel is made. [`Builder::open_sender`] takes the first free one; what an earlier sender
//! left there is received first. It passes by a lane that a sender has damaged, and one that the receiver has closed unless that is the last.
//!
//! **Order.** First in, first out for each lane. The receiver takes up to 64 messages from a lane, then goes on to the next lane that has
//! any; of those that one `drain` takes together, all count.
//!
//! **Ends.** Each session of a lane's sender is told once when it is over and all of it was received, in order or not, as [`Disconnected::Sender`]
//! with its lane, its number there, its process, how many messages were sent on the lane by then, and how it ended; the other lanes go on. When
//! none is left, [`Disconnected::All`] says so, once. A sender that opens a lane later is received. One that writes what cannot be is told
//! likewise, and its lane is closed.
//!
//! **Sleep.** The receiver sleeps on the positions of all lanes at once (`futex_waitv`, Linux 5.16); on older kernels, or where a filter
//! forbids the call, it looks every millisecond.

use crate::ring::layout::Stats;
use crate::shm::builder::{Channel, Many, Messages, parts};
use crate::shm::chunk::ReadChunk;
use crate::shm::error::{OpenError, RecvError, RecvTimeoutError, TryRecvError, without_deadline};
use crate::shm::iter::iterates;
use crate::shm::peer::session::{End, Peer};
use crate::shm::ring::lanes::Lanes;
pub use crate::shm::ring::lanes::{Departed, Disconnected};
use crate::shm::ring::open::SessionInfo;
use crate::shm::ring::receiving_end::{LARGE, Rx};
use crate::shm::schema::{Message, Schema};
use crate::shm::segment::layout::Kind;
pub use crate::shm::spsc::Sender;
use crate::shm::spsc::{CAPACITY, layout_of};
use crate::wait::{Deadline, WaitStrategy};
use core::fmt;
use core::mem::MaybeUninit;
use core::time::Duration;
use std::time::Instant;

/// Opens the sides of a channel of messages `T` with many senders.
pub type Builder<T> = super::builder::Builder<Messages<T>, Many>;

impl<T: Message> Channel for (Messages<T>, Many) {
    type Sender = Sender<T>;
    type Receiver = Receiver<T>;

    const KIND: Kind = Kind::FanIn;
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
        Ok(Receiver { lanes: Lanes::begin(opened, wait)?, last: None })
    }
}

/// The receiving side. Dropping it closes all lanes in order; what it has not received stays for the next receiver.
///
/// `Send`, not `Clone`. In a forked child it must not be used, and does nothing.
pub struct Receiver<T: Message> {
    pub(crate) lanes: Lanes<T>,
    last: Option<usize>,
}

impl<T: Message> Receiver<T> {
    /// Takes the next message if there is one now, with its lane. A number of steps that is bounded by that of the lanes.
    ///
    /// LivenessChecks the kernel whether senders live only now and then: at the end of a lane's turn, or where nothing is found, one time in 4096. Else
    /// [`Receiver::peer`] and the verbs that wait do. A message counts as received once this has returned it: at most once, should this
    /// process be killed.
    ///
    /// # Errors
    /// `Empty`, or `Disconnected`: once for each session of a sender that is over, and once where all have ended.
    #[inline]
    pub fn try_recv_from(&mut self) -> Result<(usize, T), TryRecvError<Disconnected>> {
        self.take_by(Lanes::try_next)
    }

    /// As [`Receiver::try_recv_from`], the message alone.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError<Disconnected>> {
        self.try_recv_from().map(|(_, value)| value)
    }

    /// Takes the next message, with its lane, waiting for one if need be; also for senders where there was never one.
    ///
    /// While it waits, a sender's death is noticed within 100 ms; where there is always something and it need not, after at most 4096 turns
    /// of other lanes.
    ///
    /// # Errors
    /// `Disconnected`, once for each session of a sender that is over, and once where all have ended and nothing is left.
    #[inline]
    pub fn recv_from(&mut self) -> Result<(usize, T), RecvError<Disconnected>> {
        self.take_by(|lanes| lanes.find(|| Deadline::NEVER)).map_err(without_deadline)
    }

    /// As [`Receiver::recv_from`], the message alone.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn recv(&mut self) -> Result<T, RecvError<Disconnected>> {
        self.recv_from().map(|(_, value)| value)
    }

    /// As [`Receiver::recv_from`], waiting for at most `timeout`.
    ///
    /// # Errors
    /// As there, or no message in time.
    pub fn recv_timeout_from(&mut self, timeout: Duration) -> Result<(usize, T), RecvTimeoutError<Disconnected>> {
        self.take_by(|lanes| lanes.find(|| Deadline::after(Some(timeout))))
    }

    /// As [`Receiver::recv`], waiting for at most `timeout`.
    ///
    /// # Errors
    /// As there, or no message in time.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, RecvTimeoutError<Disconnected>> {
        self.recv_timeout_from(timeout).map(|(_, value)| value)
    }

    /// As [`Receiver::recv`], waiting until `deadline`.
    ///
    /// # Errors
    /// As there, or no message in time.
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<T, RecvTimeoutError<Disconnected>> {
        self.take_by(|lanes| lanes.find(|| Deadline::at(deadline))).map(|(_, value)| value)
    }

    /// As [`Receiver::recv_from`], waiting until `deadline`.
    ///
    /// # Errors
    /// As there, or no message in time.
    pub fn recv_from_deadline(&mut self, deadline: Instant) -> Result<(usize, T), RecvTimeoutError<Disconnected>> {
        self.take_by(|lanes| lanes.find(|| Deadline::at(deadline)))
    }

    /// Takes the next message if there is one now, with its lane, straight to `place`, and lends it there: see
    /// [`spsc::Receiver::try_recv_into`](super::spsc::Receiver::try_recv_into).
    ///
    /// # Errors
    /// As [`Receiver::try_recv_from`]; `place` may have been written to.
    ///
    /// ```
    /// # use ringmail::shm::fan_in::Builder;
    /// # use std::mem::MaybeUninit;
    /// # let channel = Builder::<u64>::create_anonymous(1, 1)?;
    /// # let mut rx = Builder::<u64>::from_fd(&channel).open_receiver()?;
    /// # let mut tx = Builder::<u64>::from_fd(&channel).open_sender()?;
    /// tx.send_ref(&7)?;
    /// let mut place = MaybeUninit::uninit();
    /// assert_eq!(rx.try_recv_into(&mut place), Ok((tx.lane(), &mut 7)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn try_recv_into<'a>(
        &mut self,
        place: &'a mut MaybeUninit<T>,
    ) -> Result<(usize, &'a mut T), TryRecvError<Disconnected>> {
        self.take_into(place, Lanes::try_next)
    }

    /// As [`Receiver::try_recv_into`], waiting for a message if need be.
    ///
    /// # Errors
    /// As [`Receiver::recv_from`]; `place` may have been written to.
    #[inline]
    pub fn recv_into<'a>(
        &mut self,
        place: &'a mut MaybeUninit<T>,
    ) -> Result<(usize, &'a mut T), RecvError<Disconnected>> {
        self.take_into(place, |lanes| lanes.find(|| Deadline::NEVER)).map_err(without_deadline)
    }

    /// As [`Receiver::try_recv_into`], waiting for a message for at most `timeout`.
    ///
    /// # Errors
    /// As [`Receiver::recv_timeout_from`]; `place` may have been written to.
    pub fn recv_timeout_into<'a>(
        &mut self,
        place: &'a mut MaybeUninit<T>,
        timeout: Duration,
    ) -> Result<(usize, &'a mut T), RecvTimeoutError<Disconnected>> {
        self.take_into(place, |lanes| lanes.find(|| Deadline::after(Some(timeout))))
    }

    /// Lends the next message to `f` where it lies, with its lane: see
    /// [`spsc::Receiver::try_recv_in_place`](super::spsc::Receiver::try_recv_in_place).
    ///
    /// # Errors
    /// As [`Receiver::try_recv_from`].
    ///
    /// # Safety
    /// As there, of all senders' processes.
    #[inline]
    #[allow(unsafe_code, reason = "passes the caller's promise on to the ring")]
    pub unsafe fn try_recv_in_place<R>(
        &mut self,
        f: impl FnOnce(usize, &T) -> R,
    ) -> Result<R, TryRecvError<Disconnected>> {
        let mut f = Some(f);
        loop {
            let lane = self.lanes.try_next()?;
            // SAFETY: as the caller promises.
            let done = unsafe { self.lanes.at(lane).take_in_place(|message| f.take().map(|f| f(lane, message))) };
            // Should it be no message, the next turn says so.
            if let Some(done) = done.flatten() {
                self.took(lane, 1);
                return Ok(done);
            }
        }
    }

    /// Lends a copy of the next message to `f`, with its lane, if there is one now, and frees its place when `f` has returned: should this process be killed
    /// meanwhile, or `f` panic, the message comes again. At least once.
    ///
    /// # Errors
    /// As [`Receiver::try_recv_from`].
    pub fn try_recv_with<R>(&mut self, f: impl FnOnce(usize, &T) -> R) -> Result<R, TryRecvError<Disconnected>> {
        loop {
            let lane = self.lanes.try_next()?;
            // Should it be no message, the next turn says so.
            if let Some(value) = self.lanes.at(lane).copy(0) {
                let done = f(lane, &value);
                self.lanes.at(lane).pass(1);
                self.took(lane, 1);
                return Ok(done);
            }
        }
    }

    /// A copy of the next message, with its lane, which stays where it is and is taken by the next verb that receives; `None` if there is none now,
    /// or an end is to be told first: [`Receiver::try_recv`] says which. Tells no end.
    pub fn peek(&mut self) -> Option<(usize, T)> {
        let lane = self.lanes.next_untold()?;
        Some((lane, self.lanes.at(lane).copy(0)?))
    }

    /// Copies of up to `n` messages of the next lane with any, at least one unless `n` is 0, whose places stay occupied until
    /// [`ReadChunk::commit`]; none from behind an end that is to be told. Dropped, or should this process be killed, all of them come again. At
    /// least once. After a chunk it is the next lane's turn, if that has any.
    ///
    /// # Errors
    /// As [`Receiver::try_recv_from`].
    pub fn read_chunk(&mut self, n: usize) -> Result<ReadChunk<'_, T>, TryRecvError<Disconnected>> {
        let lane = if n == 0 { 0 } else { self.lanes.try_next()? };
        if n != 0 {
            // How many it will commit is not known: a lane that always has some must not keep the others from their turns.
            self.lanes.spend(usize::MAX);
        }
        let rx = self.lanes.at(lane);
        let n = rx.ready(n);
        Ok(ReadChunk::new(rx, n, lane, Some(&mut self.last)))
    }

    /// Moves up to `max` of the messages that the lanes have now to the end of `buffer`, each with its lane, lane by lane. Returns how many, at least
    /// one unless `max` is 0. They count as received once this has returned: at most once.
    ///
    /// # Errors
    /// As [`Receiver::try_recv_from`]; an end only where no message was found before it.
    pub fn try_recv_many(
        &mut self,
        buffer: &mut Vec<(usize, T)>,
        max: usize,
    ) -> Result<usize, TryRecvError<Disconnected>> {
        let Self { lanes, last } = self;
        lanes.try_many(max, |lane, rx, max| move_into(lane, rx, max, buffer, last))
    }

    /// Waits for a message, then moves up to `max` of those there to the end of `buffer`, as [`Receiver::try_recv_many`] does.
    ///
    /// # Errors
    /// As [`Receiver::recv_from`]; an end only where no message was found before it.
    pub fn recv_many(&mut self, buffer: &mut Vec<(usize, T)>, max: usize) -> Result<usize, RecvError<Disconnected>> {
        let Self { lanes, last } = self;
        lanes.wait_many(max, |lane, rx, max| move_into(lane, rx, max, buffer, last))
    }

    /// Hands up to `max` of the messages that the next lane with any has now to `f`, with the lane, then frees their places together. Returns
    /// how many. Should this process be killed meanwhile, or `f` panic, all of them come again. 0 also where an end is to be told first: it tells
    /// none, [`Receiver::try_recv`] does.
    pub fn drain(&mut self, max: usize, mut f: impl FnMut(usize, T)) -> usize {
        let Some(lane) = self.lanes.next_untold() else { return 0 };
        let rx = self.lanes.at(lane);
        let there = rx.ready(max);
        let taken = rx.take_all(there, Rx::read, |value| f(lane, value));
        self.took(lane, taken);
        taken
    }

    /// Changes how this side waits.
    pub fn set_wait(&mut self, strategy: WaitStrategy) {
        self.lanes.set_wait(strategy);
    }

    /// Accepts nothing more: the senders' next sends fail. What is in the channel stays there for the next receiver. Dropping does the same.
    pub fn close(&mut self) {
        self.lanes.close(None);
    }

    /// Closes as [`Receiver::close`] does, and says that not all was done that was to be: the senders get [`Cause::GivenUp`](crate::shm::Cause::GivenUp).
    pub fn give_up(&mut self) {
        self.lanes.close(Some(End::GivenUp));
    }

    /// The session of its sender that the last message came from; `None` before the first.
    pub fn session(&self) -> Option<SessionInfo> {
        self.lanes.lane(self.last?)?.session()
    }

    /// The lane that the last message came from; `None` before the first.
    pub fn last_lane(&self) -> Option<usize> {
        self.last
    }

    /// Lanes of the channel, used or not.
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// What the kernel says of a lane's sender; `None` if there is no such lane. A system call.
    pub fn peer(&self, lane: usize) -> Option<Peer> {
        self.lanes.lane(lane).map(|rx| rx.peer())
    }

    /// Waits until a sender has a lane, at most for `timeout`. Returns whether one has. Lanes that this receiver has closed do not count.
    pub fn wait_for_sender(&mut self, timeout: Duration) -> bool {
        self.lanes.wait_for_sender(timeout)
    }

    /// Messages in all lanes. Senders may add some at any time.
    pub fn len(&self) -> usize {
        self.lanes.occupied()
    }

    /// Whether there was no message a moment ago.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether no lane had room a moment ago. Full lanes stay full until this handle receives.
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Whether this side has closed, or every sender that there was has closed or given up, at least one, and none has come since. Messages, and ends
    /// to be told, may still be there to receive, and other senders may come. A sender that was killed has not closed: [`Receiver::peer`] asks the
    /// kernel.
    pub fn is_closed(&self) -> bool {
        self.lanes.is_over()
    }

    /// Most messages that all lanes hold together.
    pub fn capacity(&self) -> usize {
        self.lanes.places()
    }

    /// What a lane has done since the channel was made, under all who had its sides; `None` if there is no such lane. The receiver's
    /// sleeps are counted on the first lane.
    pub fn stats(&self, lane: usize) -> Option<Stats> {
        self.lanes.lane(lane).map(|rx| rx.stats())
    }

    /// Counts `n` messages that were taken from `lane`.
    fn took(&mut self, lane: usize, n: usize) {
        if n != 0 {
            self.last = Some(lane);
            self.lanes.spend(n);
        }
    }

    /// Takes the next message, of a lane that `find` finds, to `place`.
    #[inline(always)]
    fn take_into<'a, E>(
        &mut self,
        mut place: &'a mut MaybeUninit<T>,
        find: impl Fn(&mut Lanes<T>) -> Result<usize, E>,
    ) -> Result<(usize, &'a mut T), E> {
        loop {
            let lane = find(&mut self.lanes)?;
            match self.lanes.at(lane).take_into(place) {
                Ok(message) => {
                    self.took(lane, 1);
                    return Ok((lane, message));
                }
                // Should it be no message, the next turn says so.
                Err(back) => place = back,
            }
        }
    }

    /// Takes the next message of `lane`; nothing if there is none.
    #[inline(always)]
    fn take(&mut self, lane: usize) -> Option<T> {
        let value = self.lanes.at(lane).take()?;
        self.took(lane, 1);
        Some(value)
    }

    /// Takes the next message, of the lane whose turn it is, or else of one that `find` finds.
    #[inline(always)]
    fn take_by<E>(&mut self, find: impl Fn(&mut Lanes<T>) -> Result<usize, E>) -> Result<(usize, T), E> {
        if let Some(lane) = self.lanes.turn() {
            if let Some(value) = self.take(lane) {
                return Ok((lane, value));
            }
        }
        // Here if it is large, as the answer of a function is one more copy.
        if const { size_of::<T>() >= LARGE } { self.find_and_take(find) } else { self.take_later(find) }
    }

    #[cold]
    #[inline(never)]
    fn take_later<E>(&mut self, find: impl Fn(&mut Lanes<T>) -> Result<usize, E>) -> Result<(usize, T), E> {
        self.find_and_take(find)
    }

    #[inline(always)]
    fn find_and_take<E>(&mut self, find: impl Fn(&mut Lanes<T>) -> Result<usize, E>) -> Result<(usize, T), E> {
        loop {
            let lane = find(&mut self.lanes)?;
            // Should it be no message, the next turn says so.
            if let Some(value) = self.take(lane) {
                return Ok((lane, value));
            }
        }
    }
}

iterates! {
    [T: Message] Receiver<T>, (usize, T), RecvError<Disconnected>,
    Receiver::recv_from,
    |this: &mut Self| {
        let lane = this.lanes.next_untold()?;
        this.take(lane).map(|value| (lane, value))
    },
}

/// Moves a run of `lane` to `buffer`.
fn move_into<T: Message>(
    lane: usize,
    rx: &mut Rx<T>,
    max: usize,
    buffer: &mut Vec<(usize, T)>,
    last: &mut Option<usize>,
) -> usize {
    let n = rx.move_items(buffer, max, |value| (lane, value));
    if n != 0 {
        *last = Some(lane);
    }
    n
}

impl<T: Message> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("lanes", &self.lanes()).field("len", &self.len()).finish_non_exhaustive()
    }
}
