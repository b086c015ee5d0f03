//! ringmail with several senders: `mpsc`, one ring that all share, and `fan_in`, a lane for each.

use ringmail::{fan_in, mpsc};

use super::{Channel, ManySenders};

/// `ringmail::mpsc::channel`.
#[derive(Debug)]
pub struct RingmailMpsc;

impl<T: Send> Channel<T> for RingmailMpsc {
    type Tx = mpsc::Sender<T>;
    type Rx = mpsc::Receiver<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        mpsc::channel(capacity).expect("the workloads' capacities are in range")
    }
}

/// `ringmail::fan_in::channel`; each lane has the whole capacity, so that the lanes together hold more than any peer's
/// ring.
#[derive(Debug)]
pub struct RingmailFanIn;

/// `ringmail::fan_in::channel`; the lanes share the capacity, so that all of them hold what a peer's ring does.
#[derive(Debug)]
pub struct RingmailFanInSplit;

fn lanes<T: Send>(room: usize, senders: usize) -> (Vec<fan_in::Sender<T>>, fan_in::Receiver<T>) {
    let (first, rx) = fan_in::channel(room).expect("the workloads' capacities are in range");
    let mut lanes: Vec<_> = (1..senders).map(|_| first.lane().expect("room for a lane")).collect();
    lanes.insert(0, first);
    (lanes, rx)
}

impl<T: Send> ManySenders<T> for RingmailFanIn {
    type Tx = fan_in::Sender<T>;
    type Rx = fan_in::Receiver<T>;
    fn open(capacity: usize, senders: usize) -> (Vec<Self::Tx>, Self::Rx) {
        lanes(capacity, senders)
    }
}

impl<T: Send> ManySenders<T> for RingmailFanInSplit {
    type Tx = fan_in::Sender<T>;
    type Rx = fan_in::Receiver<T>;
    fn open(capacity: usize, senders: usize) -> (Vec<Self::Tx>, Self::Rx) {
        lanes(capacity / senders, senders)
    }
}
