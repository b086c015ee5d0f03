//! Sleeping on a mesh: one event count for all lanes both ways, whatever one sleeps on.

use crate::support::tasks::block_on;
use crate::support::{Wakes, ends, let_it_sleep};
use ringmail::mesh::{Builder, Endpoint, Peers, Ready, RecvError, Seat, TrySendError};
use ringmail::wait::waker_fn;
use ringmail::{FenceMode, WaitStrategy};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

fn seats<const N: usize>(capacity: usize, barrier: FenceMode) -> [Seat<u32>; N] {
    let seats = Builder::new().shards(N).capacity(capacity).fence_mode(barrier).build().unwrap();
    seats.try_into().unwrap()
}

fn joined<const N: usize>(capacity: usize) -> [Endpoint<u32>; N] {
    seats::<N>(capacity, FenceMode::Auto).map(|seat| seat.join().unwrap())
}

/// A hook that counts.
fn counting() -> (Arc<AtomicUsize>, Waker) {
    let calls = Arc::new(AtomicUsize::new(0));
    let hook = waker_fn({
        let calls = calls.clone();
        move || _ = calls.fetch_add(1, Ordering::SeqCst)
    });
    (calls, hook)
}

#[test]
fn a_message_room_and_the_end_wake_a_parked_endpoint() {
    ends(|| {
        let [me, peer, third] = seats(1, FenceMode::Auto);
        let mut me = me.join().unwrap();
        assert_eq!(me.park_timeout(Duration::ZERO), None);
        let start = Instant::now();
        assert_eq!(me.park_timeout(Duration::from_millis(10)), None);
        assert!(start.elapsed() >= Duration::from_millis(10));
        me.try_send_to(1, 1).unwrap();
        assert_eq!(me.try_send_to(1, 2), Err(TrySendError::Full(2)));
        let peers = [peer, third].map(|seat| {
            thread::spawn(move || {
                let mut me = seat.join().unwrap();
                if me.id() == 1 {
                    let_it_sleep();
                    assert_eq!(me.recv(), Ok((0, 1)));
                    let_it_sleep();
                    me.send_to(0, 5).unwrap();
                    // It leaves when the third has.
                    assert_eq!(me.recv(), Ok((2, 6)));
                } else {
                    assert_eq!(me.recv(), Ok((0, 3)));
                    me.send_to(1, 6).unwrap();
                }
            })
        });
        assert_eq!(me.park(), Ready::Room);
        assert_eq!(me.park(), Ready::Message, "room is told once");
        assert_eq!(me.park(), Ready::Message, "a message until it is taken");
        assert_eq!(me.recv(), Ok((1, 5)));
        me.try_send_to(2, 3).unwrap();
        assert_eq!(me.park(), Ready::AllDisconnected, "peers that close one by one are nothing to do");
        assert_eq!(me.recv(), Err(RecvError(Peers::All)));
        peers.into_iter().for_each(|peer| peer.join().unwrap());
        assert!(me.parks() > 0);
    });
}

#[test]
fn an_armed_endpoint_calls_its_waker_once_a_dropped_one_never() {
    let [mut me, mut a, mut b] = joined(2);
    let (calls, hook) = counting();
    let called = || calls.load(Ordering::SeqCst);
    a.try_send_to(0, 0).unwrap();
    assert_eq!(me.arm(&hook).unwrap_err(), Ready::Message);
    b.try_send_to(0, 0).unwrap();
    assert_eq!(called(), 0, "one that found something is disarmed");
    assert_eq!(me.poll(9, |_, _| ()).received, 2);
    drop(me.arm(&hook).unwrap());
    a.try_send_to(0, 1).unwrap();
    assert_eq!(called(), 0, "dropping it disarms");
    assert_eq!(me.poll(9, |_, _| ()).received, 1);
    for round in 1..=3 {
        let armed = me.arm(&hook).unwrap();
        assert!(armed.is_quiet());
        assert_eq!(armed.limit(), None, "all have joined");
        a.try_send_to(0, 1).unwrap();
        b.try_send_to(0, 2).unwrap();
        assert!(!armed.is_quiet());
        assert_eq!((armed.sleep(|_| "slept"), called()), ("slept", round), "one event for both");
        assert_eq!(me.poll(9, |_, _| ()).received, 2);
    }
    // Room is something to do, once.
    assert_eq!(me.try_send_iter_to(1, &mut (0..9)), Ok(2));
    assert!(me.try_send_to(1, 9).unwrap_err().is_full());
    let armed = me.arm(&hook).unwrap();
    a.try_recv().unwrap();
    assert!(!armed.is_quiet());
    drop(armed);
    assert_eq!((me.arm(&hook).unwrap_err(), called()), (Ready::Room, 4));
    let armed = me.arm(&hook).unwrap();
    drop(a);
    assert!(!armed.is_quiet(), "a close rings too");
    drop(armed);
    drop(me.arm(&hook).unwrap());
    drop(b);
    assert_eq!(me.arm(&hook).unwrap_err(), Ready::AllDisconnected);
}

