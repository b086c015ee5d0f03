//! The process of one slice, and the runner's side of it.

use std::io::{Read, stdout};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use std::{io::Write, thread};

use clap::Args;

use super::crew::Neighbours;
use super::job::{Job, Reply};
use super::rows::{ROWS, Row};
use crate::pair_slice::end_on_panic;
use crate::paired::child::die_with_parent;

/// The arguments of the process.
#[derive(Debug, Args)]
pub(super) struct Request {
    row: String,
    contender: String,
    warm_up_micros: u64,
    micros: u64,
    neighbours: Neighbours,
    cores: Vec<usize>,
}

impl Request {
    pub(super) fn execute(self) -> Result<(), String> {
        end_on_panic();
        die_with_parent();
        let row = ROWS.iter().find(|row| row.name == self.row).ok_or_else(|| format!("no row `{}`", self.row))?;
        let entry = row.find(&self.contender);
        let entry = entry.ok_or_else(|| format!("no contender `{}` in row `{}`", self.contender, row.name))?;
        let [warm_up, length] = [self.warm_up_micros, self.micros].map(Duration::from_micros);
        let job = Job { warm_up, length, cores: self.cores, name: entry.name };
        // The kernel spares a process of one thread most of a `membarrier`; a program with channels has two at least.
        thread::spawn(|| {
            loop {
                thread::park();
            }
        });
        if self.neighbours.are_own() {
            self.neighbours.start(&job.cores).map_err(|e| format!("computing threads: {e}"))?;
        }
        let reply = (entry.run)(&job);
        let line = serde_json::to_string(&reply).map_err(|e| format!("writing a reply: {e}"))?;
        writeln!(stdout(), "{line}").map_err(|e| format!("writing a reply: {e}"))
    }
}

/// What the runner asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order<'a> {
    pub(super) program: &'a Path,
    pub(super) row: &'a Row,
    pub(super) contender: &'a str,
    pub(super) warm_up: Duration,
    pub(super) length: Duration,
    pub(super) neighbours: Neighbours,
    pub(super) cores: &'a [usize],
    pub(super) patience: Duration,
}

impl Order<'_> {
    /// Runs the slice in a process of its own.
    ///
    /// # Errors
    /// The process failed, or did not answer in time; then it is gone.
    pub(super) fn run(self) -> Result<Reply, String> {
        let mut process = Command::new(self.program)
            .args(["child", self.row.name, self.contender])
            .args([self.warm_up, self.length].map(|span| span.as_micros().to_string()))
            .arg(self.neighbours.to_string())
            .args(self.cores.iter().map(usize::to_string))
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("starting {}: {e}", self.program.display()))?;
        let mut output = process.stdout.take().ok_or("the process has no pipe")?;
        // A read with a time limit: the thread ends with the process's output.
        let (done, answer) = channel();
        thread::spawn(move || {
            let mut text = String::new();
            let read = output.read_to_string(&mut text).map(|_| text);
            // Fails if the runner no longer waits.
            let _ = done.send(read);
        });
        // Another build, of other columns, may be meant.
        let answered = answer.recv_timeout(self.patience);
        if matches!(answered, Err(RecvTimeoutError::Timeout)) {
            // Fails only if it has just ended.
            let _ = process.kill();
        }
        let status = process.wait().map_err(|e| format!("lost: {e}"))?;
        match answered {
            Err(_) => Err(format!("no answer within {:?}; killed", self.patience)),
            Ok(Err(e)) => Err(format!("reading the reply: {e}")),
            Ok(Ok(_)) if !status.success() => Err(format!("died: {status}")),
            Ok(Ok(text)) => {
                let reply: Reply = serde_json::from_str(&text).map_err(|e| format!("not a reply: {text}: {e}"))?;
                let same = reply.values.len() == self.row.columns.len();
                if same { Ok(reply) } else { Err(format!("a reply of other columns: {text}")) }
            }
        }
    }
}
