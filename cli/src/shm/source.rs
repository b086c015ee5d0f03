//! The receiving side of a channel of any kind.

use std::time::Duration;

use ringmail::shm::bytes::{self, fan_in};
use ringmail::shm::{self, RecvTimeoutError};

use super::listener::Listener;

/// The receiving side of a channel.
pub(super) enum Source {
    One(Box<bytes::Receiver>),
    Many(Box<fan_in::Receiver>),
    /// A tap, or one of many receivers that all get each record.
    Listener(Box<dyn Listener>),
}

/// What a wait found.
pub(super) enum News {
    Record,
    Nothing,
    /// So many records were written over before they were read.
    Lost(u64),
    /// A sender's session is over, and all of it was received.
    Session(Session),
    /// All sessions are over.
    All,
    Removed,
}

/// A session that is over.
pub(super) struct Session {
    pub(super) lane: usize,
    pub(super) number: u64,
    /// Words that were sent before it, if known, and received by its end.
    pub(super) start: Option<u64>,
    pub(super) received: u64,
    pub(super) how: shm::Cause,
    /// Who it was, for people.
    pub(super) who: String,
}

impl Source {
    pub(super) fn wait(&mut self, timeout: Duration) -> News {
        match self {
            Self::One(rx) => match rx.wait_for_record(timeout) {
                Ok(()) => News::Record,
                Err(RecvTimeoutError::Timeout) => News::Nothing,
                Err(RecvTimeoutError::Disconnected(shm::Cause::Removed)) => News::Removed,
                Err(RecvTimeoutError::Disconnected(how)) => {
                    let info = rx.session();
                    let (number, start) = (info.map_or(0, |info| info.number), info.and_then(|info| info.start));
                    let received = rx.stats().received;
                    News::Session(Session { lane: 0, number, start, received, how, who: "the sender".into() })
                }
            },
            Self::Many(rx) => match rx.wait_for_record(timeout) {
                Ok(()) => News::Record,
                Err(RecvTimeoutError::Disconnected(fan_in::Disconnected::Sender(gone))) => {
                    let fan_in::Departed { lane, epoch: number, pid, sent, cause: how, .. } = gone;
                    let start = rx.session(lane).and_then(|info| info.start);
                    let who = format!("a sender (process {pid}, lane {lane})");
                    News::Session(Session { lane, number, start, received: sent.unwrap_or(0), how, who })
                }
                Err(RecvTimeoutError::Disconnected(fan_in::Disconnected::All)) => News::All,
                Err(RecvTimeoutError::Disconnected(fan_in::Disconnected::Removed)) => News::Removed,
                Err(_) => News::Nothing,
            },
            Self::Listener(rx) => rx.wait(timeout),
        }
    }

    pub(super) fn close(&mut self) {
        match self {
            Self::One(rx) => rx.close(),
            Self::Many(rx) => rx.close(),
            Self::Listener(rx) => rx.close(true),
        }
    }

    pub(super) fn give_up(&mut self) {
        match self {
            Self::One(rx) => rx.give_up(),
            Self::Many(rx) => rx.give_up(),
            Self::Listener(rx) => rx.close(false),
        }
    }
}
