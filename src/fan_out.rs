//! One sender, several workers, a lane for each worker: a work queue whose ends share no word.
//!
//! ```text
//!              ┌──► [ · ▓ ▓ · ] ──► Receiver      each message goes to one worker
//!  Sender ─────┼──► [ · · · · ] ──► Receiver      an idle worker gets work first
//!              └──► [ ▓ ▓ ▓ ▓ ] ──► Receiver      what a worker has not begun, others do
//! ```
//!
//! The mirror of [`fan_in`](crate::fan_in). A lane is an [`spsc`](crate::spsc) ring: the sender alone writes it, and its worker alone reads it. What differs
//! is said here.
//!
//! **Choice.** A message goes to the next worker that has nothing to do, of eight that are looked at. If there is none, it goes to one of the next two lanes with
//! room: to the one with more. So a choice takes the same few steps for any number of workers, unless lanes are full: before `Full`, each lane is looked at.
//! A worker that finds its lane empty says so in a word of its own, and writes it only then.
//!
//! **Capacity** is each lane's own. The messages in a lane wait for its worker, also while others have nothing to do. So take it small, 1 to 4, where the work for a
//! message takes long or varies; at most so many wait behind a long one. Take it large, 64 and more, where the work is short and alike: then the
//! sender sleeps less often.
//!
//! **Order.** First in, first out for each worker. Between workers there is none. To restore the order of the results, number the messages: see
//! [below](#results-in-order).
//!
//! # Workers come and go
//!
//! [`Receiver::join`] and [`Hub::join`] add a worker at run time, from any thread, while the sender sends. They take a lock for a few list operations; the
//! sender takes it once for each worker that comes or goes, and no other message does.
//!
//! A worker leaves when its handle is dropped, also by a panic of its thread. **What it has not received goes to the other workers**, the oldest first, and each
//! of them takes it before what is in its own lane. Nothing moves but the lane's reading end, which is handed over under the lock; workers then take from it one by
//! one, under the lock. This needs nothing of the sender: it may sleep, or be gone. A message is received by one worker, or dropped once, or
//! comes back in an error. A message that a worker has received is that worker's: if its thread panics, that message is gone.
//!
//! [`close`](crate::Receiver::close) is the slow way to leave: the worker gets no more messages, may receive what is in its lane, and then is told
//! `Disconnected`. When it is dropped, the rest goes to the others.
//!
//! | there is | a send |
//! |---|---|
//! | a worker with room | succeeds |
//! | none, but a worker or a [`Hub`] | waits, or answers `Full` |
//! | no worker and no hub | answers `Disconnected`, with the message; no worker can join any more |
//!
//! What the last workers left is kept for a worker that joins, or until the sender is dropped. [`Sender::take_back`] returns it.
//!
//! **The end.** When the sender has closed, the workers receive what is left. A worker is told `Disconnected` once every message was received, by whichever of
//! them: until then it might get what another leaves, and waits. So **do not keep a worker that does not receive**: what is in its lane holds up the
//! others' end. Drop it.
//!
//! # Keys
//!
//! [`Sender::try_send_by_key`] and its fellows send all messages of a key to one worker: of all workers the one whose number, mixed with the key, is highest
//! (rendezvous hashing). When a worker joins, it takes an equal part of the keys of each other one; when one leaves, only its own keys move.
//!
//! **The messages of a key are received in the order in which they were sent, also while workers join and leave.** A worker that joins gets messages of the keys
//! that moved to it once the others have received what was sent before; until then a send by such a key is `Full`, or waits. What a worker leaves is
//! received before what is sent after. *Received* is not *done*: the former worker may be at work on a message of the key when the next one is received. And
//! a message that a worker has looked at ([`peek`](crate::Receiver::peek), or a poll, also one that is pending for the turn of other tasks) counts as received. A
//! worker that has closed and does not receive holds up its keys; and as it takes nothing of what others leave, it may receive a message of a key in its own lane
//! before an older one that another left.
//!
//! # Cost
//!
//! A send costs what one on `spsc` costs, and the choice: a load for each worker that is looked at, of a line that its worker writes when it runs out of work. A
//! receive costs what one on `spsc` costs, and for each run of messages a load of a line that is written when a worker comes or goes.
//!
//! The choice takes the idea of the idle word from work-stealing schedulers, without the stealing; the lesser of two loads is Mitzenmacher's.
//!
//! # Example
//!
//! ```
//! use ringmail::fan_out;
//! use std::thread;
//! let (mut tx, rx) = fan_out::channel(4)?;
//! let mut workers = vec![rx];
//! for _ in 1..4 {
//!     workers.push(workers[0].join()?);
//! }
//! let workers: Vec<_> = workers
//!     .into_iter()
//!     .map(|mut rx| thread::spawn(move || rx.iter().map(|n: u64| n * n).sum::<u64>()))
//!     .collect();
//! tx.send_iter(1..=100)?;
//! drop(tx);
//! let sum: u64 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
//! assert_eq!(sum, 338_350);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # Results in order
//!
//! Number the jobs, return the results by [`fan_in`](crate::fan_in), and have the collector keep those that are early. The number of a job whose worker panics never
//! comes: catch the panic and send an error under that number. Behind a slow job the early ones gather: send no more than some jobs ahead of the collector.
//!
//! ```
//! use ringmail::{fan_in, fan_out};
//! use std::collections::BTreeMap;
//! use std::thread;
//! let (mut jobs, worker) = fan_out::channel::<(usize, u64)>(4)?;
//! let (results, mut collector) = fan_in::channel::<(usize, String)>(16)?;
//! for _ in 0..3 {
//!     let (mut jobs, mut results) = (worker.join()?, results.lane()?);
//!     thread::spawn(move || {
//!         for (number, job) in jobs.iter() {
//!             results.send((number, format!("{job:b}"))).expect("the collector waits for all");
//!         }
//!     });
//! }
//! drop((worker, results));
//! let sender = thread::spawn(move || jobs.send_iter((0..100).enumerate()));
//! let (mut next, mut early, mut lines) = (0, BTreeMap::new(), vec![]);
//! for (number, line) in collector.iter() {
//!     early.insert(number, line);
//!     while let Some(line) = early.remove(&next) {
//!         lines.push(line);
//!         next += 1;
//!     }
//! }
//! assert_eq!(lines.len(), 100);
//! assert_eq!(lines[5..8], ["101", "110", "111"]);
//! assert_eq!(sender.join().unwrap(), Ok(100));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod builder;
mod hub;
mod keyed;
mod lanes;
mod registry;
mod worker;

