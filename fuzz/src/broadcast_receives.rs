//! The receiving verbs of `broadcast`.

use super::broadcast_model::Model;
use super::input::Input;
use super::shared::{Shareable, guarded, panic_planted};
use ringmail::broadcast::Receiver;
use ringmail::{RecvError, RecvTimeoutError, TryRecvError};
use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

impl<T: Shareable> Model<T> {
    /// The receiver that the input names, taken out. A message of it may be looked at only.
    pub fn with_rx<R>(
        &mut self,
        input: &mut Input<'_>,
        verb: impl FnOnce(&mut Self, usize, &mut Receiver<T>, &mut Input<'_>) -> R,
    ) -> Option<R> {
        let at = self.pick(input)?;
        let mut rx = self.seats[at].rx.take()?;
        // It is a receiver that is there also while it is out.
        let left = self.seats[at].left;
        let said = verb(self, at, &mut rx, input);
        assert!(!left || self.seats[at].left);
        self.seats[at].rx = Some(rx);
        Some(said)
    }

    /// One message was to be received: `answer` says which, `None` that a clone of it panicked.
    fn received<E: PartialEq + std::fmt::Debug>(
        &mut self,
        at: usize,
        answer: Option<Result<u64, E>>,
        none: impl FnOnce(TryRecvError) -> E,
    ) {
        match answer {
            Some(Ok(id)) => {
                assert_eq!(self.next(at, 1), [id]);
                self.took(at, 1);
            }
            // It counts as taken.
            None => self.took(at, 1),
            Some(Err(error)) => assert_eq!(error, none(self.nothing(at))),
        }
    }

    pub fn try_recv(&mut self, input: &mut Input<'_>) {
        self.with_rx(input, |model, at, rx, input| {
            let way = input.below(8);
            let fails = T::PLANTS && way < 2 && model.ready(at) > 0;
            let answer = if way % 2 == 0 {
                T::plant_clone(fails.then_some(0));
                guarded(fails, || rx.try_recv().map(|message| message.id()))
            } else {
                guarded(fails, || rx.try_recv_with(|message| if fails { panic_planted() } else { message.id() }))
            };
            model.received(at, answer, |error| error);
        });
    }

    pub fn recv_timeout(&mut self, input: &mut Input<'_>) {
        self.with_rx(input, |model, at, rx, _| {
            let answer = rx.recv_timeout(Duration::ZERO).map(|message| message.id());
            model.received(at, Some(answer), |error| match error {
                TryRecvError::Empty => RecvTimeoutError::Timeout,
                TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
            });
        });
    }

    pub fn poll_recv(&mut self, input: &mut Input<'_>) {
        self.with_rx(input, |model, at, rx, input| {
            let fails = T::PLANTS && input.below(8) == 0 && model.ready(at) > 0;
            T::plant_clone(fails.then_some(0));
            let wakes = &mut model.seats[at].wakes;
            match guarded(fails, || wakes.poll(|cx| rx.poll_recv(cx).map_ok(|message| message.id()))) {
                Some(Poll::Pending) => {
                    model.seats[at].wakes.arm(model.sleeps);
                    assert_eq!(model.nothing(at), TryRecvError::Empty);
                }
                Some(Poll::Ready(answer)) => {
                    if answer.is_err() {
                        // It may have closed itself after it asked to be woken.
                        model.seats[at].wakes.disarm();
                    }
                    model.received(at, Some(answer), |_| RecvError);
                }
                None => model.received(at, None::<Result<u64, RecvError>>, |_| RecvError),
            }
        });
    }

    pub fn recv_async(&mut self, input: &mut Input<'_>) {
        self.with_rx(input, |model, at, rx, _| {
            let wakes = &mut model.seats[at].wakes;
            let answer = {
                let mut future = pin!(rx.recv_async());
                wakes.poll(|cx| future.as_mut().poll(cx).map_ok(|message| message.id()))
            };
            match answer {
                Poll::Ready(answer) => model.received(at, Some(answer), |_| RecvError),
                Poll::Pending => {
                    model.seats[at].wakes.arm(model.sleeps);
                    assert_eq!(model.nothing(at), TryRecvError::Empty);
                }
            }
            model.seats[at].wakes.disarm();
        });
    }

    pub fn peek(&mut self, input: &mut Input<'_>) {
        self.with_rx(input, |model, at, rx, _| match rx.peek().map(|message| message.id()) {
            Ok(id) => assert_eq!(model.next(at, 1), [id]),
            Err(error) => assert_eq!(error, model.nothing(at)),
        });
    }

    pub fn read_chunk(&mut self, input: &mut Input<'_>) {
        self.with_rx(input, |model, at, rx, input| {
            let n = input.amount();
            let len = model.ready(at).min(n);
            let chunk = match rx.read_chunk(n) {
                Ok(chunk) => chunk,
                Err(error) => {
                    assert!(len == 0 && n > 0);
                    assert_eq!(error, model.nothing(at));
                    return;
                }
            };
            assert!(len > 0 || n == 0);
            assert_eq!((chunk.len(), chunk.is_empty()), (len, len == 0));
            assert!(chunk.iter().map(|message| message.id()).eq(model.next(at, n).iter().copied()));
            let (a, b) = chunk.as_slices();
            assert!(a.iter().chain(b).map(|message| message.id()).eq(model.next(at, n).iter().copied()));
            match input.below(6) {
                0 => drop(chunk),
                #[allow(clippy::forget_non_drop)] // today it has none
                1 => std::mem::forget(chunk),
                2..=3 => {
                    let k = input.amount();
                    chunk.commit(k);
                    model.took(at, len.min(k));
                }
                _ => {
                    chunk.commit_all();
                    model.took(at, len);
                }
            }
        });
    }

    pub fn try_recv_many(&mut self, input: &mut Input<'_>) {
        self.with_rx(input, |model, at, rx, input| {
            let (limit, fails_at) = (input.amount(), input.below(16));
            let n = model.ready(at).min(limit);
            let fails = T::PLANTS && fails_at < n;
            T::plant_clone(fails.then_some(fails_at));
            let mut buffer = Vec::new();
            let answer = guarded(fails, || rx.try_recv_many(&mut buffer, limit));
            let got = if fails { fails_at } else { n };
            assert!(buffer.iter().map(|message| message.id()).eq(model.next(at, got).iter().copied()));
            match answer {
                None => model.took(at, fails_at + 1),
                Some(Ok(said)) => {
                    assert!(said == n && (n > 0 || limit == 0));
                    model.took(at, n);
                }
                Some(Err(error)) => {
                    assert!(n == 0 && limit > 0);
                    assert_eq!(error, model.nothing(at));
                }
            }
        });
    }

    pub fn drain(&mut self, input: &mut Input<'_>) {
        self.with_rx(input, |model, at, rx, input| {
            let (max, fails_at) = (input.amount(), input.below(16));
            let n = model.ready(at).min(max);
            let fails = T::PLANTS && fails_at < n;
            let mut seen = Vec::new();
            let answer = guarded(fails, || {
                rx.drain(max, |message| {
                    if fails && seen.len() == fails_at {
                        panic_planted();
                    }
                    seen.push(message.id());
                })
            });
            let got = if fails { fails_at } else { n };
            assert_eq!(seen, model.next(at, got));
            assert!(answer.is_none_or(|said| said == n));
            model.took(at, got + usize::from(fails));
            if n == 0 && max > 0 {
                model.nothing(at);
            }
        });
    }

    pub fn try_iter(&mut self, input: &mut Input<'_>) {
        self.with_rx(input, |model, at, rx, input| {
            let n = input.below(24);
            let seen: Vec<_> = rx.try_iter().take(n).map(|message| message.id()).collect();
            assert_eq!(seen, model.next(at, n));
            model.took(at, seen.len());
            if seen.len() < n {
                model.nothing(at);
            }
        });
    }
}
