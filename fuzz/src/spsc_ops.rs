//! Every verb of `spsc`, in any order, against a queue.
//!
//! The first byte chooses the kind of message; [`Model::new`] reads three more; then each operation is a byte for the verb
//! and a byte or two for its arguments.

use super::input::Input;
use super::payload::{Payload, Tracked};
use super::spsc_model::Model;
use ringmail::{RecvError, RecvTimeoutError, SendError, SendTimeoutError};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// Runs `data` as a program.
pub fn spsc_ops(data: &[u8]) {
    run(data, 0);
}

/// The same with a model whose capacity is one too large, to show that a difference is noticed.
pub fn spsc_ops_off_by_one(data: &[u8]) {
    run(data, 1);
}

fn run(data: &[u8], off: usize) {
    let mut input = Input::new(data);
    if input.byte() & 1 == 0 { program::<u64>(&mut input, off) } else { program::<Tracked>(&mut input, off) }
}

fn program<T: Payload>(input: &mut Input<'_>, off: usize) {
    let mut model = Model::<T>::new(input, off);
    let receiver_first = input.byte() & 1 == 0;
    while !input.is_over() {
        match input.below(26) {
            0..=2 => model.try_send(input),
            3 => model.try_send_slice(input),
            4 => model.try_send_iter(input),
            5..=6 => model.write_chunk(input),
            7 => model.send_timeout(),
            8 => model.poll_ready(),
            9 => model.send_async(),
            10..=12 => model.try_recv(),
            13 => model.peek(),
            14..=15 => model.read_chunk(input),
            16 => model.try_recv_many(input),
            17 => model.drain(input),
            18 => model.recv_timeout(),
            19 => model.poll_recv(),
            20 => model.recv_async(),
            21 => model.try_iter(input),
            // Closing ends most of what can happen: rarely.
            22 if input.byte() < 32 => model.close_tx(false),
            23 if input.byte() < 16 => model.close_tx(true),
            24 if input.byte() < 32 => model.close_rx(false),
            25 if input.byte() < 16 => model.close_rx(true),
            _ => {}
        }
        model.look();
    }
    model.finish(receiver_first);
}

impl<T: Payload> Model<T> {
    fn try_send(&mut self, input: &mut Input<'_>) {
        let Some(tx) = &mut self.tx else { return };
        let first = self.ledger.next();
        let value = T::make(self.ledger);
        let answer = if input.byte() & 1 == 0 { tx.try_send(value) } else { tx.start_send(value) };
        self.sent_one(first, answer.map_err(|e| (e.is_full(), e.into_inner())));
    }

    fn send_timeout(&mut self) {
        let Some(tx) = &mut self.tx else { return };
        let first = self.ledger.next();
        let answer = tx.send_timeout(T::make(self.ledger), Duration::ZERO);
        assert!(!matches!(answer, Err(SendTimeoutError::Timeout(_))) || !self.refuses());
        self.sent_one(first, answer.map_err(|e| (e.is_timeout(), e.into_inner())));
    }

    /// One value was sent, or came back, with whether that was for want of room.
    fn sent_one(&mut self, first: u64, answer: Result<(), (bool, T)>) {
        if self.refuses() || self.room() == 0 {
            let expected = self.refusal();
            let (full, value) = answer.expect_err("there is no room");
            assert_eq!((full, value.id()), (expected.is_full(), first), "the value itself comes back");
        } else {
            assert!(answer.is_ok(), "there is room");
            self.published(first, 1);
        }
    }

    fn try_send_slice(&mut self, input: &mut Input<'_>) {
        let (Some(tx), n) = (&mut self.tx, input.amount().min(64)) else { return };
        let first = self.ledger.next();
        let Some(answer) = T::try_send_slice(tx, self.ledger, n) else { return };
        let fits = if self.refuses() { 0 } else { self.room().min(n) };
        if self.refuses() || (fits == 0 && n > 0) {
            assert_eq!(answer, Err(self.refusal()));
        } else {
            assert_eq!(answer, Ok(fits));
            self.published(first, fits);
        }
    }

    fn try_send_iter(&mut self, input: &mut Input<'_>) {
        let (Some(tx), n) = (&mut self.tx, input.amount().min(64)) else { return };
        let first = self.ledger.next();
        let ledger = self.ledger;
        let mut left = n;
        let answer = tx.try_send_iter(&mut std::iter::from_fn(|| {
            left = left.checked_sub(1)?;
            Some(T::make(ledger))
        }));
        if self.refuses() || self.room() == 0 {
            assert_eq!(answer, Err(self.refusal()));
            assert_eq!(left, n, "nothing was taken");
        } else {
            let fits = self.room().min(n);
            assert_eq!(answer, Ok(fits));
            assert_eq!(left, n - fits, "nothing was taken without a place for it");
            self.published(first, fits);
        }
    }

    fn write_chunk(&mut self, input: &mut Input<'_>) {
        let (Some(mut tx), n) = (self.tx.take(), input.amount()) else { return };
        self.write_chunk_of(&mut tx, n, input);
        self.tx = Some(tx);
    }

