//! Which cores are under test, in which order they are shown, and how two of them relate.

use std::collections::HashMap;

use ringmail::affinity::{Core, Relation, Topology};

use crate::failure::Failure;
use crate::measure::Class;
use crate::report::{CoreInfo, LeftOut};

/// The cores under test and the pairs among them.
#[derive(Debug)]
pub(crate) struct Selection {
    pub(crate) topology: Topology,
    /// As matrices show them: those that share the most stand together.
    pub(crate) cores: Vec<CoreInfo>,
    /// Cores of ranges that cannot be used.
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) pairs: Vec<[usize; 2]>,
}

/// Which pairs of the listed cores.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which<'a> {
    /// Every two of them, once.
    All,
    /// The first two.
    First,
    /// The two behind the verb.
    Named([usize; 2]),
    /// Those of `--pairs`, each as it stands there.
    Directed(&'a [[usize; 2]]),
}

impl Selection {
    /// Reads the machine and applies `--cores` and the choice of pairs. An error says which cores are allowed.
    pub(crate) fn new(listed: Option<&str>, verb: &str, which: Which<'_>) -> Result<Self, Failure> {
        Self::of(detect()?, listed, verb, which)
    }

    /// The same of a machine that has been read.
    pub(crate) fn of(topology: Topology, listed: Option<&str>, verb: &str, which: Which<'_>) -> Result<Self, Failure> {
        let allowed = topology.allowed();
        let (mut ids, left_out) = choose(&topology, listed)?;
        let check = |[a, b]: [usize; 2], said: String| {
            if a == b {
                return Err(Failure::usage(format!("{said}: a round trip needs two different cores")));
            }
            // Isolated cores are in no thread's mask, and can be named.
            topology.select(&format!("{a},{b}")).map_err(|error| Failure::usage(format!("{said}: {error}")))?;
            match [a, b].into_iter().find(|id| listed.is_some() && !ids.contains(id)) {
                Some(other) => Err(Failure::usage(format!(
                    "{said}: --cores leaves core {other} out: choose two of cores {}",
                    list(&ids)
                ))),
                None => Ok(()),
            }
        };
        let pairs = match which {
            Which::Named([a, b]) => {
                check([a, b], format!("{verb} {a} {b}"))?;
                ids = vec![a.min(b), a.max(b)];
                vec![[a, b]]
            }
            Which::Directed(pairs) => {
                for &[a, b] in pairs {
                    check([a, b], format!("--pairs {a}:{b}"))?;
                }
                ids = pairs.as_flattened().to_vec();
                ids.sort_unstable();
                ids.dedup();
                pairs.to_vec()
            }
            Which::First => {
                ids.truncate(2);
                ids.first_chunk().copied().into_iter().collect()
            }
            Which::All => {
                ids.iter().enumerate().flat_map(|(at, &a)| ids[at + 1..].iter().map(move |&b| [a, b])).collect()
            }
        };
        if ids.len() < 2 {
            return Err(Failure::usage(format!(
                "a round trip needs two cores, but {} selected (cores this process may use: {}{}). Name more with --cores, \
                 or widen the set that taskset, the container or the control group allows",
                match ids.as_slice() {
                    [one] => format!("only core {one} is"),
                    _ => "none is".to_owned(),
                },
                list(&allowed),
                // Where a range was asked for, it looks like more than one core.
                left_out.iter().map(|out| format!("; core {} is {}", out.core, out.why)).collect::<String>()
            )));
        }
        let cores = ordered(&topology, &ids);
        Ok(Self { topology, cores, left_out, pairs })
    }

    /// The cores of `--cores`, without pairs: one is enough.
    pub(crate) fn single(listed: Option<&str>) -> Result<Self, Failure> {
        let topology = detect()?;
        let (ids, left_out) = choose(&topology, listed)?;
        if ids.is_empty() {
            let allowed = list(&topology.allowed());
            return Err(Failure::usage(format!("no core is selected (cores this process may use: {allowed})")));
        }
        let cores = ordered(&topology, &ids);
        Ok(Self { topology, cores, left_out, pairs: vec![] })
    }

