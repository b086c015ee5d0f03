//! The workloads, and which contender runs which.

/// What is timed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Messages from A to B.
    OneWay,
    /// A message to B and back, over two links.
    RoundTrip,
    /// How soon B wakes, which sleeps before each message.
    Wake,
    /// What B uses of its core while it sleeps.
    Parked,
}

/// How both sides wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waits {
    /// By retrying the verbs that do not wait, with the processor's spin-loop hint in between.
    Spinning,
    /// By retrying the verbs that do not wait, with no pause: how often a side polls decides much of a figure, and the hint takes dozens of
    /// cycles.
    Racing,
    /// With the verbs that block.
    Blocking,
}

/// A workload.
#[derive(Clone, Copy, Debug)]
pub struct Suite {
    /// Its name on the command line.
    pub name: &'static str,
    /// For tables.
    pub about: &'static str,
    /// What is timed.
    pub kind: Kind,
    /// Bytes of a message.
    pub bytes: usize,
    /// How both sides wait.
    pub waits: Waits,
}

const fn one_way(name: &'static str, bytes: usize, about: &'static str) -> Suite {
    Suite { name, about, kind: Kind::OneWay, bytes, waits: Waits::Spinning }
}

const fn round_trip(name: &'static str, bytes: usize, about: &'static str) -> Suite {
    Suite { name, about, kind: Kind::RoundTrip, bytes, waits: Waits::Spinning }
}

const fn racing(suite: Suite) -> Suite {
    Suite { waits: Waits::Racing, ..suite }
}

const fn blocking(suite: Suite) -> Suite {
    Suite { waits: Waits::Blocking, ..suite }
}

const fn asleep(name: &'static str, kind: Kind, about: &'static str) -> Suite {
    Suite { name, about, kind, bytes: 8, waits: Waits::Blocking }
}

/// All workloads.
pub const SUITES: &[Suite] = &[
    one_way("one-way-8", 8, "8 B one way, both sides spin"),
    one_way("one-way-256", 256, "256 B one way, both sides spin"),
    one_way("one-way-4096", 4096, "4 KiB one way, both sides spin"),
    racing(one_way("racing-8", 8, "8 B one way, both sides spin without a pause")),
    racing(one_way("racing-256", 256, "256 B one way, both sides spin without a pause")),
    racing(one_way("racing-4096", 4096, "4 KiB one way, both sides spin without a pause")),
    blocking(one_way("blocking-8", 8, "8 B one way, blocking verbs")),
    blocking(one_way("blocking-256", 256, "256 B one way, blocking verbs")),
    blocking(one_way("blocking-4096", 4096, "4 KiB one way, blocking verbs")),
    round_trip("rtt-8", 8, "8 B there and back, both sides spin"),
    round_trip("rtt-256", 256, "256 B there and back, both sides spin"),
    round_trip("rtt-4096", 4096, "4 KiB there and back, both sides spin"),
    racing(round_trip("rtt-racing-8", 8, "8 B there and back, both sides spin without a pause")),
    racing(round_trip("rtt-racing-256", 256, "256 B there and back, both sides spin without a pause")),
    blocking(round_trip("rtt-blocking-8", 8, "8 B there and back, blocking verbs")),
    asleep(
        WAKE,
        Kind::Wake,
        "from a send to the return of a receive that was asleep; the floor is a bare shared futex",
    ),
    asleep("parked", Kind::Parked, "processor time of a receiver without a message, millionths of its core"),
];

/// `ringmail::shm::spsc` between two processes; what the others are compared with.
pub const MAPPED: &str = "ringmail-shm";
/// `ringmail::spsc` between two threads of one process.
pub const ONE_PROCESS: &str = "ringmail-one-process";
/// Two cache lines in a mapping that both processes have: no round trip can be shorter.
pub const BARE: &str = "bare-lines";
/// The mapped ring with a receiver that sleeps at once.
pub const MAPPED_AT_ONCE: &str = "ringmail-shm-at-once";
/// A shared futex in that mapping: no wake can be shorter.
pub const BARE_FUTEX: &str = "bare-futex";
/// The suite of wakes.
pub const WAKE: &str = "wake";
/// Milliseconds of a slice in which nothing is sent.
pub const SILENCE: u64 = 5000;

/// The mapped ring: messages copied from a variable of the sender's to a variable of the receiver's.
pub const BY_REFERENCE: &str = "ringmail-shm-ref";
/// The mapped ring: messages made and read in their slots.
pub const IN_PLACE: &str = "ringmail-shm-in-place";

/// The mapped ring with a receiver that maps the sender's pages for reading only.
pub const PROTECTED: &str = "ringmail-shm-protected";

/// `ringmail::shm::broadcast` with one receiver.
pub const BROADCAST: &str = "ringmail-shm-broadcast";

/// All contenders.
pub const CONTENDERS: &[&str] = &[
    MAPPED,
    BY_REFERENCE,
    IN_PLACE,
    PROTECTED,
    BROADCAST,
    ONE_PROCESS,
    "pipe",
    "seqpacket",
    "ipc-channel",
    "iceoryx2",
    BARE,
    BARE_FUTEX,
    MAPPED_AT_ONCE,
];

impl Suite {
    /// Whether `contender` runs this.
    pub fn has(&self, contender: &str) -> bool {
        let bare = self.kind == Kind::RoundTrip && self.bytes == 8 && self.waits == Waits::Spinning;
        CONTENDERS.contains(&contender)
            && (contender != BARE || bare)
            && (contender != BY_REFERENCE || self.kind == Kind::OneWay)
            // There is no verb that waits for a message and looks at it in place.
            && (contender != IN_PLACE || (self.kind == Kind::OneWay && !self.blocks()))
            && (![PROTECTED, BROADCAST].contains(&contender) || !self.is_asleep())
            && (![BARE_FUTEX, MAPPED_AT_ONCE].contains(&contender) || self.is_asleep())
    }

    /// Whether the receiver sleeps all the time.
    pub fn is_asleep(&self) -> bool {
        matches!(self.kind, Kind::Wake | Kind::Parked)
    }

    /// Whether it uses the verbs that block.
    pub fn blocks(&self) -> bool {
        self.waits == Waits::Blocking
    }

    /// Messages, or round trips, before the clock starts: around each ring of 1024 twice, unless each is a sleep. Or milliseconds without
    /// one.
    pub fn warm_up(&self) -> u64 {
        match self.kind {
            Kind::RoundTrip if self.blocks() => 64,
            Kind::OneWay | Kind::RoundTrip => 2048,
            Kind::Wake => 4,
            Kind::Parked => 0,
        }
    }
}

/// The suites that `name` means: one, all, or all that begin with it and a `-`.
///
/// # Errors
/// There is none.
pub fn select(name: &str) -> Result<Vec<&'static Suite>, String> {
    let begins =
        |suite: &Suite| suite.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    let found: Vec<_> = SUITES.iter().filter(|suite| name == "all" || begins(suite)).collect();
    if found.is_empty() {
        let names: Vec<_> = SUITES.iter().map(|suite| suite.name).collect();
        return Err(format!("no suite `{name}`; there are {}", names.join(", ")));
    }
    Ok(found)
}
