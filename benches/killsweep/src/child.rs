//! The process that is killed.

use crate::message::{Told, Words, tell};
use crate::scenario::NAMED_FIRST;
use failpoint::{arm, arm_stop, name_first, passed};
use ringmail::WaitStrategy;
use ringmail::shm::spsc::{Builder, Receiver, Sender};
use ringmail::shm::{Peer, TryRecvError};
use std::process::ExitCode;
use std::thread::{sleep, yield_now};
use std::time::Duration;

#[cfg(ringmail_failpoints)]
use ringmail::shm as failpoint;

/// Without points in the library there is nothing to sweep, and the parent finds that.
#[cfg(not(ringmail_failpoints))]
mod failpoint {
    pub(crate) fn arm(_: u64) {}
    pub(crate) fn arm_stop(_: u64) {}
    pub(crate) fn name_first() {}
    pub(crate) fn passed() -> u64 {
        0
    }
}

/// Messages of the channel: three slots of four, so that the positions run ahead of the storage.
pub(crate) const CAPACITY: usize = 3;

/// Long enough for the other side to fall asleep.
const PAUSE: Duration = Duration::from_millis(2);

pub(crate) fn main(script: &str, channel: &str, wait: &str, first: &str, how: &str, at: &str) -> ExitCode {
    let (Ok(first), Ok(at)) = (first.parse(), at.parse()) else { return ExitCode::FAILURE };
    let wait = if wait == "ParkAtOnce" { WaitStrategy::ParkAtOnce } else { WaitStrategy::Park };
    let channel = &|| Builder::new(channel).capacity(CAPACITY).wait(wait);
    let arm_it = || if how == "stop" { arm_stop(at) } else { arm(at) };
    // As where a file must have a name: then its maker may leave that behind.
    let script = script.strip_suffix(NAMED_FIRST).inspect(|_| name_first()).unwrap_or(script);
    if script != "look" {
        arm_it();
    }
    match script {
        "sender" => send(channel, first),
        "receiver" => receive(channel, first),
        "full" => fill(channel),
        "empty" => wait_for_ever(channel),
        "create-sender" => {
            let mut tx = open_sender(channel);
            tell(Told::Sending, first);
            tx.send(Words::new(first)).unwrap_or_else(|e| wrong(&e));
            tell(Told::Sent, first);
            close(tx, Sender::close);
        }
        "create-receiver" => close(open_receiver(channel), Receiver::close),
        "remove" => remove(channel),
        "look" => {
            let rx = open_receiver(channel);
            arm_it();
            for _ in 0..4 {
                if rx.peer() == Peer::Died {
                    wrong::<()>(&"nobody died");
                }
            }
            close(rx, Receiver::close);
        }
        _ => return ExitCode::FAILURE,
    }
    let passed = passed();
    arm(0);
    tell(Told::Finished, passed);
    ExitCode::SUCCESS
}

/// Something is wrong that only this side sees.
fn wrong<T>(what: &dyn std::fmt::Debug) -> T {
    eprintln!("the child: {what:?}");
    tell(Told::Wrong, 0);
    std::process::exit(4);
}

type Channel<'a> = &'a dyn Fn() -> Builder<Words>;

fn open_sender(channel: Channel<'_>) -> Sender<Words> {
    let tx = channel().open_sender().unwrap_or_else(|e| wrong(&e));
    tell(Told::Opened, 0);
    tx
}

fn open_receiver(channel: Channel<'_>) -> Receiver<Words> {
    let rx = channel().open_receiver().unwrap_or_else(|e| wrong(&e));
    tell(Told::Opened, 0);
    rx
}

/// By `close` and then by dropping, which does nothing more.
fn close<S>(mut side: S, close: impl FnOnce(&mut S)) {
    tell(Told::Closing, 0);
    close(&mut side);
    drop(side);
    tell(Told::Closed, 0);
}

