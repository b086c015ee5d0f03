//! Core lists such as `0-3,7`, `physical,!0` or `llc:1`; the grammar is at [`Topology::select`].
//!
//! Work and memory are bounded by the length of the list times the number of cores, also with very large numbers in the list.

use std::collections::BTreeSet;
use std::string::String;
use std::vec::Vec;
use std::{format, vec};

use super::ids::{self, ID_LIMIT};
use super::{AffinityError, Core, Selected, Topology};

/// One part of a list, without its `!`.
enum Item {
    /// First and last core.
    Range(usize, usize),
    All,
    Physical,
    Isolated,
    /// Index among the last-level caches.
    Llc(usize),
    /// Index among the L2 caches.
    L2(usize),
    Node(usize),
}

fn parse(text: &str) -> Result<Item, &'static str> {
    match text {
        "" => return Err("there is nothing between two commas, or after the `!`"),
        "all" => return Ok(Item::All),
        "physical" => return Ok(Item::Physical),
        "isolated" => return Ok(Item::Isolated),
        _ => {}
    }
    match text.split_once(':') {
        Some((kind, index)) => {
            let index = index.trim();
            match kind.trim() {
                "llc" => ids::number(index).map(Item::Llc),
                "l2" => ids::number(index).map(Item::L2),
                "node" => ids::number(index).map(Item::Node),
                _ => Err("only `llc`, `l2` and `node` take a `:`"),
            }
        }
        None if text.starts_with(char::is_alphabetic) => Err("there is no such word"),
        None => ids::range(text).map(|(first, last)| Item::Range(first, last)),
    }
}

/// What to do with cores of a range that cannot be used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Gaps {
    Refuse,
    LeaveOut,
}

pub(super) fn select(topology: &Topology, list: &str, gaps: Gaps) -> Result<Selected, AffinityError> {
    if list.trim().is_empty() {
        return Err(AffinityError::EmptyList { allowed: topology.allowed() });
    }
    let mut chosen = vec![];
    let mut seen = BTreeSet::new();
    let mut excluded = BTreeSet::new();
    // Also of cores that are not online, which `excluded` does not hold.
    let mut excluded_ranges = vec![];
    let mut left_out = vec![];
    let mut only_exclusions = true;
    for part in list.split(',').map(str::trim) {
        let (exclude, text) = match part.strip_prefix('!') {
            Some(rest) => (true, rest.trim_start()),
            None => (false, part),
        };
        let item = parse(text).map_err(|reason| AffinityError::BadItem { item: clip(part), reason })?;
        let nothing = |reason| AffinityError::NothingSelected { item: clip(part), reason, allowed: topology.allowed() };
        if exclude {
            if let Item::Range(first, last) = item {
                excluded_ranges.push(first..=last);
            }
            excluded.extend(members(topology, &item).map_err(nothing)?);
        } else {
            only_exclusions = false;
            let cores = match item {
                Item::Range(first, last) if gaps == Gaps::Refuse || first == last => named(topology, first, last)?,
                Item::Range(first, last) => usable(topology, first, last, &mut left_out)?,
                _ => selected(topology, &item).map_err(nothing)?,
            };
            chosen.extend(cores.into_iter().filter(|&id| seen.insert(id)));
        }
    }
    if only_exclusions {
        chosen = topology.allowed();
    }
    chosen.retain(|id| !excluded.contains(id));
    left_out.retain(|id| !excluded.contains(id) && !excluded_ranges.iter().any(|range| range.contains(id)));
    left_out.sort_unstable();
    left_out.dedup();
    if chosen.is_empty() {
        return Err(AffinityError::NothingSelected {
            item: clip(list.trim()),
            reason: "what is left out with `!` leaves no core".into(),
            allowed: topology.allowed(),
        });
    }
    let left_out = left_out.into_iter().filter_map(|id| Some((id, topology.unusable(id)?))).collect();
    Ok(Selected { cores: chosen, left_out })
}

/// The cores from `first` to `last`, all of which must be usable. Ends at the first that is not, so a range that goes
/// beyond the machine costs no more than the machine.
fn named(topology: &Topology, first: usize, last: usize) -> Result<Vec<usize>, AffinityError> {
    let mut cores = vec![];
    for id in first..=last {
        if let Some(why) = topology.unusable(id) {
            return Err(AffinityError::NotUsable { core: id, why, allowed: topology.allowed() });
        }
        cores.push(id);
    }
    Ok(cores)
}

