//! The channel's file is removed while the child is stopped.

use crate::after::{after, gone};
use crate::other::Other;
use crate::parent::{Name, STEP, text};
use crate::run::Run;
use crate::scenario::Scenario;
use crate::sides::Step;
use ringmail::WaitStrategy;
use ringmail::shm::{Cause, Peer, Role};
use rustix::process::Signal;
use std::fs;
use std::io::ErrorKind;

/// Points of one scenario at which it is done; of more, so many at equal distances.
pub(crate) const MOST: u64 = 300;

/// Removes the file of the stopped child's channel, tries the name, and lets the child go on.
pub(crate) fn remove_under(other: Option<&Other>, run: &Run, scenario: &Scenario, name: &Name) -> Result<(), String> {
    match fs::remove_file(&name.channel) {
        Ok(()) => {}
        // The child is to make it, and has not.
        Err(error) if error.kind() == ErrorKind::NotFound && other.is_none() => {}
        Err(error) => return Err(format!("the file could not be removed: {error}")),
    }
    match other.map(Other::peer) {
        None | Some(Peer::Removed) => {}
        Some(peer) => return Err(format!("its file is gone, and the other side is {peer:?}")),
    }
    // A child that makes the channel may have a file under its first name.
    afresh(scenario, name, name.files().len())?;
    run.signal(Signal::CONT);
    Ok(())
}

/// Who opens the name of a removed channel gets another, which works, and is removed in turn.
fn afresh(scenario: &Scenario, name: &Name, scratch: usize) -> Result<(), String> {
    let (kind, channel, wait) = (scenario.kind, &*name.channel, WaitStrategy::Park);
    let mut receives = Other::accompanied(kind, channel, Role::Receiver, wait).map_err(text)?;
    let sends = Other::open(kind, channel, Role::Sender, wait, 1).map_err(text)?;
    after(sends, &mut receives)?;
    receives.end_beside()?;
    gone(name, scratch)
}

/// The child has ended. The name works, and the parent's old side has no part in that.
pub(crate) fn after_removal(mut other: Other, scenario: &Scenario, name: &Name) -> Result<(), String> {
    afresh(scenario, name, 0)?;
    match (other.step(STEP)?, other.peer()) {
        (Step::Ended(Cause::Removed), Peer::Removed) => {}
        found => return Err(format!("after the channel was made anew its old side found {found:?}")),
    }
    Ok(())
}
