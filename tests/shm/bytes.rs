//! Channels of records over mapped memory, and onlookers.

use crate::support::scratch::Scratch;
use ringmail::BuildError;
use ringmail::shm::bytes::{Builder, Receiver, Record, SendError, Sender, TrySendError};
use ringmail::shm::{self, Cause, Kind, OpenError, Peer, RecvError, Schema, TryRecvError};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

/// Where the words lie: behind three pages.
const DATA: u64 = 3 * 4096;
const HEADER: usize = 24;

fn both(dir: &Scratch, capacity: usize) -> (Sender, Receiver) {
    let tx = Builder::new(dir.file()).capacity(capacity).open_sender().expect("a sender");
    (tx, Builder::new(dir.file()).open_receiver().expect("a receiver"))
}

fn body(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|i| (i.wrapping_mul(31) ^ seed) as u8 | 1).collect()
}

#[test]
fn a_record_of_any_length_travels_whole_from_every_offset() {
    for words in [4, 5, 7, 8, 16, 21] {
        let dir = Scratch::new(&format!("sizes{words}"));
        let (mut tx, mut rx) = both(&dir, words * 8);
        let max = words * 8 - HEADER;
        assert_eq!((tx.capacity(), rx.capacity(), tx.max_len(), rx.max_len()), (words * 8, words * 8, max, max));
        let (mut got, mut number) = (Vec::new(), 0);
        // A record of each length moves the next ones along, so that all meet all offsets.
        for round in 0..3 * words {
            for len in 0..=max {
                let sent = body(len, round);
                tx.try_send(Record::new(&sent).kind(len as u16).version(round as u32)).unwrap();
                let info = rx.try_recv_into(&mut got).unwrap();
                assert_eq!(got, sent, "{words} words, round {round}");
                assert_eq!((info.kind, info.version, info.len), (len as u16, round as u32, len));
                assert_eq!(info.sequence, number);
                number += 1;
            }
        }
        assert_eq!(tx.sequence(), number);
        assert_eq!(rx.try_recv_into(&mut got), Err(TryRecvError::Empty));
        assert!(tx.is_empty() && rx.is_empty());
    }
}

#[test]
fn records_queue_until_the_next_has_no_room() {
    let dir = Scratch::new("queue");
    let (mut tx, mut rx) = both(&dir, 100);
    assert_eq!(tx.capacity(), 104, "rounded up to whole words");
    for len in [0, 1, 8] {
        tx.try_send(&body(len, 0)).unwrap();
    }
    // 3 + 4 + 4 words of 13: no room for another, not even an empty one.
    assert_eq!(tx.try_send(b""), Err(TrySendError::Full));
    assert_eq!(tx.send_timeout(b"", Duration::from_millis(20)), Err(SendError::Timeout));
    assert_eq!(tx.send_deadline(b"", Instant::now()), Err(SendError::Timeout));
    let mut got = Vec::new();
    for (len, sequence) in [(0, 0), (1, 1), (8, 2)] {
        assert_eq!(rx.recv_into(&mut got).unwrap().sequence, sequence);
        assert_eq!(got, body(len, 0));
    }
    assert_eq!(rx.recv_timeout_into(&mut got, Duration::from_millis(20)), Err(RecvError::Timeout));
    assert_eq!(rx.wait_for_record(Duration::ZERO), Err(RecvError::Timeout));
    tx.send("text").unwrap();
    assert_eq!(rx.wait_for_record(Duration::ZERO), Ok(()));
    assert_eq!(rx.recv_into(&mut got).unwrap().sequence, 3);
    assert_eq!(got, b"text");
}

#[test]
fn what_can_never_fit_is_told_its_limit() {
    let dir = Scratch::new("large");
    let (mut tx, _rx) = both(&dir, 64);
    let refused = tx.try_send(&[0; 41]).unwrap_err();
    assert!(matches!(refused, TrySendError::TooLarge(e) if (e.len, e.max) == (41, 40)), "{refused}");
    assert!(refused.to_string().contains("41 bytes can never fit, 40 can"), "{refused}");
    assert!(matches!(tx.send(&[0; 1 << 20]), Err(SendError::TooLarge(e)) if e.len == 1 << 20));
    assert_eq!(tx.sequence(), 0);
    tx.send(&[0; 40]).unwrap();
    let none = Builder::new(dir.file()).capacity(0).open_sender().unwrap_err();
    assert!(matches!(none, OpenError::Build(BuildError::ZeroCapacity)), "{none}");
    let most = Builder::new(dir.file()).capacity(usize::MAX).open_sender().unwrap_err();
    assert!(matches!(most, OpenError::Build(BuildError::CapacityTooLarge { .. })), "{most}");
}

