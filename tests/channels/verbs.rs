//! What each verb of `spsc` promises, one thread at a time.

use ringmail::spsc::{Builder, channel};
use ringmail::{BuildError, TryRecvError, TrySendError};
use std::cell::Cell;
use std::panic::catch_unwind;

/// Both slices of a chunk, joined.
fn joined<T: Copy>((first, second): (&[T], &[T])) -> Vec<T> {
    [first, second].concat()
}

#[test]
fn every_capacity_is_exact() {
    for capacity in [1, 2, 3, 4, 5, 7, 8, 9, 100, 1000, 1023, 1024, 1025] {
        let (mut tx, mut rx) = channel(capacity).unwrap();
        assert_eq!((tx.capacity(), rx.capacity()), (capacity, capacity));
        // Three times round, so that every slot is used in every role.
        for round in 0..3 {
            for i in 0..capacity {
                assert_eq!(tx.len(), i);
                assert_eq!(tx.try_send((round, i)), Ok(()));
            }
            assert!(tx.is_full() && rx.is_full());
            assert_eq!(tx.try_send((9, 9)), Err(TrySendError::Full((9, 9))));
            for i in 0..capacity {
                assert_eq!(rx.len(), capacity - i);
                assert_eq!(rx.try_recv(), Ok((round, i)));
            }
            assert!(tx.is_empty() && rx.is_empty());
            assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        }
    }
}

#[test]
fn impossible_capacities_are_errors_that_say_what_to_do() {
    assert_eq!(channel::<u8>(0).unwrap_err(), BuildError::ZeroCapacity);
    for requested in [(1 << 30) + 1, usize::MAX / 2 + 2, usize::MAX] {
        let error = channel::<u8>(requested).unwrap_err();
        assert_eq!(error, BuildError::CapacityTooLarge { requested, max: 1 << 30 });
        assert!(error.to_string().contains("1073741824"), "{error}");
    }
    assert_eq!(Builder::new(0).build::<()>().unwrap_err(), BuildError::ZeroCapacity);
}

#[test]
fn memory_that_cannot_be_had_is_an_error_not_an_abort() {
    // More than any address space in use today holds, yet a number that fits.
    let error = channel::<[u8; 1 << 30]>(1 << 30).unwrap_err();
    assert_eq!(error, BuildError::OutOfMemory { bytes: Some(1 << 60) });
    // More than a `usize` can say.
    let error = channel::<[u8; 1 << 36]>(1 << 30).unwrap_err();
    assert_eq!(error, BuildError::OutOfMemory { bytes: None });
    // `usize` can say it, a memory layout cannot.
    let error = channel::<[u8; 1 << 33]>(1 << 30).unwrap_err();
    assert_eq!(error, BuildError::OutOfMemory { bytes: Some(1 << 63) });
}

#[test]
fn zero_sized_values_take_no_memory_and_are_counted() {
    let (mut tx, mut rx) = channel::<()>(1 << 30).unwrap();
    assert_eq!(tx.capacity(), 1 << 30);
    assert_eq!(tx.try_send_slice(&[(); 1000]), Ok(1000));
    tx.try_send(()).unwrap();
    assert_eq!(rx.len(), 1001);
    assert_eq!(rx.read_chunk(500).unwrap().as_slices().0.len(), 500);
    assert_eq!(rx.try_recv_many(&mut Vec::new(), usize::MAX), Ok(1001));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    // Full is full, also without memory.
    let (mut tx, _rx) = channel(3).unwrap();
    assert_eq!(tx.try_send_iter(&mut std::iter::repeat(())), Ok(3));
    assert_eq!(tx.try_send(()), Err(TrySendError::Full(())));
}

#[test]
fn wide_alignment_is_kept() {
    #[derive(Clone, Copy, PartialEq, Debug)]
    #[repr(align(4096))]
    struct Page(u64);

    let (mut tx, mut rx) = channel(3).unwrap();
    for i in 0..10 {
        tx.try_send(Page(i)).unwrap();
        tx.try_send(Page(100 + i)).unwrap();
        let page = rx.peek().unwrap();
        assert_eq!(std::ptr::from_ref(page).addr() % 4096, 0);
        assert_eq!(rx.try_recv(), Ok(Page(i)));
        assert_eq!(rx.try_recv(), Ok(Page(100 + i)));
    }
}

