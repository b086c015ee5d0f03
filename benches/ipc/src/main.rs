//! Runs contenders against each other, each in two processes; see the library.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    use clap::Parser;
    match ringmail_ipc_bench::cli::Cli::parse().execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("ipc: {message}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("ipc: the mapped channel is there on Linux only");
    ExitCode::FAILURE
}
