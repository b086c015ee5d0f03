//! Panics of others' code: one endpoint's wakers and hooks harm no other endpoint.

use crate::support::hostile::Nasty;
use crate::support::{Wakes, ends, let_it_sleep, panics, until};
use ringmail::mesh::{self, Cause, Disconnected, Ready};
use ringmail::wait::waker_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

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
        // Of an armed endpoint.
        nasty.nth_clone_panics(1);
        panics(|| _ = me.arm(&waker));
        let armed = me.arm(&waker).unwrap();
        panics(|| peer.send_to(0, 3));
        assert!(!armed.is_quiet());
        // The task that waited before is handed the event count back.
        nasty.wake.store(false, Ordering::SeqCst);
        drop(armed);
        assert_eq!(me.recv(), Ok((1, 3)));
    });
}

#[test]
fn a_verb_that_a_peers_waker_ends_hands_the_event_back() {
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
fn an_endpoint_that_leaves_wakes_all_peers_despite_one_waker() {
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
fn a_shards_own_panic_goes_on_despite_its_peers_wakers() {
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
        assert_eq!(peer.recv(), Err(mesh::RecvError(mesh::Peers::One(Disconnected { peer: 0, cause: why }))));
    });
}

#[test]
fn all_learn_of_abandoned_seats_despite_one_waker() {
    ends(|| {
        let mut seats = mesh::Builder::new()
            .shards(5)
            .capacity(1)
            .join_deadline(Duration::from_millis(500))
            .build::<u32>()
            .unwrap();
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
        thread::sleep(Duration::from_millis(520));
        panics(|| me.park_timeout(Duration::from_millis(1)));
        assert_eq!(rung.load(Ordering::SeqCst), 3);
        drop(armed);
        let gone = Disconnected { peer: 4, cause: Cause::NeverJoined };
        assert_eq!(me.park_timeout(Duration::from_secs(60)), Some(Ready::Disconnected));
        assert_eq!(me.next_disconnected(), Some(gone));
        drop(late);
    });
}
