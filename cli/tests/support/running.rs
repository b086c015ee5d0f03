//! The command as a child process, and its channels.

use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A folder in memory, of a test's own and gone with it.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = PathBuf::from(format!("/dev/shm/ringmail-cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A command that is killed if the test ends before it.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Starts `ringmail` with these arguments; what it says on standard error can be read.
    pub(crate) fn start(args: &[&str], input: Stdio, output: Stdio) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringmail"));
        command.args(args).stdin(input).stdout(output).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    pub(crate) fn receiver(args: &[&str], to: &str) -> Self {
        Self::start(args, Stdio::null(), File::create(to).unwrap().into())
    }

    pub(crate) fn sender(args: &[&str]) -> Self {
        Self::start(args, Stdio::piped(), Stdio::null())
    }

    /// The exit code, within a time that no right command takes, and what it said on standard error.
    pub(crate) fn end(&mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            sleep(Duration::from_millis(5));
        };
        let mut said = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (status.code(), said)
    }

    pub(crate) fn write(&mut self, text: &[u8]) {
        // A command that has ended reads no more.
        let _ = self.0.stdin.as_mut().unwrap().write_all(text);
    }

    /// The end of its input.
    pub(crate) fn finish(&mut self) {
        self.0.stdin = None;
    }

    pub(crate) fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap().success());
    }
}

/// Runs it to its end, which no right command of these takes long to come to.
pub(crate) fn run(args: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command.args(["60", env!("CARGO_BIN_EXE_ringmail")]).args(args).stdin(Stdio::null());
    command.output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(crate) fn lines(numbers: std::ops::Range<u32>) -> String {
    numbers.map(|n| format!("{n}\n")).collect()
}

/// Waits until `stat` of the channel contains `part`.
pub(crate) fn wait_for(name: &str, part: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !text(&run(&["stat", name]).stdout).contains(part) {
        assert!(Instant::now() < deadline, "{name} never had {part:?}");
        sleep(Duration::from_millis(5));
    }
}

/// Waits until the file holds as many bytes.
pub(crate) fn wait_for_bytes(path: &str, bytes: u64) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while std::fs::metadata(path).unwrap().len() < bytes {
        assert!(Instant::now() < deadline, "{path} stays short");
        sleep(Duration::from_millis(2));
    }
}

/// Runs it with a directory of names of its own.
pub(crate) fn run_in(dir: &Folder, args: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command.env("RINGMAIL_DIR", dir.0.join("names")).args(["60", env!("CARGO_BIN_EXE_ringmail")]);
    command.args(args).stdin(Stdio::null()).output().unwrap()
}
