//! Channels between processes, both ends of which are this one's here, and a mesh.

use crate::{CAPACITY, Path, over, shapes};
use ringmail::mesh::{self, Endpoint};
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
    // The others stay: one that leaves is news, and looked at.
    seats.for_each(std::mem::forget);
    (pair.0.expect("eight seats"), pair.1.expect("eight seats"))
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
}
