//! Panics of the user's code: one receiver's clone or closure, an iterator, a drop, a waker.

use crate::support::{Wakes, panics, tasks};
use ringmail::TryRecvError;
use ringmail::broadcast::channel;
use ringmail::wait::waker_fn;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Panics when it is cloned, if its number is `0`.
#[derive(Debug, PartialEq)]
struct Fragile(u32);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        assert_ne!(self.0, 0, "a clone that panics");
        Self(self.0)
    }
}

#[test]
fn a_message_whose_clone_panics_counts_as_taken() {
    let (mut tx, hub) = channel(4).unwrap();
    let (mut rx, mut other) = (hub.join().unwrap(), hub.join().unwrap());
    for i in [1, 0, 2, 0] {
        tx.try_send(Fragile(i)).unwrap();
    }
    assert_eq!(rx.try_recv(), Ok(Fragile(1)));
    panics(|| rx.try_recv());
    assert_eq!(rx.try_recv(), Ok(Fragile(2)));
    panics(|| rx.recv());
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    // Others notice nothing, and of a batch those before stay in the buffer.
    let mut buffer = vec![];
    panics(|| other.try_recv_many(&mut buffer, 4));
    assert_eq!(buffer, [Fragile(1)]);
    assert_eq!(other.try_recv(), Ok(Fragile(2)));
    assert_eq!(tx.try_send(Fragile(3)), Ok(()), "what was taken is committed");
}

#[test]
fn a_closure_that_panics_takes_its_message_and_no_other() {
    let (mut tx, hub) = channel(4).unwrap();
    let mut rx = hub.join().unwrap();
    let mut after = hub.after(&[&rx]).unwrap();
    tx.try_send_slice(&[1, 2, 3, 4]).unwrap();
    panics(|| rx.try_recv_with(|_| panic!("a closure")));
    panics(|| rx.drain(3, |&m| assert_ne!(m, 3)));
    assert_eq!(after.try_iter().collect::<Vec<_>>(), [1, 2, 3], "all that were taken are committed");
    assert_eq!(rx.try_recv(), Ok(4));
}

#[test]
fn an_iterator_that_panics_sends_what_came_before() {
    let (mut tx, hub) = channel(4).unwrap();
    let mut rx = hub.join().unwrap();
    let mut values = (1..).inspect(|&i| assert_ne!(i, 3));
    panics(|| tx.try_send_iter(&mut values));
    panics(|| tx.try_send_with(|_| panic!("a closure")));
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [1, 2]);
    tx.try_send_slice(&[5, 6, 7, 8]).unwrap();
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [5, 6, 7, 8]);
}

/// Panics when it is dropped, if told to, and counts.
struct Bomb {
    armed: bool,
    drops: Arc<AtomicU32>,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::Relaxed);
        assert!(!self.armed, "a drop that panics");
    }
}

#[test]
fn an_old_message_whose_drop_panics_is_dropped_once() {
    let drops = Arc::new(AtomicU32::new(0));
    let bomb = |armed| Bomb { armed, drops: Arc::clone(&drops) };
    let (mut tx, hub) = channel(2).unwrap();
    let mut rx = hub.join().unwrap();
    assert!(tx.try_send(bomb(true)).is_ok());
    assert!(tx.try_send(bomb(false)).is_ok());
    assert_eq!(rx.drain(2, |_| ()), 2);
    panics(|| tx.try_send(bomb(false)));
    assert_eq!(drops.load(Ordering::Relaxed), 2, "the old one, and the one that was to be sent");
    assert!(rx.peek().is_err(), "nothing was sent");
    for _ in 0..2 {
        assert!(tx.try_send(bomb(false)).is_ok());
    }
    assert_eq!(rx.drain(9, |_| ()), 2);
    // In a batch: what came before is sent, and no item is lost.
    drop((tx, rx, hub));
    let (mut tx, hub) = channel(2).unwrap();
    let mut rx = hub.join().unwrap();
    assert!(tx.try_send(bomb(false)).is_ok());
    assert!(tx.try_send(bomb(true)).is_ok());
    assert_eq!(rx.drain(2, |_| ()), 2);
    let made = Cell::new(0);
    let mut more = std::iter::repeat_with(|| {
        made.set(made.get() + 1);
        bomb(false)
    });
    panics(|| tx.try_send_iter(&mut more));
    assert_eq!((made.get(), rx.drain(9, |_| ())), (1, 1));
    assert_eq!(tx.try_send_iter(&mut more).ok(), Some(2));
    drop((tx, rx, hub));
    let made_in_all = 2 + 1 + 2 + 2 + 1 + 2;
    assert_eq!(drops.load(Ordering::Relaxed), made_in_all);
}

#[test]
fn the_last_handle_drops_all_though_one_drop_panics() {
    let drops = Arc::new(AtomicU32::new(0));
    let (mut tx, hub) = channel(4).unwrap();
    let rx = hub.join().unwrap();
    for i in 0..4 {
        assert!(tx.try_send(Bomb { armed: i == 1, drops: Arc::clone(&drops) }).is_ok());
    }
    drop((hub, tx));
    panics(|| drop(rx));
    assert_eq!(drops.load(Ordering::Relaxed), 4);
}

#[test]
fn a_waker_that_panics_keeps_no_other_receiver_asleep() {
    let (mut tx, hub) = channel(4).unwrap();
    let mut receivers: Vec<_> = (0..3).map(|_| hub.join().unwrap()).collect();
    let (woken, waker) = Wakes::new();
    let bad = waker_fn(|| panic!("a waker"));
    for (i, rx) in receivers.iter_mut().enumerate() {
        tasks::leak_pending(rx.recv_async(), if i == 1 { &bad } else { &waker });
    }
    panics(|| tx.try_send(7));
    assert_eq!(woken.count(), 2);
    for rx in &mut receivers {
        assert_eq!(rx.try_recv(), Ok(7), "it was sent");
    }
}
