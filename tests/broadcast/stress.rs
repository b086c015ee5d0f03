//! Receivers that join and leave on several threads while the sender sends.

use crate::support::ends;
use ringmail::broadcast::{Builder, Hub, NoReceiver};
use ringmail::{FenceMode, TryRecvError};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const MESSAGES: u64 = if cfg!(miri) { 200 } else { 100_000 };

/// Joins, takes up to `n` messages in different ways, which must come without a gap, and leaves. Returns the last, or none at the end.
fn visit(hub: &Hub<Box<u64>>, n: u64) -> Option<u64> {
    let mut rx = hub.join().unwrap();
    let mut last = rx.recv().ok().map(|m| *m)?;
    let mut follower = hub.after(&[&rx]).unwrap();
    let mut seen = |m: &u64| {
        assert_eq!(*m, last + 1, "a gap");
        last = *m;
    };
    for i in 0..n {
        match i % 4 {
            0 => rx.recv_with(|m| seen(m)).ok()?,
            1 => {
                let chunk = rx.read_chunk(3).ok();
                if let Some(chunk) = chunk {
                    chunk.iter().for_each(|m| seen(m));
                    chunk.commit_all();
                }
            }
            2 => _ = rx.drain(4, |m| seen(m)),
            _ => {
                while let Ok(m) = follower.try_recv() {
                    assert!(*m < rx_position(&rx, &m), "a follower is not ahead");
                }
            }
        }
    }
    Some(last)
}

/// A bound above every message that `rx` has taken: what is sent next.
fn rx_position(rx: &ringmail::broadcast::Receiver<Box<u64>>, _: &u64) -> u64 {
    rx.stats().sent + 1
}

#[test]
fn receivers_come_and_go_while_messages_flow() {
    for mode in [FenceMode::Auto, FenceMode::Fence] {
        ends(move || {
            let (mut tx, hub) = Builder::new(8).fence_mode(mode).build().unwrap();
            let over = AtomicBool::new(false);
            let mut steady = hub.join().unwrap();
            thread::scope(|s| {
                for k in 1..=3 {
                    let (hub, over) = (hub.clone(), &over);
                    s.spawn(move || {
                        let mut visits = 0;
                        while !over.load(Ordering::Relaxed) && visit(&hub, k * 5).is_some() {
                            visits += 1;
                        }
                        assert!(visits > 0);
                    });
                }
                s.spawn(|| {
                    for i in 0..MESSAGES {
                        assert_eq!(steady.recv().map(|m| *m), Ok(i));
                    }
                    over.store(true, Ordering::Relaxed);
                    // From here on none gates for long: those that are left see the end.
                    steady.close();
                });
                for i in 0..MESSAGES {
                    tx.send(Box::new(i)).unwrap();
                }
                drop(tx);
            });
        });
    }
}

/// The count of messages that no receiver saw, and those that they saw, add up.
#[test]
fn what_passes_unseen_is_counted_exactly() {
    ends(|| {
        for round in 0..if cfg!(miri) { 3 } else { 200 } {
            let (mut tx, hub) = Builder::new(4).no_receiver(NoReceiver::Pass).build().unwrap();
            let receiver = thread::spawn(move || {
                (0..round % 7).for_each(|_| thread::yield_now());
                hub.join().unwrap().into_iter().count() as u64
            });
            for i in 0..300 {
                tx.send(i).ok();
            }
            tx.close();
            let seen = receiver.join().unwrap();
            assert_eq!(seen + tx.passed(), 300);
        }
    });
}

/// A reserved seat that is handed on from thread to thread loses nothing and repeats nothing.
#[test]
fn a_reserved_seat_is_handed_on() {
    ends(|| {
        let (mut tx, hub) = Builder::new(4).build().unwrap();
        drop(hub.reserve("journal").unwrap());
        let keeper = hub.clone();
        let journal = thread::spawn(move || {
            let mut all = vec![];
            loop {
                let mut rx = hub.take("journal").unwrap();
                for _ in 0..3 {
                    match rx.try_recv() {
                        Ok(m) => all.push(m),
                        Err(TryRecvError::Empty) => thread::yield_now(),
                        Err(TryRecvError::Disconnected) => return all,
                    }
                }
            }
        });
        let n = MESSAGES / 10;
        tx.send_iter(0..n).unwrap();
        drop(tx);
        assert_eq!(journal.join().unwrap(), (0..n).collect::<Vec<_>>());
        drop(keeper);
    });
}
