//! The machine: its cores and what they share.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::vec;
use std::vec::Vec;

use super::sysfs::Sysfs;
use super::{AffinityError, Unusable, list, pin};

/// One online core (hardware thread) and what it shares with others.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Core {
    /// The kernel's number for it.
    pub id: usize,
    /// The online hardware threads of the same physical core, itself among them, ascending. It alone if the machine
    /// has no SMT or does not say.
    pub smt_siblings: Vec<usize>,
    /// The L2 cache it is behind, named by the lowest online core behind that cache. `None`: no L2, or not known.
    pub l2: Option<usize>,
    /// The L3 cache it is behind, named by the lowest online core behind that cache. `None`: no L3, or not known.
    pub l3: Option<usize>,
    /// Its NUMA node, by the kernel's number. `None`: not known.
    pub node: Option<usize>,
    /// Its socket, by the firmware's number. `None`: not known.
    pub package: Option<usize>,
    /// Whether the scheduler leaves it alone (`isolcpus=` on the kernel command line). Such a core is in no thread's
    /// mask at first, but a thread can be pinned to it.
    pub isolated: bool,
    /// Whether it is in the affinity mask of the thread that read the topology.
    pub allowed: bool,
}

impl Core {
    /// The last cache before memory that the machine tells of, named by the lowest online core behind that cache: the L3, or the L2 where a
    /// core has no L3.
    #[must_use]
    pub fn last_level_cache(&self) -> Option<usize> {
        self.l3.or(self.l2)
    }
}

/// The closest thing that two cores are known to share. Ordered from near to far, [`Unknown`](Self::Unknown) last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// One and the same hardware thread.
    SameCore,
    /// Two hardware threads of one physical core: they share its L1, its L2 and its execution units.
    SmtSibling,
    /// Two physical cores behind one L2 cache: a cluster, as of Arm cores or of small cores of Intel's.
    SameL2,
    /// Two physical cores behind one L3 cache, which share no L2.
    SameL3,
    /// Two cores of one NUMA node that share no cache, or whose caches are not known.
    SameNode,
    /// Cores of different NUMA nodes.
    OtherNode,
    /// The machine does not say.
    Unknown,
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SameCore => "same core",
            Self::SmtSibling => "SMT sibling",
            Self::SameL2 => "same L2",
            Self::SameL3 => "same L3",
            Self::SameNode => "same node",
            Self::OtherNode => "other node",
            Self::Unknown => "unknown",
        })
    }
}

/// The online cores of a machine. A copy made once: it does not follow later changes.
///
/// At least one core is [`allowed`](Core::allowed).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// By ascending id.
    cores: Vec<Core>,
    /// The other cores that the machine has, ascending. `None`: it does not say.
    offline: Option<Vec<usize>>,
}

/// What a core list selects of a machine, and what it names in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Selected {
    /// As [`Topology::select`] returns them.
    pub cores: Vec<usize>,
    /// The cores of ranges that cannot be used, ascending, and why.
    pub left_out: Vec<(usize, Unusable)>,
}

impl Topology {
    /// Reads this machine. On Linux that opens about a dozen small files per core: do it at start-up.
    ///
    /// Allowed are the cores of the calling thread's affinity mask, so a thread that is pinned already sees one.
    ///
    /// # Errors
    ///
    /// [`AffinityError::NoCores`] if the system does not tell the mask.
    pub fn detect() -> Result<Self, AffinityError> {
        Self::from_sysfs(Path::new("/sys"), &pin::allowed_cores()?)
    }

