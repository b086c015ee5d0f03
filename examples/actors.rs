//! Actors with mailboxes, under a supervisor that learns of a crash by the disconnect, and starts another actor in its place.
//!
//! ```text
//! cargo run --release --example actors
//! ```
//!
//! A lane to an actor is its mailbox. A peer is lost only after its last message, so what it had answered is known when its loss
//! is: the oldest job that it left is the one that killed it. That one is reported, the others go to its successor.

use ringmail::mesh::{Builder, Cause, Disconnected, Endpoint, JoinError, Peers, RecvError, Seat};
use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{io, panic};

const JOBS: u64 = 10_000;
const ACTORS: usize = 3;
/// A seat is not refilled, so a successor takes a new one.
const SPARE: usize = 12;
const SUPERVISOR: usize = 0;
/// Jobs in a mailbox at a time: there is room for them, and for the answers.
const CAPACITY: usize = 8;

enum Message {
    Job(u64),
    Answer(u64, u64),
}

fn is_deadly(job: u64) -> bool {
    job % 1000 == 13
}

fn actor(me: &mut Endpoint<Message>) {
    // Until the supervisor closes.
    while let Ok(message) = me.recv_from(SUPERVISOR) {
        if let Message::Job(job) = message {
            assert!(!is_deadly(job), "job {job} is too much");
            me.send_to(SUPERVISOR, Message::Answer(job, job * job)).expect("the supervisor stays until the end");
        }
    }
}

type Running = JoinHandle<Result<(), JoinError>>;

struct Supervisor {
    spare: Vec<Seat<Message>>,
    /// The actors that live, each with what it was sent and has not answered, oldest first.
    mailboxes: BTreeMap<usize, VecDeque<u64>>,
    jobs: VecDeque<u64>,
    answers: BTreeMap<u64, u64>,
    deaths: BTreeMap<u64, String>,
    threads: Vec<Running>,
}

impl Supervisor {
    fn start_actor(&mut self) -> io::Result<()> {
        let seat = self.spare.pop().ok_or_else(|| io::Error::other("too many crashes: no seat is left"))?;
        self.mailboxes.insert(seat.id(), VecDeque::new());
        self.threads.push(thread::Builder::new().name("actor".into()).spawn(|| seat.run(actor))?);
        Ok(())
    }

    fn run(mut self, me: &mut Endpoint<Message>) -> Result<Self, Box<dyn Error>> {
        for _ in 0..ACTORS {
            self.start_actor()?;
        }
        while self.answers.len() + self.deaths.len() < JOBS as usize {
            for (&actor, mailbox) in &mut self.mailboxes {
                while mailbox.len() < CAPACITY {
                    let Some(job) = self.jobs.pop_front() else { break };
                    // Refused if it has just died: its loss is told below, and then this job is one of those that it left.
                    let _ = me.try_send_to(actor, Message::Job(job));
                    mailbox.push_back(job);
                }
            }
            match me.recv() {
                Ok((actor, Message::Answer(job, answer))) => {
                    let oldest = self.mailboxes.get_mut(&actor).and_then(VecDeque::pop_front);
                    assert_eq!(oldest, Some(job), "an actor answers in order");
                    assert_eq!(self.answers.insert(job, answer), None, "once");
                }
                Ok((_, Message::Job(_))) => unreachable!("actors give no jobs"),
                Err(RecvError(Peers::One(Disconnected { peer, cause: Cause::Panicked(reason) }))) => {
                    let mut left = self.mailboxes.remove(&peer).unwrap_or_default();
                    if let Some(job) = left.pop_front() {
                        self.deaths.insert(job, reason.map_or("no reason".into(), |reason| reason.to_string()));
                    }
                    left.into_iter().rev().for_each(|job| self.jobs.push_front(job));
                    self.start_actor()?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // The disconnect tells of an actor's panic; no need to print it too.
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if thread::current().name() != Some("actor") {
            print(info);
        }
    }));

    // No peer may give up the spare seats, however long they stay empty.
    let mesh = Builder::new().shards(1 + ACTORS + SPARE).capacity(CAPACITY).join_deadline(Duration::MAX);
    let mut spare = mesh.build()?;
    let seat = spare.remove(SUPERVISOR);
    let (mailboxes, jobs) = (BTreeMap::new(), (0..JOBS).collect());
    let supervisor =
        Supervisor { spare, mailboxes, jobs, answers: BTreeMap::new(), deaths: BTreeMap::new(), threads: Vec::new() };
    // When it has run, its endpoint is dropped, and so the actors find their mailboxes closed.
    let Supervisor { answers, deaths, threads, .. } = seat.run(|me| supervisor.run(me))??;

    let expected = (0..JOBS).filter(|&job| !is_deadly(job)).map(|job| (job, job * job));
    assert!(answers.iter().map(|(&job, &answer)| (job, answer)).eq(expected), "all other jobs were done");
    let expected = (0..JOBS).filter(|&job| is_deadly(job)).map(|job| (job, format!("job {job} is too much")));
    assert!(
        deaths.iter().map(|(&job, reason)| (job, reason.clone())).eq(expected),
        "each crash was told, with its reason"
    );
    let started = threads.len();
    let crashed = threads.into_iter().map(Running::join).filter(Result::is_err).count();
    assert_eq!((crashed, started), (deaths.len(), ACTORS + deaths.len()), "each crash has a successor");
    println!("{started} actors did {} jobs; {crashed} crashed, and were replaced", answers.len());
    for (job, reason) in deaths.iter().take(2) {
        println!("job {job:5} killed its actor: {reason}");
    }
    Ok(())
}
