//! CPU quotas of the control groups that this process is in, and how often they stopped it.
//!
//! ```text
//!   /proc/self/cgroup      which group, per hierarchy        0::/a/b          4:cpu,cpuacct:/a/b
//!   /proc/self/mountinfo   where the hierarchy is mounted    cgroup2          cgroup … rw,cpu,cpuacct
//!   the group and each above it, up to the mount             cpu.max          cpu.cfs_quota_us, cpu.cfs_period_us
//!                                                            cpu.stat         cpu.stat
//! ```
//! The least quota on the way counts: each group's threads run only as long as all groups above have time left.
//! Formats: <https://docs.kernel.org/admin-guide/cgroup-v2.html>, <https://docs.kernel.org/scheduler/sched-bwc.html>.

use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use super::root::Root;

/// The tightest quota on this process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Quota {
    /// Processor time per time, so 1.5 is one and a half cores.
    pub(crate) cores: f64,
    /// Once the quota is used up, threads stand still until the period ends.
    pub(crate) period_ms: f64,
    /// The file that sets it. Names in it that tell the machine are cut short.
    pub(crate) file: String,
}

/// How long groups were stopped as their quota was used up, during the run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Throttled {
    /// Periods in which that happened.
    pub(crate) times: u64,
    pub(crate) s: f64,
}

/// One group on the way from this process's own up to the mount of its hierarchy.
struct Group {
    /// Its folder, below the root.
    folder: String,
    is_v2: bool,
}

impl Quota {
    /// The least quota of all groups that this process is in; `None` if there is none, or it cannot be seen.
    pub(crate) fn read(root: Root<'_>) -> Option<Self> {
        let host = root.host();
        let quotas = groups(root).into_iter().filter_map(|group| group.quota(root, host.as_deref()));
        quotas.min_by(|a, b| a.cores.total_cmp(&b.cores))
    }
}

impl Group {
    fn quota(&self, root: Root<'_>, host: Option<&str>) -> Option<Quota> {
        let folder = &self.folder;
        let (file, quota_us, period_us) = if self.is_v2 {
            let file = format!("{folder}/cpu.max");
            let text = root.text(&file)?;
            // "max 100000" is no quota.
            let (quota, period) = text.split_once(' ')?;
            (file, quota.parse::<f64>().ok()?, period.parse::<f64>().ok()?)
        } else {
            let file = format!("{folder}/cpu.cfs_quota_us");
            // -1 is no quota.
            let quota = root.number::<f64>(&file)?;
            (file, quota, root.number(&format!("{folder}/cpu.cfs_period_us"))?)
        };
        let sane = quota_us > 0.0 && period_us > 0.0;
        let file = format!("/{}", public(&file, host));
        sane.then(|| Quota { cores: quota_us / period_us, period_ms: period_us / 1e3, file })
    }

    fn throttling(&self, root: Root<'_>) -> Option<(u64, u64)> {
        let text = root.text(&format!("{}/cpu.stat", self.folder))?;
        let field = |name: &str| -> Option<u64> {
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
        };
        let ns = field("throttled_time").or_else(|| field("throttled_usec").map(|us| us.saturating_mul(1000)));
        Some((field("nr_throttled")?, ns?))
    }
}

/// A reading of `cpu.stat` of each group, in ns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Throttling(Vec<(String, u64, u64)>);

impl Throttling {
    pub(crate) fn read(root: Root<'_>) -> Self {
        let read = |group: Group| group.throttling(root).map(|(times, ns)| (group.folder, times, ns));
        Self(groups(root).into_iter().filter_map(read).collect())
    }

    /// What the group that was stopped longest lost since an earlier reading; `None` if no group says.
    pub(crate) fn since(&self, earlier: &Self) -> Option<Throttled> {
        let growth = |(folder, times, ns): &(String, u64, u64)| {
            let (_, times_then, ns_then) = earlier.0.iter().find(|(other, ..)| other == folder)?;
            Some((ns.saturating_sub(*ns_then), times.saturating_sub(*times_then)))
        };
        let (ns, times) = self.0.iter().filter_map(growth).max()?;
        Some(Throttled { times, s: ns as f64 / 1e9 })
    }
}

