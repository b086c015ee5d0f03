//! One sender, one receiver, each in a process of its own or both in one.

use super::builder::{Channel, Messages, One, parts};
use super::ends::{Opened, Rx, SessionInfo, Taking, Tx};

use super::error::{OpenError, RecvError, SendError, TryRecvError, TrySendError};
use super::message::{Message, Schema};
use super::segment::{Kind, Layout};
use super::side::Peer;
use crate::ring::ends::{Reader, Writer};
use crate::ring::layout::Stats;
use crate::ring::mapped::Raw;
use crate::ring::session::End;
use crate::wait::{Deadline, WaitStrategy};
use core::fmt;
use core::time::Duration;
use std::time::Instant;

/// Capacity where nobody asks for another.
pub(super) const CAPACITY: usize = 1024;

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

    fn sender(parts::Side(opened): parts::Side, wait: WaitStrategy, _version: u32) -> Result<Sender<T>, OpenError> {
        Ok(Sender::begin(opened, wait))
    }

    fn receiver(parts::Side(opened): parts::Side, wait: WaitStrategy) -> Result<Receiver<T>, OpenError> {
        Ok(Receiver { rx: Rx::begin(opened, wait) })
    }
}

/// Of a lane of so many messages.
pub(super) fn layout_of<T: Message>(kind: Kind, messages: usize) -> Result<Layout, OpenError> {
    const {
        assert!(align_of::<Raw<T>>() <= 4096, "a message cannot ask for more than a page's alignment");
        assert!(size_of::<T>() > 0, "a message of no bytes says nothing");
    }
    let (size, stride, align) = (size_of::<T>(), size_of::<Raw<T>>(), align_of::<Raw<T>>());
    Ok(Layout::new(kind, messages, size, stride, align)?)
}

/// The sending side, or a lane of a [`fan_in`](super::fan_in)'s. Dropping it closes its lane in order; a process that ends without is noticed by
/// the kernel.
///
/// `Send`, not `Clone`. In a forked child it must not be used, and does nothing.
pub struct Sender<T: Message> {
    pub(super) tx: Tx<T>,
}

/// The receiving side. Dropping it closes the channel in order; what it has not received stays for the next receiver.
///
/// `Send`, not `Clone`. In a forked child it must not be used, and does nothing.
pub struct Receiver<T: Message> {
    pub(super) rx: Rx<T>,
}

impl<T: Message> Sender<T> {
    pub(super) fn begin(opened: Opened, wait: WaitStrategy) -> Self {
        Self { tx: Tx::begin(opened, wait) }
    }

    /// Sends `value` if there is room now. Wait-free.
    ///
    /// Does not ask the kernel whether the receiver lives: [`Sender::peer`] and the verbs that wait do.
    ///
    /// # Errors
    /// `Full`, or `Ended` with the reason; the value comes back.
    #[inline]
    pub fn try_send(&mut self, value: T) -> Result<(), TrySendError<T>> {
        match self.tx.push(value) {
            Ok(()) => Ok(()),
            Err(value) => Err(match self.tx.refusal(1) {
                None => TrySendError::Full(value),
                Some(ended) => TrySendError::Ended(value, ended),
            }),
        }
    }

    /// Sends `value`, waiting for room if need be; also for a receiver that was never there.
    ///
    /// # Errors
    /// `Ended` with the reason; the value comes back.
    #[inline]
    pub fn send(&mut self, value: T) -> Result<(), SendError<T>> {
        self.send_until(value, || Deadline::NEVER)
    }

    /// Sends `value`, waiting for room for at most `timeout`.
    ///
    /// # Errors
    /// No room in time, or `Ended` with the reason; the value comes back.
    pub fn send_timeout(&mut self, value: T, timeout: Duration) -> Result<(), SendError<T>> {
        self.send_until(value, || Deadline::after(Some(timeout)))
    }

    /// Sends `value`, waiting for room until `deadline`.
    ///
    /// # Errors
    /// No room in time, or `Ended` with the reason; the value comes back.
    pub fn send_deadline(&mut self, value: T, deadline: Instant) -> Result<(), SendError<T>> {
        self.send_until(value, || Deadline::at(deadline))
    }

