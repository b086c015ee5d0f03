//! On `fan_out` and `fan_in`: a lane to each worker and one back.

use ringmail::{BuildError, fan_in, fan_out};
use std::collections::HashMap;
use std::iter::Fuse;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

pub(super) struct Pool<I: Iterator, O> {
    input: Fuse<I>,
    jobs: fan_out::Sender<(usize, I::Item)>,
    results: fan_in::Receiver<(usize, thread::Result<O>)>,
    early: HashMap<usize, thread::Result<O>>,
    sent: usize,
    next: usize,
    window: usize,
}

pub(super) fn pool<I, O, F>(input: I, workers: NonZeroUsize, ahead: usize, work: F) -> Result<Pool<I, O>, BuildError>
where
    I: Iterator<Item: Send + 'static>,
    O: Send + 'static,
    F: Fn(I::Item) -> O + Clone + Send + 'static,
{
    let window = ahead * workers.get();
    let (jobs, hub) = fan_out::Builder::new(ahead).build_hub()?;
    let (outbox, results) = fan_in::channel(window)?;
    for _ in 0..workers.get() {
        let (mut inbox, mut outbox, work) = (hub.join()?, outbox.lane()?, work.clone());
        thread::spawn(move || {
            let run = |job| catch_unwind(AssertUnwindSafe(|| work(job)));
            inbox.iter().try_for_each(|(number, job)| outbox.send((number, run(job))))
        });
    }
    Ok(Pool { input: input.fuse(), jobs, results, early: HashMap::new(), sent: 0, next: 0, window })
}

impl<I: Iterator, O> Iterator for Pool<I, O> {
    type Item = O;

    fn next(&mut self) -> Option<O> {
        while self.sent < self.next + self.window {
            let Some(job) = self.input.next() else { break };
            self.jobs.send((self.sent, job)).ok()?;
            self.sent += 1;
        }
        if self.next == self.sent {
            return None;
        }
        while !self.early.contains_key(&self.next) {
            let (number, result) = self.results.recv().ok()?;
            self.early.insert(number, result);
        }
        let result = self.early.remove(&self.next)?;
        self.next += 1;
        Some(result.unwrap_or_else(|panic| resume_unwind(panic)))
    }
}
