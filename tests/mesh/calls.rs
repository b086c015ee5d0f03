//! Calls on a mesh: each has one answer, or an error that says why not, and nobody waits for room to answer.

use crate::support::{Ledger, Wakes, ends, let_it_sleep, panics};
use ringmail::mesh::call::{CallError, Endpoint, Reply, Seat, Token, TryCallError, WaitTimeoutError};
use ringmail::mesh::{BuildError, Builder, Cause, Disconnected, Ready, Role};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

fn seats<Req, Rep, const N: usize>(credits: usize) -> [Seat<Req, Rep>; N] {
    Builder::new().shards(N).build_calls(credits).unwrap().try_into().ok().unwrap()
}

/// All endpoints on this thread.
fn joined<Req, Rep, const N: usize>(credits: usize) -> [Endpoint<Req, Rep>; N] {
    seats(credits).map(|seat| seat.join().unwrap())
}

/// Handles no request: there is none.
fn nobody_calls<E, Req, Rep>(_: &mut E, from: usize, _: Req, _: Token<Rep>) {
    panic!("{from} calls");
}

fn square<E>(_: &mut E, _: usize, n: u64, token: Token<u64>) {
    token.answer(n * n);
}

/// Has both endpoints take what is there.
fn exchange(one: &mut Endpoint<u64, u64>, two: &mut Endpoint<u64, u64>) {
    two.poll(99, square);
    one.poll(99, square);
}

fn gone(peer: usize, cause: Cause) -> Disconnected {
    Disconnected { peer, cause }
}

#[test]
fn answers_come_in_any_order() {
    let [mut a, mut b, mut c] = joined::<u64, u64, 3>(2);
    assert_eq!((a.id(), b.id(), c.id(), a.shards()), (0, 1, 2, 3));
    let (first, second) = (a.try_call(1, 10).unwrap(), a.try_call(1, 20).unwrap());
    let third = a.try_call(2, 30).unwrap();
    assert_eq!((first.peer(), third.peer(), a.credits(1), a.credits(2), a.in_flight(1)), (1, 2, 0, 1, 2));
    let mut tokens = vec![];
    let progress = b.poll(9, |_, from, n, token| {
        assert_eq!((from, token.peer()), (0, 0));
        tokens.push((n, token));
    });
    assert_eq!((progress.received, progress.more, progress.disconnected, progress.open), (2, false, false, 2));
    c.poll(9, square);
    assert_eq!(a.poll(9, nobody_calls).received, 1);
    let first = first.try_take().unwrap_err();
    assert_eq!(third.try_take().unwrap(), Ok(900));
    // The second one first, and not in the handler.
    for (n, token) in tokens.into_iter().rev() {
        token.answer(n + 1);
        assert_eq!(b.poll(9, nobody_calls).received, 0, "sends what tokens were given");
        assert_eq!(a.poll(9, nobody_calls).received, 1);
        assert_eq!((first.is_ready(), second.is_ready()), (n == 10, true));
    }
    assert_eq!((second.try_take().unwrap(), first.try_take().unwrap()), (Ok(21), Ok(11)));
    assert_eq!((a.credits(1), a.in_flight(1), a.stats(1).to.unwrap().full), (2, 0, 0));
}

#[test]
fn a_call_without_a_credit_comes_back() {
    let [mut a, mut b] = joined::<u64, u64, 2>(1);
    let reply = a.try_call(1, 1).unwrap();
    assert_eq!(a.try_call(1, 2).unwrap_err(), TryCallError::NoCredit(2));
    exchange(&mut a, &mut b);
    // It has come and was not taken: the credit is still held, and waiting for it would be for ever.
    assert!(reply.is_ready() && a.try_call(1, 3).unwrap_err().is_no_credit());
    assert_eq!(a.call_or_poll(1, 4, nobody_calls).unwrap_err().into_inner(), 4);
    assert_eq!(reply.try_take().unwrap(), Ok(1));
    // Dropped before the answer: the credit comes with that.
    drop(a.try_call(1, 5).unwrap());
    assert_eq!((a.credits(1), a.in_flight(1)), (0, 1));
    exchange(&mut a, &mut b);
    assert_eq!((a.credits(1), a.in_flight(1)), (1, 0));
    // Dropped after it.
    let reply = a.try_call(1, 6).unwrap();
    exchange(&mut a, &mut b);
    drop(reply);
    assert_eq!(a.credits(1), 1);
}

