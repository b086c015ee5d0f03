//! A sender and receivers that see every message, some of whom come and go: each sees whole messages, in an exact sequence from its first on.
//!
//! Handles that may have slept go back to the main thread to be dropped: see `main`. Those that come and go only poll.

use crate::many::{Letter, block_on, task};
use crate::verbs::polling;
use ringmail::FenceMode;
use ringmail::broadcast::{Builder, Hub, Receiver, Sender};
use std::thread::{spawn, yield_now};
use std::time::Duration;

type Sending = fn(&mut Sender<Letter>, u64);
type Receiving = fn(&mut Receiver<Letter>, &mut dyn FnMut(Letter));

/// Ways to send the numbers below `n`.
const SENDS: [Sending; 5] = [
    |tx, n| {
        for i in 0..n {
            while tx.try_send(Letter::new(0, i)).is_err() {
                yield_now();
            }
        }
    },
    |tx, n| (0..n).for_each(|i| tx.send(Letter::new(0, i)).expect("receivers are there")),
    |tx, n| {
        let all: Vec<_> = (0..n).map(|i| Letter::new(0, i)).collect();
        all.chunks(5).for_each(|some| tx.send_slice(some).expect("receivers are there"));
    },
    |tx, n| assert!(tx.send_iter((0..n).map(|i| Letter::new(0, i))).is_ok_and(|sent| sent as u64 == n)),
    |tx, n| {
        let task = task();
        (0..n).for_each(|i| block_on(&task, tx.send_async(Letter::new(0, i))).expect("receivers are there"));
    },
];

/// Ways to receive everything until the channel is closed. All of them at a time, the third one after the first two.
const RECEIVES: [Receiving; 3] = [
    |rx, seen| rx.iter().for_each(seen),
    |rx, seen| {
        let task = task();
        while let Ok(letter) = block_on(&task, rx.recv_async()) {
            seen(letter);
        }
    },
    |rx, seen| {
        loop {
            match rx.recv_timeout(Duration::from_micros(50)) {
                Ok(letter) => seen(letter),
                Err(why) if why.is_disconnected() => break,
                Err(_) => {}
            }
            // What has come meanwhile, where it lies.
            if let Ok(chunk) = rx.read_chunk(5) {
                chunk.iter().for_each(|letter| seen(*letter));
                chunk.commit_all();
            }
        }
    },
];

/// Returns the number of exchanges.
pub(crate) fn receivers_come_and_go(messages: u64) -> u64 {
    let mut exchanges = 0;
    for send in SENDS {
        for capacity in [1, 3, 64] {
            for barrier in [FenceMode::Auto, FenceMode::Fence] {
                exchange(capacity, barrier, send, messages);
                exchanges += 1;
            }
        }
    }
    exchanges
}

fn exchange(capacity: usize, barrier: FenceMode, send: Sending, messages: u64) {
    let (mut tx, hub) = Builder::new(capacity).fence_mode(barrier).build().expect("there is memory");
    let first = hub.join().expect("there is memory");
    let second = hub.reserve("second").expect("there is memory");
    let third = hub.after(&[&first, &second]).expect("there is memory");
    let mut receives = RECEIVES.into_iter();
    let stay = [first, second, third].map(|mut rx| {
        let receive = receives.next().expect("one for each");
        spawn(move || {
            let mut next = 0;
            receive(&mut rx, &mut |letter| {
                letter.check(0, next);
                next += 1;
            });
            assert_eq!(next, messages);
            rx
        })
    });
    let come_and_go = spawn(move || {
        while !hub.is_closed() {
            visit(&hub, 20);
        }
        visit(&hub, u32::MAX);
        hub
    });
    let sender = spawn(move || {
        send(&mut tx, messages);
        tx.close();
        tx
    });
    let tx = sender.join().expect("the sender does not panic");
    let hub = come_and_go.join().expect("a receiver does not panic");
    let handles = stay.map(|receiver| receiver.join().expect("a receiver does not panic"));
    drop((handles, hub, tx));
}

/// A receiver that takes a few of the messages from now on, without a gap, and leaves.
fn visit(hub: &Hub<Letter>, looks: u32) {
    let mut rx = hub.join().expect("there is memory");
    let (mut next, mut left) = (None, looks);
    polling(|| {
        left = left.checked_sub(1).ok_or(ringmail::TryRecvError::Disconnected)?;
        let letter = rx.try_recv()?;
        letter.check(0, next.unwrap_or(letter.number()));
        next = Some(letter.number() + 1);
        Ok(())
    });
}
