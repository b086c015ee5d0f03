//! Every verb of `fan_in`, over lanes that come and go, against a queue for each lane and the rule of turns.
//!
//! The input is read as `spsc_ops` does, with a byte for the budget behind the channel's three; each sending operation
//! reads which lane first.

use super::fan_in_model::{Lane, Model, Wrong};
use super::input::Input;
use super::payload::{Payload, Tracked};
use ringmail::fan_in::{LaneId, Receiver, Sender};
use ringmail::{BuildError, RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError};
use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// Runs `data` as a program.
pub fn fan_in_ops(data: &[u8]) {
    run(data, Wrong::default());
}

/// The same with a model whose capacity is one too large, to show that a difference is noticed.
pub fn fan_in_ops_off_by_one(data: &[u8]) {
    run(data, Wrong { capacity: 1, budget: 0 });
}

/// The same with a model whose budget is one too large.
pub fn fan_in_ops_longer_turns(data: &[u8]) {
    run(data, Wrong { capacity: 0, budget: 1 });
}

fn run(data: &[u8], wrong: Wrong) {
    let mut input = Input::new(data);
    if input.byte() & 1 == 0 { program::<u64>(&mut input, wrong) } else { program::<Tracked>(&mut input, wrong) }
}

fn program<T: Payload>(input: &mut Input<'_>, wrong: Wrong) {
    let mut model = Model::<T>::new(input, wrong);
    let receiver_first = input.byte() & 1 == 0;
    while !input.is_over() {
        match input.below(32) {
            verb @ 0..=12 => {
                let Some(at) = model.pick(input) else { continue };
                match verb {
                    0..=2 => model.try_send(at),
                    3..=4 => model.try_send_slice(at, input),
                    5..=6 => model.try_send_iter(at, input),
                    7 => model.write_chunk(at, input),
                    8 => model.send_timeout(at),
                    9 => model.poll_ready(at),
                    10 => model.send_async(at),
                    _ => model.open(at, input),
                }
            }
            13..=16 => model.try_recv(input),
            17 => model.peek(),
            18..=20 => model.read_chunk(input),
            21 => model.try_recv_many(input),
            22 => model.drain(input),
            23 => model.recv_timeout(input),
            24..=25 => model.poll_recv(input),
            26 => model.recv_async(input),
            27 => model.try_iter(input),
            verb @ 28..=29 => {
                let (Some(at), sure) = (model.pick(input), input.byte()) else { continue };
                // The last one seldom: it ends everything.
                if model.senders() > 1 || sure < 32 {
                    model.close_tx(at, verb == 28);
                }
            }
            30 if input.byte() < 16 => model.close_rx(false),
            31 if input.byte() < 8 => model.close_rx(true),
            _ => {}
        }
        model.look();
    }
    model.finish(receiver_first);
}

impl<T: Payload> Model<T> {
    // ---- senders

    /// A sender that is there, and what a verb needs of the model beside it.
    fn lane(&mut self, at: usize) -> &mut Lane<T> {
        &mut self.lanes[at]
    }

    fn open(&mut self, at: usize, input: &mut Input<'_>) {
        let (options, weight, priority) = Self::lane_options(input);
        if !self.may_open() {
            return;
        }
        let Some(tx) = &self.lanes[at].tx else { return };
        match tx.lane_with(options) {
            Ok(tx) => {
                assert!(!self.refuses(at));
                self.opened(tx, weight, priority);
            }
            Err(error) => {
                assert!(self.refuses(at));
                assert_eq!(error, BuildError::Disconnected);
                self.rx_wakes.check(false);
            }
        }
    }

    fn try_send(&mut self, at: usize) {
        let (first, ledger) = (self.ledger.next(), self.ledger);
        let Some(tx) = &mut self.lane(at).tx else { return };
        let answer = tx.try_send(T::make(ledger));
        self.sent_one(at, first, answer.map_err(|e| (e.is_full(), e.into_inner())));
    }

    fn send_timeout(&mut self, at: usize) {
        let (first, ledger) = (self.ledger.next(), self.ledger);
        let Some(tx) = &mut self.lane(at).tx else { return };
        let answer = tx.send_timeout(T::make(ledger), Duration::ZERO);
        assert!(!matches!(answer, Err(SendTimeoutError::Timeout(_))) || !self.refuses(at));
        self.sent_one(at, first, answer.map_err(|e| (e.is_timeout(), e.into_inner())));
    }

