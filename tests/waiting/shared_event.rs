//! Channels of many senders on a event count of one's own: it rings for every message and every close.

use crate::support::{Wakes, ends, let_it_sleep};
use ringmail::wait::EventCount;
use ringmail::{Flavor, Receiver, Sender, TryRecvError, fan_in, mpsc, spsc};
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::thread;

/// A event count that counts how often it rang.
fn counting() -> (Arc<Wakes>, EventCount) {
    let (wakes, waker) = Wakes::new();
    (wakes, EventCount::with_waker(waker))
}

#[test]
fn a_reactor_is_woken_by_every_message_of_an_mpsc() {
    let (rings, event) = counting();
    let (mut tx, mut rx) = mpsc::Builder::new(4).receiver_event(event.clone()).build().unwrap();
    for i in 0..10 {
        let armed = event.arm().confirm(|| !rx.is_empty()).expect("nothing is there");
        tx.try_send(i).unwrap();
        assert_eq!(rings.count(), i + 1, "message {i} was sent to an armed event");
        drop(armed);
        assert_eq!(rx.try_recv(), Ok(i));
    }
}

#[test]
fn a_reactor_is_woken_by_every_message_of_every_lane() {
    let (rings, event) = counting();
    let (mut tx, mut rx) = fan_in::Builder::new(4).receiver_event(event.clone()).build().unwrap();
    let mut other = tx.lane().unwrap();
    assert!(!rx.is_empty(), "a lane that was not looked at yet may hold something");
    assert!(rx.try_recv().is_err());
    for i in 0..10 {
        let armed = event.arm().confirm(|| !rx.is_empty()).expect("nothing is there");
        if i % 2 == 0 { &mut tx } else { &mut other }.try_send(i).unwrap();
        assert_eq!(rings.count(), i + 1, "message {i} was sent to an armed event");
        drop(armed);
        assert_eq!(rx.try_recv(), Ok(i));
    }
}

/// The receiver asks only what the documentation of `EventCount` says to ask: `is_empty` and `is_closed`.
#[test]
fn a_thread_that_waits_for_several_channels_misses_none() {
    ends(|| {
        let event = EventCount::new();
        let (mut one, mut rx1) = spsc::Builder::new(2).receiver_event(event.clone()).build::<u32>().unwrap();
        let (mut ring, mut rx2) = mpsc::Builder::new(2).receiver_event(event.clone()).build::<u32>().unwrap();
        let (mut lane, mut rx3) = fan_in::Builder::new(2).receiver_event(event.clone()).build::<u32>().unwrap();
        let (seen, log) = std_mpsc::channel();
        let receiver = thread::spawn(move || {
            loop {
                event.wait(None, || {
                    !rx1.is_empty() || !rx2.is_empty() || !rx3.is_empty() || {
                        rx1.is_closed() && rx2.is_closed() && rx3.is_closed()
                    }
                });
                let got = [rx1.try_recv(), rx2.try_recv(), rx3.try_recv()];
                got.iter().flatten().for_each(|v| seen.send(*v).unwrap());
                if got.iter().all(|answer| *answer == Err(TryRecvError::Disconnected)) {
                    return;
                }
            }
        });
        for i in 0..12 {
            let_it_sleep();
            match i % 3 {
                0 => one.send(i).unwrap(),
                1 => ring.send(i).unwrap(),
                _ => lane.send(i).unwrap(),
            }
            assert_eq!(log.recv(), Ok(i), "the next is sent only when this one was seen");
        }
        drop((one, ring, lane));
        receiver.join().unwrap();
    });
}

#[test]
fn a_message_in_an_unseen_lane_is_not_overlooked() {
    let (mut tx, mut rx) = fan_in::channel(4).unwrap();
    assert!(rx.is_empty());
    tx.try_send(1).unwrap();
    assert!(!rx.is_empty(), "it was sent before the question");
    assert_eq!(rx.try_recv(), Ok(1));
    let mut other = tx.lane().unwrap();
    other.try_send(2).unwrap();
    assert!(!rx.is_empty(), "nor one in a lane that was opened since");
    assert_eq!(rx.try_recv(), Ok(2));
    assert!(rx.is_empty() && !rx.is_full());
}

