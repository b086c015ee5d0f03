//! Busy neighbours: how channels wait while threads that compute share their cores.
//!
//! ```text
//!   runner ── starts ──▶ crew     a process of its own: N threads a core that compute, pinned, without system calls
//!     │
//!     └───── starts ──▶ slice    a process of its own: one contender in one row, free to move among the same cores
//! ```
//!
//! A round runs every row beside every crew, and in each row every contender once, in random order. A slice is a fresh process:
//! what an allocator or a waiting policy of a process keeps does not pass from one slice to the next, and each row begins with a
//! warm-up that does not count.
//!
//! The crew is a process of its own because a channel can affect its own process: a `membarrier` interrupts the cores that run
//! threads of the caller's process, and a policy that knows the process's threads would count the crew among them.
//! `N-own` puts the threads into the slice's process instead, as a program does that computes beside its channels.
//!
//! Each row also states how much of the cores other programs used meanwhile, including the host's other guests.
//!
//! Linux only: priorities, counters and the rows between processes are the kernel's.

mod arm;
mod bare;
mod between;
mod budget;
mod child;
pub mod cli;
mod crew;
mod data;
mod flow;
mod job;
mod others;
mod poll;
mod request;
mod rounds;
mod rows;
mod slow;
mod table;
mod tick;
mod timed;
pub mod usage;
mod wake;
