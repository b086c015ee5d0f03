//! The two sides of each kind of channel, by the numbers of what they carry.

use crate::message::{RECORDS, Words, body, check_record};
use crate::scenario::Kind;
use ringmail::WaitStrategy;
use ringmail::shm::fan_in::Departed;
use ringmail::shm::{Cause, OpenError, Peer, RecvError, SendError, TryRecvError, TrySendError, bytes, fan_in, spsc};
use std::time::Duration;

/// Messages of the channel: three slots of four, so that the positions run ahead of the storage. As many records of any length.
pub(crate) const CAPACITY: usize = 3;
/// The lane that is swept, also of a channel without lanes; the lane beside it.
pub(crate) const SWEPT: usize = 1;
pub(crate) const BESIDE: usize = 0;

/// How long an operation may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    No,
    Ever,
    AtMost(Duration),
}

/// How one operation ended. What moved: the number of what was received and its lane, `T`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step<T = ()> {
    Moved(T),
    Nothing,
    Ended(Cause),
}

#[derive(Debug)]
pub(crate) enum Tx {
    /// A fan-in's lane as well.
    Messages(spsc::Sender<Words>),
    Records(bytes::Sender),
}

#[derive(Debug)]
pub(crate) enum Rx {
    Messages(spsc::Receiver<Words>),
    Records(bytes::Receiver, Vec<u8>),
    /// With what was last said of a lane.
    Lanes(fan_in::Receiver<Words>, Option<Departed>),
    /// With room for a body as well.
    RecordLanes(bytes::fan_in::Receiver, Vec<u8>, Option<Departed>),
}

fn messages(channel: &str, wait: WaitStrategy) -> spsc::Builder<Words> {
    spsc::Builder::new(channel).capacity(CAPACITY).wait(wait)
}

fn records(channel: &str, wait: WaitStrategy) -> bytes::Builder {
    bytes::Builder::new(channel).capacity(RECORDS).wait(wait)
}

fn lanes(channel: &str, wait: WaitStrategy) -> fan_in::Builder<Words> {
    fan_in::Builder::new(channel).capacity(CAPACITY).lanes(2).wait(wait)
}

fn record_lanes(channel: &str, wait: WaitStrategy) -> bytes::fan_in::Builder {
    bytes::fan_in::Builder::new(channel).capacity(RECORDS).lanes(2).wait(wait)
}

/// Removes the channel, of any kind.
pub(crate) fn remove(channel: &str) -> Result<bool, OpenError> {
    messages(channel, WaitStrategy::Park).remove()
}

impl Tx {
    pub(crate) fn open(kind: Kind, channel: &str, wait: WaitStrategy) -> Result<Self, OpenError> {
        Ok(match kind {
            Kind::Messages => Self::Messages(messages(channel, wait).open_sender()?),
            Kind::Records => Self::Records(records(channel, wait).open_sender()?),
            Kind::Lanes => Self::Messages(lanes(channel, wait).open_sender()?),
            Kind::RecordLanes => Self::Records(record_lanes(channel, wait).open_sender()?),
        })
    }

    /// Sends this number. `Err`: not the one that the channel goes on with.
    pub(crate) fn send(&mut self, number: u64, wait: Wait) -> Result<Step, String> {
        let ended = match self {
            Self::Messages(tx) => {
                let words = Words::new(number);
                let sent = match wait {
                    Wait::No => tx.try_send(words).map_err(|e| match e {
                        TrySendError::Full(words) => SendError::Timeout(words),
                        TrySendError::Disconnected(words, ended) => SendError::Disconnected(words, ended),
                    }),
                    Wait::Ever => tx.send(words),
                    Wait::AtMost(timeout) => tx.send_timeout(words, timeout),
                };
                sent.map_err(|error| if let SendError::Disconnected(_, ended) = error { Some(ended) } else { None })
            }
            Self::Records(tx) => {
                if tx.sequence() != number - 1 {
                    return Err(format!("{number} would be sent as record {}", tx.sequence()));
                }
                let body = body(number);
                let record = bytes::Record::new(&body).kind(number as u16).version(number as u32);
                let sent = match wait {
                    Wait::No => tx.try_send(record).map_err(|e| match e {
                        bytes::TrySendError::Disconnected(ended) => bytes::SendError::Disconnected(ended),
                        _ => bytes::SendError::Timeout,
                    }),
                    Wait::Ever => tx.send(record),
                    Wait::AtMost(timeout) => tx.send_timeout(record, timeout),
                };
                sent.map_err(|error| if let bytes::SendError::Disconnected(ended) = error { Some(ended) } else { None })
            }
        };
        Ok(match ended {
            Ok(()) => Step::Moved(()),
            Err(None) => Step::Nothing,
            Err(Some(ended)) => Step::Ended(ended),
        })
    }

