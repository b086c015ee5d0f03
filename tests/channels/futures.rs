//! The futures and poll verbs: who is woken, how often, and what a cancelled future leaves behind.

use crate::support::{Ledger, Wakes, ends, let_it_sleep, panics};
use ringmail::spsc::{Builder, Receiver, Sender};
use ringmail::{BuildError, FenceMode, Flavor, RecvError, SendError, fan_in, mesh, mpsc, spsc};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// A runtime of one task on one thread.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Fenced, because wakes are counted here: a task that finds another thread inside a barrier wakes itself to try again.
fn channel<T>(capacity: usize) -> Result<(Sender<T>, Receiver<T>), BuildError> {
    Builder::new(capacity).fence_mode(FenceMode::Fence).build()
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

#[test]
fn messages_cross_between_two_tasks_on_two_threads() {
    const N: u64 = 3000;
    for capacity in [1, 2, 64] {
        for barrier in [FenceMode::Auto, FenceMode::Fence] {
            ends(move || {
                let (mut tx, mut rx) = Builder::new(capacity).fence_mode(barrier).build().unwrap();
                let sender = thread::spawn(move || {
                    block_on(async {
                        for i in 0..N {
                            tx.send_async(i).await.unwrap();
                        }
                    });
                });
                let seen = block_on(async {
                    let mut seen = Vec::new();
                    while let Ok(value) = rx.recv_async().await {
                        seen.push(value);
                    }
                    seen
                });
                assert!(seen.into_iter().eq(0..N));
                sender.join().unwrap();
            });
        }
    }
}

#[test]
fn a_thread_and_a_task_share_a_channel() {
    ends(|| {
        let (mut tx, mut rx) = channel(2).unwrap();
        let sender = thread::spawn(move || (0..500).for_each(|i| tx.send(i).unwrap()));
        assert!((0..500).all(|i| block_on(rx.recv_async()) == Ok(i)));
        sender.join().unwrap();
        let (mut tx, rx) = channel(2).unwrap();
        let receiver = thread::spawn(move || rx.into_iter().count());
        (0..500).for_each(|i| block_on(tx.send_async(i)).unwrap());
        drop(tx);
        assert_eq!(receiver.join().unwrap(), 500);
    });
}

#[test]
fn a_pending_receive_is_woken_once_however_many_messages_come() {
    let (mut tx, mut rx) = channel(8).unwrap();
    let (wakes, waker) = Wakes::new();
    for round in 1..=3 {
        assert!(rx.poll_recv(&mut Context::from_waker(&waker)).is_pending());
        for i in 0..3 {
            tx.try_send(i).unwrap();
            assert_eq!(wakes.count(), round);
        }
        tx.try_send_slice(&[3, 4]).unwrap();
        assert_eq!(wakes.count(), round);
        assert_eq!(tx.stats().sender_wakes, round as u64);
        assert_eq!(rx.drain(9, drop), 5);
    }
}

#[test]
fn a_batch_wakes_once() {
    let (mut tx, mut rx) = channel(8).unwrap();
    let (wakes, waker) = Wakes::new();
    let mut arm = || assert!(rx.poll_recv(&mut Context::from_waker(&waker)).is_pending());
    arm();
    let mut chunk = tx.try_reserve(4).unwrap();
    chunk.fill_from_slice(&[1, 2, 3, 4]);
    assert_eq!(wakes.count(), 0, "nothing is published yet");
    chunk.commit();
    assert_eq!(wakes.count(), 1);
    assert_eq!(tx.try_reserve(4).unwrap().commit(), 0);
    drop(tx.try_reserve(4).unwrap());
    assert_eq!(wakes.count(), 1, "nothing came");
}

#[test]
fn a_pending_send_is_woken_once_however_much_room_there_is() {
    let (mut tx, mut rx) = channel(3).unwrap();
    let (wakes, waker) = Wakes::new();
    for round in 1..=3 {
        tx.try_send_slice(&[1, 2, 3]).unwrap();
        assert!(tx.poll_ready(&mut Context::from_waker(&waker)).is_pending());
        for _ in 0..3 {
            rx.try_recv().unwrap();
            assert_eq!(wakes.count(), round);
        }
        assert_eq!(rx.stats().receiver_wakes, round as u64);
        assert_eq!(tx.poll_ready(&mut Context::from_waker(&waker)), Poll::Ready(Ok(())));
    }
}

#[test]
fn asking_again_is_not_a_second_request() {
    let (mut tx, mut rx) = channel(1).unwrap();
    let ((old, first), (new, second)) = (Wakes::new(), Wakes::new());
    for waker in [&first, &first, &second, &second] {
        assert!(rx.poll_recv(&mut Context::from_waker(waker)).is_pending());
    }
    let told = old.count();
    assert!(told <= 1, "at most to look again, as another has taken its place");
    tx.try_send(1).unwrap();
    assert_eq!((old.count(), new.count()), (told, 1), "the last waker counts");
    assert_eq!(rx.poll_recv(&mut Context::from_waker(&second)), Poll::Ready(Ok(1)));
}

#[test]
fn a_close_wakes_a_pending_future() {
    let (wakes, waker) = Wakes::new();
    let (tx, mut rx) = channel::<u8>(1).unwrap();
    let mut receive = rx.recv_async();
    assert!(poll(&mut receive, &waker).is_pending());
    drop(tx);
    assert_eq!(wakes.count(), 1);
    assert_eq!(poll(&mut receive, &waker), Poll::Ready(Err(RecvError)));

    let (wakes, waker) = Wakes::new();
    let (mut tx, rx) = channel(1).unwrap();
    tx.try_send(1).unwrap();
    let mut send = tx.send_async(2);
    assert!(poll(&mut send, &waker).is_pending());
    drop(rx);
    assert_eq!(wakes.count(), 1);
    assert_eq!(poll(&mut send, &waker), Poll::Ready(Err(SendError(2))));
}

#[test]
fn a_cancelled_send_sends_none_a_cancelled_receive_takes_none() {
    let (wakes, waker) = Wakes::new();
    let (mut tx, mut rx) = channel(1).unwrap();
    drop(rx.recv_async());
    let mut receive = rx.recv_async();
    assert!(poll(&mut receive, &waker).is_pending());
    drop(receive);
    drop(tx.send_async(1));
    assert!(rx.is_empty(), "never polled");
    tx.try_send(2).unwrap();
    assert_eq!(wakes.count(), 0, "a cancelled receive is not woken");
    let mut send = tx.send_async(3);
    assert!(poll(&mut send, &waker).is_pending());
    drop(send);
    assert_eq!(rx.try_recv(), Ok(2));
    assert_eq!(wakes.count(), 0, "nor is a cancelled send");
    assert!(rx.try_recv().is_err());

    // A message that came between the wake and the cancellation is still there.
    let mut receive = rx.recv_async();
    assert!(poll(&mut receive, &waker).is_pending());
    tx.try_send(4).unwrap();
    assert_eq!(wakes.count(), 1);
    drop(receive);
    assert_eq!(block_on(rx.recv_async()), Ok(4));
}

#[test]
fn a_send_that_is_given_up_returns_its_value() {
    fn law<S: Flavor>((mut tx, mut rx): (ringmail::Sender<String, S>, ringmail::Receiver<String, S>)) {
        let (wakes, waker) = Wakes::new();
        assert_eq!(tx.send_async("never polled".into()).into_inner().as_deref(), Some("never polled"));
        let mut send = tx.send_async("sent".into());
        assert!(poll(&mut send, &waker).is_ready());
        assert_eq!(send.into_inner(), None);
        let mut send = tx.send_async("pending".into());
        while poll(&mut send, &waker).is_pending() && wakes.take() != 0 {}
        assert_eq!(send.into_inner().as_deref(), Some("pending"));
        assert_eq!(rx.try_recv().as_deref(), Ok("sent"));
        assert_eq!(wakes.count(), 0, "its task does not wait any more");
        // Given up between its wake and its next poll.
        tx.try_send("first".into()).unwrap();
        let mut send = tx.send_async("woken".into());
        while poll(&mut send, &waker).is_pending() && wakes.take() != 0 {}
        assert_eq!(rx.try_recv().as_deref(), Ok("first"));
        assert_eq!((wakes.count(), send.into_inner().as_deref()), (1, Some("woken")));
        assert!(rx.try_recv().is_err(), "nothing was sent");
        drop(rx);
        let mut send = tx.send_async("too late".into());
        assert_eq!(poll(&mut send, &waker), Poll::Ready(Err(SendError("too late".into()))));
        assert_eq!(send.into_inner(), None, "the error has it");
    }
    law(spsc::channel(1).unwrap());
    law(mpsc::channel(1).unwrap());
    law(fan_in::channel(1).unwrap());
}

#[test]
fn a_send_that_is_dropped_drops_its_value_and_one_that_is_given_up_does_not() {
    let ledger = Ledger::default();
    let (mut tx, _rx) = channel(1).unwrap();
    tx.try_send(ledger.value()).unwrap();
    let mut send = tx.send_async(ledger.value());
    assert!(poll(&mut send, Waker::noop()).is_pending());
    drop(send);
    assert_eq!(ledger.drops(), [0, 1]);
    let mut send = tx.send_async(ledger.value());
    assert!(poll(&mut send, Waker::noop()).is_pending());
    let kept = send.into_inner();
    assert_eq!(ledger.drops(), [0, 1, 0]);
    drop((kept, tx, _rx));
    ledger.settle();
}

#[test]
fn a_ready_sender_finds_room_and_keeps_its_value_until_then() {
    let (_, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    let (mut tx, mut rx) = channel(1).unwrap();
    assert_eq!(tx.poll_ready(&mut cx), Poll::Ready(Ok(())));
    assert_eq!(tx.poll_ready(&mut cx), Poll::Ready(Ok(())), "asking reserves nothing");
    tx.start_send("a").unwrap();
    assert!(tx.start_send("b").is_err_and(|e| e.is_full()));
    assert!(tx.poll_ready(&mut cx).is_pending());
    assert_eq!(rx.try_recv(), Ok("a"));
    assert_eq!(tx.poll_ready(&mut cx), Poll::Ready(Ok(())));
    tx.start_send("b").unwrap();
}

#[test]
fn a_side_that_never_sleeps_asks_to_be_polled_again() {
    let (wakes, waker) = Wakes::new();
    let (mut tx, mut rx) = Builder::new(1).fence_mode(FenceMode::Never).build().unwrap();
    for polls in 1..=3 {
        assert!(rx.poll_recv(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(wakes.count(), polls);
    }
    tx.try_send(1).unwrap();
    assert_eq!(wakes.count(), 3);
    assert_eq!(block_on(rx.recv_async()), Ok(1));
}

#[test]
fn a_handle_may_block_and_await_in_turn() {
    ends(|| {
        let (mut tx, mut rx) = channel(1).unwrap();
        let receiver = thread::spawn(move || {
            let (wakes, waker) = Wakes::new();
            for i in 0..50 {
                // Announced, then abandoned for a blocking receive.
                let early = match rx.poll_recv(&mut Context::from_waker(&waker)) {
                    Poll::Ready(value) => value,
                    Poll::Pending => rx.recv(),
                };
                assert_eq!(early, Ok(2 * i));
                assert_eq!(block_on(rx.recv_async()), Ok(2 * i + 1));
            }
            assert!(wakes.count() <= 50);
        });
        let_it_sleep();
        for i in 0..50 {
            tx.send(2 * i).unwrap();
            block_on(tx.send_async(2 * i + 1)).unwrap();
        }
        receiver.join().unwrap();
    });
}

#[test]
fn futures_are_send_and_ask_nothing_of_the_waiting_task() {
    fn send<T: Send>(value: T) -> T {
        value
    }
    let (mut tx, mut rx) = channel(1).unwrap();
    let task = send(async move {
        tx.send_async(1).await.unwrap();
        rx.recv_async().await
    });
    assert_eq!(block_on(task), Ok(1));
}

#[cfg(feature = "futures")]
mod traits {
    use super::*;
    use futures_core::stream::{FusedStream, Stream};
    use futures_sink::Sink;
    use ringmail::TrySendError;

    #[test]
    fn a_receiver_is_a_stream_that_ends() {
        let (wakes, waker) = Wakes::new();
        let mut cx = Context::from_waker(&waker);
        let (mut tx, mut rx) = channel(4).unwrap();
        assert!(Pin::new(&mut rx).poll_next(&mut cx).is_pending());
        tx.try_send_slice(&[1, 2]).unwrap();
        assert_eq!(wakes.count(), 1);
        assert_eq!(rx.size_hint(), (2, None));
        assert_eq!(Pin::new(&mut rx).poll_next(&mut cx), Poll::Ready(Some(1)));
        drop(tx);
        assert!(!rx.is_terminated(), "there is one left");
        assert_eq!(Pin::new(&mut rx).poll_next(&mut cx), Poll::Ready(Some(2)));
        assert_eq!(Pin::new(&mut rx).poll_next(&mut cx), Poll::Ready(None));
        assert!(rx.is_terminated());
        assert_eq!(Pin::new(&mut rx).poll_next(&mut cx), Poll::Ready(None));
    }

    #[test]
    fn a_sender_is_a_sink_whose_flush_has_nothing_to_do() {
        let (wakes, waker) = Wakes::new();
        let mut cx = Context::from_waker(&waker);
        let (mut tx, mut rx) = channel(1).unwrap();
        assert_eq!(Sink::poll_ready(Pin::new(&mut tx), &mut cx), Poll::Ready(Ok(())));
        Sink::start_send(Pin::new(&mut tx), 1).unwrap();
        assert_eq!(rx.len(), 1, "published at once");
        assert_eq!(Sink::poll_flush(Pin::new(&mut tx), &mut cx), Poll::Ready(Ok(())));
        assert_eq!(Sink::start_send(Pin::new(&mut tx), 2), Err(TrySendError::Full(())));
        assert!(Sink::poll_ready(Pin::new(&mut tx), &mut cx).is_pending());
        assert_eq!(rx.try_recv(), Ok(1));
        assert_eq!(wakes.count(), 1);
        assert_eq!(Sink::poll_close(Pin::new(&mut tx), &mut cx), Poll::Ready(Ok(())));
        assert_eq!(Sink::poll_ready(Pin::new(&mut tx), &mut cx), Poll::Ready(Err(TrySendError::Disconnected(()))));
        assert_eq!(Sink::start_send(Pin::new(&mut tx), 3), Err(TrySendError::Disconnected(())));
        assert!(rx.is_closed());
    }
}

/// Polls that are ready before one is pending, and whether that one wakes its task and the next is ready again.
fn ready_in_a_row(waker: &Waker, mut poll: impl FnMut(&Waker) -> bool) -> usize {
    let in_a_row = (0..100_000).take_while(|_| poll(waker)).count();
    assert!(poll(waker), "after the pending poll");
    in_a_row
}

#[test]
fn after_128_ready_polls_a_future_lets_other_tasks_go_first() {
    let (wakes, waker) = Wakes::new();
    let ready = |mut future: Pin<&mut dyn Future<Output = ()>>, waker: &Waker| {
        future.as_mut().poll(&mut Context::from_waker(waker)).is_ready()
    };
    // A channel that always has a message, and one that always has room.
    let (mut tx, mut rx) = spsc::channel(1).unwrap();
    let receives = ready_in_a_row(&waker, |waker| {
        let _ = tx.try_send(1);
        ready(
            pin!(async {
                let _ = rx.recv_async().await;
            }),
            waker,
        )
    });
    let sends = ready_in_a_row(&waker, |waker| {
        let _ = rx.try_recv();
        ready(
            pin!(async {
                let _ = tx.send_async(1).await;
            }),
            waker,
        )
    });
    let (mut tx, mut rx) = mpsc::channel(1).unwrap();
    let mpsc_receives = ready_in_a_row(&waker, |waker| {
        let _ = tx.try_send(1);
        ready(
            pin!(async {
                let _ = rx.recv_async().await;
            }),
            waker,
        )
    });
    let mpsc_sends = ready_in_a_row(&waker, |waker| {
        let _ = rx.try_recv();
        ready(
            pin!(async {
                let _ = tx.send_async(1).await;
            }),
            waker,
        )
    });
    let (mut tx, mut rx) = fan_in::channel(1).unwrap();
    let fan_in_receives = ready_in_a_row(&waker, |waker| {
        let _ = tx.try_send(1);
        ready(
            pin!(async {
                let _ = rx.recv_from_async().await;
            }),
            waker,
        )
    });
    let mut seats = mesh::Builder::new().shards(2).build().unwrap();
    let (mut a, mut b) = (seats.remove(0).join().unwrap(), seats.remove(0).join().unwrap());
    let mesh_receives = ready_in_a_row(&waker, |waker| {
        let _ = a.try_send_to(1, 1);
        ready(
            pin!(async {
                let _ = b.recv_async().await;
            }),
            waker,
        )
    });
    let all = [receives, sends, mpsc_receives, mpsc_sends, fan_in_receives, mesh_receives];
    assert_eq!(all, [128; 6]);
    assert_eq!(wakes.count(), all.len(), "each woke its task");
}

/// Another poll would take another message, and tell none that it did.
#[test]
fn a_future_that_was_ready_is_not_polled_again() {
    fn receives<S: Flavor>((mut tx, mut rx): (ringmail::Sender<u32, S>, ringmail::Receiver<u32, S>)) {
        assert_eq!(tx.try_send_slice(&[1, 2]), Ok(2));
        let mut receive = rx.recv_async();
        assert_eq!(poll(&mut receive, Waker::noop()), Poll::Ready(Ok(1)));
        panics(|| poll(&mut receive, Waker::noop()));
        drop(receive);
        assert_eq!(rx.try_recv(), Ok(2), "it took no other");
        // One that was pending before.
        let mut receive = rx.recv_async();
        assert!(poll(&mut receive, Waker::noop()).is_pending());
        assert_eq!(tx.try_send_slice(&[3, 4]), Ok(2));
        assert_eq!(poll(&mut receive, Waker::noop()), Poll::Ready(Ok(3)));
        panics(|| poll(&mut receive, Waker::noop()));
        drop(receive);
        assert_eq!(rx.try_recv(), Ok(4));
        let mut send = tx.send_async(5);
        assert_eq!(poll(&mut send, Waker::noop()), Poll::Ready(Ok(())));
        panics(|| poll(&mut send, Waker::noop()));
        drop(send);
        drop(tx);
        assert_eq!(rx.try_recv(), Ok(5));
        // And one that told the end.
        let mut receive = rx.recv_async();
        assert_eq!(poll(&mut receive, Waker::noop()), Poll::Ready(Err(RecvError)));
        panics(|| poll(&mut receive, Waker::noop()));
    }
    receives(spsc::channel(4).unwrap());
    receives(mpsc::channel(4).unwrap());
    receives(fan_in::channel(4).unwrap());
}

#[test]
fn a_future_of_a_mesh_that_was_ready_is_not_polled_again() {
    let mut seats = mesh::Builder::new().shards(2).build::<u32>().unwrap().into_iter();
    let [mut me, mut peer] = [(), ()].map(|()| seats.next().unwrap().join().unwrap());
    assert!(peer.try_send_to(0, 1).is_ok() && peer.try_send_to(0, 2).is_ok());
    let mut receive = me.recv_async();
    assert_eq!(poll(&mut receive, Waker::noop()), Poll::Ready(Ok((1, 1))));
    panics(|| poll(&mut receive, Waker::noop()));
    drop(receive);
    assert_eq!(me.try_recv(), Ok((1, 2)));
}

/// A reply is of one answer, and says that it was taken.
#[test]
fn a_reply_that_was_ready_says_so_when_it_is_polled_again() {
    let mut seats = mesh::Builder::new().shards(2).build_calls::<u32, u32>(2).unwrap().into_iter();
    let [mut me, mut peer] = [(), ()].map(|()| seats.next().unwrap().join().unwrap());
    let (mut first, second) = (me.try_call(1, 1).unwrap(), me.try_call(1, 2).unwrap());
    peer.poll(2, |_, _, n, token| token.answer(n));
    me.poll(2, |_, _, _, _| ());
    assert_eq!(poll(&mut first, Waker::noop()), Poll::Ready(Ok(1)));
    for _ in 0..2 {
        assert_eq!(poll(&mut first, Waker::noop()), Poll::Ready(Err(mesh::call::CallError::Taken)));
    }
    assert_eq!(second.try_take().unwrap(), Ok(2));
}

#[cfg(feature = "futures")]
#[test]
fn a_future_says_whether_it_is_over() {
    use futures_core::FusedFuture;
    let (mut tx, mut rx) = channel(1).unwrap();
    let (mut send, mut receive) = (tx.send_async(1), rx.recv_async());
    assert!(!send.is_terminated() && !receive.is_terminated());
    assert!(poll(&mut receive, Waker::noop()).is_pending() && !receive.is_terminated());
    assert!(poll(&mut send, Waker::noop()).is_ready() && send.is_terminated());
    assert!(poll(&mut receive, Waker::noop()).is_ready() && receive.is_terminated());
    drop(receive);
    drop(send);
    tx.try_send(2).unwrap();
    let mut send = tx.send_async(3);
    assert!(poll(&mut send, Waker::noop()).is_pending() && !send.is_terminated());
}
