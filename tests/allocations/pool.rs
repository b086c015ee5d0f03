//! A pool: what is dropped elsewhere goes home, and nothing is freed or allocated on the way.

use crate::allocations::counted;
use crate::support::{Ledger, ends, panics, until};
use ringmail::pool::{Pool, Pooled};
use ringmail::{BuildError, fan_in, mesh, mpsc, spsc};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

fn address<T>(buffer: &Pooled<T>) -> usize {
    (&raw const **buffer).addr()
}

#[test]
fn a_pool_hands_out_what_it_has_and_no_more() {
    assert_eq!(Pool::new(0, || ()).unwrap_err(), BuildError::ZeroCapacity);
    let mut made = 0;
    let mut pool = Pool::new(3, || {
        made += 1;
        made
    })
    .unwrap();
    assert_eq!(pool.capacity(), 3);
    let mut out: Vec<_> = std::iter::from_fn(|| pool.take()).collect();
    assert_eq!(out.len(), 3);
    assert!(pool.take().is_none());
    let mut values: Vec<i32> = out.iter().map(|buffer| **buffer).collect();
    values.sort_unstable();
    assert_eq!(values, [1, 2, 3]);
    *out[0] = 10;
    let (kept, at) = (*out[0], address(&out[0]));
    drop(out.swap_remove(0));
    let back = pool.take().unwrap();
    assert_eq!((*back, address(&back)), (kept, at), "the same buffer, as it was left");
    pool.put(back);
    let back = pool.take().unwrap();
    assert_eq!(address(&back), at);
    assert!(pool.take().is_none());
    assert_eq!(format!("{pool:?} {back:?}"), "Pool { capacity: 3, .. } Pooled(10)");
}

#[test]
fn a_buffer_of_another_pool_goes_home_to_that() {
    let (mut one, mut two) = (Pool::new(1, || 1).unwrap(), Pool::new(1, || 2).unwrap());
    let buffer = one.take().unwrap();
    two.put(buffer);
    assert_eq!((two.take().as_deref(), one.take().as_deref()), (Some(&2), Some(&1)));
    let (first, second) = (one.take().unwrap(), two.take().unwrap());
    assert!(one.take().is_none() && two.take().is_none());
    drop((first, second));
    assert_eq!((two.take().as_deref(), one.take().as_deref()), (Some(&2), Some(&1)));
}

/// The point of it: another thread takes the messages apart, and frees nothing.
#[test]
fn dropping_elsewhere_frees_nothing_and_allocates_nothing() {
    ends(|| {
        const N: usize = 10_000;
        const BUFFERS: usize = 8;
        let mut pool = Pool::new(BUFFERS, || vec![0u8; 1500]).unwrap();
        // Room for all there are: sending never waits, which is not what is counted here.
        let (mut tx, mut rx) = spsc::channel::<Pooled<Vec<u8>>>(BUFFERS).unwrap();
        let receiver = thread::spawn(move || {
            counted(|| {
                let mut sum = 0;
                for i in 0..N {
                    let mut buffer = loop {
                        match rx.try_recv() {
                            Ok(buffer) => break buffer,
                            Err(_) => thread::yield_now(),
                        }
                    };
                    assert_eq!(buffer.len(), 1500);
                    sum += usize::from(buffer[i % 1500]);
                    buffer[i % 1500] = 0;
                }
                (sum, rx)
            })
        });
        let (here, _) = counted(|| {
            for i in 0..N {
                let mut buffer = loop {
                    match pool.take() {
                        Some(buffer) => break buffer,
                        None => thread::yield_now(),
                    }
                };
                assert!(buffer.iter().all(|&byte| byte == 0), "the receiver's last write is seen");
                buffer[i % 1500] = 1;
                assert!(tx.try_send(buffer).is_ok());
            }
        });
        let (there, (sum, _rx)) = receiver.join().unwrap();
        assert_eq!(sum, N);
        assert_eq!((here, there), ((0, 0), (0, 0)), "allocated and freed, here and there");
        // The check can fail: the same without a pool frees there what was allocated here.
        let (here, boxes) = counted(|| (0..5).map(|_| Box::new([0u8; 1500])).collect::<Vec<_>>());
        let (there, ()) = thread::spawn(move || counted(|| boxes.into_iter().for_each(drop))).join().unwrap();
        assert_eq!((here, there), ((6, 0), (0, 6)));
    });
}

