//! What must hold once the child has ended.

use crate::counterpart::Counterpart;
use crate::directory::Name;
use crate::limits::STEP;
use crate::message::{Event, of_lane};
use crate::scenario::{self, Scenario};
use crate::sides::{self, BESIDE, CAPACITY, SWEPT, Step};
use crate::trace::Trace;
use ringmail::WaitStrategy;
use ringmail::shm::{Cause, Role};
use std::time::Duration;

/// The receiver that follows a dead one gets what it should, on each lane.
pub(crate) fn check_resumed(again: &mut Counterpart, trace: &Trace, counterpart: &Counterpart) -> Result<(), String> {
    let mut found = [const { Vec::new() }; 2];
    while let Some((lane, number)) = again.receive_any()? {
        found[lane].push(number);
    }
    (again.next, again.next_beside) = (counterpart.next, 1 + counterpart.sent_beside().unwrap_or(0));
    let operation = trace.events.iter().rposition(|event| matches!(event.0, Event::Receiving | Event::Handling));
    for (lane, next) in [(SWEPT, again.next), (BESIDE, again.next_beside)] {
        let here =
            |event: &&(Event, u64)| matches!(event.0, Event::Received | Event::Handled) && of_lane(event.1).0 == lane;
        let last = trace.events.iter().rev().find(here).map_or(0, |event| of_lane(event.1).1);
        // What was certainly freed: received, or handled by a handler whose return was reported.
        let (from, to) = match operation.map(|at| (trace.events[at].0, &trace.events[at..])) {
            Some((Event::Receiving, [_])) => (last + 1, last + 2),
            Some((Event::Handling, since)) if !since.iter().any(|event| event.0 == Event::Freed) => {
                (last + 1 - since.iter().filter(here).count() as u64, last + 1)
            }
            _ => (last + 1, last + 1),
        };
        // None is left: all of them were received.
        let first = found[lane].first().copied().unwrap_or(next);
        if first < from || first > to {
            return Err(format!(
                "lane {lane}: resumed at {first}, not {from} to {to}, after {:?}",
                trace.events.last()
            ));
        }
        if !found[lane].iter().copied().eq(first..next) {
            return Err(format!("lane {lane}: {:?} came of {first} to {}", found[lane], next - 1));
        }
    }
    Ok(())
}

/// Both sides are the driver's now: more messages pass, and then the channel ends in order.
pub(crate) fn check_channel(mut sends: Counterpart, receives: &mut Counterpart) -> Result<(), String> {
    for _ in 0..2 {
        for _ in 0..CAPACITY {
            match sends.step(STEP)? {
                Step::Moved(()) => {}
                other => return Err(format!("no message can be sent any more: {other:?}")),
            }
        }
        while receives.next < sends.next {
            match receives.step(STEP)? {
                Step::Moved(()) => {}
                other => return Err(format!("what was sent after the death does not come: {other:?}")),
            }
        }
    }
    // Each end is reported once; then there is nothing.
    let quiet = [receives.step(Duration::ZERO)?, receives.step(Duration::ZERO)?];
    if quiet != [Step::Nothing; 2] {
        return Err(format!("after the death: {quiet:?}"));
    }
    if receives.next_beside != 1 + sends.sent_beside().or(receives.sent_beside()).unwrap_or(0) {
        return Err(format!("on the lane beside {} is missing", receives.next_beside));
    }
    let others = u64::from(sends.sent_beside().is_some());
    drop(sends);
    // The end of the lane beside may be reported first.
    let said = [receives.step(STEP)?, receives.step(Duration::ZERO)?];
    match said {
        [Step::Ended(Cause::Closed), Step::Nothing] if receives.others_ended == [others; 2] => Ok(()),
        other => Err(format!("closed at last, reported {other:?}, of other lanes {:?}", receives.others_ended)),
    }
}

/// The child made the segment, or was killed before it did. The next process that opens the channel finds one that works, or
/// makes one. If the file was removed, the message went with it.
pub(crate) fn check_created(
    scenario: &Scenario,
    name: &Name,
    trace: &Trace,
    killed: bool,
    removed: bool,
) -> Result<(), String> {
    let left = name.files();
    let scratch = left.iter().filter(|file| file.starts_with('.') && file.ends_with(".new")).count();
    let may_leave = killed && trace.events.is_empty() && scenario.script.ends_with(scenario::NAMED_FIRST);
    if left.len() - scratch > 1 || scratch > usize::from(may_leave) {
        return Err(format!("left behind: {left:?}"));
    }
    let channel = &*name.channel;
    let mut receives = Counterpart::open(scenario.kind, channel, Role::Receiver, WaitStrategy::Park, 1)
        .map_err(|error| error.to_string())?;
    while let Some((_, number)) = receives.receive_any()? {
        if number > trace.last_of(Event::Sending).unwrap_or(0) {
            return Err(format!("received {number}, which was not sent"));
        }
        receives.next = number + 1;
    }
    let removing = removed || trace.last_of(Event::Removing).is_some();
    if !removing && receives.next <= trace.last_of(Event::Sent).unwrap_or(0) {
        return Err("the message is lost".into());
    }
    let sends = Counterpart::open(scenario.kind, channel, Role::Sender, WaitStrategy::Park, receives.next)
        .map_err(|error| error.to_string())?;
    check_channel(sends, &mut receives)?;
    drop(receives);
    check_removed(name, scratch)
}

/// No process has a side: the channel can be removed. Nothing stays but a dead creator's file.
pub(crate) fn check_removed(name: &Name, scratch: usize) -> Result<(), String> {
    match sides::remove(&name.channel) {
        Ok(true) => {}
        other => return Err(format!("not removed: {other:?}")),
    }
    let left = name.files();
    if left.len() == scratch { Ok(()) } else { Err(format!("left behind: {left:?}")) }
}
