//! Stores by which the running program tells the counting one where it is.

use std::hint::black_box;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering, compiler_fence};

/// What begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mark {
    /// The next size of a path, or the next path.
    Next,
    /// A send.
    Send,
    /// A receive.
    Receive,
    /// Neither.
    Leave,
}

impl Mark {
    pub(crate) const ALL: [Self; 4] = [Self::Next, Self::Send, Self::Receive, Self::Leave];
}

/// A word for each mark.
static WORDS: [AtomicU64; Mark::ALL.len()] = [const { AtomicU64::new(0) }; Mark::ALL.len()];

/// What precedes the address of the words, on a line of its own.
pub(crate) const ADDRESS: &str = "bytes: marks at ";

/// Says where the words are, in the stream into which lackey prints: by one write, as lackey prints between two.
///
/// # Errors
/// The stream is closed.
pub(crate) fn announce() -> io::Result<()> {
    io::stderr().write_all(format!("{ADDRESS}{:x}\n", WORDS.as_ptr().addr()).as_bytes())
}

/// Sets a mark: what the program stores before it is stored before it.
#[inline(always)]
pub(crate) fn mark(what: Mark) {
    compiler_fence(Ordering::SeqCst);
    black_box(&WORDS)[what as usize].store(0, Ordering::Release);
    compiler_fence(Ordering::SeqCst);
}
