//! Lanes: opened, closed, given back and used again while the receiver looks or sleeps.

use crate::check::{model, outcomes, without_fences};
use crate::payload::{Drops, Unordered};
use loom::future::block_on;
use loom::thread;
use ringmail::fan_in::{self, Receiver, Sender};
use ringmail::{BuildError, FenceMode, RecvError, TryRecvError, TrySendError};

fn channel() -> (Sender<u32>, Receiver<u32>) {
    fan_in::channel(1).unwrap()
}

/// FENCED from the start: no asymmetric barrier.
fn fenced() -> (Sender<u32>, Receiver<u32>) {
    fan_in::Builder::new(1).fence_mode(FenceMode::Fence).build().unwrap()
}

/// One letter for what a `try_recv` said.
fn letter(said: &Result<u32, TryRecvError>) -> char {
    match said {
        Ok(_) => 'm',
        Err(TryRecvError::Empty) => 'e',
        Err(TryRecvError::Disconnected) => 'd',
    }
}

/// A sender opens a lane, leaves its own, sends over the new one and leaves: the end is never said before the message.
pub fn the_end_waits_for_a_lane_just_opened() {
    without_fences(|| {
        model("fan_in::the_end_waits_for_a_lane_just_opened", Some(3), || {
            let (tx, mut rx) = channel();
            let sender = thread::spawn(move || {
                let mut lane = tx.lane().unwrap();
                drop(tx);
                lane.try_send(1).unwrap();
            });
            let said = [rx.try_recv(), rx.try_recv()].iter().map(letter).collect::<String>();
            sender.join().unwrap();
            assert_eq!(said.matches('m').count() + rx.try_iter().count(), 1);
            assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
            assert!(["ee", "em", "me", "md"].contains(&said.as_str()), "{said}");
        });
    });
}

/// The same with a receiver that sleeps.
pub fn a_lane_just_opened_wakes_the_receiver() {
    model("fan_in::a_lane_just_opened_wakes_the_receiver", Some(2), || opened_and_left(channel()));
}

pub fn a_lane_just_opened_wakes_the_receiver_fenced() {
    without_fences(|| {
        model("fan_in::a_lane_just_opened_wakes_the_receiver_fenced", Some(1), || opened_and_left(fenced()))
    });
}

fn opened_and_left((tx, mut rx): (Sender<u32>, Receiver<u32>)) {
    let sender = thread::spawn(move || {
        let mut lane = tx.lane().unwrap();
        drop(tx);
        lane.try_send(1).unwrap();
    });
    assert_eq!(rx.recv(), Ok(1));
    assert_eq!(rx.recv(), Err(RecvError));
    sender.join().unwrap();
}

/// The last two senders leave at once: a sleeper wakes, and sees all that either did.
pub fn the_last_sender_wakes_the_receiver() {
    model("fan_in::the_last_sender_wakes_the_receiver", Some(1), || all_leave(channel(), |rx| rx.recv()));
}

pub fn the_last_sender_wakes_the_receiver_fenced() {
    without_fences(|| {
        model("fan_in::the_last_sender_wakes_the_receiver_fenced", Some(1), || all_leave(fenced(), |rx| rx.recv()));
    });
}

/// The same for a task.
pub fn the_last_sender_wakes_the_task() {
    model("fan_in::the_last_sender_wakes_the_task", Some(1), || all_leave(channel(), |rx| block_on(rx.recv_async())));
}

fn all_leave((tx, mut rx): (Sender<u32>, Receiver<u32>), wait: fn(&mut Receiver<u32>) -> Result<u32, RecvError>) {
    let senders = [tx.lane().unwrap(), tx].map(|tx| thread::spawn(move || drop(tx)));
    assert_eq!(wait(&mut rx), Err(RecvError));
    let _ = senders.map(|s| s.join().unwrap());
}

/// The end shows all that the senders did before they left, though it is not what their lanes carried.
pub fn the_end_shows_all_that_the_senders_did() {
    without_fences(|| {
        outcomes("fan_in::the_end_shows_all_that_the_senders_did", Some(3), ['e', 'd'], || {
            let (tx, mut rx) = channel();
            let lanes = [tx.lane().unwrap(), tx];
            let memory = lanes.map(|tx| {
                let memory = Unordered::new();
                let theirs = memory.clone();
                let sender = thread::spawn(move || {
                    theirs.write();
                    drop(tx);
                });
                (memory, sender)
            });
            let said = rx.try_recv();
            if said == Err(TryRecvError::Disconnected) {
                memory.iter().for_each(|(memory, _)| memory.read());
            }
            let _ = memory.map(|(_, sender)| sender.join().unwrap());
            assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
            letter(&said)
        });
    });
}

