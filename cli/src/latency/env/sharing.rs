//! What else runs on the cores, and on the hardware threads beside them.

use super::Under;
use super::observe::{Meanwhile, Rates};
use crate::checks::Check;
use crate::topology::{cores, list};

/// Above this share of its time, a core has other work. A kernel's own housekeeping takes less.
const BUSY: f64 = 0.05;
/// Above so many a second, tails are those of interrupts: a p99.9 of 1 µs round trips sees one in a thousand.
const DEVICES: f64 = 10.0;
const OTHERS: f64 = 100.0;

pub(super) fn other_work(under: &Under<'_>, meanwhile: &Meanwhile) -> Check {
    let name = "other work";
    let Some((most, busy)) = busy(&under.ids, meanwhile) else { return Check::unknown(name) };
    let most = most * 100.0;
    if busy.is_empty() {
        return Check::ok(name, format!("{most:.0} % of a core's time at most"));
    }
    Check::grave(
        name,
        format!("other work on {}, up to {most:.0} % of the time", cores(&busy)),
        "stop it, move it to other cores (taskset, cpuset, AllowedCPUs= of systemd units), or name idle cores with --cores",
    )
}

pub(super) fn busy_siblings(under: &Under<'_>, meanwhile: &Meanwhile) -> Check {
    let name = "busy siblings";
    let siblings = under.cores.iter().flat_map(|core| core.smt_siblings.iter().copied());
    let mut siblings: Vec<usize> = siblings.filter(|id| !under.ids.contains(id)).collect();
    siblings.sort_unstable();
    siblings.dedup();
    if siblings.is_empty() {
        return Check::ok(name, "no SMT siblings beside the cores named");
    }
    let Some((most, busy)) = busy(&siblings, meanwhile) else { return Check::unknown(name) };
    let most = most * 100.0;
    if busy.is_empty() {
        return Check::ok(
            name,
            format!("SMT siblings ({}) at work for {most:.0} % of the time at most", list(&siblings)),
        );
    }
    Check::grave(
        name,
        format!("SMT siblings ({}) at work, up to {most:.0} % of the time", list(&busy)),
        "keep them idle, or take them offline (echo 0 > /sys/devices/system/cpu/cpuN/online)",
    )
}

/// The largest share, and which cores are busy; `None` if the system tells of none of them.
fn busy(ids: &[usize], meanwhile: &Meanwhile) -> Option<(f64, Vec<usize>)> {
    let shares: Vec<(usize, f64)> = ids.iter().filter_map(|id| Some((*id, *meanwhile.busy_share.get(id)?))).collect();
    let most = shares.iter().map(|(_, share)| *share).max_by(f64::total_cmp)?;
    Some((most, shares.into_iter().filter(|(_, share)| *share > BUSY).map(|(id, _)| id).collect()))
}

pub(super) fn interrupts(under: &Under<'_>, meanwhile: &Meanwhile) -> Check {
    let name = "interrupts";
    let rates: Vec<(usize, &Rates)> =
        under.ids.iter().filter_map(|id| Some((*id, meanwhile.interrupts.get(id)?))).collect();
    let sum = |rates: &Rates| rates.devices_per_s + rates.others_per_s;
    let Some((worst, most)) = rates.iter().max_by(|a, b| sum(a.1).total_cmp(&sum(b.1))) else {
        return Check::unknown(name);
    };
    let source = match &most.busiest {
        Some((rate, source)) => format!(", {rate:.0} of them {source}"),
        None => String::new(),
    };
    let told = format!(
        "{:.0} from devices{source}, {:.0} from other cores and the kernel, {:.0} from the timer",
        most.devices_per_s, most.others_per_s, most.timer_per_s
    );
    let restless = |(_, rates): &&(usize, &Rates)| rates.devices_per_s > DEVICES || rates.others_per_s > OTHERS;
    let restless: Vec<usize> = rates.iter().filter(restless).map(|(id, _)| *id).collect();
    if restless.is_empty() {
        return Check::ok(name, format!("per second, core {worst}: {told}"));
    }
    Check::warn(
        name,
        format!("interrupts on {}; per second, core {worst}: {told}", cores(&restless)),
        "route devices to other cores (/proc/irq/N/smp_affinity_list, irqaffinity= at boot, no irqbalance), and keep other programs off these cores",
    )
}
