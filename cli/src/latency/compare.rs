//! `ringmail latency compare`: whether one build is slower than another.
//!
//! ```text
//!   reports ──> alike ──> level (slices that can be compared) ──> effect (how much, how sure) ──> table
//! ```

mod alike;
mod effect;
mod level;
#[cfg(test)]
mod simulation;
mod statistic;
mod student;
mod table;

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::measure::shuffle::Random;
use crate::options::When;
use crate::output;
use crate::reading;
use crate::report::{Pair, Report};
use effect::{Effect, Run};
use level::Level;
use statistic::{Statistic, Subject};

const LONG: &str = "\
Compares runs of two builds: A is the base, B is judged.

A row is a statistic of a pair. It shows B over A and the interval that holds the true ratio; the intervals of
all rows hold together with 95 % confidence, and p50 has half of what they may miss. 'slower' or 'faster' means
that the whole interval lies on one side of 1.

What is compared is the channel over the floor of the same slice: the host of a virtual machine may move its
cores, which changes both. A slice is compared only with slices whose floor was alike. --absolute
compares times instead, and then counts what the floor itself moved by as error.

The samples of a visit are not independent. So visits are resampled, never samples. One run of a build differs
from the next by more than its visits show: 1.5 % is assumed. With three runs or more a side, runs are resampled
and nothing is assumed.";

const EXAMPLES: &str = "\
Examples:
  ringmail latency compare before.json after.json
  ringmail latency compare before.json after.json --fail-over p50=3% --fail-over p99=10%
  ringmail latency compare a1.json a2.json a3.json --against b1.json b2.json b3.json

Exit codes:
  0  compared; nothing is slower by more than --fail-over allows
  1  a whole interval lies above a limit of --fail-over
  2  bad arguments, reports that cannot be compared, or no pair of which anything could be";

#[derive(Debug, Args)]
#[command(long_about = LONG, after_help = EXAMPLES)]
pub(crate) struct Compare {
    /// Reports that --json wrote: A and B; with --against, all of A
    #[arg(value_name = "RUN.json", required = true)]
    runs: Vec<PathBuf>,
    /// Reports of B
    #[arg(long, value_name = "RUN.json", num_args = 1..)]
    against: Vec<PathBuf>,
    /// Exit with 1 if the statistic of a pair is slower by more than this for certain: p50, mean, p90, p99 or p99.9
    #[arg(long, value_name = "STATISTIC=PERCENT", value_parser = limit)]
    fail_over: Vec<Limit>,
    /// Compare times, not ratios to the floor
    #[arg(long)]
    absolute: bool,
    /// Compare what two runs share, even if they were not called alike
    #[arg(long)]
    anyway: bool,
}

/// By how much a statistic may be slower.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Limit {
    statistic: Statistic,
    /// 0.1 for 10 %.
    share: f64,
}

fn limit(text: &str) -> Result<Limit, String> {
    let help = "expected a statistic and a percentage, such as p99=10%";
    let (name, share) = text.split_once('=').ok_or(help)?;
    let statistic = Statistic::ALL.into_iter().find(|statistic| statistic.name() == name);
    let statistic = statistic.ok_or("the statistic must be p50, mean, p90, p99 or p99.9")?;
    let percent: f64 = share.strip_suffix('%').and_then(|number| number.parse().ok()).ok_or(help)?;
    if !(0.0..=1000.0).contains(&percent) {
        return Err("the percentage must lie between 0% and 1000%".into());
    }
    Ok(Limit { statistic, share: percent / 100.0 })
}

/// What an interval shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Slower,
    Faster,
    NotShown,
}

/// One statistic of one pair, or of all pairs.
#[derive(Debug)]
struct Row {
    /// `None`: of all pairs.
    cores: Option<[usize; 2]>,
    subject: Subject,
    statistic: Statistic,
    effect: Effect,
    interval: [f64; 2],
}

impl Row {
    fn verdict(&self) -> Verdict {
        match self.interval {
            [low, _] if low > 1.0 => Verdict::Slower,
            [_, high] if high < 1.0 => Verdict::Faster,
            _ => Verdict::NotShown,
        }
    }
}

/// What two sides differ by.
#[derive(Debug, Default)]
struct Comparison {
    rows: Vec<Row>,
    /// What was not compared, and why.
    notes: Vec<String>,
    /// Pairs, and the levels at which each was compared.
    levels: Vec<([usize; 2], Vec<Level>)>,
}

