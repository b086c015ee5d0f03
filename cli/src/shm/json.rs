//! The state of a channel, as JSON.

use ringmail::shm::{Cause, ChannelInfo, Kind, LaneView, SeatView, SessionView, SideView};
use serde::Serialize;

use crate::failure::Failure;

/// As one line.
pub(super) fn line(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string(value);
    text.map(|text| text + "\n").map_err(|error| Failure::failed(format!("cannot be put into JSON: {error}")))
}

#[derive(Debug, Serialize)]
pub(super) struct Channel {
    name: String,
    kind: String,
    schema: String,
    /// The unit of the capacity, of what is used, and of each lane's counts: messages, or words of records.
    unit: &'static str,
    unit_bytes: u64,
    /// Of each lane.
    capacity: u64,
    used: u64,
    /// Messages or records.
    sent: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_per_second: Option<f64>,
    receiver: Side,
    lanes: Vec<Lane>,
    /// Of a broadcast.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    seats: Vec<Seat>,
}

#[derive(Debug, Serialize)]
struct Seat {
    seat: usize,
    receiver: Side,
    /// Of a reserved one.
    name: Option<String>,
    /// Whether the sender waits for it.
    gates: bool,
    lag: u64,
}

#[derive(Debug, Serialize)]
struct Side {
    state: String,
    pid: u32,
    sessions: u64,
    asleep: bool,
}

#[derive(Debug, Serialize)]
struct Lane {
    lane: usize,
    sender: Side,
    /// Of a fan-out: the lane's worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    receiver: Option<Side>,
    records: Option<u64>,
    sent: u64,
    received: u64,
    depth: usize,
    full: u64,
    sender_parks: u64,
    receiver_parks: u64,
    sender_wakes: u64,
    receiver_wakes: u64,
    /// Sessions whose end was reported to a receiver, and the others.
    taken: u64,
    untaken: u64,
    sessions: Vec<Session>,
}

#[derive(Debug, Serialize)]
struct Session {
    number: u64,
    pid: u32,
    start: Option<u64>,
    /// Nanoseconds since 1970.
    began: u64,
    /// `null` while it goes on.
    ended: Option<&'static str>,
}

impl Channel {
    pub(super) fn new(name: &str, seen: &ChannelInfo, sent_per_second: Option<f64>) -> Self {
        let is_bytes = matches!(seen.kind, Kind::Bytes | Kind::BytesFanIn);
        Self {
            name: name.into(),
            kind: seen.kind.to_string(),
            schema: seen.schema.clone(),
            unit: if is_bytes { "words" } else { "messages" },
            unit_bytes: seen.message_bytes,
            capacity: seen.capacity,
            used: seen.depth(),
            sent: seen.sent(),
            sent_per_second,
            receiver: Side::new(&seen.receiver),
            lanes: seen.lanes.iter().enumerate().map(|(number, lane)| Lane::new(number, lane, seen.kind)).collect(),
            seats: seen.seats.iter().enumerate().map(|(number, seat)| Seat::new(number, seat)).collect(),
        }
    }
}

impl Seat {
    fn new(number: usize, seat: &SeatView) -> Self {
        let SeatView { receiver, name, gates, lag, .. } = seat;
        Self { seat: number, receiver: Side::new(receiver), name: name.clone(), gates: *gates, lag: *lag }
    }
}

impl Side {
    fn new(side: &SideView) -> Self {
        Self { state: side.state.to_string(), pid: side.pid, sessions: side.epoch, asleep: side.parked }
    }
}

impl Lane {
    fn new(number: usize, lane: &LaneView, kind: Kind) -> Self {
        let stats = lane.stats;
        let session = |session: &SessionView| Session {
            number: session.info.number,
            pid: session.info.pid,
            start: session.info.start,
            began: session.info.began,
            ended: session.ended.map(word),
        };
        Self {
            lane: number,
            sender: Side::new(&lane.sender),
            receiver: (kind == Kind::FanOut).then(|| Side::new(&lane.receiver)),
            records: lane.records,
            sent: stats.sent,
            received: stats.received,
            depth: stats.depth,
            full: stats.full,
            sender_parks: stats.sender_parks,
            receiver_parks: stats.receiver_parks,
            sender_wakes: stats.sender_wakes,
            receiver_wakes: stats.receiver_wakes,
            taken: lane.taken,
            untaken: lane.sender.epoch.saturating_sub(lane.taken),
            sessions: lane.sessions.iter().map(session).collect(),
        }
    }
}

/// How a session ended, in a word or two.
pub(super) fn word(ended: Cause) -> &'static str {
    match ended {
        Cause::Closed => "in order",
        Cause::GivenUp => "gave up",
        Cause::PeerDied => "died",
        _ => "unknown",
    }
}
