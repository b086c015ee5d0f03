//! `tokio::sync::mpsc::channel`, from plain threads: its futures are polled here, and a waiting thread sleeps between two polls.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{Thread, current, park_timeout};
use std::time::Instant;

use tokio::sync::mpsc::error::{TryRecvError, TrySendError};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{NotReceived, NotSent, Peer};

pub(in super::super) enum Tokio {}

/// Wakes the thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

thread_local! {
    /// Made once: a wait is timed and must not allocate.
    static UNPARK: Waker = Waker::from(Arc::new(Unpark(current())));
}

/// Polls until it is ready; `None` after the deadline.
fn wait<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>, deadline: Instant) -> Option<T> {
    UNPARK.with(|waker| {
        loop {
            if let Poll::Ready(value) = poll(&mut Context::from_waker(waker)) {
                return Some(value);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            park_timeout(left);
        }
    })
}

impl<T: Send + 'static> Peer<T> for Tokio {
    type Sender = Sender<T>;
    type Receiver = Receiver<T>;

    fn channel(capacity: usize, senders: usize) -> (Vec<Sender<T>>, Receiver<T>) {
        let (sender, receiver) = channel(capacity);
        (vec![sender; senders], receiver)
    }

    #[inline]
    fn try_send(sender: &mut Sender<T>, message: T) -> Result<(), NotSent<T>> {
        sender.try_send(message).map_err(|error| match error {
            TrySendError::Full(message) => NotSent::Full(message),
            TrySendError::Closed(_) => NotSent::Gone,
        })
    }

    #[inline]
    fn try_receive(receiver: &mut Receiver<T>) -> Result<T, NotReceived> {
        receiver.try_recv().map_err(|error| match error {
            TryRecvError::Empty => NotReceived::Empty,
            TryRecvError::Disconnected => NotReceived::Gone,
        })
    }

    fn sleep_and_send(sender: &mut Sender<T>, message: T, deadline: Instant) -> Result<(), NotSent<T>> {
        let mut room = pin!(sender.reserve());
        match wait(|cx| room.as_mut().poll(cx), deadline) {
            Some(Ok(permit)) => {
                permit.send(message);
                Ok(())
            }
            Some(Err(_)) => Err(NotSent::Gone),
            None => Err(NotSent::Full(message)),
        }
    }

    fn sleep_and_receive(receiver: &mut Receiver<T>, deadline: Instant) -> Result<T, NotReceived> {
        match wait(|cx| receiver.poll_recv(cx), deadline) {
            Some(Some(message)) => Ok(message),
            Some(None) => Err(NotReceived::Gone),
            None => Err(NotReceived::Empty),
        }
    }
}
