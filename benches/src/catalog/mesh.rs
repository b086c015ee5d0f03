//! Shards that send to each other, always on two cores: shards 0, 2, … on one, the rest on the other.
//!
//! A row is a function over [`Mesh`](crate::peers::Mesh) and [`Shard`](crate::peers::Shard); another workload is another function
//! in `work::mesh` and another list of rows here.

use super::{Contender, Kind, Suite, stream};
use crate::peers::{Crossbeam, CrossfireMpsc, Flume, Inboxes, KanalSync, RingmailMesh, RingmailMpsc, Tokio};
use crate::work::mesh::{TURN, all_to_all, calls, calls_by_hand, hops, idle};

/// The mesh's default.
const CAPACITY: usize = 256;

type Polls = RingmailMesh<false, false>;
type Each = RingmailMesh<true, false>;
type Parks = RingmailMesh<false, true>;

const fn mesh(name: &'static str, label: &'static str, about: &'static str, contenders: &'static [Contender]) -> Suite {
    Suite { label, capacity: CAPACITY, ..stream(name, about, contenders) }
}

/// Room for at least four turns of every shard.
const fn all<const SHARDS: usize, const RUN: u64>(
    name: &'static str,
    label: &'static str,
    about: &'static str,
) -> Suite {
    let contenders = rows![
        "ringmail" => all_to_all::<Polls, SHARDS, RUN>,
        "ringmail-each" => all_to_all::<Each, SHARDS, RUN>,
        "ringmail-park" => all_to_all::<Parks, SHARDS, RUN>,
        "ringmail-mpsc" => all_to_all::<Inboxes<RingmailMpsc>, SHARDS, RUN>,
        "crossbeam" => all_to_all::<Inboxes<Crossbeam>, SHARDS, RUN>,
        "crossfire" => all_to_all::<Inboxes<CrossfireMpsc>, SHARDS, RUN>,
        "kanal" => all_to_all::<Inboxes<KanalSync>, SHARDS, RUN>,
        "flume" => all_to_all::<Inboxes<Flume>, SHARDS, RUN>,
        "tokio" => all_to_all::<Inboxes<Tokio>, SHARDS, RUN>,
    ];
    Suite { least: 4 * TURN * (SHARDS * (SHARDS - 1)) as u64, ..mesh(name, label, about, contenders) }
}

pub(super) const fn ones<const SHARDS: usize>(name: &'static str, label: &'static str) -> Suite {
    all::<SHARDS, 1>(name, label, "one message a call, u64")
}

pub(super) const fn batches<const SHARDS: usize>(name: &'static str, label: &'static str) -> Suite {
    all::<SHARDS, TURN>(name, label, "runs of 32, u64")
}

const fn token<const SHARDS: usize, const BLOCK: bool>(
    name: &'static str,
    label: &'static str,
    about: &'static str,
) -> Suite {
    let contenders = rows![
        "ringmail" => hops::<Polls, SHARDS, BLOCK>,
        "ringmail-mpsc" => hops::<Inboxes<RingmailMpsc>, SHARDS, BLOCK>,
        "crossbeam" => hops::<Inboxes<Crossbeam>, SHARDS, BLOCK>,
        "crossfire" => hops::<Inboxes<CrossfireMpsc>, SHARDS, BLOCK>,
        "kanal" => hops::<Inboxes<KanalSync>, SHARDS, BLOCK>,
        "flume" => hops::<Inboxes<Flume>, SHARDS, BLOCK>,
        "tokio" => hops::<Inboxes<Tokio>, SHARDS, BLOCK>,
    ];
    Suite { kind: Kind::Latency, least: 4 * SHARDS as u64, ..mesh(name, label, about, contenders) }
}

pub(super) const fn spinning<const SHARDS: usize>(name: &'static str, label: &'static str) -> Suite {
    token::<SHARDS, false>(name, label, "one hop of a token, all spin on try_recv")
}

pub(super) const fn sleeping<const SHARDS: usize>(name: &'static str, label: &'static str) -> Suite {
    // The scheduler decides this figure, not the distance of the cores.
    Suite { banded: false, ..token::<SHARDS, true>(name, label, "one hop of a token, all in recv") }
}

pub(super) const fn asks(name: &'static str, label: &'static str) -> Suite {
    let contenders = rows![
        "ringmail" => calls::<false>,
        "ringmail-wait" => calls::<true>,
        "ringmail-mesh" => calls_by_hand::<Polls>,
        "ringmail-mpsc" => calls_by_hand::<Inboxes<RingmailMpsc>>,
        "crossbeam" => calls_by_hand::<Inboxes<Crossbeam>>,
        "crossfire" => calls_by_hand::<Inboxes<CrossfireMpsc>>,
        "kanal" => calls_by_hand::<Inboxes<KanalSync>>,
        "flume" => calls_by_hand::<Inboxes<Flume>>,
        "tokio" => calls_by_hand::<Inboxes<Tokio>>,
    ];
    let about = "a call and its answer; the others: a message there, one back";
    Suite { kind: Kind::Latency, least: 8, ..mesh(name, label, about, contenders) }
}

/// Of one thread: no distance, and no room to speak of, for 64 shards have 4032 lanes.
pub(super) const fn polls(name: &'static str, label: &'static str) -> Suite {
    let contenders = rows![
        "ringmail" => idle::<Polls, 1>,
        "ringmail-63" => idle::<Polls, 63>,
        "ringmail-mpsc" => idle::<Inboxes<RingmailMpsc>, 1>,
        "ringmail-mpsc-63" => idle::<Inboxes<RingmailMpsc>, 63>,
        "crossbeam" => idle::<Inboxes<Crossbeam>, 1>,
        "crossbeam-63" => idle::<Inboxes<Crossbeam>, 63>,
        "crossfire" => idle::<Inboxes<CrossfireMpsc>, 1>,
        "crossfire-63" => idle::<Inboxes<CrossfireMpsc>, 63>,
        "kanal" => idle::<Inboxes<KanalSync>, 1>,
        "kanal-63" => idle::<Inboxes<KanalSync>, 63>,
        "flume" => idle::<Inboxes<Flume>, 1>,
        "flume-63" => idle::<Inboxes<Flume>, 63>,
        "tokio" => idle::<Inboxes<Tokio>, 1>,
        "tokio-63" => idle::<Inboxes<Tokio>, 63>,
    ];
    let about = "a poll in vain with one idle peer, or 63";
    Suite { kind: Kind::Latency, banded: false, capacity: 4, ..mesh(name, label, about, contenders) }
}
