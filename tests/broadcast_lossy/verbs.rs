//! Messages, handles and the end.

use ringmail::broadcast::lossy::{Builder, Message, Receiver, Seen, Sender, channel};
use ringmail::{BuildError, TryRecvError};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use std::fmt::Debug;
use std::panic::{RefUnwindSafe, UnwindSafe};

assert_impl_all!(Sender<u64>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(Receiver<u64>: Send, Sync, Clone, Unpin, UnwindSafe, RefUnwindSafe);
assert_not_impl_any!(Sender<u64>: Clone);

#[derive(Clone, Copy, PartialEq, Debug, zerocopy::IntoBytes, zerocopy::Immutable)]
#[repr(C)]
struct Quote {
    price: f64,
    size: u32,
    side: [u8; 3],
    open: bool,
}

#[test]
fn each_receiver_gets_each_message_in_order() {
    let (mut tx, mut a) = channel(8).unwrap();
    let mut b = a.clone();
    assert_eq!(a.try_recv(), Err(TryRecvError::Empty));
    for i in 0..20u64 {
        tx.send(i);
        assert_eq!(a.try_recv(), Ok(Seen::Message(i)));
        if i % 4 == 3 {
            for j in i - 3..=i {
                assert_eq!((b.position(), b.lag()), (j, i + 1 - j));
                assert_eq!(b.try_recv(), Ok(Seen::Message(j)));
            }
            assert!(b.is_empty());
        }
    }
    assert_eq!(a.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn a_clone_goes_on_and_a_subscription_begins() {
    let (mut tx, mut rx) = channel(8).unwrap();
    tx.send_slice(&[1, 2, 3]);
    assert_eq!(rx.try_recv(), Ok(Seen::Message(1)));
    let mut clone = rx.clone();
    let (mut subscribed, mut again) = (tx.subscribe(), rx.resubscribe());
    assert_eq!(subscribed.latest(), Some((2, 3)), "the newest message is there for it, too");
    tx.send(4);
    let rest = |rx: &mut Receiver<i32>| std::iter::from_fn(|| rx.try_recv().ok()?.message()).collect::<Vec<_>>();
    assert_eq!(rest(&mut rx), [2, 3, 4]);
    assert_eq!(rest(&mut clone), [2, 3, 4]);
    assert_eq!(rest(&mut subscribed), [4]);
    assert_eq!(rest(&mut again), [4]);
}

#[test]
fn capacity_is_rounded_up_to_a_power_of_two() {
    for (asked, kept) in [(1, 2), (2, 2), (3, 4), (1000, 1024), (1024, 1024)] {
        let (tx, rx) = channel::<u8>(asked).unwrap();
        assert_eq!((tx.capacity(), rx.capacity()), (kept, kept));
    }
    assert_eq!(channel::<u8>(0).unwrap_err(), BuildError::ZeroCapacity);
    assert!(matches!(channel::<u8>((1 << 30) + 1), Err(BuildError::CapacityTooLarge { max, .. }) if max == 1 << 30));
    // The product of the two does not fit, or no machine has it.
    assert!(matches!(channel::<[u64; 1 << 40]>(1 << 30), Err(BuildError::OutOfMemory { .. })));
}

#[test]
fn what_is_left_comes_before_the_end() {
    let (mut tx, mut rx) = channel(4).unwrap();
    tx.send_slice(&[1, 2]);
    let mut late = rx.clone();
    assert_eq!(rx.try_recv(), Ok(Seen::Message(1)));
    assert!(!rx.is_closed());
    drop(tx);
    assert!(rx.is_closed());
    assert_eq!(rx.try_recv(), Ok(Seen::Message(2)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
    assert_eq!(rx.latest(), Some((1, 2)));
    assert_eq!(late.try_changed(), Ok((1, 2)));
    assert_eq!(late.try_changed(), Err(TryRecvError::Disconnected));
    assert_eq!(late.resubscribe().try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn a_sender_without_receivers_sends() {
    let (mut tx, rx) = channel(4).unwrap();
    drop(rx);
    (0..100u64).for_each(|i| tx.send(i));
    assert_eq!(tx.sent(), 100);
    assert_eq!(tx.subscribe().latest(), Some((99, 99)));
}

/// Sends three of them round a ring of two, and reads each.
fn travels<T: Message + PartialEq + Debug>(messages: [T; 3]) {
    for copies in [false, true] {
        travels_by(Builder::new(2).copy_newest(copies), messages);
    }
}

fn travels_by<T: Message + PartialEq + Debug>(builder: Builder, messages: [T; 3]) {
    let (mut tx, mut rx) = builder.build::<T>().unwrap();
    for (number, message) in messages.into_iter().enumerate() {
        tx.send(message);
        assert_eq!(rx.latest(), Some((number as u64, message)));
        assert_eq!(rx.try_recv(), Ok(Seen::Message(message)));
    }
    tx.send_slice(&messages[..2]);
    for message in &messages[..2] {
        assert_eq!(rx.try_recv(), Ok(Seen::Message(*message)));
    }
    assert_eq!(rx.latest(), Some((4, messages[1])), "the last of a slice");
}

#[test]
fn messages_of_every_size_travel_whole() {
    fn bytes<const N: usize>() {
        travels(
            [0, 7, 100].map(|seed| std::array::from_fn::<u8, N, _>(|i| (i as u8).wrapping_mul(31).wrapping_add(seed))),
        );
    }
    travels([(), (), ()]);
    travels([1u8, 2, 3]);
    travels([-1i16, 2, -3]);
    travels(['a', 'ß', '…']);
    travels([true, false, true]);
    travels([1.5f64, -0.0, f64::INFINITY]);
    travels([u128::MAX, 0, 1 << 77]);
    travels([1, 2, 3].map(|n| Quote { price: f64::from(n), size: n as u32, side: [n as u8; 3], open: n == 2 }));
    bytes::<3>();
    bytes::<12>();
    bytes::<7>();
    bytes::<9>();
    bytes::<24>();
    bytes::<41>();
    bytes::<47>();
    bytes::<48>();
    bytes::<49>();
    bytes::<55>();
    bytes::<56>();
    bytes::<57>();
    bytes::<63>();
    bytes::<64>();
    bytes::<65>();
    bytes::<100>();
    bytes::<128>();
    bytes::<1000>();
    bytes::<1024>();
    bytes::<4095>();
    bytes::<4096>();
}

#[test]
fn handles_tell_where_they_are() {
    let (mut tx, rx) = Builder::new(4).build().unwrap();
    tx.send(1u8);
    let text = format!("{tx:?} {rx:?}");
    assert!(text.contains("sent: 1") && text.contains("position: 0") && text.contains("lag: 1"), "{text}");
}

#[test]
fn iterators_yield_losses_and_end_with_the_sender() {
    let (mut tx, mut rx) = channel(4).unwrap();
    tx.send_slice(&[0u64, 1, 2]);
    let message = |i| Seen::Message(i);
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [0, 1, 2].map(message));
    assert_eq!(rx.try_iter().next(), None);
    tx.send_slice(&[3, 4, 5, 6, 7, 8]);
    assert_eq!((&mut rx).into_iter().take(2).collect::<Vec<_>>(), [Seen::Lost(4), Seen::Message(7)]);
    let reader = std::thread::spawn(move || rx.into_iter().collect::<Vec<_>>());
    tx.send(9);
    drop(tx);
    assert_eq!(reader.join().unwrap(), [8, 9].map(message));
}
