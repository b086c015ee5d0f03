//! ipc-channel: a Unix socket and serde. Its `send` blocks in either mode: there is no other.

use ::ipc_channel::TryRecvError;
use ::ipc_channel::ipc::{IpcOneShotServer, IpcReceiver, IpcSender};
use ringmail_benches::peers::{BlockRecv, BlockSend, TryRecv, TrySend};

use super::{Link, Place};
use crate::message::Parcel;

/// A typed channel, found through a one-shot server.
#[derive(Debug)]
pub struct IpcChannel;

/// The sending end.
#[derive(Debug)]
pub struct Tx<T>(IpcSender<T>);

/// The receiving end.
#[derive(Debug)]
pub struct Rx<T>(IpcReceiver<T>);

/// What the first message says: only a connection with a message is accepted.
const HELLO: u64 = u64::MAX - 1;

impl<T: Parcel> Link<T> for IpcChannel {
    type Tx = Tx<T>;
    type Rx = Rx<T>;
    fn tx(place: &Place<'_>) -> Tx<T> {
        let tx = IpcSender::connect(place.page.wait_for_note(place.link)).expect("ipc-channel: connecting");
        tx.send(T::make(HELLO)).expect("ipc-channel: the first message");
        Tx(tx)
    }
    fn rx(place: &Place<'_>) -> Rx<T> {
        let (server, name) = IpcOneShotServer::<T>::new().expect("ipc-channel: a server");
        place.page.publish_note(place.link, &name);
        let (rx, first) = server.accept().expect("ipc-channel: accepting");
        assert_eq!(first.seq(), HELLO, "ipc-channel: the message of another process");
        Rx(rx)
    }
}

impl<T: Parcel> TrySend<T> for Tx<T> {
    #[inline(always)]
    fn try_send(&mut self, value: T) -> bool {
        self.send(value);
        true
    }
}

impl<T: Parcel> TryRecv<T> for Rx<T> {
    #[inline(always)]
    fn try_recv(&mut self) -> Option<T> {
        match self.0.try_recv() {
            Ok(value) => Some(value),
            Err(TryRecvError::Empty) => None,
            Err(e) => panic!("ipc-channel: {e}"),
        }
    }
}

impl<T: Parcel> BlockSend<T> for Tx<T> {
    #[inline(always)]
    fn send(&mut self, value: T) {
        self.0.send(value).expect("ipc-channel: sending");
    }
}

impl<T: Parcel> BlockRecv<T> for Rx<T> {
    #[inline(always)]
    fn recv(&mut self) -> T {
        self.0.recv().expect("ipc-channel: receiving")
    }
}
