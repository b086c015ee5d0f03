//! ringmail's own channels.

use crate::{CAPACITY, Path, over, shapes};
use ringmail::{FenceMode, fan_in, mpsc, spsc};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Messages of a run.
const RUN: usize = 32;

/// The result of a future's first poll: none of these has to wait, but some yield to other tasks first.
#[inline(always)]
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    for _ in 0..2 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
    panic!("none was to wait")
}

/// One sender for many threads.
fn shared() -> (mpsc::SharedSender<u64>, mpsc::Receiver<u64>) {
    let (tx, rx) = mpsc::channel(CAPACITY).unwrap();
    (tx.into_shared(), rx)
}

/// Numbers `run` from `first` on.
#[inline(always)]
fn number(run: &mut [u64], first: u64) {
    run.iter_mut().zip(first..).for_each(|(word, value)| *word = value);
}

/// Pushes the named paths of one kind of channel. `$pair` makes a sender and a receiver of whichever message the path needs.
macro_rules! channel {
    ($paths:ident, $name:literal, $pair:expr, $($verb:ident)+) => {
        $(verb!($verb, $paths, $name, $pair);)+
    };
}

/// One path: how it sends, and how it receives.
macro_rules! verb {
    // `try_send` and `try_recv` of one word.
    (one, $paths:ident, $name:literal, $pair:expr) => {
        shapes!($paths, concat!($name, "/try"), 1, |n, depth| {
            over(n, depth, 1, $pair, |tx, v| tx.try_send(v).unwrap(), |rx| rx.try_recv().unwrap())
        })
    };
    // `send` and `recv` of one word.
    (blocking, $paths:ident, $name:literal, $pair:expr) => {
        shapes!($paths, concat!($name, "/blocking"), 1, |n, depth| {
            over(n, depth, 1, $pair, |tx, v| tx.send(v).unwrap(), |rx| rx.recv().unwrap())
        })
    };
    // `send_async` and `recv_async` of one word, each polled once.
    (future, $paths:ident, $name:literal, $pair:expr) => {
        shapes!($paths, concat!($name, "/async"), 1, |n, depth| {
            over(n, depth, 1, $pair, |tx, v| ready(tx.send_async(v)).unwrap(), |rx| ready(rx.recv_async()).unwrap())
        })
    };
    // `try_reserve` and `read_chunk`: written and read in place.
    (chunk, $paths:ident, $name:literal, $pair:expr) => {
        shapes!($paths, concat!($name, "/chunk32"), RUN as u64, |n, depth| {
            over(
                n,
                depth,
                RUN as u64,
                $pair,
                |tx, v| {
                    let mut chunk = tx.try_reserve(RUN).unwrap();
                    chunk.fill_from_iter(v..v + RUN as u64);
                    chunk.commit();
                },
                |rx| {
                    let chunk = rx.read_chunk(RUN).unwrap();
                    let (first, second) = chunk.as_slices();
                    let sum = first.iter().sum::<u64>() + second.iter().sum::<u64>();
                    chunk.commit(RUN);
                    sum
                },
            )
        })
    };
    // `send_slice` and `recv_many`: copied in runs.
    (slice, $paths:ident, $name:literal, $pair:expr) => {
        shapes!($paths, concat!($name, "/slice32"), RUN as u64, |n, depth| {
            let (mut run, mut buffer) = ([0; RUN], Vec::with_capacity(RUN));
            over(
                n,
                depth,
                RUN as u64,
                $pair,
                |tx, v| {
                    number(&mut run, v);
                    tx.send_slice(&run).unwrap();
                },
                |rx| {
                    buffer.clear();
                    rx.recv_many(&mut buffer, RUN).unwrap();
                    buffer.iter().sum()
                },
            )
        })
    };
    // `send_slice`, and `drain` one by one.
    (drain, $paths:ident, $name:literal, $pair:expr) => {
        shapes!($paths, concat!($name, "/drain32"), RUN as u64, |n, depth| {
            let mut run = [0; RUN];
            over(
                n,
                depth,
                RUN as u64,
                $pair,
                |tx, v| {
                    number(&mut run, v);
                    tx.send_slice(&run).unwrap();
                },
                |rx| {
                    let mut sum = 0;
                    rx.drain(RUN, |v: u64| sum += v);
                    sum
                },
            )
        })
    };
    // `try_send` and `try_recv` of 64 bytes.
    (payload_64, $paths:ident, $name:literal, $pair:expr) => {
        verb!(payload, $paths, concat!($name, "/payload64"), $pair, 8)
    };
    // `try_send` and `try_recv` of 256 bytes.
    (payload_256, $paths:ident, $name:literal, $pair:expr) => {
        verb!(payload, $paths, concat!($name, "/payload256"), $pair, 32)
    };
    (payload, $paths:ident, $name:expr, $pair:expr, $words:literal) => {
        shapes!($paths, $name, 1, |n, depth| {
            let mut message = [7; $words];
            over(
                n,
                depth,
                1,
                $pair,
                |tx, v| {
                    message[0] = v;
                    tx.try_send(message).unwrap();
                },
                |rx| {
                    let message: [u64; $words] = rx.try_recv().unwrap();
                    black_box(&message)[0]
                },
            )
        })
    };
}

/// All of them. `spsc-fenced` is what a channel falls back to where the kernel has no `membarrier`.
pub(crate) fn add(paths: &mut Vec<Path>) {
    channel!(paths, "spsc", spsc::channel(CAPACITY).unwrap(),
        one blocking future chunk slice drain payload_64 payload_256);
    channel!(paths, "spsc-fenced", spsc::Builder::new(CAPACITY).fence_mode(FenceMode::Fence).build().unwrap(), one);
    channel!(paths, "mpsc", mpsc::channel(CAPACITY).unwrap(), one blocking future slice drain payload_64 payload_256);
    channel!(paths, "mpsc-shared", shared(), one blocking future);
    channel!(paths, "fan_in", fan_in::channel(CAPACITY).unwrap(),
        one blocking future chunk slice drain payload_64 payload_256);
}
