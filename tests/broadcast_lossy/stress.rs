//! A sender at full speed, and readers that keep up or do not.

use ringmail::broadcast::lossy::{Builder, Message, Receiver, Resume, Seen};
use ringmail::{TryRecvError, WaitStrategy};
use std::thread;
use std::time::{Duration, Instant};

/// A message that tells whether it is whole.
trait Whole: Message + 'static {
    fn of(number: u64) -> Self;
    fn number(&self) -> u64;
}

impl<const N: usize> Whole for [u64; N] {
    fn of(number: u64) -> Self {
        [number; N]
    }

    fn number(&self) -> u64 {
        assert_eq!(*self, [self[0]; N], "a mixture");
        self[0]
    }
}

/// Reads to the end by `take`. Received and lost, which add up to what was sent.
fn read<T: Whole>(mut rx: Receiver<T>, mut take: impl FnMut(&mut Receiver<T>) -> Option<Seen<T>>) -> (u64, u64) {
    let (mut received, mut lost) = (0, 0);
    while let Some(seen) = take(&mut rx) {
        match seen {
            Seen::Message(message) => {
                assert_eq!(message.number(), received + lost, "each number once, in order");
                received += 1;
            }
            Seen::Lost(count) => {
                assert!(count > 0);
                lost += count;
            }
        }
        assert_eq!(rx.position(), received + lost);
    }
    (received, lost)
}

fn until_the_end<T: Message>(rx: &mut Receiver<T>) -> Option<Seen<T>> {
    loop {
        match rx.try_recv() {
            Ok(seen) => return Some(seen),
            Err(TryRecvError::Empty) => thread::yield_now(),
            Err(TryRecvError::Disconnected) => return None,
        }
    }
}

fn counts_add_up<T: Whole>(capacity: usize, messages: u64) {
    let (mut tx, rx) = Builder::new(capacity).build::<T>().unwrap();
    let readers: Vec<_> = [Resume::Oldest, Resume::Middle, Resume::Newest]
        .into_iter()
        .map(|resume| {
            let mut rx = rx.clone();
            rx.set_resume(resume);
            thread::spawn(move || read(rx, until_the_end))
        })
        .chain([WaitStrategy::Park, WaitStrategy::ParkAtOnce].map(|strategy| {
            let mut rx = rx.clone();
            rx.set_wait(strategy);
            thread::spawn(move || read(rx, |rx| rx.recv().ok()))
        }))
        .collect();
    let newest = thread::spawn(move || {
        let (mut last, mut looks) = (None, 0u64);
        while !rx.is_closed() {
            let found = rx.latest().map(|(number, message)| {
                assert_eq!(message.number(), number);
                number
            });
            assert!(found >= last, "it never goes back");
            (last, looks) = (found, looks + 1);
        }
        assert_eq!(rx.latest().map(|(number, _)| number), Some(messages - 1));
        looks
    });
    for number in 0..messages {
        tx.send(T::of(number));
    }
    drop(tx);
    for reader in readers {
        let (received, lost) = reader.join().unwrap();
        assert_eq!(received + lost, messages);
    }
    newest.join().unwrap();
}

const MANY: u64 = if cfg!(miri) { 50 } else { 200_000 };

#[test]
fn small_messages_come_whole_and_counted() {
    counts_add_up::<[u64; 1]>(1024, MANY);
    counts_add_up::<[u64; 3]>(64, MANY);
    counts_add_up::<[u64; 7]>(2, MANY);
}

#[test]
fn messages_of_some_lines_come_whole_and_counted() {
    counts_add_up::<[u64; 8]>(64, MANY);
    counts_add_up::<[u64; 17]>(4, MANY);
}

#[test]
fn large_messages_come_whole_and_counted() {
    counts_add_up::<[u64; 128]>(16, MANY / 8);
    counts_add_up::<[u64; 512]>(4, MANY / 16);
}

#[test]
fn a_receiver_that_has_stopped_is_no_matter_to_the_others() {
    let (mut tx, stopped) = Builder::new(64).build::<[u64; 2]>().unwrap();
    let rx = stopped.clone();
    let reader = thread::spawn(move || read(rx, |rx| rx.recv().ok()));
    for number in 0..MANY {
        tx.send(Whole::of(number));
    }
    drop(tx);
    let (received, lost) = reader.join().unwrap();
    assert_eq!(received + lost, MANY);
    let (received, lost) = read(stopped, until_the_end);
    assert_eq!((received, lost), (32.min(MANY), MANY - 32.min(MANY)), "it goes on in the middle of what is kept");
}

/// Within its time: a writer that never pauses does not starve a reader of changes.
#[test]
#[cfg_attr(miri, ignore)]
fn changes_come_while_the_sender_never_pauses() {
    let (mut tx, mut rx) = Builder::new(64).build::<[u64; 8]>().unwrap();
    let reader = thread::spawn(move || {
        let (mut last, begin) = (0, Instant::now());
        for _ in 0..2000 {
            let Ok((number, message)) = rx.changed_timeout(Duration::from_secs(60)) else { return false };
            assert_eq!(message.number(), number + 1);
            assert!(number >= last);
            last = number + 1;
        }
        begin.elapsed() < Duration::from_secs(60)
    });
    let mut number = 0;
    while !reader.is_finished() {
        number += 1;
        tx.send(Whole::of(number));
    }
    assert!(reader.join().unwrap());
}
