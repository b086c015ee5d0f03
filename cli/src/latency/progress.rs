//! What a run shows of itself on a terminal: from the first second, and nothing into a pipe.
//!
//! It is drawn only before the first visit and between visits: on a small machine, drawing takes a core that is being
//! measured.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const BEFORE: &str = "watching the cores for stalls; then {len} visits";
const DURING: &str = "measuring {wide_bar} {pos}/{len} visits, {elapsed} of about {duration}";
const AFTER: &str = "{len} visits made; watching the cores for stalls again";

/// A line that is gone when dropped.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Shows that the cores are being watched.
    pub(crate) fn begin(quiet: bool, visits: u64) -> Self {
        let hidden = quiet || !std::io::stderr().is_terminal();
        let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let progress = Self(ProgressBar::with_draw_target(Some(visits), target));
        progress.show(BEFORE);
        progress.0.tick();
        progress
    }

    /// After so many more visits.
    pub(crate) fn add(&self, visits: u64) {
        if self.0.position() == 0 {
            self.show(DURING);
        }
        self.0.inc(visits);
        if Some(self.0.position()) == self.0.length() {
            self.show(AFTER);
            self.0.force_draw();
        }
    }

    fn show(&self, template: &str) {
        // With a template that indicatif cannot read, its own line serves as well.
        if let Ok(style) = ProgressStyle::with_template(template) {
            // In ASCII on every terminal.
            self.0.set_style(style.progress_chars("=> "));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_can_be_read_and_visits_are_counted() {
        for template in [BEFORE, DURING, AFTER] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
        let progress = Progress::begin(true, 3);
        (0..3).for_each(|_| progress.add(1));
        assert_eq!(progress.0.position(), 3);
        assert!(!progress.0.is_finished());
        let bar = progress.0.clone();
        drop(progress);
        assert!(bar.is_finished());
    }
}
