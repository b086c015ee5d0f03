//! The verbs of channels between processes: the same as in process where both have them, and never across an end that was not told.

use crate::support::scratch::Scratch;
use ringmail::shm::RecvTimeoutError;
use ringmail::shm::{Cause, Peer, RecvError, SendError, TryRecvError, TrySendError, bytes, fan_in, spsc};
use ringmail::{WaitStrategy, shm};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_millis(20);

fn mapped(capacity: usize) -> (spsc::Sender<u64>, spsc::Receiver<u64>) {
    let channel = spsc::Builder::<u64>::create_anonymous(capacity).unwrap();
    let tx = spsc::Builder::<u64>::from_fd(&channel).open_sender().unwrap();
    (tx, spsc::Builder::<u64>::from_fd(&channel).open_receiver().unwrap())
}

fn records(capacity: usize) -> (bytes::Sender, bytes::Receiver) {
    let channel = bytes::Builder::create_anonymous(capacity, None).unwrap();
    let tx = bytes::Builder::from_fd(&channel).open_sender().unwrap();
    (tx, bytes::Builder::from_fd(&channel).open_receiver().unwrap())
}

/// Runs a script over a channel and notes each answer in a form that both kinds of channels have: in process an end is `Disconnected`, between
/// processes `Disconnected(Disconnected)`.
macro_rules! script {
    ($tx:ident, $rx:ident, $full:pat, $empty:pat) => {{
        let (mut tx, mut rx) = ($tx, $rx);
        let mut said: Vec<String> = Vec::new();
        macro_rules! say {
            ($what:expr) => {
                said.push(format!("{}: {:?}", said.len(), $what))
            };
        }
        macro_rules! sent {
            ($what:expr) => {
                match $what {
                    Ok(n) => say!(n),
                    Err($full) => say!("full"),
                    Err(_) => say!("ended"),
                }
            };
        }
        macro_rules! received {
            ($what:expr) => {
                match $what {
                    Ok(n) => say!(n),
                    Err($empty) => say!("empty"),
                    Err(_) => say!("ended"),
                }
            };
        }
        let mut buffer = Vec::new();
        say!((tx.is_closed(), rx.is_closed(), tx.is_full(), rx.is_full(), tx.is_empty(), rx.is_empty()));
        received!(rx.try_recv_many(&mut buffer, 3));
        received!(rx.try_recv_many(&mut buffer, 0));
        received!(rx.read_chunk(3).map(|chunk| chunk.len()));
        received!(rx.read_chunk(0).map(|chunk| chunk.len()));
        say!(rx.drain(3, |_| ()));
        say!(rx.try_iter().count());
        // Round and round the storage.
        for round in 0..7u64 {
            let mut values = 10 * round..;
            sent!(tx.try_send_iter(&mut values.by_ref().take(3)));
            sent!(tx.try_send_iter(&mut values));
            sent!(tx.try_send_iter(&mut values));
            sent!(tx.try_reserve(1).map(|chunk| chunk.capacity()));
            say!(values.next());
            say!((tx.is_full(), rx.is_full(), tx.len(), rx.len()));
            received!(rx.read_chunk(2).map(|mut chunk| {
                let two: Vec<u64> = script!(@iter chunk);
                let seen = (two, chunk.len(), chunk.is_empty());
                chunk.commit(1);
                seen
            }));
            // Dropped: they come again.
            received!(rx.read_chunk(9).map(|mut chunk| script!(@iter chunk)));
            sent!(tx.try_reserve(2).map(|mut chunk| {
                let seen = (chunk.capacity(), chunk.push(1).is_ok(), chunk.push(2), chunk.len());
                drop(chunk);
                seen
            }));
            say!(rx.len());
            received!(rx.try_recv_many(&mut buffer, 2));
            sent!(tx.try_reserve(9).map(|mut chunk| {
                let seen = (chunk.is_empty(), chunk.fill_from_slice(&[100, 101]), chunk.fill_from_iter(102..));
                (seen, chunk.len(), chunk.commit())
            }));
            received!(rx.read_chunk(2).map(|chunk| chunk.commit_all()));
            say!(rx.try_iter().take(1).collect::<Vec<_>>());
            say!(rx.recv_many(&mut buffer, 0).ok());
            if !rx.is_empty() {
                say!(rx.recv_many(&mut buffer, usize::MAX).ok());
            }
            received!(rx.try_recv());
            say!(std::mem::take(&mut buffer));
        }
        // An iterator that panics: what it yielded before is sent.
        let caught = catch_unwind(AssertUnwindSafe(|| {
            tx.try_send_iter(&mut (1..).map(|n| if n == 3 { panic!("as it should") } else { n }))
        }));
        say!((caught.is_err(), rx.try_iter().collect::<Vec<_>>()));
        say!(tx.send_iter([7, 8].into_iter().take(tx.capacity())).ok());
        tx.close();
        sent!(tx.try_send_iter(&mut (0..1)));
        sent!(tx.try_reserve(0).map(|chunk| chunk.capacity()));
        sent!(tx.try_reserve(1).map(|chunk| chunk.capacity()));
        say!((tx.is_closed(), rx.is_closed(), rx.len()));
        let mut iter = rx.iter();
        say!((iter.next(), iter.next(), iter.next(), iter.next()));
        say!((rx.drain(1, |_| ()), rx.try_iter().count(), rx.is_closed()));
        said
    }};
    (@iter $chunk:ident) => {
        $chunk.iter().map(|value| { use std::borrow::Borrow; *value.borrow() }).collect::<Vec<u64>>()
    };
}