    /// What each pair stands for.
    pub(crate) fn classes(&self) -> Vec<Class> {
        let mut relations: Vec<String> = Vec::new();
        let cache = |core: &CoreInfo| core.last_level_cache().or(core.node).or(core.package).unwrap_or(0);
        let caches: HashMap<usize, usize> = self.cores.iter().map(|core| (core.id, cache(core))).collect();
        let class = |&[a, b]: &[usize; 2]| {
            let name = self.relation([a, b]);
            let relation = relations.iter().position(|known| *known == name).unwrap_or_else(|| {
                relations.push(name);
                relations.len() - 1
            });
            let [one, other] = [a, b].map(|id| caches.get(&id).copied().unwrap_or(0));
            Class { relation, caches: [one.min(other), one.max(other)] }
        };
        self.pairs.iter().map(class).collect()
    }

    /// How two cores relate, in words.
    pub(crate) fn relation(&self, [a, b]: [usize; 2]) -> String {
        self.topology.relation(a, b).to_string()
    }
}

fn detect() -> Result<Topology, Failure> {
    Topology::detect().map_err(|error| Failure::failed(error.to_string()))
}

/// The cores that `--cores` names, ascending, and those of its ranges that cannot be used.
pub(crate) fn choose(topology: &Topology, listed: Option<&str>) -> Result<(Vec<usize>, Vec<LeftOut>), Failure> {
    let Some(list) = listed else { return Ok((topology.allowed(), vec![])) };
    let selected = topology.select_usable(list).map_err(|error| Failure::usage(format!("--cores {list}: {error}")))?;
    let mut ids = selected.cores;
    ids.sort_unstable();
    let left_out = selected.left_out.into_iter().map(|(core, why)| LeftOut { core, why: why.to_string() });
    Ok((ids, left_out.collect()))
}

/// Those that share the most stand together.
pub(crate) fn ordered(topology: &Topology, ids: &[usize]) -> Vec<CoreInfo> {
    let mut cores: Vec<CoreInfo> = ids.iter().map(|&id| info(topology, id)).collect();
    cores.sort_by_key(|core| {
        let sibling = core.smt_siblings.first().copied();
        (core.package, core.node, core.last_level_cache(), core.l2, sibling, core.id)
    });
    cores
}

fn info(topology: &Topology, id: usize) -> CoreInfo {
    let shares = |other: &&Core| topology.relation(id, other.id) == Relation::SameL2;
    match topology.core(id) {
        Some(core) => CoreInfo {
            id,
            smt_siblings: core.smt_siblings.clone(),
            l2: core.l2.filter(|_| topology.cores().iter().any(|other| shares(&other))),
            l3: core.l3,
            node: core.node,
            package: core.package,
            isolated: core.isolated,
        },
        None => CoreInfo { id, smt_siblings: vec![id], l2: None, l3: None, node: None, package: None, isolated: false },
    }
}

/// `core 7` or `cores 0-3,7`.
pub(crate) fn cores(ids: &[usize]) -> String {
    format!("core{} {}", if ids.len() == 1 { "" } else { "s" }, list(ids))
}

