//! One sender, several workers, each in a process of its own, a lane for each worker: a work queue that outlives whoever works on it.
//!
//! ```text
//!  process A   ┌──► [ · ▓ ▓ · ] ──► Receiver   process B      each message goes to one worker
//!  Sender ─────┼──► [ · · · · ] ──► Receiver   process C      an idle worker gets work first
//!              └──► [ ▓ ▓ ▓ ▓ ] ──✗ killed     process D      what it has not received, B and C do
//! ```
//!
//! ```
//! use ringmail::shm::fan_out::Builder;
//! # let name = format!("doc-fan-out-{}", std::process::id());
//! let mut tx = Builder::<u64>::new(&name).lanes(8).capacity(4).open_sender()?;
//! // In other processes, up to eight at a time:
//! let mut one = Builder::<u64>::new(&name).open_receiver()?;
//! let mut two = Builder::<u64>::new(&name).open_receiver()?;
//! (1..=4).for_each(|job| tx.send(job).unwrap());
//! let mut sum = one.recv()? + one.recv()?;
//! drop(two); // with two jobs that it has not begun
//! sum += one.recv_with(|job| *job)? + one.recv_with(|job| *job)?;
//! assert_eq!(sum, 1 + 2 + 3 + 4);
//! # drop((tx, one));
//! # assert!(Builder::<u64>::new(&name).remove()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The mirror of [`fan_in`](super::fan_in), and [`fan_out`](crate::fan_out) between processes. A lane is the ring of [`spsc`](super::spsc), with its pages, its
//! words and its promises: one process writes each word. The sender has all lanes; a worker takes the first free one ([`Builder::open_receiver`]). Their number is
//! fixed when the channel is made. Capacity is each lane's own: messages in a lane wait for its worker, so take it small, 1 to 4, where work takes long.
//!
//! **Choice.** A message goes to the next worker that has nothing to do, of eight that are looked at; else to one of the next two lanes with room: to the one
//! with more. It goes only to lanes whose worker is there, as far as the sender knows: from the words at once, from the kernel now and then, where a lane does not move, and before each sleep.
//!
//! # Workers come and go
//!
//! | a worker | what becomes of its messages |
//! |---|---|
//! | has received one by `recv` | it is that worker's: gone, should it be killed. At most once |
//! | is killed, or panics, in the handler of `recv_with` or `drain` | it comes again, to another worker. At least once |
//! | leaves, or is killed, with messages in its lane | the others receive them, or the next worker that takes the lane |
//! | is stopped | they wait: nothing is taken from a process that lives. No time decides anything |
//!
//! A worker that finds nothing in its own lane takes, for one message or one `drain`, the kernel's lock of a lane that has messages and no worker. That lock is free only
//! when the process that had it has left or ended, and the kernel gives it to one. So a message is received by one worker, by whom does not matter, and at the position where the
//! last one was. It needs nothing of the sender, which may sleep or be gone. When the sender finds that a worker has gone, it tells the others, and they take what was
//! left before what is in their own lanes. A worker that sleeps finds out within 100 ms.
//!
//! While a worker has the lock of another lane, no new worker can take that lane: it tries for some milliseconds, then says
//! [`NoFreeLane`](super::OpenError::NoFreeLane). With handlers that take long, make the channel with a lane more than there are workers.
//!
//! If the kernel refuses a worker the lock of another lane with an error (`ENOLCK`: no memory), what was left there waits: the worker tries again after
//! its next sleep, 90 ms at the latest, and a verb that does not wait says `Empty`.
//!
//! **No worker.** A send waits for one, and `try_send` says `Full`. What the last workers left lies in their lanes for the next one, also across restarts of all processes.
//!
//! # The sender's end
//!
//! Each session of the sender is told once to each worker when it is over, as [`Cause`](super::Cause), **once every message was received, by whichever worker**: until then a worker might
//! get what another leaves, and waits. So do not keep a worker that does not receive: what is in its lane holds up the others' end. Where the next sender has begun, the
//! end of the one before is told as soon as the worker's own lane is through with it. What another worker left comes without regard to sessions.
//!
//! # Keys
//!
//! [`Sender::try_send_by_key`] and its fellows send all messages of a key to one worker: of all lanes with a worker the one whose number, mixed with the key, is highest
//! (rendezvous hashing). So a worker that takes the lane of one that was killed has that one's keys.
//!
//! **The messages of a key are received in the order in which they were sent, also while workers join, leave and are killed, and from one sender to the next:**
//!
//! * A worker that joins gets messages of the keys that moved to it once the others have received what was sent before the sender saw it. Until then a send by such a key
//!   is `Full`, or waits.
//! * The keys of a worker that has gone stay with its lane until what is in it was received, by whichever worker. Until then a send by such a key is `Full`, or waits.
//! * A sender that is opened sends nothing by key before the other lanes have received what the last one sent.
//! * *Received* is not *done*: after `recv` one worker may be at work on a message of a key when another receives the next. Under `recv_with` and `drain` a message is received when its handler has
//!   returned, so the handlers of a key run one after the other, but for one that is run again because its worker was killed.
//! * The keys of a lane in which a worker wrote what cannot be go to others at once: what is in it is received by none. If a sender wrote a message that is none, sends by
//!   the keys of that lane wait; then remove the channel.
//!
//! # Nonsense
//!
//! What a side reads of another's words is checked. A worker that writes what cannot be is sent nothing more; a sender that does is told to the worker of that lane as
//! [`Cause::Corrupted`](super::Cause::Corrupted). The other lanes go on. What lies in such a lane stays there. Close the worker that is told of it: while its handle
//! is there, the sender's end is not told to the others, and messages behind the one that is none go there.
//!
//! # Sleep and cost
//!
//! The sender sleeps on the positions of all lanes at once, a worker on its lane's and on a word of each other worker (`futex_waitv`, Linux 5.16); on older kernels, or
//! where a filter forbids the call, both look every millisecond. Neither side can be waited for by a descriptor.
//!
//! A send costs what one on `spsc` costs, and the choice: a load for each worker that is looked at. A receive costs what one on `spsc` costs and a load of a line that the
//! sender writes when a worker has gone. A message of another worker's lane costs two system calls.

mod receiver;
mod sender;

pub use receiver::Receiver;
pub use sender::Sender;

use crate::shm::builder::{Channel, Messages, Workers, parts};
use crate::shm::error::OpenError;
use crate::shm::schema::{Message, Schema};
use crate::shm::segment::layout::Kind;
use crate::shm::spsc::{CAPACITY, layout_of};
use crate::wait::WaitStrategy;

/// Opens the sides of a channel of messages `T` with many workers.
pub type Builder<T> = super::builder::Builder<Messages<T>, Workers>;

impl<T: Message> Channel for (Messages<T>, Workers) {
    type Sender = Sender<T>;
    type Receiver = Receiver<T>;

    const KIND: Kind = Kind::FanOut;
    const SCHEMA: Schema = T::SCHEMA;
    const CAPACITY: usize = CAPACITY;

    fn lane(capacity: usize) -> Result<parts::Lane, OpenError> {
        layout_of::<T>(Self::KIND, capacity).map(parts::Lane)
    }

    fn sender(
        parts::OpenedRole(opened): parts::OpenedRole,
        wait: WaitStrategy,
        _version: u32,
    ) -> Result<Sender<T>, OpenError> {
        Ok(Sender::begin(opened, wait))
    }

    fn receiver(parts::OpenedRole(opened): parts::OpenedRole, wait: WaitStrategy) -> Result<Receiver<T>, OpenError> {
        Receiver::begin(opened, wait)
    }
}
