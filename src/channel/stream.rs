//! `Stream` and `Sink`, as thin as the poll verbs allow.

use super::{Flavor, Receiver, RingReceiver, Sender, SingleSender};
use crate::error::TrySendError;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::stream::{FusedStream, Stream};
use futures_sink::Sink;

impl<T, S: Flavor> Stream for Receiver<T, S> {
    type Item = T;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_recv(cx).map(Result::ok)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), None)
    }
}

impl<T, S: Flavor> FusedStream for Receiver<T, S> {
    fn is_terminated(&self) -> bool {
        self.end.is_over()
    }
}

/// What is sent is published at once, so flushing has nothing to do.
impl<T, S: SingleSender> Sink<T> for Sender<T, S> {
    type Error = TrySendError<()>;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Sender::poll_ready(&mut self, cx).map_err(TrySendError::from)
    }

    fn start_send(mut self: Pin<&mut Self>, value: T) -> Result<(), Self::Error> {
        Sender::start_send(&mut self, value).map_err(|e| e.map(drop))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.close();
        Poll::Ready(Ok(()))
    }
}