#[test]
fn an_iterator_that_was_cut_short_waits_for_room() {
    let [mut me, mut peer] = joined(2);
    let (_, hook) = counting();
    assert_eq!(me.try_send_iter_to(1, &mut (0..2)), Ok(2));
    drop(me.arm(&hook).unwrap());
    peer.try_recv().unwrap();
    drop(me.arm(&hook).expect("all of it was sent: room is no news"));
    assert_eq!(me.try_send_iter_to(1, &mut (0..2)), Ok(1));
    let armed = me.arm(&hook).unwrap();
    peer.try_recv().unwrap();
    assert!(!armed.is_quiet());
    drop(armed);
    assert_eq!(me.arm(&hook).unwrap_err(), Ready::Room);
}

#[test]
fn an_armed_endpoint_is_told_until_when_a_missing_seat_may_come() {
    let [me, _missing] = seats(1, FenceMode::Auto);
    let mut me = me.join().unwrap();
    let (_, hook) = counting();
    let limit = me.arm(&hook).unwrap().limit().unwrap();
    assert!(limit <= Duration::from_secs(30) && limit > Duration::from_secs(10), "{limit:?}");
}

#[test]
fn an_event_that_never_sleeps_is_not_armed_but_polls() {
    ends(|| {
        let [me, peer] = seats(1, FenceMode::Never);
        let mut me = me.join().unwrap();
        let (_, hook) = counting();
        assert_eq!(me.arm(&hook).unwrap_err(), Ready::Again);
        let sender = thread::spawn(move || peer.join().unwrap().send_to(0, 7).unwrap());
        assert_eq!(me.park(), Ready::Message);
        assert_eq!((me.try_recv(), me.recv()), (Ok((1, 7)), Err(RecvError(Peers::All))));
        sender.join().unwrap();
        assert_eq!(me.parks(), 0);
    });
}

/// Every way to wait, against a peer that sends at its own pace and then leaves.
#[test]
fn no_message_is_slept_through() {
    const N: u32 = 2000;
    type Next = fn(&mut Endpoint<u32>) -> Option<(usize, u32)>;
    let ways: [Next; 5] = [
        |me| me.recv().ok(),
        |me| block_on(me.recv_async()).ok(),
        |me| loop {
            match me.try_recv() {
                Ok(message) => break Some(message),
                Err(_) if me.park() == Ready::AllDisconnected => break None,
                Err(_) => {}
            }
        },
        |me| loop {
            let mut got = None;
            let progress = me.poll(1, |from, value| got = Some((from, value)));
            thread::yield_now();
            if got.is_some() || progress.open == 0 {
                break got;
            }
        },
        |me| {
            let thread = thread::current();
            let hook = waker_fn(move || thread.unpark());
            loop {
                if let Ok(message) = me.try_recv() {
                    break Some(message);
                }
                match me.arm(&hook) {
                    Ok(armed) => armed.sleep(|_| thread::park()),
                    Err(Ready::AllDisconnected) => break None,
                    Err(_) => {}
                }
            }
        },
    ];
    for barrier in [FenceMode::Auto, FenceMode::Fence] {
        for next in ways {
            for strategy in [WaitStrategy::Park, WaitStrategy::ParkAtOnce] {
                ends(move || {
                    let seats = Builder::new().shards(4).capacity(2).fence_mode(barrier).wait(strategy).watch_after(3);
                    let mut seats = seats.build::<u32>().unwrap().into_iter();
                    let mut me = seats.next().unwrap().join().unwrap();
                    let senders: Vec<_> = seats
                        .map(|seat| {
                            thread::spawn(move || {
                                let mut me = seat.join().unwrap();
                                for i in 0..N {
                                    me.send_to(0, i).unwrap();
                                    if i % 64 == 0 {
                                        thread::sleep(Duration::from_micros(u64::from(i % 7) * 50));
                                    }
                                }
                            })
                        })
                        .collect();
                    let mut expected = [0; 4];
                    while let Some((from, value)) = next(&mut me) {
                        assert_eq!(value, expected[from]);
                        expected[from] += 1;
                    }
                    assert_eq!(expected, [0, N, N, N]);
                    senders.into_iter().for_each(|sender| sender.join().unwrap());
                });
            }
        }
    }
}

