//! A sender at full speed that overwrites, and a receiver that copies.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use crate::pair_slice::{Env, Outcome, pair_slice};
use crate::peers::{Overwriting, SeeNewest, SeeNext, Words};

/// Messages between two looks at whether the other side is done.
const RUN: u64 = 64;

/// How often a side has done its work: the other one goes on until then.
type Rounds = Arc<CachePadded<AtomicU64>>;

/// The number of a message that must be whole, and no older than `last`.
fn check<const W: usize>(message: Words<W>, last: &mut u64, peer: &'static str) {
    assert_eq!(message, [message[0]; W], "{peer}: a mixture");
    assert!(message[0] >= *last, "{peer}: {} after {last}", message[0]);
    *last = message[0];
}

/// A sender that goes on until `rounds` says that the other side is done once more.
fn until_done<P: Overwriting<W>, const W: usize>(mut tx: P::Tx, rounds: Rounds) -> impl FnMut(u64) {
    let (mut sent, mut round) = (0, 0);
    move |_| {
        round += 1;
        while rounds.load(Ordering::Relaxed) < round {
            for _ in 0..RUN {
                sent += 1;
                P::send(&mut tx, [sent; W]);
            }
        }
    }
}

/// Until the receiver has received `n` messages; those that it lost do not count.
pub fn received<P: SeeNext<W>, const W: usize>(env: &Env, n: u64, peer: &'static str) -> Outcome {
    let (tx, mut rx) = P::pair(env.capacity);
    let rounds = Rounds::default();
    let (done, mut last) = (Arc::clone(&rounds), 0);
    let a = until_done::<P, W>(tx, rounds);
    pair_slice(env, super::warm_up(env.capacity), n, a, move |n| {
        let mut left = n;
        while left > 0 {
            match P::next(&mut rx) {
                Some(message) => {
                    check(message, &mut last, peer);
                    left -= 1;
                }
                None => spin_loop(),
            }
        }
        done.fetch_add(1, Ordering::Relaxed);
    })
}

/// Until `n` looks at the newest message have found one.
pub fn newest<P: SeeNewest<W>, const W: usize>(env: &Env, n: u64, peer: &'static str) -> Outcome {
    let (tx, mut rx) = P::pair(env.capacity);
    let rounds = Rounds::default();
    let (done, mut last) = (Arc::clone(&rounds), 0);
    let a = until_done::<P, W>(tx, rounds);
    pair_slice(env, super::warm_up(env.capacity), n, a, move |n| {
        let mut left = n;
        while left > 0 {
            if let Some(message) = P::newest(&mut rx) {
                check(message, &mut last, peer);
                left -= 1;
            }
        }
        done.fetch_add(1, Ordering::Relaxed);
    })
}

/// Until `n` messages are sent, while the receiver reads what it can.
pub fn sent<P: SeeNext<W>, const W: usize>(env: &Env, n: u64, peer: &'static str) -> Outcome {
    let (mut tx, mut rx) = P::pair(env.capacity);
    let rounds = Rounds::default();
    let (done, mut number) = (Arc::clone(&rounds), 0);
    let (mut last, mut round) = (0, 0);
    let a = move |n| {
        for _ in 0..n {
            number += 1;
            P::send(&mut tx, [number; W]);
        }
        done.fetch_add(1, Ordering::Relaxed);
    };
    pair_slice(env, super::warm_up(env.capacity), n, a, move |_| {
        round += 1;
        while rounds.load(Ordering::Relaxed) < round {
            for _ in 0..RUN {
                match P::next(&mut rx) {
                    Some(message) => check(message, &mut last, peer),
                    None => spin_loop(),
                }
            }
        }
    })
}
