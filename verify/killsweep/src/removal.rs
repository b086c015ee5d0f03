//! The channel's file is removed while the child is stopped.

use crate::counterpart::Counterpart;
use crate::directory::Name;
use crate::limits::STEP;
use crate::postconditions::{check_channel, check_removed};
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
pub(crate) fn remove_under(
    counterpart: Option<&Counterpart>,
    run: &Run,
    scenario: &Scenario,
    name: &Name,
) -> Result<(), String> {
    match fs::remove_file(&name.channel) {
        Ok(()) => {}
        // The child is to make it, and has not.
        Err(error) if error.kind() == ErrorKind::NotFound && counterpart.is_none() => {}
        Err(error) => return Err(format!("the file could not be removed: {error}")),
    }
    match counterpart.map(Counterpart::peer) {
        None | Some(Peer::Removed) => {}
        Some(peer) => return Err(format!("its file is gone, and the other side is {peer:?}")),
    }
    // A child that makes the channel may have a file under its first name.
    check_new_channel(scenario, name, name.files().len())?;
    run.signal(Signal::CONT);
    Ok(())
}

/// Opening the name of a removed channel makes another, which works, and is removed in turn.
fn check_new_channel(scenario: &Scenario, name: &Name, scratch: usize) -> Result<(), String> {
    let (kind, channel, wait) = (scenario.kind, &*name.channel, WaitStrategy::Park);
    let mut receives =
        Counterpart::accompanied(kind, channel, Role::Receiver, wait).map_err(|error| error.to_string())?;
    let sends = Counterpart::open(kind, channel, Role::Sender, wait, 1).map_err(|error| error.to_string())?;
    check_channel(sends, &mut receives)?;
    receives.end_beside()?;
    check_removed(name, scratch)
}

/// The child has ended. The name can be opened, and the driver's old side takes no part in the new channel.
pub(crate) fn check_after_removal(
    mut counterpart: Counterpart,
    scenario: &Scenario,
    name: &Name,
) -> Result<(), String> {
    check_new_channel(scenario, name, 0)?;
    match (counterpart.step(STEP)?, counterpart.peer()) {
        (Step::Ended(Cause::Removed), Peer::Removed) => {}
        found => return Err(format!("after the channel was made anew its old side found {found:?}")),
    }
    Ok(())
}
