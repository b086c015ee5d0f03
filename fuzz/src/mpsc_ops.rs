//! Every verb of `mpsc`, from up to four senders, in any order, against a row of places and a line of waiting senders.
//!
//! The input is read as `spsc_ops` does: the kind of message, the channel, then a byte for each operation and its arguments behind it.
//!
//! Wakes: one that is due must come. One too many is allowed where the crate allows it: a guard of `hold` notifies for
//! every place, a sender in line may be told by the event count and by its neighbour, a receiver that finds nothing wakes senders.

use super::input::Input;
use super::mpsc_model::Model;
use super::mpsc_seat::{SEATS, Seat};
use super::payload::{Payload, Tracked};
use ringmail::WaitStrategy;

/// Runs `data` as a program.
pub fn mpsc_ops(data: &[u8]) {
    run(data, 0);
}

/// The same with a model whose capacity is one too large, to show that a difference is noticed.
pub fn mpsc_ops_off_by_one(data: &[u8]) {
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
        match input.below(40) {
            0..=2 => model.try_send(input),
            3..=4 => model.try_send_slice(input),
            5 => model.send_iter(input),
            6..=7 => model.send_in_time(input),
            8..=10 => model.send_async(input),
            11..=12 => model.poll_again(input),
            13..=14 => model.release_one(input),
            15..=16 => model.hold(input),
            17..=19 => model.send_held(input),
            20..=21 => model.clone_tx(input),
            22 => model.downgrade(input),
            23 => model.upgrade(input),
            24 => model.set_wait(input),
            25..=27 => model.try_recv(),
            28 => model.peek(),
            29..=30 => model.read_chunk(input),
            31 => model.try_recv_many(input),
            32 => model.drain(input),
            33 => model.recv_timeout(),
            34..=35 => model.poll_recv(),
            36 => model.recv_async(),
            // Closing ends much of what can happen: rarely.
            37 => model.close_one(input),
            38 if input.byte() < 16 => model.close_rx(false),
            39 if input.byte() < 8 => model.close_rx(true),
            _ => {}
        }
        model.look();
    }
    model.finish(receiver_first);
}

impl<T: Payload> Model<T> {
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
        // Its strategy is not specified, so it is set at once.
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
}

fn strategy(input: &mut Input<'_>) -> WaitStrategy {
    use WaitStrategy::{BusySpin, Park, ParkAtOnce, Yield};
    [Park, Yield, BusySpin, ParkAtOnce][input.below(4)]
}
