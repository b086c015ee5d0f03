//! Panics of others' code: each call ends all the same.

use crate::support::hostile::{Nasty, meddler, on_clone, on_drop};
use crate::support::tasks::poll;
use crate::support::{Wakes, panics};
use ringmail::mesh::{self, Cause, Disconnected, Ready, call};
use ringmail::wait::waker_fn;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

type Caller = call::Endpoint<u32, u32>;

fn callers(credits: usize) -> [Caller; 2] {
    let seats = mesh::Builder::new().shards(2).build_calls::<u32, u32>(credits).unwrap();
    let ends: Vec<_> = seats.into_iter().map(|seat| seat.join().unwrap()).collect();
    ends.try_into().ok().unwrap()
}

#[test]
fn all_replies_fail_despite_one_waker() {
    for own in [true, false] {
        let [mut me, other] = callers(4);
        let mut replies: Vec<_> = (0..4).map(|n| me.try_call(1, n).unwrap()).collect();
        let (nasty, bad) = Nasty::new();
        nasty.wake.store(true, Ordering::SeqCst);
        let (wakes, good) = Wakes::new();
        for (n, reply) in replies.iter_mut().enumerate() {
            assert!(poll(reply, if n % 2 == 0 { &bad } else { &good }).is_pending());
        }
        if own {
            panics(|| drop(me));
        } else {
            drop(other);
            panics(|| me.poll(9, |_, _, _, _| {}));
            assert_eq!(me.in_flight(1), 0);
            assert_eq!(me.park_timeout(Duration::from_secs(60)), Some(Ready::AllDisconnected));
        }
        assert_eq!((wakes.count(), nasty.woken.load(Ordering::SeqCst)), (2, 2));
        for reply in &mut replies {
            assert!(matches!(poll(reply, &good), Poll::Ready(Err(call::CallError::Disconnected(_)))));
        }
    }
}

#[test]
fn an_endpoint_of_calls_that_a_replys_waker_ends_has_closed() {
    // That the drop panics is the waker's doing: the peer is not told that the shard panicked.
    let [mut me, mut other] = callers(1);
    let mut reply = me.try_call(1, 0).unwrap();
    let to_me = other.try_call(0, 1).unwrap();
    let (nasty, bad) = Nasty::new();
    nasty.wake.store(true, Ordering::SeqCst);
    assert!(poll(&mut reply, &bad).is_pending());
    panics(|| drop(me));
    let gone = Disconnected { peer: 0, cause: Cause::Closed };
    assert_eq!(other.wait(to_me, |_, _, _, _| {}), Err(call::CallError::Disconnected(gone)));
}

#[test]
fn a_credit_comes_back_despite_the_peers_waker() {
    let [mut me, mut other] = callers(2);
    for _ in 0..5 {
        let hook = waker_fn(|| panic!("the reactor is gone"));
        let armed = other.arm(&hook).unwrap();
        panics(|| me.try_call(1, 7));
        drop(armed);
        assert_eq!((me.in_flight(1), me.credits(1)), (1, 1), "it is on its way");
        assert_eq!(other.poll(9, |_, _, n, token| token.answer(n)).received, 1);
        me.poll(9, |_, _, _, _| {});
        assert_eq!((me.in_flight(1), me.credits(1)), (0, 2));
    }
}

#[test]
fn all_answers_leave_despite_one_callers_waker() {
    let seats = mesh::Builder::new().shards(4).build_calls::<u32, u32>(1).unwrap();
    let mut endpoints: Vec<_> = seats.into_iter().map(|seat| seat.join().unwrap()).collect();
    let mut server = endpoints.remove(0);
    let replies: Vec<_> = endpoints.iter_mut().map(|caller| caller.try_call(0, 1).unwrap()).collect();
    let mut tokens = Vec::new();
    server.poll(9, |_, _, n, token| tokens.push((n, token)));
    tokens.into_iter().for_each(|(n, token)| token.answer(n));
    let hook = waker_fn(|| panic!("the reactor is gone"));
    let armed: Vec<_> = endpoints.iter_mut().map(|caller| caller.arm(&hook).unwrap()).collect();
    panics(|| server.flush());
    drop(armed);
    for (caller, reply) in endpoints.iter_mut().zip(replies) {
        caller.poll(9, |_, _, _, _| {});
        assert_eq!(reply.try_take().ok(), Some(Ok(1)));
    }
    // And that nobody calls any more, to all of them.
    let armed: Vec<_> = endpoints.iter_mut().map(|caller| caller.arm(&hook).unwrap()).collect();
    panics(|| server.finish());
    drop(armed);
    for caller in &mut endpoints {
        assert_eq!(caller.poll(9, |_, _, _, _| {}).open, 2, "of three");
    }
}

#[test]
fn an_answer_that_comes_while_the_waker_is_cloned_is_found() {
    let [mut me, mut other] = callers(1);
    let mut reply = me.try_call(1, 7).unwrap();
    other.poll(9, |_, _, n, token| token.answer(n));
    on_clone(move || _ = me.poll(9, |_, _, _, _| {}));
    assert_eq!(poll(&mut reply, &meddler()), Poll::Ready(Ok(7)));
}

#[test]
fn a_failure_while_the_previous_waker_is_dropped_is_found() {
    let [mut me, mut other] = callers(1);
    let mut reply = me.try_call(1, 7).unwrap();
    other.poll(9, |_, _, n, token| token.answer(n));
    assert!(poll(&mut reply, &meddler()).is_pending());
    on_drop(move || _ = me.poll(9, |_, _, _, _| {}));
    let (wakes, waker) = Wakes::new();
    assert!(poll(&mut reply, &waker).is_ready() || wakes.count() == 1);
}
