//! A receiver that was overrun.

use ringmail::TryRecvError;
use ringmail::broadcast::lossy::{Builder, Resume, Seen, channel};

/// After `sent` messages in a ring of eight: how many are lost, by where to go on.
fn lost_after(sent: u64, resume: Resume) -> u64 {
    let (mut tx, mut rx) = Builder::new(8).resume(resume).build().unwrap();
    (0..sent).for_each(|i| tx.send(i));
    let seen = rx.try_recv().unwrap();
    if let Seen::Lost(count) = seen {
        assert_eq!(rx.position(), count);
        assert_eq!(rx.try_recv(), Ok(Seen::Message(count)), "the next look gives a message");
    }
    let mut received = rx.position() - seen.lost();
    while let Ok(Seen::Message(message)) = rx.try_recv() {
        received += 1;
        assert_eq!(message + 1, rx.position());
    }
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(received + seen.lost(), sent);
    seen.lost()
}

#[test]
fn the_count_is_exact() {
    for sent in 1..=8 {
        for resume in [Resume::Oldest, Resume::Middle, Resume::Newest] {
            assert_eq!(lost_after(sent, resume), 0, "nothing is lost up to the capacity");
        }
    }
    for sent in 9..40 {
        assert_eq!(lost_after(sent, Resume::Oldest), sent - 8);
        assert_eq!(lost_after(sent, Resume::Middle), sent - 4);
        assert_eq!(lost_after(sent, Resume::Newest), sent - 1);
    }
}

#[test]
fn a_receiver_may_change_where_it_goes_on() {
    let (mut tx, mut rx) = channel(4).unwrap();
    rx.set_resume(Resume::Newest);
    let clone = rx.clone();
    (0..10u64).for_each(|i| tx.send(i));
    assert_eq!(rx.try_recv(), Ok(Seen::Lost(9)));
    rx.set_resume(Resume::Oldest);
    (10..20).for_each(|i| tx.send(i));
    assert_eq!(rx.try_recv(), Ok(Seen::Lost(7)));
    assert_eq!(clone.clone().try_recv(), Ok(Seen::Lost(19)), "a clone has the choice of its time");
    assert_eq!(tx.subscribe().try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn the_smallest_ring_keeps_two() {
    for (resume, lost) in [(Resume::Oldest, 3), (Resume::Middle, 4), (Resume::Newest, 4)] {
        let (mut tx, mut rx) = Builder::new(1).resume(resume).build().unwrap();
        (0..5u64).for_each(|i| tx.send(i));
        assert_eq!(rx.try_recv(), Ok(Seen::Lost(lost)));
        assert_eq!(rx.try_recv(), Ok(Seen::Message(lost)));
    }
}

#[test]
fn a_slice_longer_than_the_ring_leaves_its_end() {
    let (mut tx, mut rx) = Builder::new(8).resume(Resume::Oldest).build().unwrap();
    let messages: Vec<u64> = (0..1000).collect();
    tx.send_slice(&messages);
    assert_eq!(rx.latest(), Some((999, 999)));
    assert_eq!(rx.try_recv(), Ok(Seen::Lost(992)));
    assert_eq!(rx.try_recv(), Ok(Seen::Message(992)));
    tx.send_slice(&[]);
    assert_eq!(tx.sent(), 1000);
}

#[test]
fn a_loss_is_told_after_the_end_too() {
    let (mut tx, mut rx) = channel(4).unwrap();
    (0..10u64).for_each(|i| tx.send(i));
    drop(tx);
    assert_eq!(rx.try_recv(), Ok(Seen::Lost(8)));
    assert_eq!(rx.try_recv(), Ok(Seen::Message(8)));
    assert_eq!(rx.try_recv(), Ok(Seen::Message(9)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
}
