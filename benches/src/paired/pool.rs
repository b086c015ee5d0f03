//! The parent's side of a child process.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::data::{Reply, Request};
use crate::catalog::Suite;

/// A contender as named on the command line: `name`, or `name@program` for the same contender of another build.
#[derive(Debug, Clone)]
pub struct Entrant {
    /// The whole name, as tables show it.
    pub label: String,
    /// The name in the catalogue.
    pub contender: String,
    /// The runner that has it.
    pub program: PathBuf,
}

impl Entrant {
    /// Reads a name; without `@` it is a contender of `this` program.
    pub fn parse(label: &str, this: &Path) -> Self {
        let (contender, program) = match label.split_once('@') {
            Some((contender, program)) => (contender, PathBuf::from(program)),
            None => (label, this.to_owned()),
        };
        Self { label: label.to_owned(), contender: contender.to_owned(), program }
    }
}

/// A running child.
#[derive(Debug)]
pub struct Contestant {
    process: Child,
    requests: ChildStdin,
    replies: Receiver<String>,
    /// Messages for a slice of the intended length, by what the last one took.
    pub n: u64,
    /// The fewest that make a slice.
    least: u64,
}

impl Contestant {
    /// Starts a child; it sleeps until the first request.
    ///
    /// # Errors
    /// The program could not be started.
    pub fn start(entrant: &Entrant, suite: &Suite, cores: [usize; 2]) -> Result<Self, String> {
        let mut process = Command::new(&entrant.program)
            .args(["child", suite.name, &entrant.contender])
            .args(cores.map(|core| core.to_string()))
            // The message of a panic is what a report needs; ten frames of it, three times over, are not.
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("starting {}: {e}", entrant.program.display()))?;
        let (Some(requests), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("the child has no pipes".into());
        };
        let (lines, replies) = channel();
        // A read with a time limit: the thread ends with the child's output.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { process, requests, replies, n: suite.least.max(16), least: suite.least })
    }

    /// Runs one slice.
    ///
    /// # Errors
    /// The child died or did not answer in time; either way it is gone now.
    pub fn run(&mut self, request: Request, patience: Duration) -> Result<Reply, String> {
        let line = serde_json::to_string(&request).map_err(|e| e.to_string())?;
        if writeln!(self.requests, "{line}").is_err() {
            return Err(self.end());
        }
        match self.replies.recv_timeout(patience) {
            Ok(line) => serde_json::from_str(&line).map_err(|e| format!("not a reply: {line}: {e}")),
            Err(RecvTimeoutError::Disconnected) => Err(self.end()),
            Err(RecvTimeoutError::Timeout) => {
                self.end();
                Err(format!("wedged: no answer to a slice of {} messages within {patience:?}; killed", request.n))
            }
        }
    }

    /// Ends the child and says how it ended.
    fn end(&mut self) -> String {
        // Fails only if the child is gone already.
        let _ = self.process.kill();
        self.process.wait().map_or_else(|e| format!("lost: {e}"), |status| format!("died: {status}"))
    }

    /// Sets the length of the next slice by what this one took: at most fourfold up or down at once, for one slice may
    /// have met a disturbance.
    pub fn aim(&mut self, reply: &Reply, slice: Duration) {
        let factor = slice.as_nanos() as f64 / reply.elapsed_ns.max(1) as f64;
        self.n = ((self.n as f64 * factor.clamp(0.25, 4.0)) as u64).max(self.least);
    }
}

impl Drop for Contestant {
    fn drop(&mut self) {
        self.end();
    }
}
