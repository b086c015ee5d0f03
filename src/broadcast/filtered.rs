//! Receivers that pass over what has expired and what they are not interested in.

#[cfg(feature = "lossy")]
use super::lossy::{self, Seen};
use super::{Expiry, Receiver, expiry};
use crate::error::{RecvError, RecvTimeoutError, TryRecvError};
use crate::wait::Deadline;
use core::future::Future;
use core::time::Duration;
use std::time::Instant;

/// A message that says of what kind it is, and when it expires.
///
/// ```
/// use ringmail::broadcast::{Expiry, Labeled};
/// struct Alarm {
///     zone: u32,
///     until: Expiry,
/// }
/// impl Labeled for Alarm {
///     fn kind(&self) -> u32 {
///         self.zone
///     }
///     fn expiry(&self) -> Expiry {
///         self.until
///     }
/// }
/// ```
pub trait Labeled {
    /// Of what kind it is. What kinds there are is for the program to say.
    fn kind(&self) -> u32 {
        0
    }

    /// When it expires.
    fn expiry(&self) -> Expiry {
        Expiry::NEVER
    }
}

/// How many messages a [`Filtered`] receiver has passed over.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Skipped {
    /// Those of a kind that it takes, which had expired.
    pub expired: u64,
    /// Those of a kind that it does not take.
    pub unwanted: u64,
}

/// A receiver that takes messages of certain kinds, and none that have expired. From [`Receiver::filtered`] and
/// [`lossy::Receiver::filtered`](super::lossy::Receiver::filtered).
///
/// What is passed over is decided where it is received: the sender pays nothing for it, and other receivers take what this one does not. On a lossless
/// channel a message that is passed over is committed like one that is received.
///
/// ```
/// use ringmail::broadcast::{self, Expiry, Labeled, Skipped};
/// use std::time::Duration;
///
/// #[derive(Clone, PartialEq, Debug)]
/// struct Signal(u32, Expiry);
/// impl Labeled for Signal {
///     fn kind(&self) -> u32 {
///         self.0
///     }
///     fn expiry(&self) -> Expiry {
///         self.1
///     }
/// }
///
/// let (mut tx, hub) = broadcast::channel(8)?;
/// let mut rx = hub.join()?.filtered(|kind| kind == 7);
/// tx.send(Signal(7, Expiry::after(Duration::ZERO)))?;
/// tx.send(Signal(3, Expiry::NEVER))?;
/// tx.send(Signal(7, Expiry::NEVER))?;
/// assert_eq!(rx.recv()?, Signal(7, Expiry::NEVER));
/// assert_eq!(rx.skipped(), Skipped { expired: 1, unwanted: 1 });
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Filtered<R, F> {
    rx: R,
    judge: Judge<F>,
}

/// What decides, and counts.
#[derive(Debug)]
struct Judge<F> {
    wants: F,
    skipped: Skipped,
}

impl<F: FnMut(u32) -> bool> Judge<F> {
    /// Whether the message is to be taken. `now` is the time of the running verb, once it was needed.
    fn takes<T: Labeled>(&mut self, message: &T, now: &mut Option<u64>) -> bool {
        if !(self.wants)(message.kind()) {
            self.skipped.unwanted += 1;
            return false;
        }
        let expiry = message.expiry();
        if expiry != Expiry::NEVER && expiry.is_past_at(*now.get_or_insert_with(expiry::now)) {
            self.skipped.expired += 1;
            return false;
        }
        true
    }
}

/// A receiver whose messages can be judged before they are taken. Of this crate only.
#[doc(hidden)]
pub trait Source {
    /// What is judged.
    type Message: Labeled;
    /// What the receiver answers.
    type Seen;

    /// Messages that are there now, about.
    fn waiting(&self) -> u64;

    /// The next message if there is one now, `None` if it is passed over.
    fn try_next(&mut self, takes: impl FnMut(&Self::Message) -> bool) -> Result<Option<Self::Seen>, TryRecvError>;

    /// Waits for a message.
    fn next_until(
        &mut self,
        deadline: Option<Instant>,
        takes: impl FnMut(&Self::Message) -> bool,
    ) -> Result<Option<Self::Seen>, RecvTimeoutError>;

    /// The same as a future.
    fn next_async(
        &mut self,
        takes: impl FnMut(&Self::Message) -> bool,
    ) -> impl Future<Output = Result<Option<Self::Seen>, RecvError>>;
}

impl<R: Source, F: FnMut(u32) -> bool> Filtered<R, F> {
    pub(super) fn new(rx: R, wants: F) -> Self {
        Self { rx, judge: Judge { wants, skipped: Skipped::default() } }
    }

    /// The next message that it takes, if there is one now.
    ///
    /// Passes over at most as many as there were when it began, and one more: it may answer `Empty` while the sender goes on sending others.
    ///
    /// # Errors
    /// As those of the receiver beneath.
    pub fn try_recv(&mut self) -> Result<R::Seen, TryRecvError> {
        let (judge, mut now) = (&mut self.judge, None);
        for _ in 0..=self.rx.waiting() {
            if let Some(seen) = self.rx.try_next(|message| judge.takes(message, &mut now))? {
                return Ok(seen);
            }
        }
        Err(TryRecvError::Empty)
    }

