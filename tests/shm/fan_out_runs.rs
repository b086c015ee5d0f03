//! A fan-out of large messages, ten runs in a row on one name, in each of which a worker is killed, and in every other the sender.

use crate::support::another::the_test;
use crate::support::scratch::Scratch;
use ringmail::shm::fan_out::Builder;
use ringmail::shm::{Cause, Message, RecvTimeoutError, Schema};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);
/// Messages of a run whose sender is not killed.
const MESSAGES: u64 = 300;

/// A message of that many words, each of which names it.
#[derive(Clone, Copy, zerocopy::TryFromBytes, zerocopy::IntoBytes, zerocopy::Immutable)]
#[repr(C)]
struct Block<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Message for Block<WORDS> {
    const SCHEMA: Schema = Schema::new("block");
}

impl<const WORDS: usize> Block<WORDS> {
    fn new(number: u64) -> Self {
        Self(std::array::from_fn(|i| number.rotate_left(i as u32)))
    }

    /// Its number; it is whole.
    fn number(&self) -> u64 {
        assert!(self.0 == Self::new(self.0[0]).0, "a mixture: {}", self.0[0]);
        self.0[0]
    }
}

fn builder<const WORDS: usize>(name: &str) -> Builder<Block<WORDS>> {
    // A lane more than workers: while another takes what one left, the lane of that one is not free.
    Builder::new(name).lanes(3).capacity(3)
}

/// No test of its own: what the others run in a process of its own.
#[test]
fn the_other_process() {
    let Ok(about) = std::env::var("SHM_FAN_OUT_RUNS") else { return };
    let (part, name) = about.split_once(' ').unwrap();
    match part {
        "sends-128" => sends::<128>(name),
        "sends-512" => sends::<512>(name),
        "works-128" => works::<128>(name),
        "works-512" => works::<512>(name),
        other => panic!("no part {other}"),
    }
}

fn sends<const WORDS: usize>(name: &str) {
    let mut tx = builder::<WORDS>(name).open_sender().unwrap();
    for number in 0..MESSAGES {
        // Both ways: by a key all of a kind go to one worker.
        if number % 2 == 0 { tx.send(Block::new(number)) } else { tx.send_by_key(&(number % 6), Block::new(number)) }
            .unwrap();
    }
}

fn works<const WORDS: usize>(name: &str) {
    let mut rx = builder::<WORDS>(name).open_receiver().unwrap();
    loop {
        // It is said before its place is free: what a kill brings back is said again. One write, which is taken whole.
        let _ = rx
            .recv_with(|block| std::io::stdout().write_all(format!("\ngot {}\n", block.number()).as_bytes()).unwrap());
    }
}

/// A process of this test, and what it says.
struct Other {
    child: Child,
    reader: Option<JoinHandle<()>>,
}

impl Other {
    fn start(part: &str, name: &str, got: &Arc<Mutex<Vec<u64>>>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(the_test(module_path!(), "the_other_process")).env("SHM_FAN_OUT_RUNS", format!("{part} {name}"));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (out, got) = (child.stdout.take().unwrap(), Arc::clone(got));
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                got.lock().unwrap().extend(line.strip_prefix("got ").map(|number| number.parse::<u64>().unwrap()));
            }
        });
        Self { child, reader: Some(reader) }
    }

    /// Kills it, and reads what it has said to the end.
    fn kill(&mut self) {
        let _ = self.child.kill();
        self.child.wait().unwrap();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.kill();
    }
}

fn runs<const WORDS: usize>() {
    let dir = Scratch::new("fan-out-runs");
    let name = dir.file();
    let mut rx = builder::<WORDS>(&name).open_receiver().unwrap();
    for run in 0..10 {
        let got = Arc::new(Mutex::new(Vec::new()));
        let start = |part| Other::start(&format!("{part}-{WORDS}"), &name, &got);
        let mut worker = start("works");
        let mut sender = start("sends");
        let (mut own, mut killed) = (Vec::new(), [false; 2]);
        let told = loop {
            match rx.recv_timeout(LONG) {
                Ok(block) => own.push(block.number()),
                Err(RecvTimeoutError::Disconnected(cause)) => break cause,
                Err(RecvTimeoutError::Timeout) => panic!("run {run}: nothing more after {} messages", own.len()),
            }
            // Between two messages of this side, and anywhere in the other sides.
            if own.len() == 20 + run {
                worker.kill();
                killed[0] = true;
                worker = start("works");
            }
            if own.len() == 60 + run && run % 2 == 0 {
                sender.kill();
                killed[1] = true;
            }
        };
        // The worker that is killed last has received all, as the end was told, but may be about to say so.
        worker.kill();
        assert_eq!(told, if killed[1] { Cause::PeerDied } else { Cause::Closed }, "run {run}");
        let mut all = own;
        all.append(&mut got.lock().unwrap());
        let said = all.len();
        all.sort_unstable();
        all.dedup();
        assert!(all.iter().copied().eq(0..all.len() as u64), "run {run}: {all:?}");
        assert!(killed[1] || all.len() as u64 == MESSAGES, "run {run}: {}", all.len());
        assert!(said - all.len() <= 1, "run {run}: one kill of a worker brings back one at most");
        assert_eq!(rx.try_iter().count(), 0, "run {run}: the end was told behind all messages");
    }
    drop(rx);
    assert!(builder::<WORDS>(&name).remove().unwrap());
}

#[test]
fn ten_runs_with_kills_lose_nothing_of_1_kib() {
    runs::<128>();
}

#[test]
fn ten_runs_with_kills_lose_nothing_of_4_kib() {
    runs::<512>();
}
