//! How much of the cores other programs used while a slice ran. A row that they disturbed says little.

use std::fs;

/// Processor time so far, in the kernel's ticks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticks {
    /// Of the cores, by anything, the host's other guests among it.
    busy: u64,
    /// Of the cores, with what they idled.
    all: u64,
    /// By this run.
    ours: u64,
}

impl Ticks {
    /// Of these cores, and of this process, what it has waited for, and the computing process.
    pub(super) fn now(cores: &[usize], crew: Option<u32>) -> Self {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let (mut busy, mut all) = (0, 0);
        for core in cores {
            let name = format!("cpu{core} ");
            let line = stat.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or_default();
            // user, nice, system, idle, iowait, irq, softirq, steal; what guests used is among the first two.
            let spent: Vec<u64> = line.split_whitespace().take(8).map_while(|word| word.parse().ok()).collect();
            let idle: u64 = spent.iter().skip(3).take(2).sum();
            let total: u64 = spent.iter().sum();
            busy += total - idle;
            all += total;
        }
        let ours = of_process("self", true) + crew.map_or(0, |pid| of_process(&pid.to_string(), false));
        Self { busy, all, ours }
    }

    /// The share of the cores that others had after `earlier`; the ticks are too coarse for a slice of few milliseconds.
    pub(super) fn share_of_others(self, earlier: Self) -> f64 {
        let others = (self.busy - earlier.busy).saturating_sub(self.ours - earlier.ours);
        others as f64 / (self.all - earlier.all).max(1) as f64
    }
}

/// What a process has used, with or without the children that it has waited for.
fn of_process(pid: &str, children: bool) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let Some((_, fields)) = stat.rsplit_once(')') else { return 0 };
    // utime, stime, cutime and cstime are fields 14 to 17 of proc(5); the first after the name is field 3.
    let times = fields.split_whitespace().skip(14 - 3).take(if children { 4 } else { 2 });
    times.map_while(|word| word.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Ticks, of_process};

    #[test]
    fn what_this_process_computes_is_ours() {
        let before = of_process("self", true);
        let start = Instant::now();
        while of_process("self", true) < before + 3 {
            assert!(start.elapsed() < Duration::from_secs(60), "three ticks of computing");
        }
    }

    #[test]
    fn the_share_of_others_is_what_is_left_of_the_busy_time() {
        let earlier = Ticks { busy: 100, all: 1000, ours: 10 };
        assert_eq!(Ticks { busy: 150, all: 1100, ours: 50 }.share_of_others(earlier), 0.1);
        // The kernel's two ways of counting differ by some ticks.
        assert_eq!(Ticks { busy: 150, all: 1100, ours: 70 }.share_of_others(earlier), 0.0);
        assert_eq!(earlier.share_of_others(earlier), 0.0);
    }
}
