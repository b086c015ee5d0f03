//! Every way to send with every way to receive.

use ringmail::spsc::{Builder, Receiver, Sender};
use ringmail::{FenceMode, TryRecvError, TrySendError};
use std::thread::{spawn, yield_now};
use std::time::Duration;

/// A message whose halves must agree: a torn or stale one is noticed even without a sanitizer.
#[derive(Clone, Copy)]
struct Parcel {
    number: u64,
    /// Pads the message to a cache line, so that it is not one store.
    check: [u64; 7],
}

impl Parcel {
    fn new(number: u64) -> Self {
        Self { number, check: [!number; 7] }
    }

    fn open(&self) -> u64 {
        assert_eq!(self.check, [!self.number; 7], "message {} is torn", self.number);
        self.number
    }
}

type Send = fn(&mut Sender<Parcel>, u64);
type Receive = fn(&mut Receiver<Parcel>, &mut dyn FnMut(u64));

/// Sends the numbers below `n`.
const SENDS: [(&str, Send); 7] = [
    ("try_send", |tx, n| {
        for i in 0..n {
            while tx.try_send(Parcel::new(i)).is_err() {
                yield_now();
            }
        }
    }),
    ("send", |tx, n| (0..n).for_each(|i| tx.send(Parcel::new(i)).unwrap())),
    ("send_timeout", |tx, n| {
        for i in 0..n {
            while tx.send_timeout(Parcel::new(i), Duration::from_micros(50)).is_err() {}
        }
    }),
    ("send_slice", |tx, n| {
        let all: Vec<_> = (0..n).map(Parcel::new).collect();
        all.chunks(7).for_each(|some| tx.send_slice(some).unwrap());
    }),
    ("send_iter", |tx, n| assert_eq!(tx.send_iter((0..n).map(Parcel::new)).unwrap() as u64, n)),
    ("try_send_iter", |tx, n| {
        let mut parcels = (0..n).map(Parcel::new);
        let mut sent = 0;
        while sent < n {
            match tx.try_send_iter(&mut parcels.by_ref().take(5)) {
                Ok(some) => sent += some as u64,
                Err(_) => yield_now(),
            }
        }
    }),
    ("try_reserve", |tx, n| {
        let mut next = 0;
        while next < n {
            match tx.try_reserve((n - next).min(5) as usize) {
                Ok(mut chunk) => {
                    let _ = chunk.push(Parcel::new(next));
                    chunk.fill_from_iter((next + 1..n).map(Parcel::new));
                    next += chunk.commit() as u64;
                }
                Err(TrySendError::Full(())) => yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
    }),
];

/// Receives everything until the channel is closed.
const RECEIVES: [(&str, Receive); 9] = [
    ("try_recv", |rx, seen| polling(|| rx.try_recv().map(|parcel| seen(parcel.open())))),
    ("recv", |rx, seen| rx.iter().for_each(|parcel| seen(parcel.open()))),
    ("recv_timeout", |rx, seen| {
        loop {
            match rx.recv_timeout(Duration::from_micros(50)) {
                Ok(parcel) => seen(parcel.open()),
                Err(error) if error.is_disconnected() => break,
                Err(_) => {}
            }
        }
    }),
    ("peek", |rx, seen| {
        polling(|| {
            let number = rx.peek()?.open();
            assert_eq!(rx.try_recv()?.open(), number);
            seen(number);
            Ok(())
        });
    }),
    ("read_chunk", |rx, seen| {
        polling(|| {
            let chunk = rx.read_chunk(5)?;
            let (first, second) = chunk.as_slices();
            first.iter().chain(second).for_each(|parcel| seen(parcel.open()));
            chunk.commit_all();
            Ok(())
        });
    }),
    ("into_iter", |rx, seen| {
        polling(|| {
            rx.read_chunk(5)?.into_iter().take(3).for_each(|parcel| seen(parcel.open()));
            Ok(())
        });
    }),
    ("try_recv_many", |rx, seen| {
        let mut buffer = Vec::new();
        polling(|| {
            rx.try_recv_many(&mut buffer, 5)?;
            buffer.drain(..).for_each(|parcel: Parcel| seen(parcel.open()));
            Ok(())
        });
    }),
    ("recv_many", |rx, seen| {
        let mut buffer = Vec::new();
        while rx.recv_many(&mut buffer, 5).is_ok() {
            buffer.drain(..).for_each(|parcel: Parcel| seen(parcel.open()));
        }
    }),
    ("drain", |rx, seen| {
        polling(|| {
            if rx.drain(5, |parcel| seen(parcel.open())) == 0 {
                seen(rx.try_recv()?.open());
            }
            Ok(())
        });
    }),
];

/// Again and again until the channel is closed.
pub(crate) fn polling(mut receive: impl FnMut() -> Result<(), TryRecvError>) {
    loop {
        match receive() {
            Ok(()) => {}
            Err(TryRecvError::Empty) => yield_now(),
            Err(TryRecvError::Disconnected) => break,
        }
    }
}

/// Each pair of verbs over rings of 1, 2 and 64, with and without fences. Returns how many exchanges that was.
pub(crate) fn every_pair(messages: u64) -> u64 {
    let mut exchanges = 0;
    for (sends, send) in SENDS {
        for (receives, receive) in RECEIVES {
            for capacity in [1, 2, 64] {
                for barrier in [FenceMode::Auto, FenceMode::Fence] {
                    let seen = exchange(capacity, barrier, messages, send, receive);
                    assert_eq!(
                        seen, messages,
                        "{sends} to {receives}, capacity {capacity}, {barrier:?}: messages are missing"
                    );
                    exchanges += 1;
                }
            }
        }
        for capacity in [1, 2, 64] {
            leave(capacity, messages);
            exchanges += 1;
        }
    }
    exchanges
}

/// Returns how many arrived; panics if they are out of order.
fn exchange(capacity: usize, barrier: FenceMode, messages: u64, send: Send, receive: Receive) -> u64 {
    let (mut tx, mut rx) = Builder::new(capacity).fence_mode(barrier).build().expect("a small ring");
    let sender = spawn(move || {
        send(&mut tx, messages);
        tx.close();
        tx
    });
    let receiver = spawn(move || {
        let mut next = 0;
        receive(&mut rx, &mut |number| {
            assert_eq!(number, next, "out of order");
            next += 1;
        });
        (next, rx)
    });
    let tx = sender.join().expect("the sender does not panic");
    let (seen, rx) = receiver.join().expect("the receiver does not panic");
    drop((tx, rx));
    seen
}

/// The receiver leaves in the middle of it. What it did not take is dropped, by one of the two sides.
fn leave(capacity: usize, messages: u64) {
    let (mut tx, mut rx) = Builder::new(capacity).build().expect("a small ring");
    let sender = spawn(move || {
        let sent = (0..).take_while(|&i| tx.send(Box::new(i)).is_ok()).count();
        // Once more: what was sent while the receiver left is dropped now, on this side.
        assert!(tx.try_send(Box::new(0)).is_err());
        (sent, tx)
    });
    let receiver = spawn(move || {
        for next in 0..messages / 4 {
            assert_eq!(rx.recv().as_deref(), Ok(&next));
        }
        rx.close();
        let rest = rx.try_iter().count();
        (rest, rx)
    });
    let (sent, tx) = sender.join().expect("the sender does not panic");
    let (rest, rx) = receiver.join().expect("the receiver does not panic");
    assert!(sent as u64 >= messages / 4 + rest as u64);
    drop((tx, rx));
}
