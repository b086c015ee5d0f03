//! A pool of workers that post entries to accounts: the entries of an account in order, by key; a worker that crashes is replaced.
//!
//! ```text
//! cargo run --release --example worker_pool
//! ```
//!
//! All entries of an account go to one worker, so each worker sees them in order and none needs a lock. Some entries crash their worker. What that one
//! had not begun goes to the others, and its place in the pool is taken by a new one. Results return by `fan_in`. In the end each entry must have been
//! posted once, but for those that crashed, and no worker may have seen two entries of an account in the wrong order.

use ringmail::{fan_in, fan_out};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

const PLACES: usize = 4;
const ACCOUNTS: u32 = 40;
const ENTRIES: u32 = 20_000;
type Failed = Box<dyn Error + Send + Sync>;

#[derive(Clone, Copy, Debug)]
struct Entry {
    account: u32,
    /// Of this account's entries.
    number: u32,
    amount: i64,
}

impl Entry {
    /// Whether it crashes its worker.
    fn is_bad(self) -> bool {
        self.account == 7 && self.number % 100 == 50
    }
}

#[derive(Clone, Copy, Debug)]
struct Posted {
    /// The worker that posted it: its place in the pool, and how many had that place before.
    worker: (usize, u32),
    entry: Entry,
}

/// Posts entries until there are no more, or one crashes it.
fn work(mut entries: fan_out::Receiver<Entry>, results: &mut fan_in::Sender<Posted>, worker: (usize, u32)) {
    for entry in entries.iter() {
        if entry.is_bad() {
            // A panic, without its message.
            resume_unwind(Box::new("a bad entry"));
        }
        results.send(Posted { worker, entry }).expect("the collector waits for all");
    }
}

fn main() -> Result<(), Failed> {
    let (mut sender, hub) = fan_out::Builder::new(8).build_hub()?;
    let (results, mut collector) = fan_in::channel(64)?;
    let mut places = vec![];
    for place in 0..PLACES {
        let (hub, mut results) = (hub.clone(), results.lane()?);
        places.push(thread::spawn(move || {
            let mut before = 0;
            // It ends with the last entry: then no worker can join.
            while let Ok(entries) = hub.join() {
                let crashed = catch_unwind(AssertUnwindSafe(|| work(entries, &mut results, (place, before)))).is_err();
                before += u32::from(crashed);
            }
            before
        }));
    }
    drop((hub, results));
    let teller = thread::spawn(move || -> Result<i64, Failed> {
        let mut sum = 0;
        for i in 0..ENTRIES {
            let entry = Entry { account: i % ACCOUNTS, number: i / ACCOUNTS, amount: i64::from(i % 23) - 11 };
            sum += if entry.is_bad() { 0 } else { entry.amount };
            sender.send_by_key(&entry.account, entry)?;
        }
        Ok(sum)
    });
    let (mut sum, mut posted, mut last) = (0, BTreeSet::new(), BTreeMap::new());
    for Posted { worker, entry } in collector.iter() {
        sum += entry.amount;
        assert!(posted.insert((entry.account, entry.number)), "{entry:?} was posted before");
        let before = last.insert((worker, entry.account), entry.number);
        assert!(before < Some(entry.number), "{entry:?} came after {before:?}");
    }
    assert_eq!(sum, teller.join().expect("the teller does not panic")?);
    let crashes: u32 = places.into_iter().map(|place| place.join().expect("a place does not panic")).sum();
    assert_eq!(crashes, ENTRIES / ACCOUNTS / 100);
    assert_eq!(posted.len() as u32, ENTRIES - crashes, "all but those that crashed");
    println!("{} entries of {ACCOUNTS} accounts posted by {PLACES} workers, {crashes} of which crashed", posted.len());
    Ok(())
}
