//! The thread that waits, and answers each message.

use std::sync::atomic::Ordering;

use super::subject::Receives;
use super::{Job, NUMBERS, QUIT, Shared, unpack};
use crate::measure::round_trip::StopReason;
use crate::measure::side::Side;
use crate::options::Wait;

/// The receiver's thread. Returns whether it was found on another core.
pub(super) fn receive(job: &Job, mut subjects: Vec<Box<dyn Receives>>, shared: &Shared) -> Result<bool, StopReason> {
    let mut side = Side::begin_waiting(Wait::Spin);
    shared.meeting.answer(&job.clock)?;
    let (mut at, mut number) = (0, 0_u64);
    loop {
        let subject = subjects.get_mut(at).ok_or(StopReason::Corrupt)?;
        let message = subject.receive()?;
        let received = job.clock.raw_after_loads();
        number += 1;
        let (of_number, next) = unpack(message);
        if of_number != number as u32 & NUMBERS {
            return Err(StopReason::Corrupt);
        }
        let answer = &shared.answer;
        answer.received.store(received, Ordering::Relaxed);
        answer.sleeps.store(sleeps(), Ordering::Relaxed);
        answer.number.store(number, Ordering::Release);
        if next == QUIT {
            side.end();
            return Ok(side.effects().migrated);
        }
        at = usize::from(next);
    }
}

/// Times that the calling thread gave its core away to wait for something.
fn sleeps() -> u64 {
    // SAFETY: all zeros is a value of this struct of integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is writable for as long as the call lasts.
    unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) };
    usage.ru_nvcsw as u64
}
