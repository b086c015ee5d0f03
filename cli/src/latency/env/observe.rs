//! Counters of the kernel, read twice: what happened on each core meanwhile.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::env::Steal;
use crate::env::root::Root;

/// One reading.
pub(super) struct Observation {
    at: Instant,
    steal: Option<Steal>,
    /// Ticks at work and in all, per core.
    work: BTreeMap<usize, [u64; 2]>,
    interrupts: Vec<Interrupt>,
}

/// A line of `/proc/interrupts`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Interrupt {
    /// A number for a device's.
    name: String,
    /// What raises it: the last word of the line.
    source: String,
    counts: BTreeMap<usize, u64>,
}

/// What happened between two readings.
#[derive(Debug, Default)]
pub(super) struct Meanwhile {
    pub(super) steal_share: Option<f64>,
    /// Share of the time at work, 0 to 1, of the cores that the system tells of.
    pub(super) busy_share: BTreeMap<usize, f64>,
    /// Per core; empty if the system does not say.
    pub(super) interrupts: BTreeMap<usize, Rates>,
    /// Numbers of the devices' interrupts that ever came.
    pub(super) devices: Vec<u32>,
}

/// Interrupts of one core.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Rates {
    pub(super) devices_per_s: f64,
    /// The device of most, if any.
    pub(super) busiest: Option<(f64, String)>,
    /// The core's own timer.
    pub(super) timer_per_s: f64,
    /// From other cores, and of the kernel itself.
    pub(super) others_per_s: f64,
}

impl Observation {
    pub(super) fn read(root: Root<'_>) -> Self {
        Self { at: Instant::now(), steal: Steal::read(root), work: work(root), interrupts: interrupts(root) }
    }

    pub(super) fn since(&self, before: &Self) -> Meanwhile {
        let seconds = (self.at - before.at).as_secs_f64().max(1e-9);
        let mut meanwhile = Meanwhile {
            steal_share: self.steal.zip(before.steal).and_then(|(now, then)| now.share_since(then)),
            ..Meanwhile::default()
        };
        for (&core, &[busy, all]) in &self.work {
            let Some(&[busy_then, all_then]) = before.work.get(&core) else { continue };
            let all = all.saturating_sub(all_then);
            if all > 0 {
                meanwhile.busy_share.insert(core, busy.saturating_sub(busy_then) as f64 / all as f64);
            }
        }
        for interrupt in &self.interrupts {
            let device = interrupt.device();
            meanwhile.devices.extend(device.filter(|_| interrupt.counts.values().any(|&count| count > 0)));
            let then = before.interrupts.iter().find(|other| other.name == interrupt.name);
            for (&core, &count) in &interrupt.counts {
                // An interrupt that was not there before came into being meanwhile.
                let earlier = then.and_then(|then| then.counts.get(&core)).copied().unwrap_or(0);
                let rate = count.saturating_sub(earlier) as f64 / seconds;
                meanwhile.interrupts.entry(core).or_default().add(interrupt, device.is_some(), rate);
            }
        }
        meanwhile
    }
}

impl Rates {
    fn add(&mut self, interrupt: &Interrupt, is_device: bool, rate: f64) {
        if is_device {
            self.devices_per_s += rate;
            if rate > self.busiest.as_ref().map_or(0.0, |(most, _)| *most) {
                self.busiest = Some((rate, interrupt.source.clone()));
            }
        } else if interrupt.is_timer() {
            self.timer_per_s += rate;
        } else {
            self.others_per_s += rate;
        }
    }
}

impl Interrupt {
    /// Of x86 and of Arm.
    fn is_timer(&self) -> bool {
        self.name == "LOC" || self.source.contains("timer")
    }

    fn device(&self) -> Option<u32> {
        self.name.parse().ok().filter(|_| !self.is_timer())
    }
}

