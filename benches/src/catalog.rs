//! Which peer runs which workload.

use crate::pair_slice::{Env, Outcome};
use crate::peers::{
    ArrayQueue, AsyncBroadcast, AsyncChannel, BareYield, BusPeer, Crossbeam, CrossfireAsync, CrossfireBlocking,
    Disruptor, Flume, KanalAsync, KanalSync, Payload, Ringbuf, RingbufSlices, Ringmail, RingmailBroadcast,
    RingmailDrain, RingmailSlices, RingmailSpin, Rtrb, RtrbSlices, StdSync, ThingbufAsync, ThingbufBlocking, Tokio,
    TokioBroadcast,
};
use crate::work::{bare, batch, blocking, futex_wake, on_threads, on_tokio, pingpong, polling, spinning, wake};

/// Runs one slice of `n` messages; the last argument is the contender's name, for the message if it fails.
pub type Run = fn(&Env, u64, &'static str) -> Outcome;

/// One row of a suite.
#[derive(Clone, Copy, Debug)]
pub struct Contender {
    /// As the command line and the tables call it.
    pub name: &'static str,
    /// Its slice.
    pub run: Run,
}

/// What a suite's figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Million messages a second; more is better.
    Throughput,
    /// Nanoseconds; less is better.
    Latency,
}

/// A workload and those that run it.
#[derive(Clone, Copy, Debug)]
pub struct Suite {
    /// As the command line calls it.
    pub name: &'static str,
    /// As the README's table and picture call it.
    pub label: &'static str,
    /// For the tables.
    pub about: &'static str,
    /// What is measured.
    pub kind: Kind,
    /// Messages a queue holds.
    pub capacity: usize,
    /// Both threads on one core.
    pub one_core: bool,
    /// Whether the figure moves with the distance of the cores, so that a slice counts only inside the band.
    pub banded: bool,
    /// Messages of the shortest meaningful slice.
    pub least: u64,
    /// The rows.
    pub contenders: &'static [Contender],
}

impl Suite {
    /// Where and with what room this suite runs.
    pub fn env(&self, env: Env) -> Env {
        let env = env.with_capacity(self.capacity);
        if self.one_core { env.on_one_core() } else { env }
    }
}

/// `name => slice` rows.
macro_rules! rows {
    ($($name:literal => $run:expr),+ $(,)?) => { &[$(Contender { name: $name, run: $run }),+] };
}

mod lossy;
mod many;
mod mesh;

const SPINNING: &[Contender] = rows![
    "ringmail" => spinning::<Ringmail, u64>,
    "rtrb" => spinning::<Rtrb, u64>,
    "ringbuf" => spinning::<Ringbuf, u64>,
    "disruptor" => spinning::<Disruptor, u64>,
    "crossfire" => spinning::<CrossfireBlocking, u64>,
    "crossbeam" => spinning::<Crossbeam, u64>,
    "array-queue" => spinning::<ArrayQueue, u64>,
    "kanal" => spinning::<KanalSync, u64>,
    "flume" => spinning::<Flume, u64>,
    "std" => spinning::<StdSync, u64>,
    "thingbuf" => spinning::<ThingbufBlocking, u64>,
    "tokio" => spinning::<Tokio, u64>,
    "async-channel" => spinning::<AsyncChannel, u64>,
];

const POLLING: &[Contender] = rows![
    "ringmail" => polling::<Ringmail, u64>,
    "rtrb" => polling::<Rtrb, u64>,
    "ringbuf" => polling::<Ringbuf, u64>,
    "disruptor" => polling::<Disruptor, u64>,
];

const BLOCKING: &[Contender] = rows![
    "ringmail" => blocking::<Ringmail, u64>,
    "ringmail-spin" => blocking::<RingmailSpin, u64>,
    "crossfire" => blocking::<CrossfireBlocking, u64>,
    "crossbeam" => blocking::<Crossbeam, u64>,
    "kanal" => blocking::<KanalSync, u64>,
    "flume" => blocking::<Flume, u64>,
    "std" => blocking::<StdSync, u64>,
    "thingbuf" => blocking::<ThingbufBlocking, u64>,
    "tokio" => blocking::<Tokio, u64>,
    "async-channel" => blocking::<AsyncChannel, u64>,
];

/// More threads than cores: a spinning end would only keep the other from running.
const HANDED_OVER: &[Contender] = rows![
    "bare-yield" => blocking::<BareYield, u64>,
    "ringmail" => blocking::<Ringmail, u64>,
    "crossfire" => blocking::<CrossfireBlocking, u64>,
    "crossbeam" => blocking::<Crossbeam, u64>,
    "kanal" => blocking::<KanalSync, u64>,
    "flume" => blocking::<Flume, u64>,
    "std" => blocking::<StdSync, u64>,
    "thingbuf" => blocking::<ThingbufBlocking, u64>,
    "tokio" => blocking::<Tokio, u64>,
    "async-channel" => blocking::<AsyncChannel, u64>,
];

