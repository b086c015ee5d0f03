//! `Stream` and `Sink` between processes, on a reactor of the user's choice.

use super::{Cause, TryRecvError, TrySendError, WakeFd, Watched, bytes, fan_in, spsc};
use crate::shm::Message;
use crate::wait::wait_policy::READY_POLLS;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use futures_core::stream::{FusedStream, Stream};
use futures_sink::Sink;
use std::io;

/// A reactor's registration of a [`WakeFd`]. With tokio:
///
/// ```
/// use ringmail::shm::{Readiness, WakeFd};
/// use std::task::{Context, Poll};
/// use std::io;
/// use tokio::io::unix::AsyncFd;
///
/// struct Tokio(AsyncFd<WakeFd>);
///
/// impl Readiness for Tokio {
///     fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
///         self.0.poll_read_ready(cx).map_ok(|mut ready| ready.clear_ready())
///     }
/// }
/// ```
pub trait Readiness {
    /// Ready if the descriptor has become readable since the last call that said so. Otherwise the task is woken when it does.
    ///
    /// # Errors
    /// The reactor's: it cannot wait for the descriptor.
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// What a [`MessageStream`] or a [`MessageSink`] says other than success.
#[derive(Debug)]
#[non_exhaustive]
pub enum FdError<E> {
    /// The channel's answer.
    Channel(E),
    /// The descriptor could not be waited for.
    Reactor(io::Error),
}

impl<E: fmt::Display> fmt::Display for FdError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(error) => error.fmt(f),
            Self::Reactor(error) => write!(f, "the reactor failed: {error}"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for FdError<E> {}

/// A receiver as a [`MessageStream`] reads it.
pub trait Receive: Watched {
    /// What it receives.
    type Message;
    /// What it is told where there is nothing.
    type End;

    /// The next message or end; `None` if there is neither now.
    fn take(&mut self) -> Option<Result<Self::Message, Self::End>>;

    /// Whether nothing comes after that.
    fn is_last(ended: &Self::End) -> bool;
}

/// What a receiver that is not of a fan-in was told.
fn told<T>(received: Result<T, TryRecvError>) -> Option<Result<T, Cause>> {
    match received {
        Ok(message) => Some(Ok(message)),
        Err(TryRecvError::Empty) => None,
        Err(TryRecvError::Disconnected(ended)) => Some(Err(ended)),
    }
}

fn is_last(ended: &Cause) -> bool {
    matches!(ended, Cause::Corrupted | Cause::Removed)
}

impl<T: Message> Receive for spsc::Receiver<T> {
    type Message = T;
    type End = Cause;

    fn take(&mut self) -> Option<Result<T, Cause>> {
        told(self.try_recv())
    }

    fn is_last(ended: &Cause) -> bool {
        is_last(ended)
    }
}

impl Receive for bytes::Receiver {
    type Message = (bytes::RecordInfo, Vec<u8>);
    type End = Cause;

    fn take(&mut self) -> Option<Result<Self::Message, Cause>> {
        let mut body = Vec::new();
        told(self.try_recv_into(&mut body).map(|info| (info, body)))
    }

    fn is_last(ended: &Cause) -> bool {
        is_last(ended)
    }
}

impl<T: Message> Receive for fan_in::Receiver<T> {
    type Message = (usize, T);
    type End = fan_in::TryRecvError;

    fn take(&mut self) -> Option<Result<Self::Message, Self::End>> {
        match self.try_recv_from() {
            Err(fan_in::TryRecvError::Empty) => None,
            other => Some(other),
        }
    }

    fn is_last(ended: &Self::End) -> bool {
        *ended == fan_in::TryRecvError::Removed
    }
}

impl Receive for bytes::fan_in::Receiver {
    type Message = (usize, bytes::RecordInfo, Vec<u8>);
    type End = fan_in::TryRecvError;

    fn take(&mut self) -> Option<Result<Self::Message, Self::End>> {
        let mut body = Vec::new();
        match self.try_recv_into(&mut body) {
            Err(fan_in::TryRecvError::Empty) => None,
            other => Some(other.map(|(lane, info)| (lane, info, body))),
        }
    }

    fn is_last(ended: &Self::End) -> bool {
        *ended == fan_in::TryRecvError::Removed
    }
}

/// A sender as a [`MessageSink`] feeds it.
pub trait Put<T>: Watched {
    /// Why it refuses for good.
    type Refusal;

    /// Sends what is there; leaves it, and says `None`, if there is no room now.
    fn put(&mut self, kept: &mut Option<T>) -> Option<Result<(), Self::Refusal>>;

    /// The refusal of one that nobody asked `poll_ready` for.
    fn refuse(value: T) -> Self::Refusal;

    /// Closes in order.
    fn finish(&mut self);
}

impl<T: Message> Put<T> for spsc::Sender<T> {
    type Refusal = TrySendError<T>;

    fn put(&mut self, kept: &mut Option<T>) -> Option<Result<(), TrySendError<T>>> {
        match self.try_send(kept.take()?) {
            Err(TrySendError::Full(value)) => {
                *kept = Some(value);
                None
            }
            other => Some(other),
        }
    }

    fn refuse(value: T) -> TrySendError<T> {
        TrySendError::Full(value)
    }

    fn finish(&mut self) {
        self.close();
    }
}

impl<B: AsRef<[u8]>> Put<B> for bytes::Sender {
    type Refusal = bytes::TrySendError;

    fn put(&mut self, kept: &mut Option<B>) -> Option<Result<(), bytes::TrySendError>> {
        let body = kept.take()?;
        match self.try_send(body.as_ref()) {
            Err(bytes::TrySendError::Full) => {
                *kept = Some(body);
                None
            }
            other => Some(other),
        }
    }

    fn refuse(_: B) -> bytes::TrySendError {
        bytes::TrySendError::Full
    }

    fn finish(&mut self) {
        self.close();
    }
}

/// A handle, its descriptor in a reactor, and whether it is armed.
struct Driver<H, R> {
    handle: H,
    reactor: R,
    armed: bool,
    /// Polls that may be ready before one has to be pending.
    turns: u32,
}

impl<H: Watched, R: Readiness> Driver<H, R> {
    fn new(mut handle: H, register: impl FnOnce(WakeFd) -> io::Result<R>) -> io::Result<Self> {
        let reactor = register(handle.wake_fd()?)?;
        Ok(Self { handle, reactor, armed: false, turns: READY_POLLS })
    }

    /// Ready once `attempt` finds something.
    fn poll<O>(
        &mut self,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&mut H) -> Option<O>,
    ) -> Poll<Result<O, io::Error>> {
        if self.turns == 0 {
            // The other tasks of the executor have their turn.
            self.turns = READY_POLLS;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            if let Some(found) = attempt(&mut self.handle) {
                self.turns -= 1;
                self.disarm();
                return Poll::Ready(Ok(found));
            }
            if !self.armed {
                self.armed = self.handle.end().prepare()?;
                if !self.armed {
                    continue;
                }
            }
            let readable = self.reactor.poll_readable(cx);
            if readable.is_pending() {
                self.turns = READY_POLLS;
            }
            let readable = ready!(readable);
            self.disarm();
            readable?;
        }
    }

    fn disarm(&mut self) {
        if core::mem::take(&mut self.armed) {
            drop(self.handle.end().armed());
        }
    }
}

/// A receiver between processes as a [`Stream`] of messages and ends; from [`MessageStream::new`].
///
/// An item is a message (of records, what a record says and its body; of a fan-in, the lane first) or what the receiver is told: the end of a
/// session, say, after which it waits for the next. It ends, with `None`, after [`Cause::Corrupted`], [`Cause::Removed`] or an error of the
/// reactor has been told.
pub struct MessageStream<H, R> {
    driver: Driver<H, R>,
    over: bool,
}

impl<H: Receive, R: Readiness> MessageStream<H, R> {
    /// Of `receiver`, whose descriptor `register` gives to a reactor.
    ///
    /// # Errors
    /// Those of [`Watched::wake_fd`], and of `register`.
    pub fn new(receiver: H, register: impl FnOnce(WakeFd) -> io::Result<R>) -> io::Result<Self> {
        Ok(Self { driver: Driver::new(receiver, register)?, over: false })
    }

