//! In the style of tracing-appender: a writer that many threads share and that does not wait for the disk. A thread of its own writes, and what has
//! come is written when its guard is dropped.
//!
//! As it is written with crossbeam-channel. Every thread has a sender of its own, so the guard cannot close the channel: it ends the worker by a message.
//!
//! ```ignore
//! enum Msg { Line(Vec<u8>), Shutdown }
//!
//! #[derive(Clone)]
//! pub struct NonBlocking { lines: Sender<Msg>, lossy: bool, lost: Arc<AtomicU64> }
//!
//! pub struct Guard { lines: Sender<Msg>, worker: Option<JoinHandle<io::Result<()>>> }
//!
//! pub fn non_blocking(mut out: impl Write + Send + 'static, capacity: usize, lossy: bool) -> (NonBlocking, Guard) {
//!     let (tx, rx) = bounded(capacity);
//!     let worker = thread::spawn(move || loop {
//!         let mut next = rx.recv();
//!         while let Ok(Msg::Line(line)) = next {
//!             out.write_all(&line)?;
//!             next = rx.try_recv().map_err(|_| RecvError);
//!         }
//!         out.flush()?;
//!         if let Ok(Msg::Shutdown) = next { return Ok(()); }
//!     });
//!     let guard = Guard { lines: tx.clone(), worker: Some(worker) };
//!     (NonBlocking { lines: tx, lossy, lost: Arc::default() }, guard)
//! }
//!
//! impl Write for NonBlocking {
//!     fn write(&mut self, line: &[u8]) -> io::Result<usize> {
//!         let message = Msg::Line(line.to_vec());
//!         if self.lossy {
//!             self.lost.fetch_add(u64::from(self.lines.try_send(message).is_err()), Ordering::Relaxed);
//!         } else {
//!             self.lines.send(message).map_err(|_| io::ErrorKind::BrokenPipe)?;
//!         }
//!         Ok(line.len())
//!     }
//!
//!     fn flush(&mut self) -> io::Result<()> {
//!         Ok(())
//!     }
//! }
//!
//! impl Drop for Guard {
//!     fn drop(&mut self) {
//!         let _ = self.lines.send(Msg::Shutdown);
//!         if let Some(worker) = self.worker.take() {
//!             let _ = worker.join();
//!         }
//!     }
//! }
//! ```

use ringmail::BuildError;
use ringmail::mpsc::{self, SharedSender};
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

#[derive(Clone)]
struct NonBlocking {
    lines: Arc<SharedSender<Vec<u8>>>,
    lossy: bool,
    lost: Arc<AtomicU64>,
}

struct Guard {
    lines: Arc<SharedSender<Vec<u8>>>,
    worker: Option<JoinHandle<io::Result<()>>>,
}

fn non_blocking(
    mut out: impl Write + Send + 'static,
    capacity: usize,
    lossy: bool,
) -> Result<(NonBlocking, Guard), BuildError> {
    let (tx, mut rx) = mpsc::channel::<Vec<u8>>(capacity)?;
    let (lines, mut batch) = (Arc::new(tx.into_shared()), Vec::new());
    let worker = thread::spawn(move || {
        while rx.recv_many(&mut batch, 256).is_ok() {
            batch.drain(..).try_for_each(|line| out.write_all(&line))?;
            out.flush()?;
        }
        Ok(())
    });
    let guard = Guard { lines: Arc::clone(&lines), worker: Some(worker) };
    Ok((NonBlocking { lines, lossy, lost: Arc::default() }, guard))
}

impl Write for NonBlocking {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lossy {
            self.lost.fetch_add(u64::from(self.lines.try_send(line.to_vec()).is_err()), Ordering::Relaxed);
        } else {
            self.lines.send(line.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.lines.close(); // the worker writes what has come, and ends
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}

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

#[test]
fn a_logger_that_waits_loses_no_line_and_keeps_each_threads_order() {
    let disk = Disk::default();
    let (log, guard) = non_blocking(disk.clone(), 16, false).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|id| {
            let mut log = log.clone();
            thread::spawn(move || (0..500).for_each(|n| log.write_all(format!("{id} {n}\n").as_bytes()).unwrap()))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    drop(guard);
    let written = String::from_utf8(disk.0.lock().unwrap().0.clone()).unwrap();
    for id in 0..4 {
        let prefix = format!("{id} ");
        let lines = written.lines().filter_map(|line| line.strip_prefix(&prefix));
        assert!(lines.eq((0..500).map(|n| n.to_string())), "thread {id}");
    }
    let mut late = log;
    assert_eq!(late.write(b"late").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn a_lossy_logger_counts_what_it_could_not_take_and_waits_for_nothing() {
    let disk = Disk::default();
    let (mut log, guard) = non_blocking(disk.clone(), 8, true).unwrap();
    let full = disk.0.lock().unwrap(); // the disk hangs
    (0..1000).for_each(|_| log.write_all(b"line\n").unwrap());
    drop(full);
    drop(guard);
    let (written, lost) = (disk.0.lock().unwrap().0.len() / 5, log.lost.load(Ordering::Relaxed));
    assert_eq!(written as u64 + lost, 1000);
    assert!(lost >= 1000 - 8 - 256, "one batch and one ring were taken at most");
}
