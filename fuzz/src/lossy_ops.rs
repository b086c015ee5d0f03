//! Every verb of `broadcast::lossy` against a count of what was sent and a number for each receiver: which message comes, and how many are lost, is exact.

use super::input::Input;
use super::wake_counter::WakeCounter;
use ringmail::broadcast::lossy::{Builder, Message, Receiver, Resume, Seen, Sender};
use ringmail::{FenceMode, RecvError, RecvTimeoutError, TryRecvError, WaitStrategy};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// Runs `data` as a program.
pub fn lossy_ops(data: &[u8]) {
    run(data, 0);
}

/// The same with a model that keeps one message too many, to show that a difference is noticed.
pub fn lossy_ops_off_by_one(data: &[u8]) {
    run(data, 1);
}

/// Receivers at a time.
const RECEIVERS: usize = 6;

/// A kind of message: which one it is can be told from each part of it.
trait Numbered: Message {
    fn make(number: u64) -> Self;
    /// Its number, if it is one whole message.
    fn number(&self) -> u64;
}

impl Numbered for u64 {
    fn make(number: u64) -> Self {
        number
    }

    fn number(&self) -> u64 {
        *self
    }
}

/// Shorter than a word.
impl Numbered for [u8; 5] {
    fn make(number: u64) -> Self {
        [number as u8, (number >> 8) as u8, !number as u8, 7, number as u8 ^ 0x5a]
    }

    fn number(&self) -> u64 {
        let number = u64::from(self[0]) | u64::from(self[1]) << 8;
        assert_eq!(*self, Self::make(number), "torn");
        number
    }
}

/// Longer than a line, and not whole words.
impl Numbered for [u8; 131] {
    fn make(number: u64) -> Self {
        let mut bytes = [number as u8; 131];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        bytes[130] = !number as u8;
        bytes
    }

    fn number(&self) -> u64 {
        let number = u64::from_le_bytes(self[..8].try_into().expect("eight bytes"));
        assert!(*self == Self::make(number), "torn");
        number
    }
}

fn run(data: &[u8], more: u64) {
    let mut input = Input::new(data);
    match input.byte() % 3 {
        0 => program::<u64>(&mut input, more),
        1 => program::<[u8; 5]>(&mut input, more),
        _ => program::<[u8; 131]>(&mut input, more),
    }
}

fn program<T: Numbered>(input: &mut Input<'_>, more: u64) {
    let mut model = Model::<T>::new(input, more);
    while !input.is_over() {
        match input.below(24) {
            0..=3 => model.send(),
            4..=6 => model.send_slice(input),
            7..=9 => model.try_recv(input),
            10 => model.recv_timeout(input),
            11 => model.poll_recv(input),
            12 => model.recv_async(input),
            13 => model.try_changed(input),
            14 => model.changed_timeout(input),
            15 => model.poll_changed(input),
            16 => model.changed_async(input),
            17 => model.clone_rx(input),
            18 => model.resubscribe(input),
            19 => model.subscribe(),
            20 => model.set_resume(input),
            21 => model.drop_rx(input),
            22 => model.catch_up(input),
            // Closing ends most of what can happen: rarely.
            23 if input.byte() < 24 => model.tx = None,
            _ => {}
        }
        model.look();
    }
    model.tx = None;
    model.look();
    model.finish();
}

/// A receiver, and which message it wants next.
struct Reading<T> {
    rx: Receiver<T>,
    next: u64,
    resume: Resume,
    wakes: WakeCounter,
}

/// What is to be seen next.
type Expected<R> = Result<R, TryRecvError>;

struct Model<T> {
    tx: Option<Sender<T>>,
    sent: u64,
    /// What is kept: the last numbers.
    kept: VecDeque<u64>,
    receivers: Vec<Reading<T>>,
    capacity: u64,
    more: u64,
    resume: Resume,
    sleeps: bool,
}

fn timed<R>(answer: Result<R, RecvTimeoutError>) -> Expected<R> {
    answer.map_err(|error| match error {
        RecvTimeoutError::Timeout => TryRecvError::Empty,
        RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
    })
}

fn resume(input: &mut Input<'_>) -> Resume {
    [Resume::Oldest, Resume::Middle, Resume::Newest][input.below(3)]
}

