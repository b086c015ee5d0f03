//! A lossy ring: a message that is shown is whole, none is shown twice, and what is lost is counted.
//!
//! Message `p` is `[p, p]`, so that a mixture of two shows. The models run without the barriers of the event count, which would order more than the
//! ring does.

use crate::check::{model, outcomes, without_fences};
use loom::thread;
use ringmail::TryRecvError;
use ringmail::broadcast::lossy::{self, Builder, Receiver, Resume, Seen, Sender};

type Pair = [u64; 2];

/// A ring of two, in which `sent` messages were sent.
fn ring(sent: u64) -> (Sender<Pair>, Receiver<Pair>) {
    let (mut tx, mut rx) = lossy::channel(2).unwrap();
    rx.set_resume(Resume::Oldest);
    send(&mut tx, sent);
    (tx, rx)
}

/// A ring whose newest message is copied.
fn copied(capacity: usize) -> (Sender<Pair>, Receiver<Pair>) {
    Builder::new(capacity).copy_newest(true).build().unwrap()
}

fn send(tx: &mut Sender<Pair>, n: u64) {
    for _ in 0..n {
        let p = tx.sent();
        tx.send([p, p]);
    }
}

/// Sends `n` messages on this thread while another one reads. (Loom goes back to a store for a load that it depends on. It would not go back to
/// another thread's load for a store of a thread that loaded the same word after that, as the sender loads `tail`.)
fn beside<R: 'static>(
    tx: &mut Sender<Pair>,
    n: u64,
    rx: Receiver<Pair>,
    read: impl FnOnce(&mut Receiver<Pair>) -> R + 'static,
) -> (Receiver<Pair>, R) {
    let mut rx = rx;
    let reader = thread::spawn(move || {
        let said = read(&mut rx);
        (rx, said)
    });
    send(tx, n);
    reader.join().unwrap()
}

/// Looks once. Whether there was something: the next message, or a count that takes the receiver forward.
fn look(rx: &mut Receiver<Pair>) -> bool {
    let at = rx.position();
    match rx.try_recv() {
        Ok(Seen::Message(message)) => assert_eq!(message, [at, at], "a mixture, or another message"),
        Ok(Seen::Lost(count)) => assert!(count > 0 && rx.position() == at + count),
        Err(TryRecvError::Empty) => return false,
        Err(TryRecvError::Disconnected) => panic!("the sender is there"),
    }
    true
}

fn newest(rx: &Receiver<Pair>) -> Option<u64> {
    let (number, message) = rx.latest()?;
    assert_eq!(message, [number, number], "a mixture, or another message");
    Some(number)
}

/// The first message of a slot.
pub fn a_message_is_whole() {
    without_fences(|| {
        outcomes("lossy::a_message_is_whole", None, [true, false], || {
            let (mut tx, rx) = lossy::channel::<Pair>(2).unwrap();
            let mut rx = rx;
            let reader = thread::spawn(move || rx.try_recv());
            tx.send([7, 7]);
            match reader.join().unwrap() {
                Ok(seen) => {
                    assert_eq!(seen, Seen::Message([7, 7]));
                    true
                }
                Err(error) => {
                    assert_eq!(error, TryRecvError::Empty);
                    false
                }
            }
        });
    });
}

/// The sender writes over the message that is read.
pub fn a_message_that_is_written_over_is_not_shown() {
    without_fences(|| {
        outcomes("lossy::a_message_that_is_written_over_is_not_shown", None, [0, 1], || {
            let (mut tx, rx) = ring(2);
            let (mut rx, lost) = beside(&mut tx, 1, rx, |rx| {
                let lost = match rx.try_recv() {
                    Ok(Seen::Message(message)) => {
                        assert_eq!(message, [0, 0]);
                        0
                    }
                    Ok(Seen::Lost(count)) => count,
                    Err(error) => panic!("{error}"),
                };
                // The message after it is not written over.
                assert_eq!(rx.try_recv(), Ok(Seen::Message([1, 1])));
                lost
            });
            assert_eq!(rx.try_recv(), Ok(Seen::Message([2, 2])));
            lost
        });
    });
}

