//! The channels between threads: what their verbs and handles promise.
// Tests are not what loom models.
#![allow(clippy::disallowed_types)]

#[path = "../support/mod.rs"]
mod support;

mod bytes;
mod closed;
mod closing;
mod drop_panics;
mod drops;
mod errors;
mod filtered;
mod futures;
mod in_place;
mod leaving;
mod panics;
mod recv_many;
mod verbs;

mod mpsc {
    mod drops;
    mod fairness;
    mod panics;
    mod sender_queue;
    mod shared;
    #[cfg(feature = "futures")]
    mod sink;
    mod stalled_claims;
    mod verbs;
    mod waiting;
}

mod fan_in {
    mod fairness;
    mod lanes;
    mod panics;
    mod turns;
}

mod fan_out {
    mod keys;
    mod panics;
    mod workers;
}
