//! A thread's own end of a mesh of calls.

use super::error::{CallError, TryCallError};
use super::shared::{Answer, Shared};
use super::{Envelope, Reply, Token};
use crate::mesh::{self, Cause, Disconnected, PeerStats, Progress, SendError, TrySendError};
use crate::sync::order::mutant;
use crate::wait::WaitStrategy;
use crate::wait::panics::{Panics, each};
use alloc::boxed::Box;
use alloc::rc::Rc;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

/// A thread's own end of a mesh of calls: it calls the others, and serves them.
///
/// It stays on the thread that joined, as a [mesh's endpoint](crate::mesh::Endpoint) does. Dropped, or dropped by a panic, it fails the calls
/// to it, and its own that have no answer.
pub struct Endpoint<Req, Rep> {
    pub(super) mesh: mesh::Endpoint<Envelope<Req, Rep>>,
    pub(super) shared: Rc<Shared<Rep>>,
    peers: Box<[Standing]>,
    /// Peers that may still call.
    pub(super) calling: usize,
    /// Lanes to this endpoint that may bring something, when [`Endpoint::look_at_ends`] looked.
    pub(super) open: usize,
    /// Whether it has said that it calls no more.
    finished: bool,
}

/// What a peer may still do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// There is no lane from it, or none to it: no calls between the two.
    NoLane,
    Calls,
    /// It calls no more, and answers.
    Finished,
    /// Its lane is over.
    Over,
}

impl<Req, Rep> Endpoint<Req, Rep> {
    pub(super) fn new(mesh: mesh::Endpoint<Envelope<Req, Rep>>, shared: Shared<Rep>) -> Self {
        let standing = |peer| match (mesh.lanes.out.at(peer), mesh.lanes.inbox.at(peer)) {
            (Some(_), Some(_)) => Standing::Calls,
            _ => Standing::NoLane,
        };
        let peers: Box<[Standing]> = (0..mesh.shards()).map(standing).collect();
        let calling = peers.iter().filter(|&&peer| peer == Standing::Calls).count();
        let open = mesh.lanes.inbox.open();
        Self { mesh, shared: Rc::new(shared), peers, calling, open, finished: false }
    }

    /// Calls `peer`: sends it `request`, and returns where its answer will be.
    ///
    /// Wait-free; answers that tokens were given before leave first. Room for the answer is the peer's from now on; nothing else takes it.
    ///
    /// # Errors
    /// No credit for this peer, the peer is gone, or there is none to call; the request comes back.
    pub fn try_call(&mut self, peer: usize, request: Req) -> Result<Reply<Rep>, TryCallError<Req>> {
        self.flush();
        // A peer that has closed in order still takes requests, and could not answer.
        self.look_at_ends();
        if let Some(gone) = self.uncallable(peer) {
            return Err(TryCallError::Gone(SendError { value: request, gone }));
        }
        let Some(call) = self.shared.start(peer) else { return Err(TryCallError::NoCredit(request)) };
        // Before it leaves: should the peer's hook panic, the call is on its way all the same, and its credit comes back with the answer.
        let reply = Reply::new(Rc::clone(&self.shared), peer, call);
        match self.mesh.try_send_to(peer, Envelope::Request(call, request)) {
            Ok(()) => Ok(reply),
            Err(error) => {
                drop(reply);
                self.shared.cancel(call);
                Err(refused(error))
            }
        }
    }

    /// Why `peer` cannot be called, if so.
    fn uncallable(&self, peer: usize) -> Option<Disconnected> {
        match self.peers.get(peer) {
            None | Some(Standing::NoLane) => Some(Disconnected { peer, cause: Cause::NoLane }),
            Some(Standing::Over) => Some(self.mesh.hub.gone(peer)),
            Some(Standing::Calls | Standing::Finished) => {
                self.finished.then_some(Disconnected { peer, cause: Cause::Closed })
            }
        }
    }

