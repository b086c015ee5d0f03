//! Channels between processes from a terminal: the command has one of its own, as under a shell.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

#[path = "support/terminal.rs"]
mod terminal;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use terminal::Terminal;

const LIMIT: Duration = Duration::from_secs(60);

/// A folder in memory, of a test's own and gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(format!("/dev/shm/ringmail-terminal-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringmail"));
    command.args(args);
    command
}

fn wait_for(name: &str, part: &str) {
    let deadline = Instant::now() + LIMIT;
    loop {
        let seen = command(&["stat", name]).output().unwrap();
        if String::from_utf8(seen.stdout).unwrap().contains(part) {
            return;
        }
        assert!(Instant::now() < deadline, "{name} never had {part:?}");
        sleep(Duration::from_millis(5));
    }
}

fn recv(name: &str) -> (Option<i32>, String) {
    let out = Command::new("timeout").args(["60", env!("CARGO_BIN_EXE_ringmail"), "recv", name]).output().unwrap();
    (out.status.code(), String::from_utf8(out.stdout).unwrap())
}

#[test]
fn what_is_typed_is_sent_until_its_end() {
    let dir = Folder::new("typed");
    let name = dir.file("channel");
    let mut send = Terminal::start(&["send", &name], 80);
    send.types(b"one\ntwo\n");
    wait_for(&name, "2 sent");
    send.types(b"\x04");
    assert_eq!(send.code(), Some(0));
    assert_eq!(recv(&name), (Some(0), "one\ntwo\n".into()));
}

#[test]
fn ctrl_c_ends_either_side() {
    let dir = Folder::new("ctrl-c");
    let name = dir.file("channel");
    let mut send = Terminal::start(&["send", &name], 80);
    send.types(b"one\nhalf a li");
    wait_for(&name, "1 sent");
    send.types(b"\x03");
    assert_eq!(send.code(), Some(130));
    assert_eq!(recv(&name), (Some(4), "one\n".into()));
    for args in [&["recv", &*name][..], &["recv", "--follow", &*name]] {
        let mut recv = Terminal::start(args, 80);
        wait_for(&name, "receiver  here");
        sleep(Duration::from_millis(200));
        recv.types(b"\x03");
        assert_eq!(recv.code(), Some(130));
        assert_eq!(recv.screen(), "^C");
    }
}

#[test]
fn ctrl_c_ends_a_tap_and_its_sender() {
    let dir = Folder::new("ctrl-c-tap");
    let name = dir.file("channel");
    let mut send = Terminal::start(&["send", "--to", "taps", &name], 80);
    send.types(b"one\nhalf a li");
    wait_for(&name, "sent 1");
    let mut tap = Terminal::start(&["recv", "--tap", "--from-oldest", &name], 80);
    tap.shows("one");
    send.types(b"\x03");
    // The tap says how its sender ended.
    assert_eq!((send.code(), tap.code()), (Some(130), Some(4)));
    let mut tap = Terminal::start(&["recv", "--tap", "--from-oldest", "--follow", &name], 80);
    tap.shows("warning: the sender has given up");
    tap.types(b"\x03");
    assert_eq!(tap.code(), Some(130));
    let shown = tap.screen();
    assert!(shown.contains("one") && shown.contains("warning: the sender has given up"), "{shown}");
}

#[test]
fn a_terminal_that_is_closed_ends_the_session_half_way() {
    let dir = Folder::new("closed");
    let name = dir.file("channel");
    let mut send = Terminal::start(&["send", &name], 80);
    send.types(b"one\n");
    wait_for(&name, "1 sent");
    send.user = None;
    assert_eq!(send.code(), Some(128 + libc::SIGHUP));
    assert_eq!(recv(&name), (Some(4), "one\n".into()));
}

#[test]
fn a_list_fits_a_narrow_terminal() {
    let dir = Folder::new("narrow");
    let own = |args: &[&str]| {
        let mut command = command(args);
        command.env("RINGMAIL_DIR", dir.file("names"));
        command
    };
    let name = "a-channel-with-a-long-name";
    assert!(own(&["send", name]).stdin(Stdio::null()).status().unwrap().success());
    let shown = |columns| {
        let mut ls = Terminal::run(own(&["ls"]), columns);
        // Read as it comes: a terminal holds little.
        let screen = ls.screen();
        assert_eq!(ls.code(), Some(0));
        screen
    };
    let wide = shown(200);
    let row = wide.lines().nth(1).unwrap();
    assert!(row.starts_with(name) && row.contains("bytes") && row.ends_with("never"), "{wide}");
    let lines = "bytes, 0 sent\n  0 B of 1048576 B used\n  sender left\n  receiver never\n";
    assert_eq!(shown(40), format!("{name}\n  {lines}"));
}
