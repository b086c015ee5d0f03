//! Panics of others' code: one sender's wakers and hooks do not keep the others from their turns.

use crate::support::hostile::{Nasty, bomb};
use crate::support::tasks::poll;
use crate::support::{Wakes, ends, let_it_sleep, panics};
use ringmail::{WaitStrategy, mpsc};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Poll, Waker};
use std::thread;

#[test]
fn a_panicking_clone_leaves_the_event_to_other_senders() {
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
fn a_waker_that_panics_in_a_blocking_send_leaves_no_dead_place() {
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
fn a_waker_that_panics_in_a_blocking_send_wakes_those_behind() {
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
fn a_waker_that_panics_in_a_poll_leaves_no_dead_place() {
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
fn a_receiver_that_leaves_wakes_all_despite_one_waker() {
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
fn a_receiver_that_panics_wakes_all_despite_their_wakers() {
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
