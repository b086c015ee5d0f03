//! Many senders and leaving: what is still received, what comes back, and that every value drops exactly once. All run without fences.

use crate::check::{model, outcomes, without_fences};
use crate::payload::{Drops, Ordered, Unordered};
use loom::thread;
use ringmail::mpsc;
use ringmail::{TryRecvError, TrySendError};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// One letter for what a `try_recv` said.
fn letter<T>(said: &Result<T, TryRecvError>) -> char {
    match said {
        Ok(_) => 'm',
        Err(TryRecvError::Empty) => 'e',
        Err(TryRecvError::Disconnected) => 'd',
    }
}

/// The receiver closes while two send: what went comes out, what came back was not sent.
pub fn a_closed_receiver_gets_what_was_claimed() {
    without_fences(|| {
        outcomes("mpsc_close::a_closed_receiver_gets_what_was_claimed", Some(3), [0, 1, 2], || {
            let drops = Drops::default();
            let (tx, mut rx) = mpsc::channel(2).unwrap();
            let senders = [0, 1].map(|id| {
                let (mut tx, value) = (tx.clone(), drops.value(id));
                thread::spawn(move || (tx.try_send(value), tx))
            });
            rx.close();
            let early = rx.try_recv();
            let mut went = 0;
            for sender in senders {
                let (said, mut tx) = sender.join().unwrap();
                match said {
                    Ok(()) => went += 1,
                    Err(TrySendError::Disconnected(_)) => {}
                    Err(TrySendError::Full(_)) => unreachable!("there is room for both"),
                }
                assert!(tx.try_send(drops.value(2)).is_err_and(|e| e.is_disconnected()));
            }
            if let Err(TryRecvError::Disconnected) = early {
                assert_eq!(went, 0, "the end is the end");
            }
            assert_eq!(usize::from(early.is_ok()) + rx.try_iter().count(), went);
            assert_eq!(rx.try_recv().err(), Some(TryRecvError::Disconnected));
            drop(early);
            assert_eq!(drops.so_far().iter().filter(|&&id| id < 2).count(), 2);
            went
        });
    });
}

/// Two senders leave at once, one after a message: the receiver gets it, then the end, and with the end all that either did.
pub fn the_end_shows_all_that_the_senders_did() {
    let allowed = ["eee", "eem", "eme", "emd", "mee", "med", "mdd"].map(String::from);
    without_fences(|| {
        outcomes("mpsc_close::the_end_shows_all_that_the_senders_did", Some(2), allowed, || {
            let (mut tx, mut rx) = mpsc::channel(2).unwrap();
            let (one, two, other) = (Unordered::new(), Unordered::new(), tx.clone());
            let (ones, twos) = (one.clone(), two.clone());
            let a = thread::spawn(move || {
                tx.try_send(7).unwrap();
                ones.write();
                drop(tx);
            });
            let b = thread::spawn(move || {
                twos.write();
                drop(other);
            });
            let mut said = String::new();
            for _ in 0..3 {
                said.push(letter(&rx.try_recv()));
                if said.ends_with('d') {
                    one.read();
                    two.read();
                }
            }
            a.join().unwrap();
            b.join().unwrap();
            assert_eq!(said.matches('m').count() + rx.try_iter().count(), 1);
            assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
            said
        });
    });
}

/// The last sender leaves while another is made from a weak reference: either there is one, and it can send, or all is over.
pub fn a_weak_sender_and_the_last_one() {
    without_fences(|| {
        outcomes("mpsc_close::a_weak_sender_and_the_last_one", None, [true, false], || {
            let (tx, mut rx) = mpsc::channel(1).unwrap();
            let weak = tx.downgrade();
            let last = thread::spawn(move || drop(tx));
            let late = weak.upgrade();
            let early = rx.try_recv();
            if late.is_some() {
                assert_eq!(early, Err(TryRecvError::Empty));
            }
            let came = late.is_some();
            if let Some(mut tx) = late {
                tx.try_send(1).unwrap();
                drop(tx);
            }
            last.join().unwrap();
            assert!(weak.upgrade().is_none());
            assert_eq!(rx.try_iter().count(), usize::from(came));
            assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
            came
        });
    });
}

