//! Machines as trees of files: one that is set up for latency, its faults one by one, and one that tells nothing.

use super::*;
use crate::env::root::fixture::Tree;
use crate::render::color::Depth;
use crate::render::text::Look;

const CPU: &str = "sys/devices/system/cpu";
const INTERRUPTS: &str =
    "    CPU0 CPU1 CPU2 CPU3 CPU6 CPU7\n 36: 500 0 0 0 0 0 PCI-MSI 1-edge eth0\nLOC: 9 9 9 9 9 9 Local timer\n";
const STAT: &str = "cpu 1 0 0 1 0 0 0 0\ncpu2 10 0 0 90 0 0 0 0\ncpu3 10 0 0 90 0 0 0 0\ncpu6 10 0 0 90 0 0 0 0\ncpu7 10 0 0 90 0 0 0 0\n";
/// A second later, all idle.
const LATER: &str = "cpu 1 0 0 101 0 0 0 0\ncpu2 10 0 0 190 0 0 0 0\ncpu3 10 0 0 190 0 0 0 0\ncpu6 10 0 0 190 0 0 0 0\ncpu7 10 0 0 190 0 0 0 0\n";
const LIMITS: &str = "Limit  Soft Limit  Hard Limit  Units\nMax locked memory  unlimited  unlimited  bytes\nMax realtime priority  99  99\n";

/// Cores 2 and 3 of a machine on which all is done for latency; 6 and 7 are their siblings.
fn tuned() -> Tree {
    let tree = Tree::new(&[
        ("proc/cpuinfo", "flags : fpu sse\n"),
        ("proc/loadavg", "0.10 0.1 0.1 1/9 9\n"),
        ("proc/stat", STAT),
        ("proc/interrupts", INTERRUPTS),
        ("proc/irq/36/effective_affinity_list", "0\n"),
        ("proc/cmdline", "quiet isolcpus=2-3 nohz_full=2-3 rcu_nocbs=2-N\n"),
        ("proc/swaps", "Filename Type Size Used Priority\n"),
        ("proc/self/limits", LIMITS),
        ("proc/version", "Linux version 6.1 (builder@planted-host) #1 SMP PREEMPT_DYNAMIC\n"),
        ("proc/sys/kernel/hostname", "planted-host\n"),
        ("proc/sys/kernel/numa_balancing", "0\n"),
        ("proc/sys/kernel/timer_migration", "0\n"),
        ("proc/sys/kernel/nmi_watchdog", "0\n"),
        ("proc/sys/kernel/watchdog", "0\n"),
        ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
        ("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"),
        ("sys/devices/system/node/node0/cpulist", "0-7\n"),
        ("sys/devices/system/node/node1/cpulist", "\n"),
        ("sys/fs/cgroup/cpu.stat", "nr_throttled 0\nthrottled_usec 0\n"),
    ]);
    for (file, text) in [
        ("online", "0-7\n"),
        ("isolated", "2-3\n"),
        ("nohz_full", "2-3\n"),
        ("intel_pstate/no_turbo", "1\n"),
        ("cpuidle/current_driver", "intel_idle\n"),
        ("vulnerabilities/spectre_v2", "Mitigation: Retpolines\n"),
        ("vulnerabilities/mds", "Not affected\n"),
    ] {
        tree.write(&format!("{CPU}/{file}"), text);
    }
    for core in [2, 3] {
        for (file, text) in [
            ("cpufreq/scaling_governor", "performance\n"),
            ("cpufreq/energy_performance_preference", "performance\n"),
            ("cpuidle/state0/name", "POLL\n"),
            ("cpuidle/state0/latency", "0\n"),
            ("cpuidle/state1/name", "C1\n"),
            ("cpuidle/state1/latency", "2\n"),
            ("cpuidle/state2/name", "C6\n"),
            ("cpuidle/state2/latency", "133\n"),
            ("cpuidle/state2/disable", "1\n"),
        ] {
            tree.write(&format!("{CPU}/cpu{core}/{file}"), text);
        }
    }
    tree
}

fn under(tree: &Tree) -> Under<'_> {
    let core = |id: usize| CoreInfo {
        id,
        smt_siblings: vec![id, id + 4],
        l2: None,
        l3: Some(0),
        node: Some(0),
        package: Some(0),
        isolated: true,
    };
    Under { root: tree.root(), cores: vec![core(2), core(3)], ids: vec![2, 3], left_out: vec![] }
}

