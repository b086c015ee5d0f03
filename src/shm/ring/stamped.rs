//! A stamped ring in memory that another process maps too.
//!
//! ```text
//!  header │ sender's page                              │ a page that is not used │ slots
//!         │ tail 0   end 128   session 256 …           │                         │ each a stamp and a message, see `ring::stamped`
//! ```
//!
//! The sender maps its page and the slots for writing, a receiver all of it for reading. Where the words lie and how many slots there are comes from
//! the caller: no word of the memory says it.

#![allow(unsafe_code)]

use super::mapped::{ProducerPage, is_message};
use crate::ring::layout::Line;
use crate::ring::stamped::between_processes::Nonsense;
use crate::ring::stamped::newest::TailBlock;
use crate::ring::stamped::words::stride_of;
use crate::ring::stamped::{Memory, Reader, Words, Writer};
use crate::shm::peer::session::{self, Session};
use crate::shm::schema::Message;
use crate::shm::segment::attach::RoleLock;
use crate::shm::segment::layout::{Kind, Layout};
use crate::shm::segment::locks::LockRange;
use crate::shm::segment::map::Map;
use crate::sync::{AtomicU64, Ordering};
use core::mem::{MaybeUninit, offset_of};
use core::ptr::NonNull;
use std::sync::Arc;

/// The sender's page.
#[repr(C)]
pub(crate) struct StampedPage {
    /// Twice the messages sent. What lies beside it is not used here.
    pub(crate) tail: TailBlock,
    /// 1 if the last sender closed, and none has come since.
    pub(crate) end: Line<AtomicU64>,
    /// Where every kind of channel has it.
    session: Session,
}

const _: () = assert!(offset_of!(StampedPage, tail) == 0);
const _: () = assert!(offset_of!(StampedPage, end) == 128);
const _: () = assert!(offset_of!(StampedPage, session) == 256);
const _: () = assert!(offset_of!(StampedPage, session) == offset_of!(ProducerPage, session));
const _: () = assert!(size_of::<StampedPage>() == 2560);
const _: () = assert!(align_of::<StampedPage>() <= 4096 && size_of::<StampedPage>() <= 4096);

/// The sender's words, of a segment of that kind.
pub(crate) fn page(map: &Map) -> &StampedPage {
    let [page, ..] = map.starts();
    // SAFETY: a page is mapped as long as `map` lives, which is larger and aligned for more; all of it is atomics, for which any bytes are valid.
    unsafe { page.cast().as_ref() }
}

/// Bytes of a slot for a message of so many.
pub(crate) fn slot_bytes(message: usize) -> usize {
    stride_of(message) * size_of::<u64>()
}

/// The pages of a segment, with a stamped ring in them.
#[derive(Clone)]
pub(crate) struct Stamped {
    map: Arc<Map>,
    capacity: u64,
}

impl Stamped {
    /// # Errors
    /// The header named a capacity that no side of this kind asks for.
    ///
    /// # Panics
    /// The segment is of another kind, or its slots are not those of a `T`.
    fn new<T>(map: &Arc<Map>, layout: &Layout) -> Result<Self, Nonsense> {
        let is_one = layout.kind == Kind::Lossy && layout.stride == slot_bytes(size_of::<T>()) as u64;
        assert!(is_one, "the layout is that of another channel");
        let slots = layout.capacity.checked_mul(layout.stride);
        match layout.capacity > 1 && layout.capacity.is_power_of_two() && slots.is_some_and(|all| all <= layout.data) {
            true => Ok(Self { map: Arc::clone(map), capacity: layout.capacity }),
            false => Err(Nonsense),
        }
    }
}

// SAFETY: `Map` keeps the pages mapped; all bytes of a file are initialised. `new` has seen that the slots lie in the data pages, whatever the words
// of the memory say. A process that keeps to the protocol writes by atomic stores, and what another one does cannot be more than that to this
// process: bytes that change between loads.
unsafe impl Memory for Stamped {
    fn words(&self) -> Words {
        let [_, _, slots] = self.map.starts();
        let page = page(&self.map);
        Words {
            slots: slots.cast(),
            tail: NonNull::from(&page.tail),
            end: NonNull::from(&page.end.0),
            copies: false,
            mask: self.capacity - 1,
        }
    }

    #[inline(always)]
    fn observe(word: &AtomicU64, order: Ordering) -> u64 {
        session::observe(word, order)
    }
}

/// The writer, for the holder of the sender's lock: the lock is the only one.
pub(crate) fn writer<T: Message + Copy>(
    held: &RoleLock,
    map: &Arc<Map>,
    layout: &Layout,
) -> Result<Writer<T, Stamped>, Nonsense> {
    assert_eq!(held.seats, LockRange::sender(map.lane()), "another role's lock");
    // SAFETY: the slots are of `T`s (`new` has compared them), all of whose bytes are initialised (`IntoBytes`), and a copy of which is as good
    // (`Copy`). No other process has the lock, and who gets it has seen all that the last holder did.
    unsafe { Writer::resume(Stamped::new::<T>(map, layout)?) }
}

/// A reader, which may have mapped the segment for reading only.
pub(crate) fn reader<T: Message + Copy>(
    map: &Arc<Map>,
    layout: &Layout,
    from_oldest: bool,
) -> Result<Reader<T, Stamped>, Nonsense> {
    // SAFETY: the slots are those of `T`s (`new` has compared them).
    unsafe { Reader::attach(Stamped::new::<T>(map, layout)?, from_oldest) }
}

/// The message that a copy is, if it is one.
///
/// # Errors
/// Its bytes are none of a `T`.
#[inline(always)]
pub(crate) fn message<T: Message + Copy>(copy: MaybeUninit<T>) -> Result<T, Nonsense> {
    // SAFETY: a reader's copies have all of their bytes initialised, and are memory of this process.
    if !unsafe { is_message(copy.as_ptr()) } {
        return Err(Nonsense);
    }
    // SAFETY: a valid `T`, as was seen.
    Ok(unsafe { copy.assume_init() })
}