    /// The receiver.
    pub fn into_inner(mut self) -> H {
        self.driver.disarm();
        self.driver.handle
    }
}

// Nothing of it is pinned.
impl<H, R> Unpin for MessageStream<H, R> {}

impl<H: Receive, R: Readiness> Stream for MessageStream<H, R> {
    type Item = Result<H::Message, FdError<H::End>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        let item = match ready!(self.driver.poll(cx, H::take)) {
            Ok(found) => found.map_err(FdError::Channel),
            Err(error) => Err(FdError::Reactor(error)),
        };
        self.over = match &item {
            Ok(_) => false,
            Err(FdError::Channel(ended)) => H::is_last(ended),
            Err(FdError::Reactor(_)) => true,
        };
        Poll::Ready(Some(item))
    }
}

impl<H: Receive, R: Readiness> FusedStream for MessageStream<H, R> {
    fn is_terminated(&self) -> bool {
        self.over
    }
}

/// A sender between processes as a [`Sink`]; from [`MessageSink::new`]. Of records it takes whatever is bytes.
///
/// It keeps one message while there is no room for it, and is flushed, and ready for the next, once that is in the channel. Dropping it drops
/// that one. A `start_send` that did not ask `poll_ready` first while one is kept is refused as `Full`.
pub struct MessageSink<H, R, T> {
    driver: Driver<H, R>,
    kept: Option<T>,
}

