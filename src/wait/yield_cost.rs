//! Whether a yield pays on a core: which waiting threads share it, and what yields have cost there.
//!
//! A yield pays if the thread that is waited for is on the same core, and no other thread wants that core. Then it is a switch to that thread, a
//! tenth of a sleep and a wake. Beside a thread that computes, the same call gives a time slice away, 4 to 8 ms at 250 ticks a second. No
//! system call tells the two cases apart beforehand. So each core has a line here, in a static table:
//!
//! | word | meaning |
//! |---|---|
//! | `last` | the thread that waited last on this core, and when |
//! | `other` | the other thread that waited before it, and when |
//! | `yields` | whether yields are allowed: their score, or until when they are not |
//!
//! Any thread on the core may write its line, and only after it has spun in vain. The words are hints, so any value is sound: they decide only
//! whether a side yields before it sleeps. This table is the only state that the channels of a process share.

use crate::sync::{AtomicU64, Ordering};
use core::time::Duration;
use crossbeam_utils::CachePadded;
use std::sync::OnceLock;
use std::time::Instant;

/// Lines of the table. A core's line is its number modulo this. Two cores with one line take each other's threads for their own.
const CORES: usize = 64;

/// A thread whose last wait is longer ago than this does not count as sharing the core.
const LATELY_MS: u64 = 100;

/// A yield that took longer was a good part of a time slice: the tick is 1 ms or more, a switch there and back some microseconds.
const SLOW: Duration = Duration::from_micros(500);
/// A yield that took less found no other thread to run.
const ALONE: Duration = Duration::from_micros(1);

/// The first score of a core, the highest score, and what a slow yield takes from it. A yield that was not slow adds 1.
///
/// As the `neighbours` bench shows, one slow yield among eight that pay leaves yields allowed, and one on a core that computes ends them.
const FIRST_SCORE: u64 = 8;
const MOST_SCORE: u64 = 64;
const SLOW_PRICE: u64 = 8;
/// From this score on, the next pause is the shortest again.
const TRUSTED: u64 = 32;
/// For how many milliseconds a core has no yields once its score is 0. After that, one is tried.
const PAUSES_MS: [u64; 4] = [50, 500, 5_000, 10_000];

struct CoreEntry {
    /// See [`LastWait`].
    last: AtomicU64,
    other: AtomicU64,
    /// See [`YieldScore`].
    yields: AtomicU64,
}

static TABLE: [CachePadded<CoreEntry>; CORES] = [const {
    let (last, other) = (AtomicU64::new(0), AtomicU64::new(0));
    CachePadded::new(CoreEntry {
        last,
        other,
        yields: AtomicU64::new(YieldScore { score: FIRST_SCORE, pauses: 0, until: 0 }.word()),
    })
}; CORES];

/// A thread and the time of its last wait: 24 bits of the one, 40 of the other.
#[derive(Clone, Copy)]
struct LastWait(u64);

impl LastWait {
    const TIME: u32 = 40;

    fn new(thread: u64, now: u64) -> Self {
        Self(thread << Self::TIME | now & ((1 << Self::TIME) - 1))
    }

    fn thread(self) -> u64 {
        self.0 >> Self::TIME
    }

    fn is_lately(self, now: u64) -> bool {
        self.0 != 0 && now.wrapping_sub(self.0) & ((1 << Self::TIME) - 1) < LATELY_MS
    }
}

/// What is known of the yields on a core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct YieldScore {
    /// 0: no yields before `until`.
    score: u64,
    /// Pauses so far, since the score was last trusted.
    pauses: u64,
    until: u64,
}

impl YieldScore {
    const fn word(self) -> u64 {
        self.until << 16 | self.pauses << 8 | self.score
    }

    const fn of(word: u64) -> Self {
        Self { score: word & 0xFF, pauses: word >> 8 & 0xFF, until: word >> 16 }
    }

    /// Whether a side may yield now.
    fn allows(self, now: u64) -> bool {
        self.score != 0 || now >= self.until
    }

    /// After a yield that took `took` and ended at `now`.
    fn after(self, took: Duration, now: u64) -> Self {
        if found_none_to_run(took) {
            return self;
        }
        if took < SLOW {
            let score = (self.score + 1).min(MOST_SCORE);
            return Self { score, pauses: if score >= TRUSTED { 0 } else { self.pauses }, ..self };
        }
        match self.score.saturating_sub(SLOW_PRICE) {
            0 => {
                let pause = PAUSES_MS[(self.pauses as usize).min(PAUSES_MS.len() - 1)];
                Self { score: 0, pauses: (self.pauses + 1).min(PAUSES_MS.len() as u64), until: now + pause }
            }
            score => Self { score, ..self },
        }
    }
}

/// The core that a thread runs on while it waits.
pub(crate) struct CurrentCore {
    core: &'static CoreEntry,
    is_shared: bool,
}

