//! Whether the standard descriptors were open when the command was started.
//!
//! Rust's runtime opens `/dev/null` in place of a closed one before `main` runs. Output to it would be lost without an error, so the check
//! runs before that.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::failure::Failure;

/// A bit for each of descriptors 0, 1 and 2 that was closed.
static CLOSED: AtomicU8 = AtomicU8::new(0);

// The section holds pointers to functions of this type. The loader calls each once, in the process's only thread, before `main`. `check_open`
// needs nothing of what the runtime sets up. (Clippy takes no SAFETY comment here.)
#[used]
#[unsafe(link_section = ".init_array")]
static CHECK_OPEN: extern "C" fn() = check_open;

extern "C" fn check_open() {
    for descriptor in 0..3 {
        // SAFETY: `F_GETFD` takes no argument and touches no memory; of a closed descriptor it says `EBADF`.
        if unsafe { libc::fcntl(descriptor, libc::F_GETFD) } == -1 {
            CLOSED.fetch_or(1 << descriptor, Ordering::Relaxed);
        }
    }
}

/// Fails if one of them was closed.
pub(crate) fn check() -> Result<(), Failure> {
    let closed = CLOSED.load(Ordering::Relaxed);
    let names = ["input", "output", "error"];
    match names.iter().enumerate().find(|(descriptor, _)| closed >> descriptor & 1 != 0) {
        Some((_, name)) => {
            Err(Failure::failed(format!("standard {name} is closed: open it, or redirect it to /dev/null")))
        }
        None => Ok(()),
    }
}
