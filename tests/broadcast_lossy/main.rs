//! `broadcast::lossy`: what its verbs promise, alone and beside tokio's `broadcast` and `watch`.
//!
//! Where ringmail promises something else than tokio:
//!
//! | law of the peer | here | why |
//! |---|---|---|
//! | `broadcast`: lagging is `Err(Lagged(n))` | `Ok(Seen::Lost(n))` | a loss must not end a loop over what is received |
//! | `broadcast`: goes on at the oldest message | as `Resume` says, in the middle by default | the oldest one is written over at once |
//! | `broadcast`: a send fails if no receiver is there | it succeeds | the sender does not know of receivers |
//! | `broadcast`: any `Clone`, many senders | `Message`s, one sender | receivers copy while the sender writes |
//! | `broadcast`: a receiver is made by `subscribe` or `resubscribe` | and by `clone`, at the same position | |
//! | `watch`: begins with a value | `latest` is `None` until the first message | a channel of messages |
//! | `watch`: the first value counts as seen | a receiver that was there sees it as a change | it is a message |
//! | `watch`: `borrow` locks the sender out | `latest` copies | the sender never waits |
// Tests are not what loom models.
#![allow(clippy::disallowed_types)]
#![cfg(feature = "lossy")]

#[path = "../support/mod.rs"]
mod support;

mod beside_tokio;
mod latest;
mod loss;
mod model;
mod stress;
mod verbs;
mod waiting;
