//! The process that starts the children, plays the other side and checks the outcome.

use crate::counterpart::Counterpart;
use crate::directory::Name;
use crate::ends::Sessions;
use crate::limits::{STALL, STEP, wait_until};
use crate::message::Event;
use crate::postconditions::{check_channel, check_created, check_removed, check_resumed};
use crate::removal::{self, check_after_removal, remove_under};
use crate::run::{Fate, Run};
use crate::scenario::{self, OtherRole, Scenario};
use crate::sides::{CAPACITY, Step};
use crate::sum::Sum;
use crate::trace::Trace;
use crate::wanted::Wanted;
use ringmail::WaitStrategy;
use ringmail::shm::{Cause, OpenError, Peer, Role};
use rustix::process::Signal;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Scenarios at a time: most of each is waiting.
const AT_A_TIME: usize = 20;
/// A death is reported within this, by contract, and what a busy machine may add.
const NOTICE: Duration = Duration::from_millis(100);
const SLACK: Duration = Duration::from_millis(400);
/// After so many numbers in a row that were not reached, there are no more.
const MISSES: u64 = 3;
/// Runs in which it may be later, one after the other: a busy machine may hold up any of them.
const LATE_RUNS: usize = 5;
/// How long a stopped child stays so, and how many are.
const STOPPED: Duration = Duration::from_millis(300);
const STOPS: u64 = 8;
/// After so many violations the sweep of a scenario ends.
const MOST_VIOLATIONS: u64 = 10;

/// Runs every scenario in a process of its own and adds up what they say.
pub(crate) fn all() -> ExitCode {
    let mut waiting = scenario::ALL.iter();
    let mut running: Vec<Child> = Vec::new();
    let mut sum = Sum::default();
    let mut ok = true;
    loop {
        while running.len() < AT_A_TIME {
            let Some(next) = waiting.next() else { break };
            match Command::new("/proc/self/exe").args(["sweep", next.name]).stdout(Stdio::piped()).spawn() {
                Ok(child) => running.push(child),
                Err(error) => return fail(&format!("could not run {}: {error}", next.name)),
            }
        }
        if running.is_empty() {
            break;
        }
        let done = running.iter_mut().position(|child| !matches!(child.try_wait(), Ok(None)));
        let Some(done) = done else {
            sleep(Duration::from_millis(5));
            continue;
        };
        let Ok(output) = running.swap_remove(done).wait_with_output() else { return fail("a sweep was lost") };
        ok &= output.status.success();
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let Some(numbers) = line.strip_prefix("sum ") else {
                println!("{line}");
                continue;
            };
            sum.add(numbers);
        }
    }
    let Sum([points, runs, violations, notice, removals, left_out, told, apart, sessions]) = sum;
    println!("a death was noticed within {notice} ms");
    println!("removals: {removals} ({told} told to the child, {apart} before it opened), {left_out} points left out");
    println!("restarts: {sessions} sessions");
    println!("killsweep: {points} points × {runs} runs, {violations} violations");
    if ok && violations == 0 && points > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn fail(what: &str) -> ExitCode {
    eprintln!("{what}");
    ExitCode::FAILURE
}

