//! Workers join, leave and end; what they leave goes to others.

use crate::support::{Ledger, ends, let_it_sleep, until};
use ringmail::fan_out::{Builder, Hub, Receiver, Sender, channel};
use ringmail::wait::EventCount;
use ringmail::{BuildError, RecvError, SendTimeoutError, TryRecvError, TrySendError};
use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(20);

fn assert_send_sync<T: Send + Sync>(_: &T) {}

#[test]
fn a_message_goes_to_a_worker_that_has_nothing_to_do() {
    let (mut tx, mut rx) = channel(8).unwrap();
    let mut workers: Vec<_> = (0..3).map(|_| rx.join().unwrap()).collect();
    // Round and round, as long as all are idle.
    (0..8).for_each(|i| tx.try_send(i).unwrap());
    assert_eq!(rx.len(), 2);
    assert!(workers.iter().all(|worker| worker.len() == 2));
    // The second one finds nothing more: it is the only one that waits for work.
    assert_eq!(workers[1].try_iter().count(), 2);
    tx.try_send(8).unwrap();
    assert_eq!(workers[1].try_recv(), Ok(8));
    // It took that one and has not looked since: it may be busy with it for long, and another is as good.
    tx.try_send(9).unwrap();
    assert_eq!((workers[1].len(), workers[2].len()), (0, 3));
    assert_eq!(workers[1].try_recv(), Err(TryRecvError::Empty));
    tx.try_send(10).unwrap();
    assert_eq!(workers[1].try_recv(), Ok(10));
    assert_eq!(rx.try_recv(), Ok(0));
}

#[test]
fn full_only_if_no_lane_has_room() {
    for workers in [1, 2, 9, 40] {
        let (mut tx, mut rx) = channel(3).unwrap();
        let mut others: Vec<_> = (1..workers).map(|_| rx.join().unwrap()).collect();
        assert_eq!((0..).take_while(|i| tx.try_send(*i).is_ok()).count(), 3 * workers);
        assert!(tx.is_full() && rx.is_full() && others.iter().all(Receiver::is_full));
        let last = others.last_mut().unwrap_or(&mut rx);
        last.try_recv().unwrap();
        tx.try_send(7).unwrap();
        assert_eq!(tx.try_send(8), Err(TrySendError::Full(8)));
    }
}

#[test]
fn what_a_worker_has_not_begun_goes_to_the_others_in_order() {
    let (mut tx, mut first) = channel(4).unwrap();
    let mut second = first.join().unwrap();
    (0..8).for_each(|i| tx.try_send(i).unwrap());
    assert_eq!(first.try_recv(), Ok(0));
    drop(first);
    assert_eq!((tx.len(), second.len()), (7, 4));
    // First those, and in order; then its own.
    assert_eq!(second.try_iter().collect::<Vec<_>>(), [2, 4, 6, 1, 3, 5, 7]);
    assert_eq!((second.try_recv(), tx.len()), (Err(TryRecvError::Empty), 0));
    tx.try_send(8).unwrap();
    assert_eq!(second.try_recv(), Ok(8));
}