/// A reader beside a sender that goes round the ring.
pub fn received_and_lost_add_up() {
    without_fences(|| {
        for resume in [Resume::Oldest, Resume::Middle, Resume::Newest] {
            model("lossy::received_and_lost_add_up", Some(3), move || {
                let (mut tx, mut rx) = ring(1);
                rx.set_resume(resume);
                let (mut rx, ()) = beside(&mut tx, 3, rx, |rx| {
                    look(rx);
                    look(rx);
                });
                while look(&mut rx) {}
                assert_eq!(rx.position(), tx.sent());
            });
        }
    });
}

/// Who sees that a message was sent finds it.
pub fn the_newest_is_never_looked_for_in_vain() {
    without_fences(|| {
        outcomes("lossy::the_newest_is_never_looked_for_in_vain", None, [None, Some(0)], || {
            let (mut tx, rx) = ring(0);
            beside(&mut tx, 1, rx, |rx| newest(rx)).1
        });
    });
}

/// The newest message, while the sender writes over the others.
pub fn the_newest_is_whole_while_the_sender_goes_on() {
    without_fences(|| {
        outcomes("lossy::the_newest_is_whole_while_the_sender_goes_on", Some(3), [1, 2, 3], || {
            let (mut tx, rx) = ring(2);
            let (rx, seen) = beside(&mut tx, 2, rx, |rx| newest(rx).unwrap());
            assert_eq!(newest(&rx), Some(3));
            seen
        });
    });
}

/// The newest message from its copy, while the sender goes on.
pub fn the_newest_is_copied_whole() {
    without_fences(|| {
        outcomes("lossy::the_newest_is_copied_whole", Some(3), [1, 2], || {
            let (mut tx, rx) = copied(2);
            send(&mut tx, 2);
            let (rx, seen) = beside(&mut tx, 1, rx, |rx| newest(rx).unwrap());
            assert_eq!(newest(&rx), Some(2));
            seen
        });
    });
}

/// Who has received a message finds that one, or a newer one.
pub fn the_newest_is_not_older_than_what_was_received() {
    without_fences(|| {
        outcomes("lossy::the_newest_is_not_older_than_what_was_received", Some(3), [0, 1, 2], || {
            let (mut tx, rx) = ring(0);
            beside(&mut tx, 2, rx, |rx| {
                let received = u64::from(look(rx)) + u64::from(look(rx));
                assert!(newest(rx) >= rx.position().checked_sub(1));
                received
            })
            .1
        });
    });
}

/// Who was overrun, which a second look has found, goes by that stamp alone. A message too long to be copied: no other fence is on the way.
pub fn the_newest_is_there_after_a_loss() {
    without_fences(|| {
        outcomes("lossy::the_newest_is_there_after_a_loss", Some(3), [false, true], || {
            let (mut tx, mut rx) = lossy::channel::<[u64; 7]>(4).unwrap();
            rx.set_resume(Resume::Newest);
            (0..3).for_each(|p| tx.send([p; 7]));
            let reader = thread::spawn(move || {
                let lost = match rx.try_recv() {
                    Ok(Seen::Message(message)) => {
                        assert_eq!(message, [0; 7]);
                        false
                    }
                    Ok(Seen::Lost(_)) => true,
                    Err(error) => panic!("{error}"),
                };
                let (number, message) = rx.latest().unwrap();
                assert_eq!(message, [number; 7]);
                assert!(number + 1 >= rx.position(), "older than what it has received");
                lost
            });
            (3..5).for_each(|p| tx.send([p; 7]));
            reader.join().unwrap()
        });
    });
}

