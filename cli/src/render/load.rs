//! The report of `load` for a person at a terminal: the answer, a row for each rate, what to doubt.

use anstyle::{AnsiColor, Style};

use super::describe::environment;
use super::format;
use super::headline;
use super::text::{Look, Page, table};
use super::trust;
use crate::report::{Load, LoadStep, Report};
use crate::topology::list;

/// Draws it all.
pub(crate) fn draw(report: &Report, load: &Load, look: Look) -> String {
    let mut page = Page::new(look);
    if !look.quiet {
        page.wrapped(&answer(load), 2, Style::new().bold());
        let trust = trust::judge(report);
        page.wrapped(&trust.line(), 2, Style::new().bold());
        for line in headline::next(report, &trust) {
            page.wrapped(&line, 2, Style::new());
        }
        page.blank();
    }
    rates(&mut page, load, look);
    if look.quiet {
        return page.finish();
    }
    page.blank();
    page.wrapped(&method(report, load), 2, Style::new());
    page.wrapped(&clocks(report, load), 2, Style::new());
    let facts: Vec<String> = environment(report).into_iter().map(|(name, value)| format!("{name} {value}")).collect();
    page.wrapped(&facts.join("; "), 2, Style::new());
    if !report.warnings.is_empty() {
        page.blank();
    }
    for warning in &report.warnings {
        let yellow = AnsiColor::Yellow.on_default();
        page.wrapped(&format!("WARN {} -> {}", warning.what, warning.remedy), 5, yellow);
    }
    page.finish()
}

fn time(step: &LoadStep, ns: f64) -> String {
    format::time(ns, step.response.resolution_ns)
}

/// What a reader wants to know, in one sentence.
pub(crate) fn answer(load: &Load) -> String {
    let [a, b] = load.cores;
    let senders = match load.sender_cores.len() {
        1 => String::new(),
        n => format!(" ({n} senders)"),
    };
    let subject = format!("{a}→{b} {}{senders}", load.subject);
    let figures = |step: &LoadStep| {
        format!("p50 {}, p99.9 {}", time(step, step.response.p50_ns), time(step, step.response.p999_ns))
    };
    let knee = load.knee_per_s.and_then(|knee| load.steps.iter().rev().find(|step| step.planned_per_s == knee));
    if let (Some(step), true) = (knee, load.sweep) {
        let rate = format::rate(step.planned_per_s);
        let above = load.steps.iter().find(|above| above.planned_per_s > step.planned_per_s);
        // Where rates above are no slower, the machine stopped and not the channel.
        let no_slower = |above: &LoadStep| {
            above.response.p50_ns < 1.5 * step.response.p50_ns && above.typical_p90_ns < 1.5 * step.typical_p90_ns
        };
        if above.is_some_and(no_slower) {
            return format!(
                "{subject} holds {rate}, and no knee can be named: the next rate is no slower, so the machine set this limit"
            );
        }
        let is_unbounded = load.steps.iter().any(|step| !step.reached);
        let above = if is_unbounded { "latency grows without bound" } else { "p90 rises steeply" };
        return format!("{subject} holds {rate}: {}; above that {above}", figures(step));
    }
    match load.steps.as_slice() {
        [] => "No rate was measured.".to_owned(),
        [first, ..] if load.sweep && !first.reached => {
            format!("{subject} does not hold {}: no lower rate was tried", format::rate(first.planned_per_s))
        }
        steps => {
            let reached = steps.iter().rev().find(|step| step.reached);
            let step = reached.unwrap_or(&steps[0]);
            let missed = if step.reached { "" } else { "; the rate was not reached" };
            format!("{subject} at {}: {}{missed}", format::rate(step.planned_per_s), figures(step))
        }
    }
}

