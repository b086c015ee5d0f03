//! Verbs that other crates have too: each as a port uses it.

use ringmail::mpsc::SharedSender;
use ringmail::spsc::Builder;
use ringmail::wait::EventCount;
use ringmail::{RecvTimeoutError, TryRecvError, TrySendError, mpsc, spsc};
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;
use tokio::runtime;
use tokio::sync::oneshot;

fn run<F: Future>(future: F) -> F::Output {
    runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Writes what has come, many lines at a time. Counts how often nothing came for 50 ms.
fn write_batches(mut lines: mpsc::Receiver<String>, out: &mut impl Write) -> io::Result<u32> {
    let (mut batch, mut idle) = (Vec::new(), 0);
    loop {
        match lines.recv_many_timeout(&mut batch, 256, Duration::from_millis(50)) {
            Ok(_) => batch.drain(..).try_for_each(|line| writeln!(out, "{line}"))?,
            Err(RecvTimeoutError::Timeout) => idle += 1,
            Err(RecvTimeoutError::Disconnected) => return Ok(idle),
        }
    }
}

#[test]
fn many_at_once_with_a_timeout() {
    let (tx, rx) = mpsc::channel(8).unwrap();
    let sender = thread::spawn(move || (0..100).for_each(|n| tx.clone().send(n.to_string()).unwrap()));
    let mut out = Vec::new();
    write_batches(rx, &mut out).unwrap();
    assert!(out.lines().map(Result::unwrap).eq((0..100).map(|n| n.to_string())));
    sender.join().unwrap();
}

/// Sends what `source` computes. Ends as soon as the receiver has gone, also while `source` has nothing.
async fn produce(mut tx: mpsc::Sender<u64>, mut source: impl AsyncFnMut() -> u64) -> u64 {
    let (mut receiver, mut sent) = (tx.clone(), 0);
    loop {
        tokio::select! {
            () = receiver.closed() => return sent,
            number = source() => match tx.send_async(number).await {
                Ok(()) => sent += 1,
                Err(_) => return sent,
            },
        }
    }
}

#[test]
fn a_producer_stops_when_the_receiver_has_gone() {
    let (tx, mut rx) = mpsc::channel(4).unwrap();
    let mut n = 0;
    let source = async move || {
        n += 1;
        if n > 3 {
            std::future::pending::<()>().await;
        }
        n
    };
    let receiver = thread::spawn(move || (0..3).map(|_| rx.recv().unwrap()).sum::<u64>());
    assert_eq!(run(produce(tx, source)), 3);
    assert_eq!(receiver.join().unwrap(), 6);
}

/// Sends `job`, unless `stop` comes first: then the job comes back.
async fn send_or_stop<T>(tx: &mut spsc::Sender<T>, job: T, stop: oneshot::Receiver<()>) -> Option<T> {
    let mut send = tx.send_async(job);
    tokio::select! {
        sent = &mut send => sent.err().map(|refused| refused.0),
        _ = stop => send.into_inner(),
    }
}

#[test]
fn a_cancelled_send_keeps_its_message() {
    let (mut tx, mut rx) = spsc::channel(1).unwrap();
    let (_kept, stop) = oneshot::channel();
    assert_eq!(run(send_or_stop(&mut tx, "first", stop)), None);
    let (now, stop) = oneshot::channel();
    now.send(()).unwrap();
    assert_eq!(run(send_or_stop(&mut tx, "second", stop)), Some("second"));
    assert_eq!((rx.try_recv(), rx.try_recv()), (Ok("first"), Err(TryRecvError::Empty)));
}

#[test]
fn one_sender_for_all_threads() {
    static EVENTS: OnceLock<SharedSender<String>> = OnceLock::new();

    /// From any thread, without a clone.
    fn log(event: String) {
        if let Some(events) = EVENTS.get() {
            let _ = events.try_send(event); // or `send`, which waits for room
        }
    }

    let (tx, rx) = mpsc::channel(1024).unwrap();
    EVENTS.get_or_init(|| tx.into_shared());
    let writer = thread::spawn(move || rx.into_iter().count());
    let threads: Vec<_> = (0..4).map(|id| thread::spawn(move || log(format!("thread {id}")))).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    EVENTS.get().unwrap().close(); // a static is never dropped
    assert_eq!(writer.join().unwrap(), 4);
}

/// Passes numbers on, and obeys `control` meanwhile: waits for input, room and control at once.
fn pass_on(
    mut input: spsc::Receiver<u64>,
    mut control: spsc::Receiver<u64>,
    mut output: mpsc::Sender<u64>,
    bell: &EventCount,
) {
    let (mut factor, mut held) = (1, None);
    loop {
        if let Ok(change) = control.try_recv() {
            factor = change;
        }
        if held.is_none() {
            held = match input.try_recv() {
                Ok(number) => Some(number * factor),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => return,
            };
        }
        if let Some(number) = held.take() {
            match output.try_send(number) {
                Ok(()) => continue,
                Err(TrySendError::Full(back)) => held = Some(back),
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
        bell.wait(None, || {
            let room = held.is_some() && !output.is_full() || output.is_closed();
            let news = held.is_none() && (!input.is_empty() || input.is_closed());
            room || news || !control.is_empty()
        });
    }
}

#[test]
fn sends_and_receives_at_once() -> Result<(), Box<dyn Error>> {
    let bell = EventCount::new();
    let (mut numbers, input) = Builder::new(4).receiver_event(bell.clone()).build()?;
    let (mut operator, control) = Builder::new(1).receiver_event(bell.clone()).build()?;
    let (output, mut results) = mpsc::Builder::new(1).sender_event(bell.clone()).build()?;
    let stage = thread::spawn(move || pass_on(input, control, output, &bell));
    numbers.send_slice(&[1, 2, 3])?;
    assert_eq!([results.recv()?, results.recv()?, results.recv()?], [1, 2, 3]);
    operator.send(10)?;
    while !operator.is_empty() {
        thread::yield_now();
    }
    numbers.send(4)?;
    assert_eq!(results.recv()?, 40);
    drop(numbers);
    stage.join().unwrap();
    Ok(())
}

#[test]
fn a_pipe() -> Result<(), Box<dyn Error>> {
    let (mut tx, rx) = spsc::channel::<u8>(4096)?;
    let encoder = thread::spawn(move || (1..=3).try_for_each(|n| writeln!(tx, "line {n}")));
    let lines: Vec<String> = rx.lines().collect::<Result<_, _>>()?; // until `tx` is dropped
    encoder.join().unwrap()?;
    assert_eq!(lines, ["line 1", "line 2", "line 3"]);
    Ok(())
}
