//! Panics of others' code: of wakers, hooks, conditions. They unwind the thread that they are on, and harm nobody else.

// Tests are not what loom models.
#![allow(clippy::disallowed_types)]

mod support;
mod tasks;

use ringmail::mesh::{self, Cause, Disconnected, Peers, Ready, call};
use ringmail::wait::{EventCount, waker_fn};
use ringmail::{Flavor, Receiver, Sender, TryRecvError, WaitStrategy, fan_in, mpsc, spsc};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use std::thread;
use std::time::Duration;
use support::{Ledger, Wakes, ends, let_it_sleep, panics, until};
use tasks::{block_on, poll};

/// A waker of which a test says what panics. All of its clones are the same one.
#[derive(Default)]
struct Nasty {
    /// Clones that succeed before one panics; nothing panics if it is 0.
    clones: AtomicUsize,
    wake: AtomicBool,
    drop: AtomicBool,
    woken: AtomicUsize,
}

impl Nasty {
    fn new() -> (Arc<Self>, Waker) {
        let nasty = Arc::new(Self::default());
        let raw = RawWaker::new(Arc::into_raw(Arc::clone(&nasty)).cast(), &Self::VTABLE);
        // SAFETY: the table's functions keep the contract of `RawWaker`: each waker owns one reference.
        (nasty, unsafe { Waker::from_raw(raw) })
    }

    const VTABLE: RawWakerVTable =
        RawWakerVTable::new(Self::clone_raw, Self::wake_raw, Self::wake_by_ref, Self::drop_raw);

    /// Has the `n`th clone from now on panic.
    fn nth_clone_panics(&self, n: usize) {
        self.clones.store(n, Ordering::SeqCst);
    }

    fn clone_raw(raw: *const ()) -> RawWaker {
        // SAFETY: of a waker that lives.
        let nasty = unsafe { &*raw.cast::<Self>() };
        if nasty.clones.load(Ordering::SeqCst) != 0 && nasty.clones.fetch_sub(1, Ordering::SeqCst) == 1 {
            panic!("no memory for a waker");
        }
        // SAFETY: as above; the clone owns the reference added here.
        unsafe { Arc::increment_strong_count(raw.cast::<Self>()) };
        RawWaker::new(raw, &Self::VTABLE)
    }

    fn wake_raw(raw: *const ()) {
        // SAFETY: the waker's reference is this one's now.
        let nasty = unsafe { Arc::from_raw(raw.cast::<Self>()) };
        nasty.count();
    }

    fn wake_by_ref(raw: *const ()) {
        // SAFETY: of a waker that lives.
        unsafe { &*raw.cast::<Self>() }.count();
    }

    fn drop_raw(raw: *const ()) {
        // SAFETY: the waker's reference is this one's now.
        let nasty = unsafe { Arc::from_raw(raw.cast::<Self>()) };
        if nasty.drop.swap(false, Ordering::SeqCst) {
            panic!("a waker panics in drop");
        }
    }

    fn count(&self) {
        self.woken.fetch_add(1, Ordering::SeqCst);
        if self.wake.load(Ordering::SeqCst) {
            panic!("the executor is gone");
        }
    }
}

/// A hook that panics each time while the switch is on.
fn bomb() -> (Arc<AtomicBool>, EventCount) {
    let on = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&on);
    let event = EventCount::with_waker(waker_fn(move || {
        if switch.load(Ordering::SeqCst) {
            panic!("the reactor is gone");
        }
    }));
    (on, event)
}

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
fn a_panicking_clone_of_a_waker_leaves_the_bell_to_other_senders() {
    for (nth, lives) in [(1, true), (2, true), (1, false), (2, false)] {
        ends(move || {
            let (mut tx, mut rx) = mpsc::channel::<u32>(1).unwrap();
            let other = tx.clone();
            tx.try_send(0).unwrap();
            let (nasty, waker) = Nasty::new();
            nasty.nth_clone_panics(nth);
            panics(|| poll(&mut tx.send_async(1), &waker));
            // Its handle lives and does nothing, or is gone.
            let idle = lives.then_some(tx);
            let mut other = other;
            other.set_wait(WaitStrategy::ParkAtOnce);
            let sender = thread::spawn(move || other.send(2));
            let_it_sleep();
            assert_eq!((rx.try_recv(), rx.recv()), (Ok(0), Ok(2)));
            sender.join().unwrap().unwrap();
            drop(idle);
        });
    }
}

