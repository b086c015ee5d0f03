//! Every model holds. Arguments choose models by a part of their names.

use ringmail_loom_tests::models::ALL;
use ringmail_loom_tests::run::{Job, be_child_if_asked, run};
use std::process::exit;
use std::time::Instant;

fn main() {
    be_child_if_asked();
    let chosen: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let is_chosen = |name: &str| chosen.is_empty() || chosen.iter().any(|c| name.contains(c.as_str()));
    let jobs: Vec<Job> =
        ALL.iter().filter(|(name, _)| is_chosen(name)).map(|&(model, _)| Job { model, mutant: None }).collect();
    let (start, mut held, mut failed) = (Instant::now(), 0, vec![]);
    run(
        &jobs,
        |_| true,
        |report| {
            if report.held {
                held += 1;
                println!("{} ({:.1} s)", report.said, report.took.as_secs_f32());
            } else {
                println!("model {}: FAILED: {}", report.job.model, report.said);
                failed.push(report.job.model);
            }
        },
    );
    println!("models: {held} hold, {} fail {failed:?}, in {:.0} s", failed.len(), start.elapsed().as_secs_f32());
    exit(i32::from(held == 0 || !failed.is_empty()));
}
