//! Leaving a mesh: in order, by a panic, or by never coming. Nobody hangs, nothing is lost or dropped twice.

use crate::support::{Ledger, ends, let_it_sleep, until};
use ringmail::mesh::{
    Builder, Cause, Disconnected, DrainError, Endpoint, JoinError, Peers, Ready, RecvError, RecvTimeoutError, Role,
    Seat, TryRecvError, TrySendError,
};
use ringmail::wait::waker_fn;
use std::panic::resume_unwind;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(200);

fn mesh<T>(shards: usize, capacity: usize) -> Vec<Seat<T>> {
    Builder::new().shards(shards).capacity(capacity).build().unwrap()
}

fn gone(peer: usize, cause: Cause) -> Disconnected {
    Disconnected { peer, cause }
}

fn panicked(peer: usize, message: &str) -> Disconnected {
    gone(peer, Cause::Panicked(Some(message.into())))
}

/// A shard on a thread of its own, without the words of its panic.
fn shard<T: Send + 'static, R: Send + 'static>(
    seat: Seat<T>,
    f: impl FnOnce(&mut Endpoint<T>) -> R + Send + 'static,
) -> JoinHandle<R> {
    thread::spawn(move || seat.run(f).unwrap())
}

/// A panic that the test's output need not show.
fn fail(message: &'static str) -> ! {
    resume_unwind(Box::new(message))
}

