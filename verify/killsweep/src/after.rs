//! What must hold once the child has ended.

use crate::message::{Told, of_lane};
use crate::other::Other;
use crate::parent::{Name, STEP, Story, text};
use crate::scenario::{self, Scenario};
use crate::sides::{self, BESIDE, CAPACITY, SWEPT, Step};
use ringmail::WaitStrategy;
use ringmail::shm::{Cause, Role};
use std::time::Duration;

/// The next holder of a dead receiver's role gets what it should, on each lane.
pub(crate) fn resumed(again: &mut Other, story: &Story, other: &Other) -> Result<(), String> {
    let mut found = [const { Vec::new() }; 2];
    while let Some((lane, number)) = again.receive_any()? {
        found[lane].push(number);
    }
    (again.next, again.next_beside) = (other.next, 1 + other.sent_beside().unwrap_or(0));
    let operation = story.told.iter().rposition(|told| matches!(told.0, Told::Receiving | Told::Handling));
    for (lane, next) in [(SWEPT, again.next), (BESIDE, again.next_beside)] {
        let here = |told: &&(Told, u64)| matches!(told.0, Told::Received | Told::Handled) && of_lane(told.1).0 == lane;
        let last = story.told.iter().rev().find(here).map_or(0, |told| of_lane(told.1).1);
        // What was certainly given up: received, or handled by a handler that returned and was told of.
        let (from, to) = match operation.map(|at| (story.told[at].0, &story.told[at..])) {
            Some((Told::Receiving, [_])) => (last + 1, last + 2),
            Some((Told::Handling, since)) if !since.iter().any(|told| told.0 == Told::Freed) => {
                (last + 1 - since.iter().filter(here).count() as u64, last + 1)
            }
            _ => (last + 1, last + 1),
        };
        // None is left: all of them were received.
        let first = found[lane].first().copied().unwrap_or(next);
        if first < from || first > to {
            return Err(format!("lane {lane}: resumed at {first}, not {from} to {to}, after {:?}", story.told.last()));
        }
        if !found[lane].iter().copied().eq(first..next) {
            return Err(format!("lane {lane}: {:?} came of {first} to {}", found[lane], next - 1));
        }
    }
    Ok(())
}

/// Both sides are the parent's now: more messages pass, and then the channel ends in order.
pub(crate) fn after(mut sends: Other, receives: &mut Other) -> Result<(), String> {
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
    // Each end is news once, and then there is merely nothing.
    let quiet = [receives.step(Duration::ZERO)?, receives.step(Duration::ZERO)?];
    if quiet != [Step::Nothing; 2] {
        return Err(format!("after the death: {quiet:?}"));
    }
    if receives.next_beside != 1 + sends.sent_beside().or(receives.sent_beside()).unwrap_or(0) {
        return Err(format!("on the lane beside {} is missing", receives.next_beside));
    }
    let others = u64::from(sends.sent_beside().is_some());
    drop(sends);
    // A lane beside that ends too may be told first.
    let said = [receives.step(STEP)?, receives.step(Duration::ZERO)?];
    match said {
        [Step::Ended(Cause::Closed), Step::Nothing] if receives.others_ended == [others; 2] => Ok(()),
        other => Err(format!("closed at last, reported {other:?}, of other lanes {:?}", receives.others_ended)),
    }
}

/// The child made the segment, or was killed before; whoever comes next finds or makes one that works.
/// With its file a message may have gone.
pub(crate) fn after_alone(
    scenario: &Scenario,
    name: &Name,
    story: &Story,
    killed: bool,
    removed: bool,
) -> Result<(), String> {
    let left = name.files();
    let scratch = left.iter().filter(|file| file.starts_with('.') && file.ends_with(".new")).count();
    let may_leave = killed && story.told.is_empty() && scenario.script.ends_with(scenario::NAMED_FIRST);
    if left.len() - scratch > 1 || scratch > usize::from(may_leave) {
        return Err(format!("left behind: {left:?}"));
    }
    let channel = &*name.channel;
    let mut receives = Other::open(scenario.kind, channel, Role::Receiver, WaitStrategy::Park, 1).map_err(text)?;
    while let Some((_, number)) = receives.receive_any()? {
        if number > story.last_of(Told::Sending).unwrap_or(0) {
            return Err(format!("received {number}, which nobody sent"));
        }
        receives.next = number + 1;
    }
    let removing = removed || story.last_of(Told::Removing).is_some();
    if !removing && receives.next <= story.last_of(Told::Sent).unwrap_or(0) {
        return Err("the message is lost".into());
    }
    let sends = Other::open(scenario.kind, channel, Role::Sender, WaitStrategy::Park, receives.next).map_err(text)?;
    after(sends, &mut receives)?;
    drop(receives);
    gone(name, scratch)
}

/// Nobody has a side: the channel goes, and nothing stays but a dead creator's file.
pub(crate) fn gone(name: &Name, scratch: usize) -> Result<(), String> {
    match sides::remove(&name.channel) {
        Ok(true) => {}
        other => return Err(format!("not removed: {other:?}")),
    }
    let left = name.files();
    if left.len() == scratch { Ok(()) } else { Err(format!("left behind: {left:?}")) }
}
