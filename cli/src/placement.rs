//! Where threads and memory are put on request: memory nodes, locked memory, real-time priority, huge pages.
//!
//! What is asked for is done or the run fails with the reason. What can be found out afterwards is: on which nodes the pages of the channels lie, and
//! how much of them is in huge pages.

#[cfg(target_os = "linux")]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "placement/elsewhere.rs"]
mod system;

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;

use crate::failure::Failure;
use crate::measure::round_trip::StopReason;
use crate::report;

/// Whose memory the channels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Memory {
    /// The receiving thread touches it first.
    #[default]
    Receiver,
    /// The sending thread does.
    Sender,
    /// It is bound to a node.
    Node(usize),
}

impl FromStr for Memory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let node = || text.strip_prefix("node:").filter(|node| node.bytes().all(|c| c.is_ascii_digit()))?.parse().ok();
        match text {
            "receiver" => Ok(Self::Receiver),
            "sender" => Ok(Self::Sender),
            _ => node()
                .map(Self::Node)
                .ok_or_else(|| "expected receiver, sender, or a memory node such as node:0".into()),
        }
    }
}

impl std::fmt::Display for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Receiver => f.write_str("receiver"),
            Self::Sender => f.write_str("sender"),
            Self::Node(node) => write!(f, "node:{node}"),
        }
    }
}

/// The options. A clone is of the same run: what one thread finds, all have found.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Placement")]
pub(crate) struct Placement {
    /// Whose memory a channel is: the receiver's, the sender's, or that of a memory node: receiver, sender, node:N [default: receiver]
    #[arg(long, value_name = "WHOSE")]
    memory: Option<Memory>,
    /// Keep all of this process in memory (mlockall)
    #[arg(long)]
    mlock: bool,
    /// Give the measuring threads this real-time priority (SCHED_FIFO), 1 to 99. Nothing else then runs on their cores while they spin, not
    /// even the shell, but for the share that the kernel keeps back (sched_rt_runtime_us)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=99))]
    rt_prio: Option<u32>,
    /// Put the slots of channels into transparent huge pages; they must fill some, see --capacity and --payload
    #[arg(long)]
    huge_pages: bool,
    #[arg(skip)]
    found: Arc<Mutex<Found>>,
}

/// What was found out about the memory of the channels.
#[derive(Debug, Default)]
struct Found {
    nodes: BTreeSet<usize>,
    huge_page_bytes: Option<u64>,
}

impl Placement {
    pub(crate) fn memory(&self) -> Memory {
        self.memory.unwrap_or_default()
    }

    /// Refuses what a verb cannot do with its memory.
    pub(crate) fn without_memory(&self, verb: &str, why: &str) -> Result<(), Failure> {
        let asked = [("--memory", self.memory.is_some()), ("--huge-pages", self.huge_pages)];
        match asked.into_iter().find(|(_, is_asked)| *is_asked) {
            Some((flag, _)) => Err(Failure::usage(format!("{flag}: not with '{verb}': {why}"))),
            None => Ok(()),
        }
    }

