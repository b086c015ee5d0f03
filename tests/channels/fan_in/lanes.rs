//! Lanes: what opens and closes them, what tells them apart, and what the receiver knows of all together.

use crate::support::tasks::block_on;
use crate::support::{Ledger, ends, let_it_sleep};
use ringmail::fan_in::{LaneOptions, Receiver, channel};
use ringmail::{BuildError, RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

#[test]
fn each_lane_has_its_own_room_of_the_capacity_asked_for() {
    for capacity in [1, 2, 3, 5, 64, 1000] {
        let (mut tx, mut rx) = channel(capacity).unwrap();
        let mut other = tx.lane().unwrap();
        assert_eq!((tx.capacity(), other.capacity()), (capacity, capacity));
        (0..capacity).for_each(|i| tx.try_send(i).unwrap());
        assert_eq!(tx.try_send(9), Err(TrySendError::Full(9)));
        (0..capacity).for_each(|i| other.try_send(i).unwrap());
        assert_eq!(other.try_send(9), Err(TrySendError::Full(9)));
        assert_eq!(rx.try_iter().count(), 2 * capacity);
    }
    assert_eq!(channel::<u8>(0).unwrap_err(), BuildError::ZeroCapacity);
    let requested = (1 << 30) + 1;
    assert_eq!(channel::<u8>(requested).unwrap_err(), BuildError::CapacityTooLarge { requested, max: 1 << 30 });
    assert!(matches!(channel::<[u8; 1 << 30]>(1 << 30), Err(BuildError::OutOfMemory { bytes: Some(_) })));
}

#[test]
fn every_lane_has_its_own_id_and_live_lanes_unlike_indices() {
    let (tx, mut rx) = channel::<u8>(1).unwrap();
    let lanes: Vec<_> = (0..20).map(|_| tx.lane().unwrap()).collect();
    let mut ids: Vec<_> = lanes.iter().chain([&tx]).map(|lane| lane.id()).collect();
    assert!(ids.iter().all(|id| id.generation() == 0 && id.index() < 21));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 21);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(rx.lane_count(), 21);
}

#[test]
fn a_drained_lanes_index_comes_back_with_the_next_generation() {
    let (tx, mut rx) = channel(2).unwrap();
    for generation in 0..5 {
        let mut lane = tx.lane().unwrap();
        let id = lane.id();
        assert_eq!((id.index(), id.generation()), (1, generation));
        assert_eq!(id.to_string(), if generation == 0 { "1".into() } else { format!("1.{generation}") });
        lane.try_send(generation).unwrap();
        drop(lane);
        assert_eq!(rx.try_recv_from(), Ok((id, generation)), "it is drained first");
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty), "here the receiver sees that its sender has gone");
        assert_eq!(rx.lane_count(), 1);
    }
}

#[test]
fn a_closed_sender_or_receiver_refuses_a_lane() {
    let (mut tx, mut rx) = channel::<u8>(1).unwrap();
    let mut other = tx.lane().unwrap();
    tx.close();
    assert_eq!(tx.lane().unwrap_err(), BuildError::Disconnected);
    assert!(other.lane().is_ok(), "that one is open");
    rx.close();
    assert_eq!(other.lane().unwrap_err(), BuildError::Disconnected);
    assert_eq!(other.lane_with(LaneOptions::new().priority(3)).unwrap_err(), BuildError::Disconnected);
    other.close();
    let (tx, rx) = channel::<u8>(1).unwrap();
    drop(rx);
    assert_eq!(tx.lane().unwrap_err(), BuildError::Disconnected);
}

#[test]
fn the_channel_closes_with_its_last_sender_and_is_drained_first() {
    let (mut tx, mut rx) = channel(4).unwrap();
    let mut other = tx.lane().unwrap();
    tx.try_send(1).unwrap();
    other.try_send(2).unwrap();
    tx.close();
    assert!(tx.is_closed() && !other.is_closed() && !rx.is_closed());
    assert_eq!(tx.try_send(9), Err(TrySendError::Disconnected(9)));
    tx.close();
    drop(other);
    assert!(rx.is_closed());
    let mut seen: Vec<_> = rx.try_iter().collect();
    seen.sort();
    assert_eq!(seen, [1, 2]);
    assert_eq!((rx.try_recv(), rx.recv()), (Err(TryRecvError::Disconnected), Err(RecvError)));
    assert_eq!((rx.lane_count(), rx.len()), (0, 0));
}

