//! Endpoints of a mesh: each waits with one event count for messages and for room at once, sleeps in one of several ways, and leaves.

use crate::check::{model, outcomes, without_fences};
use crate::payload::{Counted, Drops, Unordered};
use loom::future::block_on;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use ringmail::FenceMode;
use ringmail::mesh::{Builder, Cause, Endpoint, Peers, Ready, RecvError, Role, Seat, TryRecvError};
use ringmail::wait::waker_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;
use std::time::Duration;

/// `N` seats, lanes of one message. Without a deadline to join: a sleep that may time out is one that may end at once.
fn seats<T, const N: usize>(barrier: FenceMode) -> [Seat<T>; N] {
    let builder = Builder::new().shards(N).capacity(1).join_deadline(Duration::MAX).fence_mode(barrier).watch_after(1);
    builder.build().unwrap().try_into().ok().unwrap()
}

/// Each sends two messages to each over lanes of one, and leaves in order: all of them arrive, once, in order. (With event counts that
/// are FENCED only one each: two and one are half a million executions, and hold.)
pub fn all_to_all_then_shutdown() {
    model("mesh::all_to_all_then_shutdown", Some(1), || all_to_all(FenceMode::Auto, 2, 2));
}

pub fn all_to_all_then_shutdown_fenced() {
    without_fences(|| model("mesh::all_to_all_then_shutdown_fenced", Some(1), || all_to_all(FenceMode::Fence, 1, 1)));
}

/// The first sends `m` messages, the second `n`.
fn all_to_all(barrier: FenceMode, m: u32, n: u32) {
    let drops = Drops::default();
    let [first, second] = seats(barrier);
    let shard = |seat: Seat<Counted>, values: Vec<Counted>| {
        move || {
            let mut me = seat.join().unwrap();
            let (peer, mut got) = (1 - me.id(), vec![]);
            for value in values {
                assert!(me.send_or_poll_to(peer, value, |from, value: Counted| got.push((from, value))).is_ok());
            }
            me.close();
            me.drain(Duration::MAX, |from, value| got.push((from, value))).unwrap();
            got.into_iter().map(|(from, value)| (from, value.id)).collect::<Vec<_>>()
        }
    };
    let values = |ids: std::ops::Range<u32>| ids.map(|id| drops.value(id)).collect();
    let other = thread::spawn(shard(second, values(m..m + n)));
    let got = shard(first, values(0..m))();
    assert_eq!(got, (m..m + n).map(|id| (1, id)).collect::<Vec<_>>());
    assert_eq!(other.join().unwrap(), (0..m).map(|id| (0, id)).collect::<Vec<_>>());
    drops.assert_each_once(m + n);
}

/// Two endpoints whose lanes are full send to each other: each makes room for the other while it waits.
pub fn two_that_send_without_room_make_room() {
    model("mesh::two_that_send_without_room_make_room", Some(1), || {
        let seats = seats::<u32, 2>(FenceMode::Auto);
        let shard = |seat: Seat<u32>| {
            move || {
                let mut me = seat.join().unwrap();
                let peer = 1 - me.id();
                let mut got = 0;
                me.try_send_to(peer, 1).unwrap();
                me.send_or_poll_to(peer, 2, |_, value| got += value).unwrap();
                while got != 3 {
                    got += me.recv().unwrap().1;
                }
            }
        };
        let [first, second] = seats.map(shard);
        let other = thread::spawn(second);
        first();
        other.join().unwrap();
    });
}

/// A hook that unparks the thread that calls this.
fn unpark() -> Waker {
    let me = thread::current();
    waker_fn(move || me.unpark())
}

/// Sleeps as a reactor does, until there is something to do.
fn react(me: &mut Endpoint<u32>, hook: &Waker) -> Ready {
    loop {
        match me.arm(hook) {
            Ok(armed) => armed.sleep(|_| thread::park()),
            Err(ready) => return ready,
        }
    }
}

