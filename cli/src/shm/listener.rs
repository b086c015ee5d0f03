//! Receivers that leave the records there for others: taps, and the receivers of a channel for all.

use std::time::Duration;

use ringmail::shm::lossy::Seen;
use ringmail::shm::{Cause, RecvTimeoutError, SessionInfo, TryRecvError};

use super::record::Body;
use super::source::{News, Session};

/// A receiver of messages of one size, whatever that is.
pub(super) trait Listener {
    /// Waits for a record, for a loss, or for the end of a session.
    fn wait(&mut self, timeout: Duration) -> News;

    /// Passes the records that are there to `put`, until that wants no more.
    fn take(&mut self, put: &mut dyn FnMut(&[u8]) -> bool);

    /// Leaves: in order, or not.
    fn close(&mut self, in_order: bool);
}

/// What a [`Reader`] needs of a receiver.
pub(super) trait Receives {
    type Message: Body;

    fn recv(&mut self, timeout: Duration) -> Result<Seen<Self::Message>, RecvTimeoutError<Cause>>;
    fn try_recv(&mut self) -> Result<Seen<Self::Message>, TryRecvError<Cause>>;
    fn session(&self) -> Option<SessionInfo>;
    fn close(&mut self, in_order: bool);
}

pub(super) struct Reader<R> {
    rx: R,
    /// The record that the last look found.
    body: Vec<u8>,
    has_body: bool,
    /// What was found behind the last records, for the next wait.
    found: Option<News>,
}

impl<R: Receives> Reader<R> {
    pub(super) fn new(rx: R) -> Self {
        Self { rx, body: Vec::new(), has_body: false, found: None }
    }

    pub(super) fn receiver(&self) -> &R {
        &self.rx
    }

    /// The next wait says that a session has ended, which the receiver does not say.
    pub(super) fn ended_before(&mut self, how: Cause) {
        self.found = Some(self.over(how));
    }

    fn news(&mut self, seen: Seen<R::Message>) -> News {
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
        News::Session(Session { lane: 0, number, start, received: 0, how, who: "the sender".into() })
    }
}

impl<R: Receives> Listener for Reader<R> {
    fn wait(&mut self, timeout: Duration) -> News {
        if let Some(found) = self.found.take() {
            return found;
        }
        match self.rx.recv(timeout) {
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

    fn close(&mut self, in_order: bool) {
        self.rx.close(in_order);
    }
}