#[test]
#[allow(unused_mut, reason = "a chunk in process lends what is in it")]
fn the_verbs_answer_as_those_in_process() {
    for capacity in [1, 2, 3, 5, 8] {
        let here = {
            let (tx, rx) = ringmail::spsc::channel::<u64>(capacity).unwrap();
            script!(tx, rx, ringmail::TrySendError::Full(..), ringmail::TryRecvError::Empty)
        };
        let there = {
            let (tx, rx) = mapped(capacity);
            script!(tx, rx, TrySendError::Full(..), TryRecvError::Empty)
        };
        assert_eq!(here, there);
        assert!(here.len() > 100);
    }
}

#[test]
fn a_receiver_that_closed_is_told_to_every_sending_verb_once() {
    let values = || 0..9u64;
    for verb in 0..4 {
        let (mut tx, rx) = mapped(4);
        drop(rx);
        assert!(tx.is_closed());
        let told = match verb {
            0 => tx.try_send_iter(&mut values()) == Err(TrySendError::Disconnected((), Cause::Closed)),
            1 => tx.send_iter(values()) == Err(SendError(0, Cause::Closed)),
            2 => tx.try_reserve(2).is_err_and(|e| e == TrySendError::Disconnected((), Cause::Closed)),
            _ => tx.try_send_slice(&[1]) == Err(TrySendError::Disconnected((), Cause::Closed)),
        };
        assert!(told, "verb {verb}");
        // From then on it waits for the next.
        assert_eq!(tx.try_send_iter(&mut values()), Ok(4));
        assert_eq!(tx.try_send_iter(&mut values()), Err(TrySendError::Full(())));
        assert_eq!(tx.len(), 4);
    }
}

#[test]
fn send_iter_waits_for_room_and_loses_nothing() {
    let (mut tx, mut rx) = mapped(3);
    let receiver = std::thread::spawn(move || {
        let mut iter = rx.iter();
        let all: Vec<u64> = iter.by_ref().collect();
        assert_eq!(iter.ended(), Some(&RecvError(Cause::GivenUp)));
        assert_eq!(iter.next(), None);
        all
    });
    assert_eq!(tx.send_iter(0..10_000), Ok(10_000));
    tx.give_up();
    assert!(receiver.join().unwrap().into_iter().eq(0..10_000));
}

