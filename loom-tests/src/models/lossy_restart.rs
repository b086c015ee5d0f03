//! A lossy ring whose sender is killed in the middle of a send and comes again, with receivers that believe nothing, as between processes.
//!
//! The `n`th message that any sender has written whole is `[n, n]`: a number that is used twice, or left out, shows. What a sender had begun to write when it
//! was killed is [`TORN`].

use crate::check::{model, outcomes, without_fences};
use loom::thread;
use ringmail::broadcast::lossy::{self, Receiver, Resume, Seen, Sender};

type Pair = [u64; 2];

const TORN: Pair = [99, 99];

/// A ring in which `sent` messages were sent. In one of two the sender publishes each message, in one of four each second one at least.
fn ring(capacity: usize, sent: u64) -> (Sender<Pair>, Receiver<Pair>) {
    let (mut tx, mut rx) = lossy::channel(capacity).unwrap();
    rx.set_resume(Resume::Oldest);
    (0..sent).for_each(|n| tx.send([n, n]));
    (tx, rx)
}

/// Looks once. Whether there was something.
fn look(rx: &mut Receiver<Pair>) -> bool {
    let at = rx.position();
    match rx.recv_checked() {
        Some(Seen::Message(message)) => assert_eq!(message, [at, at], "a mixture, or another message"),
        Some(Seen::Lost(count)) => assert!(count > 0 && rx.position() == at + count),
        None => return false,
    }
    true
}

fn newest(rx: &Receiver<Pair>) -> Option<u64> {
    let (number, message) = rx.latest_checked()?;
    assert_eq!(message, [number, number], "a mixture, or another message");
    Some(number)
}

/// Has `write` done on this thread while another one reads.
fn beside<R: 'static>(
    write: impl FnOnce(),
    rx: Receiver<Pair>,
    read: impl FnOnce(&mut Receiver<Pair>) -> R + 'static,
) -> (Receiver<Pair>, R) {
    let mut rx = rx;
    let reader = thread::spawn(move || {
        let said = read(&mut rx);
        (rx, said)
    });
    write();
    reader.join().unwrap()
}

/// A reader may have seen what was whole and not published.
pub fn a_sender_that_comes_after_one_killed_uses_no_number_twice() {
    without_fences(|| {
        outcomes("lossy_restart::a_sender_that_comes_after_one_killed_uses_no_number_twice", None, [0, 1, 2], || {
            let (mut tx, rx) = ring(4, 0);
            let write = || {
                tx.is_killed(&[[0, 0]], TORN);
                tx.send([1, 1]);
            };
            let (mut rx, seen) = beside(write, rx, |rx| u64::from(look(rx)) + u64::from(look(rx)));
            while look(&mut rx) {}
            assert_eq!((rx.position(), tx.sent()), (2, 2));
            seen
        });
    });
}

/// It was killed while it wrote over what a reader wants.
pub fn one_killed_beside_old_messages_hides_none() {
    without_fences(|| {
        model("lossy_restart::one_killed_beside_old_messages_hides_none", Some(3), || {
            let (mut tx, rx) = ring(2, 2);
            let write = || {
                tx.is_killed(&[], TORN);
                tx.send([2, 2]);
            };
            let (mut rx, ()) = beside(write, rx, |rx| {
                look(rx);
                look(rx);
            });
            while look(&mut rx) {}
            assert_eq!((rx.position(), tx.sent()), (3, 3));
        });
    });
}

/// What a reader checks is true of every sender that keeps to the protocol, also while it goes round the ring.
pub fn no_honest_sender_is_found_out() {
    without_fences(|| {
        model("lossy_restart::no_honest_sender_is_found_out", Some(3), || {
            let (mut tx, rx) = ring(2, 2);
            let write = || (2..5).for_each(|n| tx.send([n, n]));
            let (mut rx, ()) = beside(write, rx, |rx| {
                look(rx);
                look(rx);
            });
            while look(&mut rx) {}
            assert_eq!((rx.position(), newest(&rx)), (5, Some(4)));
        });
    });
}

/// The newest message, while a sender is killed and another goes on.
pub fn the_newest_is_whole_over_a_restart() {
    without_fences(|| {
        model("lossy_restart::the_newest_is_whole_over_a_restart", Some(3), || {
            let (mut tx, rx) = ring(2, 2);
            let write = || {
                tx.is_killed(&[], TORN);
                tx.send([2, 2]);
            };
            let (rx, seen) = beside(write, rx, |rx| newest(rx));
            assert!(seen == Some(1) || seen == Some(2));
            assert_eq!(newest(&rx), Some(2));
        });
    });
}
