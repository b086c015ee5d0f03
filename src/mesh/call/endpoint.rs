//! A shard's end of a mesh of calls.

use super::error::{CallError, TryCallError};
use super::tables::{Answer, Tables};
use super::{Envelope, Reply, Token};
use crate::mesh::{self, Cause, Disconnected, PeerStats, Progress, TrySendError};
use crate::sync::order::mutant;
use crate::wait::WaitStrategy;
use crate::wait::panics::{Panics, each};
use alloc::boxed::Box;
use alloc::rc::Rc;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

/// A shard's end of a mesh of calls: it calls the peers, and serves their calls.
///
/// It stays on the thread that joined, as a [mesh's endpoint](crate::mesh::Endpoint) does. When it is dropped, also by a panic, the calls to it fail, and
/// so do its own that have no answer.
pub struct Endpoint<Req, Rep> {
    pub(super) mesh: mesh::Endpoint<Envelope<Req, Rep>>,
    pub(super) tables: Rc<Tables<Rep>>,
    peers: Box<[Phase]>,
    /// Peers that may still call.
    pub(super) calling: usize,
    /// Open lanes to this endpoint when [`Endpoint::look_at_ends`] last looked.
    pub(super) open: usize,
    /// Whether [`Endpoint::finish`] was called.
    finished: bool,
}

/// What a peer may still do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// There is no lane from it, or none to it: there are no calls between the two.
    NoLane,
    Calls,
    /// It calls no more, and answers.
    Finished,
    /// Its lane is over.
    Over,
}

impl<Req, Rep> Endpoint<Req, Rep> {
    pub(super) fn new(mesh: mesh::Endpoint<Envelope<Req, Rep>>, tables: Tables<Rep>) -> Self {
        let phase = |peer| match (mesh.lanes.out.at(peer), mesh.lanes.inbox.at(peer)) {
            (Some(_), Some(_)) => Phase::Calls,
            _ => Phase::NoLane,
        };
        let peers: Box<[Phase]> = (0..mesh.shards()).map(phase).collect();
        let calling = peers.iter().filter(|&&peer| peer == Phase::Calls).count();
        let open = mesh.lanes.inbox.open();
        (0..peers.len()).filter(|&peer| peers[peer] == Phase::NoLane).for_each(|peer| tables.forbid(peer));
        Self { mesh, tables: Rc::new(tables), peers, calling, open, finished: false }
    }

    /// Calls `peer`: sends it `request`, and returns the [`Reply`] that will have the answer.
    ///
    /// Wait-free. Answers that tokens were given before leave first. Room for the answer is reserved from now on.
    ///
    /// # Errors
    /// `NoCredit`: all credits for this peer are in use. `Disconnected`: the peer is disconnected or has no lane, or this endpoint has
    /// [finished](Endpoint::finish). Both return the request.
    pub fn try_call(&mut self, peer: usize, request: Req) -> Result<Reply<Rep>, TryCallError<Req>> {
        self.flush();
        // A peer that has closed in order still accepts requests, but cannot answer.
        self.look_at_ends();
        let Some(call) = self.tables.start(peer) else { return Err(self.no_call(peer, request)) };
        // Before the request leaves: if the peer's waker panics, the call is on its way all the same, and its credit comes back with the answer.
        let reply = Reply::new(Rc::clone(&self.tables), peer, call);
        match self.mesh.try_send_to(peer, Envelope::Request(call, request)) {
            Ok(()) => Ok(reply),
            Err(error) => {
                drop(reply);
                self.tables.cancel(call);
                Err(refused(error))
            }
        }
    }

    /// Why a call did not start.
    #[cold]
    fn no_call(&self, peer: usize, request: Req) -> TryCallError<Req> {
        match self.uncallable(peer) {
            Some(gone) => TryCallError::Disconnected(request, gone),
            None => TryCallError::NoCredit(request),
        }
    }

    /// Why `peer` cannot be called; `None` if it can.
    fn uncallable(&self, peer: usize) -> Option<Disconnected> {
        match self.peers.get(peer) {
            None | Some(Phase::NoLane) => Some(Disconnected { peer, cause: Cause::NoLane }),
            Some(Phase::Over) => Some(self.mesh.shared.disconnected(peer)),
            Some(Phase::Calls | Phase::Finished) => {
                self.finished.then_some(Disconnected { peer, cause: Cause::Closed })
            }
        }
    }

    /// Takes up to `budget` of the messages that are there. Hands each request to `serve`, with this endpoint, the caller's number and the token to
    /// answer with. Gives each answer to its [`Reply`].
    ///
    /// Peers take turns, as in [`mesh::Endpoint::poll`](crate::mesh::Endpoint::poll). All answers that tokens were given leave when `serve` returns. A
    /// request counts as received before `serve` gets it: if `serve` panics, its token is dropped and refuses, and the other messages stay.
    /// Never waits.
    ///
    /// In the result, `received` counts requests and answers, and `open` the peers that have not finished.
    pub fn poll(&mut self, budget: usize, mut serve: impl FnMut(&mut Self, usize, Req, Token<Rep>)) -> Progress {
        self.take(budget, &mut serve)
    }

