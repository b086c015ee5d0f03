//! From checks to a verdict.

use serde::Serialize;

use crate::checks::{Check, State};
use crate::topology;

/// Whether tail latencies measured here are those of the program, not of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    Fit,
    FitWithDoubts,
    Unfit,
}

impl Verdict {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Fit => "fit",
            Self::FitWithDoubts => "fit with doubts",
            Self::Unfit => "unfit",
        }
    }
}

/// The verdict, and a sentence that begins with it and says what limits it.
pub(super) fn find(checks: &[Check], cores: &[usize]) -> (Verdict, String) {
    let warned: Vec<&Check> = checks.iter().filter(|check| check.state == State::Warn).collect();
    let grave: Vec<&Check> = warned.iter().copied().filter(|check| check.grave).collect();
    let unknown = checks.iter().filter(|check| check.state == State::Unknown).count();
    let verdict = match (grave.len(), warned.len()) {
        (0, 0) if unknown * 2 <= checks.len() => Verdict::Fit,
        (0, _) => Verdict::FitWithDoubts,
        _ => Verdict::Unfit,
    };
    let mut sentence = format!("{} for measuring tail latency on {}: ", verdict.words(), topology::cores(cores));
    // What harms most stands first.
    let shown = if grave.is_empty() { &warned } else { &grave };
    let named: Vec<&str> = shown.iter().take(2).map(|check| check.seen.as_str()).collect();
    if named.is_empty() {
        sentence += "no check warns";
    } else {
        sentence += &named.join("; ");
    }
    let more = warned.len() - named.len();
    match more {
        0 => {}
        1 => sentence += "; and 1 more warning",
        _ => sentence += &format!("; and {more} more warnings"),
    }
    if unknown > 0 {
        let all = checks.len();
        sentence += &format!(" ({unknown} of {all} checks are unknown here)");
    }
    (verdict, sentence + ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(checks: &[Check]) -> (Verdict, String) {
        find(checks, &[0, 1])
    }

    #[test]
    fn a_warning_is_a_doubt_and_a_grave_one_is_unfit() {
        let [ok, warn, grave] = [Check::ok("a", "fine"), Check::warn("b", "soft", "x"), Check::grave("c", "hard", "x")];
        let (verdict, sentence) = told(std::slice::from_ref(&ok));
        assert_eq!(
            (verdict, sentence.as_str()),
            (Verdict::Fit, "fit for measuring tail latency on cores 0-1: no check warns.")
        );
        let (verdict, sentence) = told(&[ok.clone(), warn.clone()]);
        assert_eq!(verdict, Verdict::FitWithDoubts);
        assert_eq!(sentence, "fit with doubts for measuring tail latency on cores 0-1: soft.");
        let (verdict, sentence) = told(&[ok, warn.clone(), warn, grave]);
        assert_eq!(verdict, Verdict::Unfit);
        assert_eq!(sentence, "unfit for measuring tail latency on cores 0-1: hard; and 2 more warnings.");
    }

    #[test]
    fn unknown_is_no_failure_unless_it_is_most() {
        let [ok, unknown] = [Check::ok("a", "fine"), Check::unknown("b")];
        let (verdict, sentence) = told(&[ok.clone(), ok, unknown.clone()]);
        assert_eq!(verdict, Verdict::Fit);
        assert!(sentence.ends_with("no check warns (1 of 3 checks are unknown here)."), "{sentence}");
        assert_eq!(find(&[unknown], &[3]).0, Verdict::FitWithDoubts);
    }
}
