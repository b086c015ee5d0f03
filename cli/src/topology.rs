//! Which cores are under test, in which order they are shown, and how two of them relate.

use ringmail::affinity::Topology;

use crate::args::{Latency, What};
use crate::failure::Failure;
use crate::report::CoreInfo;

/// The cores under test and the pairs among them.
#[derive(Debug)]
pub(crate) struct Selection {
    pub(crate) topology: Topology,
    /// As matrices show them: those that share the most stand together.
    pub(crate) cores: Vec<CoreInfo>,
    pub(crate) pairs: Vec<[usize; 2]>,
}

impl Selection {
    /// Reads the machine and applies `--cores`, `pair` and `ipc`. An error says which cores are allowed.
    pub(crate) fn new(args: &Latency) -> Result<Self, Failure> {
        let topology = Topology::detect().map_err(|error| Failure::failed(error.to_string()))?;
        let allowed = topology.allowed();
        let mut ids = match &args.cores {
            Some(list) => topology.select(list).map_err(|error| Failure::usage(format!("--cores {list}: {error}")))?,
            None => allowed.clone(),
        };
        ids.sort_unstable();
        ids.dedup();
        let pairs = match args.what.as_ref().map(What::cores) {
            Some((verb, Some([a, b]))) if a == b => {
                return Err(Failure::usage(format!("{verb} {a} {b}: a round trip needs two different cores")));
            }
            Some((verb, Some([a, b]))) => {
                if let Some(missing) = [a, b].into_iter().find(|id| !ids.contains(id)) {
                    let listed = list(&ids);
                    return Err(Failure::usage(format!(
                        "{verb} {a} {b}: core {missing} cannot be tested: choose two of cores {listed}"
                    )));
                }
                ids = vec![a.min(b), a.max(b)];
                vec![[a, b]]
            }
            Some(("ipc", None)) => {
                ids.truncate(2);
                ids.first_chunk().copied().into_iter().collect()
            }
            Some((_, None)) | None => {
                ids.iter().enumerate().flat_map(|(at, &a)| ids[at + 1..].iter().map(move |&b| [a, b])).collect()
            }
        };
        if ids.len() < 2 {
            return Err(Failure::usage(format!(
                "a round trip needs two cores, but {} selected (cores this process may use: {}). Name more with --cores, \
                 or widen the set that taskset, the container or the control group allows",
                match ids.as_slice() {
                    [one] => format!("only core {one} is"),
                    _ => "none is".to_owned(),
                },
                list(&allowed)
            )));
        }
        let mut cores: Vec<CoreInfo> = ids.iter().map(|&id| info(&topology, id)).collect();
        cores.sort_by_key(|core| (core.package, core.node, core.l3, core.smt_siblings.first().copied(), core.id));
        Ok(Self { topology, cores, pairs })
    }

    /// How two cores relate, in words.
    pub(crate) fn relation(&self, [a, b]: [usize; 2]) -> String {
        self.topology.relation(a, b).to_string()
    }
}

fn info(topology: &Topology, id: usize) -> CoreInfo {
    match topology.core(id) {
        Some(core) => CoreInfo {
            id,
            smt_siblings: core.smt_siblings.clone(),
            l3: core.l3,
            node: core.node,
            package: core.package,
            isolated: core.isolated,
        },
        None => CoreInfo { id, smt_siblings: vec![id], l3: None, node: None, package: None, isolated: false },
    }
}

/// `0-3,7`.
fn list(ids: &[usize]) -> String {
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
    use super::list;

    #[test]
    fn lists_of_cores_are_short() {
        assert_eq!(list(&[0, 1, 2, 3, 7, 9, 10]), "0-3,7,9-10");
        assert_eq!(list(&[]), "");
    }
}
