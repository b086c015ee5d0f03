//! Calls on a mesh: there is room for every answer, and no caller waits for ever.

use crate::check::{model, outcomes, without_fences};
use crate::payload::{Drops, Unordered};
use loom::future::block_on;
use loom::thread;
use ringmail::FenceMode;
use ringmail::mesh::call::{CallError, Endpoint, Seat, Token, TryCallError};
use ringmail::mesh::{Builder, Cause, Disconnected, Ready};
use ringmail::wait::waker_fn;
use std::future::Future;
use std::time::Duration;

/// `N` seats, one credit a pair. Without a deadline to join: a sleep that may time out is one that may end at once.
fn seats<Req, Rep, const N: usize>(barrier: FenceMode) -> [Seat<Req, Rep>; N] {
    let builder = Builder::new().shards(N).join_deadline(Duration::MAX).fence_mode(barrier).watch_after(1);
    builder.build_calls(1).unwrap().try_into().ok().unwrap()
}

/// Writes to what the request brought, which the caller wrote before, and sends it back.
fn serve<E>(_: &mut E, _: usize, memory: Unordered, token: Token<Unordered>) {
    memory.write();
    token.answer(memory);
}

/// Both call each other with their only credit, each serves while it waits, and both leave in order.
pub fn two_that_call_each_other_have_their_answers() {
    model("call::two_that_call_each_other_have_their_answers", Some(1), || call_each_other(FenceMode::Auto, 1, 1));
}

/// One calls, both leave.
pub fn one_that_calls_has_its_answer_fenced() {
    without_fences(|| {
        model("call::one_that_calls_has_its_answer_fenced", Some(1), || call_each_other(FenceMode::Fence, 1, 0));
    });
}

/// The first calls twice: its credit is used again, and so are the places of its request and of the answer.
pub fn a_credit_is_used_again() {
    model("call::a_credit_is_used_again", Some(1), || call_each_other(FenceMode::Auto, 2, 1));
}

/// How many calls each makes, one after the other.
fn call_each_other(barrier: FenceMode, calls: u32, back: u32) {
    let [first, second] = seats::<Unordered, Unordered, 2>(barrier);
    let shard = |seat: Seat<Unordered, Unordered>, calls: u32| {
        move || {
            let mut me = seat.join().unwrap();
            let peer = 1 - me.id();
            for _ in 0..calls {
                let memory = Unordered::new();
                memory.write();
                let Ok(reply) = me.try_call(peer, memory) else { panic!("the credit is back") };
                let Ok(memory) = me.wait(reply, serve) else { panic!("no answer") };
                memory.read();
            }
            me.leave(Duration::MAX, serve).unwrap();
        }
    };
    let other = thread::spawn(shard(second, back));
    shard(first, calls)();
    other.join().unwrap();
}

/// Answers are sent into lanes that still hold the requests of the same pair, unread, and the close.
pub fn answers_find_room_beside_requests() {
    model("call::answers_find_room_beside_requests", Some(2), || {
        let [first, second] = seats::<u32, u32, 2>(FenceMode::Fence);
        let shard = |seat: Seat<u32, u32>| {
            move || {
                let mut me = seat.join().unwrap();
                let peer = 1 - me.id();
                // The other may have left.
                let reply = me.try_call(peer, 1);
                me.finish();
                // What has come by then, perhaps nothing.
                me.poll(1, |_, _, n, token| token.answer(n + 1));
                drop(reply);
                (me.stats(peer).to.unwrap().full, me.in_flight(peer) <= 1)
            }
        };
        let other = thread::spawn(shard(second));
        assert_eq!(shard(first)(), (0, true));
        assert_eq!(other.join().unwrap(), (0, true));
    });
}

/// A peer goes with a call in flight: unread, taken, or answered. The caller sleeps, and is told.
pub fn a_call_ends_with_its_peer() {
    let outcome = ["answered", "gone", "refused at once"];
    outcomes("call::a_call_ends_with_its_peer", Some(2), outcome, || {
        let [me, peer] = seats::<u32, u32, 2>(FenceMode::Auto);
        let mut me = me.join().unwrap();
        let other = thread::spawn(move || {
            let mut peer = peer.join().unwrap();
            peer.poll(1, |_, _, n, token| token.answer(n + 1));
        });
        let gone = Disconnected { peer: 1, cause: Cause::Closed };
        let outcome = match me.try_call(1, 1) {
            Ok(reply) => match me.wait(reply, |_, _, _, _| ()) {
                Ok(answer) => {
                    assert_eq!(answer, 2);
                    "answered"
                }
                Err(error) => {
                    assert_eq!(error, CallError::Disconnected(gone));
                    "gone"
                }
            },
            Err(TryCallError::Disconnected(_, found)) => {
                assert_eq!(found, gone);
                "refused at once"
            }
            Err(TryCallError::NoCredit(_)) => panic!("no credit"),
        };
        other.join().unwrap();
        outcome
    });
}

