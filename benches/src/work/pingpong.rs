//! Round trips: a message there on one queue and back on another.

use std::hint::spin_loop;

use crate::floor::{Floor, out_of_step};
use crate::pair_slice::{Env, Outcome, pair_slice};
use crate::peers::{Channel, Check, TryRecv, TrySend};

fn insist<T: Copy>(tx: &mut impl TrySend<T>, value: T) {
    while !tx.try_send(value) {
        spin_loop();
    }
}

fn await_one<T>(rx: &mut impl TryRecv<T>) -> T {
    loop {
        match rx.try_recv() {
            Some(value) => return value,
            None => spin_loop(),
        }
    }
}

/// `n` round trips over two queues, both sides spinning on the `try` verbs.
pub fn pingpong<P>(env: &Env, n: u64, peer: &'static str) -> Outcome
where
    P: Channel<u64>,
    P::Tx: TrySend<u64>,
    P::Rx: TryRecv<u64>,
{
    let (mut ping_tx, mut ping_rx) = P::pair(env.capacity);
    let (mut pong_tx, mut pong_rx) = P::pair(env.capacity);
    let mut check = Check::default();
    let outcome = pair_slice(
        env,
        super::warm_up(env.capacity),
        n,
        move |n| {
            for _ in 0..n {
                insist(&mut ping_tx, check.seen());
                out_of_step(check.seen());
                check.see(await_one(&mut pong_rx));
            }
            check.verify(peer);
        },
        move |n| {
            for turn in 0..n {
                out_of_step(turn);
                let message = await_one(&mut ping_rx);
                insist(&mut pong_tx, message);
            }
        },
    );
    per_trip(outcome, n)
}

/// `n` round trips over two bare cache lines.
pub fn bare(env: &Env, n: u64, _peer: &'static str) -> Outcome {
    let floor = Floor::default();
    let (mut a_done, mut b_done) = (0, 0);
    let outcome = pair_slice(
        env,
        super::warm_up(env.capacity),
        n,
        |n| {
            floor.ping(a_done, n);
            a_done += n;
        },
        |n| {
            floor.pong(b_done, n);
            b_done += n;
        },
    );
    per_trip(outcome, n)
}

/// The outcome of `n` trips, or hops, or polls: the time of one.
pub(super) fn per_trip(outcome: Outcome, n: u64) -> Outcome {
    Outcome { latency: outcome.elapsed.as_nanos() as f64 / n as f64, ..outcome }
}