/// Whether there is any group to look at: without one, a quota may be there and hidden.
pub(crate) fn is_visible(root: Root<'_>) -> bool {
    !groups(root).is_empty()
}

/// The groups of this process in each hierarchy that rules CPU time, each with those above it.
fn groups(root: Root<'_>) -> Vec<Group> {
    let own = root.text("proc/self/cgroup").unwrap_or_default();
    // `hierarchy:controllers:path`; version 2 names no controllers.
    let group = |is_v2: bool| {
        own.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (hierarchy, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            let ours = if is_v2 { hierarchy == "0" && controllers.is_empty() } else { has(controllers, "cpu") };
            ours.then(|| path.to_owned())
        })
    };
    let mut found = Vec::new();
    for is_v2 in [true, false] {
        let path = group(is_v2).unwrap_or_else(|| "/".to_owned());
        let Some((mounted, point)) = mount(root, is_v2) else { continue };
        let mut folder = point.clone();
        let mut folders = vec![point];
        // In a container, the mount may show the process's own group as the top, and the path may lead out of it.
        let below = Path::new(&path).strip_prefix(&mounted).unwrap_or(Path::new(""));
        for part in below.components() {
            let Component::Normal(name) = part else {
                folders.truncate(1);
                break;
            };
            folder = format!("{folder}/{}", name.to_string_lossy());
            folders.push(folder.clone());
        }
        found.extend(folders.into_iter().map(|folder| Group { folder, is_v2 }));
    }
    found
}

fn has(list: &str, name: &str) -> bool {
    list.split(',').any(|item| item == name)
}

/// Which group is mounted, and where, without the slash in front: from `mountinfo`, or the usual places.
fn mount(root: Root<'_>, is_v2: bool) -> Option<(String, String)> {
    let table = root.text("proc/self/mountinfo").unwrap_or_default();
    let listed = table.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let (mut left, mut right) = (left.split(' ').skip(3), right.split(' '));
        let (kind, options) = (right.next()?, right.nth(1)?);
        let ours = if is_v2 { kind == "cgroup2" } else { kind == "cgroup" && has(options, "cpu") };
        ours.then(|| Some((unescape(left.next()?), unescape(left.next()?).trim_start_matches('/').to_owned())))?
    });
    const V2: [&str; 2] = ["sys/fs/cgroup", "sys/fs/cgroup/unified"];
    const V1: [&str; 3] = ["sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct", "sys/fs/cgroup/cpuacct,cpu"];
    let usual = if is_v2 { &V2[..] } else { &V1[..] };
    let guessed = || usual.iter().find(|place| root.is_there(place)).map(|place| ("/".to_owned(), (*place).to_owned()));
    listed.or_else(guessed)
}

/// `mountinfo` writes white space and backslashes as three octal digits.
fn unescape(text: &str) -> String {
    let pairs = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    pairs.iter().fold(text.to_owned(), |text, (code, char)| text.replace(code, char))
}

/// A path for reports, which are passed on: names of groups may hold the host's name or a container's id, which is its host name.
fn public(path: &str, host: Option<&str>) -> String {
    let public = |part: &str| {
        // systemd writes a hyphen of a name in four characters.
        let name = part.to_lowercase().replace("\\x2d", "-");
        let holds_host = host.is_some_and(|host| name.contains(host));
        let mut run = 0;
        let id = part.chars().position(|c| {
            run = if c.is_ascii_hexdigit() { run + 1 } else { 0 };
            run == 12
        });
        match id {
            _ if holds_host => "…".to_owned(),
            // The first four digits are enough to find it.
            Some(end) => format!("{}…", part.chars().take(end - 7).collect::<String>()),
            None => part.to_owned(),
        }
    };
    path.split('/').map(public).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
#[path = "cgroup_tests.rs"]
mod tests;
