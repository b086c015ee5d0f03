//! Opens a channel as its kind: one sender, or many.

use std::time::Duration;

use clap::Args;
use ringmail::shm::RecvTimeoutError;
use ringmail::shm::bytes::{self, fan_in};
use ringmail::shm::{self, ChannelInfo, Kind, OpenError, Records};

use super::exit::refused;
use crate::failure::Failure;

/// Which channel, and how records are separated in the input or output.
#[derive(Debug, Args)]
pub(super) struct Channel {
    /// Name of the channel; with a '/', the path of its file
    pub(super) name: String,
    /// Size of a new channel, such as 65536, 64K or 1M; an existing channel must have this size, or a larger one that its
    /// creator did not ask for [default: 1M]
    #[arg(long, value_name = "BYTES", value_parser = size)]
    capacity: Option<usize>,
    /// Make a new channel for up to N senders at a time, each with a lane of --capacity bytes [default: 256K]; an existing
    /// channel must be for as many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=128))]
    senders: Option<u16>,
    /// Records are not lines: before each comes its length, four bytes, little-endian
    #[arg(long)]
    pub(super) length_framed: bool,
}

/// Tries to open a channel that another process replaces by one of another kind at the same time.
const LOOKS: usize = 3;

impl Channel {
    pub(super) fn open_sender(&self) -> Result<bytes::Sender, Failure> {
        self.open(bytes::Builder::open_sender, fan_in::Builder::open_sender).map(|(tx, _)| tx)
    }

    /// The receiving side, and the channel as it was before.
    pub(super) fn open_receiver(&self) -> Result<(Source, Option<ChannelInfo>), Failure> {
        let one = |builder: bytes::Builder| builder.open_receiver().map(|rx| Source::One(Box::new(rx)));
        let many = |builder: fan_in::Builder| builder.open_receiver().map(|rx| Source::Many(Box::new(rx)));
        self.open(one, many)
    }

    fn open<T>(
        &self,
        one: impl Fn(bytes::Builder) -> Result<T, OpenError>,
        many: impl Fn(fan_in::Builder) -> Result<T, OpenError>,
    ) -> Result<(T, Option<ChannelInfo>), Failure> {
        let mut looks = 0;
        loop {
            // An error is reported by the opening.
            let seen = shm::inspect(&self.name).ok();
            let kind = seen.as_ref().map(|seen| seen.kind);
            let opened = match kind {
                Some(Kind::Bytes) if self.senders.is_some() => return Err(self.other("is for one sender")),
                Some(Kind::Bytes) => one(self.builder()),
                Some(Kind::BytesFanIn) => many(self.many()),
                None if self.senders.is_none() => one(self.builder()),
                None => many(self.many()),
                Some(_) => {
                    let schema = seen.map_or_else(String::new, |seen| seen.schema);
                    return Err(self.other(&format!("carries typed messages ({schema}), which only programs can use")));
                }
            };
            looks += 1;
            match opened {
                Ok(opened) => return Ok((opened, seen)),
                Err(_) if looks < LOOKS && shm::inspect(&self.name).ok().map(|seen| seen.kind) != kind => {}
                Err(error) => return Err(refused(error)),
            }
        }
    }

    fn other(&self, what: &str) -> Failure {
        let name = &self.name;
        Failure::failed(format!("channel {name} {what}: choose another name, or remove it by `ringmail clean {name}`"))
    }

    fn builder<L>(&self) -> shm::Builder<Records, L>
    where
        (Records, L): shm::Channel,
    {
        let builder = shm::Builder::new(&self.name).missed_ends(true);
        match self.capacity {
            Some(bytes) => builder.capacity(bytes),
            None => builder,
        }
    }

    fn many(&self) -> fan_in::Builder {
        match self.senders {
            Some(lanes) => self.builder().lanes(lanes.into()),
            None => self.builder(),
        }
    }
}

/// The receiving side of a channel of either kind.
pub(super) enum Source {
    One(Box<bytes::Receiver>),
    Many(Box<fan_in::Receiver>),
}

/// What a wait found.
pub(super) enum News {
    Record,
    Nothing,
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
        }
    }

    /// Records that stay in the channel until they are committed; `None` if there are none.
    pub(super) fn batch(&mut self) -> Option<bytes::Batch<'_>> {
        match self {
            Self::One(rx) => Some(rx.batch()),
            Self::Many(rx) => rx.batch().map(|(_, batch)| batch),
        }
    }

    pub(super) fn close(&mut self) {
        match self {
            Self::One(rx) => rx.close(),
            Self::Many(rx) => rx.close(),
        }
    }

    pub(super) fn give_up(&mut self) {
        match self {
            Self::One(rx) => rx.give_up(),
            Self::Many(rx) => rx.give_up(),
        }
    }
}

/// A number of bytes, or of K, M or G of them.
fn size(text: &str) -> Result<usize, String> {
    let wrong = || format!("{text:?} is not a size: expected a number of bytes, such as 65536, 64K, 1M or 1G");
    let (digits, shift) = match text.char_indices().last().ok_or_else(wrong)? {
        (at, 'k' | 'K') => (&text[..at], 10),
        (at, 'm' | 'M') => (&text[..at], 20),
        (at, 'g' | 'G') => (&text[..at], 30),
        _ => (text, 0),
    };
    let number: usize = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_1024() {
        let cases = [("0", 0), ("65536", 65_536), ("64K", 65_536), ("64k", 65_536), ("1M", 1 << 20), ("3G", 3 << 30)];
        for (text, bytes) in cases {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "K", "1.5M", "-1", "1T", "1 M", "99999999999999999999", "99999999999999G", "1é", "é"] {
            assert!(size(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
