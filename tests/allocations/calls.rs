//! Once its threads have joined, a mesh of calls allocates nothing.

use ringmail::mesh::Builder;
use ringmail::mesh::call::{Endpoint, Reply, Token};
use std::time::Duration;

const CREDITS: usize = 4;

#[test]
fn nothing_is_allocated_after_the_join() {
    let seats = Builder::new().shards(3).build_calls::<u64, u64>(CREDITS).unwrap();
    let ends: Vec<Endpoint<u64, u64>> = seats.into_iter().map(|seat| seat.join().unwrap()).collect();
    let [mut me, mut a, b] = <[Endpoint<u64, u64>; 3]>::try_from(ends).ok().unwrap();
    let mut kept: Vec<Token<u64>> = Vec::with_capacity(CREDITS);
    let mut replies: Vec<Reply<u64>> = Vec::with_capacity(2 * CREDITS);

    let before = crate::allocations::allocated();
    let (mut sum, mut refused, mut no_credit) = (0, 0, 0);
    for _ in 0..1000 {
        for n in 0..CREDITS as u64 {
            replies.push(me.try_call(1, n).unwrap());
            drop(me.try_call(2, n).unwrap());
        }
        no_credit += usize::from(me.try_call(1, 9).unwrap_err().is_no_credit());
        // All tokens are kept, then all answers are waiting to leave at once.
        a.poll(9, |_, _, _, token| kept.push(token));
        drop(kept.pop());
        kept.drain(..).for_each(|token| token.answer(1));
        a.flush();
        replies.push(a.try_call(0, 5).unwrap());
        assert!(me.park_timeout(Duration::ZERO).is_some());
        me.poll(99, |_, _, n, token| token.answer(n));
        a.poll(9, |_, _, _, _| ());
        for reply in replies.drain(..) {
            match reply.try_take().unwrap() {
                Ok(n) => sum += n,
                Err(_) => refused += 1,
            }
        }
        // The third shard serves nobody: its calls stay in flight, and hold their credits.
        if me.in_flight(2) == CREDITS {
            break;
        }
    }
    for _ in 0..1000 {
        let reply = me.try_call(1, 3).unwrap();
        a.poll(9, |_, _, n, token| token.answer(n));
        sum += me.wait(reply, |_, _, _, _| ()).unwrap();
    }
    drop(b); // fails them
    me.poll(9, |_, _, _, _| ());
    me.finish();
    let allocated = crate::allocations::allocated() - before;
    assert_eq!((allocated, sum, refused, no_credit), (0, 3 + 5 + 3000, 1, 1));
    assert_eq!((me.in_flight(2), me.next_disconnected()), (0, None));
}
