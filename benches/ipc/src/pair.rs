//! The runner's side of a slice: makes what both processes inherit, starts them, waits, and kills what hangs.

use std::io::{BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::catalog::{BROADCAST, BY_REFERENCE, IN_PLACE, Kind, MAPPED, MAPPED_AT_ONCE, ONE_PROCESS, PROTECTED, Suite};
use crate::endpoint::{EndpointReport, Side};
use crate::links::{Iceoryx2, Mapped, Pipe, Seqpacket, Ticket};
use crate::shared_page;
use crate::side::Order;

/// How slices are run.
#[derive(Clone, Copy, Debug)]
pub struct Pairs<'a> {
    /// The program that has the hidden subcommand `side`.
    pub program: &'a Path,
    /// A's core and B's.
    pub cores: [usize; 2],
    /// How long a slice may take.
    pub patience: Duration,
}

/// What a slice gave.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// From the gate to the end of the later side's work, in nanoseconds.
    pub elapsed: u64,
    /// The floor before and after, in nanoseconds.
    pub floor: [f64; 2],
    /// Both sides' time without a core that they could have used, in nanoseconds.
    pub stolen: u64,
    /// Both sides' sleeps.
    pub parked: u64,
    /// B's processor time, in nanoseconds.
    pub worked: u64,
    /// See [`EndpointReport::latency`].
    pub latency: [f64; 2],
}

/// A process and a line of its output; `None` at its end.
type Line = (&'static str, Option<String>);

/// A process of the slice; killed if it is still there in the end.
struct Process(Child, &'static str);

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Pairs<'_> {
    /// Runs `n` messages, or round trips, on fresh links in fresh processes.
    ///
    /// # Errors
    /// A side died or the slice hung; both are gone now.
    pub fn slice(&self, suite: &Suite, contender: &str, n: u64) -> Result<Outcome, String> {
        static SLICES: AtomicU64 = AtomicU64::new(0);
        let name = format!("ipc-bench-{}-{}", process::id(), SLICES.fetch_add(1, Ordering::Relaxed));
        let page = shared_page::create().map_err(|e| format!("making the page: {e}"))?;
        let links = if suite.kind == Kind::RoundTrip { 2 } else { 1 };
        let tickets: Vec<Ticket> = (0..links)
            .map(|link| make(contender, &format!("{name}-{link}"), suite.blocks()))
            .collect::<Result<_, _>>()?;
        let order = Order {
            suite: suite.name.into(),
            contender: contender.into(),
            side: None,
            n,
            cores: self.cores,
            page: page.as_raw_fd(),
            tickets: tickets.iter().map(|ticket| ticket.text.clone()).collect(),
        };
        let sides: &[Option<Side>] = if contender == ONE_PROCESS { &[None] } else { &[Some(Side::A), Some(Side::B)] };
        let (lines, heard) = channel();
        let started: Result<Vec<Process>, String> =
            sides.iter().map(|&side| self.start(&Order { side, ..order.clone() }, lines.clone())).collect();
        // Closed here so that the kernel reports a side's death to the other side.
        let texts = order.tickets;
        drop((page, tickets, lines));
        let outcome = started.and_then(|mut processes| {
            let reports = self.hear(&heard, n)?;
            for Process(child, side) in &mut processes {
                let status = child.wait().map_err(|e| format!("{side} was lost: {e}"))?;
                if !status.success() {
                    return Err(format!("{side} ended with {status}"));
                }
            }
            Ok(join(&reports))
        });
        if [MAPPED, MAPPED_AT_ONCE, BY_REFERENCE, IN_PLACE, PROTECTED, BROADCAST].contains(&contender) {
            texts.iter().for_each(|name| Mapped::unmake(name));
        }
        outcome
    }

    fn start(&self, order: &Order, lines: Sender<Line>) -> Result<Process, String> {
        let name = match order.side {
            Some(Side::A) => "the process of side A",
            Some(Side::B) => "the process of side B",
            None => "the process of both sides",
        };
        let order = serde_json::to_string(order).map_err(|e| e.to_string())?;
        let mut child = Command::new(self.program)
            .args(["side", &order])
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("starting {}: {e}", self.program.display()))?;
        let output = child.stdout.take();
        let process = Process(child, name);
        let output = output.ok_or("the process has no output")?;
        // A read with a time limit: the thread ends with the process.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if lines.send((name, Some(line))).is_err() {
                    return;
                }
            }
            let _ = lines.send((name, None));
        });
        Ok(process)
    }

    /// The reports of both sides, until both have ended. A side that ends without a report fails the slice.
    fn hear(&self, heard: &Receiver<Line>, n: u64) -> Result<[EndpointReport; 2], String> {
        let end = Instant::now() + self.patience;
        let mut reports = [None::<EndpointReport>; 2];
        let mut spoke = Vec::new();
        loop {
            match heard.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok((who, Some(line))) => {
                    let report: EndpointReport =
                        serde_json::from_str(&line).map_err(|e| format!("{who} said {line}: {e}"))?;
                    reports[usize::from(report.side == Side::B)] = Some(report);
                    spoke.push(who);
                }
                Ok((who, None)) if !spoke.contains(&who) => return Err(format!("{who} died: see above")),
                Ok((_, None)) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let [Some(a), Some(b)] = reports else { return Err("a side died: see above".into()) };
                    return Ok([a, b]);
                }
                Err(RecvTimeoutError::Timeout) => return Err(self.hung(reports, n)),
            }
        }
    }

    fn hung(&self, reports: [Option<EndpointReport>; 2], n: u64) -> String {
        let silent: Vec<_> =
            ["A", "B"].into_iter().zip(reports).filter(|(_, report)| report.is_none()).map(|(side, _)| side).collect();
        let what = match silent[..] {
            [] => "both sides are done, but have not ended".into(),
            _ => format!("nothing from side {}", silent.join(" and ")),
        };
        format!("hung in a slice of {n}: {what} within {:?}; killed", self.patience)
    }
}

fn make(contender: &str, name: &str, blocking: bool) -> Result<Ticket, String> {
    let failed = |e: std::io::Error| format!("making a link: {e}");
    match contender {
        MAPPED | MAPPED_AT_ONCE | BY_REFERENCE | IN_PLACE | PROTECTED | BROADCAST => Ok(Mapped::make(name)),
        "iceoryx2" => Ok(Iceoryx2::make(name)),
        "pipe" => Pipe::make(blocking).map_err(failed),
        "seqpacket" => Seqpacket::make(blocking).map_err(failed),
        // These need nothing, or find each other through the page.
        _ => Ok(Ticket::default()),
    }
}

fn join([a, b]: &[EndpointReport; 2]) -> Outcome {
    Outcome {
        elapsed: a.span[1].max(b.span[1]).saturating_sub(a.span[0]),
        floor: a.floor,
        stolen: a.stolen + b.stolen,
        parked: a.parked + b.parked,
        worked: b.worked,
        latency: b.latency,
    }
}
