//! Values: dropped once, when their slot is used again or when the last handle goes.

use ringmail::broadcast::{Builder, channel};
use std::sync::Arc;

/// How many shares there are beside the test's own.
fn shares(value: &Arc<()>) -> usize {
    Arc::strong_count(value) - 1
}

#[test]
fn a_slot_that_is_used_again_drops_its_older_value() {
    let value = Arc::new(());
    for start in [0, (1 << 63) - 3] {
        let (mut tx, hub) = Builder::new(3).start_at(start).build().unwrap();
        let mut rx = hub.join().unwrap();
        for i in 1..=20 {
            tx.try_send(Arc::clone(&value)).unwrap();
            assert_eq!(shares(&value), i.min(4), "one lap of four slots");
            rx.try_recv_with(|_| ()).unwrap();
        }
        drop(tx);
        assert_eq!(shares(&value), 4, "a receiver is there");
        drop(rx);
        assert_eq!(shares(&value), 4, "a hub is there");
        drop(hub);
        assert_eq!(shares(&value), 0);
    }
}

#[test]
fn a_sender_without_receivers_drops_what_is_left() {
    let value = Arc::new(());
    let (mut tx, hub) = channel(8).unwrap();
    let mut rx = hub.join().unwrap();
    drop(hub);
    for _ in 0..5 {
        tx.try_send(Arc::clone(&value)).unwrap();
    }
    assert!(rx.try_recv().is_ok());
    drop(rx);
    assert_eq!(shares(&value), 5);
    assert!(tx.try_send(Arc::clone(&value)).unwrap_err().is_disconnected());
    assert_eq!(shares(&value), 0);
    drop(tx);
    assert_eq!(shares(&value), 0);
}

#[test]
fn values_of_batches_are_dropped_once() {
    let value = Arc::new(());
    let (mut tx, hub) = channel(5).unwrap();
    let (mut a, mut b) = (hub.join().unwrap(), hub.join().unwrap());
    for _ in 0..10 {
        let n = tx.try_send_iter(&mut std::iter::repeat_with(|| Arc::clone(&value)).take(4)).unwrap();
        assert_eq!(n, 4);
        let clones: Vec<_> = a.try_iter().collect();
        assert_eq!(clones.len(), 4);
        b.read_chunk(4).unwrap().commit_all();
    }
    assert_eq!(shares(&value), 8);
    drop((a, b, hub, tx));
    assert_eq!(shares(&value), 0);
}
