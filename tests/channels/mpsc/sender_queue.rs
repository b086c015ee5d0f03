//! Senders of one ring that wait in turn: whoever leaves, is cancelled or never comes back, the others go on.

use crate::support::tasks::{block_on, leak_pending, poll};
use crate::support::{Wakes, ends, let_it_sleep, until};
use ringmail::mpsc::{Builder, Receiver, Sender, channel};
use ringmail::wait::EventCount;
use ringmail::{FenceMode, WaitStrategy};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Wake, Waker};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A channel for one message that is full. Fenced, because wakes are counted here.
fn full() -> (Sender<u32>, Receiver<u32>) {
    let (mut tx, rx) = Builder::new(1).fence_mode(FenceMode::Fence).build().unwrap();
    tx.try_send(0).unwrap();
    (tx, rx)
}

/// A thread that sends `value`, without polling first, and is given the time to fall asleep over it.
fn blocked(tx: &Sender<u32>, value: u32) -> JoinHandle<()> {
    let mut tx = tx.clone();
    tx.set_wait(WaitStrategy::ParkAtOnce);
    let (started, wait) = std::sync::mpsc::channel();
    let sender = thread::spawn(move || {
        started.send(()).unwrap();
        tx.send(value).unwrap();
    });
    wait.recv().unwrap();
    let_it_sleep();
    let_it_sleep();
    sender
}

#[test]
fn those_that_wait_are_woken_in_the_order_in_which_they_came() {
    let (tx, mut rx) = full();
    let mut senders: Vec<_> = (0..5).map(|_| (tx.clone(), Wakes::new())).collect();
    let mut sends: Vec<_> = (1..).zip(&mut senders).map(|(i, (tx, (wakes, w)))| (tx.send_async(i), wakes, w)).collect();
    assert!(sends.iter_mut().all(|(send, _, waker)| poll(send, waker).is_pending()));
    for turn in 0..5 {
        assert_eq!(rx.try_recv(), Ok(turn as u32));
        assert!(sends[turn].1.count() >= 1, "it is the turn of {turn}");
        assert!(sends[turn + 1..].iter().all(|(_, wakes, _)| wakes.count() == 0), "and of nobody else");
        let (send, _, waker) = &mut sends[turn];
        assert_eq!(poll(send, waker), Poll::Ready(Ok(())));
    }
    assert_eq!(rx.try_recv(), Ok(5));
}

#[test]
fn threads_and_futures_stand_in_one_queue() {
    ends(|| {
        let (mut tx, mut rx) = full();
        let ((first, w1), (third, w3)) = (Wakes::new(), Wakes::new());
        let mut other = tx.clone();
        let mut send1 = tx.send_async(1);
        assert!(poll(&mut send1, &w1).is_pending());
        let second = blocked(&other.clone(), 2);
        let mut send3 = other.send_async(3);
        assert!(poll(&mut send3, &w3).is_pending());
        assert_eq!(rx.recv(), Ok(0));
        assert_eq!((first.count(), third.count()), (1, 0), "only the first is woken");
        assert_eq!(poll(&mut send1, &w1), Poll::Ready(Ok(())));
        assert_eq!(rx.recv(), Ok(1));
        second.join().unwrap();
        assert!(third.count() >= 1, "whoever leaves the front wakes the next");
        assert_eq!(rx.recv(), Ok(2));
        assert_eq!(poll(&mut send3, &w3), Poll::Ready(Ok(())));
        assert_eq!(rx.recv(), Ok(3));
    });
}

#[test]
fn room_for_several_wakes_one_after_the_other() {
    ends(|| {
        let (mut tx, mut rx) = channel(4).unwrap();
        tx.try_send_slice(&[0; 4]).unwrap();
        let senders: Vec<_> = (1..5).map(|value| blocked(&tx, value)).collect();
        // One ring of the event count for four places.
        assert_eq!(rx.drain(4, drop), 4);
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        assert_eq!(rx.try_iter().count(), 4);
    });
}

#[test]
fn a_future_that_is_dropped_at_the_front_lets_the_next_go() {
    ends(|| {
        let (mut tx, mut rx) = full();
        let (next, waker) = (tx.clone(), Waker::noop());
        let mut quitter = tx.send_async(9);
        assert!(poll(&mut quitter, waker).is_pending());
        let behind = blocked(&next, 2);
        // Woken, but it goes instead of sending.
        assert_eq!(rx.recv(), Ok(0));
        drop(quitter);
        behind.join().unwrap();
        assert_eq!(rx.recv(), Ok(2), "what was dropped was not sent");
    });
}

