//! On crossbeam-channel. Every thread has a sender of its own, so the guard cannot close the channel: it ends the worker by a message.

use crossbeam_channel::{RecvError, Sender, bounded};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

enum Msg {
    Line(Vec<u8>),
    Shutdown,
}

#[derive(Clone)]
pub(super) struct NonBlocking {
    lines: Sender<Msg>,
    lossy: bool,
    pub(super) lost: Arc<AtomicU64>,
}

pub(super) struct Guard {
    lines: Sender<Msg>,
    worker: Option<JoinHandle<io::Result<()>>>,
}

pub(super) fn non_blocking(mut out: impl Write + Send + 'static, capacity: usize, lossy: bool) -> (NonBlocking, Guard) {
    let (tx, rx) = bounded(capacity);
    let worker = thread::spawn(move || {
        loop {
            let mut next = rx.recv();
            while let Ok(Msg::Line(line)) = next {
                out.write_all(&line)?;
                next = rx.try_recv().map_err(|_| RecvError);
            }
            out.flush()?;
            if let Ok(Msg::Shutdown) = next {
                return Ok(());
            }
        }
    });
    let guard = Guard { lines: tx.clone(), worker: Some(worker) };
    (NonBlocking { lines: tx, lossy, lost: Arc::default() }, guard)
}

impl Write for NonBlocking {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let message = Msg::Line(line.to_vec());
        if self.lossy {
            self.lost.fetch_add(u64::from(self.lines.try_send(message).is_err()), Ordering::Relaxed);
        } else {
            self.lines.send(message).map_err(|_| io::ErrorKind::BrokenPipe)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.lines.send(Msg::Shutdown);
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}
