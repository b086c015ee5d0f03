//! The page that both processes of a slice map: the gate, the floor's lines, and one note per link.
//!
//! ```text
//!   floor    probes, before and after the work
//!   bare     the lines of `bare-lines`, which is the floor as a contender
//!   wake     the futex beside a channel, and the one that is a contender
//!   gate     arrivals of both sides
//!   notes    what one side must tell the other before a link stands
//! ```

use std::fs::File;
use std::hint::spin_loop;
use std::io;
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::thread::yield_now;

use crossbeam_utils::CachePadded;
use memmap2::MmapRaw;
use ringmail_benches::floor::Floor;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};

use crate::wake_latency::WakeWords;

/// Checks before a waiting side yields its core: the other may not be running yet.
const LOOKS: u32 = 10_000;
/// Longest note, in bytes.
const NOTE: usize = 1024;

/// What lies in the page. All words are zero at first.
#[derive(Debug, Default)]
pub struct SharedPage {
    /// The lines of the probes.
    pub floor: Floor,
    /// The lines of the contender `bare-lines`.
    pub bare: Floor,
    /// Of the suites in which the receiver sleeps.
    pub wake: WakeWords,
    arrivals: CachePadded<AtomicUsize>,
    notes: [Note; 2],
}

impl SharedPage {
    /// Waits for the other side.
    pub fn pass(&self) {
        let both = (self.arrivals.fetch_add(1, Ordering::AcqRel) / 2 + 1) * 2;
        wait(|| self.arrivals.load(Ordering::Acquire) >= both);
    }

    /// Tells the other side `text` about link `link`; once.
    ///
    /// # Panics
    /// It is too long.
    pub fn publish_note(&self, link: usize, text: &str) {
        let note = &self.notes[link];
        assert!(text.len() <= NOTE, "a note of {} bytes", text.len());
        for (there, byte) in note.bytes.iter().zip(text.bytes()) {
            there.store(byte, Ordering::Relaxed);
        }
        note.len.store(text.len(), Ordering::Release);
    }

    /// What the other side tells about link `link`; waits for it.
    pub fn wait_for_note(&self, link: usize) -> String {
        let note = &self.notes[link];
        wait(|| note.len.load(Ordering::Acquire) != 0);
        let bytes = note.bytes.iter().take(note.len.load(Ordering::Acquire));
        bytes.map(|byte| char::from(byte.load(Ordering::Relaxed))).collect()
    }
}

#[derive(Debug)]
struct Note {
    len: AtomicUsize,
    bytes: [AtomicU8; NOTE],
}

impl Default for Note {
    fn default() -> Self {
        Self { len: AtomicUsize::new(0), bytes: [const { AtomicU8::new(0) }; NOTE] }
    }
}

fn wait(mut until: impl FnMut() -> bool) {
    let mut looks = 0_u32;
    while !until() {
        looks = looks.saturating_add(1);
        if looks > LOOKS { yield_now() } else { spin_loop() }
    }
}

/// A page mapped here.
#[derive(Debug)]
pub struct Mapped(MmapRaw);

/// A new page that both sides inherit: memory without a name, freed when the last process closes it.
///
/// # Errors
/// The system refused.
pub fn create() -> io::Result<OwnedFd> {
    // Not closed by `exec`.
    let file = memfd_create("ringmail-ipc-bench", MemfdFlags::empty())?;
    ftruncate(&file, size_of::<SharedPage>() as u64)?;
    Ok(file)
}

impl Mapped {
    /// Maps a page that [`create`] made.
    ///
    /// # Errors
    /// The system refused, or it is none.
    pub fn new(file: OwnedFd) -> io::Result<Self> {
        let map = MmapRaw::map_raw(&File::from(file))?;
        if map.len() < size_of::<SharedPage>() {
            return Err(io::Error::other(format!("a page of {} bytes", map.len())));
        }
        Ok(Self(map))
    }
}

impl Deref for Mapped {
    type Target = SharedPage;
    fn deref(&self) -> &SharedPage {
        // SAFETY: the mapping is as long as a page, aligned to more than it asks, and lives as long as `self`; every part of a page is an
        // atomic, so any bytes are one, and both processes run this same program, which lays it out the same.
        unsafe { &*self.0.as_ptr().cast::<SharedPage>() }
    }
}