/// `0-3,7`.
pub(crate) fn list(ids: &[usize]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = ids;
    while let [first, ..] = rest {
        let run = rest.iter().enumerate().take_while(|(at, id)| **id == first + at).count();
        parts.push(if run == 1 { first.to_string() } else { format!("{first}-{}", first + run - 1) });
        rest = &rest[run..];
    }
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::root::fixture::Tree;

    /// Two clusters of four, each behind an L2 and no L3, numbered in turns as some firmware does; core 5 is offline and core 6 not allowed.
    fn clusters() -> Topology {
        let tree = Tree::new(&[
            ("devices/system/cpu/online", "0-4,6-7"),
            ("devices/system/cpu/present", "0-7"),
            ("devices/system/node/node0/cpulist", "0-7"),
        ]);
        for core in [0, 1, 2, 3, 4, 6, 7] {
            let cache = format!("devices/system/cpu/cpu{core}/cache/index2");
            tree.write(&format!("{cache}/level"), "2");
            tree.write(&format!("{cache}/shared_cpu_list"), if core % 2 == 0 { "0,2,4,6" } else { "1,3,5,7" });
        }
        Topology::from_sysfs(tree.root().0, &[0, 1, 2, 3, 4, 7]).unwrap()
    }

    fn select(list: &str, named: Option<[usize; 2]>) -> Result<Selection, String> {
        let which = named.map_or(Which::All, Which::Named);
        let verb = if named.is_some() { "pair" } else { "latency" };
        let list = Some(list).filter(|list| !list.is_empty());
        Selection::of(clusters(), list, verb, which).map_err(|failure| failure.message)
    }

    #[test]
    fn cores_of_one_l2_stand_together_and_say_so() {
        let selection = select("", None).unwrap();
        let ids: Vec<usize> = selection.cores.iter().map(|core| core.id).collect();
        assert_eq!(ids, [0, 2, 4, 1, 3, 7]);
        assert_eq!(selection.relation([0, 4]), "same L2");
        assert_eq!(selection.relation([0, 1]), "same node");
        let second: Vec<usize> = select("llc:1", None).unwrap().cores.iter().map(|core| core.id).collect();
        assert_eq!(second, [1, 3, 7]);
    }

    #[test]
    fn an_l2_of_one_core_alone_groups_nothing() {
        let tree = Tree::new(&[]);
        for core in 0..4 {
            let cache = format!("devices/system/cpu/cpu{core}/cache/index2");
            tree.write(&format!("{cache}/level"), "2");
            tree.write(&format!("{cache}/shared_cpu_list"), &core.to_string());
        }
        let topology = Topology::from_sysfs(tree.root().0, &[0, 1, 2, 3]).unwrap();
        assert!(ordered(&topology, &[0, 1, 2, 3]).iter().all(|core| core.last_level_cache().is_none()));
    }

    #[test]
    fn a_range_leaves_out_what_cannot_be_used_and_tells_it() {
        let selection = select("0-7", None).unwrap();
        assert_eq!(selection.cores.len(), 6);
        let told: Vec<_> = selection.left_out.iter().map(|out| format!("{} {}", out.core, out.why)).collect();
        assert_eq!(told, ["5 offline", "6 not allowed"]);
        assert!(select("0-4,7", None).unwrap().left_out.is_empty());
    }

    #[test]
    fn a_core_named_alone_must_be_usable_and_the_error_says_why_it_is_not() {
        for (cores, why) in [
            ("0,5", "core 5 is offline; choose from 0-4,7"),
            ("0,6", "core 6 is outside of this thread's affinity mask; choose from 0-4,7"),
            ("0,8", "core 8 does not exist; choose from 0-4,7"),
            ("0-8", "core 8 does not exist"),
        ] {
            let error = select(cores, None).unwrap_err();
            assert!(error.starts_with(&format!("--cores {cores}: {why}")), "{error}");
        }
        for (b, why) in [(5, "is offline"), (6, "is outside of"), (9, "does not exist")] {
            let error = select("", Some([0, b])).unwrap_err();
            assert!(error.starts_with(&format!("pair 0 {b}: core {b} {why}")), "{error}");
        }
        let error = select("4-5", None).unwrap_err();
        assert!(
            error.contains("only core 4 is selected (cores this process may use: 0-4,7; core 5 is offline)"),
            "{error}"
        );
        let error = select("0-3", Some([0, 4])).unwrap_err();
        assert_eq!(error, "pair 0 4: --cores leaves core 4 out: choose two of cores 0-3");
    }

    #[test]
    fn lists_of_cores_are_short() {
        assert_eq!(list(&[0, 1, 2, 3, 7, 9, 10]), "0-3,7,9-10");
        assert_eq!(list(&[]), "");
        assert_eq!((cores(&[7]), cores(&[0, 1])), ("core 7".into(), "cores 0-1".into()));
    }
}
