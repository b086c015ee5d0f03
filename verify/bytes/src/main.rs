//! Counts the bytes that each verb stores for a message. `check` beside this package builds and runs it.
//!
//! ```text
//! ringmail-bytes          counts, and fails if a verb stores more than it may
//! ringmail-bytes paths    runs the verbs; the counting process starts this one under valgrind's lackey, which prints every store
//! ```
//!
//! The law: a verb by reference stores a message once on each side, one in place not at all. A verb by value stores it once itself; with what the program and
//! the compiler move around the call (a variable into the argument, the answer out of a `Result`) it is as often as its path says. `floor/by-value` is the same
//! without a channel: two functions that the compiler does not look into. What a message of 8 bytes stores is taken off: positions, stamps, results. Then less
//! is left over on a side than a copy. A side with so much less than its copies was not counted.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod copy;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod count;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod mark;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod paths;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => count::count(),
        ["paths"] => paths::run(),
        _ => Err("usage: ringmail-bytes [paths]".into()),
    };
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("bytes: {message}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn main() -> std::process::ExitCode {
    eprintln!("bytes: only x86-64 Linux is counted");
    std::process::ExitCode::FAILURE
}
