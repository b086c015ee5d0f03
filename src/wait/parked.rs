//! A sleep that another process sees and ends.
//!
//! A bell is a word that both sides write; between processes each writes its own page only. So the sleeper says what it waits for:
//! the message that must come, or the place that must be freed, by its position. Whoever publishes wakes it if that is among what it has
//! just published: once a position, so a sleeper that is stopped or was killed costs its peer one system call, not one a message.
//! (To count sleeps, and to remember which was answered, is not enough: a look that belongs to the message before may
//! answer the sleep for the next one, which then nobody wakes. The models find it.)
//!
//! As with a bell both write one word and then read the other's, so each needs a full barrier in between: `light` and
//! `heavy` of [`super::barrier`], or a fence on both sides.

// Under loom the models of another crate use it.
#![cfg_attr(not(ringmail_loom), allow(unreachable_pub))]

use super::barrier;
use crate::ring::cursor::Position;
use crate::ring::failpoint::point;
use crate::ring::order::mutant;
use crate::sync::{AtomicU64, Ordering, fence};

/// The sleeper: announces to each other side what it waits for, a count of messages or places, and after `barrier` looks and sleeps in
/// turn until one of the two has an answer. `look` says what holds while there is nothing; `nap` sleeps while it does, and is told
/// whether `barrier` reached the other sides.
pub fn sleep<R, E>(
    parked: &[(&Parked, u64)],
    barrier: impl FnOnce() -> bool,
    mut look: impl FnMut() -> Result<R, E>,
    mut nap: impl FnMut(E, bool) -> Option<R>,
) -> R {
    for (parked, awaited) in parked {
        parked.announce(*awaited);
    }
    let reached = mutant!(NapHeavy) || barrier();
    let found = loop {
        match look() {
            Ok(found) => break found,
            Err(expected) => {
                if let Some(found) = nap(expected, reached) {
                    break found;
                }
            }
        }
    };
    for (parked, _) in parked {
        point!();
        parked.rise();
    }
    point!();
    found
}

/// The sleeper's word: the position that it waits for, and in bit 0 whether it does. All zero at first.
#[derive(Debug)]
#[repr(transparent)]
pub struct Parked(AtomicU64);

impl Parked {
    /// Of a side that is awake.
    #[cfg(ringmail_loom)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// The sleeper sleeps no more; nor does one that was killed in its sleep.
    pub(crate) fn rise(&self) {
        self.0.store(self.0.load(Ordering::Relaxed) & !1, Ordering::Relaxed);
    }

    /// Whether the sleeper sleeps, or is about to: for people to read.
    #[cfg(not(ringmail_loom))]
    pub(crate) fn is_asleep(&self) -> bool {
        Position::is_closed(self.0.load(Ordering::Relaxed))
    }

    fn announce(&self, awaited: u64) {
        let awaited = if mutant!(NapAwaited) { 0 } else { awaited };
        point!();
        self.0.store(Position::new(awaited).closed_word(), Ordering::Relaxed);
        point!();
    }

    /// The other side, after a publication: whether somebody may sleep. `fenced` is 1 for a side that `membarrier` does not reach.
    #[inline(always)]
    pub fn calls(&self, fenced: u64) -> bool {
        if !mutant!(NapLight) {
            barrier::light();
        }
        // Not two branches: a message in a few nanoseconds has no time for them.
        (self.0.load(Ordering::Relaxed) | fenced) & 1 != 0
    }

    /// The other side, if somebody may sleep: whether it waits for one of the `n` positions from `from` on, just published.
    pub fn answer(&self, from: u64, n: u64) -> bool {
        if !mutant!(NapLight) {
            fence(Ordering::SeqCst);
        }
        let word = self.0.load(Ordering::Relaxed);
        Position::is_closed(word) && Position::from_word(word).since(Position::new(from)) < n
    }
}
