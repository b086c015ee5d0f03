//! Sixteen shards on two cores, lanes of one message, everybody sends to everybody at random and sleeps in between: no deadlock, no
//! loss, order kept, and shares that are fair.
//!
//! Short by itself: `RINGMAIL_SECONDS=60 cargo test --release --features affinity --test mesh stress -- --nocapture` runs it for a
//! minute, and then the shares must be within a factor of two.

use crate::support::ends;
use ringmail::WaitStrategy;
use ringmail::mesh::{Builder, Endpoint, Ready, Seat};
use ringmail::wait::waker_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const SHARDS: usize = 16;

/// Of sender, receiver and this pair's count.
type Message = (usize, usize, u64);

fn seconds() -> Option<f64> {
    std::env::var("RINGMAIL_SECONDS").ok().and_then(|s| s.parse().ok())
}

/// Xorshift: a shard's own choices, the same in every run.
struct Choices(u64);

impl Choices {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// What a shard sent to each peer and received from each, how often it slept, and how often it found no room.
struct Tally {
    sent: [u64; SHARDS],
    received: [u64; SHARDS],
    parks: u64,
}

fn shard(me: &mut Endpoint<Message>, stop: &AtomicBool) -> Tally {
    let id = me.id();
    let (mut sent, mut received) = ([0; SHARDS], [0; SHARDS]);
    let mut take = |from: usize, (sender, receiver, i): Message| {
        assert_eq!((sender, receiver, i), (from, id, received[from]), "addressed, in order, none lost, none twice");
        received[from] += 1;
    };
    let mut choices = Choices(0x9e37_79b9_7f4a_7c15 ^ (id as u64 + 1));
    let thread = thread::current();
    let hook = waker_fn(move || thread.unpark());
    while !stop.load(Ordering::Relaxed) {
        match choices.below(16) {
            0 => {
                me.poll(3, &mut take);
                let sleepy = choices.below(4) != 0;
                me.set_wait(if sleepy { WaitStrategy::ParkAtOnce } else { WaitStrategy::Park });
            }
            1 => _ = me.park_timeout(Duration::from_micros(choices.below(100))),
            2 => {
                if let Ok(armed) = me.arm(&hook) {
                    armed.sleep(|_| thread::park_timeout(Duration::from_micros(50)));
                }
            }
            3 => {
                if let Ok((from, message)) = me.recv_timeout(Duration::from_micros(choices.below(100))) {
                    take(from, message);
                }
            }
            4 => {
                // Not to wait: what is refused comes back.
                let peer = (id + 1 + choices.below(SHARDS as u64 - 1) as usize) % SHARDS;
                sent[peer] += u64::from(me.try_send_to(peer, (id, peer, sent[peer])).is_ok());
            }
            _ => {
                let peer = (id + 1 + choices.below(SHARDS as u64 - 1) as usize) % SHARDS;
                me.send_or_poll_to(peer, (id, peer, sent[peer]), &mut take).unwrap();
                sent[peer] += 1;
            }
        }
    }
    me.close();
    me.drain(Duration::from_secs(200), &mut take).unwrap();
    assert_eq!(me.park(), Ready::AllDisconnected);
    Tally { sent, received, parks: me.parks() }
}

fn seats() -> Vec<Seat<Message>> {
    let builder = Builder::new().capacity(1);
    #[cfg(feature = "affinity")]
    if let Ok(cores) = ringmail::affinity::Topology::detect().map(|topology| topology.allowed()[..].to_vec()) {
        let two: Vec<usize> = cores.into_iter().take(2).collect();
        return builder.cores(two.into_iter().cycle().take(SHARDS)).build().unwrap();
    }
    builder.shards(SHARDS).build().unwrap()
}

fn run(time: Duration) {
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = seats()
        .into_iter()
        .map(|seat| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || seat.run(|me| shard(me, &stop)).unwrap())
        })
        .collect();
    thread::sleep(time);
    stop.store(true, Ordering::Relaxed);
    let tallies: Vec<Tally> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    for (from, sender) in tallies.iter().enumerate() {
        for (to, receiver) in tallies.iter().enumerate() {
            assert_eq!(sender.sent[to], receiver.received[from], "from {from} to {to}");
        }
    }
    let shares: Vec<u64> = tallies.iter().map(|tally| tally.sent.iter().sum()).collect();
    let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
    let parks: u64 = tallies.iter().map(|tally| tally.parks).sum();
    let total: u64 = shares.iter().sum();
    println!(
        "{total} messages in {time:?}, {parks} parks; shares {shares:?}, max/min {:.2}",
        *most as f64 / *least as f64
    );
    assert!(*least > 0);
    assert!(seconds().is_none() || *most <= 2 * least, "shares within a factor of two");
}

#[test]
fn lanes_of_one_message_do_not_deadlock_lose_or_starve() {
    match seconds() {
        Some(seconds) => run(Duration::from_secs_f64(seconds)),
        None => ends(|| run(Duration::from_millis(500))),
    }
}
