//! A mapped channel of messages whose words somebody else writes while it is in use.
//!
//! Nothing that is written may lead to a panic, an access outside of the mapping, a wait without end, or more messages than there are
//! places; until the first such write the channel agrees with a queue.

use super::input::Input;
use super::shm_file::{PAGE, Scratch, Words, wild};
use ringmail::shm::spsc::{Builder, Receiver, Sender};
use ringmail::shm::{Ended, RecvError, SendError, TryRecvError, TrySendError, look};
use std::collections::VecDeque;
use std::time::Duration;

/// Both ends at work while somebody writes what only the other side should.
pub fn shm_hostile_peer(data: &[u8]) {
    hostile(data, 0);
}

/// The same with a model of one place too many.
pub fn shm_hostile_peer_off_by_one(data: &[u8]) {
    hostile(data, 1);
}

fn builder(scratch: &Scratch) -> Builder<u64> {
    Builder::new(scratch.name())
}

struct World {
    scratch: Scratch,
    words: Words,
    capacity: usize,
    tx: Option<Sender<u64>>,
    rx: Option<Receiver<u64>>,
    /// What is in the channel, until somebody has interfered.
    model: Option<VecDeque<u64>>,
    places: usize,
    next: u64,
    /// Whether an end has said so; it must not change its mind.
    corrupted: [bool; 2],
}

fn hostile(data: &[u8], more: usize) {
    let mut input = Input::new(data);
    let scratch = Scratch::make();
    // A whole page of them is 512: then the first word beyond the ring is beyond the mapping.
    let capacity = match input.below(18) {
        17 => 512,
        n => 1 + n,
    };
    let tx = builder(&scratch).capacity(capacity).open_sender().expect("a fresh segment");
    let rx = builder(&scratch).open_receiver().expect("the other side");
    let (words, model) = (scratch.words(), Some(VecDeque::new()));
    let (tx, rx, corrupted) = (Some(tx), Some(rx), [false; 2]);
    let mut world = World { scratch, words, capacity, tx, rx, model, places: capacity + more, next: 0, corrupted };
    let mut steps = 0;
    while !input.is_over() && steps < 300 {
        world.step(&mut input);
        steps += 1;
    }
}

