//! What the kernel has: a pipe, and a pair of Unix sockets that keep messages apart. One message a call; their buffers are as large as
//! the system makes them.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use ringmail_benches::peers::{BlockRecv, BlockSend, TryRecv, TrySend};
use rustix::io::{Errno, read, write};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};

use super::{Link, Place, Ticket, inherit};
use crate::message::Parcel;

/// A pipe. The `try` verbs are those of a descriptor that does not block.
#[derive(Debug)]
pub struct Pipe;

/// Unix sockets, `SOCK_SEQPACKET`. The `try` verbs as the pipe's.
#[derive(Debug)]
pub struct Seqpacket;

/// An end: a descriptor.
#[derive(Debug)]
pub struct End(OwnedFd);

impl Pipe {
    pub(crate) fn make(blocking: bool) -> io::Result<Ticket> {
        let (rx, tx) = pipe_with(if blocking { PipeFlags::empty() } else { PipeFlags::NONBLOCK })?;
        Ok(ticket(tx, rx))
    }
}

impl Seqpacket {
    pub(crate) fn make(blocking: bool) -> io::Result<Ticket> {
        let flags = if blocking { SocketFlags::empty() } else { SocketFlags::NONBLOCK };
        let (tx, rx) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok(ticket(tx, rx))
    }
}

fn ticket(tx: OwnedFd, rx: OwnedFd) -> Ticket {
    Ticket { text: format!("{} {}", tx.as_raw_fd(), rx.as_raw_fd()), files: vec![tx, rx] }
}

/// Keeps one end and closes the other. Otherwise a side whose partner has ended would wait for its own end.
fn keep(place: &Place<'_>, which: usize) -> End {
    let numbers: Vec<i32> = place.ticket.split(' ').map(|n| n.parse().expect("a ticket of two numbers")).collect();
    // SAFETY: the runner left both open for this process, and each ticket is used once in it.
    let mut ends = [numbers[0], numbers[1]].map(|number| Some(unsafe { inherit(number) }));
    End(ends[which].take().expect("one of the two"))
}

macro_rules! link {
    ($($name:ty)*) => {$(
        impl<T: Parcel> Link<T> for $name {
            type Tx = End;
            type Rx = End;
            fn tx(place: &Place<'_>) -> End {
                keep(place, 0)
            }
            fn rx(place: &Place<'_>) -> End {
                keep(place, 1)
            }
        }
    )*};
}

link!(Pipe Seqpacket);

impl End {
    /// Writes the whole message; `false` if there was no room for its first byte.
    #[inline(always)]
    fn write(&self, mut bytes: &[u8]) -> bool {
        let whole = bytes.len();
        while !bytes.is_empty() {
            match write(&self.0, bytes) {
                Ok(n) => bytes = &bytes[n..],
                Err(Errno::AGAIN) if bytes.len() == whole => return false,
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(e) => panic!("writing: {e}"),
            }
        }
        true
    }

    /// Reads a whole message; `None` if there was not one byte of it.
    #[inline(always)]
    fn read<T: Parcel>(&self) -> Option<T> {
        let mut value = T::new_zeroed();
        let bytes = value.as_mut_bytes();
        let mut done = 0;
        while done < bytes.len() {
            match read(&self.0, &mut bytes[done..]) {
                Ok(0) => panic!("the other side ended"),
                Ok(n) => done += n,
                Err(Errno::AGAIN) if done == 0 => return None,
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(e) => panic!("reading: {e}"),
            }
        }
        Some(value)
    }
}

impl<T: Parcel> TrySend<T> for End {
    #[inline(always)]
    fn try_send(&mut self, value: T) -> bool {
        self.write(value.as_bytes())
    }
}

impl<T: Parcel> TryRecv<T> for End {
    #[inline(always)]
    fn try_recv(&mut self) -> Option<T> {
        self.read()
    }
}

impl<T: Parcel> BlockSend<T> for End {
    #[inline(always)]
    fn send(&mut self, value: T) {
        assert!(self.write(value.as_bytes()), "this end was made not to block");
    }
}

impl<T: Parcel> BlockRecv<T> for End {
    #[inline(always)]
    fn recv(&mut self) -> T {
        self.read().expect("this end was made not to block")
    }
}
