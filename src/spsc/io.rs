//! A ring of bytes as a pipe: `std::io`'s traits on the handles.
//!
//! Only here: where senders share a receiver (`mpsc`, `fan_in`), the bytes of one would lie between those of another.

use super::{Receiver, Sender, Spsc};
use crate::channel::{RingReceiver, RingSender, SingleSender};
use std::io::{self, BufRead, ErrorKind, Read, Write};

/// Writes bytes into the ring, as into a pipe. [`Sender::try_send_slice`](crate::Sender::try_send_slice) is the verb for a thread that must not wait.
///
/// ```
/// use std::io::{BufRead, Write};
/// let (mut tx, rx) = ringmail::spsc::channel::<u8>(4096)?;
/// let writer = std::thread::spawn(move || writeln!(tx, "{} and {}", 1, 2));
/// let lines: Vec<_> = rx.lines().collect::<Result<_, _>>()?;
/// assert_eq!(lines, ["1 and 2"]);
/// writer.join().unwrap()?;
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
impl Write for Sender<u8> {
    /// Copies as many bytes as there is room for, at least one unless `bytes` is empty; waits for room if there is none. They are published together.
    ///
    /// # Errors
    /// `BrokenPipe`: the channel is closed.
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.end.push_slice(bytes) {
            0 if !bytes.is_empty() => self.write_later(bytes),
            sent => Ok(sent),
        }
    }

    /// There is nothing to do: what is written is published at once.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sender<u8> {
    #[cold]
    #[inline(never)]
    fn write_later(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut sent = 0;
        self.wait_to_push(|end| {
            sent = end.push_slice(bytes);
            sent != 0
        });
        if sent == 0 {
            self.end.drop_orphans();
            return Err(ErrorKind::BrokenPipe.into());
        }
        Ok(sent)
    }
}

/// Reads bytes out of the ring, as out of a pipe. [`Receiver::read_chunk`](crate::Receiver::read_chunk) is the verb for a thread that must not wait.
impl Read for Receiver<u8> {
    /// Moves as many bytes as there are, at least one unless `buffer` is empty; waits if there is none. 0 at the end: the channel is closed and drained.
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.wait_until_next().is_err() {
            return Ok(0);
        }
        let n = self.end.available(buffer.len() as u64);
        let (first, second) = Spsc::slices(&self.end, n);
        buffer[..first.len()].copy_from_slice(first);
        buffer[first.len()..first.len() + second.len()].copy_from_slice(second);
        self.end.skip(n);
        Ok(n as usize)
    }
}

/// The ring is the buffer: [`fill_buf`](BufRead::fill_buf) copies nothing.
impl BufRead for Receiver<u8> {
    /// The bytes that are there, up to the storage's end; waits if there is none. Empty at the end. They stay until [`consume`](BufRead::consume).
    #[inline]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.wait_until_next().is_err() {
            return Ok(&[]);
        }
        let n = self.end.available(u64::MAX);
        Ok(Spsc::slices(&self.end, n).0)
    }

    /// Frees the places of the first `n` of these bytes.
    #[inline]
    fn consume(&mut self, n: usize) {
        self.end.skip(n as u64);
    }
}
