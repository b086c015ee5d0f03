//! Every verb of `broadcast`, with receivers that join, follow, leave and come back, in any order, against one log and a position for each seat.
//!
//! The input is read as `spsc_ops` does: the kind of message, the channel, then a byte for each operation and its arguments behind it. Messages of
//! the second kind have clones and drops that panic where the input says so.

use super::broadcast_model::{HUBS, Model, RECEIVERS, Wrong};
use super::input::Input;
use super::shared::{Shareable, Shared, guarded, panic_planted};
use ringmail::broadcast::{Hub, JoinError, Receiver, SeatId};
use ringmail::{SendError, SendTimeoutError};
use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// Runs `data` as a program.
pub fn broadcast_ops(data: &[u8]) {
    run(data, Wrong::default());
}

/// The same with a model whose capacity is one too large, to show that a difference is noticed.
pub fn broadcast_ops_off_by_one(data: &[u8]) {
    run(data, Wrong { capacity: 1, hasty: false });
}

/// The same with a model in which no receiver comes after another.
pub fn broadcast_ops_hasty(data: &[u8]) {
    run(data, Wrong { capacity: 0, hasty: true });
}

const NAMES: [&str; 3] = ["journal", "engine", "screen"];

fn run(data: &[u8], wrong: Wrong) {
    let mut input = Input::new(data);
    if input.byte() & 1 == 0 { program::<u64>(&mut input, wrong) } else { program::<Shared>(&mut input, wrong) }
}

fn program<T: Shareable>(input: &mut Input<'_>, wrong: Wrong) {
    let mut model = Model::<T>::new(input, wrong);
    let sender_first = input.byte() & 1 == 0;
    while !input.is_over() {
        match input.below(36) {
            0..=4 => model.send(input),
            5..=6 => model.try_send_slice(input),
            7..=8 => model.try_send_iter(input),
            9 => model.poll_closed(),
            10 => model.send_async(input),
            11..=13 => model.try_recv(input),
            14..=15 => model.peek(input),
            16..=18 => model.read_chunk(input),
            19 => model.try_recv_many(input),
            20 => model.drain(input),
            21 => model.recv_timeout(input),
            22 => model.poll_recv(input),
            23 => model.recv_async(input),
            24 => model.try_iter(input),
            25..=27 => model.join(input),
            28 => model.take(input),
            29 => model.release(input),
            30 => model.close_rx(input),
            31 => model.drop_some_rx(input),
            32 => model.hub(input),
            33 => model.plant_drop(input),
            34 => model.ask_passed(),
            // Closing ends most of what can happen: rarely.
            35 if input.byte() < 24 => model.close_tx(input),
            _ => {}
        }
        model.look();
    }
    model.finish(sender_first);
}

fn some<A, B>((a, b): (A, B)) -> (Option<A>, B) {
    (Some(a), b)
}

impl<T: Shareable> Model<T> {
    // ---- sending

    fn send(&mut self, input: &mut Input<'_>) {
        let way = input.below(3);
        if self.tx.is_none() {
            return;
        }
        let fits = self.room() > 0;
        let panics = fits && self.empties();
        let (expected, orphans) = if fits { (None, false) } else { some(self.refusal()) };
        let Some(tx) = &mut self.tx else { return };
        let ledger = self.ledger;
        let first = ledger.next();
        let answer = guarded(panics || orphans, || match way {
            0 => tx.try_send(T::make(ledger)).map_err(|e| (e.is_full(), e.into_inner())),
            1 => tx.try_send_with(|place| place.write(T::make(ledger))).map_err(|e| (e.is_full(), T::make(ledger))),
            _ => tx.send_timeout(T::make(ledger), Duration::ZERO).map_err(|e| {
                let full = matches!(e, SendTimeoutError::Timeout(_));
                (full, e.into_inner())
            }),
        });
        let Some(answer) = answer else { return };
        match (answer, expected) {
            (Ok(()), None) => self.published(first),
            (Err((full, value)), Some(error)) => {
                assert_eq!((full, value.id()), (error.is_full(), first), "the value itself comes back");
            }
            (answer, expected) => panic!("{:?}, not {expected:?}", answer.map_err(|(full, _)| full)),
        }
    }

