//! A mapped channel of messages whose words another process writes while it is in use.
//!
//! Nothing that is written may lead to a panic, an access outside of the mapping, a wait without end, or more messages than there are
//! places; until the first such write the channel agrees with a queue, in which each sender's end has its place.

use super::input::Input;
use super::shm_file::{GONE, HEAD, PAGE, SESSIONS, Scratch, TAIL, USED, Words, wild};
use ringmail::shm::spsc::{Builder, Receiver, Sender};
use ringmail::shm::{Cause, RecvError, SendError, TryRecvError, TrySendError, look};
use std::collections::VecDeque;
use std::time::Duration;

/// Both ends at work while another process writes what only one of them should.
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

/// Sessions of one side that the other may not have been told of: the channel keeps a few more.
const UNTOLD: usize = 60;

struct Subject {
    scratch: Scratch,
    words: Words,
    capacity: usize,
    tx: Option<Sender<u64>>,
    rx: Option<Receiver<u64>>,
    /// What is in the channel, until a word was written from outside: messages, and `None` where a sender has left.
    model: Option<VecDeque<Option<u64>>>,
    /// Receivers that have left, of which the sender that is there was not told yet.
    left: usize,
    /// Senders that have come since the receiver was last in the last one's session. Those that a receiver passes in silence count, too.
    came: usize,
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
    let mut subject = Subject {
        scratch,
        words,
        capacity,
        tx,
        rx,
        model,
        left: 0,
        came: 0,
        places: capacity + more,
        next: 0,
        corrupted,
    };
    let mut steps = 0;
    while !input.is_over() && steps < 300 {
        subject.step(&mut input);
        steps += 1;
    }
}

