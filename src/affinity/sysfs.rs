//! What Linux says about cores, as text files below `/sys/devices/system`.
//!
//! ```text
//!   cpu/online, cpu/present, cpu/isolated     core lists
//!   cpu/cpuN/online                           0 or 1; core 0 often has none
//!   cpu/cpuN/topology/thread_siblings_list    core list, N among them
//!   cpu/cpuN/topology/physical_package_id     number, or -1: not known
//!   cpu/cpuN/cache/indexI/level               number
//!   cpu/cpuN/cache/indexI/shared_cpu_list     core list, N among them
//!   node/nodeM/cpulist                        core list, empty if the node has memory only
//! ```
//!
//! Any of them can be missing or unreadable, and a file that is not of the kernel's form counts as missing. Formats:
//! <https://docs.kernel.org/admin-guide/cputopology.html>.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::string::String;
use std::vec::Vec;
use std::{format, vec};

use super::ids::{self, ID_LIMIT};

/// Bytes read of any one file. A core list of an 8192-core machine with every second core missing takes 20 KB.
const FILE_LIMIT: u64 = 64 * 1024;

/// Cache descriptions looked at per core. x86 and Arm machines have four or five.
const CACHES: usize = 8;

/// A tree with `devices/system` in it: `/sys`, or a copy.
pub(super) struct Sysfs {
    system: PathBuf,
}

impl Sysfs {
    pub(super) fn new(root: &Path) -> Self {
        Self { system: root.join("devices/system") }
    }

    /// Online cores.
    pub(super) fn online(&self) -> Option<Vec<usize>> {
        self.list("cpu/online")
    }

    /// Cores that the machine has, online or not.
    pub(super) fn present(&self) -> Option<Vec<usize>> {
        self.list("cpu/present")
    }

    /// Cores that the scheduler leaves alone (`isolcpus=`).
    pub(super) fn isolated(&self) -> Option<Vec<usize>> {
        self.list("cpu/isolated")
    }

    /// Whether the core itself says that it is offline.
    pub(super) fn is_offline(&self, core: usize) -> bool {
        self.text(&format!("cpu/cpu{core}/online")).is_some_and(|text| text == "0")
    }

    /// The hardware threads of `core`'s physical core.
    pub(super) fn smt_siblings(&self, core: usize) -> Option<Vec<usize>> {
        self.list(&format!("cpu/cpu{core}/topology/thread_siblings_list"))
    }

    /// The socket of `core`.
    pub(super) fn package(&self, core: usize) -> Option<usize> {
        ids::number(&self.text(&format!("cpu/cpu{core}/topology/physical_package_id"))?).ok()
    }

    /// The cores behind the same cache of that level as `core`.
    pub(super) fn cache_shared(&self, core: usize, level: &str) -> Option<Vec<usize>> {
        (0..CACHES).find_map(|index| {
            let cache = format!("cpu/cpu{core}/cache/index{index}");
            if self.text(&format!("{cache}/level"))? != level {
                return None;
            }
            self.list(&format!("{cache}/shared_cpu_list"))
        })
    }

    /// NUMA nodes by number, each with its cores.
    pub(super) fn nodes(&self) -> Vec<(usize, Vec<usize>)> {
        let Ok(entries) = fs::read_dir(self.system.join("node")) else { return vec![] };
        let mut nodes: Vec<_> = entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name();
                let node = ids::number(name.to_str()?.strip_prefix("node")?).ok()?;
                Some((node, self.list(&format!("node/node{node}/cpulist"))?))
            })
            .collect();
        nodes.sort_unstable();
        nodes
    }

    fn list(&self, path: &str) -> Option<Vec<usize>> {
        parse_list(&self.text(path)?)
    }

    fn text(&self, path: &str) -> Option<String> {
        let mut text = String::new();
        File::open(self.system.join(path)).ok()?.take(FILE_LIMIT).read_to_string(&mut text).ok()?;
        Some(text.trim().into())
    }
}

/// A core list as the kernel prints it: ascending numbers and ranges; empty text is an empty list.
///
/// Ascending order is required because it bounds the result: the same range repeated would not end.
pub(super) fn parse_list(text: &str) -> Option<Vec<usize>> {
    let mut list: Vec<usize> = vec![];
    if text.is_empty() {
        return Some(list);
    }
    for part in text.split(',') {
        let (first, last) = ids::range(part).ok()?;
        if last >= ID_LIMIT || list.last().is_some_and(|&before| first <= before) {
            return None;
        }
        list.extend(first..=last);
    }
    Some(list)
}
