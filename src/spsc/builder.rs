//! How a channel is made.

use super::{Receiver, Sender};
use crate::error::BuildError;
use crate::ring::backing::Heap;
use crate::ring::cursor::Position;
use crate::ring::spsc::pair;
#[cfg(feature = "std")]
use crate::wait::{Barrier, Bell, Side, WaitStrategy};
use crossbeam_utils::CachePadded;

/// A channel for exactly `capacity` messages, 1 to 2^30.
///
/// All memory is allocated here: `capacity` rounded up to a power of two, times the size of `T`, and about a
/// kilobyte. Nothing touches the slots before the first message does, so on a NUMA machine they lie where the sender first runs.
///
/// # Errors
/// Capacity 0 or above the limit, or no memory.
pub fn channel<T>(capacity: usize) -> Result<(Sender<T>, Receiver<T>), BuildError> {
    Builder::new(capacity).build()
}

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
#[derive(Clone, Debug)]
#[must_use = "call `build`"]
pub struct Builder {
    capacity: usize,
    start: u64,
    #[cfg(feature = "std")]
    sender_wait: WaitStrategy,
    #[cfg(feature = "std")]
    receiver_wait: WaitStrategy,
    #[cfg(feature = "std")]
    sender_bell: Option<Bell>,
    #[cfg(feature = "std")]
    receiver_bell: Option<Bell>,
    #[cfg(feature = "std")]
    barrier: Barrier,
}

impl Builder {
    /// A channel for exactly `capacity` messages. The number is checked by [`Builder::build`].
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            start: 0,
            #[cfg(feature = "std")]
            sender_wait: WaitStrategy::default(),
            #[cfg(feature = "std")]
            receiver_wait: WaitStrategy::default(),
            #[cfg(feature = "std")]
            sender_bell: None,
            #[cfg(feature = "std")]
            receiver_bell: None,
            #[cfg(feature = "std")]
            barrier: Barrier::default(),
        }
    }

    /// Begins counting messages at `position` (modulo 2^63) instead of 0, so that tests reach the wrap.
    #[doc(hidden)]
    pub fn start_at(mut self, position: u64) -> Self {
        self.start = position;
        self
    }

    /// Allocates the channel.
    ///
    /// # Errors
    /// Capacity 0 or above 2^30, or no memory.
    pub fn build<T>(self) -> Result<(Sender<T>, Receiver<T>), BuildError> {
        let (producer, consumer) = pair(Heap::new(self.capacity, Position::new(self.start))?);
        let (producer, consumer) = (CachePadded::new(producer), CachePadded::new(consumer));
        #[cfg(not(feature = "std"))]
        return Ok((
            Sender { ring: producer, receiver: crate::wait::Bell },
            Receiver { ring: consumer, closed: false, sender: crate::wait::Bell },
        ));
        #[cfg(feature = "std")]
        {
            let bell = |given: Option<Bell>| given.unwrap_or_else(|| Bell::own(self.barrier));
            let (sender, receiver) = (bell(self.sender_bell), bell(self.receiver_bell));
            Ok((
                Sender {
                    ring: producer,
                    side: Side::new(sender.clone(), self.sender_wait),
                    receiver: receiver.clone(),
                },
                Receiver { ring: consumer, closed: false, side: Side::new(receiver, self.receiver_wait), sender },
            ))
        }
    }
}

#[cfg(feature = "std")]
impl Builder {
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

    /// The bell that rings when there is room, instead of one of the sender's own.
    pub fn sender_bell(mut self, bell: Bell) -> Self {
        self.sender_bell = Some(bell);
        self
    }

    /// The bell that rings when there are messages, instead of one of the receiver's own.
    ///
    /// ```
    /// use ringmail::{spsc, wait::Bell};
    /// let bell = Bell::new();
    /// let (mut orders, mut rx1) = spsc::Builder::new(8).receiver_bell(bell.clone()).build()?;
    /// let (_cancels, mut rx2) = spsc::Builder::new(8).receiver_bell(bell.clone()).build::<u32>()?;
    /// orders.send("buy")?;
    /// // A close rings too: whoever asks only for messages would sleep through it.
    /// assert!(bell.wait(None, || !rx1.is_empty() || rx1.is_closed() || !rx2.is_empty() || rx2.is_closed()));
    /// assert_eq!(rx1.try_recv()?, "buy");
    /// assert!(rx2.try_recv().is_err());
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn receiver_bell(mut self, bell: Bell) -> Self {
        self.receiver_bell = Some(bell);
        self
    }

    /// How the bells that the channel makes for itself keep publishing and sleeping in order.
    pub fn barrier(mut self, barrier: Barrier) -> Self {
        self.barrier = barrier;
        self
    }
}