    /// Reads a tree of Linux's form: `root` holds `devices/system/cpu` and so on. Files that are missing or malformed
    /// make the fields that depend on them unknown; a `root` that does not exist makes all of them unknown.
    ///
    /// `allowed` are the cores that may be used, in any order. Those of them that the tree does not list as online
    /// are kept unless the tree calls them offline: a container can hide parts of its `/sys`, and the mask is nearer to
    /// the truth.
    ///
    /// # Errors
    ///
    /// [`AffinityError::NoCores`] if `allowed` is empty or all of it is offline.
    pub fn from_sysfs(root: &Path, allowed: &[usize]) -> Result<Self, AffinityError> {
        let sys = Sysfs::new(root);
        let allowed: BTreeSet<usize> = allowed.iter().copied().filter(|&id| !sys.is_offline(id)).collect();
        if allowed.is_empty() {
            return Err(AffinityError::NoCores { reason: "the allowed set has no online core".into() });
        }
        let mut online: BTreeSet<usize> = sys.online().unwrap_or_default().into_iter().collect();
        online.extend(&allowed);
        let isolated = sys.isolated().unwrap_or_default();
        let nodes = sys.nodes();

        let cores = online
            .iter()
            .map(|&id| {
                let mut smt_siblings = sys.smt_siblings(id).unwrap_or_default();
                smt_siblings.retain(|sibling| online.contains(sibling));
                if !smt_siblings.contains(&id) {
                    // Not known, or nonsense: a list of which the core itself is not part says nothing about it.
                    smt_siblings = vec![id];
                }
                let cache = |level| {
                    let shared = sys.cache_shared(id, level).filter(|shared| shared.contains(&id));
                    shared?.into_iter().find(|other| online.contains(other))
                };
                Core {
                    id,
                    smt_siblings,
                    l2: cache("2"),
                    l3: cache("3"),
                    node: nodes.iter().find(|(_, members)| members.contains(&id)).map(|&(node, _)| node),
                    package: sys.package(id),
                    isolated: isolated.contains(&id),
                    allowed: allowed.contains(&id),
                }
            })
            .collect();
        let offline = sys.present().map(|present| present.into_iter().filter(|id| !online.contains(id)).collect());
        Ok(Self { cores, offline })
    }

    /// All online cores, by ascending id, also those that may not be used.
    #[must_use]
    pub fn cores(&self) -> &[Core] {
        &self.cores
    }

    /// The ids of the cores that may be used, ascending; at least one.
    #[must_use]
    pub fn allowed(&self) -> Vec<usize> {
        self.cores.iter().filter(|core| core.allowed).map(|core| core.id).collect()
    }

    /// The core of that id; `None` if it is offline or does not exist.
    #[must_use]
    pub fn core(&self, id: usize) -> Option<&Core> {
        self.cores.binary_search_by_key(&id, |core| core.id).ok().map(|at| &self.cores[at])
    }

    /// Turns a core list into core ids, in the order in which the list names them, each once, at least one.
    ///
    /// | part | selects |
    /// |---|---|
    /// | `3`, `0-3` | these cores. Each must be allowed, or isolated: isolation takes a core out of the mask, but a thread can be pinned to it |
    /// | `all` | the allowed cores |
    /// | `physical` | of each physical core, the lowest allowed hardware thread |
    /// | `llc:1` | the allowed cores behind the second [last-level cache](Core::last_level_cache); caches count from 0 in order of their lowest core |
    /// | `l2:1` | the same of L2 caches |
    /// | `node:1` | the allowed cores of NUMA node 1 |
    /// | `isolated` | the isolated cores, allowed or not |
    /// | `!…` | leaves out what `…` stands for, allowed or not; with nothing else in the list, from `all` |
    ///
    /// Parts stand between commas, with white space as you like. Parts with `!` count last, wherever they stand: in
    /// `physical,!0`, the sibling of core 0 does not step in. Cores that do not exist may be left out.
    ///
    /// An isolated core that is not allowed can turn out to be beyond a cpuset too; the pin then says so.
    ///
    /// # Errors
    ///
    /// [`EmptyList`](AffinityError::EmptyList), [`BadItem`](AffinityError::BadItem),
    /// [`NotUsable`](AffinityError::NotUsable), or [`NothingSelected`](AffinityError::NothingSelected), also when the
    /// machine does not say what a part asks about.
    ///
    /// ```
    /// use ringmail::affinity::Topology;
    ///
    /// // No sysfs tree here: four cores of which nothing more is known.
    /// let topology = Topology::from_sysfs("/nonexistent".as_ref(), &[0, 1, 2, 3])?;
    /// assert_eq!(topology.select("3, 0-1")?, [3, 0, 1]);
    /// assert_eq!(topology.select("!0")?, [1, 2, 3]);
    /// let error = topology.select("0,7").unwrap_err();
    /// assert_eq!(error.to_string(), "core 7 is offline or does not exist; choose from 0-3");
    /// # Ok::<(), ringmail::affinity::AffinityError>(())
    /// ```
    pub fn select(&self, list: &str) -> Result<Vec<usize>, AffinityError> {
        Ok(list::select(self, list, list::Gaps::Refuse)?.cores)
    }