/// A row for each rate, behind one of heads.
pub(crate) fn rows(load: &Load) -> Vec<Vec<String>> {
    let head = ["rate", "sent", "p50", "p90", "p99", "p99.9", "max", "service p50", "service p99", "messages"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for step in &load.steps {
        let (response, service) = (&step.response, &step.service);
        let mut row = vec![format::rate(step.planned_per_s), format::rate(step.sent_per_s)];
        let times = [response.p50_ns, response.p90_ns, response.p99_ns, response.p999_ns, response.max_ns];
        row.extend(times.into_iter().chain([service.p50_ns, service.p99_ns]).map(|ns| time(step, ns)));
        row.push(format::count(response.samples));
        rows.push(row);
    }
    rows
}

fn rates(page: &mut Page, load: &Load, look: Look) {
    let rows = rows(load);
    let dispensable = ["messages", "service p99", "p90", "service p50", "max", "sent", "p99.9"];
    for (index, line) in table(&rows, 0, &dispensable, look.width).into_iter().enumerate() {
        let style = if index == 0 { Style::new().underline() } else { Style::new() };
        page.line(&vec![(line, style)]);
        let Some(step) = index.checked_sub(1).and_then(|at| load.steps.get(at)) else { continue };
        let is_knee = load.knee_per_s == Some(step.planned_per_s);
        if is_knee {
            page.wrapped("    knee: the highest rate before latency rises steeply", 6, Style::new().bold());
        }
        if !step.reached {
            page.wrapped(&format!("    {}", not_reached(step)), 6, AnsiColor::Red.on_default());
        }
        if let Some(text) = over_time(step).filter(|_| !look.quiet && (is_knee || !load.sweep)) {
            page.wrapped(&format!("    {text}"), 6, Style::new());
        }
    }
}

/// What a step says whose rate was not reached.
pub(crate) fn not_reached(step: &LoadStep) -> String {
    let planned = step.planned_per_s;
    let short = 100.0 * (1.0 - step.sent as f64 / (step.planned as f64).max(1.0));
    format!(
        "TARGET RATE NOT REACHED: planned {}/s, sent {}/s ({short:.1} % short)",
        format::grouped(planned.round() as u64),
        format::grouped(step.sent_per_s.round() as u64)
    )
}

/// How even the step was.
fn over_time(step: &LoadStep) -> Option<String> {
    let ([first, second, ..], [.., last]) = (step.over_time.as_slice(), step.over_time.as_slice()) else { return None };
    let interval_s = if step.over_time.len() > 1 { second[0] - first[0] } else { last[0] };
    let p50 = |pick: fn(f64, f64) -> f64, from: f64| step.over_time.iter().map(|[_, p50, _]| *p50).fold(from, pick);
    let worst = step.over_time.iter().max_by(|a, b| a[2].total_cmp(&b[2]))?;
    Some(format!(
        "over time: p50 {}–{} per {}, longest {} at {:.2} s",
        time(step, p50(f64::min, f64::INFINITY)),
        time(step, p50(f64::max, 0.0)),
        format::time(interval_s * 1e9, 0.0),
        time(step, worst[2]),
        (worst[0] - interval_s).max(0.0)
    ))
}

/// What was measured, and how.
pub(crate) fn method(report: &Report, load: &Load) -> String {
    let settings = &report.settings;
    let arrival = match load.arrival.as_str() {
        "bursts" => format!("Bursts of {}", load.burst),
        "poisson" => "Poisson arrivals".to_owned(),
        _ => "Constant arrivals".to_owned(),
    };
    let mut cores = load.sender_cores.clone();
    cores.sort_unstable();
    cores.dedup();
    let senders = match load.sender_cores.len() {
        1 => format!("one sender on core {}", load.cores[0]),
        n => format!("{n} senders on cores {}", list(&cores)),
    };
    format!(
        "One-way times from when a message was due until it was received ({}); service: from when it was sent. {arrival}, {senders}, receiver on core {}, \
         {} B messages, capacity {}, wait {}, seed {}.",
        load.relation, load.cores[1], settings.payload_bytes, settings.capacity, settings.wait, settings.seed
    )
}

pub(crate) fn clocks(report: &Report, load: &Load) -> String {
    let clock = &report.clock;
    let steps = format!("Clock: {}; steps of {} ns", clock.name, clock.quantum_ns);
    match &load.clocks {
        Some(clocks) => {
            let ([a, b], ns) = (load.cores, clocks.offset_ns);
            let stands = if ns < 0.0 { "behind" } else { "ahead of" };
            format!(
                "{steps}; read on core {b} it is {:.0} ns {stands} core {a}, within {:.0} ns (shortest way there {:.0} ns, back {:.0} ns); not corrected.",
                ns.abs(),
                clocks.bound_ns,
                clocks.there_min_ns,
                clocks.back_min_ns
            )
        }
        None => steps + ".",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::color::Depth;
    use crate::render::fixture;

    const PLAIN: Look = Look { width: 120, depth: Depth::None, ascii: false, quiet: false };

    fn drawn(report: &Report, look: Look) -> String {
        draw(report, report.load.as_ref().unwrap(), look)
    }

    fn words(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_answer_comes_first_and_every_rate_has_a_row() {
        let text = drawn(&fixture::load(), PLAIN);
        let first = text.lines().next().unwrap();
        assert_eq!(first, "0→1 spsc holds 3.2 M/s: p50 210 ns, p99.9 1.40 µs; above that latency grows without bound");
        for part in [
            "rate",
            "10 k/s",
            "6.4 M/s",
            "service p50",
            "knee:",
            "receiver on core 1",
            "3 ns ahead of core 0, within 40 ns",
            "WARN load 2.3",
        ] {
            assert!(words(&text).contains(part), "{part:?} is missing in:\n{text}");
        }
        let missed = "TARGET RATE NOT REACHED: planned 6,400,000/s, sent 5,196,800/s (18.8 % short)";
        assert!(words(&text).contains(missed), "{text}");
        assert!(text.contains("over time: p50 190 ns–230 ns per 20.0 ms, longest 5.00 µs at 0.02 s"), "{text}");
    }

    #[test]
    fn a_rate_that_is_held_but_slow_is_not_called_unbounded() {
        let mut report = fixture::load();
        report.load.as_mut().unwrap().steps[2].reached = true;
        assert!(drawn(&report, PLAIN).lines().next().unwrap().ends_with("above that p90 rises steeply"));
    }

    #[test]
    fn rates_that_were_asked_for_have_an_answer_too() {
        let mut report = fixture::load();
        let load = report.load.as_mut().unwrap();
        (load.sweep, load.knee_per_s) = (false, None);
        load.steps.truncate(2);
        assert!(drawn(&report, PLAIN).starts_with("0→1 spsc at 3.2 M/s: p50 210 ns, p99.9 1.40 µs\n"));
        let load = report.load.as_mut().unwrap();
        load.steps.iter_mut().for_each(|step| step.reached = false);
        assert!(drawn(&report, PLAIN).lines().next().unwrap().ends_with("the rate was not reached"));
        report.load.as_mut().unwrap().sweep = true;
        assert!(drawn(&report, PLAIN).starts_with("0→1 spsc does not hold 10 k/s"));
        report.load.as_mut().unwrap().steps.clear();
        assert!(drawn(&report, PLAIN).starts_with("No rate was measured."));
    }

    #[test]
    fn no_line_exceeds_any_width_and_ascii_is_ascii() {
        for width in [10, 20, 33, 60, 80, 100, 200] {
            let text = drawn(&fixture::load(), Look { width, ..PLAIN });
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
        }
        let text = drawn(&fixture::load(), Look { ascii: true, ..PLAIN });
        assert!(text.is_ascii() && text.starts_with("0>1 spsc"), "{text}");
    }

    #[test]
    fn quiet_leaves_the_rates() {
        let text = drawn(&fixture::load(), Look { quiet: true, ..PLAIN });
        assert!(
            text.trim_start().starts_with("rate") && !text.contains("WARN") && !text.contains("over time"),
            "{text}"
        );
    }
}