    fn try_send_slice(&mut self, input: &mut Input<'_>) {
        let n = input.amount().min(64);
        let (Some(tx), first) = (&mut self.tx, self.ledger.next()) else { return };
        let Some(answer) = T::try_send_slice(tx, self.ledger, n) else { return };
        let fits = self.room().min(n as u64);
        if self.refuses() || (fits == 0 && n > 0) {
            let (expected, _) = self.refusal();
            assert_eq!(answer, Err(expected));
            return;
        }
        assert_eq!(answer, Ok(fits as usize));
        (first..first + fits).for_each(|id| self.published(id));
    }

    /// From an iterator that ends, or panics, after so many items, and that says how many it has or does not.
    fn try_send_iter(&mut self, input: &mut Input<'_>) {
        let (n, way) = (input.amount().min(64), input.below(8));
        let Some(mut tx) = self.tx.take() else { return };
        let (says, fails) = (way & 1 == 0, way == 1 && T::PLANTS);
        let (room, tail, first) = (self.room(), self.tail(), self.ledger.next());
        let most = if says { (n as u64).max(1).min(room) } else { room };
        // Which of it is sent, before what panics.
        let (mut sent, mut panics, mut expected) = (0, false, None);
        if room == 0 {
            let (error, orphans) = self.refusal();
            (panics, expected) = (orphans, Some(error));
        }
        while sent < most && !panics {
            panics = self.empties();
            if panics || sent == n as u64 {
                panics |= fails;
                break;
            }
            self.published(first + sent);
            sent += 1;
        }
        let ledger = self.ledger;
        let mut left = n;
        let mut next = || match left.checked_sub(1) {
            Some(less) => {
                left = less;
                Some(T::make(ledger))
            }
            None if fails => panic_planted(),
            None => None,
        };
        let answer = guarded(panics, || {
            if says {
                tx.try_send_iter(&mut std::iter::repeat_with(|| next().expect("no more than there are")).take(n))
            } else {
                tx.try_send_iter(&mut std::iter::from_fn(next))
            }
        });
        assert_eq!(self.ledger.next(), first + sent, "nothing was taken without a place for it");
        assert_eq!(self.tail(), tail + sent);
        if let Some(answer) = answer {
            assert_eq!(answer, expected.map_or(Ok(sent as usize), Err));
        }
        self.tx = Some(tx);
    }

    fn poll_closed(&mut self) {
        let refuses = self.refuses();
        let orphans = self.tx.is_some() && refuses && self.orphans();
        let Some(tx) = &mut self.tx else { return };
        let answer = guarded(orphans, || self.tx_wakes.poll(|cx| tx.poll_closed(cx)));
        assert!(answer.is_none_or(|answer| answer.is_ready() == refuses));
        // If it closed itself after it asked to be woken, that may still happen.
        if !refuses {
            self.tx_wakes.arm(self.sleeps);
            self.awaits_room = false;
        }
    }

    fn send_async(&mut self, input: &mut Input<'_>) {
        // It would be reported as a leak if it had a drop.
        let leaks = input.below(3) == 0 && !std::mem::needs_drop::<T>();
        let (refuses, fits) = (self.refuses(), self.room() > 0);
        let panics = self.tx.is_some() && if fits { self.empties() } else { refuses && self.orphans() };
        let Some(tx) = &mut self.tx else { return };
        let first = self.ledger.next();
        let ledger = self.ledger;
        let answer = guarded(panics, || {
            let mut future = tx.send_async(T::make(ledger));
            let answer = self.tx_wakes.poll(|cx| pin!(&mut future).poll(cx));
            if leaks {
                std::mem::forget(future);
            }
            answer
        });
        match answer {
            None => {}
            Some(Poll::Ready(Ok(()))) => {
                assert!(fits);
                self.published(first);
            }
            Some(Poll::Ready(Err(SendError(value)))) => assert!(refuses && value.id() == first),
            // Dropped while pending: nothing was sent, and no task is woken for it.
            Some(Poll::Pending) => {
                assert!(!fits && !refuses);
                self.tx_wakes.arm(self.sleeps);
                self.awaits_room = true;
                if !leaks {
                    self.tx_wakes.disarm();
                }
            }
        }
    }

    fn ask_passed(&mut self) {
        let Some(tx) = &mut self.tx else { return };
        assert_eq!(tx.passed(), self.passed);
    }

    fn plant_drop(&mut self, input: &mut Input<'_>) {
        let at = self.oldest as usize + input.below(4);
        if T::PLANTS && self.planted.is_none() && at < self.log.len() {
            self.planted = Some(self.log[at]);
            T::plant_drop(self.planted);
        }
    }