    /// Copies as many of `values` as fit now and publishes them together. Returns how many, at least one unless `values` is
    /// empty.
    ///
    /// # Errors
    /// `Full` if there is no room at all, or `Ended` with the reason.
    pub fn try_send_slice(&mut self, values: &[T]) -> Result<usize, TrySendError<()>>
    where
        T: Copy,
    {
        let room = self.tx.reserve(values.len() as u64) as usize;
        for &value in &values[..room] {
            if self.tx.ring.stage(Raw::new(value)).is_err() {
                break;
            }
        }
        match self.tx.ring.publish_staged() {
            0 if !values.is_empty() => Err(match self.tx.refusal(1) {
                None => TrySendError::Full(()),
                Some(ended) => TrySendError::Ended((), ended),
            }),
            sent => {
                self.tx.announce(sent);
                Ok(sent as usize)
            }
        }
    }

    /// Copies all of `values`, waiting for room as often as need be. Each run that fits is published together.
    ///
    /// # Errors
    /// `Ended` with the reason; carries how many were sent.
    pub fn send_slice(&mut self, values: &[T]) -> Result<(), SendError<usize>>
    where
        T: Copy,
    {
        let mut sent = 0;
        while sent < values.len() {
            match self.try_send_slice(&values[sent..]) {
                Ok(n) => sent += n,
                Err(TrySendError::Ended((), ended)) => return Err(SendError::Ended(sent, ended)),
                Err(TrySendError::Full(())) => {
                    if let Err(SendError::Ended((), ended)) = self.tx.wait_for_room(1, Deadline::NEVER) {
                        return Err(SendError::Ended(sent, ended));
                    }
                }
            }
        }
        Ok(())
    }

    /// Sends nothing more. The receiver still gets what was sent, and then `Disconnected`. Dropping does the same.
    pub fn close(&mut self) {
        self.tx.close(None);
    }

    /// Closes as [`Sender::close`] does, and says that not all was sent that was to be: the receiver gets [`Ended::GivenUp`](crate::shm::Ended::GivenUp). So does one whose
    /// sender is dropped by a panic.
    pub fn give_up(&mut self) {
        self.tx.close(Some(End::GivenUp));
    }

    /// What the kernel says of the receiver. A system call.
    pub fn peer(&self) -> Peer {
        self.tx.peer()
    }

    /// Waits until somebody has the receiving side, at most for `timeout`. Whether somebody has.
    pub fn wait_for_peer(&mut self, timeout: Duration) -> bool {
        self.tx.wait_for_peer(timeout)
    }

    /// Messages in the channel. The receiver may take some at any time.
    pub fn len(&self) -> usize {
        self.tx.ring.len()
    }

    /// Whether there was no message a moment ago.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Which lane of a [`fan_in`](super::fan_in) this is; 0 of any other channel.
    pub fn lane(&self) -> usize {
        self.tx.lane()
    }

    /// How often the lane has been taken, this time included.
    pub fn epoch(&self) -> u64 {
        self.tx.epoch()
    }

    /// Most messages that the channel holds.
    pub fn capacity(&self) -> usize {
        self.tx.ring.capacity()
    }

    /// What the channel has done since it was made, under all who had its sides.
    pub fn stats(&self) -> Stats {
        self.tx.stats()
    }

    #[inline(always)]
    fn send_until(&mut self, value: T, deadline: impl FnOnce() -> Deadline) -> Result<(), SendError<T>> {
        match self.tx.push(value) {
            Ok(()) => Ok(()),
            Err(value) => self.send_later(value, deadline()),
        }
    }

    #[cold]
    #[inline(never)]
    fn send_later(&mut self, mut value: T, deadline: Deadline) -> Result<(), SendError<T>> {
        loop {
            if let Some(ended) = self.tx.refusal(1) {
                return Err(SendError::Ended(value, ended));
            }
            match self.tx.wait_for_room(1, deadline) {
                Ok(()) => {}
                Err(SendError::Timeout(())) => return Err(SendError::Timeout(value)),
                Err(SendError::Ended((), ended)) => return Err(SendError::Ended(value, ended)),
            }
            match self.tx.push(value) {
                Ok(()) => return Ok(()),
                Err(back) => value = back,
            }
        }
    }
}

