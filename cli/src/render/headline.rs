//! The answer in the first lines: how fast, how sure, and what to do next.
//!
//! ```text
//!   0↔1, same L3: 100 ns there and back (p99.9 270 ns), 1.30 × the bare lines
//!   trust: low: 2.5 % of the time lost, virtual machine
//!   next: measure when the host is quieter, or on bare metal …
//! ```

use super::format::{self, percent, ratio};
use super::trust::Trust;
use super::{summary, units};
use crate::report::{Pair, Report, RunEnd};

/// How fast: a line for a pair, two for a matrix; none if no pair was measured.
pub(crate) fn answer(report: &Report) -> Vec<String> {
    match report.pairs.as_slice() {
        [] => report.load.iter().map(super::load::answer).collect(),
        [pair] if report.planned_pairs <= 1 => vec![of_pair(report, pair)],
        _ => of_matrix(report),
    }
}

/// What to do next. Nothing if there is nothing to repair and nothing was left out.
pub(crate) fn next(report: &Report, trust: &Trust) -> Vec<String> {
    let remedy = trust.remedy().map(|remedy| format!("next: {remedy}"));
    left_out(report).into_iter().chain(remedy).collect()
}

fn of_pair(report: &Report, pair: &Pair) -> String {
    let [a, b] = pair.cores;
    let (figures, over_floor) = pair.headline();
    let lead = format!("{a}↔{b}, {}{}", summary::relation_of(report, pair), through(report));
    let time = |ns| units::time(ns, figures.resolution_ns);
    let mut text = if pair.bands.is_empty() {
        // Of fewer samples, p99.9 is the longest.
        let tail = match figures.samples {
            1000.. => format!(" (p99.9 {})", time(figures.p999_ns)),
            _ => format!(" (longest {})", time(figures.max_ns)),
        };
        format!("{lead}: {} there and back{tail}", time(figures.p50_ns))
    } else {
        format!("{lead}: {}", levels(pair).replacen(" (floor", " there and back (floor", 1))
    };
    if let Some(over) = pair.processes.as_ref().and_then(|processes| processes.ratio_to_channel.as_ref()) {
        text += &format!(", {} × two threads", ratio(over.median));
    }
    match over_floor {
        Some(over) => text += &format!(", {} × the bare lines", ratio(over.median)),
        None => text += "; the bare lines were too unsteady to compare with",
    }
    text
}

/// `70 % of the time 100 ns (floor 80 ns), 30 % 410 ns (floor 350 ns)`.
pub(crate) fn levels(pair: &Pair) -> String {
    let level = |(index, band): (usize, &crate::report::Band)| {
        let of = if index == 0 { " of the time" } else { "" };
        let [p50, floor] = [(band.p50_ns, pair.headline().0), (band.floor_ns, &pair.floor)]
            .map(|(ns, of)| units::time(ns, of.resolution_ns));
        format!("{}{of} {p50} (floor {floor})", percent(band.share))
    };
    pair.bands.iter().enumerate().map(level).collect::<Vec<_>>().join(", ")
}

fn through(report: &Report) -> String {
    match (report.settings.between_processes, report.settings.mesh_shards) {
        (true, _) => ", between two processes".into(),
        (_, Some(shards)) => format!(", through a mesh of {shards} cores"),
        _ => String::new(),
    }
}

fn of_matrix(report: &Report) -> Vec<String> {
    let cluster = |cluster: summary::Cluster| {
        let range = units::times([cluster.lowest_ns, cluster.highest_ns], cluster.resolution_ns);
        let plural = if cluster.pairs == 1 { "" } else { "s" };
        format!("{}: {range} ({} pair{plural})", cluster.relation, cluster.pairs)
    };
    let clusters: Vec<String> = summary::clusters(report).into_iter().map(cluster).collect();
    let first = format!("there and back (p50){}: {}", through(report), clusters.join("; "));
    let ordered = summary::by_p50(report);
    let show = |pair: &Pair| {
        let [a, b] = pair.cores;
        format!("{a}↔{b} {}", units::time(summary::usual_ns(pair), pair.headline().0.resolution_ns))
    };
    let mut second = match ordered.as_slice() {
        [fastest, .., slowest] => format!("fastest {}, slowest {}", show(fastest), show(slowest)),
        _ => ordered.iter().map(|pair| format!("so far only {}", show(pair))).collect(),
    };
    let mut ratios: Vec<f64> = report.pairs.iter().filter_map(|pair| Some(pair.headline().1?.median)).collect();
    match crate::measure::stats::percentile(&mut ratios, 0.5) {
        Some(median) => second += &format!("; {} × the bare lines (median)", ratio(median)),
        None => second += "; the bare lines were too unsteady to compare with",
    }
    vec![first, second]
}

