//! A sender as `futures_sink::Sink`, where the room that it finds need not stay.

use super::{Flavor, Sender};
use crate::error::TrySendError;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use futures_sink::Sink;

impl<T, S: Flavor> Sender<T, S> {
    /// This sender as a [`Sink`] that keeps a message for which there is no room. On `mpsc`, clone the sender before, or the sink's sender after, for more.
    pub fn into_sink(self) -> SenderSink<T, S> {
        SenderSink { tx: self, kept: None }
    }
}

/// A sender that keeps one message while there is no room for it. From [`Sender::into_sink`].
///
/// In a ring with several senders, no sender owns room before its message is there; that of a broadcast can go with a receiver that comes. So a sink cannot
/// be ready for room. Instead a message that finds no room stays here: the sink is ready for another message when that one is sent, and flushed. Dropping the sink drops it.
///
/// Errors are `Disconnected` with the message that was not sent, if any; and `Full` with the message for a `start_send` that did not ask
/// `poll_ready` first while one is kept.
pub struct SenderSink<T, S: Flavor> {
    tx: Sender<T, S>,
    kept: Option<T>,
}

impl<T, S: Flavor> SenderSink<T, S> {
    /// The sender.
    pub fn sender(&self) -> &Sender<T, S> {
        &self.tx
    }

    /// The sender, and the message that was kept.
    pub fn into_inner(mut self) -> (Sender<T, S>, Option<T>) {
        self.tx.stop_waiting();
        (self.tx, self.kept)
    }

    fn poll_kept(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TrySendError<Option<T>>>> {
        if self.kept.is_some() {
            ready!(self.tx.poll_send(cx, &mut self.kept));
        }
        Poll::Ready(self.kept.take().map_or(Ok(()), |value| Err(TrySendError::Disconnected(Some(value)))))
    }
}

// As a sender; it never reads the message that it keeps.
impl<T, S: Flavor> UnwindSafe for SenderSink<T, S> {}
impl<T, S: Flavor> RefUnwindSafe for SenderSink<T, S> {}

// What is kept is moved out by value, never pinned.
impl<T, S: Flavor> Unpin for SenderSink<T, S> {}

impl<T, S: Flavor> Sink<T> for SenderSink<T, S> {
    type Error = TrySendError<Option<T>>;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        ready!(self.tx.poll_turn(cx));
        ready!(self.poll_kept(cx))?;
        Poll::Ready(if self.tx.is_closed() { Err(TrySendError::Disconnected(None)) } else { Ok(()) })
    }

    fn start_send(mut self: Pin<&mut Self>, value: T) -> Result<(), Self::Error> {
        if self.kept.is_some() {
            return Err(TrySendError::Full(Some(value)));
        }
        let this = &mut *self;
        match this.tx.push_in_turn(value) {
            Err(value) if this.tx.is_closed() => Err(TrySendError::Disconnected(Some(value))),
            said => {
                this.kept = said.err();
                Ok(())
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.poll_kept(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let sent = ready!(self.poll_kept(cx));
        self.tx.close();
        Poll::Ready(sent)
    }
}

impl<T, S: Flavor> fmt::Debug for SenderSink<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SenderSink").field("tx", &self.tx).field("keeps", &self.kept.is_some()).finish()
    }
}

#[cfg(test)]
static_assertions::assert_impl_all!(SenderSink<core::cell::UnsafeCell<u64>, crate::mpsc::Mpsc>: UnwindSafe, RefUnwindSafe);
