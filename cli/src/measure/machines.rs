//! Machines that nobody has at hand, through the real schedule with simulated latencies.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ringmail::affinity::Topology;

use super::jitter::Watched;
use super::pair::{Around, Sleeps, Visit};
use super::plan::{Extent, Plan, Trips};
use super::shuffle::Random;
use super::side::Effects;
use super::{Job, Machine, Outcome, clock, stats};
use crate::options::Wait;
use crate::placement::Placement;
use crate::report::RunEnd;
use crate::topology::{Selection, Which};

/// The shape of a machine: `smt` threads a core, cores of one L3, L3s of one node, nodes of one socket, sockets.
struct Shape {
    smt: usize,
    l3: usize,
    node: usize,
    package: usize,
    packages: usize,
}

impl Shape {
    fn cores(&self) -> usize {
        self.smt * self.l3 * self.node * self.package * self.packages
    }

    /// Writes the files in which Linux describes such a machine. Threads of a core have neighbouring numbers.
    fn write(&self, root: &Path) {
        let put = |path: String, text: String| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let last = self.cores() - 1;
        let per_l3 = self.smt * self.l3;
        let per_node = per_l3 * self.node;
        let list = |size: usize, id: usize| format!("{}-{}\n", id / size * size, id / size * size + size - 1);
        put("devices/system/cpu/online".into(), format!("0-{last}\n"));
        for id in 0..=last {
            let cpu = format!("devices/system/cpu/cpu{id}");
            put(format!("{cpu}/topology/thread_siblings_list"), list(self.smt, id));
            put(format!("{cpu}/topology/core_cpus_list"), list(self.smt, id));
            put(format!("{cpu}/topology/physical_package_id"), format!("{}\n", id / (per_node * self.package)));
            put(format!("{cpu}/cache/index3/level"), "3\n".into());
            put(format!("{cpu}/cache/index3/type"), "Unified\n".into());
            put(format!("{cpu}/cache/index3/shared_cpu_list"), list(per_l3, id));
        }
        for node in 0..self.packages * self.package {
            put(format!("devices/system/node/node{node}/cpulist"), list(per_node, node * per_node));
        }
    }

    fn selection(&self) -> Selection {
        let root = tempfile::tempdir().unwrap();
        self.write(root.path());
        select(root.path(), self.cores())
    }
}

fn select(root: &Path, cores: usize) -> Selection {
    let allowed: Vec<usize> = (0..cores).collect();
    Selection::of(Topology::from_sysfs(root, &allowed).unwrap(), None, "latency", Which::All).unwrap()
}

/// Eight cores of two threads, then 16 small ones, behind one L3.
fn hybrid() -> Selection {
    let root = tempfile::tempdir().unwrap();
    Shape { smt: 1, l3: 32, node: 1, package: 1, packages: 1 }.write(root.path());
    for id in 0..16_usize {
        let path = root.path().join(format!("devices/system/cpu/cpu{id}/topology/thread_siblings_list"));
        fs::write(path, format!("{}-{}\n", id & !1, id | 1)).unwrap();
    }
    select(root.path(), 32)
}

/// Time passes only in visits. A round trip takes what its relation and a visit's luck say.
struct Simulated<'a> {
    selection: &'a Selection,
    now: Duration,
    random: Random,
}

impl Machine for Simulated<'_> {
    fn elapsed(&self) -> Duration {
        self.now
    }

    fn watch(&mut self, job: &Job, time: Duration) -> Vec<Watched> {
        self.now += time;
        job.cores.iter().map(|&core| Watched::of(core, time, &[])).collect()
    }

    fn visit(&mut self, _: &Job, cores: [usize; 2], _: Option<Trips>, extent: Extent) -> Result<Visit, String> {
        self.now += extent.time + Duration::from_millis(8);
        let base = match self.selection.relation(cores).as_str() {
            "SMT sibling" => 30.0,
            "same L3" => 80.0,
            "same node" => 200.0,
            _ => 400.0,
        };
        let floor = base * (1.0 + self.random.below(100) as f64 / 1000.0);
        let samples = |ns: f64| {
            let mut samples = stats::histogram();
            samples.record_n(ns as u64, 10_000).unwrap();
            samples
        };
        let around = Around { before: [floor * 1.4, floor], channel: floor * 1.2, after: [floor * 1.4, floor] };
        Ok(Visit {
            trips: Trips { floors: [1, 1], channel: 1, processes: 1 },
            floors: [samples(floor * 1.4), samples(floor)],
            channel: samples(floor * 1.2),
            slices: vec![around; 12],
            processes: stats::histogram(),
            processes_ns: vec![],
            tails_ns: Default::default(),
            effects: Effects { migrated: false, preemptions: Some(0), sleeps: None },
            sleeps: [Sleeps { times: None, trips: 10_000 }; 2],
            watched_ns: extent.time.as_nanos() as u64,
            lost_ns: 0,
            held: Box::new(()),
        })
    }
}