/// A reactor sleeps on a primitive of its own: a message wakes it, and then the end.
pub fn a_message_wakes_an_armed_endpoint() {
    model("mesh::a_message_wakes_an_armed_endpoint", Some(3), || {
        let [me, peer] = seats::<u32, 2>(FenceMode::Auto);
        let mut me = me.join().unwrap();
        let sender = thread::spawn(move || peer.join().unwrap().try_send_to(0, 1).unwrap());
        let hook = unpark();
        assert_eq!(react(&mut me, &hook), Ready::Message);
        assert_eq!(me.try_recv(), Ok((1, 1)));
        while react(&mut me, &hook) != Ready::AllDisconnected {
            assert!(me.try_recv().is_err());
        }
        sender.join().unwrap();
    });
}

/// The same for room in a lane that was full.
pub fn room_wakes_an_armed_endpoint() {
    model("mesh::room_wakes_an_armed_endpoint", Some(3), || {
        let [me, peer] = seats::<u32, 2>(FenceMode::Auto);
        let mut me = me.join().unwrap();
        me.try_send_to(1, 1).unwrap();
        assert!(me.try_send_to(1, 2).unwrap_err().is_full());
        let receiver = thread::spawn(move || {
            let mut peer = peer.join().unwrap();
            assert_eq!(peer.try_recv(), Ok((0, 1)));
            // It leaves only when it has the second one.
            assert_eq!(peer.recv(), Ok((0, 3)));
        });
        assert_eq!(react(&mut me, &unpark()), Ready::Room);
        me.try_send_to(1, 3).unwrap();
        receiver.join().unwrap();
    });
}

/// A poll that checks only the event count finds what was sent before it.
pub fn a_poll_that_watches_misses_nothing() {
    model("mesh::a_poll_that_watches_misses_nothing", Some(3), || {
        let [me, poller] = seats::<u32, 2>(FenceMode::Auto);
        let mut me = me.join().unwrap();
        let sent = Arc::new(AtomicBool::new(false));
        let told = sent.clone();
        let poller = thread::spawn(move || {
            let (mut me, mut got) = (poller.join().unwrap(), vec![]);
            for _ in 0..3 {
                let sent = told.load(Ordering::Acquire);
                me.poll(1, |_, value| got.push(value));
                assert!(!sent || got == [1], "it was sent before this poll");
            }
        });
        // It may have left already.
        sent.store(me.try_send_to(1, 1).is_ok(), Ordering::Release);
        poller.join().unwrap();
    });
}

/// Two peers notify the event count of a third, one with a message, one with its end.
pub fn two_peers_notify_one_event_count() {
    model("mesh::two_peers_notify_one_event_count", Some(1), || {
        let mut seats = seats::<u32, 3>(FenceMode::Auto).into_iter();
        let mut me = seats.next().unwrap().join().unwrap();
        let peers: Vec<_> = seats
            .map(|seat| {
                thread::spawn(move || {
                    let mut peer = seat.join().unwrap();
                    if peer.id() == 1 {
                        peer.try_send_to(0, 1).unwrap();
                    }
                })
            })
            .collect();
        assert_eq!(me.recv(), Ok((1, 1)));
        assert_eq!(me.recv(), Err(RecvError(Peers::All)));
        peers.into_iter().for_each(|peer| peer.join().unwrap());
    });
}

/// One task waits for a message; another verb waits on the same endpoint meanwhile, and hands the event count back.
pub fn a_task_is_not_forgotten() {
    model("mesh::a_task_is_not_forgotten", Some(2), || {
        let [me, peer] = seats::<u32, 2>(FenceMode::Auto);
        let mut me = me.join().unwrap();
        let sender = thread::spawn(move || peer.join().unwrap().try_send_to(0, 1).unwrap());
        let mut first = true;
        let got = block_on(std::future::poll_fn(|cx| {
            let poll = me.poll_recv(cx);
            if poll.is_pending() && core::mem::take(&mut first) {
                let _ = me.park_timeout(Duration::ZERO);
            }
            poll
        }));
        assert_eq!(got, Ok((1, 1)));
        sender.join().unwrap();
    });
}

