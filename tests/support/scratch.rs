//! Where tests of mapped channels keep their files. Each test uses a part of this.
#![allow(dead_code, unreachable_pub)]

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory of this test's own in memory, gone with it.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        // Tests of several modules may take the same name.
        static MADE: AtomicU32 = AtomicU32::new(0);
        let (process, n) = (std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let path = PathBuf::from(format!("/dev/shm/ringmail-test-{process}-{n}-{name}"));
        fs::create_dir_all(&path).expect("a scratch directory");
        Self(path)
    }

    pub fn file(&self) -> String {
        self.0.join("channel").to_string_lossy().into()
    }

    pub fn writable(&self) -> fs::File {
        fs::File::options().write(true).open(self.file()).expect("the segment")
    }

    /// Writes a word of the file, as a hostile process could.
    pub fn poke(&self, at: u64, word: u64) {
        self.writable().write_all_at(&word.to_ne_bytes(), at).expect("a word");
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
