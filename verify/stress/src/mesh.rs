//! Three shards: each sends to each in every way, and waits in every way.
//!
//! Endpoints stay on their threads, so they cannot go back to the main thread to be dropped. They are closed and then leaked. See
//! `main`.

use crate::many::Letter;
use ringmail::mesh::{Builder, Endpoint, Ready, Seat};
use ringmail::wait::waker_fn;
use ringmail::{FenceMode, WaitStrategy};
use std::task::Waker;
use std::thread::{self, spawn};
use std::time::Duration;

const SHARDS: usize = 3;
const CAPACITIES: [usize; 3] = [1, 3, 64];

/// What to do while there is nothing to receive. Returns whether the mesh is over.
type Wait = fn(&mut Endpoint<Letter>, &Waker) -> bool;

const WAITS: [Wait; 3] = [
    |me, _| me.park() == Ready::AllDisconnected,
    |me, _| me.park_timeout(Duration::from_micros(50)) == Some(Ready::AllDisconnected),
    |me, hook| match me.arm(hook) {
        Ok(armed) => {
            armed.sleep(|_| thread::park());
            false
        }
        Err(ready) => ready == Ready::AllDisconnected,
    },
];

/// Every wait at every capacity, `messages` from each shard to each other. Returns how many exchanges there were.
pub(crate) fn every_way(messages: u64) -> u64 {
    let mut exchanges = 0;
    for wait in WAITS {
        for capacity in CAPACITIES {
            for barrier in [FenceMode::Auto, FenceMode::Fence] {
                let builder = Builder::new().shards(SHARDS).capacity(capacity).fence_mode(barrier);
                let seats = builder.wait(WaitStrategy::ParkAtOnce).build().expect("there is memory");
                let threads: Vec<_> =
                    seats.into_iter().map(|seat| spawn(move || shard(seat, messages, wait))).collect();
                for thread in threads {
                    assert_eq!(thread.join().expect("no shard panics"), messages * (SHARDS as u64 - 1));
                }
                exchanges += 1;
            }
        }
    }
    exchanges
}

/// Returns how many letters came.
fn shard(seat: Seat<Letter>, messages: u64, wait: Wait) -> u64 {
    let mut me = seat.join().expect("no thread gave the seat up");
    let id = me.id();
    let mut next = [0; SHARDS];
    let mut take = |from: usize, letter: Letter| {
        letter.check(from as u64, next[from]);
        next[from] += 1;
    };
    let thread = thread::current();
    let hook = waker_fn(move || thread.unpark());
    for number in 0..messages {
        for peer in (0..SHARDS).filter(|&peer| peer != id) {
            let letter = Letter::new(id as u64, number);
            if number % 2 == 0 {
                me.send_or_poll_to(peer, letter, &mut take).expect("the peer is there");
                continue;
            }
            // The same by hand: room or a message ends the wait.
            while let Err(error) = me.try_send_to(peer, letter) {
                assert!(error.is_full());
                if me.poll(8, &mut take).received == 0 {
                    wait(&mut me, &hook);
                }
            }
        }
    }
    me.close();
    loop {
        if me.poll(8, &mut take).received == 0 && wait(&mut me, &hook) {
            break;
        }
    }
    std::mem::forget((me, hook));
    next.iter().sum()
}