#[test]
fn a_worker_that_joins_later_gets_what_the_last_one_left() {
    let (mut tx, rx) = channel(4).unwrap();
    let hub = rx.hub().unwrap();
    (0..4).for_each(|i| tx.try_send(i).unwrap());
    drop(rx);
    assert_eq!(tx.try_send(9), Err(TrySendError::Full(9)), "a worker may come");
    assert!(!tx.is_closed());
    let mut rx = hub.join().unwrap();
    tx.try_send(4).unwrap();
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[test]
fn without_a_worker_a_send_waits_for_one() {
    ends(|| {
        let (mut tx, hub) = Builder::new(2).build_hub().unwrap();
        assert_send_sync(&hub);
        assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
        assert_eq!(tx.send_timeout(1, SHORT), Err(SendTimeoutError::Timeout(1)));
        let sender = thread::spawn(move || tx.send(1).map(|()| tx));
        let_it_sleep();
        let mut rx = hub.join().unwrap();
        assert_eq!(rx.recv(), Ok(1));
        drop(sender.join().unwrap());
        assert_eq!(rx.recv(), Err(RecvError));
    });
}

#[test]
fn without_a_handle_a_send_fails_and_the_rest_can_be_taken_back() {
    let ledger = Ledger::default();
    let (mut tx, rx) = channel(4).unwrap();
    let other = rx.join().unwrap();
    (0..6).for_each(|_| tx.try_send(ledger.value()).ok().unwrap());
    drop(rx);
    assert!(!tx.is_closed());
    drop(other);
    assert!(tx.is_closed());
    assert!(tx.try_send(ledger.value()).is_err_and(|why| why.is_disconnected()));
    assert_eq!(tx.hub().err(), Some(BuildError::Disconnected));
    let taken: Vec<_> = tx.take_back().take(2).map(|value| value.id).collect();
    assert_eq!(taken, [0, 2], "the first worker's, which left first");
    assert_eq!(ledger.drops().iter().sum::<u32>(), 3);
    drop(tx);
    ledger.settle();
}

#[test]
fn the_sender_can_take_back_what_was_left_while_others_are_there() {
    let (mut tx, first) = channel(2).unwrap();
    let mut second = first.join().unwrap();
    (0..4).for_each(|i| tx.try_send(i).unwrap());
    drop(first);
    assert_eq!(tx.take_back().collect::<Vec<_>>(), [0, 2]);
    assert_eq!(second.try_iter().collect::<Vec<_>>(), [1, 3]);
}

/// The sender has gone; a worker waits; another leaves what it has not begun.
#[test]
fn a_worker_that_waits_at_the_end_gets_what_another_leaves() {
    ends(|| {
        let (mut tx, first) = channel(16).unwrap();
        let mut second = first.join().unwrap();
        (0..20).for_each(|i| tx.try_send(i).unwrap());
        drop(tx);
        let waiter = thread::spawn(move || second.iter().collect::<BTreeSet<_>>());
        let_it_sleep();
        assert!(!waiter.is_finished(), "the end has not come: there is work that is not done");
        drop(first);
        assert_eq!(waiter.join().unwrap(), (0..20).collect());
    });
}

#[test]
fn the_end_comes_once_every_message_was_received() {
    let (mut tx, mut first) = channel(4).unwrap();
    let mut second = first.join().unwrap();
    let hub = tx.hub().unwrap();
    (0..2).for_each(|i| tx.try_send(i).unwrap());
    drop(tx);
    assert!(first.is_closed());
    assert_eq!((first.try_recv(), first.try_recv()), (Ok(0), Err(TryRecvError::Empty)));
    // One that joins now would get what is left.
    let mut third = hub.join().unwrap();
    assert_eq!(third.try_recv(), Err(TryRecvError::Empty));
    assert_eq!((second.try_recv(), second.try_recv()), (Ok(1), Err(TryRecvError::Disconnected)));
    assert_eq!(third.try_recv(), Err(TryRecvError::Disconnected));
    assert_eq!(first.try_recv(), Err(TryRecvError::Disconnected));
    assert_eq!(hub.join().err(), Some(BuildError::Disconnected));
}

#[test]
fn a_worker_that_closes_finishes_its_lane_and_takes_nothing_else() {
    let (mut tx, mut first) = channel(2).unwrap();
    let mut second = first.join().unwrap();
    (0..4).for_each(|i| tx.try_send(i).unwrap());
    first.close();
    first.close();
    drop(second.join().unwrap());
    assert_eq!(tx.try_send(9), Err(TrySendError::Full(9)));
    assert_eq!(second.try_recv(), Ok(1));
    tx.try_send(4).unwrap();
    assert_eq!(first.try_iter().collect::<Vec<_>>(), [0, 2]);
    assert_eq!(first.try_recv(), Err(TryRecvError::Disconnected));
    assert_eq!((first.len(), first.recv_timeout(SHORT).is_err(), first.is_empty()), (0, true, true));
    assert_eq!(second.try_iter().collect::<Vec<_>>(), [3, 4]);
    assert_eq!(tx.worker_count(), 1);
}

#[test]
fn a_message_that_was_looked_at_is_handed_on_too() {
    let (mut tx, first) = channel(4).unwrap();
    let (mut second, mut third) = (first.join().unwrap(), first.join().unwrap());
    (0..3).for_each(|i| tx.try_send(i).unwrap());
    drop(first);
    // It has 0 in its hand, and leaves.
    assert_eq!(second.peek(), Ok(&0));
    assert_eq!(second.len(), 2);
    assert_eq!(second.read_chunk(4).unwrap().len(), 1);
    drop(second);
    assert_eq!(third.try_iter().collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn a_guard_that_is_leaked_stops_nothing() {
    let (mut tx, first) = channel(1).unwrap();
    let mut second = first.join().unwrap();
    tx.try_send(0).unwrap();
    drop(first);
    let mut taken = second.read_chunk(1).unwrap().into_iter();
    assert_eq!(taken.next(), Some(0));
    std::mem::forget(taken);
    let third = second.join().unwrap();
    tx.try_send(1).unwrap();
    tx.try_send(2).unwrap();
    drop(third);
    let mut all: Vec<i32> = second.try_iter().collect();
    all.sort_unstable();
    assert_eq!(all, [1, 2]);
}

#[test]
fn all_receiving_verbs_take_what_others_left() {
    let (mut tx, first) = channel(16).unwrap();
    let mut second = first.join().unwrap();
    let fill = |tx: &mut Sender<i32>, first: Receiver<i32>, second: &Receiver<i32>| {
        assert_eq!(tx.send_iter(0..8), Ok(8));
        drop(first);
        second.join().unwrap()
    };
    let order = [0, 2, 4, 6, 1, 3, 5, 7];
    let first = fill(&mut tx, first, &second);
    let mut buffer = vec![];
    assert_eq!(second.try_recv_many(&mut buffer, 100), Ok(8));
    assert_eq!(buffer, order);
    let first = fill(&mut tx, first, &second);
    buffer.clear();
    while buffer.len() < 8 {
        second.recv_many(&mut buffer, 3).unwrap();
    }
    buffer.sort_unstable();
    assert_eq!(buffer, [0, 1, 2, 3, 4, 5, 6, 7]);
    let first = fill(&mut tx, first, &second);
    let mut sum = 0;
    assert_eq!(second.drain(100, |i| sum += i), 8);
    assert_eq!(sum, 28);
    let _first = fill(&mut tx, first, &second);
    assert_eq!(second.try_recv_with(|i| *i).map(|_| second.recv_with(|_| ())), Ok(Ok(())));
    assert_eq!(second.try_iter().count(), 6);
}

#[test]
fn several_channels_on_one_event_count() {
    ends(|| {
        let event = EventCount::new();
        let (mut tx1, hub1) = Builder::new(2).build_hub().unwrap();
        let (mut tx2, hub2) = Builder::new(2).build_hub().unwrap();
        let mut rx1 = hub1.join_with_event(event.clone()).unwrap();
        let mut rx2 = hub2.join_with_event(event.clone()).unwrap();
        let sender = thread::spawn(move || {
            let_it_sleep();
            tx2.send(5).unwrap();
            let_it_sleep();
            // One that leaves wakes it too.
            let other = hub1.join().unwrap();
            tx1.send(6).unwrap();
            tx1.send(7).unwrap();
            drop(other);
            tx1
        });
        let mut got = vec![];
        while got.len() < 3 {
            assert!(event.wait(None, || !rx1.is_empty() || !rx2.is_empty()));
            got.extend(rx1.try_iter());
            got.extend(rx2.try_iter());
        }
        got.sort_unstable();
        assert_eq!(got, [5, 6, 7]);
        drop((sender.join().unwrap(), rx1, rx2));
        assert_eq!(event.departures(), 0);
    });
}

#[test]
fn departures_of_workers_that_the_sender_never_saw_are_not_kept() {
    let event = EventCount::new();
    let (tx, hub) = Builder::new(2).build_hub::<u8>().unwrap();
    for _ in 0..10 {
        drop(hub.join_with_event(event.clone()).unwrap());
    }
    assert_eq!(event.departures(), 0);
    let seen = hub.join_with_event(event.clone()).unwrap();
    let mut tx = tx;
    tx.try_send(1).unwrap();
    drop(seen);
    drop(tx);
    assert_eq!(event.departures(), 0);
}

#[test]
fn counts_and_names() {
    let (mut tx, mut rx) = channel(2).unwrap();
    let other = rx.join().unwrap();
    let hub: Hub<i32> = rx.hub().unwrap();
    assert_eq!((hub.worker_count(), tx.worker_count(), format!("{hub:?}")), (2, 2, "Hub { workers: 2, .. }".into()));
    assert_eq!(tx.try_send_slice(&[1, 2, 3, 4, 5]), Ok(4));
    assert!(tx.try_send(5).is_err());
    assert_eq!((tx.capacity(), rx.capacity(), tx.len()), (4, 2, 4));
    assert_eq!(rx.try_recv(), Ok(1));
    let stats = tx.stats();
    assert_eq!((stats.sent, stats.received, stats.depth, stats.full), (4, 1, 3, 1));
    drop(other);
    assert_eq!((tx.stats().depth, rx.stats().sent), (3, 2));
    assert_eq!(rx.try_iter().count(), 3);
    assert_eq!((tx.stats().received, tx.stats().depth), (4, 0));
    assert!(format!("{tx:?} {rx:?}").contains("Sender"));
}

#[test]
fn impossible_capacities_are_errors() {
    assert_eq!(channel::<u8>(0).unwrap_err(), BuildError::ZeroCapacity);
    assert!(matches!(Builder::new(usize::MAX).build_hub::<u8>(), Err(BuildError::CapacityTooLarge { .. })));
    let (_tx, hub) = Builder::new(1 << 30).build_hub::<[u8; 1 << 30]>().unwrap();
    assert_eq!(
        hub.join().err(),
        Some(BuildError::OutOfMemory { bytes: Some(1 << 60) }),
        "a lane is made when one joins"
    );
}

/// Workers join and leave while the sender sends, and some panic: each message is received once.
#[test]
fn each_message_is_received_once_whatever_the_workers_do() {
    const N: u64 = 40_000;
    for (capacity, keyed) in [(1, false), (2, true), (16, false), (64, true)] {
        ends(move || {
            let (mut tx, hub) = Builder::new(capacity).build_hub().unwrap();
            let crews: Vec<_> = (0..4u64)
                .map(|crew| {
                    let hub = hub.clone();
                    thread::spawn(move || {
                        let (mut seen, mut turn) = (vec![], crew);
                        // A crew's workers follow one another until all is over.
                        while let Ok(mut rx) = hub.join() {
                            turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                            let stay = turn >> 40 & 511;
                            let left = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                                for _ in 0..stay {
                                    match turn >> 50 & 3 {
                                        0 => seen.extend(rx.recv()),
                                        1 => seen.extend(rx.try_recv()),
                                        2 => seen.extend(rx.recv_timeout(Duration::from_micros(50))),
                                        _ => drop(rx.recv_many(&mut seen, 3)),
                                    }
                                }
                                match turn >> 60 & 3 {
                                    0 => panic!("in the middle of work"),
                                    1 => {
                                        rx.close();
                                        seen.extend(rx.recv());
                                    }
                                    _ => {}
                                }
                                // Drops what it has not begun.
                                drop(rx);
                            }));
                            drop(left);
                        }
                        seen
                    })
                })
                .collect();
            drop(hub);
            for i in 0..N {
                if keyed { tx.send_by_key(&(i % 17), i).unwrap() } else { tx.send(i).unwrap() }
            }
            drop(tx);
            let mut all: Vec<_> = crews.into_iter().flat_map(|crew| crew.join().unwrap()).collect();
            assert_eq!(all.len() as u64, N);
            all.sort_unstable();
            assert!(all.iter().copied().eq(0..N));
        });
    }
}

