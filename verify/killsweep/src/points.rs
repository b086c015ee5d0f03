//! The points of one part, several at a time.

use crate::wanted::Wanted;
use std::sync::{Mutex, PoisonError};

/// Points at a time: most of each is waiting for a death to be noticed.
const AT_A_TIME: u64 = 8;
/// No part has so many.
const MOST: u64 = 10_000;

/// What was found at the points of a part.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Found {
    pub(crate) points: u64,
    pub(crate) violations: u64,
}

/// The part's points from the first one on. How many a child passes depends on who waits for whom. So it ends once [`AT_A_TIME`] numbers in a row were not
/// reached; or after `most` violations, or at one that is `wanted`. `at_point` says whether the point was reached.
pub(crate) fn sweep(
    part: &str,
    most: u64,
    wanted: Wanted<'_>,
    at_point: impl Fn(u64) -> Result<bool, String> + Sync,
) -> Found {
    // What is found, the next point, and the last that was reached; at `MOST` there is no next one.
    let state = Mutex::new((Found::default(), 1, 0));
    let state = || state.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let at = {
                        let (_, next, last) = &mut *state();
                        if *next == MOST || *next > *last + AT_A_TIME {
                            return;
                        }
                        *next += 1;
                        *next - 1
                    };
                    let done = at_point(at);
                    let (found, next, last) = &mut *state();
                    match done {
                        Ok(true) => {}
                        Ok(false) => continue,
                        Err(what) => {
                            found.violations += 1;
                            println!("violation: {part} Kill({at}): {what}");
                            if found.violations == most || wanted.is_in(&what) {
                                *next = MOST;
                            }
                        }
                    }
                    *last = at.max(*last);
                    found.points += 1;
                }
            });
        }
    });
    state().0
}