#[test]
fn sequence_numbers_go_on_under_the_next_sender() {
    let dir = Scratch::new("sequence");
    let (tx, mut rx) = both(&dir, 256);
    drop(tx);
    let (mut got, mut number) = (Vec::new(), 0);
    for session in 0..20 {
        let mut tx = Builder::new(dir.file()).open_sender().unwrap();
        assert_eq!(tx.sequence(), number);
        // The one before has left.
        assert_eq!(rx.try_recv_into(&mut got), Err(TryRecvError::Disconnected(Cause::Closed)));
        for _ in 0..session % 5 {
            tx.send(b"record").unwrap();
            assert_eq!(rx.recv_into(&mut got).unwrap().sequence, number);
            number += 1;
        }
        assert_eq!(rx.try_recv_into(&mut got), Err(TryRecvError::Empty));
    }
    assert_eq!(rx.try_recv_into(&mut got), Err(TryRecvError::Disconnected(Cause::Closed)));
    assert_eq!(rx.try_recv_into(&mut got), Err(TryRecvError::Empty));
}

/// As if a sender had been killed between its note and its position: the note is of a record that nobody saw.
#[test]
fn a_note_without_its_position_counts_for_nothing() {
    let dir = Scratch::new("note");
    let (mut tx, _rx) = both(&dir, 256);
    tx.send(b"zero").unwrap();
    tx.send(b"one").unwrap();
    drop(tx);
    // Two records: the note of two is the first, that of three would be the second.
    let mut note = [0; 16];
    note[..8].copy_from_slice(&3u64.to_ne_bytes());
    note[8..].copy_from_slice(&(12u64 << 1).to_ne_bytes());
    dir.writable().write_all_at(&note, 4096 + 2560 + 16).unwrap();
    assert_eq!(Builder::new(dir.file()).open_sender().unwrap().sequence(), 2);
    // Neither note is of the position: no sender wrote that.
    dir.writable().write_all_at(&[1; 32], 4096 + 2560).unwrap();
    assert!(matches!(Builder::new(dir.file()).open_sender(), Err(OpenError::Corrupted)));
}

#[test]
fn a_header_that_cannot_be_is_an_error_for_good() {
    let at = |name: &str, offset: u64, bytes: &[u8]| {
        let dir = Scratch::new(name);
        let (mut tx, mut rx) = both(&dir, 256);
        let (mut got, corrupted) = (vec![7], Cause::Corrupted);
        tx.send(b"twelve bytes").unwrap();
        dir.writable().write_all_at(bytes, DATA + offset).unwrap();
        assert_eq!(rx.batch().try_recv_into(&mut got), Err(TryRecvError::Disconnected(corrupted)), "{name}");
        assert_eq!(rx.try_recv_into(&mut got), Err(TryRecvError::Disconnected(corrupted)), "{name}");
        assert_eq!(rx.recv_into(&mut got), Err(RecvError::Disconnected(corrupted)), "{name}");
        assert_eq!(rx.wait_for_record(Duration::from_secs(9)), Err(RecvError::Disconnected(corrupted)), "{name}");
        // Sticky, even if it becomes a header after all; and what is there was not taken.
        dir.writable().write_all_at(&[12, 0, 0, 0, 0, 0, 0, 0], DATA).unwrap();
        assert_eq!(rx.try_recv_into(&mut got), Err(TryRecvError::Disconnected(corrupted)), "{name}");
        assert_eq!(got, [7]);
        assert_eq!(rx.stats().received, 0);
    };
    at("longer", 0, &[17]);
    at("huge", 0, &[0xff; 4]);
    at("flags", 6, &[1]);
    at("flags2", 7, &[0x80]);
    at("reserved", 12, &[1]);
    at("reserved2", 15, &[0x80]);
    // A position inside a header: two words, where the least is three.
    let dir = Scratch::new("inside");
    let (mut tx, mut rx) = both(&dir, 256);
    tx.send(b"").unwrap();
    dir.writable().write_all_at(&4u64.to_ne_bytes(), 4096).unwrap();
    assert_eq!(rx.recv_into(&mut Vec::new()), Err(RecvError::Disconnected(Cause::Corrupted)));
}

