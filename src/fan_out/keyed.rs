//! Sending by key: the verbs of every channel, each with the worker that the key belongs to.

use super::{FanOut, Sender};
use crate::channel::SendFuture;
use crate::error::{SendError, SendTimeoutError, TrySendError};
use crate::sync::OnDrop;
use core::future::Future;
use core::hash::{BuildHasher, Hash};
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::time::Instant;

impl<T> Sender<T> {
    /// As [`try_send`](crate::Sender::try_send), to the worker that `key` belongs to.
    ///
    /// Takes about a nanosecond for each worker, and a hash of the key by std's `RandomState`, so that keys that are chosen with malice do not
    /// gather at one worker.
    ///
    /// # Errors
    /// `Full` if that worker's lane has no room, or may not be used yet (see [the module](super#keys)); `Disconnected`. Each with the message.
    pub fn try_send_by_key<K: Hash + ?Sized>(&mut self, key: &K, value: T) -> Result<(), TrySendError<T>> {
        self.by_key(key, |tx| tx.try_send(value))
    }

    /// As [`send`](crate::Sender::send), to the worker that `key` belongs to. Waits for that one's lane, also if others have room.
    ///
    /// # Errors
    /// As there.
    pub fn send_by_key<K: Hash + ?Sized>(&mut self, key: &K, value: T) -> Result<(), SendError<T>> {
        self.by_key(key, |tx| tx.send(value))
    }

    /// As [`send_timeout`](crate::Sender::send_timeout), to the worker that `key` belongs to.
    ///
    /// # Errors
    /// As there.
    pub fn send_timeout_by_key<K: Hash + ?Sized>(
        &mut self,
        key: &K,
        value: T,
        timeout: Duration,
    ) -> Result<(), SendTimeoutError<T>> {
        self.by_key(key, |tx| tx.send_timeout(value, timeout))
    }

    /// As [`send_deadline`](crate::Sender::send_deadline), to the worker that `key` belongs to.
    ///
    /// # Errors
    /// As there.
    pub fn send_deadline_by_key<K: Hash + ?Sized>(
        &mut self,
        key: &K,
        value: T,
        deadline: Instant,
    ) -> Result<(), SendTimeoutError<T>> {
        self.by_key(key, |tx| tx.send_deadline(value, deadline))
    }

    /// As [`send_async`](crate::Sender::send_async), to the worker that `key` belongs to. Cancel-safe as that.
    ///
    /// # Errors
    /// As there.
    pub fn send_async_by_key<K: Hash + ?Sized>(&mut self, key: &K, value: T) -> SendByKeyFuture<'_, T> {
        let hash = self.end.hasher.hash_one(key);
        SendByKeyFuture { inner: self.send_async(value), hash }
    }

    fn by_key<K: Hash + ?Sized, R>(&mut self, key: &K, verb: impl FnOnce(&mut Self) -> R) -> R {
        // Before the key counts: the `hash` of a key may panic.
        let hash = self.end.hasher.hash_one(key);
        self.with_hash(hash, verb)
    }

    /// Runs `verb` with this key; after it, also by a panic, there is none.
    fn with_hash<R>(&mut self, hash: u64, verb: impl FnOnce(&mut Self) -> R) -> R {
        self.end.key = Some(hash);
        let keyed = OnDrop(self, |tx: &mut Self| tx.end.key = None);
        verb(&mut *keyed.0)
    }
}

/// A send by key in progress. From [`Sender::send_async_by_key`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct SendByKeyFuture<'a, T> {
    inner: SendFuture<'a, T, FanOut>,
    hash: u64,
}

impl<T> SendByKeyFuture<'_, T> {
    /// Gives the send up. Returns the value, unless it was sent or the future has returned it.
    pub fn into_inner(self) -> Option<T> {
        self.inner.into_inner()
    }
}

impl<T> Future for SendByKeyFuture<'_, T> {
    type Output = Result<(), SendError<T>>;

    /// # Panics
    /// If polled again after it was ready, like every future made by `async`.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Only while it is polled: a future that is leaked leaves no key behind.
        self.inner.tx.end.key = Some(self.hash);
        let keyed = OnDrop(&mut self.inner, |inner: &mut SendFuture<'_, T, FanOut>| inner.tx.end.key = None);
        Pin::new(&mut *keyed.0).poll(cx)
    }
}
