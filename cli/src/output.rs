//! Where the report goes. Files are prepared before anything is measured; an earlier report stays until another is whole.

mod place;

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::options::{Cell, Output, When};
use crate::render::color;
use crate::render::text::Look;
use crate::render::{csv, hdr, html, json, svg, terminal};
use crate::report::Report;
use place::{Place, target};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Csv,
    Svg,
    Html,
    Hdr,
}

/// An output that was asked for.
#[derive(Debug)]
struct Sink {
    kind: Kind,
    path: PathBuf,
    place: Place,
}

/// Everything that will be written.
#[derive(Debug)]
pub(crate) struct Sinks {
    sinks: Vec<Sink>,
    cell: Cell,
    look: Look,
}

impl Sinks {
    /// Prepares all files; an earlier report stays until there is another to take its place. Fails if one cannot be written, or, before anything is
    /// touched, if two outputs have one target.
    pub(crate) fn open(args: &Output) -> Result<Self, Failure> {
        let asked = [
            (Kind::Json, "--json", &args.json),
            (Kind::Csv, "--csv", &args.csv),
            (Kind::Svg, "--svg", &args.svg),
            (Kind::Html, "--html", &args.html),
            (Kind::Hdr, "--hdr", &args.hdr),
        ];
        let asked = asked.map(|(kind, flag, path)| Some((kind, flag, path.as_ref()?, target(path.as_ref()?))));
        let asked: Vec<_> = asked.into_iter().flatten().collect();
        for (at, (_, flag, path, target)) in asked.iter().enumerate() {
            if asked[..at].iter().any(|(.., other)| other == target) {
                return Err(Failure::usage(format!(
                    "{flag} {}: another output goes there already; name another file",
                    path.display()
                )));
            }
        }
        let open = |(kind, flag, path, target): (Kind, &str, &PathBuf, PathBuf)| {
            let place = if kind == Kind::Hdr { Place::folder(target) } else { Place::open(target) };
            let place = place.map_err(|error| {
                Failure::failed(format!(
                    "{flag} {}: {error}; nothing was measured: name a file that can be written",
                    path.display()
                ))
            })?;
            Ok(Sink { kind, path: path.clone(), place })
        };
        let sinks = asked.into_iter().map(open).collect::<Result<_, Failure>>()?;
        Ok(Self { sinks, cell: args.cell, look: look(args.color, args.ascii, args.quiet) })
    }

    /// Writes all outputs. The terminal's report is left out if another output goes to standard output. Files are left as they are if nothing
    /// was measured.
    pub(crate) fn write(self, report: &Report) -> Result<(), Failure> {
        let Self { sinks, cell, look } = self;
        let mut stdout_is_free = true;
        let mut failures = Vec::new();
        for Sink { kind, path, place } in sinks {
            if report.is_empty() && !matches!(place, Place::Stdout) {
                eprintln!("nothing was measured: {} is left as it was", path.display());
                continue;
            }
            if kind == Kind::Hdr {
                let written = match hdr::draw(report) {
                    Some(files) => place
                        .write_all(&files)
                        .map_err(|error| format!("cannot write into {}: {error}", path.display())),
                    None => Err(no_histograms(report, &path)),
                };
                failures.extend(written.err());
                continue;
            }
            let text = match kind {
                Kind::Json => json::draw(report),
                Kind::Csv => Ok(csv::draw(report)),
                Kind::Svg => Ok(svg::draw(report, cell)),
                Kind::Html => html::draw(report, cell),
                Kind::Hdr => Ok(String::new()),
            };
            let text =
                text.map_err(|error| Failure::failed(format!("the report could not be put into JSON: {error}")))?;
            stdout_is_free &= !matches!(place, Place::Stdout);
            let written = place.write(&text);
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

fn no_histograms(report: &Report, path: &Path) -> String {
    let reason = match &report.left_out {
        Some(reason) => format!("it leaves out {reason}; name fewer --cores"),
        None => "an earlier version of ringmail wrote it, or a verb that keeps none".to_owned(),
    };
    format!("--hdr {}: the report holds no histograms: {reason}", path.display())
}

/// Writes the one output of a verb whole, or leaves an earlier one. Returns whether it went to standard output.
pub(crate) fn write_one(flag: &str, path: &Path, text: &str) -> Result<bool, Failure> {
    let cannot = |error: io::Error| Failure::failed(format!("{flag} {}: {error}", path.display()));
    let place = Place::open(target(path)).map_err(cannot)?;
    let is_stdout = matches!(place, Place::Stdout);
    place.write(text).map_err(cannot)?;
    Ok(is_stdout)
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

/// How to draw on standard output.
pub(crate) fn look(when: When, ascii: bool, quiet: bool) -> Look {
    let var = |name: &str| std::env::var(name).ok();
    let is_terminal = io::stdout().is_terminal();
    let columns = || var("COLUMNS").and_then(|text| text.parse().ok()).filter(|&columns: &usize| columns > 0);
    let width = terminal_width().or_else(columns).unwrap_or(110);
    // Without a locale in the environment, UTF-8 is the likely encoding of a terminal.
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| var(name).filter(|value| !value.is_empty()));
    let speaks_utf8 = locale.is_none_or(|locale| locale.to_ascii_lowercase().replace('-', "").contains("utf8"));
    Look { width, depth: color::detect(when, is_terminal, var), ascii: ascii || !speaks_utf8, quiet }
}