/// All intervals together miss a true ratio with this probability.
const MISS: f64 = 0.05;

/// Above this share of time in stalls, a mean or a p99.9 tells of the machine.
const STALLED: f64 = 0.01;

/// Seed of the resampling: the same reports give the same table.
const SEED: u64 = 1;

pub(crate) fn run(args: &Compare) -> Result<ExitCode, Failure> {
    let (a, b) = match (args.runs.as_slice(), args.against.as_slice()) {
        ([a, b], []) => (std::slice::from_ref(a), std::slice::from_ref(b)),
        (a, b @ [_, ..]) => (a, b),
        _ => {
            return Err(Failure::usage(
                "compare needs two reports, A.json and B.json; of more, name those of B behind --against",
            ));
        }
    };
    let read = |paths: &[PathBuf]| {
        let named = paths.iter().map(|path| Ok((path.display().to_string(), reading::report(path)?)));
        named.collect::<Result<Vec<_>, Failure>>()
    };
    let (mut all, of_a) = (read(a)?, a.len());
    all.extend(read(b)?);
    if let Some((name, _)) = all.iter().find(|(_, report)| report.pairs.is_empty()) {
        return Err(Failure::usage(format!("{name}: the report holds no pairs, and compare reads nothing else")));
    }
    for (at, (name, report)) in all.iter().enumerate() {
        let same = |other: &Report| {
            let slices = |report: &Report| report.pairs.iter().map(|pair| pair.slices_ns.clone()).collect::<Vec<_>>();
            (other.started_unix_s, other.settings.seed) == (report.started_unix_s, report.settings.seed)
                && slices(other) == slices(report)
        };
        if let Some((other, _)) = all[..at].iter().find(|(_, other)| same(other)) {
            return Err(Failure::usage(format!("{name} and {other} are of one run: name each run once")));
        }
    }
    if !args.anyway {
        alike::check(&all)?;
    }
    let reports: Vec<&Report> = all.iter().map(|(_, report)| report).collect();
    let (a, b) = reports.split_at(of_a);
    let comparison = compare(a, b, args.absolute);
    let over = table::over(&comparison, &args.fail_over)?;
    let text = table::draw(&comparison, [a, b], args.absolute, &over, output::look(When::Auto, false, false));
    output::to_stdout(&text).map_err(|error| Failure::failed(format!("cannot write to standard output: {error}")))?;
    if comparison.rows.is_empty() {
        return Err(Failure::usage("nothing could be compared: measure longer, or several runs a side by turns"));
    }
    Ok(if over.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Compares each pair that both sides have.
fn compare(a: &[&Report], b: &[&Report], absolute: bool) -> Comparison {
    let mut random = Random::new(SEED);
    let mut found = Comparison::default();
    let mut effects: Vec<(Option<[usize; 2]>, Subject, Statistic, Effect)> = Vec::new();
    let (in_a, in_b) = (by_cores(a), by_cores(b));
    let mut cores: Vec<[usize; 2]> = in_a.keys().copied().collect();
    cores.sort_unstable();
    for cores in cores {
        let (Some(a), Some(b)) = (in_a.get(&cores), in_b.get(&cores)) else { continue };
        match pair(a, b, absolute, &mut random) {
            Ok((levels, rows, mut notes)) => {
                found.levels.push((cores, levels));
                effects.extend(
                    rows.into_iter().map(|(subject, statistic, effect)| (Some(cores), subject, statistic, effect)),
                );
                found.notes.extend(notes.drain(..).map(|note| format!("{}-{}: {note}", cores[0], cores[1])));
            }
            Err(reason) => found.notes.push(format!("{}-{}: not compared: {reason}", cores[0], cores[1])),
        }
    }
    let mut of_all = Vec::new();
    for subject in [Subject::Channel, Subject::Processes] {
        for statistic in Statistic::ALL {
            let of = effects.iter().filter(|(_, s, t, _)| (*s, *t) == (subject, statistic)).map(|(.., effect)| *effect);
            let effect = Effect::of_pairs(&of.collect::<Vec<_>>(), [a.len(), b.len()], &mut random);
            of_all.extend(effect.map(|effect| (None, subject, statistic, effect)));
        }
    }
    let all: Vec<_> = of_all.into_iter().chain(effects).collect();
    let is_p50 = |statistic: Statistic| statistic == Statistic::P50;
    let p50 = all.iter().filter(|(_, _, statistic, _)| is_p50(*statistic)).count();
    let others = all.len() - p50;
    let miss = |statistic| MISS / 2.0 / if is_p50(statistic) { p50 } else { others } as f64;
    let rows = all.into_iter().map(|(cores, subject, statistic, effect)| Row {
        cores,
        subject,
        statistic,
        interval: effect.interval(miss(statistic)),
        effect,
    });
    found.rows = rows.collect();
    found
}

/// The runs of each pair.
fn by_cores<'a>(reports: &[&'a Report]) -> HashMap<[usize; 2], Vec<&'a Pair>> {
    let mut all: HashMap<_, Vec<&Pair>> = HashMap::new();
    for pair in reports.iter().flat_map(|report| &report.pairs) {
        all.entry(pair.cores).or_default().push(pair);
    }
    all
}