#[test]
fn both_lanes_full_of_requests_still_have_room_for_every_answer() {
    for credits in [1, 2, 7] {
        let [mut a, mut b] = joined::<u64, u64, 2>(credits);
        for round in 0..20 {
            let call = |from: &mut Endpoint<u64, u64>, to, n| from.try_call(to, n).unwrap();
            let n = credits as u64;
            let from_a: Vec<Reply<u64>> = (0..n).map(|i| call(&mut a, 1, i + round)).collect();
            let from_b: Vec<Reply<u64>> = (0..n).map(|i| call(&mut b, 0, i + round)).collect();
            if round == 19 {
                a.finish();
                b.finish();
            }
            // Each takes the requests only, and answers into a lane that holds as many requests, unread.
            assert_eq!(b.poll(credits, square).received, credits);
            assert_eq!(a.poll(credits, square).received, credits);
            exchange(&mut a, &mut b);
            exchange(&mut a, &mut b);
            for (i, (one, two)) in from_a.into_iter().zip(from_b).enumerate() {
                let expected = Ok((i as u64 + round).pow(2));
                assert_eq!((one.try_take().unwrap(), two.try_take().unwrap()), (expected.clone(), expected));
            }
        }
        assert_eq!((a.stats(1).to.unwrap().full, b.stats(0).to.unwrap().full), (0, 0), "nothing was ever refused");
        assert_eq!((a.park(), b.poll(1, square).open), (Ready::AllDisconnected, 0));
    }
}

#[test]
fn a_dropped_token_is_an_error_and_so_is_a_handler_that_panics() {
    let [mut a, mut b] = joined::<u64, u64, 2>(2);
    let (one, two) = (a.try_call(1, 1).unwrap(), a.try_call(1, 2).unwrap());
    panics(|| b.poll(1, |_, _, _, _token| panic!("in the handler")));
    let mut kept = None;
    b.poll(1, |_, _, n, token| kept = Some((n, token)));
    assert_eq!(kept.as_ref().unwrap().0, 2, "the one after it stayed");
    a.poll(9, nobody_calls);
    assert_eq!(one.try_take().unwrap(), Err(CallError::Refused { peer: 1 }));
    assert!(!two.is_ready());
    drop(kept);
    b.flush();
    a.poll(9, nobody_calls);
    assert_eq!(two.try_take().unwrap(), Err(CallError::Refused { peer: 1 }));
    assert_eq!(a.credits(1), 2);
}

#[test]
fn who_cannot_be_called_is_an_error_with_the_request_back() {
    let [mut a, b, c] = joined::<u64, u64, 3>(1);
    for peer in [0, 3, usize::MAX] {
        let refused = TryCallError::Disconnected(7, gone(peer, Cause::NoLane));
        assert_eq!((a.try_call(peer, 7).unwrap_err(), a.credits(peer)), (refused, 0));
    }
    drop(b);
    assert_eq!(a.try_call(1, 8).unwrap_err(), TryCallError::Disconnected(8, gone(1, Cause::Closed)));
    // The refused call left no trace, and once its end is seen there is no attempt.
    assert_eq!((a.in_flight(1), a.poll(1, nobody_calls).open), (0, 1));
    assert_eq!(a.call_or_poll(1, 9, nobody_calls).unwrap_err().into_inner(), 9);
    a.finish();
    let refused = TryCallError::Disconnected(10, gone(2, Cause::Closed));
    assert_eq!(a.try_call(2, 10).unwrap_err(), refused, "it said that it calls no more");
    drop(c);

    let producer_consumer = Builder::new().roles([Role::Producer, Role::Consumer]).build_calls::<u8, u8>(1).unwrap();
    let [mut p, mut c] = <[_; 2]>::try_from(producer_consumer).unwrap().map(|seat| seat.join().unwrap());
    assert!(
        matches!(p.try_call(1, 1).unwrap_err(), TryCallError::Disconnected(_, gone) if gone.cause == Cause::NoLane)
    );
    assert!(
        matches!(c.try_call(0, 1).unwrap_err(), TryCallError::Disconnected(_, gone) if gone.cause == Cause::NoLane)
    );
    assert_eq!((p.park(), c.poll(1, nobody_calls).open), (Ready::AllDisconnected, 0));

    let build = |credits| Builder::new().shards(2).build_calls::<u8, [u8; 64]>(credits).map(|_| ()).unwrap_err();
    assert_eq!(build(0), BuildError::Lane(ringmail::BuildError::ZeroCapacity));
    let max = (1 << 29) - 1;
    let too_many = ringmail::BuildError::CapacityTooLarge { requested: max + 1, max };
    assert_eq!(build(max + 1), BuildError::Lane(too_many));
    assert_eq!(Builder::new().build_calls::<u8, u8>(1).map(|_| ()).unwrap_err(), BuildError::NoShards);
}

