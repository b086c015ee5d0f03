//! A steady flow: several senders that block, one receiver that blocks, for a span of time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use super::job::{Job, Reply};
use crate::peers::{BlockRecv, BlockSend, CheckEach, ManySenders, tag};

/// A sender's last message carries how many it has sent, instead of a number in its sequence.
const END: u64 = 1 << 47;
/// Messages between two looks at the clock.
const STRIDE: u64 = 16;

/// Messages a second.
pub(super) fn blocking<P, const SENDERS: usize, const CAPACITY: usize>(job: &Job) -> Reply
where
    P: ManySenders<u64>,
    P::Tx: BlockSend<u64>,
    P::Rx: BlockRecv<u64>,
{
    let (senders, mut rx) = P::open(CAPACITY, SENDERS);
    let stop = AtomicBool::new(false);
    let span = job.begin();
    let mut reply = None;
    thread::scope(|scope| {
        for (sender, mut tx) in senders.into_iter().enumerate() {
            let stop = &stop;
            scope.spawn(move || {
                let mut seq = 0;
                while !stop.load(Ordering::Relaxed) {
                    tx.send(tag(sender, seq));
                    seq += 1;
                }
                tx.send(tag(sender, END + seq));
            });
        }
        let mut check = CheckEach::new(SENDERS);
        let (mut counted, mut begun): (u64, Option<Instant>) = (0, None);
        let (mut ended, mut sent) = (0, [0; SENDERS]);
        let mut turn = 0;
        while ended < SENDERS {
            let message = rx.recv();
            if message & END != 0 {
                let sender = (message >> 48) as usize;
                sent[sender] = message & (END - 1);
                ended += 1;
                continue;
            }
            check.see(message);
            counted += 1;
            turn += 1;
            if reply.is_some() || turn % STRIDE != 0 {
                continue;
            }
            let now = Instant::now();
            match begun {
                None if span.counts(now) => (begun, counted) = (Some(now), 0),
                Some(start) if span.over() && now > start => {
                    let rate = counted as f64 / (now - start).as_secs_f64();
                    reply = Some(Reply { values: vec![rate], samples: counted });
                    stop.store(true, Ordering::Relaxed);
                }
                _ => {}
            }
        }
        check.verify_shares(job.name, |sender| sent[sender]);
    });
    reply.expect("the senders end after the slice")
}