impl<T: Numbered> Model<T> {
    /// The channel that the first bytes describe, with one receiver.
    fn new(input: &mut Input<'_>, more: u64) -> Self {
        let (flags, asked) = (input.byte() as usize, 1 + input.below(20));
        let wait = [WaitStrategy::Park, WaitStrategy::Yield, WaitStrategy::BusySpin][flags % 3];
        let barrier = [FenceMode::Fence, FenceMode::Auto, FenceMode::Never][flags / 3 % 3];
        let resume = resume(input);
        let builder =
            Builder::new(asked).receiver_wait(wait).fence_mode(barrier).resume(resume).copy_newest(flags / 9 % 2 == 0);
        let (tx, rx) = builder.build().unwrap();
        let capacity = asked.next_power_of_two().max(2);
        assert_eq!((tx.capacity(), rx.capacity()), (capacity, capacity));
        Self {
            tx: Some(tx),
            sent: 0,
            kept: VecDeque::new(),
            receivers: vec![Reading { rx, next: 0, resume, wakes: WakeCounter::default() }],
            capacity: capacity as u64 + more,
            more,
            resume,
            sleeps: barrier != FenceMode::Never,
        }
    }

    // ---- sending

    fn sends(&mut self, n: usize) {
        self.kept.extend(self.sent..self.sent + n as u64);
        self.sent += n as u64;
        self.kept.drain(..self.kept.len().saturating_sub(self.capacity as usize));
    }

    fn send(&mut self) {
        let Some(tx) = &mut self.tx else { return };
        tx.send(T::make(self.sent));
        self.sends(1);
    }

    fn send_slice(&mut self, input: &mut Input<'_>) {
        let n = input.amount().min(150);
        let Some(tx) = &mut self.tx else { return };
        let messages: Vec<T> = (self.sent..).take(n).map(T::make).collect();
        tx.send_slice(&messages);
        self.sends(n);
    }

    // ---- receiving

    fn pick(&mut self, input: &mut Input<'_>) -> Option<usize> {
        let which = input.byte() as usize;
        which.checked_rem(self.receivers.len())
    }

    fn none<R>(&self) -> Expected<R> {
        Err(if self.tx.is_some() { TryRecvError::Empty } else { TryRecvError::Disconnected })
    }

    /// What the next look of a receiver must say.
    fn seen(&mut self, at: usize) -> Expected<Seen<u64>> {
        let Reading { next, resume, .. } = self.receivers[at];
        if next == self.sent {
            return self.none();
        }
        let (seen, to) = match self.kept.front() {
            Some(&oldest) if oldest > next => {
                let back = match resume {
                    Resume::Oldest => self.kept.len(),
                    Resume::Middle => self.kept.len() / 2,
                    Resume::Newest => 1,
                };
                // It goes on with the first of the last `back` ones.
                let to = self.kept[self.kept.len() - back];
                (Seen::Lost(to - next), to)
            }
            _ => (Seen::Message(next), next + 1),
        };
        self.receivers[at].next = to;
        Ok(seen)
    }

    /// What the next question for a newer message must say.
    fn change(&mut self, at: usize) -> Expected<u64> {
        let Some(&newest) = self.kept.back().filter(|newest| **newest >= self.receivers[at].next) else {
            return self.none();
        };
        self.receivers[at].next = newest + 1;
        Ok(newest)
    }

    fn saw(&mut self, at: usize, answer: Expected<Seen<T>>) {
        let expected = self.seen(at);
        let answer = answer.map(|seen| match seen {
            Seen::Message(message) => Seen::Message(message.number()),
            Seen::Lost(count) => Seen::Lost(count),
        });
        assert_eq!(answer, expected);
    }

    fn changed(&mut self, at: usize, answer: Expected<(u64, T)>) {
        let expected = self.change(at);
        let answer = answer.map(|(number, message)| {
            assert_eq!(number, message.number());
            number
        });
        assert_eq!(answer, expected);
    }

    fn try_recv(&mut self, input: &mut Input<'_>) {
        let Some(at) = self.pick(input) else { return };
        let answer = self.receivers[at].rx.try_recv();
        self.saw(at, answer);
    }

    fn recv_timeout(&mut self, input: &mut Input<'_>) {
        let Some(at) = self.pick(input) else { return };
        let answer = self.receivers[at].rx.recv_timeout(Duration::ZERO);
        self.saw(at, timed(answer));
    }

    fn try_changed(&mut self, input: &mut Input<'_>) {
        let Some(at) = self.pick(input) else { return };
        let answer = self.receivers[at].rx.try_changed();
        self.changed(at, answer);
    }

    fn changed_timeout(&mut self, input: &mut Input<'_>) {
        let Some(at) = self.pick(input) else { return };
        let answer = self.receivers[at].rx.changed_timeout(Duration::ZERO);
        self.changed(at, timed(answer));
    }

    /// What a poll said, as a verb that does not wait.
    fn polled<R>(&mut self, at: usize, answer: Poll<Result<R, RecvError>>, keeps: bool) -> Expected<R> {
        let wakes = &mut self.receivers[at].wakes;
        match answer {
            Poll::Pending => {
                wakes.arm(self.sleeps);
                if !keeps {
                    wakes.disarm();
                }
                Err(TryRecvError::Empty)
            }
            Poll::Ready(answer) => {
                if answer.is_err() {
                    wakes.disarm();
                }
                answer.map_err(|RecvError| TryRecvError::Disconnected)
            }
        }
    }

