//! Opens a channel as its kind: for one sender or many, for one receiver or taps.

use clap::{Args, ValueEnum};
use ringmail::shm::bytes::{self, fan_in};
use ringmail::shm::{self, ChannelInfo, Kind, OpenError, Records};

use super::exit::{refused, warn};
use super::outlet::{Outlet, ToOne};
use super::record::{LENGTH, SIZES, is_of_records, room, size_for};
use super::signals::{self, TICK};
use super::source::Source;
use super::{all, lossy};
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
    /// Make a new channel for at most N receivers at a time, all of which get each record [default with --to all: 8]; an existing
    /// channel must be for as many. It does not wait for N: see --wait-for of `send`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64), conflicts_with = "senders")]
    receivers: Option<u16>,
    /// Longest record of a new channel for taps or for several receivers: up to 988, or to 65500. Each record takes that much room,
    /// however short [default: 988]
    #[arg(long, value_name = "N", value_parser = size, conflicts_with = "senders")]
    max_bytes: Option<usize>,
    /// Records are not lines: before each comes its length, four bytes, little-endian
    #[arg(long)]
    pub(super) length_framed: bool,
}

/// Whom `send` makes a new channel for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum To {
    /// All receivers that are there: each gets each record, and the slowest is waited for. Sending begins when the first has come
    All,
    /// Any number of `recv --tap`, which this command does not notice: it never waits, and writes over the oldest record
    Taps,
}

/// What a channel is used as: all that a verb has to choose about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// One sender, one receiver.
    One,
    /// Many senders, one receiver.
    Many,
    /// One sender, any number of taps.
    Taps,
    /// One sender, several receivers that all get each record.
    All,
}

impl Shape {
    /// What an existing channel is; `None` for one of a program's own messages.
    fn of(seen: &ChannelInfo) -> Option<Self> {
        match seen.kind {
            Kind::Bytes => Some(Self::One),
            Kind::BytesFanIn => Some(Self::Many),
            Kind::Lossy => Some(Self::Taps),
            Kind::Broadcast => Some(Self::All),
            _ => None,
        }
    }

    /// For a message.
    fn name(self) -> &'static str {
        match self {
            Self::One => "for one sender and one receiver",
            Self::Many => "for many senders",
            Self::Taps => "for taps",
            Self::All => "for one sender and several receivers",
        }
    }
}

/// Tries to open a channel that another process replaces by one of another kind at the same time.
const LOOKS: usize = 3;

/// Bytes of a channel of messages if no side asks.
const CAPACITY: usize = 1 << 20;
/// Longest record of one if its creator does not ask.
const MAX_BYTES: usize = SIZES[0] - LENGTH;

impl Channel {
    pub(super) fn open_sender(&self, to: Option<To>) -> Result<Box<dyn Outlet>, Failure> {
        let to_one = |tx: bytes::Sender| Box::new(ToOne::new(tx)) as Box<dyn Outlet>;
        let asked = match (to, self.receivers) {
            (Some(To::Taps), Some(_)) => {
                return Err(Failure::usage("--receivers is for --to all: taps are any number".to_owned()));
            }
            (Some(To::Taps), None) => Some(Shape::Taps),
            (Some(To::All), _) => Some(Shape::All),
            (None, _) => self.asked(),
        };
        let open = |shape, seen: Option<&ChannelInfo>| match shape {
            Shape::One => Ok(self.builder::<shm::One>().open_sender().map(to_one)),
            Shape::Many => Ok(self.many().open_sender().map(to_one)),
            Shape::Taps => {
                let asked = self.messages(seen)?;
                lossy::open_sender(&asked).ok_or_else(|| self.typed(seen))
            }
            Shape::All => self.messages(seen)?.open_sender().ok_or_else(|| self.typed(seen)),
        };
        self.open(asked, open).map(|(tx, _)| tx)
    }

    /// The receiving side, and the channel as it was before.
    pub(super) fn open_receiver(&self) -> Result<(Source, Option<ChannelInfo>), Failure> {
        self.open(self.asked(), |shape, seen| match shape {
            Shape::One => Ok(self.builder::<shm::One>().open_receiver().map(|rx| Source::One(Box::new(rx)))),
            Shape::Many => Ok(self.many().open_receiver().map(|rx| Source::Many(Box::new(rx)))),
            Shape::Taps => Err(self.other("is for taps, and `recv --tap` reads it")),
            Shape::All => {
                let opened = self.messages(seen)?.open_receiver();
                Ok(opened.ok_or_else(|| self.typed(seen))?.map(Source::Listener))
            }
        })
    }

    /// What the options of both verbs ask for.
    fn asked(&self) -> Option<Shape> {
        let (many, all) = (self.senders.map(|_| Shape::Many), self.receivers.map(|_| Shape::All));
        many.or(all)
    }

