//! A value, an iterator or a closure whose `drop` panics leaks none of the others: each is dropped exactly once, by every verb.

use crate::support::{Counted, Ledger, ends, panics};
use ringmail::mesh::{self, call};
use ringmail::{Flavor, Receiver, Sender, fan_in, mpsc, pool, spsc};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Values in the channel.
const N: usize = 4;

type Ends<S> = (Sender<Counted, S>, Receiver<Counted, S>);

/// Value number `k` of `n` panics in `drop`.
fn values(ledger: &Ledger, n: usize, k: usize) -> Vec<Counted> {
    (0..n).map(|i| if i == k { ledger.bomb() } else { ledger.value() }).collect()
}

/// Runs `test` on a channel that holds `N` values, of which the `k`-th panics in `drop`, for each `k`, and settles the ledger.
#[track_caller]
fn each<S: Flavor>(make: impl Fn() -> Ends<S>, test: impl Fn(Ends<S>, &Ledger)) {
    for k in 0..=N {
        let ledger = Ledger::default();
        let (mut tx, rx) = make();
        for value in values(&ledger, N, k) {
            assert!(tx.try_send(value).is_ok());
        }
        let unwound = catch_unwind(AssertUnwindSafe(|| test((tx, rx), &ledger))).is_err();
        assert_eq!(unwound, k < N, "the panic reaches the caller");
        ledger.settle();
    }
}

/// Of every channel, from a place near the wrap.
macro_rules! of_each_channel {
    ($test:expr) => {{
        each(|| spsc::Builder::new(5).start_at((1 << 63) - 2).build().unwrap(), $test);
        each(|| fan_in::Builder::new(5).start_at((1 << 63) - 2).build().unwrap(), $test);
        each(|| mpsc::Builder::new(5).start_at((1 << 63) - 2).build().unwrap(), $test);
    }};
}

#[test]
fn a_panicking_drop_in_a_commit_leaks_none() {
    of_each_channel!(|(_tx, mut rx), _| rx.read_chunk(N).unwrap().commit_all());
}

#[test]
fn a_panicking_drop_in_a_loop_over_a_chunk_leaks_none() {
    of_each_channel!(|(_tx, mut rx), _| rx.read_chunk(N).unwrap().into_iter().for_each(drop));
}

#[test]
fn a_panicking_drop_in_a_drain_leaks_none() {
    of_each_channel!(|(_tx, mut rx), _| {
        rx.drain(N, drop);
    });
}

#[test]
fn a_panicking_drop_in_a_buffer_leaks_none() {
    of_each_channel!(|(_tx, mut rx), _| {
        let mut buffer = Vec::new();
        assert_eq!(rx.try_recv_many(&mut buffer, N).unwrap(), N);
        buffer.clear();
    });
}

#[test]
fn a_panicking_drop_as_the_receiver_goes_leaks_none() {
    of_each_channel!(|(tx, rx), ledger| {
        let gone = catch_unwind(AssertUnwindSafe(|| drop(rx)));
        assert_eq!(ledger.drops(), [1; N], "at once");
        drop(tx);
        gone.unwrap();
    });
}

#[test]
fn a_panicking_drop_as_both_go_leaks_none() {
    of_each_channel!(|(tx, rx), _| {
        drop(tx);
        drop(rx);
    });
}

#[test]
fn a_panicking_drop_in_an_abandoned_write_chunk_leaks_none() {
    fn given_up<S: ringmail::SingleSender>((mut tx, _rx): Ends<S>) {
        for k in 0..N {
            let ledger = Ledger::default();
            panics(|| tx.try_reserve(N).unwrap().fill_from_iter(values(&ledger, N, k)));
            ledger.settle();
        }
    }
    given_up(spsc::Builder::new(N).start_at((1 << 63) - 2).build().unwrap());
    given_up(fan_in::Builder::new(N).start_at((1 << 63) - 2).build().unwrap());
}

