//! Workers that join and leave keep nothing.

use crate::allocations::bytes;
use ringmail::fan_out::Builder;

#[test]
fn a_million_workers_that_join_and_leave_leak_nothing() {
    let (mut tx, hub) = Builder::new(2).build_hub::<Box<u64>>().unwrap();
    let round = |tx: &mut ringmail::fan_out::Sender<Box<u64>>, i: u64| {
        let mut rx = hub.join().unwrap();
        // One in four is never seen by the sender; the others are sent to, and some leave work to the next.
        if i % 4 != 0 {
            tx.try_send(Box::new(i)).unwrap();
        }
        if i % 4 == 3 {
            while rx.try_recv().is_ok() {}
        }
    };
    (0..100).for_each(|i| round(&mut tx, i));
    let before = bytes();
    (0..1_000_000).for_each(|i| round(&mut tx, i));
    assert_eq!(bytes(), before, "as after the first hundred");
    assert_eq!((tx.worker_count(), tx.len()), (0, 0));
    // The sender sleeps, as it were: nothing gathers for it.
    (0..100_000).for_each(|_| drop(hub.join().unwrap()));
    assert_eq!(bytes(), before);
}

#[test]
fn sending_and_receiving_allocate_nothing() {
    let (mut tx, hub) = Builder::new(2).build_hub().unwrap();
    let mut workers = [hub.join().unwrap(), hub.join().unwrap()];
    tx.try_send(0).unwrap();
    workers.iter_mut().for_each(|rx| rx.try_iter().for_each(drop));
    let before = crate::allocations::allocated();
    for i in 0..1000u64 {
        tx.try_send(i).unwrap();
        tx.try_send_by_key(&i, i).unwrap();
        assert_eq!(workers.iter_mut().map(|rx| rx.try_iter().count()).sum::<usize>(), 2);
    }
    // A worker that leaves allocates nothing either, and neither does the one that takes over.
    tx.try_send(1).unwrap();
    tx.try_send(2).unwrap();
    let [first, mut second] = workers;
    drop(first);
    assert_eq!(second.try_iter().count(), 2);
    assert_eq!(crate::allocations::allocated() - before, 0);
}
