//! The side of the channel that the parent plays.

use crate::child::CAPACITY;
use crate::message::Words;
use ringmail::WaitStrategy;
use ringmail::shm::spsc::{Builder, Receiver, Sender};
use ringmail::shm::{Ended, OpenError, Peer, RecvError, Role, SendError};
use std::time::Duration;

/// A side, and the number of the next message that it sends or receives.
#[derive(Debug)]
pub(crate) struct Other {
    end: End,
    pub(crate) next: u64,
}

#[derive(Debug)]
enum End {
    Sends(Sender<Words>),
    Receives(Receiver<Words>),
}

/// How one operation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    Moved,
    Nothing,
    Ended(Ended),
}

pub(crate) fn builder(channel: &str, wait: WaitStrategy) -> Builder<Words> {
    Builder::new(channel).capacity(CAPACITY).wait(wait)
}

impl Other {
    pub(crate) fn open(channel: &str, role: Role, wait: WaitStrategy, next: u64) -> Result<Self, OpenError> {
        let channel = builder(channel, wait);
        let end = match role {
            Role::Sender => End::Sends(channel.open_sender()?),
            Role::Receiver => End::Receives(channel.open_receiver()?),
        };
        Ok(Self { end, next })
    }

    /// Sends or receives one message, waiting for at most `timeout`.
    pub(crate) fn step(&mut self, timeout: Duration) -> Result<Step, String> {
        let step = match &mut self.end {
            End::Sends(tx) => match tx.send_timeout(Words::new(self.next), timeout) {
                Ok(()) => Step::Moved,
                Err(SendError::Timeout(_)) => Step::Nothing,
                Err(SendError::Ended(_, ended)) => Step::Ended(ended),
            },
            End::Receives(rx) => match rx.recv_timeout(timeout) {
                Ok(words) => {
                    let number = words.number()?;
                    if number != self.next {
                        return Err(format!("received {number} instead of {}", self.next));
                    }
                    Step::Moved
                }
                Err(RecvError::Timeout) => Step::Nothing,
                Err(RecvError::Ended(ended)) => Step::Ended(ended),
            },
        };
        match step {
            Step::Ended(Ended::Corrupted) => return Err("corrupted".into()),
            Step::Moved => self.next += 1,
            _ => {}
        }
        Ok(step)
    }

    /// Receives the next message, whichever it is; its number becomes `next`.
    pub(crate) fn receive_any(&mut self) -> Result<Option<u64>, String> {
        let End::Receives(rx) = &mut self.end else { return Err("does not receive".into()) };
        let Ok(words) = rx.recv_timeout(Duration::ZERO) else { return Ok(None) };
        let number = words.number()?;
        self.next = number + 1;
        Ok(Some(number))
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
            End::Sends(tx) => tx.stats().receiver_parks,
            End::Receives(rx) => rx.stats().sender_parks,
        }
    }
}
