//! The sweep of `shm::broadcast`: its sender, a receiver that joins, and one at a reserved seat are killed at every point, one by one, while the others go
//! on. What must hold at every point:
//! * a receiver that stays gets the exact sequence: no message is torn, missing, or comes twice;
//! * no side that lives stops: the sender goes on past a receiver that was killed, within the time of a step;
//! * each death is told once: of the sender to its receivers, of a receiver to the sender;
//! * the next sender uses no number twice; the next holder of the reserved seat gets what the last one did not commit, in order.

use crate::child::failpoint;
use crate::directory::Name;
use crate::limits::{STALL, STEP, most_were_prompt, note_end};
use crate::message::Words;
use crate::points;
use crate::wanted::Wanted;
use ringmail::shm::broadcast::{Builder, Receiver, Sender};
use ringmail::shm::{Cause, OpenError, RecvTimeoutError};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, yield_now};
use std::time::{Duration, Instant};

const CAPACITY: usize = 4;
/// Messages that a child sends one by one, and in a slice.
const SINGLE: u64 = 3;
const SLICE: u64 = 7;
/// Messages that a child receives one by one, and by a handler.
const TAKEN: u64 = 3;

/// After so many the sweep of a part ends.
const MOST_VIOLATIONS: u64 = 30;

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

/// Takes what comes, until an end is told or nothing comes for `step`.
fn follow(rx: &mut Receiver<Words>, next: &mut u64, step: Duration) -> Result<Option<Cause>, String> {
    loop {
        match rx.recv_timeout(step) {
            Ok(words) => take(words, next)?,
            Err(RecvTimeoutError::Disconnected(cause)) => return Ok(Some(cause)),
            Err(RecvTimeoutError::Timeout) => return Ok(None),
        }
    }
}

fn take(words: Words, next: &mut u64) -> Result<(), String> {
    match words.number()? {
        found if found == *next => *next += 1,
        found => return Err(format!("message {next} is {found}")),
    }
    Ok(())
}

/// Takes what comes until it has all of `sent`. How many ends were told on the way.
fn catch_up(rx: &mut Receiver<Words>, next: &mut u64, sent: u64) -> Result<usize, String> {
    let mut ends = 0;
    while *next < sent {
        match rx.recv_timeout(STALL) {
            Ok(words) => take(words, next)?,
            Err(RecvTimeoutError::Disconnected(_)) => ends += 1,
            Err(RecvTimeoutError::Timeout) => return Err(format!("a receiver has {next} of {sent}, and gets no more")),
        }
    }
    Ok(ends)
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
    let dead = Arc::new(OnceLock::new());
    let followers: Vec<JoinHandle<_>> = [stays, journal]
        .into_iter()
        .map(|mut rx| {
            let dead = Arc::clone(&dead);
            std::thread::spawn(move || {
                let mut next = 0;
                loop {
                    // One that was killed before its session began is not told.
                    let over = dead.get().is_some();
                    let step = if over && next != 0 { STALL } else { STEP };
                    let told = follow(&mut rx, &mut next, step)?;
                    if told.is_some() {
                        note_end(dead.get().map_or(Duration::ZERO, Instant::elapsed));
                    }
                    if told.is_some() || over {
                        return Ok::<_, String>((rx, next, told));
                    }
                }
            })
        })
        .collect();
    let killed = run("sender", &name.channel, at);
    let _ = dead.set(Instant::now());
    let mut ends = Vec::new();
    for follower in followers {
        ends.push(follower.join().map_err(|_| "a follower panicked")??);
    }
    let killed = killed?;
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
    for (mut rx, mut next, told) in ends {
        tx.send(Words::new(tx.sent())).map_err(|error| error.to_string())?;
        // Of one that was killed while its session was set up.
        let late = catch_up(&mut rx, &mut next, tx.sent())?;
        if late > usize::from(told.is_none()) {
            return Err(format!("told {told:?} of the one that was killed, and then {late} more"));
        }
    }
    Ok(killed)
}

