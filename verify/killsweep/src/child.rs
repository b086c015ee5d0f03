//! The process that is killed.

use crate::message::{Event, on_lane, report};
use crate::scenario::{Kind, NAMED_FIRST};
use crate::sides::{BESIDE, CAPACITY, Rx, SWEPT, Step, Tx, Wait, remove};
use failpoint::{arm, arm_stop, name_first, passed};
use ringmail::WaitStrategy;
use ringmail::shm::{Cause, OpenError, Peer};
use rustix::process::{Signal, getpid, kill_process};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;
use std::thread::{sleep, yield_now};
use std::time::Duration;

#[cfg(ringmail_failpoints)]
pub(crate) use ringmail::shm as failpoint;

/// Without points in the library there is nothing to sweep. The driver reports that.
#[cfg(not(ringmail_failpoints))]
pub(crate) mod failpoint {
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
    let may_go = how == "remove";
    let may_be_apart = may_go && matches!(script, "sender" | "receiver");
    let channel = Channel { kind, name: channel, wait, may_go, may_be_apart };
    let arm_it = || if how == "kill" { arm(at) } else { arm_stop(at) };
    // As where a file must have a name: then its maker may leave that behind.
    let script = script.strip_suffix(NAMED_FIRST).inspect(|_| name_first()).unwrap_or(script);
    if script != "look" {
        arm_it();
    }
    // Where the file is gone, the side has closed as it was dropped.
    let _: Result<(), Gone> = match script {
        "sender" => send(channel, first),
        "receiver" => receive(channel, first),
        "full" => fill(channel),
        "empty" => wait_for_ever(channel),
        "create-sender" => create_sender(channel, first),
        "create-receiver" => open_receiver(channel).map(|rx| close(rx, Rx::close)),
        "remove" => send_and_remove(channel),
        "look" => look(channel, arm_it),
        _ => match script.split_once('-') {
            Some(("sends", how)) => send_two(channel, first, how),
            Some(("receives", how)) => receive_two(channel, first, how),
            _ => return ExitCode::FAILURE,
        },
    };
    let passed = passed();
    arm(0);
    report(Event::Finished, passed);
    ExitCode::SUCCESS
}

/// Reports something wrong that only this side sees, and ends.
fn wrong<T>(what: &dyn std::fmt::Debug) -> T {
    eprintln!("the child: {what:?}");
    report(Event::Wrong, 0);
    std::process::exit(4);
}

/// The file is gone, and that was reported: the side that finds it closes in order, and the script ends.
#[derive(Debug)]
struct Gone;

#[derive(Clone, Copy)]
struct Channel<'a> {
    kind: Kind,
    name: &'a str,
    wait: WaitStrategy,
    /// Its file may be removed on the way.
    may_go: bool,
    /// Whether the side may be of another file than the driver's.
    may_be_apart: bool,
}

impl Channel<'_> {
    /// Whether a side is of another file than the driver's: then no process has the other side.
    fn is_apart(self, peer: impl FnOnce() -> Peer) -> bool {
        self.may_be_apart && !matches!(peer(), Peer::Here | Peer::Removed)
    }

    /// An unexpected step ends the child, unless the file is gone and that was expected.
    fn gone<T: std::fmt::Debug>(self, step: Result<Step<T>, String>) -> Gone {
        match step {
            Ok(Step::Ended(Cause::Removed)) if self.may_go => report(Event::Removed, 0),
            other => wrong(&other),
        }
        Gone
    }
}

fn open_sender(channel: Channel<'_>) -> Result<Tx, Gone> {
    let tx = Tx::open(channel.kind, channel.name, channel.wait).unwrap_or_else(|e| wrong(&e));
    if channel.is_apart(|| tx.peer()) {
        report(Event::Apart, 0);
        return Err(Gone);
    }
    if channel.kind.has_lanes() && tx.lane() != SWEPT {
        wrong::<()>(&tx);
    }
    report(Event::Opened, tx.epoch());
    Ok(tx)
}

