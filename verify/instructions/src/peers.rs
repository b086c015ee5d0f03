//! The peers' verbs that never wait, one word a message.

use crate::{CAPACITY, Path, over, shapes};
use std::sync::{Arc, mpsc};

/// Pushes the path of one peer: how it is made, sends and receives.
macro_rules! peer {
    ($paths:ident, $name:literal, $pair:expr, |$tx:ident, $v:ident| $put:expr, |$rx:ident| $take:expr) => {
        shapes!($paths, concat!($name, "/try"), 1, |n, depth| {
            over(n, depth, 1, $pair, |$tx, $v| $put.unwrap(), |$rx| $take.unwrap())
        })
    };
}

/// One queue that both sides hold.
fn shared<T>(queue: T) -> (Arc<T>, Arc<T>) {
    let queue = Arc::new(queue);
    (Arc::clone(&queue), queue)
}

/// All of them.
pub(crate) fn add(paths: &mut Vec<Path>) {
    peer!(paths, "array-queue", shared(crossbeam_queue::ArrayQueue::new(CAPACITY)), |q, v| q.push(v), |q| q.pop());
    peer!(
        paths,
        "concurrent-queue",
        shared(concurrent_queue::ConcurrentQueue::bounded(CAPACITY)),
        |q, v| q.push(v),
        |q| q.pop()
    );
    peer!(paths, "crossbeam", crossbeam_channel::bounded(CAPACITY), |tx, v| tx.try_send(v), |rx| rx.try_recv());
    peer!(paths, "crossfire-mpsc", crossfire::mpsc::bounded_blocking(CAPACITY), |tx, v| tx.try_send(v), |rx| rx
        .try_recv());
    peer!(paths, "crossfire-spsc", crossfire::spsc::bounded_blocking(CAPACITY), |tx, v| tx.try_send(v), |rx| rx
        .try_recv());
    peer!(paths, "flume", flume::bounded(CAPACITY), |tx, v| tx.try_send(v), |rx| rx.try_recv());
    // Its answers are nested: an error if the channel is closed, and inside whether there was room or a message.
    peer!(paths, "kanal", kanal::bounded(CAPACITY), |tx, v| tx.try_send(v).map(|sent| assert!(sent)), |rx| rx
        .try_recv()
        .map(Option::unwrap));
    peer!(paths, "rtrb", rtrb::RingBuffer::new(CAPACITY), |tx, v| tx.push(v), |rx| rx.pop());
    peer!(paths, "std", mpsc::sync_channel(CAPACITY), |tx, v| tx.try_send(v), |rx| rx.try_recv());
    peer!(paths, "thingbuf", thingbuf::mpsc::blocking::channel(CAPACITY), |tx, v| tx.try_send(v), |rx| rx.try_recv());
    peer!(paths, "tokio", tokio::sync::mpsc::channel(CAPACITY), |tx, v| tx.try_send(v), |rx| rx.try_recv());
}
