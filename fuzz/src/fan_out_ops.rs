//! Every verb of `fan_out`, with workers that join, close and leave, in any order: each message goes to one worker, in order within a lane and
//! within a key, and none is lost or dropped twice.
//!
//! The input is read as `spsc_ops` does: the kind of message, the channel, then a byte for each operation and its arguments behind it. Keys are hashed at
//! random, so the same input may take two ways.

use super::fan_out_model::{HUBS, KEYS, Model, WORKERS, Worker};
use super::input::Input;
use super::payload::{Payload, Tracked};
use ringmail::fan_out::Hub;
use ringmail::{RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError};
use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// Runs `data` as a program.
pub fn fan_out_ops(data: &[u8]) {
    run(data, 0);
}

/// The same with a model whose lanes are longer by one, to show that a difference is noticed.
pub fn fan_out_ops_off_by_one(data: &[u8]) {
    run(data, 1);
}

fn run(data: &[u8], more: usize) {
    let mut input = Input::new(data);
    if input.byte() & 1 == 0 { program::<u64>(&mut input, more) } else { program::<Tracked>(&mut input, more) }
}

fn program<T: Payload>(input: &mut Input<'_>, more: usize) {
    let mut model = Model::<T>::new(input, more);
    let sender_first = input.byte() & 1 == 0;
    while !input.is_over() {
        match input.below(32) {
            0..=5 => model.send(input),
            6..=9 => model.send_by_key(input),
            10 => model.send_many(input),
            11 => model.poll_closed(),
            12 => model.send_async(input),
            13..=15 => model.try_recv(input),
            16 => model.peek(input),
            17..=18 => model.read_chunk(input),
            19 => model.try_recv_many(input),
            20 => model.drain(input),
            21 => model.recv_timeout(input),
            22 => model.poll_recv(input),
            23 => model.recv_async(input),
            24..=25 => model.join(input),
            26 => model.close(input),
            27..=28 => model.leave(input),
            29 => model.take_back(input),
            30 => model.hub(input),
            // Closing ends most of what can happen: rarely.
            31 if input.byte() < 32 => model.close_tx(input.byte() & 1 == 0),
            _ => {}
        }
        model.look();
    }
    model.finish(sender_first);
}

impl<T: Payload> Model<T> {
    // ---- sending

    fn send(&mut self, input: &mut Input<'_>) {
        let (fits, expected, way) = (self.has_room(), self.refusal(), input.below(3));
        let Some(tx) = &mut self.tx else { return };
        let (ledger, first) = (self.ledger, self.ledger.next());
        let answer = match way {
            0 => tx.try_send(T::make(ledger)).map_err(|e| (e.is_full(), e.into_inner())),
            1 => tx.try_send_with(|place| place.write(T::make(ledger))).map_err(|e| (e.is_full(), T::make(ledger))),
            _ => tx.send_timeout(T::make(ledger), Duration::ZERO).map_err(|e| {
                let full = matches!(e, SendTimeoutError::Timeout(_));
                (full, e.into_inner())
            }),
        };
        match answer {
            Ok(()) => {
                assert!(fits, "sent, and no worker has room");
                self.published(first, None);
            }
            Err((full, value)) => {
                assert!(!fits, "refused, and a worker has room");
                assert_eq!((full, value.id()), (expected.is_full(), first), "the value itself comes back");
            }
        }
    }

    fn send_by_key(&mut self, input: &mut Input<'_>) {
        let (key, way) = (input.below(KEYS), input.below(3));
        let (fits, refuses) = (self.has_room(), self.refuses());
        let owner = self.workers.iter().find(|worker| Some(worker.id) == self.owners[key]);
        let owner_fits = owner.map(|owner| !refuses && self.has_room_at(owner));
        let Some(tx) = &mut self.tx else { return };
        let (ledger, first) = (self.ledger, self.ledger.next());
        let answer = match way {
            0 => tx.try_send_by_key(&key, T::make(ledger)).map_err(|e| (e.is_full(), e.into_inner())),
            1 => tx.send_timeout_by_key(&key, T::make(ledger), Duration::ZERO).map_err(|e| {
                let full = matches!(e, SendTimeoutError::Timeout(_));
                (full, e.into_inner())
            }),
            _ => {
                let mut future = tx.send_async_by_key(&key, T::make(ledger));
                let answer = self.tx_wakes.poll(|cx| pin!(&mut future).poll(cx));
                let answer = match answer {
                    Poll::Ready(answer) => answer.map_err(|SendError(value)| (false, value)),
                    Poll::Pending => Err((true, future.into_inner().expect("it was not sent"))),
                };
                // Dropped while pending: no task is woken for it.
                if answer.as_ref().is_err_and(|(full, _)| *full) {
                    self.tx_wakes.arm(self.sleeps);
                    self.tx_wakes.disarm();
                }
                answer
            }
        };
        match answer {
            Ok(()) => {
                assert!(fits && owner_fits != Some(false), "sent, and its worker has no room");
                self.published(first, Some(key));
            }
            Err((full, value)) => {
                assert!(owner_fits != Some(true), "refused, and its worker has room");
                assert_eq!((full, value.id()), (!refuses, first), "the value itself comes back");
            }
        }
    }

