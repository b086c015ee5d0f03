//! The event count itself: shared by channels, by waiters, and with sleepers of another kind.

use crate::check::{model, outcomes};
use crate::payload::Unordered;
use loom::future::block_on;
use loom::thread;
use ringmail::RecvError;
use ringmail::model::{Site, with_mutant};
use ringmail::mpsc;
use ringmail::spsc::{self, Receiver, Sender};
use ringmail::wait::{EventCount, waker_fn};
use std::future::poll_fn;
use std::task::{Context, Waker};

fn channel_on(event: &EventCount) -> (Sender<u32>, Receiver<u32>) {
    spsc::Builder::new(1).receiver_event(event.clone()).build().unwrap()
}

/// One thread waits for two channels.
pub fn one_event_count_for_two_channels() {
    model("event_count::one_event_count_for_two_channels", Some(2), || {
        let event = EventCount::new();
        let (mut tx1, mut rx1) = channel_on(&event);
        let (mut tx2, mut rx2) = channel_on(&event);
        let senders = [
            thread::spawn(move || {
                tx1.try_send(1).unwrap();
                tx1
            }),
            thread::spawn(move || {
                tx2.try_send(2).unwrap();
                tx2
            }),
        ];
        let mut sum = 0;
        while sum != 3 {
            assert!(event.wait(None, || !rx1.is_empty() || !rx2.is_empty()));
            sum += rx1.try_recv().unwrap_or(0) + rx2.try_recv().unwrap_or(0);
        }
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

/// Arms the event count until `ready`, and parks in between, as a reactor would on its own primitive.
fn react(event: &EventCount, mut ready: impl FnMut() -> bool) {
    while let Some(armed) = event.arm().confirm(&mut ready) {
        thread::park();
        drop(armed);
    }
}

/// An event count that unparks the thread that calls this.
fn reactor_event_count() -> EventCount {
    let me = thread::current();
    EventCount::with_waker(waker_fn(move || me.unpark()))
}

/// A reactor sleeps on a primitive of its own, woken by a hook.
pub fn a_reactor_sleeps_on_its_own() {
    model("event_count::a_reactor_sleeps_on_its_own", Some(3), || {
        let event = reactor_event_count();
        let (mut tx, mut rx) = channel_on(&event);
        let sender = thread::spawn(move || {
            tx.try_send(1).unwrap();
            drop(tx);
        });
        react(&event, || !rx.is_empty());
        assert_eq!(rx.try_recv(), Ok(1));
        react(&event, || rx.is_closed());
        sender.join().unwrap();
    });
}

/// What was done before the event count was armed is visible to the notifier: the announcement alone orders it, as it orders the notifier's
/// exchange of the waker cell after the registration. (Loom runs the exchanges of that cell in the order they happen to, so it cannot show
/// the lost wake itself; this is the same edge.)
pub fn what_the_notifier_needs_is_there() {
    // The notifier's first load of the event count must not order it either: it need not order anything.
    with_mutant(Site::WakerCell, || with_mutant(Site::SeeWaiting, announced));
}

fn announced() {
    model("event_count::what_the_notifier_needs_is_there", Some(3), || {
        let memory = Unordered::new();
        let (seen, me) = (memory.clone(), thread::current());
        let event = EventCount::with_waker(waker_fn(move || {
            seen.read();
            me.unpark();
        }));
        let (mut tx, rx) = channel_on(&event);
        let sender = thread::spawn(move || tx.try_send(1).unwrap());
        memory.write();
        react(&event, || !rx.is_empty());
        // Not joined: the notifier may unpark this thread at any time from now on, and loom's join would take that for its own wake.
        drop(sender);
    });
}

/// An armed task is polled again after its own announcement was answered, and finds another's, whose barrier has not passed
/// yet: it may not rely on that.
pub fn the_announcement_of_another_is_not_renewed() {
    model("event_count::the_announcement_of_another_is_not_renewed", Some(3), || {
        let event = EventCount::new();
        let (mut tx1, mut rx1) = channel_on(&event);
        let (_tx2, mut rx2) = channel_on(&event);
        let mut noop = Context::from_waker(Waker::noop());
        assert!(rx1.poll_recv(&mut noop).is_pending());
        assert!(event.notify(), "this answers the announcement");
        let other = thread::spawn(move || {
            assert!(rx2.poll_recv(&mut Context::from_waker(Waker::noop())).is_pending());
            rx2
        });
        let sender = thread::spawn(move || tx1.try_send(1).map(|()| tx1));
        assert_eq!(block_on(poll_fn(|cx| rx1.poll_recv(cx))), Ok(1));
        assert!(sender.join().unwrap().is_ok());
        other.join().unwrap();
    });
}

/// Two threads wait on one event count, each for a channel of its own: slow, but nothing is lost. The first to have what it wants
/// leaves, and the other, whose announcement stood in the same word, is not forgotten.
pub fn two_threads_on_one_event_count() {
    model("event_count::two_threads_on_one_event_count", Some(2), || two_waiters(|rx| rx.recv()));
}

/// The same for tasks.
pub fn two_tasks_on_one_event_count() {
    model("event_count::two_tasks_on_one_event_count", Some(2), || two_waiters(|rx| block_on(rx.recv_async())));
}

fn two_waiters(wait: fn(&mut Receiver<u32>) -> Result<u32, RecvError>) {
    let event = EventCount::new();
    let (mut tx1, mut rx1) = channel_on(&event);
    let (mut tx2, mut rx2) = channel_on(&event);
    let first = thread::spawn(move || wait(&mut rx1));
    tx1.try_send(1).unwrap();
    let second = thread::spawn(move || tx2.try_send(2).map(|()| tx2));
    assert_eq!(wait(&mut rx2), Ok(2));
    assert!(second.join().unwrap().is_ok());
    assert_eq!(first.join().unwrap(), Ok(1));
}

/// A thread waits on one event count for messages of one channel and for room in the ring of another: each ends the wait.
pub fn one_event_count_for_input_and_room() {
    outcomes("event_count::one_event_count_for_input_and_room", Some(2), [1, 2, 3], || {
        let event = EventCount::new();
        let (mut source, mut input) = spsc::Builder::new(1).receiver_event(event.clone()).build().unwrap();
        let (mut output, mut sink) = mpsc::Builder::new(1).sender_event(event.clone()).build().unwrap();
        output.try_send(1).unwrap();
        let messages = thread::spawn(move || {
            source.try_send(2).unwrap();
            source
        });
        let room = thread::spawn(move || {
            assert_eq!(sink.try_recv(), Ok(1));
            sink
        });
        assert!(event.wait(None, || !input.is_empty() || !output.is_full()));
        let early = u32::from(input.try_recv().is_ok()) + 2 * u32::from(output.try_send(3).is_ok());
        let (_source, _sink) = (messages.join().unwrap(), room.join().unwrap());
        early
    });
}
