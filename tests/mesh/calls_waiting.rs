//! Waiting on a mesh of calls serves, sleeps and ends.

use crate::support::{ends, let_it_sleep};
use ringmail::mesh::call::{CallError, Endpoint, Reply, Seat, Token};
use ringmail::mesh::{Builder, Cause, Disconnected, Ready};
use ringmail::wait::waker_fn;
use std::thread;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(200);

fn seats<Req, Rep, const N: usize>(credits: usize) -> [Seat<Req, Rep>; N] {
    Builder::new().shards(N).build_calls(credits).unwrap().try_into().ok().unwrap()
}

/// Handles no request: there is none.
fn nobody_calls<E, Req, Rep>(_: &mut E, from: usize, _: Req, _: Token<Rep>) {
    panic!("{from} calls");
}

fn square<E>(_: &mut E, _: usize, n: u64, token: Token<u64>) {
    token.answer(n * n);
}

/// Each calls all others, who call back in the middle of it, over lanes of one credit.
#[test]
fn all_call_all_and_none_waits_for_ever() {
    const N: u64 = 300;
    for (shards, credits) in [(2, 1), (4, 1), (4, 3)] {
        ends(move || {
            let seats = Builder::new().shards(shards).start_at(u64::MAX / 2 - 5).build_calls::<u64, u64>(credits);
            let threads: Vec<_> = seats
                .unwrap()
                .into_iter()
                .map(|seat| {
                    thread::spawn(move || {
                        seat.run(|me| {
                            let id = me.id();
                            let mut served = 0;
                            let mut sum = 0;
                            let mut replies: Vec<Reply<u64>> = vec![];
                            for i in 0..N {
                                for peer in (0..shards).filter(|&peer| peer != id) {
                                    // No more than half are waited for at once.
                                    let mut serve = |_: &mut Endpoint<u64, u64>, from: usize, n, token: Token<u64>| {
                                        served += 1;
                                        token.answer(n + from as u64);
                                    };
                                    if replies.len() >= credits {
                                        sum += me.wait(replies.remove(0), &mut serve).unwrap();
                                    }
                                    replies.push(me.call_or_poll(peer, i, &mut serve).unwrap());
                                }
                            }
                            for reply in replies {
                                sum += me
                                    .wait(reply, |_, from, n, token| {
                                        served += 1;
                                        token.answer(n + from as u64)
                                    })
                                    .unwrap();
                            }
                            me.finish();
                            while me
                                .poll(64, |_, from, n, token| {
                                    served += 1;
                                    token.answer(n + from as u64)
                                })
                                .open
                                != 0
                            {
                                me.park();
                            }
                            let full: u64 = (0..shards).filter_map(|peer| me.stats(peer).to).map(|to| to.full).sum();
                            (id, sum, served, full)
                        })
                        .unwrap()
                    })
                })
                .collect();
            for thread in threads {
                let (id, sum, served, full) = thread.join().unwrap();
                let each: u64 = (0..N).sum::<u64>() + N * id as u64;
                assert_eq!((sum, served, full), (each * (shards as u64 - 1), N * (shards as u64 - 1), 0));
            }
        });
    }
}

/// A handler may call on: 0 asks 1, which asks 2, and answers when it has the answer.
#[test]
fn a_kept_token_is_answered_when_the_server_has_its_own_answer() {
    ends(|| {
        let [a, b, c] = seats::<u64, u64, 3>(2);
        let server = thread::spawn(move || c.join().unwrap().leave(LONG, square).unwrap());
        let broker = thread::spawn(move || {
            let mut me = b.join().unwrap();
            let mut open: Vec<(Reply<u64>, Token<u64>)> = vec![];
            loop {
                let progress = me.poll(8, |me, _, n, token| open.push((me.try_call(2, n).unwrap(), token)));
                for (reply, token) in std::mem::take(&mut open) {
                    match reply.try_take() {
                        Ok(answer) => token.answer(answer.unwrap() + 1),
                        Err(reply) => open.push((reply, token)),
                    }
                }
                if progress.open == 0 && open.is_empty() {
                    break;
                }
                me.park();
            }
            me.leave(LONG, nobody_calls).unwrap()
        });
        let mut me = a.join().unwrap();
        for n in 0..50 {
            let two = [n, n + 100].map(|n| me.try_call(1, n).unwrap());
            let two = two.map(|reply| me.wait(reply, nobody_calls).unwrap());
            assert_eq!(two, [n * n + 1, (n + 100) * (n + 100) + 1]);
        }
        me.leave(LONG, nobody_calls).unwrap();
        broker.join().unwrap();
        assert_eq!(server.join().unwrap(), 102, "a hundred requests, and two that finished");
    });
}

