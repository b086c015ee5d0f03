//! A ring of bytes is a pipe.

use crate::support::{ends, let_it_sleep};
use ringmail::TryRecvError;
use ringmail::spsc::{Builder, channel};
use std::io::{BufRead, ErrorKind, Read, Write};
use std::thread;

/// Bytes that tell their place.
fn pattern(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i * 7 + i / 251) as u8).collect()
}

#[test]
fn what_is_written_is_read_whatever_the_sizes() {
    for (capacity, piece, buffer) in [(1, 3, 2), (7, 5, 3), (64, 100, 9), (1000, 1, 4096)] {
        ends(move || {
            let (mut tx, mut rx) = Builder::new(capacity).start_at(u64::MAX / 2 - 3).build::<u8>().unwrap();
            let all = pattern(5000);
            let written = all.clone();
            let writer = thread::spawn(move || written.chunks(piece).for_each(|piece| tx.write_all(piece).unwrap()));
            let (mut read, mut buffer) = (Vec::new(), vec![0; buffer]);
            loop {
                match rx.read(&mut buffer).unwrap() {
                    0 => break,
                    n => read.extend_from_slice(&buffer[..n]),
                }
            }
            assert!(read == all);
            writer.join().unwrap();
        });
    }
}

#[test]
fn a_reader_gets_what_is_there_and_zero_at_the_end() {
    let (mut tx, mut rx) = channel(8).unwrap();
    assert_eq!(tx.write(b"0123456789").unwrap(), 8, "as many as fit");
    let mut buffer = [0; 16];
    assert_eq!(rx.read(&mut []).unwrap(), 0, "no wait");
    assert_eq!(rx.read(&mut buffer[..3]).unwrap(), 3);
    assert_eq!((&buffer[..3], rx.len()), (&b"012"[..], 5));
    tx.write_all(b"89").unwrap();
    assert_eq!(rx.read(&mut buffer).unwrap(), 7, "over the storage's end, too");
    assert_eq!(&buffer[..7], b"3456789");
    tx.write_all(b"x").unwrap();
    tx.flush().unwrap();
    drop(tx);
    let mut rest = String::new();
    assert_eq!(rx.read_to_string(&mut rest).unwrap(), 1);
    assert_eq!(
        (rest.as_str(), rx.read(&mut buffer).unwrap(), rx.try_recv()),
        ("x", 0, Err(TryRecvError::Disconnected))
    );
}

#[test]
fn a_writer_whose_reader_is_gone_finds_a_broken_pipe() {
    let (mut tx, rx) = channel(4).unwrap();
    assert_eq!(tx.write(b"").unwrap(), 0);
    tx.write_all(b"ab").unwrap();
    drop(rx);
    assert_eq!(tx.write(b"c").unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(tx.write_all(b"c").unwrap_err().kind(), ErrorKind::BrokenPipe);
    ends(|| {
        let (mut tx, rx) = channel(1).unwrap();
        tx.write_all(b"a").unwrap();
        let writer = thread::spawn(move || tx.write(b"b").map_err(|e| e.kind()));
        let_it_sleep();
        drop(rx);
        assert_eq!(writer.join().unwrap(), Err(ErrorKind::BrokenPipe), "also one that waits for room");
    });
}

#[test]
fn a_closed_writer_or_reader_is_a_broken_pipe_and_what_is_there_is_read() {
    let (mut tx, mut rx) = channel(4).unwrap();
    tx.write_all(b"ab").unwrap();
    rx.close();
    assert_eq!(tx.write(b"c").unwrap_err().kind(), ErrorKind::BrokenPipe);
    let mut all = Vec::new();
    assert_eq!((rx.read_to_end(&mut all).unwrap(), all.as_slice()), (2, &b"ab"[..]));
    let (mut tx, mut rx) = channel(4).unwrap();
    tx.write_all(b"ab").unwrap();
    tx.close();
    assert_eq!(tx.write(b"c").unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(rx.read_to_end(&mut all).unwrap(), 2);
}

#[test]
fn lines_are_read_where_they_lie() {
    ends(|| {
        let (mut tx, mut rx) = channel(16).unwrap();
        let writer = thread::spawn(move || (0..500).for_each(|n| writeln!(tx, "line {n}").unwrap()));
        let mut line = String::new();
        for n in 0..500 {
            line.clear();
            rx.read_line(&mut line).unwrap();
            assert_eq!(line, format!("line {n}\n"));
        }
        assert_eq!(rx.fill_buf().unwrap(), b"", "the end");
        rx.consume(0);
        writer.join().unwrap();
    });
}

#[test]
fn what_is_not_consumed_stays() {
    let (mut tx, mut rx) = channel(8).unwrap();
    tx.write_all(b"abcd").unwrap();
    assert_eq!(rx.fill_buf().unwrap(), b"abcd");
    rx.consume(1);
    assert_eq!(rx.fill_buf().unwrap(), b"bcd");
    assert_eq!((rx.len(), rx.try_recv()), (3, Ok(b'b')));
    rx.consume(1000);
    assert!(rx.is_empty(), "no more than was seen");
}
