//! User code that panics in a broadcast or a fan-out: handlers, writers, wakers, reactors, handles that go by a panic. What was not done is done again, and
//! the other sides go on.

use crate::support::scratch::Scratch;
use ringmail::WaitStrategy;
use ringmail::shm::{Cause, Peer, RecvError, TryRecvError, broadcast, fan_out};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(20);

/// Runs `f`, which is to panic on purpose.
fn panics<R>(f: impl FnOnce() -> R) {
    assert!(catch_unwind(AssertUnwindSafe(f)).is_err(), "it was to panic");
}

fn cast(dir: &Scratch) -> broadcast::Builder<u64> {
    broadcast::Builder::new(dir.file()).capacity(4).receivers(2)
}

fn work(dir: &Scratch) -> fan_out::Builder<u64> {
    fan_out::Builder::new(dir.file()).capacity(4).lanes(2)
}

/// Nothing is sent of what a writer that panics has begun, wherever in a lap, also where it has waited for room.
#[test]
fn a_writer_that_panics_has_sent_nothing() {
    let dir = Scratch::new("panic-write");
    let mut tx = cast(&dir).open_sender().unwrap();
    let (mut a, mut b) = (cast(&dir).open_receiver().unwrap(), cast(&dir).open_receiver().unwrap());
    for n in 0..12 {
        panics(|| {
            tx.try_send_with(|message| {
                *message = 1000 + n;
                panic!("a writer");
            })
        });
        assert_eq!(tx.sent(), n);
        assert_eq!((a.try_recv(), b.try_recv()), (Err(TryRecvError::Empty), Err(TryRecvError::Empty)));
        tx.try_send_with(|message| *message = n).unwrap();
        assert_eq!((a.recv(), b.recv()), (Ok(n), Ok(n)));
    }
    // The receiver that sleeps is not woken by it, and gets the next.
    let sleeps = thread::spawn(move || (a.recv(), a));
    panics(|| tx.try_send_with(|_| panic!("a writer")));
    tx.send(12).unwrap();
    assert_eq!(sleeps.join().unwrap().0, Ok(12));
}

/// Each verb that lends a message to a handler: the message comes again, to the same receiver, and the place is not free for the sender.
#[test]
fn a_handler_of_a_broadcast_that_panics_has_taken_nothing() {
    let dir = Scratch::new("panic-cast");
    let mut tx = cast(&dir).open_sender().unwrap();
    let mut rx = cast(&dir).open_reserved("journal").unwrap();
    tx.send_slice(&[0, 1, 2, 3]).unwrap();
    for _ in 0..3 {
        panics(|| rx.try_recv_with(|_| panic!("a handler")));
        panics(|| rx.drain(4, |n| assert!(n < 2, "a handler")));
        assert!(tx.try_send(4).is_err_and(|refused| refused.is_full()), "all four are there still");
    }
    // Its receiver goes by a panic, in a handler: the next at the seat gets them all.
    let gone = thread::spawn(move || {
        let mut rx = rx;
        rx.try_recv_with(|_| panic!("a handler"))
    });
    assert!(gone.join().is_err());
    let mut rx = cast(&dir).open_reserved("journal").unwrap();
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
    tx.send(4).unwrap();
    assert_eq!(rx.recv(), Ok(4));
    assert_eq!(tx.departed().map(|told| told.cause), Some(Cause::GivenUp));
}

/// A worker's handler panics with a message that another left: the lock of that lane is given back, and any worker gets the message.
#[test]
fn a_handler_of_a_worker_that_panics_gives_the_lane_back() {
    let dir = Scratch::new("panic-left");
    let mut tx = work(&dir).open_sender().unwrap();
    for round in 0..4 {
        let (leaves, mut stays) = (work(&dir).open_receiver().unwrap(), work(&dir).open_receiver().unwrap());
        let mut sent = Vec::new();
        while leaves.is_empty() || stays.is_empty() {
            tx.send(sent.len() as u64).unwrap();
            sent.push(sent.len() as u64);
        }
        let mut got: Vec<_> = (0..stays.len()).map(|_| stays.recv().unwrap()).collect();
        drop(leaves);
        panics(|| stays.recv_with(|&message| panic!("a handler of {message}")));
        panics(|| stays.drain(4, |message| panic!("a handler of {message}")));
        let last = if round % 2 == 0 {
            stays
        } else {
            // It goes by the panic itself, in the handler; the next worker has the lane.
            let lane = stays.lane();
            let gone = thread::spawn(move || {
                let mut stays = stays;
                stays.recv_with(|_| panic!("a handler"))
            });
            assert!(gone.join().is_err());
            assert_eq!(tx.peer(lane), Some(Peer::GivenUp));
            work(&dir).open_receiver().unwrap()
        };
        let mut last = last;
        while got.len() < sent.len() {
            got.push(last.recv_timeout(LONG).unwrap());
        }
        got.sort_unstable();
        assert_eq!(got, sent);
        assert_eq!(last.try_recv(), Err(TryRecvError::Empty));
    }
    assert!(tx.is_empty());
}