/// Pairs that the run did not reach or could not measure, and what measures them.
fn left_out(report: &Report) -> Option<String> {
    let (measured, planned) = (report.pairs.len(), report.planned_pairs);
    let (failed, missing) = (report.failures.len(), planned.saturating_sub(measured));
    let visits = report.pairs.iter().map(|pair| pair.visits as usize).sum::<usize>();
    let all_visits = planned * report.planned_visits as usize;
    let lead = match report.full_run_s {
        _ if missing > 0 => format!("left out: {missing} of {planned} pairs"),
        // Each pair was to have its time.
        Some(_) if visits < all_visits => format!("left out: {} of {all_visits} visits", all_visits - visits),
        _ => return None,
    };
    Some(match report.full_run_s {
        _ if missing > 0 && failed >= missing => format!("{lead}; they failed, see the warnings"),
        Some(seconds) => {
            let about = format::budget(seconds);
            format!("{lead}; all of them take about {about}: {}", command(report, &about))
        }
        None if report.ended == RunEnd::Interrupted => format!("{lead}; run it again to the end"),
        None => format!("{lead}; raise --time-budget, or name fewer --cores"),
    })
}

/// The command of the report with another time budget.
fn command(report: &Report, budget: &str) -> String {
    const LONGEST: usize = 100;
    let mut words = vec!["ringmail".to_owned()];
    let mut args = report.tool.argv.iter().skip(1);
    while let Some(arg) = args.next() {
        if arg == "--time-budget" {
            args.next();
        } else if !arg.starts_with("--time-budget=") {
            words.push(arg.clone());
        }
    }
    let is_plain = |word: &String| word.chars().all(|c| c.is_ascii_alphanumeric() || "-_=.,:/".contains(c));
    let text = format!("{} --time-budget {budget}", words.join(" "));
    let fits = words.iter().all(is_plain) && text.len() <= LONGEST;
    if fits { text } else { format!("the same command with --time-budget {budget}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;
    use crate::render::trust::judge;

    fn lines(report: &Report) -> Vec<String> {
        let trust = judge(report);
        answer(report).into_iter().chain([trust.line()]).chain(next(report, &trust)).collect()
    }

    #[test]
    fn a_pair_is_answered_in_one_line() {
        let mut report = fixture::report(2);
        report.pairs[0].relation = "same L3".into();
        report.pairs[0].channel.p50_ns = 100.0;
        report.pairs[0].channel.p999_ns = 270.0;
        assert_eq!(answer(&report), ["0↔1, same L3: 100 ns there and back (p99.9 270 ns), 1.20 × the bare lines"]);
        fixture::unsettle(&mut report.pairs[0]);
        assert!(answer(&report)[0].ends_with("; the bare lines were too unsteady to compare with"));
        report.settings.mesh_shards = Some(4);
        assert!(answer(&report)[0].starts_with("0↔1, same L3, through a mesh of 4 cores: 100 ns"));
    }

    #[test]
    fn two_levels_are_the_answer_and_their_common_p50_is_not() {
        let text = &answer(&fixture::two_levels())[0];
        let levels =
            "70 % of the time 100 ns there and back (floor 80 ns), 30 % 410 ns (floor 350 ns), 1.20 × the bare lines";
        assert_eq!(text, &format!("0↔1, same L3: {levels}"));
        assert!(!text.contains("210"));
    }

    #[test]
    fn processes_are_compared_with_threads_and_with_bare_lines() {
        let text = &answer(&fixture::between_processes())[0];
        assert!(
            text.contains("between two processes: ") && text.ends_with("1.25 × two threads, 1.50 × the bare lines")
        );
    }

    #[test]
    fn a_matrix_is_answered_by_relation_and_by_its_extremes() {
        let report = fixture::sockets(32);
        let [first, second] = <[String; 2]>::try_from(answer(&report)).unwrap();
        assert_eq!(
            first,
            "there and back (p50): same L3: 48–53 ns (112 pairs); other node: 288–293 ns (128 pairs); other socket: \
             468–473 ns (256 pairs)"
        );
        assert!(second.starts_with("fastest ") && second.contains("slowest ") && second.contains("1.20 × the bare"));
    }

    #[test]
    fn what_was_left_out_is_told_with_the_command_that_measures_it() {
        let mut report = fixture::report(8);
        fixture::cut_short(&mut report, 6);
        report.tool.argv = ["/x/ringmail", "latency", "--time-budget", "1s", "--cell=p99"].map(str::to_owned).to_vec();
        let text = lines(&report).join("\n");
        let command = "ringmail latency --cell=p99 --time-budget 3m";
        assert!(text.contains(&format!("left out: 22 of 28 pairs; all of them take about 3m: {command}")), "{text}");
        report.tool.argv.push("a b".into());
        assert!(lines(&report).join("\n").contains("the same command with --time-budget 3m"));
        report.full_run_s = None;
        assert!(lines(&report).join("\n").contains("raise --time-budget"));
        let mut short = fixture::report(3);
        short.planned_visits = 4;
        assert!(!lines(&short).join("\n").contains("left out"), "more visits were not asked for");
        short.full_run_s = Some(10.0);
        assert!(lines(&short).join("\n").contains("left out: 6 of 12 visits; all of them take about 10s"));
    }

    #[test]
    fn the_next_step_is_the_remedy_of_the_strongest_doubt() {
        let mut report = fixture::report(2);
        report.tool.profile = Some("debug".into());
        let lines = lines(&report);
        assert!(lines[1].starts_with("trust: low: debug build") && lines[2].starts_with("next: build with --release"));
        let mut quiet = fixture::report(2);
        fixture::quiet(&mut quiet);
        assert!(next(&quiet, &judge(&quiet)).is_empty());
        quiet.pairs.clear();
        assert!(answer(&quiet).is_empty());
    }
}