#[test]
fn slices_go_as_far_as_there_is_room() {
    let (mut tx, mut rx) = channel(5).unwrap();
    assert_eq!(tx.try_send_slice(&[]), Ok(0));
    assert_eq!(tx.try_send_slice(&[1, 2, 3]), Ok(3));
    assert_eq!(tx.try_send_slice(&[4, 5, 6, 7]), Ok(2));
    assert_eq!(tx.try_send_slice(&[6]), Err(TrySendError::Full(())));
    assert_eq!(tx.try_send_slice(&[]), Ok(0), "nothing always fits");
    assert_eq!(rx.try_iter().take(4).collect::<Vec<_>>(), [1, 2, 3, 4]);
    // Across the end of the storage, which has 8 slots.
    assert_eq!(tx.try_send_slice(&[6, 7, 8, 9, 10]), Ok(4));
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [5, 6, 7, 8, 9]);
}

#[test]
fn an_iterator_is_only_asked_while_there_is_room() {
    let (mut tx, mut rx) = channel(3).unwrap();
    let mut numbers = 1..;
    assert_eq!(tx.try_send_iter(&mut numbers), Ok(3));
    assert_eq!(tx.try_send_iter(&mut numbers), Err(TrySendError::Full(())));
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!(tx.try_send_iter(&mut numbers), Ok(1));
    assert_eq!(numbers.next(), Some(5), "no number was lost");
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(tx.try_send_iter(&mut [7, 8].into_iter()), Ok(2), "it may end early");
    assert_eq!(tx.try_send_iter(&mut std::iter::empty()), Ok(0));
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [7, 8]);
}

