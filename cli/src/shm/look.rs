//! `ringmail ls` and `clean`: what there is, and what is not needed any more.

use std::path::Path;
use std::process::ExitCode;

use ringmail::shm::{self, Found, Kind, OpenError, Overview, Peer, Removal};

use super::{Clean, Ls, json, refused, show, warn};
use crate::Failure;
use crate::output::terminal_width;

fn names() -> Result<Vec<String>, Failure> {
    shm::list().map_err(|error| Failure::failed(format!("cannot list the channels: {error}")))
}

pub(super) fn ls(args: &Ls) -> Result<ExitCode, Failure> {
    let (mut rows, mut objects) = (Vec::new(), Vec::new());
    let mut code = ExitCode::SUCCESS;
    for name in names()? {
        match shm::look(&name) {
            Ok(seen) if args.json => objects.push(json::Channel::new(&name, &seen, None)),
            Ok(seen) => rows.push(row(name, &seen)),
            // Removed since.
            Err(OpenError::NotFound { .. }) => {}
            Err(error) => {
                warn(format_args!("{name}: {error}"));
                code = ExitCode::FAILURE;
            }
        }
    }
    if args.json {
        show(&json::line(&objects)?)?;
    } else if !rows.is_empty() {
        rows.insert(0, ["NAME", "KIND", "CAPACITY", "USED", "SENT", "SENDER", "RECEIVER"].map(String::from));
        let wide = table(&rows);
        let fits = |width| wide.lines().all(|line| line.len() <= width);
        show(&if terminal_width().is_none_or(fits) { wide } else { narrow(&rows[1..]) })?;
    }
    Ok(code)
}

/// Sizes are in messages, of records in bytes; what was sent is in messages or records.
fn row(name: String, seen: &Overview) -> [String; 7] {
    let unit = if matches!(seen.kind, Kind::Bytes | Kind::BytesFanIn) { seen.message_bytes } else { 1 };
    let size = |n: u64| format!("{}{}", n * unit, if unit == 1 { "" } else { " B" });
    let sender = match &seen.lanes[..] {
        [lane] => lane.sender.state.to_string(),
        lanes => {
            let here = lanes.iter().filter(|lane| lane.sender.state == Peer::Here).count();
            format!("{here} of {} here", lanes.len())
        }
    };
    let capacity = size(seen.capacity * seen.lanes.len() as u64);
    let (kind, used, receiver) = (seen.kind.to_string(), size(seen.depth()), seen.receiver.state.to_string());
    [name, kind, capacity, used, seen.sent().to_string(), sender, receiver]
}

fn table(rows: &[[String; 7]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// The same for a terminal that is too narrow for a table: a few short lines a channel.
fn narrow(rows: &[[String; 7]]) -> String {
    let lines = |[name, kind, capacity, used, sent, sender, receiver]: &[String; 7]| {
        format!(
            "{name}\n  {kind}, {sent} sent\n  {used} of {capacity} used\n  sender {sender}\n  receiver {receiver}\n"
        )
    };
    rows.iter().map(lines).collect()
}

pub(super) fn clean(args: &Clean) -> Result<ExitCode, Failure> {
    if let Some(name) = &args.name {
        let removal = if args.force { shm::remove_any(name) } else { shm::remove(name) };
        let why = |error| match error {
            OpenError::NotASegment { path } => Failure::failed(format!("kept {name}: {}", stays(&path, "--force"))),
            error => refused(error),
        };
        return match removal.map_err(why)? {
            Removal::Removed(found) => show(&removed(name, found)).map(|_| ExitCode::SUCCESS),
            _ => Err(Failure::failed(format!("{name} is in use: end its sender and its receiver first"))),
        };
    }
    let left = shm::unfinished().map_err(|error| Failure::failed(format!("cannot list what is left: {error}")))?;
    let mut code = ExitCode::SUCCESS;
    for name in names()?.into_iter().chain(left) {
        // The directory may be one that has other files.
        match if args.force { shm::remove_any(&name) } else { shm::remove_channel(&name) } {
            Ok(Removal::Removed(found)) => {
                show(&removed(&name, found))?;
            }
            Ok(_) => warn(format_args!("kept {name}: it is in use")),
            Err(OpenError::NotFound { .. }) => {}
            Err(OpenError::NotASegment { path }) => {
                let by = format!("`ringmail clean {name}`, or by --force");
                warn(format_args!("kept {name}: {}", stays(&path, &by)));
                code = ExitCode::FAILURE;
            }
            Err(error) => {
                warn(format_args!("kept {name}: {error}"));
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

/// Why something stays that is no channel; `by` removes files.
fn stays(path: &Path, by: &str) -> String {
    match path.symlink_metadata().is_ok_and(|found| found.is_file()) {
        true => format!("it is no channel (remove it by {by})"),
        false => "it is no file, and only those are removed: remove it by `rm`".into(),
    }
}

fn removed(name: &str, found: Found) -> String {
    format!("removed {name}: {found}\n")
}
