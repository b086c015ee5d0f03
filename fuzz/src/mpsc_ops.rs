//! Every verb of `mpsc`, from up to four senders, in any order, against a row of places and a line of waiting senders.
//!
//! The input is read as `spsc_ops` does: the kind of message, the channel, then a byte for each operation and its arguments behind it.
//!
//! Wakes: one that is owed must come; one too many is allowed where the crate allows it (a guard of `hold` rings for
//! every place, a sender in line may be told by the event count and by its neighbour, a receiver that finds nothing calls up senders).

use super::input::Input;
use super::mpsc_world::{Guard, Place, SEATS, Seat, World};
use super::payload::{Payload, Tracked};
use ringmail::{RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, WaitStrategy};
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

/// Runs `data` as a program.
pub fn mpsc_ops(data: &[u8]) {
    run(data, 0);
}

/// The same with a model that believes the capacity to be one more than it is. To show that the model would notice.
pub fn mpsc_ops_off_by_one(data: &[u8]) {
    run(data, 1);
}

fn run(data: &[u8], off: usize) {
    let mut input = Input::new(data);
    if input.byte() & 1 == 0 { program::<u64>(&mut input, off) } else { program::<Tracked>(&mut input, off) }
}

fn program<T: Payload>(input: &mut Input<'_>, off: usize) {
    let mut world = World::<T>::new(input, off);
    let receiver_first = input.byte() & 1 == 0;
    while !input.is_over() {
        match input.below(40) {
            0..=2 => world.try_send(input),
            3..=4 => world.try_send_slice(input),
            5 => world.send_iter(input),
            6..=7 => world.send_in_time(input),
            8..=10 => world.send_async(input),
            11..=12 => world.poll_again(input),
            13..=14 => world.release_one(input),
            15..=16 => world.hold(input),
            17..=19 => world.send_held(input),
            20..=21 => world.clone_tx(input),
            22 => world.downgrade(input),
            23 => world.upgrade(input),
            24 => world.set_wait(input),
            25..=27 => world.try_recv(),
            28 => world.peek(),
            29..=30 => world.read_chunk(input),
            31 => world.try_recv_many(input),
            32 => world.drain(input),
            33 => world.recv_timeout(),
            34..=35 => world.poll_recv(),
            36 => world.recv_async(),
            // Closing ends much of what can happen: rarely.
            37 => world.close_one(input),
            38 if input.byte() < 16 => world.close_rx(false),
            39 if input.byte() < 8 => world.close_rx(true),
            _ => {}
        }
        world.look();
    }
    world.finish(receiver_first);
}

impl<T: Payload> World<T> {
    // ---- sends that do not wait

    fn try_send(&mut self, input: &mut Input<'_>) {
        let Some((at, tx)) = self.pick(input) else { return };
        let first = self.book.next();
        let answer = tx.try_send(T::make(self.book));
        if self.refuses(at) || self.room() == 0 {
            let error = answer.expect_err("there is no room");
            assert_eq!(error.is_full(), self.refusal(at).is_full());
            assert_eq!(error.into_inner().id(), first, "the value itself comes back");
        } else {
            assert!(answer.is_ok(), "there is room");
            self.published(first, 1);
        }
    }

