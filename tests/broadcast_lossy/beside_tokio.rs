//! The same operations on tokio's channels and on this one, and the same answers where the laws are the same.

use crate::model::Random;
use ringmail::TryRecvError;
use ringmail::broadcast::lossy::{Builder, Resume, Seen, channel};
use tokio::sync::broadcast::error::TryRecvError as Theirs;
use tokio::sync::{broadcast, watch};

/// What a receive says, in words that both have.
#[derive(PartialEq, Debug)]
enum Said {
    Message(u64),
    Lost(u64),
    Empty,
    End,
}

#[test]
fn it_receives_what_tokios_broadcast_receives() {
    for seed in 0..50 {
        let random = &mut Random(seed + 1);
        let capacity = 1 << (1 + random.below(4));
        let (mut tx, rx) = Builder::new(capacity).resume(Resume::Oldest).build().unwrap();
        let (theirs, first) = broadcast::channel(capacity);
        let mut pairs = vec![(rx, first)];
        let mut sent = 0;
        let compare = |(ours, theirs): &mut (ringmail::broadcast::lossy::Receiver<u64>, broadcast::Receiver<u64>)| {
            let ours = match ours.try_recv() {
                Ok(Seen::Message(message)) => Said::Message(message),
                Ok(Seen::Lost(count)) => Said::Lost(count),
                Err(TryRecvError::Empty) => Said::Empty,
                Err(TryRecvError::Disconnected) => Said::End,
            };
            let theirs = match theirs.try_recv() {
                Ok(message) => Said::Message(message),
                Err(Theirs::Lagged(count)) => Said::Lost(count),
                Err(Theirs::Empty) => Said::Empty,
                Err(Theirs::Closed) => Said::End,
            };
            assert_eq!(ours, theirs, "seed {seed}");
            ours
        };
        for _ in 0..2000 {
            let i = random.below(pairs.len() as u64) as usize;
            match random.below(20) {
                0 if pairs.len() < 6 => pairs.push((tx.subscribe(), theirs.subscribe())),
                1 if pairs.len() < 6 => pairs.push((pairs[i].0.resubscribe(), pairs[i].1.resubscribe())),
                2 if pairs.len() > 1 => drop(pairs.swap_remove(i)),
                3..10 => {
                    for _ in 0..=random.below(6) {
                        tx.send(sent);
                        theirs.send(sent).unwrap();
                        sent += 1;
                    }
                }
                _ => drop(compare(&mut pairs[i])),
            }
        }
        drop((tx, theirs));
        for pair in &mut pairs {
            while compare(pair) != Said::End {}
        }
    }
}

#[test]
fn it_shows_what_tokios_watch_shows() {
    for seed in 0..50 {
        let random = &mut Random(seed + 1);
        let (mut tx, mut rx) = channel(1 << random.below(4)).unwrap();
        let (theirs, mut watched) = watch::channel(0);
        // A value that is there from the begin counts as seen there.
        tx.send(0);
        assert_eq!(rx.try_changed(), Ok((0, 0)));
        for value in 1..1000u64 {
            for _ in 0..random.below(4) {
                tx.send(value);
                theirs.send(value).unwrap();
            }
            assert_eq!(rx.latest().unwrap().1, *watched.borrow());
            assert_eq!(!rx.is_empty(), watched.has_changed().unwrap());
            if random.below(2) == 0 {
                let changed = watched.has_changed().unwrap();
                let theirs = changed.then(|| *watched.borrow_and_update());
                assert_eq!(rx.try_changed().ok().map(|(_, value)| value), theirs, "seed {seed}");
            }
            if random.below(8) == 0 {
                (rx, watched) = (tx.subscribe(), theirs.subscribe());
                assert_eq!(!rx.is_empty(), watched.has_changed().unwrap(), "what was sent before counts as seen");
            }
        }
    }
}
