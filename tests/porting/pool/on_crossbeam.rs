//! On crossbeam-channel: one queue that the workers share.

use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::HashMap;
use std::iter::Fuse;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

pub(super) struct Pool<I: Iterator, O> {
    input: Fuse<I>,
    jobs: Sender<(usize, I::Item)>,
    results: Receiver<(usize, thread::Result<O>)>,
    early: HashMap<usize, thread::Result<O>>,
    sent: usize,
    next: usize,
    window: usize,
}

pub(super) fn pool<I, O, F>(input: I, workers: NonZeroUsize, ahead: usize, work: F) -> Pool<I, O>
where
    I: Iterator<Item: Send + 'static>,
    O: Send + 'static,
    F: Fn(I::Item) -> O + Clone + Send + 'static,
{
    let window = ahead * workers.get();
    let (jobs, inbox) = bounded(window);
    let (outbox, results) = bounded(window);
    for _ in 0..workers.get() {
        let (inbox, outbox, work) = (inbox.clone(), outbox.clone(), work.clone());
        thread::spawn(move || {
            let run = |job| catch_unwind(AssertUnwindSafe(|| work(job)));
            inbox.iter().try_for_each(|(number, job)| outbox.send((number, run(job))))
        });
    }
    Pool { input: input.fuse(), jobs, results, early: HashMap::new(), sent: 0, next: 0, window }
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
