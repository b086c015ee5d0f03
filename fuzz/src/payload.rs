//! Messages that have numbers, and record their drops.

use ringmail::{Flavor, Sender, TrySendError, WriteChunk};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

/// A kind of message. Those that are `Copy` can also do slices.
pub trait Payload: Sized + 'static {
    fn make(ledger: DropLedger) -> Self;
    fn id(&self) -> u64;

    /// Sends the next `n` values as a slice, if this kind can.
    fn try_send_slice<S: Flavor>(
        _tx: &mut Sender<Self, S>,
        _book: DropLedger,
        _n: usize,
    ) -> Option<Result<usize, TrySendError<()>>> {
        None
    }

    /// Copies the next `n` values into the chunk, if this kind can.
    fn fill_from_slice(_chunk: &mut WriteChunk<'_, Self>, _book: DropLedger, _n: usize) -> Option<usize> {
        None
    }
}

/// Numbers the values, from 0, and notes their drops. One a thread, not one a program: a value that holds it and is leaked
/// on purpose would be reported as a leak.
#[derive(Clone, Copy)]
pub struct DropLedger(());

thread_local! {
    static NEXT: Cell<u64> = const { Cell::new(0) };
    static ALIVE: RefCell<BTreeSet<u64>> = const { RefCell::new(BTreeSet::new()) };
}

impl DropLedger {
    /// An empty ledger.
    pub fn open() -> Self {
        NEXT.set(0);
        ALIVE.take();
        Self(())
    }

    /// The number of the next value to be made.
    pub fn next(self) -> u64 {
        NEXT.get()
    }

    fn number(self, n: usize) -> u64 {
        let first = NEXT.get();
        NEXT.set(first + n as u64);
        first
    }

    /// The values that have not been dropped.
    pub fn alive(self) -> BTreeSet<u64> {
        ALIVE.with_borrow(Clone::clone)
    }
}

impl Payload for u64 {
    fn make(ledger: DropLedger) -> Self {
        ledger.number(1)
    }

    fn id(&self) -> u64 {
        *self
    }

    fn try_send_slice<S: Flavor>(
        tx: &mut Sender<Self, S>,
        ledger: DropLedger,
        n: usize,
    ) -> Option<Result<usize, TrySendError<()>>> {
        let values: Vec<_> = (ledger.next()..).take(n).collect();
        let sent = tx.try_send_slice(&values);
        ledger.number(sent.unwrap_or(0));
        Some(sent)
    }

    fn fill_from_slice(chunk: &mut WriteChunk<'_, Self>, ledger: DropLedger, n: usize) -> Option<usize> {
        let values: Vec<_> = (ledger.next()..).take(n).collect();
        let written = chunk.fill_from_slice(&values);
        ledger.number(written);
        Some(written)
    }
}

/// Notes its drop. A second drop, or one of memory that never was a value, fails at once.
pub struct Tracked {
    id: u64,
    /// Not zero, so that memory that was never written does not pass for a value.
    seal: u64,
}

const SEAL: u64 = 0x5eed_f00d_1234_5678;

impl Payload for Tracked {
    fn make(ledger: DropLedger) -> Self {
        let id = ledger.number(1);
        ALIVE.with_borrow_mut(|alive| alive.insert(id));
        Self { id, seal: SEAL ^ id }
    }

    fn id(&self) -> u64 {
        assert_eq!(self.seal, SEAL ^ self.id, "not a value");
        self.id
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        let id = self.id();
        assert!(ALIVE.with_borrow_mut(|alive| alive.remove(&id)), "value {id} was dropped twice");
    }
}