    /// Sends four from `first` on, as a slice where there are such.
    pub(crate) fn send_four(&mut self, first: u64) -> Result<Step, String> {
        if let Self::Messages(tx) = self {
            let four: [Words; 4] = std::array::from_fn(|offset| Words::new(first + offset as u64));
            return match tx.send_slice(&four) {
                Ok(()) => Ok(Step::Moved(())),
                Err(SendError::Disconnected(_, ended)) => Ok(Step::Ended(ended)),
                Err(error) => Err(format!("{error:?}")),
            };
        }
        for number in first..first + 4 {
            let step = self.send(number, Wait::Ever)?;
            if step != Step::Moved(()) {
                return Ok(step);
            }
        }
        Ok(Step::Moved(()))
    }

    pub(crate) fn close(&mut self) {
        match self {
            Self::Messages(tx) => tx.close(),
            Self::Records(tx) => tx.close(),
        }
    }

    pub(crate) fn lane(&self) -> usize {
        match self {
            Self::Messages(tx) => tx.lane(),
            Self::Records(tx) => tx.lane(),
        }
    }

    pub(crate) fn epoch(&self) -> u64 {
        match self {
            Self::Messages(tx) => tx.epoch(),
            Self::Records(tx) => tx.epoch(),
        }
    }

    pub(crate) fn peer(&self) -> Peer {
        match self {
            Self::Messages(tx) => tx.peer(),
            Self::Records(tx) => tx.peer(),
        }
    }

    /// Times that the receiver went to sleep; of a fan-in's, that is counted on the first lane.
    pub(crate) fn peer_parks(&self) -> u64 {
        match self {
            Self::Messages(tx) => tx.stats().receiver_parks,
            Self::Records(tx) => tx.stats().receiver_parks,
        }
    }
}

impl Rx {
    pub(crate) fn open(kind: Kind, channel: &str, wait: WaitStrategy) -> Result<Self, OpenError> {
        Ok(match kind {
            Kind::Messages => Self::Messages(messages(channel, wait).open_receiver()?),
            Kind::Records => Self::Records(records(channel, wait).open_receiver()?, Vec::new()),
            Kind::Lanes => Self::Lanes(lanes(channel, wait).open_receiver()?, None),
            Kind::RecordLanes => Self::RecordLanes(record_lanes(channel, wait).open_receiver()?, Vec::new(), None),
        })
    }

    /// Receives the next message. `Err`: it is torn.
    pub(crate) fn recv(&mut self, wait: Wait) -> Result<Step<(usize, u64)>, String> {
        let try_error = |error| match error {
            TryRecvError::Empty => RecvError::Timeout,
            TryRecvError::Disconnected(ended) => RecvError::Disconnected(ended),
        };
        let received = match self {
            Self::Messages(rx) => match wait {
                Wait::No => rx.try_recv().map_err(try_error),
                Wait::Ever => rx.recv(),
                Wait::AtMost(timeout) => rx.recv_timeout(timeout),
            }
            .map(Words::number),
            Self::Records(rx, body) => match wait {
                Wait::No => rx.try_recv_into(body).map_err(try_error),
                Wait::Ever => rx.recv_into(body),
                Wait::AtMost(timeout) => rx.recv_timeout_into(body, timeout),
            }
            .map(|info| check_record(&info, body)),
            Self::Lanes(rx, said) => {
                let received = match wait {
                    Wait::No => rx.try_recv_from().map_err(of_lanes),
                    Wait::Ever => rx.recv_from(),
                    Wait::AtMost(timeout) => rx.recv_timeout_from(timeout),
                };
                return from_lanes(received.map(|(lane, words)| (lane, words.number())), said);
            }
            Self::RecordLanes(rx, body, said) => {
                let received = match wait {
                    Wait::No => rx.try_recv_into(body).map_err(of_lanes),
                    Wait::Ever => rx.recv_into(body),
                    Wait::AtMost(timeout) => rx.recv_timeout_into(body, timeout),
                };
                return from_lanes(received.map(|(lane, info)| (lane, check_record(&info, body))), said);
            }
        };
        Ok(match received {
            Ok(number) => Step::Moved((SWEPT, number?)),
            Err(RecvError::Disconnected(ended)) => Step::Ended(ended),
            Err(RecvError::Timeout) => Step::Nothing,
        })
    }

    /// The lane whose end was reported last. Taken out.
    pub(crate) fn departed(&mut self) -> Option<Departed> {
        match self {
            Self::Lanes(_, said) | Self::RecordLanes(_, _, said) => said.take(),
            _ => None,
        }
    }

