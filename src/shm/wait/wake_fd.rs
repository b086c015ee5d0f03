//! Waking a reactor in another process: the event count of a side, a descriptor that the other side reaches by the channel.
//!
//! ```text
//!   sleeper                                                       other side
//!     arm: BY_DESCRIPTOR and the awaited position ── barrier ── look
//!     waits for its WakeFd in a reactor                             publishes ── barrier ── sees BY_DESCRIPTOR ── rings
//!     disarm: takes the announcement back, empties the event count
//!     looks again
//! ```
//! The announcement, the barrier and the look are those of every sleep between processes (`wait::parked`): only what ends the sleep is another.
//!
//! | channel | event count | how the other side finds it |
//! |---|---|---|
//! | with a name | a FIFO beside the segment, `.<name>.<side>.bell` | by that path, if it has the inode that the sleeper's page names |
//! | [`Anonymous`](crate::shm::Anonymous) | a datagram socket | by an abstract address, `ringmail-event count-` and the number in the sleeper's page |
//!
//! A [`WakeFd`] is an epoll of the event count and a timer. The timer runs while the side is armed: deaths and removals ring no event count, so a sleep ends
//! within 90 ms for a look at the kernel's word. One that a ring ended leaves the timer running for the next, which then need not ask the
//! kernel: so a side that is woken often pays for neither. A side that cannot reach the other's event count says so in its page; the other's timer
//! then runs for a millisecond.

use crate::shm::peer::session::Session;
use crate::shm::peer::{Role, attachment};
use crate::shm::segment::file::open_bell;
use crate::shm::segment::map::Map;
use crate::shm::wait::UNREACHED_INTERVAL;
use crate::sync::Ordering;
use crate::sync::failpoint::point;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::hash::BuildHasher;
use core::time::Duration;
use rustix::event::epoll;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use std::hash::RandomState;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// A descriptor that becomes readable when an armed side is to look again: for epoll, io_uring, mio's `SourceFd`, tokio's `AsyncFd`. See
/// [`Watched`](crate::shm::Watched).
///
/// Edge-triggered and level-triggered registrations both do. Nothing is to be read from it: it is unreadable again once the side is disarmed. It
/// may become readable once more within 90 ms; a reactor that is level-triggered and waits for it then, though nothing is armed, calls
/// [`WakeFd::clear`]. Close-on-exec. Clones are the same descriptor.
#[derive(Clone, Debug)]
pub struct WakeFd(Arc<Bundle>);

#[derive(Debug)]
struct Bundle {
    epoll: OwnedFd,
    event: OwnedFd,
    is_fifo: bool,
    timer: OwnedFd,
}

impl AsFd for WakeFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.epoll.as_fd()
    }
}

impl AsRawFd for WakeFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.epoll.as_raw_fd()
    }
}

impl WakeFd {
    fn new(event: OwnedFd, is_fifo: bool) -> io::Result<Self> {
        let timer = rustix::time::timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::CLOEXEC.union(TimerfdFlags::NONBLOCK),
        )?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for fd in [&event, &timer] {
            epoll::add(&epoll, fd, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
        }
        Ok(Self(Arc::new(Bundle { epoll, event, is_fifo, timer })))
    }

    /// Makes it unreadable, if no side is armed with it: for a reactor that found it readable then. To arm, or to disarm, does the same.
    pub fn clear(&self) {
        self.set_timer(Duration::ZERO);
        self.empty();
    }

    /// Has it become readable after `after`; never by the timer if that is zero. What the timer did before is undone.
    fn set_timer(&self, after: Duration) {
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let it_value = Timespec::try_from(after).unwrap_or(zero);
        // A descriptor of ours, and a time within bounds: there is no error.
        let _ = rustix::time::timerfd_settime(
            &self.0.timer,
            TimerfdTimerFlags::empty(),
            &Itimerspec { it_interval: zero, it_value },
        );
    }