#[test]
fn two_that_leave_at_once_while_a_third_sleeps() {
    ends(|| {
        for round in 0..300 {
            let (mut tx, a) = channel(8).unwrap();
            let (b, mut c) = (a.join().unwrap(), a.join().unwrap());
            let taker = thread::spawn(move || (0..12).map(|_| c.recv().unwrap()).collect::<BTreeSet<_>>());
            let leavers = [a, b].map(|rx| {
                thread::spawn(move || {
                    if round % 2 == 0 {
                        until(|| !rx.is_empty());
                    }
                    drop(rx);
                })
            });
            (0..12).for_each(|i| tx.send(i).unwrap());
            assert_eq!(taker.join().unwrap(), (0..12).collect());
            let _ = leavers.map(|leaver| leaver.join().unwrap());
        }
    });
}

#[test]
fn one_at_work_on_what_another_left_is_not_idle() {
    for _ in 0..4 {
        let (mut tx, mut a) = channel(4).unwrap();
        let (mut b, mut c) = (a.join().unwrap(), a.join().unwrap());
        tx.try_send(0).unwrap();
        assert_eq!(a.try_recv(), Ok(0));
        for worker in [&mut a, &mut b, &mut c] {
            assert_eq!(worker.try_recv(), Err(TryRecvError::Empty));
        }
        while a.is_empty() {
            // To whichever is next: the others say again that they have nothing.
            tx.try_send(1).unwrap();
            let _ = (b.try_recv(), c.try_recv());
            let _ = (b.try_recv(), c.try_recv());
        }
        drop(a);
        assert_eq!(b.try_recv(), Ok(1));
        for message in 2..5 {
            // `b` is at work, `c` has nothing to do.
            tx.try_send(message).unwrap();
            assert_eq!(c.try_recv(), Ok(message));
            assert_eq!(c.try_recv(), Err(TryRecvError::Empty));
        }
    }
}

#[test]
fn full_is_what_a_send_finds() {
    let (mut tx, a) = channel(1).unwrap();
    let mut b = a.join().unwrap();
    assert!(!tx.is_full());
    tx.try_send(1).unwrap();
    tx.try_send(2).unwrap();
    assert!(tx.is_full());
    drop(a);
    assert!(tx.try_send(3).is_err() && tx.is_full(), "what another has left takes no room, and gives none");
    assert_eq!((b.try_recv().is_ok(), b.try_recv().is_ok()), (true, true));
    assert!(!tx.is_full());
    tx.try_send(3).unwrap();
}
