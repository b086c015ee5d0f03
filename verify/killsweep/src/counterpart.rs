//! The side of the channel that the driver plays.

use crate::ends::News;
use crate::scenario::Kind;
use crate::sides::{BESIDE, Rx, SWEPT, Step, Tx, Wait};
use ringmail::WaitStrategy;
use ringmail::shm::{Cause, OpenError, Peer, Role};
use std::time::Duration;

/// A side, and the number of the next message that it sends or receives.
#[derive(Debug)]
pub(crate) struct Counterpart {
    end: End,
    pub(crate) next: u64,
    /// Of a fan-in's receiver: the next number on the lane beside.
    pub(crate) next_beside: u64,
    beside: Option<Beside>,
    /// Which ends of the swept side's sessions were reported.
    pub(crate) news: Vec<News>,
    /// Of a fan-in's receiver: how often the lane beside ended, and all had.
    pub(crate) others_ended: [u64; 2],
}

/// A sender that has the lane beside. It goes on while the swept side is killed.
#[derive(Debug)]
struct Beside {
    tx: Tx,
    sent: u64,
}

#[derive(Debug)]
enum End {
    Sends(Tx),
    Receives(Rx),
}

impl Counterpart {
    pub(crate) fn open(
        kind: Kind,
        channel: &str,
        role: Role,
        wait: WaitStrategy,
        next: u64,
    ) -> Result<Self, OpenError> {
        let end = match role {
            Role::Sender => End::Sends(Tx::open(kind, channel, wait)?),
            Role::Receiver => End::Receives(Rx::open(kind, channel, wait)?),
        };
        Ok(Self { end, next, next_beside: 1, beside: None, news: Vec::new(), others_ended: [0; 2] })
    }

    /// The same with a sender on the lane beside, where there is one.
    pub(crate) fn accompanied(kind: Kind, channel: &str, role: Role, wait: WaitStrategy) -> Result<Self, OpenError> {
        // The first lane that is free is the first one.
        let beside = match kind {
            kind if kind.has_lanes() => Some(Beside { tx: Tx::open(kind, channel, WaitStrategy::Park)?, sent: 0 }),
            _ => None,
        };
        Ok(Self { beside, ..Self::open(kind, channel, role, wait, 1)? })
    }

    /// Sends or receives one message, waiting for at most `timeout`; the sender beside sends one in any case that has room.
    pub(crate) fn step(&mut self, timeout: Duration) -> Result<Step, String> {
        if let Some(Beside { tx, sent }) = &mut self.beside {
            match tx.send(*sent + 1, Wait::No)? {
                Step::Moved(()) => *sent += 1,
                Step::Ended(Cause::Corrupted) => return Err("the lane beside is corrupted".into()),
                _ => {}
            }
        }
        let step = match &mut self.end {
            End::Sends(tx) => tx.send(self.next, Wait::AtMost(timeout))?,
            End::Receives(_) => self.receive(timeout)?,
        };
        match step {
            Step::Ended(Cause::Corrupted) => return Err("corrupted".into()),
            // No session's end.
            Step::Ended(Cause::Removed) => {}
            Step::Ended(ended) => {
                let (mut number, mut sent) = (None, None);
                if let End::Receives(rx) = &mut self.end {
                    let departed = rx.departed();
                    (number, sent) = (rx.session(), departed.and_then(|departed| departed.sent));
                    number = departed.map(|departed| departed.epoch).or(number);
                }
                self.news.push(News { ended, at: self.next - 1, number, sent });
            }
            Step::Moved(()) => self.next += 1,
            Step::Nothing => {}
        }
        Ok(step)
    }

    /// Receives until a message or an end of the swept lane comes, or nothing.
    fn receive(&mut self, timeout: Duration) -> Result<Step, String> {
        let End::Receives(rx) = &mut self.end else { return Err("does not receive".into()) };
        // First without waiting: the lane beside must have no message left before this side waits.
        let mut wait = if rx.has_lanes() { Wait::No } else { Wait::AtMost(timeout) };
        loop {
            return match rx.recv(wait)? {
                Step::Moved((SWEPT, number)) if number == self.next => Ok(Step::Moved(())),
                Step::Moved((BESIDE, number)) if number == self.next_beside => {
                    self.next_beside += 1;
                    continue;
                }
                Step::Moved(other) => Err(format!("received {other:?}, not {} or {}", self.next, self.next_beside)),
                Step::Nothing => match &self.beside {
                    Some(beside) if beside.sent >= self.next_beside => Err("the lane beside stands still".into()),
                    _ if matches!(wait, Wait::No) => {
                        wait = Wait::AtMost(timeout);
                        continue;
                    }
                    _ => Ok(Step::Nothing),
                },
                Step::Ended(Cause::Removed) => Ok(Step::Ended(Cause::Removed)),
                Step::Ended(ended) => match rx.last_departed() {
                    Some(departed) if departed.lane == SWEPT => Ok(Step::Ended(ended)),
                    Some(departed) if self.beside.is_some() => Err(format!("it lives: {departed:?}")),
                    Some(_) => {
                        self.others_ended[0] += u64::from(ended == Cause::Closed);
                        rx.departed();
                        continue;
                    }
                    None if self.beside.is_some() => Err(format!("{ended:?}, and a lane is in use")),
                    None if rx.has_lanes() => {
                        self.others_ended[1] += u64::from(ended == Cause::Closed);
                        continue;
                    }
                    None => Ok(Step::Ended(ended)),
                },
            };
        }
    }

    /// Receives the next message, whichever it is, past any ends: its lane and number.
    pub(crate) fn receive_any(&mut self) -> Result<Option<(usize, u64)>, String> {
        let End::Receives(rx) = &mut self.end else { return Err("does not receive".into()) };
        loop {
            return match rx.recv(Wait::AtMost(Duration::ZERO))? {
                Step::Moved(found) => Ok(Some(found)),
                Step::Ended(Cause::Corrupted) => Err("corrupted".into()),
                Step::Ended(_) => continue,
                Step::Nothing => Ok(None),
            };
        }
    }

    /// What the sender beside has sent, if there is one here.
    pub(crate) fn sent_beside(&self) -> Option<u64> {
        self.beside.as_ref().map(|beside| beside.sent)
    }

    /// What so many messages are counted as, see [`Rx::units`].
    pub(crate) fn units(&self, n: u64) -> u64 {
        match &self.end {
            End::Receives(rx) => rx.units(n),
            End::Sends(_) => n,
        }
    }

    /// The sender beside closes, the last of all, and then this side.
    pub(crate) fn end_beside(mut self) -> Result<(), String> {
        if self.beside.take().is_none() {
            return Ok(());
        }
        let said = [self.step(Duration::ZERO)?, self.step(Duration::ZERO)?];
        match (said, self.others_ended) {
            ([Step::Nothing, Step::Nothing], [1, 1]) => Ok(()),
            other => Err(format!("the sender beside has ended, and so have all: {other:?}")),
        }
    }

    pub(crate) fn peer(&self) -> Peer {
        match &self.end {
            End::Sends(tx) => tx.peer(),
            End::Receives(rx) => rx.peer(),
        }
    }

    /// Times that the other side went to sleep.
    pub(crate) fn peer_parks(&self) -> u64 {
        match &self.end {
            End::Sends(tx) => self.beside.as_ref().map_or(tx, |beside| &beside.tx).peer_parks(),
            End::Receives(rx) => rx.peer_parks(),
        }
    }
}
