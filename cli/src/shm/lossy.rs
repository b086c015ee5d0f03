//! Channels whose sender never waits, and the taps on them: `send --to taps`, `recv --tap`.

use std::time::Duration;

use ringmail::shm::lossy::{Builder, Receiver, Seen, Sender};
use ringmail::shm::{self, Cause, ChannelInfo, OpenError, RecvTimeoutError, TryRecvError};

use super::outlet::{Outlet, Sent};
use super::record::{Body, Record, SCHEMA, with_size};
use super::source::{News, Session};
use crate::failure::Failure;

/// Opens the sending side of a channel of messages of `size` bytes that keeps so many; `None` if there is no such size.
pub(super) fn open_sender(
    name: &str,
    size: usize,
    capacity: Option<usize>,
) -> Option<Result<Box<dyn Outlet>, OpenError>> {
    with_size!(size, N => {
        let mut builder = Builder::<Record<N>>::new(name);
        if let Some(messages) = capacity {
            builder = builder.capacity(messages);
        }
        let name = name.to_owned();
        builder.open_sender().map(|tx| Box::new(ToTaps { tx, record: Box::new(Record::empty()), name }) as Box<dyn Outlet>)
    })
}

/// Whether its messages are this command's records.
pub(super) fn is_of_records(seen: &ChannelInfo) -> bool {
    seen.schema.split(' ').next() == Some(SCHEMA)
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

    /// The sender's handle cannot tell. The channel that has the name now is another one if this process is not its sender.
    fn is_removed(&self) -> bool {
        match shm::inspect(&self.name) {
            Ok(seen) => seen.lanes.iter().all(|lane| lane.sender.pid != std::process::id()),
            Err(error) => matches!(error, OpenError::NotFound { .. }),
        }
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

/// A receiver that only reads.
pub(super) trait Tap {
    /// Waits for a record, for a loss, or for the end of a session.
    fn wait(&mut self, timeout: Duration) -> News;

    /// Passes the records that are there to `put`, until that wants no more.
    fn take(&mut self, put: &mut dyn FnMut(&[u8]) -> bool);
}

/// Opens a tap on the channel `name`, which was seen to be `seen`; `None` if this command does not know its messages.
pub(super) fn open_tap(name: &str, seen: &ChannelInfo, from: Start) -> Option<Result<Box<dyn Tap>, OpenError>> {
    macro_rules! plain {
        ($($type:ident)*) => {
            match seen.schema.split(' ').next()? {
                SCHEMA => with_size!(seen.message_bytes, N => open::<Record<N>>(name, from)),
                $(stringify!($type) => Some(open::<$type>(name, from)),)*
                _ => None,
            }
        };
    }
    plain!(u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 bool char)
}

fn open<M: Body>(name: &str, from: Start) -> Result<Box<dyn Tap>, OpenError> {
    let rx = Builder::<M>::new(name).from_oldest(from != Start::Now).open_receiver()?;
    let mut tap = Reader { rx, body: Vec::new(), has_body: false, found: None };
    // It takes a session that has ended without a record as one that is over; this command was there before it began.
    if from == Start::Creation && tap.rx.session().is_none() {
        let seen = shm::inspect(name)?;
        let last = seen.lanes.first().and_then(|lane| lane.sessions.last());
        tap.found = last.and_then(|session| session.ended).map(|how| tap.over(how));
    }
    Ok(Box::new(tap))
}

struct Reader<M: Body> {
    rx: Receiver<M>,
    /// The record that the last wait found.
    body: Vec<u8>,
    has_body: bool,
    /// What was found behind the last records, for the next wait.
    found: Option<News>,
}

impl<M: Body> Reader<M> {
    fn news(&mut self, seen: Seen<M>) -> News {
        match seen {
            Seen::Lost(count) => News::Lost(count),
            Seen::Message(message) => {
                self.body.clear();
                self.has_body = message.put(&mut self.body);
                if self.has_body { News::Record } else { self.over(Cause::Corrupted) }
            }
        }
    }

    fn over(&self, how: Cause) -> News {
        if how == Cause::Removed {
            return News::Removed;
        }
        let info = self.rx.session();
        let (number, start) = (info.map_or(0, |info| info.number), info.and_then(|info| info.start));
        let received = self.rx.position();
        News::Session(Session { lane: 0, number, start, received, how, who: "the sender".into() })
    }
}

impl<M: Body> Tap for Reader<M> {
    fn wait(&mut self, timeout: Duration) -> News {
        if let Some(found) = self.found.take() {
            return found;
        }
        match self.rx.recv_timeout(timeout) {
            Ok(seen) => self.news(seen),
            Err(RecvTimeoutError::Timeout) => News::Nothing,
            Err(RecvTimeoutError::Disconnected(how)) => self.over(how),
        }
    }

    fn take(&mut self, put: &mut dyn FnMut(&[u8]) -> bool) {
        while std::mem::take(&mut self.has_body) {
            if !put(&self.body) {
                return;
            }
            let news = match self.rx.try_recv() {
                Ok(seen) => self.news(seen),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected(how)) => self.over(how),
            };
            self.found = Some(news).filter(|news| !matches!(news, News::Record));
        }
    }
}
