//! A time limit of the runtime around a receive loop on a busy channel: how long it really took.
//!
//! A loop that never waits keeps its task running, and the timer of the same task is not looked at meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::job::{Job, Reply, Samples};
use super::tick::runtime;
use crate::peers::{AsyncRecv, BlockSend, Channel, Check};

const CAPACITY: usize = 1024;
const LIMIT: Duration = Duration::from_millis(50);
/// After so long the loop ends by itself: it was never interrupted.
const ENOUGH: Duration = Duration::from_secs(2);
/// The sender's last message.
const END: u64 = u64::MAX;

pub(super) fn receiving<P>(job: &Job) -> Reply
where
    P: Channel<u64>,
    P::Tx: BlockSend<u64>,
    P::Rx: AsyncRecv<u64>,
{
    let (mut tx, mut rx) = P::pair(CAPACITY);
    let stop = AtomicBool::new(false);
    let mut samples = Samples::default();
    thread::scope(|scope| {
        let stop = &stop;
        scope.spawn(move || {
            let mut seq = 0;
            while !stop.load(Ordering::Relaxed) {
                tx.send(seq);
                seq += 1;
            }
            tx.send(END);
        });
        let mut check = Check::default();
        runtime().block_on(async {
            let span = job.begin();
            while samples.is_empty() || !span.over() {
                let start = Instant::now();
                let busy = async {
                    loop {
                        check.see(rx.recv().await);
                        if check.seen() % 1024 == 0 && start.elapsed() > ENOUGH {
                            break;
                        }
                    }
                };
                // Whichever ended it, the time that it took is the figure.
                let _ = timeout(LIMIT, busy).await;
                if span.counts(start) {
                    samples.push(start.elapsed());
                }
            }
            stop.store(true, Ordering::Relaxed);
            loop {
                match rx.recv().await {
                    END => break,
                    message => check.see(message),
                }
            }
        });
        check.verify(job.name);
    });
    samples.reply(&[0.5, 1.0])
}
