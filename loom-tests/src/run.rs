//! Models in processes of their own: a failed loom execution cannot be unwound safely (its threads' destructors run outside of
//! the model and panic again), so the first panic ends its process, and the parent process reads the reason.

use crate::models::ALL;
use ringmail::model::{Site, with_mutant};
use std::io::Write;
use std::process::{Command, exit};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A model, in a library that is whole or has one site broken.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    pub model: &'static str,
    pub mutant: Option<Site>,
}

/// What became of a [`Job`].
pub struct Report {
    pub job: Job,
    /// The model's own line, or the first panic.
    pub said: String,
    pub held: bool,
    pub took: Duration,
}

const MODEL: &str = "RINGMAIL_MODEL";
const MUTANT: &str = "RINGMAIL_MUTANT";

/// In a child: runs its job and exits. In the parent: returns. Call it first in `main`.
pub fn be_child_if_asked() {
    let Ok(name) = std::env::var(MODEL) else { return };
    let (_, model) = ALL.iter().find(|(n, _)| *n == name).expect("the parent names a model");
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message").lines().next().unwrap_or_default().to_owned();
        let at = panic.location().map(|l| format!("{}:{}", l.file(), l.line())).unwrap_or_default();
        println!("{message} ({})", at.rsplit("/src/").next().unwrap_or_default());
        let _ = std::io::stdout().flush();
        exit(1);
    }));
    match std::env::var(MUTANT) {
        Ok(site) => {
            let site = Site::ALL.into_iter().find(|s| format!("{s:?}") == site).expect("the parent names a site");
            with_mutant(site, model);
        }
        Err(_) => model(),
    }
    exit(0);
}

/// Runs all `jobs`, as many at a time as there are cores, and hands each report to `done` as it comes. A job for which
/// `wanted` says no when its turn comes is left out.
pub fn run(jobs: &[Job], wanted: impl Fn(&Job) -> bool + Sync, done: impl FnMut(Report) + Send) {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(done));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if wanted(job) {
                        let report = child(*job);
                        (done.lock().unwrap())(report);
                    }
                }
            });
        }
    });
}

fn child(job: Job) -> Report {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command.env(MODEL, job.model);
    if let Some(site) = job.mutant {
        command.env(MUTANT, format!("{site:?}"));
    }
    // Loom's own switches would change what is explored.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LOOM_")) {
        command.env_remove(name);
    }
    let start = Instant::now();
    let output = command.output().expect("this program starts again");
    let said = String::from_utf8_lossy(&output.stdout);
    let said = said
        .lines()
        .rfind(|l| !l.is_empty())
        .map_or_else(|| format!("died without a word: {}", output.status), str::to_owned);
    Report { job, said, held: output.status.success(), took: start.elapsed() }
}