/// A handler that waits serves, too: no deadlock, only a deeper stack.
#[test]
fn handlers_that_wait_for_each_other_end() {
    ends(|| {
        fn fib(me: &mut Endpoint<u64, u64>, _: usize, n: u64, token: Token<u64>) {
            let peer = 1 - me.id();
            let mut below = |n| {
                if n < 2 {
                    n
                } else {
                    let reply = me.try_call(peer, n).unwrap();
                    me.wait(reply, fib).unwrap()
                }
            };
            let sum = below(n - 1) + below(n - 2);
            token.answer(sum);
        }
        let [a, b] = seats::<u64, u64, 2>(16);
        let other = thread::spawn(move || {
            let mut me = b.join().unwrap();
            // It calls in order to serve: until its caller has finished.
            while me.poll(1, fib).open != 0 {
                me.park();
            }
            me.leave(LONG, fib).unwrap()
        });
        let mut me = a.join().unwrap();
        let reply = me.try_call(1, 9).unwrap();
        assert_eq!(me.wait(reply, fib).unwrap(), 34);
        me.leave(LONG, fib).unwrap();
        other.join().unwrap();
    });
}

#[test]
fn a_reactor_sleeps_until_requests_answers_and_ends_come() {
    ends(|| {
        let [a, b] = seats::<u64, u64, 2>(1);
        let other = thread::spawn(move || {
            let mut me = b.join().unwrap();
            let_it_sleep();
            let reply = me.try_call(0, 6).unwrap();
            assert_eq!(me.wait(reply, square), Ok(36));
            let_it_sleep();
            // Goes with a call in its hands, in order.
        });
        let mut me = a.join().unwrap();
        let here = thread::current();
        let hook = waker_fn(move || here.unpark());
        let (mut replies, mut served) = (vec![me.try_call(1, 5).unwrap()], 0);
        loop {
            me.poll(9, |me, from, n, token| {
                served += 1;
                token.answer(n * n);
                replies.extend(me.try_call(from, 7));
            });
            match me.arm(&hook) {
                Ok(armed) => armed.sleep(|limit| limit.map_or_else(thread::park, thread::park_timeout)),
                Err(Ready::AllDisconnected) => break,
                Err(_) => {}
            }
        }
        assert!(me.parks() > 0);
        other.join().unwrap();
        let answers: Vec<_> = replies.into_iter().map(|reply| reply.try_take().unwrap()).collect();
        // The second call was refused for want of a credit, or failed.
        assert_eq!((served, answers[0].clone()), (1, Ok(25)));
        assert!(
            answers[1..]
                .iter()
                .all(|answer| *answer == Err(CallError::Disconnected(Disconnected { peer: 1, cause: Cause::Closed }))),
            "{answers:?}"
        );
    });
}

#[test]
fn a_park_ends_when_a_call_fails_and_when_the_time_is_over() {
    ends(|| {
        let [a, b, c] = seats::<u64, u64, 3>(1);
        let mut me = a.join().unwrap();
        let _stays = c.join().unwrap();
        assert_eq!(me.park_timeout(Duration::from_millis(5)), None);
        let reply = me.try_call(1, 5).unwrap();
        let other = thread::spawn(move || {
            let me = b.join().unwrap();
            let_it_sleep();
            drop(me);
        });
        // A peer that closes in order is nothing to do for a mesh of messages.
        assert_eq!((me.park(), reply.is_ready()), (Ready::Message, true));
        other.join().unwrap();
    });
}

#[test]
fn one_that_does_not_leave_holds_up_the_others_for_their_time() {
    let [a, b] = seats::<u64, u64, 2>(1).map(|seat| seat.join().unwrap());
    let error = a.leave(Duration::from_millis(5), nobody_calls).unwrap_err();
    assert_eq!((error.received, error.disconnected, error.open), (0, vec![], vec![1]));
    assert_eq!(b.leave(LONG, nobody_calls).unwrap(), 1, "its word that it calls no more");
}
