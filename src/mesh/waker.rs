//! Waking a shard from a thread that has no seat.

use super::shared::Shared;
use super::{Endpoint, Seat};
use crate::sync::Arc;
use alloc::sync::Arc as Owned;
use alloc::task::Wake;
use core::task::Waker;

/// Counts a wake for one shard, and notifies its event count.
struct ShardWaker {
    shared: Arc<Shared>,
    id: usize,
}

impl Wake for ShardWaker {
    fn wake(self: Owned<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Owned<Self>) {
        self.shared.wake(self.id);
    }
}

fn waker(shared: &Arc<Shared>, id: usize) -> Waker {
    Waker::from(Owned::new(ShardWaker { shared: Arc::clone(shared), id }))
}

impl<T> Endpoint<T> {
    /// A waker of this shard, for threads that have no seat: a timer, a thread that blocks on files, a runtime.
    ///
    /// After a wake, [`park`](Endpoint::park) and [`arm`](Endpoint::arm) report [`Ready::Woken`](super::Ready::Woken), once for all wakes since the last report.
    /// What the thread did before the wake, the shard sees after the report. The receiving and sending verbs do not end by it. A wake costs one
    /// read-modify-write on a word of the shard and a notification. Any number of threads may hold clones, also after the shard has left: then a wake
    /// does nothing. Once all peers are disconnected [`park`](Endpoint::park) does not wait any more, so not for a wake either.
    ///
    /// To hand something over, put it in a channel and wake then:
    ///
    /// ```
    /// use ringmail::mesh::{Builder, Ready};
    /// let mut seats = Builder::new().shards(2).build::<u64>()?;
    /// let mut me = seats.remove(0).join()?; // the other seat is for another thread
    /// let ((mut jobs, mut inbox), shard) = (ringmail::spsc::channel(8)?, me.waker());
    /// std::thread::spawn(move || {
    ///     jobs.send("from outside").unwrap();
    ///     shard.wake();
    /// });
    /// while me.park() != Ready::Woken {} // here for messages of peers, too
    /// assert_eq!(inbox.try_recv()?, "from outside");
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn waker(&self) -> Waker {
        waker(&self.shared, self.id)
    }
}

impl<T> Seat<T> {
    /// As [`Endpoint::waker`], before the shard's thread has joined: it finds the wake when it first parks.
    pub fn waker(&self) -> Waker {
        waker(&self.shared, self.id)
    }
}