    /// Takes up to `budget` of the messages that are there: hands requests to `serve`, with this endpoint, the caller's number and the
    /// token to answer with, and puts answers where their [`Reply`]s find them.
    ///
    /// Peers take turns, as in [`mesh::Endpoint::poll`](crate::mesh::Endpoint::poll). Answers leave when the handler returns; so do those that
    /// tokens were given before. A request counts as received before `serve` sees it: if `serve` panics, its token is dropped and refuses,
    /// and the rest stay. Never waits.
    ///
    /// In what it returns, `received` counts requests and answers, and `open` the peers that may still call.
    pub fn poll(&mut self, budget: usize, mut serve: impl FnMut(&mut Self, usize, Req, Token<Rep>)) -> Progress {
        self.take(budget, &mut serve)
    }

    /// As [`Endpoint::poll`].
    pub(super) fn take(
        &mut self,
        budget: usize,
        serve: &mut impl FnMut(&mut Self, usize, Req, Token<Rep>),
    ) -> Progress {
        self.flush();
        let mut received = 0;
        while received < budget {
            let Some((from, envelope)) = self.next() else { break };
            received += 1;
            match envelope {
                Envelope::Request(call, request) => {
                    let token = Token::new(Rc::clone(&self.shared), from, call);
                    serve(self, from, request, token);
                    self.flush();
                }
                Envelope::Answer(call, value) => self.shared.arrive(call, Ok(value)),
                Envelope::Refusal(call) => self.shared.arrive(call, Err(CallError::Refused { peer: from })),
                Envelope::Finished => self.set_standing(from, Standing::Finished),
            }
        }
        self.look_at_ends();
        Progress {
            received,
            more: received == budget && self.mesh.find(),
            lost: self.mesh.lanes.inbox.has_ended() && self.mesh.has_lost(),
            open: self.calling,
        }
    }

    /// The next message, its place free already: whoever sent it may use it again as soon as it learns that this one was received.
    #[inline(always)]
    fn next(&mut self) -> Option<(usize, Envelope<Req, Rep>)> {
        if !self.mesh.find() {
            return None;
        }
        let (from, next) = self.mesh.lanes.inbox.next_seen()?;
        Some(next.take_as(|envelope| (from, envelope)))
    }

    /// Sends the answers that tokens were given since the last verb. All other verbs do this too; [`Endpoint::poll`] after each request.
    ///
    /// Wait-free for each. An answer to a peer that is gone is dropped.
    #[inline]
    pub fn flush(&mut self) {
        if self.shared.owes() {
            self.send_answers();
        }
    }

