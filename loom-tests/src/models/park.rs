//! Sleeps between processes: the sleeper's counter, a position to sleep on, and no word that both write. A sleep has no time limit here:
//! a lost wake is a deadlock, which loom reports.

use crate::check::{model, without_fences};
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use ringmail::model::{ParkWord, Session, Sleeper, full};
use std::cell::Cell;

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
    parked: ParkWord,
    tail: AtomicU64,
    cells: Vec<UnsafeCell<u64>>,
    sleepers: Arc<Sleepers>,
}

impl Line {
    fn new(messages: u64) -> Arc<Self> {
        Self::with(messages, Arc::new(Sleepers::new()))
    }

    fn with(messages: u64, sleepers: Arc<Sleepers>) -> Arc<Self> {
        let cells = (0..messages).map(|_| UnsafeCell::new(0)).collect();
        Arc::new(Self { parked: ParkWord::new(), tail: AtomicU64::new(0), cells, sleepers })
    }

    /// Sends all messages; `fenced` as for [`ParkWord::calls`].
    fn send_all(&self, fenced: u64) {
        for (cell, next) in self.cells.iter().zip(1..) {
            // SAFETY: not published yet; loom reports it if another thread reads it already.
            cell.with_mut(|cell| unsafe { *cell = next });
            self.tail.store(next, Ordering::Release);
            if self.parked.should_wake(fenced) && self.parked.is_awaited(next - 1, 1) {
                self.sleepers.wake();
            }
        }
    }

    fn receive_all(&self, mut sleeper: Sleeper, barrier: impl Fn()) {
        for (cell, next) in self.cells.iter().zip(1..) {
            let look = || self.tail.load(Ordering::Acquire);
            let barrier = || {
                barrier();
                true
            };
            let sleep = |_| self.sleepers.sleep(|| self.tail.load(Ordering::Relaxed) == next - 1);
            let found = || (look() >= next).then_some(());
            sleeper.sleep(&[(&self.parked, next - 1)], next - 1, barrier, found, sleep);
            // SAFETY: published; loom reports it if not.
            assert_eq!(cell.with(|cell| unsafe { *cell }), next);
        }
    }
}

fn exchange(messages: u64, fenced: u64, sleeper: Sleeper, barrier: impl Fn()) {
    let line = Line::new(messages);
    exchange_on(&line, fenced, sleeper, barrier);
}

fn exchange_on(line: &Arc<Line>, fenced: u64, sleeper: Sleeper, barrier: impl Fn()) {
    let sender = line.clone();
    let sending = thread::spawn(move || sender.send_all(fenced));
    line.receive_all(sleeper, barrier);
    sending.join().unwrap();
}

/// A receiver sleeps, or is about to, and a message comes.
pub fn a_message_wakes_the_receiver() {
    model("park::a_message_wakes_the_receiver", None, || exchange(1, 0, Sleeper::new(false), full));
}

/// Two messages: the look that belongs to the first must not answer the sleep for the second.
pub fn each_sleep_is_answered() {
    model("park::each_sleep_is_answered", Some(3), || exchange(2, 0, Sleeper::new(false), full));
}

/// The same where the sender fences: nothing else is needed.
pub fn a_message_wakes_the_receiver_fenced() {
    without_fences(|| {
        model("park::a_message_wakes_the_receiver_fenced", None, || exchange(1, 1, Sleeper::new(false), full));
    });
}

/// The first of two sleeps passes the barrier, the second only fences.
pub fn a_side_that_sleeps_often_is_settled_by_one_barrier() {
    model("park::a_side_that_sleeps_often_is_settled_by_one_barrier", Some(3), || {
        let (passed, messages) = (Cell::new(0), 2);
        exchange(messages, 0, Sleeper::new(true), || {
            passed.set(passed.get() + 1);
            full();
        });
        assert!(passed.get() < messages, "a barrier for each sleep");
    });
}

/// Between publishing and the check for a sleeper the sender passes no fence of its own, and the receiver passes no barrier. The bit in the
/// receiver's word makes the sender fence.
pub fn a_settled_side_needs_no_barrier() {
    without_fences(|| {
        model("park::a_settled_side_needs_no_barrier", None, || {
            let (line, mut sleeper) = (Line::new(1), Sleeper::new(true));
            sleeper.settle(&[(&line.parked, 0)]);
            exchange_on(&line, 0, sleeper, || unreachable!("it is settled"));
        });
    });
}