/// Runs a shard that panics.
fn fails(seat: Seat<u32>, before: impl FnOnce(&mut Endpoint<u32>)) {
    let run = AssertUnwindSafe(|| {
        seat.run(|me| {
            before(me);
            // Quiet: a panic that the hook hears would end the model.
            resume_unwind(Box::new("out of luck"));
        })
    });
    assert!(catch_unwind(run).is_err());
}

fn cause() -> Cause {
    Cause::Panicked(Some("out of luck".into()))
}

/// A side that finds a lane closed by a panic is told of the panic.
pub fn a_closed_lane_has_a_cause() {
    outcomes("mesh::a_closed_lane_has_a_cause", Some(3), ["sent", "refused"], || {
        let [me, peer] = seats::<u32, 2>(FenceMode::Fence);
        let mut me = me.join().unwrap();
        // Dropped by the panic: no side has said anything before.
        let failing = thread::spawn(move || {
            let run = AssertUnwindSafe(|| {
                let _endpoint = peer.join().unwrap();
                resume_unwind(Box::new(()));
            });
            assert!(catch_unwind(run).is_err());
        });
        let said = match me.try_send_to(1, 1) {
            Ok(()) => "sent",
            Err(error) => {
                let ringmail::mesh::TrySendError::Disconnected(_, gone) = error else { panic!("full") };
                assert_eq!(gone.cause, Cause::Panicked(None));
                "refused"
            }
        };
        match me.try_recv() {
            Err(TryRecvError::Disconnected(Peers::One(gone))) => assert_eq!(gone.cause, Cause::Panicked(None)),
            other => assert_eq!(other, Err(TryRecvError::Empty)),
        }
        failing.join().unwrap();
        said
    });
}

/// A blocked send and a blocked receive end by the panic of the peer, with its message.
pub fn a_panic_wakes_who_waits_for_it() {
    model("mesh::a_panic_wakes_who_waits_for_it", Some(1), || {
        let mut seats = seats::<u32, 3>(FenceMode::Auto).into_iter();
        let mut me = seats.next().unwrap().join().unwrap();
        let (failing, receiving) = (seats.next().unwrap(), seats.next().unwrap());
        let failing = thread::spawn(move || fails(failing, |_| ()));
        let receiving = thread::spawn(move || receiving.join().unwrap().recv_from(1).unwrap_err().0.cause);
        let refused = loop {
            if let Err(error) = me.send_to(1, 1) {
                break error;
            }
        };
        assert_eq!(refused.1.cause, cause());
        assert_eq!(receiving.join().unwrap(), cause());
        failing.join().unwrap();
    });
}

/// One that gives up a seat at once and then stays, and one that must be told of the seat's end. No thread joins the third seat.
fn given_up(told: Arc<AtomicBool>, then: fn(&mut Endpoint<u32>)) -> (Endpoint<u32>, thread::JoinHandle<()>, Seat<u32>) {
    let builder = Builder::new().shards(3).capacity(1).join_deadline(Duration::ZERO).watch_after(1);
    let [me, other, vacant] = builder.build().unwrap().try_into().unwrap();
    let me = me.join().unwrap();
    let other = thread::spawn(move || {
        // Its own seat may have been given up just as well.
        let Ok(mut other) = other.join() else { return };
        // Otherwise the endpoint that must be told gives the seat up at this moment.
        let lost = matches!(other.arm(&waker_fn(|| ())), Err(Ready::Disconnected));
        told.store(lost, Ordering::Release);
        then(&mut other);
    });
    (me, other, vacant)
}