    /// One value was sent, or came back, with whether that was for want of room.
    fn sent_one(&mut self, at: usize, first: u64, answer: Result<(), (bool, T)>) {
        if self.refuses(at) || self.room(at) == 0 {
            let expected = self.refusal(at);
            let (full, value) = answer.expect_err("there is no room");
            assert_eq!((full, value.id()), (expected.is_full(), first), "the value itself comes back");
        } else {
            assert!(answer.is_ok(), "there is room");
            self.published(at, first, 1);
        }
    }

    fn try_send_slice(&mut self, at: usize, input: &mut Input<'_>) {
        let (first, ledger, n) = (self.ledger.next(), self.ledger, input.amount().min(64));
        let Some(tx) = &mut self.lane(at).tx else { return };
        let Some(answer) = T::try_send_slice(tx, ledger, n) else { return };
        if self.refuses(at) || (self.room(at) == 0 && n > 0) {
            assert_eq!(answer, Err(self.refusal(at)));
        } else {
            let fits = self.room(at).min(n);
            assert_eq!(answer, Ok(fits));
            self.published(at, first, fits);
        }
    }

    fn try_send_iter(&mut self, at: usize, input: &mut Input<'_>) {
        let (first, ledger, n) = (self.ledger.next(), self.ledger, input.amount().min(64));
        let Some(tx) = &mut self.lane(at).tx else { return };
        let mut left = n;
        let answer = tx.try_send_iter(&mut std::iter::from_fn(|| {
            left = left.checked_sub(1)?;
            Some(T::make(ledger))
        }));
        if self.refuses(at) || self.room(at) == 0 {
            assert_eq!(answer, Err(self.refusal(at)));
            assert_eq!(left, n, "nothing was taken");
        } else {
            let fits = self.room(at).min(n);
            assert_eq!((answer, left), (Ok(fits), n - fits));
            self.published(at, first, fits);
        }
    }

    /// Reserves, writes some, and commits or not. What else a chunk can do is the ring's, and `spsc_ops` does it.
    fn write_chunk(&mut self, at: usize, input: &mut Input<'_>) {
        let Some(mut tx) = self.lanes[at].tx.take() else { return };
        self.write_chunk_of(at, &mut tx, input);
        self.lanes[at].tx = Some(tx);
    }

    fn write_chunk_of(&mut self, at: usize, tx: &mut Sender<T>, input: &mut Input<'_>) {
        let (first, ledger, n, some, fate) =
            (self.ledger.next(), self.ledger, input.amount(), input.below(24), input.below(128));
        let (refuses, fits) = (self.refuses(at), self.room(at).min(n));
        let answer = tx.try_reserve(n);
        if refuses || (fits == 0 && n > 0) {
            let answer = answer.map(drop);
            assert_eq!(answer, Err(self.refusal(at)));
            return;
        }
        let mut chunk = answer.expect("there is room");
        let written = chunk.fill_from_iter(std::iter::repeat_with(|| T::make(ledger)).take(some));
        assert_eq!((chunk.capacity(), written), (fits, some.min(fits)));
        // Seldom: it ends everything.
        if let how @ 0..=2 = 31 - fate / 4 {
            self.receiver_ends(how);
        }
        match fate % 4 {
            0 | 1 => {
                assert_eq!(chunk.commit(), written);
                self.published(at, first, written);
            }
            2 => drop(chunk),
            _ => {
                std::mem::forget(chunk);
                self.leaked.extend((first..).take(written).filter(|_| std::mem::needs_drop::<T>()));
            }
        }
        self.rx_wakes.check(false);
    }

    /// While a sender is in the middle of something: the receiver goes (0), or closes (1), or is told besides that nothing more comes (2).
    fn receiver_ends(&mut self, how: usize) {
        self.close_rx(how == 0);
        while let (2, false, Some(rx)) = (how, self.told, &mut self.rx) {
            let answer = rx.try_recv().map(nameless);
            self.received_one(answer, |error| error);
        }
    }

    fn poll_ready(&mut self, at: usize) {
        let (refuses, room, sleeps) = (self.refuses(at), self.room(at), self.sleeps);
        let lane = self.lane(at);
        let Some(tx) = &mut lane.tx else { return };
        let answer = lane.wakes.poll(|cx| tx.poll_ready(cx));
        if refuses {
            assert_eq!(answer, Poll::Ready(Err(SendError(()))));
            lane.settled = true;
            // It may have closed itself after it asked to be woken.
            lane.wakes.disarm();
        } else if room > 0 {
            assert_eq!(answer, Poll::Ready(Ok(())));
        } else {
            assert!(answer.is_pending());
            lane.wakes.arm(sleeps);
        }
    }

