//! What of this machine distorts latencies, what was seen of it, and the remedy. Warnings of reports and the lines of `latency env` are of one text.

use serde::Serialize;

use crate::env::Env;
use crate::env::of_cores::{UNKNOWN, words};
use crate::report::{CoreInfo, LeftOut};
use crate::topology::{self, list};

/// Above this share of lost time, tail figures measure the machine.
pub(crate) const STOLEN: f64 = 0.01;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    Ok,
    Warn,
    /// The machine does not say.
    Unknown,
}

/// One property of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) state: State,
    /// Whether tail latencies measured in spite of it are the machine's.
    pub(crate) grave: bool,
    pub(crate) seen: String,
    pub(crate) remedy: Option<String>,
}

impl Check {
    pub(crate) fn ok(name: &'static str, seen: impl Into<String>) -> Self {
        Self { name, state: State::Ok, grave: false, seen: seen.into(), remedy: None }
    }

    pub(crate) fn warn(name: &'static str, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, state: State::Warn, grave: false, seen: seen.into(), remedy: Some(remedy.into()) }
    }

    pub(crate) fn grave(name: &'static str, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { grave: true, ..Self::warn(name, seen, remedy) }
    }

    pub(crate) fn unknown(name: &'static str) -> Self {
        Self { name, state: State::Unknown, grave: false, seen: "this system does not say".into(), remedy: None }
    }
}

/// Cores of a range in `--cores`.
pub(crate) fn left_out(cores: &[LeftOut]) -> Check {
    let name = "cores";
    let mut named: Vec<(&str, Vec<usize>)> = Vec::new();
    for LeftOut { core, why } in cores {
        match named.iter_mut().find(|(other, _)| other == why) {
            Some((_, ids)) => ids.push(*core),
            None => named.push((why, vec![*core])),
        }
    }
    if named.is_empty() {
        return Check::ok(name, "all that were asked for");
    }
    let named: Vec<String> = named.iter().map(|(why, ids)| format!("{} ({why})", list(ids))).collect();
    Check::warn(
        name,
        format!("cores that cannot be used and are left out: {}", named.join(", ")),
        "bring them online, allow them to this process, or do not name them",
    )
}

pub(crate) fn load(env: &Env) -> Check {
    let name = "load";
    let Some((load, cores)) = env.load_1m.zip(env.online_cores) else { return Check::unknown(name) };
    let seen = format!("load {load:.1} on {cores} cores in the minute before");
    if load > 0.25 * cores as f64 {
        Check::warn(name, seen, "stop other work, or name idle cores with --cores")
    } else {
        Check::ok(name, seen)
    }
}

pub(crate) fn virtual_machine(env: &Env) -> Check {
    let name = "virtual machine";
    match env.hypervisor {
        None => Check::unknown(name),
        Some(false) => Check::ok(name, "none"),
        Some(true) => Check::warn(
            name,
            "virtual machine: the host may move its cores at any time",
            "pin the virtual cores on the host, or measure on bare metal; until then trust the ratio and the ranges more than any single figure",
        ),
    }
}

pub(crate) fn steal(env: &Env) -> Check {
    let name = "stolen time";
    let Some(share) = env.steal_share else { return Check::unknown(name) };
    let seen = format!("the hypervisor gave {:.1} % of the time to other guests", share * 100.0);
    if share > STOLEN {
        Check::grave(name, seen, "measure when the host is quieter")
    } else {
        Check::ok(name, format!("{:.1} %", share * 100.0))
    }
}

pub(crate) fn governor(env: &Env) -> Check {
    let name = "governor";
    let all = &env.governors;
    let Some(seen) = words(all) else { return Check::unknown(name) };
    let slow: Vec<_> = all.iter().filter(|group| ![UNKNOWN, "performance"].contains(&group.value.as_str())).collect();
    if slow.is_empty() {
        return Check::ok(name, seen);
    }
    let mut cores: Vec<usize> = slow.iter().flat_map(|group| group.cores.iter().copied()).collect();
    cores.sort_unstable();
    let what = match slow.as_slice() {
        [one] => format!("governor {} on {}", one.value, topology::cores(&cores)),
        _ => format!("governor {seen}"),
    };
    Check::warn(name, what, format!("cpupower -c {} frequency-set -g performance", list(&cores)))
}

pub(crate) fn clocksource(env: &Env) -> Check {
    let name = "clocksource";
    match env.clocksource.as_deref() {
        None => Check::unknown(name),
        Some(source) if env.arch == "x86_64" && source != "tsc" => Check::warn(
            name,
            format!("clocksource {source}: slower and coarser than tsc"),
            "boot with tsc=reliable if the machine's counter is sound",
        ),
        Some(source) => Check::ok(name, source),
    }
}

