//! `ringmail::shm::spsc`.

use ringmail::WaitStrategy;
use ringmail::shm::spsc::{Builder, Receiver, Sender};
use ringmail_benches::peers::{BlockRecv, BlockSend, TryRecv, TrySend};

use super::{CAPACITY, Link, Place, Ticket};
use crate::message::Parcel;

/// A ring in a segment of its own.
#[derive(Debug)]
pub struct Mapped;

/// The same with a receiver that sleeps at once: where others want its core, one that yields first is not asleep yet, but in their queue.
#[derive(Debug)]
pub struct MappedAtOnce;

/// The same with a receiver that maps the sender's pages for reading only.
#[derive(Debug)]
pub struct MappedProtected;

/// The sending end.
#[derive(Debug)]
pub struct Tx<T: Parcel>(Sender<T>);

/// The receiving end.
#[derive(Debug)]
pub struct Rx<T: Parcel>(Receiver<T>);

impl Mapped {
    pub(crate) fn make(name: &str) -> Ticket {
        Ticket { text: name.into(), ..Ticket::default() }
    }

    /// Removes the segment, after both processes have ended; there is none if they ended early.
    pub(crate) fn unmake(name: &str) {
        let _ = Builder::<u64>::new(name).remove();
    }
}

impl<T: Parcel> Tx<T> {
    /// The channel's own end.
    pub fn into_inner(self) -> Sender<T> {
        self.0
    }
}

impl<T: Parcel> Rx<T> {
    /// The channel's own end.
    pub fn into_inner(self) -> Receiver<T> {
        self.0
    }
}

impl<T: Parcel> Link<T> for Mapped {
    type Tx = Tx<T>;
    type Rx = Rx<T>;
    fn tx(place: &Place<'_>) -> Tx<T> {
        Tx(Builder::new(place.ticket).capacity(CAPACITY).open_sender().expect("ringmail: the sending side"))
    }
    fn rx(place: &Place<'_>) -> Rx<T> {
        Rx(Builder::new(place.ticket).capacity(CAPACITY).open_receiver().expect("ringmail: the receiving side"))
    }
}

impl<T: Parcel> Link<T> for MappedAtOnce {
    type Tx = Tx<T>;
    type Rx = Rx<T>;
    fn tx(place: &Place<'_>) -> Tx<T> {
        Mapped::tx(place)
    }
    fn rx(place: &Place<'_>) -> Rx<T> {
        let builder = Builder::new(place.ticket).capacity(CAPACITY).wait(WaitStrategy::ParkAtOnce);
        Rx(builder.open_receiver().expect("ringmail: the receiving side"))
    }
}

impl<T: Parcel> Link<T> for MappedProtected {
    type Tx = Tx<T>;
    type Rx = Rx<T>;
    fn tx(place: &Place<'_>) -> Tx<T> {
        Mapped::tx(place)
    }
    fn rx(place: &Place<'_>) -> Rx<T> {
        let builder = Builder::new(place.ticket).capacity(CAPACITY).write_protect(true);
        Rx(builder.open_receiver().expect("ringmail: the receiving side"))
    }
}

impl<T: Parcel> TrySend<T> for Tx<T> {
    #[inline(always)]
    fn try_send(&mut self, value: T) -> bool {
        self.0.try_send(value).is_ok()
    }
}

impl<T: Parcel> TryRecv<T> for Rx<T> {
    #[inline(always)]
    fn try_recv(&mut self) -> Option<T> {
        self.0.try_recv().ok()
    }
}

impl<T: Parcel> BlockSend<T> for Tx<T> {
    #[inline(always)]
    fn send(&mut self, value: T) {
        assert!(self.0.send(value).is_ok(), "ringmail: the other side ended");
    }
}

impl<T: Parcel> BlockRecv<T> for Rx<T> {
    #[inline(always)]
    fn recv(&mut self) -> T {
        self.0.recv().expect("ringmail: the other side ended")
    }
}
