//! The verbs that send.

use super::Endpoint;
use super::{Cause, Disconnected, SendError, SendTimeoutError, TrySendError};
use crate::channel::RingSender;
use crate::drop_order::lend;
use crate::wait::Deadline;
use core::time::Duration;

/// Messages that [`Endpoint::send_or_poll_to`] takes before it tries to send again.
const BETWEEN: usize = 64;

impl<T> Endpoint<T> {
    /// Sends `value` to `peer` if there is room now.
    ///
    /// Meanwhile the peer may take messages and so make room. No other thread writes this lane.
    ///
    /// Wait-free.
    ///
    /// # Errors
    /// `Full`: no room now; [`Endpoint::park`] and [`Endpoint::arm`] report [`Ready::Room`](super::Ready::Room) once there is. `Disconnected`: the peer
    /// receives nothing more. Both return the value.
    #[inline]
    pub fn try_send_to(&mut self, peer: usize, value: T) -> Result<(), TrySendError<T, Disconnected>> {
        let Some(lane) = self.lanes.out.to(peer) else { return Err(no_lane(peer, value).into()) };
        match lane.end.push(value) {
            Ok(()) => Ok(()),
            Err(value) => Err(self.refusal(peer, value)),
        }
    }

    /// Sends `value` to `peer`. Waits until there is room.
    ///
    /// **It can deadlock.** While it waits it receives nothing, so it makes no room. Two endpoints that wait for room with each other, or a cycle of
    /// them, wait for ever. Use it if the peer never waits to send, or only receives; otherwise use [`Endpoint::send_or_poll_to`].
    ///
    /// # Errors
    /// The peer is disconnected; returns the value.
    #[inline]
    pub fn send_to(&mut self, peer: usize, value: T) -> Result<(), SendError<T, Disconnected>> {
        match self.push(peer, value) {
            Ok(()) => Ok(()),
            Err(value) => self.send_later(peer, value, Deadline::NEVER).map_err(|error| match error {
                SendTimeoutError::Disconnected(value, gone) => SendError(value, gone),
                SendTimeoutError::Timeout(_) => unreachable!("there is no deadline"),
            }),
        }
    }

    /// As [`Endpoint::send_to`], but waits for at most `timeout`. A timeout that the clock cannot represent never ends.
    ///
    /// # Errors
    /// `Timeout`: no room in time. `Disconnected`: the peer receives nothing more. Both return the value.
    pub fn send_timeout_to(
        &mut self,
        peer: usize,
        value: T,
        timeout: Duration,
    ) -> Result<(), SendTimeoutError<T, Disconnected>> {
        match self.push(peer, value) {
            Ok(()) => Ok(()),
            Err(value) => self.send_later(peer, value, Deadline::after(Some(timeout))),
        }
    }

    /// Sends `value` to `peer`. While there is no room it receives, and hands the messages to `f`.
    ///
    /// An endpoint that waits for room makes room for its peers. So a mesh whose endpoints send by this verb cannot deadlock, for any capacity, if
    /// two conditions hold: `f` itself waits for no peer, and an endpoint that has sent all goes on receiving until its peers have, too
    /// ([`Endpoint::leave`] does that).
    ///
    /// If `f` panics, `value` is dropped and not sent. Peers that panicked or never joined are reported by the next receiving verb, not here.
    ///
    /// # Errors
    /// The peer is disconnected; returns the value.
    pub fn send_or_poll_to(
        &mut self,
        peer: usize,
        value: T,
        f: impl FnMut(usize, T),
    ) -> Result<(), SendError<T, Disconnected>> {
        lend(f, |f| self.send_polling(peer, value, f))
    }

    #[inline(always)]
    fn send_polling(
        &mut self,
        peer: usize,
        value: T,
        f: &mut impl FnMut(usize, T),
    ) -> Result<(), SendError<T, Disconnected>> {
        let mut value = match self.push(peer, value) {
            Ok(()) => return Ok(()),
            Err(value) => value,
        };
        loop {
            let Some(at) = self.lanes.out.at(peer) else { return Err(no_lane(peer, value)) };
            if self.lanes.out.lanes[at].end.ring.is_closed() {
                return Err(self.disconnected(peer, value));
            }
            if self.poll(BETWEEN, &mut *f).received == 0 {
                // Without a deadline: there will be room, a message, or the peer closes.
                let _ = self.wait(Deadline::NEVER, |lanes| lanes.out.lanes[at].may_send() || lanes.inbox.find());
            }
            value = match self.push(peer, value) {
                Ok(()) => return Ok(()),
                Err(value) => value,
            };
        }
    }

