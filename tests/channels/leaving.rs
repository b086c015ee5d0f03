//! Nothing accepted is forgotten: a message that is accepted in the very moment in which its receiver leaves is received, dropped or refused by the
//! time both calls have returned, though its sender lives on and does nothing more. Else who waits for the answer that it promised waits for ever.

use crate::support::ends;
use ringmail::wait::EventCount;
use ringmail::{FenceMode, fan_in, mesh, mpsc, spsc};
use std::hint::spin_loop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{scope, yield_now};
use std::time::{Duration, Instant};

/// For each law. Without the event count's news one round in some ten thousand forgets.
const TIME: Duration = Duration::from_millis(300);

/// Runs `send` on one thread and `leave` on another at nearly the same moment, over and over; `send` is to accept or refuse the message.
/// The message has to be gone once both have returned, with the sender's handle still there.
fn race<Tx, Rx: Send>(make: impl Fn() -> (Tx, Rx), send: impl Fn(&mut Tx, Arc<()>) -> bool, leave: impl Fn(Rx) + Sync) {
    let (begun, ended, next) = (AtomicU64::new(0), AtomicU64::new(0), Mutex::new(None::<Rx>));
    let wait = |word: &AtomicU64, round| {
        for spins in 0u32.. {
            if word.load(Ordering::Acquire) >= round {
                break;
            }
            if spins < 1000 { spin_loop() } else { yield_now() }
        }
    };
    scope(|s| {
        s.spawn(|| {
            for round in 1.. {
                wait(&begun, round);
                let Some(rx) = next.lock().unwrap().take() else { return };
                (0..round * 7919 % 61).for_each(|_| spin_loop());
                leave(rx);
                ended.store(round, Ordering::Release);
            }
        });
        let (start, mut accepted, mut forgotten) = (Instant::now(), 0, None);
        let mut round = 0;
        // On a busy machine the receiver may be gone first in all of these.
        while forgotten.is_none()
            && (start.elapsed() < TIME || round < 100 || accepted == 0 && start.elapsed() < 200 * TIME)
        {
            round += 1;
            let (mut tx, rx) = make();
            let message = Arc::new(());
            let watch = Arc::downgrade(&message);
            *next.lock().unwrap() = Some(rx);
            begun.store(round, Ordering::Release);
            (0..round * 104_729 % 59).for_each(|_| spin_loop());
            accepted += u64::from(send(&mut tx, message));
            wait(&ended, round);
            forgotten = (watch.strong_count() != 0).then_some(round);
            drop(tx);
        }
        // The other thread finds nothing to do any more.
        begun.store(round + 1, Ordering::Release);
        assert_eq!(forgotten, None, "in this round a message was accepted and neither received nor dropped");
        assert!(accepted != 0, "no message was accepted in {round} rounds");
    });
}

fn on_spsc(barrier: FenceMode) {
    ends(move || {
        let builder = spsc::Builder::new(4).fence_mode(barrier);
        race(|| builder.clone().build().unwrap(), |tx, message| tx.try_send(message).is_ok(), drop);
    });
}

#[test]
fn what_an_spsc_accepts_is_not_forgotten() {
    on_spsc(FenceMode::Auto);
}

#[test]
fn what_an_spsc_with_fences_accepts_is_not_forgotten() {
    on_spsc(FenceMode::Fence);
}

#[test]
fn what_an_spsc_that_never_sleeps_accepts_is_not_forgotten() {
    on_spsc(FenceMode::Never);
}

#[test]
fn what_an_spsc_accepts_in_a_chunk_is_not_forgotten() {
    ends(|| {
        let send = |tx: &mut spsc::Sender<Arc<()>>, message| {
            let Ok(mut chunk) = tx.try_reserve(1) else { return false };
            chunk.push(message).unwrap();
            chunk.commit() == 1
        };
        race(|| spsc::channel(4).unwrap(), send, drop);
    });
}