    #[inline(never)]
    fn send_answers(&mut self) {
        /// Should a peer's hook panic, the answers to the others leave all the same.
        struct Rest<'a, Req, Rep>(&'a mut Endpoint<Req, Rep>);
        impl<Req, Rep> Rest<'_, Req, Rep> {
            #[inline(always)]
            fn send(&mut self) {
                while let Some(Answer { peer, call, value }) = self.0.shared.next_answer() {
                    let envelope = value.map_or(Envelope::Refusal(call), |value| Envelope::Answer(call, value));
                    self.0.send_reserved(peer as usize, envelope);
                }
            }
        }
        impl<Req, Rep> Drop for Rest<'_, Req, Rep> {
            fn drop(&mut self) {
                if self.0.shared.owes() {
                    // While a panic unwinds, a hook's own ends in `wake`.
                    self.send();
                }
            }
        }
        Rest(self).send();
    }

    /// Sends what has room: see the module's head for why.
    fn send_reserved(&mut self, peer: usize, envelope: Envelope<Req, Rep>) {
        if let Err(error) = self.mesh.try_send_to(peer, envelope) {
            debug_assert!(!error.is_full(), "an answer always finds room");
        }
    }

    /// Says that this endpoint calls no more. It goes on serving, and taking answers; peers may go on calling it until they have said so, too.
    ///
    /// Once [`Progress::open`] is 0 nobody waits for this endpoint any more, except for tokens that it kept: answer those, and drop it. A
    /// server that calls others in order to serve finishes only when its own callers have, or have told it so.
    pub fn finish(&mut self) {
        self.flush();
        if !core::mem::replace(&mut self.finished, true) {
            each(0..self.peers.len(), |peer| {
                if matches!(self.peers[peer], Standing::Calls | Standing::Finished) {
                    self.send_reserved(peer, Envelope::Finished);
                }
            });
        }
    }

    /// Fails the calls to peers whose lanes are over. Whether there were any.
    pub(super) fn look_at_ends(&mut self) -> bool {
        let open = self.mesh.lanes.inbox.open();
        open != self.open && !mutant!(EndFailsCalls) && self.find_ends(open)
    }

    #[cold]
    fn find_ends(&mut self, open: usize) -> bool {
        self.open = open;
        let (mut failed, mut panics) = (false, Panics::new());
        for peer in 0..self.peers.len() {
            let (lanes, standing) = (&self.mesh.lanes.inbox, self.peers[peer]);
            let callable = matches!(standing, Standing::Calls | Standing::Finished);
            if callable && lanes.at(peer).is_some_and(|at| lanes.is_over(at)) {
                self.set_standing(peer, Standing::Over);
                panics.catch(|| failed |= self.shared.fail(peer, || CallError::Gone(self.mesh.hub.gone(peer))));
            }
        }
        panics.resume();
        failed
    }

    fn set_standing(&mut self, peer: usize, standing: Standing) {
        if core::mem::replace(&mut self.peers[peer], standing) == Standing::Calls {
            self.calling -= 1;
        }
    }

    /// Peers that have not said that they call no more.
    pub(super) fn callers(&self) -> impl Iterator<Item = usize> {
        self.peers.iter().enumerate().filter(|(_, standing)| **standing == Standing::Calls).map(|(peer, _)| peer)
    }

    /// Calls to `peer` that can be started now.
    pub fn credits(&self, peer: usize) -> usize {
        if self.uncallable(peer).is_some() { 0 } else { self.shared.credits(peer) }
    }

    /// Calls to `peer` that have no answer so far.
    pub fn in_flight(&self, peer: usize) -> usize {
        self.shared.waiting(peer)
    }

    /// The number by which the peers know this endpoint.
    pub fn id(&self) -> usize {
        self.mesh.id()
    }

    /// Seats of the mesh, this one too: peers are numbered from 0 to one less.
    pub fn shards(&self) -> usize {
        self.mesh.shards()
    }

    /// What the lanes to and from `peer` have done; see [`mesh::Endpoint::stats`](crate::mesh::Endpoint::stats).
    pub fn stats(&self, peer: usize) -> PeerStats {
        self.mesh.stats(peer)
    }

    /// Times that this endpoint went to sleep, or announced that it would.
    pub fn parks(&self) -> u64 {
        self.mesh.parks()
    }

    /// Changes how this endpoint waits.
    pub fn set_wait(&mut self, strategy: WaitStrategy) {
        self.mesh.set_wait(strategy);
    }

    /// A peer that is lost, if there is one of which nobody was told: it panicked, or never joined. The calls to it have failed.
    pub fn next_disconnected(&mut self) -> Option<Disconnected> {
        self.mesh.next_disconnected()
    }
}

/// Why a request was not sent.
#[cold]
fn refused<Req, Rep>(error: TrySendError<Envelope<Req, Rep>>) -> TryCallError<Req> {
    let request = |envelope| match envelope {
        Envelope::Request(_, request) => request,
        _ => unreachable!("what comes back is what was sent"),
    };
    match error {
        TrySendError::Gone(SendError { value, gone }) => TryCallError::Gone(SendError { value: request(value), gone }),
        TrySendError::Full(value) => {
            debug_assert!(false, "a request with a credit always finds room");
            TryCallError::NoCredit(request(value))
        }
    }
}

impl<Req, Rep> Drop for Endpoint<Req, Rep> {
    fn drop(&mut self) {
        self.mesh.say_why();
        let mut panics = Panics::new();
        // Before the lanes close. Refusals are left out: the end of the lanes says why there is no answer, a panic perhaps.
        while let Some(Answer { peer, call, value }) = self.shared.next_answer() {
            if let Some(value) = value {
                panics.catch(|| self.send_reserved(peer as usize, Envelope::Answer(call, value)));
            }
        }
        self.shared.close();
        for peer in 0..self.peers.len() {
            let gone = || CallError::Gone(Disconnected { peer, cause: Cause::Closed });
            panics.catch(|| _ = self.shared.fail(peer, gone));
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