/// By dropping alone.
fn leave<S>(side: S) {
    tell(Told::Closing, 0);
    drop(side);
    tell(Told::Closed, 0);
}

fn send(channel: Channel<'_>, first: u64) {
    let mut tx = open_sender(channel);
    let mut next = first;
    let mut step = |n: u64, verb: &mut dyn FnMut(u64)| {
        tell(Told::Sending, next + n - 1);
        verb(next);
        tell(Told::Sent, next + n - 1);
        next += n;
    };
    step(1, &mut |i| tx.send(Words::new(i)).unwrap_or_else(|e| wrong(&e)));
    sleep(PAUSE);
    step(1, &mut |i| tx.send(Words::new(i)).unwrap_or_else(|e| wrong(&e)));
    step(1, &mut |i| {
        while tx.try_send(Words::new(i)).is_err() {
            yield_now();
        }
    });
    step(4, &mut |i| {
        let four: [Words; 4] = std::array::from_fn(|offset| Words::new(i + offset as u64));
        tx.send_slice(&four).unwrap_or_else(|e| wrong(&e));
    });
    close(tx, Sender::close);
    let mut tx = open_sender(channel);
    sleep(PAUSE);
    step(1, &mut |i| tx.send_timeout(Words::new(i), Duration::from_secs(9)).unwrap_or_else(|e| wrong(&e)));
    step(1, &mut |i| tx.send(Words::new(i)).unwrap_or_else(|e| wrong(&e)));
    leave(tx);
}

fn receive(channel: Channel<'_>, first: u64) {
    let mut rx = open_receiver(channel);
    let mut next = first;
    let mut check = |told: Told, words: Words| {
        match words.number() {
            Ok(number) if number == next => tell(told, number),
            other => wrong(&(next, other)),
        }
        next += 1;
    };
    for pause in [0, 1, 0] {
        sleep(PAUSE * pause);
        tell(Told::Receiving, 0);
        check(Told::Received, rx.recv().unwrap_or_else(|e| wrong(&e)));
    }
    tell(Told::Handling, 0);
    while let Err(error) = rx.try_recv_with(|words| check(Told::Handled, words)) {
        if error != TryRecvError::Empty {
            wrong::<()>(&error);
        }
        yield_now();
    }
    tell(Told::Freed, 0);
    sleep(PAUSE);
    let mut taken = 0;
    while taken < 3 {
        tell(Told::Handling, 0);
        taken += rx.drain(3, |words| check(Told::Handled, words));
        tell(Told::Freed, 0);
        yield_now();
    }
    close(rx, Receiver::close);
    let mut rx = open_receiver(channel);
    sleep(PAUSE);
    tell(Told::Receiving, 0);
    check(Told::Received, rx.recv_timeout(Duration::from_secs(9)).unwrap_or_else(|e| wrong(&e)));
    tell(Told::Receiving, 0);
    check(Told::Received, rx.recv().unwrap_or_else(|e| wrong(&e)));
    leave(rx);
}

/// Fills the channel and sleeps; is killed from outside.
fn fill(channel: Channel<'_>) {
    let mut tx = open_sender(channel);
    for number in 1..=CAPACITY as u64 + 1 {
        tx.send(Words::new(number)).unwrap_or_else(|e| wrong(&e));
    }
}

/// Sleeps in front of an empty channel; is killed from outside.
fn wait_for_ever(channel: Channel<'_>) {
    let _ = open_receiver(channel).recv();
}

fn remove(channel: Channel<'_>) {
    let mut tx = open_sender(channel);
    tell(Told::Sending, 1);
    tx.send(Words::new(1)).unwrap_or_else(|e| wrong(&e));
    tell(Told::Sent, 1);
    close(tx, Sender::close);
    // From here on the message may go with the channel. Not while the parent has a side: it knows.
    tell(Told::Opened, 1);
    channel().remove().unwrap_or_else(|e| wrong(&e));
}