    /// The same, left in place.
    pub(crate) fn last_departed(&self) -> Option<Departed> {
        match self {
            Self::Lanes(_, said) | Self::RecordLanes(_, _, said) => *said,
            _ => None,
        }
    }

    pub(crate) fn has_lanes(&self) -> bool {
        matches!(self, Self::Lanes(..) | Self::RecordLanes(..))
    }

    /// What the first so many of a lane are counted as: messages, or words of a header and a body.
    pub(crate) fn units(&self, n: u64) -> u64 {
        match self {
            Self::RecordLanes(..) => (1..=n).map(|number| 3 + body(number).len().div_ceil(8) as u64).sum(),
            _ => n,
        }
    }

    /// Hands up to `max` that are there to `f`, with the lane, and frees their places when it has returned. How many.
    pub(crate) fn handle(
        &mut self,
        max: usize,
        mut f: impl FnMut(usize, Result<u64, String>),
    ) -> Result<Step<usize>, String> {
        let taken = match self {
            Self::Messages(rx) if max == 1 => match rx.try_recv_with(|words| f(SWEPT, words.number())) {
                Ok(()) => 1,
                Err(TryRecvError::Empty) => 0,
                Err(TryRecvError::Disconnected(ended)) => return Ok(Step::Ended(ended)),
            },
            Self::Messages(rx) => rx.drain(max, |words| f(SWEPT, words.number())),
            Self::Records(rx, body) => {
                let mut batch = rx.batch();
                for _ in 0..max {
                    match batch.try_recv_into(body) {
                        Ok(info) => f(SWEPT, check_record(&info, body)),
                        // This end is told again.
                        Err(TryRecvError::Empty | TryRecvError::Disconnected(Cause::Removed)) => break,
                        Err(TryRecvError::Disconnected(ended)) => return Ok(Step::Ended(ended)),
                    }
                }
                batch.commit() as usize
            }
            Self::Lanes(rx, _) => rx.drain(max, |lane, words| f(lane, words.number())),
            Self::RecordLanes(..) => return Err("has no handler".into()),
        };
        Ok(if taken == 0 { Step::Nothing } else { Step::Moved(taken) })
    }

    pub(crate) fn close(&mut self) {
        match self {
            Self::Messages(rx) => rx.close(),
            Self::Records(rx, _) => rx.close(),
            Self::Lanes(rx, _) => rx.close(),
            Self::RecordLanes(rx, ..) => rx.close(),
        }
    }

    pub(crate) fn peer(&self) -> Peer {
        match self {
            Self::Messages(rx) => rx.peer(),
            Self::Records(rx, _) => rx.peer(),
            Self::Lanes(rx, _) => rx.peer(SWEPT).unwrap_or(Peer::Never),
            Self::RecordLanes(rx, ..) => rx.peer(SWEPT).unwrap_or(Peer::Never),
        }
    }

    /// The number of the session whose end was reported last; a lane's end is reported with its number.
    pub(crate) fn session(&self) -> Option<u64> {
        match self {
            Self::Messages(rx) => rx.session(),
            Self::Records(rx, _) => rx.session(),
            _ => None,
        }
        .map(|session| session.number)
    }

    /// Times that the sender went to sleep.
    pub(crate) fn peer_parks(&self) -> u64 {
        match self {
            Self::Messages(rx) => rx.stats().sender_parks,
            Self::Records(rx, _) => rx.stats().sender_parks,
            Self::Lanes(rx, _) => rx.stats(SWEPT).map_or(0, |stats| stats.sender_parks),
            Self::RecordLanes(rx, ..) => rx.stats(SWEPT).map_or(0, |stats| stats.sender_parks),
        }
    }
}

fn of_lanes(error: fan_in::TryRecvError) -> fan_in::RecvError {
    match error {
        fan_in::TryRecvError::Departed(departed) => fan_in::RecvError::Departed(departed),
        fan_in::TryRecvError::Disconnected => fan_in::RecvError::Disconnected,
        fan_in::TryRecvError::Removed => fan_in::RecvError::Removed,
        _ => fan_in::RecvError::Timeout,
    }
}

/// What a receiver of many lanes found, and in `said` the lane whose end was reported. `Err`: it is torn.
fn from_lanes(
    received: Result<(usize, Result<u64, String>), fan_in::RecvError>,
    said: &mut Option<Departed>,
) -> Result<Step<(usize, u64)>, String> {
    Ok(match received {
        Ok((lane, number)) => Step::Moved((lane, number?)),
        Err(fan_in::RecvError::Departed(departed)) => Step::Ended(said.insert(departed).cause),
        Err(fan_in::RecvError::Disconnected) => Step::Ended(Cause::Closed),
        Err(fan_in::RecvError::Removed) => Step::Ended(Cause::Removed),
        Err(_) => Step::Nothing,
    })
}
