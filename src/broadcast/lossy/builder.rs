//! How a channel is made.

use super::{Message, Receiver, Resume, Sender};
use crate::error::BuildError;
use crate::ring::stamped::pair;
#[cfg(not(feature = "std"))]
use crate::wait::EventCount;
#[cfg(feature = "std")]
use crate::wait::{EventCount, FenceMode, WaitStrategy, Waiter};

/// A channel that keeps the last `capacity` messages, 1 to 2^30 rounded up to a power of two and at least 2, and its first receiver.
///
/// All memory is allocated and written here: that capacity times the size of `T` and of a stamp of 8 bytes, rounded up to 16, 32 or a multiple of 64
/// bytes, and about a kilobyte.
///
/// # Errors
/// The capacity is out of range, or there is no memory.
pub fn channel<T: Message>(capacity: usize) -> Result<(Sender<T>, Receiver<T>), BuildError> {
    Builder::new(capacity).build()
}

/// Options of a channel.
#[derive(Clone, Debug)]
#[must_use = "call `build`"]
pub struct Builder {
    capacity: usize,
    resume: Resume,
    copy_newest: bool,
    #[cfg(feature = "std")]
    wait: WaitStrategy,
    #[cfg(feature = "std")]
    fence_mode: FenceMode,
}

impl Builder {
    /// A channel that keeps the last `capacity` messages, rounded up as [`channel`] does. The number is checked by [`Builder::build`].
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            resume: Resume::default(),
            copy_newest: false,
            #[cfg(feature = "std")]
            wait: WaitStrategy::default(),
            #[cfg(feature = "std")]
            fence_mode: FenceMode::default(),
        }
    }

    /// Where receivers go on that were overrun. Each may change it by [`Receiver::set_resume`].
    pub fn resume(mut self, resume: Resume) -> Self {
        self.resume = resume;
        self
    }

    /// Whether the sender keeps a copy of the newest message where it also says how many were sent. For channels whose receivers call
    /// [`Receiver::latest`] all the time while the sender sends: each call then reads one cache line instead of two (8 bytes, two cores: two to four times as
    /// many calls a second, see `docs/benchmarks.md`).
    ///
    /// Each send, and each 32 messages of a slice, then store the message a second time, and one word more. Only messages of up to 48 bytes are copied.
    /// Other verbs than `latest` do not use the copy. The default is none.
    ///
    /// ```
    /// use ringmail::broadcast::lossy::Builder;
    /// let (mut price, screen) = Builder::new(64).copy_newest(true).build::<u64>()?;
    /// price.send(101);
    /// assert_eq!(screen.latest(), Some((0, 101)));
    /// # Ok::<(), ringmail::BuildError>(())
    /// ```
    pub fn copy_newest(mut self, copies: bool) -> Self {
        self.copy_newest = copies;
        self
    }

    /// How receivers wait. Each may change it by [`Receiver::set_wait`].
    #[cfg(feature = "std")]
    pub fn receiver_wait(mut self, strategy: WaitStrategy) -> Self {
        self.wait = strategy;
        self
    }

    /// Which side pays for the order of publishing and sleeping.
    #[cfg(feature = "std")]
    pub fn fence_mode(mut self, mode: FenceMode) -> Self {
        self.fence_mode = mode;
        self
    }

    /// Allocates the channel.
    ///
    /// # Errors
    /// As [`channel`].
    pub fn build<T: Message>(self) -> Result<(Sender<T>, Receiver<T>), BuildError> {
        let (writer, reader) = pair(self.capacity, self.copy_newest)?;
        #[cfg(not(feature = "std"))]
        {
            let tx = Sender { writer, event: EventCount, resume: self.resume };
            Ok((tx, Receiver { reader, resume: self.resume }))
        }
        #[cfg(feature = "std")]
        {
            let (event, group) = EventCount::for_many(self.fence_mode)?;
            let waiter = Waiter::try_new(event.clone(), self.wait)?.seated(group.seat()?);
            let tx = Sender { writer, event, group, wait: self.wait, resume: self.resume };
            Ok((tx, Receiver { reader, resume: self.resume, waiter }))
        }
    }
}