impl<T: Message> Receiver<T> {
    /// Takes the next message if there is one now. Wait-free.
    ///
    /// Does not ask the kernel whether the sender lives: [`Receiver::peer`] and the verbs that wait do. A message counts as
    /// received once this has returned it: at most once, should this process be killed.
    ///
    /// # Errors
    /// `Empty`, or `Ended` with the reason once nothing is left.
    #[inline]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.rx.take(|rx| if rx.is_quiet() { Err(TryRecvError::Empty) } else { try_recv_on(rx) })
    }

    /// Takes the next message, waiting for one if need be; also for a sender that was never there.
    ///
    /// # Errors
    /// `Ended` with the reason once nothing is left.
    #[inline]
    pub fn recv(&mut self) -> Result<T, RecvError> {
        self.recv_until(|| Deadline::NEVER)
    }

    /// Takes the next message, waiting for at most `timeout`.
    ///
    /// # Errors
    /// No message in time, or `Ended` with the reason once nothing is left.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, RecvError> {
        self.recv_until(|| Deadline::after(Some(timeout)))
    }

    /// Takes the next message, waiting until `deadline`.
    ///
    /// # Errors
    /// No message in time, or `Ended` with the reason once nothing is left.
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<T, RecvError> {
        self.recv_until(|| Deadline::at(deadline))
    }

    /// Hands the next message to `f`, and frees its place when `f` has returned: should this process be killed meanwhile, or `f` panic,
    /// the next receive gets the message again. At least once.
    ///
    /// # Errors
    /// As [`Receiver::try_recv`].
    pub fn try_recv_with<R>(&mut self, f: impl FnOnce(T) -> R) -> Result<R, TryRecvError> {
        let found = self.rx.finds();
        let mut taking = Taking::new(&mut self.rx);
        let Some(value) = found.then(|| taking.from.read()).flatten() else {
            drop(taking);
            return Err(self.rx.nothing().map_or(TryRecvError::Empty, TryRecvError::Ended));
        };
        let done = f(value);
        taking.done = true;
        Ok(done)
    }

    /// Hands up to `max` of the messages there are now to `f`, then frees their places together. Returns how many. Should this
    /// process be killed meanwhile, or `f` panic, all of them come again.
    pub fn drain(&mut self, max: usize, mut f: impl FnMut(T)) -> usize {
        let there = if self.rx.finds() { self.rx.ring.available(max as u64) as usize } else { 0 };
        let mut taking = Taking::new(&mut self.rx);
        let mut taken = 0;
        while taken < there {
            let Some(value) = taking.from.read() else { break };
            f(value);
            taken += 1;
        }
        taking.done = taken != 0;
        taken
    }

    /// Accepts nothing more: the sender's next send fails. What is in the channel stays there for the next receiver. Dropping does the same.
    pub fn close(&mut self) {
        self.rx.close(None);
    }

    /// Closes as [`Receiver::close`] does, and says that not all was done that was to be: the sender gets [`Ended::GivenUp`](crate::shm::Ended::GivenUp). So does one whose
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

    /// Waits until somebody has the sending side, at most for `timeout`. Whether somebody has.
    pub fn wait_for_peer(&mut self, timeout: Duration) -> bool {
        self.rx.wait_for_peer(timeout)
    }

    /// Messages in the channel. The sender may add some at any time.
    pub fn len(&self) -> usize {
        Reader::len(&*self.rx.ring)
    }

    /// Whether there was no message a moment ago.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Most messages that the channel holds.
    pub fn capacity(&self) -> usize {
        Reader::capacity(&*self.rx.ring)
    }

    /// What the channel has done since it was made, under all who had its sides.
    pub fn stats(&self) -> Stats {
        self.rx.stats()
    }

    #[inline(always)]
    fn recv_until(&mut self, deadline: impl FnOnce() -> Deadline) -> Result<T, RecvError> {
        self.rx.take(|rx| recv_later(rx, deadline()))
    }
}

/// Where there is more to say than that nothing was found.
#[cold]
#[inline(never)]
fn try_recv_on<T: Message>(rx: &mut Rx<T>) -> Result<T, TryRecvError> {
    match rx.take_on() {
        Some(value) => Ok(value),
        None => Err(rx.why_nothing().map_or(TryRecvError::Empty, TryRecvError::Ended)),
    }
}

#[cold]
#[inline(never)]
fn recv_later<T: Message>(rx: &mut Rx<T>, deadline: Deadline) -> Result<T, RecvError> {
    loop {
        if let Some(ended) = rx.nothing() {
            return Err(RecvError::Ended(ended));
        }
        rx.wait_for_message(deadline)?;
        // Should it be no message, the next turn says so.
        if let Some(value) = rx.take(|_| Err(())).ok().or_else(|| rx.take_on()) {
            return Ok(value);
        }
    }
}

impl<T: Message> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("len", &self.len()).field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

impl<T: Message> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("len", &self.len()).field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}