    /// See [`Endpoint::poll`].
    pub(super) fn take(
        &mut self,
        budget: usize,
        serve: &mut impl FnMut(&mut Self, usize, Req, Token<Rep>),
    ) -> Progress {
        let received = self.receive(budget, serve);
        Progress {
            received,
            more: received == budget && self.mesh.find(),
            disconnected: self.mesh.lanes.inbox.has_ended() && self.mesh.has_disconnected(),
            open: self.calling,
        }
    }

    /// As [`Endpoint::poll`]. Returns how many messages it took.
    #[inline(always)]
    pub(super) fn receive(
        &mut self,
        budget: usize,
        serve: &mut impl FnMut(&mut Self, usize, Req, Token<Rep>),
    ) -> usize {
        self.flush();
        let mut received = 0;
        while received < budget {
            let Some((from, envelope)) = self.next() else { break };
            received += 1;
            match envelope {
                Envelope::Request(call, request) => {
                    let token = Token::new(Rc::clone(&self.tables), from, call);
                    serve(self, from, request, token);
                    self.send_answers();
                }
                Envelope::Answer(call, value) => self.tables.arrive(call, Ok(value)),
                Envelope::Refusal(_) | Envelope::Finished => self.take_rare(from, envelope),
            }
        }
        self.look_at_ends();
        received
    }

    /// An envelope of those that have neither a request nor an answer.
    #[cold]
    #[inline(never)]
    fn take_rare(&mut self, from: usize, envelope: Envelope<Req, Rep>) {
        match envelope {
            Envelope::Refusal(call) => self.tables.arrive(call, Err(CallError::Refused { peer: from })),
            Envelope::Finished => self.set_phase(from, Phase::Finished),
            Envelope::Request(..) | Envelope::Answer(..) => {}
        }
    }

    /// The next message. Its place is free already: the sender may use it again as soon as it learns that this message was received.
    #[inline(always)]
    fn next(&mut self) -> Option<(usize, Envelope<Req, Rep>)> {
        if !self.mesh.find() {
            return None;
        }
        let (from, next) = self.mesh.lanes.inbox.next_seen()?;
        Some(next.take_as(|envelope| (from, envelope)))
    }

    /// Sends the answers that tokens were given since the last verb. All other verbs do this, too; [`Endpoint::poll`] after each request.
    ///
    /// Wait-free for each answer. An answer to a peer that is disconnected is dropped.
    #[inline]
    pub fn flush(&mut self) {
        if self.tables.has_answers() {
            self.send_kept();
        }
    }

    /// The answers of tokens that were kept.
    #[cold]
    #[inline(never)]
    fn send_kept(&mut self) {
        self.send_answers();
    }

