//! One sender that overwrites, receivers that copy: ringmail's lossy channel beside tokio's `broadcast` and `watch`, `arc-swap`, a sequence lock, and
//! the plain stores of a ring that no reader checks.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use arc_swap::ArcSwap;
use crossbeam_utils::CachePadded;
use ringmail::broadcast::lossy::{self, Message, Seen};
use tokio::sync::{broadcast, watch};

/// Message `n` is `W` words of `n`.
pub type Words<const W: usize> = [u64; W];

/// A pair of ends whose sender never waits.
pub trait Overwriting<const W: usize> {
    /// The sending end.
    type Tx: Send;
    /// The receiving end.
    type Rx: Send;
    /// Both, with message 0 sent and received.
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx);
    /// Sends.
    fn send(tx: &mut Self::Tx, message: Words<W>);
}

/// A receiving end that sees each message while it keeps up.
pub trait SeeNext<const W: usize>: Overwriting<W> {
    /// The next message; `None` if there is none, or some were lost.
    fn next(rx: &mut Self::Rx) -> Option<Words<W>>;
}

/// A receiving end that sees the newest message.
pub trait SeeNewest<const W: usize>: Overwriting<W> {
    /// The newest message; `None` if the look was in vain.
    fn newest(rx: &mut Self::Rx) -> Option<Words<W>>;
}

/// `ringmail::broadcast::lossy`. `COPIED`: its sender keeps a copy of the newest message, for those that look at that one alone.
#[derive(Debug)]
pub struct RingmailLossy<const COPIED: bool>;

impl<const W: usize, const COPIED: bool> Overwriting<W> for RingmailLossy<COPIED>
where
    Words<W>: Message,
{
    type Tx = lossy::Sender<Words<W>>;
    type Rx = lossy::Receiver<Words<W>>;

    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        let (mut tx, mut rx) = lossy::Builder::new(capacity).copy_newest(COPIED).build().expect("memory for a ring");
        tx.send([0; W]);
        assert!(rx.try_recv().is_ok());
        (tx, rx)
    }

    #[inline]
    fn send(tx: &mut Self::Tx, message: Words<W>) {
        tx.send(message);
    }
}

impl<const W: usize> SeeNext<W> for RingmailLossy<false>
where
    Words<W>: Message,
{
    #[inline]
    fn next(rx: &mut Self::Rx) -> Option<Words<W>> {
        rx.try_recv().ok().and_then(Seen::message)
    }
}

impl<const W: usize> SeeNewest<W> for RingmailLossy<true>
where
    Words<W>: Message,
{
    #[inline]
    fn newest(rx: &mut Self::Rx) -> Option<Words<W>> {
        rx.latest().map(|(_, message)| message)
    }
}

/// `tokio::sync::broadcast`.
#[derive(Debug)]
pub struct TokioLossy;

impl<const W: usize> Overwriting<W> for TokioLossy {
    type Tx = broadcast::Sender<Words<W>>;
    type Rx = broadcast::Receiver<Words<W>>;

    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        let (tx, mut rx) = broadcast::channel(capacity);
        tx.send([0; W]).expect("a receiver is there");
        rx.try_recv().expect("a message is there");
        (tx, rx)
    }

    #[inline]
    fn send(tx: &mut Self::Tx, message: Words<W>) {
        // No receiver is left at the end of a slice.
        let _ = tx.send(message);
    }
}

impl<const W: usize> SeeNext<W> for TokioLossy {
    #[inline]
    fn next(rx: &mut Self::Rx) -> Option<Words<W>> {
        rx.try_recv().ok()
    }
}

/// `tokio::sync::watch`.
#[derive(Debug)]
pub struct TokioWatch;

impl<const W: usize> Overwriting<W> for TokioWatch {
    type Tx = watch::Sender<Words<W>>;
    type Rx = watch::Receiver<Words<W>>;

    fn pair(_: usize) -> (Self::Tx, Self::Rx) {
        watch::channel([0; W])
    }

    #[inline]
    fn send(tx: &mut Self::Tx, message: Words<W>) {
        tx.send_replace(message);
    }
}

impl<const W: usize> SeeNewest<W> for TokioWatch {
    #[inline]
    fn newest(rx: &mut Self::Rx) -> Option<Words<W>> {
        Some(*rx.borrow())
    }
}

/// `arc_swap::ArcSwap`: a new allocation for each message.
#[derive(Debug)]
pub struct Swapped;

