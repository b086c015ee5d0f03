//! The process that is killed.

use crate::message::{Told, on_lane, tell};
use crate::scenario::{Kind, NAMED_FIRST};
use crate::sides::{CAPACITY, Rx, SWEPT, Step, Tx, Wait, remove};
use failpoint::{arm, arm_stop, name_first, passed};
use ringmail::WaitStrategy;
use ringmail::shm::Peer;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
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

/// Long enough for the other side to fall asleep.
const PAUSE: Duration = Duration::from_millis(2);

pub(crate) fn main(kind: Kind, script: &str, channel: &str, wait: &str, first: &str, how: &str, at: &str) -> ExitCode {
    let (Ok(first), Ok(at)) = (first.parse(), at.parse()) else { return ExitCode::FAILURE };
    let wait = if wait == "ParkAtOnce" { WaitStrategy::ParkAtOnce } else { WaitStrategy::Park };
    let channel = Channel { kind, name: channel, wait };
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
            send_one(&mut tx, first, Wait::Ever);
            tell(Told::Sent, first);
            close(tx, Tx::close);
        }
        "create-receiver" => close(open_receiver(channel), Rx::close),
        "remove" => send_and_remove(channel),
        "look" => {
            let rx = open_receiver(channel);
            arm_it();
            for _ in 0..4 {
                if rx.peer() == Peer::Died {
                    wrong::<()>(&"nobody died");
                }
            }
            close(rx, Rx::close);
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

#[derive(Clone, Copy)]
struct Channel<'a> {
    kind: Kind,
    name: &'a str,
    wait: WaitStrategy,
}

fn open_sender(channel: Channel<'_>) -> Tx {
    let tx = Tx::open(channel.kind, channel.name, channel.wait).unwrap_or_else(|e| wrong(&e));
    if channel.kind.has_lanes() && tx.lane() != SWEPT {
        wrong::<()>(&tx);
    }
    tell(Told::Opened, tx.epoch());
    tx
}

fn open_receiver(channel: Channel<'_>) -> Rx {
    let rx = Rx::open(channel.kind, channel.name, channel.wait).unwrap_or_else(|e| wrong(&e));
    tell(Told::Opened, 0);
    rx
}

fn send_one(tx: &mut Tx, number: u64, wait: Wait) {
    loop {
        match tx.send(number, wait) {
            Ok(Step::Moved(())) => return,
            Ok(Step::Nothing) if matches!(wait, Wait::No) => yield_now(),
            other => wrong(&other),
        }
    }
}

/// By `close` and then by dropping, which does nothing more.
fn close<S>(mut side: S, close: impl FnOnce(&mut S)) {
    tell(Told::Closing, 0);
    close(&mut side);
    drop(side);
    tell(Told::Closed, 0);
}

/// By a panic: gives up.
fn panic<S>(side: S) {
    tell(Told::Closing, 0);
    let panics = AssertUnwindSafe(|| {
        let _side = side;
        resume_unwind(Box::new(()));
    });
    drop(catch_unwind(panics));
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
    step(1, &mut |i| send_one(&mut tx, i, Wait::Ever));
    sleep(PAUSE);
    step(1, &mut |i| send_one(&mut tx, i, Wait::Ever));
    step(1, &mut |i| send_one(&mut tx, i, Wait::No));
    step(4, &mut |i| tx.send_four(i).unwrap_or_else(|e| wrong(&e)));
    close(tx, Tx::close);
    let mut tx = open_sender(channel);
    sleep(PAUSE);
    step(1, &mut |i| send_one(&mut tx, i, Wait::AtMost(Duration::from_secs(9))));
    step(1, &mut |i| send_one(&mut tx, i, Wait::Ever));
    panic(tx);
}

fn receive(channel: Channel<'_>, first: u64) {
    let mut rx = open_receiver(channel);
    let next = Cell::new([first; 2]);
    let check = |told: Told, lane: usize, number: Result<u64, String>| {
        let mut all = next.get();
        match number {
            Ok(number) if number == all[lane] => tell(told, on_lane(lane, number)),
            other => wrong(&(lane, all, other)),
        }
        all[lane] += 1;
        next.set(all);
    };
    let one = |rx: &mut Rx, wait: Wait| {
        tell(Told::Receiving, 0);
        match rx.recv(wait) {
            Ok(Step::Moved((lane, number))) => check(Told::Received, lane, Ok(number)),
            other => wrong(&other),
        }
    };
    for pause in [0, 1, 0] {
        sleep(PAUSE * pause);
        one(&mut rx, Wait::Ever);
    }
    let some = |rx: &mut Rx, max: usize| {
        // There is no handler: each is freed as it is received.
        if channel.kind == Kind::RecordLanes {
            tell(Told::Receiving, 0);
            return match rx.recv(Wait::No) {
                Ok(Step::Moved((lane, number))) => {
                    check(Told::Received, lane, Ok(number));
                    1
                }
                Ok(Step::Nothing) => 0,
                other => wrong(&other),
            };
        }
        tell(Told::Handling, 0);
        let taken = rx.handle(max, |lane, number| check(Told::Handled, lane, number)).unwrap_or_else(|e| wrong(&e));
        tell(Told::Freed, 0);
        taken
    };
    while some(&mut rx, 1) == 0 {
        yield_now();
    }
    sleep(PAUSE);
    let mut taken = 0;
    while taken < 3 {
        taken += some(&mut rx, 3);
        yield_now();
    }
    close(rx, Rx::close);
    let mut rx = open_receiver(channel);
    sleep(PAUSE);
    one(&mut rx, Wait::AtMost(Duration::from_secs(9)));
    one(&mut rx, Wait::Ever);
    panic(rx);
}

/// Fills the channel and sleeps; is killed from outside.
fn fill(channel: Channel<'_>) {
    let mut tx = open_sender(channel);
    for number in 1..=CAPACITY as u64 + 1 {
        send_one(&mut tx, number, Wait::Ever);
    }
}

/// Sleeps in front of an empty channel; is killed from outside.
fn wait_for_ever(channel: Channel<'_>) {
    let _ = open_receiver(channel).recv(Wait::Ever);
}

fn send_and_remove(channel: Channel<'_>) {
    let mut tx = open_sender(channel);
    tell(Told::Sending, 1);
    send_one(&mut tx, 1, Wait::Ever);
    tell(Told::Sent, 1);
    close(tx, Tx::close);
    // From here on the message may go with the channel. Not while the parent has a side: it knows.
    tell(Told::Removing, 0);
    remove(channel.name).unwrap_or_else(|e| wrong(&e));
}
