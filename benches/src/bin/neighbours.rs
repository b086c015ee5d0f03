//! Runs channels beside threads that compute; see the library's `neighbours` module.

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use clap::Parser;
    match ringmail_benches::neighbours::cli::Cli::parse().execute() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("neighbours: {message}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("neighbours: needs Linux");
    std::process::ExitCode::FAILURE
}

/// Stands in for the C library's in this program: counts, then does the same. The kernel's own counters do not tell a yield from a
/// preemption.
#[cfg(target_os = "linux")]
// The name, the arguments and the meaning are the C library's, and nothing else in the program defines it.
#[unsafe(no_mangle)]
extern "C" fn sched_yield() -> std::ffi::c_int {
    ringmail_benches::neighbours::usage::count_yield();
    rustix::thread::sched_yield();
    0
}
