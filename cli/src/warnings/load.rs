//! What to doubt of `load`.

use crate::render::format;
use crate::report::{Load, Warning};
use crate::topology::list;

/// One-way times are not worth much if the clocks of the two cores may differ by more than this share of them.
const APART: f64 = 0.25;

pub(super) fn find(load: &Load, found: &mut Vec<Warning>) {
    let mut warn = |what: String, remedy: &str| found.push(Warning::new(what, remedy));
    let rates = |holds: &dyn Fn(&crate::report::LoadStep) -> bool| {
        let rates: Vec<String> =
            load.steps.iter().filter(|step| holds(step)).map(|step| format::rate(step.planned_per_s)).collect();
        (!rates.is_empty()).then(|| rates.join(", "))
    };
    if let (Some(clocks), Some(first)) = (&load.clocks, load.steps.first()) {
        let p50 = first.response.p50_ns;
        if clocks.bound_ns > APART * p50 {
            warn(
                format!(
                    "the clocks of the two cores can be proven equal only to {:.0} ns, more than a quarter of p50 ({})",
                    clocks.bound_ns,
                    format::time(p50, first.response.resolution_ns)
                ),
                "one-way times this short hold only as far as both ways take the same; `latency pair` needs one clock only",
            );
        }
    }
    let early: u64 = load.steps.iter().map(|step| step.before_sent).sum();
    if early > 0 {
        warn(
            format!("{early} messages were received, by the clocks of the two cores, before they were sent"),
            "the clocks differ: use `latency pair`, or other cores",
        );
    }
    let mut cores = load.sender_cores.clone();
    cores.sort_unstable();
    cores.dedup();
    if cores.len() < load.sender_cores.len() {
        let list = list(&cores);
        warn(
            format!("{} senders share core {list}, so they also wait for each other", load.sender_cores.len()),
            "name as many cores with --cores as there are senders, and one more",
        );
    }
    if let Some(rates) = rates(&|step| step.response.samples < 1000) {
        warn(format!("fewer than 1000 messages at {rates}, so p99.9 is the maximum"), "raise --duration");
    }
    if let Some(rates) = rates(&|step| step.migrated) {
        warn(
            format!("a thread was found on another core at {rates}"),
            "keep other tools from changing this process's affinity",
        );
    }
    let taken: u64 = load.steps.iter().filter_map(|step| step.preemptions).sum();
    if taken > 0 {
        warn(
            format!("the kernel took a core away from a measuring thread {taken} times"),
            "stop what else runs there, or use --cores isolated; until then high percentiles measure the machine",
        );
    }
    if load.sweep && load.knee_per_s.is_none() && load.steps.iter().any(|step| !step.reached) {
        warn(
            "no knee: the lowest rate was not reached".into(),
            "name lower rates with --rate, or measure on a quieter machine",
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::render::fixture;
    use crate::warnings;

    #[test]
    fn a_quiet_sweep_gives_no_warning_of_its_own() {
        let mut report = fixture::load();
        report.cores.iter_mut().for_each(|core| core.smt_siblings = vec![core.id]);
        assert_eq!(warnings::find(&report, false), []);
    }

    #[test]
    fn every_doubt_names_its_remedy() {
        let mut report = fixture::load();
        let load = report.load.as_mut().unwrap();
        load.clocks.as_mut().unwrap().bound_ns = 90.0;
        load.sender_cores = vec![0, 0, 0];
        load.knee_per_s = None;
        let step = &mut load.steps[0];
        (step.before_sent, step.migrated, step.preemptions) = (3, true, Some(7));
        (step.reached, step.response.samples) = (false, 999);
        let text: String =
            warnings::find(&report, false).iter().map(|it| format!("{} -> {}\n", it.what, it.remedy)).collect();
        for part in [
            "equal only to 90 ns, more than a quarter of p50 (200 ns)",
            "3 messages were received",
            "3 senders share core 0, ",
            "fewer than 1000 messages at 10 k/s, so",
            "another core at 10 k/s",
            "took a core away from a measuring thread 7 times",
            "no knee",
        ] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
    }
}
