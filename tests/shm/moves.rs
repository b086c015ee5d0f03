//! The verbs that move a message once or not at all: by reference, to the caller's place, in place, and many at once.

use crate::support::scratch::Scratch;
use ringmail::shm::{Cause, Message, RecvError, Schema, SendError, TryRecvError, TrySendError, fan_in, spsc};
use ringmail::shm::{RecvTimeoutError, SendTimeoutError};
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

const SOON: Duration = Duration::from_millis(5);

#[derive(Clone, Copy, PartialEq, Eq, Debug, zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable)]
#[repr(transparent)]
struct Bytes<const N: usize>([u8; N]);

impl<const N: usize> Message for Bytes<N> {
    const SCHEMA: Schema = Schema::new("bytes");
}

impl<const N: usize> Bytes<N> {
    fn new(seed: usize) -> Self {
        Self(std::array::from_fn(|i| (i.wrapping_mul(31) ^ (i >> 8) ^ seed) as u8))
    }
}

fn spsc<T: Message>(capacity: usize) -> (spsc::Sender<T>, spsc::Receiver<T>) {
    let channel = spsc::Builder::<T>::create_anonymous(capacity).unwrap();
    let tx = spsc::Builder::from_fd(&channel).open_sender().unwrap();
    (tx, spsc::Builder::from_fd(&channel).open_receiver().unwrap())
}

fn send<const N: usize>(tx: &mut spsc::Sender<Bytes<N>>, verb: usize, message: Bytes<N>) {
    match verb {
        0 => tx.try_send(message).unwrap(),
        1 => tx.send(message).unwrap(),
        2 => tx.try_send_ref(&message).unwrap(),
        3 => tx.send_ref(&message).unwrap(),
        4 => tx.send_ref_timeout(&message, SOON).unwrap(),
        5 => tx.try_send_with(|place| *place = message).unwrap(),
        6 => tx.send_with(|place| *place = message).unwrap(),
        7 => tx.send_with_timeout(|place| *place = message, SOON).unwrap(),
        8 => assert_eq!(tx.try_send_slice(&[message]).unwrap(), 1),
        _ => {
            let mut chunk = tx.try_reserve(1).unwrap();
            assert_eq!(chunk.fill_from_slice(&[message; 2]), 1);
            assert_eq!(chunk.commit(), 1);
        }
    }
}

fn receive<const N: usize>(rx: &mut spsc::Receiver<Bytes<N>>, verb: usize) -> Bytes<N> {
    // At an odd address, if the message allows: nothing may rely on more than the type says.
    let mut places = [MaybeUninit::<Bytes<N>>::uninit(); 2];
    let place = &mut places[1];
    match verb {
        0 => rx.try_recv().unwrap(),
        1 => rx.recv().unwrap(),
        2 => *rx.try_recv_into(place).unwrap(),
        3 => *rx.recv_into(place).unwrap(),
        4 => *rx.recv_timeout_into(place, SOON).unwrap(),
        // SAFETY: the sender is of this process, and of this crate.
        5 => unsafe { rx.try_recv_in_place(|message| *message) }.unwrap(),
        6 => rx.recv_timeout(SOON).unwrap(),
        7 => rx.try_recv_with(|message| *message).unwrap(),
        8 => {
            let mut all = vec![Bytes::new(7)];
            assert_eq!(rx.try_recv_many(&mut all, 9).unwrap(), 1);
            assert_eq!((all.len(), all[0]), (2, Bytes::new(7)));
            all[1]
        }
        _ => {
            let mut chunk = rx.read_chunk(1).unwrap();
            let message = chunk.iter().next().unwrap();
            assert_eq!(chunk.iter().next(), Some(message));
            chunk.commit_all();
            message
        }
    }
}

/// Through each pair of verbs, round and round a ring of three.
#[test]
fn a_message_of_any_size_is_whole_by_every_verb() {
    fn check<const N: usize>() {
        let (mut tx, mut rx) = spsc::<Bytes<N>>(3);
        for turn in 0..100 {
            let message = Bytes::new(turn);
            send(&mut tx, turn / 10, message);
            assert_eq!(receive(&mut rx, turn % 10), message, "{N} bytes, turn {turn}");
        }
        assert_eq!((rx.stats().received, tx.stats().sent), (100, 100));
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    }
    check::<1>();
    check::<7>();
    check::<8>();
    check::<65>();
    check::<255>();
    check::<256>();
    check::<300>();
    check::<511>();
    check::<512>();
    check::<1021>();
    check::<1024>();
    check::<4096>();
    check::<4100>();
    check::<8192>();
}

