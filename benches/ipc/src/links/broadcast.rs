//! `ringmail::shm::broadcast`, with one receiver.

use ringmail::shm::broadcast::{Builder, Receiver, Sender};
use ringmail_benches::peers::{BlockRecv, BlockSend, TryRecv, TrySend};

use super::{CAPACITY, Link, Place};
use crate::message::Parcel;

/// A broadcast in a segment of its own; it is made and removed as a [`Mapped`](super::Mapped).
#[derive(Debug)]
pub struct Broadcast;

/// The sending end.
#[derive(Debug)]
pub struct Tx<T: Parcel>(Sender<T>);

/// The receiving end.
#[derive(Debug)]
pub struct Rx<T: Parcel>(Receiver<T>);

impl<T: Parcel> Link<T> for Broadcast {
    type Tx = Tx<T>;
    type Rx = Rx<T>;
    fn tx(place: &Place<'_>) -> Tx<T> {
        Tx(Builder::new(place.ticket).capacity(CAPACITY).open_sender().expect("ringmail: the sending side"))
    }
    fn rx(place: &Place<'_>) -> Rx<T> {
        Rx(Builder::new(place.ticket).capacity(CAPACITY).open_receiver().expect("ringmail: a seat"))
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
        assert!(self.0.send(value).is_ok(), "ringmail: the file is gone");
    }
}

impl<T: Parcel> BlockRecv<T> for Rx<T> {
    #[inline(always)]
    fn recv(&mut self) -> T {
        self.0.recv().expect("ringmail: the other side ended")
    }
}