    /// A receiving side that nothing can feel. It never makes a channel, so it waits for one; `None` if a signal came first.
    pub(super) fn open_tap(&self, from_oldest: bool) -> Result<Option<(Source, Option<ChannelInfo>)>, Failure> {
        let mut waits = false;
        loop {
            if signals::caught().is_some() {
                return Ok(None);
            }
            match shm::inspect(&self.name) {
                Err(OpenError::NotFound { path })
                    if path.parent().is_some_and(|dir| dir.exists() || !self.is_path()) => {}
                Err(error) => return Err(refused(error)),
                Ok(_) => {
                    // What is sent to a channel that was made since is sent after this command began.
                    let from = match (waits, from_oldest) {
                        (true, _) => lossy::Start::Creation,
                        (false, true) => lossy::Start::Oldest,
                        (false, false) => lossy::Start::Now,
                    };
                    let open = |shape, seen: Option<&ChannelInfo>| match (shape, seen) {
                        (Shape::Taps, Some(seen)) => {
                            let opened = lossy::open_tap(&self.name, seen, from);
                            Ok(opened.ok_or_else(|| self.typed(Some(seen)))?.map(Source::Listener))
                        }
                        _ => Ok(Err(OpenError::NotFound { path: (&self.name).into() })),
                    };
                    match self.open(Some(Shape::Taps), open) {
                        Err(_) if matches!(shm::inspect(&self.name), Err(OpenError::NotFound { .. })) => {}
                        opened => return opened.map(Some),
                    }
                }
            }
            if !waits {
                warn(format_args!("there is no channel {} yet: waiting for a sender to make it", self.name));
            }
            waits = true;
            std::thread::sleep(TICK);
        }
    }

    fn open<T>(
        &self,
        asked: Option<Shape>,
        open: impl Fn(Shape, Option<&ChannelInfo>) -> Result<Result<T, OpenError>, Failure>,
    ) -> Result<(T, Option<ChannelInfo>), Failure> {
        let mut looks = 0;
        loop {
            // An error is reported by the opening.
            let seen = shm::inspect(&self.name).ok();
            let shape = match &seen {
                None => asked.unwrap_or(Shape::One),
                Some(channel) => {
                    let found = Shape::of(channel).ok_or_else(|| self.typed(seen.as_ref()))?;
                    if asked.is_some_and(|asked| asked != found) {
                        return Err(self.other(&format!("is {}", found.name())));
                    }
                    found
                }
            };
            looks += 1;
            if self.max_bytes.is_some() && matches!(shape, Shape::One | Shape::Many) {
                return Err(Failure::usage("--max-bytes is for channels of --to or --receivers"));
            }
            match open(shape, seen.as_ref())? {
                Ok(opened) => return Ok((opened, seen)),
                Err(_) if looks < LOOKS && kind(shm::inspect(&self.name).ok().as_ref()) != kind(seen.as_ref()) => {}
                Err(error) => return Err(refused(error)),
            }
        }
    }

    fn other(&self, what: &str) -> Failure {
        let name = &self.name;
        Failure::failed(format!("channel {name} {what}: choose another name, or remove it by `ringmail clean {name}`"))
    }

    fn typed(&self, seen: Option<&ChannelInfo>) -> Failure {
        let schema = seen.map_or("", |seen| &seen.schema);
        self.other(&format!("carries typed messages ({schema}), which only programs can use"))
    }

    fn is_path(&self) -> bool {
        self.name.contains('/')
    }

    /// What this command asks of a channel of messages of one size: of the one that is there, or of a new one.
    fn messages(&self, seen: Option<&ChannelInfo>) -> Result<all::Asked<'_>, Failure> {
        if seen.is_some_and(|seen| !is_of_records(seen)) {
            return Err(self.typed(seen));
        }
        let most = SIZES[SIZES.len() - 1] - LENGTH;
        let size = match (seen.map(|seen| seen.message_bytes as usize), self.max_bytes) {
            (None, max) => size_for(max.unwrap_or(MAX_BYTES))
                .ok_or_else(|| Failure::usage(format!("--max-bytes is at most {most}")))?,
            (Some(found), Some(max)) if max > found.saturating_sub(LENGTH) => {
                let found = found.saturating_sub(LENGTH);
                return Err(self.other(&format!("takes records of up to {found} bytes, not of {max}")));
            }
            (Some(found), _) => found,
        };
        let capacity = match (self.capacity, seen) {
            (Some(bytes), _) => Some(bytes.div_ceil(room(size))),
            (None, None) => Some(CAPACITY / room(size)),
            // It is as large as it is.
            (None, Some(_)) => None,
        };
        Ok(all::Asked { name: &self.name, size, capacity, receivers: self.receivers.map(usize::from) })
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

/// What must be the same for a second try to end as the first.
fn kind(seen: Option<&ChannelInfo>) -> Option<(Kind, u64)> {
    seen.map(|seen| (seen.kind, seen.message_bytes))
}

/// A number of bytes, or of K, M or G of them.
pub(super) fn size(text: &str) -> Result<usize, String> {
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
