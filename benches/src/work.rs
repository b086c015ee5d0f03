//! The workloads. Each runs `n` messages (or round trips) over one pair of cores and says how long they took; each
//! checks that every message arrived once, in its sender's order and whole.

mod asynchronous;
mod batch;
pub mod lossy;
pub mod many;
pub mod mesh;
mod pingpong;
mod stream;
mod wake;

pub use asynchronous::{on_threads, on_tokio};
pub use batch::batch;
pub use pingpong::{bare, pingpong};
pub use stream::{blocking, polling, spinning};
pub use wake::{futex_wake, wake};

/// Messages sent before the clock starts: twice around the ring, so that every slot has been touched by both cores and
/// every thread-local of the peer exists.
fn warm_up(capacity: usize) -> u64 {
    2 * capacity as u64
}
