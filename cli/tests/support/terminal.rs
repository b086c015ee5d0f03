//! The built command on a terminal of its own, as under a shell. Not every program of tests uses all of it.
#![allow(dead_code)]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

/// The command on a terminal; killed if the test ends before it.
pub(crate) struct Terminal {
    /// What the user has in hands; `None` once the terminal is closed.
    pub(crate) user: Option<File>,
    /// What it has shown so far, as far as that was read.
    shown: Vec<u8>,
    child: Child,
}

impl Terminal {
    pub(crate) fn start(args: &[&str], columns: u16) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringmail"));
        command.args(args);
        Self::run(command, columns)
    }

    pub(crate) fn run(mut command: Command, columns: u16) -> Self {
        let size = libc::winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let (mut user, mut side) = (-1, -1);
        // SAFETY: both numbers are there to be written; no name and no settings are asked for; `size` is there to be read.
        let opened = unsafe { libc::openpty(&mut user, &mut side, std::ptr::null_mut(), std::ptr::null(), &size) };
        assert_eq!(opened, 0);
        // SAFETY: `openpty` has just opened it, for this call alone.
        let user = unsafe { File::from_raw_fd(user) };
        // SAFETY: as above.
        let side = unsafe { File::from_raw_fd(side) };
        // SAFETY: a descriptor that is open; no memory is touched. Children of other tests must not keep this end open.
        assert_eq!(unsafe { libc::fcntl(user.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) }, 0);
        let stream = || Stdio::from(side.try_clone().unwrap());
        command.stdin(stream()).stdout(stream()).stderr(stream());
        let lead = || {
            // SAFETY: no memory is touched; allowed between `fork` and `exec`.
            unsafe { libc::setsid() };
            // SAFETY: as above; standard input is the terminal by now.
            match unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) } {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        };
        // SAFETY: `lead` makes two system calls and allocates nothing.
        unsafe { command.pre_exec(lead) };
        Self { user: Some(user), shown: vec![], child: command.spawn().unwrap() }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn types(&mut self, text: &[u8]) {
        self.user.as_mut().unwrap().write_all(text).unwrap();
    }

    /// Waits until it has shown this.
    pub(crate) fn shows(&mut self, part: &str) {
        let (deadline, mut bytes) = (Instant::now() + LIMIT, [0; 4096]);
        let user = self.user.as_mut().unwrap();
        while !String::from_utf8_lossy(&self.shown).contains(part) {
            assert!(Instant::now() < deadline, "it never showed {part:?}: {}", String::from_utf8_lossy(&self.shown));
            let mut wanted = libc::pollfd { fd: user.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: one entry, there to be written.
            if unsafe { libc::poll(&mut wanted, 1, 100) } == 1 {
                let read = user.read(&mut bytes).unwrap();
                self.shown.extend_from_slice(&bytes[..read]);
            }
        }
    }

    /// The exit code.
    pub(crate) fn code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end");
            sleep(Duration::from_millis(5));
        }
    }

    /// All that it showed. To be called once it has ended.
    pub(crate) fn screen(&mut self) -> String {
        let mut bytes = std::mem::take(&mut self.shown);
        // Behind the last of it there is EIO.
        let _ = self.user.as_mut().unwrap().read_to_end(&mut bytes);
        String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
