//! The command as a shell has it: scripts in a folder of their own.
// Not every program of tests uses all of it.
#![allow(dead_code)]

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A folder in memory, of a test's own and gone with it.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = PathBuf::from(format!("/dev/shm/ringmail-laws-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }

    /// Runs the script there, within a time that no right command takes: 124 is the code if it was too long. In it `$R` is the command,
    /// `has` says whether `stat` of a channel shows a text, `pid` who has a side, `count` whether a file has as many lines; `until_` repeats a
    /// command until it succeeds.
    pub(crate) fn shell(&self, script: &str) -> Ran {
        let preamble = concat!(
            "R=",
            env!("CARGO_BIN_EXE_ringmail"),
            "\nhas() { $R stat ./$1 2>/dev/null | grep -q \"$2\"; }\n",
            "pid() { $R stat ./$1 | sed -n \"s/^$2 .*here, process \\([0-9]*\\),.*/\\1/p\"; }\n",
            "until_() { while ! \"$@\"; do sleep 0.01; done; }\n",
            "idle() { exec sleep 20 2>/dev/null; }\n",
            "count() { test $(wc -l <$1) -ge $2; }\n",
        );
        let mut command = Command::new("timeout");
        command.args(["-k", "1", "100", "bash", "-c"]).arg(format!("{preamble}{script}")).current_dir(&self.0);
        let out = command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: out.status.code(), out: text(out.stdout), err: text(out.stderr) }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// It ended well, printed this, and said nothing else.
    #[track_caller]
    pub(crate) fn is(&self, out: &str) {
        assert_eq!((self.code, &*self.out, &*self.err), (Some(0), out, ""));
    }
}