impl<const W: usize> Overwriting<W> for Swapped {
    type Tx = Arc<ArcSwap<Words<W>>>;
    type Rx = Arc<ArcSwap<Words<W>>>;

    fn pair(_: usize) -> (Self::Tx, Self::Rx) {
        let cell = Arc::new(ArcSwap::from_pointee([0; W]));
        (Arc::clone(&cell), cell)
    }

    #[inline]
    fn send(tx: &mut Self::Tx, message: Words<W>) {
        tx.store(Arc::new(message));
    }
}

impl<const W: usize> SeeNewest<W> for Swapped {
    #[inline]
    fn newest(rx: &mut Self::Rx) -> Option<Words<W>> {
        Some(**rx.load())
    }
}

/// One message behind a sequence lock, by Boehm's orderings.
#[derive(Debug)]
pub struct Seqlock<const W: usize> {
    sequence: AtomicU64,
    words: [AtomicU64; W],
}

/// The peer of that cell.
#[derive(Debug)]
pub struct SequenceLock;

impl<const W: usize> Overwriting<W> for SequenceLock {
    type Tx = Arc<CachePadded<Seqlock<W>>>;
    type Rx = Arc<CachePadded<Seqlock<W>>>;

    fn pair(_: usize) -> (Self::Tx, Self::Rx) {
        let words = std::array::from_fn(|_| AtomicU64::new(0));
        let cell = Arc::new(CachePadded::new(Seqlock { sequence: AtomicU64::new(0), words }));
        (Arc::clone(&cell), cell)
    }

    #[inline]
    fn send(tx: &mut Self::Tx, message: Words<W>) {
        let before = tx.sequence.load(Ordering::Relaxed);
        tx.sequence.store(before + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        for (word, value) in tx.words.iter().zip(message) {
            word.store(value, Ordering::Relaxed);
        }
        tx.sequence.store(before + 2, Ordering::Release);
    }
}

impl<const W: usize> SeeNewest<W> for SequenceLock {
    #[inline]
    fn newest(rx: &mut Self::Rx) -> Option<Words<W>> {
        let before = rx.sequence.load(Ordering::Acquire);
        if before % 2 != 0 {
            return None;
        }
        let message = std::array::from_fn(|i| rx.words[i].load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        (rx.sequence.load(Ordering::Relaxed) == before).then_some(message)
    }
}

/// The stores of a message and its number, round a ring of lines: what any sender pays at least. No receiver could tell whether a message is whole.
#[derive(Debug)]
pub struct PlainStores;

/// A slot of [`PlainStores`].
#[derive(Debug)]
#[repr(align(16))]
pub struct PlainSlot<const W: usize> {
    number: AtomicU64,
    words: [AtomicU64; W],
}

/// A ring of slots, and the position of its only user.
#[derive(Debug)]
pub struct PlainRing<const W: usize> {
    slots: Arc<[PlainSlot<W>]>,
    next: u64,
}

impl<const W: usize> Overwriting<W> for PlainStores {
    type Tx = PlainRing<W>;
    type Rx = PlainRing<W>;

    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        let slot = |_| PlainSlot { number: AtomicU64::new(0), words: std::array::from_fn(|_| AtomicU64::new(0)) };
        let slots: Arc<[_]> = (0..capacity.next_power_of_two()).map(slot).collect();
        (PlainRing { slots: Arc::clone(&slots), next: 1 }, PlainRing { slots, next: 1 })
    }

    #[inline]
    fn send(tx: &mut Self::Tx, message: Words<W>) {
        let slot = &tx.slots[tx.next as usize & (tx.slots.len() - 1)];
        for (word, value) in slot.words.iter().zip(message) {
            word.store(value, Ordering::Relaxed);
        }
        slot.number.store(tx.next, Ordering::Release);
        tx.next += 1;
    }
}

/// Follows the numbers, so that the sender's lines travel as with the others, and uses no message.
impl<const W: usize> SeeNext<W> for PlainStores {
    #[inline]
    fn next(rx: &mut Self::Rx) -> Option<Words<W>> {
        let slot = &rx.slots[rx.next as usize & (rx.slots.len() - 1)];
        let number = slot.number.load(Ordering::Acquire);
        if number < rx.next {
            return None;
        }
        let words: Words<W> = std::array::from_fn(|i| slot.words[i].load(Ordering::Relaxed));
        black_box(words);
        rx.next = if number == rx.next { number + 1 } else { number + rx.slots.len() as u64 / 2 };
        Some([number; W])
    }
}