type Compared = (Vec<Level>, Vec<(Subject, Statistic, Effect)>, Vec<String>);

/// Compares one pair in runs of A and B; or says why not.
fn pair(a: &[&Pair], b: &[&Pair], absolute: bool, random: &mut Random) -> Result<Compared, String> {
    let kind = a[0].floor_kind;
    if a.iter().chain(b).any(|pair| pair.floor_kind != kind) {
        return Err(format!("the floor is of {} in one run and of {} in another", kind.name(), kind.other().name()));
    }
    let levels = Level::shared([a, b]);
    if levels.is_empty() {
        return Err("the two sides never met the same floor, so the machine was not the same: measure again, alternating A and B".into());
    }
    let at_levels = |of: &dyn Fn(&Level, &Pair) -> Run| {
        let of_side = |level, side: &[&Pair]| side.iter().map(|pair| of(level, pair)).collect::<Vec<_>>();
        levels.iter().map(|level| [of_side(level, a), of_side(level, b)]).collect::<Vec<_>>()
    };
    // What the machine itself moved by within the levels.
    let floors = at_levels(&|level, pair| level.run(pair, |_, floor| Some(floor)));
    let moved = Effect::between(&floors, random).map_or(0.0, |effect| effect.log);
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    for subject in [Subject::Channel, Subject::Processes] {
        let trips: Vec<u32> =
            a.iter().chain(b).filter_map(|pair| Some(subject.figures(pair)?.trips_per_sample)).collect();
        let one_length = trips.windows(2).all(|two| two[0] == two[1]);
        if !one_length {
            notes.push("no mean or percentile above p50: samples were of different numbers of round trips".into());
        }
        let stalled =
            a.iter().chain(b).filter_map(|pair| Some(subject.figures(pair)?.stalled_share)).fold(0.0, f64::max);
        let is_restless = stalled > STALLED;
        if is_restless && one_length {
            let share = stalled * 100.0;
            notes.push(format!(
                "no mean and no p99.9: stalls took {share:.1} % of the time of a run, so they would compare the machine"
            ));
        }
        let compared = |statistic: &Statistic| match statistic {
            Statistic::P50 => true,
            Statistic::Mean | Statistic::P999 => one_length && !is_restless,
            Statistic::P90 | Statistic::P99 => one_length,
        };
        for statistic in Statistic::ALL.into_iter().filter(compared) {
            let of = at_levels(&|level, pair| level.statistic(pair, subject, statistic, absolute));
            let Some(mut effect) = Effect::between(&of, random) else { continue };
            if absolute {
                effect.error = effect.error.hypot(moved);
            }
            rows.push((subject, statistic, effect));
        }
    }
    if rows.is_empty() {
        return Err("too few slices with a steady floor: measure longer with --duration".into());
    }
    Ok((levels, rows, notes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read() {
        assert_eq!(limit("p99=10%"), Ok(Limit { statistic: Statistic::P99, share: 0.1 }));
        assert_eq!(limit("p99.9=2.5%"), Ok(Limit { statistic: Statistic::P999, share: 0.025 }));
        for bad in ["", "p99", "p99=", "p99=10", "p98=10%", "p99=-1%", "p99=x%", "p99=nan%", "=10%", "p50=2000%"] {
            assert!(limit(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