/// Files change in the window.
fn checks(tree: &Tree, later: &[(&str, &str)]) -> Vec<Check> {
    under(tree).checks(|| {
        tree.write("proc/stat", LATER);
        later.iter().for_each(|(path, text)| tree.write(path, text));
        // Rates are by the clock, so some time must go by.
        std::thread::sleep(Duration::from_millis(20));
    })
}

fn findings(tree: &Tree) -> Findings {
    let checks = checks(tree, &[]);
    let (verdict, sentence) = verdict::find(&checks, &[2, 3]);
    let (version, cores) = ("9.9.9", vec![2, 3]);
    Findings { schema: SCHEMA, version, started_unix_s: 0, window_s: 1.0, cores, verdict, sentence, checks }
}

#[test]
fn a_machine_set_up_for_latency_is_fit_and_all_is_known() {
    let tree = tuned();
    // Without a hypervisor, no time is stolen; the file says so.
    let found = findings(&tree);
    let not_ok: Vec<&Check> = found.checks.iter().filter(|check| check.state != State::Ok).collect();
    assert!(not_ok.is_empty(), "{not_ok:#?}");
    assert_eq!(found.sentence, "fit for measuring tail latency on cores 2-3: no check warns.");
}

#[test]
fn each_fault_is_found_by_its_own_check() {
    let cpu = |file: &str| format!("{CPU}/{file}");
    let busy = LATER.replace("cpu3 10 0 0 190", "cpu3 60 0 0 140");
    let busy_sibling = LATER.replace("cpu7 10 0 0 190", "cpu7 60 0 0 140");
    let stolen = "cpu 1 0 0 51 0 0 0 50\ncpu2 10 0 0 190 0 0 0 0\n";
    let arrived = INTERRUPTS.replace(" 36: 500 0 0 0", " 36: 500 0 0 80");
    // Name, the file, its text, whether it changes in the window, what is told.
    let faults: [(&str, String, &str, bool, &str); 29] = [
        ("CPU quota", "sys/fs/cgroup/cpu.max".into(), "150000 100000", false, "1.5 cores (/sys/fs/cgroup/cpu.max)"),
        ("throttling", "sys/fs/cgroup/cpu.stat".into(), "nr_throttled 4\nthrottled_usec 8000\n", true, "in 4 periods"),
        ("virtual machine", "proc/cpuinfo".into(), "flags : fpu hypervisor\n", false, "host may move"),
        ("stolen time", "proc/stat".into(), stolen, true, "50.0 %"),
        ("other work", "proc/stat".into(), &busy, true, "other work on core 3, up to 50 %"),
        ("load", "proc/loadavg".into(), "7.5 1 1 1/9 9", false, "load 7.5 on 8 cores"),
        ("busy siblings", "proc/stat".into(), &busy_sibling, true, "siblings (7) at work, up to 50 %"),
        ("isolation", cpu("isolated"), "3\n", false, "not isolated: core 2;"),
        ("isolation", cpu("isolated"), "\n", false, "not isolated: cores 2-3;"),
        ("tickless cores", cpu("nohz_full"), "(null)\n", false, "cores 2-3"),
        ("tickless cores", cpu("nohz_full"), "0-2\n", false, "core 3"),
        ("RCU callbacks", "proc/cmdline".into(), "quiet rcu_nocbs=0-2\n", false, "core 3"),
        ("interrupts", "proc/interrupts".into(), &arrived, true, "of them eth0"),
        ("interrupt affinity", "proc/irq/36/effective_affinity_list".into(), "0-2\n", false, "1 of 1"),
        (
            "idle states",
            cpu("cpu3/cpuidle/state2/disable"),
            "0\n",
            false,
            "C1 (2 µs to wake) (2), C6 (133 µs to wake) (3)",
        ),
        ("governor", cpu("cpu3/cpufreq/scaling_governor"), "powersave\n", false, "governor powersave on core 3"),
        (
            "energy preference",
            cpu("cpu2/cpufreq/energy_performance_preference"),
            "balance_power\n",
            false,
            "balance_power (2)",
        ),
        ("boost", cpu("intel_pstate/no_turbo"), "0\n", false, "boost is on"),
        (
            "clocksource",
            "sys/devices/system/clocksource/clocksource0/current_clocksource".into(),
            "hpet",
            false,
            "hpet",
        ),
        (
            "swap",
            "proc/swaps".into(),
            "Filename Type Size Used Priority\n/dev/sda2 partition 9000 2048 -2\n",
            false,
            "2 MiB",
        ),
        ("locked memory", "proc/self/limits".into(), &LIMITS.replacen("unlimited", "8388608", 1), false, "8192 KiB"),
        ("real-time priority", "proc/self/limits".into(), &LIMITS.replacen("99", "0", 1), false, "no real-time"),
        ("huge pages", "sys/kernel/mm/transparent_hugepage/enabled".into(), "[always] madvise never", false, "for all"),
        ("NUMA balancing", "proc/sys/kernel/numa_balancing".into(), "1", false, "takes pages away"),
        (
            "watchdog",
            "proc/sys/kernel/nmi_watchdog".into(),
            "1",
            false,
            "the hard lock-up watchdog interrupts cores 2-3",
        ),
        ("watchdog", "proc/sys/kernel/watchdog".into(), "1", false, "the soft lock-up"),
        ("isolation", cpu("isolated"), "0-1,3\n", false, "not isolated: core 2;"),
        ("idle states", cpu("cpu2/cpuidle/state1/latency"), "40\n", false, "C1 (40 µs"),
        ("governor", cpu("cpu2/cpufreq/scaling_governor"), "schedutil\n", false, "schedutil on core 2"),
    ];
    for (name, path, text, later, told) in faults {
        // Which clocksource is good depends on the architecture.
        if name == "clocksource" && std::env::consts::ARCH != "x86_64" {
            continue;
        }
        let tree = tuned();
        let change = [(path.as_str(), text)];
        if !later {
            tree.write(&path, text);
        }
        let checks = checks(&tree, if later { &change } else { &[] });
        let warned: Vec<&Check> = checks.iter().filter(|check| check.state == State::Warn).collect();
        let [only] = warned.as_slice() else { panic!("{name}: {warned:#?}") };
        assert_eq!(only.name, name);
        assert!(only.seen.contains(told), "{name}: {only:?}");
        assert!(only.remedy.as_ref().is_some_and(|remedy| remedy.len() > 5), "{name}: {only:?}");
    }
}

