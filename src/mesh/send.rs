//! The verbs that send.

use super::Endpoint;
use super::error::{Cause, Disconnected, SendError, SendTimeoutError, TrySendError};
use crate::channel::RingSender;
use crate::lend::lend;
use crate::wait::Deadline;
use core::time::Duration;

/// Messages that [`Endpoint::send_or_poll`] takes before it tries again to send.
const BETWEEN: usize = 64;

impl<T> Endpoint<T> {
    /// Sends `value` to `peer` if there is room now.
    ///
    /// Wait-free. Only the peer can make room, nobody else can fill the lane.
    ///
    /// # Errors
    /// No room, or the peer takes nothing any more; the value comes back.
    #[inline]
    pub fn try_send_to(&mut self, peer: usize, value: T) -> Result<(), TrySendError<T>> {
        let Some(lane) = self.lanes.out.to(peer) else { return Err(no_lane(peer, value).into()) };
        match lane.end.push(value) {
            Ok(()) => Ok(()),
            Err(value) => Err(self.refusal(peer, value)),
        }
    }

    /// Sends `value` to `peer`, waiting for room if need be.
    ///
    /// **It may wait for ever**: two endpoints that wait for room with each other, or any ring of them, receive nothing meanwhile and
    /// so make none. Use it towards a peer that never waits to send, or only receives; among equals use [`Endpoint::send_or_poll`].
    ///
    /// # Errors
    /// The peer takes nothing any more; the value comes back.
    #[inline]
    pub fn send_to(&mut self, peer: usize, value: T) -> Result<(), SendError<T>> {
        match self.push(peer, value) {
            Ok(()) => Ok(()),
            Err(value) => match self.send_later(peer, value, Deadline::NEVER) {
                Ok(()) => Ok(()),
                Err(SendTimeoutError::Gone(error)) => Err(error),
                // There is no deadline to pass.
                Err(SendTimeoutError::Timeout(value)) => Err(self.gone(peer, value)),
            },
        }
    }

    /// As [`Endpoint::send_to`], for at most `timeout`. One too long for the clock is for ever.
    ///
    /// # Errors
    /// No room in time, or the peer takes nothing any more; the value comes back.
    pub fn send_timeout_to(&mut self, peer: usize, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        match self.push(peer, value) {
            Ok(()) => Ok(()),
            Err(value) => self.send_later(peer, value, Deadline::after(Some(timeout))),
        }
    }

    /// Sends `value` to `peer`; while there is no room, hands what others send here to `f`.
    ///
    /// So endpoints that all wait for room with each other all make room: a mesh whose endpoints send like this cannot deadlock, whatever
    /// its capacity, as long as `f` itself does not wait for a peer, and who has sent goes on receiving until the others have, too
    /// ([`Endpoint::leave`] does). Lost peers are not told here but by the next receiving verb. If `f` panics, `value` is dropped and not
    /// sent.
    ///
    /// # Errors
    /// The peer takes nothing any more; the value comes back.
    pub fn send_or_poll(&mut self, peer: usize, value: T, f: impl FnMut(usize, T)) -> Result<(), SendError<T>> {
        lend(f, |f| self.send_polling(peer, value, f))
    }

    #[inline(always)]
    fn send_polling(&mut self, peer: usize, value: T, f: &mut impl FnMut(usize, T)) -> Result<(), SendError<T>> {
        let mut value = match self.push(peer, value) {
            Ok(()) => return Ok(()),
            Err(value) => value,
        };
        loop {
            let Some(at) = self.lanes.out.at(peer) else { return Err(no_lane(peer, value)) };
            if self.lanes.out.lanes[at].end.ring.is_closed() {
                return Err(self.gone(peer, value));
            }
            if self.poll(BETWEEN, &mut *f).received == 0 {
                // For ever is not long: either of the two happens, or the peer goes.
                let _ = self.wait(Deadline::NEVER, |lanes| lanes.out.lanes[at].may_send() || lanes.inbox.find());
            }
            value = match self.push(peer, value) {
                Ok(()) => return Ok(()),
                Err(value) => value,
            };
        }
    }

    /// Sends from `values` to `peer` until it ends or there is no room, and publishes what was sent together. Returns how many.
    ///
    /// An item is taken out of the iterator only when it has a place. If the iterator panics, the items before are sent. Where the room ends
    /// before the iterator does, as its size hint tells, the endpoint's sleep ends when there is room again, as after
    /// [`Full`](TrySendError::Full); an iterator without such a hint is to be tried until that is the answer.
    ///
    /// # Errors
    /// No room at all, or the peer takes nothing any more; nothing was taken from the iterator then.
    pub fn try_send_iter_to(
        &mut self,
        peer: usize,
        values: &mut impl Iterator<Item = T>,
    ) -> Result<usize, TrySendError<()>> {
        let Some(at) = self.lanes.out.at(peer) else { return Err(no_lane(peer, ()).into()) };
        let lane = &mut self.lanes.out.lanes[at];
        let most = values.size_hint().1.unwrap_or(usize::MAX).clamp(1, lane.end.ring.capacity());
        let room = lane.end.ring.reserve(most as u64);
        if room == 0 {
            return Err(self.refusal(peer, ()));
        }
        let sent = lane.end.publishing().stage_iter(values);
        if sent as u64 == room && values.size_hint().0 != 0 {
            self.lanes.out.note_full(at);
        }
        Ok(sent)
    }

