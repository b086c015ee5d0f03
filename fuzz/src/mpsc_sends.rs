//! The verbs of `mpsc`'s senders: sends, and claims that stay open.

use super::input::Input;
use super::mpsc_model::{Model, Place};
use super::mpsc_seat::{Guard, SEATS, Seat};
use super::payload::Payload;
use ringmail::{SendError, SendTimeoutError};
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

impl<T: Payload> Model<T> {
    // ---- sends that do not wait

    pub fn try_send(&mut self, input: &mut Input<'_>) {
        let Some((at, tx)) = self.pick(input) else { return };
        let first = self.ledger.next();
        let answer = tx.try_send(T::make(self.ledger));
        if self.refuses(at) || self.room() == 0 {
            let error = answer.expect_err("there is no room");
            assert_eq!(error.is_full(), self.refusal(at).is_full());
            assert_eq!(error.into_inner().id(), first, "the value itself comes back");
        } else {
            assert!(answer.is_ok(), "there is room");
            self.published(first, 1);
        }
    }

    pub fn try_send_slice(&mut self, input: &mut Input<'_>) {
        let (Some((at, tx)), n) = (self.pick(input), input.amount().min(64)) else { return };
        let first = self.ledger.next();
        let Some(answer) = T::try_send_slice(tx, self.ledger, n) else { return };
        if self.refuses(at) || (self.room() == 0 && n > 0) {
            assert_eq!(answer, Err(self.refusal(at)));
        } else {
            let sent = answer.expect("there is room");
            if n > 0 {
                self.check_claim(sent, n);
            }
            self.published(first, sent);
        }
    }

    // ---- claims that stay open

    pub fn hold(&mut self, input: &mut Input<'_>) {
        let (Some((at, tx)), n) = (self.pick(input), input.amount()) else { return };
        let Some(mut held) = tx.hold(n) else {
            assert!(n == 0 || self.refuses(at) || self.room() == 0, "there is room");
            return;
        };
        assert!(!self.refuses(at));
        let left = held.left();
        self.check_claim(left, n);
        let position = self.claim(left);
        let held = Box::new(move |value| {
            if let Some(value) = value {
                held.send(value);
            }
            held.left()
        });
        self.seat(at).guard = Guard::Held { at: position, left, held };
    }

    /// Publishes in the next place of a claim; without one the value is dropped.
    pub fn send_held(&mut self, input: &mut Input<'_>) {
        let (first, ledger) = (input.below(SEATS), self.ledger);
        for seat in first..first + SEATS {
            let Some(Seat { guard: Guard::Held { at, left, held }, .. }) = &mut self.seats[seat % SEATS] else {
                continue;
            };
            let id = ledger.next();
            let now = held(Some(T::make(ledger)));
            assert_eq!(now, left.saturating_sub(1));
            let (position, filled) = (*at, *left > 0);
            (*at, *left) = (position + u64::from(filled), now);
            if filled {
                self.publish(position, Place::Value(id));
            } else {
                self.rx_wakes.check(false);
            }
            return;
        }
    }

    /// Ends a claim, or drops a future.
    pub fn release_one(&mut self, input: &mut Input<'_>) {
        let (first, leak) = (input.below(SEATS), input.byte() < 48);
        for at in first..first + SEATS {
            let at = at % SEATS;
            match &mut self.seats[at] {
                Some(Seat { guard: Guard::None, .. }) | None => continue,
                Some(seat @ Seat { guard: Guard::Sending { .. }, .. }) if leak => {
                    let Guard::Sending { id, future } = std::mem::replace(&mut seat.guard, Guard::None) else { return };
                    std::mem::forget(future);
                    seat.leaky = true;
                    if std::mem::needs_drop::<T>() {
                        self.leaked.insert(id);
                    }
                }
                Some(_) => self.release(at),
            }
            return;
        }
    }

    // ---- sends that wait

    /// Whether this sender's place in line was left to it by a leaked future.
    pub fn is_stuck(&self, at: usize) -> bool {
        self.in_line(at).is_some()
    }

    /// Whether it is known what a verb that waits will do.
    pub fn is_clear(&mut self, at: usize) -> bool {
        !self.is_stuck(at) || self.refuses(at) || self.may_go(at) == Some(true)
    }

