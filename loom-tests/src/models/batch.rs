//! Many messages at once: published together, freed together. No thread sleeps, so all run without fences.

use crate::check::{outcomes, without_fences};
use crate::payload::Drops;
use loom::thread;
use ringmail::spsc;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Two messages written in place and committed: the receiver sees none or both. The storage's end lies between them.
pub fn a_chunk_appears_at_once() {
    without_fences(|| {
        outcomes("batch::a_chunk_appears_at_once", None, [vec![], vec![1, 2]], || {
            let (mut tx, mut rx) = spsc::Builder::new(2).start_at(u64::MAX >> 1).build().unwrap();
            let sender = thread::spawn(move || {
                let mut chunk = tx.try_reserve(2).unwrap();
                chunk.push(1).unwrap();
                assert_eq!(chunk.fill_from_iter(2..9), 1);
                assert_eq!(chunk.commit(), 2);
            });
            let mut seen = vec![];
            if let Ok(chunk) = rx.read_chunk(4) {
                seen.extend(chunk.iter().copied());
                chunk.commit(1);
                assert_eq!(rx.try_recv(), Ok(2), "what was not committed comes again");
            }
            sender.join().unwrap();
            if seen.is_empty() {
                assert_eq!(rx.try_iter().collect::<Vec<_>>(), [1, 2]);
            }
            seen
        });
    });
}

/// A slice goes in as far as there is room, and out with one copy.
pub fn a_slice_and_a_copy() {
    let allowed = [(vec![], 0), (vec![0], 0), (vec![0], 1), (vec![0, 1], 0)];
    without_fences(|| {
        outcomes("batch::a_slice_and_a_copy", None, allowed, || {
            let (mut tx, mut rx) = spsc::channel(2).unwrap();
            let sender = thread::spawn(move || {
                assert_eq!(tx.try_send_slice(&[0]), Ok(1));
                // One place at least; two, if the first message was seen to be out.
                (tx.try_send_slice(&[1, 2]).unwrap() - 1, tx)
            });
            let mut seen = vec![];
            let _ = rx.try_recv_many(&mut seen, 2);
            let (more, _tx) = sender.join().unwrap();
            let mut all = seen.clone();
            let _ = rx.try_recv_many(&mut all, 4);
            assert_eq!(all, (0..2 + more as u32).collect::<Vec<_>>());
            (seen, more)
        });
    });
}

/// What a drain took is freed together, when it ends: the sender then has room for all of it.
pub fn a_drain_frees_as_one() {
    without_fences(|| {
        outcomes("batch::a_drain_frees_as_one", None, [0, 2], || {
            let (mut tx, mut rx) = spsc::channel(2).unwrap();
            assert_eq!(tx.try_send_iter(&mut (0..2)), Ok(2));
            let receiver = thread::spawn(move || {
                let mut seen = vec![];
                assert_eq!(rx.drain(2, |m| seen.push(m)), 2);
                assert_eq!(seen, [0, 1]);
                rx
            });
            let sent = tx.try_send_iter(&mut (2..9)).unwrap_or(0);
            let mut rx = receiver.join().unwrap();
            assert_eq!(rx.try_iter().collect::<Vec<_>>(), (2..2 + sent as u32).collect::<Vec<_>>());
            sent
        });
    });
}

/// Values written and not committed drop at once, and their slots are written again.
pub fn a_dropped_chunk_sends_nothing() {
    without_fences(|| {
        outcomes("batch::a_dropped_chunk_sends_nothing", None, [None, Some(1)], || {
            let drops = Drops::default();
            let (mut tx, mut rx) = spsc::channel(2).unwrap();
            let values = drops.clone();
            let sender = thread::spawn(move || {
                let mut chunk = tx.try_reserve(2).unwrap();
                chunk.push(values.value(0)).unwrap();
                drop(chunk);
                assert_eq!(values.so_far(), [0]);
                tx.try_send(values.value(1)).unwrap();
            });
            let seen = rx.try_recv().ok().map(|m| m.id);
            sender.join().unwrap();
            drop(rx);
            drops.assert_each_once(2);
            seen
        });
    });
}

/// An iterator panics after its first item: that one is sent, the channel goes on.
pub fn an_iterator_that_panics_sends_what_came_before() {
    without_fences(|| {
        outcomes("batch::an_iterator_that_panics_sends_what_came_before", None, [0, 1, 2], || {
            let drops = Drops::default();
            let (mut tx, mut rx) = spsc::channel(3).unwrap();
            let values = drops.clone();
            let sender = thread::spawn(move || {
                let mut items = (0..2).map(|id| if id == 0 { values.value(id) } else { resume_unwind(Box::new(())) });
                let sent = catch_unwind(AssertUnwindSafe(|| tx.try_send_iter(&mut items)));
                assert!(sent.is_err());
                tx.try_send(values.value(1)).unwrap();
            });
            let seen = rx.try_iter().map(|m| m.id).collect::<Vec<_>>();
            assert_eq!(seen, (0..seen.len() as u32).collect::<Vec<_>>());
            sender.join().unwrap();
            let rest = rx.try_iter().map(|m| m.id).collect::<Vec<_>>();
            assert_eq!(rest, (seen.len() as u32..2).collect::<Vec<_>>());
            drops.assert_each_once(2);
            seen.len()
        });
    });
}

/// Chunks of two in a ring for two: the second is written where the first was, once all of it is out.
pub fn chunks_reuse_slots() {
    without_fences(|| {
        outcomes("batch::chunks_reuse_slots", None, [(0, 0), (2, 0), (2, 2)], || {
            let (mut tx, mut rx) = spsc::channel(2).unwrap();
            let sender = thread::spawn(move || {
                assert_eq!(tx.try_send_slice(&[1, 2]), Ok(2));
                let mut chunk = match tx.try_reserve(2) {
                    Ok(chunk) => chunk,
                    Err(_) => return 0,
                };
                chunk.fill_from_slice(&[3, 4]);
                chunk.commit()
            });
            let taken = match rx.read_chunk(2) {
                Ok(chunk) => chunk.into_iter().collect::<Vec<u32>>(),
                Err(_) => vec![],
            };
            let again = sender.join().unwrap();
            let all: Vec<_> = taken.iter().copied().chain(rx.try_iter()).collect();
            assert_eq!(all, (1..=2 + again as u32).collect::<Vec<_>>());
            (taken.len(), again)
        });
    });
}
