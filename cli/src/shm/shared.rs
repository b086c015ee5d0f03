//! A side of a channel that a signal can close while its user waits for something else.

use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use ringmail::shm::bytes::{Receiver, Sender};
use ringmail::shm::{Ended, Overview, Peer, SideView, look};

use super::{INTERRUPTED, MOMENT, refused};
use crate::Failure;

/// How long a signal waits for a user who cannot let go of the side: output that nobody takes.
const PATIENCE: Duration = Duration::from_secs(1);

/// A side that can be closed. After that its verbs fail.
pub(super) trait Side {
    fn close(&mut self);
    /// What an onlooker sees of the other one.
    fn other(seen: Overview) -> SideView;
}

impl Side for Sender {
    fn close(&mut self) {
        Sender::close(self);
    }

    fn other(seen: Overview) -> SideView {
        seen.receiver
    }
}

impl Side for Receiver {
    fn close(&mut self) {
        Receiver::close(self);
    }

    fn other(seen: Overview) -> SideView {
        seen.lanes[0].sender
    }
}

/// A side, and the other side as it was when this one was opened.
pub(super) struct Shared<S> {
    side: Arc<Mutex<S>>,
    stop: Arc<AtomicBool>,
    name: String,
    first: SideView,
}

/// What the end of the other side's session means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Somebody has it all the same: it is being opened or closed, or somebody has taken its place.
    Here,
    /// Nobody has come since this side was opened.
    NotYet,
    /// It has closed.
    Left,
    /// It has ended without closing.
    Died,
}

impl<S: Side + Send + 'static> Shared<S> {
    /// From now on a signal closes the side, even while its user waits for input.
    pub(super) fn watch(name: &str, side: S) -> Result<Self, Failure> {
        let first = S::other(look(name).map_err(refused)?);
        let (side, stop) = (Arc::new(Mutex::new(side)), Arc::new(AtomicBool::new(false)));
        let shared = Self { side: Arc::clone(&side), stop: Arc::clone(&stop), name: name.into(), first };
        let handler = move || {
            // A user who has the side sees this and ends by itself.
            stop.store(true, Ordering::Relaxed);
            let deadline = Instant::now() + PATIENCE;
            while Instant::now() < deadline {
                match side.try_lock() {
                    Ok(mut side) => {
                        side.close();
                        break;
                    }
                    Err(TryLockError::Poisoned(_)) => break,
                    Err(TryLockError::WouldBlock) => std::thread::sleep(MOMENT),
                }
            }
            exit(INTERRUPTED.into());
        };
        ctrlc::set_handler(handler).map_err(|error| Failure::failed(format!("cannot watch for Ctrl-C: {error}")))?;
        Ok(shared)
    }

    /// The side, for as long as nothing else is waited for than the channel.
    pub(super) fn lock(&self) -> MutexGuard<'_, S> {
        self.side.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a signal came.
    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// What it means that the channel said `ended`. `met`: whether there is other proof that somebody came.
    pub(super) fn judge(&self, ended: Ended, met: bool) -> Result<Verdict, Failure> {
        if ended == Ended::Corrupted {
            return Err(Failure::failed(format!("channel {}: {ended}", self.name)));
        }
        let now = S::other(look(&self.name).map_err(refused)?);
        let came = met || self.first.state == Peer::Here || now.epoch > self.first.epoch;
        Ok(match now.state {
            Peer::Here => Verdict::Here,
            _ if !came => Verdict::NotYet,
            Peer::Left if ended == Ended::Disconnected => Verdict::Left,
            _ => Verdict::Died,
        })
    }
}
