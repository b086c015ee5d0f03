//! The sending side: it keeps to the schedule.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::schedule::Schedule;
use super::{Pacing, Step, Times};
use crate::measure::channel::Message;
use crate::measure::clock::Clock;
use crate::measure::round_trip::StopReason;
use crate::measure::subject::SendingEnd;

/// In the place of the due time of a sender's last message, which is none.
pub(super) const END: u64 = u64::MAX;

/// So many messages of all may be missing, in thousandths.
const MISSING: u64 = 10;

/// What a sender waits with, and what ends it early.
pub(super) struct Way {
    pub(super) clock: Clock,
    pub(super) stop: Arc<AtomicBool>,
    /// Whether it gives the core away while no message is due.
    pub(super) yields: bool,
}

/// What was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Sent {
    /// With the warm-up, and with what was sent late.
    pub(super) all: u64,
    /// Messages due in the time that counts.
    pub(crate) planned: u64,
    /// How many of them were sent before its end.
    pub(crate) in_time: u64,
    /// Length of the time that counts.
    pub(crate) window_s: f64,
}

impl Sent {
    /// Adds another sender's.
    pub(super) fn add(&mut self, other: Self) {
        self.all += other.all;
        self.planned += other.planned;
        self.in_time += other.in_time;
        self.window_s = self.window_s.max(other.window_s);
    }

    /// Whether as many were sent as planned, but for a hundredth.
    pub(crate) fn is_reached(&self) -> bool {
        (self.planned - self.in_time.min(self.planned)) * 1000 <= self.planned * MISSING
    }
}

/// One sender of a step.
pub(super) struct Loop<'a, const N: usize> {
    pub(super) end: &'a mut dyn SendingEnd<N>,
    pub(super) step: &'a Step,
    pub(super) times: &'a Times,
    pub(super) way: &'a Way,
    pub(super) sent: Sent,
}

impl<const N: usize> Loop<'_, N> {
    fn now_ns(&self) -> u64 {
        self.way.clock.ns(self.times.epoch, self.way.clock.raw())
    }

    /// Sends what is due in the warm-up, then what is due in the time that counts, or until it is stopped. The warm-up leaves nothing overdue: what it
    /// could not send is dropped. Nothing in here allocates or prints.
    pub(super) fn run(mut self, mut warm_up: Schedule, mut schedule: Schedule) -> Result<Sent, StopReason> {
        let Times { from_ns, end_ns, late_ns, deadline, .. } = *self.times;
        self.follow(&mut warm_up, from_ns, from_ns)?;
        self.sent = Sent { all: self.sent.all, ..Sent::default() };
        let (due_ns, stopped_ns) = self.follow(&mut schedule, end_ns, late_ns)?;
        self.end.send(message(END, END), deadline)?;
        let ended_ns = stopped_ns.unwrap_or(end_ns).min(end_ns);
        // Those that were due and not sent at all.
        self.sent.planned += schedule.left_until(due_ns, ended_ns);
        self.sent.window_s = ended_ns.saturating_sub(from_ns) as f64 / 1e9;
        Ok(self.sent)
    }

    /// Sends what is due before `end_ns`, as long as it is not `late_ns` yet. Returns when the next one is due, and when it was stopped, if so.
    fn follow(&mut self, schedule: &mut Schedule, end_ns: u64, late_ns: u64) -> Result<(u64, Option<u64>), StopReason> {
        let closed = self.step.pacing == Pacing::Closed;
        let mut due_ns = schedule.next();
        while due_ns < end_ns {
            let mut now = self.now_ns();
            loop {
                if self.way.stop.load(Ordering::Relaxed) {
                    return Ok((due_ns, Some(now)));
                }
                if now >= due_ns {
                    break;
                }
                if self.way.yields {
                    std::thread::yield_now();
                } else {
                    std::hint::spin_loop();
                }
                now = self.now_ns();
            }
            if now >= late_ns {
                break;
            }
            self.end.send(message(if closed { now } else { due_ns }, now), self.times.deadline)?;
            self.sent.all += 1;
            self.sent.planned += 1;
            self.sent.in_time += u64::from(now < end_ns);
            due_ns = if closed { self.now_ns() + schedule.gap_ns() as u64 } else { schedule.next() };
        }
        Ok((due_ns, None))
    }
}

/// A message that carries both times; all other words belong to it.
#[inline]
fn message<const N: usize>(start_ns: u64, sent_ns: u64) -> Message<N> {
    std::array::from_fn(|index| if index == 1 { sent_ns } else { start_ns.wrapping_add(index as u64) })
}

/// The two times, once all words are known to belong to them.
#[inline]
pub(super) fn times_of<const N: usize>(message: &Message<N>) -> Result<(u64, u64), StopReason> {
    // No early exit: every word is read.
    let wrong = message.iter().enumerate().fold(0, |sum, (index, word)| {
        if index == 1 { sum } else { sum | (word ^ message[0].wrapping_add(index as u64)) }
    });
    if wrong == 0 { Ok((message[0], message[1])) } else { Err(StopReason::Corrupt) }
}