/// The message of a handler that panics is the first of its key still: the next one of the key comes after it, wherever it comes.
#[test]
fn the_order_of_a_key_outlives_a_panic() {
    let dir = Scratch::new("panic-key");
    let mut tx = work(&dir).open_sender().unwrap();
    let mut workers = vec![work(&dir).open_receiver().unwrap(), work(&dir).open_receiver().unwrap()];
    (0..3).for_each(|n| tx.send_by_key("key", n).unwrap());
    let at = workers.iter().position(|rx| !rx.is_empty()).unwrap();
    let mut owner = workers.remove(at);
    let gone = thread::spawn(move || owner.recv_with(|_| panic!("a handler")));
    assert!(gone.join().is_err());
    assert!(
        tx.try_send_by_key("key", 3).is_err_and(|refused| refused.is_full()),
        "its worker is gone, and what it left is not received"
    );
    let mut stays = workers.remove(0);
    stays.set_wait(WaitStrategy::ParkAtOnce);
    let received = thread::spawn(move || (0..4).map(|_| stays.recv().unwrap()).collect::<Vec<_>>());
    tx.send_by_key("key", 3).unwrap();
    assert_eq!(received.join().unwrap(), [0, 1, 2, 3]);
}

/// A sender that goes by a panic has given up: each side is told so, behind the last message.
#[test]
fn a_sender_that_goes_by_a_panic_has_given_up() {
    let dir = Scratch::new("panic-senders");
    let mut rx = cast(&dir).open_receiver().unwrap();
    let mut tx = cast(&dir).open_sender().unwrap();
    tx.send(1).unwrap();
    let gone = thread::spawn(move || {
        let mut tx = tx;
        let _ = tx.try_send_with(|_| panic!("a writer"));
    });
    assert!(gone.join().is_err());
    assert_eq!((rx.recv(), rx.recv()), (Ok(1), Err(RecvError(Cause::GivenUp))));

    let dir = Scratch::new("panic-sender-of-many");
    let mut rx = work(&dir).open_receiver().unwrap();
    let mut tx = work(&dir).open_sender().unwrap();
    tx.send(1).unwrap();
    let gone = thread::spawn(move || {
        let _tx = tx;
        panic!("on purpose");
    });
    assert!(gone.join().is_err());
    assert_eq!((rx.recv(), rx.recv()), (Ok(1), Err(RecvError(Cause::GivenUp))));
}

/// A receiver of a broadcast as a stream: its task's waker panics, or its reactor does. Nothing is lost, and the next poll goes on. (A fan-out has no
/// such side.)
#[cfg(feature = "futures")]
#[test]
fn a_waker_or_a_reactor_that_panics_loses_nothing() {
    use crate::support::hostile::Nasty;
    use futures_core::Stream;
    use ringmail::shm::{MessageStream, Readiness};
    use std::io;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Poll};

    struct Reactor(Arc<AtomicBool>);

    impl Readiness for Reactor {
        fn poll_readable(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            assert!(!self.0.swap(false, Ordering::Relaxed), "a reactor");
            Poll::Pending
        }
    }

    let dir = Scratch::new("panic-stream");
    let mut tx = cast(&dir).open_sender().unwrap();
    let (rx, mut other) = (cast(&dir).open_receiver().unwrap(), cast(&dir).open_receiver().unwrap());
    let switch = Arc::new(AtomicBool::new(false));
    let mut stream = MessageStream::new(rx, |_| Ok(Reactor(Arc::clone(&switch)))).unwrap();
    let (nasty, waker) = Nasty::new();
    let mut cx = Context::from_waker(&waker);
    let (mut next, mut panicked) = (0, 0);
    for n in 0..1000 {
        tx.send(n).unwrap();
        assert_eq!(other.recv(), Ok(n));
        nasty.wake.store(true, Ordering::SeqCst);
        while next <= n {
            match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut stream).poll_next(&mut cx))) {
                Ok(Poll::Ready(Some(Ok(message)))) => {
                    assert_eq!(message, next);
                    next += 1;
                }
                Ok(Poll::Pending) => {}
                Ok(other) => panic!("{other:?}"),
                // The waker: its budget was used up.
                Err(_) => panicked += 1,
            }
        }
        if n % 300 == 299 {
            // With nothing there it is armed, and its reactor panics.
            switch.store(true, Ordering::Relaxed);
            let mut poll = || catch_unwind(AssertUnwindSafe(|| Pin::new(&mut stream).poll_next(&mut cx)));
            nasty.wake.store(false, Ordering::SeqCst);
            let polled: Vec<_> = (0..2).map(|_| poll()).collect();
            panicked += polled.iter().filter(|polled| polled.is_err()).count();
            assert!(!switch.load(Ordering::Relaxed));
        }
    }
    assert!(panicked > 6, "{panicked} panics: three of the reactor, and one of the waker for each 128 messages");
    let mut rx = stream.into_inner();
    tx.send(1000).unwrap();
    assert_eq!(rx.recv(), Ok(1000));
}
