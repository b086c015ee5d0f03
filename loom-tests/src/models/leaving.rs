//! No accepted message is forgotten: a message that is sent while its receiver leaves is received, dropped or refused by the time both calls
//! have returned, although the sender's handle lives on and does nothing more.

use crate::check::{model, outcomes, without_fences};
use crate::payload::{Counted, Drops};
use loom::thread;
use ringmail::mesh;
use ringmail::wait::EventCount;
use ringmail::{FenceMode, TryRecvError, TrySendError, fan_in, mpsc, spsc};
use std::time::Duration;

/// One letter for what a `try_send` said.
fn verdict<T>(said: &Result<(), TrySendError<T>>) -> char {
    match said {
        Ok(()) => 's',
        Err(TrySendError::Full(_)) => 'f',
        Err(TrySendError::Disconnected(_)) => 'd',
    }
}

/// Two sends on a ring for two while the receiver goes.
fn sent_in_time(name: &'static str, barrier: FenceMode) {
    outcomes(name, Some(3), ["ss", "sd", "dd"].map(String::from), move || {
        let drops = Drops::default();
        let (mut tx, rx) = spsc::Builder::new(2).fence_mode(barrier).build().unwrap();
        let values = drops.clone();
        let sender = thread::spawn(move || {
            let said: String = (0..2).map(|id| verdict(&tx.try_send(values.value(id)))).collect();
            (said, tx)
        });
        drop(rx);
        let (said, tx) = sender.join().unwrap();
        drops.assert_each_once(2);
        drop(tx);
        said
    });
}

pub fn what_was_sent_in_time_is_dropped() {
    sent_in_time("leaving::what_was_sent_in_time_is_dropped", FenceMode::Auto);
}

pub fn what_was_sent_in_time_is_dropped_fenced() {
    without_fences(|| sent_in_time("leaving::what_was_sent_in_time_is_dropped_fenced", FenceMode::Fence));
}

/// A chunk that was reserved before the receiver went is committed as it goes.
pub fn what_was_committed_in_time_is_dropped() {
    model("leaving::what_was_committed_in_time_is_dropped", Some(3), || {
        let drops = Drops::default();
        let (mut tx, rx) = spsc::channel(2).unwrap();
        let values = drops.clone();
        let sender = thread::spawn(move || {
            if let Ok(mut chunk) = tx.try_reserve(1) {
                assert!(chunk.push(values.value(0)).is_ok());
                chunk.commit();
            } else {
                drop(values.value(0));
            }
            tx
        });
        drop(rx);
        let tx = sender.join().unwrap();
        drops.assert_each_once(1);
        drop(tx);
    });
}

/// The same with a receiver that closes, takes what is there, and stays.
pub fn what_a_closed_receiver_told_the_end_of_is_dropped() {
    let allowed = ["sm", "sd", "dd"].map(String::from);
    outcomes("leaving::what_a_closed_receiver_told_the_end_of_is_dropped", Some(3), allowed, || {
        let drops = Drops::default();
        let (mut tx, mut rx) = spsc::channel::<Counted>(1).unwrap();
        let value = drops.value(0);
        let sender = thread::spawn(move || (verdict(&tx.try_send(value)), tx));
        rx.close();
        let got = match rx.try_recv() {
            Ok(_) => 'm',
            Err(TryRecvError::Empty) => 'e',
            Err(TryRecvError::Disconnected) => 'd',
        };
        let (said, tx) = sender.join().unwrap();
        if got == 'd' {
            assert!(rx.try_recv().is_err());
        }
        drops.assert_each_once(1);
        drop((tx, rx));
        format!("{said}{got}")
    });
}

/// The sender of the second lane sends while the receiver of all goes.
fn lane(name: &'static str, barrier: FenceMode) {
    outcomes(name, Some(2), ['s', 'd'], move || {
        let drops = Drops::default();
        let (first, rx) = fan_in::Builder::new(1).fence_mode(barrier).build::<Counted>().unwrap();
        let mut tx = first.lane().unwrap();
        let value = drops.value(0);
        let sender = thread::spawn(move || (verdict(&tx.try_send(value)), tx));
        drop(rx);
        let (said, tx) = sender.join().unwrap();
        drops.assert_each_once(1);
        drop((first, tx));
        said
    });
}

pub fn a_lane_forgets_nothing() {
    lane("leaving::a_lane_forgets_nothing", FenceMode::Auto);
}

