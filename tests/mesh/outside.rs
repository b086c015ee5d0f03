//! Threads that have no seat wake a shard; and sends to a peer as futures.

use crate::support::tasks::{block_on, poll};
use crate::support::{Wakes, ends, panics};
use ringmail::mesh::{Builder, Cause, Endpoint, Ready, SendError};
use ringmail::{FenceMode, TrySendError, WaitStrategy, mpsc, spsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

/// Two endpoints on this thread, lanes of `capacity`.
fn two<T>(capacity: usize) -> [Endpoint<T>; 2] {
    let seats = Builder::new().shards(2).capacity(capacity).fence_mode(FenceMode::Fence).build().unwrap();
    let [one, two] = seats.try_into().unwrap_or_else(|_| unreachable!("two were asked for"));
    [one.join().unwrap(), two.join().unwrap()]
}

#[test]
fn a_wake_ends_a_sleep_and_is_reported_once() {
    let [mut me, _peer] = two::<u32>(1);
    let shard = me.waker();
    assert_eq!(me.park_timeout(Duration::ZERO), None);
    let another = shard.clone();
    shard.wake_by_ref();
    another.wake();
    assert_eq!(me.park(), Ready::Woken, "once for both");
    assert_eq!(me.park_timeout(Duration::from_millis(1)), None);
    shard.wake();
    assert!(matches!(me.arm(Waker::noop()), Err(Ready::Woken)));
    let (wakes, reactor) = Wakes::new();
    let shard = me.waker();
    let armed = me.arm(&reactor).unwrap();
    shard.wake();
    assert_eq!((wakes.count(), armed.is_quiet()), (1, false));
    drop(armed);
    assert_eq!(me.park(), Ready::Woken);
}

#[test]
fn a_wake_comes_before_messages_and_takes_none() {
    let [mut me, mut peer] = two(2);
    peer.try_send_to(0, 1).unwrap();
    me.waker().wake();
    assert_eq!((me.park(), me.park()), (Ready::Woken, Ready::Message));
    me.waker().wake();
    assert_eq!(me.recv().unwrap(), (1, 1), "a receive does not end by it");
    drop(peer);
    assert_eq!((me.park(), me.park()), (Ready::Woken, Ready::AllDisconnected));
    let late = me.waker();
    drop(me);
    late.wake();
}

#[test]
fn a_wake_of_an_empty_seat_is_found_by_its_thread() {
    let mut seats = Builder::new().shards(2).build::<u32>().unwrap().into_iter();
    let (seat, _other) = (seats.next().unwrap(), seats.next().unwrap());
    seat.waker().wake();
    let mut me = seat.join().unwrap();
    assert_eq!(me.park(), Ready::Woken);
}

#[test]
fn threads_without_a_seat_hand_work_to_a_shard_that_sleeps() {
    const EACH: u64 = 300;
    for strategy in [WaitStrategy::Park, WaitStrategy::ParkAtOnce] {
        for mode in [FenceMode::Auto, FenceMode::Fence] {
            ends(move || {
                let seats = Builder::new().shards(2).wait(strategy).fence_mode(mode).build::<u32>().unwrap();
                let mut seats = seats.into_iter();
                let (seat, _other) = (seats.next().unwrap(), seats.next().unwrap());
                let ((jobs, mut inbox), shard) = (mpsc::channel(4).unwrap(), seat.waker());
                let shard_thread = thread::spawn(move || {
                    let (mut me, mut sum) = (seat.join().unwrap(), 0);
                    while !inbox.is_closed() || !inbox.is_empty() {
                        assert_eq!(me.park(), Ready::Woken);
                        sum += inbox.try_iter().sum::<u64>();
                    }
                    sum
                });
                let outside: Vec<_> = (0..3)
                    .map(|_| {
                        let (mut jobs, shard) = (jobs.clone(), shard.clone());
                        thread::spawn(move || {
                            for n in 0..EACH {
                                // A full queue makes room only once the shard is awake.
                                while let Err(TrySendError::Full(_)) = jobs.try_send(n) {
                                    shard.wake_by_ref();
                                    thread::yield_now();
                                }
                                shard.wake_by_ref();
                            }
                        })
                    })
                    .collect();
                outside.into_iter().for_each(|thread| thread.join().unwrap());
                drop(jobs);
                shard.wake();
                assert_eq!(shard_thread.join().unwrap(), 3 * (0..EACH).sum::<u64>());
            });
        }
    }
}

#[test]
fn a_channel_of_the_same_event_count_wakes_it_too() {
    ends(|| {
        let [mut me, _peer] = two::<u32>(1);
        let event = ringmail::wait::EventCount::with_waker(me.waker());
        let (mut tx, mut rx) = spsc::Builder::new(1).receiver_event(event.clone()).build().unwrap();
        let armed = event.arm().confirm(|| !rx.is_empty()).expect("nothing is there");
        tx.try_send(7).unwrap();
        assert_eq!(me.park(), Ready::Woken);
        drop(armed);
        assert_eq!(rx.try_recv(), Ok(7));
    });
}

#[test]
fn a_send_waits_for_room_and_is_woken_once() {
    let [mut me, mut peer] = two(1);
    let (wakes, waker) = Wakes::new();
    assert!(matches!(poll(&mut me.send_async_to(1, 1), &waker), Poll::Ready(Ok(()))));
    let mut send = me.send_async_to(1, 2);
    while poll(&mut send, &waker).is_pending() && wakes.take() != 0 {}
    assert_eq!(peer.recv().unwrap(), (0, 1));
    assert_eq!(wakes.count(), 1);
    assert!(matches!(poll(&mut send, &waker), Poll::Ready(Ok(()))));
    panics(|| poll(&mut send, &waker));
    assert_eq!(send.into_inner(), None);
    let mut cx = Context::from_waker(&waker);
    assert!(me.poll_ready_to(1, &mut cx).is_pending());
    assert_eq!(peer.recv().unwrap(), (0, 2));
    assert!(matches!(me.poll_ready_to(1, &mut cx), Poll::Ready(Ok(()))));
    me.try_send_to(1, 3).unwrap();
}

#[test]
fn a_send_that_is_given_up_returns_its_value_and_sends_nothing() {
    let [mut me, mut peer] = two(1);
    let (wakes, waker) = Wakes::new();
    me.try_send_to(1, "first".to_owned()).unwrap();
    assert_eq!(me.send_async_to(1, "never polled".into()).into_inner().as_deref(), Some("never polled"));
    let mut send = me.send_async_to(1, "pending".into());
    while poll(&mut send, &waker).is_pending() && wakes.take() != 0 {}
    assert_eq!(send.into_inner().as_deref(), Some("pending"));
    assert_eq!(peer.recv().unwrap().1, "first");
    assert_eq!(wakes.count(), 0, "its task does not wait any more");
    assert!(peer.try_recv().is_err());
}

#[test]
fn a_peer_that_is_gone_gives_the_value_back() {
    let [mut me, peer] = two(1);
    let (wakes, waker) = Wakes::new();
    me.try_send_to(1, 1).unwrap();
    let mut send = me.send_async_to(1, 2);
    while poll(&mut send, &waker).is_pending() && wakes.take() != 0 {}
    drop(peer);
    assert_eq!(wakes.count(), 1);
    let Poll::Ready(Err(SendError(2, gone))) = poll(&mut send, &waker) else { panic!("it gives the value back") };
    assert_eq!((gone.peer, gone.cause), (1, Cause::Closed));
    drop(send);
    let mut cx = Context::from_waker(&waker);
    assert!(matches!(me.poll_ready_to(1, &mut cx), Poll::Ready(Err(SendError((), _)))));
    let Err(SendError(3, none)) = block_on(me.send_async_to(7, 3)) else { panic!("there is no such lane") };
    assert_eq!(none.cause, Cause::NoLane);
}

#[test]
fn two_shards_send_to_each_other_as_tasks() {
    const N: u32 = 500;
    ends(|| {
        let mut seats = Builder::new().shards(2).capacity(2).build::<u32>().unwrap().into_iter();
        let (first, second) = (seats.next().unwrap(), seats.next().unwrap());
        let sender = thread::spawn(move || {
            let mut me = first.join().unwrap();
            block_on(async {
                for n in 0..N {
                    me.send_async_to(1, n).await.unwrap();
                }
            });
        });
        let mut me = second.join().unwrap();
        block_on(async {
            for n in 0..N {
                assert_eq!(me.recv_async().await.unwrap(), (0, n));
            }
        });
        sender.join().unwrap();
    });
}

#[test]
fn a_task_polls_for_messages_and_for_room_at_once() {
    let [mut me, mut peer] = two(1);
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    me.try_send_to(1, 1).unwrap();
    for room in [false, true] {
        while me.poll_recv(&mut cx).is_pending() && me.poll_ready_to(1, &mut cx).is_pending() && wakes.take() != 0 {}
        if room {
            peer.recv().unwrap();
        } else {
            peer.try_send_to(0, 9).unwrap();
        }
        assert_eq!(wakes.take(), 1, "room: {room}");
        if room {
            assert!(matches!(me.poll_ready_to(1, &mut cx), Poll::Ready(Ok(()))));
        } else {
            assert!(matches!(me.poll_recv(&mut cx), Poll::Ready(Ok((1, 9)))));
        }
    }
}
