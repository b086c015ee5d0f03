//! The channels between the two processes, and the folder in which they find them.

use std::fs::DirBuilder;
use std::hash::{BuildHasher, RandomState};
use std::mem::MaybeUninit;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ringmail::shm::spsc::{Builder, Receiver, Sender};
use ringmail::shm::{self, Cause, Schema};
use ringmail::shm::{RecvTimeoutError, SendTimeoutError};
use zerocopy::{Immutable, IntoBytes, TryFromBytes};

use crate::measure::channel::{Link, Message, strategy};
use crate::measure::round_trip::StopReason;
use crate::options::Wait;

/// Between looks at whether a process that is to open a channel still lives.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// From the timing process to the other, and back.
pub(super) const THERE: &str = "there";
pub(super) const BACK: &str = "back";

/// A message as it travels between processes.
#[derive(Debug, Clone, Copy, TryFromBytes, IntoBytes, Immutable)]
#[repr(transparent)]
pub(super) struct Words<const N: usize>(Message<N>);

impl<const N: usize> shm::Message for Words<N> {
    const SCHEMA: Schema = Schema::new("ringmail latency");
}

/// Two channels between processes.
#[derive(Debug)]
pub(super) struct Mapped<const N: usize> {
    pub(super) sender: Sender<Words<N>>,
    pub(super) receiver: Receiver<Words<N>>,
}

impl<const N: usize> Link<N> for Mapped<N> {
    #[inline]
    fn send(&mut self, message: Message<N>, deadline: Instant) -> Result<(), StopReason> {
        let mut words = Words(message);
        loop {
            match self.sender.send_deadline(words, deadline) {
                Ok(()) => return Ok(()),
                // The names are gone on purpose, see `Folder`.
                Err(SendTimeoutError::Disconnected(back, Cause::Removed)) if Instant::now() < deadline => words = back,
                Err(SendTimeoutError::Timeout(_) | SendTimeoutError::Disconnected(_, Cause::Removed)) => {
                    return Err(StopReason::Silent);
                }
                Err(SendTimeoutError::Disconnected(_, ended)) => return Err(reason(ended)),
            }
        }
    }

    #[inline]
    fn receive(&mut self, deadline: Instant) -> Result<Message<N>, StopReason> {
        loop {
            match self.receiver.recv_deadline(deadline) {
                Ok(words) => return Ok(words.0),
                // The names are gone on purpose, see `Folder`.
                Err(RecvTimeoutError::Disconnected(Cause::Removed)) if Instant::now() < deadline => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected(Cause::Removed)) => {
                    return Err(StopReason::Silent);
                }
                Err(RecvTimeoutError::Disconnected(ended)) => return Err(reason(ended)),
            }
        }
    }

    #[inline]
    fn send_copy(&mut self, message: &Message<N>, deadline: Instant) -> Result<(), StopReason> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.sender.send_ref_timeout(Words::of(message), left) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Disconnected((), Cause::Removed)) if Instant::now() < deadline => {}
                Err(SendTimeoutError::Timeout(()) | SendTimeoutError::Disconnected((), Cause::Removed)) => {
                    return Err(StopReason::Silent);
                }
                Err(SendTimeoutError::Disconnected((), ended)) => return Err(reason(ended)),
            }
        }
    }

    #[inline]
    fn receive_to(&mut self, place: &mut MaybeUninit<Message<N>>, deadline: Instant) -> Result<(), StopReason> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout_into(Words::place(place), left) {
                Ok(_) => return Ok(()),
                Err(RecvTimeoutError::Disconnected(Cause::Removed)) if Instant::now() < deadline => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected(Cause::Removed)) => {
                    return Err(StopReason::Silent);
                }
                Err(RecvTimeoutError::Disconnected(ended)) => return Err(reason(ended)),
            }
        }
    }
}

impl<const N: usize> Words<N> {
    fn of(message: &Message<N>) -> &Self {
        // SAFETY: `Words` is `repr(transparent)` over the message.
        unsafe { &*std::ptr::from_ref(message).cast() }
    }

    fn place(place: &mut MaybeUninit<Message<N>>) -> &mut MaybeUninit<Self> {
        // SAFETY: `Words` is `repr(transparent)` over the message, and any bits are a message as well as words.
        unsafe { &mut *std::ptr::from_mut(place).cast() }
    }
}

fn reason(ended: Cause) -> StopReason {
    if ended == Cause::Corrupted { StopReason::Corrupt } else { StopReason::Gone }
}

/// A folder of this user's own in shared memory. Dropping it removes it with its files. Both processes hold one from
/// before it is made, because either may be killed at any time. Once both have opened the channels, the names are not needed.
#[derive(Debug)]
pub(super) struct Folder {
    name: String,
}

/// The name of a folder that no other process makes.
pub(super) fn fresh_name() -> String {
    format!("{}-{:016x}", std::process::id(), RandomState::new().hash_one(0))
}

impl Folder {
    /// Of a [`fresh_name`] of this process or of another one; `None` if it is none.
    pub(super) fn named(name: &str) -> Option<Self> {
        let (pid, chance) = name.split_once('-')?;
        let fresh = pid.parse::<u32>().is_ok() && chance.len() == 16 && chance.bytes().all(|c| c.is_ascii_hexdigit());
        fresh.then(|| Self { name: name.to_owned() })
    }

    pub(super) fn make(&self) -> Result<(), StopReason> {
        let path = self.path();
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| StopReason::Build(format!("cannot make the folder {}: {error}", path.display())))
    }

    fn path(&self) -> PathBuf {
        PathBuf::from(format!("/dev/shm/ringmail-latency-{}", self.name))
    }

    pub(super) fn channel<const N: usize>(&self, name: &str, capacity: usize, wait: Wait) -> Builder<Words<N>> {
        let path = self.path().join(name);
        Builder::new(path.to_string_lossy()).capacity(capacity).wait(strategy(wait))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The other process may remove it at the same time: then each fails at a file that the other has removed. The second try succeeds.
        if std::fs::remove_dir_all(self.path()).is_err() {
            let _ = std::fs::remove_dir_all(self.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_what_is_in_it() {
        let folder = Folder::named(&fresh_name()).unwrap();
        folder.make().unwrap();
        let path = folder.path();
        let there = folder.channel::<4>(THERE, 2, Wait::Spin).open_sender().unwrap();
        assert!(path.join(THERE).exists());
        assert!(folder.make().is_err(), "a folder that exists is not taken");
        drop(folder);
        assert!(!path.exists());
        drop(there);
    }

    #[test]
    fn only_fresh_names_are_taken() {
        for bad in
            ["", "1", "1-", "1-../../../etc/abcd", "x-0123456789abcdef", "../1-0123456789abcdef", "1-0123456789abcde/"]
        {
            assert!(Folder::named(bad).is_none(), "{bad:?} was taken");
        }
    }
}
