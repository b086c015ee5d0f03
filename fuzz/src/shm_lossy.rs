//! A mapped lossy channel whose words another process writes while it is in use.
//!
//! Nothing that is written may lead to a panic, an access outside of the mapping or a look without end, in the sender or in a receiver. Until the first
//! such write each receiver gets each message, or how many it lost, exactly.

use super::input::Input;
use super::shm_file::{PAGE, SESSIONS, Scratch, Words, wild};
use ringmail::shm::lossy::{Builder, Receiver, Resume, Seen, Sender};
use ringmail::shm::{Cause, Message, RecvTimeoutError, TryRecvError, inspect};
use std::time::Duration;

/// All sides at work while another process writes what only the sender should.
pub fn shm_lossy(data: &[u8]) {
    run(data, 0);
}

/// The same with a model that keeps one message too many.
pub fn shm_lossy_off_by_one(data: &[u8]) {
    run(data, 1);
}

/// Where the words of the ring lie.
const TAIL: u64 = PAGE;
const END: u64 = PAGE + 128;
const SLOTS: u64 = 3 * PAGE;
/// Bytes of a slot: a stamp, and a short message.
const STRIDE: u64 = 16;
/// Sessions of the sender: the channel keeps a few more.
const MOST_SESSIONS: usize = 60;
const RECEIVERS: usize = 4;

fn run(data: &[u8], more: u64) {
    let mut input = Input::new(data);
    if input.byte() & 1 == 0 {
        program::<u64>(&mut input, more, |number| number, |message| message);
    } else {
        // Of which most bytes are none.
        program::<char>(&mut input, more, |number| char::from_u32(number as u32).expect("few are sent"), u64::from);
    }
}

fn program<T: Message + Copy>(input: &mut Input<'_>, more: u64, make: fn(u64) -> T, number: fn(T) -> u64) {
    let scratch = Scratch::make();
    // A whole page of slots in one case: then the first word beyond the ring is beyond the mapping.
    let capacity = [2, 2, 4, 4, 8, 256][input.below(6)];
    let quiet = input.below(2) == 0;
    let tx = Builder::<T>::new(scratch.name()).capacity(capacity).open_sender().expect("a fresh segment");
    let words = scratch.words();
    let mut subject = Subject {
        scratch,
        words,
        capacity: capacity as u64,
        kept: capacity as u64 + more,
        tx: Some(tx),
        receivers: Vec::new(),
        sent: 0,
        sessions: 1,
        quiet,
        untouched: true,
        make,
        number,
    };
    subject.open_receiver(input);
    let mut steps = 0;
    while !input.is_over() && steps < 300 {
        subject.step(input);
        subject.look();
        steps += 1;
    }
}

struct Reading<T: Message + Copy> {
    rx: Receiver<T>,
    next: u64,
    resume: Resume,
    /// Ends of sessions that it was told.
    told: usize,
    /// Whether it has said so; it must not change its mind.
    corrupted: bool,
}

struct Subject<T: Message + Copy> {
    scratch: Scratch,
    words: Words,
    capacity: u64,
    kept: u64,
    tx: Option<Sender<T>>,
    receivers: Vec<Reading<T>>,
    sent: u64,
    sessions: usize,
    /// No word will be written from outside.
    quiet: bool,
    /// No word was written from outside.
    untouched: bool,
    make: fn(u64) -> T,
    number: fn(T) -> u64,
}

impl<T: Message + Copy> Subject<T> {
    fn builder(&self) -> Builder<T> {
        Builder::new(self.scratch.name()).longest_sleep(Duration::from_micros(1))
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(20) {
            0..=2 => self.send(1),
            3..=4 => self.send(input.amount().min(80)),
            5..=7 => self.receive(input, 0),
            8 => self.receive(input, 1),
            9..=10 => self.change(input),
            11 => self.latest(input),
            12 => self.open_receiver(input),
            13 => self.clone_receiver(input),
            14 => self.open_sender(input),
            15 => self.overview(),
            16 if self.receivers.len() > 1 => drop(self.receivers.remove(0)),
            17..=19 if !self.quiet => self.interfere(input),
            17 => self.send(1 + input.below(24)),
            18..=19 => self.receive(input, 0),
            _ => {}
        }
    }