#[test]
fn many_threads_bring_back_what_many_channels_carried() {
    ends(|| {
        const N: u64 = 5_000;
        let mut pool = Pool::new(5, || 0u64).unwrap();
        let (mut to_one, mut one) = mpsc::channel::<Pooled<u64>>(2).unwrap();
        let (mut to_two, mut two) = fan_in::channel::<Pooled<u64>>(2).unwrap();
        let seats = mesh::Builder::new().shards(2).capacity(2).build::<Pooled<u64>>().unwrap();
        let [mine, theirs] = <[_; 2]>::try_from(seats).ok().unwrap();
        let sum = |buffer: Pooled<u64>| *buffer;
        let threads = [
            thread::spawn(move || one.iter().map(sum).sum::<u64>()),
            thread::spawn(move || two.iter().map(sum).sum::<u64>()),
            thread::spawn(move || {
                let mut me = theirs.join().unwrap();
                std::iter::from_fn(|| me.recv().ok()).map(|(_, buffer)| *buffer).sum::<u64>()
            }),
        ];
        let mut me = mine.join().unwrap();
        for i in 0..N {
            let mut buffer = loop {
                match pool.take() {
                    Some(buffer) => break buffer,
                    None => thread::yield_now(),
                }
            };
            *buffer = i;
            match i % 3 {
                0 => to_one.send(buffer).unwrap(),
                1 => to_two.send(buffer).unwrap(),
                _ => me.send_to(1, buffer).unwrap(),
            }
        }
        drop((to_one, to_two, me));
        assert_eq!(threads.map(|thread| thread.join().unwrap()).iter().sum::<u64>(), (0..N).sum());
        assert_eq!(std::iter::from_fn(|| pool.take()).collect::<Vec<_>>().len(), 5, "all are home");
    });
}

#[test]
fn buffers_outlive_their_pool_and_are_freed_by_who_drops_them() {
    let ledger = Ledger::default();
    let (at_home, returned, out) = {
        let mut pool = Pool::new(3, || ledger.value()).unwrap();
        let (out, returned) = (pool.take().unwrap(), pool.take().unwrap());
        let ids = (out.id, returned.id);
        drop(returned);
        let at_home = (0..3).find(|id| ![ids.0, ids.1].contains(id)).unwrap();
        (at_home, ids.1, out)
    };
    let mut expected = [0; 3];
    (expected[at_home], expected[returned]) = (1, 1);
    assert_eq!(ledger.drops(), expected);
    let ((allocated, freed), ()) = thread::spawn(move || counted(|| drop(out))).join().unwrap();
    assert_eq!((allocated, freed > 0), (0, true));
    ledger.settle();
}

#[test]
fn a_pool_that_ends_while_buffers_come_home_loses_none() {
    ends(|| {
        for round in 0..500 {
            let ledger = Ledger::default();
            let mut pool = Pool::new(4, || ledger.value()).unwrap();
            let buffers: Vec<_> = std::iter::from_fn(|| pool.take()).collect();
            let go = Arc::new(AtomicBool::new(false));
            let threads: Vec<_> = buffers
                .into_iter()
                .map(|buffer| {
                    let go = Arc::clone(&go);
                    thread::spawn(move || {
                        until(|| go.load(Ordering::Acquire));
                        drop(buffer);
                    })
                })
                .collect();
            go.store(true, Ordering::Release);
            if round % 2 == 0 {
                drop(pool.take());
            }
            drop(pool);
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            ledger.settle();
        }
    });
}

#[test]
fn a_panic_of_a_value_drops_the_others() {
    let ledger = Ledger::default();
    let mut made = 0;
    panics(|| {
        Pool::new(3, || {
            made += 1;
            assert!(made < 3, "in the constructor");
            ledger.value()
        })
    });
    assert_eq!(ledger.drops(), [1, 1]);

    let ledger = Ledger::default();
    let mut made = 0;
    let pool = Pool::new(4, || {
        made += 1;
        if made == 3 { ledger.bomb() } else { ledger.value() }
    })
    .unwrap();
    panics(|| drop(pool));
    ledger.settle();
}
