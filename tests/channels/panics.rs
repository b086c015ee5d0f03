//! Panics of others' code: of wakers, hooks, conditions. They unwind the thread that they are on, and harm no other one.

use crate::support::hostile::{Nasty, WOKEN, bomb, meddler, on_clone, on_drop};
use crate::support::tasks::{block_on, poll};
use crate::support::{Ledger, Wakes, ends, let_it_sleep, panics};
use ringmail::wait::EventCount;
use ringmail::{Flavor, Receiver, Sender, WaitStrategy, fan_in, mpsc, spsc};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

fn poll_recv<T, S: Flavor>(rx: &mut Receiver<T, S>, waker: &Waker) -> Poll<Result<T, ringmail::RecvError>> {
    rx.poll_recv(&mut Context::from_waker(waker))
}

/// The receiver sleeps in a blocking receive and is woken.
fn receives<S: Flavor>(mut tx: Sender<u32, S>, mut rx: Receiver<u32, S>)
where
    Sender<u32, S>: Send,
    Receiver<u32, S>: Send + 'static,
{
    rx.set_wait(WaitStrategy::ParkAtOnce);
    let receiver = thread::spawn(move || rx.recv().map(|got| (got, rx)));
    let_it_sleep();
    tx.try_send(7).unwrap();
    let (got, mut rx) = receiver.join().unwrap().unwrap();
    assert_eq!(got, 7);
    // And as a future.
    let (wakes, waker) = Wakes::new();
    assert!(poll_recv(&mut rx, &waker).is_pending());
    tx.try_send(8).unwrap();
    assert_eq!(wakes.count(), 1);
    assert_eq!(poll_recv(&mut rx, &waker), Poll::Ready(Ok(8)));
}

/// A sender of a full channel sleeps in a blocking send and is woken.
fn sends<S: Flavor>(mut tx: Sender<u32, S>, mut rx: Receiver<u32, S>)
where
    Sender<u32, S>: Send + 'static,
{
    tx.set_wait(WaitStrategy::ParkAtOnce);
    while tx.try_send(0).is_ok() {}
    let sender = thread::spawn(move || tx.send(7).map(|()| tx));
    let_it_sleep();
    while rx.try_recv().is_ok() {}
    sender.join().unwrap().unwrap();
}

macro_rules! for_each_channel {
    ($channel:ident => $body:expr) => {{
        {
            use spsc as $channel;
            ends(move || $body);
        }
        {
            use mpsc as $channel;
            ends(move || $body);
        }
        {
            use fan_in as $channel;
            ends(move || $body);
        }
    }};
}

#[test]
fn a_panicking_clone_of_a_waker_harms_only_its_own_wait() {
    // `mpsc` clones twice: for the queue, and for the event.
    for nth in [1, 2] {
        for_each_channel!(channel => {
            let (tx, mut rx) = channel::channel::<u32>(2).unwrap();
            let (nasty, waker) = Nasty::new();
            nasty.nth_clone_panics(1);
            panics(|| poll_recv(&mut rx, &waker));
            receives(tx, rx);
            let (mut tx, rx) = channel::channel::<u32>(2).unwrap();
            while tx.try_send(0).is_ok() {}
            nasty.nth_clone_panics(nth);
            let polled = catch_unwind(AssertUnwindSafe(|| poll(&mut tx.send_async(1), &waker)));
            assert!(polled.is_err() || nth == 2, "it panics");
            sends(tx, rx);
        });
    }
}

#[test]
fn a_panicking_drop_of_a_waker_harms_only_its_own_wait() {
    for_each_channel!(channel => {
        let (tx, mut rx) = channel::channel::<u32>(2).unwrap();
        let (nasty, waker) = Nasty::new();
        assert!(poll_recv(&mut rx, &waker).is_pending());
        nasty.drop.store(true, Ordering::SeqCst);
        // The waker that the next one replaces.
        panics(|| poll_recv(&mut rx, &Wakes::new().1));
        receives(tx, rx);
        let (mut tx, rx) = channel::channel::<u32>(2).unwrap();
        while tx.try_send(0).is_ok() {}
        let mut send = tx.send_async(1);
        assert!(poll(&mut send, &waker).is_pending());
        nasty.drop.store(true, Ordering::SeqCst);
        panics(|| poll(&mut send, &Wakes::new().1));
        drop(send);
        sends(tx, rx);
    });
}

#[test]
fn a_panicking_wake_leaves_the_event_usable() {
    for_each_channel!(channel => {
        let (mut tx, mut rx) = channel::channel::<u32>(2).unwrap();
        let (nasty, waker) = Nasty::new();
        nasty.wake.store(true, Ordering::SeqCst);
        assert!(poll_recv(&mut rx, &waker).is_pending());
        panics(|| tx.try_send(1));
        assert_eq!(rx.try_recv(), Ok(1), "it was sent all the same");
        receives(tx, rx);
        let (mut tx, mut rx) = channel::channel::<u32>(2).unwrap();
        while tx.try_send(0).is_ok() {}
        let mut send = tx.send_async(1);
        assert!(poll(&mut send, &waker).is_pending());
        panics(|| rx.try_recv());
        assert_eq!(poll(&mut send, &waker), Poll::Ready(Ok(())));
        drop(send);
        sends(tx, rx);
    });
}

