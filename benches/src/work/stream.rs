//! One-way streams, one message a call.

use std::hint::spin_loop;

use crate::pair_slice::{Env, Outcome, pair_slice};
use crate::peers::{BatchRecv, BlockRecv, BlockSend, Channel, Check, Msg, TryRecv, TrySend};

/// Both sides spin on the `try` verbs.
pub fn spinning<P, T>(env: &Env, n: u64, peer: &'static str) -> Outcome
where
    T: Msg,
    P: Channel<T>,
    P::Tx: TrySend<T>,
    P::Rx: TryRecv<T>,
{
    let (mut tx, mut rx) = P::pair(env.capacity);
    let mut sent = 0;
    let mut check = Check::default();
    pair_slice(
        env,
        super::warm_up(env.capacity),
        n,
        move |n| {
            for seq in sent..sent + n {
                while !tx.try_send(T::make(seq)) {
                    spin_loop();
                }
            }
            sent += n;
        },
        move |n| {
            for _ in 0..n {
                let message = loop {
                    match rx.try_recv() {
                        Some(message) => break message,
                        None => spin_loop(),
                    }
                };
                check.see(message.seq());
            }
            check.verify(peer);
        },
    )
}

/// The sender spins on `try_send`; the receiver takes all there is at a time.
pub fn polling<P, T>(env: &Env, n: u64, peer: &'static str) -> Outcome
where
    T: Msg,
    P: Channel<T>,
    P::Tx: TrySend<T>,
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
            for seq in sent..sent + n {
                while !tx.try_send(T::make(seq)) {
                    spin_loop();
                }
            }
            sent += n;
        },
        move |n| {
            let mut left = n;
            while left > 0 {
                match rx.recv_run(left as usize, &mut check) {
                    0 => spin_loop(),
                    came => left -= came as u64,
                }
            }
            check.verify(peer);
        },
    )
}

/// Both sides use the verbs that block.
pub fn blocking<P, T>(env: &Env, n: u64, peer: &'static str) -> Outcome
where
    T: Msg,
    P: Channel<T>,
    P::Tx: BlockSend<T>,
    P::Rx: BlockRecv<T>,
{
    let (mut tx, mut rx) = P::pair(env.capacity);
    let mut sent = 0;
    let mut check = Check::default();
    pair_slice(
        env,
        super::warm_up(env.capacity),
        n,
        move |n| {
            for seq in sent..sent + n {
                tx.send(T::make(seq));
            }
            sent += n;
        },
        move |n| {
            for _ in 0..n {
                check.see(rx.recv().seq());
            }
            check.verify(peer);
        },
    )
}
