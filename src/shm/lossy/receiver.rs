//! A receiving side, and its verbs that never wait.

use super::{Builder, Resume, Seen};
use crate::ring::stamped::between_processes::Nonsense;
use crate::ring::stamped::{Look, Reader};
use crate::shm::error::{Cause, OpenError, RecvError, TryRecvError};
use crate::shm::iter::iterates;
use crate::shm::peer::attachment::check_counts;
use crate::shm::peer::reported_ends::{Found, ReportedEnds, Stand};
use crate::shm::peer::session::{End, Peer, Session};
use crate::shm::ring::open::{SessionInfo, cause_of};
use crate::shm::ring::sending_end::VAIN;
use crate::shm::ring::stamped::{self, Stamped, message};
use crate::shm::schema::Message;
use crate::shm::segment::file::failed;
use crate::shm::segment::layout::Layout;
use crate::shm::segment::locks::{LockRange, is_taken};
use crate::shm::segment::map::Map;
use crate::sync::{Ordering, fence};
use core::fmt;
use core::time::Duration;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

/// A receiving side of a lossy channel. Any number of them read at their own pace, in any process, and the sender knows of none.
///
/// `Send` and `Clone`: a clone goes on at the same position, by the same mapping and descriptor. In a forked child it must not be used, and does
/// nothing when dropped.
pub struct Receiver<T: Message + Copy> {
    pub(super) reader: Reader<T, Stamped>,
    resume: Resume,
    map: Arc<Map>,
    /// To ask the kernel with.
    file: Arc<File>,
    is_named: bool,
    /// Where it is among the sender's sessions.
    reported: ReportedEnds,
    /// Looks in vain since the kernel was asked.
    vain: u32,
    /// Whether the sender wrote what cannot be.
    corrupted: bool,
    pub(super) longest_sleep: Duration,
}

impl<T: Message + Copy> Receiver<T> {
    pub(super) fn open(file: File, path: &Path, layout: &Layout, with: Builder<T>) -> Result<Self, OpenError> {
        let Builder { place, from_oldest, resume, longest_sleep, .. } = with;
        let map = Arc::new(Map::new(&file, layout, 0, None, place.pages).map_err(failed("map", path))?);
        let session = &map.producer().session;
        check_counts(session)?;
        is_taken(&file, LockRange::sender(0)).map_err(failed("look at the locks of", path))?;
        let reader = stamped::reader::<T>(&map, layout, from_oldest).map_err(|_| OpenError::Corrupted)?;
        // The end of a session whose messages it is about to get is told.
        let has_some = reader.has_news();
        let told = has_some.then(|| session.last().saturating_sub(1));
        let reported = ReportedEnds::new(session, told, reader.position(), false, || is_held(&file));
        Ok(Self {
            reader,
            resume,
            map,
            file: Arc::new(file),
            is_named: place.is_named(),
            reported,
            vain: 0,
            corrupted: false,
            longest_sleep,
        })
    }

    /// Copies the next message if there is one now, or says how many were lost.
    ///
    /// Meanwhile the sender may write over the message: then the copy is not used, and the answer is [`Seen::Lost`].
    ///
    /// Wait-free. Each 4096th look in vain asks the kernel about the sender, which is a system call.
    ///
    /// # Errors
    /// `Empty`, or `Disconnected` with the cause: a session of the sender is over, which is told once.
    #[inline]
    pub fn try_recv(&mut self) -> Result<Seen<T>, TryRecvError<Cause>> {
        // By hand, and no more than this: a large message is then moved once from its copy to the caller.
        if !self.corrupted {
            if let Look::Message(copy) = self.reader.take_copy() {
                return match message(copy) {
                    Ok(message) => Ok(Seen::Message(message)),
                    Err(Nonsense) => Err(self.stop()),
                };
            }
        }
        self.recv_later()
    }

    /// As [`Receiver::try_recv`], where the next message was not there.
    #[cold]
    #[inline(never)]
    fn recv_later(&mut self) -> Result<Seen<T>, TryRecvError<Cause>> {
        match self.look() {
            Ok(Some(seen)) => Ok(seen),
            Ok(None) => self.nothing(Self::look),
            Err(Nonsense) => Err(self.stop()),
        }
    }

