//! Benchmarks of ringmail beside its peers.
//!
//! [`peers`] puts every queue behind the same few verbs; [`work`] holds the workloads, generic over those verbs;
//! [`catalog`] lists which peer runs which workload. Two harnesses share them: the criterion suites in `benches/`, for a
//! quick look, and the [`paired`] runner, for figures that can be quoted from a shared or virtual machine.
//!
//! `neighbours` is a suite of its own: channels that wait, beside threads that compute on the same cores.

pub mod catalog;
pub mod floor;
pub mod multi_slice;
#[cfg(target_os = "linux")]
pub mod neighbours;
pub mod pair_slice;
pub mod paired;
pub mod peers;
pub mod work;