    /// Message by message, so that each is found where it lies.
    fn send_many(&mut self, input: &mut Input<'_>) {
        for _ in 0..input.amount().min(64) {
            let (fits, expected, ledger) = (self.has_room(), self.refusal(), self.ledger);
            let Some(tx) = &mut self.tx else { return };
            let first = ledger.next();
            let slice = T::try_send_slice(tx, ledger, 1).map(|answer| answer.map_err(|error| error.is_full()));
            let one = || tx.try_send(T::make(ledger)).map(|()| 1).map_err(|error| error.is_full());
            if let Err(full) = slice.unwrap_or_else(one) {
                assert!(!fits, "refused, and a worker has room");
                return assert_eq!(full, expected.is_full());
            }
            assert!(fits, "sent, and no worker has room");
            self.published(first, None);
        }
    }

    fn poll_closed(&mut self) {
        let refuses = self.refuses();
        let Some(tx) = &mut self.tx else { return };
        let answer = self.tx_wakes.poll(|cx| tx.poll_closed(cx));
        assert_eq!(answer.is_ready(), refuses);
        // If it closed itself after it asked to be woken, that may still happen.
        if !refuses {
            self.tx_wakes.arm(self.sleeps);
            self.awaits_room = false;
        }
    }

    fn send_async(&mut self, input: &mut Input<'_>) {
        // It would be reported as a leak if it had a drop.
        let leaks = input.below(3) == 0 && !std::mem::needs_drop::<T>();
        let (refuses, fits) = (self.refuses(), self.has_room());
        let Some(tx) = &mut self.tx else { return };
        let first = self.ledger.next();
        let mut future = tx.send_async(T::make(self.ledger));
        let answer = self.tx_wakes.poll(|cx| pin!(&mut future).poll(cx));
        if leaks {
            std::mem::forget(future);
        } else {
            drop(future);
        }
        match answer {
            Poll::Ready(Ok(())) => {
                assert!(fits);
                self.published(first, None);
            }
            Poll::Ready(Err(SendError(value))) => assert!(refuses && value.id() == first),
            Poll::Pending => {
                assert!(!fits && !refuses);
                self.tx_wakes.arm(self.sleeps);
                self.awaits_room = true;
                if !leaks {
                    self.tx_wakes.disarm();
                }
            }
        }
    }

    fn take_back(&mut self, input: &mut Input<'_>) {
        let n = input.below(6);
        let Some(tx) = &mut self.tx else { return };
        let back: Vec<u64> = tx.take_back().take(n).map(|message| message.id()).collect();
        assert_eq!(back.len(), n.min(self.left()));
        back.into_iter().for_each(|id| self.took_back(id));
    }

    // ---- receiving

    /// One message was received, or none.
    fn received(&mut self, at: usize, answer: Result<u64, TryRecvError>) {
        match answer {
            Ok(id) => self.took(at, id),
            Err(error) => self.nothing(at, error),
        }
    }

    fn try_recv(&mut self, input: &mut Input<'_>) {
        let (Some(at), way) = (self.pick(input), input.below(2)) else { return };
        let rx = &mut self.workers[at].rx;
        let answer = if way == 0 { rx.try_recv().map(|m| m.id()) } else { rx.try_recv_with(|m| m.id()) };
        self.received(at, answer);
    }

    fn recv_timeout(&mut self, input: &mut Input<'_>) {
        let Some(at) = self.pick(input) else { return };
        let answer = self.workers[at].rx.recv_timeout(Duration::ZERO).map(|message| message.id());
        self.received(
            at,
            answer.map_err(|error| match error {
                RecvTimeoutError::Timeout => TryRecvError::Empty,
                RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
            }),
        );
    }

    fn polled(&mut self, at: usize, answer: Poll<Result<u64, RecvError>>, keeps: bool) {
        match answer {
            Poll::Ready(answer) => {
                if answer.is_err() {
                    // It may have closed itself after it asked to be woken.
                    self.workers[at].wakes.disarm();
                }
                self.received(at, answer.map_err(|RecvError| TryRecvError::Disconnected));
            }
            Poll::Pending => {
                self.workers[at].wakes.arm(self.sleeps);
                if !keeps {
                    self.workers[at].wakes.disarm();
                }
                self.nothing(at, TryRecvError::Empty);
            }
        }
    }

