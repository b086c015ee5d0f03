//! Several senders and one receiver, one message a call.

use pollster::block_on;

use super::asynchronous::send_all;
use crate::multi_slice::{Patience, multi_slice};
use crate::pair_slice::{Env, Outcome};
use crate::peers::{
    AsyncRecv, AsyncSend, BlockRecv, BlockSend, CheckEach, Drain, ManySenders, Msg, TryRecv, TrySend, tag,
};

/// All call the `try` verbs, and give the core away if a few attempts were in vain.
pub fn trying<P, T, const SENDERS: usize>(env: &Env, n: u64, peer: &'static str) -> Outcome
where
    T: Msg,
    P: ManySenders<T>,
    P::Tx: TrySend<T>,
    P::Rx: TryRecv<T>,
{
    let (senders, mut rx) = P::open(env.capacity, SENDERS);
    let mut check = CheckEach::new(SENDERS);
    multi_slice(env, super::warm_up(env.capacity), n, insisting(senders), move |n| {
        for _ in 0..n {
            let mut patience = Patience::default();
            let message = loop {
                match rx.try_recv() {
                    Some(message) => break message,
                    None => patience.wait(),
                }
            };
            check.see(message.seq());
        }
        check.verify(peer, n);
    })
}

/// The senders as in [`trying`]; the receiver takes all there is at a time.
pub fn draining<P, T, const SENDERS: usize>(env: &Env, n: u64, peer: &'static str) -> Outcome
where
    T: Msg,
    P: ManySenders<T>,
    P::Tx: TrySend<T>,
    P::Rx: Drain<T>,
{
    let (senders, mut rx) = P::open(env.capacity, SENDERS);
    let mut check = CheckEach::new(SENDERS);
    multi_slice(env, super::warm_up(env.capacity), n, insisting(senders), move |n| {
        let (mut left, mut patience) = (n, Patience::default());
        while left > 0 {
            match rx.drain(left as usize, |message: T| check.see(message.seq())) {
                0 => patience.wait(),
                came => {
                    left -= came as u64;
                    patience = Patience::default();
                }
            }
        }
        check.verify(peer, n);
    })
}

/// All call the verbs that block.
pub fn blocking<P, T, const SENDERS: usize>(env: &Env, n: u64, peer: &'static str) -> Outcome
where
    T: Msg,
    P: ManySenders<T>,
    P::Tx: BlockSend<T>,
    P::Rx: BlockRecv<T>,
{
    let (senders, mut rx) = P::open(env.capacity, SENDERS);
    let senders = numbered(senders).map(|(mut next, mut tx)| {
        move |n| {
            for message in next..next + n {
                tx.send(T::make(message));
            }
            next += n;
        }
    });
    let mut check = CheckEach::new(SENDERS);
    multi_slice(env, super::warm_up(env.capacity), n, senders.collect(), move |n| {
        for _ in 0..n {
            check.see(rx.recv().seq());
        }
        check.verify(peer, n);
    })
}

/// Each thread drives one task with the same minimal executor, which parks its thread while the task waits.
pub fn on_threads<P, const SENDERS: usize>(env: &Env, n: u64, peer: &'static str) -> Outcome
where
    P: ManySenders<u64>,
    P::Tx: AsyncSend<u64>,
    P::Rx: AsyncRecv<u64>,
{
    let (senders, mut rx) = P::open(env.capacity, SENDERS);
    let senders = numbered(senders).map(|(mut next, mut tx)| {
        move |n| {
            block_on(send_all(&mut tx, next, n));
            next += n;
        }
    });
    let mut check = CheckEach::new(SENDERS);
    multi_slice(env, super::warm_up(env.capacity), n, senders.collect(), move |n| {
        block_on(async {
            for _ in 0..n {
                check.see(rx.recv().await);
            }
        });
        check.verify(peer, n);
    })
}

/// Senders that try until there is room.
fn insisting<T: Msg, Tx: TrySend<T> + Send>(senders: Vec<Tx>) -> Vec<impl FnMut(u64) + Send> {
    let insist = |(mut next, mut tx): (u64, Tx)| {
        move |n| {
            for message in next..next + n {
                let mut patience = Patience::default();
                while !tx.try_send(T::make(message)) {
                    patience.wait();
                }
            }
            next += n;
        }
    };
    numbered(senders).map(insist).collect()
}

/// Each sender with its first message.
fn numbered<Tx>(senders: Vec<Tx>) -> impl Iterator<Item = (u64, Tx)> {
    senders.into_iter().enumerate().map(|(sender, tx)| (tag(sender, 0), tx))
}