/// What a batch saw of a sender that keeps no rule is not believed once the batch has been taken back.
#[test]
fn a_batch_that_is_dropped_makes_nothing_of_nonsense() {
    let corrupted = Err(TryRecvError::Disconnected(Cause::Corrupted));
    let dir = Scratch::new("dropped");
    let (mut tx, mut rx) = both(&dir, 64);
    let mut got = Vec::new();
    tx.send(&body(40, 1)).unwrap();
    let mut batch = rx.batch();
    assert!(batch.try_recv_into(&mut got).is_ok());
    // Another ring full, although nothing has been freed.
    dir.writable().write_all_at(&(16u64 << 1).to_ne_bytes(), 4096).unwrap();
    assert!(batch.try_recv_into(&mut got).is_ok());
    drop(batch);
    // As long as both together.
    dir.writable().write_all_at(&[104], DATA).unwrap();
    assert_eq!(rx.try_recv_into(&mut got), corrupted);
    assert_eq!(got.len(), 40);

    let dir = Scratch::new("dropped2");
    let (mut tx, mut rx) = both(&dir, 256);
    tx.send(b"good").unwrap();
    tx.send(b"bad").unwrap();
    dir.writable().write_all_at(&[1], DATA + 32 + 6).unwrap();
    let mut batch = rx.batch();
    assert!(batch.try_recv_into(&mut got).is_ok());
    assert_eq!(batch.try_recv_into(&mut got), corrupted);
    drop(batch);
    assert_eq!(rx.try_recv_into(&mut got), corrupted, "for good");
    drop(rx);
    let mut rx = Builder::new(dir.file()).open_receiver().unwrap();
    assert_eq!(rx.try_recv_into(&mut got).unwrap().sequence, 0, "the next receiver gets it again");
    assert_eq!(rx.try_recv_into(&mut got), corrupted);
}

#[test]
fn a_batch_is_freed_by_commit_alone() {
    let dir = Scratch::new("batch");
    let (mut tx, mut rx) = both(&dir, 256);
    let mut got = Vec::new();
    for text in ["a", "b", "c"] {
        tx.send(text).unwrap();
    }
    for _ in 0..2 {
        let mut batch = rx.batch();
        assert_eq!(batch.try_recv_into(&mut got).unwrap().sequence, 0);
        assert_eq!(batch.try_recv_into(&mut got).unwrap().sequence, 1);
    }
    let mut batch = rx.batch();
    assert_eq!(batch.try_recv_into(&mut got).unwrap().sequence, 0);
    assert_eq!(batch.commit(), 1);
    drop(rx);
    let mut rx = Builder::new(dir.file()).open_receiver().unwrap();
    drop(tx);
    let mut batch = rx.batch();
    assert_eq!(batch.try_recv_into(&mut got).unwrap().sequence, 1);
    assert_eq!(batch.try_recv_into(&mut got).unwrap().sequence, 2);
    // The end is told when its records are committed, and not before.
    assert_eq!(batch.try_recv_into(&mut got), Err(TryRecvError::Empty));
    drop(batch);
    drop(rx);
    let mut rx = Builder::new(dir.file()).open_receiver().unwrap();
    let mut batch = rx.batch();
    assert_eq!(batch.try_recv_into(&mut got).unwrap().sequence, 1);
    assert_eq!(batch.try_recv_into(&mut got).unwrap().sequence, 2);
    assert_eq!(batch.try_recv_into(&mut got), Err(TryRecvError::Empty));
    assert_eq!(batch.commit(), 2);
    assert_eq!(rx.batch().try_recv_into(&mut got), Err(TryRecvError::Disconnected(Cause::Closed)));
    assert_eq!(rx.batch().commit(), 0);
    assert!(rx.is_empty());
}

#[test]
fn two_threads_exchange_records_awake_and_asleep() {
    use ringmail::WaitStrategy::{Park, ParkAtOnce, Yield};
    for wait in [Yield, Park, ParkAtOnce] {
        let dir = Scratch::new(&format!("threads{wait:?}"));
        let name = dir.file();
        let n = if wait == ParkAtOnce { 2_000 } else { 50_000 };
        let mut tx = Builder::new(&name).capacity(200).wait(wait).open_sender().unwrap();
        let mut rx = Builder::new(&name).wait(wait).open_receiver().unwrap();
        let sending = std::thread::spawn(move || (0..n).for_each(|i| tx.send(&body(i % 177, i)).unwrap()));
        let mut got = Vec::new();
        for i in 0..n {
            assert_eq!(rx.recv_into(&mut got).unwrap().sequence, i as u64);
            assert_eq!(got, body(i % 177, i));
        }
        sending.join().unwrap();
        assert_eq!(rx.recv_into(&mut got), Err(RecvError::Disconnected(Cause::Closed)));
    }
}

