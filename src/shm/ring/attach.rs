//! The ends of a lane's ring, for the holder of the kernel's lock.

#![allow(unsafe_code)]

use super::gate::{SeatWords, Seats};
use super::mapped::{ConsumerPage, Mapped, MessageBytes};
use crate::ring::spsc::{Consumer, Producer};
use crate::shm::segment::attach::{LaneLock, RoleLock};
use crate::shm::segment::layout::{Kind, Layout};
use crate::shm::segment::locks::{LockRange, is_taken};
use crate::shm::segment::map::Map;
use core::ptr::NonNull;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

/// A lane's ring.
pub(crate) type Ring<T> = Mapped<MessageBytes<T>, Map>;

/// A side that has its end of a lane's ring. A receiver has one of each.
#[derive(Debug)]
pub(crate) struct Attached {
    held: Arc<RoleLock>,
    peer: LockRange,
    /// Of a file that had a name.
    pub(crate) path: Option<Arc<Path>>,
}

impl Attached {
    /// Whether the other side of the lane has its lock.
    pub(crate) fn peer_holds(&self) -> bool {
        self.is_held(self.peer)
    }

    /// Whether these roles are held, one of them at least.
    pub(crate) fn is_held(&self, seats: LockRange) -> bool {
        // An error makes no death of it. It is one of the moment (the kernel has no memory), as this side was told when it was opened (`segment::attach`): the
        // next look, within 90 ms where this side sleeps, asks again.
        is_taken(self.held.file(), seats).unwrap_or(true)
    }

    /// Gives the lock back. To be called where this side reads and writes nothing more.
    pub(crate) fn give(&self) {
        self.held.give();
    }

    /// Whether the file has lost its name: no side can open it any more.
    pub(crate) fn is_removed(&self) -> bool {
        self.path.is_some() && self.held.file().metadata().is_ok_and(|file| file.nlink() == 0)
    }
}

/// The sending end, for the holder of that lane's lock.
pub(crate) fn producer<T>(
    held: RoleLock,
    path: Option<Arc<Path>>,
    map: &Arc<Map>,
    layout: &Layout,
) -> (Attached, Producer<Ring<T>>) {
    assert_eq!(held.seats, LockRange::sender(map.lane()), "another role's lock");
    let attached = Attached { held: Arc::new(held), peer: LockRange::RECEIVER, path };
    // SAFETY: the lock is the only one, and is used up here for the one producer.
    (attached, unsafe { Producer::attach(ring(Arc::clone(map), layout)) })
}

/// The receiving ends of the lanes from the first on, for the holder of that role's lock.
pub(crate) fn consumers<T>(
    held: RoleLock,
    path: Option<Arc<Path>>,
    maps: &[Arc<Map>],
    layout: &Layout,
) -> Vec<(Attached, Consumer<Ring<T>>)> {
    assert_eq!(held.seats, LockRange::RECEIVER, "another role's lock");
    let held = Arc::new(held);
    let attach = |(lane, map): (u32, &Arc<Map>)| {
        assert_eq!(lane, map.lane(), "each lane once");
        let attached = Attached { held: Arc::clone(&held), peer: LockRange::sender(lane), path: path.clone() };
        // SAFETY: the lock is the only one, and is used up here for one consumer of each lane.
        (attached, unsafe { Consumer::attach(ring(Arc::clone(map), layout)) })
    };
    (0..).zip(maps).map(attach).collect()
}

/// The receiving end of a broadcast, for the holder of that seat's lock.
pub(crate) fn receiver<T>(
    held: RoleLock,
    path: Option<Arc<Path>>,
    map: &Arc<Map>,
    layout: &Layout,
) -> (Attached, Consumer<Ring<T>>) {
    assert!(layout.kind.is_broadcast() && held.seats == LockRange::seat(map.lane()), "another role's lock");
    let attached = Attached { held: Arc::new(held), peer: LockRange::sender(0), path };
    // SAFETY: the lock is the only one, and is used up here for the one consumer of that seat's page. The other consumers have pages of their own, and
    // the producer goes by all of them (`gate`): what one of them reads is not written meanwhile (I3).
    (attached, unsafe { Consumer::attach(ring(Arc::clone(map), layout)) })
}

/// The pages of a broadcast, as its sender has them, and what the ring takes for the page of one reader: the slowest. Only this process has that one, and
/// only the sender writes it.
pub(crate) struct Gated {
    pub(crate) map: Arc<Map>,
    pub(crate) slowest: Box<ConsumerPage>,
}

/// A broadcast's ring, as its sender has it.
pub(crate) type GatedRing<T> = Mapped<MessageBytes<T>, Gated>;

