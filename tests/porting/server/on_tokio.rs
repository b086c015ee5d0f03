//! On tokio's `broadcast`, in threads.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::thread;
use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};

pub(super) struct Publisher(broadcast::Sender<Arc<str>>);

pub(super) fn serve<S: Write + Send + 'static>(
    sockets: impl Iterator<Item = S> + Send + 'static,
    capacity: usize,
) -> Publisher {
    let (lines, rx) = broadcast::channel(capacity);
    thread::spawn(move || {
        for socket in sockets {
            let lines = rx.resubscribe();
            thread::spawn(move || client(socket, lines));
        }
    });
    Publisher(lines)
}

impl Publisher {
    pub(super) fn publish(&mut self, line: &str) {
        let _ = self.0.send(line.into()); // an error says that there is no client
    }
}

fn client(socket: impl Write, mut lines: broadcast::Receiver<Arc<str>>) -> io::Result<()> {
    let mut out = BufWriter::new(socket);
    writeln!(out, "* welcome")?;
    loop {
        out.flush()?; // nothing is left: the client gets what there was
        let mut next = lines.blocking_recv();
        loop {
            match next {
                Ok(line) => writeln!(out, "{line}")?,
                Err(RecvError::Lagged(count)) => writeln!(out, "* lost {count} lines")?,
                Err(RecvError::Closed) => return out.flush(),
            }
            next = match lines.try_recv() {
                Ok(line) => Ok(line),
                Err(TryRecvError::Lagged(count)) => Err(RecvError::Lagged(count)),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            };
        }
    }
}
