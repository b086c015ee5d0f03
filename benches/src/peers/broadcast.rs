//! Channels whose receivers see every message: ringmail, `bus`, async-broadcast, tokio's `broadcast`. One receiver each: what a receiver more costs
//! needs more cores.

use async_broadcast as peer;
use bus::{Bus, BusReader};
use ringmail::broadcast;
use tokio::sync::broadcast as tokio_broadcast;

use super::{Channel, Msg, TryRecv, TrySend};

/// `ringmail::broadcast::channel`.
#[derive(Debug)]
pub struct RingmailBroadcast;

impl<T: Msg + Sync> Channel<T> for RingmailBroadcast {
    type Tx = broadcast::Sender<T>;
    type Rx = broadcast::Receiver<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        let (tx, hub) = broadcast::channel(capacity).expect("the workloads' capacities are in range");
        (tx, hub.join().expect("there is memory"))
    }
}

impl<T: Msg> TryRecv<T> for broadcast::Receiver<T> {
    #[inline]
    fn try_recv(&mut self) -> Option<T> {
        broadcast::Receiver::try_recv(self).ok()
    }
}

/// `bus::Bus`.
#[derive(Debug)]
pub struct BusPeer;

impl<T: Msg + Sync> Channel<T> for BusPeer {
    type Tx = Bus<T>;
    type Rx = BusReader<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        let mut bus = Bus::new(capacity);
        let reader = bus.add_rx();
        (bus, reader)
    }
}

impl<T: Msg + Sync> TrySend<T> for Bus<T> {
    #[inline]
    fn try_send(&mut self, value: T) -> bool {
        self.try_broadcast(value).is_ok()
    }
}

impl<T: Msg + Sync> TryRecv<T> for BusReader<T> {
    #[inline]
    fn try_recv(&mut self) -> Option<T> {
        BusReader::try_recv(self).ok()
    }
}

/// `async_broadcast::broadcast`.
#[derive(Debug)]
pub struct AsyncBroadcast;

impl<T: Msg + Sync> Channel<T> for AsyncBroadcast {
    type Tx = peer::Sender<T>;
    type Rx = peer::Receiver<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        peer::broadcast(capacity)
    }
}

impl<T: Msg> TrySend<T> for peer::Sender<T> {
    #[inline]
    fn try_send(&mut self, value: T) -> bool {
        self.try_broadcast(value).is_ok()
    }
}

impl<T: Msg> TryRecv<T> for peer::Receiver<T> {
    #[inline]
    fn try_recv(&mut self) -> Option<T> {
        peer::Receiver::try_recv(self).ok()
    }
}

/// `tokio::sync::broadcast::channel`. It overwrites; to lose nothing, its sender asks for the length once the room that it knew of is used.
#[derive(Debug)]
pub struct TokioBroadcast;

/// The sending end, and room that it has seen.
#[derive(Debug)]
pub struct TokioTx<T> {
    tx: tokio_broadcast::Sender<T>,
    capacity: usize,
    room: usize,
}

impl<T: Msg + Sync> Channel<T> for TokioBroadcast {
    type Tx = TokioTx<T>;
    type Rx = tokio_broadcast::Receiver<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        let (tx, rx) = tokio_broadcast::channel(capacity);
        (TokioTx { tx, capacity, room: 0 }, rx)
    }
}

impl<T: Msg> TrySend<T> for TokioTx<T> {
    #[inline]
    fn try_send(&mut self, value: T) -> bool {
        if self.room == 0 {
            self.room = self.capacity - self.tx.len();
            if self.room == 0 {
                return false;
            }
        }
        self.room -= 1;
        self.tx.send(value).is_ok()
    }
}

impl<T: Msg> TryRecv<T> for tokio_broadcast::Receiver<T> {
    #[inline]
    fn try_recv(&mut self) -> Option<T> {
        tokio_broadcast::Receiver::try_recv(self).ok()
    }
}
