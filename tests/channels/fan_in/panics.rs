//! Panics of others' code: one lane's wakers and hooks do not keep the others from their end.

use crate::support::hostile::{Nasty, bomb};
use crate::support::tasks::poll;
use crate::support::{Wakes, ends, panics};
use ringmail::{TryRecvError, fan_in};
use std::sync::atomic::Ordering;
use std::task::Poll;

#[test]
fn a_receiver_that_leaves_closes_all_lanes_despite_one_waker() {
    for close in [true, false] {
        ends(move || {
            let (mut first, mut rx) = fan_in::channel::<u32>(1).unwrap();
            let mut lanes: Vec<_> = (0..4).map(|_| first.lane().unwrap()).collect();
            let (nasty, bad) = Nasty::new();
            nasty.wake.store(true, Ordering::SeqCst);
            // Two of them the receiver has not seen yet.
            first.try_send(0).unwrap();
            assert_eq!(rx.try_recv(), Ok(0));
            lanes.extend([first.lane().unwrap(), first.lane().unwrap()]);
            let (wakes, good) = Wakes::new();
            lanes.iter_mut().for_each(|tx| tx.try_send(0).unwrap());
            let mut sends: Vec<_> = lanes.iter_mut().map(|tx| tx.send_async(1)).collect();
            for (n, send) in sends.iter_mut().enumerate() {
                assert!(poll(send, if n % 2 == 0 { &bad } else { &good }).is_pending());
            }
            if close {
                panics(|| rx.close());
            } else {
                panics(|| drop(rx));
            }
            assert_eq!((nasty.woken.load(Ordering::SeqCst), wakes.count()), (3, 3));
            for send in &mut sends {
                assert!(matches!(poll(send, &good), Poll::Ready(Err(_))), "the lane is closed");
            }
        });
    }
}

#[test]
fn a_lane_whose_close_panics_is_counted_out() {
    // The hook of the receiver's own event count: the end of the channel comes all the same.
    ends(|| {
        let (on, event) = bomb();
        let (first, mut rx) = fan_in::Builder::new(1).receiver_event(event.clone()).build::<u32>().unwrap();
        let second = first.lane().unwrap();
        on.store(true, Ordering::SeqCst);
        for tx in [first, second] {
            let armed = event.arm();
            panics(move || drop(tx));
            drop(armed);
        }
        assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
    });
}
