//! One sender, several receivers, each of which gets every message, with more threads than the machine has cores: `broadcast` beside its peers.
//!
//! ```text
//! cargo run --release --package ringmail-benches --bin receivers [rounds] [messages]
//! ```
//!
//! 3 and 7 receivers and the sender, a thread each, none pinned; capacity 1024, messages of 8 and of 64 bytes; the verbs that block. What counts is from the first
//! send until the last receiver has its last message. Every receiver checks that it got each message, in order: all rows are **lossless**. Two peers have no verb
//! that blocks for that:
//!
//! * tokio's `broadcast` overwrites. Here its sender gives its core away while the slowest receiver is a whole ring behind. Its receivers block.
//! * disruptor's ends spin, which with more threads than cores measures the scheduler. Here both ends try, and give their core away if that was in vain.
//!
//! *ParkAtOnce* is ringmail with that wait strategy: its ends sleep at once where they find nothing, as those of async-broadcast do.
//!
//! A last row is **lossy** on both sides: the sender never waits, receivers count what they lose, and what counts is the sender's messages.
//!
//! A round is one slice of each contender, in an order that turns; so what else the machine does meets all of them. Printed are the medians of the
//! rounds, and the medians of the ratios of each round with a 95 % interval by bootstrap.

use ringmail::WaitStrategy;
use ringmail::broadcast::{self, lossy};
use ringmail_benches::paired::stats::{median_interval, quartiles};
use std::sync::{Arc, Barrier};
use std::thread::{self, yield_now};
use std::time::{Duration, Instant};

const CAPACITY: usize = 1024;
const ROUNDS: usize = 11;
const MESSAGES: u64 = 20_000;

/// So many words, all of them the message's number.
type Words<const W: usize> = [u64; W];

/// Runs `send` here and each of `receivers` on a thread. Returns how long that took.
fn slice<R: FnOnce() + Send + 'static>(receivers: Vec<R>, send: impl FnOnce()) -> Duration {
    let start = Arc::new(Barrier::new(receivers.len() + 1));
    let spawn = |receive: R| {
        let start = Arc::clone(&start);
        thread::spawn(move || {
            start.wait();
            receive();
        })
    };
    let threads: Vec<_> = receivers.into_iter().map(spawn).collect();
    start.wait();
    let begin = Instant::now();
    send();
    threads.into_iter().for_each(|thread| thread.join().expect("a receiver got every message"));
    begin.elapsed()
}

/// A receiver that wants the numbers below `n`, in order.
fn every<const W: usize>(n: u64, mut next: impl FnMut() -> Words<W>) {
    for number in 0..n {
        assert_eq!(next(), [number; W], "a message is lost, repeated, torn or early");
    }
}

fn ours<const W: usize>(receivers: usize, n: u64) -> Duration {
    waiting::<W>(WaitStrategy::default(), receivers, n)
}

fn parked<const W: usize>(receivers: usize, n: u64) -> Duration {
    waiting::<W>(WaitStrategy::ParkAtOnce, receivers, n)
}

fn waiting<const W: usize>(wait: WaitStrategy, receivers: usize, n: u64) -> Duration {
    let builder = broadcast::Builder::new(CAPACITY).wait(wait);
    let (mut tx, hub) = builder.build::<Words<W>>().expect("there is memory");
    let receivers: Vec<_> = (0..receivers)
        .map(|_| {
            let mut rx = hub.join().expect("there is memory");
            move || every(n, || rx.recv().expect("the sender is there"))
        })
        .collect();
    slice(receivers, || (0..n).for_each(|number| tx.send([number; W]).expect("receivers are there")))
}

fn bus<const W: usize>(receivers: usize, n: u64) -> Duration {
    let mut tx = bus::Bus::<Words<W>>::new(CAPACITY);
    let receivers: Vec<_> = (0..receivers)
        .map(|_| {
            let mut rx = tx.add_rx();
            move || every(n, || rx.recv().expect("the sender is there"))
        })
        .collect();
    slice(receivers, || (0..n).for_each(|number| tx.broadcast([number; W])))
}

fn async_broadcast<const W: usize>(receivers: usize, n: u64) -> Duration {
    let (tx, rx) = async_broadcast::broadcast::<Words<W>>(CAPACITY);
    let receivers: Vec<_> = vec![rx; receivers]
        .into_iter()
        .map(|mut rx| move || every(n, || rx.recv_blocking().expect("the sender is there")))
        .collect();
    slice(receivers, || {
        (0..n).for_each(|number| {
            tx.broadcast_blocking([number; W]).expect("receivers are there");
        });
    })
}

fn tokio<const W: usize>(receivers: usize, n: u64) -> Duration {
    let (tx, _) = tokio::sync::broadcast::channel::<Words<W>>(CAPACITY);
    let receivers: Vec<_> = (0..receivers)
        .map(|_| {
            let mut rx = tx.subscribe();
            move || every(n, || rx.blocking_recv().expect("nothing is overwritten"))
        })
        .collect();
    slice(receivers, || {
        let mut room = 0;
        for number in 0..n {
            while room == 0 {
                room = CAPACITY - tx.len();
                if room == 0 {
                    yield_now();
                }
            }
            room -= 1;
            tx.send([number; W]).expect("receivers are there");
        }
    })
}