/// Each end is told once, whatever verb comes to it, and none of the next session's messages before it.
#[test]
fn no_verb_goes_across_an_end_that_was_not_told() {
    type Verb = (&'static str, fn(&mut spsc::Receiver<u64>) -> Result<Vec<u64>, Cause>);
    let verbs: [Verb; 5] = [
        ("try_recv_many", |rx| {
            let mut buffer = vec![];
            match rx.try_recv_many(&mut buffer, 99) {
                Ok(_) => Ok(buffer),
                Err(TryRecvError::Disconnected(ended)) => Err(ended),
                Err(_) => panic!("there is something"),
            }
        }),
        ("recv_many", |rx| {
            let mut buffer = vec![];
            match rx.recv_many(&mut buffer, 99) {
                Ok(_) => Ok(buffer),
                Err(RecvError(ended)) => Err(ended),
            }
        }),
        ("read_chunk", |rx| match rx.read_chunk(99) {
            Ok(mut chunk) => {
                let all: Vec<u64> = chunk.iter().collect();
                assert!(chunk.iter().eq(all.iter().copied()) && chunk.len() == 2);
                chunk.commit_all();
                Ok(all)
            }
            Err(TryRecvError::Disconnected(ended)) => Err(ended),
            Err(_) => panic!("there is something"),
        }),
        ("iter", |rx| {
            let mut iter = rx.into_iter();
            let all: Vec<u64> = iter.by_ref().take(2).collect();
            if all.is_empty() {
                return match iter.ended() {
                    Some(RecvError(ended)) => Err(*ended),
                    _ => panic!("an end"),
                };
            }
            Ok(all)
        }),
        ("drain, try_iter, peek", |rx| {
            let mut all = vec![];
            let peeked = rx.peek();
            assert_eq!(rx.peek(), peeked);
            rx.drain(1, |value| all.push(value));
            all.extend(rx.try_iter());
            assert_eq!(peeked, all.first().copied());
            if all.is_empty() {
                return match rx.try_recv() {
                    Err(TryRecvError::Disconnected(ended)) => Err(ended),
                    _ => panic!("an end"),
                };
            }
            Ok(all)
        }),
    ];
    for (name, verb) in verbs {
        let channel = spsc::Builder::<u64>::create_anonymous(16).unwrap();
        let mut rx = spsc::Builder::<u64>::from_fd(&channel).open_receiver().unwrap();
        for session in 0..5 {
            let mut tx = spsc::Builder::<u64>::from_fd(&channel).open_sender().unwrap();
            tx.send_slice(&[10 * session, 10 * session + 1]).unwrap();
            if session % 2 == 1 {
                tx.give_up();
            }
        }
        for session in 0..5 {
            assert_eq!(verb(&mut rx), Ok(vec![10 * session, 10 * session + 1]), "{name}");
            assert_eq!(rx.session().map(|session| session.number), Some(session + 1), "{name}");
            let why = if session % 2 == 1 { Cause::GivenUp } else { Cause::Closed };
            assert_eq!(verb(&mut rx), Err(why), "{name}");
        }
        assert_eq!((rx.try_recv(), rx.peek()), (Err(TryRecvError::Empty), None), "{name}");
        assert!(rx.is_closed());
        let _tx = spsc::Builder::<u64>::from_fd(&channel).open_sender().unwrap();
        assert!(!rx.is_closed());
        assert_eq!(rx.peer(), Peer::Here);
    }
}

#[test]
fn what_a_chunk_does_not_commit_comes_to_the_next_receiver() {
    let channel = spsc::Builder::<u64>::create_anonymous(8).unwrap();
    let mut tx = spsc::Builder::<u64>::from_fd(&channel).open_sender().unwrap();
    let mut rx = spsc::Builder::<u64>::from_fd(&channel).open_receiver().unwrap();
    tx.send_iter(0..8).unwrap();
    let mut chunk = rx.read_chunk(5).unwrap();
    assert!((&mut chunk).into_iter().eq(0..5));
    // The places are occupied.
    assert_eq!(tx.try_send(8), Err(TrySendError::Full(8)));
    chunk.commit(2);
    assert_eq!(tx.try_send_iter(&mut (8..)), Ok(2));
    let mut chunk = rx.read_chunk(5).unwrap();
    assert!(chunk.iter().eq(2..7));
    // It goes without a commit, and takes nothing.
    assert_eq!(rx.peek(), Some(2));
    drop(rx);
    let mut rx = spsc::Builder::<u64>::from_fd(&channel).open_receiver().unwrap();
    assert!(rx.try_iter().eq(2..10));
    assert_eq!(rx.stats().received, 10);
}

#[test]
fn a_handler_that_panics_has_taken_nothing() {
    let (mut tx, mut rx) = mapped(4);
    tx.send_iter(0..3).unwrap();
    let caught = catch_unwind(AssertUnwindSafe(|| rx.try_recv_with(|_| panic!("as it should"))));
    assert!(caught.is_err());
    assert_eq!(rx.try_recv_with(|value| value + 1), Ok(1));
    assert_eq!(rx.try_recv(), Ok(1));
}

#[test]
fn a_sender_that_is_waited_for_by_recv_many_wakes_it() {
    let (mut tx, mut rx) = mapped(4);
    rx.set_wait(WaitStrategy::Park);
    tx.set_wait(WaitStrategy::Park);
    let receiver = std::thread::spawn(move || {
        let mut buffer = vec![];
        while buffer.len() < 100 {
            rx.recv_many(&mut buffer, 100).unwrap();
        }
        buffer
    });
    std::thread::sleep(SOON);
    for value in 0..100 {
        tx.send(value).unwrap();
    }
    assert!(receiver.join().unwrap().into_iter().eq(0..100));
}

fn lanes() -> (Vec<fan_in::Sender<u64>>, fan_in::Receiver<u64>, shm::Anonymous) {
    let channel = fan_in::Builder::<u64>::create_anonymous(3, 8).unwrap();
    let rx = fan_in::Builder::<u64>::from_fd(&channel).open_receiver().unwrap();
    ((0..3).map(|_| fan_in::Builder::<u64>::from_fd(&channel).open_sender().unwrap()).collect(), rx, channel)
}

#[test]
fn the_verbs_of_lanes_say_which_lane() {
    let (mut tx, mut rx, _channel) = lanes();
    assert!(!rx.is_closed() && !rx.is_full());
    for (lane, tx) in tx.iter_mut().enumerate() {
        assert_eq!(tx.lane(), lane);
        assert_eq!(tx.send_iter(10 * lane as u64..10 * lane as u64 + 8), Ok(8));
    }
    assert!(rx.is_full() && rx.len() == 24);
    // A look does not pass the turn on.
    assert_eq!((rx.peek(), rx.peek(), rx.last_lane()), (Some((0, 0)), Some((0, 0)), None));
    assert_eq!(rx.try_recv_with(|lane, value| (lane, *value)), Ok((0, 0)));
    let caught = catch_unwind(AssertUnwindSafe(|| rx.try_recv_with(|_, _| panic!("as it should"))));
    assert!(caught.is_err());
    assert_eq!(rx.recv_from_deadline(Instant::now() + SOON), Ok((0, 1)));
    // Two of each lane: the turn goes on after a chunk.
    for lane in 0..3 {
        let mut chunk = rx.read_chunk(2).unwrap();
        let first = 10 * lane as u64 + if lane == 0 { 2 } else { 0 };
        assert_eq!(chunk.lane(), lane);
        assert!(chunk.iter().eq([first, first + 1]));
        chunk.commit(1);
        assert_eq!(rx.last_lane(), Some(lane));
    }
    let mut buffer = vec![];
    assert_eq!(rx.try_recv_many(&mut buffer, 6), Ok(6));
    let rest = rx.len();
    assert_eq!(rx.recv_many(&mut buffer, usize::MAX), Ok(rest));
    assert_eq!((rx.try_recv_many(&mut buffer, 1), rx.try_recv_many(&mut buffer, 0)), (Err(TryRecvError::Empty), Ok(0)));
    for lane in 0..3 {
        let first = 10 * lane as u64 + if lane == 0 { 3 } else { 1 };
        assert!(buffer.iter().filter(|&&(of, _)| of == lane).map(|&(_, value)| value).eq(first..10 * lane as u64 + 8));
    }
    tx[1].send(99).unwrap();
    assert!(rx.try_iter().eq([(1, 99)]));
    assert_eq!(rx.recv_from_deadline(Instant::now() + SOON), Err(RecvTimeoutError::Timeout));
}

#[test]
fn the_verbs_of_lanes_tell_each_end_before_the_lane_goes_on() {
    let (tx, mut rx, channel) = lanes();
    drop(tx);
    assert!(rx.is_closed(), "all that there were have closed");
    let mut told = vec![];
    let mut buffer = vec![];
    loop {
        match rx.try_recv_many(&mut buffer, 9) {
            Err(TryRecvError::Disconnected(fan_in::Disconnected::Sender(gone))) => told.push(gone.lane),
            other => break assert_eq!(other, Err(TryRecvError::Disconnected(fan_in::Disconnected::All))),
        }
    }
    told.sort_unstable();
    assert_eq!(told, [0, 1, 2]);
    // Two sessions on one lane.
    for value in [1, 2] {
        fan_in::Builder::<u64>::from_fd(&channel).open_sender().unwrap().send(value).unwrap();
    }
    let mut iter = rx.iter();
    let first = iter.next().unwrap();
    assert_eq!((first.1, iter.next()), (1, None));
    assert!(matches!(iter.ended(), Some(RecvError(fan_in::Disconnected::Sender(gone))) if gone.lane == first.0));
    assert_eq!(iter.next(), None);
    assert_eq!(rx.recv_many(&mut buffer, 9), Ok(1));
    assert_eq!(buffer, [(first.0, 2)]);
    // Verbs that cannot tell it stop there.
    assert_eq!((rx.peek(), rx.drain(9, |_, _| ()), rx.try_iter().count()), (None, 0, 0));
    assert!(
        matches!(rx.try_recv_with(|_, _| ()), Err(TryRecvError::Disconnected(fan_in::Disconnected::Sender(gone))) if gone.lane == first.0)
    );
    assert_eq!(rx.into_iter().next(), None, "all have ended");
}

#[test]
fn records_come_many_at_once_and_by_iterators() {
    let (mut tx, mut rx) = records(1 << 10);
    assert_eq!((tx.len(), rx.len(), tx.is_full(), rx.is_full()), (0, 0, false, false));
    for i in 0..5u8 {
        tx.send(bytes::Record::new(&vec![i; usize::from(3 * i)]).kind(u16::from(i))).unwrap();
    }
    assert_eq!((tx.len(), rx.len()), (5 * 24 + (8 + 8 + 16 + 16), 5 * 24 + (8 + 8 + 16 + 16)));
    let mut got = vec![];
    assert_eq!((rx.try_recv_many(&mut got, 0), rx.try_recv_many(&mut got, 2)), (Ok(0), Ok(2)));
    got.extend(rx.try_iter().take(1));
    assert_eq!(rx.recv_many(&mut got, 99), Ok(2));
    for (i, (body, info)) in (0u8..).zip(&got) {
        assert_eq!((&body[..], info.kind, info.sequence), (&vec![i; usize::from(3 * i)][..], i.into(), i.into()));
    }
    assert_eq!(got.len(), 5);
    assert_eq!(rx.try_recv_many(&mut got, 9), Err(TryRecvError::Empty));
    while tx.try_send(b"").is_ok() {}
    assert!(tx.is_full() && rx.is_full());
    rx.try_iter().for_each(drop);
    tx.send(b"last").unwrap();
    drop(tx);
    assert!(rx.is_closed());
    let mut iter = rx.iter();
    assert_eq!(iter.next().map(|(body, _)| body), Some(b"last".to_vec()));
    assert_eq!((iter.next(), iter.ended()), (None, Some(&RecvError(Cause::Closed))));
}

#[test]
fn records_of_lanes_have_the_same_verbs() {
    let channel = bytes::fan_in::Builder::create_anonymous(2, 256, None).unwrap();
    let mut rx = bytes::fan_in::Builder::from_fd(&channel).open_receiver().unwrap();
    let mut tx: Vec<_> = (0..2).map(|_| bytes::fan_in::Builder::from_fd(&channel).open_sender().unwrap()).collect();
    assert_eq!((rx.capacity(), rx.len(), rx.is_full(), rx.is_closed()), (512, 0, false, false));
    for tx in &mut tx {
        (0..4u8).for_each(|i| tx.send(&[i; 9]).unwrap());
    }
    assert_eq!(rx.len(), 8 * 40);
    for lane in 0..2 {
        let (of, record) = rx.try_read_in_place().unwrap();
        assert_eq!((of, record.info().sequence), (lane, 0));
        record.commit();
    }
    let mut got = vec![];
    assert_eq!(rx.try_recv_many(&mut got, 4), Ok(4));
    got.extend(rx.try_iter().take(1));
    assert_eq!(rx.recv_many(&mut got, 99), Ok(1));
    for lane in 0..2 {
        let of = got.iter().filter(|record| record.0 == lane);
        assert!(of.map(|(_, body, info)| (body.clone(), info.sequence)).eq((1..4u8).map(|i| (vec![i; 9], i.into()))));
    }
    assert_eq!(rx.recv_deadline_into(&mut vec![], Instant::now() + SOON), Err(RecvTimeoutError::Timeout));
    tx[1].send(b"last").unwrap();
    drop(tx);
    assert!(rx.is_closed());
    let mut all = vec![];
    let mut ends = 0;
    while ends < 3 {
        let mut iter = rx.iter();
        all.extend(iter.by_ref().map(|(lane, body, _)| (lane, body)));
        assert_eq!(matches!(iter.ended(), Some(RecvError(bytes::fan_in::Disconnected::Sender(_)))), ends < 2);
        ends += 1;
    }
    assert_eq!(all, [(1, b"last".to_vec())]);
    assert_eq!(rx.try_recv_many(&mut got, 9), Err(TryRecvError::Empty));
}

#[test]
fn bytes_that_are_no_message_end_a_run_and_stay() {
    for verb in 0..4 {
        let dir = Scratch::new(&format!("verbs-invalid-{verb}"));
        let mut tx = spsc::Builder::<bool>::new(dir.file()).open_sender().unwrap();
        let mut rx = spsc::Builder::<bool>::new(dir.file()).open_receiver().unwrap();
        tx.send_slice(&[true, true, true]).unwrap();
        // The second of the slots, which lie behind the header and the pages of the two sides.
        dir.poke(3 * 4096 + 8, 7);
        match verb {
            0 => {
                let mut chunk = rx.read_chunk(9).unwrap();
                assert_eq!(chunk.len(), 3);
                assert!(chunk.iter().eq([true]));
                assert_eq!(chunk.len(), 1);
                chunk.commit_all();
            }
            1 => assert_eq!(rx.try_recv_many(&mut vec![], 9), Ok(1)),
            2 => assert_eq!(rx.try_iter().count(), 1),
            _ => assert_eq!(rx.try_recv_with(|value| *value), Ok(true)),
        }
        match verb {
            0 => assert_eq!(rx.read_chunk(9).map(|mut chunk| chunk.iter().count()), Ok(0)),
            1 => assert_eq!(rx.try_recv_many(&mut vec![], 9), Err(TryRecvError::Disconnected(Cause::Corrupted))),
            _ => assert_eq!(rx.peek(), None),
        }
        assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected(Cause::Corrupted)));
        assert!(rx.is_closed());
        assert_eq!(rx.stats().received, 1);
        assert_eq!(rx.try_recv_with(|value| *value), Err(TryRecvError::Disconnected(Cause::Corrupted)));
    }
}