    /// The newest message and its number, if this receiver has not seen it; then it counts as seen, with all before it.
    ///
    /// Those that it passes over are not lost but skipped: so many as the number exceeds the [`position`](Receiver::position) before.
    ///
    /// Bounded: it copies one message, and again only if the sender sent `capacity - 1` messages or more meanwhile. After 128 such copies it says `Empty`.
    ///
    /// # Errors
    /// As [`Receiver::try_recv`].
    #[inline]
    pub fn try_changed(&mut self) -> Result<(u64, T), TryRecvError<Cause>> {
        match self.change() {
            Ok(Some(newest)) => Ok(newest),
            Ok(None) => self.nothing(Self::change),
            Err(Nonsense) => Err(self.stop()),
        }
    }

    /// The newest message and its number; `None` if none was sent. Not older than what this receiver has received. The position stays.
    ///
    /// Messages that are sent meanwhile may be newer. A sender that stops in the middle of a send, or is killed there, does not delay it.
    ///
    /// Bounded: it copies one message, and again only if the sender sent `capacity - 1` messages or more during the copy. After 128 such copies it
    /// says `None`; with a capacity of 64 or more no sender is so fast.
    ///
    /// # Errors
    /// `Corrupted`: the sender wrote what cannot be.
    #[inline]
    pub fn latest(&self) -> Result<Option<(u64, T)>, Cause> {
        self.newest().map_err(|_| Cause::Corrupted)
    }

    #[inline(always)]
    fn newest(&self) -> Result<Option<(u64, T)>, Nonsense> {
        if self.corrupted {
            return Err(Nonsense);
        }
        let Some((number, copy)) = self.reader.newest_copy()? else { return Ok(None) };
        Ok(Some((number, message(copy)?)))
    }

    #[inline(always)]
    fn look(&mut self) -> Result<Option<Seen<T>>, Nonsense> {
        if self.corrupted {
            return Err(Nonsense);
        }
        match self.reader.take_copy() {
            Look::Message(copy) => Ok(Some(Seen::Message(message(copy)?))),
            Look::NotYet => Ok(None),
            Look::Overrun(stamp) => Ok(Some(Seen::Lost(self.reader.skip_checked(stamp, self.resume)?))),
        }
    }

    #[inline(always)]
    fn change(&mut self) -> Result<Option<(u64, T)>, Nonsense> {
        if self.corrupted {
            return Err(Nonsense);
        }
        let Some((number, copy)) = self.reader.take_newest_copy()? else { return Ok(None) };
        Ok(Some((number, message(copy)?)))
    }

    /// What there is to say where `look` found nothing: it looks again once a session is known to be over.
    #[inline]
    fn nothing<R>(
        &mut self,
        look: impl Fn(&mut Self) -> Result<Option<R>, Nonsense>,
    ) -> Result<R, TryRecvError<Cause>> {
        self.vain += 1;
        let ended = match self.reported.stand(self.words()) {
            Stand::Awaited | Stand::Open if self.vain < VAIN => return Err(TryRecvError::Empty),
            Stand::Awaited | Stand::Open => self.ask(),
            Stand::Over(end) => Ok(Some(Told::End(end))),
            Stand::Impossible => Err(Nonsense),
        };
        // What a session did before its end is there now.
        match ended.and_then(|ended| Ok((ended, look(self)?))) {
            Ok((_, Some(seen))) => Ok(seen),
            Ok((None, None)) => Err(TryRecvError::Empty),
            Ok((Some(Told::Removed), None)) => Err(TryRecvError::Disconnected(Cause::Removed)),
            Ok((Some(Told::End(end)), None)) => {
                self.reported.pass(end, self.reader.position());
                Err(TryRecvError::Disconnected(cause_of(end)))
            }
            Err(Nonsense) => Err(self.stop()),
        }
    }

