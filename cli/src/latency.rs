//! The verbs of `ringmail latency`.

mod compare;
mod env;
mod jitter;
mod load;
mod pairs;
mod progress;
mod report;
mod self_test;
mod session;
mod wake;

use std::process::ExitCode;

use crate::args::{Latency, What};
use crate::failure::Failure;

pub(crate) use compare::Compare;
pub(crate) use env::Fitness;
pub(crate) use jitter::Jitter;
pub(crate) use load::{LONG as LOAD_LONG, Load};
pub(crate) use pairs::Kind;
pub(crate) use report::Redraw;
pub(crate) use self_test::{LONG as SELF_TEST_LONG, SelfTest};
pub(crate) use wake::Wake;

/// Runs the command; the exit code is one of those that `--help` lists.
pub(crate) fn run(args: &Latency) -> Result<ExitCode, Failure> {
    match &args.what {
        None => pairs::run(&args.pairs, Kind::Matrix, None),
        Some(What::Mesh(of)) => pairs::run(of, Kind::Mesh, None),
        Some(What::Pair { a, b, of }) => pairs::run(of, Kind::Pair, Some([*a, *b])),
        #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
        Some(What::Ipc { a, b, of }) => pairs::run(of, Kind::Ipc, a.zip(*b).map(<[usize; 2]>::from)),
        Some(What::Load(args)) => load::run(args),
        Some(What::Wake(args)) => wake::run(args),
        Some(What::Jitter(args)) => jitter::run(args),
        Some(What::Env(args)) => env::run(args),
        Some(What::Report(args)) => report::run(args),
        Some(What::Compare(args)) => compare::run(args),
        Some(What::SelfTest(args)) => self_test::run(args),
    }
}
