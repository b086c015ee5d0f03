//! Receivers that come after others: the dependency graphs of the LMAX Disruptor (unicast, pipeline, multicast, diamond).

use crate::support::ends;
use ringmail::TryRecvError::{self, Empty};
use ringmail::broadcast::channel;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

#[test]
fn a_stage_sees_what_the_one_before_has_committed() {
    let (mut tx, hub) = channel(4).unwrap();
    let mut first = hub.join().unwrap();
    let mut second = hub.after(&[&first]).unwrap();
    let mut third = hub.after(&[&second]).unwrap();
    tx.try_send_slice(&[1, 2, 3]).unwrap();
    assert_eq!((second.try_recv(), third.try_recv()), (Err(Empty), Err(Empty)));
    assert_eq!([first.try_recv(), first.try_recv()], [Ok(1), Ok(2)]);
    assert_eq!(third.try_recv(), Err(Empty));
    // Looking is not committing.
    assert_eq!(second.peek(), Ok(&1));
    assert_eq!(third.try_recv(), Err(Empty));
    second.read_chunk(9).unwrap().commit(1);
    assert_eq!([third.try_recv(), third.try_recv()], [Ok(1), Err(Empty)]);
    assert_eq!((first.lag(), second.lag(), third.lag()), (1, 2, 2));
    drop(tx);
    assert_eq!(second.try_iter().collect::<Vec<_>>(), [2]);
    assert_eq!(second.try_recv(), Err(Empty), "the first may commit more");
    assert_eq!(first.try_iter().collect::<Vec<_>>(), [3]);
    assert_eq!(first.try_recv(), Err(TryRecvError::Disconnected));
    assert_eq!([second.try_recv(), second.try_recv()], [Ok(3), Err(TryRecvError::Disconnected)]);
    assert_eq!(third.try_iter().collect::<Vec<_>>(), [2, 3]);
    assert_eq!(third.try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn a_stage_that_leaves_holds_nobody_back() {
    let (mut tx, hub) = channel(4).unwrap();
    let first = hub.join().unwrap();
    let mut second = hub.after(&[&first]).unwrap();
    tx.try_send(1).unwrap();
    assert_eq!(second.try_recv(), Err(Empty));
    drop(first);
    assert_eq!(second.try_recv(), Ok(1));
    // Its seat has another receiver now, which the second one does not come after.
    let _new = hub.join().unwrap();
    tx.try_send(2).unwrap();
    assert_eq!(second.try_recv(), Ok(2));
}

#[test]
fn a_reserved_stage_holds_back_while_it_is_vacant() {
    let (mut tx, hub) = channel(4).unwrap();
    let journal = hub.reserve("journal").unwrap();
    let mut engine = hub.reserve_after("engine", &[&journal]).unwrap();
    drop(journal);
    tx.try_send(1).unwrap();
    assert_eq!(engine.try_recv(), Err(Empty));
    drop(engine);
    let mut journal = hub.take("journal").unwrap();
    let mut engine = hub.take("engine").unwrap();
    assert_eq!(engine.try_recv(), Err(Empty), "it still comes after the journal");
    assert_eq!(journal.try_recv(), Ok(1));
    assert_eq!(engine.try_recv(), Ok(1));
    tx.try_send(2).unwrap();
    drop(journal);
    assert_eq!(engine.try_recv(), Err(Empty));
    hub.release("journal").unwrap();
    assert_eq!(engine.try_recv(), Ok(2));
}

#[test]
fn a_stage_that_joins_behind_a_lagging_one_sees_what_is_sent_from_now_on() {
    let (mut tx, hub) = channel(4).unwrap();
    let mut first = hub.join().unwrap();
    tx.try_send_slice(&[1, 2]).unwrap();
    let mut second = hub.after(&[&first]).unwrap();
    assert_eq!(second.try_recv(), Err(Empty));
    tx.try_send(3).unwrap();
    assert_eq!([first.try_recv(), first.try_recv()], [Ok(1), Ok(2)]);
    assert_eq!(second.try_recv(), Err(Empty));
    assert_eq!([first.try_recv(), second.try_recv()], [Ok(3), Ok(3)]);
}

/// `prices` are checked and written by two that come at once, and used by one that comes after both.
#[test]
fn a_diamond_of_threads() {
    const N: u64 = if cfg!(miri) { 100 } else { 50_000 };
    ends(|| {
        let (mut tx, hub) = channel(64).unwrap();
        let (mut left, mut right) = (hub.join().unwrap(), hub.join().unwrap());
        let mut last = hub.after(&[&left, &right]).unwrap();
        drop(hub);
        let (done_left, done_right) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|s| {
            s.spawn(|| while left.recv_with(|&m| done_left.store(m, Ordering::Relaxed)).is_ok() {});
            s.spawn(|| while right.recv_with(|&m| done_right.store(m, Ordering::Relaxed)).is_ok() {});
            s.spawn(|| {
                let mut sum = 0;
                while let Ok(m) = last.recv() {
                    assert!(done_left.load(Ordering::Relaxed) >= m && done_right.load(Ordering::Relaxed) >= m);
                    sum += m;
                }
                assert_eq!(sum, N * (N + 1) / 2);
            });
            assert_eq!(tx.send_iter(1..=N), Ok(N as usize));
            drop(tx);
        });
    });
}

#[test]
fn a_pipeline_of_threads() {
    const N: u64 = if cfg!(miri) { 100 } else { 50_000 };
    ends(|| {
        let (mut tx, hub) = channel(16).unwrap();
        let mut stages = vec![hub.join().unwrap()];
        for _ in 0..3 {
            let next = hub.after(&[stages.last().unwrap()]).unwrap();
            stages.push(next);
        }
        drop(hub);
        let done: Vec<AtomicU64> = (0..4).map(|_| AtomicU64::new(0)).collect();
        thread::scope(|s| {
            for (i, mut stage) in stages.into_iter().enumerate() {
                let done = &done;
                s.spawn(move || {
                    let mut next = 0;
                    let mut look = |&m: &u64| {
                        assert_eq!(m, next);
                        assert!(i == 0 || done[i - 1].load(Ordering::Relaxed) > m);
                        next += 1;
                        // Before the commit, which lets the next stage see the message.
                        done[i].store(next, Ordering::Relaxed);
                    };
                    while stage.recv_with(&mut look).is_ok() {}
                    assert_eq!(next, N);
                });
            }
            for m in 0..N {
                tx.send(m).unwrap();
            }
            drop(tx);
        });
    });
}