/// The newest message of a slice, from its copy.
pub fn the_newest_of_a_slice_is_copied_whole() {
    without_fences(|| {
        outcomes("lossy::the_newest_of_a_slice_is_copied_whole", Some(2), [0, 2], || {
            let (mut tx, rx) = copied(4);
            send(&mut tx, 1);
            let reader = thread::spawn(move || {
                let seen = newest(&rx).unwrap();
                (rx, seen)
            });
            tx.send_slice(&[[1, 1], [2, 2]]);
            let (rx, seen) = reader.join().unwrap();
            assert_eq!(newest(&rx), Some(2));
            seen
        });
    });
}

/// Each change has a greater number, and the last one is the newest message.
pub fn changes_are_seen_in_order() {
    without_fences(|| {
        model("lossy::changes_are_seen_in_order", Some(3), || {
            fn change(rx: &mut Receiver<Pair>) {
                let wanted = rx.position();
                match rx.try_changed() {
                    Ok((number, message)) => {
                        assert_eq!(message, [number, number]);
                        assert!(number >= wanted && rx.position() == number + 1, "seen twice");
                    }
                    Err(error) => assert_eq!(error, TryRecvError::Empty),
                }
            }
            let (mut tx, rx) = ring(1);
            let (mut rx, ()) = beside(&mut tx, 2, rx, |rx| {
                change(rx);
                change(rx);
            });
            change(&mut rx);
            assert_eq!(rx.position(), 3);
            assert_eq!(rx.try_changed(), Err(TryRecvError::Empty));
        });
    });
}

/// The messages of a slice, over a ring that is full.
pub fn a_slice_appears_whole() {
    without_fences(|| {
        model("lossy::a_slice_appears_whole", Some(2), || {
            let (mut tx, mut rx) = ring(2);
            let reader = thread::spawn(move || {
                look(&mut rx);
                assert!(newest(&rx) >= Some(1));
                rx
            });
            tx.send_slice(&[[2, 2], [3, 3]]);
            let mut rx = reader.join().unwrap();
            while look(&mut rx) {}
            assert_eq!(rx.position(), tx.sent());
        });
    });
}

/// One that joins gets no message of before, none twice, and all that follow.
pub fn one_that_joins_begins_with_what_comes_next() {
    without_fences(|| {
        outcomes("lossy::one_that_joins_begins_with_what_comes_next", None, [1, 2], || {
            let (mut tx, rx) = ring(1);
            let (_, (mut joined, first)) = beside(&mut tx, 1, rx, |rx| {
                let mut joined = rx.resubscribe();
                let first = joined.position();
                look(&mut joined);
                (joined, first)
            });
            while look(&mut joined) {}
            assert_eq!(joined.position(), 2);
            first
        });
    });
}

/// The end says nothing before the last message is seen.
pub fn disconnected_only_after_the_last_message() {
    without_fences(|| {
        outcomes("lossy::disconnected_only_after_the_last_message", None, [true, false], || {
            let (mut tx, rx) = ring(0);
            let mut rx = rx;
            let reader = thread::spawn(move || {
                let said = rx.try_recv();
                (rx, said)
            });
            send(&mut tx, 1);
            drop(tx);
            let (mut rx, said) = reader.join().unwrap();
            assert_ne!(said, Err(TryRecvError::Disconnected), "a message was sent before");
            if said == Err(TryRecvError::Empty) {
                assert_eq!(rx.try_recv(), Ok(Seen::Message([0, 0])));
            }
            assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
            said.is_ok()
        });
    });
}

/// A sender that goes leaves the newest message.
pub fn the_last_message_stays() {
    without_fences(|| {
        outcomes("lossy::the_last_message_stays", None, [true, false], || {
            let (mut tx, rx) = ring(0);
            let mut rx = rx;
            let reader = thread::spawn(move || {
                let said = rx.try_changed();
                (rx, said)
            });
            send(&mut tx, 1);
            drop(tx);
            let (mut rx, said) = reader.join().unwrap();
            let at_once = said != Err(TryRecvError::Empty);
            assert_eq!(if at_once { said } else { rx.try_changed() }, Ok((0, [0, 0])));
            assert_eq!(rx.try_changed(), Err(TryRecvError::Disconnected));
            assert_eq!(newest(&rx), Some(0));
            at_once
        });
    });
}
