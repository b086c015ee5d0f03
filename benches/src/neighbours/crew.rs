//! The threads that compute.

use std::fmt;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, stdin};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::sync::{Arc, Barrier};
use std::{io, thread};

use rustix::process::setpriority_process;

use crate::pair_slice::pin;
use crate::paired::child::die_with_parent;

/// The most threads a core.
const MOST: usize = 16;

/// How the neighbours stand to the threads of the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Priority {
    /// The same, in a process of their own.
    Same,
    /// The same, in the process of the channel.
    Own,
    /// Nice 19.
    Nice,
    /// `SCHED_IDLE`.
    Idle,
}

/// What computes beside a slice: so many threads a core, of this priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Neighbours {
    per_core: usize,
    priority: Priority,
}

impl FromStr for Neighbours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("neighbours are `none`, or N, N-idle, N-nice or N-own with N from 1 to {MOST}, not `{text}`");
        if text == "none" {
            return Ok(Self { per_core: 0, priority: Priority::Same });
        }
        let (number, priority) = match text.split_once('-') {
            None => (text, Priority::Same),
            Some((number, "own")) => (number, Priority::Own),
            Some((number, "nice")) => (number, Priority::Nice),
            Some((number, "idle")) => (number, Priority::Idle),
            Some(_) => return Err(wrong()),
        };
        let per_core = number.parse().ok().filter(|n| (1..=MOST).contains(n)).ok_or_else(wrong)?;
        Ok(Self { per_core, priority })
    }
}

impl fmt::Display for Neighbours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = match self.priority {
            Priority::Same => "",
            Priority::Own => "-own",
            Priority::Nice => "-nice",
            Priority::Idle => "-idle",
        };
        if self.per_core == 0 { f.write_str("none") } else { write!(f, "{}{suffix}", self.per_core) }
    }
}

impl Neighbours {
    /// Starts the threads of this process, and returns once all compute. They end with the process.
    ///
    /// # Errors
    /// The system refused a thread its priority.
    pub(super) fn start(self, cores: &[usize]) -> io::Result<()> {
        let all = Arc::new(Barrier::new(cores.len() * self.per_core + 1));
        let threads: Vec<_> = cores
            .iter()
            .flat_map(|core| vec![*core; self.per_core])
            .map(|core| {
                let all = Arc::clone(&all);
                thread::spawn(move || {
                    pin(core);
                    let lowered = self.lower();
                    all.wait();
                    if lowered.is_ok() {
                        compute();
                    }
                    lowered
                })
            })
            .collect();
        all.wait();
        // One that was refused has ended, or is about to; the others never do.
        match threads.into_iter().find(|thread| thread.is_finished()) {
            Some(refused) => refused.join().expect("a computing thread does not panic"),
            None => Ok(()),
        }
    }

    /// Gives the calling thread its priority.
    fn lower(self) -> io::Result<()> {
        match self.priority {
            Priority::Same | Priority::Own => Ok(()),
            // Of the calling thread only, on Linux.
            Priority::Nice => Ok(setpriority_process(None, 19)?),
            Priority::Idle => {
                let of_no_use = libc::sched_param { sched_priority: 0 };
                // SAFETY: the pointer is to a live value of the type that the call reads.
                match unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &of_no_use) } {
                    0 => Ok(()),
                    _ => Err(io::Error::last_os_error()),
                }
            }
        }
    }

    /// Whether they belong into the process of the slice.
    pub(super) fn are_own(self) -> bool {
        self.priority == Priority::Own
    }

    /// The computing process: computes until its standard input ends.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub(super) fn serve(self, cores: &[usize]) -> Result<(), String> {
        die_with_parent();
        self.start(cores).map_err(|e| format!("computing threads `{self}`: {e}"))?;
        println!("ready");
        stdin().read_to_end(&mut Vec::new()).map_err(|e| format!("waiting for the end: {e}"))?;
        Ok(())
    }
}

fn compute() {
    let mut x = 0_u64;
    loop {
        x = black_box(x.wrapping_mul(5).wrapping_add(1));
    }
}

/// A computing process; it ends with this value.
#[derive(Debug)]
pub(super) struct Crew(Option<Child>);

impl Crew {
    /// Starts `neighbours` on `cores` and returns once they compute; those that belong to the slice are left to it.
    ///
    /// # Errors
    /// They could not be started.
    pub(super) fn start(program: &Path, neighbours: Neighbours, cores: &[usize]) -> Result<Self, String> {
        if neighbours.per_core == 0 || neighbours.are_own() {
            return Ok(Self(None));
        }
        let child = Command::new(program)
            .args(["compute", &neighbours.to_string()])
            .args(cores.iter().map(usize::to_string))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("starting the computing threads: {e}"))?;
        let mut crew = Self(Some(child));
        let output =
            crew.0.as_mut().and_then(|child| child.stdout.take()).ok_or("no pipe from the computing threads")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).map_err(|e| format!("the computing threads: {e}"))?;
        if line.trim() == "ready" {
            Ok(crew)
        } else {
            Err(format!("the computing threads `{neighbours}` did not start"))
        }
    }
}

impl Crew {
    /// The computing process, if there is one.
    pub(super) fn id(&self) -> Option<u32> {
        self.0.as_ref().map(Child::id)
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // Both fail only if it is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Neighbours;

    #[test]
    fn a_name_of_neighbours_reads_as_it_is_written() {
        for name in ["none", "1", "2", "16", "1-idle", "2-nice", "1-own"] {
            assert_eq!(name.parse::<Neighbours>().map(|n| n.to_string()), Ok(name.to_owned()));
        }
        for wrong in ["", "0", "17", "-1", "1-", "1-low", "two", "none-idle"] {
            assert!(wrong.parse::<Neighbours>().unwrap_err().contains(&format!("`{wrong}`")), "{wrong}");
        }
    }
}
