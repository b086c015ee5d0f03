//! Async streams: two pinned threads that each block on one task, or two tasks on tokio's two workers.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use pollster::block_on;
use tokio::runtime::{Builder, Runtime};

use crate::pair_slice::{Env, Outcome, pair_slice, pin};
use crate::peers::{AsyncRecv, AsyncSend, Channel, Check};

/// Sender and receiver each drive one task with the same minimal executor, which parks its thread while the task waits.
pub fn on_threads<P>(env: &Env, n: u64, peer: &'static str) -> Outcome
where
    P: Channel<u64>,
    P::Tx: AsyncSend<u64>,
    P::Rx: AsyncRecv<u64>,
{
    let (mut tx, mut rx) = P::pair(env.capacity);
    let mut sent = 0;
    let mut check = Check::default();
    pair_slice(
        env,
        super::warm_up(env.capacity),
        n,
        move |n| {
            block_on(send_all(&mut tx, sent, n));
            sent += n;
        },
        move |n| {
            block_on(recv_all(&mut rx, n, &mut check));
            check.verify(peer);
        },
    )
}

pub(super) async fn send_all(tx: &mut impl AsyncSend<u64>, from: u64, n: u64) {
    for seq in from..from + n {
        tx.send(seq).await;
    }
}

async fn recv_all(rx: &mut impl AsyncRecv<u64>, n: u64, check: &mut Check) {
    for _ in 0..n {
        check.see(rx.recv().await);
    }
}

/// The runtime outlives the slices, as in a program; its workers are pinned to the two cores.
fn runtime(env: &Env) -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let cores = [env.a, env.b];
        let started = AtomicUsize::new(0);
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(2);
        builder.on_thread_start(move || pin(cores[started.fetch_add(1, Ordering::Relaxed) % 2]));
        builder.build().expect("tokio could not start its workers")
    })
}

/// Sender and receiver are tasks of a tokio runtime with two workers; which worker runs which is tokio's choice.
pub fn on_tokio<P>(env: &Env, n: u64, peer: &'static str) -> Outcome
where
    P: Channel<u64>,
    P::Tx: AsyncSend<u64> + 'static,
    P::Rx: AsyncRecv<u64> + 'static,
{
    let runtime = runtime(env);
    let (mut tx, mut rx) = P::pair(env.capacity);
    let before = pair_slice(env, 0, 0, |_| (), |_| ());
    let start = Instant::now();
    let sending = runtime.spawn(async move { send_all(&mut tx, 0, n).await });
    let receiving = runtime.spawn(async move {
        let mut check = Check::default();
        recv_all(&mut rx, n, &mut check).await;
        check.verify(peer);
    });
    let ended = runtime.block_on(async {
        sending.await.expect("the sending task panicked");
        receiving.await.expect("the receiving task panicked");
        Instant::now()
    });
    let after = pair_slice(env, 0, 0, |_| (), |_| ());
    Outcome {
        elapsed: ended.saturating_duration_since(start),
        floor: [before.floor[1], after.floor[0]],
        stolen: before.stolen + after.stolen,
        ..Outcome::default()
    }
}