/// A receiver leaves while a lane is opened: either opening fails, or the new lane's sender is refused. No lane stays that no receiver
/// reads.
pub fn a_lane_opened_while_the_receiver_leaves() {
    without_fences(|| {
        outcomes("fan_in::a_lane_opened_while_the_receiver_leaves", Some(3), [true, false], || {
            let (tx, rx) = channel();
            let receiver = thread::spawn(move || drop(rx));
            let lane = tx.lane();
            receiver.join().unwrap();
            match lane {
                Ok(mut lane) => {
                    assert_eq!(lane.try_send(1), Err(TrySendError::Disconnected(1)));
                    true
                }
                Err(why) => {
                    assert_eq!(why, BuildError::Disconnected);
                    false
                }
            }
        });
    });
}

/// The same with a close: the receiver keeps what is there, and the end comes.
pub fn a_lane_opened_while_the_receiver_closes() {
    without_fences(|| {
        model("fan_in::a_lane_opened_while_the_receiver_closes", Some(3), || {
            let drops = Drops::default();
            let (mut tx, mut rx) = fan_in::channel(1).unwrap();
            tx.try_send(drops.value(0)).unwrap();
            let value = drops.value(1);
            let sender = thread::spawn(move || {
                let said = tx.lane().map(|mut lane| lane.try_send(value).is_ok());
                (said, tx)
            });
            rx.close();
            let mut got = vec![];
            while let Ok(message) = rx.try_recv() {
                got.push(message.id);
            }
            assert!(got == [0] || got == [0, 1] || got == [1, 0], "{got:?}");
            let (said, tx) = sender.join().unwrap();
            assert!(got.len() == 1 || said == Ok(true));
            assert_eq!(rx.try_recv().err(), Some(TryRecvError::Disconnected));
            drop((tx, rx));
            drops.assert_each_once(2);
        });
    });
}

/// Two lanes notify one event count: neither's message is overlooked.
pub fn two_lanes_notify_one_event_count() {
    model("fan_in::two_lanes_notify_one_event_count", Some(2), || two_notifiers(channel()));
}

pub fn two_lanes_notify_one_event_count_fenced() {
    without_fences(|| model("fan_in::two_lanes_notify_one_event_count_fenced", Some(1), || two_notifiers(fenced())));
}

fn two_notifiers((tx, mut rx): (Sender<u32>, Receiver<u32>)) {
    let senders = [(tx.lane().unwrap(), 1), (tx, 2)].map(|(mut tx, message)| {
        thread::spawn(move || {
            tx.try_send(message).unwrap();
            tx
        })
    });
    let got = [rx.recv().unwrap(), rx.recv().unwrap()];
    assert!(got == [1, 2] || got == [2, 1]);
    let _senders = senders.map(|s| s.join().unwrap());
}

/// A lane is drained and given back while its sender is still on its way out, and the next one that is opened may get its memory: it
/// starts empty, and what the old sender still does is over before.
pub fn a_lane_is_used_again() {
    without_fences(|| {
        outcomes("fan_in::a_lane_is_used_again", Some(3), [(0, 1), (1, 0)], || {
            let (tx, mut rx) = channel();
            let mut old = tx.lane().unwrap();
            let was = old.id();
            let sender = thread::spawn(move || {
                old.try_send(1).unwrap();
                drop(old);
            });
            let mut early = rx.try_recv().ok();
            let _ = early.is_some() && rx.try_recv().is_ok();
            let mut new = tx.lane().unwrap();
            let id = new.id();
            new.try_send(2).unwrap();
            assert_eq!(new.try_send(9), Err(TrySendError::Full(9)));
            sender.join().unwrap();
            let mut got: Vec<_> = early.take().into_iter().chain(rx.try_iter()).collect();
            got.sort_unstable();
            assert_eq!(got, [1, 2]);
            assert_ne!(id, was, "no two lanes are the same");
            (id.generation(), id.index() - was.index())
        });
    });
}

/// Two senders open lanes at once, one from a lane that was given back: both lanes are found, and they differ.
pub fn two_lanes_opened_at_once() {
    without_fences(|| {
        model("fan_in::two_lanes_opened_at_once", Some(3), || {
            let (tx, mut rx) = channel();
            drop(tx.lane().unwrap());
            assert_eq!(rx.try_recv(), Err(TryRecvError::Empty), "this gives the lane back");
            let other = tx.lane().unwrap();
            drop(tx.lane().unwrap());
            assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
            let opener = thread::spawn(move || {
                let mut lane = other.lane().unwrap();
                lane.try_send(1).unwrap();
                (lane, other)
            });
            let mut lane = tx.lane().unwrap();
            lane.try_send(2).unwrap();
            let early = rx.try_recv();
            let (there, _other) = opener.join().unwrap();
            assert_ne!(lane.id(), there.id());
            let mut got: Vec<_> = early.into_iter().chain(rx.try_iter()).collect();
            got.sort_unstable();
            assert_eq!(got, [1, 2]);
        });
    });
}
