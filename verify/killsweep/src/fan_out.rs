//! The sweep of `shm::fan_out`: a worker is killed at every point, and so is the sender; the driver plays the others.
//!
//! The worker that is killed takes messages of its own lane and of one that another worker has left, by each verb. What must hold at every point:
//! * each message is received by one worker. One that a handler was given comes again, once, unless the handler has returned; one in
//!   the middle of a `recv` may be gone with the process that was killed there;
//! * no message is torn or missing, and what a receive has returned does not come again;
//! * the next worker takes the lane, and the sender's end is told once all is received.
//!
//! Of the sender:
//! * each message whose send has returned is received once, and no other but the one that is being sent;
//! * the end of each session that had begun is told once to each worker, with its right cause, and the next sender goes on.

use crate::child::failpoint;
use crate::directory::Name;
use crate::limits::{STALL, STEP};
use crate::message::{Event, Words, report};
use crate::points;
use crate::wanted::Wanted;
use ringmail::WaitStrategy;
use ringmail::shm::fan_out::{Builder, Receiver, Sender};
use ringmail::shm::{Cause, Peer, RecvTimeoutError};
use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const LANES: usize = 3;
const CAPACITY: usize = 4;
/// After so many the sweep of a part ends.
const MOST_VIOLATIONS: u64 = 20;
/// Without a message for so long a child that is a worker ends.
const IDLE: Duration = Duration::from_millis(60);

fn builder(channel: &str) -> Builder<Words> {
    Builder::new(channel).lanes(LANES).capacity(CAPACITY).wait(WaitStrategy::ParkAtOnce)
}

fn number(words: Words) -> u64 {
    words.number().unwrap_or_else(|torn| {
        eprintln!("{torn}");
        report(Event::Wrong, 0);
        std::process::exit(3)
    })
}

/// The child: killed at point `at`, of none if that is 0.
pub(crate) fn child(part: &str, channel: &str, at: &str) -> ExitCode {
    failpoint::arm(at.parse().expect("a number"));
    match part {
        "worker" => receive(channel),
        _ => send(channel),
    }
    report(Event::Finished, failpoint::passed());
    ExitCode::SUCCESS
}

fn receive(channel: &str) {
    let mut rx = builder(channel).open_receiver().expect("a worker");
    report(Event::Opened, rx.lane() as u64);
    // Messages of both lanes by each verb: one of each in turn.
    for turn in 0.. {
        report(Event::Receiving, 0);
        match rx.recv_timeout(IDLE) {
            Ok(words) => report(Event::Received, number(words)),
            Err(_) => break,
        }
        let handle = |words: Words| report(Event::Handled, number(words));
        report(Event::Handling, 0);
        if turn % 2 == 0 {
            let _ = rx.try_recv_with(|words| handle(*words));
        } else {
            rx.drain(2, handle);
        }
        report(Event::Freed, 0);
    }
    report(Event::Closing, 0);
    drop(rx);
    report(Event::Closed, 0);
}

fn send(channel: &str) {
    let mut tx = builder(channel).open_sender().expect("the sending side");
    report(Event::Opened, tx.epoch());
    let send = |tx: &mut Sender<Words>, number: u64| {
        report(Event::Sending, number);
        let sent = match number % 3 {
            0 => tx.send_by_key(&number, Words::new(number)),
            _ => tx.send(Words::new(number)),
        };
        sent.expect("there are workers");
        report(Event::Sent, number);
    };
    (0..6).for_each(|number| send(&mut tx, number));
    // One of the workers leaves now.
    report(Event::Handling, 0);
    let late = Instant::now() + STALL;
    while tx.peer(1) == Some(Peer::Here) && Instant::now() < late {
        std::thread::yield_now();
    }
    (6..10).for_each(|number| send(&mut tx, number));
    report(Event::Closing, 0);
    tx.close();
    drop(tx);
    report(Event::Closed, 0);
}

/// A child that runs.
struct Run {
    child: Child,
    events: mpsc::Receiver<(Event, u64)>,
    seen: Vec<(Event, u64)>,
}