impl World {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(14) {
            0..=2 => self.send(),
            3..=5 => self.receive(),
            6 => self.send_many(input.below(24)),
            7 => self.drain(input.amount()),
            8 => self.wait(),
            9 => self.look(),
            10 => {
                self.tx = None;
                self.tx = builder(&self.scratch).open_sender().ok();
                assert!(self.tx.is_some() || self.model.is_none(), "a whole channel opens again");
                self.corrupted[0] = false;
            }
            11 => {
                self.rx = None;
                self.rx = builder(&self.scratch).open_receiver().ok();
                assert!(self.rx.is_some() || self.model.is_none(), "a whole channel opens again");
                self.corrupted[1] = false;
            }
            12 => self.interfere(input),
            _ => self.overview(),
        }
    }

    /// Writes a word where only one of the sides should.
    fn interfere(&mut self, input: &mut Input<'_>) {
        let page = 1 + input.below(3) as u64;
        let at = page * PAGE + 8 * input.below(80) as u64;
        let old = self.words.get(at);
        let byte = input.byte();
        let new = wild(old, byte, input.below(8), self.capacity as u64);
        if new != old {
            self.words.set(at, new);
            self.model = None;
        }
    }

    fn send(&mut self) {
        let Some(tx) = &mut self.tx else { return };
        let (value, full) = (self.next, self.model.as_ref().map(|model| model.len() == self.places));
        match tx.try_send(value) {
            Ok(()) => {
                assert_ne!(full, Some(true), "sent into a full channel");
                assert!(!self.corrupted[0]);
                self.model.iter_mut().for_each(|model| model.push_back(value));
            }
            Err(TrySendError::Full(back)) => {
                assert!(
                    back == value && (full == Some(true) || self.model.is_none() || self.rx.is_none()),
                    "full {full:?} {:?} {:?} {:?}",
                    self.model,
                    self.tx,
                    self.rx
                );
            }
            Err(TrySendError::Ended(back, ended)) => {
                assert_eq!(back, value);
                self.ended(0, ended);
            }
        }
        self.next += 1;
    }

    fn receive(&mut self) {
        let Some(rx) = &mut self.rx else { return };
        let expected = self.model.as_mut().map(VecDeque::pop_front);
        match rx.try_recv() {
            Ok(value) => {
                assert!(!self.corrupted[1]);
                assert!(expected.is_none_or(|expected| expected == Some(value)), "{value} instead of {expected:?}");
            }
            Err(TryRecvError::Empty) => assert!(expected.flatten().is_none(), "a message is missing"),
            Err(TryRecvError::Ended(ended)) => {
                assert!(expected.flatten().is_none(), "a message is missing");
                self.ended(1, ended);
            }
        }
    }

    fn ended(&mut self, side: usize, ended: Ended) {
        assert!(ended == Ended::Corrupted || !self.corrupted[side], "an end changed its mind");
        if ended == Ended::Corrupted {
            assert!(self.model.is_none(), "nobody has interfered");
            self.corrupted[side] = true;
        }
    }

    fn send_many(&mut self, n: usize) {
        let Some(tx) = &mut self.tx else { return };
        let values: Vec<u64> = (self.next..).take(n).collect();
        self.next += n as u64;
        match tx.try_send_slice(&values) {
            Ok(sent) => {
                assert!(sent <= n.min(self.capacity), "more than there are places");
                if let Some(model) = &mut self.model {
                    assert_eq!(sent, n.min(self.places - model.len()));
                    model.extend(&values[..sent]);
                }
            }
            Err(TrySendError::Full(())) => {
                assert!(self.model.as_ref().is_none_or(|model| model.len() == self.places));
            }
            Err(TrySendError::Ended((), ended)) => self.ended(0, ended),
        }
    }

    fn drain(&mut self, max: usize) {
        let Some(rx) = &mut self.rx else { return };
        let mut got = Vec::new();
        let n = rx.drain(max, |value| got.push(value));
        assert!(n == got.len() && n <= max.min(self.capacity), "more than there are places");
        if let Some(model) = &mut self.model {
            assert!(got.into_iter().eq(model.drain(..n)) && (n == max || model.is_empty()));
        }
    }

    /// Waits that have no time: they end.
    fn wait(&mut self) {
        if let Some(tx) = &mut self.tx {
            match tx.send_timeout(self.next, Duration::ZERO) {
                Ok(()) => self.model.iter_mut().for_each(|model| model.push_back(self.next)),
                Err(SendError::Timeout(_)) => {}
                Err(SendError::Ended(_, ended)) => self.ended(0, ended),
            }
            self.next += 1;
        }
        let Some(rx) = &mut self.rx else { return };
        match rx.recv_timeout(Duration::ZERO) {
            Ok(value) => {
                let expected = self.model.as_mut().map(VecDeque::pop_front);
                assert!(expected.is_none_or(|expected| expected == Some(value)));
            }
            Err(RecvError::Timeout) => {}
            Err(RecvError::Ended(ended)) => self.ended(1, ended),
        }
    }

    fn look(&self) {
        for (len, depth) in [
            self.tx.as_ref().map(|tx| (tx.len(), tx.stats().depth)),
            self.rx.as_ref().map(|rx| (rx.len(), rx.stats().depth)),
        ]
        .into_iter()
        .flatten()
        {
            assert!(len <= self.capacity && (self.model.is_none() || len == depth));
            assert!(self.model.as_ref().is_none_or(|model| model.len() == len));
        }
    }

    /// What an onlooker sees: of the words only what they say, as the header is whole.
    fn overview(&self) {
        let seen = look(&self.scratch.name()).expect("a channel");
        assert!(seen.lanes.len() == 1 && seen.depth() <= self.capacity as u64 && seen.capacity == self.capacity as u64);
        assert!(self.model.as_ref().is_none_or(|model| model.len() as u64 == seen.depth()));
        assert!(!seen.to_string().is_empty());
    }
}
