//! Segments as files: how one is found, is checked, and goes.
//!
//! A segment is made whole and then given its name, which replaces nothing ([`create`](self::create)): a side that opens it always finds a complete header.
//! Of two sides that make it at the same time, the loser opens the winner's.

pub(crate) mod attach;
pub(crate) mod create;
pub(crate) mod directory;
pub(crate) mod file;
pub(crate) mod header;
pub(crate) mod layout;
pub(crate) mod location;
pub(crate) mod locks;
pub(crate) mod map;
pub(crate) mod remove;
