//! A sender and workers, some of which come and go: each message is received whole, and once.
//!
//! Workers that may have slept go back to the main thread to be dropped: see `main`. Those that come and go only poll.

use crate::many::Letter;
use ringmail::FenceMode;
use ringmail::fan_out::{Builder, Receiver};
use std::thread::{spawn, yield_now};
use std::time::Duration;

type Receiving = fn(&mut Receiver<Letter>) -> Option<Letter>;

/// Waiting ways to receive one message.
const RECEIVES: [Receiving; 3] = [
    |rx| rx.recv().ok(),
    |rx| loop {
        match rx.recv_timeout(Duration::from_micros(50)) {
            Ok(letter) => return Some(letter),
            Err(why) if why.is_disconnected() => return None,
            Err(_) => {}
        }
    },
    |rx| rx.recv_with(|letter| *letter).ok(),
];

/// Returns the number of exchanges.
pub(crate) fn workers_come_and_go(messages: u64) -> u64 {
    let mut exchanges = 0;
    for capacity in [1, 3, 64] {
        for barrier in [FenceMode::Auto, FenceMode::Fence] {
            for keyed in [false, true] {
                exchange(capacity, barrier, keyed, messages);
                exchanges += 1;
            }
        }
    }
    exchanges
}

fn exchange(capacity: usize, barrier: FenceMode, keyed: bool, messages: u64) {
    let (mut tx, hub) = Builder::new(capacity).fence_mode(barrier).build_hub().expect("there is memory");
    let stay = RECEIVES.map(|receive| {
        let mut rx = hub.join().expect("there is memory");
        spawn(move || {
            let mut seen = vec![];
            while let Some(letter) = receive(&mut rx) {
                seen.push(letter);
            }
            (seen, rx)
        })
    });
    let come_and_go = spawn(move || {
        let mut seen = vec![];
        while let Ok(mut rx) = hub.join() {
            for _ in 0..20 {
                match rx.try_recv() {
                    Ok(letter) => seen.push(letter),
                    Err(_) => yield_now(),
                }
            }
        }
        (seen, hub)
    });
    let sender = spawn(move || {
        for number in 0..messages {
            let letter = Letter::new(0, number);
            let sent = if keyed { tx.send_by_key(&(number % 7), letter) } else { tx.send(letter) };
            sent.unwrap_or_else(|_| panic!("workers are there"));
        }
        tx.close();
        tx
    });
    let (mut all, hub) = come_and_go.join().expect("a worker does not panic");
    let handles = stay.map(|worker| {
        let (seen, rx) = worker.join().expect("a worker does not panic");
        all.extend(seen);
        rx
    });
    let tx = sender.join().expect("the sender does not panic");
    all.sort_unstable_by_key(Letter::number);
    assert_eq!(all.len() as u64, messages);
    (0..).zip(&all).for_each(|(number, letter)| letter.check(0, number));
    drop((handles, hub, tx));
}
