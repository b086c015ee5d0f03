//! Leaving: what the other side still gets, and that every value drops exactly once. No thread sleeps, so all run without fences.

use crate::check::{model, outcomes, without_fences};
use crate::payload::{Drops, Ordered, Unordered};
use loom::thread;
use ringmail::spsc;
use ringmail::{TryRecvError, TrySendError};

/// One letter for what a `try_recv` said.
fn letter<T>(said: &Result<T, TryRecvError>) -> char {
    match said {
        Ok(_) => 'm',
        Err(TryRecvError::Empty) => 'e',
        Err(TryRecvError::Disconnected) => 'd',
    }
}

/// One letter for what a `try_send` said.
fn verdict<T>(said: &Result<(), TrySendError<T>>) -> char {
    match said {
        Ok(()) => 's',
        Err(TrySendError::Full(_)) => 'f',
        Err(TrySendError::Disconnected(_)) => 'd',
    }
}

/// A sender sends and leaves: the receiver gets the message, then the end, in this order.
pub fn disconnected_only_after_the_last_message() {
    let allowed = ["eee", "eem", "eme", "emd", "mee", "med", "mdd"].map(String::from);
    without_fences(|| {
        outcomes("close::disconnected_only_after_the_last_message", None, allowed, || {
            let (mut tx, mut rx) = spsc::channel(2).unwrap();
            let sender = thread::spawn(move || {
                tx.try_send(7).unwrap();
                drop(tx);
            });
            let said: String = (0..3).map(|_| letter(&rx.try_recv())).collect();
            sender.join().unwrap();
            let rest: Vec<_> = rx.try_iter().collect();
            assert_eq!(rest.len() + said.matches('m').count(), 1);
            assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
            said
        });
    });
}

/// A receiver that looks once, and so may see the word of the close and never that of the message, reads a whole message.
pub fn close_alone_publishes_what_came_before() {
    without_fences(|| {
        outcomes("close::close_alone_publishes_what_came_before", None, ['e', 'm'], || {
            let (mut tx, mut rx) = spsc::channel(1).unwrap();
            let sender = thread::spawn(move || {
                tx.try_send(7).unwrap();
                tx.close();
                assert_eq!(tx.try_send(8), Err(TrySendError::Disconnected(8)));
            });
            let said = letter(&rx.try_recv());
            sender.join().unwrap();
            said
        });
    });
}

/// Messages inside, a send in flight, and the receiver goes: each value drops once, and what came back was not sent.
pub fn values_in_a_dropped_channel_drop_once() {
    let allowed = ["ss", "sf", "sd", "dd"].map(String::from);
    without_fences(|| {
        outcomes("close::values_in_a_dropped_channel_drop_once", Some(3), allowed, || {
            let drops = Drops::default();
            let (mut tx, rx) = spsc::channel(2).unwrap();
            tx.try_send(drops.value(0)).unwrap();
            let values = drops.clone();
            let sender =
                thread::spawn(move || (1..3).map(|id| verdict(&tx.try_send(values.value(id)))).collect::<String>());
            drop(rx);
            assert!(drops.so_far().contains(&0), "what is there drops with the receiver, not later");
            let said = sender.join().unwrap();
            drops.assert_each_once(3);
            said
        });
    });
}

/// A ring for one: a send that does not yet know that the receiver is gone may use the slot that it just emptied.
pub fn a_retired_ring_may_be_overwritten() {
    without_fences(|| {
        outcomes("close::a_retired_ring_may_be_overwritten", None, ['s', 'f', 'd'], || {
            let drops = Drops::default();
            let (mut tx, rx) = spsc::channel(1).unwrap();
            tx.try_send(drops.value(0)).unwrap();
            let receiver = thread::spawn(move || drop(rx));
            let said = verdict(&tx.try_send(drops.value(1)));
            receiver.join().unwrap();
            drop(tx);
            drops.assert_each_once(2);
            said
        });
    });
}

/// After the receiver is gone the next send is refused, full or not, and drops what raced in: nothing waits for the sender's
/// own end.
pub fn what_a_receiver_left_behind_drops_at_the_next_send() {
    without_fences(|| {
        outcomes("close::what_a_receiver_left_behind_drops_at_the_next_send", None, ['s', 'd'], || {
            let drops = Drops::default();
            let (mut tx, rx) = spsc::channel(3).unwrap();
            tx.try_send(drops.value(0)).unwrap();
            let receiver = thread::spawn(move || drop(rx));
            let said = verdict(&tx.try_send(drops.value(1)));
            receiver.join().unwrap();
            let refused = tx.try_send(drops.value(2)).expect_err("the receiver is gone");
            drops.assert_each_once(2);
            drop(refused);
            drop(tx);
            drops.assert_each_once(3);
            said
        });
    });
}

/// With the role comes everything the receiver did: its messages' drops happen before those of what it left.
pub fn the_sender_inherits_the_receivers_role() {
    without_fences(|| {
        model("close::the_sender_inherits_the_receivers_role", Some(3), || {
            let memory = Unordered::new();
            let (mut tx, rx) = spsc::channel(3).unwrap();
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

/// `Receiver::close` refuses what comes and still gives what is there; once it said "disconnected" it keeps saying so.
pub fn a_closed_receiver_drains() {
    let allowed = ["smmd", "smdd", "dmdd"].map(String::from);
    without_fences(|| {
        outcomes("close::a_closed_receiver_drains", None, allowed, || {
            let drops = Drops::default();
            let (mut tx, mut rx) = spsc::channel(2).unwrap();
            tx.try_send(drops.value(0)).unwrap();
            let receiver = thread::spawn(move || {
                rx.close();
                (0..3).map(|_| letter(&rx.try_recv())).collect::<String>()
            });
            let said = verdict(&tx.try_send(drops.value(1)));
            let got = receiver.join().unwrap();
            assert!(matches!(tx.try_send(drops.value(2)), Err(TrySendError::Disconnected(_))));
            drops.assert_each_once(3);
            format!("{said}{got}")
        });
    });
}

/// Both handles drop at the same time, with messages inside: each message drops once and the memory is freed, in either order.
pub fn both_leave_at_once() {
    without_fences(|| {
        model("close::both_leave_at_once", Some(3), || {
            let drops = Drops::default();
            let (mut tx, rx) = spsc::channel(2).unwrap();
            tx.try_send(drops.value(0)).unwrap();
            let values = drops.clone();
            let sender = thread::spawn(move || {
                let _ = tx.try_send(values.value(1));
                drop(tx);
            });
            drop(rx);
            sender.join().unwrap();
            drops.assert_each_once(2);
        });
    });
}
