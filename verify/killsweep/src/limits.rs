//! How long a step and a wait of the driver take at most.

use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// One step of the driver's; longer than a death may go unnoticed.
pub(crate) const STEP: Duration = Duration::from_millis(200);
/// Without progress for so long something hangs, also on a machine with more to do than it has cores for.
pub(crate) const STALL: Duration = Duration::from_secs(60);

/// An end is told sooner, but for a machine with more to do.
const PROMPT: Duration = Duration::from_millis(500);

/// Ends that were waited for, and those that were told later than [`PROMPT`].
static ENDS: Mutex<[u64; 2]> = Mutex::new([0; 2]);

/// Notes how long after it an end was told.
pub(crate) fn note_end(took: Duration) {
    let [all, late] = &mut *ENDS.lock().unwrap_or_else(PoisonError::into_inner);
    (*all, *late) = (*all + 1, *late + u64::from(took > PROMPT));
}

/// Whether most ends of this process were told in time, and there were some. Prints it.
pub(crate) fn most_were_prompt(part: &str) -> bool {
    let [all, late] = *ENDS.lock().unwrap_or_else(PoisonError::into_inner);
    println!("{part}: {late} of {all} ends were told later than {} ms", PROMPT.as_millis());
    all != 0 && late * 2 < all
}

pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) -> Result<(), String> {
    let late = Instant::now() + STALL;
    while !holds() {
        if Instant::now() > late {
            return Err(format!("not within {} s: {what}", STALL.as_secs()));
        }
        sleep(Duration::from_millis(1));
    }
    Ok(())
}
