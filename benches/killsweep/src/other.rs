//! The side of the channel that the parent plays.

use crate::message::Told;
use crate::scenario::Kind;
use crate::sides::{BESIDE, Rx, SWEPT, Step, Tx, Wait};
use ringmail::WaitStrategy;
use ringmail::shm::fan_in::Departed;
use ringmail::shm::{Ended, OpenError, Peer, Role};
use std::time::Duration;

/// A side, and the number of the next message that it sends or receives.
#[derive(Debug)]
pub(crate) struct Other {
    end: End,
    pub(crate) next: u64,
    /// Of a fan-in's receiver: the next number on the lane beside.
    pub(crate) next_beside: u64,
    beside: Option<Beside>,
    /// Whose end was told.
    departed: Vec<Departed>,
}

/// A sender that has the lane beside and goes on, whatever happens to the one that is swept.
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

impl Other {
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
        Ok(Self { end, next, next_beside: 1, beside: None, departed: Vec::new() })
    }

    /// The same with a sender beside, where there is a lane for it.
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
                Step::Ended(Ended::Corrupted) => return Err("the lane beside is corrupted".into()),
                _ => {}
            }
        }
        let step = match &mut self.end {
            End::Sends(tx) => tx.send(self.next, Wait::AtMost(timeout))?,
            End::Receives(_) => self.receive(timeout)?,
        };
        match step {
            Step::Ended(Ended::Corrupted) => return Err("corrupted".into()),
            Step::Moved(()) => self.next += 1,
            _ => {}
        }
        Ok(step)
    }

    /// Receives until it is one of the lane that is swept, or nothing.
    fn receive(&mut self, timeout: Duration) -> Result<Step, String> {
        let End::Receives(rx) = &mut self.end else { return Err("does not receive".into()) };
        // News first: a lane that is closed in order is none, and nothing would end the wait for more.
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
                    _ if matches!(wait, Wait::No) && rx.peer() == Peer::Left => Ok(Step::Ended(Ended::Disconnected)),
                    _ if matches!(wait, Wait::No) => {
                        wait = Wait::AtMost(timeout);
                        continue;
                    }
                    _ => Ok(Step::Nothing),
                },
                Step::Ended(ended) => match rx.departed() {
                    Some(departed) if departed.lane == SWEPT => {
                        self.departed.push(departed);
                        Ok(Step::Ended(ended))
                    }
                    Some(departed) => Err(format!("it lives: {departed:?}")),
                    None if self.beside.is_some() => Err(format!("{ended:?}, and a lane is in use")),
                    None => Ok(Step::Ended(ended)),
                },
            };
        }
    }

    /// Receives the next message, whichever it is: its lane and number.
    pub(crate) fn receive_any(&mut self) -> Result<Option<(usize, u64)>, String> {
        let End::Receives(rx) = &mut self.end else { return Err("does not receive".into()) };
        match rx.recv(Wait::AtMost(Duration::ZERO))? {
            Step::Moved(found) => Ok(Some(found)),
            Step::Ended(Ended::Corrupted) => Err("corrupted".into()),
            _ => Ok(None),
        }
    }

    /// What the sender beside has sent, if there is one here.
    pub(crate) fn sent_beside(&self) -> Option<u64> {
        self.beside.as_ref().map(|beside| beside.sent)
    }

    /// Whether each death on the swept lane was told once, as what it was. The child `told`, and sent up to `got`; an earlier holder sent
    /// `before` and died; `must`: the child died with its side open.
    pub(crate) fn check_departed(
        &self,
        told: &[(Told, u64)],
        before: Option<u64>,
        got: u64,
        must: bool,
    ) -> Result<(), String> {
        let End::Receives(rx) = &self.end else { return Ok(()) };
        if !rx.has_lanes() {
            return Ok(());
        }
        let (before, got) = (before.map(|n| rx.units(n)), rx.units(got));
        let opened = told.iter().rev().find(|told| told.0 == Told::Opened).map(|told| told.1);
        // The earlier holder's session is the first.
        let is_earlier = |departed: &Departed| before.is_some() && departed.epoch == 1;
        let (earlier, its): (Vec<&Departed>, Vec<&Departed>) = self.departed.iter().partition(|d| is_earlier(d));
        let earlier_told = match earlier[..] {
            // Unknown once two more have come, or while one comes.
            [departed] => departed.sent.is_none_or(|sent| Some(sent) == before),
            [] => before.is_none(),
            _ => false,
        };
        let its_told = match its[..] {
            [departed] if must => departed.sent == Some(got) && Some(departed.epoch) == opened,
            // Perhaps while it opened, for the first or the second time.
            [departed] => {
                let last = opened.unwrap_or(before.map_or(0, |_| 1));
                departed.sent == Some(got) && (last..=last + 1).contains(&departed.epoch)
            }
            [] => !must,
            _ => false,
        };
        match earlier_told && its_told {
            true => Ok(()),
            false => Err(format!("of {before:?} and then {got} sent, session {opened:?}, told: {:?}", self.departed)),
        }
    }

    /// The sender beside closes, the last of all, and then this side.
    pub(crate) fn end_beside(mut self) -> Result<(), String> {
        let had = self.beside.take().is_some();
        if let (true, End::Receives(rx)) = (had, &mut self.end) {
            match rx.recv(Wait::AtMost(Duration::ZERO))? {
                Step::Ended(Ended::Disconnected) => {}
                other => return Err(format!("all senders have ended, reported {other:?}")),
            }
        }
        Ok(())
    }

    pub(crate) fn peer(&self) -> Peer {
        match &self.end {
            End::Sends(tx) => tx.peer(),
            End::Receives(rx) => rx.peer(),
        }
    }

    pub(crate) fn wait_for_peer(&mut self, timeout: Duration) -> bool {
        match &mut self.end {
            End::Sends(tx) => tx.wait_for_peer(timeout),
            End::Receives(rx) => rx.wait_for_peer(timeout),
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
