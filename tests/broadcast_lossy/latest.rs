//! The newest message, and changes.

use ringmail::TryRecvError;
use ringmail::broadcast::lossy::{Seen, channel};

#[test]
fn the_newest_is_there_for_all_and_moves_no_position() {
    let (mut tx, mut rx) = channel(4).unwrap();
    assert_eq!(rx.latest(), None);
    for i in 0..20u64 {
        tx.send(i * i);
        assert_eq!(rx.latest(), Some((i, i * i)));
    }
    assert_eq!(rx.position(), 0);
    assert_eq!(rx.try_recv(), Ok(Seen::Lost(18)));
}

#[test]
fn a_change_is_the_newest_message_once() {
    let (mut tx, mut rx) = channel(4).unwrap();
    assert_eq!(rx.try_changed(), Err(TryRecvError::Empty));
    tx.send('a');
    assert_eq!(rx.try_changed(), Ok((0, 'a')));
    assert_eq!(rx.try_changed(), Err(TryRecvError::Empty));
    for c in 'b'..='z' {
        tx.send(c);
    }
    assert_eq!(rx.try_changed(), Ok((25, 'z')), "also when it was overrun");
    assert_eq!(rx.position(), 26);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty), "what was passed over does not come");
}

#[test]
fn messages_and_changes_may_be_mixed() {
    let (mut tx, mut rx) = channel(8).unwrap();
    tx.send_slice(&[1, 2, 3]);
    assert_eq!(rx.try_recv(), Ok(Seen::Message(1)));
    assert_eq!(rx.try_changed(), Ok((2, 3)));
    tx.send(4);
    assert_eq!(rx.try_recv(), Ok(Seen::Message(4)));
}

#[test]
fn one_receiver_is_read_by_many_threads() {
    let (mut tx, rx) = channel(64).unwrap();
    tx.send([0u64; 8]);
    std::thread::scope(|s| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                s.spawn(|| {
                    let mut last = 0;
                    while last < 10_000 {
                        let (number, message) = rx.latest().unwrap();
                        assert_eq!(message, [number; 8]);
                        assert!(number >= last, "it never goes back");
                        last = number;
                    }
                })
            })
            .collect();
        (1..=10_000).for_each(|i| tx.send([i; 8]));
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
}
