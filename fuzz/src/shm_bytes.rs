//! A mapped channel of records whose words another process writes while it is in use.
//!
//! Nothing that is written may lead to a panic, an access outside of the mapping, a wait without end, or a body that is longer than the
//! channel can carry. Until a word is written from outside that says where records are, how far they go, or whose they are, each comes whole, once, and with the
//! number after the one before, and each sender's end once, at its place: each verb says exactly what a queue would.

use super::input::Input;
use super::shm_file::{Scratch, Words};
use ringmail::WaitStrategy;
use ringmail::shm::bytes::{Builder, Receiver, Record, RecordInfo, SendError, Sender, TooLarge, TrySendError};
use ringmail::shm::{Anonymous, Cause, OpenError, Peer, RecvError, TryRecvError, look};
use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Both ends at work while another process writes what only one of them should, or neither.
pub fn shm_bytes(data: &[u8]) {
    run(data, Oracle { more: 0, anew: false });
}

/// The same with a model of a ring of one word too many.
pub fn shm_bytes_off_by_one(data: &[u8]) {
    run(data, Oracle { more: 1, anew: false });
}

/// The same with a model in which each sender begins to count anew.
pub fn shm_bytes_numbered_anew(data: &[u8]) {
    run(data, Oracle { more: 0, anew: true });
}

#[derive(Clone, Copy)]
struct Oracle {
    more: usize,
    anew: bool,
}

/// Words before a body.
pub(super) const HEADER: usize = 3;
/// Sessions of one side that the other may not have been told of: the channel keeps a few more.
const UNTOLD: usize = 60;
/// No step takes longer than this, even on a busy machine.
const LONGEST: Duration = Duration::from_secs(8);

enum Place {
    Named(Scratch),
    Memory(Anonymous),
}