    /// Sends items of `values` to `peer` until the iterator ends or there is no room. Publishes them together. Returns how many.
    ///
    /// An item is taken out of the iterator only when there is a place for it. If the iterator panics, the items before are sent.
    ///
    /// If the room ended and the iterator's size hint says that items are left, [`Endpoint::park`] and [`Endpoint::arm`] report
    /// [`Ready::Room`](super::Ready::Room) once there is room, as after [`Full`](TrySendError::Full). If the hint says nothing, call this again until it
    /// returns `Full`.
    ///
    /// # Errors
    /// `Full`: no room at all. `Disconnected`: the peer receives nothing more. Nothing was taken from the iterator.
    pub fn try_send_iter_to(
        &mut self,
        peer: usize,
        values: &mut impl Iterator<Item = T>,
    ) -> Result<usize, TrySendError<(), Disconnected>> {
        let Some(at) = self.lanes.out.at(peer) else { return Err(no_lane(peer, ()).into()) };
        let lane = &mut self.lanes.out.lanes[at];
        let (room, sent) = lane.end.push_iter(values);
        if room == 0 {
            return Err(self.refusal(peer, ()));
        }
        if sent == room && values.size_hint().0 != 0 {
            self.lanes.out.note_full(at);
        }
        Ok(sent as usize)
    }

    /// Sends a clone of `value` to every peer that there is a lane to. Waits until each has room. Returns how many peers it was sent to: all but
    /// the disconnected ones.
    ///
    /// Peers that have room come first. It waits as [`Endpoint::send_to`] does, and can deadlock like that.
    pub fn broadcast(&mut self, value: &T) -> usize
    where
        T: Clone,
    {
        self.broadcast_with(value, |me, peer, value| me.send_to(peer, value).is_ok())
    }

    /// As [`Endpoint::broadcast`], but while there is no room it receives, and hands the messages to `f`. It cannot deadlock under the conditions of
    /// [`Endpoint::send_or_poll_to`].
    pub fn broadcast_or_poll(&mut self, value: &T, mut f: impl FnMut(usize, T)) -> usize
    where
        T: Clone,
    {
        self.broadcast_with(value, |me, peer, value| me.send_or_poll_to(peer, value, &mut f).is_ok())
    }

    fn broadcast_with(&mut self, value: &T, mut send: impl FnMut(&mut Self, usize, T) -> bool) -> usize
    where
        T: Clone,
    {
        let mut sent = 0;
        for lane in &mut self.lanes.out.lanes {
            lane.pending = lane.end.ring.room(1) == 0;
            if !lane.pending {
                // There is room, and no other thread sends on this lane: it is refused only if the peer closes at this moment.
                sent += usize::from(lane.end.push(value.clone()).is_ok());
            }
        }
        for at in 0..self.lanes.out.lanes.len() {
            let lane = &mut self.lanes.out.lanes[at];
            if !core::mem::take(&mut lane.pending) {
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
    pub(super) fn push(&mut self, peer: usize, value: T) -> Result<(), T> {
        let Some(lane) = self.lanes.out.to(peer) else { return Err(value) };
        lane.end.push(value)
    }

    /// The same where there was no room: waits.
    #[cold]
    #[inline(never)]
    fn send_later(
        &mut self,
        peer: usize,
        value: T,
        deadline: Deadline,
    ) -> Result<(), SendTimeoutError<T, Disconnected>> {
        let Some(at) = self.lanes.out.at(peer) else { return Err(no_lane(peer, value).into()) };
        let (mut value, parks) = (Some(value), self.parks());
        let waited = self.wait(deadline, |lanes| {
            let lane = &mut lanes.out.lanes[at];
            // A look that finds no room does not move the value, which may be large.
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
            Some(value) => Err(self.disconnected(peer, value).into()),
        }
    }

    /// Why a send was refused.
    #[cold]
    #[inline(never)]
    pub(super) fn refusal<V>(&mut self, peer: usize, value: V) -> TrySendError<V, Disconnected> {
        let Some(at) = self.lanes.out.at(peer) else { return no_lane(peer, value).into() };
        // A caller that tries again and again waits, too, perhaps for a thread that never joins.
        self.reap_late();
        let ring = &mut self.lanes.out.lanes[at].end.ring;
        if ring.is_closed() {
            return self.disconnected(peer, value).into();
        }
        ring.count_full();
        self.lanes.out.note_full(at);
        TrySendError::Full(value)
    }

    /// Why a send can never succeed. Drops what was sent while the peer left.
    #[cold]
    pub(super) fn disconnected<V>(&mut self, peer: usize, value: V) -> SendError<V, Disconnected> {
        if let Some(lane) = self.lanes.out.to(peer) {
            lane.end.drop_orphans();
        }
        SendError(value, self.shared.disconnected(peer))
    }
}

#[cold]
pub(super) fn no_lane<V>(peer: usize, value: V) -> SendError<V, Disconnected> {
    SendError(value, Disconnected { peer, cause: Cause::NoLane })
}
