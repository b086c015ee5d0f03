//! What other crates have and this one has not: what to do instead.

#[cfg(feature = "lossy")]
use ringmail::broadcast::lossy::{self, Seen};
use ringmail::spsc::{Builder, Receiver, Sender};
use ringmail::wait::EventCount;
use ringmail::{BuildError, RecvError, SendError, TryRecvError, TrySendError, broadcast, fan_in, fan_out, spsc};
use std::collections::VecDeque;
use std::error::Error;
use std::thread;

#[test]
fn one_event_count_for_two_channels() -> Result<(), Box<dyn Error>> {
    let event = EventCount::new();
    let (mut tx, mut orders) = Builder::new(64).receiver_event(event.clone()).build::<u32>()?;
    let (_tx, mut cancels) = Builder::new(64).receiver_event(event.clone()).build::<u32>()?;
    tx.send(7)?;

    // The closure looks at everything that notifies this event count. A close notifies too.
    event.wait(None, || !orders.is_empty() || orders.is_closed() || !cancels.is_empty() || cancels.is_closed());
    assert_eq!(orders.try_recv(), Ok(7));
    assert!(cancels.try_recv().is_err());
    Ok(())
}

/// The sender of a channel of capacity 0.
struct Giver<T> {
    message: Sender<T>,
    wanted: Receiver<()>,
}

/// Its receiver.
struct Taker<T> {
    message: Receiver<T>,
    want: Sender<()>,
}

fn rendezvous<T>() -> Result<(Giver<T>, Taker<T>), BuildError> {
    let ((tx, rx), (want, wanted)) = (spsc::channel(1)?, spsc::channel(1)?);
    Ok((Giver { message: tx, wanted }, Taker { message: rx, want }))
}

impl<T> Giver<T> {
    /// Waits until the receiver waits for a message, and hands it over.
    fn send(&mut self, message: T) -> Result<(), SendError<T>> {
        match self.wanted.recv() {
            Ok(()) => self.message.send(message),
            Err(_) => Err(SendError(message)), // the receiver has left, and took none
        }
    }
}

impl<T> Taker<T> {
    fn recv(&mut self) -> Result<T, RecvError> {
        self.want.send(()).map_err(|_| RecvError)?; // the sender has left
        self.message.recv()
    }
}

#[test]
fn a_rendezvous() -> Result<(), Box<dyn Error>> {
    let (mut tx, mut rx) = rendezvous()?;
    let receiver = thread::spawn(move || (rx.recv(), rx.recv(), rx));
    tx.send("one")?;
    tx.send("two")?;
    let (one, two, rx) = receiver.join().unwrap();
    assert_eq!((one, two), (Ok("one"), Ok("two")));
    // A receiver that leaves, while the sender waits for it or before, gives the message back.
    let waiting = thread::spawn(move || (tx.send("three"), tx.send("four")));
    drop(rx);
    assert_eq!(waiting.join().unwrap(), (Err(SendError("three")), Err(SendError("four"))));
    // A sender that leaves ends the receiver's wait.
    let (tx, mut rx) = rendezvous::<u8>()?;
    let waiting = thread::spawn(move || (rx.recv(), rx.recv()));
    drop(tx);
    assert_eq!(waiting.join().unwrap(), (Err(RecvError), Err(RecvError)));
    Ok(())
}

/// Sends on the first of the two that has room. Both were built with `sender_event(room)`.
fn send_either<T>(
    left: &mut Sender<T>,
    right: &mut Sender<T>,
    room: &EventCount,
    mut message: T,
) -> Result<(), SendError<T>> {
    loop {
        for tx in [&mut *left, &mut *right] {
            match tx.try_send(message) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(back)) => message = back,
                Err(TrySendError::Disconnected(back)) => return Err(SendError(back)),
            }
        }
        room.wait(None, || [&*left, &*right].iter().any(|tx| !tx.is_full() || tx.is_closed()));
    }
}