/// The usable ones of the cores from `first` to `last`, at least one; the others go to `left_out`. A range that goes beyond the machine is an error.
fn usable(
    topology: &Topology,
    first: usize,
    last: usize,
    left_out: &mut Vec<usize>,
) -> Result<Vec<usize>, AffinityError> {
    // Bounds the work.
    let end = topology.highest().min(ID_LIMIT);
    if last > end {
        named(topology, first.max(end.saturating_add(1)), last)?;
    }
    let (cores, others): (Vec<usize>, Vec<usize>) = (first..=last).partition(|&id| topology.unusable(id).is_none());
    if cores.is_empty() {
        named(topology, first, last)?;
    }
    left_out.extend(others);
    Ok(cores)
}

/// The cores of a group that can be used. Fails with the reason if there are none.
fn selected(topology: &Topology, item: &Item) -> Result<Vec<usize>, String> {
    let mut cores = members(topology, item)?;
    if let Item::Isolated = item {
        if cores.is_empty() {
            return Err("no online core is isolated (`isolcpus=` on the kernel command line)".into());
        }
    } else {
        let all = cores.len();
        cores.retain(|&id| topology.core(id).is_some_and(|core| core.allowed));
        if cores.is_empty() {
            return Err(format!(
                "none of its {all} cores is in this thread's affinity mask (isolated ones can be named by number)"
            ));
        }
    }
    Ok(cores)
}

/// The online cores that an item stands for, usable or not. Fails with the reason if the machine has no such group.
fn members(topology: &Topology, item: &Item) -> Result<Vec<usize>, String> {
    let pick = |wanted: &dyn Fn(&Core) -> bool| -> Vec<usize> {
        topology.cores().iter().filter(|core| wanted(core)).map(|core| core.id).collect()
    };
    match *item {
        Item::Range(first, last) => Ok(pick(&|core| (first..=last).contains(&core.id))),
        Item::All => Ok(pick(&|_| true)),
        Item::Physical => Ok(pick(&|core| is_first_thread(topology, core))),
        Item::Isolated => Ok(pick(&|core| core.isolated)),
        Item::Llc(index) => behind_cache(topology, "last-level", index, Core::last_level_cache),
        Item::L2(index) => behind_cache(topology, "L2", index, |core| core.l2),
        Item::Node(node) => {
            let nodes: BTreeSet<usize> = topology.cores().iter().filter_map(|core| core.node).collect();
            if nodes.contains(&node) {
                Ok(pick(&|core| core.node == Some(node)))
            } else if nodes.is_empty() {
                Err("the machine does not say which cores belong to which NUMA node".into())
            } else {
                let nodes: Vec<usize> = nodes.into_iter().collect();
                Err(format!("NUMA nodes with cores here: {}", ids::compact(&nodes)))
            }
        }
    }
}

/// The online cores behind the cache that is number `index` of its kind.
fn behind_cache(
    topology: &Topology,
    kind: &str,
    index: usize,
    cache: impl Fn(&Core) -> Option<usize>,
) -> Result<Vec<usize>, String> {
    let caches: BTreeSet<usize> = topology.cores().iter().filter_map(&cache).collect();
    match caches.iter().nth(index) {
        Some(&wanted) => {
            let behind = topology.cores().iter().filter(|core| cache(core) == Some(wanted));
            Ok(behind.map(|core| core.id).collect())
        }
        None if caches.is_empty() => Err(format!("the machine does not say which cores share {kind} caches")),
        None => Err(format!("{kind} caches here count from 0 to {}", caches.len() - 1)),
    }
}

/// Whether `core` is the lowest allowed hardware thread of its physical core. Allowed, because the lowest of all may be
/// one that cannot be used while its sibling can.
fn is_first_thread(topology: &Topology, core: &Core) -> bool {
    let usable = |id: &&usize| topology.core(**id).is_some_and(|core| core.allowed);
    core.smt_siblings.iter().find(usable) == Some(&core.id)
}

/// A part of the list for an error message: what was typed can be of any length.
fn clip(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}