#[test]
fn what_holds_a_core_awake_or_isolates_it_otherwise_counts() {
    let tree = tuned();
    tree.write(&format!("{CPU}/cpu3/cpuidle/state2/disable"), "0\n");
    // The kernel gives four bytes: here 0 µs.
    std::fs::create_dir_all(tree.root().path("dev")).unwrap();
    std::fs::write(tree.root().path("dev/cpu_dma_latency"), 0_i32.to_ne_bytes()).unwrap();
    tree.write(&format!("{CPU}/isolated"), "\n");
    tree.write("sys/fs/cgroup/cpuset.cpus.isolated", "2-3\n");
    tree.write("proc/cmdline", "nohz_full=2-3\n");
    tree.write("proc/self/limits", "Max locked memory 65536 65536 bytes\nMax realtime priority 0 0\n");
    tree.write("proc/self/status", "CapEff:\t000001fffeffffff\n");
    let warned: Vec<Check> = checks(&tree, &[]).into_iter().filter(|check| check.state == State::Warn).collect();
    assert!(warned.is_empty(), "{warned:#?}");
}

#[test]
fn timers_move_to_busy_cores_unless_those_are_tickless() {
    let tree = tuned();
    tree.write("proc/sys/kernel/timer_migration", "1\n");
    let warns = || checks(&tree, &[]).iter().any(|check| check.name == "timer migration" && check.state == State::Warn);
    assert!(!warns());
    tree.write(&format!("{CPU}/nohz_full"), "2\n");
    assert!(warns());
}

#[test]
fn a_core_is_left_to_the_system() {
    let tree = tuned();
    tree.write(&format!("{CPU}/isolated"), "\n");
    let remedy = || checks(&tree, &[]).into_iter().find(|check| check.name == "isolation").unwrap().remedy.unwrap();
    assert!(remedy().starts_with("boot with isolcpus=managed_irq,domain,2-3, or"), "{}", remedy());
    tree.write(&format!("{CPU}/online"), "2-3\n");
    assert!(remedy().starts_with("boot with isolcpus=managed_irq,domain,3, and name those"), "{}", remedy());
    let only = |online| {
        tree.write(&format!("{CPU}/online"), online);
        let under = Under { cores: under(&tree).cores[..1].to_vec(), ids: vec![2], ..under(&tree) };
        boot::isolation(&under).remedy.unwrap()
    };
    assert!(only("2-3\n").starts_with("name other cores, as the system needs core 2"), "{}", only("2-3\n"));
    assert!(only("2\n").starts_with("use a machine with more cores"), "{}", only("2\n"));
}

