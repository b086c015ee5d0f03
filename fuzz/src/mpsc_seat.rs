//! A sender of `mpsc` and what it is in the middle of.

use super::payload::Payload;
use super::wake_counter::WakeCounter;
use ringmail::mpsc::{Mpsc, Sender};
use ringmail::{SendFuture, WaitStrategy};
use std::ptr::NonNull;

/// Most senders at a time.
pub const SEATS: usize = 4;

/// What a sender is in the middle of. It borrows the sender, which therefore does nothing else.
pub enum Guard<T: Payload> {
    None,
    /// Claimed places from `at` on. The guard's type has no name here: it is asked with a value to publish, or with none,
    /// and says how many places are left.
    Held {
        at: u64,
        left: usize,
        held: Box<dyn FnMut(Option<T>) -> usize>,
    },
    /// A send that was polled and is pending.
    Sending {
        id: u64,
        future: SendFuture<'static, T, Mpsc>,
    },
}

/// A sender. It stays where it is for as long as it lives, so that a guard can borrow it.
pub struct Seat<T: Payload> {
    pub guard: Guard<T>,
    tx: NonNull<Sender<T>>,
    pub closed: bool,
    pub strategy: WaitStrategy,
    pub wakes: WakeCounter,
    pub full: u64,
    /// Whether a future was leaked here: then its announcement stands.
    pub leaky: bool,
    pub patience: Patience,
}

/// How often at most this sender has tried to overtake the first in line.
#[derive(Default)]
pub struct Patience {
    pub ticket: u64,
    pub most: u32,
}

impl<T: Payload> Seat<T> {
    pub fn new(tx: Sender<T>, strategy: WaitStrategy) -> Self {
        Self {
            guard: Guard::None,
            tx: NonNull::from(Box::leak(Box::new(tx))),
            closed: false,
            strategy,
            wakes: WakeCounter::default(),
            full: 0,
            leaky: false,
            patience: Patience::default(),
        }
    }

    /// The sender, unless a guard has borrowed it. For as long as need be: a guard does not outlive the seat.
    pub fn sender(&mut self) -> Option<&'static mut Sender<T>> {
        // SAFETY: it lives until the seat drops it, and only a guard, of which there is none, keeps the borrow.
        matches!(self.guard, Guard::None).then(|| unsafe { self.tx.as_mut() })
    }

    pub fn peek(&self) -> Option<&Sender<T>> {
        // SAFETY: as above.
        matches!(self.guard, Guard::None).then(|| unsafe { self.tx.as_ref() })
    }
}

impl<T: Payload> Drop for Seat<T> {
    fn drop(&mut self) {
        self.guard = Guard::None;
        // SAFETY: made of a `Box` in `new`; the guard that borrowed it is gone.
        drop(unsafe { Box::from_raw(self.tx.as_ptr()) });
    }
}