impl Run {
    fn start(part: &str, channel: &str, at: u64) -> Result<Self, String> {
        let mut command = Command::new("/proc/self/exe");
        command.args(["fan-out-child", part, channel, &at.to_string()]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("no child: {error}"))?;
        let mut out = child.stdout.take().ok_or("no pipe")?;
        let (tell, events) = mpsc::channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 8];
            while out.read_exact(&mut bytes).is_ok() {
                Event::decode(bytes).map(|event| tell.send(event));
            }
        });
        Ok(Self { child, events, seen: Vec::new() })
    }

    /// Waits for such an event, or the child's end. Whether it has come.
    fn wait_for(&mut self, what: Event) -> bool {
        while let Ok(event) = self.events.recv() {
            self.seen.push(event);
            if event.0 == what {
                return true;
            }
        }
        false
    }

    /// Whether it was killed. Waits for its end.
    fn killed(&mut self) -> Result<bool, String> {
        while let Ok(event) = self.events.recv_timeout(STALL) {
            self.seen.push(event);
        }
        if self.seen.iter().any(|event| event.0 == Event::Wrong) {
            return Err("it saw what must not be: a torn message".into());
        }
        let ended = self.child.wait().map_err(|error| format!("no child: {error}"))?;
        match (ended.success(), ended.signal()) {
            (true, _) => Ok(false),
            (_, Some(9)) => Ok(true),
            _ => Err(format!("the child ended with {ended} after {:?}", self.seen.last())),
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Takes all that there is for `rx`, up to an end. What was told.
fn drain(rx: &mut Receiver<Words>, into: &mut Vec<u64>, step: Duration) -> Result<Option<Cause>, String> {
    loop {
        match rx.recv_timeout(step) {
            Ok(words) => into.push(words.number()?),
            Err(RecvTimeoutError::Timeout) => return Ok(None),
            Err(RecvTimeoutError::Disconnected(cause)) => return Ok(Some(cause)),
        }
    }
}

/// What became of each message at the child, in its own words.
fn of_child(seen: &[(Event, u64)]) -> (Vec<u64>, Vec<u64>, bool) {
    let (mut had, mut open) = (Vec::new(), Vec::new());
    for &(event, number) in seen {
        match event {
            Event::Received => had.push(number),
            Event::Handled => open.push(number),
            Event::Freed => had.append(&mut open),
            _ => {}
        }
    }
    let in_receive = seen.last().is_some_and(|event| event.0 == Event::Receiving);
    (had, open, in_receive)
}

/// One of the others leaves before the worker comes: what it left is taken at the same points each time.
fn worker_after_another_at(name: &Name, at: u64) -> Result<bool, String> {
    worker_beside(name, at, true)
}

/// One of the others leaves while the worker is at work.
fn worker_at(name: &Name, at: u64) -> Result<bool, String> {
    worker_beside(name, at, false)
}

fn worker_beside(name: &Name, at: u64, leaves_first: bool) -> Result<bool, String> {
    let open = || builder(&name.channel).open_receiver().map_err(|error| format!("a worker: {error}"));
    let mut tx = builder(&name.channel).open_sender().map_err(|error| error.to_string())?;
    let (mut stays, free, leaves) = (open()?, open()?, open()?);
    drop(free);
    let mut leaves = Some(leaves);
    let mut sent = 0;
    let mut send = |tx: &mut Sender<Words>| {
        if tx.try_send(Words::new(sent)).is_err() {
            return false;
        }
        sent += 1;
        true
    };
    (0..6).for_each(|_| _ = send(&mut tx));
    if leaves_first {
        leaves = None;
    }
    let mut run = Run::start("worker", &name.channel, at)?;
    if run.wait_for(Event::Opened) {
        (0..4).for_each(|_| _ = send(&mut tx));
    }
    drop(leaves);
    while send(&mut tx) {}
    let killed = run.killed()?;
    let (had, open_ones, in_receive) = of_child(&run.seen);
    let mut rest = Vec::new();
    let late = Instant::now() + STALL;
    while !tx.is_empty() {
        if Instant::now() > late {
            return Err(format!(
                "{} messages stay in the lanes; the child ended after {:?}",
                tx.len(),
                run.seen.last()
            ));
        }
        drain(&mut stays, &mut rest, Duration::from_millis(1))?;
    }
    let mut counts = BTreeMap::new();
    had.iter().chain(&rest).for_each(|&number| *counts.entry(number).or_insert(0) += 1);
    if let Some((number, _)) = counts.iter().find(|(_, count)| **count != 1) {
        return Err(format!(
            "message {number} of {sent} was received twice: the child had {had:?}, the others {rest:?}"
        ));
    }
    // A `drain` frees several at once: killed behind that, they do not come again though the child did not say so.
    let gone: Vec<_> = (0..sent).filter(|number| !counts.contains_key(number)).collect();
    let excused = |number: &u64| killed && open_ones.contains(number);
    let lost: Vec<_> = gone.iter().filter(|number| !excused(number)).collect();
    if lost.len() > usize::from(killed && in_receive) {
        return Err(format!("lost {lost:?} of {sent}: the child had {had:?} and {open_ones:?}, the others {rest:?}"));
    }
    // The lane goes to another, and the end is told to both.
    let mut next = open()?;
    tx.send(Words::new(sent)).map_err(|refused| refused.to_string())?;
    drop(tx);
    let (mut last, mut told) = (Vec::new(), [None; 2]);
    let late = Instant::now() + STALL;
    while told.contains(&None) && Instant::now() < late {
        for (rx, told) in [&mut stays, &mut next].into_iter().zip(&mut told) {
            if told.is_none() {
                *told = drain(rx, &mut last, Duration::from_millis(1))?;
            }
        }
    }
    let is_told = told == [Some(Cause::Closed); 2];
    if last != [sent] || !is_told {
        return Err(format!("after that {last:?} of [{sent}], told {told:?}"));
    }
    Ok(killed)
}

/// Takes what each of the two workers finds, up to a wait in vain of `step` each.
fn poll(
    rxs: [&mut Receiver<Words>; 2],
    got: &mut Vec<u64>,
    ends: &mut [Vec<Cause>; 2],
    step: Duration,
) -> Result<(), String> {
    for (rx, ends) in rxs.into_iter().zip(ends) {
        while let Some(cause) = drain(rx, got, step)? {
            ends.push(cause);
        }
    }
    Ok(())
}

fn sender_at(name: &Name, at: u64) -> Result<bool, String> {
    let open = || builder(&name.channel).open_receiver().map_err(|error| format!("a worker: {error}"));
    let (mut stays, leaves, mut busy) = (open()?, open()?, open()?);
    let mut run = Run::start("sender", &name.channel, at)?;
    run.wait_for(Event::Handling);
    drop(leaves);
    let (mut got, mut ends) = (Vec::new(), [Vec::new(), Vec::new()]);
    while run.child.try_wait().map_err(|error| error.to_string())?.is_none() {
        poll([&mut stays, &mut busy], &mut got, &mut ends, Duration::from_millis(1))?;
    }
    let killed = run.killed()?;
    // One that was killed before its session began is not told.
    let opened = run.seen.iter().any(|event| event.0 == Event::Opened);
    let late = Instant::now() + if opened { STALL } else { 2 * STEP };
    while ends.iter().any(Vec::is_empty) && Instant::now() < late {
        poll([&mut stays, &mut busy], &mut got, &mut ends, Duration::from_millis(1))?;
    }
    // Told once.
    poll([&mut stays, &mut busy], &mut got, &mut ends, STEP / 4)?;
    let last_of = |what| run.seen.iter().rev().find(|event| event.0 == what).map_or(0, |event| event.1 + 1);
    let (sent, begun) = (last_of(Event::Sent), last_of(Event::Sending));
    got.sort_unstable();
    if !got.iter().copied().eq(0..got.len() as u64) || (got.len() as u64) < sent || got.len() as u64 > begun {
        return Err(format!("received {got:?} of {sent} sent, {begun} begun"));
    }
    let closed = run.seen.iter().any(|event| event.0 == Event::Closed);
    for ends in &ends {
        let is_right = match ends[..] {
            [] => !opened,
            [Cause::Closed] => true,
            [Cause::PeerDied] => killed && !closed,
            _ => false,
        };
        if !is_right {
            return Err(format!("told {ends:?}; opened: {opened}, closed: {closed}, killed: {killed}"));
        }
    }
    // The next one goes on.
    let mut tx = builder(&name.channel).open_sender().map_err(|error| error.to_string())?;
    let mut last = Vec::new();
    for number in 0..6 {
        tx.send_by_key(&number, Words::new(number)).map_err(|refused| refused.to_string())?;
        while !tx.is_empty() {
            drain(&mut stays, &mut last, Duration::from_millis(1))?;
            drain(&mut busy, &mut last, Duration::from_millis(1))?;
        }
    }
    drop(tx);
    let told = [drain(&mut stays, &mut last, STALL)?, drain(&mut busy, &mut last, STALL)?];
    if last != [0, 1, 2, 3, 4, 5] || told != [Some(Cause::Closed); 2] {
        return Err(format!("from the next sender {last:?}, told {told:?}"));
    }
    Ok(killed)
}

/// Plays the others of a part that is killed at one point. Whether there is such a point.
type AtPoint = fn(&Name, u64) -> Result<bool, String>;

/// Each point of each part, several at a time.
pub(crate) fn sweep(wanted: Wanted<'_>) -> ExitCode {
    let parts: [(&str, AtPoint); 3] =
        [("worker", worker_at), ("worker after another", worker_after_another_at), ("sender", sender_at)];
    let (mut points, mut violations) = (0, 0);
    for (part, at_point) in parts {
        let found = points::sweep(&format!("fan_out {part}"), MOST_VIOLATIONS, wanted, |at| {
            at_point(&Name::of(&format!("fan-out-{part}-{at}"))?, at)
        });
        points += found.points;
        violations += found.violations;
        println!("fan_out {part}: {} points", found.points);
    }
    println!("fan_out: {points} points, {violations} violations");
    if violations == 0 && points != 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