    /// As [`select`](Self::select), but a range such as `0-7` stands for those of its cores that can be used. What it leaves out is told
    /// with the reason.
    ///
    /// A core that is named alone must be usable, and so must one core of each range at least. A range ends where the machine does.
    ///
    /// # Errors
    ///
    /// Those of [`select`](Self::select).
    ///
    /// ```
    /// use ringmail::affinity::{Topology, Unusable};
    ///
    /// let topology = Topology::from_sysfs("/nonexistent".as_ref(), &[0, 1, 3])?;
    /// let selected = topology.select_usable("0-3")?;
    /// assert_eq!(selected.cores, [0, 1, 3]);
    /// assert_eq!(selected.left_out, [(2, Unusable::OfflineOrAbsent)]);
    /// assert!(topology.select_usable("2").is_err());
    /// # Ok::<(), ringmail::affinity::AffinityError>(())
    /// ```
    pub fn select_usable(&self, list: &str) -> Result<Selected, AffinityError> {
        list::select(self, list, list::Gaps::LeaveOut)
    }

    /// Why core `id` cannot be used; `None` if it can.
    pub(super) fn unusable(&self, id: usize) -> Option<Unusable> {
        match (self.core(id), &self.offline) {
            (Some(core), _) if core.allowed || core.isolated => None,
            (Some(_), _) => Some(Unusable::NotAllowed),
            (None, Some(offline)) if offline.binary_search(&id).is_ok() => Some(Unusable::Offline),
            (None, Some(_)) => Some(Unusable::Absent),
            (None, None) => Some(Unusable::OfflineOrAbsent),
        }
    }

    /// The highest number of a core that the machine is known to have.
    pub(super) fn highest(&self) -> usize {
        let offline = self.offline.as_ref().and_then(|offline| offline.last().copied());
        self.cores.last().map(|core| core.id).max(offline).unwrap_or(0)
    }

    /// The closest thing that cores `a` and `b` are known to share. Symmetric. Cores that are not in
    /// [`cores`](Self::cores) have an [unknown](Relation::Unknown) relation.
    #[must_use]
    pub fn relation(&self, a: usize, b: usize) -> Relation {
        let (Some(a), Some(b)) = (self.core(a), self.core(b)) else { return Relation::Unknown };
        if a.id == b.id {
            return Relation::SameCore;
        }
        // Either side may be the one whose file is missing.
        if a.smt_siblings.contains(&b.id) || b.smt_siblings.contains(&a.id) {
            return Relation::SmtSibling;
        }
        if a.l2.is_some() && a.l2 == b.l2 {
            return Relation::SameL2;
        }
        if a.l3.is_some() && a.l3 == b.l3 {
            return Relation::SameL3;
        }
        match (a.node, b.node) {
            (Some(a), Some(b)) if a == b => Relation::SameNode,
            (Some(_), Some(_)) => Relation::OtherNode,
            _ => Relation::Unknown,
        }
    }
}