pub fn a_lane_forgets_nothing_fenced() {
    without_fences(|| lane("leaving::a_lane_forgets_nothing_fenced", FenceMode::Fence));
}

/// One endpoint sends while the other goes.
fn meshed(name: &'static str, barrier: FenceMode) {
    outcomes(name, Some(2), [true, false], move || {
        let drops = Drops::default();
        let builder = mesh::Builder::new().shards(2).capacity(1).join_deadline(Duration::MAX).fence_mode(barrier);
        let [one, other]: [mesh::Seat<Counted>; 2] = builder.build().unwrap().try_into().ok().unwrap();
        let leaver = thread::spawn(move || drop(other.join().unwrap()));
        let mut me = one.join().unwrap();
        let sent = me.try_send_to(1, drops.value(0)).is_ok();
        leaver.join().unwrap();
        drops.assert_each_once(1);
        drop(me);
        sent
    });
}

pub fn a_mesh_forgets_nothing() {
    meshed("leaving::a_mesh_forgets_nothing", FenceMode::Auto);
}

pub fn a_mesh_forgets_nothing_fenced() {
    without_fences(|| meshed("leaving::a_mesh_forgets_nothing_fenced", FenceMode::Fence));
}

/// Two senders of one ring send while the receiver goes.
fn many(name: &'static str, barrier: FenceMode) {
    outcomes(name, Some(2), [0, 1, 2], move || {
        let drops = Drops::default();
        let (mut tx, rx) = mpsc::Builder::new(2).fence_mode(barrier).build::<Counted>().unwrap();
        let mut other = tx.clone();
        let value = drops.value(0);
        let sender = thread::spawn(move || (tx.try_send(value).is_ok(), tx));
        let value = drops.value(1);
        let second = thread::spawn(move || (other.try_send(value).is_ok(), other));
        drop(rx);
        let (one, two) = (sender.join().unwrap(), second.join().unwrap());
        drops.assert_each_once(2);
        let sent = usize::from(one.0) + usize::from(two.0);
        drop((one, two));
        sent
    });
}

pub fn what_many_sent_in_time_is_dropped() {
    many("leaving::what_many_sent_in_time_is_dropped", FenceMode::Auto);
}

pub fn what_many_sent_in_time_is_dropped_fenced() {
    without_fences(|| many("leaving::what_many_sent_in_time_is_dropped_fenced", FenceMode::Fence));
}

/// Two claims are open while the receiver goes. One may be filled while the other end reads: then that end checks again.
pub fn two_claims_that_were_open_are_not_forgotten() {
    model("leaving::two_claims_that_were_open_are_not_forgotten", Some(3), || {
        let drops = Drops::default();
        let (mut tx, rx) = mpsc::channel::<Counted>(2).unwrap();
        let mut other = tx.clone();
        let mut held = tx.hold(1).unwrap();
        let values = drops.clone();
        let sender = thread::spawn(move || {
            let value = values.value(1);
            if let Some(mut held) = other.hold(1) {
                held.send(value);
            }
            other
        });
        drop(rx);
        held.send(drops.value(0));
        drop(held);
        let other = sender.join().unwrap();
        drops.assert_each_once(2);
        drop((tx, other));
    });
}

/// A user's event count is as before once the sender has noticed that its receiver left, or has gone itself: each leaver is counted out once.
pub fn an_event_count_forgets_who_left() {
    model("leaving::an_event_count_forgets_who_left", Some(3), || {
        let drops = Drops::default();
        let event = EventCount::new();
        let (mut tx, rx) = spsc::Builder::new(1).receiver_event(event.clone()).build().unwrap();
        let value = drops.value(0);
        let sender = thread::spawn(move || {
            let _ = tx.try_send(value);
            drop(tx);
        });
        drop(rx);
        sender.join().unwrap();
        drops.assert_each_once(1);
        assert_eq!(event.departures(), 0);
    });
}

pub fn an_event_count_forgets_who_left_with_a_claim_open() {
    model("leaving::an_event_count_forgets_who_left_with_a_claim_open", Some(3), || {
        let drops = Drops::default();
        let event = EventCount::new();
        let (mut tx, rx) = mpsc::Builder::new(1).receiver_event(event.clone()).build().unwrap();
        let value = drops.value(0);
        let sender = thread::spawn(move || {
            let _ = tx.try_send(value);
            tx
        });
        drop(rx);
        let tx = sender.join().unwrap();
        drops.assert_each_once(1);
        assert_eq!(event.departures(), 0);
        drop(tx);
    });
}