    /// Sends a copy of `value` to every peer that there is a lane to, waiting for room where need be. Returns how many took it: all
    /// but those that are gone.
    ///
    /// Those with room get theirs first. It waits as [`Endpoint::send_to`] does, with the same danger.
    pub fn broadcast(&mut self, value: &T) -> usize
    where
        T: Clone,
    {
        self.broadcast_with(value, |me, peer, value| me.send_to(peer, value).is_ok())
    }

    /// As [`Endpoint::broadcast`], and while there is no room, hands what others send here to `f`: it cannot deadlock.
    pub fn broadcast_or_poll(&mut self, value: &T, mut f: impl FnMut(usize, T)) -> usize
    where
        T: Clone,
    {
        self.broadcast_with(value, |me, peer, value| me.send_or_poll(peer, value, &mut f).is_ok())
    }

    fn broadcast_with(&mut self, value: &T, mut send: impl FnMut(&mut Self, usize, T) -> bool) -> usize
    where
        T: Clone,
    {
        let mut sent = 0;
        for lane in &mut self.lanes.out.lanes {
            lane.owed = lane.end.ring.room(1) == 0;
            if !lane.owed {
                // There is room, and nobody else sends here: it is refused only if the peer leaves at this moment.
                sent += usize::from(lane.end.push(value.clone()).is_ok());
            }
        }
        for at in 0..self.lanes.out.lanes.len() {
            let lane = &mut self.lanes.out.lanes[at];
            if !core::mem::take(&mut lane.owed) {
                continue;
            }
            if lane.end.ring.is_closed() {
                lane.end.drop_orphans();
            } else {
                let to = lane.to;
                sent += usize::from(send(self, to, value.clone()));
            }
        }
        sent
    }

    /// Sends one value if there is a lane with room.
    #[inline(always)]
    fn push(&mut self, peer: usize, value: T) -> Result<(), T> {
        let Some(lane) = self.lanes.out.to(peer) else { return Err(value) };
        lane.end.push(value)
    }

    /// There was no room: waits.
    #[cold]
    #[inline(never)]
    fn send_later(&mut self, peer: usize, value: T, deadline: Deadline) -> Result<(), SendTimeoutError<T>> {
        let Some(at) = self.lanes.out.at(peer) else { return Err(SendTimeoutError::Gone(no_lane(peer, value))) };
        let (mut value, parks) = (Some(value), self.parks());
        let waited = self.wait(deadline, |lanes| {
            let lane = &mut lanes.out.lanes[at];
            // A look that finds no room does not touch the value, which may be large.
            if lane.end.has_room() {
                let Some(message) = value.take() else { return true };
                value = lane.end.push(message).err();
            }
            value.is_none() || lane.end.ring.is_closed()
        });
        let slept = self.parks() - parks;
        if slept != 0 {
            self.lanes.out.lanes[at].end.ring.count_parks(slept);
        }
        match value {
            None => Ok(()),
            Some(value) if waited.is_err() => Err(SendTimeoutError::Timeout(value)),
            Some(value) => Err(SendTimeoutError::Gone(self.gone(peer, value))),
        }
    }

    /// Why a lane took nothing now.
    #[cold]
    #[inline(never)]
    fn refusal<V>(&mut self, peer: usize, value: V) -> TrySendError<V> {
        let Some(at) = self.lanes.out.at(peer) else { return no_lane(peer, value).into() };
        // One that tries for ever waits, too: for a peer that never comes, it may be.
        self.notice();
        let ring = &mut self.lanes.out.lanes[at].end.ring;
        if ring.is_closed() {
            return self.gone(peer, value).into();
        }
        ring.count_full();
        self.lanes.out.note_full(at);
        TrySendError::Full(value)
    }

    /// Why a lane takes nothing any more. What was sent while the peer left is ours to drop.
    #[cold]
    fn gone<V>(&mut self, peer: usize, value: V) -> SendError<V> {
        if let Some(lane) = self.lanes.out.to(peer) {
            lane.end.drop_orphans();
        }
        SendError { value, gone: self.hub.gone(peer) }
    }
}

#[cold]
fn no_lane<V>(peer: usize, value: V) -> SendError<V> {
    SendError { value, gone: Disconnected { peer, cause: Cause::NoLane } }
}
