//! The two workloads, over the ends of any contender. Each checks that every message arrived once, in order and whole.

use std::hint::spin_loop;
use std::mem::MaybeUninit;

use ringmail::shm::spsc::{Receiver, Sender};
use ringmail_benches::floor::out_of_step;
use ringmail_benches::peers::{BlockRecv, BlockSend, Check, Msg, TryRecv, TrySend};

use crate::message::Parcel;

const ENDED: &str = "ringmail: the other side ended";

/// How a side waits.
pub trait Verbs {
    /// Sends what `make` makes, anew for each attempt; waits for room.
    fn put<T: Msg, X: TrySend<T> + BlockSend<T>>(tx: &mut X, make: impl Fn() -> T);

    /// Receives; waits for a message.
    fn take<T, X: TryRecv<T> + BlockRecv<T>>(rx: &mut X) -> T;

    /// Until `attempt` gives something, over and over, or with one call of `wait`.
    fn until<X, R>(end: &mut X, attempt: impl Fn(&mut X) -> Option<R>, wait: impl Fn(&mut X) -> R) -> R;
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

macro_rules! retry {
    ($name:ty, $pause:path) => {
        impl Verbs for $name {
            #[inline(always)]
            fn put<T: Msg, X: TrySend<T> + BlockSend<T>>(tx: &mut X, make: impl Fn() -> T) {
                while !tx.try_send(make()) {
                    $pause();
                }
            }
            #[inline(always)]
            fn take<T, X: TryRecv<T> + BlockRecv<T>>(rx: &mut X) -> T {
                loop {
                    match rx.try_recv() {
                        Some(value) => return value,
                        None => $pause(),
                    }
                }
            }
            #[inline(always)]
            fn until<X, R>(end: &mut X, attempt: impl Fn(&mut X) -> Option<R>, _: impl Fn(&mut X) -> R) -> R {
                loop {
                    match attempt(end) {
                        Some(done) => return done,
                        None => $pause(),
                    }
                }
            }
        }
    };
}

fn no_pause() {}

retry!(Spinning, spin_loop);
retry!(Racing, no_pause);

impl Verbs for Blocking {
    #[inline(always)]
    fn put<T: Msg, X: TrySend<T> + BlockSend<T>>(tx: &mut X, make: impl Fn() -> T) {
        tx.send(make());
    }
    #[inline(always)]
    fn take<T, X: TryRecv<T> + BlockRecv<T>>(rx: &mut X) -> T {
        rx.recv()
    }
    #[inline(always)]
    fn until<X, R>(end: &mut X, _: impl Fn(&mut X) -> Option<R>, wait: impl Fn(&mut X) -> R) -> R {
        wait(end)
    }
}

/// A's work one way.
pub fn send<V: Verbs, T: Msg, X: TrySend<T> + BlockSend<T>>(mut tx: X) -> impl FnMut(u64) {
    let mut sent = 0;
    move |n| {
        for seq in sent..sent + n {
            V::put(&mut tx, || T::make(seq));
        }
        sent += n;
    }
}

/// B's work one way.
pub fn receive<V: Verbs, T: Msg, X: TryRecv<T> + BlockRecv<T>>(mut rx: X, who: &str) -> impl FnMut(u64) {
    let mut check = Check::default();
    move |n| {
        for _ in 0..n {
            check.see(V::take::<T, X>(&mut rx).seq());
        }
        check.verify(who);
    }
}

/// A's work one way, by reference: the message is made in a variable of the program and copied from there.
pub fn send_by_reference<V: Verbs, T: Parcel>(mut tx: Sender<T>) -> impl FnMut(u64) {
    let mut sent = 0;
    let mut message = Box::new(T::default());
    move |n| {
        for seq in sent..sent + n {
            message.fill(seq);
            V::until(&mut tx, |tx| tx.try_send_ref(&message).ok(), |tx| tx.send_ref(&message).expect(ENDED));
        }
        sent += n;
    }
}

/// B's work one way, by reference: the message is moved into a variable of the program.
pub fn receive_by_reference<V: Verbs, T: Parcel>(rx: Receiver<T>, who: &str) -> impl FnMut(u64) {
    let mut check = Check::default();
    let mut end = (rx, Box::new(MaybeUninit::<T>::uninit()));
    move |n| {
        for _ in 0..n {
            let seq = V::until(
                &mut end,
                |(rx, place)| rx.try_recv_into(place).ok().map(|message| message.seq()),
                |(rx, place)| rx.recv_into(place).expect(ENDED).seq(),
            );
            check.see(seq);
        }
        check.verify(who);
    }
}

/// A's work one way, in place: the message is made in the slot.
pub fn send_in_place<V: Verbs, T: Parcel>(mut tx: Sender<T>) -> impl FnMut(u64) {
    let mut sent = 0;
    move |n| {
        for seq in sent..sent + n {
            let write = |slot: &mut T| slot.fill(seq);
            V::until(&mut tx, |tx| tx.try_send_with(write).ok(), |tx| assert!(tx.send_with(write).is_ok(), "{ENDED}"));
        }
        sent += n;
    }
}

/// B's work one way, in place: the message is read in the slot. There is no such verb that waits, so it waits as the others' try verbs do.
pub fn receive_in_place<T: Parcel>(mut rx: Receiver<T>, who: &str) -> impl FnMut(u64) {
    let mut check = Check::default();
    move |n| {
        for _ in 0..n {
            let seq = loop {
                // SAFETY: the sender is this suite's own other process, which writes to no message that it has sent.
                match unsafe { rx.try_recv_in_place(Msg::seq) } {
                    Ok(seq) => break seq,
                    Err(_) => spin_loop(),
                }
            };
            check.see(seq);
        }
        check.verify(who);
    }
}

/// A's work there and back.
pub fn ask<V, T, X, Y>(mut tx: X, mut rx: Y, who: &str) -> impl FnMut(u64)
where
    V: Verbs,
    T: Msg,
    X: TrySend<T> + BlockSend<T>,
    Y: TryRecv<T> + BlockRecv<T>,
{
    let mut check = Check::default();
    move |n| {
        for _ in 0..n {
            V::put(&mut tx, || T::make(check.seen()));
            out_of_step(check.seen());
            check.see(V::take::<T, Y>(&mut rx).seq());
        }
        check.verify(who);
    }
}

/// B's work there and back: what came goes back, not a new one.
pub fn answer<V, T, X, Y>(mut tx: X, mut rx: Y) -> impl FnMut(u64)
where
    V: Verbs,
    T: Msg,
    X: TrySend<T> + BlockSend<T>,
    Y: TryRecv<T> + BlockRecv<T>,
{
    move |n| {
        for turn in 0..n {
            out_of_step(turn);
            let value = V::take::<T, Y>(&mut rx);
            V::put(&mut tx, || value);
        }
    }
}
