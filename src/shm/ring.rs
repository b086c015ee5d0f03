//! Mapped rings: the ends of a lane, and of many lanes.

pub(crate) mod attach;
pub(crate) mod batch;
mod copy;
pub(crate) mod gate;
pub(crate) mod gated_end;
pub(crate) mod lanes;
pub(crate) mod mapped;
pub(crate) mod open;
pub(crate) mod receiving_end;
mod runs;
pub(crate) mod sending_end;
pub(crate) mod stamped;
pub(crate) mod worker;
pub(crate) mod workers;
