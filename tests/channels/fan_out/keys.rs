//! Sending by key: same key, same worker, in order.

use crate::support::tasks::{block_on, poll};
use crate::support::{Wakes, ends, let_it_sleep, panics};
use ringmail::fan_out::{Builder, Receiver, Sender, channel};
use ringmail::{SendError, SendTimeoutError, TrySendError};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(20);

/// Which of the workers each of the keys goes to.
fn homes(tx: &mut Sender<u32>, workers: &mut [Receiver<u32>], keys: u32) -> Vec<usize> {
    (0..keys)
        .map(|key| {
            tx.send_by_key(&key, key).unwrap();
            workers.iter_mut().position(|worker| worker.try_recv() == Ok(key)).expect("one has it")
        })
        .collect()
}

#[test]
fn a_key_keeps_its_worker_and_keys_are_spread() {
    let (mut tx, rx) = channel(4).unwrap();
    let mut workers = vec![rx];
    (1..8).for_each(|_| workers.push(workers[0].join().unwrap()));
    let before = homes(&mut tx, &mut workers, 4000);
    assert_eq!(homes(&mut tx, &mut workers, 4000), before);
    for worker in 0..8 {
        let keys = before.iter().filter(|&&home| home == worker).count();
        // 500 each, with a standard deviation of 21.
        assert!((350..650).contains(&keys), "worker {worker} has {keys}");
    }
    // A worker that joins takes an eighth or so from all; the others keep theirs.
    workers.push(workers[0].join().unwrap());
    let after = homes(&mut tx, &mut workers, 4000);
    let moved = before.iter().zip(&after).filter(|(before, after)| before != after).count();
    assert!((300..600).contains(&moved), "{moved}");
    assert!(before.iter().zip(&after).all(|(before, after)| before == after || *after == 8));
    // One that leaves gives back what it took: they are where they were.
    drop(workers.pop());
    assert_eq!(homes(&mut tx, &mut workers, 4000), before);
}

#[test]
fn a_key_waits_for_its_own_worker() {
    ends(|| {
        let (mut tx, mut a) = channel(1).unwrap();
        let mut b = a.join().unwrap();
        tx.try_send_by_key("key", 1).unwrap();
        assert_eq!(tx.try_send_by_key("key", 2), Err(TrySendError::Full(2)), "though the other has room");
        assert_eq!(tx.send_timeout_by_key("key", 2, SHORT), Err(SendTimeoutError::Timeout(2)));
        assert_eq!(tx.send_deadline_by_key("key", 2, Instant::now() + SHORT), Err(SendTimeoutError::Timeout(2)));
        // Without a key it goes to the other.
        tx.try_send(3).unwrap();
        assert_eq!(tx.try_send(4), Err(TrySendError::Full(4)));
        let (home, other) = if a.peek() == Ok(&1) { (&mut a, &mut b) } else { (&mut b, &mut a) };
        assert_eq!(other.try_recv(), Ok(3));
        let sender = thread::spawn(move || tx.send_by_key("key", 2).map(|()| tx));
        let_it_sleep();
        assert_eq!((home.recv(), home.recv()), (Ok(1), Ok(2)));
        let mut tx = sender.join().unwrap().unwrap();
        drop((a, b));
        assert_eq!(tx.try_send_by_key("key", 5), Err(TrySendError::Disconnected(5)));
        assert_eq!(tx.send_by_key("key", 5), Err(SendError(5)));
        assert_eq!(tx.send_timeout_by_key("key", 5, SHORT), Err(SendTimeoutError::Disconnected(5)));
        assert_eq!(block_on(tx.send_async_by_key("key", 5)), Err(SendError(5)));
    });
}