    /// Takes what was rung. Whether it was.
    fn empty(&self) -> bool {
        let mut rung = [0u8; 64];
        // A datagram for each ring; of a FIFO all at once. Bounded, as the other side could go on for ever.
        for reads in 0..64 {
            match rustix::io::read(&self.0.event, &mut rung) {
                Ok(0) | Err(_) => return reads != 0,
                Ok(n) if self.0.is_fifo && n < rung.len() => return true,
                Ok(_) => {}
            }
        }
        true
    }
}

/// What a side waits with in a reactor.
#[derive(Debug)]
pub struct Watch {
    fd: WakeFd,
    /// By which the other side knows the event.
    number: u64,
    /// Of a FIFO.
    path: Option<PathBuf>,
    /// When the timer ends the sleep; in the past, or none, if it does not run.
    ends: Cell<Option<Instant>>,
    pid: u32,
}

impl Watch {
    /// Of `role` on lane `lane`, of the segment at `segment` or in memory.
    pub(crate) fn new(segment: Option<&Path>, role: Role, lane: u32) -> io::Result<Self> {
        let pid = std::process::id();
        let Some(segment) = segment else {
            let number = RandomState::new().hash_one(pid).max(1);
            let socket = UnixDatagram::bind_addr(&address(number)?)?;
            socket.set_nonblocking(true)?;
            return Ok(Self { fd: WakeFd::new(socket.into(), false)?, number, path: None, ends: Cell::new(None), pid });
        };
        let path = path_of(segment, role, lane);
        let (event, number) = open_bell(&path, true)?;
        let watch = Self { fd: WakeFd::new(event, true)?, number, path: Some(path), ends: Cell::new(None), pid };
        // Of one that was killed.
        watch.fd.empty();
        Ok(watch)
    }

    /// Refuses a forked child.
    pub(crate) fn check(&self) -> io::Result<()> {
        check(self.pid)
    }

    pub(crate) fn fd(&self) -> &WakeFd {
        &self.fd
    }

    /// Says in this side's page which event count it has.
    pub(crate) fn publish(&self, own: &Session) {
        point!();
        own.name_descriptor(self.number);
        point!();
    }

    /// Whether the timer of the last sleep runs on, which then ends the next in time: the kernel was asked before that.
    pub(crate) fn runs(&self) -> bool {
        self.ends.get().is_some_and(|ends| Instant::now() < ends)
    }

    /// Begins the sleep: it ends after `longest` at the latest, and soon if one of the other sides is mute.
    pub(crate) fn begin(&self, longest: Duration, mut mute: impl Iterator<Item = bool>) {
        let longest = if mute.any(|mute| mute) { longest.min(UNREACHED_INTERVAL) } else { longest };
        let now = Instant::now();
        if self.ends.get().is_none_or(|ends| ends <= now || ends > now + longest) {
            self.ends.set(Some(now + longest));
            self.fd.set_timer(longest);
        }
    }

    /// Ends it, after a ring or before one.
    fn end(&self) {
        // Rung once, and perhaps soon again: the next sleep finds the timer running.
        if !self.fd.empty() {
            self.ends.set(None);
            self.fd.set_timer(Duration::ZERO);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // A forked child's is its parent's.
        if self.pid != std::process::id() {
            return;
        }
        if let Some(path) = self.path.as_deref() {
            // Not that of a later segment of this name.
            if open_bell(path, false).is_ok_and(|(_, number)| number == self.number) {
                point!();
                let _ = rustix::fs::unlink(path);
                point!();
            }
        }
    }
}

/// A side that is armed: its [`WakeFd`] becomes readable when it is to look again. Dropped once that has happened, or to wait no more; then the
/// descriptor is unreadable again.
///
/// While one stands that is not waited for, each message of the other side takes some nanoseconds more.
#[must_use = "dropped, it is disarmed: wait for the descriptor first"]
pub struct Armed<'a> {
    pub(crate) maps: &'a [Arc<Map>],
    pub(crate) role: Role,
    pub(crate) watch: &'a mut Watch,
}

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        // A forked child has none of the memory, and its parent's descriptors.
        if self.watch.pid == std::process::id() {
            for map in self.maps {
                point!();
                attachment::sessions(map, self.role).0.parked.0.clear_asleep();
            }
            point!();
            self.watch.end();
        }
    }
}

