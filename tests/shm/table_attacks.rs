//! What somebody who writes over the table of sessions must not do to a mapped channel. The table is believed in what it may say: how a
//! session ended. It leads to no access, no panic and no wait without end; what cannot be is `Corrupted`, and else each end is told.

use crate::support::scratch::Scratch;
use ringmail::shm::spsc::{Builder, Receiver, Sender};
use ringmail::shm::{Cause, OpenError, RecvError, SendError, TrySendError, fan_in};
use ringmail::shm::{RecvTimeoutError, SendTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

/// Where each side's words are: `begun`, `epoch`, `unfenced`, `core`, `taken`, and the table behind them.
const SENDER: u64 = 4096 + 256;
const RECEIVER: u64 = 2 * 4096;
const EPOCH: u64 = 8;
const TAKEN: u64 = 32;
const TABLE: u64 = 256;
/// Sessions that it keeps; words of an entry: how it ended with its number, where it began, by which process, when.
const KEPT: u64 = 64;
const START: u64 = 8;
const ENTRY: u64 = 32;

/// More than any of these needs to say, with the most that a table can.
const MOST: usize = 2 * KEPT as usize;
const LATE: Duration = Duration::from_secs(60);

fn sender(dir: &Scratch) -> Sender<u64> {
    Builder::new(dir.file()).capacity(8).open_sender().expect("a sender")
}

fn receiver(dir: &Scratch) -> Receiver<u64> {
    Builder::new(dir.file()).capacity(8).open_receiver().expect("a receiver")
}

/// The entry of a session, of the side whose words are at `side`.
fn entry(side: u64, session: u64) -> u64 {
    side + TABLE + ENTRY * (session % KEPT)
}

/// The word of an entry.
fn mark(session: u64, how: u64) -> u64 {
    session << 8 | how
}

/// All that is said until nothing is, or for ever the same.
fn story(rx: &mut Receiver<u64>) -> Vec<Result<u64, Cause>> {
    let (mut story, began) = (vec![], Instant::now());
    loop {
        assert!(story.len() < MOST && began.elapsed() < LATE, "without end: {story:?}");
        match rx.recv_timeout(Duration::from_micros(200)) {
            Ok(message) => story.push(Ok(message)),
            Err(RecvTimeoutError::Timeout) => return story,
            Err(RecvTimeoutError::Disconnected(ended)) => story.push(Err(ended)),
        }
        if story.last() == Some(&Err(Cause::Corrupted)) {
            assert_eq!(rx.recv(), Err(RecvError(Cause::Corrupted)), "it stays so");
            return story;
        }
    }
}

/// The same of a sender, which sends what there is room for.
fn told(tx: &mut Sender<u64>) -> Vec<Cause> {
    let (mut told, began) = (vec![], Instant::now());
    loop {
        assert!(told.len() < MOST && began.elapsed() < LATE, "without end: {told:?}");
        match tx.send_timeout(0, Duration::from_micros(200)) {
            Ok(()) => {}
            Err(SendTimeoutError::Timeout(0)) => return told,
            Err(SendTimeoutError::Disconnected(0, ended)) => told.push(ended),
            Err(other) => panic!("{other:?}"),
        }
        if told.last() == Some(&Cause::Corrupted) {
            assert_eq!(tx.send(1), Err(SendError(1, Cause::Corrupted)), "it stays so");
            return told;
        }
    }
}

const LEFT: Result<u64, Cause> = Err(Cause::Closed);

fn forgotten(sessions: u64) -> Result<u64, Cause> {
    Err(Cause::Forgotten { sessions })
}

/// A receiver that has not looked while three senders came, one after the other, of which the last is there: each has sent its number.
fn three_in_order(dir: &Scratch) -> (Receiver<u64>, Sender<u64>) {
    let rx = receiver(dir);
    for i in 1..=2 {
        sender(dir).send(i).unwrap();
    }
    let mut tx = sender(dir);
    tx.send(3).unwrap();
    (rx, tx)
}

#[test]
fn an_entry_of_another_number_is_of_a_session_that_is_forgotten() {
    let numbers = [0, 7, 65, u64::MAX >> 8];
    for number in numbers {
        let dir = Scratch::new(&format!("number-{number}"));
        let mut rx = receiver(&dir);
        for i in 1..=3 {
            sender(&dir).send(i).unwrap();
        }
        let mut tx = sender(&dir);
        tx.send(4).unwrap();
        dir.poke(entry(SENDER, 1), mark(number, 1));
        dir.poke(entry(SENDER, 3), mark(number, 1));
        // Where the third began is not known: its message passes for the second's.
        let expected = [Ok(1), forgotten(1), Ok(2), Ok(3), LEFT, forgotten(1), Ok(4)];
        assert_eq!(story(&mut rx), expected, "{number}");
        // How it ends is written anew.
        dir.poke(entry(SENDER, 4), mark(number, 2));
        drop(tx);
        assert_eq!(story(&mut rx), [LEFT], "{number}");
    }
    // Of several in a row: where the next begins that is known.
    let dir = Scratch::new("number-row");
    let mut rx = receiver(&dir);
    for i in 1..=3 {
        sender(&dir).send(i).unwrap();
    }
    (1..=2).for_each(|session| dir.poke(entry(SENDER, session), 0));
    assert_eq!(story(&mut rx), [Ok(1), Ok(2), forgotten(2), Ok(3), LEFT]);
    // None is known: then it is not known how far to go, either.
    let mut tx = sender(&dir);
    tx.send(4).unwrap();
    drop(tx);
    drop(sender(&dir));
    (1..=5).for_each(|session| dir.poke(entry(SENDER, session), 0));
    assert_eq!(story(&mut rx), [Err(Cause::Corrupted)]);
}

#[test]
fn a_start_that_cannot_be_is_corrupted() {
    for start in [0, 4, 9, 1 << 40, 1 << 63, u64::MAX] {
        let dir = Scratch::new(&format!("start-{start}"));
        let (mut rx, _tx) = three_in_order(&dir);
        assert_eq!(rx.recv(), Ok(1));
        dir.poke(entry(SENDER, 2) + START, start);
        assert_eq!(story(&mut rx), [Err(Cause::Corrupted)], "{start}");
        drop(rx);
        // To the next one, as far as it can be: the message that was received was the second's.
        let all = story(&mut receiver(&dir));
        assert!(all == [Err(Cause::Corrupted)] || all == [Ok(2), LEFT, Ok(3)], "{start}: {all:?}");
    }
    // One that can be is believed: the end is told elsewhere, and no message is lost.
    let dir = Scratch::new("start-later");
    let (mut rx, _tx) = three_in_order(&dir);
    dir.poke(entry(SENDER, 2) + START, 2);
    assert_eq!(story(&mut rx), [Ok(1), Ok(2), LEFT, LEFT, Ok(3)]);
}

#[test]
fn a_count_of_sessions_that_runs_ahead_is_told_and_ends() {
    for begun in [2, 3, 64, 65, 200, 1 << 40, (1 << 62) - 1, 1 << 62, u64::MAX - 1, u64::MAX] {
        for word in [0, EPOCH] {
            for message in [false, true] {
                let what = format!("{begun} at {word}, message {message}");
                let dir = Scratch::new(&format!("ahead-{begun}-{word}-{message}"));
                let mut rx = receiver(&dir);
                let mut tx = sender(&dir);
                assert_eq!(story(&mut rx), []);
                dir.poke(SENDER + word, begun);
                if message {
                    tx.send(1).unwrap();
                }
                let mut all = story(&mut rx);
                let _ = tx.try_send(2);
                drop(tx);
                all.extend(story(&mut rx));
                // What comes next is received, or it is said that it cannot be.
                match Builder::<u64>::new(dir.file()).open_sender() {
                    Ok(mut tx) => {
                        let _ = tx.try_send(3);
                        all.extend(story(&mut rx));
                        let corrupted = all.last() == Some(&Err(Cause::Corrupted));
                        assert!(corrupted || all.contains(&Ok(3)), "{what}: {all:?}");
                    }
                    Err(error) => {
                        assert!(matches!(error, OpenError::Corrupted) && begun >> 62 != 0, "{what}: {error}");
                        // A receiver goes by the first of the two words.
                        assert!(word != 0 || all.last() == Some(&Err(Cause::Corrupted)), "{what}: {all:?}");
                    }
                }
                // And by a sender of the receiver's.
                let dir = Scratch::new(&format!("ahead-receiver-{begun}-{word}-{message}"));
                let (mut tx, rx) = (sender(&dir), receiver(&dir));
                dir.poke(RECEIVER + word, begun);
                if message {
                    let _ = tx.try_send(1);
                }
                told(&mut tx);
                drop(rx);
                told(&mut tx);
            }
        }
    }
}

#[test]
fn a_count_of_sessions_that_goes_back_is_corrupted() {
    for back in [0, 1] {
        let dir = Scratch::new(&format!("back-{back}"));
        let (mut rx, tx) = three_in_order(&dir);
        assert_eq!(story(&mut rx), [Ok(1), LEFT, Ok(2), LEFT, Ok(3)]);
        dir.poke(SENDER, back);
        dir.poke(SENDER + EPOCH, back);
        assert_eq!(story(&mut rx), [Err(Cause::Corrupted)]);
        drop(tx);

        let dir = Scratch::new(&format!("back-receiver-{back}"));
        let mut tx = sender(&dir);
        (0..3).for_each(|_| drop(receiver(&dir)));
        let _rx = receiver(&dir);
        assert_eq!(told(&mut tx), [Cause::Closed; 3]);
        dir.poke(RECEIVER, back);
        dir.poke(RECEIVER + EPOCH, back);
        assert_eq!(told(&mut tx), [Cause::Corrupted]);
    }
    // The word of those that are set up decides nothing.
    let dir = Scratch::new("back-one");
    let (mut rx, tx) = three_in_order(&dir);
    assert_eq!(story(&mut rx), [Ok(1), LEFT, Ok(2), LEFT, Ok(3)]);
    dir.poke(SENDER + EPOCH, 1);
    drop(tx);
    assert_eq!(story(&mut rx), [LEFT]);
    let mut tx = sender(&dir);
    tx.send(4).unwrap();
    assert_eq!(story(&mut rx), [Ok(4)]);
}

#[test]
fn what_a_receiver_before_has_told_may_be_anything() {
    for taken in [4, 5, 1000, (1 << 62) - 1] {
        for message in [false, true] {
            let dir = Scratch::new(&format!("taken-{taken}-{message}"));
            let (mut rx, mut tx) = three_in_order(&dir);
            assert_eq!(story(&mut rx), [Ok(1), LEFT, Ok(2), LEFT, Ok(3)]);
            drop(rx);
            if message {
                assert_eq!(tx.send(4), Err(SendError(4, Cause::Closed)));
                tx.send(4).unwrap();
            }
            dir.poke(RECEIVER + TAKEN, taken);
            assert_eq!(story(&mut receiver(&dir)), [Err(Cause::Corrupted)], "{taken} {message}");
        }
    }
    for taken in [1 << 62, u64::MAX] {
        let dir = Scratch::new(&format!("taken-{taken}"));
        drop(receiver(&dir));
        dir.poke(RECEIVER + TAKEN, taken);
        let refused = Builder::<u64>::new(dir.file()).open_receiver().unwrap_err();
        assert!(matches!(refused, OpenError::Corrupted), "{refused}");
    }
    // Fewer: that one was over before it came, and it has nothing of it.
    let dir = Scratch::new("taken-back");
    let (mut rx, _tx) = three_in_order(&dir);
    assert_eq!((rx.recv(), rx.recv()), (Ok(1), Err(RecvError(Cause::Closed))));
    drop(rx);
    dir.poke(RECEIVER + TAKEN, 0);
    let mut rx = receiver(&dir);
    assert_eq!(story(&mut rx), [Ok(2), LEFT, Ok(3)]);
    // So few that a message of a later session was received already: then those before it were told.
    drop(rx);
    dir.poke(RECEIVER + TAKEN, 0);
    assert_eq!(story(&mut receiver(&dir)), []);
}

#[test]
fn a_forged_end_is_told_once_and_no_loss_is_silent() {
    for how in [0, 1, 2, 3, 4, 255] {
        let dir = Scratch::new(&format!("how-{how}"));
        let (mut rx, mut tx) = three_in_order(&dir);
        dir.poke(entry(SENDER, 3), mark(3, how));
        let mut all = story(&mut rx);
        tx.send(4).unwrap();
        all.extend(story(&mut rx));
        drop(tx);
        all.extend(story(&mut rx));
        let ends = all.iter().filter(|said| said.is_err()).count();
        let corrupted = all.contains(&Err(Cause::Corrupted));
        assert!(corrupted || (all.contains(&Ok(4)) && ends == 3), "{how}: {all:?}");
        // Who says of itself that it leaves, and stays: nothing depends on it but what is told.
        let dir = Scratch::new(&format!("how-receiver-{how}"));
        let (mut tx, mut rx) = (sender(&dir), receiver(&dir));
        dir.poke(entry(RECEIVER, 1), mark(1, how));
        let said = told(&mut tx);
        assert!(said.len() <= 1 && !said.contains(&Cause::Corrupted), "{how}: {said:?}");
        assert_eq!(rx.recv(), Ok(0));
        let more = told(&mut tx);
        assert!(more.is_empty(), "{how}: {more:?}");
    }
}

/// Each word of the table, and of what is before it, over and over: each verb ends, and says all that there is or that it cannot be.
#[test]
fn any_word_of_the_table_may_hold_anything() {
    let words = (0..8).chain(TABLE / 8..TABLE / 8 + 5 * ENTRY / 8).chain([TABLE / 8 + 63 * ENTRY / 8]);
    for word in words {
        for value in [0, 1, mark(1, 3), mark(2, 1), mark(3, 0), mark(3, 2), mark(66, 1), 1 << 33, 1 << 62, u64::MAX] {
            let what = format!("{value:x} at word {word}");
            let dir = Scratch::new(&format!("any-{word}-{value}"));
            let (mut rx, mut tx) = three_in_order(&dir);
            dir.poke(SENDER + 8 * word, value);
            let mut all = story(&mut rx);
            let _ = tx.try_send(4);
            drop(tx);
            all.extend(story(&mut rx));
            let messages: Vec<_> = all.iter().flatten().copied().collect();
            assert!([1, 2, 3, 4].starts_with(&messages), "{what}: {all:?}");
            assert!(messages.len() == 4 || all.contains(&Err(Cause::Corrupted)), "{what}: {all:?}");
            // Whoever opens it after that is refused, or uses it.
            drop(rx);
            let opened =
                (Builder::<u64>::new(dir.file()).open_sender(), Builder::<u64>::new(dir.file()).open_receiver());
            if let (Ok(mut tx), Ok(mut rx)) = opened {
                let _ = tx.try_send(5);
                let all = story(&mut rx);
                let good = all.contains(&Ok(5)) || all.contains(&Err(Cause::Corrupted));
                assert!(good, "{what}, and opened: {all:?}");
            }

            let dir = Scratch::new(&format!("any-receiver-{word}-{value}"));
            let mut tx = sender(&dir);
            (0..2).for_each(|_| drop(receiver(&dir)));
            let mut rx = receiver(&dir);
            dir.poke(RECEIVER + 8 * word, value);
            told(&mut tx);
            let got = (0..9).map_while(|_| rx.try_recv().ok()).count();
            assert!(got <= 8, "{what}: {got}");
            drop(rx);
            told(&mut tx);
            assert!(matches!(tx.try_send(1), Ok(()) | Err(TrySendError::Full(1) | TrySendError::Disconnected(1, _))));
        }
    }
}

/// A lane whose table says nonsense keeps the others' messages and ends from nobody.
#[test]
fn a_table_that_says_nonsense_is_of_its_lane_alone() {
    for (at, value) in [
        (entry(SENDER, 1), u64::MAX),
        (entry(SENDER, 2) + START, 1 << 40),
        (SENDER, 1 << 40),
        (SENDER, u64::MAX),
        (SENDER, 0),
        (entry(SENDER, 2), mark(2, 1)),
    ] {
        let what = format!("{value:x} at {at}");
        let dir = Scratch::new(&format!("lane-{at}-{value}"));
        let builder = || fan_in::Builder::<u64>::new(dir.file()).lanes(2).capacity(8);
        let mut rx = builder().open_receiver().unwrap();
        let mut one = builder().open_sender().unwrap();
        one.send(1).unwrap();
        drop(one);
        let mut one = builder().open_sender().unwrap();
        one.send(2).unwrap();
        let mut two = builder().open_sender().unwrap();
        assert_eq!((one.lane(), two.lane()), (0, 1));
        dir.poke(at, value);
        two.send(7).unwrap();
        drop((one, two));
        let (mut told, mut messages) = (vec![], vec![]);
        for _ in 0..MOST {
            match rx.recv_timeout_from(Duration::from_millis(1)) {
                Ok(found) => messages.push(found),
                Err(RecvTimeoutError::Disconnected(fan_in::Disconnected::Sender(departed))) => told.push(departed),
                Err(RecvTimeoutError::Disconnected(fan_in::Disconnected::All)) => break,
                Err(other) => panic!("{what}: {other:?} after {told:?} and {messages:?}"),
            }
        }
        let of = |lane| told.iter().filter(move |departed| departed.lane == lane).map(|departed| departed.cause);
        assert!(of(1).eq([Cause::Closed]), "{what}: {told:?}");
        assert!(messages.contains(&(1, 7)), "{what}: {messages:?}");
        let first: Vec<u64> = messages.iter().filter(|found| found.0 == 0).map(|found| found.1).collect();
        assert!(first == [1, 2] || of(0).next_back() == Some(Cause::Corrupted), "{what}: {messages:?} {told:?}");
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty), "{what}: all was told");
    }
}
