//! What is swept.

use ringmail::WaitStrategy;
use ringmail::shm::Role;

/// One script of a child and what the parent does about it.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Whose part the child plays.
    pub(crate) role: Role,
    pub(crate) script: &'static str,
    pub(crate) child_waits: WaitStrategy,
    pub(crate) parent_waits: WaitStrategy,
    /// The parent takes its time, so that the child sleeps.
    pub(crate) slow: bool,
    /// An earlier holder of the role was killed in its sleep.
    pub(crate) succeeds: bool,
    /// The parent opens nothing before the child is dead: the child makes the segment.
    pub(crate) alone: bool,
}

/// At the end of a script: the segment is made as on a file system whose files all have names.
pub(crate) const NAMED_FIRST: &str = "-named-first";

use WaitStrategy::{Park, ParkAtOnce};

const SENDER: Scenario = Scenario {
    name: "sender",
    role: Role::Sender,
    script: "sender",
    child_waits: Park,
    parent_waits: ParkAtOnce,
    slow: false,
    succeeds: false,
    alone: false,
};
const RECEIVER: Scenario = Scenario { name: "receiver", role: Role::Receiver, script: "receiver", ..SENDER };

/// In the order in which they are begun: the longest first.
pub(crate) static ALL: [Scenario; 12] = [
    Scenario { name: "sender-asleep", child_waits: ParkAtOnce, parent_waits: Park, slow: true, ..SENDER },
    Scenario { name: "sender-successor", succeeds: true, ..SENDER },
    SENDER,
    Scenario { name: "receiver-asleep", child_waits: ParkAtOnce, parent_waits: Park, slow: true, ..RECEIVER },
    Scenario { name: "receiver-successor", succeeds: true, ..RECEIVER },
    RECEIVER,
    Scenario { name: "sender-creates", alone: true, script: "create-sender", ..SENDER },
    Scenario { name: "receiver-creates", alone: true, script: "create-receiver", ..RECEIVER },
    Scenario { name: "sender-names-first", alone: true, script: "create-sender-named-first", ..SENDER },
    Scenario { name: "receiver-names-first", alone: true, script: "create-receiver-named-first", ..RECEIVER },
    Scenario { name: "remover", alone: true, script: "remove", ..SENDER },
    // Stopped while it asks for the other side, which then comes.
    Scenario { name: "onlooker", alone: true, script: "look", ..RECEIVER },
];

pub(crate) fn find(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

pub(crate) fn names() -> String {
    ALL.iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", ")
}
