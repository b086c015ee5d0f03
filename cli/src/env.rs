//! The machine that a report comes from. Every field may be absent: containers hide much of this. No field tells the machine's name.

pub(crate) mod cgroup;
pub(crate) mod of_cores;
pub(crate) mod root;

use serde::{Deserialize, Serialize};

use cgroup::{Quota, Throttled};
use of_cores::OfCores;
use root::Root;

/// Read before the run; `steal_share` and `throttled` after it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Env {
    pub(crate) cpu_model: Option<String>,
    /// Caches of the cores under test, such as `L1d 32K, L2 512K, L3 32768K`.
    #[serde(default)]
    #[serde(deserialize_with = "of_cores::now_or_before")]
    pub(crate) caches: Vec<OfCores>,
    pub(crate) kernel: Option<String>,
    pub(crate) os: String,
    pub(crate) arch: String,
    /// Of the cores under test.
    #[serde(default)]
    pub(crate) governors: Vec<OfCores>,
    /// `on`, `off`, `notsupported` …, in the kernel's words.
    pub(crate) smt: Option<String>,
    pub(crate) hypervisor: Option<bool>,
    /// Over the last minute, before the run.
    pub(crate) load_1m: Option<f64>,
    pub(crate) online_cores: Option<usize>,
    pub(crate) clocksource: Option<String>,
    pub(crate) isolated: Option<String>,
    /// The tightest of the control groups that the process is in.
    #[serde(default)]
    pub(crate) quota: Option<Quota>,
    /// What quotas cost during the run; absent if no control group says.
    #[serde(default)]
    pub(crate) throttled: Option<Throttled>,
    /// Share of all cores' time that the hypervisor gave to others during the run, 0 to 1.
    pub(crate) steal_share: Option<f64>,
}

impl Env {
    /// Reads this machine; `root` is `/` but for tests. What belongs to single cores is empty before [`Self::read_cores`].
    pub(crate) fn read(root: Root<'_>) -> Self {
        let text = |path: &str| root.text(path);
        let cpuinfo = text("proc/cpuinfo");
        let of_cpu = |key: &str| {
            let line = cpuinfo.as_ref()?.lines().find(|line| line.split(':').next().map(str::trim) == Some(key))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        const CPU: &str = "sys/devices/system/cpu";
        Self {
            cpu_model: of_cpu("model name").or_else(|| of_cpu("Model")),
            caches: vec![],
            kernel: text("proc/sys/kernel/osrelease"),
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            governors: vec![],
            smt: text(&format!("{CPU}/smt/control")),
            hypervisor: of_cpu("flags").map(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor")),
            load_1m: text("proc/loadavg").and_then(|text| text.split_whitespace().next()?.parse().ok()),
            online_cores: root.list(&format!("{CPU}/online")).map(|list| list.len()).filter(|&count| count > 0),
            clocksource: text("sys/devices/system/clocksource/clocksource0/current_clocksource"),
            isolated: text(&format!("{CPU}/isolated")),
            quota: Quota::read(root),
            throttled: None,
            steal_share: None,
        }
    }

    /// Reads what differs from core to core.
    pub(crate) fn read_cores(&mut self, root: Root<'_>, cores: &[usize]) {
        self.governors = of_cores::group(cores, |core| root.of_core(core, "cpufreq/scaling_governor"));
        self.caches = of_cores::group(cores, |core| {
            let caches = caches(|file, index| root.of_core(core, &format!("cache/index{index}/{file}")));
            (!caches.is_empty()).then(|| caches.join(", "))
        });
    }
}

fn caches(read: impl Fn(&str, usize) -> Option<String>) -> Vec<String> {
    (0..8)
        .filter_map(|index| {
            let (level, size) = (read("level", index)?, read("size", index)?);
            let kind = match read("type", index)?.as_str() {
                "Data" => "d",
                "Instruction" => "i",
                _ => "",
            };
            Some(format!("L{level}{kind} {size}"))
        })
        .collect()
}

/// Time that the hypervisor took, and all time, of all cores together, in ticks since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Steal {
    stolen: u64,
    all: u64,
}

impl Steal {
    pub(crate) fn read(root: Root<'_>) -> Option<Self> {
        let text = root.text("proc/stat")?;
        let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let ticks: Vec<u64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
        // user nice system idle iowait irq softirq steal; what follows is part of user and nice.
        Some(Self { stolen: *ticks.get(7)?, all: ticks.iter().take(8).sum() })
    }

