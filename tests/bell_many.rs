//! One bell of the user's for a ring or lanes with many senders: whoever waits on it looks from outside, and must be woken.
#![cfg(feature = "std")]

use ringmail::wait::Bell;
use ringmail::{fan_in, mpsc};
use std::thread;
use std::time::Duration;

/// Long enough for the one who waits to be asleep.
const ASLEEP: Duration = Duration::from_millis(3);
const LONG: Option<Duration> = Some(Duration::from_secs(20));

#[test]
fn a_bell_of_ones_own_rings_for_every_message_of_an_mpsc_ring() {
    let bell = Bell::new();
    let (tx, mut rx) = mpsc::Builder::new(8).receiver_bell(bell.clone()).build::<u32>().unwrap();
    for round in 0..30 {
        let mut tx = tx.clone();
        let sender = thread::spawn(move || {
            thread::sleep(ASLEEP);
            tx.send(round).unwrap();
        });
        assert!(bell.wait(LONG, || !rx.is_empty()), "round {round}: slept through a message");
        assert_eq!(rx.recv(), Ok(round));
        sender.join().unwrap();
    }
    let last = thread::spawn(move || {
        thread::sleep(ASLEEP);
        drop(tx);
    });
    assert!(bell.wait(LONG, || rx.is_closed()), "slept through the end");
    last.join().unwrap();
}

#[test]
fn a_bell_of_ones_own_rings_for_a_lane_that_nobody_has_looked_at_yet() {
    let bell = Bell::new();
    let (tx, mut rx) = fan_in::Builder::new(8).receiver_bell(bell.clone()).build::<u32>().unwrap();
    for round in 0..30 {
        let mut lane = tx.lane().unwrap();
        let sender = thread::spawn(move || {
            thread::sleep(ASLEEP);
            lane.send(round).unwrap();
        });
        assert!(bell.wait(LONG, || rx.try_recv() == Ok(round)), "round {round}: slept through a message");
        sender.join().unwrap();
        let mut lane = tx.lane().unwrap();
        let sender = thread::spawn(move || {
            thread::sleep(ASLEEP);
            lane.send(round).unwrap();
        });
        assert!(bell.wait(LONG, || !rx.is_empty()), "round {round}: slept through a message");
        sender.join().unwrap();
        assert_eq!(rx.try_recv(), Ok(round));
    }
    drop(tx);
    assert!(bell.wait(LONG, || rx.is_closed()));
}

#[test]
fn one_bell_waits_for_a_ring_and_for_lanes() {
    let bell = Bell::new();
    let (mut orders, mut rx1) = mpsc::Builder::new(2).receiver_bell(bell.clone()).build::<u32>().unwrap();
    let (mut ticks, mut rx2) = fan_in::Builder::new(2).receiver_bell(bell.clone()).build::<u32>().unwrap();
    let senders = [
        thread::spawn(move || (0..500).for_each(|i| orders.send(i).unwrap())),
        thread::spawn(move || (0..500).for_each(|i| ticks.send(i).unwrap())),
    ];
    let (mut from1, mut from2) = (0, 0);
    while from1 + from2 < 1000 {
        assert!(bell.wait(LONG, || !rx1.is_empty() || !rx2.is_empty()), "slept with {from1} and {from2} received");
        while let Ok(message) = rx1.try_recv() {
            assert_eq!(message, from1);
            from1 += 1;
        }
        while let Ok(message) = rx2.try_recv() {
            assert_eq!(message, from2);
            from2 += 1;
        }
    }
    senders.into_iter().for_each(|sender| sender.join().unwrap());
}