impl<H: Put<T>, R: Readiness, T> MessageSink<H, R, T> {
    /// Of `sender`, whose descriptor `register` gives to a reactor.
    ///
    /// # Errors
    /// Those of [`Watched::wake_fd`], and of `register`.
    pub fn new(sender: H, register: impl FnOnce(WakeFd) -> io::Result<R>) -> io::Result<Self> {
        Ok(Self { driver: Driver::new(sender, register)?, kept: None })
    }

    /// The sender, and the message that was kept.
    pub fn into_inner(mut self) -> (H, Option<T>) {
        self.driver.disarm();
        (self.driver.handle, self.kept)
    }

    fn poll_kept(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), FdError<H::Refusal>>> {
        let Self { driver, kept } = self;
        if kept.is_none() {
            return Poll::Ready(Ok(()));
        }
        match ready!(driver.poll(cx, |handle| handle.put(kept))) {
            Ok(sent) => Poll::Ready(sent.map_err(FdError::Channel)),
            Err(error) => Poll::Ready(Err(FdError::Reactor(error))),
        }
    }
}

// What is kept is moved out by value, never pinned.
impl<H, R, T> Unpin for MessageSink<H, R, T> {}

impl<H: Put<T>, R: Readiness, T> Sink<T> for MessageSink<H, R, T> {
    type Error = FdError<H::Refusal>;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.poll_kept(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, value: T) -> Result<(), Self::Error> {
        let Self { driver, kept } = &mut *self;
        if kept.is_some() {
            return Err(FdError::Channel(H::refuse(value)));
        }
        *kept = Some(value);
        driver.handle.put(kept).unwrap_or(Ok(())).map_err(FdError::Channel)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.poll_kept(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        ready!(self.poll_kept(cx))?;
        self.driver.handle.finish();
        Poll::Ready(Ok(()))
    }
}

impl<H, R> fmt::Debug for MessageStream<H, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageStream").field("armed", &self.driver.armed).finish_non_exhaustive()
    }
}

impl<H, R, T> fmt::Debug for MessageSink<H, R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageSink").field("keeps", &self.kept.is_some()).finish_non_exhaustive()
    }
}