    /// `send_timeout` that does not wait, and `send` where it need not.
    pub fn send_in_time(&mut self, input: &mut Input<'_>) {
        let (Some((at, tx)), timed) = (self.pick(input), input.byte() & 3 != 0) else { return };
        if !self.is_clear(at) {
            return;
        }
        let (refuses, room, may_go) = (self.refuses(at), self.room(), self.may_go(at));
        let (first, ledger) = (self.ledger.next(), self.ledger);
        if !timed && (refuses || (room > 0 && may_go == Some(true))) {
            // What blocks must not rely on the model alone: one that is wrong would hang.
            assert_eq!(tx.capacity() - tx.len(), room);
            let answer = tx.send(T::make(ledger));
            if refuses {
                assert_eq!(answer.expect_err("it is closed").into_inner().id(), first);
                self.refusal(at);
            } else {
                assert!(answer.is_ok());
                self.tried(at, 1);
                self.published(first, 1);
            }
            return;
        }
        match tx.send_timeout(T::make(ledger), Duration::ZERO) {
            Ok(()) => {
                assert!(!refuses && room > 0 && may_go != Some(false));
                self.tried(at, 70);
                self.published(first, 1);
            }
            Err(SendTimeoutError::Disconnected(value)) => {
                assert!(refuses);
                assert_eq!(value.id(), first);
                self.refusal(at);
            }
            Err(SendTimeoutError::Timeout(value)) => {
                assert!(!refuses && (room == 0 || may_go != Some(true)));
                assert_eq!(value.id(), first);
                self.refusal(at);
                self.tried(at, 70);
                // It took over the place that a leaked future had left, and gave it up.
                self.leaves(at);
            }
        }
    }

    /// As many as there is room for: it does not wait.
    pub fn send_iter(&mut self, input: &mut Input<'_>) {
        let (Some((at, tx)), n) = (self.pick(input), input.below(24)) else { return };
        let (first, ledger) = (self.ledger.next(), self.ledger);
        let values = |n| std::iter::repeat_with(move || T::make(ledger)).take(n);
        if self.refuses(at) {
            match tx.send_iter(values(n)) {
                Ok(sent) => assert_eq!((n, sent), (0, 0)),
                Err(SendError(value)) => {
                    assert_eq!(value.id(), first, "the next one comes back");
                    assert!(n > 0);
                    self.refusal(at);
                }
            }
            return;
        }
        assert_eq!(tx.capacity() - tx.len(), self.room(), "it would block");
        let n = n.min(self.room());
        // It may take a turn for each claim, and more than one claim.
        for _ in 0..4 {
            if !self.line.is_empty() {
                self.tried(at, 1);
            }
        }
        // A ring that looks empty no longer does after the first claim.
        if !self.line.is_empty() && (self.may_go(at) != Some(true) || self.places.len() + self.lag == 0) {
            return;
        }
        assert_eq!(tx.send_iter(values(n)).map_err(|_| ()), Ok(n));
        if n > 0 {
            self.tried(at, 1);
        }
        self.published(first, n);
    }

    pub fn send_async(&mut self, input: &mut Input<'_>) {
        let (Some((at, tx)), fate) = (self.pick(input), input.below(4)) else { return };
        if !self.is_clear(at) {
            return;
        }
        let id = self.ledger.next();
        let future = tx.send_async(T::make(self.ledger));
        if fate == 3 {
            // Never polled.
            drop(future);
            return;
        }
        self.poll_send(at, id, future, true);
        if fate == 2 {
            self.release(at);
        }
    }

    pub fn poll_again(&mut self, input: &mut Input<'_>) {
        let first = input.below(SEATS);
        for at in first..first + SEATS {
            let at = at % SEATS;
            let Some(seat) = &mut self.seats[at] else { continue };
            match std::mem::replace(&mut seat.guard, Guard::None) {
                Guard::Sending { id, future } => return self.poll_send(at, id, future, false),
                other => seat.guard = other,
            }
        }
    }

    /// Polls a send, and keeps it if it is pending.
    pub fn poll_send(
        &mut self,
        at: usize,
        id: u64,
        mut future: ringmail::SendFuture<'static, T, ringmail::mpsc::Mpsc>,
        new: bool,
    ) {
        let (refuses, room, may_go) = (self.refuses(at), self.room(), self.may_go(at));
        let its_turn = !new && self.in_line(at) == Some(0);
        let answer = self.seat(at).wakes.poll(|cx| Pin::new(&mut future).poll(cx));
        match answer {
            Poll::Ready(Ok(())) => {
                assert!(!refuses && room > 0 && (its_turn || may_go != Some(false)));
                self.tried(at, 16);
                if !new {
                    self.leaves(at);
                }
                self.published(id, 1);
            }
            Poll::Ready(Err(SendError(value))) => {
                assert!(refuses);
                assert_eq!(value.id(), id);
                drop(value);
                self.refusal(at);
                self.leaves(at);
            }
            Poll::Pending => {
                assert!(!refuses, "it is closed");
                assert!(room == 0 || !(its_turn || may_go == Some(true)), "there is room");
                self.tried(at, 16);
                self.waits(at);
                self.seat(at).guard = Guard::Sending { id, future };
            }
        }
    }
}
