//! The sweep of `shm::broadcast`: its sender, a receiver that joins, and one at a reserved seat are killed at every point, one by one, while the others go
//! on. What must hold at every point:
//! * a receiver that stays gets the exact sequence: no message is torn, missing, or comes twice;
//! * no side that lives stops: the sender goes on past a receiver that was killed, within the time of a step;
//! * each death is told once: of the sender to its receivers, of a receiver to the sender;
//! * the next sender uses no number twice; the next holder of the reserved seat gets what the last one did not commit, in order.

use crate::child::failpoint;
use crate::directory::Name;
use crate::limits::STEP;
use crate::message::Words;
use ringmail::shm::broadcast::{Builder, Receiver, Sender};
use ringmail::shm::{Cause, OpenError, RecvTimeoutError};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, Stdio};
use std::thread::JoinHandle;

const CAPACITY: usize = 4;
/// Messages that a child sends one by one, and in a slice.
const SINGLE: u64 = 3;
const SLICE: u64 = 7;
/// Messages that a child receives one by one, and by a handler.
const TAKEN: u64 = 3;

fn builder(channel: &str) -> Builder<Words> {
    Builder::new(channel).capacity(CAPACITY).receivers(3)
}

/// The child: killed at point `at`, of none if that is 0.
pub(crate) fn child(part: &str, channel: &str, at: &str) -> ExitCode {
    failpoint::arm(at.parse().expect("a number"));
    match part {
        "sender" => {
            let mut tx = builder(channel).open_sender().expect("the sending side");
            for _ in 0..SINGLE {
                tx.send(Words::new(tx.sent())).expect("the file is there");
            }
            let next = tx.sent();
            tx.send_slice(&(next..next + SLICE).map(Words::new).collect::<Vec<_>>()).expect("the file is there");
            tx.close();
        }
        _ => {
            let open = builder(channel);
            let rx = if part == "joins" { open.open_receiver() } else { open.open_reserved("journal") };
            let mut rx = rx.expect("a seat");
            let mut number = None;
            let mut check = |words: Words| {
                let found = words.number().expect("a whole message");
                let wanted = number.get_or_insert(found);
                assert_eq!(*wanted, found, "in order");
                *wanted += 1;
            };
            (0..TAKEN).for_each(|_| check(rx.recv().expect("a message")));
            while rx.drain(2, &mut check) == 0 {}
            rx.close();
        }
    }
    ExitCode::SUCCESS
}

/// Whether the child was killed.
fn run(part: &str, channel: &str, at: u64) -> Result<bool, String> {
    let mut child = Command::new("/proc/self/exe");
    child.args(["broadcast-child", part, channel, &at.to_string()]).stdin(Stdio::null());
    let ended = child.status().map_err(|error| format!("no child: {error}"))?;
    match (ended.success(), ended.signal()) {
        (true, _) => Ok(false),
        (_, Some(9)) => Ok(true),
        _ => Err(format!("the child ended with {ended}")),
    }
}

/// Takes what comes, until an end is told or nothing comes for a step.
fn follow(rx: &mut Receiver<Words>, next: &mut u64) -> Result<Option<Cause>, String> {
    loop {
        match rx.recv_timeout(STEP) {
            Ok(words) => match words.number()? {
                found if found == *next => *next += 1,
                found => return Err(format!("message {next} is {found}")),
            },
            Err(RecvTimeoutError::Disconnected(cause)) => return Ok(Some(cause)),
            Err(RecvTimeoutError::Timeout) => return Ok(None),
        }
    }
}

fn open_sender(name: &Name) -> Result<Sender<Words>, String> {
    builder(&name.channel).open_sender().map_err(|error: OpenError| error.to_string())
}

/// Kills the sender at a point. Whether there is such a point.
fn sender_at(name: &Name, at: u64) -> Result<bool, String> {
    let opened = |rx: Result<Receiver<Words>, OpenError>| rx.map_err(|error| error.to_string());
    let stays = opened(builder(&name.channel).open_receiver())?;
    let journal = opened(builder(&name.channel).open_reserved("journal"))?;
    // They take while the child sends: it sends more than there is room for.
    let followers: Vec<JoinHandle<_>> = [stays, journal]
        .into_iter()
        .map(|mut rx| {
            std::thread::spawn(move || {
                let mut next = 0;
                // One that is killed before its session began is not told.
                rx.wait_for_peer(STEP);
                let told = follow(&mut rx, &mut next);
                told.map(|told| (rx, next, told))
            })
        })
        .collect();
    let killed = run("sender", &name.channel, at)?;
    let mut ends = Vec::new();
    for follower in followers {
        ends.push(follower.join().map_err(|_| "a follower panicked")??);
    }
    let mut tx = open_sender(name)?;
    for (_, next, told) in &ends {
        match (told, killed) {
            (Some(Cause::Closed), _) | (Some(Cause::PeerDied), true) => {}
            (None, true) if *next == 0 => {}
            _ => return Err(format!("told {told:?} after {next} messages")),
        }
        if *next != tx.sent() || (!killed && *next != SINGLE + SLICE) {
            return Err(format!("a receiver got {next} of {}", tx.sent()));
        }
    }
    let from = tx.sent();
    for (mut rx, mut next, told) in ends {
        tx.send(Words::new(tx.sent())).map_err(|error| error.to_string())?;
        // Of one that was killed while its session was set up.
        while let (Some(_), None) = (follow(&mut rx, &mut next)?, told) {}
        let sent = tx.sent();
        if next != sent {
            return Err(format!("after the next sender had sent {sent} from {from} on, a receiver has {next}"));
        }
    }
    Ok(killed)
}