#[test]
fn calls_in_flight_fail_with_why_their_peer_is_gone() {
    let text = |cause: Cause| match cause {
        Cause::Panicked(Some(text)) => text.to_string(),
        other => format!("{other:?}"),
    };
    type End = fn(Seat<u64, u64>);
    let cases: [(End, &str); 4] = [
        (|seat| drop(seat), "NeverJoined"),
        (|seat| drop(seat.join().unwrap()), "Closed"),
        // One answered, one in its hands, one unread.
        (
            |seat| {
                let mut me = seat.join().unwrap();
                let mut kept = None;
                while kept.is_none() {
                    me.poll(1, |_, _, n, token| if n == 0 { token.answer(5) } else { kept = Some(token) });
                }
                drop(me);
                drop(kept);
            },
            "Closed",
        ),
        (
            |seat| {
                let run = seat.run(|me| {
                    loop {
                        me.poll(1, |_, _, n, token| if n == 0 { token.answer(5) } else { panic!("out of luck") });
                    }
                });
                let _: u8 = run.unwrap();
            },
            "out of luck",
        ),
    ];
    for (i, (end, why)) in cases.into_iter().enumerate() {
        let (answers, why_not) = ends(move || {
            let [a, b] = seats::<u64, u64, 2>(3);
            let mut a = a.join().unwrap();
            let replies = [0, 1, 2].map(|n| a.try_call(1, n).unwrap());
            let other = thread::spawn(move || {
                let_it_sleep();
                end(b);
            });
            let answers = replies.map(|reply| a.wait(reply, nobody_calls));
            let why_not = a.try_call(1, 9).unwrap_err();
            assert_eq!(a.in_flight(1), 0);
            let _ = other.join();
            (answers, why_not)
        });
        let failed = |answer: &Result<u64, CallError>| match answer.clone().unwrap_err() {
            CallError::Disconnected(Disconnected { peer: 1, cause }) => text(cause),
            other => panic!("{other:?}"),
        };
        let first = if i < 2 { failed(&answers[0]) } else { format!("{:?}", answers[0]) };
        assert_eq!(first, if i < 2 { why } else { "Ok(5)" }, "what was answered before arrives");
        assert_eq!([failed(&answers[1]), failed(&answers[2])], [why, why]);
        assert!(matches!(why_not, TryCallError::Disconnected(_, gone) if text(gone.cause.clone()) == why));
    }
}