    /// Share stolen since an earlier reading; `None` when no tick went by.
    pub(crate) fn share_since(self, earlier: Self) -> Option<f64> {
        let all = self.all.checked_sub(earlier.all).filter(|&all| all > 0)?;
        Some(self.stolen.saturating_sub(earlier.stolen) as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::root::fixture::Tree;
    use super::*;

    const CPU: &str = "sys/devices/system/cpu";

    #[test]
    fn a_machine_that_tells_nothing_is_all_unknown() {
        let root = Root(Path::new("/nonexistent"));
        let mut env = Env::read(root);
        env.read_cores(root, &[0, 1]);
        assert_eq!(env, Env { os: env.os.clone(), arch: env.arch.clone(), ..Env::default() });
        assert_eq!(Steal::read(root), None);
    }

    #[test]
    fn fields_are_read_from_where_linux_keeps_them() {
        let tree = Tree::new(&[
            ("proc/cpuinfo", "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu hypervisor sse\n"),
            ("proc/loadavg", "2.31 1.0 0.5 1/100 42\n"),
            ("proc/stat", "cpu  10 0 10 70 0 0 0 10 0 0\ncpu0 1 1\n"),
            (&format!("{CPU}/online"), "0-3,8\n"),
            (&format!("{CPU}/isolated"), "\n"),
            ("sys/fs/cgroup/cpu.max", "150000 100000\n"),
        ]);
        let (env, steal) = (Env::read(tree.root()), Steal::read(tree.root()));
        assert_eq!(env.cpu_model.as_deref(), Some("Some CPU"));
        assert_eq!((env.hypervisor, env.load_1m, env.online_cores), (Some(true), Some(2.31), Some(5)));
        assert_eq!((env.isolated, env.quota.map(|quota| quota.cores)), (None, Some(1.5)));
        assert_eq!(steal, Some(Steal { stolen: 10, all: 100 }));
        assert_eq!(Steal { stolen: 15, all: 200 }.share_since(steal.unwrap()), Some(0.05));
        assert_eq!(steal.unwrap().share_since(steal.unwrap()), None);
    }

    #[test]
    fn governors_and_caches_are_those_of_the_cores_under_test() {
        let tree = Tree::new(&[]);
        for core in 0..8 {
            let (governor, size) = if core < 4 { ("performance", "2048K") } else { ("powersave", "4096K") };
            tree.write(&format!("{CPU}/cpu{core}/cpufreq/scaling_governor"), governor);
            for (index, level, size, kind) in [(0, "1", "32K", "Data"), (2, "2", size, "Unified")] {
                for (file, text) in [("level", level), ("size", size), ("type", kind)] {
                    tree.write(&format!("{CPU}/cpu{core}/cache/index{index}/{file}"), text);
                }
            }
        }
        let read = |cores: &[usize]| {
            let mut env = Env::read(tree.root());
            env.read_cores(tree.root(), cores);
            (of_cores::words(&env.governors).unwrap(), of_cores::words(&env.caches).unwrap())
        };
        assert_eq!(read(&[5, 6]), ("powersave".to_owned(), "L1d 32K, L2 4096K".to_owned()));
        let (governors, caches) = read(&[0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(governors, "performance (0-3), powersave (4-7)");
        assert_eq!(caches, "L1d 32K, L2 2048K (0-3); L1d 32K, L2 4096K (4-7)");
    }

    /// Reports are passed on.
    #[test]
    fn no_field_tells_the_name_of_the_machine() {
        let tree = Tree::new(&[
            ("proc/sys/kernel/hostname", "planted-host\n"),
            ("etc/hostname", "planted-host\n"),
            ("proc/version", "Linux version 6.1 (builder@planted-host) PREEMPT_DYNAMIC\n"),
            ("proc/cmdline", "root=/dev/sda ip=1.2.3.4::::planted-host:eth0\n"),
            ("proc/sys/kernel/osrelease", "6.1\n"),
            ("proc/self/cgroup", "0::/lxc.payload.planted-host\n"),
            ("sys/fs/cgroup/lxc.payload.planted-host/cpu.max", "150000 100000\n"),
        ]);
        let env = Env::read(tree.root());
        assert_eq!(env.quota.as_ref().map(|quota| quota.file.as_str()), Some("/sys/fs/cgroup/…/cpu.max"));
        let text = serde_json::to_string(&env).unwrap();
        assert!(!text.contains("planted"), "{text}");
    }
}