impl fmt::Debug for Armed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Armed").field("role", &self.role).finish_non_exhaustive()
    }
}

/// An end of a channel that can sleep elsewhere.
pub trait Waits {
    /// Where the end keeps its event count.
    fn watch_slot(&mut self) -> &mut Option<Watch>;

    /// Makes the event count, and says so in this side's pages.
    fn open_watch(&mut self) -> io::Result<Watch>;

    /// Checks, and prepares a sleep by `watch` if there is nothing to do. Whether it is prepared.
    fn prepare_by(&mut self, watch: &Watch) -> bool;

    /// What ends the sleep; `None` without an event count.
    fn armed(&mut self) -> Option<Armed<'_>>;

    /// The event count, made first if need be.
    fn watch(&mut self) -> io::Result<&Watch> {
        let watch = match self.watch_slot().take() {
            Some(watch) => watch,
            None => self.open_watch()?,
        };
        Ok(self.watch_slot().insert(watch))
    }

    /// Prepares a sleep. Whether it is needed: there is nothing to do.
    fn prepare(&mut self) -> io::Result<bool> {
        self.watch()?.check()?;
        let Some(watch) = self.watch_slot().take() else { return Ok(false) };
        let prepared = self.prepare_by(&watch);
        *self.watch_slot() = Some(watch);
        Ok(prepared)
    }
}

/// An end of a channel of which the user has a handle.
pub trait End {
    /// What it waits with.
    fn end(&mut self) -> &mut dyn Waits;
}

/// Receivers and senders between processes, as a reactor waits for them: by a descriptor.
///
/// Look, arm, wait, look again:
///
/// ```
/// use ringmail::shm::{TryRecvError, Watched, spsc};
/// use rustix::event::{PollFd, PollFlags, poll};
/// # let channel = spsc::Builder::<u64>::create_anonymous(8)?;
/// # let mut tx = spsc::Builder::<u64>::from_fd(&channel).open_sender()?;
/// # let mut rx = spsc::Builder::<u64>::from_fd(&channel).open_receiver()?;
/// # let sender = std::thread::spawn(move || (0..3).for_each(|n| tx.send(n).unwrap()));
/// // Registered once, with whichever reactor.
/// let fd = rx.wake_fd()?;
/// let mut sum = 0;
/// loop {
///     match rx.try_recv() {
///         Ok(n) => sum += n,
///         Err(TryRecvError::Empty) => {
///             if let Some(_armed) = rx.arm()? {
///                 poll(&mut [PollFd::new(&fd, PollFlags::IN)], None)?;
///             }
///         }
///         Err(TryRecvError::Disconnected(_)) => break,
///     }
/// }
/// # sender.join().unwrap();
/// assert_eq!(sum, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A wake is a hint: there may be nothing yet. A session's end, a death and the removal of the file wake too, the latter two within 100 ms; the next
/// verb tells them. While no side is armed, messages cost what they cost without.
pub trait Watched: End {
    /// The descriptor of this side; made by the first call, and the same from then on. With a channel that has a name it comes with a FIFO beside
    /// the file, which goes with the side.
    ///
    /// # Errors
    /// The system refused: too many open files, or no FIFO can be made where the channel is. [`Unsupported`](io::ErrorKind::Unsupported) in a
    /// forked child.
    fn wake_fd(&mut self) -> io::Result<WakeFd> {
        Ok(self.end().watch()?.fd().clone())
    }

    /// To be called where a receiver found nothing or a sender no room: announces that this side is about to sleep and looks again. `None`: there
    /// is something to do, or to be told, by the next verb. Otherwise [`WakeFd`] becomes readable when there may be: for a receiver a message, for
    /// a sender room for what it was refused last.
    ///
    /// At once, with every [`WaitStrategy`](crate::WaitStrategy). No system call as a rule; a few, if the last was 90 ms ago.
    ///
    /// # Errors
    /// As [`Watched::wake_fd`], if that was not called before.
    fn arm(&mut self) -> io::Result<Option<Armed<'_>>> {
        let end = self.end();
        Ok(if end.prepare()? { end.armed() } else { None })
    }
}