/// A message inside, two in flight, and the receiver goes: the next send is refused, and after it none is left.
pub fn what_a_receiver_left_behind_drops_at_the_next_send() {
    without_fences(|| {
        outcomes("mpsc_close::what_a_receiver_left_behind_drops_at_the_next_send", Some(3), [0, 1, 2], || {
            let drops = Drops::default();
            let (mut tx, rx) = mpsc::channel(3).unwrap();
            tx.try_send(drops.value(0)).unwrap();
            let senders = [1, 2].map(|id| {
                let (mut tx, value) = (tx.clone(), drops.value(id));
                thread::spawn(move || (tx.try_send(value).is_ok(), tx))
            });
            drop(rx);
            let senders = senders.map(|s| s.join().unwrap());
            assert!(tx.try_send(drops.value(3)).is_err_and(|e| e.is_disconnected()));
            drops.assert_each_once(4);
            senders.iter().filter(|s| s.0).count()
        });
    });
}

/// With the role comes everything that the receiver did: its messages' drops happen before those of what it left.
pub fn a_sender_inherits_the_receivers_role() {
    without_fences(|| {
        model("mpsc_close::a_sender_inherits_the_receivers_role", Some(4), || {
            let memory = Unordered::new();
            let (mut tx, rx) = mpsc::channel(3).unwrap();
            assert!(tx.try_send(Ordered::new(&memory)).is_ok());
            let receiver = thread::spawn(move || drop(rx));
            if let Err(refused) = tx.try_send(Ordered::new(&memory)) {
                refused.into_inner().defuse();
            }
            drop(tx);
            receiver.join().unwrap();
        });
    });
}

/// A receiver goes while two claims are open: those that fill them come for the two values at once, and one at a time drops what is there.
pub fn two_heirs_at_once() {
    without_fences(|| {
        model("mpsc_close::two_heirs_at_once", Some(3), || {
            let memory = Unordered::new();
            let (mut tx, rx) = mpsc::channel(2).unwrap();
            let mut other = tx.clone();
            let mut held = tx.hold(1).unwrap();
            let theirs = memory.clone();
            let heir = thread::spawn(move || {
                if let Some(mut held) = other.hold(1) {
                    held.send(Ordered::new(&theirs));
                }
            });
            drop(rx);
            held.send(Ordered::new(&memory));
            drop(held);
            heir.join().unwrap();
        });
    });
}

/// A value whose drop panics if it is the first.
struct Bomb(#[allow(dead_code, reason = "it notes its drop")] crate::payload::Counted);

/// What [`Bomb`] panics with. Raised without the panic hook: that would end the model.
struct Bang;

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0.id == 0 {
            resume_unwind(Box::new(Bang));
        }
    }
}

fn close_fails(tx: &mut mpsc::Sender<Bomb>) -> bool {
    catch_unwind(AssertUnwindSafe(|| tx.close())).is_err()
}

/// The first of the values that an inheriting sender drops panics: the others still drop, each once, and the role is passed on.
pub fn an_inherited_value_panics() {
    without_fences(|| {
        model("mpsc_close::an_inherited_value_panics", Some(3), || {
            let drops = Drops::default();
            let (mut tx, rx) = mpsc::channel(3).unwrap();
            let mut other = tx.clone();
            let mut held = tx.hold(3).unwrap();
            drop(rx);
            let heir = thread::spawn(move || close_fails(&mut other));
            // The sender that inherits may come before the first, or between.
            let send = |id| catch_unwind(AssertUnwindSafe(|| held.send(Bomb(drops.value(id))))).is_err();
            let failed = [0, 1, 2].map(send);
            drop(held);
            let here = failed.contains(&true);
            let there = heir.join().unwrap();
            assert!(here != there, "one of the two had to do with it");
            drop(tx);
            drops.assert_each_once(3);
        });
    });
}

/// The receiver and the senders go with a message in flight: it drops once and the memory is freed, in any order.
pub fn all_leave_at_once() {
    without_fences(|| {
        model("mpsc_close::all_leave_at_once", Some(2), || {
            let drops = Drops::default();
            let (mut tx, rx) = mpsc::channel(2).unwrap();
            tx.try_send(drops.value(0)).unwrap();
            let (other, value) = (tx.clone(), drops.value(1));
            let a = thread::spawn(move || drop(tx.try_send(value)));
            let b = thread::spawn(move || drop(other));
            drop(rx);
            a.join().unwrap();
            b.join().unwrap();
            drops.assert_each_once(2);
        });
    });
}
