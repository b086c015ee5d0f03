//! Records that are written where they will lie, by copies and by slices of the ring.

use ringmail::shm::TryRecvError;
use ringmail::shm::bytes::{Builder, Receiver, Sender};
use std::io::Write;

fn records(capacity: usize) -> (Sender, Receiver) {
    let channel = Builder::create_anonymous(capacity, None).unwrap();
    let tx = Builder::from_fd(&channel).open_sender().unwrap();
    (tx, Builder::from_fd(&channel).open_receiver().unwrap())
}

/// A record written in place, by `Write`, and by turns, wherever words and the end of the ring lie.
#[test]
fn a_reservation_can_be_written_both_ways_by_turns() {
    let (mut tx, mut rx) = records(240);
    let mut body = vec![];
    for seed in 0..2000usize {
        let len = seed * 7 % 61;
        let all: Vec<u8> = (0..len).map(|i| (i * 31 + seed) as u8 | 1).collect();
        let mut record = tx.reserve(len + seed % 5).unwrap();
        let (mut at, mut step) = (0, seed);
        while at < len {
            step = step.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
            let n = ((step >> 33) % 13).min(len - at);
            let part = &all[at..at + n];
            if step >> 40 & 1 == 0 {
                record.write_all(part).unwrap();
            } else {
                let (first, second) = record.as_mut_slices();
                assert_eq!(first.len() + second.len(), len + seed % 5 - at);
                // Behind what is counted as written there may be anything.
                first.fill(0xEE);
                second.fill(0xEE);
                let in_first = n.min(first.len());
                first[..in_first].copy_from_slice(&part[..in_first]);
                second[..n - in_first].copy_from_slice(&part[in_first..]);
                record.advance(n);
            }
            at += n;
        }
        assert_eq!(record.remaining(), seed % 5);
        record.commit();
        let info = rx.try_recv_into(&mut body).unwrap();
        assert_eq!((&body, info.len, info.sequence), (&all, len, seed as u64));
    }
}

#[test]
fn advance_takes_what_remains_and_a_record_ends_in_zeros() {
    let (mut tx, mut rx) = records(4096);
    let mut record = tx.reserve(5).unwrap();
    record.as_mut_slices().0.copy_from_slice(b"abcde");
    record.advance(99);
    assert_eq!((record.remaining(), record.as_mut_slices().0.len(), record.write(b"f").unwrap()), (0, 0, 0));
    record.commit();
    // Dropped, it was never there.
    let mut record = tx.reserve(16).unwrap();
    record.as_mut_slices().0.fill(7);
    record.advance(16);
    let _ = record;
    let mut record = tx.reserve(9).unwrap();
    record.as_mut_slices().0[0] = 9;
    record.advance(1);
    record.commit();
    let record = rx.try_read_in_place().unwrap();
    assert_eq!((record.as_slices(), record.info().sequence), ((&b"abcde"[..], &b""[..]), 0));
    record.commit();
    let mut body = vec![];
    assert_eq!((rx.try_recv_into(&mut body).unwrap().sequence, &body[..]), (1, &[9][..]));
    assert_eq!(rx.try_recv_into(&mut body), Err(TryRecvError::Empty));
}
