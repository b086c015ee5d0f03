//! The memory of a receiver that left serves the next one.

use crate::allocations::{allocated, bytes};
use ringmail::broadcast::channel;

#[test]
fn joins_and_leaves_leak_nothing() {
    let n = if cfg!(miri) { 100 } else { 100_000 };
    let (mut tx, hub) = channel(4).unwrap();
    let mut keeps = hub.join().unwrap();
    // The sender looks at its seats only now and then, or never.
    for looks in [false, true] {
        drop(hub.join().unwrap());
        let before = bytes();
        for i in 0..n {
            let rx = hub.join().unwrap();
            assert_eq!(rx.seat().index(), 1);
            if looks && i % 64 == 0 {
                tx.try_send(i).unwrap();
                assert_eq!(keeps.try_recv(), Ok(i));
            }
        }
        assert_eq!(bytes(), before);
    }
    for _ in 0..n / 100 {
        let before = bytes();
        drop(hub.reserve("journal").unwrap());
        hub.take("journal").unwrap().release();
        // The list of names keeps its room.
        assert!(bytes() - before < 1024);
    }
}

#[test]
fn sending_and_receiving_allocate_nothing() {
    let (mut tx, hub) = channel(4).unwrap();
    let mut receivers: Vec<_> = (0..3).map(|_| hub.join().unwrap()).collect();
    let before = allocated();
    for i in 0..100 {
        tx.send(i).unwrap();
        for rx in &mut receivers {
            assert_eq!(rx.recv(), Ok(i));
        }
    }
    assert_eq!(allocated(), before);
}