/// The same without the floor, which has one place.
const OVERSUBSCRIBED: &[Contender] = HANDED_OVER.split_at(1).1;

const fn batches<const RUN: usize>() -> &'static [Contender] {
    rows![
        "ringmail" => batch::<Ringmail, RUN>,
        "ringmail-slices" => batch::<RingmailSlices, RUN>,
        "ringmail-drain" => batch::<RingmailDrain, RUN>,
        "rtrb" => batch::<Rtrb, RUN>,
        "rtrb-slices" => batch::<RtrbSlices, RUN>,
        "ringbuf" => batch::<Ringbuf, RUN>,
        "ringbuf-slices" => batch::<RingbufSlices, RUN>,
        "disruptor" => batch::<Disruptor, RUN>,
    ]
}

const fn payloads<const WORDS: usize>() -> &'static [Contender] {
    rows![
        "ringmail" => spinning::<Ringmail, Payload<WORDS>>,
        "rtrb" => spinning::<Rtrb, Payload<WORDS>>,
        "ringbuf" => spinning::<Ringbuf, Payload<WORDS>>,
        "disruptor" => spinning::<Disruptor, Payload<WORDS>>,
        "crossfire" => spinning::<CrossfireBlocking, Payload<WORDS>>,
        "crossbeam" => spinning::<Crossbeam, Payload<WORDS>>,
        "kanal" => spinning::<KanalSync, Payload<WORDS>>,
        "std" => spinning::<StdSync, Payload<WORDS>>,
    ]
}

/// One receiver; `ringmail-spsc` is what a message costs without seats.
const fn broadcasts<const WORDS: usize>() -> &'static [Contender] {
    rows![
        "ringmail" => spinning::<RingmailBroadcast, Payload<WORDS>>,
        "ringmail-spsc" => spinning::<Ringmail, Payload<WORDS>>,
        "disruptor" => spinning::<Disruptor, Payload<WORDS>>,
        "bus" => spinning::<BusPeer, Payload<WORDS>>,
        "async-broadcast" => spinning::<AsyncBroadcast, Payload<WORDS>>,
        "tokio" => spinning::<TokioBroadcast, Payload<WORDS>>,
    ]
}

const ROUND_TRIPS: &[Contender] = rows![
    "bare-lines" => bare,
    "ringmail" => pingpong::<Ringmail>,
    "rtrb" => pingpong::<Rtrb>,
    "ringbuf" => pingpong::<Ringbuf>,
    "disruptor" => pingpong::<Disruptor>,
    "crossfire" => pingpong::<CrossfireBlocking>,
    "crossbeam" => pingpong::<Crossbeam>,
    "array-queue" => pingpong::<ArrayQueue>,
    "kanal" => pingpong::<KanalSync>,
    "std" => pingpong::<StdSync>,
];

const ASYNC: &[Contender] = rows![
    "ringmail" => on_threads::<Ringmail>,
    "crossfire" => on_threads::<CrossfireAsync>,
    "kanal" => on_threads::<KanalAsync>,
    "flume" => on_threads::<Flume>,
    "thingbuf" => on_threads::<ThingbufAsync>,
    "tokio" => on_threads::<Tokio>,
    "async-channel" => on_threads::<AsyncChannel>,
];

const ASYNC_TOKIO: &[Contender] = rows![
    "ringmail" => on_tokio::<Ringmail>,
    "crossfire" => on_tokio::<CrossfireAsync>,
    "kanal" => on_tokio::<KanalAsync>,
    "flume" => on_tokio::<Flume>,
    "thingbuf" => on_tokio::<ThingbufAsync>,
    "tokio" => on_tokio::<Tokio>,
    "async-channel" => on_tokio::<AsyncChannel>,
];

const WAKES: &[Contender] = rows![
    "bare-futex" => futex_wake,
    "ringmail" => wake::<Ringmail>,
    "crossfire" => wake::<CrossfireBlocking>,
    "crossbeam" => wake::<Crossbeam>,
    "kanal" => wake::<KanalSync>,
    "flume" => wake::<Flume>,
    "std" => wake::<StdSync>,
    "thingbuf" => wake::<ThingbufBlocking>,
    "tokio" => wake::<Tokio>,
    "async-channel" => wake::<AsyncChannel>,
];

const fn stream(name: &'static str, about: &'static str, contenders: &'static [Contender]) -> Suite {
    Suite {
        name,
        label: name,
        about,
        kind: Kind::Throughput,
        capacity: 1024,
        one_core: false,
        banded: true,
        least: 1,
        contenders,
    }
}