    fn try_send_slice(&mut self, input: &mut Input<'_>) {
        let (Some((at, tx)), n) = (self.pick(input), input.amount().min(64)) else { return };
        let first = self.book.next();
        let Some(answer) = T::try_send_slice(tx, self.book, n) else { return };
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

    fn hold(&mut self, input: &mut Input<'_>) {
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
    fn send_held(&mut self, input: &mut Input<'_>) {
        let (first, book) = (input.below(SEATS), self.book);
        for seat in first..first + SEATS {
            let Some(Seat { guard: Guard::Held { at, left, held }, .. }) = &mut self.seats[seat % SEATS] else {
                continue;
            };
            let id = book.next();
            let now = held(Some(T::make(book)));
            assert_eq!(now, left.saturating_sub(1));
            let (position, filled) = (*at, *left > 0);
            (*at, *left) = (position + u64::from(filled), now);
            if filled {
                self.publish(position, Place::Value(id));
            } else {
                self.rx_alarm.heard(false);
            }
            return;
        }
    }

    /// Ends a claim, or drops a future.
    fn release_one(&mut self, input: &mut Input<'_>) {
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
    fn is_stuck(&self, at: usize) -> bool {
        self.in_line(at).is_some()
    }

    /// Whether it is known what a verb that waits will do.
    fn is_clear(&mut self, at: usize) -> bool {
        !self.is_stuck(at) || self.refuses(at) || self.may_go(at) == Some(true)
    }

    /// `send_timeout` that does not wait, and `send` where it need not.
    fn send_in_time(&mut self, input: &mut Input<'_>) {
        let (Some((at, tx)), timed) = (self.pick(input), input.byte() & 3 != 0) else { return };
        if !self.is_clear(at) {
            return;
        }
        let (refuses, room, may_go) = (self.refuses(at), self.room(), self.may_go(at));
        let (first, book) = (self.book.next(), self.book);
        if !timed && (refuses || (room > 0 && may_go == Some(true))) {
            // What blocks must not rely on the model alone: one that is wrong would hang.
            assert_eq!(tx.capacity() - tx.len(), room);
            let answer = tx.send(T::make(book));
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
        match tx.send_timeout(T::make(book), Duration::ZERO) {
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
    fn send_iter(&mut self, input: &mut Input<'_>) {
        let (Some((at, tx)), n) = (self.pick(input), input.below(24)) else { return };
        let (first, book) = (self.book.next(), self.book);
        let values = |n| std::iter::repeat_with(move || T::make(book)).take(n);
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

    fn send_async(&mut self, input: &mut Input<'_>) {
        let (Some((at, tx)), fate) = (self.pick(input), input.below(4)) else { return };
        if !self.is_clear(at) {
            return;
        }
        let id = self.book.next();
        let future = tx.send_async(T::make(self.book));
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

    fn poll_again(&mut self, input: &mut Input<'_>) {
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
    fn poll_send(
        &mut self,
        at: usize,
        id: u64,
        mut future: ringmail::SendFuture<'static, T, ringmail::mpsc::Mpsc>,
        new: bool,
    ) {
        let (refuses, room, may_go) = (self.refuses(at), self.room(), self.may_go(at));
        let its_turn = !new && self.in_line(at) == Some(0);
        let answer = self.seat(at).alarm.poll(|cx| Pin::new(&mut future).poll(cx));
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

    // ---- more senders, fewer senders

    fn vacant(&self) -> Option<usize> {
        self.seats.iter().position(Option::is_none)
    }

    fn clone_tx(&mut self, input: &mut Input<'_>) {
        let (Some(to), Some((at, tx))) = (self.vacant(), self.pick(input)) else { return };
        let mut seat = Seat::new(tx.clone(), self.seat(at).strategy);
        seat.closed = self.seat(at).closed;
        self.seats[to] = Some(seat);
    }

    fn downgrade(&mut self, input: &mut Input<'_>) {
        let Some((_, tx)) = self.pick(input) else { return };
        self.weak = if input.byte() & 1 == 0 { Some(tx.downgrade()) } else { self.weak.clone() };
    }

    fn upgrade(&mut self, input: &mut Input<'_>) {
        let (Some(weak), Some(to)) = (&self.weak, self.vacant()) else { return };
        let tx = weak.upgrade();
        assert_eq!(tx.is_none(), self.alive() == 0, "there is a sender to be had for as long as there is one");
        // Of what strategy is not said: it is set at once.
        let Some(mut tx) = tx else { return };
        let strategy = strategy(input);
        tx.set_wait(strategy);
        self.seats[to] = Some(Seat::new(tx, strategy));
    }

    fn set_wait(&mut self, input: &mut Input<'_>) {
        if let (2, Some(rx)) = (input.below(3), &mut self.rx) {
            rx.set_wait(strategy(input));
        } else if let Some((at, tx)) = self.pick(input) {
            let strategy = strategy(input);
            tx.set_wait(strategy);
            self.seat(at).strategy = strategy;
        }
    }

    fn close_one(&mut self, input: &mut Input<'_>) {
        let (at, verb) = (input.below(SEATS), input.byte());
        // The last one seldom: it ends everything.
        let last = self.alive() == 1 && self.seats[at].as_ref().is_some_and(|seat| !seat.closed);
        if self.seats[at].is_some() && (!last || verb < 32) {
            self.close_tx(at, verb & 1 == 0);
        }
    }

    // ---- receives

    /// A message was received, or none.
    fn received_one<E: PartialEq + std::fmt::Debug>(
        &mut self,
        answer: Result<T, E>,
        none: impl FnOnce(TryRecvError) -> E,
    ) {
        match answer {
            Ok(value) => {
                self.looks();
                self.took(value.id());
                self.given_back();
            }
            Err(error) => assert_eq!(error, none(self.nothing())),
        }
    }

    fn try_recv(&mut self) {
        let Some(rx) = &mut self.rx else { return };
        let answer = rx.try_recv();
        self.received_one(answer, |error| error);
    }

    fn recv_timeout(&mut self) {
        let Some(rx) = &mut self.rx else { return };
        let answer = rx.recv_timeout(Duration::ZERO);
        self.received_one(answer, |error| {
            if error.is_empty() { RecvTimeoutError::Timeout } else { RecvTimeoutError::Disconnected }
        });
    }

    fn poll_recv(&mut self) {
        let Some(rx) = &mut self.rx else { return };
        match self.rx_alarm.poll(|cx| rx.poll_recv(cx)) {
            Poll::Ready(answer) => {
                if answer.is_err() {
                    // It may have closed itself after it asked to be woken.
                    self.rx_alarm.disarm();
                }
                self.received_one(answer, over);
            }
            Poll::Pending => self.receiver_waits(),
        }
    }

    fn recv_async(&mut self) {
        let Some(rx) = &mut self.rx else { return };
        let answer = self.rx_alarm.poll(|cx| pin!(rx.recv_async()).poll(cx));
        match answer {
            Poll::Ready(answer) => self.received_one(answer, over),
            Poll::Pending => self.receiver_waits(),
        }
        self.rx_alarm.disarm();
    }

    fn receiver_waits(&mut self) {
        assert!(self.nothing().is_empty());
        self.rx_alarm.arm(self.sleeps);
        if self.sleeps {
            self.receiver_sleeps();
        }
    }

    fn peek(&mut self) {
        let Some(rx) = &mut self.rx else { return };
        match rx.peek().map(Payload::id) {
            Ok(id) => {
                assert!(self.looks());
                assert_eq!(Some(id), self.run().next());
                self.owed = false;
            }
            Err(error) => assert_eq!(error, self.nothing()),
        }
    }

    fn read_chunk(&mut self, input: &mut Input<'_>) {
        let (Some(mut rx), n) = (self.rx.take(), input.amount()) else { return };
        self.read_chunk_of(&mut rx, n, input);
        self.rx = Some(rx);
    }

    fn read_chunk_of(&mut self, rx: &mut ringmail::mpsc::Receiver<T>, n: usize, input: &mut Input<'_>) {
        let chunk = match rx.read_chunk(n) {
            Ok(chunk) => chunk,
            Err(error) => {
                assert!(n > 0);
                assert_eq!(error, self.nothing());
                return;
            }
        };
        if n > 0 {
            assert!(self.looks());
        }
        let len = self.run().take(n).count();
        assert_eq!((chunk.len(), chunk.is_empty()), (len, len == 0));
        assert!(chunk.iter().map(Payload::id).eq(self.run().take(len)));
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
                for id in self.run().take(len.min(k)).collect::<Vec<_>>() {
                    self.took(id);
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
                        self.took(value.id());
                    }
                    if left == 1 {
                        self.given_back();
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
    }

    fn try_recv_many(&mut self, input: &mut Input<'_>) {
        let (Some(rx), limit) = (&mut self.rx, input.amount()) else { return };
        let mut buffer = Vec::new();
        match rx.try_recv_many(&mut buffer, limit) {
            Ok(n) if limit == 0 => assert_eq!((n, buffer.len()), (0, 0)),
            Ok(n) => {
                assert!(self.looks());
                assert_eq!((n, buffer.len()), (self.run().take(limit).count(), n));
                buffer.iter().for_each(|value| self.took(value.id()));
                self.given_back();
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
        if max > 0 {
            self.looks();
        }
        assert_eq!((n, seen.len()), (self.run().take(max).count(), n));
        seen.into_iter().for_each(|id| self.took(id));
        self.given_back();
    }
}

fn over(error: TryRecvError) -> RecvError {
    assert!(error.is_disconnected());
    RecvError
}

fn strategy(input: &mut Input<'_>) -> WaitStrategy {
    use WaitStrategy::{BusySpin, Park, ParkAtOnce, Yield};
    [Park, Yield, BusySpin, ParkAtOnce][input.below(4)]
}