    fn send_async(&mut self, at: usize) {
        let (first, ledger) = (self.ledger.next(), self.ledger);
        let (refuses, room, sleeps) = (self.refuses(at), self.room(at), self.sleeps);
        let lane = self.lane(at);
        let Some(tx) = &mut lane.tx else { return };
        let answer = {
            let mut future = pin!(tx.send_async(T::make(ledger)));
            lane.wakes.poll(|cx| future.as_mut().poll(cx))
        };
        if refuses {
            let Poll::Ready(Err(SendError(value))) = answer else { panic!("the channel is closed") };
            assert_eq!(value.id(), first);
            lane.settled = true;
        } else if room > 0 {
            assert!(matches!(answer, Poll::Ready(Ok(()))));
            self.published(at, first, 1);
        } else {
            // Dropped while pending: nothing was sent, and no task is woken for it.
            assert!(answer.is_pending());
            lane.wakes.arm(sleeps);
        }
        self.lane(at).wakes.disarm();
    }

    // ---- the receiver

    /// These messages were received, and their places are free.
    fn received(&mut self, ids: impl IntoIterator<Item = u64>) {
        let mut last = None;
        for id in ids {
            self.took(id);
            let at = self.owner(id);
            // A lane's places are free by the time that another's turn begins.
            if let Some(before) = last.replace(at).filter(|&before| before != at) {
                self.given_back(before);
            }
        }
        if let Some(at) = last {
            self.given_back(at);
            // Also if the receiver has looked in vain for another since.
            let last = self.rx.as_ref().and_then(Receiver::last_lane);
            assert_eq!(last, Some(self.lanes[at].id), "the last message's lane");
        }
        self.may_have_given_back();
    }

    /// A message was received, perhaps with its lane, or none.
    fn received_one<E: PartialEq + std::fmt::Debug>(
        &mut self,
        answer: Result<(Option<LaneId>, T), E>,
        none: impl FnOnce(TryRecvError) -> E,
    ) {
        match answer {
            Ok((from, value)) => {
                let at = self.owner(value.id());
                assert!(from.is_none_or(|from| from == self.lanes[at].id));
                self.received([value.id()]);
            }
            Err(error) => assert_eq!(error, none(self.nothing())),
        }
    }

    fn try_recv(&mut self, input: &mut Input<'_>) {
        let (Some(rx), from) = (&mut self.rx, input.byte() & 1 == 0) else { return };
        let answer = if from { rx.try_recv_from().map(named) } else { rx.try_recv().map(nameless) };
        self.received_one(answer, |error| error);
    }

    fn recv_timeout(&mut self, input: &mut Input<'_>) {
        let (Some(rx), from) = (&mut self.rx, input.byte() & 1 == 0) else { return };
        let answer = if from {
            rx.recv_timeout_from(Duration::ZERO).map(named)
        } else {
            rx.recv_timeout(Duration::ZERO).map(nameless)
        };
        self.received_one(answer, |error| {
            if error.is_empty() { RecvTimeoutError::Timeout } else { RecvTimeoutError::Disconnected }
        });
    }

    fn poll_recv(&mut self, input: &mut Input<'_>) {
        let (Some(rx), from) = (&mut self.rx, input.byte() & 1 == 0) else { return };
        let answer = self
            .rx_wakes
            .poll(|cx| if from { rx.poll_recv_from(cx).map_ok(named) } else { rx.poll_recv(cx).map_ok(nameless) });
        if matches!(answer, Poll::Ready(Err(_))) {
            // It may have closed itself after it asked to be woken.
            self.rx_wakes.disarm();
        }
        self.polled(answer);
    }

    fn recv_async(&mut self, input: &mut Input<'_>) {
        let (Some(rx), from) = (&mut self.rx, input.byte() & 1 == 0) else { return };
        let answer = self.rx_wakes.poll(|cx| {
            if from {
                pin!(rx.recv_from_async()).poll(cx).map_ok(named)
            } else {
                pin!(rx.recv_async()).poll(cx).map_ok(nameless)
            }
        });
        self.polled(answer);
        self.rx_wakes.disarm();
    }

    fn polled(&mut self, answer: Poll<Result<(Option<LaneId>, T), RecvError>>) {
        match answer {
            Poll::Ready(answer) => self.received_one(answer, |error| {
                assert!(error.is_disconnected());
                RecvError
            }),
            Poll::Pending => {
                assert!(self.nothing().is_empty());
                self.rx_wakes.arm(self.sleeps);
            }
        }
    }