fn disruptor<const W: usize>(receivers: usize, n: u64) -> Duration {
    assert!(receivers >= 2);
    let builder = disruptor::build_single_producer(CAPACITY, || [0; W], disruptor::BusySpin);
    let (first, builder) = builder.new_event_poller();
    let (second, mut builder) = builder.new_event_poller();
    let mut pollers = vec![first, second];
    while pollers.len() < receivers {
        let (poller, more) = builder.new_event_poller();
        pollers.push(poller);
        builder = more;
    }
    let mut tx = builder.build();
    let receivers: Vec<_> = pollers
        .into_iter()
        .map(|mut poller| {
            move || {
                every(n, || {
                    loop {
                        match poller.take(1) {
                            Ok(mut events) => return *(&mut events).next().expect("one was asked for"),
                            Err(_) => yield_now(),
                        }
                    }
                });
            }
        })
        .collect();
    slice(receivers, || {
        use disruptor::Producer;
        for number in 0..n {
            while tx.try_publish(|place| *place = [number; W]).is_err() {
                yield_now();
            }
        }
    })
}

fn ours_lossy<const W: usize>(receivers: usize, n: u64) -> Duration {
    let (mut tx, rx) = lossy::channel::<Words<W>>(CAPACITY).expect("there is memory");
    let receivers: Vec<_> = vec![rx; receivers]
        .into_iter()
        .map(|mut rx| {
            move || {
                let mut all = 0;
                while let Ok(seen) = rx.recv() {
                    all += seen.lost() + u64::from(seen.message().is_some());
                }
                assert_eq!(all, n, "received and lost add up to what was sent");
            }
        })
        .collect();
    slice(receivers, || {
        (0..n).for_each(|number| tx.send([number; W]));
        drop(tx);
    })
}

fn tokio_lossy<const W: usize>(receivers: usize, n: u64) -> Duration {
    use tokio::sync::broadcast::error::RecvError;
    let (tx, _) = tokio::sync::broadcast::channel::<Words<W>>(CAPACITY);
    let receivers: Vec<_> = (0..receivers)
        .map(|_| {
            let mut rx = tx.subscribe();
            move || {
                let mut all = 0;
                loop {
                    all += match rx.blocking_recv() {
                        Ok(_) => 1,
                        Err(RecvError::Lagged(lost)) => lost,
                        Err(RecvError::Closed) => break,
                    };
                }
                assert_eq!(all, n, "received and lost add up to what was sent");
            }
        })
        .collect();
    slice(receivers, || {
        (0..n).for_each(|number| drop(tx.send([number; W])));
        drop(tx);
    })
}

type Contender = (&'static str, fn(usize, u64) -> Duration);

/// Interleaved rounds; the first contender is the one that the others are measured by.
fn compare(title: &str, receivers: usize, rounds: usize, n: u64, contenders: &[Contender]) {
    let mut rates = vec![Vec::new(); contenders.len()];
    // A round more: the first is not counted.
    for round in 0..=rounds {
        for turn in 0..contenders.len() {
            let at = (round + turn) % contenders.len();
            let took = contenders[at].1(receivers, n);
            if round != 0 {
                rates[at].push(n as f64 / took.as_secs_f64() / 1e6);
            }
        }
    }
    println!("{title}, {receivers} receivers: messages a microsecond; the first one's by it, and the 95 % interval");
    for ((name, _), rate) in contenders.iter().zip(&rates) {
        let ratios: Vec<f64> = rates[0].iter().zip(rate).map(|(first, other)| first / other).collect();
        let median = |values: &[f64]| quartiles(values).map_or(0.0, |[_, median, _]| median);
        let [low, high] = median_interval(std::slice::from_ref(&ratios)).unwrap_or_default();
        println!("  {name:<16} {:>8.3} {:>8.2}   {low:.2} to {high:.2}", median(rate), median(&ratios));
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse().ok());
    let rounds = arguments.next().flatten().map_or(ROUNDS, |n: u64| n.max(1) as usize);
    let n = arguments.next().flatten().unwrap_or(MESSAGES);
    ringmail::init();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    println!("{cores} cores, capacity {CAPACITY}, {rounds} rounds of {n} messages");
    for receivers in [3, 7] {
        lossless::<1>("8 bytes, lossless", receivers, rounds, n);
        lossless::<8>("64 bytes, lossless", receivers, rounds, n);
        compare("8 bytes, lossy", receivers, rounds, n, &[("ringmail", ours_lossy::<1>), ("tokio", tokio_lossy::<1>)]);
    }
}

fn lossless<const W: usize>(title: &str, receivers: usize, rounds: usize, n: u64) {
    let contenders: [Contender; 6] = [
        ("ringmail", ours::<W>),
        ("ParkAtOnce", parked::<W>),
        ("disruptor", disruptor::<W>),
        ("tokio", tokio::<W>),
        ("async-broadcast", async_broadcast::<W>),
        ("bus", bus::<W>),
    ];
    compare(title, receivers, rounds, n, &contenders);
}
