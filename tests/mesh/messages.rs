//! A mesh: every message once, in the order of its sender, to the peer that it was addressed to.

use crate::support::{Ledger, ends, let_it_sleep, panics};
use ringmail::mesh::{
    BuildError, Builder, Cause, Disconnected, Endpoint, Peers, Ready, RecvError, RecvTimeoutError, Role, Seat,
    TryRecvError, TrySendError,
};
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(200);

fn mesh<T>(shards: usize, capacity: usize) -> Vec<Seat<T>> {
    Builder::new().shards(shards).capacity(capacity).build().unwrap()
}

/// All endpoints on this thread.
fn joined<T, const N: usize>(capacity: usize) -> [Endpoint<T>; N] {
    let endpoints: Vec<_> = mesh(N, capacity).into_iter().map(|seat| seat.join().unwrap()).collect();
    endpoints.try_into().unwrap()
}

/// Each seat on a thread of its own. What they returned.
fn on_threads<T: Send + 'static, R: Send + 'static>(
    seats: Vec<Seat<T>>,
    shard: impl Fn(&mut Endpoint<T>) -> R + Send + Sync + 'static,
) -> Vec<R> {
    let shard = Arc::new(shard);
    let threads: Vec<_> = seats
        .into_iter()
        .map(|seat| {
            let shard = Arc::clone(&shard);
            thread::spawn(move || seat.run(|me| shard(me)).unwrap())
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

fn gone(peer: usize, cause: Cause) -> Disconnected {
    Disconnected { peer, cause }
}

#[test]
fn a_message_reaches_the_peer_it_names_and_no_other() {
    let [mut a, mut b, mut c] = joined::<&str, 3>(4);
    assert_eq!((a.id(), b.id(), c.id(), a.shards()), (0, 1, 2, 3));
    assert_eq!(a.peers().collect::<Vec<_>>(), [1, 2]);
    a.try_send_to(2, "from a").unwrap();
    b.try_send_to(2, "from b").unwrap();
    b.try_send_to(0, "back").unwrap();
    assert_eq!(b.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(a.try_recv(), Ok((1, "back")));
    let mut got = [c.recv().unwrap(), c.recv().unwrap()];
    got.sort_unstable();
    assert_eq!(got, [(0, "from a"), (1, "from b")]);
    assert_eq!(c.try_recv(), Err(TryRecvError::Empty));
    let stats = c.stats(0);
    assert_eq!((stats.from.unwrap().received, stats.to.unwrap().sent), (1, 0));
    assert_eq!((b.stats(2).to.unwrap().sent, b.stats(1).to, b.stats(9).from), (1, None, None));
}

#[test]
fn whom_there_is_no_lane_to_is_an_error_with_the_message_back() {
    let [mut a, _b] = joined::<u32, 2>(4);
    for peer in [0, 2, usize::MAX] {
        assert_eq!(a.try_send_to(peer, 7), Err(TrySendError::Disconnected(7, gone(peer, Cause::NoLane))));
        assert_eq!(a.send_to(peer, 8).unwrap_err().0, 8);
        assert_eq!(a.send_or_poll_to(peer, 9, |_, _| ()).unwrap_err().1.cause, Cause::NoLane);
        assert_eq!(a.send_timeout_to(peer, 9, Duration::ZERO).unwrap_err().into_inner(), 9);
        assert!(!a.try_send_iter_to(peer, &mut [1].into_iter()).unwrap_err().is_full());
        assert_eq!(a.recv_from(peer), Err(RecvError(gone(peer, Cause::NoLane))));
    }
}

#[test]
fn roles_make_only_the_lanes_that_are_needed() {
    let seats = Builder::new().roles([Role::Producer, Role::Consumer, Role::Both]).capacity(2).build::<u8>().unwrap();
    let mut ends = seats.into_iter().map(|seat| seat.join().unwrap());
    let (mut p, mut c, mut both) = (ends.next().unwrap(), ends.next().unwrap(), ends.next().unwrap());
    assert_eq!(p.peers().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(c.peers().count(), 0);
    assert_eq!(both.peers().collect::<Vec<_>>(), [1]);
    assert_eq!(p.try_recv(), Err(TryRecvError::Disconnected(Peers::All)), "nobody ever sends to a producer");
    assert_eq!(p.park(), Ready::AllDisconnected);
    assert_eq!(c.open_peers().collect::<Vec<_>>(), [0, 2]);
    assert_eq!(p.broadcast(&5), 2);
    assert_eq!((c.recv_from(0), both.recv()), (Ok(5), Ok((0, 5))));
}

#[test]
fn what_cannot_be_built_is_an_error_that_says_what_to_do() {
    let said = |builder: Builder| {
        let error = builder.build::<u8>().unwrap_err();
        (error, error.to_string())
    };
    assert_eq!(said(Builder::new()).0, BuildError::NoShards);
    let (error, text) = said(Builder::new().shards(1025));
    assert_eq!(error, BuildError::TooManyShards { requested: 1025, max: 1024 });
    assert!(text.contains("1024"), "{text}");
    assert_eq!(said(Builder::new().shards(3).roles([Role::Both; 2])).0, BuildError::Roles { roles: 2, shards: 3 });
    assert_eq!(said(Builder::new().shards(2).capacity(0)).0, BuildError::Lane(ringmail::BuildError::ZeroCapacity));
    let huge = Builder::new().shards(64).capacity(1 << 30).build::<[u8; 1 << 20]>().unwrap_err();
    assert!(matches!(huge, BuildError::Lane(ringmail::BuildError::OutOfMemory { .. })), "{huge:?}");
    let huge = Builder::new().shards(64).capacity(1 << 30).build::<[u8; 1 << 33]>().unwrap_err();
    assert!(matches!(huge, BuildError::Lane(ringmail::BuildError::OutOfMemory { .. })), "{huge:?}");
    // Values without size, values of a wide alignment, and a mesh of one.
    let [mut a, mut b] = joined::<(), 2>(3);
    assert_eq!(a.try_send_iter_to(1, &mut std::iter::repeat(())).unwrap(), 3);
    assert_eq!(b.poll(9, |_, ()| ()).received, 3);
    #[repr(align(8192))]
    struct Wide(u8);
    let [mut a, mut b] = joined::<Wide, 2>(3);
    for i in 0..5 {
        assert!(a.try_send_to(1, Wide(i)).is_ok());
        let (_, wide) = b.try_recv().ok().unwrap();
        assert_eq!((wide.0, (&raw const wide).addr() % 8192), (i, 0));
    }
    let [mut alone] = joined::<u8, 1>(1);
    assert_eq!(
        (alone.recv(), alone.park(), alone.broadcast(&1)),
        (Err(RecvError(Peers::All)), Ready::AllDisconnected, 0)
    );
}

#[test]
fn every_pair_keeps_its_order_at_each_capacity() {
    const N: u64 = 2000;
    for (shards, capacity) in [(2, 1), (4, 1), (4, 3), (3, 256)] {
        ends(move || {
            let sums = on_threads(
                Builder::new().shards(shards).capacity(capacity).start_at(u64::MAX / 2 - 5).build().unwrap(),
                {
                    move |me: &mut Endpoint<(usize, u64)>| {
                        let id = me.id();
                        let mut next = vec![0; shards];
                        let mut take = |from: usize, (said, i): (usize, u64)| {
                            assert_eq!((said, i), (from, next[from]), "in order, from whom it says");
                            next[from] += 1;
                        };
                        for i in 0..N {
                            for peer in (0..shards).filter(|&peer| peer != id) {
                                me.send_or_poll_to(peer, (id, i), &mut take).unwrap();
                            }
                        }
                        me.close();
                        me.drain(LONG, &mut take).unwrap();
                        next.iter().sum::<u64>()
                    }
                },
            );
            assert_eq!(sums, vec![N * (shards as u64 - 1); shards]);
        });
    }
}

#[test]
fn polls_take_turns_and_keep_to_their_budget() {
    let mut seats = Builder::new().shards(4).capacity(64).budget(3).build::<u32>().unwrap().into_iter();
    let mut me = seats.next().unwrap().join().unwrap();
    let mut peers: Vec<_> = seats.map(|seat| seat.join().unwrap()).collect();
    for peer in &mut peers {
        assert_eq!(peer.try_send_iter_to(0, &mut (0..20)).unwrap(), 20);
    }
    let mut order = Vec::new();
    for budget in [1, 1, 4, 0, 100, 100] {
        let before = order.len();
        let progress = me.poll(budget, |from, _| order.push(from));
        assert_eq!(progress.received, order.len() - before);
        assert!(progress.received <= budget);
        assert_eq!((progress.more, progress.open), (order.len() < 60, 3), "after {}", order.len());
    }
    let turns: Vec<_> = order.chunk_by(|a, b| a == b).map(<[usize]>::len).collect();
    assert_eq!(turns[..18], [3; 18], "across polls too: {order:?}");
    assert_eq!(order.len(), 60);
    assert_eq!(me.poll(5, |_, _| ()).received, 0);
}

#[test]
fn a_poll_that_panics_loses_one_message_and_no_place() {
    let ledger = Ledger::default();
    let [mut a, mut b] = joined::<_, 2>(2);
    assert!(a.try_send_to(1, ledger.value()).is_ok() && a.try_send_to(1, ledger.value()).is_ok());
    panics(|| b.poll(9, |_, _| panic!("in the handler")));
    assert_eq!(ledger.drops(), [1, 0]);
    assert!(a.try_send_to(1, ledger.value()).is_ok(), "the place of the first is free");
    assert_eq!(b.poll(9, |_, _| ()).received, 2);
    ledger.settle();
}

#[test]
fn a_broadcast_reaches_all_that_are_there() {
    ends(|| {
        let mut seats = mesh::<u32>(4, 1).into_iter();
        let mut a = seats.next().unwrap().join().unwrap();
        let mut b = seats.next().unwrap().join().unwrap();
        let slow = seats.next().unwrap();
        drop(seats); // the last is gone
        assert_eq!(a.broadcast(&1), 2);
        // One has room, one has not, one is gone: the slow one holds nobody else up.
        assert_eq!(b.recv(), Ok((0, 1)));
        let slow = thread::spawn(move || {
            let mut slow = slow.join().unwrap();
            let_it_sleep();
            [slow.recv_from(0).unwrap(), slow.recv_from(0).unwrap()]
        });
        b.try_send_to(0, 8).unwrap();
        let mut seen = Vec::new();
        assert_eq!(a.broadcast_or_poll(&2, |from, value| seen.push((from, value))), 2);
        assert_eq!(slow.join().unwrap(), [1, 2]);
        assert_eq!(b.recv(), Ok((0, 2)));
        seen.extend(a.try_recv());
        assert_eq!(seen, [(1, 8)]);
        assert_eq!(a.broadcast(&3), 1, "the slow one has left");
    });
}

#[test]
fn a_send_waits_for_room_and_gives_up_in_time() {
    ends(|| {
        let mut seats = mesh::<u32>(2, 1).into_iter();
        let mut a = seats.next().unwrap().join().unwrap();
        a.send_to(1, 1).unwrap();
        let error = a.send_timeout_to(1, 2, Duration::from_millis(5)).unwrap_err();
        assert!(error.is_timeout());
        assert_eq!(error.into_inner(), 2);
        assert_eq!(a.try_send_to(1, 3), Err(TrySendError::Full(3)));
        assert_eq!(a.stats(1).to.unwrap().full, 1);
        let b = seats.next().unwrap();
        let receiver = thread::spawn(move || {
            let mut b = b.join().unwrap();
            let_it_sleep();
            (b.recv(), b.recv_timeout(Duration::MAX), b.recv_timeout(Duration::from_millis(5)))
        });
        a.send_to(1, 4).unwrap();
        let timeout = Err(RecvTimeoutError::Timeout);
        assert_eq!(receiver.join().unwrap(), (Ok((0, 1)), Ok((0, 4)), timeout));
    });
}

#[test]
fn one_peer_can_be_heard_before_the_others() {
    let [mut a, mut b, mut c] = joined::<u32, 3>(8);
    for i in 0..3 {
        b.try_send_to(0, i).unwrap();
        c.try_send_to(0, 10 + i).unwrap();
    }
    assert_eq!((a.recv_from(2), a.recv_from(2)), (Ok(10), Ok(11)));
    assert_eq!((a.recv_from(1), a.try_recv().unwrap().1 % 10 > 0), (Ok(0), true));
    drop(c);
    let mut rest: Vec<_> = std::iter::from_fn(|| a.try_recv().ok()).collect();
    rest.sort_unstable();
    assert_eq!(rest.len(), 2);
    assert_eq!(a.recv_from(2), Err(RecvError(gone(2, Cause::Closed))), "each time");
    assert_eq!(a.recv_from(2), Err(RecvError(gone(2, Cause::Closed))));
    assert_eq!(a.open_peers().collect::<Vec<_>>(), [1]);
}

/// One thread a seat, at its core; who cannot be had there does not join.
#[cfg(feature = "affinity")]
#[test]
fn a_seat_of_a_core_is_taken_there_or_not_at_all() {
    use ringmail::affinity::{AffinityError, Topology, current_core};
    use ringmail::mesh::JoinError;

    let core = Topology::detect().unwrap().allowed()[0];
    let mut seats = Builder::new().cores([core, core, usize::MAX]).build::<u8>().unwrap().into_iter();
    let [first, second] = [seats.next().unwrap(), seats.next().unwrap()];
    assert_eq!((first.core(), second.core(), second.id()), (Some(core), Some(core), 1));
    let refused = thread::spawn(move || seats.next().unwrap().join().map(|_| ()).unwrap_err()).join().unwrap();
    assert!(matches!(refused, JoinError::Pin(AffinityError::PinRefused { core: usize::MAX, .. })), "{refused:?}");
    thread::spawn(move || {
        let mut me = first.join().unwrap();
        assert_eq!(current_core().unwrap_or(core), core);
        assert_eq!(me.send_to(2, 1).unwrap_err().1, gone(2, Cause::NeverJoined));
    })
    .join()
    .unwrap();
    let plain = Builder::new().cores([core]).shards(1).build::<u8>().unwrap();
    assert_eq!(plain[0].core(), None, "what was said last counts");
}

/// Why there is `send_or_poll_to`: the same two threads, with lanes that are full both ways.
#[test]
fn two_peers_that_wait_for_each_others_room_must_poll() {
    let try_both = |send: fn(&mut Endpoint<u32>, usize) -> bool| {
        ends(move || {
            let both_full = Arc::new(std::sync::Barrier::new(2));
            on_threads(mesh(2, 1), move |me| {
                let peer = 1 - me.id();
                me.try_send_to(peer, 1).unwrap();
                both_full.wait();
                let sent = send(me, peer);
                // Nobody leaves, which would end the other's wait.
                both_full.wait();
                sent
            })
        })
    };
    let plain = try_both(|me, peer| me.send_timeout_to(peer, 2, Duration::from_millis(50)).is_ok());
    assert_eq!(plain, [false, false]);
    let polling = try_both(|me, peer| {
        let mut got = 0;
        me.send_or_poll_to(peer, 2, |_, _| got += 1).unwrap();
        // The other may still wait for room.
        (got..2).all(|_| me.recv().is_ok())
    });
    assert_eq!(polling, [true, true]);
}

#[test]
fn messages_are_written_and_looked_at_in_place() {
    let [mut a, mut b] = joined::<[u64; 512], 2>(2);
    for round in 0..5 {
        assert!(a.try_send_with_to(1, |place| place.write([round; 512])).is_ok());
        assert_eq!(a.try_send_ref_to(1, &[round + 1; 512]), Ok(()));
        assert_eq!(a.try_send_ref_to(1, &[0; 512]), Err(TrySendError::Full(())));
        assert_eq!(b.try_recv_with(|peer, m| (peer, m[511])), Ok((0, round)));
        let mut target = MaybeUninit::uninit();
        assert_eq!(b.try_recv_into(&mut target), Ok((0, &mut [round + 1; 512])));
        assert_eq!(b.try_recv_with(|_, _| ()), Err(TryRecvError::Empty));
        assert_eq!(b.try_recv_into(&mut target), Err(TryRecvError::Empty));
    }
    assert_eq!(a.try_send_ref_to(0, &[0; 512]), Err(TrySendError::Disconnected((), gone(0, Cause::NoLane))));
    drop(b);
    assert_eq!(a.try_send_ref_to(1, &[0; 512]), Err(TrySendError::Disconnected((), gone(1, Cause::Closed))));
}

#[test]
fn a_panic_while_looking_frees_the_place() {
    let [mut a, mut b] = joined::<u32, 2>(1);
    for _ in 0..3 {
        panics(|| a.try_send_with_to(1, |_| panic!("no message")));
        assert_eq!(a.try_send_to(1, 1), Ok(()));
        panics(|| b.try_recv_with(|_, _| panic!("looked")));
    }
    assert_eq!(b.try_recv(), Err(TryRecvError::Empty));
}
