//! `ringmail`: the command beside the library. `ringmail latency --help` says what it measures and how.
//!
//! ```text
//!   args ──> latency ──> measure (pinned threads, processes) ──> report ──> render ──> output
//!               └──────> topology, env, warnings ──────────────────┘
//! ```
//! The verbs of channels between processes are in `shm`.

mod args;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod descriptors;
mod env;
mod latency;
mod measure;
mod output;
mod render;
mod report;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod shm;
mod topology;
mod warnings;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

/// Why the command ends without success, and its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
}

impl Failure {
    /// The call was wrong; exit code 2, as for arguments that do not parse.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into() }
    }

    /// The call was right but could not be done; exit code 1.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into() }
    }
}

fn run() -> Result<ExitCode, Failure> {
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    descriptors::check()?;
    match args::Cli::parse().command {
        args::Command::Latency(latency) => latency::run(&latency),
        #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
        args::Command::Shm(verb) => shm::run(&verb),
        #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
        args::Command::AnswerLatency(answer) => measure::process::run(&answer),
    }
}

fn main() -> ExitCode {
    run().unwrap_or_else(|failure| {
        // Nobody is left to tell if standard error is gone too.
        let _ = writeln!(std::io::stderr(), "error: {}", failure.message);
        ExitCode::from(failure.code)
    })
}