impl Place {
    fn builder(&self) -> Builder {
        match self {
            Self::Named(scratch) => Builder::new(scratch.name()),
            Self::Memory(memory) => Builder::from_fd(memory),
        }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Sent {
    body: Vec<u8>,
    kind: u16,
    version: u32,
    sequence: u64,
}

impl Sent {
    fn words(&self) -> usize {
        HEADER + self.body.len().div_ceil(8)
    }
}

pub(super) struct Subject {
    place: Place,
    pub(super) words: Words,
    /// Of the ring, in words.
    pub(super) capacity: usize,
    oracle: Oracle,
    tx: Option<Sender>,
    rx: Option<Receiver>,
    /// Whether each side is there and has not closed.
    open: [bool; 2],
    /// What is in the channel, until a word of it was written from outside.
    pub(super) model: Option<VecDeque<Sent>>,
    /// How many of these the receiver has taken and not given back.
    taken: usize,
    /// Records that were freed, ever.
    freed: u64,
    /// Senders that have left, and whose end was not told: how many records there were by then.
    ends: VecDeque<u64>,
    /// Those that were told in front of which there may be records that come again.
    told: VecDeque<u64>,
    /// Receivers that have left, of which the sender that is there was not told yet.
    left: usize,
    /// Senders that have come since the receiver was last in the last one's session. Those that a receiver passes in silence count, too.
    came: usize,
    /// Number of the next record.
    next: u64,
    /// No word will be written from outside.
    quiet: bool,
    /// No word was written from outside.
    pub(super) untouched: bool,
    /// The notes of how many records there are were written from outside.
    pub(super) marked: bool,
    /// Whether an end has reported corruption. It must keep reporting that.
    corrupted: [bool; 2],
}

fn run(data: &[u8], oracle: Oracle) {
    let mut input = Input::new(data);
    let bytes = if input.below(8) == 0 { 4096 } else { 1 + 5 * input.below(48) };
    let way = input.below(6);
    let (quiet, has_name) = (way >= 3, ![0, 3].contains(&way));
    let (place, tx, words) = if !has_name {
        let memory = Builder::create_anonymous(bytes, None).expect("a fresh segment");
        let words = Words(File::from(memory.as_fd().try_clone_to_owned().expect("a descriptor")));
        let tx = Builder::from_fd(&memory).open_sender().expect("its sender");
        (Place::Memory(memory), tx, words)
    } else {
        let scratch = Scratch::make();
        let tx = Builder::new(scratch.name()).capacity(bytes).open_sender().expect("a fresh segment");
        let words = scratch.words();
        (Place::Named(scratch), tx, words)
    };
    let rx = place.builder().capacity(bytes).wait(strategy(&mut input)).open_receiver().expect("the other side");
    let capacity = bytes.div_ceil(8).max(HEADER + 1);
    let (tx, rx, model) = (Some(tx), Some(rx), Some(VecDeque::new()));
    let (open, corrupted, untouched, marked, taken, next) = ([true; 2], [false; 2], true, false, 0, 0);
    let (freed, ends, told, left) = (0, VecDeque::new(), VecDeque::new(), 0);
    let mut subject = Subject {
        place,
        words,
        capacity,
        oracle,
        tx,
        rx,
        open,
        model,
        taken,
        freed,
        ends,
        told,
        left,
        came: 1,
        next,
        quiet,
        untouched,
        marked,
        corrupted,
    };
    let mut steps = 0;
    while !input.is_over() && steps < 300 {
        let began = Instant::now();
        subject.step(&mut input);
        assert!(began.elapsed() < LONGEST, "a step that took {:?}", began.elapsed());
        steps += 1;
    }
}

fn strategy(input: &mut Input<'_>) -> WaitStrategy {
    [WaitStrategy::Park, WaitStrategy::ParkAtOnce, WaitStrategy::Yield, WaitStrategy::BusySpin][input.below(4)]
}

/// How long to wait: hardly ever at all.
fn patience(input: &mut Input<'_>) -> Duration {
    if input.below(16) == 0 { Duration::from_micros(50) } else { Duration::ZERO }
}

impl Subject {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(if self.quiet { 16 } else { 20 }) {
            0..=4 => self.send(input),
            5..=8 => self.receive(input),
            9..=10 => self.batch(input),
            11 => self.open_sender(input),
            12 => self.open_receiver(input),
            13 => self.close(input),
            14 => self.look(),
            15 => self.overview(),
            16..=17 => self.interfere(input),
            _ => self.forge(input),
        }
    }

    pub(super) fn max_len(&self) -> usize {
        (self.capacity - HEADER) * 8
    }

    fn send(&mut self, input: &mut Input<'_>) {
        let max = self.max_len();
        let len = match input.below(7) {
            0 => max - input.below(9).min(max),
            1 => max + 1 + input.below(16),
            2 => 8 * input.below(12),
            3 => self.room().saturating_sub(HEADER) * 8 + input.below(2),
            _ => input.below(40),
        };
        let body: Vec<u8> = (0..len).map(|i| (i as u8).wrapping_add((self.next as u8).wrapping_mul(29))).collect();
        let (kind, version) = (input.byte().into(), input.byte().into());
        let (waits, patience) = (input.below(2) != 0, patience(input));
        let Some(tx) = &mut self.tx else { return };
        assert_eq!(tx.max_len(), max);
        // Version 1 is what the schema says.
        let record = Record::new(&body).kind(kind);
        let (record, version) = if version == 0 { (record, 1) } else { (record.version(version), version) };
        let before = tx.sequence();
        let result = if waits {
            tx.send_timeout(record, patience).map_err(|error| match error {
                SendError::Timeout => TrySendError::Full,
                SendError::Disconnected(ended) => TrySendError::Disconnected(ended),
                SendError::TooLarge(error) => TrySendError::TooLarge(error),
                other => panic!("{other}"),
            })
        } else {
            tx.try_send(record)
        };
        let sent = Sent { body, kind, version, sequence: self.next };
        assert_eq!(
            tx.sequence(),
            before.wrapping_add(result.is_ok().into()),
            "a number that was left out or given twice"
        );
        if let Err(TrySendError::TooLarge(TooLarge { len: told, max: most, .. })) = result {
            assert!(told == len && most == max && len > max + 8 * self.oracle.more);
            return;
        }
        assert!(len <= max, "a record that is too large was not refused");
        let ended = result == Err(TrySendError::Disconnected(Cause::Closed));
        if let (Some(model), true) = (&mut self.model, self.open[0]) {
            let used: usize = model.iter().map(Sent::words).sum();
            let fits = used + sent.words() <= self.capacity + self.oracle.more;
            let what = || format!("{used} of {} words are used, {} left, {result:?}", self.capacity, self.left);
            // A receiver that has left is told before a record is refused, and before one is sent that none receives.
            match self.left {
                0 => assert_eq!(result.is_ok(), fits, "{}", what()),
                _ => assert!(ended || result.is_ok() && fits && self.open[1], "{}", what()),
            }
            assert!(!ended || self.left != 0, "{}", what());
            self.left -= usize::from(ended);
        } else if self.model.is_some() {
            assert!(ended, "this side has closed, {result:?}");
        }
        match result {
            Ok(()) => {
                assert!(!self.corrupted[0], "an end changed its mind");
                if let Some(model) = &mut self.model {
                    model.push_back(sent);
                }
                self.next = self.next.wrapping_add(1);
            }
            Err(TrySendError::Disconnected(ended)) => self.ended(0, ended),
            Err(error) => assert!(error == TrySendError::Full && !self.corrupted[0], "{error}"),
        }
    }

    /// Words that are free, as far as is known.
    fn room(&self) -> usize {
        let used: usize = self.model.iter().flatten().map(Sent::words).sum();
        self.capacity.saturating_sub(used)
    }

    fn receive(&mut self, input: &mut Input<'_>) {
        let (way, patience) = (input.below(4), patience(input));
        let Some(rx) = &mut self.rx else { return };
        let to_try = |error| match error {
            RecvError::Timeout => TryRecvError::Empty,
            RecvError::Disconnected(ended) => TryRecvError::Disconnected(ended),
        };
        let mut body = vec![0xa5; 3];
        let result = match way {
            0 | 1 => rx.try_recv_into(&mut body),
            2 => rx.recv_timeout_into(&mut body, patience).map_err(to_try),
            _ => match rx.wait_for_record(patience) {
                Ok(()) if self.model.is_some() => {
                    rx.try_recv_into(&mut body).map_err(|error| panic!("there is a record, but {error}"))
                }
                Ok(()) => rx.try_recv_into(&mut body),
                Err(error) => Err(to_try(error)),
            },
        };
        if self.received(0, result, &body) {
            self.free(1);
        }
    }

    /// The records that were taken are freed, and `n` more.
    fn free(&mut self, n: usize) {
        let n = std::mem::take(&mut self.taken) + n;
        self.freed += n as u64;
        self.model.iter_mut().for_each(|model| drop(model.drain(..n)));
    }

    /// Judges what a receive said after `ahead` others that were not freed. Whether there was a record.
    fn received(&mut self, ahead: usize, result: Result<RecordInfo, TryRecvError>, body: &[u8]) -> bool {
        let at = self.taken + ahead;
        let is_end = self.open[1] && self.ends.front().is_some_and(|&end| end <= self.freed + at as u64);
        let expected = self.model.as_ref().filter(|_| self.open[1] && !is_end).and_then(|model| model.get(at));
        match result {
            Ok(RecordInfo { kind, version, sequence, len, .. }) => {
                assert!(!self.corrupted[1], "an end changed its mind");
                assert!(self.open[1], "a side that has closed received something");
                assert_eq!(len, body.len());
                assert!(len <= self.max_len(), "{len} bytes came out of a channel for {}", self.max_len());
                if self.model.is_some() {
                    let got = Sent { body: body.into(), kind, version, sequence };
                    assert_eq!(Some(&got), expected);
                }
                return true;
            }
            Err(error) => {
                assert!(expected.is_none(), "a record is missing: {error}");
                assert_eq!(body, [0xa5; 3], "nothing was received, but the body changed");
                match error {
                    TryRecvError::Empty => {
                        // A batch that has records does not say what is behind them.
                        assert!(self.model.is_none() || self.open[1] && (!is_end || ahead != 0), "an end is missing");
                        assert!(!self.corrupted[1], "an end changed its mind");
                    }
                    TryRecvError::Disconnected(ended) => {
                        assert!(!is_end || ahead == 0 || self.model.is_none(), "an end before its records are freed");
                        assert!(self.model.is_none() || is_end || !self.open[1], "an end that has not come, or twice");
                        self.told.extend(self.ends.drain(..usize::from(is_end)));
                        self.ended(1, ended);
                    }
                }
            }
        }
        false
    }

    fn ended(&mut self, side: usize, ended: Cause) {
        assert!(ended == Cause::Corrupted || !self.corrupted[side], "an end changed its mind");
        assert!(
            ended == Cause::Closed || self.model.is_none(),
            "no word was written from outside, and no side has died"
        );
        self.corrupted[side] = ended == Cause::Corrupted;
    }

    /// Takes several records, while others are sent and words are written from outside. Then frees them, or does not.
    fn batch(&mut self, input: &mut Input<'_>) {
        let Some(mut rx) = self.rx.take() else { return };
        let mut batch = rx.batch();
        let mut got = 0;
        for _ in 0..input.below(12) {
            match input.below(12) {
                0 => self.send(input),
                1 if !self.quiet => self.interfere(input),
                2 if !self.quiet => self.forge(input),
                _ => {
                    let mut body = vec![0xa5; 3];
                    let result = batch.try_recv_into(&mut body);
                    got += usize::from(self.received(got, result, &body));
                }
            }
        }
        match input.below(4) {
            0 | 1 => {
                assert_eq!(batch.commit(), got as u64);
                if got != 0 {
                    self.free(got);
                }
            }
            2 => drop(batch),
            // Until the next are freed their places stay occupied.
            _ => {
                std::mem::forget(batch);
                self.taken += got;
            }
        }
        self.rx = Some(rx);
    }

    fn open_sender(&mut self, input: &mut Input<'_>) {
        if self.ends.is_empty() {
            self.came = 0;
        }
        if self.came >= UNTOLD {
            return;
        }
        self.came += 1;
        self.closes(0);
        self.tx = None;
        // A receiver that has closed and is there still is told, though that was before.
        self.left = usize::from(self.rx.is_some() && !self.open[1]);
        let opened = self.place.builder().wait(strategy(input)).open_sender();
        self.tx = self.opened(0, opened);
        let Some(tx) = &self.tx else { return };
        if self.marked || self.model.is_none() {
            self.next = tx.sequence();
        } else if self.oracle.anew {
            self.next = 0;
        }
        assert_eq!(tx.sequence(), self.next);
    }

    fn open_receiver(&mut self, input: &mut Input<'_>) {
        if self.left >= UNTOLD {
            return;
        }
        self.closes(1);
        self.rx = None;
        // It is not told of a sender that had left before and of which nothing is in the channel. What was not freed comes again, and the
        // ends behind it.
        let mut before = self.freed;
        self.ends = self.told.drain(..).chain(self.ends.drain(..)).collect();
        self.ends.retain(|&end| {
            let keeps = end > before;
            before = before.max(end);
            keeps
        });
        let opened = self.place.builder().wait(strategy(input)).open_receiver();
        self.rx = self.opened(1, opened);
        self.taken = 0;
    }

    fn opened<T>(&mut self, side: usize, opened: Result<T, OpenError>) -> Option<T> {
        (self.open[side], self.corrupted[side]) = (opened.is_ok(), false);
        opened
            .map_err(|error| {
                assert!(!self.untouched && matches!(error, OpenError::Corrupted), "not opened again: {error}")
            })
            .ok()
    }

    fn close(&mut self, input: &mut Input<'_>) {
        match (input.below(2), &mut self.tx, &mut self.rx) {
            (0, Some(tx), _) => {
                tx.close();
                self.closes(0);
            }
            (_, _, Some(rx)) => {
                rx.close();
                self.closes(1);
                self.corrupted[1] = false;
            }
            _ => {}
        }
    }

    /// A side closes, if it has not yet: the other one is to be told.
    fn closes(&mut self, side: usize) {
        if !std::mem::replace(&mut self.open[side], false) {
            return;
        }
        if side == 0 {
            self.ends.push_back(self.freed + self.model.as_ref().map_or(0, VecDeque::len) as u64);
        } else {
            self.left += 1;
        }
    }

    fn look(&mut self) {
        let (bytes, max) = (8 * self.capacity, self.max_len());
        let model = self.model.as_ref();
        let (sends, receives) = (self.tx.is_some(), self.rx.is_some());
        if let Some(tx) = &mut self.tx {
            assert!((tx.capacity(), tx.max_len()) == (bytes, max) && tx.stats().depth <= self.capacity);
            assert!(!format!("{tx:?}").is_empty());
            assert!(model.is_none_or(|model| tx.is_empty() == model.is_empty()));
            let (peer, came) = (tx.peer(), tx.wait_for_peer(Duration::ZERO));
            self.is_there(peer, receives);
            assert!(!self.untouched || came == self.open[1]);
        }
        if let Some(rx) = &mut self.rx {
            assert!((rx.capacity(), rx.max_len()) == (bytes, max) && rx.stats().depth <= self.capacity);
            assert!(!format!("{rx:?}").is_empty());
            assert!(model.is_none_or(|model| rx.is_empty() == (model.len() == self.taken || !self.open[1])));
            let (peer, came) = (rx.peer(), rx.wait_for_peer(Duration::ZERO));
            self.is_there(peer, sends);
            assert!(!self.untouched || came == self.open[0]);
        }
    }

    /// What an observer sees: the header is whole, so there is a channel, whichever values its words have.
    fn overview(&self) {
        let Place::Named(scratch) = &self.place else { return };
        let seen = look(&scratch.name()).expect("a channel");
        let [lane] = &seen.lanes[..] else { panic!("{} lanes", seen.lanes.len()) };
        assert!(lane.stats.depth <= self.capacity && seen.capacity == self.capacity as u64);
        assert!(!seen.to_string().is_empty());
        if let Some(model) = &self.model {
            assert_eq!(lane.stats.depth, model.iter().map(Sent::words).sum());
            assert!(self.marked || lane.records == Some(self.next));
        }
        self.is_there(lane.sender.state, self.tx.is_some());
        self.is_there(seen.receiver.state, self.rx.is_some());
    }

    /// Judges what was said of a side: only the kernel says whether a process has it.
    fn is_there(&self, said: Peer, there: bool) {
        assert_eq!(said == Peer::Here, there);
        assert!(!self.untouched || there || said == Peer::Left, "{said:?}");
    }
}
