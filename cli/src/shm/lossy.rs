//! Channels whose sender never waits, and the taps on them: `send --to taps`, `recv --tap`.

use std::time::Duration;

use ringmail::shm::lossy::{Builder, Receiver, Seen, Sender};
use ringmail::shm::{self, Cause, ChannelInfo, OpenError, RecvTimeoutError, SessionInfo, TryRecvError};

use super::all::Asked;
use super::listener::{Listener, Reader, Receives};
use super::outlet::{Outlet, Sent, has_lost_name};
use super::record::{Body, Record, SCHEMA, with_size};
use crate::failure::Failure;

/// Opens the sending side; `None` if no message has that size.
pub(super) fn open_sender(asked: &Asked<'_>) -> Option<Result<Box<dyn Outlet>, OpenError>> {
    with_size!(asked.size, N => {
        let mut builder = Builder::<Record<N>>::new(asked.name);
        if let Some(messages) = asked.capacity {
            builder = builder.capacity(messages);
        }
        let name = asked.name.to_owned();
        let to_taps = |tx| Box::new(ToTaps { tx, record: Box::new(Record::empty()), name }) as Box<dyn Outlet>;
        builder.open_sender().map(to_taps)
    })
}

/// The sending side.
struct ToTaps<const N: usize> {
    tx: Sender<Record<N>>,
    record: Box<Record<N>>,
    name: String,
}

impl<const N: usize> Outlet for ToTaps<N> {
    fn max_len(&self) -> usize {
        N
    }

    fn longer(&self) -> &'static str {
        "--max-bytes"
    }

    fn send(&mut self, record: &[u8], _: Duration) -> Result<Sent, Failure> {
        self.record.fill(record);
        self.tx.send_ref(&self.record);
        Ok(Sent::Yes)
    }

    fn is_removed(&self) -> bool {
        has_lost_name(&self.name)
    }

    /// It is the business of taps what they have read.
    fn is_received(&self) -> bool {
        true
    }

    fn end(self: Box<Self>, in_order: bool) {
        match in_order {
            true => self.tx.close(),
            false => self.tx.give_up(),
        }
    }
}

/// Where a tap begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// With what is sent from now on.
    Now,
    /// With the oldest record that is kept.
    Oldest,
    /// With the first record of a channel that was waited for.
    Creation,
}

/// Opens a tap on the channel `name`, which was seen to be `seen`; `None` if this command does not know its messages.
pub(super) fn open_tap(name: &str, seen: &ChannelInfo, from: Start) -> Option<Result<Box<dyn Listener>, OpenError>> {
    macro_rules! plain {
        ($($type:ident)*) => {
            match seen.schema.split(' ').next()? {
                SCHEMA => with_size!(seen.message_bytes, N => open::<Record<N>>(name, from)),
                $(stringify!($type) => Some(open::<$type>(name, from)),)*
                _ => None,
            }
        };
    }
    plain!(u32 u64 i64 f64 bool)
}

fn open<M: Body>(name: &str, from: Start) -> Result<Box<dyn Listener>, OpenError> {
    let rx = Builder::<M>::new(name).from_oldest(from != Start::Now).open_receiver()?;
    let mut tap = Reader::new(rx);
    // It takes a session that has ended without a record as one that is over; this command was there before it began.
    if from == Start::Creation && Receives::session(tap.receiver()).is_none() {
        let seen = shm::inspect(name)?;
        let last = seen.lanes.first().and_then(|lane| lane.sessions.last());
        if let Some(how) = last.and_then(|session| session.ended) {
            tap.ended_before(how);
        }
    }
    Ok(Box::new(tap))
}

impl<M: Body> Receives for Receiver<M> {
    type Message = M;

    fn recv(&mut self, timeout: Duration) -> Result<Seen<M>, RecvTimeoutError<Cause>> {
        self.recv_timeout(timeout)
    }

    fn try_recv(&mut self) -> Result<Seen<M>, TryRecvError<Cause>> {
        Receiver::try_recv(self)
    }

    fn session(&self) -> Option<SessionInfo> {
        Receiver::session(self)
    }

    /// There is nothing to close: the sender does not know of it.
    fn close(&mut self, _: bool) {}
}
