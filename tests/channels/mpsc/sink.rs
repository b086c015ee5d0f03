//! An `mpsc` sender as a `Sink`: it keeps one message for which there was no room.

use crate::support::tasks::{block_on, poll};
use crate::support::{Wakes, ends};
use futures_sink::Sink;
use ringmail::mpsc::{Builder, Receiver, Sender, SenderSink, channel};
use ringmail::{FenceMode, TrySendError};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;

/// A channel for one message. Fenced, because wakes are counted here: one whose barrier is busy wakes its own task to try again.
fn fenced() -> (Sender<u32>, Receiver<u32>) {
    Builder::new(1).fence_mode(FenceMode::Fence).build().unwrap()
}

type Said<T> = Poll<Result<(), TrySendError<Option<T>>>>;

fn ready<T>(sink: &mut SenderSink<T>, waker: &Waker) -> Said<T> {
    Pin::new(sink).poll_ready(&mut Context::from_waker(waker))
}

fn flush<T>(sink: &mut SenderSink<T>, waker: &Waker) -> Said<T> {
    Pin::new(sink).poll_flush(&mut Context::from_waker(waker))
}

fn send<T>(sink: &mut SenderSink<T>, value: T) -> Result<(), TrySendError<Option<T>>> {
    Pin::new(sink).start_send(value)
}

#[test]
fn it_sends_where_there_is_room_and_else_keeps_one() {
    let (wakes, waker) = Wakes::new();
    let (tx, mut rx) = fenced();
    let mut sink = tx.into_sink();
    assert_eq!(ready(&mut sink, &waker), Poll::Ready(Ok(())));
    send(&mut sink, 1).unwrap();
    assert_eq!((rx.len(), flush(&mut sink, &waker)), (1, Poll::Ready(Ok(()))));
    assert_eq!(ready(&mut sink, &waker), Poll::Ready(Ok(())), "there is room for one to keep");
    send(&mut sink, 2).unwrap();
    assert_eq!(send(&mut sink, 3), Err(TrySendError::Full(Some(3))), "nobody asked first");
    assert!(flush(&mut sink, &waker).is_pending());
    assert!(ready(&mut sink, &waker).is_pending());
    assert_eq!((rx.try_recv(), wakes.count()), (Ok(1), 1));
    assert_eq!(ready(&mut sink, &waker), Poll::Ready(Ok(())));
    assert_eq!(rx.try_recv(), Ok(2));
}

#[test]
fn a_kept_message_is_sent_before_a_close_or_comes_back() {
    let (tx, mut rx) = channel(1).unwrap();
    let (mut first, mut second) = (tx.clone().into_sink(), tx.into_sink());
    send(&mut first, 1).unwrap();
    send(&mut first, 2).unwrap();
    send(&mut second, 3).unwrap();
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut first).poll_close(cx).is_pending());
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!(Pin::new(&mut first).poll_close(cx), Poll::Ready(Ok(())));
    assert!(first.sender().is_closed() && !second.sender().is_closed());
    assert_eq!(ready(&mut first, Waker::noop()), Poll::Ready(Err(TrySendError::Disconnected(None))));
    assert_eq!(rx.try_recv(), Ok(2));
    drop(rx);
    assert_eq!(flush(&mut second, Waker::noop()), Poll::Ready(Err(TrySendError::Disconnected(Some(3)))));
    assert_eq!(flush(&mut second, Waker::noop()), Poll::Ready(Ok(())), "nothing is kept any more");
    assert_eq!(send(&mut second, 4), Err(TrySendError::Disconnected(Some(4))));
}

#[test]
fn taken_apart_it_gives_back_its_message_and_its_turn() {
    let (wakes, waker) = Wakes::new();
    let (tx, mut rx) = fenced();
    let (mut sink, mut other) = (tx.clone().into_sink(), tx);
    send(&mut sink, 1).unwrap();
    send(&mut sink, 2).unwrap();
    assert!(flush(&mut sink, Waker::noop()).is_pending());
    let mut waiting = other.send_async(3);
    assert!(poll(&mut waiting, &waker).is_pending());
    let (_tx, kept) = sink.into_inner();
    assert_eq!((kept, wakes.count()), (Some(2), 1), "the next in the queue is called");
    assert!(poll(&mut waiting, &waker).is_pending());
    assert_eq!(rx.try_recv(), Ok(1));
    assert!(poll(&mut waiting, &waker).is_ready());
    assert_eq!(rx.try_recv(), Ok(3));
}

#[test]
fn what_is_kept_is_dropped_once() {
    let message = Arc::new(());
    let (tx, rx) = channel(1).unwrap();
    let mut sink = tx.into_sink();
    send(&mut sink, Arc::clone(&message)).unwrap();
    send(&mut sink, Arc::clone(&message)).unwrap();
    assert!(flush(&mut sink, Waker::noop()).is_pending());
    drop(sink);
    assert_eq!(Arc::strong_count(&message), 2);
    drop(rx);
    assert_eq!(Arc::strong_count(&message), 1);
}

#[test]
fn sinks_on_threads_lose_nothing_and_keep_their_order() {
    const N: u64 = if cfg!(miri) { 50 } else { 20_000 };
    ends(|| {
        let (tx, mut rx) = channel(2).unwrap();
        for id in 0..3 {
            let mut sink = tx.clone().into_sink();
            thread::spawn(move || {
                block_on(async move {
                    for i in 0..N {
                        poll_fn(|cx| Pin::new(&mut sink).poll_ready(cx)).await.unwrap();
                        send(&mut sink, (id, i)).unwrap();
                    }
                    poll_fn(|cx| Pin::new(&mut sink).poll_close(cx)).await.unwrap();
                })
            });
        }
        drop(tx);
        let mut next = [0; 3];
        for (id, i) in rx.iter() {
            assert_eq!(i, next[id]);
            next[id] += 1;
        }
        assert_eq!(next, [N; 3]);
    });
}
