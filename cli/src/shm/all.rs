//! Channels all of whose receivers get each record: `send --to all`, `--receivers`.

use std::time::Duration;

use ringmail::shm::broadcast::{Builder, Departed, Receiver, Sender};
use ringmail::shm::lossy::Seen;
use ringmail::shm::{Cause, OpenError, RecvTimeoutError, SendTimeoutError, SessionInfo, TryRecvError};

use super::exit::{how, warn};
use super::listener::{Listener, Reader, Receives};
use super::outlet::{Outlet, Sent, has_lost_name};
use super::record::{Body, Record, with_size};
use crate::failure::Failure;

/// What a side asks of a channel.
pub(super) struct Asked<'a> {
    pub(super) name: &'a str,
    /// Bytes of a message.
    pub(super) size: usize,
    /// Messages.
    pub(super) capacity: Option<usize>,
    pub(super) receivers: Option<usize>,
}

impl Asked<'_> {
    fn builder<const N: usize>(&self) -> Builder<Record<N>> {
        let mut builder = Builder::new(self.name);
        if let Some(messages) = self.capacity {
            builder = builder.capacity(messages);
        }
        match self.receivers {
            Some(seats) => builder.receivers(seats),
            None => builder,
        }
    }

    /// `None` if no message has that size.
    pub(super) fn open_sender(&self) -> Option<Result<Box<dyn Outlet>, OpenError>> {
        with_size!(self.size, N => {
            let name = self.name.to_owned();
            let to_all = |tx| Box::new(ToAll::<N> { tx, record: Box::new(Record::empty()), name }) as Box<dyn Outlet>;
            self.builder::<N>().open_sender().map(to_all)
        })
    }

    /// As [`Asked::open_sender`].
    pub(super) fn open_receiver(&self) -> Option<Result<Box<dyn Listener>, OpenError>> {
        with_size!(self.size, N => {
            self.builder::<N>().open_receiver().map(|rx| Box::new(Reader::new(rx)) as Box<dyn Listener>)
        })
    }
}

/// The sending side.
struct ToAll<const N: usize> {
    tx: Sender<Record<N>>,
    record: Box<Record<N>>,
    name: String,
}

impl<const N: usize> Outlet for ToAll<N> {
    fn max_len(&self) -> usize {
        N
    }

    fn longer(&self) -> &'static str {
        "--max-bytes"
    }

    fn send(&mut self, record: &[u8], timeout: Duration) -> Result<Sent, Failure> {
        self.record.fill(record);
        if self.tx.try_send_ref(&self.record).is_ok() {
            return Ok(Sent::Yes);
        }
        match self.tx.send_timeout(*self.record, timeout) {
            Ok(()) => Ok(Sent::Yes),
            Err(SendTimeoutError::Timeout(_)) => {
                self.report();
                Ok(Sent::NotYet)
            }
            Err(SendTimeoutError::Disconnected(_, cause)) => Ok(Sent::Ended(cause)),
        }
    }

    fn is_removed(&self) -> bool {
        has_lost_name(&self.name)
    }

    fn receivers(&self) -> usize {
        self.tx.receivers()
    }

    fn is_received(&self) -> bool {
        self.tx.is_empty()
    }

    /// A receiver that has closed is none of the sender's business.
    fn report(&mut self) {
        while let Some(Departed { seat, pid, cause, .. }) = self.tx.departed() {
            match cause {
                Cause::Closed | Cause::GivenUp => {}
                Cause::PeerDied => warn(format_args!(
                    "warning: a receiver (process {pid}, seat {seat}) {}: it is waited for no more",
                    how(cause)
                )),
                cause => warn(format_args!(
                    "warning: a receiver (process {pid}, seat {seat}): {cause}: it is waited for no more"
                )),
            }
        }
    }

    fn end(mut self: Box<Self>, in_order: bool) {
        match in_order {
            true => self.tx.close(),
            false => self.tx.give_up(),
        }
    }
}

impl<M: Body> Receives for Receiver<M> {
    type Message = M;

    fn recv(&mut self, timeout: Duration) -> Result<Seen<M>, RecvTimeoutError<Cause>> {
        self.recv_timeout(timeout).map(Seen::Message)
    }

    fn try_recv(&mut self) -> Result<Seen<M>, TryRecvError<Cause>> {
        Receiver::try_recv(self).map(Seen::Message)
    }

    fn session(&self) -> Option<SessionInfo> {
        Receiver::session(self)
    }

    fn close(&mut self, in_order: bool) {
        match in_order {
            true => Receiver::close(self),
            false => self.give_up(),
        }
    }
}