#[test]
fn slices_go_round_the_end_of_the_storage() {
    fn check<const N: usize>() {
        let (mut tx, mut rx) = spsc::<Bytes<N>>(5);
        let (mut sent, mut all) = (0, Vec::new());
        for n in [3, 4, 1, 5, 7, 2, 5, 5] {
            let values: Vec<_> = (sent..sent + n).map(Bytes::new).collect();
            let fits = tx.try_send_slice(&values).unwrap();
            assert_eq!(fits, n.min(5));
            sent += fits;
            assert_eq!(rx.try_recv_many(&mut all, 9), Ok(fits));
        }
        assert!(all.into_iter().eq((0..sent).map(Bytes::new)));
    }
    check::<8>();
    check::<13>();
    check::<1024>();
}

#[test]
fn a_full_channel_refuses_and_calls_no_writer() {
    let (mut tx, mut rx) = spsc::<u64>(1);
    let never = |_: &mut u64| panic!("there is no room");
    tx.try_send_with(|place| {
        assert_eq!(*place, 0);
        *place = 1;
    })
    .unwrap();
    assert_eq!(tx.try_send_ref(&2), Err(TrySendError::Full(())));
    assert!(tx.try_send_with(never).is_err_and(|refused| refused.is_full()));
    assert_eq!(tx.send_ref_timeout(&2, SOON), Err(SendTimeoutError::Timeout(())));
    assert!(tx.send_with_timeout(never, SOON).is_err_and(|refused| refused.is_timeout()));
    assert_eq!(rx.try_recv(), Ok(1));
    // What was there before is there still.
    tx.send_with(|place| *place += 1).unwrap();
    drop(rx);
    assert!(matches!(tx.try_send_with(never), Err(TrySendError::Disconnected(_, Cause::Closed))));
    tx.close();
    assert_eq!(tx.send_ref(&3), Err(SendError((), Cause::Closed)));
    assert!(matches!(tx.send_with(never), Err(SendError(_, Cause::Closed))));
}

#[test]
fn what_is_sent_to_a_receiver_that_left_waits_for_the_next() {
    let dir = Scratch::new("moves-next");
    let mut tx = spsc::Builder::<u64>::new(dir.file()).capacity(2).open_sender().unwrap();
    drop(spsc::Builder::<u64>::new(dir.file()).open_receiver().unwrap());
    assert_eq!(tx.try_send_ref(&1), Err(TrySendError::Disconnected((), Cause::Closed)));
    assert_eq!(tx.try_send_ref(&1), Ok(()));
    tx.try_send_with(|place| *place = 2).unwrap();
    assert!(tx.try_send_with(|place| *place = 3).is_err_and(|refused| refused.is_full()));
    let mut rx = spsc::Builder::<u64>::new(dir.file()).open_receiver().unwrap();
    let mut place = MaybeUninit::uninit();
    assert_eq!(rx.recv_into(&mut place), Ok(&mut 1));
    assert_eq!(rx.recv_into(&mut place), Ok(&mut 2));
    tx.send_with_timeout(|place| *place = 4, SOON).unwrap();
    assert_eq!(rx.recv_timeout_into(&mut place, SOON), Ok(&mut 4));
    assert_eq!(rx.recv_timeout_into(&mut place, SOON), Err(RecvTimeoutError::Timeout));
}

#[test]
fn a_writer_that_panics_sends_nothing_and_a_reader_that_panics_takes_nothing() {
    let (mut tx, mut rx) = spsc::<u64>(2);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        tx.send_with(|place| {
            *place = 666;
            panic!("as it should")
        })
    }));
    assert!(caught.is_err());
    assert_eq!((rx.try_recv(), tx.stats().sent), (Err(TryRecvError::Empty), 0));
    tx.send(1).unwrap();
    // SAFETY: the sender is of this process, and of this crate.
    let caught = catch_unwind(AssertUnwindSafe(|| unsafe { rx.try_recv_in_place(|_| panic!("as it should")) }));
    assert!(caught.is_err());
    assert_eq!((rx.stats().received, rx.try_recv()), (0, Ok(1)));
}

