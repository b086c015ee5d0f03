//! Mapped channels whose file somebody else writes: before it is opened, and while it is in use.
//!
//! Nothing that is written may lead to a panic, an access outside of the mapping, a wait without end, or more messages than there are
//! places; until the first such write the channel agrees with a queue.

use super::input::Input;
use ringmail::shm::spsc::{Builder, Receiver, Sender};
use ringmail::shm::{Ended, RecvError, SendError, TryRecvError, TrySendError};
use std::collections::VecDeque;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Bytes of a page; a segment is a page of header, one of the sender, one of the receiver, and data.
const PAGE: u64 = 4096;
const HEADER: usize = 256;

/// A file of this input's own, gone with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("/dev/shm/ringmail-fuzz-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        Self(name.into())
    }

    fn builder(&self) -> Builder<u64> {
        Builder::new(self.0.to_string_lossy())
    }

    fn file(&self) -> File {
        File::options().read(true).write(true).open(&self.0).expect("the segment is there")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Changes a segment before it is opened: what is not exactly the channel asked for must be refused.
pub fn shm_header(data: &[u8]) {
    header(data, true);
}

/// The same with an oracle that thinks that anything is accepted.
pub fn shm_header_credulous(data: &[u8]) {
    header(data, false);
}

fn header(data: &[u8], strict: bool) {
    let mut input = Input::new(data);
    let scratch = Scratch::new();
    drop(scratch.builder().capacity(1 + input.below(40)).open_sender().expect("a fresh segment"));
    let file = scratch.file();
    let len = file.metadata().expect("its size").len();
    let mut before = [0; HEADER];
    file.read_exact_at(&mut before, 0).expect("its header");
    let mut after = before;
    let mends = input.below(4) != 0;
    let mut new_len = len;
    while !input.is_over() {
        match input.below(8) {
            0 => new_len = [0, 100, PAGE, 3 * PAGE, len - 1, len + 1, len + PAGE, len][input.below(8)],
            // Whole fields, where one bit less or more matters.
            1 => {
                let field = [8, 16, 20, 24, 28, 32, 40, 48, 56, 60][input.below(10)];
                after[field] = after[field].wrapping_add(input.byte());
            }
            2 => after[32..40]
                .copy_from_slice(&[0, 1, u64::MAX, 1 << 30, 1 << 31, 1 << 63][input.below(6)].to_le_bytes()),
            _ => after[input.below(HEADER)] = input.byte(),
        }
    }
    if mends {
        let sum = crc32c(&after[..HEADER - 4]);
        after[HEADER - 4..].copy_from_slice(&sum.to_le_bytes());
    }
    file.write_all_at(&after, 0).expect("the header is written");
    file.set_len(new_len).expect("the length is set");
    let opened = scratch.builder().open_receiver();
    // Minor version, length of the header, time, and what is zero may differ; so may what this side reads of other versions.
    let free = |at: usize| (10..16).contains(&at) || (128..136).contains(&at) || (152..HEADER).contains(&at);
    let same = (0..HEADER).all(|at| before[at] == after[at] || free(at) || (56..64).contains(&at));
    let whole = crc32c(&after[..HEADER - 4]).to_le_bytes() == after[HEADER - 4..];
    let version = |at: usize| u32::from_le_bytes([after[at], after[at + 1], after[at + 2], after[at + 3]]);
    let understood = version(56) >= 1 && version(60) <= 1;
    let right = same && whole && understood && new_len == len;
    match opened {
        Ok(rx) => {
            // A capacity that needs the same number of bytes is another channel, but one.
            let other_capacity =
                before[32..40] != after[32..40] && rx.capacity().next_power_of_two() as u64 * 8 <= PAGE;
            let same_but_capacity = (0..HEADER)
                .all(|at| before[at] == after[at] || free(at) || (56..64).contains(&at) || (32..40).contains(&at));
            let fits = same_but_capacity && other_capacity && whole && understood && new_len == len;
            assert!(!strict || right || fits, "a segment that is not the one asked for was opened");
        }
        Err(error) => {
            assert!(strict || right, "refused");
            assert!(!right, "{error}");
            assert!(!error.to_string().is_empty());
        }
    }
}

/// Bit by bit: slow, and not the code that is tested.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 != 0 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

/// Both ends at work while somebody writes what only the other side should.
pub fn shm_hostile_peer(data: &[u8]) {
    hostile(data, 0);
}

/// The same with a model of one place too many.
pub fn shm_hostile_peer_off_by_one(data: &[u8]) {
    hostile(data, 1);
}

struct World {
    scratch: Scratch,
    file: File,
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
    let scratch = Scratch::new();
    let capacity = 1 + input.below(17);
    let tx = scratch.builder().capacity(capacity).open_sender().expect("a fresh segment");
    let rx = scratch.builder().open_receiver().expect("the other side");
    let (file, model) = (scratch.file(), Some(VecDeque::new()));
    let (tx, rx, corrupted) = (Some(tx), Some(rx), [false; 2]);
    let mut world = World { scratch, file, capacity, tx, rx, model, places: capacity + more, next: 0, corrupted };
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
                self.tx = self.scratch.builder().open_sender().ok();
                assert!(self.tx.is_some() || self.model.is_none(), "a whole channel opens again");
                self.corrupted[0] = false;
            }
            11 => {
                self.rx = None;
                self.rx = self.scratch.builder().open_receiver().ok();
                assert!(self.rx.is_some() || self.model.is_none(), "a whole channel opens again");
                self.corrupted[1] = false;
            }
            12 => self.interfere(input),
            _ => {}
        }
    }

    /// Writes a word where only one of the sides should.
    fn interfere(&mut self, input: &mut Input<'_>) {
        let page = 1 + input.below(3) as u64;
        let at = page * PAGE + 8 * input.below(80) as u64;
        let mut word = [0; 8];
        self.file.read_exact_at(&mut word, at).expect("a word of the segment");
        let old = u64::from_ne_bytes(word);
        let byte = u64::from(input.byte());
        let new = match input.below(8) {
            0 => byte,
            1 => old.wrapping_add(byte),
            2 => old.wrapping_sub(byte),
            3 => u64::MAX - byte,
            4 => 1 << (byte % 64),
            5 => old ^ 1,
            6 => old.wrapping_add(2 * self.capacity as u64 + byte % 4),
            _ => byte << 56 | byte,
        };
        if new != old {
            self.file.write_all_at(&new.to_ne_bytes(), at).expect("a word is written");
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
}