fn work(root: Root<'_>) -> BTreeMap<usize, [u64; 2]> {
    let text = root.text("proc/stat").unwrap_or_default();
    let core = |line: &str| {
        let (name, rest) = line.split_once(' ')?;
        let core = name.strip_prefix("cpu")?.parse().ok()?;
        // user nice system idle iowait irq softirq steal; what follows is part of user and nice.
        let ticks: Vec<u64> = rest.split_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
        let idle = ticks.get(3)? + ticks.get(4)? + ticks.get(7).unwrap_or(&0);
        let all: u64 = ticks.iter().sum();
        Some((core, [all - idle, all]))
    };
    text.lines().filter_map(core).collect()
}

fn interrupts(root: Root<'_>) -> Vec<Interrupt> {
    let text = root.text("proc/interrupts").unwrap_or_default();
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    let cores: Option<Vec<usize>> =
        head.split_whitespace().map(|name| name.strip_prefix("CPU")?.parse().ok()).collect();
    let Some(cores) = cores else { return vec![] };
    let interrupt = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        let mut words = rest.split_whitespace();
        // Lines with fewer counts, such as ERR, belong to no core.
        let counts: BTreeMap<usize, u64> =
            cores.iter().map(|&core| Some((core, words.next()?.parse().ok()?))).collect::<Option<_>>()?;
        Some(Interrupt { name: name.trim().into(), source: words.last().unwrap_or_default().into(), counts })
    };
    lines.filter_map(interrupt).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::root::fixture::Tree;

    const HEAD: &str = "           CPU0       CPU3\n";

    #[test]
    fn only_what_came_in_the_window_counts() {
        let line = |device: u64, local: u64, calls: u64| {
            format!(
                "{HEAD} 36:  {device}  100  PCI-MSIX-0000:00:02.0  1-edge  eth0-rx\n 40: 0 0 IO-APIC 5-edge unused\n\
                 LOC: {local} 5  Local timer interrupts\nCAL: {calls} 7 Function call interrupts\nERR: 9\n"
            )
        };
        let tree = Tree::new(&[
            ("proc/interrupts", &line(1000, 10, 50)),
            ("proc/stat", "cpu  5 0 0 95 0 0 0 0\ncpu0 10 0 0 90 0 0 0 0 0 0\ncpu3 1 1 1 1 1 1 1 1\ncpux 1\n"),
        ]);
        let before = Observation::read(tree.root());
        tree.write("proc/interrupts", &line(1500, 20, 50));
        tree.write("proc/stat", "cpu  5 0 0 195 0 0 0 0\ncpu0 40 0 10 130 10 5 5 0 0 0\ncpu3 1 1 1 1 1 1 1 1\n");
        let after = Observation { at: before.at + std::time::Duration::from_secs(2), ..Observation::read(tree.root()) };
        let meanwhile = after.since(&before);
        assert_eq!(meanwhile.devices, [36], "40 never came");
        let busy = Rates {
            devices_per_s: 250.0,
            busiest: Some((250.0, "eth0-rx".into())),
            timer_per_s: 5.0,
            others_per_s: 0.0,
        };
        assert_eq!((&meanwhile.interrupts[&0], &meanwhile.interrupts[&3]), (&busy, &Rates::default()));
        assert_eq!(meanwhile.busy_share.get(&0), Some(&0.5));
        assert_eq!(meanwhile.busy_share.get(&3), None, "no tick went by");
    }

    #[test]
    fn an_arm_timer_is_no_device() {
        let tree = Tree::new(&[(
            "proc/interrupts",
            &format!("{HEAD} 11:  8  9  GICv3  27 Level  arch_timer\nIPI0: 1 2 Rescheduling interrupts\n"),
        )]);
        let meanwhile = Observation::read(tree.root()).since(&Observation::read(tree.root()));
        assert_eq!((meanwhile.devices, meanwhile.interrupts.len()), (vec![], 2));
    }

    #[test]
    fn what_is_not_there_or_of_another_form_is_unknown() {
        for text in ["", "x", "CPU0 CPUx\n 1: 2 3 a\n", "CPU0\n 1: x y\n1 2\n"] {
            let tree = Tree::new(&[("proc/interrupts", text), ("proc/stat", text)]);
            let reading = Observation::read(tree.root());
            let meanwhile = reading.since(&Observation::read(tree.root()));
            assert!(meanwhile.interrupts.is_empty() && meanwhile.busy_share.is_empty(), "{text:?}");
        }
    }
}
