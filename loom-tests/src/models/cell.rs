//! The cell that holds a waker: the thread that takes it sees what its owner did before, and a waker stored during a take is handed back.

use crate::check::model;
use crate::payload::Unordered;
use loom::sync::Arc;
use loom::thread;
use ringmail::model::WakerCell;
use std::sync::Arc as Plain;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

/// Counts its wakes in a word that loom does not see, so that it orders nothing.
#[allow(clippy::disallowed_types, reason = "not a part of the model")]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Plain<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn wakes() -> (Plain<Wakes>, Waker) {
    let wakes = Plain::new(Wakes(AtomicUsize::new(0)));
    let waker = Waker::from(Plain::clone(&wakes));
    (wakes, waker)
}

/// A waker is put, taken and put again, by two threads that nothing else orders: each move of it is seen whole.
pub fn a_waker_is_moved_whole() {
    model("cell::a_waker_is_moved_whole", None, || {
        let cell = Arc::new(WakerCell::new());
        let theirs = Arc::clone(&cell);
        let taker = thread::spawn(move || [theirs.take().is_some(), theirs.take().is_some()]);
        for _ in 0..2 {
            let put = cell.put(wakes().1);
            // Two at once would be of a taker that asked while the other one was replaced.
            drop(put.refused.or(put.previous));
        }
        taker.join().unwrap();
        drop(cell.take());
    });
}

/// Two threads take at once: one of them has it.
pub fn a_waker_is_taken_once() {
    model("cell::a_waker_is_taken_once", None, || {
        let cell = Arc::new(WakerCell::new());
        let put = cell.put(wakes().1);
        assert!(put.previous.is_none() && put.refused.is_none());
        let theirs = Arc::clone(&cell);
        let taker = thread::spawn(move || theirs.take().is_some());
        let mine = cell.take().is_some();
        assert!(mine != taker.join().unwrap(), "one has it, and one alone");
        assert!(cell.take().is_none());
    });
}

/// A taker writes and takes; a sleeper stores its waker and checks. Either the taker has the waker, and wakes; or the sleeper's check sees
/// what the taker wrote: its waker came back, or the state of the cell shows it.
pub fn a_waker_that_meets_a_taker_comes_back() {
    model("cell::a_waker_that_meets_a_taker_comes_back", None, || {
        let (cell, published) = (Arc::new(WakerCell::new()), Unordered::new());
        let (theirs, publish) = (Arc::clone(&cell), published.clone());
        let taker = thread::spawn(move || {
            publish.write();
            if let Some(waker) = theirs.take() {
                waker.wake();
            }
        });
        let (wakes, waker) = wakes();
        let put = cell.put(waker);
        if let Some(met) = put.refused {
            // The taker found no waker and is done; everything that it did before is visible.
            published.read();
            met.wake();
        }
        taker.join().unwrap();
        let stays = cell.take().is_some();
        assert_eq!(wakes.0.load(Ordering::Relaxed) == 0, stays, "a waker that is not there was woken");
    });
}