#[test]
fn a_future_that_is_dropped_has_taken_nothing() {
    let [mut me, mut peer] = joined(2);
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    {
        let mut receive = Box::pin(me.recv_async());
        assert!(receive.as_mut().poll(&mut cx).is_pending());
    }
    peer.try_send_to(0, 1).unwrap();
    assert_eq!(wakes.count(), 0, "it stood down");
    assert_eq!(me.poll_recv(&mut cx), Poll::Ready(Ok((1, 1))));
    assert!(me.poll_recv(&mut cx).is_pending());
    assert!(me.poll_recv(&mut cx).is_pending(), "again, by the same task");
    peer.try_send_to(0, 2).unwrap();
    assert_eq!(wakes.count(), 1);
    assert_eq!(me.poll_recv(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok((1, 2))));
}

/// Two tasks of one thread share an endpoint: one waits for messages, the other blocks for a moment. The first is not forgotten.
#[test]
fn a_verb_that_waits_hands_the_event_back_to_the_task() {
    let (_, hook) = counting();
    type Wait<'a> = &'a dyn Fn(&mut Endpoint<u32>);
    let waits: [Wait<'_>; 5] = [
        &|me| assert_eq!(me.park_timeout(Duration::from_micros(10)), None),
        &|me| assert!(me.send_timeout_to(1, 9, Duration::from_micros(10)).unwrap_err().is_timeout()),
        &|me| assert!(me.recv_timeout(Duration::from_micros(10)).is_err()),
        &|me| drop(me.arm(&hook).unwrap()),
        &|me| assert_eq!(me.poll(9, |_, _| ()).received, 0),
    ];
    for (round, wait) in waits.into_iter().enumerate() {
        let [me, peer, _third] = seats(1, FenceMode::Fence);
        let (mut me, mut peer) = (me.join().unwrap(), peer.join().unwrap());
        me.try_send_to(1, 0).unwrap();
        let (wakes, waker) = Wakes::new();
        let mut cx = Context::from_waker(&waker);
        assert!(me.poll_recv(&mut cx).is_pending());
        wait(&mut me);
        let mut told = wakes.count();
        if told != 0 {
            // As its executor does.
            assert!(me.poll_recv(&mut cx).is_pending());
            told = wakes.count();
        }
        peer.try_send_to(0, 1).unwrap();
        assert_eq!(wakes.count(), told + 1, "round {round}");
        assert_eq!(me.poll_recv(&mut cx), Poll::Ready(Ok((1, 1))));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_reactor_sleeps_on_one_descriptor_for_all_its_peers() {
    use ringmail::wait::EventFd;
    use rustix::event::{PollFd, PollFlags, poll};

    ends(|| {
        let mut seats = seats::<4>(2, FenceMode::Auto).into_iter();
        let mut me = seats.next().unwrap().join().unwrap();
        let fd = EventFd::new().unwrap();
        let hook = Waker::from(fd.clone());
        let senders: Vec<_> = seats
            .map(|seat| {
                thread::spawn(move || {
                    let mut me = seat.join().unwrap();
                    (0..1000).for_each(|i| me.send_to(0, i).unwrap());
                })
            })
            .collect();
        let mut received = 0;
        loop {
            received += me.poll(64, |_, _| ()).received;
            match me.arm(&hook) {
                // The descriptor itself, as a reactor would: what polls it need not know of this crate.
                Ok(armed) => {
                    armed.sleep(|_| poll(&mut [PollFd::new(&fd, PollFlags::IN)], None)).unwrap();
                    assert!(fd.clear().unwrap() > 0, "it woke for a ring");
                }
                Err(Ready::AllDisconnected) => break,
                Err(_) => {} // a poll says what
            }
        }
        assert_eq!(received, 3000);
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    });
}
