//! On crossbeam-channel: a queue for each client, and a count of what found no room in it.

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, unbounded};
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

struct Client {
    lines: Sender<Arc<str>>,
    lost: Arc<AtomicU64>,
}

pub(super) struct Publisher {
    clients: Vec<Client>,
    joined: Receiver<Client>,
}

pub(super) fn serve<S: Write + Send + 'static>(
    sockets: impl Iterator<Item = S> + Send + 'static,
    capacity: usize,
) -> Publisher {
    let (joining, joined) = unbounded();
    thread::spawn(move || {
        for socket in sockets {
            let ((lines, rx), lost) = (bounded(capacity), Arc::<AtomicU64>::default());
            if joining.send(Client { lines, lost: Arc::clone(&lost) }).is_err() {
                return;
            }
            thread::spawn(move || client(socket, &rx, &lost));
        }
    });
    Publisher { clients: Vec::new(), joined }
}

impl Publisher {
    pub(super) fn publish(&mut self, line: &str) {
        let line = Arc::<str>::from(line);
        self.clients.extend(self.joined.try_iter());
        self.clients.retain(|client| match client.lines.try_send(Arc::clone(&line)) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                client.lost.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        });
    }
}

fn client(socket: impl Write, lines: &Receiver<Arc<str>>, lost: &AtomicU64) -> io::Result<()> {
    let mut out = BufWriter::new(socket);
    writeln!(out, "* welcome")?;
    loop {
        out.flush()?; // nothing is left: the client gets what there was
        let mut next = lines.recv().ok();
        let ended = next.is_none();
        while let Some(line) = next {
            writeln!(out, "{line}")?;
            next = lines.try_recv().ok();
        }
        match lost.swap(0, Ordering::Relaxed) {
            0 if ended => return Ok(()),
            0 => {}
            count => writeln!(out, "* lost {count} lines")?,
        }
    }
}