fn open_receiver(channel: Channel<'_>) -> Result<Rx, Gone> {
    let rx = Rx::open(channel.kind, channel.name, channel.wait).unwrap_or_else(|e| wrong(&e));
    if channel.is_apart(|| rx.peer()) {
        report(Event::Apart, 0);
        return Err(Gone);
    }
    report(Event::Opened, 0);
    Ok(rx)
}

fn send_one(channel: Channel<'_>, tx: &mut Tx, number: u64, wait: Wait) -> Result<(), Gone> {
    loop {
        match tx.send(number, wait) {
            Ok(Step::Moved(())) => return Ok(()),
            Ok(Step::Nothing) if matches!(wait, Wait::No) => yield_now(),
            other => return Err(channel.gone(other)),
        }
    }
}

/// By `close` and then by dropping, which does nothing more.
fn close<S>(mut side: S, close: impl FnOnce(&mut S)) {
    report(Event::Closing, 0);
    close(&mut side);
    drop(side);
    report(Event::Closed, 0);
}

/// By a panic: gives up.
fn panic<S>(side: S) {
    report(Event::Closing, 0);
    let panics = AssertUnwindSafe(|| {
        let _side = side;
        resume_unwind(Box::new(()));
    });
    drop(catch_unwind(panics));
    report(Event::Closed, 0);
}

fn send(channel: Channel<'_>, first: u64) -> Result<(), Gone> {
    let mut tx = open_sender(channel)?;
    let mut next = first;
    let mut step = |n: u64, verb: &mut dyn FnMut(u64) -> Result<(), Gone>| {
        report(Event::Sending, next + n - 1);
        verb(next)?;
        report(Event::Sent, next + n - 1);
        next += n;
        Ok(())
    };
    step(1, &mut |i| send_one(channel, &mut tx, i, Wait::Ever))?;
    sleep(PAUSE);
    step(1, &mut |i| send_one(channel, &mut tx, i, Wait::Ever))?;
    step(1, &mut |i| send_one(channel, &mut tx, i, Wait::No))?;
    step(4, &mut |i| match tx.send_four(i) {
        Ok(Step::Moved(())) => Ok(()),
        other => Err(channel.gone(other)),
    })?;
    close(tx, Tx::close);
    let mut tx = open_sender(channel)?;
    sleep(PAUSE);
    step(1, &mut |i| send_one(channel, &mut tx, i, Wait::AtMost(Duration::from_secs(9))))?;
    step(1, &mut |i| send_one(channel, &mut tx, i, Wait::Ever))?;
    panic(tx);
    Ok(())
}

fn receive(channel: Channel<'_>, first: u64) -> Result<(), Gone> {
    let mut rx = open_receiver(channel)?;
    let next = Cell::new([first; 2]);
    let check = |event: Event, lane: usize, number: Result<u64, String>| {
        let mut all = next.get();
        match number {
            Ok(number) if number == all[lane] => report(event, on_lane(lane, number)),
            other => wrong(&(lane, all, other)),
        }
        all[lane] += 1;
        next.set(all);
    };
    let one = |rx: &mut Rx, wait: Wait| {
        report(Event::Receiving, 0);
        match rx.recv(wait) {
            Ok(Step::Moved((lane, number))) => check(Event::Received, lane, Ok(number)),
            other => return Err(channel.gone(other)),
        }
        Ok(())
    };
    for pause in [0, 1, 0] {
        sleep(PAUSE * pause);
        one(&mut rx, Wait::Ever)?;
    }
    let some = |rx: &mut Rx, max: usize| {
        // There is no handler: each is freed as it is received.
        if channel.kind == Kind::RecordLanes {
            report(Event::Receiving, 0);
            return match rx.recv(Wait::No) {
                Ok(Step::Moved((lane, number))) => {
                    check(Event::Received, lane, Ok(number));
                    Ok(1)
                }
                Ok(Step::Nothing) => Ok(0),
                other => Err(channel.gone(other)),
            };
        }
        report(Event::Handling, 0);
        let taken = match rx.handle(max, |lane, number| check(Event::Handled, lane, number)) {
            Ok(Step::Moved(taken)) => taken,
            Ok(Step::Nothing) => 0,
            other => return Err(channel.gone(other)),
        };
        report(Event::Freed, 0);
        Ok(taken)
    };
    while some(&mut rx, 1)? == 0 {
        yield_now();
    }
    sleep(PAUSE);
    let mut taken = 0;
    while taken < 3 {
        taken += some(&mut rx, 3)?;
        yield_now();
    }
    close(rx, Rx::close);
    let mut rx = open_receiver(channel)?;
    sleep(PAUSE);
    one(&mut rx, Wait::AtMost(Duration::from_secs(9)))?;
    one(&mut rx, Wait::Ever)?;
    panic(rx);
    Ok(())
}

