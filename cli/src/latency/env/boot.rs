//! What the kernel was told at boot: which cores to leave alone.

use super::Under;
use super::observe::Meanwhile;
use crate::checks::Check;
use crate::env::root::{Root, list as numbers};
use crate::topology::{cores, list};

const CPU: &str = "sys/devices/system/cpu";

/// The cores that are not in `there`.
fn missing(under: &Under<'_>, there: &[usize]) -> Vec<usize> {
    under.ids.iter().copied().filter(|id| !there.contains(id)).collect()
}

/// How to boot with `option`, which names the cores under test. The first core is left to the system, which boots on it.
fn boot_with(under: &Under<'_>, option: &str) -> String {
    let online = under.root.list(&format!("{CPU}/online")).unwrap_or_default();
    let first = online.first().copied().unwrap_or(0);
    let others: Vec<usize> = under.ids.iter().copied().filter(|&id| id != first).collect();
    if others.len() == under.ids.len() {
        format!("boot with {option}{}", list(&others))
    } else if !others.is_empty() {
        format!("boot with {option}{}, and name those with --cores: the system needs core {first}", list(&others))
    } else if online.len() == 1 {
        "use a machine with more cores: the system needs this one".to_owned()
    } else {
        format!("name other cores, as the system needs core {first}, and boot with {option} of those")
    }
}

/// The cores that are tickless; `None` if this kernel has none, or hides them.
pub(super) fn tickless_cores(root: Root<'_>) -> Option<Vec<usize>> {
    // Without any, older kernels say "(null)".
    Some(numbers(&root.maybe_empty(&format!("{CPU}/nohz_full"))?).unwrap_or_default())
}

pub(super) fn isolation(under: &Under<'_>) -> Check {
    let name = "isolation";
    let at_boot = under.root.list(&format!("{CPU}/isolated"));
    // Partitions of cpusets, made while the system runs.
    let by_cpuset = under.root.list("sys/fs/cgroup/cpuset.cpus.isolated");
    let Some(isolated) = at_boot.or_else(|| by_cpuset.clone()) else { return Check::unknown(name) };
    let missing = missing(under, &[isolated, by_cpuset.unwrap_or_default()].concat());
    if missing.is_empty() {
        return Check::ok(name, cores(&under.ids));
    }
    Check::warn(
        name,
        format!("not isolated: {}; the scheduler puts other threads there", cores(&missing)),
        format!("{}, or move other work away with cpusets", boot_with(under, "isolcpus=managed_irq,domain,")),
    )
}

pub(super) fn tickless(under: &Under<'_>) -> Check {
    let name = "tickless cores";
    let Some(tickless) = tickless_cores(under.root) else {
        // Kernels that can do it have the file.
        return if under.root.is_there(&format!("{CPU}/online")) {
            Check::warn(
                name,
                "this kernel has no tickless cores: its timer interrupts busy threads 100 to 1000 times a second",
                "use a kernel with CONFIG_NO_HZ_FULL",
            )
        } else {
            Check::unknown(name)
        };
    };
    let missing = missing(under, &tickless);
    if missing.is_empty() {
        return Check::ok(name, format!("{} (nohz_full)", cores(&under.ids)));
    }
    Check::warn(
        name,
        format!("the timer interrupts busy threads on {} 100 to 1000 times a second", cores(&missing)),
        format!("{}, and run one thread on each", boot_with(under, "nohz_full=")),
    )
}

pub(super) fn rcu(under: &Under<'_>) -> Check {
    let name = "RCU callbacks";
    let Some(options) = under.root.text("proc/cmdline") else { return Check::unknown(name) };
    // What is tickless is offloaded, too.
    let lists = options.split_whitespace();
    let lists = lists.filter_map(|word| word.strip_prefix("rcu_nocbs=").or_else(|| word.strip_prefix("nohz_full=")));
    let highest = under.ids.last().copied().unwrap_or(0);
    let offloaded = lists.filter_map(|text| match text {
        "all" => Some(under.ids.clone()),
        // `N` is the last core.
        _ => numbers(&text.replace('N', &highest.to_string())),
    });
    let missing = missing(under, &offloaded.flatten().collect::<Vec<_>>());
    if missing.is_empty() {
        return Check::ok(name, format!("offloaded from {}", cores(&under.ids)));
    }
    Check::warn(
        name,
        format!("the kernel frees memory (RCU callbacks) on {}", cores(&missing)),
        boot_with(under, "rcu_nocbs="),
    )
}

pub(super) fn interrupt_affinity(under: &Under<'_>, meanwhile: &Meanwhile) -> Check {
    let name = "interrupt affinity";
    let goes_to = |irq: &u32| {
        let file = |kind: &str| under.root.list(&format!("proc/irq/{irq}/{kind}affinity_list"));
        file("effective_").filter(|cores| !cores.is_empty()).or_else(|| file("smp_"))
    };
    let known: Vec<(u32, Vec<usize>)> =
        meanwhile.devices.iter().filter_map(|irq| Some((*irq, goes_to(irq)?))).collect();
    if known.is_empty() {
        return Check::unknown(name);
    }
    let here = known.iter().filter(|(_, to)| to.iter().any(|core| under.ids.contains(core))).count();
    let all = known.len();
    if here == 0 {
        return Check::ok(name, format!("none of {all} devices' interrupts goes to these cores"));
    }
    Check::warn(
        name,
        format!("{here} of {all} devices' interrupts go to these cores"),
        "route them to other cores: /proc/irq/N/smp_affinity_list, irqaffinity= at boot, and IRQBALANCE_BANNED_CPULIST or no irqbalance",
    )
}