#[test]
fn a_choice_between_two_sends() -> Result<(), Box<dyn Error>> {
    let room = EventCount::new();
    let (mut left, mut left_rx) = Builder::new(1).sender_event(room.clone()).build()?;
    let (mut right, mut right_rx) = Builder::new(1).sender_event(room.clone()).build()?;
    send_either(&mut left, &mut right, &room, 0)?;
    send_either(&mut left, &mut right, &room, 1)?;
    let late = thread::spawn(move || send_either(&mut left, &mut right, &room, 2).map(|()| (left, right)));
    assert_eq!(right_rx.recv(), Ok(1));
    let (_left, _right) = late.join().unwrap()?;
    assert_eq!((left_rx.try_recv(), right_rx.try_recv()), (Ok(0), Ok(2)));
    drop(right_rx);
    Ok(())
}

#[test]
fn a_work_queue() -> Result<(), Box<dyn Error>> {
    let (results, mut collected) = fan_in::channel(64)?;
    let (mut jobs, first) = fan_out::channel::<u64>(4)?;
    for mut inbox in [first.join()?, first.join()?, first] {
        let mut results = results.lane()?;
        thread::spawn(move || inbox.iter().try_for_each(|n| results.send(n * n)));
    }
    drop(results);
    jobs.send_iter(0..20)?;
    drop(jobs);
    assert_eq!(collected.iter().sum::<u64>(), (0..20).map(|n| n * n).sum());
    Ok(())
}

#[test]
fn a_broadcast() -> Result<(), Box<dyn Error>> {
    let (mut tx, hub) = broadcast::channel(16)?;
    let screens: Vec<_> = (0..3)
        .map(|_| {
            let mut rx = hub.join()?;
            Ok(thread::spawn(move || rx.iter().map(|price: u64| price).max()))
        })
        .collect::<Result<_, broadcast::JoinError>>()?;
    drop(hub); // or it could make a fourth at any time
    tx.send_iter([101, 103, 102])?; // waits for the slowest
    drop(tx);
    for screen in screens {
        assert_eq!(screen.join().unwrap(), Some(103));
    }
    Ok(())
}

#[cfg(feature = "lossy")]
#[test]
fn a_broadcast_that_waits_for_none() -> Result<(), Box<dyn Error>> {
    let (mut tx, mut rx) = lossy::channel::<u64>(16)?;
    let screen = thread::spawn(move || {
        let (mut prices, mut lost) = (0, 0);
        while let Ok(seen) = rx.recv() {
            match seen {
                Seen::Message(_) => prices += 1,
                Seen::Lost(count) => lost += count, // a value: the loop goes on
            }
        }
        prices + lost
    });
    tx.send_slice(&[1; 1000]);
    drop(tx);
    assert_eq!(screen.join().unwrap(), 1000);
    Ok(())
}

#[cfg(feature = "lossy")]
#[test]
fn a_watched_value() -> Result<(), Box<dyn Error>> {
    let (mut limits, mut rx) = lossy::channel::<[u32; 4]>(64)?;
    limits.send([10, 20, 30, 40]); // the first value
    let reader = rx.clone();
    limits.send([11, 21, 31, 41]);
    assert_eq!(rx.changed()?.1, [11, 21, 31, 41]); // the newest; then waits for another
    assert_eq!(reader.latest().map(|(_, limits)| limits), Some([11, 21, 31, 41]));
    Ok(())
}

#[test]
fn an_unbounded_sender() -> Result<(), Box<dyn Error>> {
    /// Never refuses a message: what finds no room waits in the sender's own memory.
    struct Unbounded<T> {
        tx: Sender<T>,
        backlog: VecDeque<T>,
    }

    impl<T> Unbounded<T> {
        fn send(&mut self, message: T) {
            self.backlog.push_back(message);
            self.flush();
        }

        /// Call it again later, as long as `backlog` is not empty.
        fn flush(&mut self) {
            while let Some(message) = self.backlog.pop_front() {
                if let Err(refused) = self.tx.try_send(message) {
                    self.backlog.push_front(refused.into_inner());
                    return;
                }
            }
        }
    }

    let (tx, mut rx) = spsc::channel(2)?;
    let mut tx = Unbounded { tx, backlog: VecDeque::new() };
    for n in 0..5 {
        tx.send(n);
    }
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [0, 1]);
    tx.flush();
    assert_eq!((rx.try_recv(), rx.try_recv(), rx.try_recv()), (Ok(2), Ok(3), Err(TryRecvError::Empty)));
    assert_eq!(tx.backlog, [4]);
    Ok(())
}