    /// What the kernel says of the sender, and whether the words agree with each other. A system call or two.
    #[cold]
    #[inline(never)]
    fn ask(&mut self) -> Result<Option<Told>, Nonsense> {
        self.vain = 0;
        self.reader.check_nothing()?;
        match self.reported.end_by(self.words(), || self.is_held(), || false) {
            Found::Over(end) => Ok(Some(Told::End(end))),
            Found::Impossible => Err(Nonsense),
            Found::Nothing | Found::Message if self.is_removed() && !self.is_held() => Ok(Some(Told::Removed)),
            Found::Nothing | Found::Message => Ok(None),
        }
    }

    /// Has the next look in vain ask the kernel.
    pub(super) fn ask_next(&mut self) {
        self.vain = VAIN;
    }

    /// From now on it says that the sender wrote what cannot be.
    #[cold]
    fn stop(&mut self) -> TryRecvError<Cause> {
        self.corrupted = true;
        TryRecvError::Disconnected(Cause::Corrupted)
    }

    fn words(&self) -> &Session {
        &self.map.producer().session
    }

    fn is_held(&self) -> bool {
        is_held(&self.file)
    }

    /// Whether the file has lost its name.
    fn is_removed(&self) -> bool {
        self.is_named && self.file.metadata().is_ok_and(|file| file.nlink() == 0)
    }

    /// Where this receiver goes on after it was overrun.
    pub fn set_resume(&mut self, resume: Resume) {
        self.resume = resume;
    }

    /// The number of the message that this receiver wants next.
    pub fn position(&self) -> u64 {
        self.reader.position()
    }

    /// Messages that were sent and that this receiver has not seen. More than [`capacity`](Receiver::capacity): some are lost. The sender may
    /// send more at any time; it publishes the number after each 32 messages of a slice.
    pub fn lag(&self) -> u64 {
        self.reader.sent().saturating_sub(self.reader.position())
    }

    /// Whether the next look at the channel would find nothing new. The sender may send at any time.
    pub fn is_empty(&self) -> bool {
        !self.reader.has_news()
    }

    /// Whether the last sender has closed or given up, and none has come since; also once the sender has written what cannot be. A sender that was
    /// killed has not closed: [`Receiver::peer`] asks the kernel.
    pub fn is_closed(&self) -> bool {
        self.corrupted || self.reader.is_ended()
    }

    /// How many messages the channel keeps.
    pub fn capacity(&self) -> usize {
        self.reader.capacity() as usize
    }

    /// What the kernel says of the sender. A system call or two.
    pub fn peer(&self) -> Peer {
        if self.is_removed() && !self.is_held() {
            return Peer::Removed;
        }
        self.reported.look_after(self.words(), || self.is_held()).0
    }

    /// The sender's session that this receiver is in; `None` before it has begun.
    pub fn session(&self) -> Option<SessionInfo> {
        let current = self.reported.current();
        (self.words().last() >= current).then(|| SessionInfo::of(self.words(), current))
    }
}

// A loss is an item, not the end.
iterates! {
    [T: Message + Copy] Receiver<T>, Seen<T>, RecvError<Cause>,
    Receiver::recv,
    |this: &mut Self| this.look().ok().flatten(),
}

/// Whether a process has the sending side.
fn is_held(file: &File) -> bool {
    // An error makes no death of it: the kernel has no memory at the moment, and is asked again. One that never says is refused at the opening.
    let held = is_taken(file, LockRange::sender(0)).unwrap_or(true);
    // This side has no lock of its own, so the kernel may answer without taking one: what it looked at comes before what is read next.
    fence(Ordering::SeqCst);
    held
}

/// What a receiver that found nothing is told.
#[derive(Clone, Copy)]
enum Told {
    End(End),
    Removed,
}

impl<T: Message + Copy> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self {
            reader: self.reader.clone(),
            resume: self.resume,
            map: Arc::clone(&self.map),
            file: Arc::clone(&self.file),
            is_named: self.is_named,
            reported: self.reported.clone(),
            vain: self.vain,
            corrupted: self.corrupted,
            longest_sleep: self.longest_sleep,
        }
    }
}

impl<T: Message + Copy> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("position", &self.position())
            .field("lag", &self.lag())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
