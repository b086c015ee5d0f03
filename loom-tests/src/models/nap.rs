//! Sleeps between processes: the sleeper's counter, a position to sleep on, and no word that both write. Naps have no end here: a lost
//! wake is a deadlock, which loom reports.

use crate::check::{bare, model};
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use ringmail::model::{Parked, full};

/// The kernel's queue of those that sleep on a word.
pub(super) struct Sleepers(Mutex<()>, Condvar);

impl Sleepers {
    pub(super) fn new() -> Self {
        Self(Mutex::new(()), Condvar::new())
    }

    /// Sleeps if `is_same` says that the word still holds what it did, in one step.
    pub(super) fn sleep(&self, is_same: impl FnOnce() -> bool) {
        let queue = self.0.lock().unwrap();
        if is_same() {
            drop(self.1.wait(queue).unwrap());
        }
    }

    pub(super) fn wake(&self) {
        drop(self.0.lock().unwrap());
        self.1.notify_all();
    }
}

/// One direction of a channel for as many messages as there are cells, and those that sleep on `tail`.
struct Line {
    parked: Parked,
    tail: AtomicU64,
    cells: Vec<UnsafeCell<u64>>,
    sleepers: Sleepers,
}

impl Line {
    fn new(messages: u64) -> Arc<Self> {
        let cells = (0..messages).map(|_| UnsafeCell::new(0)).collect();
        Arc::new(Self { parked: Parked::new(), tail: AtomicU64::new(0), cells, sleepers: Sleepers::new() })
    }

    /// Sends all messages; `fenced` as for [`Parked::calls`].
    fn send_all(&self, fenced: u64) {
        for (cell, next) in self.cells.iter().zip(1..) {
            // SAFETY: not published yet; loom reports it if somebody reads it already.
            cell.with_mut(|cell| unsafe { *cell = next });
            self.tail.store(next, Ordering::Release);
            if self.parked.calls(fenced) && self.parked.answer(next - 1, 1) {
                self.sleepers.wake();
            }
        }
    }

    fn receive_all(&self) {
        for (cell, next) in self.cells.iter().zip(1..) {
            let look = || self.tail.load(Ordering::Acquire);
            if look() < next {
                self.parked.sleep(
                    next - 1,
                    || {
                        full();
                        true
                    },
                    || if look() < next { Err(next - 1) } else { Ok(()) },
                    |expected, _| {
                        self.sleepers.sleep(|| self.tail.load(Ordering::Relaxed) == expected);
                        (look() >= next).then_some(())
                    },
                );
            }
            // SAFETY: published; loom reports it if not.
            assert_eq!(cell.with(|cell| unsafe { *cell }), next);
        }
    }
}

fn exchange(messages: u64, fenced: u64) {
    let line = Line::new(messages);
    let sender = line.clone();
    let sending = thread::spawn(move || sender.send_all(fenced));
    line.receive_all();
    sending.join().unwrap();
}

/// A receiver sleeps, or is about to, and a message comes.
pub fn a_message_wakes_the_receiver() {
    model("nap::a_message_wakes_the_receiver", None, || exchange(1, 0));
}

/// Two messages: the look that belongs to the first must not answer the sleep for the second.
pub fn each_sleep_is_answered() {
    model("nap::each_sleep_is_answered", Some(3), || exchange(2, 0));
}

/// The same where the sender fences: nothing else is needed.
pub fn a_message_wakes_the_receiver_fenced() {
    bare(|| model("nap::a_message_wakes_the_receiver_fenced", None, || exchange(1, 1)));
}