/// A side has settled one of its words. Before it first sleeps on another, whose sender does not know of FENCED yet, it passes a barrier again.
pub fn each_word_is_settled_by_a_barrier_of_its_own() {
    model("park::each_word_is_settled_by_a_barrier_of_its_own", Some(3), || {
        let (first, second, passed) = (Line::new(1), Line::new(1), Cell::new(false));
        let mut sleeper = Sleeper::new(true);
        sleeper.settle(&[(&first.parked, 0)]);
        let theirs = second.clone();
        let sending = thread::spawn(move || theirs.send_all(0));
        let barrier = || {
            full();
            passed.set(true);
            true
        };
        let sleep = |_| {
            assert!(passed.get(), "asleep on a word whose sender may publish without a fence");
            second.sleepers.sleep(|| second.tail.load(Ordering::Relaxed) == 0);
        };
        let look = || (second.tail.load(Ordering::Acquire) == 1).then_some(());
        sleeper.sleep_on(2, &[(&second.parked, 0)], 0, barrier, look, sleep);
        sending.join().unwrap();
    });
}

/// A side that slept often and no longer does clears the bit. Its next sleep passes a barrier again.
pub fn the_step_back_from_settled() {
    model("park::the_step_back_from_settled", Some(3), || {
        let (line, mut sleeper) = (Line::new(1), Sleeper::new(true));
        sleeper.settle(&[(&line.parked, 0)]);
        sleeper.sleep_seldom(&[(&line.parked, 0)]);
        exchange_on(&line, 0, sleeper, full);
    });
}

/// One receiver of two lanes, with a sleep on both: whichever message comes, none is missed.
fn two_lanes() {
    let sleepers = Arc::new(Sleepers::new());
    let lanes = [Line::with(1, sleepers.clone()), Line::with(1, sleepers.clone())];
    let senders = lanes.clone().map(|lane| thread::spawn(move || lane.send_all(0)));
    let (mut heads, mut sleeper) = ([0; 2], Sleeper::new(false));
    while heads != [1; 2] {
        let look = |heads: [u64; 2]| (0..2).find(|&i| lanes[i].tail.load(Ordering::Acquire) != heads[i]);
        let slots = [(&lanes[0].parked, heads[0]), (&lanes[1].parked, heads[1])];
        let barrier = || {
            full();
            true
        };
        // The kernel looks at all words before it lets go, and a wake on any of them ends the sleep.
        let sleep = |_| sleepers.sleep(|| (0..2).all(|i| lanes[i].tail.load(Ordering::Relaxed) == heads[i]));
        let found = sleeper.sleep(&slots, heads[0] + heads[1], barrier, || look(heads), sleep);
        // SAFETY: published; loom reports it if not.
        assert_eq!(lanes[found].cells[0].with(|cell| unsafe { *cell }), 1);
        heads[found] += 1;
    }
    senders.into_iter().for_each(|sender| sender.join().unwrap());
}

pub fn any_lane_wakes_the_receiver() {
    model("park::any_lane_wakes_the_receiver", Some(3), two_lanes);
}

/// A receiver sleeps by its event count, in a reactor: the publisher finds the event count and notifies it, or the check after the
/// announcement sees the message.
pub fn a_message_notifies_the_event_count() {
    model("park::a_message_notifies_the_event_count", None, || {
        const EVENT: u64 = 7;
        let (line, words) = (Line::new(1), Arc::new(Session::new()));
        // A descriptor that stays readable once it was notified.
        let event = Arc::new((Mutex::new(false), Condvar::new()));
        let (theirs, of, notified) = (line.clone(), words.clone(), event.clone());
        let sender = thread::spawn(move || {
            // SAFETY: not published yet; loom reports it if another thread reads it already.
            theirs.cells[0].with_mut(|cell| unsafe { *cell = 1 });
            theirs.tail.store(1, Ordering::Release);
            let parked = of.parked();
            if parked.should_wake(0) && parked.is_awaited(0, 1) {
                // Without a number the receiver has woken since, and checks by itself.
                if let Some(number) = of.event() {
                    assert_eq!(number, EVENT, "it was named before the sleep was announced");
                    *notified.0.lock().unwrap() = true;
                    notified.1.notify_all();
                }
            }
        });
        let mut sleeper = Sleeper::new(false);
        // It slept without the event count before: the sender may have seen that.
        sleeper.settle(&[(words.parked(), 0)]);
        words.name_descriptor(EVENT);
        let barrier = || {
            full();
            true
        };
        if sleeper.arm(&[(words.parked(), 0)], barrier, || line.tail.load(Ordering::Acquire) == 1) {
            let mut notified = event.0.lock().unwrap();
            while !*notified {
                notified = event.1.wait(notified).unwrap();
            }
            drop(notified);
            assert_eq!(line.tail.load(Ordering::Acquire), 1);
        }
        // SAFETY: published; loom reports it if not.
        assert_eq!(line.cells[0].with(|cell| unsafe { *cell }), 1);
        sender.join().unwrap();
    });
}