#[test]
fn a_panicking_clone_in_a_later_poll_gives_the_place_up() {
    ends(|| {
        let (mut tx, mut rx) = mpsc::channel::<u32>(1).unwrap();
        let mut other = tx.clone();
        tx.try_send(0).unwrap();
        let (nasty, waker) = Nasty::new();
        let mut front = tx.send_async(1);
        assert!(poll(&mut front, &waker).is_pending());
        nasty.nth_clone_panics(1);
        panics(|| poll(&mut front, &waker));
        // The future lives: it could be polled again. Whoever comes does not wait behind it.
        other.set_wait(WaitStrategy::ParkAtOnce);
        let sender = thread::spawn(move || other.send(2));
        let_it_sleep();
        assert_eq!((rx.try_recv(), rx.recv()), (Ok(0), Ok(2)));
        sender.join().unwrap().unwrap();
        assert_eq!(poll(&mut front, &waker), Poll::Ready(Ok(())));
        assert_eq!(rx.try_recv(), Ok(1));
    });
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
fn a_panicking_wake_leaves_the_bell_usable() {
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
fn a_hook_that_panics_in_a_blocking_send_leaves_no_dead_place() {
    ends(|| {
        let (on, event) = bomb();
        let (mut a, mut rx) = mpsc::Builder::new(1).receiver_event(event.clone()).build::<u32>().unwrap();
        let mut b = a.clone();
        a.set_wait(WaitStrategy::ParkAtOnce);
        a.send(0).unwrap();
        let front = thread::spawn(move || (catch_unwind(AssertUnwindSafe(|| a.send(1))).is_err(), a));
        let_it_sleep();
        let armed = event.arm();
        on.store(true, Ordering::SeqCst);
        assert_eq!(rx.try_recv(), Ok(0));
        // Its handle lives, and does nothing.
        let (panicked, _a) = front.join().unwrap();
        assert!(panicked);
        on.store(false, Ordering::SeqCst);
        drop(armed);
        let sender = thread::spawn(move || (0..1000).for_each(|n| b.send(n).unwrap()));
        for n in (1..2).chain(0..1000) {
            assert_eq!(rx.recv(), Ok(n));
        }
        sender.join().unwrap();
    });
}

#[test]
fn a_hook_that_panics_in_a_blocking_send_wakes_those_behind() {
    // They stand in the queue already, and nobody frees another place before they have come.
    ends(|| {
        let (on, event) = bomb();
        let (mut a, mut rx) = mpsc::Builder::new(2).receiver_event(event.clone()).build::<u32>().unwrap();
        let mut b = a.clone();
        for tx in [&mut a, &mut b] {
            tx.set_wait(WaitStrategy::ParkAtOnce);
            tx.try_send(0).unwrap();
        }
        let front = thread::spawn(move || (catch_unwind(AssertUnwindSafe(|| a.send(1))).is_err(), a));
        let_it_sleep();
        let next = thread::spawn(move || (b.send(2), b));
        let_it_sleep();
        let armed = event.arm();
        on.store(true, Ordering::SeqCst);
        // Two places, one ring.
        rx.read_chunk(2).unwrap().commit_all();
        let (panicked, _a) = front.join().unwrap();
        on.store(false, Ordering::SeqCst);
        let (sent, _b) = next.join().unwrap();
        assert!(panicked && sent.is_ok());
        drop(armed);
        assert_eq!(rx.try_iter().count(), 2);
    });
}

#[test]
fn a_hook_that_panics_in_a_poll_leaves_no_dead_place() {
    ends(|| {
        let (on, event) = bomb();
        let (mut a, mut rx) = mpsc::Builder::new(1).receiver_event(event.clone()).build::<u32>().unwrap();
        let mut b = a.clone();
        a.try_send(0).unwrap();
        let mut front = a.send_async(1);
        assert!(poll(&mut front, Waker::noop()).is_pending());
        assert_eq!(rx.try_recv(), Ok(0));
        let armed = event.arm();
        on.store(true, Ordering::SeqCst);
        panics(|| poll(&mut front, Waker::noop()));
        on.store(false, Ordering::SeqCst);
        drop(armed);
        let (wakes, waker) = Wakes::new();
        let mut next = b.send_async(2);
        assert!(poll(&mut next, &waker).is_pending());
        assert_eq!(rx.try_recv(), Ok(1));
        assert_eq!(wakes.count(), 1, "it is the first");
        assert_eq!(poll(&mut next, &waker), Poll::Ready(Ok(())));
        assert_eq!(rx.try_recv(), Ok(2));
    });
}

#[test]
fn a_condition_that_panics_leaves_the_bell_to_others() {
    ends(|| {
        let event = EventCount::new();
        let (tx, rx) = spsc::Builder::new(2).receiver_event(event.clone()).build::<u32>().unwrap();
        for looks in 0..200 {
            let mut left = looks;
            let waited = catch_unwind(AssertUnwindSafe(|| {
                event.wait(Some(Duration::from_millis(1)), || {
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
fn a_receiver_that_leaves_wakes_all_whatever_one_waker_does() {
    for at in 0..3 {
        for close in [true, false] {
            ends(move || {
                let (mut tx, mut rx) = mpsc::channel::<u32>(1).unwrap();
                tx.try_send(0).unwrap();
                let wakers: Vec<_> = (0..5).map(|_| Nasty::new()).collect();
                let mut senders: Vec<_> = (0..5).map(|_| tx.clone()).collect();
                let mut sends: Vec<_> = senders.iter_mut().map(|tx| tx.send_async(1)).collect();
                for (n, (send, (nasty, waker))) in sends.iter_mut().zip(&wakers).enumerate() {
                    assert!(poll(send, waker).is_pending());
                    nasty.wake.store(n == at || n == 4, Ordering::SeqCst);
                }
                let mut behind = tx.clone();
                behind.set_wait(WaitStrategy::ParkAtOnce);
                let thread = thread::spawn(move || behind.send(2).is_err());
                let_it_sleep();
                if close {
                    panics(|| rx.close());
                } else {
                    panics(|| drop(rx));
                }
                assert!(thread.join().unwrap(), "it learnt that the receiver left");
                assert!(wakers.iter().all(|(nasty, _)| nasty.woken.load(Ordering::SeqCst) >= 1));
            });
        }
    }
}

#[test]
fn a_receiver_that_panics_wakes_all_whatever_the_wakers_do() {
    ends(|| {
        let (mut tx, rx) = mpsc::channel::<u32>(1).unwrap();
        tx.try_send(0).unwrap();
        let wakers: Vec<_> = (0..4).map(|_| Nasty::new()).collect();
        let mut senders: Vec<_> = (0..4).map(|_| tx.clone()).collect();
        let mut sends: Vec<_> = senders.iter_mut().map(|tx| tx.send_async(1)).collect();
        for (send, (nasty, waker)) in sends.iter_mut().zip(&wakers) {
            assert!(poll(send, waker).is_pending());
            nasty.wake.store(true, Ordering::SeqCst);
        }
        panics(move || {
            let _rx = rx;
            panic!("first")
        });
        assert!(wakers.iter().all(|(nasty, _)| nasty.woken.load(Ordering::SeqCst) >= 1));
    });
}

#[test]
fn the_first_of_several_panics_goes_on() {
    let (mut tx, rx) = mpsc::channel::<u32>(1).unwrap();
    tx.try_send(0).unwrap();
    struct Numbered(usize);
    impl std::task::Wake for Numbered {
        fn wake(self: Arc<Self>) {
            std::panic::panic_any(self.0);
        }
    }
    let mut senders: Vec<_> = (0..3).map(|n| (tx.clone(), Waker::from(Arc::new(Numbered(n))))).collect();
    let mut sends: Vec<_> = senders.iter_mut().map(|(tx, waker)| (tx.send_async(1), waker)).collect();
    assert!(sends.iter_mut().all(|(send, waker)| poll(send, waker).is_pending()));
    let payload = catch_unwind(AssertUnwindSafe(|| drop(rx))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&0_usize));
}

#[test]
fn a_receiver_that_leaves_closes_all_lanes_whatever_one_waker_does() {
    for close in [true, false] {
        ends(move || {
            let (mut first, mut rx) = fan_in::channel::<u32>(1).unwrap();
            let mut lanes: Vec<_> = (0..4).map(|_| first.lane().unwrap()).collect();
            let (nasty, bad) = Nasty::new();
            nasty.wake.store(true, Ordering::SeqCst);
            // Two of them the receiver has not seen yet.
            first.try_send(0).unwrap();
            assert_eq!(rx.try_recv(), Ok(0));
            lanes.extend([first.lane().unwrap(), first.lane().unwrap()]);
            let (wakes, good) = Wakes::new();
            lanes.iter_mut().for_each(|tx| tx.try_send(0).unwrap());
            let mut sends: Vec<_> = lanes.iter_mut().map(|tx| tx.send_async(1)).collect();
            for (n, send) in sends.iter_mut().enumerate() {
                assert!(poll(send, if n % 2 == 0 { &bad } else { &good }).is_pending());
            }
            if close {
                panics(|| rx.close());
            } else {
                panics(|| drop(rx));
            }
            assert_eq!((nasty.woken.load(Ordering::SeqCst), wakes.count()), (3, 3));
            for send in &mut sends {
                assert!(matches!(poll(send, &good), Poll::Ready(Err(_))), "the lane is closed");
            }
        });
    }
}

#[test]
fn a_lane_whose_close_panics_is_counted_out() {
    // The hook of the receiver's own event count: the end of the channel comes all the same.
    ends(|| {
        let (on, event) = bomb();
        let (first, mut rx) = fan_in::Builder::new(1).receiver_event(event.clone()).build::<u32>().unwrap();
        let second = first.lane().unwrap();
        on.store(true, Ordering::SeqCst);
        for tx in [first, second] {
            let armed = event.arm();
            panics(move || drop(tx));
            drop(armed);
        }
        assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
    });
}

#[test]
fn a_message_in_hand_is_dropped_when_the_hook_panics_in_a_receive() {
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

/// The two endpoints of a mesh of two, on this thread.
fn pair<T>(capacity: usize) -> [mesh::Endpoint<T>; 2] {
    let seats = mesh::Builder::new().shards(2).capacity(capacity).build::<T>().unwrap();
    let ends: Vec<_> = seats.into_iter().map(|seat| seat.join().unwrap()).collect();
    ends.try_into().ok().unwrap()
}

#[test]
fn a_panicking_waker_harms_no_endpoint_of_a_mesh() {
    ends(|| {
        let [mut me, mut peer] = pair::<u32>(2);
        let (nasty, waker) = Nasty::new();
        nasty.nth_clone_panics(1);
        panics(|| me.poll_recv(&mut Context::from_waker(&waker)));
        nasty.nth_clone_panics(2);
        panics(|| me.poll_recv(&mut Context::from_waker(&waker)));
        let (wakes, good) = Wakes::new();
        let mut cx = Context::from_waker(&good);
        assert!(me.poll_recv(&mut cx).is_pending());
        peer.send_to(0, 1).unwrap();
        assert!(wakes.count() >= 1);
        assert_eq!(me.poll_recv(&mut cx), Poll::Ready(Ok((1, 1))));
        // Of a task, in its wake.
        nasty.wake.store(true, Ordering::SeqCst);
        assert!(me.poll_recv(&mut Context::from_waker(&waker)).is_pending());
        panics(|| peer.send_to(0, 2));
        assert_eq!(me.recv(), Ok((1, 2)));
        // Of a hook made of a waker.
        nasty.nth_clone_panics(1);
        let hook = Waker::from(waker);
        panics(|| _ = me.arm(&hook));
        let armed = me.arm(&hook).unwrap();
        panics(|| peer.send_to(0, 3));
        assert!(!armed.is_quiet());
        // The task that waited before is handed the event count back.
        nasty.wake.store(false, Ordering::SeqCst);
        drop(armed);
        assert_eq!(me.recv(), Ok((1, 3)));
    });
}

#[test]
fn a_verb_that_a_peers_hook_ends_hands_the_bell_back() {
    ends(|| {
        let mut seats = mesh::Builder::new().shards(2).capacity(1).build::<u32>().unwrap().into_iter();
        let (mine, theirs) = (seats.next().unwrap(), seats.next().unwrap());
        let mut me = mine.join().unwrap();
        let (wakes, waker) = Wakes::new();
        assert!(me.poll_recv(&mut Context::from_waker(&waker)).is_pending());
        me.try_send_to(1, 0).unwrap();
        let (go, gone_on) = std::sync::mpsc::channel();
        let peer = thread::spawn(move || {
            let mut peer = theirs.join().unwrap();
            let hook = waker_fn(|| panic!("the reactor is gone"));
            let_it_sleep();
            assert_eq!(peer.try_recv(), Ok((0, 0)));
            // The message that is sent now rings a hook that panics, unless it is there already.
            while let Ok(armed) = peer.arm(&hook) {
                until(|| !armed.is_quiet());
            }
            assert_eq!(peer.try_recv(), Ok((0, 1)));
            gone_on.recv().unwrap();
            peer.send_to(0, 5).unwrap();
        });
        let sent = catch_unwind(AssertUnwindSafe(|| me.send_to(1, 1)));
        assert!(sent.is_err() || sent.is_ok_and(|sent| sent.is_ok()));
        let before = wakes.count();
        assert!(before >= 1, "the task looks again");
        assert!(me.poll_recv(&mut Context::from_waker(&waker)).is_pending());
        go.send(()).unwrap();
        until(|| wakes.count() > before);
        peer.join().unwrap();
    });
}

/// The first of `n` endpoints, and each other armed with a hook that counts, and panics if it is an even one's.
fn with_armed_peers<R>(n: usize, then: impl FnOnce(mesh::Endpoint<u32>, &AtomicUsize) -> R) -> R {
    let seats = mesh::Builder::new().shards(n).capacity(1).build::<u32>().unwrap();
    let mut endpoints = seats.into_iter().map(|seat| seat.join().unwrap());
    let me = endpoints.next().unwrap();
    let rung = Arc::new(AtomicUsize::new(0));
    let mut peers: Vec<_> = endpoints
        .map(|peer| {
            let (rung, odd) = (Arc::clone(&rung), peer.id() % 2 == 1);
            let hook = waker_fn(move || {
                rung.fetch_add(1, Ordering::SeqCst);
                assert!(odd, "the reactor is gone");
            });
            (peer, hook)
        })
        .collect();
    let armed: Vec<_> = peers.iter_mut().map(|(peer, hook)| peer.arm(hook).unwrap()).collect();
    let result = then(me, &rung);
    drop(armed);
    for (peer, _) in &mut peers {
        assert!(peer.open_peers().all(|open| open != 0) || peer.try_recv().is_err());
        assert!(peer.open_peers().all(|open| open != 0), "it learnt that the endpoint closed");
    }
    result
}

#[test]
fn an_endpoint_that_leaves_rings_all_peers_whatever_one_hook_does() {
    ends(|| {
        with_armed_peers(6, |mut me, rung| {
            panics(|| me.close());
            assert_eq!(rung.load(Ordering::SeqCst), 5);
        });
        with_armed_peers(6, |me, rung| {
            panics(|| drop(me));
            assert_eq!(rung.load(Ordering::SeqCst), 5);
        });
        with_armed_peers(6, |me, rung| {
            panics(move || {
                let _me = me;
                panic!("first")
            });
            assert_eq!(rung.load(Ordering::SeqCst), 5);
        });
    });
}

#[test]
fn a_shards_own_panic_goes_on_whatever_the_hooks_of_its_peers_do() {
    ends(|| {
        let mut seats = mesh::Builder::new().shards(2).capacity(1).build::<u32>().unwrap().into_iter();
        let mine = seats.next().unwrap();
        let mut peer = seats.next().unwrap().join().unwrap();
        let hook = waker_fn(|| panic!("the reactor is gone"));
        let armed = peer.arm(&hook).unwrap();
        let payload = catch_unwind(AssertUnwindSafe(|| mine.run(|_| panic!("out of luck")))).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"out of luck"));
        drop(armed);
        let why = Cause::Panicked(Some("out of luck".into()));
        assert_eq!(peer.recv(), Err(mesh::RecvError(Peers::One(Disconnected { peer: 0, cause: why }))));
    });
}

#[test]
fn seats_that_are_given_up_are_told_to_all_whatever_one_hook_does() {
    ends(|| {
        let mut seats =
            mesh::Builder::new().shards(5).capacity(1).join_deadline(Duration::from_millis(50)).build::<u32>().unwrap();
        let late = seats.pop().unwrap();
        let mut endpoints: Vec<_> = seats.into_iter().map(|seat| seat.join().unwrap()).collect();
        let mut me = endpoints.pop().unwrap();
        let rung = Arc::new(AtomicUsize::new(0));
        let hooks: Vec<_> = (0..endpoints.len())
            .map(|n| {
                let rung = Arc::clone(&rung);
                waker_fn(move || {
                    rung.fetch_add(1, Ordering::SeqCst);
                    assert_ne!(n, 0, "the reactor is gone");
                })
            })
            .collect();
        let armed: Vec<_> = endpoints.iter_mut().zip(&hooks).map(|(peer, hook)| peer.arm(hook).unwrap()).collect();
        thread::sleep(Duration::from_millis(60));
        panics(|| me.park_timeout(Duration::from_millis(1)));
        assert_eq!(rung.load(Ordering::SeqCst), 3);
        drop(armed);
        let gone = Disconnected { peer: 4, cause: Cause::NeverJoined };
        assert_eq!(me.park_timeout(Duration::from_secs(60)), Some(Ready::Disconnected));
        assert_eq!(me.next_disconnected(), Some(gone));
        drop(late);
    });
}

type Caller = call::Endpoint<u32, u32>;

fn callers(credits: usize) -> [Caller; 2] {
    let seats = mesh::Builder::new().shards(2).build_calls::<u32, u32>(credits).unwrap();
    let ends: Vec<_> = seats.into_iter().map(|seat| seat.join().unwrap()).collect();
    ends.try_into().ok().unwrap()
}

#[test]
fn all_replies_fail_whatever_one_waker_does() {
    for own in [true, false] {
        let [mut me, other] = callers(4);
        let mut replies: Vec<_> = (0..4).map(|n| me.try_call(1, n).unwrap()).collect();
        let (nasty, bad) = Nasty::new();
        nasty.wake.store(true, Ordering::SeqCst);
        let (wakes, good) = Wakes::new();
        for (n, reply) in replies.iter_mut().enumerate() {
            assert!(poll(reply, if n % 2 == 0 { &bad } else { &good }).is_pending());
        }
        if own {
            panics(|| drop(me));
        } else {
            drop(other);
            panics(|| me.poll(9, |_, _, _, _| {}));
            assert_eq!(me.in_flight(1), 0);
            assert_eq!(me.park_timeout(Duration::from_secs(60)), Some(Ready::AllDisconnected));
        }
        assert_eq!((wakes.count(), nasty.woken.load(Ordering::SeqCst)), (2, 2));
        for reply in &mut replies {
            assert!(matches!(poll(reply, &good), Poll::Ready(Err(call::CallError::Disconnected(_)))));
        }
    }
}

#[test]
fn an_endpoint_of_calls_that_a_replys_waker_ends_has_closed() {
    // That the drop panics is the waker's doing: the peer is not told that the shard panicked.
    let [mut me, mut other] = callers(1);
    let mut reply = me.try_call(1, 0).unwrap();
    let to_me = other.try_call(0, 1).unwrap();
    let (nasty, bad) = Nasty::new();
    nasty.wake.store(true, Ordering::SeqCst);
    assert!(poll(&mut reply, &bad).is_pending());
    panics(|| drop(me));
    let gone = Disconnected { peer: 0, cause: Cause::Closed };
    assert_eq!(other.wait(to_me, |_, _, _, _| {}), Err(call::CallError::Disconnected(gone)));
}

#[test]
fn a_credit_comes_back_whatever_the_peers_hook_does() {
    let [mut me, mut other] = callers(2);
    for _ in 0..5 {
        let hook = waker_fn(|| panic!("the reactor is gone"));
        let armed = other.arm(&hook).unwrap();
        panics(|| me.try_call(1, 7));
        drop(armed);
        assert_eq!((me.in_flight(1), me.credits(1)), (1, 1), "it is on its way");
        assert_eq!(other.poll(9, |_, _, n, token| token.answer(n)).received, 1);
        me.poll(9, |_, _, _, _| {});
        assert_eq!((me.in_flight(1), me.credits(1)), (0, 2));
    }
}

#[test]
fn all_answers_leave_whatever_one_callers_hook_does() {
    let seats = mesh::Builder::new().shards(4).build_calls::<u32, u32>(1).unwrap();
    let mut endpoints: Vec<_> = seats.into_iter().map(|seat| seat.join().unwrap()).collect();
    let mut server = endpoints.remove(0);
    let replies: Vec<_> = endpoints.iter_mut().map(|caller| caller.try_call(0, 1).unwrap()).collect();
    let mut tokens = Vec::new();
    server.poll(9, |_, _, n, token| tokens.push((n, token)));
    tokens.into_iter().for_each(|(n, token)| token.answer(n));
    let hook = waker_fn(|| panic!("the reactor is gone"));
    let armed: Vec<_> = endpoints.iter_mut().map(|caller| caller.arm(&hook).unwrap()).collect();
    panics(|| server.flush());
    drop(armed);
    for (caller, reply) in endpoints.iter_mut().zip(replies) {
        caller.poll(9, |_, _, _, _| {});
        assert_eq!(reply.try_take().ok(), Some(Ok(1)));
    }
    // And that nobody calls any more, to all of them.
    let armed: Vec<_> = endpoints.iter_mut().map(|caller| caller.arm(&hook).unwrap()).collect();
    panics(|| server.finish());
    drop(armed);
    for caller in &mut endpoints {
        assert_eq!(caller.poll(9, |_, _, _, _| {}).open, 2, "of three");
    }
}

type Code = Box<dyn FnMut()>;

thread_local! {
    /// What a waker of [`meddler`] does when it is cloned, and when it is dropped: once each time that it is put here.
    static MEDDLE: RefCell<[Option<Code>; 2]> = const { RefCell::new([None, None]) };
}

/// A waker that runs others' code in its `clone` and `drop`.
fn meddler() -> Waker {
    fn meddle(at: usize) {
        let code = MEDDLE.with_borrow_mut(|code| code[at].take());
        if let Some(mut code) = code {
            code();
        }
    }
    fn clone(_: *const ()) -> RawWaker {
        meddle(0);
        RawWaker::new(std::ptr::null(), &VTABLE)
    }
    fn wake(_: *const ()) {
        WOKEN.fetch_add(1, Ordering::SeqCst);
    }
    fn drop(_: *const ()) {
        meddle(1);
    }
    static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, drop);
    // SAFETY: the waker owns nothing.
    unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &VTABLE)) }
}

static WOKEN: AtomicUsize = AtomicUsize::new(0);

fn on_clone(code: impl FnMut() + 'static) {
    MEDDLE.with_borrow_mut(|slots| slots[0] = Some(Box::new(code)));
}

fn on_drop(code: impl FnMut() + 'static) {
    MEDDLE.with_borrow_mut(|slots| slots[1] = Some(Box::new(code)));
}

#[test]
fn an_answer_that_comes_while_the_waker_is_cloned_is_found() {
    let [mut me, mut other] = callers(1);
    let mut reply = me.try_call(1, 7).unwrap();
    other.poll(9, |_, _, n, token| token.answer(n));
    on_clone(move || _ = me.poll(9, |_, _, _, _| {}));
    assert_eq!(poll(&mut reply, &meddler()), Poll::Ready(Ok(7)));
}

#[test]
fn a_failure_that_comes_while_the_waker_before_is_dropped_is_found() {
    let [mut me, mut other] = callers(1);
    let mut reply = me.try_call(1, 7).unwrap();
    other.poll(9, |_, _, n, token| token.answer(n));
    assert!(poll(&mut reply, &meddler()).is_pending());
    on_drop(move || _ = me.poll(9, |_, _, _, _| {}));
    let (wakes, waker) = Wakes::new();
    assert!(poll(&mut reply, &waker).is_ready() || wakes.count() == 1);
}

#[test]
fn a_waker_that_uses_the_shared_bell_in_its_clone_and_drop_does_not_wait_for_itself() {
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
