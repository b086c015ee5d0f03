//! The two workloads, over the ends of any contender. Each checks that every message arrived once, in order and whole.

use std::hint::spin_loop;

use ringmail_benches::floor::out_of_step;
use ringmail_benches::peers::{BlockRecv, BlockSend, Check, Msg, TryRecv, TrySend};

/// How a message is sent and received.
pub trait Verbs<T> {
    /// Sends; waits for room.
    fn put<X: TrySend<T> + BlockSend<T>>(tx: &mut X, value: T);
    /// Receives; waits for a message.
    fn take<X: TryRecv<T> + BlockRecv<T>>(rx: &mut X) -> T;
}

/// With the verbs that do not wait, over and over, and the processor's hint for a spin loop in between.
#[derive(Debug)]
pub struct Spinning;

/// With the verbs that do not wait, over and over, and nothing in between.
#[derive(Debug)]
pub struct Racing;

/// With the verbs that block.
#[derive(Debug)]
pub struct Blocking;

impl<T: Msg> Verbs<T> for Spinning {
    #[inline(always)]
    fn put<X: TrySend<T> + BlockSend<T>>(tx: &mut X, value: T) {
        while !tx.try_send(value) {
            spin_loop();
        }
    }
    #[inline(always)]
    fn take<X: TryRecv<T> + BlockRecv<T>>(rx: &mut X) -> T {
        loop {
            match rx.try_recv() {
                Some(value) => return value,
                None => spin_loop(),
            }
        }
    }
}

impl<T: Msg> Verbs<T> for Racing {
    #[inline(always)]
    fn put<X: TrySend<T> + BlockSend<T>>(tx: &mut X, value: T) {
        while !tx.try_send(value) {}
    }
    #[inline(always)]
    fn take<X: TryRecv<T> + BlockRecv<T>>(rx: &mut X) -> T {
        loop {
            if let Some(value) = rx.try_recv() {
                return value;
            }
        }
    }
}

impl<T: Msg> Verbs<T> for Blocking {
    #[inline(always)]
    fn put<X: TrySend<T> + BlockSend<T>>(tx: &mut X, value: T) {
        tx.send(value);
    }
    #[inline(always)]
    fn take<X: TryRecv<T> + BlockRecv<T>>(rx: &mut X) -> T {
        rx.recv()
    }
}

/// A's work one way.
pub fn send<V: Verbs<T>, T: Msg, X: TrySend<T> + BlockSend<T>>(mut tx: X) -> impl FnMut(u64) {
    let mut sent = 0;
    move |n| {
        for seq in sent..sent + n {
            V::put(&mut tx, T::make(seq));
        }
        sent += n;
    }
}

/// B's work one way.
pub fn receive<V: Verbs<T>, T: Msg, X: TryRecv<T> + BlockRecv<T>>(mut rx: X, who: &str) -> impl FnMut(u64) {
    let mut check = Check::default();
    move |n| {
        for _ in 0..n {
            check.see(V::take(&mut rx).seq());
        }
        check.verify(who);
    }
}

/// A's work there and back.
pub fn ask<V, T, X, Y>(mut tx: X, mut rx: Y, who: &str) -> impl FnMut(u64)
where
    V: Verbs<T>,
    T: Msg,
    X: TrySend<T> + BlockSend<T>,
    Y: TryRecv<T> + BlockRecv<T>,
{
    let mut check = Check::default();
    move |n| {
        for _ in 0..n {
            V::put(&mut tx, T::make(check.seen()));
            out_of_step(check.seen());
            check.see(V::take(&mut rx).seq());
        }
        check.verify(who);
    }
}

/// B's work there and back: what came goes back, not a new one.
pub fn answer<V, T, X, Y>(mut tx: X, mut rx: Y) -> impl FnMut(u64)
where
    V: Verbs<T>,
    T: Msg,
    X: TrySend<T> + BlockSend<T>,
    Y: TryRecv<T> + BlockRecv<T>,
{
    move |n| {
        for turn in 0..n {
            out_of_step(turn);
            let value = V::take(&mut rx);
            V::put(&mut tx, value);
        }
    }
}