pub use builder::{Builder, channel};
pub use hub::Hub;
pub use keyed::SendByKeyFuture;

use crate::channel::{self, Flavor, Sealed};
use crate::error::{BuildError, SendError};
use core::fmt;

/// One sender, several workers, a lane for each.
#[derive(Debug)]
pub enum FanOut {}

/// The sending half: the only writer of all lanes. When it is closed or dropped, the workers still receive what was sent.
///
/// `capacity` is that of the lanes that this side has seen, `len` counts what workers have left, too. A batch is sent message by message, each to the worker that is
/// chosen for it.
pub type Sender<T> = channel::Sender<T, FanOut>;

/// A worker: the only reader of its lane. Dropping it hands what it has not received to the other workers.
///
/// `len` and `capacity` are those of its own lane.
pub type Receiver<T> = channel::Receiver<T, FanOut>;

impl Flavor for FanOut {
    const SEALED: Sealed = Sealed(());

    type Sender<T> = lanes::Lanes<T>;
    type Receiver<T> = worker::Worker<T>;
    type Membership<T> = ();

    fn leave<T>((): &mut ()) {}
}

impl<T> Sender<T> {
    /// A hub of this channel, by which workers join.
    ///
    /// # Errors
    /// No worker and no hub is left: the channel is closed.
    pub fn hub(&self) -> Result<Hub<T>, BuildError> {
        Hub::of(&self.end.registry)
    }