#[test]
fn a_system_that_tells_nothing_is_unknown_and_no_failure() {
    let tree = Tree::new(&[]);
    let checks = under(&tree).checks(|| {});
    assert!(checks.iter().all(|check| check.state != State::Warn), "{checks:#?}");
    let unknown = checks.iter().filter(|check| check.state == State::Unknown).count();
    assert!(unknown * 2 > checks.len(), "{checks:#?}");
    assert_eq!(verdict::find(&checks, &[2, 3]).0, Verdict::FitWithDoubts);
}

#[test]
fn no_quota_is_known_only_where_control_groups_are() {
    let states = |tree: &Tree| {
        let checks = under(tree).checks(|| {});
        ["CPU quota", "throttling"].map(|name| checks.iter().find(|check| check.name == name).unwrap().state)
    };
    let tree = Tree::new(&[]);
    assert_eq!(states(&tree), [State::Unknown; 2]);
    // A group without quotas counts no throttling.
    tree.write("sys/fs/cgroup/cpu.stat", "usage_usec 7\n");
    assert_eq!(states(&tree), [State::Ok; 2]);
}

#[test]
fn garbage_is_unknown_or_shown_and_never_a_panic() {
    let files = [
        "proc/cpuinfo",
        "proc/loadavg",
        "proc/stat",
        "proc/interrupts",
        "proc/cmdline",
        "proc/swaps",
        "proc/self/limits",
        "proc/self/status",
        "proc/self/cgroup",
        "proc/self/mountinfo",
        "proc/sys/kernel/numa_balancing",
        "proc/sys/kernel/nmi_watchdog",
        "proc/sys/kernel/watchdog_cpumask",
        "sys/kernel/mm/transparent_hugepage/enabled",
        "sys/fs/cgroup/cpu.max",
        "sys/fs/cgroup/cpu.stat",
        "dev/cpu_dma_latency",
    ];
    for text in [
        "",
        "\n",
        "-1",
        "x",
        "a b c d e f g h i",
        "18446744073709551615 18446744073709551615",
        "CPU0\n1: 2",
        "é:é - é é é",
    ] {
        let tree = tuned();
        for file in files {
            tree.write(file, text);
        }
        for file in ["isolated", "nohz_full", "online", "cpu2/cpuidle/state1/latency", "cpu2/cpufreq/scaling_governor"]
        {
            tree.write(&format!("{CPU}/{file}"), text);
        }
        let checks = under(&tree).checks(|| {});
        assert_eq!(checks.len(), 28, "{text:?}");
    }
}

#[test]
fn no_line_exceeds_any_width_and_the_verdict_stands_first() {
    let tree = tuned();
    tree.write(&format!("{CPU}/isolated"), "\n");
    tree.write("sys/fs/cgroup/cpu.max", "50000 100000\n");
    let found = findings(&tree);
    for width in [1, 10, 33, 63, 64, 80, 120, 300] {
        let text = draw::draw(&found, Look { width, depth: Depth::None, ascii: false, quiet: false });
        let longest = text.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(width), "{width}:\n{text}");
        let joined = text.split_whitespace().collect::<String>();
        assert!(joined.starts_with("unfit") || width == 1, "{text}");
    }
    let look = Look { width: 100, depth: Depth::None, ascii: true, quiet: true };
    let text = draw::draw(&found, look);
    assert!(text.is_ascii() && !text.contains('\u{1b}'), "{text}");
    assert_eq!((text.matches("WARN").count(), text.matches("\nok").count()), (2, 0), "{text}");
    assert!(draw::draw(&found, Look { depth: Depth::Ansi256, ..look }).contains('\u{1b}'));
}

#[test]
fn nothing_tells_the_name_of_the_machine() {
    let tree = tuned();
    tree.write("proc/self/cgroup", "0::/machine/planted-host.scope\n");
    tree.write("sys/fs/cgroup/machine/planted-host.scope/cpu.max", "50000 100000\n");
    let found = findings(&tree);
    let texts = [
        serde_json::to_string(&found).unwrap(),
        draw::draw(&found, Look { width: 500, depth: Depth::None, ascii: false, quiet: false }),
    ];
    for text in texts {
        assert!(text.contains("/sys/fs/cgroup/machine/…/cpu.max"), "{text}");
        assert!(!text.contains("planted"), "{text}");
    }
}