#[test]
fn an_spsc_receiver_that_closes_and_drains_forgets_nothing() {
    ends(|| {
        let kept = Mutex::new(None);
        let leave = |mut rx: spsc::Receiver<Arc<()>>| {
            rx.close();
            assert!(rx.try_iter().count() <= 1);
            assert!(rx.try_recv().is_err());
            // It stays, and has been told that nothing comes.
            *kept.lock().unwrap() = Some(rx);
        };
        race(|| spsc::channel(4).unwrap(), |tx, message| tx.try_send(message).is_ok(), leave);
    });
}

#[test]
fn what_a_lane_accepts_is_not_forgotten() {
    ends(|| {
        let make = || {
            let (first, rx) = fan_in::channel(4).unwrap();
            let second = first.lane().unwrap();
            ((first, second), rx)
        };
        race(make, |tx, message| tx.1.try_send(message).is_ok(), drop);
    });
}

#[test]
fn what_an_mpsc_accepts_is_not_forgotten() {
    ends(|| race(|| mpsc::channel(4).unwrap(), |tx, message| tx.try_send(message).is_ok(), drop));
}

#[test]
fn what_a_mesh_accepts_is_not_forgotten() {
    ends(|| {
        let make = || {
            let mut seats = mesh::Builder::new().shards(2).capacity(4).build().unwrap().into_iter();
            (seats.next().unwrap().join().unwrap(), seats.next().unwrap())
        };
        race(make, |me, message| me.try_send_to(1, message).is_ok(), |seat| drop(seat.join().unwrap()));
    });
}

/// A sender stands between its claim and its stamp while the receiver goes, with messages of another behind it.
#[test]
fn what_is_behind_an_open_claim_is_dropped_when_it_ends() {
    for tombstone in [false, true] {
        let (mut slow, rx) = mpsc::channel(4).unwrap();
        let mut tx = slow.clone();
        let mut held = slow.hold(1).unwrap();
        let message = Arc::new(());
        tx.try_send(Arc::clone(&message)).unwrap();
        drop(rx);
        assert_eq!(Arc::strong_count(&message), 2, "behind an open claim");
        if tombstone {
            drop(held);
        } else {
            held.send(Arc::clone(&message));
        }
        assert_eq!(Arc::strong_count(&message), 1);
    }
}

/// A event count of the user's serves other channels after one of its receivers has left: it counts a leaver until its sender has noticed.
#[test]
fn a_shared_event_counts_a_leaver_out_again() {
    let event = EventCount::new();
    let build = || spsc::Builder::new(4).receiver_event(event.clone()).build::<Arc<()>>().unwrap();
    let (mut one, first) = build();
    let (mut two, mut second) = build();
    drop(first);
    assert_eq!(event.departures(), 1);
    two.try_send(Arc::new(())).unwrap();
    assert!(second.try_recv().is_ok());
    assert_eq!(event.departures(), 1, "it was not of that channel");
    assert!(one.try_send(Arc::new(())).is_err());
    assert_eq!(event.departures(), 0);
    drop(one);
    drop(second);
    drop(two);
    assert_eq!(event.departures(), 0);
    // A receiver that goes after its sender misses nothing, nor does one of values without a drop.
    let (tx, rx) = build();
    drop(tx);
    drop(rx);
    let (_tx, rx) = spsc::Builder::new(4).receiver_event(event.clone()).build::<u64>().unwrap();
    drop(rx);
    assert_eq!(event.departures(), 0);
}

#[test]
fn a_shared_event_counts_each_lane_and_each_claim_out_again() {
    let event = EventCount::new();
    let (tx, rx) = fan_in::Builder::new(4).receiver_event(event.clone()).build::<Arc<()>>().unwrap();
    let other = tx.lane().unwrap();
    drop(rx);
    assert_eq!(event.departures(), 2);
    drop((tx, other));
    assert_eq!(event.departures(), 0);

    let (mut tx, rx) = mpsc::Builder::new(4).receiver_event(event.clone()).build::<Arc<()>>().unwrap();
    let mut other = tx.clone();
    let held = tx.hold(1).unwrap();
    other.try_send(Arc::new(())).unwrap();
    drop(rx);
    assert_eq!(event.departures(), 1);
    drop(held);
    assert_eq!(event.departures(), 0);
}
