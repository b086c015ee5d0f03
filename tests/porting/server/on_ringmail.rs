//! On `broadcast::lossy`: one ring, from which each client's thread copies.

use ringmail::BuildError;
use ringmail::broadcast::lossy::{self, Seen};
use std::io::{self, BufWriter, Write};
use std::thread;
use zerocopy::{Immutable, IntoBytes};

#[derive(Clone, Copy, IntoBytes, Immutable)]
#[repr(C)]
struct Line {
    len: u8,
    text: [u8; 247], // with the stamp of the ring: four cache lines
}

pub(super) struct Publisher(lossy::Sender<Line>);

pub(super) fn serve<S: Write + Send + 'static>(
    sockets: impl Iterator<Item = S> + Send + 'static,
    capacity: usize,
) -> Result<Publisher, BuildError> {
    let (lines, rx) = lossy::channel(capacity)?;
    thread::spawn(move || {
        for socket in sockets {
            let lines = rx.resubscribe();
            thread::spawn(move || client(socket, lines));
        }
    });
    Ok(Publisher(lines))
}

impl Publisher {
    pub(super) fn publish(&mut self, line: &str) -> io::Result<()> {
        let mut text = [0; 247];
        text.get_mut(..line.len()).ok_or(io::ErrorKind::InvalidInput)?.copy_from_slice(line.as_bytes());
        self.0.send(Line { len: line.len() as u8, text });
        Ok(())
    }
}

fn client(socket: impl Write, mut lines: lossy::Receiver<Line>) -> io::Result<()> {
    let mut out = BufWriter::new(socket);
    writeln!(out, "* welcome")?;
    loop {
        out.flush()?; // nothing is left: the client gets what there was
        let Ok(first) = lines.recv() else { return Ok(()) };
        let mut next = Some(first);
        while let Some(seen) = next {
            match seen {
                Seen::Message(line) => {
                    out.write_all(&line.text[..line.len.into()])?;
                    out.write_all(b"\n")?;
                }
                Seen::Lost(count) => writeln!(out, "* lost {count} lines")?,
            }
            next = lines.try_recv().ok();
        }
    }
}
