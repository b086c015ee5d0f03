//! Senders that wait for room stand in a queue: each gets through, even if others leave or do not come. A lost wake is a
//! deadlock, which loom reports.

use crate::check::{model, outcomes, without_fences};
use crate::payload::Drops;
use loom::future::block_on;
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use ringmail::mpsc::{self, Receiver, Sender};
use ringmail::wait::{EventCount, waker_fn};
use ringmail::{FenceMode, SendError, SendTimeoutError, WaitStrategy};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

type Channel = (Sender<u32>, Receiver<u32>);

/// A ring for one, full.
fn full() -> Channel {
    filled(mpsc::Builder::new(1))
}

/// The same, FENCED from the start: no asymmetric barrier.
fn fenced() -> Channel {
    filled(mpsc::Builder::new(1).fence_mode(FenceMode::Fence))
}

fn filled(builder: mpsc::Builder) -> Channel {
    let (mut tx, rx) = builder.build().unwrap();
    tx.try_send(0).unwrap();
    (tx, rx)
}

fn sending(mut tx: Sender<u32>, message: u32) -> thread::JoinHandle<Sender<u32>> {
    thread::spawn(move || {
        tx.send(message).unwrap();
        tx
    })
}

/// Polls once for a task that will never look again. Whether it waits.
fn waits(future: impl Future) -> bool {
    pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

/// Two senders block for the one place, both get through.
pub fn two_blocked_senders_get_through() {
    model("queue::two_blocked_senders_get_through", Some(0), || two_blocked(full()));
}

pub fn two_blocked_senders_get_through_fenced() {
    without_fences(|| model("queue::two_blocked_senders_get_through_fenced", Some(0), || two_blocked(fenced())));
}

fn two_blocked((tx, mut rx): Channel) {
    let (a, b) = (sending(tx.clone(), 1), sending(tx, 2));
    assert_eq!(rx.try_recv(), Ok(0));
    let first = rx.recv().unwrap();
    let (_a, _b) = (a.join().unwrap(), b.join().unwrap());
    assert_eq!(rx.try_recv(), Ok(3 - first));
}

/// A wait times out, at the front or behind: the other goes on.
pub fn a_wait_that_timed_out_stops_no_sender() {
    outcomes("queue::a_wait_that_timed_out_stops_no_sender", Some(1), [true, false], || {
        let (mut tx, mut rx) = full();
        let b = sending(tx.clone(), 2);
        let receiver = thread::spawn(move || {
            let got = vec![rx.recv().unwrap(), rx.recv().unwrap()];
            (got, rx)
        });
        let said = tx.send_timeout(1, Duration::ZERO);
        assert!(matches!(said, Ok(()) | Err(SendTimeoutError::Timeout(1))));
        let (mut got, mut rx) = receiver.join().unwrap();
        // With the first two out there is room for those that still wait.
        let _b = b.join().unwrap();
        got.extend(rx.try_iter());
        got.sort_unstable();
        assert_eq!(got, if said.is_ok() { vec![0, 1, 2] } else { vec![0, 2] });
        said.is_ok()
    });
}

/// A future at the front is dropped while another sender joins: that one goes on.
pub fn a_front_that_is_dropped_wakes_the_next() {
    model("queue::a_front_that_is_dropped_wakes_the_next", Some(1), || front_dropped(full()));
}

pub fn a_front_that_is_dropped_wakes_the_next_fenced() {
    without_fences(|| {
        model("queue::a_front_that_is_dropped_wakes_the_next_fenced", Some(1), || front_dropped(fenced()))
    });
}

fn front_dropped((mut tx, mut rx): Channel) {
    let other = tx.clone();
    let mut front = tx.send_async(1);
    assert!(waits(&mut front));
    let b = sending(other, 2);
    let receiver = thread::spawn(move || {
        assert_eq!((rx.recv(), rx.recv()), (Ok(0), Ok(2)));
        rx
    });
    drop(front);
    let _b = b.join().unwrap();
    receiver.join().unwrap();
}

/// The waker of the front panics inside a receive: its place is not left behind, and the sender behind it goes on.
pub fn a_front_that_panics_wakes_the_next() {
    model("queue::a_front_that_panics_wakes_the_next", Some(1), || front_panics(mpsc::Builder::new(1)));
}

pub fn a_front_that_panics_wakes_the_next_fenced() {
    let fenced = || front_panics(mpsc::Builder::new(1).fence_mode(FenceMode::Fence));
    without_fences(|| model("queue::a_front_that_panics_wakes_the_next_fenced", Some(1), fenced));
}

fn front_panics(builder: mpsc::Builder) {
    let event = EventCount::with_waker(waker_fn(|| resume_unwind(Box::new("the reactor is gone"))));
    let (mut tx, mut rx) = filled(builder.receiver_event(event.clone()));
    let armed = event.arm();
    let other = tx.clone();
    let front = thread::spawn(move || {
        let sent = catch_unwind(AssertUnwindSafe(|| tx.send(1)));
        assert!(sent.is_err() || sent.is_ok_and(|sent| sent.is_ok()));
        // It is not dropped: that would give up its place, too.
        tx
    });
    let next = thread::spawn(move || {
        let mut tx = other;
        _ = catch_unwind(AssertUnwindSafe(|| tx.send(2)));
        tx
    });
    // Each place that is freed is used, and no sender tries again: the waker of the first sender panics.
    let mut got = Vec::new();
    while got.len() < 3 {
        match rx.try_recv() {
            Ok(message) => got.push(message),
            Err(_) => thread::yield_now(),
        }
    }
    drop(armed);
    let _both = (front.join().unwrap(), next.join().unwrap());
    got.sort_unstable();
    assert_eq!(got, [0, 1, 2]);
}

/// The same, and the receiver frees the place once and never again sleeps: only the one that leaves can wake the next.
pub fn a_front_that_is_dropped_hands_on_its_wake() {
    model("queue::a_front_that_is_dropped_hands_on_its_wake", Some(3), || {
        let (mut tx, mut rx) = full();
        let other = tx.clone();
        let mut front = tx.send_async(1);
        assert!(waits(&mut front));
        let b = sending(other, 2);
        assert_eq!(rx.try_recv(), Ok(0), "this wakes the front");
        drop(front);
        let _b = b.join().unwrap();
        assert_eq!(rx.try_recv(), Ok(2));
    });
}

/// The same, and the next is a future that is not polled: the thread behind it goes on.
pub fn a_front_that_is_dropped_before_a_future_calls_up() {
    model("queue::a_front_that_is_dropped_before_a_future_calls_up", Some(2), || {
        let (mut tx, mut rx) = full();
        let (mut second, third) = (tx.clone(), tx.clone());
        let (mut a, mut b) = (tx.send_async(1), second.send_async(2));
        assert!(waits(&mut a) && waits(&mut b));
        let c = sending(third, 3);
        assert_eq!(rx.try_recv(), Ok(0), "this wakes the front");
        drop(a);
        let _c = c.join().unwrap();
        assert_eq!(rx.try_recv(), Ok(3));
        drop(b);
    });
}

/// The front is woken and does not come: a receiver that goes to sleep wakes the one behind, which may only just be joining.
pub fn a_front_that_does_not_come_stops_no_sender() {
    model("queue::a_front_that_does_not_come_stops_no_sender", Some(3), || stuck_front(full()));
}

pub fn a_front_that_does_not_come_stops_no_sender_fenced() {
    without_fences(|| {
        model("queue::a_front_that_does_not_come_stops_no_sender_fenced", Some(2), || stuck_front(fenced()))
    });
}

/// A receiver that never sleeps also wakes those behind, at times.
pub fn a_receiver_that_spins_calls_up() {
    model("queue::a_receiver_that_spins_calls_up", Some(1), || {
        stuck_front(filled(mpsc::Builder::new(1).receiver_wait(WaitStrategy::BusySpin)));
    });
}

fn stuck_front((mut tx, mut rx): Channel) {
    let other = tx.clone();
    let mut stuck = tx.send_async(1);
    assert!(waits(&mut stuck));
    let b = sending(other, 2);
    assert_eq!(rx.recv(), Ok(0));
    assert_eq!(rx.recv(), Ok(2));
    let _b = b.join().unwrap();
    drop(stuck);
}

/// Two futures that are not polled stand in front: the receiver wakes as far as the thread behind them.
pub fn two_that_do_not_come_stop_no_sender() {
    model("queue::two_that_do_not_come_stop_no_sender", Some(2), || two_stuck(full()));
}

pub fn two_that_do_not_come_stop_no_sender_fenced() {
    without_fences(|| model("queue::two_that_do_not_come_stop_no_sender_fenced", Some(1), || two_stuck(fenced())));
}

fn two_stuck((mut tx, mut rx): Channel) {
    let (mut second, third) = (tx.clone(), tx.clone());
    let (mut a, mut b) = (tx.send_async(1), second.send_async(2));
    assert!(waits(&mut a) && waits(&mut b));
    let c = sending(third, 3);
    assert_eq!((rx.recv(), rx.recv()), (Ok(0), Ok(3)));
    let _c = c.join().unwrap();
    drop((a, b));
}

/// The second of two futures that are not polled is dropped while the receiver wakes those behind.
pub fn a_future_that_was_called_up_is_dropped() {
    model("queue::a_future_that_was_called_up_is_dropped", Some(1), || {
        let (mut tx, mut rx) = full();
        let (mut second, third) = (tx.clone(), tx.clone());
        let (mut a, mut b) = (tx.send_async(1), second.send_async(2));
        assert!(waits(&mut a) && waits(&mut b));
        let c = sending(third, 3);
        let receiver = thread::spawn(move || {
            assert_eq!((rx.recv(), rx.recv()), (Ok(0), Ok(3)));
            rx
        });
        drop(b);
        let (_c, _rx) = (c.join().unwrap(), receiver.join().unwrap());
        drop(a);
    });
}

/// Behind a future that is not polled, a sender is woken whose time is over: the one behind it is woken in its stead.
pub fn one_that_was_called_up_gives_up() {
    model("queue::one_that_was_called_up_gives_up", Some(2), || {
        let (mut tx, rx) = full();
        let (mut second, third) = (tx.clone(), tx.clone());
        let mut a = tx.send_async(1);
        assert!(waits(&mut a));
        let c = sending(third, 3);
        let receiver = receiving_until(3, rx);
        let _ = second.send_timeout(2, Duration::ZERO);
        let (_c, _rx) = (c.join().unwrap(), receiver.join().unwrap());
        drop(a);
    });
}

/// The same, and the next is a second future that is not polled, before a thread.
pub fn one_that_was_called_up_gives_up_before_a_future() {
    model("queue::one_that_was_called_up_gives_up_before_a_future", Some(2), || {
        let (mut tx, rx) = full();
        let (mut second, third) = (tx.clone(), tx.clone());
        let mut a = tx.send_async(1);
        assert!(waits(&mut a));
        let behind = future_then_thread(third);
        let receiver = receiving_until(3, rx);
        let _ = second.send_timeout(2, Duration::ZERO);
        behind.join().unwrap();
        let _rx = receiver.join().unwrap();
        drop(a);
    });
}

/// The front is a thread whose time is over, the next a future that is not polled: the thread behind goes on.
pub fn a_front_that_timed_out_before_a_future() {
    model("queue::a_front_that_timed_out_before_a_future", Some(1), || {
        let (mut tx, rx) = full();
        let behind = future_then_thread(tx.clone());
        let receiver = receiving_until(3, rx);
        let _ = tx.send_timeout(2, Duration::ZERO);
        behind.join().unwrap();
        let _rx = receiver.join().unwrap();
    });
}

/// The same, and the front sends: the receiver may have taken that, and gone to sleep, before it leaves.
pub fn a_front_that_sends_before_a_future() {
    model("queue::a_front_that_sends_before_a_future", Some(1), || {
        let (mut tx, rx) = full();
        let behind = future_then_thread(tx.clone());
        let receiver = receiving_until(3, rx);
        let _ = tx.send(2);
        behind.join().unwrap();
        let _rx = receiver.join().unwrap();
    });
}

/// Two futures that are not polled stand before one that is: it is woken too, because none of the three surely comes.
pub fn the_last_of_three_futures_comes() {
    model("queue::the_last_of_three_futures_comes", Some(1), || {
        let (mut tx, mut rx) = full();
        let (mut second, mut third) = (tx.clone(), tx.clone());
        let (mut a, mut b) = (tx.send_async(1), second.send_async(2));
        assert!(waits(&mut a) && waits(&mut b));
        let c = thread::spawn(move || {
            block_on(third.send_async(3)).unwrap();
            third
        });
        assert_eq!((rx.recv(), rx.recv()), (Ok(0), Ok(3)));
        let _c = c.join().unwrap();
        drop((a, b));
    });
}

/// A receiver that sleeps on an event count of the user's, not in a verb of its own: the event count calls up.
pub fn a_receiver_on_its_own_event_count_calls_up() {
    model("queue::a_receiver_on_its_own_event_count_calls_up", Some(1), || {
        let event = EventCount::new();
        let (mut tx, mut rx) = filled(mpsc::Builder::new(1).receiver_event(event.clone()));
        let other = tx.clone();
        let mut stuck = tx.send_async(1);
        assert!(waits(&mut stuck));
        let b = sending(other, 2);
        for message in [0, 2] {
            let got = loop {
                // Not by a question that wakes those behind by itself.
                assert!(event.wait(None, || rx.stats().depth != 0 || rx.is_closed()));
                // A place that is claimed is no message yet.
                match rx.try_recv() {
                    Ok(got) => break got,
                    Err(_) => thread::yield_now(),
                }
            };
            assert_eq!(got, message);
        }
        let _b = b.join().unwrap();
        drop(stuck);
    });
}

/// What a reactor sleeps on. Not `park`: loom forgets an `unpark` of a thread that waits for a mutex before it parks.
struct Gate(Mutex<bool>, Condvar);

impl Gate {
    fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_one();
    }

    fn pass(&self) {
        let mut open = self.0.lock().unwrap();
        while !*open {
            open = self.1.wait(open).unwrap();
        }
        *open = false;
    }
}