#[test]
fn a_commit_publishes_what_was_written_and_nothing_else() {
    let (mut tx, mut rx) = channel(4).unwrap();
    let mut chunk = tx.try_reserve(3).unwrap();
    assert_eq!((chunk.capacity(), chunk.len(), chunk.is_empty()), (3, 0, true));
    chunk.push(1).unwrap();
    assert_eq!(chunk.fill_from_slice(&[2, 3, 4]), 2);
    assert_eq!(chunk.push(4), Err(4), "the reservation is used up");
    assert_eq!(chunk.fill_from_iter([4]), 0);
    assert!(rx.is_empty(), "nothing before the commit");
    assert_eq!(chunk.commit(), 3);
    assert_eq!(rx.len(), 3);

    assert_eq!(tx.try_reserve(9).unwrap().capacity(), 1, "as many as are free");
    let mut chunk = tx.try_reserve(1).unwrap();
    chunk.push(99).unwrap();
    drop(chunk);
    assert_eq!(rx.len(), 3, "a dropped chunk sends nothing");
    assert_eq!(tx.try_reserve(1).unwrap().commit(), 0, "nor does an empty one");
    tx.try_send(4).unwrap();
    assert_eq!(tx.try_reserve(1).unwrap_err(), TrySendError::Full(()));
    assert_eq!(tx.try_reserve(0).unwrap().capacity(), 0);
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn the_raw_places_of_a_write_chunk_are_the_free_ones_in_order() {
    let (mut tx, mut rx) = channel::<u32>(4).unwrap();
    for i in 0..7 {
        let base = i * 10;
        let mut chunk = tx.try_reserve(3).unwrap();
        chunk.push(base).unwrap();
        let (first, second) = chunk.vacant_slices();
        assert_eq!(first.len() + second.len(), 2);
        for (place, value) in first.iter_mut().chain(second).zip(base + 1..) {
            place.write(value);
        }
        // SAFETY: both places have just been written.
        unsafe { chunk.assume_written(2) };
        assert_eq!(chunk.commit(), 3);
        assert_eq!(rx.try_iter().collect::<Vec<_>>(), [base, base + 1, base + 2]);
    }
}

#[test]
fn peek_takes_nothing() {
    let (mut tx, mut rx) = channel(2).unwrap();
    assert_eq!(rx.peek(), Err(TryRecvError::Empty));
    tx.try_send("a").unwrap();
    tx.try_send("b").unwrap();
    assert_eq!(rx.peek(), Ok(&"a"));
    assert_eq!(rx.peek(), Ok(&"a"));
    assert!(tx.is_full());
    assert_eq!(rx.try_recv(), Ok("a"));
    assert_eq!(rx.peek(), Ok(&"b"));
}

#[test]
fn a_read_chunk_takes_what_is_committed_and_leaves_the_rest() {
    let (mut tx, mut rx) = Builder::new(6).start_at(5).build().unwrap();
    assert_eq!(rx.read_chunk(1).unwrap_err(), TryRecvError::Empty);
    assert!(rx.read_chunk(0).unwrap().is_empty());
    tx.try_send_slice(&[1, 2, 3, 4, 5, 6]).unwrap();

    let chunk = rx.read_chunk(4).unwrap();
    assert_eq!((chunk.len(), chunk.is_empty()), (4, false));
    assert_eq!(joined(chunk.as_slices()), [1, 2, 3, 4]);
    assert_eq!(chunk.iter().copied().collect::<Vec<_>>(), [1, 2, 3, 4]);
    drop(chunk);
    assert_eq!(rx.len(), 6, "a dropped chunk takes nothing");
    rx.read_chunk(4).unwrap().commit(0);
    assert_eq!(rx.len(), 6);
    rx.read_chunk(4).unwrap().commit(2);
    assert_eq!((rx.len(), tx.len()), (4, 4));

    tx.try_send_slice(&[7, 8]).unwrap();
    let chunk = rx.read_chunk(usize::MAX).unwrap();
    assert_eq!(joined(chunk.as_slices()), [3, 4, 5, 6, 7, 8]);
    assert!(!chunk.as_slices().1.is_empty(), "these cross the end of the storage");
    chunk.commit(usize::MAX);
    assert!(tx.is_empty());

    tx.try_send_slice(&[9, 10, 11]).unwrap();
    let mut taken = rx.read_chunk(3).unwrap().into_iter();
    assert_eq!((taken.len(), taken.next(), taken.len()), (3, Some(9), 2));
    drop(taken);
    assert_eq!(rx.len(), 2, "what was not taken stays");
    rx.read_chunk(2).unwrap().commit_all();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn a_chunk_of_what_is_known_grows_when_more_is_asked_for() {
    let (mut tx, mut rx) = channel(8).unwrap();
    tx.try_send(1).unwrap();
    assert_eq!(rx.peek(), Ok(&1));
    tx.try_send_slice(&[2, 3]).unwrap();
    assert_eq!(rx.read_chunk(8).unwrap().len(), 3, "an old look is not the answer");
    let mut all = Vec::new();
    assert_eq!(rx.try_recv_many(&mut all, 2), Ok(2));
    tx.try_send_slice(&[4, 5]).unwrap();
    assert_eq!(rx.try_recv_many(&mut all, 8), Ok(3));
    assert_eq!(all, [1, 2, 3, 4, 5]);
}

#[test]
fn many_at_once_are_appended_in_order() {
    let (mut tx, mut rx) = channel(5).unwrap();
    let mut buffer = vec![0];
    assert_eq!(rx.try_recv_many(&mut buffer, 0), Ok(0));
    assert_eq!(rx.try_recv_many(&mut buffer, 9), Err(TryRecvError::Empty));
    for base in [1, 11, 21, 31] {
        assert_eq!(tx.try_send_iter(&mut (base..base + 5)), Ok(5));
        assert_eq!(rx.try_recv_many(&mut buffer, 2), Ok(2));
        assert_eq!(rx.recv_many(&mut buffer, usize::MAX), Ok(3));
        assert_eq!(buffer[buffer.len() - 5..], [base, base + 1, base + 2, base + 3, base + 4]);
    }
    assert_eq!(buffer.len(), 21);
}

#[test]
fn drain_hands_over_at_most_max_and_frees_the_places() {
    let (mut tx, mut rx) = channel(4).unwrap();
    let mut seen = Vec::new();
    assert_eq!(rx.drain(9, |v| seen.push(v)), 0);
    tx.try_send_slice(&[1, 2, 3, 4]).unwrap();
    assert_eq!(rx.drain(0, |v| seen.push(v)), 0);
    assert_eq!(rx.drain(3, |v| seen.push(v)), 3);
    assert_eq!(tx.len(), 1);
    tx.try_send(5).unwrap();
    assert_eq!(rx.drain(usize::MAX, |v| seen.push(v)), 2);
    assert_eq!(seen, [1, 2, 3, 4, 5]);
}

#[test]
fn the_count_of_messages_may_wrap() {
    const LAST: u64 = (1 << 63) - 1;
    for capacity in [1, 2, 3, 64] {
        for before in 0..4 {
            let (mut tx, mut rx) = Builder::new(capacity).start_at(LAST - before).build().unwrap();
            for i in 0..20u64 {
                tx.try_send(i).unwrap();
                assert_eq!((tx.len(), rx.len()), (1, 1));
                assert_eq!(rx.try_recv(), Ok(i));
            }
            assert_eq!(tx.try_send_iter(&mut (0..)), Ok(capacity));
            assert!(tx.is_full());
            let stats = rx.stats();
            assert_eq!((stats.sent, stats.received, stats.depth), (20 + capacity as u64, 20, capacity));
        }
    }
}

#[test]
fn statistics_count_what_happened() {
    let (mut tx, mut rx) = channel(2).unwrap();
    assert_eq!(tx.stats(), ringmail::Stats::default());
    tx.try_send(1).unwrap();
    tx.try_send(2).unwrap();
    assert!(tx.try_send(3).is_err() && tx.try_send_slice(&[3]).is_err() && tx.try_reserve(1).is_err());
    rx.try_recv().unwrap();
    for stats in [tx.stats(), rx.stats()] {
        assert_eq!((stats.sent, stats.received, stats.depth, stats.full), (2, 1, 1, 3));
        assert_eq!((stats.sender_parks, stats.receiver_parks), (0, 0), "nobody waited");
        assert_eq!((stats.sender_wakes, stats.receiver_wakes), (0, 0));
    }
    assert_eq!(rx.stats().to_string(), "sent 2 received 1 depth 1 full 3 parks 0/0 wakes 0/0");
}

#[test]
fn handles_say_what_they_are_without_asking_the_message() {
    struct Mute;
    let (mut tx, rx) = channel::<Mute>(3).unwrap();
    tx.try_send(Mute).ok().unwrap();
    assert_eq!(format!("{tx:?}"), "Sender { len: 1, capacity: 3, closed: false, .. }");
    drop(tx);
    assert_eq!(format!("{rx:?}"), "Receiver { len: 1, capacity: 3, closed: true, .. }");
    let mut rx = rx;
    assert_eq!(format!("{:?}", rx.read_chunk(1).unwrap()), "ReadChunk { len: 1 }");
    assert_eq!(format!("{:?}", rx.read_chunk(1).unwrap().into_iter()), "ReadChunkIntoIter { left: 1 }");
    let (mut tx, _rx) = channel::<Mute>(3).unwrap();
    assert_eq!(format!("{:?}", tx.try_reserve(2).unwrap()), "WriteChunk { len: 0, capacity: 2 }");
    assert!(format!("{:?}", Builder::new(3)).contains("capacity: 3"));
}

/// As those of `std` and crossbeam: no `AssertUnwindSafe` around a handle, whatever its messages are.
#[test]
fn handles_are_carried_through_code_that_panics_and_used_after() {
    fn carried<S: ringmail::Flavor>(
        (mut tx, mut rx): (ringmail::Sender<Cell<u32>, S>, ringmail::Receiver<Cell<u32>, S>),
    ) {
        assert!(tx.try_send(Cell::new(1)).is_ok() && tx.try_send(Cell::new(2)).is_ok());
        // By reference, and by value.
        assert!(catch_unwind(|| assert_ne!((tx.len(), rx.len()), (2, 2))).is_err());
        let slot = std::sync::Mutex::new(Some((tx, rx)));
        let panics = catch_unwind(|| {
            let mut guard = slot.lock().unwrap();
            let (_, rx) = guard.as_mut().unwrap();
            rx.drain(2, |message| assert_ne!(message.get(), 1));
        });
        assert!(panics.is_err());
        (tx, rx) = slot.into_inner().unwrap_or_else(|e| e.into_inner()).unwrap();
        assert_eq!(rx.try_recv().map(Cell::into_inner), Ok(2));
        let moved = catch_unwind(move || {
            assert!(tx.try_send(Cell::new(3)).is_ok());
            rx.try_recv().map(Cell::into_inner)
        });
        assert_eq!(moved.unwrap(), Ok(3));
    }
    carried(channel(4).unwrap());
    carried(ringmail::mpsc::channel(4).unwrap());
    carried(ringmail::fan_in::channel(4).unwrap());
}
