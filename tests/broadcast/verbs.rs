//! Each verb, without threads.

use ringmail::broadcast::{Builder, NoReceiver, channel};
use ringmail::{BuildError, TryRecvError, TrySendError};

#[test]
fn capacity_is_exact_and_checked() {
    assert_eq!(channel::<u8>(0).err(), Some(BuildError::ZeroCapacity));
    assert!(matches!(channel::<u8>((1 << 30) + 1), Err(BuildError::CapacityTooLarge { .. })));
    for capacity in [1, 2, 3, 5, 7, 8, 100] {
        let (mut tx, hub) = channel(capacity).unwrap();
        let mut rx = hub.join().unwrap();
        for lap in 0..3 {
            for i in 0..capacity {
                assert_eq!(tx.len(), i);
                tx.try_send((lap, i)).unwrap();
            }
            assert!(tx.is_full());
            assert_eq!(tx.try_send((9, 9)), Err(TrySendError::Full((9, 9))));
            for i in 0..capacity {
                assert_eq!(rx.try_recv(), Ok((lap, i)));
            }
            assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        }
        assert_eq!((tx.capacity(), rx.capacity(), hub.capacity()), (capacity, capacity, capacity));
    }
}

#[test]
fn every_receiver_sees_every_message_and_the_slowest_gates() {
    let (mut tx, hub) = channel(2).unwrap();
    let (mut a, mut b) = (hub.join().unwrap(), hub.join().unwrap());
    tx.try_send_slice(&[1, 2]).unwrap();
    assert_eq!([a.try_recv(), a.try_recv()], [Ok(1), Ok(2)]);
    assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)));
    assert_eq!(b.try_recv(), Ok(1));
    tx.try_send(3).unwrap();
    assert_eq!(tx.try_send(4), Err(TrySendError::Full(4)));
    let slowest = tx.slowest().unwrap();
    assert_eq!((slowest.seat, slowest.lag, slowest.vacant, slowest.name), (b.seat(), 2, false, None));
    assert_eq!((a.lag(), b.lag()), (1, 2));
    assert_eq!(b.try_iter().collect::<Vec<_>>(), [2, 3]);
    assert_eq!(a.try_iter().collect::<Vec<_>>(), [3]);
}

#[test]
fn positions_wrap() {
    let (mut tx, hub) = Builder::new(3).start_at((1 << 63) - 2).build().unwrap();
    let (mut a, mut b) = (hub.join().unwrap(), hub.join().unwrap());
    let mut c = hub.after(&[&a]).unwrap();
    for i in 0..20 {
        tx.try_send(i).unwrap();
        assert_eq!(c.try_recv(), Err(TryRecvError::Empty));
        assert_eq!([a.try_recv(), b.try_recv(), c.try_recv()], [Ok(i); 3]);
    }
    assert_eq!(tx.stats().sent, 20);
    assert_eq!(tx.stats().received, 20);
}

#[test]
fn batches_and_chunks() {
    let (mut tx, hub) = channel(5).unwrap();
    let (mut rx, mut slow) = (hub.join().unwrap(), hub.join().unwrap());
    assert_eq!(tx.try_send_slice(&[1, 2, 3, 4, 5, 6]), Ok(5));
    assert_eq!(tx.try_send_slice(&[7]), Err(TrySendError::Full(())));
    assert_eq!(rx.peek(), Ok(&1));
    let chunk = rx.read_chunk(3).unwrap();
    assert_eq!((chunk.len(), chunk.iter().copied().collect::<Vec<_>>()), (3, vec![1, 2, 3]));
    drop(chunk);
    let chunk = rx.read_chunk(3).unwrap();
    chunk.commit(2);
    let mut buffer = vec![];
    assert_eq!(rx.try_recv_many(&mut buffer, 2), Ok(2));
    assert_eq!(buffer, [3, 4]);
    assert_eq!(tx.try_send(6), Err(TrySendError::Full(6)), "the other one has taken nothing");
    let mut seen = vec![];
    assert_eq!(slow.drain(4, |&message| seen.push(message)), 4);
    assert_eq!(seen, [1, 2, 3, 4]);
    let mut values = 6..100;
    assert_eq!(tx.try_send_iter(&mut values), Ok(4));
    assert_eq!(values.next(), Some(10), "no item is taken without a place");
    assert_eq!(tx.try_send_iter(&mut values), Err(TrySendError::Full(())));
    let chunk = rx.read_chunk(10).unwrap();
    let (first, second) = chunk.as_slices();
    assert_eq!([first, second].concat(), [5, 6, 7, 8, 9]);
    chunk.commit_all();
    assert_eq!(slow.try_iter().collect::<Vec<_>>(), [5, 6, 7, 8, 9]);
    assert!(rx.read_chunk(0).unwrap().is_empty());
    assert!(rx.read_chunk(1).is_err());
    assert_eq!(rx.try_recv_with(|m| *m), Err(TryRecvError::Empty));
    assert!(tx.try_send_with(|place| place.write(11)).is_ok());
    assert_eq!(rx.try_recv_with(|m| *m), Ok(11));
}