    fn poll_recv(&mut self, input: &mut Input<'_>) {
        let Some(at) = self.pick(input) else { return };
        let Reading { rx, wakes, .. } = &mut self.receivers[at];
        let answer = wakes.poll(|cx| rx.poll_recv(cx));
        let answer = self.polled(at, answer, true);
        self.saw(at, answer);
    }

    fn recv_async(&mut self, input: &mut Input<'_>) {
        let Some(at) = self.pick(input) else { return };
        let Reading { rx, wakes, .. } = &mut self.receivers[at];
        let answer = wakes.poll(|cx| pin!(rx.recv_async()).poll(cx));
        let answer = self.polled(at, answer, false);
        self.saw(at, answer);
    }

    fn poll_changed(&mut self, input: &mut Input<'_>) {
        let Some(at) = self.pick(input) else { return };
        let Reading { rx, wakes, .. } = &mut self.receivers[at];
        let answer = wakes.poll(|cx| rx.poll_changed(cx));
        let answer = self.polled(at, answer, true);
        self.changed(at, answer);
    }

    fn changed_async(&mut self, input: &mut Input<'_>) {
        let Some(at) = self.pick(input) else { return };
        let Reading { rx, wakes, .. } = &mut self.receivers[at];
        let answer = wakes.poll(|cx| pin!(rx.changed_async()).poll(cx));
        let answer = self.polled(at, answer, false);
        self.changed(at, answer);
    }

    /// Everything that is there, and the exact sum of it.
    fn catch_up(&mut self, input: &mut Input<'_>) {
        let Some(at) = self.pick(input) else { return };
        let (from, mut total) = (self.receivers[at].next, 0);
        while let Ok(seen) = self.receivers[at].rx.try_recv() {
            total += seen.lost() + u64::from(seen.message().is_some());
            self.saw(at, Ok(seen));
        }
        assert_eq!(from + total, self.sent, "received and lost add up to what was sent");
    }

    // ---- coming and going

    fn adds(&mut self, rx: Receiver<T>, next: u64, resume: Resume) {
        self.receivers.push(Reading { rx, next, resume, wakes: WakeCounter::default() });
    }

    fn clone_rx(&mut self, input: &mut Input<'_>) {
        let Some(at) = self.pick(input).filter(|_| self.receivers.len() < RECEIVERS) else { return };
        let Reading { rx, next, resume, .. } = &self.receivers[at];
        let (rx, next, resume) = (rx.clone(), *next, *resume);
        self.adds(rx, next, resume);
    }

    fn resubscribe(&mut self, input: &mut Input<'_>) {
        let Some(at) = self.pick(input).filter(|_| self.receivers.len() < RECEIVERS) else { return };
        let (rx, resume) = (self.receivers[at].rx.resubscribe(), self.receivers[at].resume);
        self.adds(rx, self.sent, resume);
    }

    fn subscribe(&mut self) {
        let Some(tx) = self.tx.as_ref().filter(|_| self.receivers.len() < RECEIVERS) else { return };
        let rx = tx.subscribe();
        self.adds(rx, self.sent, self.resume);
    }

    fn set_resume(&mut self, input: &mut Input<'_>) {
        let Some(at) = self.pick(input) else { return };
        let resume = resume(input);
        self.receivers[at].rx.set_resume(resume);
        self.receivers[at].resume = resume;
    }

    fn drop_rx(&mut self, input: &mut Input<'_>) {
        if let Some(at) = self.pick(input) {
            self.receivers.remove(at);
        }
    }

    // ---- looking

    /// Checks all questions that change nothing.
    fn look(&mut self) {
        let closed = self.tx.is_none();
        for Reading { rx, next, wakes, .. } in &mut self.receivers {
            let lag = self.sent - *next;
            assert_eq!((rx.position(), rx.lag(), rx.is_empty()), (*next, lag, lag == 0));
            assert_eq!((rx.is_closed(), rx.capacity() as u64), (closed, self.capacity - self.more));
            let latest = rx.latest().map(|(number, message)| (number, message.number()));
            assert_eq!(latest, self.kept.back().map(|&newest| (newest, newest)));
            wakes.check(lag > 0 || closed);
        }
        let Some(tx) = &self.tx else { return };
        assert_eq!((tx.sent(), tx.capacity() as u64), (self.sent, self.capacity - self.more));
    }

    /// The sender is gone: each receiver gets the rest, then the end, again and again.
    fn finish(mut self) {
        for at in 0..self.receivers.len() {
            for _ in 0..3 * self.capacity {
                let answer = self.receivers[at].rx.try_recv();
                self.saw(at, answer);
            }
            assert!(self.receivers[at].rx.recv().is_err() && self.receivers[at].next == self.sent);
        }
    }
}