#[test]
fn a_future_that_is_dropped_in_the_middle_is_passed_over() {
    ends(|| {
        let (mut tx, mut rx) = full();
        let next = tx.clone();
        let first = blocked(&next, 1);
        let mut quitter = tx.send_async(9);
        assert!(poll(&mut quitter, Waker::noop()).is_pending());
        let last = blocked(&next, 2);
        drop(quitter);
        assert_eq!(rx.recv(), Ok(0));
        assert_eq!(rx.iter().take(2).sum::<u32>(), 3, "what was dropped was not sent");
        first.join().unwrap();
        last.join().unwrap();
    });
}

#[test]
fn a_sender_that_gives_up_at_the_front_lets_the_next_go() {
    ends(|| {
        let (tx, mut rx) = full();
        let mut hasty = tx.clone();
        let hasty = thread::spawn(move || hasty.send_timeout(9, Duration::from_millis(60)));
        let_it_sleep();
        let behind = blocked(&tx, 2);
        assert!(hasty.join().unwrap().is_err());
        assert_eq!((rx.recv(), rx.recv()), (Ok(0), Ok(2)));
        behind.join().unwrap();
    });
}

/// Blocked behind a future that is leaked, which the receiver wakes in vain.
fn others_go_on_behind_a_leaked_future(wait: WaitStrategy, handle_stays: bool) {
    let (mut tx, mut rx) = full();
    let (next, mut rest) = (tx.clone(), tx.clone());
    leak_pending(tx.send_async(9), Waker::noop());
    let behind = [1, 2].map(|value| blocked(&next, value));
    let keep = handle_stays.then_some(tx);
    rx.set_wait(wait);
    let mut seen: Vec<_> = rx.iter().take(3).collect();
    assert_eq!((seen.remove(0), seen.iter().sum::<u32>()), (0, 3), "{wait:?}");
    behind.into_iter().for_each(|sender| sender.join().unwrap());
    // Whoever comes later goes too.
    let later = thread::spawn(move || (0..1000).for_each(|i| rest.send(i).unwrap()));
    assert!(rx.iter().take(1000).eq(0..1000));
    later.join().unwrap();
    drop(keep);
}

#[test]
fn a_leaked_future_stops_no_other_while_the_receiver_parks() {
    for handle_stays in [true, false] {
        ends(move || others_go_on_behind_a_leaked_future(WaitStrategy::Park, handle_stays));
        ends(move || others_go_on_behind_a_leaked_future(WaitStrategy::ParkAtOnce, handle_stays));
    }
}

#[test]
fn a_leaked_future_stops_no_other_while_the_receiver_yields() {
    for handle_stays in [true, false] {
        ends(move || others_go_on_behind_a_leaked_future(WaitStrategy::Yield, handle_stays));
    }
}

#[test]
fn a_leaked_future_stops_no_other_while_the_receiver_spins() {
    for handle_stays in [true, false] {
        ends(move || others_go_on_behind_a_leaked_future(WaitStrategy::BusySpin, handle_stays));
    }
}

#[test]
fn a_leaked_future_stops_no_other_while_the_receiver_polls() {
    ends(|| {
        let (mut tx, mut rx) = full();
        let next = tx.clone();
        leak_pending(tx.send_async(9), Waker::noop());
        let behind = [1, 2].map(|value| blocked(&next, value));
        let mut seen = Vec::new();
        until(|| {
            seen.extend(rx.try_recv());
            seen.len() == 3
        });
        behind.into_iter().for_each(|sender| sender.join().unwrap());
    });
}

#[test]
fn a_leaked_future_stops_no_other_while_the_receiver_awaits() {
    ends(|| {
        let (mut tx, mut rx) = full();
        let next = tx.clone();
        leak_pending(tx.send_async(9), Waker::noop());
        let behind = [1, 2].map(|value| blocked(&next, value));
        assert_eq!((0..3).map(|_| block_on(rx.recv_async()).unwrap()).sum::<u32>(), 3);
        behind.into_iter().for_each(|sender| sender.join().unwrap());
    });
}

