//! An event loop on mio whose messages come from other processes: several senders, each with a lane of one mapped channel, and a socket in the
//! same `epoll`.
//!
//! ```text
//! cargo run --release --features shm --example shm_mio
//! ```
//!
//! This program starts itself again as each of the senders. The loop checks that all of their messages come, in order, and that each leaves;
//! then a datagram on the socket ends it. On Linux; elsewhere there is nothing to show.

#[cfg(not(all(target_os = "linux", feature = "shm")))]
fn main() {
    println!("channels between processes are Linux's, and of the feature shm: nothing to show here");
}

#[cfg(all(target_os = "linux", feature = "shm"))]
fn main() -> Result<(), linux::Failed> {
    linux::main()
}

#[cfg(all(target_os = "linux", feature = "shm"))]
mod linux {
    use mio::net::UnixDatagram;
    use mio::unix::SourceFd;
    use mio::{Events, Interest, Poll, Token};
    use ringmail::shm::fan_in::{Builder, Receiver, TryRecvError};
    use ringmail::shm::{Cause, Watched};
    use std::os::fd::AsRawFd;
    use std::process::{Child, Command};
    use std::time::Duration;
    use std::{io, thread};

    pub(super) type Failed = Box<dyn std::error::Error>;
    const SENDERS: usize = 3;
    const MESSAGES: u64 = 5_000;
    const CHANNEL: Token = Token(0);
    const SOCKET: Token = Token(1);

    fn channel(name: &str) -> Builder<u64> {
        Builder::new(name).lanes(SENDERS).capacity(64)
    }

    fn send(name: &str) -> Result<(), Failed> {
        let mut tx = channel(name).open_sender()?;
        for i in 0..MESSAGES {
            tx.send(i)?;
            if i % 100 == 0 {
                thread::sleep(Duration::from_micros(500)); // let the loop fall asleep
            }
        }
        Ok(())
    }

    /// Runs until the socket says so. How often it slept.
    fn run(
        rx: &mut Receiver<u64>,
        socket: &mut UnixDatagram,
        stop: &std::os::unix::net::UnixDatagram,
    ) -> Result<u64, Failed> {
        let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
        let fd = rx.wake_fd()?;
        poll.registry().register(&mut SourceFd(&fd.as_raw_fd()), CHANNEL, Interest::READABLE)?;
        poll.registry().register(socket, SOCKET, Interest::READABLE)?;
        // What is next on each lane: a lane may have one sender after the other.
        let (mut next, mut left, mut sleeps) = ([0; SENDERS], 0, 0);
        loop {
            match rx.try_recv_from() {
                Ok((lane, message)) => {
                    assert_eq!(message, next[lane], "first in, first out");
                    next[lane] += 1;
                    continue;
                }
                Err(TryRecvError::Departed(gone)) if gone.cause == Cause::Closed => {
                    assert_eq!(std::mem::take(&mut next[gone.lane]), MESSAGES, "all of a sender's messages came");
                    left += 1;
                    if left == SENDERS {
                        stop.send(b"stop")?;
                    }
                    continue;
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
                Err(other) => return Err(other.into()),
            }
            if let Some(_armed) = rx.arm()? {
                sleeps += 1;
                match poll.poll(&mut events, None) {
                    Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
                    _ => {}
                }
                if events.iter().any(|event| event.token() == SOCKET) {
                    return Ok(sleeps);
                }
            }
        }
    }

    pub(super) fn main() -> Result<(), Failed> {
        if let Some(name) = std::env::args().nth(1) {
            return send(&name);
        }
        let name = format!("example-mio-{}", std::process::id());
        let mut rx = channel(&name).open_receiver()?;
        let (stop, ours) = std::os::unix::net::UnixDatagram::pair()?;
        ours.set_nonblocking(true)?;
        let start = |_| Command::new(std::env::current_exe()?).arg(&name).spawn();
        let others: Vec<Child> = (0..SENDERS).map(start).collect::<Result<_, _>>()?;
        let sleeps = run(&mut rx, &mut UnixDatagram::from_std(ours), &stop);
        drop(rx);
        for mut other in others {
            let ended = other.wait()?;
            if !ended.success() {
                return Err(format!("a sender: {ended}").into());
            }
        }
        channel(&name).remove()?;
        let (sleeps, all) = (sleeps?, SENDERS as u64 * MESSAGES);
        println!("{all} messages of {SENDERS} processes came in order; the loop slept in mio's poll {sleeps} times");
        Ok(())
    }
}