#[test]
fn a_receiver_that_closed_ends_the_send() {
    let dir = Scratch::new("closed");
    let (mut tx, mut rx) = both(&dir, 256);
    rx.close();
    assert_eq!(tx.try_send(b"x"), Err(TrySendError::Disconnected(Cause::Closed)));
    assert_eq!(tx.send(b"x"), Ok(()), "told once: the next receiver may come");
    for _ in 0..2 {
        assert_eq!(rx.recv_into(&mut Vec::new()), Err(RecvError::Disconnected(Cause::Closed)), "it has closed itself");
    }
    assert_eq!(tx.peer(), Peer::Here, "the lock goes with the handle");
}

/// What was taken and not freed comes again, to this receiver and to the next; the end behind it is told once that is freed.
#[test]
fn an_uncommitted_batch_comes_again_after_the_end_behind_it() {
    let end = Err(TryRecvError::Disconnected(Cause::Closed));
    let none = Err(TryRecvError::Empty);
    for (goes_on, commits) in [(false, false), (false, true), (true, false), (true, true)] {
        let what = format!("goes on {goes_on}, commits {commits}");
        let dir = Scratch::new(&format!("again-{goes_on}-{commits}"));
        let (mut tx, mut rx) = both(&dir, 256);
        tx.send(b"one").unwrap();
        drop(tx);
        let mut next = goes_on.then(|| Builder::new(dir.file()).open_sender().unwrap());
        next.iter_mut().for_each(|tx| tx.send(b"two").unwrap());
        let two = if goes_on { Ok(1) } else { none };
        for _ in 0..2 {
            let (mut batch, mut body) = (rx.batch(), Vec::new());
            for said in [Ok(0), none, none] {
                assert_eq!(batch.try_recv_into(&mut body).map(|info| info.sequence), said, "{what}");
            }
            if commits {
                assert_eq!(batch.commit(), 1);
                for said in [end, two, none] {
                    assert_eq!(rx.try_recv_into(&mut body).map(|info| info.sequence), said, "{what}");
                }
                break;
            }
        }
        drop(rx);
        // The next one gets what was not freed, and the end behind it.
        let mut rx = Builder::new(dir.file()).missed_ends(true).open_receiver().unwrap();
        for said in if commits { vec![none] } else { vec![Ok(0), end, two, none] } {
            assert_eq!(rx.try_recv_into(&mut Vec::new()).map(|info| info.sequence), said, "{what}, the next");
        }
        drop(next);
        let last = if goes_on { end } else { none };
        assert_eq!(rx.try_recv_into(&mut Vec::new()).map(|info| info.sequence), last, "{what}");
    }
}

#[test]
fn another_channel_is_refused_with_what_differs() {
    let dir = Scratch::new("differs");
    let schema = Schema::new("quotes").version(3, 2);
    let mut tx = Builder::new(dir.file()).capacity(64).schema(schema).open_sender().unwrap();
    let other = Builder::new(dir.file()).open_receiver().unwrap_err().to_string();
    assert!(other.contains("carries quotes version 3") && other.contains("this side bytes version 1"), "{other}");
    let other = Builder::new(dir.file()).schema(schema).capacity(72).open_receiver().unwrap_err().to_string();
    assert!(other.contains("capacity in words of 8 bytes is 8, not 9"), "{other}");
    let other = shm::spsc::Builder::<u64>::new(dir.file()).open_receiver().unwrap_err().to_string();
    assert!(other.contains("kind of channel is 2, not 1"), "{other}");
    let mut rx = Builder::new(dir.file()).schema(schema.version(2, 2)).open_receiver().unwrap();
    tx.send(b"x").unwrap();
    assert_eq!(rx.recv_into(&mut Vec::new()).unwrap().version, 3, "the version of the sender's schema");
}

