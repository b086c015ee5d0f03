//! Messages that are written where they lie, looked at where they lie, and received where the caller wants them.

use crate::support::{Ledger, panics};
use ringmail::{Flavor, Receiver, RecvError, Sender, TryRecvError, TrySendError, fan_in, mpsc, spsc};
use std::mem::MaybeUninit;
use std::thread;
use std::time::Duration;

/// Runs `test` on each channel, of two places, from a place near the wrap.
macro_rules! on_each_channel {
    ($test:ident) => {{
        $test(spsc::Builder::new(2).start_at((1 << 63) - 2).build().unwrap());
        $test(fan_in::Builder::new(2).start_at((1 << 63) - 2).build().unwrap());
        $test(mpsc::Builder::new(2).start_at((1 << 63) - 2).build().unwrap());
    }};
}

#[test]
fn what_was_written_in_place_is_received() {
    fn test<S: Flavor>((mut tx, mut rx): (Sender<[u64; 512], S>, Receiver<[u64; 512], S>)) {
        for round in 0..5 {
            assert!(tx.try_send_with(|place| place.write([round; 512])).is_ok());
            assert!(tx.try_send_with(|place| place.write_each(|i| round + i as u64 / 512 + 1)).is_ok());
            assert_eq!(tx.try_send_ref(&[9; 512]), Err(TrySendError::Full(())));
            assert_eq!(rx.try_recv_with(|m| m.iter().sum()), Ok(round * 512));
            let mut target = MaybeUninit::uninit();
            assert_eq!(rx.try_recv_into(&mut target), Ok(&mut [round + 1; 512]));
            assert_eq!(rx.try_recv_with(|_| ()), Err(TryRecvError::Empty));
            assert_eq!(rx.try_recv_into(&mut target), Err(TryRecvError::Empty));
            assert_eq!(tx.try_send_ref(&[round; 512]), Ok(()));
            assert_eq!(rx.try_recv(), Ok([round; 512]));
        }
        drop(rx);
        assert_eq!(tx.try_send_ref(&[9; 512]), Err(TrySendError::Disconnected(())));
    }
    on_each_channel!(test);
}

#[test]
fn a_place_can_be_written_part_by_part() {
    fn test<S: Flavor>((mut tx, mut rx): (Sender<[u8; 3], S>, Receiver<[u8; 3], S>)) {
        let sent = tx.try_send_with(|mut place| {
            let first = place.as_uninit().as_mut_ptr().cast::<u8>();
            for i in 0..3 {
                // SAFETY: one of the three bytes of the place.
                unsafe { first.wrapping_add(i).write(i as u8) };
            }
            // SAFETY: all three were written.
            unsafe { place.assume_written() }
        });
        assert!(sent.is_ok());
        assert_eq!(rx.try_recv(), Ok([0, 1, 2]));
    }
    on_each_channel!(test);
}

#[test]
fn a_refused_closure_comes_back_uncalled() {
    fn test<S: Flavor>((mut tx, rx): (Sender<String, S>, Receiver<String, S>)) {
        tx.try_send("a".into()).unwrap();
        tx.try_send("b".into()).unwrap();
        let text = String::from("c");
        let Err(TrySendError::Full(write)) = tx.try_send_with(|place| place.write(text)) else { panic!("full") };
        drop(rx);
        let Err(TrySendError::Disconnected(write)) = tx.try_send_with(write) else { panic!("closed") };
        assert!(tx.send_with(write).is_err());
    }
    on_each_channel!(test);
}

#[test]
fn a_panic_while_writing_sends_nothing() {
    fn test<S: Flavor>((mut tx, mut rx): (Sender<u32, S>, Receiver<u32, S>)) {
        panics(|| tx.try_send_with(|_| panic!("no message")));
        panics(|| tx.send_with(|_| panic!("no message")));
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        // The places are free again, all of them.
        for round in 0..3 {
            assert_eq!((tx.try_send(round), tx.try_send(round)), (Ok(()), Ok(())));
            assert!(tx.is_full());
            assert_eq!((rx.try_recv(), rx.try_recv()), (Ok(round), Ok(round)));
        }
        drop(tx);
        assert_eq!(rx.try_recv_with(|_| ()), Err(TryRecvError::Disconnected));
        assert_eq!(rx.recv_with(|_| ()), Err(RecvError));
        assert_eq!(rx.recv_into(&mut MaybeUninit::uninit()), Err(RecvError));
    }
    on_each_channel!(test);
}

#[test]
fn a_panic_while_looking_drops_that_message_alone() {
    let ledger = Ledger::default();
    macro_rules! each {
        ($channel:expr) => {{
            let (mut tx, mut rx) = $channel.unwrap();
            tx.try_send(ledger.value()).unwrap();
            tx.try_send(ledger.value()).unwrap();
            panics(|| rx.try_recv_with(|_| panic!("looked")).unwrap());
            assert_eq!(rx.len(), 1);
            assert!(!tx.is_full());
            assert!(rx.try_recv_with(|_| ()).is_ok());
            assert!(rx.is_empty());
        }};
    }
    each!(spsc::channel(2));
    each!(fan_in::channel(2));
    each!(mpsc::channel(2));
    ledger.settle();
}

#[test]
fn a_message_moved_into_a_target_is_the_callers_to_drop() {
    let ledger = Ledger::default();
    let (mut tx, mut rx) = mpsc::channel(1).unwrap();
    tx.try_send(ledger.value()).unwrap();
    let mut target = MaybeUninit::uninit();
    rx.try_recv_into(&mut target).unwrap();
    drop((tx, rx));
    // SAFETY: the message was moved there.
    drop(unsafe { target.assume_init() });
    ledger.settle();
}

#[test]
fn the_verbs_wait_for_room_and_for_messages() {
    fn test<S: Flavor>((mut tx, mut rx): (Sender<u64, S>, Receiver<u64, S>))
    where
        Sender<u64, S>: Send,
        Receiver<u64, S>: Send,
    {
        thread::scope(|scope| {
            scope.spawn(move || {
                for i in 0..1000 {
                    if i % 2 == 0 {
                        tx.send_with(|place| place.write(i)).unwrap()
                    } else {
                        tx.send_ref(&i).unwrap()
                    }
                    if i % 100 == 50 {
                        thread::sleep(Duration::from_micros(200));
                    }
                }
            });
            let mut target = MaybeUninit::uninit();
            for i in 0..1000 {
                let got = if i % 3 == 0 { rx.recv_with(|m| *m) } else { rx.recv_into(&mut target).map(|m| *m) };
                assert_eq!(got, Ok(i));
                if i % 100 == 0 {
                    thread::sleep(Duration::from_micros(200));
                }
            }
            assert_eq!(rx.recv_with(|_| ()), Err(RecvError));
        });
    }
    on_each_channel!(test);
}

#[test]
fn a_message_of_another_sender_waits_behind_a_place_that_is_being_written() {
    let (mut tx, mut rx) = mpsc::channel(4).unwrap();
    let mut other = tx.clone();
    let sent = tx.try_send_with(|place| {
        other.try_send(2).unwrap();
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        place.write(1)
    });
    assert!(sent.is_ok());
    assert_eq!((rx.try_recv(), rx.try_recv()), (Ok(1), Ok(2)));
}
