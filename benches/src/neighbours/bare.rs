//! What the system gives without any channel: a futex on a counter, beside a ring for the values.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rustix::thread::futex::{Flags, wait, wake};

use crate::peers::{BlockRecv, BlockSend, Channel};

/// Values that may be under way. The sender does not look whether there is room: the rows send a thousand a second at most.
const PLACES: usize = 4096;

#[derive(Debug)]
struct Shared {
    /// How many were sent: what the receiver sleeps on.
    sent: AtomicU32,
    values: [AtomicU64; PLACES],
}

/// Makes both ends.
#[derive(Debug)]
pub(super) struct Futex;

/// An end, with how many it has sent or received.
#[derive(Debug)]
pub(super) struct End {
    shared: Arc<Shared>,
    done: u32,
}

impl Channel<u64> for Futex {
    type Tx = End;
    type Rx = End;
    fn pair(_capacity: usize) -> (End, End) {
        let shared = Arc::new(Shared { sent: AtomicU32::new(0), values: [const { AtomicU64::new(0) }; PLACES] });
        (End { shared: Arc::clone(&shared), done: 0 }, End { shared, done: 0 })
    }
}

impl BlockSend<u64> for End {
    fn send(&mut self, value: u64) {
        self.shared.values[self.done as usize % PLACES].store(value, Ordering::Relaxed);
        self.done = self.done.wrapping_add(1);
        // Partner: the load in `recv`.
        self.shared.sent.store(self.done, Ordering::Release);
        wake(&self.shared.sent, Flags::PRIVATE, 1).expect("futex wake");
    }
}

impl BlockRecv<u64> for End {
    fn recv(&mut self) -> u64 {
        while self.shared.sent.load(Ordering::Acquire) == self.done {
            // `EAGAIN` and `EINTR` mean: look again.
            let _ = wait(&self.shared.sent, Flags::PRIVATE, self.done, None);
        }
        let value = self.shared.values[self.done as usize % PLACES].load(Ordering::Relaxed);
        self.done = self.done.wrapping_add(1);
        value
    }
}
