//! One-way streams in runs of `RUN` numbers.

use std::hint::spin_loop;

use crate::pair_slice::{Env, Outcome, pair_slice};
use crate::peers::{BatchRecv, BatchSend, Channel, Check};

/// Both sides spin on the verbs for runs, each asking for up to `RUN` numbers at a time and content with fewer.
pub fn batch<P, const RUN: usize>(env: &Env, n: u64, peer: &'static str) -> Outcome
where
    P: Channel<u64>,
    P::Tx: BatchSend,
    P::Rx: BatchRecv,
{
    let (mut tx, mut rx) = P::pair(env.capacity);
    let mut sent = 0;
    let mut check = Check::default();
    pair_slice(
        env,
        super::warm_up(env.capacity),
        n,
        move |n| {
            let end = sent + n;
            while sent < end {
                let run = RUN.min((end - sent) as usize);
                match tx.send_run(sent, run) {
                    0 => spin_loop(),
                    went => sent += went as u64,
                }
            }
        },
        move |n| {
            let mut left = n;
            while left > 0 {
                match rx.recv_run(RUN.min(left as usize), &mut check) {
                    0 => spin_loop(),
                    came => left -= came as u64,
                }
            }
            check.verify(peer);
        },
    )
}