/// A poll that checks only the event count finds that a seat was given up before it.
pub fn a_poll_that_watches_sees_a_seat_given_up() {
    model("mesh::a_poll_that_watches_sees_a_seat_given_up", Some(2), || {
        let told = Arc::new(AtomicBool::new(false));
        let (mut me, other, _nobody) = given_up(told.clone(), |_| ());
        for _ in 0..3 {
            let told = told.load(Ordering::Acquire);
            let progress = me.poll(1, |_, _| ());
            assert!(!told || progress.disconnected, "it was given up before this poll");
        }
        other.join().unwrap();
    });
}

/// A shard that sleeps without a clock, because no peer seemed to be missing, is woken for a seat that was given up.
pub fn a_seat_given_up_wakes_a_sleeper() {
    model("mesh::a_seat_given_up_wakes_a_sleeper", Some(2), || {
        let told = Arc::new(AtomicBool::new(false));
        // It does not leave before the other does: that would wake, too.
        let (mut me, other, _nobody) = given_up(told, |other| assert!(other.recv_from(0).is_err()));
        loop {
            match me.recv() {
                Err(RecvError(Peers::One(gone))) if gone.peer == 2 => break,
                Err(RecvError(Peers::One(gone))) => assert_eq!((gone.peer, gone.cause), (1, Cause::NeverJoined)),
                other => panic!("{other:?}"),
            }
        }
        drop(me);
        other.join().unwrap();
    });
}

/// A shard that finds that a peer has left and sends nothing more cannot send to that peer either.
pub fn one_that_has_left_takes_nothing() {
    model("mesh::one_that_has_left_takes_nothing", Some(3), || {
        let [me, peer] = seats::<u32, 2>(FenceMode::Auto);
        let mut me = me.join().unwrap();
        let peer = thread::spawn(move || drop(peer.join().unwrap()));
        assert_eq!(me.recv(), Err(RecvError(Peers::All)));
        assert!(me.send_to(1, 1).is_err());
        peer.join().unwrap();
    });
}

/// The two share one lane only: a receiver that leaves has no sending side whose close would wake a sender.
pub fn a_consumer_that_leaves_wakes_a_producer() {
    model("mesh::a_consumer_that_leaves_wakes_a_producer", Some(3), || {
        let builder = Builder::new().roles([Role::Producer, Role::Consumer]).capacity(1).join_deadline(Duration::MAX);
        let [me, peer]: [Seat<u32>; 2] = builder.build().unwrap().try_into().unwrap();
        let mut me = me.join().unwrap();
        me.try_send_to(1, 1).unwrap();
        let peer = thread::spawn(move || drop(peer.join().unwrap()));
        // A message for which the leaving peer makes room is sent. No shard receives it.
        while me.send_to(1, 2).is_ok() {}
        peer.join().unwrap();
    });
}

/// A thread without a seat wakes a shard that sleeps.
pub fn a_wake_from_outside_ends_a_sleep() {
    model("mesh::a_wake_from_outside_ends_a_sleep", Some(3), || {
        let [me, _peer] = seats::<u32, 2>(FenceMode::Auto);
        let waker = me.waker();
        let mut me = me.join().unwrap();
        let outside = thread::spawn(move || waker.wake());
        assert_eq!(me.park(), Ready::Woken);
        outside.join().unwrap();
        assert!(me.park_timeout(Duration::ZERO).is_none(), "it is reported once");
    });
}

/// What two threads did before they woke a shard is there when it sees both wakes, and nothing but the count orders it.
pub fn a_wake_from_outside_shows_what_came_before() {
    without_fences(|| {
        outcomes("mesh::a_wake_from_outside_shows_what_came_before", None, [false, true], || {
            let [me, _peer] = seats::<u32, 2>(FenceMode::Never);
            let (waker, memory) = (me.waker(), Unordered::new());
            let mut me = me.join().unwrap();
            let outside = {
                let memory = memory.clone();
                thread::spawn(move || {
                    memory.write();
                    waker.wake_by_ref();
                })
            };
            let woken = matches!(me.arm(Waker::noop()), Err(Ready::Woken));
            if woken {
                memory.read();
            }
            outside.join().unwrap();
            woken
        });
    });
}
