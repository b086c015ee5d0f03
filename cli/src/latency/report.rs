//! `ringmail latency report`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::options::Output;
use crate::output::Sinks;
use crate::reading;

const EXAMPLES: &str = "\
Examples:
  ringmail latency report run.json                        as the run itself showed it
  ringmail latency report run.json --cell p99 --svg r.svg
  ringmail latency report run.json --hdr run.hdr          files for HdrHistogram's plotters
  ssh host ringmail latency --json - | ringmail latency report - --html r.html

Exit codes:
  0  drawn
  1  an output could not be written
  2  bad arguments, or no report that can be read";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Redraw {
    /// What --json wrote ('-' is standard input)
    #[arg(value_name = "RUN.json")]
    run: PathBuf,
    #[command(flatten)]
    output: Output,
}

/// Draws what the run itself would have drawn with the same options.
pub(crate) fn run(args: &Redraw) -> Result<ExitCode, Failure> {
    let report = reading::report(&args.run)?;
    if report.pairs.is_empty() {
        args.output.without_heat_map("this report")?;
    }
    Sinks::open(&args.output)?.write(&report)?;
    Ok(ExitCode::SUCCESS)
}
