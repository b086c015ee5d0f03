//! On `mpsc`: one sender for all threads, which the guard closes.

use ringmail::BuildError;
use ringmail::mpsc::{self, SharedSender};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

#[derive(Clone)]
pub(super) struct NonBlocking {
    lines: Arc<SharedSender<Vec<u8>>>,
    lossy: bool,
    pub(super) lost: Arc<AtomicU64>,
}

pub(super) struct Guard {
    lines: Arc<SharedSender<Vec<u8>>>,
    worker: Option<JoinHandle<io::Result<()>>>,
}

pub(super) fn non_blocking(
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