/// A token that is dropped answers; one that its endpoint outlives does not hang the caller. Every value is dropped once.
pub fn a_dropped_token_answers() {
    model("call::a_dropped_token_answers", Some(1), || {
        let drops = Drops::default();
        let [me, peer] = seats(FenceMode::Fence);
        let request = drops.value(0);
        let other = thread::spawn(move || {
            let mut peer = peer.join().unwrap();
            while peer.poll(1, |_, _, _, token| drop(token)).received == 0 {
                peer.park();
            }
            peer.flush();
        });
        let mut me: Endpoint<_, crate::payload::Counted> = me.join().unwrap();
        let Ok(reply) = me.try_call(1, request) else { panic!("it goes only after the call") };
        assert!(matches!(me.wait(reply, |_, _, _, _| ()), Err(CallError::Refused { peer: 1 })));
        drop(me);
        other.join().unwrap();
        drops.assert_each_once(1);
    });
}

/// A reactor sleeps on a primitive of its own with a call in flight: the answer wakes it, or the end of the peer, which closes in order.
pub fn an_armed_endpoint_hears_the_answer_or_the_end() {
    let outcome = ["answered", "gone"];
    outcomes("call::an_armed_endpoint_hears_the_answer_or_the_end", Some(2), outcome, || {
        let [me, peer] = seats::<u32, u32, 2>(FenceMode::Auto);
        let mut me = me.join().unwrap();
        let Ok(reply) = me.try_call(1, 1) else { panic!("the peer's seat is there") };
        let other = thread::spawn(move || {
            let mut peer = peer.join().unwrap();
            // The request is there; whether this looks at it first decides.
            peer.poll(usize::from(thread_goes_first()), |_, _, n, token| token.answer(n + 1));
        });
        let here = thread::current();
        let hook = waker_fn(move || here.unpark());
        let said = loop {
            me.poll(1, |_, _, _, _| ());
            if reply.is_ready() {
                break reply.try_take().unwrap();
            }
            match me.arm(&hook) {
                Ok(armed) => armed.sleep(|_| thread::park()),
                Err(Ready::AllDisconnected) => assert!(reply.is_ready(), "calls fail before that"),
                Err(_) => {}
            }
        };
        other.join().unwrap();
        match said {
            Ok(2) => "answered",
            Err(CallError::Disconnected(_)) => "gone",
            other => panic!("{other:?}"),
        }
    });
}

/// A coin that loom tosses: two threads race for a word.
fn thread_goes_first() -> bool {
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicBool, Ordering};
    let word = Arc::new(AtomicBool::new(false));
    let theirs = word.clone();
    let racer = thread::spawn(move || theirs.store(true, Ordering::Relaxed));
    let first = word.load(Ordering::Relaxed);
    racer.join().unwrap();
    first
}

/// A task awaits a reply on a thread whose loop polls the endpoint and parks.
pub fn a_reply_is_awaited() {
    model("call::a_reply_is_awaited", Some(1), || {
        let [me, peer] = seats::<u32, u32, 2>(FenceMode::Fence);
        let other = thread::spawn(move || {
            peer.join().unwrap().leave(Duration::MAX, |_, _, n, token| token.answer(n + 1)).unwrap();
        });
        let mut me = me.join().unwrap();
        let mut reply = me.try_call(1, 1).unwrap();
        let answer = block_on(std::future::poll_fn(|cx| {
            loop {
                let poll = std::pin::Pin::new(&mut reply).poll(cx);
                if poll.is_ready() {
                    break poll;
                }
                me.park();
                me.poll(1, |_, _, _, _| ());
            }
        }));
        assert_eq!(answer, Ok(2));
        me.leave(Duration::MAX, |_, _, _, _| ()).unwrap();
        other.join().unwrap();
    });
}
