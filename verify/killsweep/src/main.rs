//! Kills one side of a channel between processes at every point at which the other can see a difference, and checks what is left.
//!
//! ```text
//! ringmail-killsweep                         every scenario, some at a time
//! ringmail-killsweep sweep NAME [TEXT...]    one of them
//! ringmail-killsweep lossy [TEXT...]         the sender of `shm::lossy`, see `lossy`
//! ringmail-killsweep broadcast [TEXT...]     each side of `shm::broadcast`, see `broadcast`
//! ringmail-killsweep fan-out [TEXT...]       both sides of `shm::fan_out`, see `fan_out`
//! ```
//!
//! With texts, each part ends at the first violation with one of them.
//!
//! A scenario is a script for one side, run by a process of its own (`child`). It is run again and again, killed at the first
//! point, the second, and so on until one run reaches its end. The driver (`driver`) plays the other side (`counterpart`), and then
//! opens the dead side anew. The points are `ringmail::sync::failpoint`'s: `verify/killsweep/check` builds with them.
//!
//! What must hold, at every point:
//! * no message is torn, out of order or received twice, and none is missing whose send has returned;
//! * a message that a receive returned does not come again; a message that a handler was given comes again unless the handler returned;
//! * the next sender goes on with the sequence number of the first record that was not published;
//! * each session's end is reported once, in time, with its right cause, at its place in the order of messages, with its number, and by a
//!   fan-in with its lane and what was sent; the other lane makes progress all the time;
//! * the next process that opens the dead side goes on where that stopped;
//! * a creator that is killed leaves nothing but the segment; where files must have names, no more than the file under its first one.
//!
//! At some of the points the process is only stopped, for 300 ms: its side must not be taken from it, and then it goes on.
//!
//! At each point (at 300 of them, if there are more) it is stopped until the channel's file is removed (`removal`). Then both sides
//! go on, and besides the above:
//! * each wait that finds nothing says `Removed`, or how a session ended, and none waits on;
//! * the name can be opened at once and afterwards, and neither of the old sides takes part in what passes there.
//!
//! Some scenarios are sessions of three children that follow each other, each closed, killed or ended by a panic, in every order, and fifty
//! in a row (`restarts`), with the driver one session behind: each end is reported to it once, at its place.

#[cfg(target_os = "linux")]
mod broadcast;
#[cfg(target_os = "linux")]
mod child;
#[cfg(target_os = "linux")]
mod counterpart;
#[cfg(target_os = "linux")]
mod directory;
#[cfg(target_os = "linux")]
mod driver;
#[cfg(target_os = "linux")]
mod ends;
#[cfg(target_os = "linux")]
mod fan_out;
#[cfg(target_os = "linux")]
mod limits;
#[cfg(target_os = "linux")]
mod lossy;
#[cfg(target_os = "linux")]
mod message;
#[cfg(target_os = "linux")]
mod points;
#[cfg(target_os = "linux")]
mod postconditions;
#[cfg(target_os = "linux")]
mod removal;
#[cfg(target_os = "linux")]
mod restarts;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod scenario;
#[cfg(target_os = "linux")]
mod sides;
#[cfg(target_os = "linux")]
mod sum;
#[cfg(target_os = "linux")]
mod trace;
#[cfg(target_os = "linux")]
mod wanted;

use std::process::ExitCode;
#[cfg(target_os = "linux")]
use wanted::Wanted;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => driver::all(),
        ["sweep", name, ref texts @ ..] => match scenario::find(name) {
            Some(scenario) if scenario.restarts => restarts::sweep(scenario, Wanted(texts)),
            Some(scenario) => driver::sweep(scenario, Wanted(texts)),
            None => usage(),
        },
        ["broadcast", ref texts @ ..] => broadcast::sweep(Wanted(texts)),
        ["broadcast-child", part, channel, at] => broadcast::child(part, channel, at),
        ["lossy", ref texts @ ..] => lossy::sweep(Wanted(texts)),
        ["lossy-child", channel, at] => lossy::child(channel, at),
        ["fan-out", ref texts @ ..] => fan_out::sweep(Wanted(texts)),
        ["fan-out-child", part, channel, at] => fan_out::child(part, channel, at),
        ["child", kind, script, channel, wait, first, how, at] => match scenario::Kind::find(kind) {
            Some(kind) => child::main(kind, script, channel, wait, first, how, at),
            None => usage(),
        },
        _ => usage(),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("channels between processes are for Linux");
    ExitCode::FAILURE
}

#[cfg(target_os = "linux")]
fn usage() -> ExitCode {
    eprintln!(
        "usage: ringmail-killsweep [(lossy | broadcast | fan-out | sweep NAME) [TEXT...]]; names: {}",
        scenario::names()
    );
    ExitCode::FAILURE
}
