//! Shards that send to each other: all to all, a token passed round, and polls of peers that send nothing.

use std::hint::{black_box, spin_loop};
use std::time::Instant;

use ringmail::mesh::Builder;
use ringmail::mesh::call::Endpoint;

use super::pingpong::per_trip;
use super::warm_up;
use crate::multi_slice::{Patience, symmetric_slice};
use crate::pair_slice::{Env, Outcome, pin};
use crate::peers::{BlockRecv, CheckEach, Drain, Mesh, Shard, share, tag};

/// Messages that a shard sends to each of the others before it looks into its inbox, room permitting.
pub const TURN: u64 = 32;
/// Messages that it takes at a time, then.
const BUDGET: usize = 256;

/// Each of `SHARDS` sends an equal share of `n` messages to each other and receives what they send: in turns of [`TURN`] to each,
/// then a look into its inbox. `RUN` messages a call: 1 goes round the peers message by message, more is a batch.
///
/// A shard that finds no room takes what is in its inbox and tries again, so that none waits for another that waits for it. One
/// that can do neither gives the core away after a few looks.
pub fn all_to_all<M, const SHARDS: usize, const RUN: u64>(env: &Env, n: u64, peer: &'static str) -> Outcome
where
    M: Mesh,
{
    const { assert!(TURN.is_multiple_of(RUN)) };
    let pairs = SHARDS as u64 * (SHARDS as u64 - 1);
    let seats = M::open(env.capacity, SHARDS).into_iter().enumerate();
    let members = seats.map(|(id, seat)| {
        move || {
            let (sent, check) = ([0; SHARDS], CheckEach::new(SHARDS));
            let mut member = Member { end: M::join(seat), id, sent, received: 0, due: 0, check };
            move |n| member.exchange::<RUN>(n, peer)
        }
    });
    symmetric_slice(env, pairs * warm_up(env.capacity), n, members.collect())
}

/// A shard at work.
struct Member<E, const SHARDS: usize> {
    end: E,
    id: usize,
    /// By peer.
    sent: [u64; SHARDS],
    received: u64,
    due: u64,
    check: CheckEach,
}

/// The share of an ordered pair of shards in `n` messages between all of them.
fn share_of<const SHARDS: usize>(n: u64, from: usize, to: usize) -> u64 {
    if from == to {
        return 0;
    }
    share(n, SHARDS * (SHARDS - 1), from * (SHARDS - 1) + to - usize::from(to > from))
}

impl<E: Shard, const SHARDS: usize> Member<E, SHARDS> {
    fn exchange<const RUN: u64>(&mut self, n: u64, peer: &str) {
        let id = self.id;
        let mut goals = self.sent;
        for (to, goal) in goals.iter_mut().enumerate() {
            *goal += share_of::<SHARDS>(n, id, to);
            self.due += share_of::<SHARDS>(n, to, id);
        }
        while self.sent != goals {
            for _ in 0..TURN / RUN {
                // Everyone begins with another one.
                for to in (1..SHARDS).map(|step| (id + step) % SHARDS) {
                    self.send::<RUN>(to, goals[to].min(self.sent[to] + RUN));
                }
            }
            self.take();
        }
        let mut patience = Patience::default();
        while self.received < self.due {
            self.take_or_wait(&mut patience);
        }
        self.check.verify_shares(peer, |from| share_of::<SHARDS>(n, from, id));
    }

    /// Sends to one until it has been sent `goal` in all.
    #[inline]
    fn send<const RUN: u64>(&mut self, to: usize, goal: u64) {
        let mut patience = Patience::default();
        while self.sent[to] < goal {
            let next = tag(self.id, self.sent[to]);
            let went = if RUN == 1 {
                u64::from(self.end.try_send_to(to, next))
            } else {
                self.end.send_run_to(to, next..tag(self.id, goal)) as u64
            };
            self.sent[to] += went;
            if went == 0 {
                self.take_or_wait(&mut patience);
            }
        }
    }

    /// Whether something came.
    #[inline]
    fn take(&mut self) -> bool {
        let came = self.end.drain(BUDGET, |message| self.check.see(message)) as u64;
        self.received += came;
        came != 0
    }

    fn take_or_wait(&mut self, patience: &mut Patience) {
        if self.take() {
            *patience = Patience::default();
        } else {
            self.end.wait(patience);
        }
    }
}

/// A token goes round `SHARDS`, `n` hops in all. Receivers spin on `try_recv`, or `BLOCK`, each as its crate does.
pub fn hops<M, const SHARDS: usize, const BLOCK: bool>(env: &Env, n: u64, peer: &'static str) -> Outcome
where
    M: Mesh,
{
    let seats = M::open(env.capacity, SHARDS).into_iter().enumerate();
    let members = seats.map(|(id, seat)| {
        move || {
            let (mut end, next) = (M::join(seat), (id + 1) % SHARDS);
            move |n| {
                // There is one message at most: there is room.
                let pass =
                    |end: &mut M::End, hop| assert!(end.try_send_to(next, hop), "{peer} has no room for the token");
                if id == 0 && n > 0 {
                    pass(&mut end, 0);
                }
                for hop in ((id + SHARDS - 1) % SHARDS..n as usize).step_by(SHARDS) {
                    let token = if BLOCK { end.recv() } else { spin(&mut end) };
                    assert!(token == hop as u64, "{peer} lost the token: hop {token:x} came instead of {hop:x}");
                    if token + 1 < n {
                        pass(&mut end, token + 1);
                    }
                }
            }
        }
    });
    per_trip(symmetric_slice(env, warm_up(env.capacity), n, members.collect()), n)
}

fn spin(end: &mut impl Shard) -> u64 {
    loop {
        match end.try_recv() {
            Some(token) => return token,
            None => spin_loop(),
        }
    }
}

/// Shard 0 asks shard 1 and has the answer before it asks again, `n` times. Both spin, or the caller `WAIT`s as the crate does.
pub fn calls<const WAIT: bool>(env: &Env, n: u64, peer: &'static str) -> Outcome {
    let seats = Builder::new().shards(2).build_calls::<u64, u64>(4).expect("two shards are in range").into_iter();
    let members = seats.map(|seat| {
        move || {
            let mut end = seat.join().expect("a workload's shard joins at once");
            move |n| {
                if end.id() == 0 {
                    (0..n).for_each(|request| ask::<WAIT>(&mut end, request, peer));
                } else {
                    serve(&mut end, n);
                }
            }
        }
    });
    per_trip(symmetric_slice(env, warm_up(env.capacity), n, members.collect()), n)
}

/// The same without calls: a message there, and one back to the inbox of the shard that asked.
pub fn calls_by_hand<M: Mesh>(env: &Env, n: u64, peer: &'static str) -> Outcome {
    per_trip(hops::<M, 2, false>(env, 2 * n, peer), n)
}

fn ask<const WAIT: bool>(end: &mut Endpoint<u64, u64>, request: u64, peer: &str) {
    let mut reply = end.try_call(1, request).unwrap_or_else(|why| panic!("{peer}: {why}"));
    let answer = if WAIT {
        end.wait(reply, |_, _, _, _| {})
    } else {
        loop {
            match reply.try_take() {
                Ok(answer) => break answer,
                Err(not_yet) => reply = not_yet,
            }
            if end.poll(BUDGET, |_, _, _, _| {}).received == 0 {
                spin_loop();
            }
        }
    };
    assert_eq!(answer, Ok(!request), "{peer}: another call's answer");
}

fn serve(end: &mut Endpoint<u64, u64>, n: u64) {
    let mut served = 0;
    while served < n {
        let before = served;
        end.poll(BUDGET, |_, _, request, token| {
            token.answer(!request);
            served += 1;
        });
        if served == before {
            spin_loop();
        }
    }
}

/// One thread looks `n` times into the inbox of a shard with `PEERS` others that are there and send nothing; then each of them
/// sends, and all of that must be found.
pub fn idle<M, const PEERS: usize>(env: &Env, n: u64, peer: &'static str) -> Outcome
where
    M: Mesh,
{
    pin(env.a);
    let mut peers = M::open(env.capacity, PEERS + 1).into_iter().map(M::join);
    let mut end = peers.next().expect("a mesh has a first shard");
    let mut peers: Vec<M::End> = peers.collect();
    let mut look = |n| {
        for _ in 0..n {
            let came = black_box(&mut end).drain(BUDGET, |message| _ = black_box(message));
            assert!(came == 0, "{peer}: a message that no shard has sent");
        }
    };
    // Enough for those that change their way after so many.
    look(1024);
    let start = Instant::now();
    look(n);
    let elapsed = start.elapsed();
    for (at, other) in peers.iter_mut().enumerate() {
        assert!(other.try_send_to(0, at as u64), "{peer} has no room for one message");
    }
    let (mut sum, mut count, mut patience) = (0, 0, Patience::default());
    while count < PEERS {
        match end.drain(BUDGET, |message| sum += message) {
            0 => patience.wait(),
            came => count += came,
        }
    }
    assert_eq!((count, sum), (PEERS, (0..PEERS as u64).sum()), "{peer} lost a message");
    per_trip(Outcome { elapsed, ..Outcome::default() }, n)
}