    fn poll_recv(&mut self, input: &mut Input<'_>) {
        let Some(at) = self.pick(input) else { return };
        let Worker { rx, wakes, .. } = &mut self.workers[at];
        let answer = wakes.poll(|cx| rx.poll_recv(cx).map_ok(|message| message.id()));
        self.polled(at, answer, true);
    }

    fn recv_async(&mut self, input: &mut Input<'_>) {
        let Some(at) = self.pick(input) else { return };
        let Worker { rx, wakes, .. } = &mut self.workers[at];
        let answer = wakes.poll(|cx| pin!(rx.recv_async()).poll(cx).map_ok(|message| message.id()));
        self.polled(at, answer, false);
    }

    fn peek(&mut self, input: &mut Input<'_>) {
        let Some(at) = self.pick(input) else { return };
        match self.workers[at].rx.peek().map(Payload::id) {
            Ok(id) => self.sees(at, id),
            Err(error) => self.nothing(at, error),
        }
    }

    fn read_chunk(&mut self, input: &mut Input<'_>) {
        let (Some(at), n) = (self.pick(input), input.amount()) else { return };
        let there = self.has_message(at);
        let chunk = match self.workers[at].rx.read_chunk(n) {
            Ok(chunk) => chunk,
            Err(error) => {
                assert!(n > 0);
                return self.nothing(at, error);
            }
        };
        let ids: Vec<u64> = chunk.iter().map(Payload::id).collect();
        assert!(ids.len() == chunk.len() && ids.len() <= n && ids.is_empty() != (there && n > 0));
        let k = if input.below(3) == 0 { 0 } else { input.amount().min(ids.len()) };
        if k == 0 {
            drop(chunk);
        } else {
            chunk.commit(k);
        }
        ids[..k].iter().for_each(|&id| self.took(at, id));
        if let Some(&next) = ids.get(k).filter(|_| k == 0) {
            self.sees(at, next);
        }
    }

    fn try_recv_many(&mut self, input: &mut Input<'_>) {
        let (Some(at), limit) = (self.pick(input), input.amount()) else { return };
        let (there, mut buffer) = (self.has_message(at), Vec::new());
        match self.workers[at].rx.try_recv_many(&mut buffer, limit) {
            Ok(n) => {
                assert!(n == buffer.len() && n <= limit && (n > 0) == (there && limit > 0));
                buffer.iter().for_each(|message| self.took(at, message.id()));
            }
            Err(error) => {
                assert!(limit > 0 && buffer.is_empty());
                self.nothing(at, error);
            }
        }
    }

    fn drain(&mut self, input: &mut Input<'_>) {
        let (Some(at), max) = (self.pick(input), input.amount()) else { return };
        let (there, mut seen) = (self.has_message(at), Vec::new());
        let n = self.workers[at].rx.drain(max, |message| seen.push(message.id()));
        assert!(n == seen.len() && n <= max && (n > 0 || !there || max == 0));
        seen.into_iter().for_each(|id| self.took(at, id));
    }

    // ---- coming and going

    /// A hub that is there, or one of a worker's or the sender's.
    fn any_hub(&self, input: &mut Input<'_>) -> Option<Hub<T>> {
        let which = input.byte() as usize;
        if let Some(at) = which.checked_rem(self.hubs.len()) {
            return Some(self.hubs[at].clone());
        }
        let hub = match self.pick(input) {
            Some(at) => self.workers[at].rx.hub(),
            None => self.tx.as_ref()?.hub(),
        };
        assert_eq!(hub.is_ok(), self.handles() > 0);
        hub.ok()
    }

    fn join(&mut self, input: &mut Input<'_>) {
        let Some(hub) = self.any_hub(input) else { return };
        if self.workers.len() >= WORKERS {
            return;
        }
        match hub.join() {
            Ok(rx) => self.joined(rx),
            Err(_) => {
                let queued = self.workers.iter().any(|worker| !worker.queue.is_empty() || worker.hand.is_some());
                assert!(self.tx_closed && self.left() == 0 && !queued, "refused, and there is work");
            }
        }
    }

    fn close(&mut self, input: &mut Input<'_>) {
        let (Some(at), fate) = (self.pick(input), input.byte()) else { return };
        // The last handle seldom: it ends everything.
        if self.handles() > 1 || fate < 64 {
            self.close_worker(at);
        }
    }

    fn leave(&mut self, input: &mut Input<'_>) {
        let (Some(at), fate) = (self.pick(input), input.byte()) else { return };
        if self.handles() > 1 || fate < 64 {
            self.drop_worker(at);
        }
    }

    fn hub(&mut self, input: &mut Input<'_>) {
        match input.below(3) {
            0 if self.hubs.len() < HUBS => {
                let hub = self.any_hub(input);
                self.hubs.extend(hub);
            }
            1 if self.handles() > 1 => self.drop_hub(),
            _ => {}
        }
    }
}