impl CurrentCore {
    /// Notes that this thread waits on the core of this `number` at the time `at`.
    pub(crate) fn record_wait(number: usize, at: Instant) -> Self {
        let core = &TABLE[number % CORES];
        let (now, thread) = (millis(at), this_thread());
        let last = LastWait(core.last.load(Ordering::Relaxed));
        let other = if last.thread() == thread {
            LastWait(core.other.load(Ordering::Relaxed))
        } else {
            core.other.store(last.0, Ordering::Relaxed);
            last
        };
        core.last.store(LastWait::new(thread, now).0, Ordering::Relaxed);
        Self { core, is_shared: other.is_lately(now) }
    }

    /// Whether another thread of this process waited here lately.
    pub(crate) fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Whether another thread of this process has waited here since this one noted that it does.
    pub(crate) fn others_waited(&self) -> bool {
        LastWait(self.core.last.load(Ordering::Relaxed)).thread() != this_thread()
    }

    /// Whether yields are allowed here: they were cheap lately, or it is time to try one.
    pub(crate) fn may_yield(&self, at: Instant) -> bool {
        YieldScore::of(self.core.yields.load(Ordering::Relaxed)).allows(millis(at))
    }

    /// Notes that a yield took `took` and ended at `now`. Whether that was slow. `excused`: a slow one does not count against the core.
    pub(crate) fn record_yield(&self, took: Duration, excused: bool, now: Instant) -> bool {
        let slow = took >= SLOW;
        if !(slow && excused) {
            let before = self.core.yields.load(Ordering::Relaxed);
            let after = YieldScore::of(before).after(took, millis(now)).word();
            if after != before {
                self.core.yields.store(after, Ordering::Relaxed);
            }
        }
        slow
    }
}

/// Whether a yield that took so long found no other thread to run.
pub(crate) fn found_none_to_run(took: Duration) -> bool {
    took < ALONE
}

/// The number of the core that this thread runs on; always 0 on a platform that does not tell.
pub(crate) fn current_core() -> usize {
    #[cfg(target_os = "linux")]
    return rustix::thread::sched_getcpu();
    #[cfg(not(target_os = "linux"))]
    return 0;
}

/// Milliseconds of this process's clock, from 1 on.
fn millis(at: Instant) -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    at.saturating_duration_since(*START.get_or_init(|| at)).as_millis() as u64 + 1
}

/// A number that tells the threads of this process apart, never 0: the page of a thread-local variable. Each thread has pages of its own for
/// them, and 24 bits of pages are 64 GiB.
fn this_thread() -> u64 {
    std::thread_local!(static HERE: u8 = const { 0 });
    HERE.with(|here| (core::ptr::from_ref(here).addr() as u64 >> 12 & 0xFF_FFFF).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Duration = Duration::from_micros(20);
    const SLICE: Duration = Duration::from_millis(4);
    const NEW: YieldScore = YieldScore { score: FIRST_SCORE, pauses: 0, until: 0 };

    #[test]
    fn a_core_that_computes_has_one_slow_yield_in_ten_seconds() {
        let (mut yields, mut slow) = (NEW, vec![]);
        for now in 0..60_000 {
            if yields.allows(now) {
                yields = yields.after(SLICE, now);
                slow.push(now);
            }
        }
        assert!(slow[0] == 0 && slow.len() < 12, "{slow:?}");
        let late: Vec<_> = slow.iter().filter(|&&at| at > 15_000).collect();
        assert!(late.windows(2).all(|two| two[1] - two[0] >= 10_000), "{slow:?}");
    }

    #[test]
    fn yields_that_pay_outweigh_a_slow_one_now_and_then() {
        let mut yields = NEW;
        for now in 0..10_000 {
            yields = yields.after(if now % 16 == 15 { SLICE } else { FAST }, now);
            assert!(yields.allows(now), "at {now}");
        }
    }

    #[test]
    fn a_yield_with_no_other_thread_to_run_says_nothing() {
        assert_eq!(NEW.after(Duration::from_nanos(300), 7), NEW);
    }

    #[test]
    fn a_core_that_is_quiet_again_is_trusted_again() {
        let mut yields = (0..4).fold(NEW, |yields, n| yields.after(SLICE, 20_000 * n));
        assert!(!yields.allows(60_001));
        yields = (0..40).fold(yields, |yields, _| yields.after(FAST, 80_000));
        assert_eq!(yields.after(SLICE, 80_000).pauses, 0);
    }

    #[test]
    fn words_carry_what_is_put_in() {
        for yields in [NEW, YieldScore { score: MOST_SCORE, pauses: 4, until: 1 << 40 }, NEW.after(SLICE, 123_456)] {
            assert_eq!(YieldScore::of(yields.word()), yields);
        }
    }

    #[test]
    fn only_another_thread_that_waited_lately_shares_the_core() {
        let now = 5_000;
        assert!(!LastWait(0).is_lately(now), "nothing has waited yet");
        let last = LastWait::new(0x12_3456, now);
        assert_eq!(last.thread(), 0x12_3456);
        assert!(last.is_lately(now + LATELY_MS - 1) && !last.is_lately(now + LATELY_MS));
        let other = std::thread::spawn(this_thread).join().unwrap();
        assert_ne!(other, this_thread());
        assert_eq!(this_thread(), this_thread());
    }
}