    fn close_tx(&mut self, input: &mut Input<'_>) {
        if input.byte() & 1 == 0 {
            self.drop_tx();
        } else if let Some(tx) = &mut self.tx {
            tx.close();
            self.tx_closed = true;
        }
    }

    // ---- coming and going

    /// A hub that is there, or one of a receiver's.
    fn any_hub(&self, input: &mut Input<'_>) -> Option<Hub<T>> {
        let which = input.byte() as usize;
        if let Some(at) = which.checked_rem(self.hubs.len()) {
            return Some(self.hubs[at].clone());
        }
        let at = self.pick(input)?;
        self.seats[at].rx.as_ref().map(Receiver::hub)
    }

    fn join(&mut self, input: &mut Input<'_>) {
        let (Some(hub), way) = (self.any_hub(input), input.below(6)) else { return };
        if self.receivers() >= RECEIVERS {
            return;
        }
        let mut before: Vec<usize> = (0..input.below(3)).filter_map(|_| self.pick(input)).collect();
        if way % 2 == 0 {
            before.clear();
        }
        let ids: Vec<SeatId> = before.iter().map(|&at| self.seats[at].id).collect();
        let others: Vec<&Receiver<T>> = before.iter().filter_map(|&at| self.seats[at].rx.as_ref()).collect();
        let name = (way < 2).then(|| NAMES[input.below(3)]);
        let taken = name.is_some() && self.seats.iter().any(|seat| seat.name == name);
        let answer = match name {
            None if others.is_empty() => hub.join(),
            None => hub.after(&others),
            Some(name) if others.is_empty() => hub.reserve(name),
            Some(name) => hub.reserve_after(name, &others),
        };
        match answer {
            Ok(rx) => {
                assert!(!taken);
                self.joined(rx, name, ids);
            }
            Err(error) => assert!(taken && error == JoinError::NameTaken, "{error}"),
        }
    }

    fn take(&mut self, input: &mut Input<'_>) {
        let (Some(hub), name) = (self.any_hub(input), NAMES[input.below(3)]) else { return };
        if self.receivers() >= RECEIVERS {
            return;
        }
        let at = self.seats.iter().position(|seat| seat.name == Some(name));
        match (hub.take(name), at) {
            (Ok(rx), Some(at)) => {
                let seat = &mut self.seats[at];
                assert!(seat.is_vacant() && rx.seat() == seat.id, "the same seat");
                seat.rx = Some(rx);
            }
            (Err(error), at) => {
                let expected = at.map_or(JoinError::NoSuchSeat, |_| JoinError::Occupied);
                assert!(error == expected && at.is_none_or(|at| !self.seats[at].is_vacant()), "{error}");
            }
            (Ok(_), None) => panic!("there is no such seat"),
        }
    }

    fn release(&mut self, input: &mut Input<'_>) {
        let (Some(hub), name) = (self.any_hub(input), NAMES[input.below(3)]) else { return };
        let at = self.seats.iter().position(|seat| seat.name == Some(name));
        match (hub.release(name), at) {
            (Ok(()), Some(at)) => {
                assert!(self.seats[at].is_vacant());
                self.seats.remove(at);
            }
            (Err(error), at) => {
                let expected = at.map_or(JoinError::NoSuchSeat, |_| JoinError::Occupied);
                assert!(error == expected && at.is_none_or(|at| !self.seats[at].is_vacant()), "{error}");
            }
            (Ok(()), None) => panic!("there is no such seat"),
        }
    }

    fn close_rx(&mut self, input: &mut Input<'_>) {
        self.with_rx(input, |model, at, rx, _| {
            rx.close();
            let tail = model.tail();
            model.seats[at].end.get_or_insert(tail);
            if model.ready(at) == 0 {
                model.nothing(at);
            }
        });
    }

    fn drop_some_rx(&mut self, input: &mut Input<'_>) {
        let (Some(at), way) = (self.pick(input), input.below(3)) else { return };
        self.drop_rx(at, way == 0);
    }

    fn hub(&mut self, input: &mut Input<'_>) {
        match input.below(3) {
            0 if self.hubs.len() < HUBS => {
                let hub = self.any_hub(input);
                self.hubs.extend(hub);
            }
            // The last handle seldom: it ends everything.
            1 if !self.hubs.is_empty() && (self.hubs.len() + self.receivers() > 1 || input.byte() < 64) => {
                self.drop_hub(0);
            }
            _ => {}
        }
    }
}
