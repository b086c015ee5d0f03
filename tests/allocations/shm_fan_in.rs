//! A receiver of many lanes allocates nothing, awake or asleep.

use ringmail::WaitStrategy;
use ringmail::shm::RecvTimeoutError;
use ringmail::shm::fan_in::Builder;
use std::time::Duration;

#[test]
fn receiving_allocates_nothing_awake_or_asleep() {
    let channel = Builder::<u64>::create_anonymous(128, 8).unwrap();
    let builder = || Builder::<u64>::from_fd(&channel).wait(WaitStrategy::ParkAtOnce);
    let mut rx = builder().open_receiver().unwrap();
    let (mut one, mut two) = (builder().open_sender().unwrap(), builder().open_sender().unwrap());
    let before = crate::allocations::allocated();
    for i in 0..20 {
        one.send(i).unwrap();
        two.send(i).unwrap();
        assert_eq!((rx.recv(), rx.recv()), (Ok(i), Ok(i)));
        // On a busy machine the time may be up before it comes to sleeping.
        crate::support::until(|| {
            assert_eq!(rx.recv_timeout(Duration::from_millis(2)), Err(RecvTimeoutError::Timeout));
            rx.stats(0).unwrap().receiver_parks > i
        });
    }
    let allocated = crate::allocations::allocated() - before;
    assert!(rx.stats(0).unwrap().receiver_parks >= 20, "it slept each time");
    assert_eq!(allocated, 0, "in 20 sleeps");
}
