//! Channels between processes, with both ends in this process, and a mesh.

use std::hint::black_box;

use crate::{CAPACITY, Path, over, shapes};
use ringmail::mesh::{self, Endpoint, call};
use ringmail::shm::{fan_in, spsc};

/// A mapped ring of `u64`.
fn mapped() -> (spsc::Sender<u64>, spsc::Receiver<u64>) {
    let channel = spsc::Builder::<u64>::create_anonymous(CAPACITY).expect("memory for a channel");
    let open = || spsc::Builder::from_fd(&channel);
    (open().open_sender().expect("the sending side"), open().open_receiver().expect("the receiving side"))
}

/// One sender of eight, and the receiver of all.
fn lanes() -> (fan_in::Sender<u64>, fan_in::Receiver<u64>) {
    let channel = fan_in::Builder::<u64>::create_anonymous(8, CAPACITY).expect("memory for a channel");
    let open = || fan_in::Builder::from_fd(&channel);
    (open().open_sender().expect("a sending side"), open().open_receiver().expect("the receiving side"))
}

/// Two shards of eight.
fn shards() -> (Endpoint<u64>, Endpoint<u64>) {
    let seats = mesh::Builder::new().shards(8).capacity(CAPACITY).build().expect("memory for a mesh");
    let mut seats = seats.into_iter().map(|seat| seat.join().expect("the seat was just made"));
    let pair = (seats.next(), seats.next());
    // The others stay: one that left would have to be handled.
    seats.for_each(std::mem::forget);
    (pair.0.expect("eight seats"), pair.1.expect("eight seats"))
}

/// Two shards that call each other.
fn callers() -> (call::Endpoint<u64, u64>, call::Endpoint<u64, u64>) {
    let seats = mesh::Builder::new().shards(2).build_calls(4).expect("memory for a mesh");
    let mut seats = seats.into_iter().map(|seat| seat.join().expect("the seat was just made"));
    (seats.next().expect("two seats"), seats.next().expect("two seats"))
}

/// A call of `a`'s, and its answer.
fn call(a: &mut call::Endpoint<u64, u64>, b: &mut call::Endpoint<u64, u64>, request: u64) -> u64 {
    let Ok(reply) = a.try_call(1, request) else { panic!("four credits") };
    b.poll(1, |_, _, request, token| token.answer(request));
    a.poll(1, |_, _, _, _| {});
    reply.try_take().expect("it was served").expect("it was answered")
}

/// All of them.
pub(crate) fn add(paths: &mut Vec<Path>) {
    shapes!(paths, "shm-spsc/try", 1, |n, depth| {
        over(n, depth, 1, mapped(), |tx, v| tx.try_send(v).unwrap(), |rx| rx.try_recv().unwrap())
    });
    shapes!(paths, "shm-spsc/blocking", 1, |n, depth| {
        over(n, depth, 1, mapped(), |tx, v| tx.send(v).unwrap(), |rx| rx.recv().unwrap())
    });
    shapes!(paths, "shm-fan_in/try", 1, |n, depth| {
        over(n, depth, 1, lanes(), |tx, v| tx.try_send(v).unwrap(), |rx| rx.try_recv().unwrap())
    });
    shapes!(paths, "mesh/try", 1, |n, depth| {
        over(n, depth, 1, shards(), |a, v| a.try_send_to(1, v).unwrap(), |b| b.try_recv().unwrap().1)
    });
    shapes!(paths, "mesh/poll32", 32, |n, depth| {
        over(
            n,
            depth,
            32,
            shards(),
            |a, v| assert_eq!(a.try_send_iter_to(1, &mut (v..v + 32)), Ok(32)),
            |b| {
                let mut sum = 0;
                b.poll(32, |_, v| sum += v);
                sum
            },
        )
    });
    // All that it takes at both ends: two messages, two polls, and what the two tables note.
    paths.push(("mesh/call/ping", |n| {
        let (mut a, mut b) = callers();
        let (a, b) = (black_box(&mut a), black_box(&mut b));
        (0..n).for_each(|request| assert_eq!(call(a, b, request), request));
    }));
}
