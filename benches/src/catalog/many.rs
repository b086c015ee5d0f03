//! Several senders, one receiver.
//!
//! Of those that try, array-queue, concurrent-queue and disruptor have no verb that blocks; of those that block, crossbeam
//! and std have no futures. rtrb and ringbuf know one sender only. disruptor's receiver takes all there is at a time, as
//! its documentation has it.

use super::{Contender, Suite, stream};
use crate::peers::{
    ArrayQueue, AsyncChannel, ConcurrentQueue, Crossbeam, CrossfireMpsc, CrossfireMpscAsync, DisruptorMulti, Flume,
    KanalAsync, KanalSync, Payload, RingmailFanIn, RingmailFanInSplit, RingmailMpsc, StdSync, ThingbufAsync,
    ThingbufBlocking, Tokio,
};
use crate::work::many::{blocking, draining, on_threads, trying};

/// How many senders there are where their number is not what varies.
const FEW: usize = 4;

/// Eight times around the ring at least, however slow the peer: what the ring swallows at once, or what is over before
/// every sender has had a turn, would measure the start.
const LEAST: u64 = 8 * 1024;

const fn many(name: &'static str, label: &'static str, about: &'static str, contenders: &'static [Contender]) -> Suite {
    Suite { label, least: LEAST, ..stream(name, about, contenders) }
}

pub(super) const fn tries<const SENDERS: usize>(name: &'static str, label: &'static str) -> Suite {
    let contenders = rows![
        "ringmail" => trying::<RingmailMpsc, u64, SENDERS>,
        "ringmail-fan-in" => trying::<RingmailFanIn, u64, SENDERS>,
        "ringmail-fan-in-split" => trying::<RingmailFanInSplit, u64, SENDERS>,
        "crossfire" => trying::<CrossfireMpsc, u64, SENDERS>,
        "crossbeam" => trying::<Crossbeam, u64, SENDERS>,
        "array-queue" => trying::<ArrayQueue, u64, SENDERS>,
        "concurrent-queue" => trying::<ConcurrentQueue, u64, SENDERS>,
        "disruptor" => draining::<DisruptorMulti, u64, SENDERS>,
        "kanal" => trying::<KanalSync, u64, SENDERS>,
        "flume" => trying::<Flume, u64, SENDERS>,
        "std" => trying::<StdSync, u64, SENDERS>,
        "thingbuf" => trying::<ThingbufBlocking, u64, SENDERS>,
        "tokio" => trying::<Tokio, u64, SENDERS>,
    ];
    many(name, label, "try_send / try_recv, u64", contenders)
}

pub(super) const fn blocks<const SENDERS: usize>(name: &'static str, label: &'static str) -> Suite {
    let contenders = rows![
        "ringmail" => blocking::<RingmailMpsc, u64, SENDERS>,
        "ringmail-fan-in" => blocking::<RingmailFanIn, u64, SENDERS>,
        "ringmail-fan-in-split" => blocking::<RingmailFanInSplit, u64, SENDERS>,
        "crossfire" => blocking::<CrossfireMpsc, u64, SENDERS>,
        "crossbeam" => blocking::<Crossbeam, u64, SENDERS>,
        "kanal" => blocking::<KanalSync, u64, SENDERS>,
        "flume" => blocking::<Flume, u64, SENDERS>,
        "std" => blocking::<StdSync, u64, SENDERS>,
        "thingbuf" => blocking::<ThingbufBlocking, u64, SENDERS>,
        "tokio" => blocking::<Tokio, u64, SENDERS>,
    ];
    many(name, label, "send / recv, u64", contenders)
}

pub(super) const fn futures(name: &'static str, label: &'static str) -> Suite {
    let contenders = rows![
        "ringmail" => on_threads::<RingmailMpsc, FEW>,
        "ringmail-fan-in" => on_threads::<RingmailFanIn, FEW>,
        "ringmail-fan-in-split" => on_threads::<RingmailFanInSplit, FEW>,
        "crossfire" => on_threads::<CrossfireMpscAsync, FEW>,
        "kanal" => on_threads::<KanalAsync, FEW>,
        "flume" => on_threads::<Flume, FEW>,
        "thingbuf" => on_threads::<ThingbufAsync, FEW>,
        "tokio" => on_threads::<Tokio, FEW>,
        "async-channel" => on_threads::<AsyncChannel, FEW>,
    ];
    many(name, label, "send / recv futures, one task on each thread, u64", contenders)
}

pub(super) const fn payloads<const WORDS: usize>(name: &'static str, label: &'static str) -> Suite {
    let contenders = rows![
        "ringmail" => trying::<RingmailMpsc, Payload<WORDS>, FEW>,
        "ringmail-fan-in" => trying::<RingmailFanIn, Payload<WORDS>, FEW>,
        "ringmail-fan-in-split" => trying::<RingmailFanInSplit, Payload<WORDS>, FEW>,
        "crossfire" => trying::<CrossfireMpsc, Payload<WORDS>, FEW>,
        "crossbeam" => trying::<Crossbeam, Payload<WORDS>, FEW>,
        "array-queue" => trying::<ArrayQueue, Payload<WORDS>, FEW>,
        "concurrent-queue" => trying::<ConcurrentQueue, Payload<WORDS>, FEW>,
        "disruptor" => draining::<DisruptorMulti, Payload<WORDS>, FEW>,
        "kanal" => trying::<KanalSync, Payload<WORDS>, FEW>,
        "std" => trying::<StdSync, Payload<WORDS>, FEW>,
    ];
    many(name, label, "try_send / try_recv", contenders)
}