impl Subject {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(14) {
            0..=2 => self.send(),
            3..=5 => self.receive(),
            6 => self.send_many(input.below(24)),
            7 => self.drain(input.amount()),
            8 => self.wait(),
            9 => self.look(),
            10 => self.open_sender(),
            11 => self.open_receiver(),
            12 => self.interfere(input),
            _ => self.overview(),
        }
    }

    /// Messages in the channel.
    fn held(&self) -> Option<usize> {
        self.model.as_ref().map(|model| model.iter().flatten().count())
    }

    fn open_sender(&mut self) {
        if self.model.as_ref().is_none_or(|model| model.iter().all(Option::is_some)) {
            self.came = 0;
        }
        if self.came >= UNTOLD {
            return;
        }
        self.came += 1;
        self.tx = None;
        self.tx = builder(&self.scratch).open_sender().ok();
        assert!(self.tx.is_some() || self.model.is_none(), "a whole channel opens again");
        self.corrupted[0] = false;
        self.left = 0;
        self.model.iter_mut().for_each(|model| model.push_back(None));
    }

    fn open_receiver(&mut self) {
        if self.left >= UNTOLD {
            return;
        }
        self.rx = None;
        self.rx = builder(&self.scratch).open_receiver().ok();
        assert!(self.rx.is_some() || self.model.is_none(), "a whole channel opens again");
        self.corrupted[1] = false;
        self.left += 1;
        // It is not told of a sender that had left before and of which nothing is in the channel.
        let mut before = None;
        if let Some(model) = &mut self.model {
            model.retain(|&item| {
                let keeps = item.is_some() || before.is_some();
                before = item;
                keeps
            });
        }
    }

    /// Writes a word where only one of the sides should.
    fn interfere(&mut self, input: &mut Input<'_>) {
        let (n, byte) = (input.below(84) as u64, input.byte());
        let more = u64::from(byte);
        let at = match input.below(8) {
            0 => [TAIL, HEAD, GONE][byte as usize % 3],
            1 => SESSIONS[byte as usize % 2] + 8 * (n % 5),
            2 | 3 => self.words.in_table(byte as usize % 2, n),
            4 => 3 * PAGE + 8 * (n % 80),
            way => (1 + way as u64 % 2) * PAGE + 8 * ((4 * n + more % 4) % USED as u64),
        };
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
        let value = self.next;
        match tx.try_send(value) {
            Ok(()) => self.sent(value),
            Err(TrySendError::Full(back)) => {
                assert_eq!(back, value);
                self.full();
            }
            Err(TrySendError::Disconnected(back, ended)) => {
                assert_eq!(back, value);
                self.ended(0, ended);
            }
        }
        self.next += 1;
    }

    fn sent(&mut self, value: u64) {
        assert!(self.held().is_none_or(|held| held < self.places), "sent into a full channel");
        assert!(!self.corrupted[0]);
        self.model.iter_mut().for_each(|model| model.push_back(Some(value)));
    }

    fn full(&self) {
        assert!(self.held().is_none_or(|held| held == self.places), "refused, and there is room");
        assert!(self.model.is_none() || self.left == 0, "a receiver has left, which is told first");
    }

    fn receive(&mut self) {
        let Some(rx) = &mut self.rx else { return };
        let result = rx.try_recv();
        self.received(result);
    }

    /// Judges what a receive said.
    fn received(&mut self, result: Result<u64, TryRecvError>) {
        let said = match result {
            Ok(value) => Some(Some(value)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected(ended)) => {
                self.ended(1, ended);
                Some(None)
            }
        };
        assert!(!self.corrupted[1] || said == Some(None), "an end changed its mind");
        if let Some(model) = &mut self.model {
            assert_eq!(said, model.pop_front());
        }
    }

    fn ended(&mut self, side: usize, ended: Cause) {
        assert!(ended == Cause::Corrupted || !self.corrupted[side], "an end changed its mind");
        self.corrupted[side] = ended == Cause::Corrupted;
        if self.model.is_some() {
            assert_eq!(ended, Cause::Closed, "no word was written from outside");
            if side == 0 {
                assert_ne!(self.left, 0, "told of a receiver that has not left, or twice");
                self.left -= 1;
            }
        }
    }

    fn send_many(&mut self, n: usize) {
        let Some(tx) = &mut self.tx else { return };
        let values: Vec<u64> = (self.next..).take(n).collect();
        self.next += n as u64;
        match tx.try_send_slice(&values) {
            Ok(sent) => {
                assert!(sent <= n.min(self.capacity), "more than there are places");
                if let (Some(held), Some(model)) = (self.held(), &mut self.model) {
                    let most = n.min(self.places - held);
                    assert!(sent == most || self.left != 0 && sent < most);
                    model.extend(values[..sent].iter().map(|&value| Some(value)));
                }
            }
            Err(TrySendError::Full(())) => self.full(),
            Err(TrySendError::Disconnected((), ended)) => self.ended(0, ended),
        }
    }

    fn drain(&mut self, max: usize) {
        let Some(rx) = &mut self.rx else { return };
        let mut got = Vec::new();
        let n = rx.drain(max, |value| got.push(value));
        assert!(n == got.len() && n <= max.min(self.capacity), "more than there are places");
        if let Some(model) = &mut self.model {
            assert!(got.into_iter().map(Some).eq(model.drain(..n)));
            // Not past where a sender has left: that is told first, by a verb that can. It may stop where it had seen nothing more when
            // that one left.
            assert!(n == max || n != 0 || !matches!(model.front(), Some(Some(_))));
        }
    }

    /// Waits with no time left: they end.
    fn wait(&mut self) {
        if let Some(tx) = &mut self.tx {
            match tx.send_timeout(self.next, Duration::ZERO) {
                Ok(()) => self.sent(self.next),
                Err(SendError::Timeout(_)) => self.full(),
                Err(SendError::Disconnected(_, ended)) => self.ended(0, ended),
            }
            self.next += 1;
        }
        let Some(rx) = &mut self.rx else { return };
        let result = rx.recv_timeout(Duration::ZERO).map_err(|error| match error {
            RecvError::Timeout => TryRecvError::Empty,
            RecvError::Disconnected(ended) => TryRecvError::Disconnected(ended),
        });
        self.received(result);
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
            assert!(self.held().is_none_or(|held| held == len));
        }
    }

    /// What an observer sees: the header is whole, so it sees a channel, whichever values its words have.
    fn overview(&self) {
        let seen = look(&self.scratch.name()).expect("a channel");
        assert!(seen.lanes.len() == 1 && seen.depth() <= self.capacity as u64 && seen.capacity == self.capacity as u64);
        assert!(self.held().is_none_or(|held| held as u64 == seen.depth()));
        assert!(!seen.to_string().is_empty());
    }
}
