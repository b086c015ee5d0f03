//! What users of `bus`, `async-broadcast` and tokio's `broadcast` rely on, as far as it holds for a channel that loses nothing. The last of these
//! overwrites: its `Lagged` has no counterpart here, as the sender waits instead.

use crate::support::ends;
use ringmail::broadcast::{Builder, NoReceiver, channel};
use ringmail::{RecvError, TryRecvError, TrySendError};
use std::thread;
use std::time::Duration;

/// bus: `it_works`, `it_fails_when_full`, `it_succeeds_when_not_full`.
#[test]
fn bus_full_and_not_full() {
    let (mut tx, hub) = channel(1).unwrap();
    let (mut r1, mut r2) = (hub.join().unwrap(), hub.join().unwrap());
    assert_eq!(tx.try_send(true), Ok(()));
    assert_eq!(r1.try_recv(), Ok(true));
    assert_eq!(tx.try_send(false), Err(TrySendError::Full(false)));
    assert_eq!(r2.try_recv(), Ok(true));
    assert_eq!(tx.try_send(false), Ok(()));
    assert_eq!((r1.try_recv(), r2.try_recv()), (Ok(false), Ok(false)));
}

/// bus: `it_fails_when_empty`, `it_reads_when_full`, `it_detects_closure`, `it_recvs_after_close`.
#[test]
fn bus_empty_and_closed() {
    let (mut tx, hub) = channel(1).unwrap();
    let mut rx = hub.join().unwrap();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    tx.try_send(true).unwrap();
    drop(tx);
    assert_eq!(rx.try_recv(), Ok(true));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
    assert_eq!(rx.recv(), Err(RecvError));
}

/// bus: `it_handles_leaves`, `it_can_count`: a receiver that leaves is not waited for, one that joins sees what comes then.
#[test]
fn bus_joins_and_leaves() {
    let (mut tx, hub) = channel(1).unwrap();
    let (mut r1, r2) = (hub.join().unwrap(), hub.join().unwrap());
    tx.try_send(1).unwrap();
    drop(r2);
    assert_eq!(r1.try_recv(), Ok(1));
    tx.try_send(2).unwrap();
    let mut r3 = hub.join().unwrap();
    assert_eq!(r1.try_recv(), Ok(2));
    tx.try_send(3).unwrap();
    assert_eq!((r1.try_recv(), r3.try_recv()), (Ok(3), Ok(3)));
}

/// bus: `it_runs_blocked_writes`, `it_runs_blocked_reads`, `it_iterates`.
#[test]
fn bus_blocked_reads_and_writes() {
    ends(|| {
        let (mut tx, hub) = Builder::new(1).build().unwrap();
        let mut rx = hub.join().unwrap();
        tx.send(0).unwrap();
        let writer = thread::spawn(move || {
            for i in 1..100 {
                tx.send(i).unwrap();
            }
        });
        thread::sleep(Duration::from_millis(5));
        assert_eq!(rx.iter().collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
        writer.join().unwrap();
    });
}

/// bus issue 18, "receivers miss items": each of many receivers sees each of many messages.
#[test]
fn bus_no_receiver_misses_an_item() {
    const N: usize = if cfg!(miri) { 50 } else { 20_000 };
    ends(|| {
        let (mut tx, hub) = channel(2).unwrap();
        let receivers: Vec<_> = (0..4)
            .map(|_| {
                let rx = hub.join().unwrap();
                thread::spawn(move || rx.into_iter().enumerate().map(|(i, m)| assert_eq!(i, m)).count())
            })
            .collect();
        drop(hub);
        tx.send_iter(0..N).unwrap();
        drop(tx);
        for rx in receivers {
            assert_eq!(rx.join().unwrap(), N);
        }
    });
}

/// async-broadcast: `basic_sync`, `parallel`, `channel_overflow`; `set_await_active(false)` is `NoReceiver::Pass`, an `InactiveReceiver` is a hub.
#[test]
fn async_broadcast_without_active_receivers() {
    let (mut tx, hub) = channel(2).unwrap();
    assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)), "it waits for an active receiver");
    let (mut tx2, hub2) = Builder::new(2).no_receiver(NoReceiver::Pass).build().unwrap();
    assert_eq!(tx2.try_send(1), Ok(()));
    let mut active = hub2.join().unwrap();
    assert_eq!(active.try_recv(), Err(TryRecvError::Empty), "a receiver that is activated sees new messages only");
    drop((hub, hub2, active));
    assert_eq!(tx.try_send(2), Err(TrySendError::Disconnected(2)));
    assert_eq!(tx2.try_send(2), Err(TrySendError::Disconnected(2)));
}

/// tokio: `send_try_recv_bounded`, `send_two_recv`, `single_receiver`: all receivers see the same messages in the same order.
#[test]
fn tokio_two_receivers() {
    let (mut tx, hub) = channel(16).unwrap();
    let (mut rx1, mut rx2) = (hub.join().unwrap(), hub.join().unwrap());
    tx.try_send("hello").unwrap();
    tx.try_send("world").unwrap();
    for rx in [&mut rx1, &mut rx2] {
        assert_eq!(rx.try_recv(), Ok("hello"));
        assert_eq!(rx.try_recv(), Ok("world"));
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    }
}

/// tokio: `subscribe` after messages, `resubscribe`, `receiver_len_with_lagged` (here: `lag`), `is_closed`.
#[test]
fn tokio_subscribe_and_len() {
    let (mut tx, hub) = channel(3).unwrap();
    let mut rx1 = hub.join().unwrap();
    tx.try_send(10).unwrap();
    tx.try_send(20).unwrap();
    let rx2 = rx1.hub().join().unwrap();
    assert_eq!((rx1.len(), rx2.len()), (2, 0));
    assert!(!rx1.is_empty() && rx2.is_empty());
    assert_eq!(rx1.try_recv(), Ok(10));
    assert_eq!((rx1.len(), rx1.lag()), (1, 1));
    assert!(!rx1.is_closed());
    drop(tx);
    assert!(rx1.is_closed() && rx2.is_closed());
}

/// tokio: `dropping_sender`, `drop_rx_while_values_remain`, `send_slow_rx`, `no_receivers`.
#[test]
fn tokio_drops() {
    let (mut tx, hub) = channel(16).unwrap();
    let (rx1, mut rx2) = (hub.join().unwrap(), hub.join().unwrap());
    tx.try_send(1).unwrap();
    tx.try_send(2).unwrap();
    drop(rx1);
    assert_eq!(rx2.try_recv(), Ok(1));
    drop((rx2, hub));
    assert_eq!(tx.try_send(3), Err(TrySendError::Disconnected(3)));
}
