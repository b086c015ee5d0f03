//! Seats: joined, reserved, given up, used again.

use crate::support::ends;
use ringmail::broadcast::{Builder, JoinError, NoReceiver, channel};
use ringmail::wait::EventCount;
use ringmail::{TryRecvError, TrySendError};

#[test]
fn a_receiver_begins_with_the_messages_from_now_on() {
    let (mut tx, hub) = channel(4).unwrap();
    let mut first = hub.join().unwrap();
    tx.try_send(1).unwrap();
    let mut second = hub.join().unwrap();
    let mut third = first.hub().join().unwrap();
    tx.try_send(2).unwrap();
    assert_eq!(first.try_iter().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(second.try_iter().collect::<Vec<_>>(), [2]);
    assert_eq!(third.try_iter().collect::<Vec<_>>(), [2]);
}

#[test]
fn a_reserved_seat_gates_while_it_is_vacant() {
    let (mut tx, hub) = channel(2).unwrap();
    let mut journal = hub.reserve("journal").unwrap();
    let seat = journal.seat();
    assert_eq!(hub.reserve("journal").err(), Some(JoinError::NameTaken));
    assert_eq!(hub.take("journal").err(), Some(JoinError::Occupied));
    assert_eq!(hub.release("journal"), Err(JoinError::Occupied));
    assert_eq!(hub.take("engine").err(), Some(JoinError::NoSuchSeat));
    assert_eq!(hub.release("engine"), Err(JoinError::NoSuchSeat));
    tx.try_send_slice(&[1, 2]).unwrap();
    assert_eq!(journal.try_recv(), Ok(1));
    // What is looked at is not committed.
    assert_eq!(journal.peek(), Ok(&2));
    drop(journal);
    tx.try_send(3).unwrap();
    assert_eq!(tx.try_send(4), Err(TrySendError::Full(4)));
    let slowest = tx.slowest().unwrap();
    assert_eq!((slowest.name.as_deref(), slowest.lag, slowest.vacant), (Some("journal"), 2, true));
    let mut journal = hub.take("journal").unwrap();
    assert_eq!(journal.seat(), seat);
    assert_eq!(journal.try_iter().collect::<Vec<_>>(), [2, 3]);
    drop(journal);
    tx.try_send_slice(&[5, 6]).unwrap();
    assert!(tx.try_send(7).is_err());
    let mut other = hub.join().unwrap();
    hub.release("journal").unwrap();
    tx.try_send_slice(&[7, 8]).unwrap();
    assert_eq!(other.try_iter().collect::<Vec<_>>(), [7, 8]);
    assert_eq!(hub.take("journal").err(), Some(JoinError::NoSuchSeat));
    // The name can be used again; it is another seat.
    let journal = hub.reserve("journal").unwrap();
    assert_ne!(journal.seat(), seat);
    journal.release();
    assert_eq!(hub.release("journal"), Err(JoinError::NoSuchSeat));
}

#[test]
fn a_vacant_seat_is_no_reason_to_wait_once_no_hub_is_left() {
    let (mut tx, hub) = channel(1).unwrap();
    drop(hub.reserve("journal").unwrap());
    tx.try_send(1).unwrap();
    drop(hub);
    assert_eq!(tx.try_send(2), Err(TrySendError::Disconnected(2)));
}

#[test]
fn a_closed_reserved_seat_stays_where_it_ended() {
    let (mut tx, hub) = channel(4).unwrap();
    let mut journal = hub.reserve("journal").unwrap();
    tx.try_send_slice(&[1, 2]).unwrap();
    journal.close();
    tx.try_send(3).unwrap();
    assert_eq!(journal.try_iter().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(journal.try_recv(), Err(TryRecvError::Disconnected));
    let mut journal = hub.take("journal").expect("the one that ended has given it up");
    assert_eq!(journal.try_recv(), Ok(3));
}

#[test]
fn seats_are_used_again() {
    let (mut tx, hub) = Builder::new(4).no_receiver(NoReceiver::Pass).build().unwrap();
    let first = hub.join().unwrap();
    assert_eq!((first.seat().index(), first.seat().generation()), (0, 0));
    let old = first.seat();
    drop(first);
    for generation in 1..100 {
        let mut rx = hub.join().unwrap();
        assert_eq!((rx.seat().index(), rx.seat().generation()), (0, generation));
        if generation % 7 == 0 {
            tx.try_send(generation).unwrap();
            assert_eq!(rx.try_recv(), Ok(generation));
        }
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    }
    let (a, b) = (hub.join().unwrap(), hub.join().unwrap());
    assert_ne!(a.seat(), b.seat());
    assert_ne!(a.seat(), old);
    assert_eq!((a.seat().index(), b.seat().index()), (0, 1));
    assert_eq!(
        (b.seat().to_string(), a.seat().to_string()),
        ("1".to_owned(), "100".parse::<u32>().map(|g| format!("0.{g}")).unwrap())
    );
}

#[test]
fn seats_of_an_event_count_serve_that_event_count() {
    ends(|| {
        let (mut tx, hub) = channel(4).unwrap();
        let own = hub.join().unwrap();
        let event = EventCount::new();
        let with = hub.with_event(event.clone());
        let mut a = with.join().unwrap();
        assert_ne!(a.seat().index(), own.seat().index());
        let index = a.seat().index();
        drop(a);
        drop(own);
        a = with.join().unwrap();
        assert_eq!(a.seat().index(), index);
        std::thread::scope(|s| {
            s.spawn(|| tx.send(1).unwrap());
            assert!(event.wait(None, || !a.is_empty()));
        });
        assert_eq!(a.try_recv(), Ok(1));
    });
}

#[test]
fn a_receiver_comes_after_receivers_of_its_own_channel_only() {
    let (_tx, hub) = channel::<u32>(4).unwrap();
    let (_other_tx, other) = channel::<u32>(4).unwrap();
    let rx = other.join().unwrap();
    assert_eq!(hub.after(&[&rx]).err(), Some(JoinError::OtherChannel));
    assert_eq!(hub.reserve_after("engine", &[&rx]).err(), Some(JoinError::OtherChannel));
    assert!(JoinError::OtherChannel.to_string().contains("own channel"));
}