    #[inline(always)]
    fn send_answers(&mut self) {
        /// If a peer's waker panics, the answers to the other peers leave all the same.
        struct Rest<'a, Req, Rep>(&'a mut Endpoint<Req, Rep>);
        impl<Req, Rep> Drop for Rest<'_, Req, Rep> {
            fn drop(&mut self) {
                // While a panic unwinds, a waker's own ends in `wake`.
                self.0.flush();
            }
        }
        while let Some(Answer { peer, call, value }) = self.tables.next_answer() {
            let envelope = value.map_or(Envelope::Refusal(call), |value| Envelope::Answer(call, value));
            let rest = Rest(self);
            rest.0.send_reserved(peer as usize, envelope);
            core::mem::forget(rest);
        }
    }

    /// Sends an envelope for which there is room: see the module's head for why.
    #[inline(always)]
    fn send_reserved(&mut self, peer: usize, envelope: Envelope<Req, Rep>) {
        if let Err(error) = self.mesh.try_send_to(peer, envelope) {
            debug_assert!(!error.is_full(), "an answer always finds room");
        }
    }

    /// Tells the peers that this endpoint makes no more calls. It can still serve, and take answers. Peers may call it until they finish, too.
    ///
    /// Once [`Progress::open`] is 0, no peer waits for this endpoint, except for tokens that it kept: answer those, and drop the endpoint. A server
    /// that makes calls in order to serve should finish only when its callers have finished.
    pub fn finish(&mut self) {
        self.flush();
        if !core::mem::replace(&mut self.finished, true) {
            each(0..self.peers.len(), |peer| {
                self.tables.forbid(peer);
                if matches!(self.peers[peer], Phase::Calls | Phase::Finished) {
                    self.send_reserved(peer, Envelope::Finished);
                }
            });
        }
    }

    /// Fails the calls to peers whose lanes are over. Whether there were such calls.
    pub(super) fn look_at_ends(&mut self) -> bool {
        let open = self.mesh.lanes.inbox.open();
        open != self.open && !mutant!(EndFailsCalls) && self.find_ends(open)
    }

    #[cold]
    fn find_ends(&mut self, open: usize) -> bool {
        self.open = open;
        let (mut failed, mut panics) = (false, Panics::new());
        for peer in 0..self.peers.len() {
            let (lanes, phase) = (&self.mesh.lanes.inbox, self.peers[peer]);
            let callable = matches!(phase, Phase::Calls | Phase::Finished);
            if callable && lanes.at(peer).is_some_and(|at| lanes.is_over(at)) {
                self.set_phase(peer, Phase::Over);
                self.tables.forbid(peer);
                panics.catch(|| {
                    failed |= self.tables.fail(peer, || CallError::Disconnected(self.mesh.shared.disconnected(peer)))
                });
            }
        }
        panics.resume();
        failed
    }

    fn set_phase(&mut self, peer: usize, phase: Phase) {
        if core::mem::replace(&mut self.peers[peer], phase) == Phase::Calls {
            self.calling -= 1;
        }
    }

    /// Peers that have not finished.
    pub(super) fn callers(&self) -> impl Iterator<Item = usize> {
        self.peers.iter().enumerate().filter(|(_, phase)| **phase == Phase::Calls).map(|(peer, _)| peer)
    }

    /// How many calls to `peer` can be started now.
    pub fn credits(&self, peer: usize) -> usize {
        if self.uncallable(peer).is_some() { 0 } else { self.tables.credits(peer) }
    }

    /// How many calls to `peer` have no answer so far.
    pub fn in_flight(&self, peer: usize) -> usize {
        self.tables.waiting(peer)
    }

    /// The number by which the peers know this endpoint.
    pub fn id(&self) -> usize {
        self.mesh.id()
    }

    /// The number of shards of the mesh, this one included: they are numbered from 0.
    pub fn shards(&self) -> usize {
        self.mesh.shards()
    }

    /// Counters of the lanes to and from `peer`; see [`mesh::Endpoint::stats`](crate::mesh::Endpoint::stats).
    pub fn stats(&self, peer: usize) -> PeerStats {
        self.mesh.stats(peer)
    }

    /// How often this endpoint went to sleep, or announced that it would.
    pub fn parks(&self) -> u64 {
        self.mesh.parks()
    }

    /// Changes how this endpoint waits.
    pub fn set_wait(&mut self, strategy: WaitStrategy) {
        self.mesh.set_wait(strategy);
    }

    /// The next peer that panicked or never joined, if there is one that was not reported before. The calls to it have failed.
    pub fn next_disconnected(&mut self) -> Option<Disconnected> {
        self.mesh.next_disconnected()
    }
}

/// Why a request was not sent.
#[cold]
fn refused<Req, Rep>(error: TrySendError<Envelope<Req, Rep>, Disconnected>) -> TryCallError<Req> {
    let request = |envelope| match envelope {
        Envelope::Request(_, request) => request,
        _ => unreachable!("what comes back is what was sent"),
    };
    match error {
        TrySendError::Disconnected(value, gone) => TryCallError::Disconnected(request(value), gone),
        TrySendError::Full(value) => {
            debug_assert!(false, "a request with a credit always finds room");
            TryCallError::NoCredit(request(value))
        }
    }
}

impl<Req, Rep> Drop for Endpoint<Req, Rep> {
    fn drop(&mut self) {
        self.mesh.record_end();
        let mut panics = Panics::new();
        // Before the lanes close. Refusals are left out: the callers learn the cause from the end of the lanes, which may be a panic.
        while let Some(Answer { peer, call, value }) = self.tables.next_answer() {
            if let Some(value) = value {
                panics.catch(|| self.send_reserved(peer as usize, Envelope::Answer(call, value)));
            }
        }
        self.tables.close();
        for peer in 0..self.peers.len() {
            let gone = || CallError::Disconnected(Disconnected { peer, cause: Cause::Closed });
            panics.catch(|| _ = self.tables.fail(peer, gone));
        }
        panics.resume();
    }
}

// A panic of the user's code, in a handler or a value's `drop`, leaves the endpoint usable.
impl<Req, Rep> UnwindSafe for Endpoint<Req, Rep> {}
impl<Req, Rep> RefUnwindSafe for Endpoint<Req, Rep> {}

// Nothing of it is ever pinned.
impl<Req, Rep> Unpin for Endpoint<Req, Rep> {}

impl<Req, Rep> fmt::Debug for Endpoint<Req, Rep> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("id", &self.id())
            .field("shards", &self.shards())
            .field("open", &self.calling)
            .finish_non_exhaustive()
    }
}
