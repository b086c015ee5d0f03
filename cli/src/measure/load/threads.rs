//! Threads of a step: each is set up on its core, and all begin at one time.

use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::JoinHandle;

use ringmail::affinity::spawn_pinned;

use super::Times;
use crate::measure::plan::PATIENCE;
use crate::measure::round_trip::StopReason;
use crate::measure::side::Effects;

/// A thread of a step, and what starts it.
pub(super) struct Started<T> {
    pub(super) thread: JoinHandle<Result<(T, Effects), StopReason>>,
    pub(super) start: SyncSender<Times>,
}

/// What a thread waits on before it begins.
pub(super) struct Gate(Receiver<Times>);

impl Gate {
    pub(super) fn for_start(self) -> Result<Times, StopReason> {
        self.0.recv_timeout(2 * PATIENCE).map_err(|_| StopReason::Gone)
    }
}

/// What a thread does, and what the kernel did to it. Boxed: threads of their own for each kind of message would be most of this program.
pub(super) type Run<T> = Box<dyn FnOnce(Gate) -> Result<(T, Effects), StopReason> + Send>;

pub(super) fn start<T: Send + 'static>(core: usize, run: Run<T>) -> Result<Started<T>, String> {
    let (start, gate) = mpsc::sync_channel(1);
    let thread = spawn_pinned(core, move || run(Gate(gate))).map_err(|error| error.to_string())?;
    Ok(Started { thread, start })
}

pub(super) fn join<T>(thread: JoinHandle<Result<T, StopReason>>) -> Result<T, StopReason> {
    thread.join().unwrap_or_else(|_| Err(StopReason::Process("a measuring thread panicked; please report this".into())))
}
