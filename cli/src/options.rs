//! Options that several modules read: how a thread waits, what the outputs show and where they go.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::failure::Failure;

/// How a thread waits for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Wait {
    /// Spin until it comes
    Spin,
    /// Spin briefly, then yield the core between checks
    Yield,
    /// Spin briefly, yield, then sleep until woken
    Park,
}

impl Wait {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Spin => "spin",
            Self::Yield => "yield",
            Self::Park => "park",
        }
    }
}

/// What to write, where and how.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Write the full report as JSON ('-' is standard output, here and below)
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) json: Option<PathBuf>,
    /// Write one row per pair, subject and statistic as CSV
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) csv: Option<PathBuf>,
    /// Write the heat map as SVG
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) svg: Option<PathBuf>,
    /// Write one self-contained HTML page
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) html: Option<PathBuf>,
    /// Write each distribution into a folder, for HdrHistogram's tools: a .hgrm file each, and ringmail.hlog
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub(crate) hdr: Option<PathBuf>,
    /// Statistic in the heat map's cells
    #[arg(long, value_enum, default_value_t = Cell::P50, help_heading = "Output")]
    pub(crate) cell: Cell,
    /// Colour on the terminal; NO_COLOR is honoured when auto
    #[arg(long, value_enum, default_value_t = When::Auto, help_heading = "Output")]
    pub(crate) color: When,
    /// Draw with ASCII characters only
    #[arg(long, help_heading = "Output")]
    pub(crate) ascii: bool,
    /// No progress bar; on the terminal only the table of pairs
    #[arg(long, short, help_heading = "Output")]
    pub(crate) quiet: bool,
}

impl Output {
    /// Refuses the heat map, for a verb whose page has other pictures.
    pub(crate) fn without_heat_map(&self, verb: &str) -> Result<(), Failure> {
        if self.svg.is_none() {
            return Ok(());
        }
        Err(Failure::usage(format!("--svg: {verb} has no pairs, so there is no heat map: use --html, --json or --csv")))
    }

    /// Refuses pictures of pairs, for a verb that measures none.
    pub(crate) fn without_pictures(&self, verb: &str) -> Result<(), Failure> {
        let asked = [("--svg", self.svg.is_some()), ("--html", self.html.is_some())];
        match asked.into_iter().find(|(_, is_asked)| *is_asked) {
            Some((flag, _)) => Err(Failure::usage(format!(
                "{flag}: '{verb}' measures no pairs, so there is no heat map: use --json or --csv"
            ))),
            None => Ok(()),
        }
    }
}

/// Statistic shown in a heat map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cell {
    P50,
    P90,
    P99,
    #[value(name = "p99.9")]
    P999,
    Max,
    /// p50 of the floor
    Floor,
    /// Channel over floor
    Ratio,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}