/// What was taken from the iterator, and what is still in it: the item that comes back is in the caller's way by then.
#[test]
fn a_panicking_drop_as_a_refused_iterator_goes_leaks_none() {
    fn refused<S: Flavor>(
        mut send: impl FnMut(&mut Sender<Counted, S>, Vec<Counted>) -> Result<usize, ()>,
        make: impl Fn() -> Ends<S>,
    ) {
        // More than an `mpsc` sender gathers at once, and fewer.
        for n in [3, 50] {
            for k in 1..n {
                let ledger = Ledger::default();
                let (mut tx, mut rx) = make();
                rx.close();
                panics(|| send(&mut tx, values(&ledger, n, k)));
                assert_eq!(ledger.drops(), vec![1; n], "at once");
                drop((tx, rx));
            }
        }
    }
    refused(|tx: &mut spsc::Sender<_>, values| tx.send_iter(values).map_err(drop), || spsc::channel(4).unwrap());
    refused(|tx: &mut fan_in::Sender<_>, values| tx.send_iter(values).map_err(drop), || fan_in::channel(4).unwrap());
    refused(|tx: &mut mpsc::Sender<_>, values| tx.send_iter(values).map_err(drop), || mpsc::channel(4).unwrap());
}

/// A closure that owns a value whose `drop` panics.
fn owning<A>(bomb: Counted, mut f: impl FnMut(A)) -> impl FnMut(A) {
    move |a| {
        let _owned = &bomb;
        f(a);
    }
}

#[test]
fn a_panicking_drop_of_a_pools_constructor_leaks_no_buffer() {
    let ledger = Ledger::default();
    let (bomb, made) = (ledger.bomb(), ledger.clone());
    let init = move || {
        let _owned = &bomb;
        made.value()
    };
    panics(|| pool::Pool::new(3, init));
    assert_eq!(ledger.drops(), [1; 4], "the closure's value and three buffers");
}

#[test]
fn a_panicking_drop_of_a_handler_leaks_no_message() {
    ends(|| {
        let ledger = Ledger::default();
        let mut seats = mesh::Builder::new().shards(2).capacity(1).build::<Counted>().unwrap().into_iter();
        let (mut me, peer) = (seats.next().unwrap().join().unwrap(), seats.next().unwrap());
        drop(peer);
        let mut handler = owning(ledger.bomb(), drop);
        panics(|| me.send_or_poll_to(1, ledger.value(), move |_, value| handler(value)));
        assert_eq!(ledger.drops(), [1, 1]);
    });
}

#[test]
fn a_panicking_drop_of_a_server_leaks_no_answer_and_no_request() {
    ends(|| {
        let ledger = Ledger::default();
        let mut seats = mesh::Builder::new().shards(2).build_calls::<Counted, Counted>(1).unwrap().into_iter();
        let [mut me, mut peer] = [(), ()].map(|()| seats.next().unwrap().join().unwrap());
        type Token = call::Token<Counted>;
        let server = || owning(ledger.bomb(), |token: Token| drop(token));
        for timed in [false, true] {
            let reply = me.try_call(1, ledger.value()).unwrap();
            peer.poll(1, |_, _, request, token| token.answer(request));
            let mut server = server();
            if timed {
                let long = std::time::Duration::from_secs(60);
                panics(|| me.wait_timeout(reply, long, move |_, _, _, token| server(token)));
            } else {
                panics(|| me.wait(reply, move |_, _, _, token| server(token)));
            }
        }
        drop(peer);
        let mut server = server();
        panics(|| me.call_or_poll(1, ledger.value(), move |_, _, _, token| server(token)));
        drop(me);
        ledger.settle();
    });
}

#[test]
fn a_panicking_drop_of_what_a_shard_left_leaks_no_result() {
    let ledger = Ledger::default();
    let mut seats = mesh::Builder::new().shards(2).build::<Counted>().unwrap().into_iter();
    let (mut me, peer) = (seats.next().unwrap().join().unwrap(), seats.next().unwrap());
    for value in values(&ledger, N, 1) {
        assert!(me.try_send_to(1, value).is_ok());
    }
    panics(|| peer.run(|_| ledger.value()));
    drop(me);
    ledger.settle();
}
