//! Where the report goes. Files are opened before anything is measured, and emptied only once there is something to write.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::options::{Cell, Output};
use crate::render::color;
use crate::render::text::Look;
use crate::render::{csv, html, json, svg, terminal};
use crate::report::Report;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Json,
    Csv,
    Svg,
    Html,
}

/// A file that was asked for; `None` stands for standard output.
#[derive(Debug)]
struct Sink {
    kind: Kind,
    path: PathBuf,
    file: Option<File>,
}

/// Everything that will be written.
#[derive(Debug)]
pub(crate) struct Sinks {
    sinks: Vec<Sink>,
    cell: Cell,
    look: Look,
}

impl Sinks {
    /// Opens all files. Fails if one cannot be written, or if two outputs have one target.
    pub(crate) fn open(args: &Output) -> Result<Self, Failure> {
        let asked = [
            (Kind::Json, "--json", &args.json),
            (Kind::Csv, "--csv", &args.csv),
            (Kind::Svg, "--svg", &args.svg),
            (Kind::Html, "--html", &args.html),
        ];
        let mut sinks: Vec<Sink> = Vec::new();
        let mut targets: Vec<PathBuf> = Vec::new();
        for (kind, flag, path) in asked {
            let Some(path) = path else { continue };
            let is_stdout = path == Path::new("-");
            let file = if is_stdout { None } else { Some(open(flag, path)?) };
            let target = if is_stdout { path.clone() } else { path.canonicalize().unwrap_or_else(|_| path.clone()) };
            if targets.contains(&target) {
                return Err(Failure::usage(format!(
                    "{flag} {}: another output goes there already; name another file",
                    path.display()
                )));
            }
            targets.push(target);
            sinks.push(Sink { kind, path: path.clone(), file });
        }
        Ok(Self { sinks, cell: args.cell, look: detect_look(args) })
    }

    /// Writes all outputs. The terminal's report is left out if another output goes to standard output.
    pub(crate) fn write(self, report: &Report) -> Result<(), Failure> {
        let Self { sinks, cell, look } = self;
        let mut stdout_is_free = true;
        let mut failures = Vec::new();
        for Sink { kind, path, file } in sinks {
            let text = match kind {
                Kind::Json => json::draw(report),
                Kind::Csv => Ok(csv::draw(report)),
                Kind::Svg => Ok(svg::draw(report, cell)),
                Kind::Html => html::draw(report, cell),
            };
            let text =
                text.map_err(|error| Failure::failed(format!("the report could not be put into JSON: {error}")))?;
            let written = match file {
                Some(file) => replace(file, &text),
                None => {
                    stdout_is_free = false;
                    to_stdout(&text).map(drop)
                }
            };
            // One full disk must not cost the other outputs.
            if let Err(error) = written {
                failures.push(format!("cannot write {}: {error}", path.display()));
            }
        }
        let shown = if stdout_is_free { to_stdout(&terminal::draw(report, cell, look)).map(drop) } else { Ok(()) };
        if let Err(error) = shown {
            failures.push(format!("cannot write to standard output: {error}"));
        }
        if failures.is_empty() { Ok(()) } else { Err(Failure::failed(failures.join("\nerror: "))) }
    }
}

fn open(flag: &str, path: &Path) -> Result<File, Failure> {
    // Not truncated here: if this run fails, the earlier report stays.
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
    file.map_err(|error| {
        Failure::failed(format!(
            "{flag} {}: {error}; nothing was measured: name a file that can be written",
            path.display()
        ))
    })
}

fn replace(mut file: File, text: &str) -> io::Result<()> {
    // Devices and pipes have no length to cut.
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    file.write_all(text.as_bytes())?;
    file.flush()
}

/// Whether it was written. A reader that has closed its end, as in `| head -1`, is not an error.
pub(crate) fn to_stdout(text: &str) -> io::Result<bool> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        result => result.map(|()| true),
    }
}

/// Columns of the terminal that is standard output; `None` if that is none.
pub(crate) fn terminal_width() -> Option<usize> {
    let size = if io::stdout().is_terminal() { terminal_size::terminal_size_of(io::stdout()) } else { None };
    size.map(|(width, _)| usize::from(width.0)).filter(|&width| width > 0)
}

fn detect_look(args: &Output) -> Look {
    let var = |name: &str| std::env::var(name).ok();
    let is_terminal = io::stdout().is_terminal();
    let columns = || var("COLUMNS").and_then(|text| text.parse().ok()).filter(|&columns: &usize| columns > 0);
    let width = terminal_width().or_else(columns).unwrap_or(110);
    // Without a locale in the environment, UTF-8 is the likely encoding of a terminal.
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| var(name).filter(|value| !value.is_empty()));
    let speaks_utf8 = locale.is_none_or(|locale| locale.to_ascii_lowercase().replace('-', "").contains("utf8"));
    Look {
        width,
        depth: color::detect(args.color, is_terminal, var),
        ascii: args.ascii || !speaks_utf8,
        quiet: args.quiet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_earlier_report_is_gone_after_writing() {
        let path = std::env::temp_dir().join(format!("ringmail-output-{}", std::process::id()));
        std::fs::write(&path, "a long report of an earlier run").unwrap();
        let file = open("--json", &path).unwrap();
        assert_ne!(std::fs::read_to_string(&path).unwrap(), "", "opening must not empty the file");
        replace(file, "short").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "short");
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_folder_cannot_be_written() {
        let failure = open("--csv", Path::new("/")).unwrap_err();
        assert_eq!(failure.code, 1);
        assert!(failure.message.contains("--csv /") && failure.message.contains("nothing was measured"));
    }
}
