//! Whether two sides can be compared at all.

use crate::failure::Failure;
use crate::report::Report;

/// What must be one in all runs, by name.
fn conditions(report: &Report) -> Vec<(&'static str, String)> {
    let settings = &report.settings;
    let over = match settings.mesh_shards {
        Some(shards) => format!("a mesh of {shards}"),
        None => "channels of their own".to_owned(),
    };
    let (yes, placement) = (|is: bool| if is { "yes" } else { "no" }.to_owned(), &settings.placement);
    let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".into());
    vec![
        ("payload", format!("{} B", settings.payload_bytes)),
        ("capacity", settings.capacity.to_string()),
        ("wait", settings.wait.clone()),
        ("pairs go through", over),
        ("between processes", yes(settings.between_processes)),
        ("memory of", placement.memory.clone().unwrap_or_else(|| "receiver".into())),
        ("kept in memory", yes(placement.mlock == Some(true))),
        ("real-time priority", placement.rt_priority.map_or("none".into(), |priority| priority.to_string())),
        ("huge pages", yes(placement.huge_page_bytes.is_some())),
        ("build", known(&report.tool.profile)),
        ("CPU", known(&report.env.cpu_model)),
        ("pairs", pairs(report)),
    ]
}

fn pairs(report: &Report) -> String {
    let mut all: Vec<[usize; 2]> = report.pairs.iter().map(|pair| pair.cores).collect();
    all.sort_unstable();
    let shown: Vec<String> = all.iter().take(8).map(|[a, b]| format!("{a}-{b}")).collect();
    let more = all.len().saturating_sub(8);
    // The sum tells long lists apart.
    let sum: usize = all.iter().map(|[a, b]| a * 4099 + b).sum();
    if more == 0 { shown.join(" ") } else { format!("{} and {more} more ({sum:x})", shown.join(" ")) }
}

/// The first run, and every other: fails with what differs.
pub(super) fn check(runs: &[(String, Report)]) -> Result<(), Failure> {
    let Some((first_name, first)) = runs.first() else { return Ok(()) };
    let wanted = conditions(first);
    for (name, report) in runs {
        let found = conditions(report);
        let differs = wanted.iter().zip(&found).filter(|(a, b)| a != b);
        let differs: Vec<String> =
            differs.map(|((what, a), (_, b))| format!("{what}: {a} in {first_name}, {b} in {name}")).collect();
        if !differs.is_empty() {
            return Err(Failure::usage(format!(
                "the reports cannot be compared: {}; --anyway compares what they share",
                differs.join("; ")
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn what_differs_is_said() {
        let named = |name: &str, report: Report| (name.to_owned(), report);
        let same = [named("a", fixture::report(4)), named("b", fixture::report(4))];
        assert!(check(&same).is_ok());
        let mut other = fixture::report(3);
        (other.settings.payload_bytes, other.settings.wait) = (64, "park".into());
        let error = check(&[named("a", fixture::report(4)), named("b", other)]).unwrap_err();
        assert_eq!(error.code, 2);
        for part in ["payload: 8 B in a, 64 B in b", "wait: spin in a, park in b", "pairs: 0-1", "--anyway"] {
            assert!(error.message.contains(part), "{part:?} is missing in: {}", error.message);
        }
    }

    #[test]
    fn long_lists_of_pairs_differ_too() {
        let (mut a, mut b) = (fixture::report(8), fixture::report(8));
        assert_eq!(pairs(&a), pairs(&b));
        a.pairs.pop();
        b.pairs.remove(20);
        assert_ne!(pairs(&a), pairs(&b));
    }
}