    fn write_chunk_of(&mut self, tx: &mut ringmail::spsc::Sender<T>, n: usize, input: &mut Input<'_>) {
        let fits =
            if self.tx_closed || self.rx_closed { 0 } else { (self.capacity - self.queue.len() - self.lag).min(n) };
        let answer = tx.try_reserve(n);
        if self.tx_closed || self.rx_closed || (fits == 0 && n > 0) {
            let answer = answer.map(drop);
            assert_eq!(answer, Err(self.refusal()));
            return;
        }
        let mut chunk = answer.expect("there is room");
        assert_eq!((chunk.capacity(), chunk.len(), chunk.is_empty()), (fits, 0, true));
        let first = self.ledger.next();
        let mut written = 0;
        for _ in 0..input.below(4) {
            let (verb, n) = (input.below(4), input.below(24));
            let expected = n.min(fits - written);
            let ledger = self.ledger;
            match verb {
                0 if written == fits => {
                    // The one that comes back is dropped; numbers go on.
                    assert!(chunk.push(T::make(ledger)).is_err());
                    break;
                }
                0 => {
                    assert!(chunk.push(T::make(ledger)).is_ok());
                    written += 1;
                }
                1 => {
                    let values = std::iter::repeat_with(|| T::make(ledger)).take(n);
                    assert_eq!(chunk.fill_from_iter(values), expected);
                    written += expected;
                }
                2 => {
                    let Some(n) = T::fill_from_slice(&mut chunk, ledger, n) else { continue };
                    assert_eq!(n, expected);
                    written += expected;
                }
                _ => {
                    let (a, b) = chunk.vacant_slices();
                    assert_eq!(a.len() + b.len(), fits - written);
                    for place in a.iter_mut().chain(b).take(expected) {
                        place.write(T::make(ledger));
                    }
                    // SAFETY: the first `expected` places have just been written.
                    unsafe { chunk.assume_written(expected) };
                    written += expected;
                }
            }
            assert_eq!((chunk.len(), chunk.capacity()), (written, fits));
        }
        let fate = input.below(128);
        // Seldom: it ends everything.
        if let how @ 0..=2 = 31 - fate / 4 {
            self.receiver_ends(how);
        }
        match fate % 4 {
            0 | 1 => {
                assert_eq!(chunk.commit(), written);
                self.published(first, written);
            }
            2 => drop(chunk),
            _ => {
                std::mem::forget(chunk);
                self.leaked.extend((first..).take(written).filter(|_| std::mem::needs_drop::<T>()));
            }
        }
        self.rx_wakes.check(false);
    }

    fn poll_ready(&mut self) {
        let Some(tx) = &mut self.tx else { return };
        let answer = self.tx_wakes.poll(|cx| tx.poll_ready(cx));
        if self.refuses() {
            assert_eq!(answer, Poll::Ready(Err(SendError(()))));
            self.settled = true;
            // It may have closed itself after it asked to be woken.
            self.tx_wakes.disarm();
        } else if self.room() > 0 {
            assert_eq!(answer, Poll::Ready(Ok(())));
        } else {
            assert!(answer.is_pending());
            self.tx_wakes.arm(self.sleeps);
        }
    }

    fn send_async(&mut self) {
        let Some(tx) = &mut self.tx else { return };
        let first = self.ledger.next();
        let answer = {
            let mut future = pin!(tx.send_async(T::make(self.ledger)));
            self.tx_wakes.poll(|cx| future.as_mut().poll(cx))
        };
        if self.refuses() {
            let Poll::Ready(Err(SendError(value))) = answer else { panic!("the channel is closed") };
            assert_eq!(value.id(), first);
            self.settled = true;
        } else if self.room() > 0 {
            assert!(matches!(answer, Poll::Ready(Ok(()))));
            self.published(first, 1);
        } else {
            // Dropped while pending: nothing was sent, and no task is woken for it.
            assert!(answer.is_pending());
            self.tx_wakes.arm(self.sleeps);
        }
        self.tx_wakes.disarm();
    }

    /// A message was received, or none.
    fn received_one<E: PartialEq + std::fmt::Debug>(
        &mut self,
        answer: Result<T, E>,
        none: impl FnOnce(&mut Self) -> E,
    ) {
        match answer {
            Ok(value) => {
                self.took(value.id());
                self.given_back();
            }
            Err(error) => {
                assert!(self.queue.is_empty(), "there is a message");
                assert_eq!(error, none(self));
            }
        }
    }

    pub fn try_recv(&mut self) {
        let Some(rx) = &mut self.rx else { return };
        let answer = rx.try_recv();
        self.received_one(answer, Self::nothing);
    }

    fn recv_timeout(&mut self) {
        let Some(rx) = &mut self.rx else { return };
        let answer = rx.recv_timeout(Duration::ZERO);
        self.received_one(answer, |model| {
            if model.nothing().is_empty() { RecvTimeoutError::Timeout } else { RecvTimeoutError::Disconnected }
        });
    }