    fn send(&mut self, n: usize) {
        let Some(tx) = &mut self.tx else { return };
        let messages: Vec<T> = (self.sent..).take(n).map(self.make).collect();
        if let [message] = messages[..] {
            tx.send(message);
        } else {
            tx.send_slice(&messages);
        }
        self.sent += n as u64;
    }

    fn open_sender(&mut self, input: &mut Input<'_>) {
        self.tx = None;
        if input.below(3) == 0 || self.sessions >= MOST_SESSIONS {
            return;
        }
        self.tx = self.builder().open_sender().ok();
        assert!(self.tx.is_some() || !self.untouched, "a whole channel opens again");
        self.sessions += usize::from(self.tx.is_some());
    }

    fn open_receiver(&mut self, input: &mut Input<'_>) {
        let (resume, oldest) = ([Resume::Oldest, Resume::Middle, Resume::Newest][input.below(3)], input.below(2) == 0);
        if self.receivers.len() >= RECEIVERS {
            return;
        }
        let opened = self.builder().resume(resume).from_oldest(oldest).open_receiver();
        let Ok(rx) = opened else { return assert!(!self.untouched, "a whole channel opens") };
        let next = if oldest { self.sent.saturating_sub(self.capacity) } else { self.sent };
        assert!(!self.untouched || rx.position() == next);
        self.receivers.push(Reading { rx, next, resume, told: 0, corrupted: false });
    }

    fn clone_receiver(&mut self, input: &mut Input<'_>) {
        let Some(at) = self.pick(input).filter(|_| self.receivers.len() < RECEIVERS) else { return };
        let Reading { rx, next, resume, told, corrupted } = &self.receivers[at];
        let reading = Reading { rx: rx.clone(), next: *next, resume: *resume, told: *told, corrupted: *corrupted };
        self.receivers.push(reading);
    }

    /// Writes a word that only the sender should.
    fn interfere(&mut self, input: &mut Input<'_>) {
        let (n, byte) = (input.byte() as u64, input.byte());
        let newest = (self.words.get(TAIL) / 2).wrapping_sub(n % 5) & (self.capacity - 1);
        let at = match input.below(8) {
            0..=1 => TAIL,
            2 => END,
            3 => SESSIONS[0] + 8 * (n % 5),
            4 => self.words.in_table(0, n),
            // The stamp of one of the last messages, or of the next one.
            5..=6 => SLOTS + STRIDE * newest,
            _ => SLOTS + 8 * (n * STRIDE / 8 + u64::from(byte)) % (self.capacity * STRIDE),
        };
        let old = self.words.get(at);
        let byte = input.byte();
        let new = wild(old, byte, input.below(8), self.capacity);
        if new != old {
            self.words.set(at, new);
            self.untouched = false;
        }
    }

    fn pick(&self, input: &mut Input<'_>) -> Option<usize> {
        let which = input.byte() as usize;
        which.checked_rem(self.receivers.len())
    }