#[test]
fn a_wake_that_panics_while_a_panic_unwinds_does_not_abort() {
    for_each_channel!(channel => {
        let (nasty, waker) = Nasty::new();
        nasty.wake.store(true, Ordering::SeqCst);
        // A sender that goes down with its thread rings a receiver, and a receiver a sender.
        let (tx, mut rx) = channel::channel::<u32>(1).unwrap();
        assert!(poll_recv(&mut rx, &waker).is_pending());
        panics(move || { let _tx = tx; panic!("first") });
        let (mut tx, rx) = channel::channel::<u32>(1).unwrap();
        tx.try_send(0).unwrap();
        let mut send = tx.send_async(1);
        assert!(poll(&mut send, &waker).is_pending());
        let before = nasty.woken.load(Ordering::SeqCst);
        panics(move || { let _rx = rx; panic!("first") });
        assert!(before >= 1 && nasty.woken.load(Ordering::SeqCst) > before, "both were told");
        // One that takes, and frees the places when it panics.
        let (mut tx, mut rx) = channel::channel::<u32>(1).unwrap();
        tx.try_send(0).unwrap();
        let mut send = tx.send_async(1);
        assert!(poll(&mut send, &waker).is_pending());
        panics(|| rx.drain(1, |_| panic!("first")));
        assert_eq!(poll(&mut send, &waker), Poll::Ready(Ok(())));
    });
}

#[test]
fn a_condition_that_panics_leaves_the_event_to_others() {
    ends(|| {
        let event = EventCount::new();
        let (tx, rx) = spsc::Builder::new(2).receiver_event(event.clone()).build::<u32>().unwrap();
        for looks in 0..200 {
            let mut left = looks;
            // A slow machine may look only once in a millisecond.
            let limit = if looks < 2 { Duration::from_secs(60) } else { Duration::from_millis(1) };
            let waited = catch_unwind(AssertUnwindSafe(|| {
                event.wait(Some(limit), || {
                    if left == 0 {
                        panic!("a condition");
                    }
                    left -= 1;
                    false
                })
            }));
            assert!(waited.is_err() || looks > 1);
        }
        assert!(!event.notify(), "nobody waits any more");
        receives(tx, rx);
    });
}

#[test]
fn a_waker_that_panics_in_a_receive_drops_the_message_in_hand() {
    ends(|| {
        let (on, event) = bomb();
        let ledger = Ledger::default();
        let (mut tx, mut rx) = spsc::Builder::new(1).sender_event(event.clone()).build().unwrap();
        let verbs: [fn(&mut Receiver<_, _>); 6] = [
            |rx| drop(rx.try_recv()),
            |rx| drop(rx.recv()),
            |rx| drop(rx.recv_timeout(Duration::from_secs(1))),
            |rx| drop(block_on(rx.recv_async())),
            |rx| drop(poll_recv(rx, Waker::noop())),
            |rx| drop(rx.read_chunk(1).unwrap().into_iter().next()),
        ];
        for verb in verbs {
            tx.try_send(ledger.value()).ok().unwrap();
            let armed = event.arm();
            on.store(true, Ordering::SeqCst);
            panics(|| verb(&mut rx));
            on.store(false, Ordering::SeqCst);
            drop(armed);
            assert!(tx.is_empty(), "its place is free");
        }
        ledger.settle();
    });
}

#[test]
fn a_waker_may_use_the_shared_event_in_its_clone_and_drop() {
    ends(|| {
        let event = EventCount::new();
        let channel = || spsc::Builder::new(1).receiver_event(event.clone()).build::<u32>().unwrap();
        let (mut tx, mut rx) = channel();
        let uses = || {
            let event = event.clone();
            let (tx, mut other) = spsc::Builder::new(1).receiver_event(event.clone()).build::<u32>().unwrap();
            move || {
                assert!(!tx.is_closed() && poll_recv(&mut other, Waker::noop()).is_pending());
                drop(event.arm());
                assert!(!event.wait(Some(Duration::from_millis(1)), || false));
                event.notify();
            }
        };
        on_clone(uses());
        assert!(poll_recv(&mut rx, &meddler()).is_pending());
        on_drop(uses());
        let (wakes, waker) = Wakes::new();
        let polled = poll_recv(&mut rx, &waker);
        assert!(polled.is_pending());
        tx.try_send(1).unwrap();
        assert!(wakes.count() >= 1, "woken by this, or told to look again by the other waiter");
        assert_eq!(poll_recv(&mut rx, &waker), Poll::Ready(Ok(1)));
    });
}

#[test]
fn a_message_that_comes_while_the_waker_is_cloned_is_found() {
    for_each_channel!(channel => {
        let (mut tx, mut rx) = channel::channel::<u32>(1).unwrap();
        on_clone(move || _ = tx.try_send(1));
        let first = poll_recv(&mut rx, &meddler());
        let woken = WOKEN.load(Ordering::SeqCst);
        assert!(first == Poll::Ready(Ok(1)) || woken != 0 && poll_recv(&mut rx, &meddler()).is_ready());
        // And room.
        let (mut tx, mut rx) = channel::channel::<u32>(1).unwrap();
        tx.try_send(1).unwrap();
        on_clone(move || _ = rx.try_recv());
        let waker = meddler();
        let mut send = tx.send_async(2);
        assert!(poll(&mut send, &waker).is_ready(), "there is room, or nobody to receive");
    });
}