    fn poll_recv(&mut self) {
        let Some(rx) = &mut self.rx else { return };
        match self.rx_wakes.poll(|cx| rx.poll_recv(cx)) {
            Poll::Ready(answer) => {
                if answer.is_err() {
                    // It may have closed itself after it asked to be woken.
                    self.rx_wakes.disarm();
                }
                self.received_one(answer, Self::over);
            }
            Poll::Pending => {
                assert!(self.queue.is_empty() && self.nothing().is_empty());
                self.rx_wakes.arm(self.sleeps);
            }
        }
    }

    fn recv_async(&mut self) {
        let Some(rx) = &mut self.rx else { return };
        let answer = self.rx_wakes.poll(|cx| pin!(rx.recv_async()).poll(cx));
        match answer {
            Poll::Ready(answer) => self.received_one(answer, Self::over),
            Poll::Pending => {
                assert!(self.queue.is_empty() && self.nothing().is_empty());
                self.rx_wakes.arm(self.sleeps);
            }
        }
        self.rx_wakes.disarm();
    }

    fn over(&mut self) -> RecvError {
        assert!(self.nothing().is_disconnected());
        RecvError
    }

    fn peek(&mut self) {
        let Some(rx) = &mut self.rx else { return };
        match rx.peek().map(Payload::id) {
            Ok(id) => {
                assert_eq!(Some(&id), self.queue.front());
                self.may_have_given_back();
            }
            Err(error) => {
                assert!(self.queue.is_empty());
                assert_eq!(error, self.nothing());
            }
        }
    }

    fn read_chunk(&mut self, input: &mut Input<'_>) {
        let (Some(rx), n) = (&mut self.rx, input.amount()) else { return };
        let len = self.queue.len().min(n);
        let chunk = match rx.read_chunk(n) {
            Ok(chunk) => chunk,
            Err(error) => {
                assert!(len == 0 && n > 0);
                assert_eq!(error, self.nothing());
                return;
            }
        };
        assert!(len > 0 || n == 0);
        assert_eq!((chunk.len(), chunk.is_empty()), (len, len == 0));
        assert!(chunk.iter().map(Payload::id).eq(self.queue.iter().copied().take(len)));
        let (a, b) = chunk.as_slices();
        assert!(a.iter().chain(b).map(Payload::id).eq(self.queue.iter().copied().take(len)));
        match input.below(6) {
            0 => drop(chunk),
            #[allow(clippy::forget_non_drop)] // today it has none
            1 => std::mem::forget(chunk),
            verb @ 2..=3 => {
                let k = if verb == 2 { input.amount() } else { usize::MAX };
                if verb == 2 {
                    chunk.commit(k)
                } else {
                    chunk.commit_all()
                }
                for _ in 0..len.min(k) {
                    self.took(self.queue[0]);
                }
                self.given_back();
            }
            verb => {
                let mut taken = chunk.into_iter();
                for left in (0..=len).rev().take(1 + input.below(24)) {
                    assert_eq!(taken.len(), left);
                    let value = taken.next();
                    assert_eq!(value.is_some(), left > 0);
                    if let Some(value) = value {
                        let (id, expected) = (value.id(), self.queue.pop_front());
                        assert_eq!(Some(id), expected, "order");
                        self.received += 1;
                        self.lag += 1;
                    }
                }
                if verb == 4 {
                    drop(taken);
                    self.given_back();
                } else {
                    std::mem::forget(taken);
                }
            }
        }
        self.may_have_given_back();
    }

    fn try_recv_many(&mut self, input: &mut Input<'_>) {
        let (Some(rx), limit) = (&mut self.rx, input.amount()) else { return };
        let mut buffer = Vec::new();
        match rx.try_recv_many(&mut buffer, limit) {
            Ok(n) => {
                assert_eq!((n, buffer.len()), (self.queue.len().min(limit), n));
                assert!(n > 0 || limit == 0);
                buffer.iter().for_each(|value| self.took(value.id()));
                if n > 0 { self.given_back() } else { self.may_have_given_back() }
            }
            Err(error) => {
                assert!(self.queue.is_empty() && limit > 0);
                assert_eq!(error, self.nothing());
            }
        }
    }

    fn drain(&mut self, input: &mut Input<'_>) {
        let (Some(rx), max) = (&mut self.rx, input.amount()) else { return };
        let mut seen = Vec::new();
        let n = rx.drain(max, |value| seen.push(value.id()));
        assert_eq!((n, seen.len()), (self.queue.len().min(max), n));
        seen.into_iter().for_each(|id| self.took(id));
        self.given_back();
    }

    fn try_iter(&mut self, input: &mut Input<'_>) {
        let (Some(rx), n) = (&mut self.rx, input.below(24)) else { return };
        let seen: Vec<_> = rx.try_iter().take(n).map(|value| value.id()).collect();
        assert_eq!(seen.len(), self.queue.len().min(n));
        seen.into_iter().for_each(|id| self.took(id));
        if n > 0 {
            self.given_back();
        }
    }
}