/// The same by [`EventCount::arm`].
pub fn a_receiver_on_an_armed_event_count_calls_up() {
    model("queue::a_receiver_on_an_armed_event_count_calls_up", Some(1), || {
        let gate = Arc::new(Gate(Mutex::new(false), Condvar::new()));
        let opens = gate.clone();
        let event = EventCount::with_waker(waker_fn(move || opens.open()));
        let (mut tx, mut rx) = filled(mpsc::Builder::new(1).receiver_event(event.clone()));
        let other = tx.clone();
        let mut stuck = tx.send_async(1);
        assert!(waits(&mut stuck));
        let b = sending(other, 2);
        assert_eq!(rx.try_recv(), Ok(0));
        let got = loop {
            if let Some(asleep) = event.arm().confirm(|| rx.stats().depth != 0) {
                gate.pass();
                drop(asleep);
            }
            match rx.try_recv() {
                Ok(got) => break got,
                Err(_) => thread::yield_now(),
            }
        };
        assert_eq!(got, 2);
        let _b = b.join().unwrap();
        drop(stuck);
    });
}

/// A receiver that polls, and asks only whether there is anything.
pub fn a_receiver_that_only_asks_calls_up() {
    model("queue::a_receiver_that_only_asks_calls_up", Some(1), || {
        let (mut tx, mut rx) = full();
        let other = tx.clone();
        let mut stuck = tx.send_async(1);
        assert!(waits(&mut stuck));
        let b = sending(other, 2);
        assert_eq!(rx.try_recv(), Ok(0));
        while rx.is_empty() {
            thread::yield_now();
        }
        assert_eq!(rx.recv(), Ok(2));
        let _b = b.join().unwrap();
        drop(stuck);
    });
}

