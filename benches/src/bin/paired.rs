//! Runs contenders against each other in interleaved slices; see the library's `paired` module.

use std::process::ExitCode;

use clap::Parser;
use ringmail_benches::paired::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("paired: {message}");
            ExitCode::FAILURE
        }
    }
}