#[test]
fn an_onlooker_sees_both_sides_and_disturbs_neither() {
    let dir = Scratch::new("look");
    assert!(matches!(shm::look(&dir.file()), Err(OpenError::NotFound { .. })));
    assert!(matches!(shm::look("a b"), Err(OpenError::Name { .. })));
    let mut tx = Builder::new(dir.file()).capacity(256).open_sender().unwrap();
    tx.send(b"x").unwrap();
    let seen = shm::look(&dir.file()).unwrap();
    assert_eq!((seen.kind, seen.capacity, seen.message_bytes, seen.lanes[0].records), (Kind::Bytes, 32, 8, Some(1)));
    assert_eq!((seen.lanes[0].sender.state, seen.receiver.state), (Peer::Here, Peer::Never));
    assert_eq!((seen.lanes[0].sender.pid, seen.lanes[0].sender.epoch, seen.receiver.epoch), (std::process::id(), 1, 0));
    assert_eq!((seen.lanes[0].stats.sent, seen.lanes[0].stats.received, seen.lanes[0].stats.depth), (4, 0, 4));
    let mut rx = Builder::new(dir.file()).open_receiver().unwrap();
    rx.recv_into(&mut Vec::new()).unwrap();
    drop(tx);
    let seen = shm::look(&dir.file()).unwrap();
    assert_eq!((seen.lanes[0].sender.state, seen.receiver.state), (Peer::Left, Peer::Here));
    let text = seen.to_string();
    for part in ["bytes, 256 bytes", "1 sent", "sender    left, process", "receiver  here", "sent 4 received 4 depth 0"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    // A look takes nobody's side.
    drop(Builder::new(dir.file()).open_sender().unwrap());
    // A position that cannot be is a depth like any other.
    dir.writable().write_all_at(&[0xff; 8], 4096).unwrap();
    assert_eq!(shm::look(&dir.file()).unwrap().depth(), 32);
    for (at, byte) in [(0, b'X'), (20, 9), (40, 1)] {
        let dir = Scratch::new(&format!("damaged{at}"));
        drop(both(&dir, 64));
        dir.writable().write_all_at(&[byte], at).unwrap();
        assert!(matches!(shm::look(&dir.file()), Err(OpenError::NotASegment { .. })), "{at}");
    }
    let dir = Scratch::new("cut");
    drop(both(&dir, 64));
    dir.writable().set_len(4096).unwrap();
    assert!(matches!(shm::look(&dir.file()), Err(OpenError::Size { .. })));
}

#[test]
fn the_list_has_names_and_no_paths() {
    let name = format!("test-list-{}", std::process::id());
    let tx = shm::spsc::Builder::<u64>::new(&name).capacity(10).open_sender().unwrap();
    assert!(shm::list().unwrap().contains(&name));
    let seen = shm::look(&name).unwrap();
    assert_eq!((seen.kind, seen.capacity, seen.lanes[0].records), (Kind::Spsc, 10, None));
    assert!(seen.to_string().contains("spsc, 10 messages of 8 bytes"), "{seen}");
    drop(tx);
    assert!(Builder::new(&name).remove().unwrap());
    assert!(!shm::list().unwrap().contains(&name));
}

/// Written in pieces of every size, read in place: the same bytes as by way of copies, at every offset of the ring.
#[test]
fn a_record_is_written_and_read_where_it_lies() {
    use std::io::Write;
    for words in [4, 7, 8, 21] {
        let dir = Scratch::new(&format!("place{words}"));
        let (mut tx, mut rx) = both(&dir, words * 8);
        let max = words * 8 - HEADER;
        let mut split = 0;
        for round in 0..2 * words {
            for len in 0..=max {
                let sent = body(len, round);
                let mut record = tx.reserve(max).unwrap().kind(3).version(round as u32);
                for piece in sent.chunks(1 + (round + len) % 11) {
                    record.write_all(piece).unwrap();
                }
                assert_eq!(record.remaining(), max - len);
                assert_eq!(rx.try_recv_into(&mut Vec::new()), Err(TryRecvError::Empty), "not sent yet");
                let number = {
                    record.commit();
                    tx.sequence() - 1
                };
                for _ in 0..2 {
                    // Not committed: it comes again.
                    assert_eq!(rx.try_read_in_place().unwrap().info().sequence, number);
                }
                let record = rx.try_read_in_place().unwrap();
                let info = record.info();
                assert_eq!((info.kind, info.version, info.len, info.sequence), (3, round as u32, len, number));
                let (first, second) = record.as_slices();
                split += usize::from(!second.is_empty());
                assert_eq!([first, second].concat(), sent, "{words} words, round {round}");
                record.commit();
                assert!(rx.is_empty());
            }
        }
        assert!(split > 0 || words == 4, "some went on at the start, but for bodies of one word");
        let mut record = tx.reserve(2).unwrap();
        assert_eq!(record.write_all(b"abc").unwrap_err().kind(), std::io::ErrorKind::WriteZero);
        assert_eq!(rx.try_read_in_place().unwrap_err(), TryRecvError::Empty, "dropped: never there");
        let _ = tx.reserve(max).unwrap();
        tx.send(&[7; 1]).unwrap();
        assert_eq!(tx.reserve(max).unwrap_err(), TrySendError::Full);
        assert!(matches!(tx.reserve(max + 1).unwrap_err(), TrySendError::TooLarge(e) if e.max == max));
        assert_eq!(rx.try_read_in_place().unwrap().as_slices().0, [7]);
    }
}
