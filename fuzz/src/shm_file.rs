//! What the targets of mapped channels share: a file of an input's own, and writes into it from outside.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// Bytes of a page; a segment is a page of header, one of the sender, one of the receiver, and data.
pub const PAGE: u64 = 4096;
/// Bytes of the header.
pub const HEADER: usize = 256;

/// A file of this input's own, gone with it.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn make() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("/dev/shm/ringmail-fuzz-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        Self(name.into())
    }

    pub fn name(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }

    pub fn file(&self) -> File {
        File::options().read(true).write(true).open(&self.0).expect("the segment is there")
    }

    pub fn words(&self) -> Words {
        Words(self.file())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Where the words of each side's sessions lie: `begun`, `epoch`, `unfenced`, `core`, `taken`, from [`PARKED`] on where it sleeps, and from
/// [`TABLE`] on what is kept of the last sessions, each in an entry of four words: how it ended, where it began, which process, when.
pub const SESSIONS: [u64; 2] = [PAGE + 256, 2 * PAGE];
pub const PARKED: u64 = 128;
pub const TABLE: u64 = 256;
pub const KEPT: u64 = 64;
/// Where the positions lie, and whether the receiver has closed.
pub const TAIL: u64 = PAGE;
pub const HEAD: u64 = 2 * PAGE + 2304;
pub const GONE: u64 = HEAD + 128;
/// Words of a page that are in use.
pub const USED: usize = 2688 / 8;

/// The words of a segment, for writes from outside the channel.
pub struct Words(pub File);

impl Words {
    pub fn get(&self, at: u64) -> u64 {
        let mut word = [0; 8];
        self.0.read_exact_at(&mut word, at).expect("a word of the segment");
        u64::from_ne_bytes(word)
    }

    /// Where a word of the table lies that a side reads: of the last of a side's sessions, or of one of the three before.
    pub fn in_table(&self, side: usize, n: u64) -> u64 {
        let session = self.get(SESSIONS[side]).wrapping_sub(n / 4 % 4);
        SESSIONS[side] + TABLE + 32 * (session % KEPT) + 8 * (n % 4)
    }

    pub fn set(&self, at: u64, word: u64) {
        self.0.write_all_at(&word.to_ne_bytes(), at).expect("a word is written");
    }
}

/// Another value than `old`, mostly: one of eight ways to change it. `capacity`: of the ring.
pub fn wild(old: u64, byte: u8, way: usize, capacity: u64) -> u64 {
    let byte = u64::from(byte);
    match way {
        0 => byte,
        1 => old.wrapping_add(byte),
        2 => old.wrapping_sub(byte),
        3 => u64::MAX - byte,
        4 => 1 << (byte % 64),
        5 => old ^ 1,
        6 => old.wrapping_add(2 * capacity + byte % 4),
        _ => byte << 56 | byte,
    }
}

/// Bit by bit: slow, and not the code that is tested.
pub fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 != 0 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}
