//! The paired runner: figures that hold on a machine whose virtual cores move.
//!
//! * Every contender lives in a child process of its own, so no peer inherits another's heap; the child sleeps in a read
//!   until it is asked for a slice. Each slice makes a new queue behind a padding of random size, and children are
//!   replaced now and then, so that the figures do not depend on one allocation.
//! * A round runs one slice of every contender, in random order. Ratios are formed inside a round, never across.
//! * The floor is probed on either side of a slice, and the slice counts only if both probes lie in the suite's band.
//! * What is reported is the median of the per-round ratios, its quartiles, and a bootstrap interval over seeds and rounds.

pub mod analyse;
pub mod band;
pub mod child;
pub mod cli;
pub mod data;
pub mod pool;
pub mod report;
pub mod rounds;
pub mod stats;
pub mod svg;
pub mod table;
