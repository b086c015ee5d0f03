//! How long a step and a wait of the driver take at most.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// One step of the driver's; longer than a death may go unnoticed.
pub(crate) const STEP: Duration = Duration::from_millis(200);
/// Without progress for so long something hangs, also on a machine with more to do than it has cores for.
pub(crate) const STALL: Duration = Duration::from_secs(60);

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