#[test]
fn an_endpoint_that_goes_fails_its_own_calls() {
    let [mut a, mut b] = joined::<u64, u64, 2>(2);
    let (one, two) = (a.try_call(1, 1).unwrap(), a.try_call(1, 2).unwrap());
    b.poll(1, square);
    a.poll(1, nobody_calls);
    let (wakes, waker) = Wakes::new();
    let mut two = pin!(two);
    assert!(two.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop(a);
    assert_eq!(wakes.count(), 1);
    assert_eq!(one.try_take().unwrap(), Ok(1), "what had come is there");
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(two.as_mut().poll(&mut cx), Poll::Ready(Err(CallError::Disconnected(gone(1, Cause::Closed)))));
    assert_eq!(two.as_mut().poll(&mut cx), Poll::Ready(Err(CallError::Taken)));
    // A token outlives its endpoint.
    let mut kept = None;
    let progress = b.poll(9, |_, _, _, token| kept = Some(token));
    assert_eq!((progress.received, progress.open), (1, 0), "what was sent arrives");
    kept.unwrap().answer(9); // to nobody
    b.flush();
    assert_eq!(b.park(), Ready::AllDisconnected);
}

#[test]
fn a_reply_is_a_future_that_the_poll_of_its_endpoint_wakes() {
    let [mut a, mut b] = joined::<u64, u64, 2>(2);
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    let mut reply = pin!(a.try_call(1, 3).unwrap());
    for _ in 0..3 {
        assert!(reply.as_mut().poll(&mut cx).is_pending());
    }
    // Another task takes it over.
    let (others, other) = Wakes::new();
    assert!(reply.as_mut().poll(&mut Context::from_waker(&other)).is_pending());
    exchange(&mut a, &mut b);
    assert_eq!((wakes.count(), others.count()), (0, 1));
    assert_eq!(reply.as_mut().poll(&mut cx), Poll::Ready(Ok(9)));
    // Cancelled: wakes nobody.
    let mut cancelled = Box::pin(a.try_call(1, 3).unwrap());
    assert!(cancelled.as_mut().poll(&mut cx).is_pending());
    drop(cancelled);
    exchange(&mut a, &mut b);
    assert_eq!((wakes.count(), a.credits(1)), (0, 2));
}

#[test]
fn a_wait_gives_up_in_time_and_the_call_goes_on() {
    let [mut a, mut b] = joined::<u64, u64, 2>(1);
    let reply = a.try_call(1, 4).unwrap();
    let start = Instant::now();
    let error = a.wait_timeout(reply, Duration::from_millis(20), nobody_calls).unwrap_err();
    assert!(start.elapsed() >= Duration::from_millis(20));
    let WaitTimeoutError::Timeout(reply) = error else { panic!("{error:?}") };
    b.poll(9, square);
    assert_eq!(a.wait_timeout(reply, Duration::ZERO, nobody_calls).unwrap(), 16, "it was there");
    let [mut c, mut d] = joined::<u64, u64, 2>(1);
    let strange = c.try_call(1, 4).unwrap();
    assert_eq!(a.wait(strange, nobody_calls), Err(CallError::WrongEndpoint));
    exchange(&mut c, &mut d);
    assert_eq!(c.credits(1), 1);
}

#[test]
fn every_request_and_answer_is_dropped_once_wherever_it_lies() {
    let (requests, answers) = (Ledger::default(), Ledger::default());
    {
        let [mut a, mut b] = joined::<_, _, 2>(5);
        let mut replies: Vec<Reply<_>> = (0..5).map(|_| a.try_call(1, requests.value()).ok().unwrap()).collect();
        let mut kept = vec![];
        // Taken, arrived, arrived and dropped, on its lane, in a token's hands.
        for step in 0..4 {
            b.poll(1, |_, _, request, token| {
                drop(request);
                if step < 3 { token.answer(answers.value()) } else { kept.push(token) }
            });
            if step < 2 {
                a.poll(1, |_, _, _, _| ());
            }
        }
        assert_eq!(replies.remove(0).try_take().unwrap().unwrap().id, 0);
        assert_eq!(answers.drops(), [1, 0, 0]);
        drop(replies.remove(0));
        assert_eq!(answers.drops(), [1, 1, 0]);
        drop(replies.remove(0));
        kept.remove(0).answer(answers.value());
        assert_eq!(answers.drops(), [1, 1, 0, 0]);
        drop(b);
        assert_eq!(requests.drops(), [1; 5], "the last one with the endpoint that had not received it");
        a.poll(9, |_, _, _, _| ());
        assert_eq!(answers.drops(), [1, 1, 1, 0]);
        assert!(replies.iter().all(Reply::is_ready));
    }
    requests.settle();
    answers.settle();
}

/// Values whose drop refuses a call, forgets one, and ends an endpoint's business with another: no table is in use meanwhile.
#[test]
fn values_may_hold_replies_and_tokens() {
    #[allow(dead_code, reason = "held to be dropped")]
    struct Holds(Option<Token<Holds>>, Option<Reply<Holds>>);
    let [mut a, mut b] = joined::<Holds, Holds, 2>(2);
    // The answer to the first call holds the reply of another call and the token of a third.
    let first = a.try_call(1, Holds(None, None)).ok().unwrap();
    let second = b.try_call(0, Holds(None, None)).ok().unwrap();
    let third = a.try_call(1, Holds(None, None)).ok().unwrap();
    let mut tokens = vec![];
    b.poll(2, |_, _, _, token| tokens.push(token));
    let (token, last) = (tokens.remove(0), tokens.remove(0));
    token.answer(Holds(Some(last), Some(second)));
    drop(first); // nobody waits for it: dropped as it arrives
    b.flush();
    a.poll(9, |_, _, _, _token| ());
    b.poll(9, |_, _, _, _| ());
    a.poll(9, |_, _, _, _| ());
    assert_eq!(third.try_take().unwrap().err(), Some(CallError::Refused { peer: 1 }));
    assert_eq!((a.credits(1), b.credits(0)), (2, 2));
}