/// One that polls once, and behind it one that blocks with 3.
fn future_then_thread(mut tx: Sender<u32>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut last = tx.clone();
        let mut future = tx.send_async(4);
        let _ = waits(&mut future);
        last.send(3).unwrap();
        drop(future);
    })
}

fn receiving_until(message: u32, mut rx: Receiver<u32>) -> thread::JoinHandle<Receiver<u32>> {
    thread::spawn(move || {
        while rx.recv().unwrap() != message {}
        rx
    })
}

/// A receiver closes: all in the queue get their values back, in any order.
pub fn a_close_wakes_the_whole_queue() {
    model("queue::a_close_wakes_the_whole_queue", Some(2), || closes(full()));
}

pub fn a_close_wakes_the_whole_queue_fenced() {
    without_fences(|| model("queue::a_close_wakes_the_whole_queue_fenced", Some(2), || closes(fenced())));
}

fn closes((mut tx, mut rx): Channel) {
    let mut other = tx.clone();
    let a = thread::spawn(move || assert_eq!(tx.send(1), Err(SendError(1))));
    let b = thread::spawn(move || assert_eq!(other.send(2), Err(SendError(2))));
    rx.close();
    a.join().unwrap();
    b.join().unwrap();
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [0]);
}

/// A receiver drops with a sender in the queue behind one that does not come: each value drops once, here or there.
pub fn a_dropped_receiver_wakes_the_whole_queue() {
    model("queue::a_dropped_receiver_wakes_the_whole_queue", Some(2), || {
        let drops = Drops::default();
        let (mut tx, rx) = mpsc::channel(1).unwrap();
        tx.try_send(drops.value(0)).unwrap();
        let (mut behind, value) = (tx.clone(), drops.value(2));
        let mut front = tx.send_async(drops.value(1));
        assert!(waits(&mut front));
        let sender = thread::spawn(move || assert!(behind.send(value).is_err()));
        drop(rx);
        sender.join().unwrap();
        drop(front);
        drop(tx);
        drops.assert_each_once(3);
    });
}