macro_rules! watched {
    ($($handle:ty, $field:ident $(, $message:ident)?;)*) => {$(
        impl $(<$message: crate::shm::Message>)? End for $handle {
            fn end(&mut self) -> &mut dyn Waits {
                &mut self.$field
            }
        }

        impl $(<$message: crate::shm::Message>)? Watched for $handle {}
    )*};
}

watched! {
    crate::shm::spsc::Sender<T>, tx, T;
    crate::shm::spsc::Receiver<T>, rx, T;
    crate::shm::fan_in::Receiver<T>, lanes, T;
    crate::shm::bytes::Sender, tx;
    crate::shm::bytes::Receiver, rx;
    crate::shm::bytes::fan_in::Receiver, lanes;
}

/// How a side notifies the other when that sleeps by its descriptor.
pub(crate) struct PeerNotifier {
    segment: Option<Arc<Path>>,
    map: Arc<Map>,
    role: Role,
    /// Of the receiver, if that is the other side.
    seat: u32,
    /// The event count of that number; none if it cannot be reached.
    event: RefCell<(u64, Option<OwnedFd>)>,
}

impl fmt::Debug for PeerNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerNotifier").field("event", &self.event).finish_non_exhaustive()
    }
}

impl PeerNotifier {
    /// Of the side that has `role`, for the other: of a broadcast's sender, that of `seat`.
    pub(crate) fn new(segment: Option<Arc<Path>>, map: &Arc<Map>, role: Role, seat: u32) -> Self {
        Self { segment, map: Arc::clone(map), role, seat, event: RefCell::new((0, None)) }
    }

    /// Rings, if the other side sleeps by its event. Whether it does.
    pub(crate) fn notify(&self, peer: &Session) -> bool {
        let named = peer.event();
        if let Some(number) = named {
            let mut event = self.event.borrow_mut();
            // Also one that could not be reached last time: there may have been too many open files.
            if event.0 != number || event.1.is_none() {
                *event = (number, self.find(number).ok());
                let own = attachment::sessions(&self.map, self.role).0;
                // Of each seat by itself: what becomes of one receiver's event count says nothing of another's.
                let (before, bit) = (own.mute.load(Ordering::Relaxed), 1 << self.seat);
                let mute = if event.1.is_none() { before | bit } else { before & !bit };
                point!();
                own.mute.store(mute, Ordering::Relaxed);
                point!();
            }
            if let Some(event) = &event.1 {
                point!();
                // Full: it is readable then. Without a reader: a FIFO always has one, ourselves; a socket says so, by no signal.
                let _ = rustix::io::write(event, &[0]);
                point!();
            }
        }
        named.is_some()
    }

    fn find(&self, number: u64) -> io::Result<OwnedFd> {
        let Some(segment) = &self.segment else {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            socket.connect_addr(&address(number)?)?;
            return Ok(socket.into());
        };
        let (role, lane) = match self.role {
            Role::Sender => (Role::Receiver, self.seat),
            Role::Receiver => (Role::Sender, self.map.lane()),
        };
        match open_bell(&path_of(segment, role, lane), false)? {
            (event, found) if found == number => Ok(event),
            // Another segment's.
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// Refuses a process that is not the one that opened the side.
pub(crate) fn check(pid: u32) -> io::Result<()> {
    if pid == std::process::id() {
        return Ok(());
    }
    let what = "a forked child has no part in its parent's channel: open a side of its own";
    Err(io::Error::new(io::ErrorKind::Unsupported, what))
}

fn address(number: u64) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(format!("ringmail-event-{number:016x}"))
}

/// Where the FIFO of a side is, be it there or not. Its name is none of a channel's.
pub(crate) fn path_of(segment: &Path, role: Role, lane: u32) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(segment.file_name().unwrap_or_default());
    name.push(match role {
        Role::Receiver if lane == 0 => ".receiver.event".to_owned(),
        Role::Receiver => format!(".receiver-{lane}.event"),
        Role::Sender => format!(".sender-{lane}.event"),
    });
    segment.with_file_name(name)
}
