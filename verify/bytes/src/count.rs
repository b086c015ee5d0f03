//! Runs the paths under lackey and counts.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::mark::{ADDRESS, Mark};
use crate::paths::{MESSAGES, PLANTED, Path, ROUNDS, all, sizes};

/// Bytes that a message may cost beyond its copies, on each side: a call that copies stores its return address and the registers that it saves, and a frame
/// of many pages touches each page. Less than a copy.
const fn slack(size: usize) -> u64 {
    if size <= 64 { 32 } else { 128 + size as u64 / 256 }
}

/// Bytes stored by the sends and by the receives of one path and size.
type Stored = [u64; 2];

/// Counts every path and prints a line for each size.
///
/// # Errors
/// A verb stores more than it may, or the counter missed something.
pub(crate) fn count() -> Result<(), String> {
    let (paths, of) = (all(), sizes());
    let rounds = run()?;
    let stored: Vec<Stored> = rounds.chunks_exact(ROUNDS).filter_map(|rounds| rounds.last()).copied().collect();
    if stored.len() != paths.len() * of.len() {
        return Err(format!("{} of {} paths and sizes were counted", stored.len(), paths.len() * of.len()));
    }
    println!(
        "  {:<28} {:>6} {:>12} {:>12} {:>12}   bytes of a message beyond what one of 8 costs",
        "verb", "size", "send", "receive", "at most"
    );
    let (mut counted, mut bad, mut planted) = (0, 0, 0);
    for (path, sizes) in paths.iter().zip(stored.chunks(of.len())) {
        let verdicts: Vec<Result<(), &str>> =
            of[1..].iter().zip(&sizes[1..]).map(|(&size, &stored)| line(path, size, sizes[0], stored)).collect();
        if PLANTED.contains(&path.name) {
            // It must be refused at every size.
            planted += usize::from(verdicts.iter().all(Result::is_err));
        } else {
            counted += verdicts.len();
            bad += verdicts.iter().filter(|verdict| verdict.is_err()).count();
        }
    }
    if planted != PLANTED.len() {
        return Err(format!("{planted} of {} planted paths refused", PLANTED.len()));
    }
    if bad > 0 {
        return Err(format!("{bad} of {counted} verbs and sizes store more or less than they may"));
    }
    println!("bytes: {counted} verbs and sizes within their copies, {planted} planted refused");
    Ok(())
}

/// Prints one line, and judges it.
fn line(path: &Path, size: usize, least: Stored, stored: Stored) -> Result<(), &'static str> {
    let copied = (size - size_of::<u64>()) as u64;
    // Of all messages, so that no byte is lost in a division.
    let beyond = [0, 1].map(|side| stored[side] as i64 - least[side] as i64);
    let limit = |copies: u64| (copies * copied * MESSAGES) as i64;
    let slack = (slack(size) * MESSAGES) as i64;
    let verdict = if (0..2).any(|side| beyond[side] > limit(path.copies[side]) + slack) {
        Err("TOO MANY")
    } else if (0..2).any(|side| beyond[side] < limit(path.least(side)) - slack) {
        Err("NOT COUNTED: less than its copies")
    } else {
        Ok(())
    };
    let [send, receive] = beyond.map(|bytes| bytes as f64 / MESSAGES as f64);
    let [sends, receives] = path.copies;
    println!(
        "  {:<28} {size:>6} {send:>12.2} {receive:>12.2} {:>12}   {}",
        path.name,
        format!("{sends}, {receives} copies"),
        verdict.err().unwrap_or("ok")
    );
    verdict
}

/// What each path stored, size by size, round by round.
fn run() -> Result<Vec<Stored>, String> {
    let program = env::current_exe().map_err(|e| format!("where is this program: {e}"))?;
    let mut child = Command::new("valgrind")
        .args(["--command-line-only=yes", "--tool=lackey", "--trace-mem=yes", "--basic-counts=no"])
        .arg(program)
        .arg("paths")
        // A backtrace takes minutes there.
        .env("RUST_BACKTRACE", "0")
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("starting valgrind: {e}"))?;
    let trace = child.stderr.take().ok_or("valgrind has no standard error")?;
    let stored = read(BufReader::with_capacity(1 << 20, trace));
    let status = child.wait().map_err(|e| format!("valgrind: {e}"))?;
    if status.success() { stored } else { Err(format!("the paths ended with {status}")) }
}

/// Reads lackey's trace: ` S address,size` is a store, ` M address,size` a load and a store.
fn read(mut trace: impl BufRead) -> Result<Vec<Stored>, String> {
    let (mut all, mut marks, mut side): (Vec<Stored>, Option<u64>, Option<usize>) = (Vec::new(), None, None);
    let mut line = Vec::new();
    loop {
        line.clear();
        if trace.read_until(b'\n', &mut line).map_err(|e| format!("reading the trace: {e}"))? == 0 {
            return Ok(all);
        }
        let text = line.trim_ascii_end();
        let Some(store) = text.strip_prefix(b" S ").or_else(|| text.strip_prefix(b" M ")) else {
            if let Some(address) = text.strip_prefix(ADDRESS.as_bytes()) {
                marks = Some(number(address, 16)?);
            } else if !(text.starts_with(b"I ") || text.starts_with(b" L ") || text.starts_with(b"==")) {
                eprintln!("{}", String::from_utf8_lossy(text));
            }
            continue;
        };
        let Some(marks) = marks else { continue };
        let comma = store.iter().position(|byte| *byte == b',').ok_or("a store without a size")?;
        let (address, size) = (number(&store[..comma], 16)?, number(&store[comma + 1..], 10)?);
        let word = address.wrapping_sub(marks) / size_of::<u64>() as u64;
        match Mark::ALL.get(word as usize) {
            Some(Mark::Next) => all.push([0; 2]),
            Some(Mark::Send) => side = Some(0),
            Some(Mark::Receive) => side = Some(1),
            Some(Mark::Leave) => side = None,
            None => {
                if let Some(side) = side {
                    all.last_mut().ok_or("a verb before the first path")?[side] += size;
                }
            }
        }
    }
}

fn number(text: &[u8], base: u32) -> Result<u64, String> {
    let text = str::from_utf8(text).map_err(|e| format!("the trace: {e}"))?;
    u64::from_str_radix(text.trim(), base).map_err(|e| format!("the trace: {text}: {e}"))
}