    /// Sends everything that `values` yields, each to the worker that is chosen for it, waiting for room as often as need be. Returns how many.
    ///
    /// If the iterator panics, what it yielded before is sent.
    ///
    /// # Errors
    /// The channel is closed; carries the item that was next. The iterator, if lent by `&mut`, still has the rest.
    pub fn send_iter(&mut self, values: impl IntoIterator<Item = T>) -> Result<usize, SendError<T>> {
        crate::drop_order::lend(values.into_iter(), |values| {
            let mut sent = 0;
            for value in values {
                self.send(value)?;
                sent += 1;
            }
            Ok(sent)
        })
    }

    /// Takes back messages that workers have left and no other has received: an iterator, the oldest first. What it is not asked for stays.
    ///
    /// Takes a lock for each. Other workers may take some meanwhile.
    ///
    /// ```
    /// let (mut tx, rx) = ringmail::fan_out::channel(4)?;
    /// (0..3).for_each(|job| tx.try_send(job).unwrap());
    /// drop(rx); // the last worker: nothing else can receive them
    /// assert!(tx.try_send(3).is_err_and(|why| why.is_disconnected()));
    /// assert!(tx.take_back().eq(0..3));
    /// # Ok::<(), ringmail::BuildError>(())
    /// ```
    pub fn take_back(&mut self) -> TakeBack<'_, T> {
        TakeBack { tx: self }
    }

    /// Workers that have joined and not left. Takes a lock.
    pub fn worker_count(&self) -> usize {
        self.end.registry.worker_count()
    }
}

impl<T> Receiver<T> {
    /// Another worker, with a lane of its own. As [`Hub::join`].
    ///
    /// # Errors
    /// As there; and this worker has closed, and it was the last.
    pub fn join(&self) -> Result<Self, BuildError> {
        self.hub()?.join()
    }

    /// A hub of this channel, by which workers join from other threads.
    ///
    /// # Errors
    /// No worker and no hub is left: the channel is closed.
    pub fn hub(&self) -> Result<Hub<T>, BuildError> {
        Hub::of(self.end.registry())
    }
}

/// Messages that workers have left. From [`Sender::take_back`].
pub struct TakeBack<'a, T> {
    tx: &'a mut Sender<T>,
}

impl<T> Iterator for TakeBack<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.tx.end.registry.take(|message| message, None)
    }
}

impl<T> fmt::Debug for TakeBack<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TakeBack").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod assertions {
    use super::{Hub, Receiver, SendByKeyFuture, Sender};
    use core::panic::{RefUnwindSafe, UnwindSafe};
    use static_assertions::{assert_impl_all, assert_not_impl_any};

    assert_impl_all!(Sender<u64>: Send, Unpin);
    assert_impl_all!(Receiver<u64>: Send, Unpin);
    assert_impl_all!(Hub<u64>: Send, Sync, Unpin, Clone);
    assert_impl_all!(SendByKeyFuture<'static, u64>: Send, Unpin);
    // For every message type, as of the channels of std and crossbeam.
    assert_impl_all!(Sender<core::cell::UnsafeCell<u64>>: UnwindSafe, RefUnwindSafe);
    assert_impl_all!(Receiver<core::cell::UnsafeCell<u64>>: UnwindSafe, RefUnwindSafe);
    // A cell may move to another thread but not be shared: enough for a channel.
    assert_impl_all!(Sender<core::cell::Cell<u64>>: Send);
    assert_impl_all!(Hub<core::cell::Cell<u64>>: Send, Sync);
    assert_not_impl_any!(Sender<u64>: Sync, Clone);
    assert_not_impl_any!(Receiver<u64>: Sync, Clone);
    assert_not_impl_any!(Sender<alloc::rc::Rc<u64>>: Send);
    assert_not_impl_any!(Receiver<alloc::rc::Rc<u64>>: Send);
    assert_not_impl_any!(Hub<alloc::rc::Rc<u64>>: Send, Sync);
}
