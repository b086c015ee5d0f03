//! Trees of known machines, core lists, and real pins.

mod list;
mod machines;
#[cfg(target_os = "linux")]
mod masks;
mod pins;

use std::cell::Cell;
use std::path::PathBuf;
use std::string::String;
use std::sync::LazyLock;
use std::vec::Vec;
use std::{env, format, fs, process, thread};

use super::{AffinityError, Topology, sysfs};

const VM: &str = include_str!("../../tests/fixtures/sysfs/vm-2.txt");
const AMD: &str = include_str!("../../tests/fixtures/sysfs/amd-1x16-smt-2-l3.txt");
const INTEL: &str = include_str!("../../tests/fixtures/sysfs/intel-2x8-smt-isolated.txt");
const CLUSTERS: &str = include_str!("../../tests/fixtures/sysfs/arm-2-clusters-l2.txt");
const TILES: &str = include_str!("../../tests/fixtures/sysfs/intel-hybrid-l2.txt");
const HYBRID: &str = include_str!("../../tests/fixtures/sysfs/hybrid-offline.txt");

std::thread_local! {
    /// How many trees this thread has made.
    static TREES: Cell<u32> = const { Cell::new(0) };
}

/// A directory that is removed in the end.
struct TempTree(PathBuf);

impl TempTree {
    fn new() -> Self {
        let thread: String = format!("{:?}", thread::current().id()).chars().filter(char::is_ascii_digit).collect();
        let number = TREES.replace(TREES.get() + 1);
        let root = env::temp_dir().join(format!("ringmail-sysfs-{}-{thread}-{number}", process::id()));
        fs::create_dir_all(&root).expect("the temporary directory is writable");
        Self(root)
    }

    fn write(&self, path: &str, content: &[u8]) {
        let path = self.0.join("devices/system").join(path);
        fs::create_dir_all(path.parent().expect("below the root")).expect("a fresh directory");
        fs::write(path, content).expect("a fresh file");
    }

    /// Writes the files of a manifest; its form is explained in `vm-2.txt`.
    fn write_manifest(&self, manifest: &str) {
        for line in manifest.lines().filter(|line| !line.starts_with('#')) {
            let (path, content) = line.split_once(':').expect("path: content");
            let content = format!("{}\n", content.trim());
            match path.split_once('[') {
                None => self.write(path, content.as_bytes()),
                Some((before, rest)) => {
                    let (list, after) = rest.split_once(']').expect("a closing bracket");
                    for id in ids(list) {
                        self.write(&format!("{before}{id}{after}"), content.as_bytes());
                    }
                }
            }
        }
    }
}

impl Drop for TempTree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `0-3,7` as numbers, to keep the tests readable.
fn ids(list: &str) -> Vec<usize> {
    sysfs::parse_list(list).expect("a list in ascending order")
}

fn machine(manifest: &str, allowed: &str) -> Topology {
    let tree = TempTree::new();
    tree.write_manifest(manifest);
    Topology::from_sysfs(&tree.0, &ids(allowed)).expect("the fixture has allowed cores")
}

// Made once: a large machine is some hundreds of files.
fn vm() -> &'static Topology {
    static MACHINE: LazyLock<Topology> = LazyLock::new(|| machine(VM, "0-1"));
    &MACHINE
}

fn amd() -> &'static Topology {
    static MACHINE: LazyLock<Topology> = LazyLock::new(|| machine(AMD, "0-31"));
    &MACHINE
}

/// Isolated cores are not in the mask, as on a machine booted with `isolcpus=`.
fn intel() -> &'static Topology {
    static MACHINE: LazyLock<Topology> = LazyLock::new(|| machine(INTEL, "0-11,16-27"));
    &MACHINE
}

fn hybrid() -> &'static Topology {
    static MACHINE: LazyLock<Topology> = LazyLock::new(|| machine(HYBRID, "0-7"));
    &MACHINE
}

/// Core 3 is not in the mask.
fn clusters() -> &'static Topology {
    static MACHINE: LazyLock<Topology> = LazyLock::new(|| machine(CLUSTERS, "0-2,4,6-7"));
    &MACHINE
}

fn tiles() -> &'static Topology {
    static MACHINE: LazyLock<Topology> = LazyLock::new(|| machine(TILES, "0-9"));
    &MACHINE
}

fn bad_item(topology: &Topology, list: &str) -> &'static str {
    match topology.select(list) {
        Err(AffinityError::BadItem { reason, .. }) => reason,
        other => panic!("{list:?} gave {other:?}"),
    }
}

/// Numbers that look random and are the same every time (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    /// Up to 12 pieces, stuck together.
    fn text(&mut self, pieces: &[&str]) -> String {
        (0..self.below(13)).map(|_| pieces[self.below(pieces.len())]).collect()
    }
}
