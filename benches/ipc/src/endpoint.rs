//! One side of a slice: warm-up, probe, work, probe. The other side does the same in its own process.
//!
//! ```text
//!   A  open │ warm-up │ probe │ gate │ work ······ │ gate │ probe
//!   B  open │ warm-up │ probe │ gate │ work ······ │ gate │ probe
//!                                    ├── elapsed ──┤
//! ```

use ringmail_benches::floor::Probe;
use ringmail_benches::pair_slice::Counts;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::shared_page::SharedPage;

/// Which end of the links an endpoint has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Side {
    /// Sends; on a round trip it sends first.
    A,
    /// Receives; on a round trip it sends back.
    B,
}

/// What an endpoint reports after its slice.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct EndpointReport {
    /// Which side reports.
    pub side: Side,
    /// When its work began and ended, by the clock that all processes share, in nanoseconds.
    pub span: [u64; 2],
    /// A's probes, before and after.
    pub floor: [f64; 2],
    /// Time that it was ready to run while another program had its core, in nanoseconds.
    pub stolen: u64,
    /// How often it gave its core up by itself.
    pub parked: u64,
    /// Processor time of its work, in nanoseconds.
    pub worked: u64,
    /// B's typical latency of the channel and of the futex beside it, where there is one, in nanoseconds.
    pub latency: [f64; 2],
}

/// One side of a slice, before its work.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint<'a> {
    /// The page that both sides map.
    pub page: &'a SharedPage,
    /// Which side.
    pub side: Side,
    /// Messages or round trips before the clock starts.
    pub warm: u64,
    /// Messages or round trips that are timed; or milliseconds without a message.
    pub n: u64,
}

/// By the clock that all processes share, in nanoseconds.
pub(crate) fn now() -> u64 {
    nanos(ClockId::Monotonic)
}

fn nanos(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

impl Endpoint<'_> {
    /// Does `work`; everything that it needs is open already.
    pub fn run(&self, mut work: impl FnMut(u64)) -> EndpointReport {
        let mut probe = Probe::new(&self.page.floor);
        let mut look = || match self.side {
            Side::A => probe.measure(),
            Side::B => {
                probe.answer();
                0.0
            }
        };
        // All links stand.
        self.page.pass();
        work(self.warm);
        let before = Counts::now();
        self.page.pass();
        let first = look();
        self.page.pass();
        let (start, idle) = (now(), nanos(ClockId::ThreadCPUTime));
        work(self.n);
        let (end, worked) = (now(), nanos(ClockId::ThreadCPUTime) - idle);
        self.page.pass();
        let last = look();
        let counts = Counts::now().since(before);
        EndpointReport {
            side: self.side,
            span: [start, end],
            floor: [first, last],
            stolen: counts.stolen.as_nanos() as u64,
            parked: counts.parked,
            worked,
            latency: [0.0; 2],
        }
    }
}
