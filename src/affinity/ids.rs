//! Core numbers as text: `7`, `0-3`, `0-3,7`.

use std::fmt::Write;
use std::string::String;

/// Core numbers of a machine end here; more are taken for garbage, not for cores. The kernel's own limit is 8192.
pub(super) const ID_LIMIT: usize = 65_536;

/// A number of ASCII digits alone. Unlike `str::parse`, no sign is taken: `+3` is a typing error.
pub(super) fn number(text: &str) -> Result<usize, &'static str> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err("not a number");
    }
    text.parse().map_err(|_| "the number is too large")
}

/// `7` or `0-3` as its first and last number. The numbers in between are not made: a range can be of any size.
pub(super) fn range(text: &str) -> Result<(usize, usize), &'static str> {
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (number(first.trim())?, number(last.trim())?),
        None => {
            let only = number(text)?;
            (only, only)
        }
    };
    if first > last {
        return Err("the range runs backwards; put the lower number first");
    }
    Ok((first, last))
}

/// Ascending numbers in the short form that [`range`] reads: `0-3,7`. `none` if there are none.
pub(super) fn compact(ids: &[usize]) -> String {
    if ids.is_empty() {
        return "none".into();
    }
    let mut out = String::new();
    for run in ids.chunk_by(|a, b| a.checked_add(1) == Some(*b)) {
        let (first, last) = (run[0], run[run.len() - 1]);
        let comma = if out.is_empty() { "" } else { "," };
        // Writing to a `String` cannot fail.
        let _ = if first == last { write!(out, "{comma}{first}") } else { write!(out, "{comma}{first}-{last}") };
    }
    out
}