#[test]
fn a_sender_that_leaked_a_future_can_send_and_await_again() {
    ends(|| {
        let (mut tx, mut rx) = full();
        leak_pending(tx.send_async(9), Waker::noop());
        leak_pending(tx.send_async(9), Waker::noop());
        let sender = thread::spawn(move || {
            tx.send(1).unwrap();
            block_on(tx.send_async(2)).unwrap();
            tx.send(3).unwrap();
        });
        assert_eq!(rx.iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
        sender.join().unwrap();
    });
}

/// The event count is one for all senders: what one of them leaked and then left must not be taken back in another's name.
#[test]
fn a_leaked_future_does_not_silence_the_event_for_others() {
    ends(|| {
        let (mut tx, mut rx) = full();
        let other = tx.clone();
        leak_pending(tx.send_async(9), Waker::noop());
        // The same handle waits again, by thread, and goes: its place in the queue is given up.
        let sender = thread::spawn(move || {
            tx.send(1).unwrap();
            tx
        });
        let_it_sleep();
        assert_eq!(rx.recv(), Ok(0));
        let mut tx = sender.join().unwrap();
        // Now another is first in the queue and sleeps.
        let behind = blocked(&other, 2);
        let mut cancelled = tx.send_async(9);
        assert!(poll(&mut cancelled, Waker::noop()).is_pending());
        drop(cancelled);
        assert_eq!(rx.try_recv(), Ok(1));
        behind.join().unwrap();
        assert_eq!(rx.recv(), Ok(2));
    });
}

/// Called up by the receiver behind a first one that does not come, the second leaves without looking: the third is there.
#[test]
fn a_future_that_is_called_up_and_dropped_passes_the_call_on() {
    ends(|| {
        let (mut tx, mut rx) = full();
        let (mut second, third) = (tx.clone(), tx.clone());
        leak_pending(tx.send_async(9), Waker::noop());
        let (called, waker) = Wakes::new();
        let mut quitter = second.send_async(9);
        assert!(poll(&mut quitter, &waker).is_pending());
        let behind = blocked(&third, 2);
        let receiver = thread::spawn(move || (rx.recv(), rx.recv()));
        until(|| called.count() != 0);
        let_it_sleep();
        drop(quitter);
        assert_eq!(receiver.join().unwrap(), (Ok(0), Ok(2)));
        behind.join().unwrap();
    });
}

/// None of them surely comes, so one of them being called up would not do.
#[test]
fn the_last_of_three_futures_wakes_before_the_receiver_sleeps() {
    let (mut tx, mut rx) = full();
    let (mut second, mut third) = (tx.clone(), tx.clone());
    let (mut a, mut b, mut c) = (tx.send_async(1), second.send_async(2), third.send_async(3));
    let (wakes, waker) = Wakes::new();
    assert!(poll(&mut a, Waker::noop()).is_pending() && poll(&mut b, Waker::noop()).is_pending());
    assert!(poll(&mut c, &waker).is_pending());
    assert_eq!(poll(&mut rx.recv_async(), Waker::noop()), Poll::Ready(Ok(0)));
    assert!(poll(&mut rx.recv_async(), Waker::noop()).is_pending());
    assert_eq!(wakes.count(), 1);
    assert!(poll(&mut c, &waker).is_ready());
    assert_eq!(rx.try_recv(), Ok(3));
}

#[test]
fn a_receiver_on_an_event_of_its_own_calls_up() {
    ends(|| {
        let event = EventCount::new();
        let (mut tx, mut rx) = Builder::new(1).receiver_event(event.clone()).build().unwrap();
        tx.try_send(0).unwrap();
        let other = tx.clone();
        let mut stuck = tx.send_async(1);
        assert!(poll(&mut stuck, Waker::noop()).is_pending());
        let sender = blocked(&other, 2);
        assert_eq!(rx.try_recv(), Ok(0));
        assert!(event.wait(None, || !rx.is_empty() || rx.is_closed()));
        sender.join().unwrap();
        assert_eq!(rx.try_recv(), Ok(2));
    });
}

/// By a question that calls up nothing by itself, on a event count that serves other channels too.
#[test]
fn a_receiver_that_arms_an_event_calls_up() {
    ends(|| {
        let event = EventCount::new();
        let (_quiet_tx, _quiet_rx) = Builder::new(1).receiver_event(event.clone()).build::<u32>().unwrap();
        let (gone_tx, gone_rx) = Builder::new(1).receiver_event(event.clone()).build::<u32>().unwrap();
        let (mut tx, mut rx) = Builder::new(1).receiver_event(event.clone()).build().unwrap();
        drop((gone_tx, gone_rx));
        tx.try_send(0).unwrap();
        let other = tx.clone();
        let mut stuck = tx.send_async(1);
        assert!(poll(&mut stuck, Waker::noop()).is_pending());
        let sender = blocked(&other, 2);
        assert_eq!(rx.try_recv(), Ok(0));
        // One message may be on its way already.
        let there = || (1..).contains(&rx.len());
        let armed = event.arm().confirm(there);
        until(there);
        // A place is counted once it is claimed, before its message rings.
        sender.join().unwrap();
        assert!(armed.is_none_or(|armed| !armed.is_quiet()), "its message rings the event");
        assert_eq!(rx.try_recv(), Ok(2));
    });
}

#[test]
fn a_receiver_that_only_asks_frees_those_behind_a_future() {
    ends(|| {
        let (mut tx, mut rx) = full();
        let other = tx.clone();
        let mut stuck = tx.send_async(1);
        assert!(poll(&mut stuck, Waker::noop()).is_pending());
        let sender = blocked(&other, 2);
        assert_eq!(rx.try_recv(), Ok(0));
        until(|| !rx.is_empty());
        sender.join().unwrap();
        assert_eq!(rx.try_recv(), Ok(2));
    });
}

/// With no future in front the question is a look.
#[test]
fn asking_whether_there_is_a_message_wakes_no_thread_that_waits() {
    let (mut tx, mut rx) = full();
    let mut other = tx.clone();
    let (wakes, waker) = Wakes::new();
    let mut first = tx.send_async(1);
    assert!(poll(&mut first, &waker).is_pending());
    let (behind, its_waker) = Wakes::new();
    let mut second = other.send_async(2);
    assert!(poll(&mut second, &its_waker).is_pending());
    for _ in 0..1000 {
        assert!(!rx.is_empty());
    }
    assert_eq!((wakes.count(), behind.count()), (0, 0), "there is a message");
    assert_eq!(rx.try_recv(), Ok(0));
    let woken = wakes.count();
    for _ in 0..1000 {
        assert!(rx.is_empty());
    }
    assert_eq!((wakes.count(), behind.count()), (woken, 1), "called up once");
    assert!(poll(&mut first, &waker).is_ready());
    drop((first, second));
    assert_eq!(rx.try_recv(), Ok(1));
    for _ in 0..1000 {
        assert!(rx.is_empty());
    }
    assert_eq!(behind.count(), 1, "nobody waits");
}

/// The receiver takes the message and goes to sleep while its sender is still on the way out of the queue, held up by the very wake.
#[test]
fn a_sender_at_the_front_wakes_others_for_an_absent_future() {
    struct Slow(AtomicUsize);
    impl Wake for Slow {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
            let_it_sleep();
            let_it_sleep();
        }
    }
    ends(|| {
        let (tx, mut rx) = full();
        let mut second = tx.clone();
        let first = blocked(&tx, 1);
        let mut stuck = second.send_async(2);
        assert!(poll(&mut stuck, Waker::noop()).is_pending());
        let third = blocked(&tx, 3);
        let slow = Arc::new(Slow(AtomicUsize::new(0)));
        let waker = Waker::from(slow.clone());
        assert_eq!(poll(&mut rx.recv_async(), &waker), Poll::Ready(Ok(0)));
        let mut pending = Box::pin(rx.recv_async());
        let mut seen = poll(&mut pending, &waker);
        while seen.is_pending() && slow.0.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        if seen.is_pending() {
            seen = poll(&mut pending, &waker);
        }
        assert_eq!(seen, Poll::Ready(Ok(1)));
        drop(pending);
        assert_eq!(block_on(rx.recv_async()), Ok(3));
        first.join().unwrap();
        third.join().unwrap();
    });
}

/// The queue's last reference to a waker may own another sender that waits in it.
#[test]
fn a_waker_that_owns_another_waiter_is_dropped_outside_the_lock() {
    type Task = Pin<Box<dyn Future<Output = ()> + Send>>;
    struct Owner(#[allow(dead_code, reason = "dropped")] Mutex<Task>);
    impl Wake for Owner {
        fn wake(self: Arc<Self>) {}
    }
    ends(|| {
        let (tx, _rx) = full();
        let (mut owned, mut other) = (tx.clone(), tx);
        let mut task: Task = Box::pin(async move {
            let _ = owned.send_async(1).await;
        });
        assert!(poll(&mut task, Waker::noop()).is_pending());
        let waker = Waker::from(Arc::new(Owner(Mutex::new(task))));
        let mut send = other.send_async(2);
        assert!(poll(&mut send, &waker).is_pending());
        drop(waker);
        assert!(poll(&mut send, Waker::noop()).is_pending());
    });
}
