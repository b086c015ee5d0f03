//! The slow stream between two processes: a mapped channel, and a pipe that carries records of eight bytes.
//!
//! The slice's process sends. It starts the receiving process with the pipe as its standard input; that one writes what it has
//! used to its standard output.

use std::env;
use std::io::{self, Read, Write};
use std::process::{self, Command, Stdio};
use std::time::Duration;

use clap::ValueEnum;
use ringmail::WaitStrategy;
use ringmail::shm::spsc::Builder;

use super::job::{Job, Reply};
use super::slow::Stream;
use super::usage::Usage;

const CAPACITY: usize = 1024;

/// What carries the messages.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(super) enum Link {
    Pipe,
    Mapped,
    MappedAtOnce,
}

impl Link {
    fn builder(self, name: &str) -> Builder<u64> {
        let wait = if self == Self::MappedAtOnce { WaitStrategy::ParkAtOnce } else { WaitStrategy::default() };
        Builder::new(name).capacity(CAPACITY).wait(wait)
    }
}

/// The receiving process.
#[derive(Debug, clap::Args)]
pub(super) struct Receiver {
    #[arg(value_enum)]
    link: Link,
    name: String,
    warm: u64,
    counted: u64,
}

impl Receiver {
    pub(super) fn execute(self) -> Result<(), String> {
        let stream = Stream { period: Duration::ZERO, warm: self.warm, counted: self.counted };
        let usage = match self.link {
            Link::Pipe => {
                // Not `io::stdin`, whose buffer would take several records at a time.
                let mut pipe = file(0).map_err(|e| format!("the pipe: {e}"))?;
                stream.recv("pipe", || {
                    let mut record = [0; 8];
                    pipe.read_exact(&mut record).expect("reading the pipe");
                    u64::from_ne_bytes(record)
                })
            }
            link => {
                let mut rx = link.builder(&self.name).open_receiver().map_err(|e| format!("{}: {e}", self.name))?;
                stream.recv("ringmail", || rx.recv().expect("the sender is there"))
            }
        };
        println!("{}", serde_json::to_string(&usage).map_err(|e| e.to_string())?);
        Ok(())
    }
}

fn file(number: u32) -> io::Result<std::fs::File> {
    std::fs::File::open(format!("/proc/self/fd/{number}"))
}

fn run(job: &Job, link: Link, period: Duration) -> Result<Reply, String> {
    let stream = Stream::new(job, period);
    let name = format!("neighbours-{}", process::id());
    let this = env::current_exe().map_err(|e| format!("where is this program: {e}"))?;
    let text = link.to_possible_value().map(|value| value.get_name().to_owned());
    let mut receiver = Command::new(this)
        .arg("receiver")
        .arg(text.unwrap_or_default())
        .args([&name, &stream.warm.to_string(), &stream.counted.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("starting the receiver: {e}"))?;
    let mut pipe = receiver.stdin.take().ok_or("the receiver has no pipe")?;
    let sender = match link {
        Link::Pipe => stream.send(|seq| pipe.write_all(&seq.to_ne_bytes()).expect("writing to the pipe")),
        link => {
            let mut tx = link.builder(&name).open_sender().map_err(|e| format!("{name}: {e}"))?;
            assert!(tx.wait_for_peer(Duration::from_secs(10)), "the receiver has not come");
            stream.send(|seq| assert!(tx.send(seq).is_ok(), "the receiver has gone"))
        }
    };
    let output = receiver.wait_with_output().map_err(|e| format!("the receiver: {e}"))?;
    if link != Link::Pipe {
        // Fails if the receiver has died: then that is what is reported.
        let _ = link.builder(&name).remove();
    }
    let usage: Usage = serde_json::from_slice(&output.stdout).map_err(|e| format!("{}: {e}", output.status))?;
    Ok(Usage::each(usage, sender, stream.counted))
}

/// One message every `MICROS`, over the `LINK`-th of the enumeration.
pub(super) fn stream<const LINK: usize, const MICROS: u64>(job: &Job) -> Reply {
    let link = Link::value_variants()[LINK];
    run(job, link, Duration::from_micros(MICROS)).unwrap_or_else(|e| panic!("{}: {e}", job.name))
}