fn run(selection: &Selection, budget: Duration) -> (Job, Outcome) {
    let plan = Plan {
        capacity: 64,
        wait: Wait::Spin,
        slice: Duration::from_millis(1),
        clock: clock::Clock::choose(None),
        quantum_ns: 1.0,
        read_ns: 1.0,
        stop: Arc::default(),
        processes: false,
        mesh: None,
        placement: Placement::default(),
    };
    let job = Job {
        plan,
        payload: 8,
        cores: selection.cores.iter().map(|core| core.id).collect(),
        pairs: selection.pairs.clone(),
        classes: selection.classes(),
        budget,
        duration: None,
        samples: None,
        seed: 5,
    };
    let mut machine = Simulated { selection, now: Duration::ZERO, random: Random::new(9) };
    let outcome = job.run_on(&mut machine, |_| ());
    assert!(machine.now <= budget, "{:?} of {budget:?}", machine.now);
    (job, outcome)
}

const DEFAULT: Duration = Duration::from_secs(16);

/// Two sockets, chiplets, and up to 512 cores.
const SHAPES: [Shape; 5] = [
    Shape { smt: 2, l3: 8, node: 1, package: 1, packages: 2 },
    Shape { smt: 2, l3: 8, node: 4, package: 1, packages: 1 },
    Shape { smt: 1, l3: 16, node: 1, package: 2, packages: 2 },
    Shape { smt: 2, l3: 8, node: 2, package: 2, packages: 2 },
    Shape { smt: 2, l3: 8, node: 4, package: 4, packages: 2 },
];

#[test]
fn every_relation_of_every_machine_is_measured_in_the_default_budget() {
    for (selection, cores) in SHAPES.iter().map(|shape| (shape.selection(), shape.cores())).chain([(hybrid(), 32)]) {
        let (job, outcome) = run(&selection, DEFAULT);
        assert_eq!((selection.cores.len(), job.pairs.len()), (cores, cores * (cores - 1) / 2));
        let of: HashMap<_, _> = job.pairs.iter().zip(&job.classes).map(|(&pair, class)| (pair, class)).collect();
        let measured: Vec<_> = outcome.pairs.iter().map(|pair| of[&pair.cores]).collect();
        let all: BTreeSet<usize> = job.classes.iter().map(|class| class.relation).collect();
        let relations: BTreeSet<usize> = measured.iter().map(|class| class.relation).collect();
        assert!(relations == all && all.len() >= 2, "{relations:?} of {all:?} at {cores} cores");
        assert!(outcome.pairs.iter().all(|pair| selection.relation(pair.cores) != "unknown"));
        // Each two caches too, where there is time for them.
        let classes: BTreeSet<_> = job.classes.iter().map(|class| class.caches).collect();
        let shown: BTreeSet<_> = measured.iter().map(|class| class.caches).collect();
        if classes.len() < 300 {
            assert_eq!(shown, classes, "{cores} cores");
        } else {
            assert!(shown.len() > 300, "{} of {} at {cores} cores", shown.len(), classes.len());
        }
    }
}

#[test]
fn a_run_that_is_too_short_says_what_all_of_it_needs() {
    let selection = SHAPES[2].selection();
    let (job, outcome) = run(&selection, Duration::from_secs(4));
    assert_eq!((job.pairs.len(), outcome.ended), (2016, RunEnd::TimeBudget));
    assert!(outcome.pairs.len() < job.pairs.len());
    let needed = outcome.full_run.unwrap();
    let (job, outcome) = run(&selection, needed);
    assert_eq!((outcome.pairs.len(), outcome.ended, outcome.full_run), (job.pairs.len(), RunEnd::Complete, None));
}
