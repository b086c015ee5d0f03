//! One run of a child.

use crate::message::Event;
use crate::scenario::Scenario;
use rustix::process::{Pid, Signal, kill_process};
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

/// What is done to the child on the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// Killed at the point.
    Kill(u64),
    /// Stopped at the point.
    Stop(u64),
    /// Stopped at the point until its channel's file is removed.
    Remove(u64),
    /// Left alone.
    Live,
}

/// A child that runs, or did.
#[derive(Debug)]
pub(crate) struct Run {
    pid: Pid,
    events: Arc<Mutex<Vec<(Event, u64)>>>,
    end: Arc<OnceLock<(Instant, ExitStatus)>>,
    watcher: Option<JoinHandle<()>>,
}

impl Run {
    pub(crate) fn start(
        scenario: &Scenario,
        script: &str,
        channel: &str,
        first: u64,
        fate: Fate,
    ) -> Result<Self, String> {
        let (how, at) = match fate {
            Fate::Kill(at) => ("kill", at),
            Fate::Stop(at) => ("stop", at),
            Fate::Remove(at) => ("remove", at),
            Fate::Live => ("kill", 0),
        };
        let wait = format!("{:?}", scenario.child_waits);
        let wait = if fate == Fate::Live { "ParkAtOnce" } else { &wait };
        let mut child = Command::new("/proc/self/exe")
            .args([
                "child",
                &format!("{:?}", scenario.kind),
                script,
                channel,
                wait,
                &first.to_string(),
                how,
                &at.to_string(),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("no child: {error}"))?;
        let pid = Pid::from_child(&child);
        let (events, end) = (Arc::new(Mutex::new(Vec::new())), Arc::new(OnceLock::new()));
        let watcher = std::thread::spawn({
            let (events, end) = (Arc::clone(&events), Arc::clone(&end));
            move || watch(&mut child, &events, &end)
        });
        Ok(Self { pid, events, end, watcher: Some(watcher) })
    }

    /// The events that it has reported so far.
    pub(crate) fn events(&self) -> Vec<(Event, u64)> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When it ended, if it has, and how; by then the kernel has taken back what it had.
    pub(crate) fn end(&self) -> Option<(Instant, ExitStatus)> {
        self.end.get().copied()
    }

    /// Whether it was killed. Waits for its end.
    pub(crate) fn killed(&mut self) -> Result<bool, String> {
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
        match self.end() {
            Some((_, status)) if status.signal() == Some(9) => Ok(true),
            Some((_, status)) if status.success() => Ok(false),
            other => Err(format!("the child ended otherwise: {other:?}")),
        }
    }

    /// Whether it is stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid.as_raw_nonzero())).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // Only while the number is this child's.
        if self.end().is_none() {
            let _ = kill_process(self.pid, signal);
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
    }
}

fn watch(child: &mut Child, events: &Mutex<Vec<(Event, u64)>>, end: &OnceLock<(Instant, ExitStatus)>) {
    let mut bytes = [0; 8];
    if let Some(mut out) = child.stdout.take() {
        while out.read_exact(&mut bytes).is_ok() {
            events.lock().unwrap_or_else(PoisonError::into_inner).extend(Event::decode(bytes));
        }
    }
    if let Ok(status) = child.wait() {
        let _ = end.set((Instant::now(), status));
    }
}
