//! ringmail with several senders: `mpsc`, one ring that all share, and `fan_in`, a lane for each.

use ringmail::{WaitStrategy, fan_in, mpsc};

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

/// The same with `WaitStrategy::ParkAtOnce` on all ends.
#[derive(Debug)]
pub struct RingmailMpscAtOnce;

impl<T: Send> Channel<T> for RingmailMpscAtOnce {
    type Tx = mpsc::Sender<T>;
    type Rx = mpsc::Receiver<T>;
    fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
        let builder = mpsc::Builder::new(capacity).wait(WaitStrategy::ParkAtOnce);
        builder.build().expect("the workloads' capacities are in range")
    }
}

/// `ringmail::fan_in::channel`; each lane has the whole capacity, so that the lanes together hold more than any peer's
/// ring.
#[derive(Debug)]
pub struct RingmailFanIn;

/// `ringmail::fan_in::channel`; the lanes share the capacity, so that all of them hold what a peer's ring does.
#[derive(Debug)]
pub struct RingmailFanInSplit;

/// [`RingmailFanIn`] with `WaitStrategy::ParkAtOnce` on all ends.
#[derive(Debug)]
pub struct RingmailFanInAtOnce;

type Lanes<T> = (Vec<fan_in::Sender<T>>, fan_in::Receiver<T>);

fn lanes<T: Send>(room: usize, senders: usize, wait: WaitStrategy) -> Lanes<T> {
    let built = fan_in::Builder::new(room).wait(wait).build();
    let (first, rx) = built.expect("the workloads' capacities are in range");
    let mut lanes: Vec<_> = (1..senders).map(|_| first.lane().expect("room for a lane")).collect();
    lanes.insert(0, first);
    (lanes, rx)
}

impl<T: Send> ManySenders<T> for RingmailFanIn {
    type Tx = fan_in::Sender<T>;
    type Rx = fan_in::Receiver<T>;
    fn open(capacity: usize, senders: usize) -> (Vec<Self::Tx>, Self::Rx) {
        lanes(capacity, senders, WaitStrategy::default())
    }
}

impl<T: Send> ManySenders<T> for RingmailFanInSplit {
    type Tx = fan_in::Sender<T>;
    type Rx = fan_in::Receiver<T>;
    fn open(capacity: usize, senders: usize) -> (Vec<Self::Tx>, Self::Rx) {
        lanes(capacity / senders, senders, WaitStrategy::default())
    }
}

impl<T: Send> ManySenders<T> for RingmailFanInAtOnce {
    type Tx = fan_in::Sender<T>;
    type Rx = fan_in::Receiver<T>;
    fn open(capacity: usize, senders: usize) -> Lanes<T> {
        lanes(capacity, senders, WaitStrategy::ParkAtOnce)
    }
}

/// One lane.
macro_rules! of_one_lane {
    ($($name:ty)*) => {$(
        impl<T: Send> Channel<T> for $name {
            type Tx = fan_in::Sender<T>;
            type Rx = fan_in::Receiver<T>;
            fn pair(capacity: usize) -> (Self::Tx, Self::Rx) {
                let (mut senders, rx) = Self::open(capacity, 1);
                (senders.remove(0), rx)
            }
        }
    )*};
}

of_one_lane!(RingmailFanIn RingmailFanInAtOnce);