/// One session of several that follow each other: sends two, and ends so.
fn send_two(channel: Channel<'_>, first: u64, how: &str) -> Result<(), Gone> {
    let mut tx = open_sender(channel)?;
    for number in [first, first + 1] {
        send_one(channel, &mut tx, number, Wait::Ever)?;
        report(Event::Sent, number);
    }
    end(how, tx, Tx::close);
    Ok(())
}

/// The same of a receiver; what the lane beside sends comes as well.
fn receive_two(channel: Channel<'_>, first: u64, how: &str) -> Result<(), Gone> {
    let mut rx = open_receiver(channel)?;
    let mut next = first;
    while next < first + 2 {
        match rx.recv(Wait::Ever) {
            Ok(Step::Moved((SWEPT, number))) if number == next => next += 1,
            Ok(Step::Moved((BESIDE, _))) => {}
            other => return Err(channel.gone(other)),
        }
    }
    report(Event::Received, on_lane(SWEPT, next - 1));
    end(how, rx, Rx::close);
    Ok(())
}

fn end<S>(how: &str, side: S, by_closing: impl FnOnce(&mut S)) {
    match how {
        "close" => close(side, by_closing),
        "panic" => panic(side),
        "kill" => drop(kill_process(getpid(), Signal::KILL)),
        _ => wrong(&how),
    }
}

/// Fills the channel and sleeps; is killed from outside.
fn fill(channel: Channel<'_>) -> Result<(), Gone> {
    let mut tx = open_sender(channel)?;
    for number in 1..=CAPACITY as u64 + 1 {
        send_one(channel, &mut tx, number, Wait::Ever)?;
    }
    Ok(())
}

/// Sleeps in front of an empty channel; is killed from outside.
fn wait_for_ever(channel: Channel<'_>) -> Result<(), Gone> {
    let _ = open_receiver(channel)?.recv(Wait::Ever);
    Ok(())
}

fn create_sender(channel: Channel<'_>, first: u64) -> Result<(), Gone> {
    let mut tx = open_sender(channel)?;
    report(Event::Sending, first);
    send_one(channel, &mut tx, first, Wait::Ever)?;
    report(Event::Sent, first);
    close(tx, Tx::close);
    Ok(())
}

fn look(channel: Channel<'_>, arm_it: impl FnOnce()) -> Result<(), Gone> {
    let rx = open_receiver(channel)?;
    arm_it();
    for _ in 0..4 {
        if rx.peer() == Peer::Died {
            wrong::<()>(&"no side died");
        }
    }
    close(rx, Rx::close);
    Ok(())
}

fn send_and_remove(channel: Channel<'_>) -> Result<(), Gone> {
    create_sender(channel, 1)?;
    // From here on the message may go with the channel, unless the driver has a side: the driver knows.
    report(Event::Removing, 0);
    match remove(channel.name) {
        Err(OpenError::NotFound { .. }) if channel.may_go => {}
        done => drop(done.unwrap_or_else(|e| wrong(&e))),
    }
    Ok(())
}
