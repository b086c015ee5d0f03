//! Every interleaving, and every stale read the memory model allows, of small programs over ringmail's channels.
//!
//! [`models`] holds the programs as plain functions, one law each. `tests/models.rs` runs them; `tests/mutants.rs` runs them
//! again with one [`ringmail::model::Site`] of the library broken at a time and insists that some model notices;
//! `tests/litmus.rs` shows that this loom notices the two classes of mistake at all. `./run` does all three.
//!
//! **What a model may do.** Between spawn and join only the channel synchronises. What a thread saw it returns, or notes in
//! a plain `std` recorder that loom does not know. Payloads lie in the ring's slots, which are loom cells: a read that is
//! not ordered after its write is a reported race. At most six stores a word and four threads: loom forgets beyond that.
//!
//! **Barriers.** The library's light barrier is nothing at all on hardware, and a fence under loom, which has no
//! `membarrier`. A model in which no asymmetric barrier is needed (no thread sleeps, or the event count is FENCED) therefore runs
//! [`without_fences`]: light and heavy barrier both broken, so that loom's extra fences hide nothing.
//!
//! **Processes** are threads, and a kill is where one stops. Mapped memory is a ring that outlives its ends, with slots that loom sees; the kernel's
//! lock is a word with no more order than `ringmail`'s `shm::peer::session` asks of it.
//!
//! **Not covered.** Load buffering and timeouts of a length (a sleep that may time out ends at once); a kill between the stores of one
//! publication (`verify/killsweep` does that); the kernel's half of `membarrier`, `futex` and locks: the models assume what their manuals say.

#[cfg(not(ringmail_loom))]
compile_error!("models need ringmail's loom build: use `loom-tests/run`, or RUSTFLAGS=\"--cfg ringmail_loom\"");

#[cfg(ringmail_loom)]
pub mod check;
#[cfg(ringmail_loom)]
pub mod models;
#[cfg(ringmail_loom)]
pub mod payload;
#[cfg(ringmail_loom)]
pub mod run;
