//! Once its threads have joined, a mesh allocates nothing.

use ringmail::mesh::{Builder, Endpoint, Ready};
use ringmail::wait::waker_fn;
use std::task::{Context, Waker};
use std::time::Duration;

#[test]
fn nothing_is_allocated_after_the_join() {
    let seats = Builder::new().shards(4).capacity(2).watch_after(2).build::<u64>().unwrap();
    let ends: Vec<Endpoint<u64>> = seats.into_iter().map(|seat| seat.join().unwrap()).collect();
    let [mut me, mut a, mut b, mut c] = <[Endpoint<u64>; 4]>::try_from(ends).unwrap();
    let hook = waker_fn(|| ());
    let mut cx = Context::from_waker(Waker::noop());
    let (mut slept, mut polled, mut full) = (0, 0, 0);

    let before = crate::allocations::allocated();
    for i in 0..1000 {
        // Both ways, until there is no room; asleep and awake; watched and not.
        while me.try_send_to(1, i).is_ok() {}
        full += usize::from(me.try_send_to(2, i).is_ok_and(|()| me.try_send_to(1, i).unwrap_err().is_full()));
        let armed = me.arm(&hook);
        slept += usize::from(armed.is_ok());
        drop(armed);
        assert!(me.poll_recv(&mut cx).is_pending());
        assert_eq!(me.park_timeout(Duration::ZERO), None);
        assert_eq!((a.recv(), a.poll(9, |_, _| ()).received), (Ok((0, i)), 1));
        assert_eq!(me.park(), Ready::Room);
        assert_eq!(b.poll(9, |_, _| ()).received, 1);
        assert_eq!((me.broadcast(&i), c.recv()), (3, Ok((0, i))));
        assert_eq!((a.recv_from(0), b.recv()), (Ok(i), Ok((0, i))));
        for _ in 0..5 {
            polled += me.poll(9, |_, _| ()).received;
        }
        a.send_to(0, i).unwrap();
        polled += me.poll(9, |_, _| ()).received;
    }
    drop(c);
    let lost = me.next_disconnected();
    me.close();
    let allocated = crate::allocations::allocated() - before;
    assert_eq!((allocated, lost, polled), (0, None, 1000));
    assert_eq!((slept, full), (1000, 1000));
}