/// `threads` is how many run at once.
pub(crate) fn quota(env: &Env, threads: usize) -> Check {
    let name = "CPU quota";
    let Some(quota) = &env.quota else { return Check::ok(name, "none seen") };
    let (cores, file, period) = (quota.cores, &quota.file, quota.period_ms);
    if cores >= threads as f64 {
        return Check::ok(name, format!("{cores} cores ({file}), enough for {threads} busy threads"));
    }
    // What lifts it differs between the two versions of control groups.
    let none = if file.ends_with("cpu.max") { "max" } else { "-1" };
    let remedy = format!(
        "lift it (as root: echo {none} > {file}), or grant {threads} cores: docker run --cpus={threads}, CPUQuota={}% of the systemd unit, \
         the cpu limit of the Kubernetes pod",
        threads * 100
    );
    let seen = format!(
        "CPU quota of {cores} cores ({file}) for {threads} busy threads: once it is used up, all of them stand still for the rest of each {period} ms"
    );
    Check::grave(name, seen, remedy)
}

pub(crate) fn throttling(env: &Env) -> Check {
    let name = "throttling";
    match env.throttled {
        None => Check::unknown(name),
        Some(throttled) if throttled.times == 0 && throttled.s == 0.0 => Check::ok(name, "none meanwhile"),
        Some(throttled) => {
            let (times, ms) = (throttled.times, throttled.s * 1e3);
            let set = env.quota.as_ref().map_or_else(String::new, |quota| format!(" ({})", quota.file));
            Check::grave(
                name,
                format!(
                    "a CPU quota{set} stopped this control group meanwhile: in {times} periods, for {ms:.0} ms of threads' time"
                ),
                "raise the quota, in a container with docker run --cpus, or stop what else runs in the group",
            )
        }
    }
}

/// Siblings that are both under test.
pub(crate) fn smt_pairs(cores: &[CoreInfo]) -> Check {
    let name = "SMT siblings";
    let both = |core: &&CoreInfo| {
        core.smt_siblings.iter().any(|id| *id > core.id && cores.iter().any(|other| other.id == *id))
    };
    match cores.iter().find(both) {
        Some(core) => Check::warn(
            name,
            format!("SMT siblings under test (cores {})", list(&core.smt_siblings)),
            "leave them out with --cores physical",
        ),
        None => Check::ok(name, "none under test together"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::cgroup::{Quota, Throttled};
    use crate::env::of_cores::OfCores;

    fn env(governors: &[(&str, &[usize])]) -> Env {
        let group = |(value, cores): &(&str, &[usize])| OfCores { value: (*value).into(), cores: cores.to_vec() };
        Env { governors: governors.iter().map(group).collect(), ..Env::default() }
    }

    #[test]
    fn the_governor_warns_of_the_cores_that_have_another() {
        let told = |groups: &[(&str, &[usize])]| {
            let check = governor(&env(groups));
            (check.state, check.seen)
        };
        assert_eq!(told(&[("performance", &[0, 1])]), (State::Ok, "performance".into()));
        assert_eq!(told(&[("performance", &[0, 1]), ("unknown", &[2])]).0, State::Ok);
        assert_eq!(told(&[]).0, State::Unknown);
        assert_eq!(
            told(&[("performance", &[0, 1, 2, 3]), ("powersave", &[4, 5, 6, 7])]),
            (State::Warn, "governor powersave on cores 4-7".into())
        );
        let remedy = governor(&env(&[("performance", &[0]), ("powersave", &[4]), ("ondemand", &[2])])).remedy;
        assert_eq!(remedy.as_deref(), Some("cpupower -c 2,4 frequency-set -g performance"));
    }

    #[test]
    fn a_quota_harms_only_if_it_is_less_than_what_runs() {
        let env = |cores, file: &str| Env {
            quota: Some(Quota { cores, period_ms: 100.0, file: file.into() }),
            ..Env::default()
        };
        assert_eq!(quota(&Env::default(), 2).state, State::Ok);
        assert_eq!(quota(&env(2.0, "/a/cpu.max"), 2).state, State::Ok);
        let v2 = quota(&env(1.5, "/a/cpu.max"), 2);
        assert!(v2.grave && v2.seen.contains("1.5 cores (/a/cpu.max)") && v2.seen.contains("each 100 ms"), "{v2:?}");
        let remedy = v2.remedy.unwrap();
        assert!(remedy.contains("echo max > /a/cpu.max") && remedy.contains("docker run --cpus=2"), "{remedy}");
        let v1 = quota(&env(0.5, "/a/cpu.cfs_quota_us"), 1).remedy.unwrap();
        assert!(v1.contains("echo -1 > /a/cpu.cfs_quota_us") && v1.contains("CPUQuota=100%"), "{v1}");
    }

    #[test]
    fn throttling_warns_when_it_grew() {
        let told = |throttled| throttling(&Env { throttled, ..Env::default() });
        assert_eq!(told(None).state, State::Unknown);
        assert_eq!(told(Some(Throttled { times: 0, s: 0.0 })).state, State::Ok);
        let grown = told(Some(Throttled { times: 12, s: 0.3 }));
        assert!(grown.grave && grown.seen.contains("in 12 periods, for 300 ms"), "{grown:?}");
    }
}
