//! The options that every channel has.

use super::Flavor;
#[cfg(feature = "std")]
use crate::wait::{EventCount, FenceMode, WaitStrategy};
use core::fmt;
use core::marker::PhantomData;

/// Options of a channel.
///
/// ```
/// use ringmail::{WaitStrategy, spsc};
/// let (mut tx, mut rx) = spsc::Builder::new(64)
///     .receiver_wait(WaitStrategy::BusySpin) // this side owns its core
///     .sender_wait(WaitStrategy::Park)
///     .build()?;
/// tx.send(1)?;
/// assert_eq!(rx.recv(), Ok(1));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[must_use = "call `build`"]
pub struct Builder<S> {
    pub(crate) capacity: usize,
    pub(crate) start: u64,
    /// Most messages of a turn, where lanes take turns.
    pub(crate) budget: u32,
    /// Whether messages pass while there is no receiver, where receivers come and go.
    pub(crate) pass: bool,
    flavor: PhantomData<fn() -> S>,
    #[cfg(feature = "std")]
    pub(crate) sender_wait: WaitStrategy,
    #[cfg(feature = "std")]
    pub(crate) receiver_wait: WaitStrategy,
    #[cfg(feature = "std")]
    pub(crate) sender_event: Option<EventCount>,
    #[cfg(feature = "std")]
    pub(crate) receiver_event: Option<EventCount>,
    #[cfg(feature = "std")]
    pub(crate) fence_mode: FenceMode,
}

impl<S: Flavor> Builder<S> {
    /// A channel for exactly `capacity` messages. The number is checked by [`Builder::build`].
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            start: 0,
            budget: 64,
            pass: false,
            flavor: PhantomData,
            #[cfg(feature = "std")]
            sender_wait: WaitStrategy::default(),
            #[cfg(feature = "std")]
            receiver_wait: WaitStrategy::default(),
            #[cfg(feature = "std")]
            sender_event: None,
            #[cfg(feature = "std")]
            receiver_event: None,
            #[cfg(feature = "std")]
            fence_mode: FenceMode::default(),
        }
    }

    /// Begins counting messages at `position` (modulo 2^63) instead of 0, so that tests reach the wrap.
    #[doc(hidden)]
    pub fn start_at(mut self, position: u64) -> Self {
        self.start = position;
        self
    }
}

#[cfg(feature = "std")]
impl<S: Flavor> Builder<S> {
    /// How both sides wait.
    pub fn wait(self, strategy: WaitStrategy) -> Self {
        self.sender_wait(strategy).receiver_wait(strategy)
    }

    /// How the sender waits for room.
    pub fn sender_wait(mut self, strategy: WaitStrategy) -> Self {
        self.sender_wait = strategy;
        self
    }

    /// How the receiver waits for messages.
    pub fn receiver_wait(mut self, strategy: WaitStrategy) -> Self {
        self.receiver_wait = strategy;
        self
    }

    /// The event count to notify when there are messages, instead of one of the receiver's own.
    ///
    /// ```
    /// use ringmail::{spsc, wait::EventCount};
    /// let event = EventCount::new();
    /// let (mut orders, mut rx1) = spsc::Builder::new(8).receiver_event(event.clone()).build()?;
    /// let (_cancels, mut rx2) = spsc::Builder::new(8).receiver_event(event.clone()).build::<u32>()?;
    /// orders.send("buy")?;
    /// // A close notifies, too: a thread that asks only for messages would sleep through it.
    /// assert!(event.wait(None, || !rx1.is_empty() || rx1.is_closed() || !rx2.is_empty() || rx2.is_closed()));
    /// assert_eq!(rx1.try_recv()?, "buy");
    /// assert!(rx2.try_recv().is_err());
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn receiver_event(mut self, event: EventCount) -> Self {
        self.receiver_event = Some(event);
        self
    }

    /// The event count to notify when there is room, instead of one of the sender's own. It is notified of the receiver's close, too,
    /// and of a receiver that joins.
    ///
    /// So one event count may stand for input here and room there. Of a `fan_in` channel it is that of the first sender's lane; other lanes get
    /// theirs by [`lane_with_event`](crate::fan_in::Sender::lane_with_event). Of an `mpsc` channel it is that of all its senders: one thread at a time should
    /// wait on it. Where senders wait by their own verbs while another thread waits on the event count, they wake each other until one finds room: no wake
    /// is lost, but that is as busy as polling.
    ///
    /// ```
    /// use ringmail::{mpsc, spsc, wait::EventCount};
    /// let event = EventCount::new();
    /// let (mut source, input) = spsc::Builder::new(8).receiver_event(event.clone()).build::<u32>()?;
    /// let (mut output, mut sink) = mpsc::Builder::new(1).sender_event(event.clone()).build::<u32>()?;
    /// output.send(1)?; // it is full now
    /// let ready = || !input.is_empty() || input.is_closed() || !output.is_full() || output.is_closed();
    /// assert!(!ready());
    /// sink.recv()?; // makes room
    /// assert!(event.wait(None, ready));
    /// # source.send(1)?;
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn sender_event(mut self, event: EventCount) -> Self {
        self.sender_event = Some(event);
        self
    }

    /// Which side pays for the order of publishing and sleeping, for the event counts that the channel makes itself.
    pub fn fence_mode(mut self, mode: FenceMode) -> Self {
        self.fence_mode = mode;
        self
    }
}

impl<S: Flavor> Clone for Builder<S> {
    fn clone(&self) -> Self {
        Self {
            capacity: self.capacity,
            start: self.start,
            budget: self.budget,
            pass: self.pass,
            flavor: PhantomData,
            #[cfg(feature = "std")]
            sender_wait: self.sender_wait,
            #[cfg(feature = "std")]
            receiver_wait: self.receiver_wait,
            #[cfg(feature = "std")]
            sender_event: self.sender_event.clone(),
            #[cfg(feature = "std")]
            receiver_event: self.receiver_event.clone(),
            #[cfg(feature = "std")]
            fence_mode: self.fence_mode,
        }
    }
}

impl<S: Flavor> fmt::Debug for Builder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}