#[test]
fn waits_for_room_and_for_messages_end_when_there_is_some() {
    let (mut tx, mut rx) = spsc::<Bytes<1000>>(2);
    let receiver = std::thread::spawn(move || {
        let mut place = MaybeUninit::uninit();
        for i in 0..10_000 {
            assert_eq!(rx.recv_into(&mut place), Ok(&mut Bytes::new(i)));
        }
        assert_eq!(rx.recv_into(&mut place), Err(RecvError(Cause::Closed)));
    });
    for i in 0..5_000 {
        tx.send_ref(&Bytes::new(2 * i)).unwrap();
        tx.send_with(|place| *place = Bytes::new(2 * i + 1)).unwrap();
    }
    drop(tx);
    receiver.join().unwrap();
}

#[test]
fn bytes_that_are_no_message_are_lent_by_no_verb() {
    for verb in 0..3 {
        let dir = Scratch::new(&format!("moves-invalid-{verb}"));
        let mut tx = spsc::Builder::<bool>::new(dir.file()).open_sender().unwrap();
        let mut rx = spsc::Builder::<bool>::new(dir.file()).open_receiver().unwrap();
        tx.send_slice(&[true, true]).unwrap();
        // The second of the slots, which lie behind the header and the pages of the two sides.
        dir.poke(3 * 4096 + 8, 7);
        let mut place = MaybeUninit::uninit();
        for expected in [Ok(true), Err(Cause::Corrupted), Err(Cause::Corrupted)] {
            let got = match verb {
                0 => rx.try_recv_into(&mut place).copied().map_err(ended),
                1 => rx.recv_into(&mut place).copied().map_err(|RecvError(cause)| cause),
                // SAFETY: the sender is of this process and writes nothing meanwhile.
                _ => unsafe { rx.try_recv_in_place(|value| *value) }.map_err(ended),
            };
            assert_eq!(got, expected, "verb {verb}");
        }
        assert_eq!(rx.stats().received, 1);
    }

    fn ended(error: TryRecvError<Cause>) -> Cause {
        match error {
            TryRecvError::Disconnected(cause) => cause,
            TryRecvError::Empty => panic!("there is something to tell"),
        }
    }
}

#[test]
fn lanes_have_these_verbs_and_one_without_a_message_is_told() {
    for verb in 0..4 {
        let dir = Scratch::new(&format!("moves-lanes-{verb}"));
        let builder = || fan_in::Builder::<bool>::new(dir.file()).lanes(2).capacity(8);
        let mut rx = builder().open_receiver().unwrap();
        let (mut one, mut two) = (builder().open_sender().unwrap(), builder().open_sender().unwrap());
        let mut place = MaybeUninit::uninit();
        let mut next = |rx: &mut fan_in::Receiver<bool>| match verb {
            0 => rx.try_recv_into(&mut place).map(|(lane, value)| (lane, *value)).map_err(|e| format!("{e:?}")),
            1 => rx.recv_into(&mut place).map(|(lane, value)| (lane, *value)).map_err(|e| format!("{e:?}")),
            2 => {
                rx.recv_timeout_into(&mut place, SOON).map(|(lane, value)| (lane, *value)).map_err(|e| format!("{e:?}"))
            }
            // SAFETY: the senders are of this process and write nothing meanwhile.
            _ => unsafe { rx.try_recv_in_place(|lane, value| (lane, *value)) }.map_err(|e| format!("{e:?}")),
        };
        one.send_ref(&true).unwrap();
        assert_eq!(next(&mut rx), Ok((0, true)));
        assert_eq!((rx.last_lane(), rx.stats(0).unwrap().received), (Some(0), 1));
        one.send_ref(&true).unwrap();
        two.send_ref(&false).unwrap();
        // As above: the second of the first lane.
        dir.poke(3 * 4096 + 8, 7);
        let mut told = vec![next(&mut rx), next(&mut rx)];
        // Whose turn it is first is not promised.
        told.sort_by_key(Result::is_err);
        assert_eq!(told[0], Ok((1, false)));
        assert!(told[1].as_ref().is_err_and(|e| e.contains("Corrupted") && e.contains("lane: 0")), "{told:?}");
        assert_eq!(rx.stats(0).unwrap().received, 1);
    }
}
