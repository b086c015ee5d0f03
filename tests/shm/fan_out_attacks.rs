//! What words that cannot be must not do to a mapped channel of many workers: the lane that has them is out, the others go on.

use crate::support::scratch::Scratch;
use ringmail::shm::fan_out::{Builder, Receiver, Sender};
use ringmail::shm::{Cause, OpenError, RecvError, RecvTimeoutError, SendError, SendTimeoutError, TrySendError};
use std::time::Duration;

/// Where a lane's words lie: what the sender has sent, its count of sessions, and those of the worker.
const LANE: u64 = 3 * 4096;
const TAIL: u64 = 4096;
const SENDER: u64 = TAIL + 256;
const WORKER: u64 = TAIL + 4096;
const HEAD: u64 = WORKER + 2304;
const NEWS: u64 = WORKER + 2816;
const DATA: u64 = WORKER + 4096;

/// More than a ring of 8 can hold.
const IMPOSSIBLE: u64 = 2 * 1000;

fn sides(dir: &Scratch) -> (Sender<u64>, Receiver<u64>, Receiver<u64>) {
    let builder = || Builder::<u64>::new(dir.file());
    let tx = builder().lanes(2).capacity(8).open_sender().unwrap();
    (tx, builder().open_receiver().unwrap(), builder().open_receiver().unwrap())
}

#[test]
fn a_worker_that_writes_nonsense_is_sent_nothing_more() {
    for (at, word) in [(HEAD, IMPOSSIBLE), (WORKER, 1 << 63), (WORKER, 0)] {
        let dir = Scratch::new("worker");
        let (mut tx, one, mut two) = sides(&dir);
        (0..8).for_each(|i| tx.try_send(i).unwrap());
        dir.poke(at, word);
        let received = |rx: &mut Receiver<u64>| rx.recv_timeout(Duration::from_secs(60)).unwrap();
        // Room only where the other one makes some; what was sent to the first before it is looked at lies there.
        for i in 8..200 {
            tx.send_timeout(i, Duration::from_secs(60)).unwrap();
            if two.len() == 8 {
                (0..8).for_each(|_| _ = received(&mut two));
            }
        }
        assert!(one.len() <= 8);
        dir.poke(HEAD + LANE, IMPOSSIBLE);
        dir.poke(at, word);
        let refused = (0..100_000).find_map(|i| match tx.try_send(i) {
            Err(TrySendError::Disconnected(_, cause)) => Some(cause),
            _ => None,
        });
        assert!(refused.is_none_or(|cause| cause == Cause::Corrupted), "{refused:?}");
        drop((one, two));
    }
}

#[test]
fn all_lanes_corrupted_is_an_error() {
    let dir = Scratch::new("all");
    let (mut tx, one, two) = sides(&dir);
    // Half of each, so that a look at the room is due.
    (0..8).for_each(|i| tx.try_send(i).unwrap());
    dir.poke(HEAD, IMPOSSIBLE);
    dir.poke(HEAD + LANE, IMPOSSIBLE);
    let end = (0..100).map(|i| tx.send_timeout(i, Duration::from_secs(60))).find(Result::is_err);
    assert!(matches!(end, Some(Err(SendTimeoutError::Disconnected(_, Cause::Corrupted)))), "{end:?}");
    assert!(matches!(tx.send(1), Err(SendError(1, Cause::Corrupted))));
    assert!(tx.is_closed());
    drop((one, two));
}

#[test]
fn a_sender_that_writes_nonsense_is_told_by_each_lane() {
    let dir = Scratch::new("sender");
    let (mut tx, mut one, mut two) = sides(&dir);
    tx.send(1).unwrap();
    tx.send(2).unwrap();
    dir.poke(TAIL, IMPOSSIBLE);
    assert_eq!(one.recv_timeout(Duration::from_secs(60)), Err(RecvTimeoutError::Disconnected(Cause::Corrupted)));
    assert!(two.recv_timeout(Duration::from_secs(60)).is_ok());
    // What is in the lane of the first is no message of any worker, and holds up no end.
    drop(tx);
    dir.poke(TAIL, IMPOSSIBLE);
    drop(one);
    assert_eq!(two.recv_timeout(Duration::from_secs(60)), Err(RecvTimeoutError::Disconnected(Cause::Closed)));
    // It is passed by, too.
    let builder = || Builder::<u64>::new(dir.file());
    assert!(matches!(builder().open_receiver(), Err(OpenError::NoFreeLane { lanes: 2 })));
    drop(two);
    dir.poke(SENDER + LANE, 1 << 63);
    assert!(matches!(builder().open_receiver(), Err(OpenError::Corrupted)));
}

/// A message whose position is in order and whose bytes are none.
#[test]
fn a_message_that_is_none_stays_where_it_is() {
    for left in [false, true] {
        let dir = Scratch::new("none");
        let builder = || Builder::<bool>::new(dir.file());
        let mut tx = builder().lanes(2).capacity(8).open_sender().unwrap();
        let (mut one, mut two) = (builder().open_receiver().unwrap(), builder().open_receiver().unwrap());
        (0..8).for_each(|_| tx.send(true).unwrap());
        assert_eq!((one.len(), two.len()), (4, 4));
        dir.poke(DATA + 8, 2);
        assert_eq!(one.recv(), Ok(true));
        if left {
            drop(one);
        } else {
            assert_eq!(one.recv(), Err(RecvError(Cause::Corrupted)));
            assert_eq!(one.recv(), Err(RecvError(Cause::Corrupted)), "from then on");
        }
        assert_eq!([(); 4].map(|()| two.recv()), [Ok(true); 4]);
        let nothing = two.recv_timeout(Duration::from_millis(150));
        assert_eq!(nothing, Err(RecvTimeoutError::Timeout), "left: {left}");
        assert_eq!(tx.len(), 3);
        // Where it was found, the others' end waits for it no more.
        drop(tx);
        if left {
            assert_eq!(two.recv(), Err(RecvError(Cause::Closed)));
        }
    }
}

/// The hints may say anything.
#[test]
fn hints_decide_nothing() {
    let dir = Scratch::new("hints");
    let (mut tx, mut one, mut two) = sides(&dir);
    let mut sum = 0;
    for i in 0..100u64 {
        for at in [NEWS - 128, NEWS, NEWS - 128 + LANE, NEWS + LANE, SENDER + 2432, SENDER + 2432 + LANE] {
            dir.poke(at, i.wrapping_mul(0x1234_5678_9abc_def1));
        }
        tx.send_timeout(i, Duration::from_secs(60)).unwrap();
        while sum < (0..=i).sum() {
            for rx in [&mut one, &mut two] {
                sum += rx.recv_timeout(Duration::from_millis(1)).unwrap_or(0);
            }
        }
    }
}