/// Every suite. A name on the command line selects the suite of that name, or all whose names begin with it and a dash.
pub const SUITES: &[Suite] = &[
    stream("try", "try_send / try_recv, u64", SPINNING),
    stream("poll", "try_send one by one / receive all there is, u64", POLLING),
    stream("blocking", "send / recv, u64", BLOCKING),
    stream("batch-8", "runs of 8, u64", batches::<8>()),
    stream("batch-32", "runs of 32, u64", batches::<32>()),
    stream("batch-128", "runs of 128, u64", batches::<128>()),
    stream("payload-8", "try_send / try_recv, 8 bytes", payloads::<1>()),
    stream("payload-64", "try_send / try_recv, 64 bytes", payloads::<8>()),
    stream("payload-256", "try_send / try_recv, 256 bytes", payloads::<32>()),
    stream("payload-1024", "try_send / try_recv, 1024 bytes", payloads::<128>()),
    stream("broadcast-8", "one of the receivers of a broadcast, try, 8 bytes", broadcasts::<1>()),
    stream("broadcast-64", "one of the receivers of a broadcast, try, 64 bytes", broadcasts::<8>()),
    Suite { kind: Kind::Latency, ..stream("rtt", "round trip, u64, two queues", ROUND_TRIPS) },
    stream("async", "send / recv futures, one task on each of two threads", ASYNC),
    Suite {
        banded: false,
        ..stream("async-tokio", "send / recv futures, two tasks on tokio's two workers", ASYNC_TOKIO)
    },
    Suite {
        capacity: 1,
        one_core: true,
        banded: false,
        ..stream("oversub-1", "send / recv, both threads on one core, capacity 1", HANDED_OVER)
    },
    Suite {
        one_core: true,
        banded: false,
        ..stream("oversub-1024", "send / recv, both threads on one core, capacity 1024", OVERSUBSCRIBED)
    },
    Suite { kind: Kind::Latency, banded: false, ..stream("wake", "send to a sleeping recv", WAKES) },
    many::tries::<1>("mpsc-try-1", "1 sender, try"),
    many::tries::<2>("mpsc-try-2", "2 senders, try"),
    many::tries::<4>("mpsc-try-4", "4 senders, try"),
    many::tries::<8>("mpsc-try-8", "8 senders, try"),
    many::blocks::<1>("mpsc-block-1", "1 sender, blocking"),
    many::blocks::<2>("mpsc-block-2", "2 senders, blocking"),
    many::blocks::<4>("mpsc-block-4", "4 senders, blocking"),
    many::blocks::<8>("mpsc-block-8", "8 senders, blocking"),
    many::futures("mpsc-async-4", "4 senders, async"),
    many::payloads::<8>("mpsc-payload-64", "4 senders, 64 bytes"),
    many::payloads::<32>("mpsc-payload-256", "4 senders, 256 bytes"),
    mesh::ones::<2>("mesh-all-2", "2 shards, all to all"),
    mesh::ones::<4>("mesh-all-4", "4 shards, all to all"),
    mesh::ones::<8>("mesh-all-8", "8 shards, all to all"),
    mesh::ones::<16>("mesh-all-16", "16 shards, all to all"),
    mesh::batches::<2>("mesh-batch-2", "2 shards, batches"),
    mesh::batches::<4>("mesh-batch-4", "4 shards, batches"),
    mesh::batches::<8>("mesh-batch-8", "8 shards, batches"),
    mesh::batches::<16>("mesh-batch-16", "16 shards, batches"),
    mesh::spinning::<2>("mesh-hop-2", "2 shards, hop"),
    mesh::sleeping::<16>("mesh-hop-16", "16 shards, hop"),
    mesh::asks("mesh-call", "2 shards, call"),
    mesh::polls("mesh-idle", "idle peers"),
    lossy::RECEIVED_8,
    lossy::RECEIVED_64,
    lossy::SENT_8,
    lossy::SENT_64,
    lossy::NEWEST_8,
    lossy::NEWEST_64,
];

/// The suites that `name` selects.
///
/// # Errors
/// Nothing has that name; the message lists what there is.
pub fn select(name: &str) -> Result<Vec<&'static Suite>, String> {
    let exact: Vec<_> = SUITES.iter().filter(|suite| suite.name == name).collect();
    if !exact.is_empty() {
        return Ok(exact);
    }
    let prefix = format!("{name}-");
    let found: Vec<_> = SUITES.iter().filter(|suite| name == "all" || suite.name.starts_with(&prefix)).collect();
    if found.is_empty() {
        let names: Vec<_> = SUITES.iter().map(|suite| suite.name).collect();
        return Err(format!("no suite `{name}`; there are: all, {}", names.join(", ")));
    }
    Ok(found)
}