    fn peek(&mut self) {
        let Some(rx) = &mut self.rx else { return };
        match rx.peek().map(Payload::id) {
            Ok(id) => {
                let at = self.owner(id);
                self.comes_from(at);
                assert_eq!(self.lanes[at].queue.front(), Some(&id));
                let last = self.rx.as_ref().and_then(Receiver::last_lane);
                assert_eq!(last, Some(self.lanes[at].id));
                self.may_have_given_back();
            }
            Err(error) => assert_eq!(error, self.nothing()),
        }
    }

    fn read_chunk(&mut self, input: &mut Input<'_>) {
        let (Some(mut rx), n) = (self.rx.take(), input.amount()) else { return };
        self.read_chunk_of(&mut rx, n, input);
        self.rx = Some(rx);
    }

    fn read_chunk_of(&mut self, rx: &mut Receiver<T>, n: usize, input: &mut Input<'_>) {
        let chunk = match rx.read_chunk(n) {
            Ok(chunk) => chunk,
            Err(error) => {
                assert!(n > 0);
                assert_eq!(error, self.nothing());
                return;
            }
        };
        let Some(first) = chunk.iter().map(Payload::id).next() else {
            assert_eq!((n, chunk.len(), chunk.is_empty()), (0, 0, true));
            drop(chunk);
            self.may_have_given_back();
            return;
        };
        // All of one lane, and of one turn.
        let at = self.owner(first);
        self.wants(n);
        self.comes_from(at);
        let len = self.lanes[at].queue.len().min(n).min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let ids: Vec<u64> = self.lanes[at].queue.iter().copied().take(len).collect();
        assert_eq!((chunk.len(), chunk.is_empty()), (len, false));
        assert!(chunk.iter().map(Payload::id).eq(ids.iter().copied()));
        let (a, b) = chunk.as_slices();
        assert!(a.iter().chain(b).map(Payload::id).eq(ids.iter().copied()));
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
                ids.into_iter().take(k).for_each(|id| self.took(id));
                self.given_back(at);
            }
            verb => {
                let mut taken = chunk.into_iter();
                for left in (0..=len).rev().take(1 + input.below(24)) {
                    assert_eq!(taken.len(), left);
                    let value = taken.next();
                    assert_eq!(value.is_some(), left > 0);
                    if let Some(value) = value {
                        self.took(value.id());
                    }
                }
                if verb == 4 {
                    drop(taken);
                    self.given_back(at);
                } else {
                    std::mem::forget(taken);
                }
            }
        }
        self.may_have_given_back();
        assert_eq!(rx.last_lane(), Some(self.lanes[at].id));
    }

    fn try_recv_many(&mut self, input: &mut Input<'_>) {
        let (Some(rx), limit) = (&mut self.rx, input.amount()) else { return };
        let mut buffer = Vec::new();
        let answer = rx.try_recv_many(&mut buffer, limit);
        if limit > 0 {
            self.sees();
        }
        match answer {
            Ok(n) => {
                let all: usize = self.lanes.iter().map(|lane| lane.queue.len()).sum();
                assert_eq!((n, buffer.len()), (all.min(limit), n));
                assert!(n > 0 || limit == 0);
                self.wants(n);
                // What was there: it does not look for more.
                self.received(buffer.iter().map(Payload::id));
            }
            Err(error) => {
                assert!(limit > 0);
                assert_eq!(error, self.nothing());
            }
        }
    }

    fn drain(&mut self, input: &mut Input<'_>) {
        let (Some(rx), max) = (&mut self.rx, input.amount()) else { return };
        let mut seen = Vec::new();
        let n = rx.drain(max, |value| seen.push(value.id()));
        self.sees();
        let all: usize = self.lanes.iter().map(|lane| lane.queue.len()).sum();
        assert_eq!((n, seen.len()), (all.min(max), n));
        self.wants(n);
        self.received(seen);
        if n == 0 && max > 0 {
            self.nothing();
        }
    }

    fn try_iter(&mut self, input: &mut Input<'_>) {
        let (Some(rx), n) = (&mut self.rx, input.below(24)) else { return };
        let seen: Vec<_> = rx.try_iter().take(n).map(|value| value.id()).collect();
        let all: usize = self.lanes.iter().map(|lane| lane.queue.len()).sum();
        assert_eq!(seen.len(), all.min(n));
        // It ended where there is no more, unless that was all it was to bring.
        let fewer = seen.len() < n;
        self.received(seen);
        if fewer {
            self.nothing();
        }
    }
}

fn named<T>((from, value): (LaneId, T)) -> (Option<LaneId>, T) {
    (Some(from), value)
}

fn nameless<T>(value: T) -> (Option<LaneId>, T) {
    (None, value)
}