#[test]
fn a_future_by_key_waits_and_leaves_no_key_behind() {
    let (mut tx, mut a) = channel(1).unwrap();
    let mut b = a.join().unwrap();
    let (wakes, waker) = Wakes::new();
    assert_eq!(block_on(tx.send_async_by_key(&1, 1)), Ok(()));
    let mut future = tx.send_async_by_key(&1, 2);
    assert!(poll(&mut future, &waker).is_pending());
    let home = if a.peek().is_ok() { &mut a } else { &mut b };
    assert_eq!(home.try_recv(), Ok(1));
    assert!(wakes.count() > 0);
    assert!(poll(&mut future, &waker).is_ready());
    drop(future);
    // One that is leaked, and one that is dropped, after a poll.
    let mut leaked = tx.send_async_by_key(&1, 3);
    assert!(poll(&mut leaked, &waker).is_pending());
    std::mem::forget(leaked);
    tx.try_send(4).unwrap();
    let mut dropped = tx.send_async_by_key(&1, 5);
    assert!(poll(&mut dropped, &waker).is_pending());
    drop(dropped);
    let mut got: Vec<_> = a.try_iter().chain(b.try_iter()).collect();
    got.sort_unstable();
    assert_eq!(got, [2, 4]);
}

#[test]
fn a_key_whose_hash_panics_leaves_no_trace() {
    struct Bad;
    impl Hash for Bad {
        fn hash<H: Hasher>(&self, _: &mut H) {
            panic!("no hash");
        }
    }
    let (mut tx, rx) = channel(1).unwrap();
    let _other = rx.join().unwrap();
    panics(|| tx.try_send_by_key(&Bad, 1));
    assert_eq!((tx.try_send(1), tx.try_send(2)), (Ok(()), Ok(())), "to either");
}

/// A key that moves to a worker that joined waits until its former one has received what it had.
#[test]
fn a_key_that_moves_waits_for_what_is_before_it() {
    let (mut tx, mut a) = channel(256).unwrap();
    tx.try_send_by_key(&0, 0).unwrap();
    let mut b = a.join().unwrap();
    // Those that did not move go on at once.
    let moved: Vec<u32> = (1..200).filter(|key| tx.try_send_by_key(key, *key).is_err()).collect();
    assert!((50..150).contains(&moved.len()), "{moved:?}");
    assert_eq!((b.try_recv().is_err(), a.len() + moved.len()), (true, 200));
    // One message is in the way.
    assert_eq!(a.try_recv(), Ok(0));
    moved.iter().for_each(|key| tx.try_send_by_key(key, *key).unwrap());
    assert!(b.try_iter().eq(moved));
}

/// While workers come, go and panic, the messages of each key are received in the order in which they were sent.
#[test]
fn keys_stay_in_order_while_workers_come_and_go() {
    const N: u64 = 30_000;
    const KEYS: u64 = 13;
    for capacity in [1, 3, 32] {
        ends(move || {
            let (mut tx, hub) = Builder::new(capacity).build_hub().unwrap();
            // One clock for all: a message is stamped under its lock, at the moment at which it is received.
            let log = Arc::new(Mutex::new(Vec::new()));
            let crews: Vec<_> = (0..3u64)
                .map(|crew| {
                    let (hub, log) = (hub.clone(), Arc::clone(&log));
                    thread::spawn(move || {
                        let mut turn = crew;
                        while let Ok(mut rx) = hub.join() {
                            turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                            for _ in 0..turn >> 40 & 255 {
                                // Received and noted as one step: others receive and note before or after.
                                let mut log = log.lock().unwrap();
                                match rx.try_recv() {
                                    Ok(message) => log.push(message),
                                    Err(_) => {
                                        drop(log);
                                        thread::yield_now();
                                    }
                                }
                            }
                        }
                    })
                })
                .collect();
            drop(hub);
            (0..N).for_each(|i| tx.send_by_key(&(i % KEYS), (i % KEYS, i)).unwrap());
            drop(tx);
            crews.into_iter().for_each(|crew| crew.join().unwrap());
            let mut last = HashMap::new();
            for &(key, i) in log.lock().unwrap().iter() {
                let before = last.insert(key, i);
                assert_eq!(before.map_or(key, |before| before + KEYS), i, "key {key}, capacity {capacity}");
            }
            assert_eq!(last.len() as u64, KEYS);
        });
    }
}