    fn receive(&mut self, input: &mut Input<'_>, way: usize) {
        let Some(at) = self.pick(input) else { return };
        let rx = &mut self.receivers[at].rx;
        let answer = match way {
            0 => rx.try_recv(),
            _ => rx.recv_timeout(Duration::ZERO).map_err(|error| match error {
                RecvTimeoutError::Timeout => TryRecvError::Empty,
                RecvTimeoutError::Disconnected(cause) => TryRecvError::Disconnected(cause),
            }),
        };
        let answer = answer.map(|seen| match seen {
            Seen::Message(message) => Seen::Message((self.number)(message)),
            Seen::Lost(count) => Seen::Lost(count),
        });
        let Ok(seen) = self.found(at, answer) else { return };
        let reading = &mut self.receivers[at];
        if !self.untouched {
            return;
        }
        let lag = self.sent - reading.next;
        let kept = match reading.resume {
            Resume::Oldest => self.kept,
            Resume::Middle => self.kept / 2,
            Resume::Newest => 1,
        };
        let expected = if lag > self.kept { Seen::Lost(lag - kept) } else { Seen::Message(reading.next) };
        assert_eq!(seen, expected);
        reading.next += seen.lost() + u64::from(seen.lost() == 0);
    }

    fn change(&mut self, input: &mut Input<'_>) {
        let Some(at) = self.pick(input) else { return };
        let answer = self.receivers[at].rx.try_changed();
        let Ok((number, message)) = self.found(at, answer) else { return };
        if self.untouched {
            assert_eq!((number, (self.number)(message)), (self.sent - 1, self.sent - 1));
            self.receivers[at].next = self.sent;
        }
    }

    fn latest(&mut self, input: &mut Input<'_>) {
        let Some(at) = self.pick(input) else { return };
        let answer =
            self.receivers[at].rx.latest().map(|newest| newest.map(|(at, message)| (at, (self.number)(message))));
        if self.untouched {
            let newest = self.sent.checked_sub(1);
            assert_eq!(answer, Ok(newest.map(|newest| (newest, newest))));
        } else {
            assert!(answer.is_ok() || answer == Err(Cause::Corrupted));
            assert!(answer.is_err() || !self.receivers[at].corrupted, "it changed its mind");
        }
    }

    /// Judges what a receive said, apart from its message.
    fn found<R>(&mut self, at: usize, answer: Result<R, TryRecvError<Cause>>) -> Result<R, ()> {
        let reading = &mut self.receivers[at];
        let caught_up = reading.next == self.sent;
        match answer {
            Ok(found) => {
                assert!(!reading.corrupted, "it changed its mind");
                assert!(!self.untouched || !caught_up, "a message that was not sent");
                return Ok(found);
            }
            Err(error) => {
                assert!(!self.untouched || caught_up, "a message is missing: {error}");
                match error {
                    TryRecvError::Empty => assert!(!reading.corrupted, "it changed its mind"),
                    TryRecvError::Disconnected(Cause::Corrupted) => {
                        assert!(!self.untouched, "an honest sender is found out");
                        reading.corrupted = true;
                    }
                    TryRecvError::Disconnected(cause) => {
                        assert!(!reading.corrupted, "it changed its mind");
                        assert!(!self.untouched || cause == Cause::Closed, "{cause}");
                        reading.told += 1;
                        let over = self.sessions - usize::from(self.tx.is_some());
                        assert!(!self.untouched || reading.told <= over, "an end that has not come, or twice");
                    }
                }
            }
        }
        Err(())
    }

    fn look(&self) {
        for Reading { rx, next, .. } in &self.receivers {
            assert_eq!(rx.capacity() as u64, self.capacity);
            let (lag, empty, _) = (rx.lag(), rx.is_empty(), rx.is_closed());
            if self.untouched {
                assert_eq!((rx.position(), lag, empty), (*next, self.sent - next, *next == self.sent));
            }
        }
        if let Some(tx) = self.tx.as_ref().filter(|_| self.untouched) {
            assert_eq!((tx.sent(), tx.capacity() as u64), (self.sent, self.capacity));
        }
    }

    /// What an observer sees: the header is whole, so it sees a channel, whichever values its words have.
    fn overview(&self) {
        let seen = inspect(&self.scratch.name()).expect("a channel");
        assert!(seen.capacity == self.capacity && !seen.to_string().is_empty());
        assert!(!self.untouched || seen.sent() == self.sent);
    }
}