    /// The next message that it takes, waiting for one if need be.
    ///
    /// # Errors
    /// The channel is closed, and no such message is left.
    pub fn recv(&mut self) -> Result<R::Seen, RecvError> {
        self.recv_until(None).map_err(|_| RecvError)
    }

    /// As [`Filtered::recv`], waiting for at most `timeout`. One too long for the clock is for ever.
    ///
    /// # Errors
    /// No such message in time, or the channel is closed, and no such message is left.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<R::Seen, RecvTimeoutError> {
        self.recv_until(Instant::now().checked_add(timeout))
    }

    /// As [`Filtered::recv`], waiting until `deadline`.
    ///
    /// # Errors
    /// As [`Filtered::recv_timeout`].
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<R::Seen, RecvTimeoutError> {
        self.recv_until(Some(deadline))
    }

    fn recv_until(&mut self, deadline: Option<Instant>) -> Result<R::Seen, RecvTimeoutError> {
        loop {
            match self.try_recv() {
                Ok(seen) => return Ok(seen),
                Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
                Err(TryRecvError::Empty) => {}
            }
            let (judge, mut now) = (&mut self.judge, None);
            if let Some(seen) = self.rx.next_until(deadline, |message| judge.takes(message, &mut now))? {
                return Ok(seen);
            }
            // A sender of others would keep it here.
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(RecvTimeoutError::Timeout);
            }
        }
    }

    /// As [`Filtered::recv`], as a future. Cancel-safe: one that is dropped before it is ready has only passed over what is not taken.
    ///
    /// # Errors
    /// As [`Filtered::recv`].
    pub async fn recv_async(&mut self) -> Result<R::Seen, RecvError> {
        loop {
            let (judge, mut now) = (&mut self.judge, None);
            if let Some(seen) = self.rx.next_async(|message| judge.takes(message, &mut now)).await? {
                return Ok(seen);
            }
        }
    }

    /// What it has passed over so far.
    pub const fn skipped(&self) -> Skipped {
        self.judge.skipped
    }

    /// The receiver beneath.
    pub const fn get_ref(&self) -> &R {
        &self.rx
    }

    /// The receiver beneath. What is received by its own verbs is not judged.
    pub const fn get_mut(&mut self) -> &mut R {
        &mut self.rx
    }

    /// The receiver beneath, which judges no more.
    pub fn into_inner(self) -> R {
        self.rx
    }
}

impl<T: Clone + Labeled> Receiver<T> {
    /// This receiver, which takes messages of the kinds for which `wants` is true, and none that have expired.
    pub fn filtered<F: FnMut(u32) -> bool>(self, wants: F) -> Filtered<Self, F> {
        Filtered::new(self, wants)
    }
}

impl<T: Clone + Labeled> Source for Receiver<T> {
    type Message = T;
    type Seen = T;

    fn waiting(&self) -> u64 {
        self.lag()
    }

    fn try_next(&mut self, mut takes: impl FnMut(&T) -> bool) -> Result<Option<T>, TryRecvError> {
        self.try_recv_with(|message| takes(message).then(|| message.clone()))
    }

    fn next_until(
        &mut self,
        deadline: Option<Instant>,
        mut takes: impl FnMut(&T) -> bool,
    ) -> Result<Option<T>, RecvTimeoutError> {
        self.recv_with_until(
            || deadline.map_or(Deadline::NEVER, Deadline::at),
            |message| takes(message).then(|| message.clone()),
        )
    }

    async fn next_async(&mut self, mut takes: impl FnMut(&T) -> bool) -> Result<Option<T>, RecvError> {
        let message = self.recv_async().await?;
        Ok(takes(&message).then_some(message))
    }
}

#[cfg(feature = "lossy")]
impl<T: lossy::Message + Labeled> lossy::Receiver<T> {
    /// This receiver, which takes messages of the kinds for which `wants` is true, and none that have expired. [`Seen::Lost`] counts messages of all kinds.
    pub fn filtered<F: FnMut(u32) -> bool>(self, wants: F) -> Filtered<Self, F> {
        Filtered::new(self, wants)
    }
}

#[cfg(feature = "lossy")]
fn judged<T>(seen: Seen<T>, takes: impl FnOnce(&T) -> bool) -> Option<Seen<T>> {
    match &seen {
        Seen::Message(message) if !takes(message) => None,
        Seen::Message(_) | Seen::Lost(_) => Some(seen),
    }
}

#[cfg(feature = "lossy")]
impl<T: lossy::Message + Labeled> Source for lossy::Receiver<T> {
    type Message = T;
    type Seen = Seen<T>;

    fn waiting(&self) -> u64 {
        self.lag()
    }

    fn try_next(&mut self, takes: impl FnMut(&T) -> bool) -> Result<Option<Seen<T>>, TryRecvError> {
        Ok(judged(self.try_recv()?, takes))
    }

    fn next_until(
        &mut self,
        deadline: Option<Instant>,
        takes: impl FnMut(&T) -> bool,
    ) -> Result<Option<Seen<T>>, RecvTimeoutError> {
        let seen = match deadline {
            Some(deadline) => self.recv_deadline(deadline)?,
            None => self.recv().map_err(|_| RecvTimeoutError::Disconnected)?,
        };
        Ok(judged(seen, takes))
    }

    async fn next_async(&mut self, takes: impl FnMut(&T) -> bool) -> Result<Option<Seen<T>>, RecvError> {
        Ok(judged(self.recv_async().await?, takes))
    }
}
