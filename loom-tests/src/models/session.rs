//! Sessions of a mapped channel: a side is taken, left, or lost by a kill, and taken again, while the other side goes on.
//! The channel is [`session_channel`](super::session_channel)'s.

use super::session_channel::{Channel, Message, Rx, Seen, Tx, died, left, receive};
use crate::check::outcomes;
use loom::thread;
use ringmail::model::{End, Peer, look_after};

/// A sender is killed: the receiver, which asks the kernel, is told after the last message and not before.
pub fn a_death_shows_after_the_last_message() {
    let allowed = [vec![Message(0), died(1)]];
    outcomes("session::a_death_shows_after_the_last_message", None, allowed, || {
        receive(true, 3, |tx| tx.send([0]).die(), None)
    });
}

/// A sender closes: the receiver, which asks the kernel, is told after the last message, and never of a death.
pub fn a_close_shows_after_the_last_message() {
    let allowed = [vec![Message(0), left(1)]];
    outcomes("session::a_close_shows_after_the_last_message", Some(3), allowed, || {
        receive(true, 3, |tx| tx.send([0]).close(), None)
    });
}

/// A sender is killed and another takes its place and closes: the receiver, which never asks the kernel, is still told, once, before the
/// first message of the next.
pub fn a_restart_cannot_hide_a_death() {
    let allowed = [vec![Message(0), died(1), Message(1), left(2)]];
    outcomes("session::a_restart_cannot_hide_a_death", Some(2), allowed, || {
        receive(false, 1, |tx| tx.send([0]).die(), Some(|channel| Tx::open(channel).send([1]).close()))
    });
}

/// The same where the receiver asks: it is not told twice, and not that the other one has died, which only began meanwhile.
pub fn a_restart_cannot_hide_a_death_from_one_that_asks() {
    let allowed = [vec![Message(0), died(1), Message(1), left(2)]];
    outcomes("session::a_restart_cannot_hide_a_death_from_one_that_asks", Some(2), allowed, || {
        receive(true, 1, |tx| tx.send([0]).die(), Some(|channel| Tx::open(channel).send([1]).close()))
    });
}

/// A sender closes and another takes its place: no death is told.
pub fn a_close_is_no_death() {
    let allowed = [vec![Message(0), left(1), Message(1), left(2)]];
    outcomes("session::a_close_is_no_death", Some(2), allowed, || {
        receive(true, 1, |tx| tx.send([0]).close(), Some(|channel| Tx::open(channel).send([1]).close()))
    });
}

/// Three senders, of which the table keeps the last two: each end is told at its place, or that it was forgotten.
pub fn an_end_that_is_not_kept_is_counted() {
    let rest = |first| vec![first, Message(1), died(2), left(3)];
    let allowed = [rest(died(1)), rest(Seen::Ended(1, End::Forgotten(1)))];
    outcomes("session::an_end_that_is_not_kept_is_counted", Some(1), allowed, || {
        receive(
            true,
            1,
            |tx| {
                let channel = tx.channel.clone();
                tx.die();
                Tx::open(&channel).send([1]).die();
                Tx::open(&channel).close();
            },
            None,
        )
    });
}

/// A sender is killed, and so is the next before its session is set up.
pub fn a_death_before_the_session_was_set_up() {
    let rest = |first| vec![first, died(2), Message(1), left(3)];
    let allowed = [rest(died(1)), rest(Seen::Ended(1, End::Forgotten(1)))];
    outcomes("session::a_death_before_the_session_was_set_up", Some(1), allowed, || {
        receive(
            true,
            1,
            |tx| {
                let channel = tx.channel.clone();
                tx.die();
                channel.die_early();
                Tx::open(&channel).send([1]).close();
            },
            None,
        )
    });
}

/// A sender is killed, and the next closes before the receiver looks again.
pub fn a_death_and_a_close_before_the_next_look() {
    let allowed = [vec![died(1), Message(0), left(2)]];
    outcomes("session::a_death_and_a_close_before_the_next_look", Some(3), allowed, || {
        let channel = Channel::new(4);
        let tx = Tx::open(&channel);
        let mut rx = Rx::open(&channel, true);
        let senders = channel.clone();
        let senders = thread::spawn(move || {
            tx.die();
            Tx::open(&senders).send([0]).close();
        });
        // The kernel first, as one that has waited for long.
        rx.ask();
        senders.join().unwrap();
        rx.look_to_the_end();
        rx.close()
    });
}