/// Kills the child of `scenario` at every point, stops it at some, and removes its channel at up to `removal::MOST` points.
pub(crate) fn sweep(scenario: &Scenario, wanted: Wanted<'_>) -> ExitCode {
    let start = Instant::now();
    let (mut kills, mut violations) = (0u64, 0u64);
    let (mut removals, mut told, mut apart) = (0u64, 0u64, 0u64);
    let mut notice = Duration::ZERO;
    // Whether it was killed; `None`: there were enough violations.
    let mut judge = |fate: Fate| match in_time(scenario, fate) {
        Ok(done) => {
            notice = notice.max(done.notice);
            let counts = [done.removed, done.told, done.apart].map(u64::from);
            (removals, told, apart) = (removals + counts[0], told + counts[1], apart + counts[2]);
            Some(done.killed)
        }
        Err(what) => {
            violations += 1;
            println!("violation: {} {fate:?}: {what}", scenario.name);
            (violations < MOST_VIOLATIONS && !wanted.is_in(&what)).then_some(true)
        }
    };
    // How many points a child passes depends on who waits for whom: the end is where several numbers in a row were not reached.
    let (mut at, mut goes_on) = (0, true);
    while goes_on && at < kills + MISSES {
        at += 1;
        match judge(Fate::Kill(at)) {
            Some(true) => kills = at,
            Some(false) => {}
            None => goes_on = false,
        }
    }
    let (stops, removes) = (STOPS.min(kills), removal::MOST.min(kills));
    let fates = (0..stops).map(|i| Fate::Stop(1 + i * kills / stops));
    let mut fates = fates.chain((0..removes).map(|i| Fate::Remove(1 + i * kills / removes)));
    if !goes_on || !fates.all(|fate| judge(fate).is_some()) {
        println!("and no more of {}", scenario.name);
    }
    let runs = at + stops + removes;
    println!(
        "{:<30} {kills:4} points, {runs:4} runs ({stops} stopped, {removals} removed: {told} told, {apart} apart), {violations} violations, {:5.1} s",
        scenario.name,
        start.elapsed().as_secs_f64()
    );
    Sum([kills, runs, violations, notice.as_millis() as u64, removals, kills - removals, told, apart, 0]).print();
    if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What happened in one run.
#[derive(Clone, Copy, Default, Debug)]
struct Done {
    killed: bool,
    /// The longest time until an end was reported.
    notice: Duration,
    removed: bool,
    /// The removal was reported to the child, or the child had opened another file.
    told: bool,
    apart: bool,
    /// After how many of the child's sessions the driver had the side for a moment.
    took: Option<usize>,
}

/// Runs until each end is told in time.
fn in_time(scenario: &Scenario, fate: Fate) -> Result<Done, String> {
    let mut late = Duration::ZERO;
    for _ in 0..LATE_RUNS {
        let done = one(scenario, fate)?;
        if done.notice <= NOTICE + SLACK {
            return Ok(done);
        }
        late = done.notice;
    }
    Err(format!("an end was told after {late:?}, and {LATE_RUNS} times too late"))
}

/// One run.
fn one(scenario: &Scenario, fate: Fate) -> Result<Done, String> {
    let name = Name::new(scenario)?;
    let channel = &*name.channel;
    if scenario.alone {
        let mut run = Run::start(scenario, scenario.script, channel, 1, fate)?;
        let (mut held, mut removed) = (None, false);
        if let Fate::Stop(_) | Fate::Remove(_) = fate {
            while run.end().is_none() && !run.is_stopped() {
                sleep(Duration::from_millis(1));
            }
            removed = matches!(fate, Fate::Remove(_)) && run.end().is_none();
            if removed {
                remove_under(None, &run, scenario, &name)?;
            } else if let Fate::Stop(_) = fate {
                held = meanwhile(scenario, channel)?;
                run.signal(Signal::CONT);
            }
        }
        let killed = run.killed()?;
        let was_used = held.take().is_some();
        let trace = Trace { events: run.events() };
        if scenario.script == "remove" && !killed && !was_used && !name.files().is_empty() {
            return Err("not removed".into());
        }
        check_created(scenario, &name, &trace, killed, removed)?;
        return Ok(Done { killed, removed, ..Done::default() });
    }
    let mut counterpart =
        Counterpart::accompanied(scenario.kind, channel, scenario.role.other_role(), scenario.driver_waits)
            .map_err(|error| error.to_string())?;
    let mut first = 1;
    if scenario.succeeds {
        let script = if scenario.role == Role::Sender { "full" } else { "empty" };
        let mut before = Run::start(scenario, script, channel, 1, Fate::Live)?;
        wait_until("the first child sleeps", || counterpart.peer_parks() != 0)?;
        sleep(Duration::from_millis(1));
        before.signal(Signal::KILL);
        before.killed()?;
        if counterpart.peer() != Peer::Died {
            return Err(format!("the first child is dead, and its side is {:?}", counterpart.peer()));
        }
        if scenario.role == Role::Sender {
            first = 1 + CAPACITY as u64;
        }
    }
    // Every second time this side is told of that death before the next process opens the side. It must not be told again.
    let asked = scenario.succeeds && matches!(fate, Fate::Kill(at) if at % 2 == 0);
    if asked {
        wait_until("the first child's death is told", || counterpart.step(STEP) == Ok(Step::Ended(Cause::PeerDied)))?;
    }
    let mut run = Run::start(scenario, scenario.script, channel, first, fate)?;
    if scenario.succeeds {
        // Where this side asks for the first time after that, the first one's death must not be hidden by the second.
        wait_until("the second child opens", || !run.events().is_empty() || run.end().is_some() || run.is_stopped())?;
    }
    let before = scenario.succeeds.then_some(first - 1);
    let mut done = play(scenario, &mut counterpart, &run, fate, &name, before)?;
    let killed = run.killed()?;
    done.killed = killed;
    let trace = Trace { events: run.events() };
    let sessions = Sessions::of(&trace.events, killed, before, done.took);
    sessions.check(scenario, &counterpart.news, counterpart.next - 1, |n| counterpart.units(n))?;
    if scenario.role == Role::Sender {
        let got = counterpart.next - 1;
        let sent = trace.last_of(Event::Sent).unwrap_or(first - 1);
        let begun = trace.last_of(Event::Sending).unwrap_or(first - 1);
        if got < sent || got > begun {
            return Err(format!("received up to {got} of {sent} sent, {begun} begun"));
        }
    }
    (done.told, done.apart) = (trace.last_of(Event::Removed).is_some(), trace.last_of(Event::Apart).is_some());
    if done.removed {
        check_after_removal(counterpart, scenario, &name)?;
        return Ok(done);
    }
    match scenario.role {
        Role::Sender => {
            let again = Counterpart::open(scenario.kind, channel, Role::Sender, WaitStrategy::Park, counterpart.next)
                .map_err(|error| error.to_string())?;
            let news = counterpart.news.len();
            check_channel(again, &mut counterpart)?;
            match counterpart.news[news..] {
                [last] if last.at == counterpart.next - 1 && last.number == Some(news as u64 + 1) => {}
                _ => return Err(format!("the last session's end was told as {:?}", &counterpart.news[news..])),
            }
            counterpart.end_beside()?;
        }
        Role::Receiver => {
            let mut again = Counterpart::open(scenario.kind, channel, Role::Receiver, WaitStrategy::Park, 0)
                .map_err(|error| error.to_string())?;
            check_resumed(&mut again, &trace, &counterpart)?;
            check_channel(counterpart, &mut again)?;
        }
    }
    check_removed(&name, 0)?;
    Ok(done)
}

/// Plays the other side until the child has ended and that was reported, or until there is nothing more to report.
fn play(
    scenario: &Scenario,
    counterpart: &mut Counterpart,
    run: &Run,
    fate: Fate,
    name: &Name,
    before: Option<u64>,
) -> Result<Done, String> {
    let mut progress = Instant::now();
    let mut done = Done::default();
    let mut may_stop = matches!(fate, Fate::Stop(_) | Fate::Remove(_));
    loop {
        if may_stop && run.is_stopped() {
            may_stop = false;
            if let Fate::Remove(_) = fate {
                remove_under(Some(counterpart), run, scenario, name)?;
                done.removed = true;
            } else {
                done.took = stopped(counterpart, run, scenario, &name.channel)?;
                run.signal(Signal::CONT);
            }
            progress = Instant::now();
        }
        if scenario.slow {
            sleep(Duration::from_millis(4));
        }
        let dead = run.end();
        let step = counterpart.step(if may_stop { STEP / 20 } else { STEP })?;
        match (step, dead) {
            (Step::Ended(Cause::Removed), _) if !done.removed => {
                return Err("its file is there, and called gone".into());
            }
            (Step::Ended(Cause::Removed), Some(_)) => return Ok(done),
            (Step::Ended(Cause::Removed), None) if progress.elapsed() <= STALL => {
                // It may still move something.
                sleep(Duration::from_millis(1));
                continue;
            }
            (Step::Nothing, _) if done.removed => return Err("a wait on a file that is gone found nothing".into()),
            (Step::Nothing | Step::Ended(Cause::Removed), None) if progress.elapsed() > STALL => {
                return Err(format!(
                    "no progress; the child said {:?}, told {:?}",
                    run.events().last(),
                    counterpart.news
                ));
            }
            (Step::Nothing, None) => continue,
            // It was asked for since.
            (Step::Nothing, Some(_)) => return Ok(done),
            (Step::Moved(()), _) => progress = Instant::now(),
            (Step::Ended(_), _) => {
                progress = Instant::now();
                done.notice = dead.map_or(done.notice, |(at, _)| done.notice.max(at.elapsed()));
            }
        }
        if let (Step::Ended(_), Some((_, status))) = (step, run.end()) {
            let sessions = Sessions::of(&run.events(), !status.success(), before, done.took);
            if !done.removed && sessions.is_all(&counterpart.news) {
                return Ok(done);
            }
        }
    }
}

/// While the child is stopped, its side must not be taken from it. If it has none, the driver opens the side for a moment. Returns after how
/// many of the child's sessions that was.
fn stopped(
    counterpart: &mut Counterpart,
    run: &Run,
    scenario: &Scenario,
    channel: &str,
) -> Result<Option<usize>, String> {
    // All that it wrote has been read by then.
    sleep(STOPPED / 6);
    let trace = Trace { events: run.events() };
    let (peer, until) = (counterpart.peer(), Instant::now() + STOPPED);
    if trace.inside() && peer != Peer::Here {
        return Err(format!("stopped, and its side is {peer:?}"));
    }
    // What was told of it is judged when all is known.
    while Instant::now() < until {
        if let Step::Ended(_) = counterpart.step(STOPPED / 6)? {
            sleep(Duration::from_millis(5));
        }
    }
    if counterpart.peer() != peer {
        return Err(format!("stopped, and its side went from {peer:?} to {:?}", counterpart.peer()));
    }
    match Counterpart::open(scenario.kind, channel, scenario.role, WaitStrategy::Park, 0) {
        Err(OpenError::Taken { .. } | OpenError::NoFreeLane { .. }) => Ok(None),
        Err(error) => Err(format!("its side while it is stopped: {error}")),
        Ok(_) if trace.inside() || peer == Peer::Here => Err("its side was taken while it is stopped".into()),
        // It had none: and has one session more before its own.
        Ok(_) => Ok(Some(trace.events.iter().filter(|event| event.0 == Event::Opened).count())),
    }
}

/// While the creator of a channel is stopped, the other side can be opened. A process that removes the channel holds both sides.
fn meanwhile(scenario: &Scenario, channel: &str) -> Result<Option<Counterpart>, String> {
    sleep(STOPPED);
    match Counterpart::open(scenario.kind, channel, scenario.role.other_role(), WaitStrategy::Park, 1) {
        Ok(counterpart) => Ok(Some(counterpart)),
        Err(OpenError::Taken { .. }) if scenario.script == "remove" => Ok(None),
        Err(error) => Err(format!("while its maker is stopped: {error}")),
    }
}
