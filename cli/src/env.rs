//! The machine that a report comes from. Every field may be absent: containers hide much of this.

use std::path::Path;

use serde::Serialize;

/// Read before the run; `steal_share` after it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Env {
    pub(crate) cpu_model: Option<String>,
    /// Caches of the lowest core, such as `L1d 32K`, `L2 512K`, `L3 32768K`.
    pub(crate) caches: Vec<String>,
    pub(crate) kernel: Option<String>,
    pub(crate) os: &'static str,
    pub(crate) arch: &'static str,
    pub(crate) governor: Option<String>,
    /// `on`, `off`, `notsupported` …, in the kernel's words.
    pub(crate) smt: Option<String>,
    pub(crate) hypervisor: Option<bool>,
    /// Over the last minute, before the run.
    pub(crate) load_1m: Option<f64>,
    pub(crate) online_cores: Option<usize>,
    pub(crate) clocksource: Option<String>,
    pub(crate) isolated: Option<String>,
    /// The control group's limit, in cores.
    pub(crate) cpu_quota: Option<f64>,
    /// Share of all cores' time that the hypervisor gave to others during the run, 0 to 1.
    pub(crate) steal_share: Option<f64>,
}

impl Env {
    /// Reads this machine; `root` is `/` but for tests.
    pub(crate) fn read(root: &Path) -> Self {
        let text = |path: &str| {
            let text = std::fs::read_to_string(root.join(path)).ok()?;
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        let cpuinfo = text("proc/cpuinfo");
        let of_cpu = |key: &str| {
            let line = cpuinfo.as_ref()?.lines().find(|line| line.split(':').next().map(str::trim) == Some(key))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        const CPU: &str = "sys/devices/system/cpu";
        Self {
            cpu_model: of_cpu("model name").or_else(|| of_cpu("Model")),
            caches: caches(|file, index| text(&format!("{CPU}/cpu0/cache/index{index}/{file}"))),
            kernel: text("proc/sys/kernel/osrelease"),
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            governor: text(&format!("{CPU}/cpu0/cpufreq/scaling_governor")),
            smt: text(&format!("{CPU}/smt/control")),
            hypervisor: of_cpu("flags").map(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor")),
            load_1m: text("proc/loadavg").and_then(|text| text.split_whitespace().next()?.parse().ok()),
            online_cores: text(&format!("{CPU}/online")).and_then(|list| count(&list)),
            clocksource: text("sys/devices/system/clocksource/clocksource0/current_clocksource"),
            isolated: text(&format!("{CPU}/isolated")),
            cpu_quota: text("sys/fs/cgroup/cpu.max").and_then(|text| quota(&text)),
            steal_share: None,
        }
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

/// Cores in a list such as `0-3,7`.
fn count(list: &str) -> Option<usize> {
    list.split(',')
        .map(|part| match part.split_once('-') {
            Some((from, to)) => Some(to.parse::<usize>().ok()?.checked_sub(from.parse().ok()?)? + 1),
            None => part.parse::<usize>().ok().map(|_| 1),
        })
        .sum()
}

/// `"200000 100000"` is two cores; `"max 100000"` is no limit.
fn quota(text: &str) -> Option<f64> {
    let (quota, period) = text.split_once(' ')?;
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (period > 0.0).then_some(quota / period)
}

/// Time that the hypervisor took, and all time, of all cores together, in ticks since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Steal {
    stolen: u64,
    all: u64,
}

impl Steal {
    pub(crate) fn read(root: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(root.join("proc/stat")).ok()?;
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
    use super::*;

    #[test]
    fn a_machine_that_tells_nothing_is_all_unknown() {
        let env = Env::read(Path::new("/nonexistent"));
        assert_eq!(env, Env { os: env.os, arch: env.arch, ..Env::default() });
        assert_eq!(Steal::read(Path::new("/nonexistent")), None);
    }

    #[test]
    fn fields_are_read_from_where_linux_keeps_them() {
        let root = std::env::temp_dir().join(format!("ringmail-env-{}", std::process::id()));
        let cpu = "sys/devices/system/cpu";
        for (path, text) in [
            ("proc/cpuinfo".to_owned(), "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu hypervisor sse\n"),
            ("proc/loadavg".to_owned(), "2.31 1.0 0.5 1/100 42\n"),
            ("proc/stat".to_owned(), "cpu  10 0 10 70 0 0 0 10 0 0\ncpu0 1 1\n"),
            (format!("{cpu}/online"), "0-3,8\n"),
            (format!("{cpu}/isolated"), "\n"),
            (format!("{cpu}/cpu0/cpufreq/scaling_governor"), "powersave\n"),
            (format!("{cpu}/cpu0/cache/index0/level"), "1\n"),
            (format!("{cpu}/cpu0/cache/index0/size"), "32K\n"),
            (format!("{cpu}/cpu0/cache/index0/type"), "Data\n"),
            ("sys/fs/cgroup/cpu.max".to_owned(), "150000 100000\n"),
        ] {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let (env, steal) = (Env::read(&root), Steal::read(&root));
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(env.cpu_model.as_deref(), Some("Some CPU"));
        assert_eq!((env.hypervisor, env.load_1m, env.online_cores), (Some(true), Some(2.31), Some(5)));
        assert_eq!((env.isolated, env.governor.as_deref()), (None, Some("powersave")));
        assert_eq!((env.caches, env.cpu_quota), (vec!["L1d 32K".to_owned()], Some(1.5)));
        assert_eq!(steal, Some(Steal { stolen: 10, all: 100 }));
        assert_eq!(Steal { stolen: 15, all: 200 }.share_since(steal.unwrap()), Some(0.05));
        assert_eq!(steal.unwrap().share_since(steal.unwrap()), None);
    }

    #[test]
    fn lists_and_quotas() {
        assert_eq!((count("0-1"), count("7"), count("x"), count("3-1")), (Some(2), Some(1), None, None));
        assert_eq!((quota("max 100000"), quota("100000 0"), quota("")), (None, None, None));
    }
}
