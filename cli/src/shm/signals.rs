//! Signals that end a verb in order. A signal interrupts the call that the verb's only thread is in.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use crate::failure::Failure;

/// Longest wait without a check for signals.
pub(super) const TICK: Duration = Duration::from_millis(100);
/// Bytes read or written in one go.
pub(super) const CHUNK: usize = 1 << 16;

/// The first signal that came; 0 before.
static CAUGHT: AtomicI32 = AtomicI32::new(0);

extern "C" fn note(signal: libc::c_int) {
    let _ = CAUGHT.compare_exchange(0, signal, Ordering::Relaxed, Ordering::Relaxed);
    // A signal between a check of `CAUGHT` and a call that blocks does not end that call. The alarm does, a second later.
    // SAFETY: the call may be made in a handler of signals; it sets a timer and touches no memory.
    unsafe { libc::alarm(1) };
}

/// Notes SIGINT, SIGTERM, SIGHUP and SIGALRM from now on, except those that this process was started to ignore. A write beyond the limit of
/// a file's size becomes an error and does not end the process.
pub(super) fn watch() -> Result<(), Failure> {
    let failed = || Failure::failed(format!("cannot watch for signals: {}", io::Error::last_os_error()));
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGALRM] {
        // SAFETY: all zeros is a `sigaction`: the default action, no flags, an empty mask.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: `action` is there to be written; nothing is changed.
        if unsafe { libc::sigaction(signal, std::ptr::null(), &mut action) } != 0 {
            return Err(failed());
        }
        if action.sa_sigaction == libc::SIG_IGN {
            continue;
        }
        // No SA_RESTART: a call that blocks ends with EINTR.
        action.sa_flags = 0;
        action.sa_sigaction = note as extern "C" fn(libc::c_int) as libc::sighandler_t;
        // SAFETY: `note` has the type that a handler without SA_SIGINFO needs, and does only what a handler may.
        if unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) } != 0 {
            return Err(failed());
        }
    }
    // SAFETY: no handler is installed.
    match unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) } {
        libc::SIG_ERR => Err(failed()),
        _ => Ok(()),
    }
}

/// The exit code, if a signal came.
pub(super) fn caught() -> Option<u8> {
    match CAUGHT.load(Ordering::Relaxed) {
        0 => None,
        // There are 64 signals.
        signal => Some(128 + signal as u8),
    }
}

/// Standard input or output without a buffer. A signal ends its calls with an error: see [`caught`].
pub(super) struct Stream(File);

impl Stream {
    pub(super) fn new(stream: &impl AsFd, name: &str) -> Result<Self, Failure> {
        let descriptor = stream.as_fd().try_clone_to_owned();
        let file = descriptor.map(File::from);
        file.map(Self).map_err(|error| Failure::failed(format!("cannot use standard {name}: {error}")))
    }

    /// Repeats the call until it is done. The process at the other end may have made the descriptor one that does not block.
    fn call<R>(&mut self, events: i16, mut call: impl FnMut(&mut File) -> io::Result<R>) -> io::Result<R> {
        loop {
            if caught().is_some() {
                return Err(io::Error::other("interrupted"));
            }
            match call(&mut self.0) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let mut poll = libc::pollfd { fd: self.0.as_raw_fd(), events, revents: 0 };
                    // SAFETY: one `pollfd` is passed, and it can be written. Its result is not used: the call is tried again in any case.
                    unsafe { libc::poll(&mut poll, 1, TICK.as_millis() as libc::c_int) };
                }
                done => return done,
            }
        }
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.call(libc::POLLIN, |file| file.read(bytes))
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.call(libc::POLLOUT, |file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
