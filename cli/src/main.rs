//! `ringmail`: the command that comes with the library. `ringmail latency --help` explains what it measures and how.
//!
//! ```text
//!   args ──> latency ──> measure (pinned threads, processes) ──> report ──> render ──> output
//!               └──────> topology, env, checks, warnings ──────────┘
//! ```
//! The verbs of channels between processes are in `shm`.

mod args;
mod checks;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod descriptors;
mod env;
mod failure;
mod generated;
mod histogram;
mod latency;
mod measure;
mod options;
mod output;
mod placement;
mod reading;
mod render;
mod report;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod shm;
mod topology;
mod warnings;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use failure::Failure;

fn run() -> Result<ExitCode, Failure> {
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    descriptors::check()?;
    match args::Cli::parse().command {
        args::Command::Latency(latency) => latency::run(&latency),
        #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
        args::Command::Shm(verb) => shm::run(&verb),
        args::Command::Completions { shell } => generated::completions(shell),
        args::Command::Man { folder: Some(folder), .. } => generated::all_pages(&folder),
        args::Command::Man { verb, folder: None } => generated::man(&verb),
        #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
        args::Command::AnswerLatency(answer) => measure::process::run(&answer),
    }
}

fn main() -> ExitCode {
    run().unwrap_or_else(|failure| {
        // If standard error is closed too, there is no place for the message.
        let _ = writeln!(std::io::stderr(), "error: {}", failure.message);
        ExitCode::from(failure.code)
    })
}
