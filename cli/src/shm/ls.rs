//! `ringmail ls`: the channels of this user.

use std::process::ExitCode;

use clap::Args;
use ringmail::shm::{self, ChannelInfo, Kind, LaneView, OpenError, Peer};

use super::exit::{show, warn};
use super::json;
use crate::failure::Failure;
use crate::output::terminal_width;

#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// As JSON: an array
    #[arg(long)]
    json: bool,
}

/// The names of all channels in the directory.
pub(super) fn names() -> Result<Vec<String>, Failure> {
    shm::list().map_err(|error| Failure::failed(format!("cannot list the channels: {error}")))
}

pub(super) fn run(args: &Ls) -> Result<ExitCode, Failure> {
    let (mut rows, mut objects) = (Vec::new(), Vec::new());
    let mut code = ExitCode::SUCCESS;
    for name in names()? {
        match shm::inspect(&name) {
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
fn row(name: String, seen: &ChannelInfo) -> [String; 7] {
    let unit = if matches!(seen.kind, Kind::Bytes | Kind::BytesFanIn) { seen.message_bytes } else { 1 };
    let size = |n: u64| format!("{}{}", n * unit, if unit == 1 { "" } else { " B" });
    let here = |is_here: fn(&LaneView) -> bool| {
        format!("{} of {} here", seen.lanes.iter().filter(|lane| is_here(lane)).count(), seen.lanes.len())
    };
    let sender = match &seen.lanes[..] {
        // The same of each lane.
        [lane, ..] if seen.kind == Kind::FanOut || seen.lanes.len() == 1 => lane.sender.state.to_string(),
        _ => here(|lane| lane.sender.state == Peer::Here),
    };
    let capacity = size(seen.capacity * seen.lanes.len() as u64);
    let (kind, used) = (seen.kind.to_string(), size(seen.depth()));
    let receiver = match seen.kind {
        // Those that only read are in no list.
        Kind::Lossy => "unlisted".into(),
        Kind::Broadcast => {
            let here = seen.seats.iter().filter(|seat| seat.receiver.state == Peer::Here).count();
            format!("{here} of {} here", seen.seats.len())
        }
        Kind::FanOut => here(|lane| lane.receiver.state == Peer::Here),
        _ => seen.receiver.state.to_string(),
    };
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