#[test]
fn a_close_notifies_too() {
    let (rings, event) = counting();
    let (tx, rx) = mpsc::Builder::new(1).receiver_event(event.clone()).build::<u8>().unwrap();
    let other = tx.clone();
    let armed = event.arm().confirm(|| rx.is_closed()).unwrap();
    drop(tx);
    assert_eq!(rings.count(), 0, "one is left");
    drop(other);
    assert_eq!(rings.count(), 1);
    drop(armed);

    let (rings, event) = counting();
    let (tx, rx) = fan_in::Builder::new(1).receiver_event(event.clone()).build::<u8>().unwrap();
    let other = tx.lane().unwrap();
    drop(tx);
    let armed = event.arm().confirm(|| rx.is_closed()).unwrap();
    let before = rings.count();
    drop(other);
    assert!(rings.count() > before && rx.is_closed());
    drop(armed);
}

/// A stage between two channels: it waits for input where it has nothing to pass on, and for room where it has.
#[test]
fn one_event_count_stands_for_input_here_and_room_there() {
    const N: u32 = 2000;
    fn law<S: Flavor>(event: EventCount, (mut output, sink): (Sender<u32, S>, Receiver<u32, S>))
    where
        Sender<u32, S>: Send + 'static,
        Receiver<u32, S>: Send + 'static,
    {
        ends(move || {
            let (mut source, mut input) = spsc::Builder::new(2).receiver_event(event.clone()).build::<u32>().unwrap();
            let stage = thread::spawn(move || {
                let mut held = None;
                loop {
                    if held.is_none() {
                        held = match input.try_recv() {
                            Ok(message) => Some(message),
                            Err(TryRecvError::Empty) => None,
                            Err(TryRecvError::Disconnected) => return,
                        };
                    }
                    if let Some(message) = held.take() {
                        match output.try_send(message) {
                            Ok(()) => continue,
                            Err(refused) => held = Some(refused.into_inner()),
                        }
                    }
                    let idle = held.is_none();
                    event.wait(None, || {
                        output.is_closed()
                            || if idle { !input.is_empty() || input.is_closed() } else { !output.is_full() }
                    });
                }
            });
            let feeder = thread::spawn(move || (0..N).for_each(|n| source.send(n).unwrap()));
            assert!(sink.into_iter().eq(0..N));
            feeder.join().unwrap();
            stage.join().unwrap();
        });
    }
    let event = EventCount::new();
    law(event.clone(), spsc::Builder::new(1).sender_event(event).build().unwrap());
    let event = EventCount::new();
    law(event.clone(), mpsc::Builder::new(1).sender_event(event).build().unwrap());
    let event = EventCount::new();
    law(event.clone(), fan_in::Builder::new(1).sender_event(event).build().unwrap());
    let event = EventCount::new();
    let (first, rx) = fan_in::channel(1).unwrap();
    let lane = first.lane_with_event(fan_in::LaneOptions::new(), event.clone()).unwrap();
    drop(first);
    law(event, (lane, rx));
}

/// Not what it is made for: senders that wait by their own verbs while a thread waits for room on their event count. All get through.
#[test]
fn senders_of_one_ring_and_a_thread_on_their_event_count_all_get_through() {
    const N: u32 = 200;
    ends(|| {
        let event = EventCount::new();
        let (tx, rx) = mpsc::Builder::new(1).sender_event(event.clone()).build::<u32>().unwrap();
        for _ in 0..2 {
            let mut tx = tx.clone();
            thread::spawn(move || (0..N).for_each(|n| tx.send(n).unwrap()));
        }
        let mut tx = tx;
        thread::spawn(move || {
            for n in 0..N {
                while tx.try_send(n).is_err() {
                    event.wait(None, || !tx.is_full() || tx.is_closed());
                }
            }
        });
        assert_eq!(rx.into_iter().sum::<u32>(), 3 * (0..N).sum::<u32>());
    });
}

#[test]
fn the_receivers_close_is_room_enough_to_end_a_wait() {
    fn law<S: Flavor>(event: EventCount, (mut tx, rx): (Sender<u32, S>, Receiver<u32, S>))
    where
        Receiver<u32, S>: Send + 'static,
        Sender<u32, S>: Send + 'static,
    {
        ends(move || {
            tx.try_send(1).unwrap();
            let waiting = thread::spawn(move || event.wait(None, || !tx.is_full() || tx.is_closed()));
            let_it_sleep();
            drop(rx);
            assert!(waiting.join().unwrap());
        });
    }
    let event = EventCount::new();
    law(event.clone(), spsc::Builder::new(1).sender_event(event).build().unwrap());
    let event = EventCount::new();
    law(event.clone(), mpsc::Builder::new(1).sender_event(event).build().unwrap());
    let event = EventCount::new();
    law(event.clone(), fan_in::Builder::new(1).sender_event(event).build().unwrap());
}
