//! The scenarios.

use ringmail::WaitStrategy;
use ringmail::shm::Role;

/// Kinds of channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// `shm::spsc`.
    Messages,
    /// `shm::bytes`.
    Records,
    /// `shm::fan_in`, with two lanes: the first one's sender is the driver's, and goes on.
    Lanes,
    /// `shm::bytes::fan_in`, with the same two.
    RecordLanes,
}

impl Kind {
    pub(crate) fn find(name: &str) -> Option<Self> {
        let all = [Self::Messages, Self::Records, Self::Lanes, Self::RecordLanes];
        all.into_iter().find(|kind| format!("{kind:?}") == name)
    }

    pub(crate) fn has_lanes(self) -> bool {
        matches!(self, Self::Lanes | Self::RecordLanes)
    }
}

/// One script of a child and what the driver does about it.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Whose part the child plays.
    pub(crate) role: Role,
    pub(crate) script: &'static str,
    pub(crate) child_waits: WaitStrategy,
    pub(crate) driver_waits: WaitStrategy,
    /// The driver takes its time, so that the child sleeps.
    pub(crate) slow: bool,
    /// An earlier holder of the role was killed in its sleep.
    pub(crate) succeeds: bool,
    /// The driver opens nothing before the child is dead: the child makes the segment.
    pub(crate) alone: bool,
    /// Sessions of children follow each other; none is stopped at a point.
    pub(crate) restarts: bool,
}

/// At the end of a script: the segment is made as on a file system whose files all have names.
pub(crate) const NAMED_FIRST: &str = "-named-first";

use Kind::{Lanes, RecordLanes, Records};
use WaitStrategy::{Park, ParkAtOnce};

const SENDER: Scenario = Scenario {
    name: "sender",
    kind: Kind::Messages,
    role: Role::Sender,
    script: "sender",
    child_waits: Park,
    driver_waits: ParkAtOnce,
    slow: false,
    succeeds: false,
    alone: false,
    restarts: false,
};
const RECEIVER: Scenario = Scenario { name: "receiver", role: Role::Receiver, script: "receiver", ..SENDER };

/// The child waits by sleeping, and the driver takes its time.
const fn asleep(name: &'static str, of: Scenario) -> Scenario {
    Scenario { name, child_waits: ParkAtOnce, driver_waits: Park, slow: true, ..of }
}

/// An earlier holder was killed in its sleep.
const fn successor(name: &'static str, of: Scenario) -> Scenario {
    Scenario { name, succeeds: true, ..of }
}

/// Short sessions, one after the other.
const fn restarts(name: &'static str, of: Scenario) -> Scenario {
    Scenario { name, restarts: true, ..of }
}

const RECORD_SENDER: Scenario = Scenario { name: "record-sender", kind: Records, ..SENDER };
const RECORD_RECEIVER: Scenario = Scenario { name: "record-receiver", kind: Records, ..RECEIVER };
const LANE_SENDER: Scenario = Scenario { name: "lane-sender", kind: Lanes, ..SENDER };
const LANE_RECEIVER: Scenario = Scenario { name: "lane-receiver", kind: Lanes, ..RECEIVER };
const RECORD_LANE_SENDER: Scenario = Scenario { name: "record-lane-sender", kind: RecordLanes, ..SENDER };
const RECORD_LANE_RECEIVER: Scenario = Scenario { name: "record-lane-receiver", kind: RecordLanes, ..RECEIVER };

/// In the order in which they are begun: the longest first.
pub(crate) static ALL: [Scenario; 38] = [
    asleep("sender-asleep", SENDER),
    asleep("record-sender-asleep", RECORD_SENDER),
    asleep("lane-sender-asleep", LANE_SENDER),
    asleep("record-lane-sender-asleep", RECORD_LANE_SENDER),
    successor("sender-successor", SENDER),
    successor("record-sender-successor", RECORD_SENDER),
    successor("lane-sender-successor", LANE_SENDER),
    successor("record-lane-sender-successor", RECORD_LANE_SENDER),
    SENDER,
    RECORD_SENDER,
    LANE_SENDER,
    RECORD_LANE_SENDER,
    asleep("receiver-asleep", RECEIVER),
    asleep("record-receiver-asleep", RECORD_RECEIVER),
    asleep("lane-receiver-asleep", LANE_RECEIVER),
    asleep("record-lane-receiver-asleep", RECORD_LANE_RECEIVER),
    successor("receiver-successor", RECEIVER),
    successor("record-receiver-successor", RECORD_RECEIVER),
    successor("lane-receiver-successor", LANE_RECEIVER),
    successor("record-lane-receiver-successor", RECORD_LANE_RECEIVER),
    RECEIVER,
    RECORD_RECEIVER,
    LANE_RECEIVER,
    RECORD_LANE_RECEIVER,
    restarts("sender-restarts", SENDER),
    restarts("record-sender-restarts", RECORD_SENDER),
    restarts("lane-sender-restarts", LANE_SENDER),
    restarts("record-lane-sender-restarts", RECORD_LANE_SENDER),
    restarts("receiver-restarts", RECEIVER),
    restarts("record-receiver-restarts", RECORD_RECEIVER),
    restarts("lane-receiver-restarts", LANE_RECEIVER),
    restarts("record-lane-receiver-restarts", RECORD_LANE_RECEIVER),
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

pub(crate) trait OtherRole {
    fn other_role(self) -> Self;
}

impl OtherRole for Role {
    fn other_role(self) -> Self {
        if self == Self::Sender { Self::Receiver } else { Self::Sender }
    }
}
