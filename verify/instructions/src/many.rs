//! Channels with one sender and several receivers.

use crate::{CAPACITY, Path, over, shapes};
use ringmail::broadcast::{self, lossy};
use ringmail::fan_out;
use std::array;
use std::hint::black_box;

/// A broadcast with `N` receivers.
fn receivers<const N: usize>() -> (broadcast::Sender<u64>, [broadcast::Receiver<u64>; N]) {
    let (tx, hub) = broadcast::channel(CAPACITY).expect("memory for a channel");
    (tx, array::from_fn(|_| hub.join().expect("memory for a seat")))
}

/// All of them receive the next message.
#[inline(always)]
fn each<const N: usize>(receivers: &mut [broadcast::Receiver<u64>; N]) -> u64 {
    let mut message = 0;
    for rx in receivers {
        message = black_box(rx.try_recv().unwrap());
    }
    message
}

/// A sender and `N` workers, and which of them is to receive next.
fn workers<const N: usize>() -> (fan_out::Sender<u64>, ([fan_out::Receiver<u64>; N], usize)) {
    let (tx, hub) = fan_out::Builder::new(CAPACITY / N).build_hub().expect("memory for a channel");
    (tx, (array::from_fn(|_| hub.join().expect("memory for a lane")), 0))
}

/// The next worker that has a message receives it.
#[inline(always)]
fn next<const N: usize>((workers, at): &mut ([fan_out::Receiver<u64>; N], usize)) -> u64 {
    loop {
        let received = workers[*at].try_recv();
        *at = (*at + 1) % N;
        if let Ok(message) = received {
            return message;
        }
    }
}

/// The number of a message.
#[inline(always)]
fn seen(seen: lossy::Seen<u64>) -> u64 {
    seen.message().expect("none is lost")
}

/// All of them. `-3` and `-4`: with so many receivers; every one of a broadcast receives each message, one of a `fan_out`.
fn newest(n: u64, copies: bool) {
    let channel = lossy::Builder::new(CAPACITY).copy_newest(copies).build().unwrap();
    over(n, 1, 1, channel, |tx, v| tx.send(v), |rx| rx.latest().unwrap().1);
}

pub(crate) fn add(paths: &mut Vec<Path>) {
    shapes!(paths, "broadcast/try", 1, |n, depth| {
        over(n, depth, 1, receivers::<1>(), |tx, v| tx.try_send(v).unwrap(), each)
    });
    shapes!(paths, "broadcast-3/try", 1, |n, depth| {
        over(n, depth, 1, receivers::<3>(), |tx, v| tx.try_send(v).unwrap(), each)
    });
    shapes!(paths, "lossy/try", 1, |n, depth| {
        over(n, depth, 1, lossy::channel(CAPACITY).unwrap(), |tx, v| tx.send(v), |rx| seen(rx.try_recv().unwrap()))
    });
    // Nothing but the newest: a burst would pass over the others.
    paths.push(("lossy/latest/ping", |n| newest(n, false)));
    paths.push(("lossy/latest-copied/ping", |n| newest(n, true)));
    shapes!(paths, "fan_out/try", 1, |n, depth| {
        over(n, depth, 1, workers::<1>(), |tx, v| tx.try_send(v).unwrap(), next)
    });
    shapes!(paths, "fan_out-4/try", 1, |n, depth| {
        over(n, depth, 1, workers::<4>(), |tx, v| tx.try_send(v).unwrap(), next)
    });
}