    /// Refuses huge pages where there are none to fill.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    pub(crate) fn without_huge_pages(&self, verb: &str, why: &str) -> Result<(), Failure> {
        if self.huge_pages {
            return Err(Failure::usage(format!("--huge-pages: not with '{verb}': {why}")));
        }
        Ok(())
    }

    /// Finds out whether all of it can be done, and does what is done once for the process. `threads`: how many measure at the same time.
    pub(crate) fn begin(&self, threads: usize) -> Result<(), Failure> {
        if let Some(Memory::Node(node)) = self.memory {
            system::check_node(node).map_err(|reason| Failure::usage(format!("--memory node:{node}: {reason}")))?;
        }
        if self.huge_pages {
            system::check_huge_pages().map_err(|reason| Failure::failed(format!("--huge-pages: {reason}")))?;
        }
        if let Some(priority) = self.rt_prio {
            system::check_priority(priority, threads)
                .map_err(|reason| Failure::failed(format!("--rt-prio {priority}: {reason}")))?;
        }
        if self.mlock {
            system::lock_memory().map_err(|reason| Failure::failed(format!("--mlock: {reason}")))?;
        }
        Ok(())
    }

    /// On a measuring thread, before it builds anything. It stays so until the thread ends.
    pub(crate) fn enter(&self) -> Result<(), StopReason> {
        if let Some(Memory::Node(node)) = self.memory {
            system::bind_memory(node).map_err(|reason| StopReason::Build(format!("--memory node:{node}: {reason}")))?;
        }
        if let Some(priority) = self.rt_prio {
            system::set_priority(priority)
                .map_err(|reason| StopReason::Build(format!("--rt-prio {priority}: {reason}")))?;
        }
        Ok(())
    }

    /// Checks where slots lie that the calling thread has been the first to touch; `addresses` has one of each page.
    pub(crate) fn settle(&self, addresses: &[usize]) -> Result<(), StopReason> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if self.huge_pages {
            let bytes =
                system::make_huge(addresses).map_err(|reason| StopReason::Build(format!("--huge-pages: {reason}")))?;
            found.huge_page_bytes = Some(found.huge_page_bytes.map_or(bytes, |least| least.min(bytes)));
        }
        if let Some(memory) = self.memory {
            let failed = |reason: String| StopReason::Build(format!("--memory {memory}: {reason}"));
            let nodes = system::nodes_of(addresses).map_err(failed)?;
            let wanted = match memory {
                Memory::Node(node) => Some(node),
                Memory::Receiver | Memory::Sender => system::current_node(),
            };
            if let Some((node, wanted)) = nodes.iter().find_map(|&node| Some((node, wanted.filter(|&it| it != node)?)))
            {
                return Err(failed(format!(
                    "memory of a channel lies on node {node} instead of {wanted}: free memory on node {wanted}"
                )));
            }
            found.nodes.extend(nodes);
        }
        Ok(())
    }

    /// Whether [`Placement::settle`] looks at addresses.
    pub(crate) fn looks(&self) -> bool {
        self.memory.is_some() || self.huge_pages
    }

    /// For the report, once all is measured.
    pub(crate) fn report(&self) -> report::Placement {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        report::Placement {
            memory: self.memory.map(|memory| memory.to_string()),
            memory_found_on_nodes: (!found.nodes.is_empty()).then(|| found.nodes.iter().copied().collect()),
            mlock: self.mlock.then_some(true),
            rt_priority: self.rt_prio,
            huge_page_bytes: found.huge_page_bytes,
        }
    }

    /// The options that another process of the same run must have too.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    pub(crate) fn to_args(&self) -> Vec<String> {
        let mut args = Vec::new();
        args.extend(self.mlock.then(|| "--mlock".to_owned()));
        args.extend(self.rt_prio.map(|priority| format!("--rt-prio={priority}")));
        args
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_of_a_side_or_a_node() {
        for (text, memory) in [
            ("receiver", Memory::Receiver),
            ("sender", Memory::Sender),
            ("node:0", Memory::Node(0)),
            ("node:12", Memory::Node(12)),
        ] {
            assert_eq!(text.parse(), Ok(memory));
            assert_eq!(memory.to_string(), text);
        }
        for bad in ["", "node", "node:", "node:-1", "node:x", "node:+1", "0", "Sender"] {
            assert!(bad.parse::<Memory>().unwrap_err().contains("node:0"), "{bad:?}");
        }
    }

    #[test]
    fn what_is_found_is_reported_and_what_is_not_asked_for_is_absent() {
        let placement = Placement::default();
        assert_eq!(placement.report(), report::Placement::default());
        assert_eq!(serde_json::to_string(&placement.report()).unwrap(), "{}");
        assert!(placement.to_args().is_empty() && !placement.looks());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_of_this_thread_is_found_on_a_node() {
        let memory = [1_u8; 64];
        let placement = Placement { memory: Some(Memory::Receiver), ..Placement::default() };
        // Containers may forbid to ask.
        match placement.clone().settle(&[memory.as_ptr().addr()]) {
            Ok(()) => assert_eq!(placement.report().memory_found_on_nodes.unwrap().len(), 1),
            Err(StopReason::Build(reason)) => assert!(reason.contains("move_pages"), "{reason}"),
            Err(other) => panic!("{other}"),
        }
    }
}