/// Kills a receiver at a point. Whether there is such a point.
fn receiver_at(part: &'static str, name: &Name, at: u64) -> Result<bool, String> {
    let mut stays = builder(&name.channel).open_receiver().map_err(|error| error.to_string())?;
    let mut tx = open_sender(name)?;
    let channel = name.channel.clone();
    let victim = std::thread::spawn(move || run(part, &channel, at));
    let mut next = 0;
    // The sender goes on all the time, and for two laps after the child has ended.
    let mut after = 2 * CAPACITY as u64;
    let mut sends = |tx: &mut Sender<Words>, next: &mut u64| -> Result<(), String> {
        tx.send_timeout(Words::new(*next), STEP * 10).map_err(|error| format!("the sender stops: {error}, {tx:?}"))?;
        match stays.recv_timeout(STEP).map(|words| words.number()) {
            Ok(Ok(found)) if found == *next => *next += 1,
            other => return Err(format!("message {next} is {other:?}")),
        }
        Ok(())
    };
    let mut reserved = false;
    while after != 0 {
        if victim.is_finished() {
            after -= 1;
            reserved = tx.slowest().is_some_and(|slowest| slowest.name.is_some() && slowest.vacant);
            if reserved && tx.slowest().is_some_and(|slowest| slowest.lag == CAPACITY as u64) {
                break;
            }
        }
        if let Err(error) = sends(&mut tx, &mut next) {
            // Killed while the sender waited for it: a reserved seat keeps its place.
            match tx.slowest() {
                Some(slowest) if part != "joins" && slowest.vacant && slowest.name.is_some() => break,
                _ => return Err(error),
            }
        }
    }
    let killed = victim.join().map_err(|_| "no child")??;
    reserved |= tx.slowest().is_some_and(|slowest| slowest.name.is_some());
    // The kernel is asked, so all that is to be told is.
    if reserved {
        match tx.send_timeout(Words::new(next), STEP) {
            Ok(()) => return Err("a reserved seat was passed over".into()),
            Err(_) if part == "joins" => return Err("a seat is reserved that was not to be".into()),
            Err(_) => {}
        }
    }
    let told: Vec<_> = std::iter::from_fn(|| tx.departed()).collect();
    let wanted = if killed { Cause::PeerDied } else { Cause::Closed };
    match &told[..] {
        [] if killed => {}
        [one] if one.cause == wanted || one.cause == Cause::Closed => {}
        told => return Err(format!("told {told:?} of one that was killed: {killed}")),
    }
    if part != "joins" {
        // From the first message on that was not committed; nothing is missing from there.
        let lag = tx.slowest().map_or(0, |slowest| slowest.lag);
        let mut journal = builder(&name.channel).open_reserved("journal").map_err(|error| error.to_string())?;
        let mut at = if reserved { next - lag } else { next };
        sends(&mut tx, &mut next).or_else(|error| if reserved { Ok(()) } else { Err(error) })?;
        follow(&mut journal, &mut at)?;
        if at != tx.sent() {
            return Err(format!("the next holder is at {at} of {}", tx.sent()));
        }
    }
    Ok(killed)
}

/// Each point of each part in its turn.
pub(crate) fn sweep() -> ExitCode {
    let (mut points, mut violations) = (0, 0);
    for part in ["sender", "joins", "reserves"] {
        for at in 1..10_000 {
            let name = match Name::of(&format!("broadcast-{part}-{at}")) {
                Ok(name) => name,
                Err(error) => {
                    eprintln!("{error}");
                    return ExitCode::FAILURE;
                }
            };
            let found = if part == "sender" { sender_at(&name, at) } else { receiver_at(part, &name, at) };
            match found {
                Ok(true) => {}
                Ok(false) => break,
                Err(why) => {
                    println!("violation: broadcast {part} Kill({at}): {why}");
                    violations += 1;
                }
            }
            points += 1;
            if violations == 30 {
                break;
            }
        }
    }
    println!("broadcast: {points} points, {violations} violations");
    if violations == 0 && points != 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