/// A receiver that comes while the only sender leaves is told of it, or it was over before; its message is received in any case.
pub fn one_that_comes_late_is_told_what_it_has_messages_of() {
    let allowed = [vec![Message(0), left(1)]];
    outcomes("session::one_that_comes_late_is_told_what_it_has_messages_of", Some(3), allowed, || {
        let channel = Channel::new(4);
        let tx = Tx::open(&channel).send([0]);
        let sender = thread::spawn(move || tx.close());
        let mut rx = Rx::open(&channel, false);
        rx.look();
        sender.join().unwrap();
        rx.look_to_the_end();
        rx.close()
    });
}

/// A receiver that comes while the only sender leaves, with no message: it was there while that was, or not.
pub fn one_that_comes_late_need_not_be_told() {
    let allowed = [vec![], vec![left(1)]];
    outcomes("session::one_that_comes_late_need_not_be_told", Some(3), allowed, || {
        let channel = Channel::new(4);
        let tx = Tx::open(&channel);
        let sender = thread::spawn(move || tx.close());
        let mut rx = Rx::open(&channel, false);
        rx.look();
        sender.join().unwrap();
        rx.look_to_the_end();
        rx.close()
    });
}

/// What the next receiver is told begins where the last one's ended, wherever that was killed: no end is told twice, and one that was over
/// before the second came, with all of its messages received, is told to the first or not at all.
pub fn an_end_is_not_told_to_two_receivers() {
    let allowed = [vec![Message(0), left(1), Message(1), left(2)], vec![Message(0), Message(1), left(2)]];
    outcomes("session::an_end_is_not_told_to_two_receivers", Some(1), allowed, || {
        let channel = Channel::new(4);
        let mut first = Rx::open(&channel, false);
        let senders = channel.clone();
        let senders = thread::spawn(move || {
            Tx::open(&senders).send([0]).close();
            Tx::open(&senders).send([1]).close();
        });
        first.look();
        first.look();
        let mut seen = first.die();
        let mut second = Rx::open(&channel, false);
        second.look();
        senders.join().unwrap();
        second.look_to_the_end();
        seen.extend(second.close());
        seen
    });
}

/// A thread that asks what became of a sender's side, while one closes and another comes, is not told of a death.
pub fn a_look_calls_nobody_dead_who_lives() {
    let allowed = [Peer::Here, Peer::Left].map(|peer| format!("{peer:?}"));
    outcomes("session::a_look_calls_nobody_dead_who_lives", Some(3), allowed, || {
        let channel = Channel::new(4);
        let tx = Tx::open(&channel);
        let senders = channel.clone();
        let senders = thread::spawn(move || {
            tx.close();
            Tx::open(&senders)
        });
        let (peer, _) = look_after(channel.ring.of_sender(), || {
            channel.step();
            channel.tx.is_held()
        });
        senders.join().unwrap().die();
        format!("{peer:?}")
    });
}

/// An entry of the table that is written over is that of one session, or of none.
pub fn an_entry_is_read_whole() {
    let allowed = [None, Some(0), Some(1)];
    outcomes("session::an_entry_is_read_whole", Some(3), allowed, || {
        let channel = Channel::new(4);
        let tx = Tx::open(&channel).send([0]);
        let senders = channel.clone();
        let writer = thread::spawn(move || {
            tx.close();
            Tx::open(&senders).send([1]).close();
            // In the first one's place.
            Tx::open(&senders).close();
        });
        let words = channel.ring.of_sender();
        // Where the first began, or the second.
        let first = words.record(1);
        assert!(first.is_none_or(|record| record.start == 0), "{first:?}");
        let second = words.record(2);
        assert!(second.is_none_or(|record| record.start == 1), "{second:?}");
        writer.join().unwrap();
        assert_eq!(words.record(3).map(|record| record.start), Some(2));
        first.or(second).map(|record| record.start)
    });
}

/// A sender that had a receiver is told once that this has left, also where another has come since.
pub fn a_sender_is_told_of_a_receiver_once() {
    let allowed = [vec![End::Left]];
    outcomes("session::a_sender_is_told_of_a_receiver_once", Some(3), allowed, || {
        let channel = Channel::new(4);
        let first = Rx::open(&channel, false);
        let mut tx = Tx::open(&channel);
        let receivers = channel.clone();
        let receivers = thread::spawn(move || {
            first.close();
            Rx::open(&receivers, false)
        });
        let mut told = vec![];
        for value in 0..2 {
            if !tx.try_send(value) {
                told.extend(tx.refusal());
            }
        }
        let second = receivers.join().unwrap();
        told.extend(tx.refusal());
        told.extend(tx.refusal());
        assert!(tx.try_send(2), "there is room, and a receiver");
        second.die();
        told
    });
}