#[test]
fn full_is_never_answered_from_an_old_gate() {
    let (mut tx, hub) = channel(1).unwrap();
    let (mut a, b) = (hub.join().unwrap(), hub.join().unwrap());
    for i in 0..100 {
        tx.try_send(i).unwrap();
        assert!(tx.try_send(i).is_err());
        assert_eq!(a.try_recv(), Ok(i));
        if i == 50 {
            break;
        }
        // A receiver that joins and leaves, and one that stands still until it leaves.
        drop(hub.join().unwrap());
        if i == 0 {
            assert!(tx.try_send(i).is_err());
            return drop(b);
        }
    }
}

#[test]
fn full_is_what_a_send_finds_also_without_a_receiver() {
    let (mut tx, hub) = channel(2).unwrap();
    assert!(tx.is_full() && tx.is_empty(), "no message, and no seat that one could be for");
    assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
    let mut rx = hub.join().unwrap();
    assert!(!tx.is_full());
    tx.try_send(1).unwrap();
    tx.try_send(2).unwrap();
    assert!(tx.is_full());
    assert_eq!(rx.try_recv(), Ok(1));
    assert!(!tx.is_full());

    let (mut tx, _hub) = Builder::new(2).no_receiver(NoReceiver::Pass).build().unwrap();
    for i in 0..5 {
        assert!(!tx.is_full(), "messages pass");
        tx.try_send(i).unwrap();
    }
}

#[test]
fn messages_pass_unseen_or_wait() {
    let (mut tx, hub) = channel(2).unwrap();
    assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
    assert_eq!(tx.slowest(), None);
    let rx = hub.join().unwrap();
    tx.try_send(1).unwrap();
    drop(rx);
    assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)), "there is no seat any more");

    let (mut tx, hub) = Builder::new(2).no_receiver(NoReceiver::Pass).build().unwrap();
    (0..5).for_each(|i| tx.try_send(i).unwrap());
    assert_eq!(tx.passed(), 5);
    let mut rx = hub.join().unwrap();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(tx.try_send_slice(&[5, 6, 7]), Ok(2));
    assert_eq!((tx.passed(), rx.try_recv()), (5, Ok(5)));
    drop(rx);
    (0..3).for_each(|i| tx.try_send(i).unwrap());
    assert_eq!(tx.passed(), 8);
}

#[test]
fn closing() {
    // The sender goes: receivers get what is left.
    let (mut tx, hub) = channel(4).unwrap();
    let mut rx = hub.join().unwrap();
    tx.try_send_slice(&[1, 2]).unwrap();
    drop(tx);
    assert!(rx.is_closed() && hub.is_closed());
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
    let mut late = hub.join().unwrap();
    assert_eq!(late.try_recv(), Err(TryRecvError::Disconnected));

    // All that could receive go: the message comes back.
    let (mut tx, hub) = channel(4).unwrap();
    let rx = hub.join().unwrap();
    drop(hub);
    tx.try_send(1).unwrap();
    let hub = rx.hub();
    drop(rx);
    assert!(!tx.is_closed());
    drop(hub);
    assert!(tx.is_closed());
    assert_eq!(tx.try_send(2), Err(TrySendError::Disconnected(2)));
    assert_eq!(tx.try_send_slice(&[2]), Err(TrySendError::Disconnected(())));
    assert_eq!(tx.try_send_iter(&mut [2].into_iter()), Err(TrySendError::Disconnected(())));

    // A receiver closes: it gets what was there, others notice nothing.
    let (mut tx, hub) = channel(2).unwrap();
    let (mut rx, mut other) = (hub.join().unwrap(), hub.join().unwrap());
    tx.try_send(1).unwrap();
    rx.close();
    assert!(rx.is_closed() && !other.is_closed());
    tx.try_send(2).unwrap();
    assert_eq!(rx.len(), 1);
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
    assert_eq!(other.try_iter().collect::<Vec<_>>(), [1, 2]);
    tx.try_send_slice(&[3, 4]).expect("the seat of the closed one is given up");
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));

    // The sender closes, and sends no more.
    tx.close();
    assert_eq!(tx.try_send(5), Err(TrySendError::Disconnected(5)));
    assert_eq!(other.try_iter().collect::<Vec<_>>(), [3, 4]);
    assert_eq!(other.try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn a_leaked_chunk_takes_nothing() {
    let (mut tx, hub) = channel(2).unwrap();
    let mut rx = hub.join().unwrap();
    tx.try_send_slice(&[1, 2]).unwrap();
    let chunk = rx.read_chunk(2).unwrap();
    // It has no drop: this is what a leak is.
    let _ = std::mem::ManuallyDrop::new(chunk);
    assert_eq!([rx.try_recv(), rx.try_recv()], [Ok(1), Ok(2)]);
    tx.try_send_slice(&[3, 4]).unwrap();
}

#[test]
fn zero_sized_and_large_messages() {
    let (mut tx, hub) = channel::<()>(3).unwrap();
    let mut rx = hub.join().unwrap();
    assert_eq!(tx.try_send_iter(&mut std::iter::repeat(())), Ok(3));
    assert_eq!(rx.drain(9, |()| ()), 3);
    let (mut tx, hub) = channel::<[u64; 600]>(2).unwrap();
    let mut rx = hub.join().unwrap();
    for i in 0..10 {
        tx.try_send([i; 600]).unwrap();
        assert_eq!(rx.try_recv(), Ok([i; 600]));
    }
}