impl Seats for Gated {
    fn words(&self, seat: usize) -> SeatWords<'_> {
        let page = self.map.seat(seat as u32);
        SeatWords { session: &page.consumer.session, head: &page.consumer.block.head, reserved: &page.name.reserved }
    }
}

/// The sending end of a broadcast, for the holder of that role's lock.
pub(crate) fn broadcaster<T>(
    held: RoleLock,
    path: Option<Arc<Path>>,
    map: &Arc<Map>,
    layout: &Layout,
) -> (Attached, Producer<GatedRing<T>>, Arc<Gated>) {
    assert!(layout.kind.is_broadcast() && held.seats == LockRange::sender(0), "another role's lock");
    let attached = Attached { held: Arc::new(held), peer: LockRange::seat(0), path };
    let gated = Arc::new(Gated { map: Arc::clone(map), slowest: ConsumerPage::unused() });
    let ([producer, _, data], slowest) = (map.starts(), NonNull::from(&*gated.slowest));
    // SAFETY: as for `ring`; the page of the slowest is held by `gated`, and is written through a shared reference alone.
    let ring = unsafe { Mapped::new(producer.cast(), slowest, data.cast(), layout.capacity, Arc::clone(&gated)) };
    // SAFETY: the lock is the only one, and is used up here for the one producer.
    (attached, unsafe { Producer::attach(ring) }, gated)
}

/// The sending ends of all lanes of a fan-out, for the holder of the sender's lock.
pub(crate) fn producers<T>(
    held: RoleLock,
    path: Option<Arc<Path>>,
    maps: &[Arc<Map>],
    layout: &Layout,
) -> Vec<(Attached, Producer<Ring<T>>)> {
    assert!(layout.kind == Kind::FanOut && held.seats == LockRange::sender(0), "another role's lock");
    let held = Arc::new(held);
    let attach = |(lane, map): (u32, &Arc<Map>)| {
        assert_eq!(lane, map.lane(), "each lane once");
        let attached = Attached { held: Arc::clone(&held), peer: LockRange::worker(lane), path: path.clone() };
        // SAFETY: the lock is the only one, and is used up here for one producer of each lane.
        (attached, unsafe { Producer::attach(ring(Arc::clone(map), layout)) })
    };
    (0..).zip(maps).map(attach).collect()
}

/// The receiving end of a lane of a fan-out, for the holder of that lane's lock.
pub(crate) fn worker<T>(
    held: RoleLock,
    path: Option<Arc<Path>>,
    map: &Arc<Map>,
    layout: &Layout,
) -> (Attached, Consumer<Ring<T>>) {
    assert!(layout.kind == Kind::FanOut && held.seats == LockRange::worker(map.lane()), "another role's lock");
    let attached = Attached { held: Arc::new(held), peer: LockRange::sender(0), path };
    // SAFETY: the lock is the only one, and is used up here for the one consumer.
    (attached, unsafe { Consumer::attach(ring(Arc::clone(map), layout)) })
}

/// The receiving end of a lane that has no worker, as long as this has its lock.
pub(crate) struct LeftLane<'a, T> {
    // In this order they go.
    ring: Consumer<Ring<T>>,
    map: Arc<Map>,
    _lock: LaneLock<'a>,
}

impl<'a, T> LeftLane<'a, T> {
    /// Where `lock` is, `map` is of that lane.
    pub(crate) fn new(lock: LaneLock<'a>, map: &Arc<Map>, layout: &Layout) -> Self {
        assert!(layout.kind == Kind::FanOut && lock.lane() == map.lane(), "another lane's lock");
        // SAFETY: the lock is the only one, and stays here as long as the one consumer.
        let ring = unsafe { Consumer::attach(ring(Arc::clone(map), layout)) };
        Self { ring, map: Arc::clone(map), _lock: lock }
    }

    pub(crate) fn ring(&mut self) -> &mut Consumer<Ring<T>> {
        &mut self.ring
    }

    pub(crate) fn map(&self) -> &Map {
        &self.map
    }
}

fn ring<T>(map: Arc<Map>, layout: &Layout) -> Ring<T> {
    let [producer, consumer, data] = map.starts();
    // SAFETY: `Map::new` mapped the pages with these rights, and `layout` has room for all slots of this type.
    unsafe { Mapped::new(producer.cast(), consumer.cast(), data.cast(), layout.capacity, map) }
}

/// The bytes of the next `n` words where they lie. For a user who vouches for the sender's process and has asked for this: see
/// [`try_read_in_place`](crate::shm::bytes::Receiver::try_read_in_place).
pub(crate) fn trusted_bytes(ring: &Consumer<Ring<u64>>, n: u64) -> (&[u8], &[u8]) {
    // SAFETY: published and not freed; that the sender keeps to the protocol is what the user vouches for.
    unsafe { ring.in_place(n) }
}
