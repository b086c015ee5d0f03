//! Ringmail's mapped channel between two processes, beside other ways to send a message to another process.
//!
//! ```text
//!   runner ── makes a page and the links, starts both, waits ──┐
//!     │                                                        │
//!     ├─▶ side A (core 0) ═══ links under test ═══▶ side B (core 1)
//!     │        └──────── page: gate, floor, notes ────────┘
//!     └── ringmail-one-process: A and B are two threads of one process, over the same page
//! ```
//!
//! * Each slice has two processes and links of its own, gone with it.
//! * Both run the same [`work`] over the verbs of [`links`]; what came is checked in every slice, message for message.
//! * The floor, a bare round trip over two cache lines in the page, is probed before and after; [`rounds`] and the tables do with it what
//!   `ringmail_benches::paired` does.
//! * A slice that has not ended in time is killed and reported.
//!
//! How the contenders compare: every message is made on the sender's stack and arrives on the receiver's. Rings hold 1024 messages; a pipe
//! and the sockets hold what the system gives them. To spin, a pipe and the sockets are set not to block; ipc-channel has a `try_recv` but
//! only one `send`; iceoryx2 blocks with an event for each message.
//!
//! In the suites with a sleeping receiver the bare futex takes the place of the floor: [`wake_latency`].
//!
//! Two rings that take a few nanoseconds a message can be compared only over several builds: the place of a loop in the program, and how
//! often it polls, change their ratio more than the mapping does. Each run writes its build into its JSON, and `paired report` shows the ratio of each build.
#![cfg(target_os = "linux")]

pub mod catalog;
pub mod cli;
pub mod endpoint;
pub mod links;
pub mod message;
pub mod pair;
pub mod rounds;
pub mod shared_page;
pub mod side;
pub mod wake_latency;
pub mod work;
