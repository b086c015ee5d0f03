//! Four senders: every way to send with every way to receive, on an `mpsc` ring and on `fan_in` lanes.
//!
//! Handles that may have slept go back to the main thread to be dropped, closed already: see `main`.

use crate::verbs::polling;
use ringmail::error::BuildError;
use ringmail::fan_in::FanIn;
use ringmail::mpsc::Mpsc;
use ringmail::{FenceMode, Flavor, Receiver, Sender, fan_in, mpsc};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
#[allow(clippy::disallowed_types, reason = "no part of what loom models")]
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{spawn, yield_now};
use std::time::Duration;

const SENDERS: u64 = 4;
const CAPACITIES: [usize; 3] = [1, 3, 64];

/// A message with its sender's number, whose other words must agree with that.
#[derive(Clone, Copy)]
pub(crate) struct Letter {
    sender: u64,
    number: u64,
    /// Pads the message, so that it is not one store.
    check: [u64; 3],
}

impl Letter {
    pub(crate) fn new(sender: u64, number: u64) -> Self {
        Self { sender, number, check: [!number ^ sender; 3] }
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Fails unless this is that letter, whole.
    pub(crate) fn check(&self, sender: u64, number: u64) {
        assert_eq!(self.check, [!self.number ^ self.sender; 3], "message {} is torn", self.number);
        assert_eq!((self.sender, self.number), (sender, number), "out of order, or of another sender");
    }
}

type Built<T, S> = Result<(Sender<T, S>, Receiver<T, S>), BuildError>;

/// What differs between the shapes.
pub(crate) trait Many: Flavor + Sized {
    fn build<T>(capacity: usize, barrier: FenceMode) -> Built<T, Self>;
    /// Another sender of the same channel; none if the receiver has left.
    fn another<T>(tx: &Sender<T, Self>) -> Option<Sender<T, Self>>;
    fn send_iter<T>(tx: &mut Sender<T, Self>, values: impl Iterator<Item = T>) -> Option<usize>;
    /// Sends `letters` through senders that come and go, none of which sleeps: they are dropped right here.
    fn come_and_go(tx: &mut Sender<Letter, Self>, letters: impl Iterator<Item = Letter>);
}

impl Many for Mpsc {
    fn build<T>(capacity: usize, barrier: FenceMode) -> Built<T, Self> {
        mpsc::Builder::new(capacity).fence_mode(barrier).build()
    }

    fn another<T>(tx: &Sender<T, Self>) -> Option<Sender<T, Self>> {
        Some(tx.clone())
    }

    fn send_iter<T>(tx: &mut Sender<T, Self>, values: impl Iterator<Item = T>) -> Option<usize> {
        tx.send_iter(values).ok()
    }

    fn come_and_go(tx: &mut Sender<Letter, Self>, letters: impl Iterator<Item = Letter>) {
        let weak = tx.downgrade();
        for letter in letters {
            let mut other = if letter.number % 2 == 0 { tx.clone() } else { weak.upgrade().expect("`tx` is there") };
            while other.try_send(letter).is_err() {
                yield_now();
            }
        }
    }
}

impl Many for FanIn {
    fn build<T>(capacity: usize, barrier: FenceMode) -> Built<T, Self> {
        // A small budget: the receiver changes lanes often.
        fan_in::Builder::new(capacity).fence_mode(barrier).budget(3).build()
    }

    fn another<T>(tx: &Sender<T, Self>) -> Option<Sender<T, Self>> {
        tx.lane().ok()
    }

    fn send_iter<T>(tx: &mut Sender<T, Self>, values: impl Iterator<Item = T>) -> Option<usize> {
        tx.send_iter(values).ok()
    }

    /// Lanes keep no order among them, so here only one of them sends; the others open and close. They are dropped later: the last
    /// holder of the standard library's count frees a lane's memory.
    fn come_and_go(tx: &mut Sender<Letter, Self>, letters: impl Iterator<Item = Letter>) {
        for letter in letters {
            if letter.number % 16 == 0 {
                let mut other = tx.lane().expect("the receiver is there");
                other.close();
                std::mem::forget(other);
            }
            while tx.try_send(letter).is_err() {
                yield_now();
            }
        }
    }
}

/// Notes that it was woken.
#[derive(Default)]
#[allow(clippy::disallowed_types, reason = "no part of what loom models")]
pub(crate) struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// Polls only when woken: a wake that is lost hangs the program.
pub(crate) fn block_on<F: Future>(waker: &(Arc<Flag>, Waker), future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut Context::from_waker(&waker.1)) {
            return answer;
        }
        while !waker.0.0.swap(false, Ordering::Acquire) {
            yield_now();
        }
    }
}