#[test]
fn what_was_sent_before_a_close_is_received_and_then_the_end() {
    ends(|| {
        let mut seats = mesh(3, 8).into_iter();
        let mut me = seats.next().unwrap().join().unwrap();
        let others: Vec<_> = seats
            .map(|seat| {
                shard(seat, |me| {
                    for i in 0..5 {
                        me.send_to(0, i).unwrap();
                    }
                    me.close();
                    let refused = me.try_send_to(0, 9).unwrap_err();
                    assert_eq!(refused, me.send_to(0, 9).unwrap_err().into());
                    // It still receives.
                    assert_eq!(me.recv_from(0), Ok(100));
                    assert_eq!(me.recv_from(0), Err(RecvError(gone(0, Cause::Closed))));
                })
            })
            .collect();
        let mut next = [0; 3];
        for _ in 0..10 {
            let (from, i) = me.recv().unwrap();
            assert_eq!(i, next[from]);
            next[from] += 1;
        }
        assert_eq!(me.recv(), Err(RecvError(Peers::All)));
        assert_eq!((me.try_recv(), me.park()), (Err(TryRecvError::Disconnected(Peers::All)), Ready::AllDisconnected));
        assert_eq!(me.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected(Peers::All)));
        assert_eq!(me.broadcast(&100), 2, "they listen, though they send no more");
        assert_eq!(me.leave(LONG, |_, _| ()), Ok(0));
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

#[test]
fn all_leave_in_order_and_every_message_arrives() {
    ends(|| {
        let ledger = Ledger::default();
        let threads: Vec<_> = mesh(5, 2)
            .into_iter()
            .map(|seat| {
                let ledger = ledger.clone();
                thread::spawn(move || {
                    let mut me = seat.join().unwrap();
                    let (id, mut received) = (me.id(), 0);
                    for peer in (0..500).map(|i| (id + 1 + i % 4) % 5) {
                        assert!(me.send_or_poll_to(peer, ledger.value(), |_, _| received += 1).is_ok());
                    }
                    received + me.leave(LONG, |_, _| ()).unwrap()
                })
            })
            .collect();
        assert_eq!(threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>(), 2500);
        ledger.settle();
        assert_eq!(ledger.made(), 2500);
    });
}

#[test]
fn what_is_not_received_is_dropped_once_with_its_receiver() {
    let ledger = Ledger::default();
    let mut seats = mesh(3, 4).into_iter();
    let mut a = seats.next().unwrap().join().unwrap();
    let (mut b, unjoined) = (seats.next().unwrap().join().unwrap(), seats.next().unwrap());
    for peer in [1, 1, 2] {
        assert!(a.try_send_to(peer, ledger.value()).is_ok());
    }
    assert!(b.try_send_to(0, ledger.value()).is_ok());
    drop(b);
    assert_eq!(ledger.drops(), [1, 1, 0, 0], "at once, and only those to it");
    drop(unjoined);
    assert_eq!(ledger.drops(), [1, 1, 1, 0]);
    assert!(!a.try_send_to(1, ledger.value()).unwrap_err().is_full());
    assert!(a.try_recv().is_ok(), "what it sent before is still there");
    drop(a);
    ledger.settle();
}

#[test]
fn an_unanswered_drain_ends_in_time_and_names_the_open_peers() {
    let mut seats = mesh::<u8>(3, 4).into_iter();
    let mut a = seats.next().unwrap().join().unwrap();
    let (mut b, c) = (seats.next().unwrap().join().unwrap(), seats.next().unwrap().join().unwrap());
    b.try_send_to(0, 1).unwrap();
    b.close();
    let (start, mut got) = (Instant::now(), vec![]);
    let error = a.drain(Duration::from_millis(20), |from, v| got.push((from, v))).unwrap_err();
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert_eq!(error, DrainError { received: 1, disconnected: vec![], open: vec![2] });
    assert_eq!(got, [(1, 1)]);
    assert!(error.to_string().contains("[2]"), "{error}");
    drop(c);
    assert_eq!(a.leave(LONG, |_, _| ()), Ok(0));
}

#[test]
fn a_shard_that_panics_tells_its_cause_to_all_and_wakes_them() {
    ends(|| {
        let mut seats = mesh::<u32>(5, 1).into_iter();
        let mut me = seats.next().unwrap().join().unwrap();
        let failing = seats.next().unwrap();
        let cause = || panicked(1, "out of luck");
        let receives = shard(seats.next().unwrap(), move |me| {
            assert_eq!(me.recv(), Err(RecvError(Peers::One(cause()))), "blocked");
            me.send_to(0, 2).unwrap();
            assert_eq!(me.recv_from(1), Err(RecvError(cause())));
        });
        let sends = shard(seats.next().unwrap(), move |me| {
            me.send_to(1, 0).unwrap();
            let error = me.send_to(1, 1).unwrap_err();
            assert_eq!((error.0, error.1), (1, cause()), "blocked");
        });
        let polls = shard(seats.next().unwrap(), move |me| {
            me.send_to(1, 0).unwrap();
            let error = me.send_or_poll_to(1, 1, |_, _| ()).unwrap_err();
            assert_eq!(error.1, cause(), "blocked");
            until(|| me.poll(9, |_, _| ()).disconnected);
            assert_eq!((me.next_disconnected(), me.next_disconnected()), (Some(cause()), None), "once");
        });
        let failing = shard(failing, |me| {
            me.send_to(0, 1).unwrap();
            let_it_sleep();
            if me.id() == 1 {
                fail("out of luck");
            }
        });
        // First what it sent, then how it ended, once; the others go on.
        let mut said = Vec::new();
        while said.len() < 3 {
            said.push(me.recv());
        }
        assert_eq!(said.iter().filter(|said| **said == Err(RecvError(Peers::One(cause())))).count(), 1);
        assert!(said.iter().position(|said| *said == Ok((1, 1))) < said.iter().position(Result::is_err));
        assert!(said.contains(&Ok((2, 2))));
        assert_eq!(me.try_send_to(1, 3).unwrap_err().to_string(), "peer 1 panicked: out of luck");
        assert_eq!(failing.join().unwrap_err().downcast_ref(), Some(&"out of luck"), "the panic goes on");
        for shard in [receives, sends, polls] {
            shard.join().unwrap();
        }
        assert_eq!(me.recv(), Err(RecvError(Peers::All)));
    });
}

#[test]
fn an_endpoint_or_a_seat_dropped_by_a_panic_says_so() {
    ends(|| {
        let mut seats = mesh::<u32>(3, 1).into_iter();
        let mut me = seats.next().unwrap().join().unwrap();
        let endpoint = seats.next().unwrap();
        let seat = seats.next().unwrap();
        let threads = [
            thread::spawn(move || {
                let _endpoint = endpoint.join().unwrap();
                fail("unheard");
            }),
            thread::spawn(move || {
                let _seat = seat;
                fail("unheard");
            }),
        ];
        let mut lost = [me.recv().unwrap_err(), me.recv().unwrap_err()];
        lost.sort_by_key(|error| matches!(error, RecvError(Peers::One(Disconnected { peer: 2, .. }))));
        assert_eq!(lost, [1, 2].map(|peer| RecvError(Peers::One(gone(peer, Cause::Panicked(None))))));
        assert_eq!(me.recv(), Err(RecvError(Peers::All)));
        let error = me.drain(LONG, |_, _| ());
        assert_eq!(error, Ok(0), "who is lost was told");
        threads.into_iter().for_each(|thread| assert!(thread.join().is_err()));
    });
}

/// What a shard says to all as it goes does not end with a value whose `drop` panics then.
#[test]
fn a_value_that_panics_as_its_receiver_leaves_wakes_all() {
    use std::sync::mpsc::{Receiver, Sender, channel};

    enum Value {
        /// Its drop says so and takes until it is told to end.
        Slow(Sender<()>, Receiver<()>),
        Bomb,
    }
    impl Drop for Value {
        fn drop(&mut self) {
            match self {
                Self::Slow(begun, end) => (begun.send(()).unwrap(), end.recv().unwrap()).1,
                Self::Bomb => resume_unwind(Box::new("in drop")),
            }
        }
    }

    let roles = [Role::Producer, Role::Consumer, Role::Consumer];
    let mut seats = Builder::new().roles(roles).capacity(4).build::<Value>().unwrap().into_iter();
    let mut me = seats.next().unwrap().join().unwrap();
    let (leave, told_to_leave) = channel();
    let leaver = shard(seats.next().unwrap(), move |_| told_to_leave.recv().unwrap());
    let (asleep, falls_asleep) = channel();
    let sleeper = shard(seats.next().unwrap(), move |me| {
        let (ring, rings) = channel();
        let hook = waker_fn(move || _ = ring.send(()));
        let armed = me.arm(&hook).unwrap();
        asleep.send(()).unwrap();
        armed.sleep(|_| rings.recv_timeout(Duration::from_secs(60))).expect("somebody rings");
        assert_eq!(me.recv().map(drop), Err(RecvError(Peers::All)));
    });
    let ((begun, begins), (end, ends)) = (channel(), channel());
    assert!(me.try_send_to(1, Value::Slow(begun, ends)).is_ok());
    // The bomb is published between the leaver's last look at its lane and its end: its sender says so, and the leaver looks again.
    let mut last = std::iter::once_with(|| {
        leave.send(()).unwrap();
        begins.recv().unwrap();
        Value::Bomb
    });
    assert_eq!(me.try_send_iter_to(1, &mut last), Ok(1));
    end.send(()).unwrap();
    assert!(leaver.join().is_err(), "the bomb is the leaver's to drop");
    falls_asleep.recv().unwrap();
    drop(me);
    sleeper.join().unwrap();
}

#[test]
fn a_seat_that_is_dropped_never_joins() {
    ends(|| {
        let mut seats = mesh::<u32>(3, 1).into_iter();
        let mut me = seats.next().unwrap().join().unwrap();
        me.send_to(1, 1).unwrap();
        let dropped = seats.next().unwrap();
        let dropper = thread::spawn(move || {
            let_it_sleep();
            drop(dropped);
        });
        let error = me.send_to(1, 2).unwrap_err();
        assert_eq!((error.0, error.1), (2, gone(1, Cause::NeverJoined)));
        assert_eq!(me.recv(), Err(RecvError(Peers::One(gone(1, Cause::NeverJoined)))));
        dropper.join().unwrap();
        drop(seats);
        let lost = vec![gone(2, Cause::NeverJoined)];
        assert_eq!(me.leave(LONG, |_, _| ()), Err(DrainError { received: 0, disconnected: lost, open: vec![] }));
    });
}

/// Tries in vain until it is told that it tries in vain.
fn refused<R, V>(mut attempt: impl FnMut() -> Result<R, TrySendError<V, Disconnected>>) -> Disconnected {
    let start = Instant::now();
    loop {
        match attempt() {
            Err(TrySendError::Disconnected(_, gone)) => return gone,
            _ => assert!(start.elapsed() < Duration::from_secs(60), "it is told nothing"),
        }
        thread::yield_now();
    }
}

#[test]
fn a_seat_that_is_not_taken_hangs_no_peer() {
    // Within this time the others must be there, also on a busy machine.
    const LIMIT: Duration = Duration::from_secs(2);
    // One verb a round: each must end by itself.
    let verbs: [fn(&mut Endpoint<u32>) -> Disconnected; 9] = [
        |me| me.recv_from(1).unwrap_err().0,
        |me| me.send_to(1, 2).unwrap_err().1,
        |me| me.send_or_poll_to(1, 2, |_, _| ()).unwrap_err().1,
        |me| match me.recv_timeout(LONG) {
            Err(RecvTimeoutError::Disconnected(Peers::One(gone))) => gone,
            other => panic!("{other:?}"),
        },
        |me| {
            assert_eq!((me.park(), me.park()), (Ready::Disconnected, Ready::Disconnected), "until it is told");
            me.next_disconnected().unwrap()
        },
        |me| {
            until(|| me.poll(1, |_, _| ()).disconnected);
            me.next_disconnected().unwrap()
        },
        |me| me.drain(3 * LIMIT, |_, _| ()).unwrap_err().disconnected.remove(0), // the third stays open
        // Who only ever tries does not wait.
        |me| refused(|| me.try_send_to(1, 2)),
        |me| refused(|| me.try_send_iter_to(1, &mut [2].into_iter())),
    ];
    // Side by side: each waits for as long.
    let rounds = verbs.map(|verb| {
        thread::spawn(move || {
            let mut seats =
                Builder::new().shards(3).capacity(1).join_deadline(LIMIT).build::<u32>().unwrap().into_iter();
            let start = Instant::now();
            let mut me = seats.next().unwrap().join().unwrap();
            let stuck = seats.next().unwrap();
            me.try_send_to(1, 1).unwrap();
            // The third is there, and sleeps without a clock of its own.
            let other = shard(seats.next().unwrap(), |me| {
                let told = me.recv();
                assert_eq!(told, Err(RecvError(Peers::One(gone(1, Cause::NeverJoined)))));
                assert_eq!(me.recv(), Err(RecvError(Peers::All)));
            });
            assert_eq!(verb(&mut me), gone(1, Cause::NeverJoined));
            assert!(start.elapsed() >= LIMIT, "not before its time");
            assert_eq!(me.try_send_to(1, 3).map_err(TrySendError::into_inner), Err(3));
            assert_eq!(stuck.join().unwrap_err(), JoinError::TooLate);
            drop(me);
            other.join().unwrap();
        })
    });
    ends(|| rounds.into_iter().for_each(|round| round.join().unwrap()));
}

#[test]
fn seats_may_be_taken_late_if_they_may() {
    ends(|| {
        let seats = Builder::new().shards(2).join_deadline(Duration::MAX).build::<u32>().unwrap();
        let [first, second]: [Seat<u32>; 2] = seats.try_into().unwrap();
        let mut me = first.join().unwrap();
        let late = thread::spawn(move || {
            let_it_sleep();
            second.join().unwrap().send_to(0, 1).unwrap();
        });
        assert_eq!((me.recv(), me.recv()), (Ok((1, 1)), Err(RecvError(Peers::All))));
        late.join().unwrap();
    });
}
