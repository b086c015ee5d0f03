//! Sessions that follow each other, with the driver one behind.

use crate::counterpart::Counterpart;
use crate::directory::Name;
use crate::limits::{STALL, wait_until};
use crate::run::{Fate, Run};
use crate::scenario::{OtherRole, Scenario};
use crate::sides::{CAPACITY, Step};
use crate::sum::Sum;
use crate::wanted::Wanted;
use ringmail::shm::{Cause, Role};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Messages of each session.
const EACH: u64 = 2;
/// In a row.
const MANY: usize = 50;

/// How a session ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Close,
    Kill,
    Panic,
}

use End::{Close, Kill, Panic};

impl End {
    const ALL: [Self; 3] = [Close, Kill, Panic];

    /// The cause that the other side is told.
    fn cause(self) -> Cause {
        match self {
            Close => Cause::Closed,
            Kill => Cause::PeerDied,
            Panic => Cause::GivenUp,
        }
    }
}

/// Each order of three, and many in a row.
pub(crate) fn sweep(scenario: &Scenario, wanted: Wanted<'_>) -> ExitCode {
    let start = Instant::now();
    let three = |i: usize| [i / 9, i / 3 % 3, i % 3].map(|end| End::ALL[end]).to_vec();
    let many = (0..MANY).map(|i| End::ALL[(i + i / 3 + i / 9) % 3]).collect();
    let (mut sessions, mut violations) = (0, 0);
    let orders: Vec<Vec<End>> = (0..27).map(three).chain([many]).collect();
    for ends in &orders {
        sessions += ends.len() as u64;
        if let Err(what) = follow(scenario, ends) {
            violations += 1;
            println!("violation: {} {ends:?}: {what}", scenario.name);
            if wanted.is_in(&what) {
                break;
            }
        }
    }
    println!(
        "{:<30} 27 orders of 3 and {MANY} in a row, {sessions} sessions, {violations} violations, {:5.1} s",
        scenario.name,
        start.elapsed().as_secs_f64()
    );
    Sum([0, sessions, violations, 0, 0, 0, 0, 0, sessions]).print();
    if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Sessions that end like this, one after the other. The driver sees each only when the next has begun.
fn follow(scenario: &Scenario, ends: &[End]) -> Result<(), String> {
    let name = Name::new(scenario)?;
    let role = scenario.role.other_role();
    let mut counterpart = Counterpart::accompanied(scenario.kind, &name.channel, role, scenario.driver_waits)
        .map_err(|error| error.to_string())?;
    let verb = if scenario.role == Role::Sender { "sends" } else { "receives" };
    for (before, end) in ends.iter().enumerate() {
        let first = 1 + EACH * before as u64;
        let script = format!("{verb}-{end:?}").to_lowercase();
        let mut run = Run::start(scenario, &script, &name.channel, first, Fate::Live)?;
        wait_until("a session begins", || !run.events().is_empty())?;
        told_of(&mut counterpart, scenario.role, &ends[..before])?;
        if scenario.role == Role::Receiver {
            while counterpart.next < first + EACH {
                moved(&mut counterpart)?;
            }
        }
        if run.killed()? != (*end == Kill) {
            return Err(format!("session {} did not end by {end:?}", before + 1));
        }
    }
    told_of(&mut counterpart, scenario.role, ends)?;
    // The channel may fill up; then nothing more is reported.
    for _ in 0..=CAPACITY {
        match counterpart.step(Duration::ZERO)? {
            Step::Moved(()) if scenario.role == Role::Receiver => {}
            Step::Nothing => return Ok(()),
            found => return Err(format!("after the last end: {found:?}")),
        }
    }
    Err("the channel does not fill up".into())
}

/// The last of these sessions is over. The other side receives all that it sent, and then its end with its number. A sender learns of the end
/// before the channel is full.
fn told_of(counterpart: &mut Counterpart, role: Role, ends: &[End]) -> Result<(), String> {
    let Some(end) = ends.last() else { return Ok(()) };
    let number = ends.len() as u64;
    while counterpart.news.len() < ends.len() {
        moved(counterpart).map_err(|what| format!("session {number}: {what}"))?;
    }
    let news = counterpart.news[ends.len() - 1];
    let is_at = role == Role::Receiver
        || news.at == EACH * number
            && news.number == Some(number)
            && news.sent.is_none_or(|sent| sent == counterpart.units(news.at));
    if news.ended == end.cause() && is_at { Ok(()) } else { Err(format!("session {number} ended, told {news:?}")) }
}

/// One step in which a message moves or an end is told.
fn moved(counterpart: &mut Counterpart) -> Result<(), String> {
    match counterpart.step(STALL)? {
        Step::Moved(()) | Step::Ended(_) => Ok(()),
        Step::Nothing => Err(format!("nothing moves, and {} ends were told", counterpart.news.len())),
    }
}
