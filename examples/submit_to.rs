//! A thread-per-core runtime on bare threads: `submit_to(shard, job)` runs the job where the data is; its future is the answer.
//!
//! ```text
//! cargo run --release --example submit_to [SHARDS]
//! ```
//!
//! The runtime is the hundred lines down to the end of `run`; an application and its check follow. There each shard owns a part of a
//! table, without a lock, and all add to all of it, by jobs that they submit to the owners; the whole is checked against a serial run.
//! Without a number there is a shard for each core, and at least two.

use ringmail::mesh::{Builder, Endpoint, Ready, TrySendError};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::error::Error;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::{env, future, iter, process, thread};

type Table = BTreeMap<u64, u64>;
type Answer = Box<dyn Any + Send>;
type Failed = Box<dyn Error + Send + Sync>;

enum Message {
    Run(u64, Box<dyn FnOnce(&mut Table) -> Answer + Send>),
    Done(u64, Answer),
    /// The sender submits nothing more. To close its lanes instead would cut off the answers that it still owes.
    Finished,
}

/// What the futures of one shard share. It never leaves the shard.
#[derive(Default)]
struct Shard {
    id: usize,
    table: RefCell<Table>,
    /// What is to be sent to each shard. No shard blocks to send, so no two shards can wait for each other.
    outbox: RefCell<Vec<VecDeque<Message>>>,
    answers: RefCell<HashMap<u64, Answer>>,
    tickets: Cell<u64>,
}

impl Shard {
    /// Runs `job` on shard `to`. It is on its way whether or not the future is polled.
    fn submit_to<R, J>(self: &Rc<Self>, to: usize, job: J) -> impl Future<Output = R> + use<R, J>
    where
        R: Send + 'static,
        J: FnOnce(&mut Table) -> R + Send + 'static,
    {
        let (ticket, shard) = (self.tickets.get(), Rc::clone(self));
        self.tickets.set(ticket + 1);
        if to == self.id {
            let answer = job(&mut self.table.borrow_mut());
            self.answers.borrow_mut().insert(ticket, Box::new(answer));
        } else {
            let job = Box::new(move |table: &mut Table| Box::new(job(table)) as Answer);
            self.outbox.borrow_mut()[to].push_back(Message::Run(ticket, job));
        }
        future::poll_fn(move |_| match shard.answers.borrow_mut().remove(&ticket) {
            Some(answer) => Poll::Ready(*answer.downcast().expect("the ticket's job returns this type")),
            None => Poll::Pending,
        })
    }
}

/// Runs `main` to its end, and what others submit until all have finished. Returns what `main` did, and this shard's table.
fn run<F: Future>(me: &mut Endpoint<Message>, main: impl FnOnce(Rc<Shard>) -> F) -> Result<(F::Output, Table), Failed> {
    let outbox = RefCell::new(iter::repeat_with(VecDeque::new).take(me.shards()).collect());
    let shard = Rc::new(Shard { id: me.id(), outbox, ..Shard::default() });
    let (mut main, mut output, mut working) = (pin!(main(Rc::clone(&shard))), None, me.shards());
    loop {
        if output.is_none() {
            // All that it can wait for is an answer, and those come below: no waker is needed.
            if let Poll::Ready(out) = main.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                (output, working) = (Some(out), working - 1);
                me.peers().for_each(|peer| shard.outbox.borrow_mut()[peer].push_back(Message::Finished));
            }
        }
        for (to, queue) in shard.outbox.borrow_mut().iter_mut().enumerate() {
            // Until it is refused, for a lane that refused is one whose room wakes this shard.
            while !queue.is_empty() {
                match me.try_send_iter_to(to, &mut iter::from_fn(|| queue.pop_front())) {
                    Ok(_) => {}
                    Err(TrySendError::Full(())) => break,
                    Err(TrySendError::Disconnected((), gone)) => return Err(gone.into()),
                }
            }
        }
        let progress = me.poll(256, |from, message| match message {
            Message::Run(ticket, job) => {
                let answer = job(&mut shard.table.borrow_mut());
                shard.outbox.borrow_mut()[from].push_back(Message::Done(ticket, answer));
            }
            Message::Done(ticket, answer) => drop(shard.answers.borrow_mut().insert(ticket, answer)),
            Message::Finished => working -= 1,
        });
        if progress.received != 0 {
            continue;
        }
        if working == 0 && shard.outbox.borrow().iter().all(VecDeque::is_empty) {
            return Ok((output.ok_or("all have finished but this one")?, shard.table.take()));
        }
        match me.park() {
            Ready::Disconnected => return Err(me.next_disconnected().map_or("a peer is lost".into(), Failed::from)),
            Ready::AllDisconnected => return Err("the others have gone, and this shard had not finished".into()),
            _ => {}
        }
    }
}

const JOBS: u64 = 10_000;
const IN_FLIGHT: usize = 64;

/// The application: counts squares by their remainder, each where it belongs. Returns the sum of all answers.
async fn count_squares(shard: Rc<Shard>, shards: usize) -> u64 {
    let (mut sum, mut asked) = (0, VecDeque::new());
    for n in 0..JOBS {
        let key = n * n % 1009;
        asked.push_back(shard.submit_to(key as usize % shards, move |table| {
            let count = table.entry(key).or_default();
            *count += 1;
            *count
        }));
        if asked.len() > IN_FLIGHT {
            sum += asked.pop_front().expect("not empty").await;
        }
    }
    for answer in asked {
        sum += answer.await;
    }
    sum
}

fn main() -> Result<(), Failed> {
    let shards = match env::args().nth(1).map(|n| n.parse()) {
        None => thread::available_parallelism()?.get().max(2),
        Some(Ok(n @ 1..=128)) => n,
        Some(_) => {
            eprintln!("usage: submit_to [SHARDS], a number from 1 to 128");
            process::exit(2);
        }
    };
    let seats = Builder::new().shards(shards).capacity(64).build()?;
    let shard = move |me: &mut _| run(me, move |shard| count_squares(shard, shards));
    let threads: Vec<_> = seats.into_iter().map(|seat| thread::spawn(move || seat.run(shard))).collect();
    let (mut table, mut answers) = (Table::new(), 0);
    for thread in threads {
        let (sum, part) = thread.join().expect("a shard does not panic")??;
        answers += sum;
        table.extend(part);
    }

    let mut expected = Table::new();
    (0..JOBS).for_each(|n| *expected.entry(n * n % 1009).or_default() += shards as u64);
    assert_eq!(table, expected, "each job ran once, where its key is");
    assert_eq!(answers, expected.values().map(|n| n * (n + 1) / 2).sum::<u64>(), "each job's answer came back");
    println!(
        "{shards} shards ran {} jobs for each other, and {} keys are as a serial run has them",
        JOBS * shards as u64,
        table.len()
    );
    Ok(())
}
