//! Sleeps between processes: the sleeper's counter, a position to sleep on, and no word that both write. Naps have no end here: a lost
//! wake is a deadlock, which loom reports.

use crate::check::{bare, model};
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use ringmail::model::{Parked, full};

/// One direction of a channel for as many messages as there are cells, and the kernel's queue of those that sleep on `tail`.
struct Line {
    parked: Parked,
    tail: AtomicU64,
    cells: Vec<UnsafeCell<u64>>,
    queue: Mutex<()>,
    wakes: Condvar,
}

impl Line {
    fn new(messages: u64) -> Arc<Self> {
        let cells = (0..messages).map(|_| UnsafeCell::new(0)).collect();
        Arc::new(Self {
            parked: Parked::new(),
            tail: AtomicU64::new(0),
            cells,
            queue: Mutex::new(()),
            wakes: Condvar::new(),
        })
    }

    /// What the kernel does: sleeps if the word still holds that, in one step.
    fn sleep_on_tail(&self, expected: u64) {
        let queue = self.queue.lock().unwrap();
        if self.tail.load(Ordering::Relaxed) == expected {
            drop(self.wakes.wait(queue).unwrap());
        }
    }

    fn wake(&self) {
        drop(self.queue.lock().unwrap());
        self.wakes.notify_all();
    }

    /// Sends all messages; `fenced` as for [`Parked::calls`].
    fn send_all(&self, fenced: u64) {
        for (cell, next) in self.cells.iter().zip(1..) {
            // SAFETY: not published yet; loom reports it if somebody reads it already.
            cell.with_mut(|cell| unsafe { *cell = next });
            self.tail.store(next, Ordering::Release);
            if self.parked.calls(fenced) && self.parked.answer(next - 1, 1) {
                self.wake();
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
                        self.sleep_on_tail(expected);
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
