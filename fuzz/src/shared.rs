//! Messages that several receivers share, some of whose clones and drops panic on purpose.

use super::payload::{DropLedger, Payload, Tracked};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

thread_local! {
    static COPIES: Cell<usize> = const { Cell::new(0) };
    static CLONES_LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    static DROP_OF: Cell<Option<u64>> = const { Cell::new(None) };
}

/// What a planted panic carries. It is raised without the panic hook, as libFuzzer's ends the process.
struct Planted;

/// Runs `f`, which must end by the planted panic if `must`, and only then. `None` if it did.
pub fn guarded<R>(must: bool, f: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(answer) => {
            assert!(!must, "a panic of the user's code was swallowed, or the code not called");
            Some(answer)
        }
        Err(panic) if panic.is::<Planted>() => {
            assert!(must, "the user's code was called once too often");
            None
        }
        Err(panic) => resume_unwind(panic),
    }
}

/// The planted panic, by hand: of a closure or an iterator.
pub fn panic_planted() -> ! {
    resume_unwind(Box::new(Planted))
}

/// A kind of message that receivers can share.
pub trait Shareable: Payload + Clone {
    /// Whether clones and drops can be made to panic.
    const PLANTS: bool;

    /// Clones that are there.
    fn copies() -> usize {
        0
    }

    /// Forgets what an earlier run planted.
    fn clear() {}

    /// After so many clones, one panics; `None`: none does.
    fn plant_clone(_after: Option<usize>) {}

    /// The drop of message `id` panics, once.
    fn plant_drop(_id: Option<u64>) {}
}

impl Shareable for u64 {
    const PLANTS: bool = false;
}

/// A message with an owner, or a receiver's copy of one.
pub enum Shared {
    Sent(Tracked),
    Copy(u64),
}

impl Payload for Shared {
    fn make(ledger: DropLedger) -> Self {
        Self::Sent(Tracked::make(ledger))
    }

    fn id(&self) -> u64 {
        match self {
            Self::Sent(message) => message.id(),
            Self::Copy(id) => *id,
        }
    }
}

impl Clone for Shared {
    fn clone(&self) -> Self {
        match CLONES_LEFT.get() {
            Some(0) => {
                CLONES_LEFT.set(None);
                panic_planted();
            }
            left => CLONES_LEFT.set(left.map(|left| left - 1)),
        }
        COPIES.set(COPIES.get() + 1);
        Self::Copy(self.id())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        match self {
            Self::Copy(_) => COPIES.set(COPIES.get().checked_sub(1).expect("a copy was dropped twice")),
            Self::Sent(message) => {
                if DROP_OF.get() == Some(message.id()) && !std::thread::panicking() {
                    DROP_OF.set(None);
                    panic_planted();
                }
            }
        }
    }
}

impl Shareable for Shared {
    const PLANTS: bool = true;

    fn copies() -> usize {
        COPIES.get()
    }

    fn clear() {
        COPIES.set(0);
        CLONES_LEFT.set(None);
        DROP_OF.set(None);
    }

    fn plant_clone(after: Option<usize>) {
        CLONES_LEFT.set(after);
    }

    fn plant_drop(id: Option<u64>) {
        DROP_OF.set(id);
    }
}