/// Whether the sender waits for a reserved seat that no process has.
fn holds_a_place(tx: &Sender<Words>) -> bool {
    tx.slowest().is_some_and(|slowest| slowest.name.is_some() && slowest.vacant)
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
    let mut sends = |tx: &mut Sender<Words>, next: &mut u64, limit: Duration| -> Result<(), String> {
        let late = Instant::now() + limit;
        while let Err(error) = tx.send_timeout(Words::new(*next), STEP / 4) {
            if Instant::now() >= late || holds_a_place(tx) {
                return Err(format!("the sender stops: {error}, {tx:?}"));
            }
        }
        match stays.recv_timeout(STALL).map(|words| words.number()) {
            Ok(Ok(found)) if found == *next => *next += 1,
            other => return Err(format!("message {next} is {other:?}")),
        }
        Ok(())
    };
    let mut reserved = false;
    while after != 0 {
        if victim.is_finished() {
            after -= 1;
            reserved = holds_a_place(&tx);
            if reserved && tx.slowest().is_some_and(|slowest| slowest.lag == CAPACITY as u64) {
                break;
            }
        }
        if let Err(error) = sends(&mut tx, &mut next, 10 * STEP) {
            // Killed while the sender waited for it: a reserved seat keeps its place.
            if part != "joins" && holds_a_place(&tx) {
                break;
            }
            return Err(error);
        }
        // Others need the core. No pause: it looks at the seats once in a lap, and a receiver that comes and goes between two looks is not told.
        yield_now();
    }
    let killed = victim.join().map_err(|_| "no child")??;
    reserved |= tx.slowest().is_some_and(|slowest| slowest.name.is_some());
    // The kernel is asked, so all that is to be told is; unless this process is held up for longer than it waits.
    let (mut told, late) = (Vec::new(), Instant::now() + 10 * STEP);
    loop {
        if reserved {
            match tx.send_timeout(Words::new(next), STEP) {
                Ok(()) => return Err("a reserved seat was passed over".into()),
                Err(_) if part == "joins" => return Err("a seat is reserved that was not to be".into()),
                Err(_) => {}
            }
        }
        told.extend(std::iter::from_fn(|| tx.departed()));
        if killed || !reserved || !told.is_empty() || Instant::now() >= late {
            break;
        }
    }
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
        // With its seat as full as it may be, there is room for none.
        let limit = if reserved { STEP } else { STALL };
        sends(&mut tx, &mut next, limit).or_else(|error| if reserved { Ok(()) } else { Err(error) })?;
        let ends = catch_up(&mut journal, &mut at, tx.sent())?;
        // Nothing more, no message twice, and no end: this sender lives.
        let more = follow(&mut journal, &mut at, STEP / 4)?;
        if ends != 0 || more.is_some() || at != tx.sent() {
            return Err(format!("the next holder is at {at} of {}, and was told {ends} ends and {more:?}", tx.sent()));
        }
    }
    Ok(killed)
}

/// Each point of each part, several at a time.
pub(crate) fn sweep(wanted: Wanted<'_>) -> ExitCode {
    let (mut points, mut violations) = (0, 0);
    for part in ["sender", "joins", "reserves"] {
        let found = points::sweep(&format!("broadcast {part}"), MOST_VIOLATIONS, wanted, |at| {
            let once = || {
                let name = Name::of(&format!("broadcast-{part}-{at}"))?;
                if part == "sender" { sender_at(&name, at) } else { receiver_at(part, &name, at) }
            };
            // The sender may be held up while a receiver comes and goes: then it is told nothing.
            let untold = |done: &Result<bool, String>| done.as_ref().is_err_and(|what| what.starts_with("told []"));
            let again = (0..4).map(|_| once()).find(|done| !untold(done));
            again.unwrap_or_else(once)
        });
        points += found.points;
        violations += found.violations;
        println!("broadcast {part}: {} points", found.points);
    }
    let prompt = most_were_prompt("broadcast");
    println!("broadcast: {points} points, {violations} violations");
    if violations == 0 && points != 0 && prompt { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
