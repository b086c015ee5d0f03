//! MPI's collective verbs on a mesh: barrier, scatter, gather, allreduce.
//!
//! ```text
//! cargo run --release --example collectives [SHARDS]
//! ```
//!
//! All shards run the same program, so the next message from a peer is the one that is meant: `recv_from`, and no tags. Plain
//! sends that wait for room are safe here with any capacity: a shard that is behind all others finds what it receives sent already,
//! and the lanes that it sends to empty. All is checked against a serial run. Without a number: a shard for each core, at least three.

use ringmail::mesh::{Builder, Disconnected, Endpoint};
use std::error::Error;
use std::ops::Range;
use std::time::{Duration, Instant};
use std::{env, process, thread};

type Block = Vec<u64>;

/// A shard's part of `len` items.
fn part(len: usize, shard: usize, shards: usize) -> Range<usize> {
    len * shard / shards..len * (shard + 1) / shards
}

struct Comm<'a>(&'a mut Endpoint<Block>);

impl Comm<'_> {
    fn send(&mut self, to: usize, block: Block) -> Result<(), Disconnected> {
        Ok(self.0.send_to(to, block)?)
    }

    /// Waits until all have come here. Dissemination: after the round of distance d a shard has heard of the 2d - 1 before it.
    fn barrier(&mut self) -> Result<(), Disconnected> {
        let (id, n) = (self.0.id(), self.0.shards());
        let mut distance = 1;
        while distance < n {
            self.send((id + distance) % n, Block::new())?;
            self.0.recv_from((id + n - distance) % n)?;
            distance *= 2;
        }
        Ok(())
    }

    /// Gives each shard its part of what `root` has. The others' `all` is not looked at.
    fn scatter(&mut self, root: usize, all: &[u64]) -> Result<Block, Disconnected> {
        let (id, n) = (self.0.id(), self.0.shards());
        if id != root {
            return Ok(self.0.recv_from(root)?);
        }
        for peer in (0..n).filter(|&peer| peer != root) {
            self.send(peer, all[part(all.len(), peer, n)].to_vec())?;
        }
        Ok(all[part(all.len(), root, n)].to_vec())
    }

    /// Puts the shards' blocks together at `root`, in their order. The others get nothing.
    fn gather(&mut self, root: usize, block: Block) -> Result<Block, Disconnected> {
        if self.0.id() != root {
            return self.send(root, block).map(|()| Block::new());
        }
        let mut all = Block::new();
        for peer in 0..self.0.shards() {
            all.extend(if peer == root { block.clone() } else { self.0.recv_from(peer)? });
        }
        Ok(all)
    }

    /// Makes `block`, of the same length everywhere, the combination of all, item by item. On a ring: each shard sends what one block holds
    /// about twice, however many there are.
    fn allreduce(&mut self, block: &mut [u64], combine: impl Fn(u64, u64) -> u64) -> Result<(), Disconnected> {
        let (id, n, len) = (self.0.id(), self.0.shards(), block.len());
        let (next, last) = ((id + 1) % n, (id + n - 1) % n);
        for step in 0..2 * (n - 1) {
            // In the first n - 1 steps a part is combined on its way round the ring, in the others it goes round complete.
            let (mine, theirs) = ((id + 2 * n - step) % n, (id + 2 * n - step - 1) % n);
            self.send(next, block[part(len, mine, n)].to_vec())?;
            let received = self.0.recv_from(last)?;
            for (item, other) in block[part(len, theirs, n)].iter_mut().zip(received) {
                *item = if step < n - 1 { combine(*item, other) } else { other };
            }
        }
        Ok(())
    }
}

const ITEMS: u64 = 100_000;
const BUCKETS: u64 = 1009;
const BARRIERS: usize = 50;

fn hash(n: u64) -> u64 {
    (n.wrapping_mul(0x9E37_79B9_7F4A_7C15)) >> 17
}

fn histogram(items: &[u64]) -> Block {
    let mut buckets = vec![0; BUCKETS as usize];
    items.iter().for_each(|item| buckets[(item % BUCKETS) as usize] += 1);
    buckets
}

struct Outcome {
    gathered: Block,
    histogram: Block,
    largest: u64,
    /// When this shard came to each barrier, and when it went on.
    barriers: Vec<(Instant, Instant)>,
}

/// What each shard runs.
fn program(me: &mut Endpoint<Block>) -> Result<Outcome, Disconnected> {
    let (id, root) = (me.id(), me.shards() - 1);
    let all: Block = if id == root { (0..ITEMS).collect() } else { Block::new() };
    let mut comm = Comm(me);
    let block: Block = comm.scatter(root, &all)?.into_iter().map(hash).collect();
    let (mut histogram, mut largest) = (histogram(&block), [block.iter().copied().max().unwrap_or(0)]);
    comm.allreduce(&mut histogram, |a, b| a + b)?;
    comm.allreduce(&mut largest, u64::max)?;
    let gathered = comm.gather(0, block)?;
    let mut barriers = Vec::new();
    for n in 0..BARRIERS {
        if n % comm.0.shards() == id {
            thread::sleep(Duration::from_micros(200)); // one shard is late
        }
        let came = Instant::now();
        comm.barrier()?;
        barriers.push((came, Instant::now()));
    }
    Ok(Outcome { gathered, histogram, largest: largest[0], barriers })
}

fn main() -> Result<(), Box<dyn Error>> {
    let shards = match env::args().nth(1).map(|n| n.parse()) {
        None => thread::available_parallelism()?.get().max(3),
        Some(Ok(n @ 1..=128)) => n,
        Some(_) => {
            eprintln!("usage: collectives [SHARDS], a number from 1 to 128");
            process::exit(2);
        }
    };
    let seats = Builder::new().shards(shards).capacity(2).build()?;
    let threads: Vec<_> = seats.into_iter().map(|seat| thread::spawn(move || seat.run(program))).collect();
    let mut outcomes = Vec::new();
    for thread in threads {
        outcomes.push(thread.join().expect("a shard does not panic")??);
    }

    let serial: Block = (0..ITEMS).map(hash).collect();
    assert_eq!(outcomes[0].gathered, serial, "scatter, map and gather are a serial map");
    assert!(outcomes.iter().all(|shard| shard.histogram == histogram(&serial)), "all have the sum of all");
    assert!(outcomes.iter().all(|shard| Some(&shard.largest) == serial.iter().max()), "and the maximum");
    for n in 0..BARRIERS {
        let last_came = outcomes.iter().map(|shard| shard.barriers[n].0).max();
        let first_left = outcomes.iter().map(|shard| shard.barriers[n].1).min();
        assert!(last_came <= first_left, "no shard left before all had come");
    }
    println!(
        "{shards} shards: scatter, gather and two allreduces of {ITEMS} items as in a serial run; {BARRIERS} barriers held"
    );
    Ok(())
}