pub(crate) fn task() -> (Arc<Flag>, Waker) {
    let flag = Arc::<Flag>::default();
    // One count is never given back: ThreadSanitizer reports a last drop in the standard library, which is not instrumented.
    std::mem::forget(Arc::clone(&flag));
    (Arc::clone(&flag), Waker::from(flag))
}

type Sending<S> = fn(&mut Sender<Letter, S>, u64, u64);
type Receiving<S> = fn(&mut Receiver<Letter, S>, &mut dyn FnMut(Letter));

/// Sends the numbers below `n`, as sender `me`.
fn sends<S: Many>() -> [(&'static str, Sending<S>); 7] {
    [
        ("try_send", |tx, me, n| {
            for i in 0..n {
                while tx.try_send(Letter::new(me, i)).is_err() {
                    yield_now();
                }
            }
        }),
        ("send", |tx, me, n| (0..n).for_each(|i| tx.send(Letter::new(me, i)).unwrap())),
        ("send_timeout", |tx, me, n| {
            for i in 0..n {
                while tx.send_timeout(Letter::new(me, i), Duration::from_micros(50)).is_err() {}
            }
        }),
        ("send_slice", |tx, me, n| {
            let all: Vec<_> = (0..n).map(|i| Letter::new(me, i)).collect();
            all.chunks(5).for_each(|some| tx.send_slice(some).unwrap());
        }),
        ("send_iter", |tx, me, n| {
            assert_eq!(S::send_iter(tx, (0..n).map(|i| Letter::new(me, i))), Some(n as usize));
        }),
        ("send_async", |tx, me, n| {
            let task = task();
            (0..n).for_each(|i| block_on(&task, tx.send_async(Letter::new(me, i))).unwrap());
        }),
        ("coming and going", |tx, me, n| S::come_and_go(tx, (0..n).map(|i| Letter::new(me, i)))),
    ]
}

/// Receives everything until the channel is closed.
fn receives<S: Many>() -> [(&'static str, Receiving<S>); 9] {
    [
        ("try_recv", |rx, seen| polling(|| rx.try_recv().map(&mut *seen))),
        ("recv", |rx, seen| rx.iter().for_each(seen)),
        ("recv_timeout", |rx, seen| {
            loop {
                match rx.recv_timeout(Duration::from_micros(50)) {
                    Ok(letter) => seen(letter),
                    Err(error) if error.is_disconnected() => break,
                    Err(_) => {}
                }
            }
        }),
        ("recv_async", |rx, seen| {
            let task = task();
            while let Ok(letter) = block_on(&task, rx.recv_async()) {
                seen(letter);
            }
        }),
        ("read_chunk", |rx, seen| {
            polling(|| {
                let chunk = rx.read_chunk(5)?;
                chunk.iter().for_each(|letter| seen(*letter));
                chunk.commit_all();
                Ok(())
            });
        }),
        ("into_iter", |rx, seen| {
            polling(|| {
                rx.read_chunk(5)?.into_iter().take(3).for_each(&mut *seen);
                Ok(())
            });
        }),
        ("try_recv_many", |rx, seen| {
            let mut buffer = Vec::new();
            polling(|| {
                rx.try_recv_many(&mut buffer, 5)?;
                buffer.drain(..).for_each(&mut *seen);
                Ok(())
            });
        }),
        ("recv_many", |rx, seen| {
            let mut buffer = Vec::new();
            while rx.recv_many(&mut buffer, 5).is_ok() {
                buffer.drain(..).for_each(&mut *seen);
            }
        }),
        ("drain", |rx, seen| {
            polling(|| {
                if rx.drain(5, &mut *seen) == 0 {
                    seen(rx.try_recv()?);
                }
                Ok(())
            });
        }),
    ]
}

/// Each pair of verbs over rings of 1, 3 and 64, with and without fences in turn; and receivers that leave. Returns how many
/// exchanges that was.
pub(crate) fn every_pair<S: Many>(messages: u64) -> u64
where
    Sender<Letter, S>: Send,
    Receiver<Letter, S>: Send,
    Sender<Box<u64>, S>: Send,
    Receiver<Box<u64>, S>: Send,
{
    // From each sender a quarter.
    let each = (messages / SENDERS).max(1);
    let mut exchanges = 0;
    for (name, send) in sends::<S>() {
        for (other, receive) in receives::<S>() {
            for capacity in CAPACITIES {
                let barrier = if exchanges % 2 == 0 { FenceMode::Auto } else { FenceMode::Fence };
                let seen = exchange(capacity, barrier, each, send, receive);
                assert_eq!(
                    seen,
                    each * SENDERS,
                    "{name} to {other}, capacity {capacity}, {barrier:?}: messages are missing"
                );
                exchanges += 1;
            }
        }
    }
    for capacity in CAPACITIES {
        for drop_it in [false, true, false, true] {
            leave::<S>(capacity, each, drop_it);
            exchanges += 1;
        }
    }
    exchanges
}

/// Returns how many arrived; panics if those of one sender are out of order.
fn exchange<S: Many>(capacity: usize, barrier: FenceMode, each: u64, send: Sending<S>, receive: Receiving<S>) -> u64
where
    Sender<Letter, S>: Send,
    Receiver<Letter, S>: Send,
{
    let (mut first, mut rx) = S::build(capacity, barrier).expect("a small ring");
    let senders: Vec<_> = (0..SENDERS)
        .map(|me| {
            let mut tx = S::another(&first).expect("the receiver is there");
            spawn(move || {
                send(&mut tx, me, each);
                tx.close();
                tx
            })
        })
        .collect();
    first.close();
    let receiver = spawn(move || {
        let (mut next, mut seen) = ([0; SENDERS as usize], 0);
        receive(&mut rx, &mut |letter| {
            assert_eq!(letter.check, [!letter.number ^ letter.sender; 3], "message {} is torn", letter.number);
            let next = &mut next[letter.sender as usize];
            assert_eq!(letter.number, *next, "out of order");
            *next += 1;
            seen += 1;
        });
        (seen, rx)
    });
    let senders: Vec<_> = senders.into_iter().map(|sender| sender.join().expect("the sender does not panic")).collect();
    let (seen, rx) = receiver.join().expect("the receiver does not panic");
    drop((first, senders, rx));
    seen
}

/// The receiver leaves in the middle of it. What it did not take is dropped, by the receiver or by a sender.
fn leave<S: Many>(capacity: usize, messages: u64, drop_it: bool)
where
    Sender<Box<u64>, S>: Send,
    Receiver<Box<u64>, S>: Send,
{
    let (first, mut rx) = S::build::<Box<u64>>(capacity, FenceMode::Auto).expect("a small ring");
    let senders: Vec<_> = (0..SENDERS)
        .map(|me| {
            let mut tx = S::another(&first).expect("the receiver is there");
            let task = task();
            spawn(move || {
                let sent = (0..)
                    .take_while(|&i| match me {
                        0 => tx.send(Box::new(i)).is_ok(),
                        1 => block_on(&task, tx.send_async(Box::new(i))).is_ok(),
                        2 => S::send_iter(&mut tx, (0..3).map(Box::new)).is_some(),
                        _ => !tx.try_send(Box::new(i)).is_err_and(|error| error.is_disconnected()),
                    })
                    .count();
                // Once more: what was sent while the receiver left is dropped now, on this side.
                assert!(tx.try_send(Box::new(0)).is_err());
                (sent, tx)
            })
        })
        .collect();
    let receiver = spawn(move || {
        for _ in 0..messages {
            assert!(rx.recv().is_ok());
        }
        if drop_it {
            drop(rx);
            return None;
        }
        rx.close();
        rx.iter().for_each(drop);
        Some(rx)
    });
    let senders: Vec<_> = senders.into_iter().map(|sender| sender.join().expect("the sender does not panic")).collect();
    let rx = receiver.join().expect("the receiver does not panic");
    assert!(senders.iter().all(|(_, tx)| tx.is_closed()));
    drop((first, senders, rx));
}

/// Lanes that are drained and whose senders have gone serve the next ones. Returns how many exchanges that was.
pub(crate) fn lanes_again(messages: u64) -> u64 {
    let (first, mut rx) = fan_in::channel::<Letter>(64).expect("a small ring");
    let (mut reused, rounds) = (0, 8);
    for _ in 0..rounds {
        let senders: Vec<_> = (0..SENDERS)
            .map(|me| {
                let mut tx = first.lane().expect("the receiver is there");
                reused += u32::from(tx.id().generation() > 0);
                let n = messages.min(64);
                spawn(move || (0..n).for_each(|i| tx.send(Letter::new(me, i)).expect("there is room")))
            })
            .collect();
        // The senders drop their lanes before the receiver returns those. Otherwise the memory would not be used again.
        senders.into_iter().for_each(|sender| sender.join().expect("the sender does not panic"));
        rx = spawn(move || {
            assert_eq!(rx.try_iter().count() as u64, SENDERS * messages.min(64));
            rx
        })
        .join()
        .expect("the receiver does not panic");
    }
    assert_eq!(u64::from(reused), (rounds - 1) * SENDERS, "no lane was used again");
    drop((first, rx));
    rounds
}
