//! In the style of tracing-appender: a writer that many threads share and that does not wait for the disk. A thread of its own writes, and what has
//! come is written when its guard is dropped.

mod on_crossbeam;
mod on_ringmail;

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A file that counts how often it was flushed, and that can be made to wait.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<(Vec<u8>, u64)>>);

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap().1 += 1;
        Ok(())
    }
}

/// What was written by four threads, of 500 lines each.
fn written_by_four(log: impl Write + Clone + Send + 'static, guard: impl Sized, disk: &Disk) -> String {
    let threads: Vec<_> = (0..4)
        .map(|id| {
            let mut log = log.clone();
            thread::spawn(move || (0..500).for_each(|n| log.write_all(format!("{id} {n}\n").as_bytes()).unwrap()))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    drop(guard);
    assert!(disk.0.lock().unwrap().1 > 0, "it was flushed");
    String::from_utf8(disk.0.lock().unwrap().0.clone()).unwrap()
}

#[test]
fn both_loggers_that_wait_lose_no_line_and_keep_each_threads_order() {
    let disk = Disk::default();
    let (log, guard) = on_ringmail::non_blocking(disk.clone(), 16, false).unwrap();
    let mut late = log.clone();
    let ours = written_by_four(log, guard, &disk);
    assert_eq!(late.write(b"late").unwrap_err().kind(), io::ErrorKind::BrokenPipe);

    let disk = Disk::default();
    let (log, guard) = on_crossbeam::non_blocking(disk.clone(), 16, false);
    let theirs = written_by_four(log, guard, &disk);

    for written in [ours, theirs] {
        assert_eq!(written.lines().count(), 2000);
        for id in 0..4 {
            let prefix = format!("{id} ");
            let lines = written.lines().filter_map(|line| line.strip_prefix(&prefix));
            assert!(lines.eq((0..500).map(|n| n.to_string())), "thread {id}");
        }
    }
}

/// Writes 1000 lines while the disk hangs, and checks that written and lost are all of them.
fn loses_with_a_count(mut log: impl Write, guard: impl Sized, lost: &AtomicU64, disk: &Disk, batch: u64) {
    let full = disk.0.lock().unwrap(); // the disk hangs
    (0..1000).for_each(|_| log.write_all(b"line\n").unwrap());
    drop(full);
    drop(guard);
    let (written, lost) = (disk.0.lock().unwrap().0.len() / 5, lost.load(Ordering::Relaxed));
    assert_eq!(written as u64 + lost, 1000);
    assert!(lost >= 1000 - 8 - batch, "one batch and one ring were taken at most");
}

#[test]
fn both_lossy_loggers_count_what_they_could_not_take_and_wait_for_nothing() {
    let disk = Disk::default();
    let (log, guard) = on_ringmail::non_blocking(disk.clone(), 8, true).unwrap();
    let lost = Arc::clone(&log.lost);
    loses_with_a_count(log, guard, &lost, &disk, 256);

    let disk = Disk::default();
    let (log, guard) = on_crossbeam::non_blocking(disk.clone(), 8, true);
    let lost = Arc::clone(&log.lost);
    loses_with_a_count(log, guard, &lost, &disk, 1);
}