/// `last_lane`: the lane that the last message came from, and nothing before the first.
#[test]
fn no_lane_is_the_last_before_the_first_message() {
    let (tx, mut rx) = channel::<u8>(1).unwrap();
    assert_eq!(rx.last_lane(), None);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(rx.last_lane(), None, "a look that found nothing is no message");
    drop(tx);
}

#[test]
fn the_last_lane_stays_the_last_while_others_open() {
    let (mut tx, mut rx) = channel(1).unwrap();
    tx.try_send(1).unwrap();
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!(rx.last_lane(), Some(tx.id()));
    let _urgent = tx.lane_with(LaneOptions::new().priority(1)).unwrap();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(rx.last_lane(), Some(tx.id()));
}

#[test]
fn the_last_lane_stays_the_last_after_its_sender_has_gone() {
    let (tx, mut rx) = channel(1).unwrap();
    let mut lane = tx.lane().unwrap();
    let id = lane.id();
    lane.try_send(1).unwrap();
    drop(lane);
    assert_eq!((rx.try_recv(), rx.last_lane()), (Ok(1), Some(id)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(rx.last_lane(), Some(id), "the last message did come from there");
}

#[test]
fn every_verb_can_say_where_a_message_came_from() {
    let (mut one, mut rx) = channel(4).unwrap();
    let mut two = one.lane().unwrap();
    let (a, b) = (one.id(), two.id());
    assert_eq!(rx.try_recv_from(), Err(TryRecvError::Empty));
    assert_eq!(rx.recv_timeout_from(Duration::ZERO), Err(RecvTimeoutError::Timeout));
    assert!(rx.poll_recv_from(&mut Context::from_waker(Waker::noop())).is_pending());
    for i in 0..10 {
        let (tx, id) = if i % 2 == 0 { (&mut one, a) } else { (&mut two, b) };
        let mut send = || tx.try_send(i).unwrap();
        (0..6).for_each(|_| {
            send();
            match i % 6 {
                0 => assert_eq!(rx.try_recv_from(), Ok((id, i))),
                1 => assert_eq!(rx.recv_from(), Ok((id, i))),
                2 => assert_eq!(rx.recv_timeout_from(Duration::ZERO), Ok((id, i))),
                3 => assert_eq!(rx.poll_recv_from(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok((id, i)))),
                4 => assert_eq!(block_on(rx.recv_from_async()), Ok((id, i))),
                _ => assert_eq!(
                    (rx.read_chunk(1).map(|c| c.len()), rx.last_lane(), rx.try_recv()),
                    (Ok(1), Some(id), Ok(i))
                ),
            }
            assert_eq!(rx.last_lane(), Some(id));
        });
    }
    drop((one, two));
    assert_eq!(rx.try_recv_from(), Err(TryRecvError::Disconnected));
    assert_eq!((rx.recv_from(), block_on(rx.recv_from_async())), (Err(RecvError), Err(RecvError)));
    assert_eq!(rx.recv_timeout_from(Duration::MAX), Err(RecvTimeoutError::Disconnected));
}

#[test]
fn the_receiver_counts_the_sum_of_all_lanes_gone_ones_too() {
    let (mut one, mut rx) = channel(4).unwrap();
    let (mut two, mut three) = (one.lane().unwrap(), one.lane().unwrap());
    assert_eq!(one.send_slice(&[1; 4]), Ok(()));
    assert!(one.try_send(1).is_err());
    two.send_slice(&[2; 2]).unwrap();
    assert!(rx.peek().is_ok());
    assert_eq!((rx.len(), rx.capacity(), rx.is_empty(), rx.is_full()), (6, 12, false, false));
    three.send_slice(&[3; 4]).unwrap();
    two.send_slice(&[2; 2]).unwrap();
    assert!(rx.is_full());
    assert_eq!(rx.drain(5, drop), 5);
    let stats = rx.stats();
    assert_eq!((stats.sent, stats.received, stats.depth, stats.full), (12, 5, 7, 1));
    drop((one, two));
    assert_eq!(rx.try_iter().count(), 7);
    assert_eq!((rx.lane_count(), rx.capacity()), (1, 4));
    let stats = rx.stats();
    assert_eq!((stats.sent, stats.received, stats.depth, stats.full), (12, 12, 0, 1));
}

/// A receiver that sleeps is woken by what happens in a lane that did not exist when it fell asleep.
fn wakes_the_receiver(receive: fn(Receiver<u32>) -> Result<u32, RecvError>) {
    ends(move || {
        let (tx, rx) = channel(4).unwrap();
        let receiver = thread::spawn(move || receive(rx));
        let_it_sleep();
        let mut lane = tx.lane_with(LaneOptions::new().weight(2)).unwrap();
        let_it_sleep();
        lane.send(7).unwrap();
        assert_eq!(receiver.join().unwrap(), Ok(7));
    });
    ends(move || {
        let (tx, rx) = channel(4).unwrap();
        let other = tx.lane().unwrap();
        let receiver = thread::spawn(move || receive(rx));
        let_it_sleep();
        drop(tx);
        let_it_sleep();
        drop(other);
        assert_eq!(receiver.join().unwrap(), Err(RecvError), "the last one that leaves wakes it too");
    });
}

#[test]
fn a_new_lanes_message_wakes_a_sleeping_receiver() {
    wakes_the_receiver(|mut rx| rx.recv());
    wakes_the_receiver(|mut rx| block_on(rx.recv_async()));
    wakes_the_receiver(|mut rx| rx.recv_timeout(Duration::MAX).map_err(|_| RecvError));
    wakes_the_receiver(|mut rx| rx.recv_many(&mut Vec::new(), 3).map(|n| n as u32 + 6));
}

#[test]
fn a_receiver_that_leaves_wakes_blocked_senders_of_all_lanes() {
    for close in [true, false] {
        ends(move || {
            let (tx, mut rx) = channel(1).unwrap();
            let senders: Vec<_> = (0..4)
                .map(|i| {
                    let mut tx = tx.lane().unwrap();
                    tx.send(i).unwrap();
                    thread::spawn(move || tx.send(10 + i))
                })
                .collect();
            let_it_sleep();
            if close {
                rx.close()
            } else {
                drop(rx)
            }
            for (i, sender) in senders.into_iter().enumerate() {
                assert_eq!(sender.join().unwrap(), Err(SendError(10 + i)), "with its value");
            }
        });
    }
}

#[test]
fn an_unseen_lane_is_drained_after_a_close_dropped_at_the_end() {
    let (mut tx, mut rx) = channel(2).unwrap();
    tx.try_send(1).unwrap();
    tx.lane().unwrap().try_send(2).unwrap();
    rx.close();
    assert_eq!(tx.try_send(3), Err(TrySendError::Disconnected(3)));
    assert_eq!(rx.try_iter().sum::<u32>(), 3);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));

    let ledger = Ledger::default();
    let (mut tx, rx) = channel(2).unwrap();
    let mut other = tx.lane().unwrap();
    assert!(tx.try_send(ledger.value()).is_ok() && other.try_send(ledger.value()).is_ok());
    drop(rx);
    assert_eq!(ledger.drops(), [1, 1], "at once, with the senders alive");
}

/// An opener that finds the spare lanes in another's hands must not make one more: it would be there for good.
#[test]
fn lanes_opened_on_two_threads_serve_each_other() {
    let (tx, mut rx) = channel::<usize>(1).unwrap();
    let received: Arc<[AtomicUsize; 2]> = Arc::default();
    let senders: Vec<_> = [tx.lane().unwrap(), tx]
        .into_iter()
        .enumerate()
        .map(|(id, tx)| {
            let received = Arc::clone(&received);
            thread::spawn(move || {
                let mut most = 0;
                for round in 1..=10_000 {
                    let mut lane = tx.lane().unwrap();
                    most = most.max(lane.id().index());
                    lane.try_send(id).unwrap();
                    drop(lane);
                    while received[id].load(Ordering::Relaxed) < round {
                        thread::yield_now();
                    }
                }
                most
            })
        })
        .collect();
    for id in rx.iter() {
        received[id].fetch_add(1, Ordering::Relaxed);
    }
    let most = senders.into_iter().map(|sender| sender.join().unwrap()).max().unwrap();
    // Two for the handles that open, and for each of them one in use and one on its way back.
    assert!(most < 8, "{most} lanes for two at a time");
}
