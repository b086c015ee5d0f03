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

#[test]
fn a_seat_keeps_the_event_count_that_it_was_reserved_with() {
    let (mut tx, hub) = channel::<u32>(4).unwrap();
    let (mine, other) = (EventCount::new(), EventCount::new());
    drop(hub.with_event(mine.clone()).reserve("journal").unwrap());
    drop(hub.reserve("own").unwrap());
    assert_eq!(hub.with_event(other.clone()).take("journal").unwrap_err(), JoinError::OtherEvent);
    assert_eq!(hub.with_event(other).take("own").unwrap_err(), JoinError::OtherEvent);
    let journal = hub.with_event(mine.clone()).take("journal").unwrap();
    let sender = std::thread::spawn(move || tx.send(1).unwrap());
    assert!(mine.wait(Some(std::time::Duration::from_secs(30)), || !journal.is_empty()));
    sender.join().unwrap();
    drop(journal);
    drop(hub.take("journal").unwrap());
}

#[test]
fn one_that_comes_after_others_is_empty_until_they_have_committed() {
    let (mut tx, hub) = channel::<u32>(4).unwrap();
    let mut journal = hub.join().unwrap();
    let mut engine = hub.after(&[&journal]).unwrap();
    tx.try_send(1).unwrap();
    assert!(!journal.is_empty() && engine.is_empty());
    assert_eq!((engine.len(), engine.try_recv()), (1, Err(TryRecvError::Empty)));
    assert_eq!(journal.try_recv(), Ok(1));
    assert!(journal.is_empty() && !engine.is_empty());
    assert_eq!(engine.try_recv(), Ok(1));
    assert!(engine.is_empty());
}

/// Each verb of a receiver that has closed and taken all, by number.
fn ask_one_that_left(rx: &mut ringmail::broadcast::Receiver<u64>, verb: usize) {
    match verb {
        0 => assert!(rx.try_recv().is_err()),
        1 => assert!(rx.recv().is_err()),
        2 => assert!(rx.recv_timeout(std::time::Duration::from_millis(1)).is_err()),
        3 => assert!(rx.recv_with(|_| ()).is_err()),
        4 => assert!(rx.try_recv_with(|_| ()).is_err()),
        5 => rx.read_chunk(0).map_or((), |chunk| chunk.commit_all()),
        6 => assert_eq!(rx.drain(8, |_| ()), 0),
        7 => assert!(rx.try_recv_many(&mut vec![], 8).is_err()),
        8 => assert!(rx.recv_many(&mut vec![], 8).is_err()),
        9 => assert!(crate::support::tasks::poll(&mut rx.recv_async(), std::task::Waker::noop()).is_ready()),
        10 => assert!(rx.peek().is_err()),
        11 => rx.close(),
        _ => assert_eq!(rx.try_iter().count(), 0),
    }
}

#[test]
fn one_that_has_left_does_not_move_its_former_seat() {
    for verb in 0..13 {
        for reserved in [true, false] {
            let (mut tx, hub) = channel::<u64>(4).unwrap();
            let mut left = if reserved { hub.reserve("j").unwrap() } else { hub.join().unwrap() };
            left.close();
            let again = || if reserved { hub.take("j") } else { hub.join() };
            let mut owner = again().unwrap();
            assert_eq!(owner.seat().index(), 0, "the same seat");
            for i in 0..100 {
                tx.try_send(i).unwrap();
                assert_eq!(owner.try_recv(), Ok(i));
            }
            ask_one_that_left(&mut left, verb);
            assert_eq!((owner.len(), tx.slowest().unwrap().lag), (0, 0), "verb {verb}");
            drop(owner);
            ask_one_that_left(&mut left, verb);
            let mut owner = again().unwrap();
            assert_eq!(owner.len(), 0, "verb {verb}");
            tx.try_send(100).unwrap();
            assert_eq!(owner.try_recv(), Ok(100));
            drop(left);
            tx.try_send(101).unwrap();
            assert_eq!(owner.try_recv(), Ok(101));
        }
    }
}

#[test]
fn a_future_of_one_that_left_takes_no_wake_of_the_next_owner() {
    let (mut tx, hub) = channel::<u64>(4).unwrap();
    let mut left = hub.join().unwrap();
    let mut future = left.recv_async();
    assert!(crate::support::tasks::poll(&mut future, std::task::Waker::noop()).is_pending());
    std::mem::forget(future);
    left.close();
    let mut owner = hub.join().unwrap();
    let sleeper = std::thread::spawn(move || owner.recv_timeout(std::time::Duration::from_secs(120)));
    std::thread::sleep(std::time::Duration::from_millis(50));
    drop(left);
    tx.try_send(7).unwrap();
    let began = std::time::Instant::now();
    assert_eq!(sleeper.join().unwrap(), Ok(7));
    assert!(began.elapsed() < std::time::Duration::from_secs(60), "it was woken, and did not find it by its timeout");
}

#[test]
fn a_reserved_seat_whose_receiver_has_closed_can_be_released_by_it() {
    let (mut tx, hub) = channel::<u64>(1).unwrap();
    let mut journal = hub.reserve("j").unwrap();
    let _other = hub.join().unwrap();
    journal.close();
    journal.release();
    assert_eq!(hub.take("j").unwrap_err(), JoinError::NoSuchSeat);
    assert_eq!(tx.slowest().unwrap().name, None, "the other gates, the released seat does not");
    // Where another sits there by now, the seat and its name are that one's.
    let mut journal = hub.reserve("j").unwrap();
    journal.close();
    let second = hub.take("j").unwrap();
    journal.release();
    drop(second);
    drop(hub.take("j").unwrap());
    hub.release("j").unwrap();
    tx.close();
}
