//! Whose turn it is: budget, weight, priority. One thread and no clock, so every sequence is exact.

use crate::support::{Counted, Ledger, panics};
use ringmail::fan_in::{Builder, LaneOptions, Receiver, Sender, channel};
use ringmail::{Flavor, TryRecvError};

/// A channel with one lane more a set of options, each filled with its own number.
fn lanes(budget: u32, capacity: usize, options: &[LaneOptions]) -> (Vec<Sender<usize>>, Receiver<usize>) {
    let (first, rx) = Builder::new(capacity).budget(budget).build().unwrap();
    let mut senders: Vec<_> = options.iter().map(|&options| first.lane_with(options).unwrap()).collect();
    refill(&mut senders);
    (senders, rx)
}

fn refill(senders: &mut [Sender<usize>]) {
    for (lane, tx) in senders.iter_mut().enumerate() {
        while tx.try_send(lane).is_ok() {}
    }
}

/// What came, as runs: which lane, how many in a row.
fn runs(seen: impl IntoIterator<Item = usize>) -> Vec<(usize, u32)> {
    let mut runs: Vec<(usize, u32)> = Vec::new();
    for lane in seen {
        match runs.last_mut().filter(|run| run.0 == lane) {
            Some(run) => run.1 += 1,
            None => runs.push((lane, 1)),
        }
    }
    runs
}

const PLAIN: LaneOptions = LaneOptions::new();

/// Lanes that all have something: equal turns, round and round, in one order that does not change.
#[track_caller]
fn round_and_round(seen: Vec<usize>, lanes: usize, length: impl Fn(usize) -> u32) {
    let runs = runs(seen);
    for turns in runs.windows(lanes + 1) {
        assert_eq!(turns[0].0, turns[lanes].0, "{runs:?}");
        let mut of: Vec<_> = turns[..lanes].iter().map(|turn| turn.0).collect();
        of.sort();
        assert!(of.into_iter().eq(0..lanes), "{runs:?}");
    }
    assert!(runs.iter().all(|&(lane, n)| n == length(lane)), "{runs:?}");
}

#[test]
fn lanes_take_turns_of_as_many_messages_as_the_budget_says() {
    for budget in [1, 2, 3, 7] {
        let (_senders, mut rx) = lanes(budget, 21 * 2, &[PLAIN; 4]);
        let seen: Vec<_> = rx.try_iter().collect();
        assert_eq!(seen.len(), 4 * 42);
        round_and_round(seen, 4, |_| budget);
    }
}

#[test]
fn the_budget_is_64_by_default_and_0_is_1() {
    let (mut one, mut rx) = channel(200).unwrap();
    let mut two = one.lane().unwrap();
    one.try_send_slice(&[0; 128]).unwrap();
    two.try_send_slice(&[1; 128]).unwrap();
    round_and_round(rx.try_iter().collect(), 2, |_| 64);
    let (_senders, mut rx) = lanes(0, 4, &[PLAIN; 2]);
    round_and_round(rx.try_iter().collect(), 2, |_| 1);
}

#[test]
fn a_turn_is_the_budget_times_the_lanes_weight_and_0_is_1() {
    let options = [PLAIN.weight(0), PLAIN.weight(2), PLAIN.weight(5)];
    let (_senders, mut rx) = lanes(3, 30 * 5, &options);
    // Until the first of them is through, ten rounds.
    let seen: Vec<_> = rx.try_iter().take(10 * 3 * 8).collect();
    round_and_round(seen, 3, |lane| 3 * [1, 2, 5][lane]);
    let (_senders, mut rx) = lanes(u32::MAX, 8, &[PLAIN.weight(u32::MAX)]);
    assert_eq!(rx.try_iter().count(), 8, "the longest turn is no overflow");
}

#[test]
fn an_empty_lane_is_skipped_until_it_has_a_message() {
    let (mut senders, mut rx) = lanes(2, 8, &[PLAIN; 3]);
    assert_eq!(rx.try_iter().count(), 24);
    for _ in 0..4 {
        senders[1].send_slice(&[1; 8]).unwrap();
        assert_eq!(rx.try_iter().take(8).collect::<Vec<_>>(), [1; 8], "alone it need not wait for anybody");
    }
    // A turn that was begun ends before another's begins.
    senders[0].send_slice(&[0; 4]).unwrap();
    assert_eq!(rx.try_recv(), Ok(0));
    senders[2].send_slice(&[2; 4]).unwrap();
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [0, 2, 2, 0, 0, 2, 2]);
}

#[test]
fn a_message_waits_for_at_most_one_turn_of_each_other_lane() {
    let (mut senders, mut rx) = lanes(4, 4, &[PLAIN; 5]);
    for round in 0..200 {
        // All but one are kept full; that one sends a message now and then.
        let mut before = Vec::new();
        refill(&mut senders[..4]);
        let _ = senders[4].try_send(4);
        while before.last() != Some(&4) {
            before.push(rx.try_recv().unwrap());
            refill(&mut senders[..4]);
        }
        assert!(before.len() <= 4 * 4 + 1, "round {round}: {before:?}");
        (0..round % 7).for_each(|_| assert!(rx.try_recv().is_ok()));
    }
}

#[test]
fn lanes_of_a_higher_priority_go_first_at_the_end_of_each_turn() {
    let options = [PLAIN, PLAIN.priority(1), PLAIN.priority(255), PLAIN.priority(1)];
    let (mut senders, mut rx) = lanes(3, 6, &options);
    let seen: Vec<_> = rx.try_iter().collect();
    assert_eq!(seen[..6], [2; 6], "the highest strictly first");
    round_and_round(seen[6..18].iter().map(|&lane| lane / 2).collect(), 2, |_| 3);
    assert_eq!(seen[18..], [0; 6]);
    // It starves the others for as long as it has something, and a turn that was begun goes to its end.
    senders[0].send_slice(&[0; 6]).unwrap();
    assert_eq!(rx.try_recv(), Ok(0));
    senders[2].send_slice(&[2; 6]).unwrap();
    assert_eq!(rx.try_iter().take(2).collect::<Vec<_>>(), [0, 0]);
    for _ in 0..10 {
        assert_eq!(rx.try_iter().take(3).collect::<Vec<_>>(), [2; 3]);
        senders[2].send_slice(&[2; 3]).unwrap();
    }
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [2, 2, 2, 2, 2, 2, 0, 0, 0]);
}

#[test]
fn a_full_lane_keeps_its_turns_while_others_open_and_close() {
    let (mut senders, mut rx) = lanes(1, 64, &[PLAIN; 3]);
    let mut count = [0; 3];
    for _ in 0..60 {
        // Somebody opens a lane, sends nothing and leaves.
        drop(senders[0].lane().unwrap());
        count[rx.try_recv().unwrap()] += 1;
        refill(&mut senders);
    }
    assert_eq!(count, [20; 3], "a lane that brings nothing takes no turn from the others");
}

#[test]
fn lanes_without_senders_are_given_back_beside_a_busy_one() {
    let (mut busy, mut rx) = channel(4).unwrap();
    busy.try_send(0).unwrap();
    let mut highest = 0;
    for i in 0..1000 {
        let mut brief = busy.lane().unwrap();
        highest = highest.max(brief.id().index());
        brief.try_send(i).unwrap();
        drop(brief);
        busy.try_send(i).unwrap();
        // Of three messages one stays behind: the receiver never finds the channel empty.
        assert!(rx.try_recv().is_ok() && rx.try_recv().is_ok());
    }
    assert!(rx.lane_count() < 100, "{} lanes for one sender", rx.lane_count());
    assert!(highest < 100, "index {highest} for two senders");
}

#[test]
fn a_chunk_is_of_one_lane_and_no_longer_than_its_turn() {
    let (_senders, mut rx) = lanes(4, 8, &[PLAIN; 2]);
    let first = rx.peek().copied().unwrap();
    for turn in 0..4 {
        let lane = if turn % 2 == 0 { first } else { 1 - first };
        let chunk = rx.read_chunk(99).unwrap();
        assert_eq!((chunk.as_slices(), chunk.len()), ((&[lane; 4][..], &[][..]), 4));
        chunk.commit(1);
        assert_eq!(rx.read_chunk(99).unwrap().into_iter().collect::<Vec<_>>(), [lane; 3], "what was left of the turn");
    }
    assert_eq!(rx.read_chunk(1).unwrap_err(), TryRecvError::Empty);
}

/// Each verb that looks at one message, or takes one, before the others are sent.
#[test]
fn a_chunk_sees_what_came_since_the_last_look_on_every_channel() {
    fn sees<S: Flavor>(make: impl Fn() -> (ringmail::Sender<u32, S>, ringmail::Receiver<u32, S>)) {
        type Look<S> = fn(&mut ringmail::Receiver<u32, S>);
        let looks: [(Look<S>, usize); 8] = [
            (|rx| assert_eq!(rx.peek(), Ok(&0)), 20),
            (|rx| rx.read_chunk(1).unwrap().commit(0), 20),
            (|rx| assert_eq!(rx.read_chunk(64).unwrap().len(), 2), 20),
            (|rx| assert_eq!(rx.try_recv(), Ok(0)), 19),
            (|rx| assert_eq!(rx.try_iter().next(), Some(0)), 19),
            (|rx| assert_eq!(rx.iter().next(), Some(0)), 19),
            (|rx| assert_eq!(rx.drain(1, drop), 1), 19),
            (|rx| assert_eq!(rx.try_recv_many(&mut Vec::new(), 1), Ok(1)), 19),
        ];
        for (look, left) in looks {
            let (mut tx, mut rx) = make();
            assert_eq!(tx.try_send_slice(&[0, 1]), Ok(2));
            look(&mut rx);
            assert_eq!(tx.try_send_slice(&[2; 18]), Ok(18));
            let chunk = rx.read_chunk(64).unwrap();
            assert_eq!((chunk.len(), chunk.iter().count()), (left, left));
            chunk.commit_all();
            assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        }
    }
    sees(|| ringmail::spsc::Builder::new(64).start_at((1 << 63) - 5).build().unwrap());
    sees(|| ringmail::mpsc::Builder::new(64).start_at((1 << 63) - 5).build().unwrap());
    sees(|| Builder::new(64).start_at((1 << 63) - 5).build().unwrap());
    sees(|| Builder::new(64).start_at((1 << 63) - 5).budget(u32::MAX).build().unwrap());
}

#[test]
fn late_messages_make_no_turn_longer_than_the_budget() {
    let (mut tx, mut rx) = Builder::new(64).budget(8).build().unwrap();
    let mut other = tx.lane().unwrap();
    assert!(tx.try_send(0).is_ok());
    assert_eq!(rx.peek(), Ok(&0));
    assert_eq!((tx.try_send_slice(&[0; 40]), other.try_send(1)), (Ok(40), Ok(())));
    let chunk = rx.read_chunk(3).unwrap();
    assert_eq!(chunk.len(), 3);
    chunk.commit(1);
    let chunk = rx.read_chunk(64).unwrap();
    assert_eq!(chunk.into_iter().collect::<Vec<_>>(), [0; 7], "one of eight was taken already");
    assert_eq!(rx.read_chunk(64).unwrap().into_iter().collect::<Vec<_>>(), [1]);
    assert_eq!(rx.read_chunk(64).unwrap().len(), 8);
    let mut buffer = Vec::new();
    assert_eq!(rx.try_recv_many(&mut buffer, 64), Ok(33));
    assert_eq!(buffer, [0; 33]);
}

/// The weight and the budget are as large as they can be.
#[test]
fn the_longest_turn_gives_all_there_is() {
    let (tx, mut rx) = Builder::new(64).start_at((1 << 63) - 5).budget(u32::MAX).build().unwrap();
    let mut lane = tx.lane_with(LaneOptions::new().weight(u32::MAX)).unwrap();
    assert!(lane.try_send(0).is_ok());
    assert_eq!(rx.peek(), Ok(&0));
    assert_eq!(lane.try_send_slice(&[0; 40]), Ok(40));
    assert_eq!(rx.read_chunk(64).unwrap().len(), 41);
}

#[test]
fn many_at_once_come_across_lanes_up_to_the_limit() {
    let (mut senders, mut rx) = lanes(4, 8, &[PLAIN; 3]);
    let mut buffer = Vec::new();
    assert_eq!(rx.try_recv_many(&mut buffer, 10), Ok(10));
    assert_eq!(rx.recv_many(&mut buffer, 2), Ok(2));
    assert_eq!(rx.drain(11, |lane| buffer.push(lane)), 11);
    assert_eq!(rx.recv_many(&mut buffer, usize::MAX), Ok(1));
    round_and_round(buffer, 3, |_| 4);
    assert_eq!(rx.try_recv_many(&mut Vec::new(), 9), Err(TryRecvError::Empty));
    assert_eq!((rx.try_recv_many(&mut Vec::new(), 0), rx.drain(9, drop)), (Ok(0), 0));
    refill(&mut senders);
    assert_eq!(rx.drain(usize::MAX, drop), 24);
}

/// Each message is answered with another, which was not there when the call began.
#[test]
fn drain_hands_over_what_was_there_when_it_began() {
    let (mut tx, mut rx) = channel(4).unwrap();
    let mut other = tx.lane().unwrap();
    assert!(tx.try_send(0).is_ok() && other.try_send(0).is_ok());
    let n = rx.drain(10_000, |v| {
        let _ = tx.try_send(v + 1);
    });
    assert!(n <= 2 + 4, "{n} messages, of two that were there and four that fit");
}

#[test]
fn one_busy_lane_among_64_idle_ones_is_heard_at_once() {
    let (tx, mut rx) = channel(8).unwrap();
    let mut idle: Vec<_> = (0..64).map(|_| tx.lane().unwrap()).collect();
    let mut busy = tx.lane().unwrap();
    for i in 0..1000 {
        busy.try_send(i).unwrap();
        assert_eq!(rx.try_recv_from(), Ok((busy.id(), i)));
    }
    assert_eq!((rx.lane_count(), rx.try_recv()), (66, Err(TryRecvError::Empty)));
    idle[33].try_send(7).unwrap();
    assert_eq!(rx.try_recv_from(), Ok((idle[33].id(), 7)));
}

#[test]
fn a_panicking_closure_or_value_costs_one_message_and_no_lane() {
    let ledger = Ledger::default();
    let (mut one, mut rx) = Builder::new(4).budget(2).build::<Counted>().unwrap();
    let mut two = one.lane().unwrap();
    let fill = |tx: &mut Sender<Counted>| while tx.try_send(ledger.value()).is_ok() {};
    fill(&mut one);
    fill(&mut two);
    let dropped = || ledger.drops().iter().filter(|&&n| n == 1).count();
    let before = dropped();
    let mut left = 5;
    panics(|| {
        rx.drain(8, |_| {
            left -= 1;
            assert_ne!(left, 0);
        })
    });
    assert_eq!((dropped() - before, rx.len(), one.len() + two.len()), (5, 3, 3));
    assert_eq!(rx.try_iter().count(), 3);
    assert!(one.try_send(ledger.bomb()).is_ok() && two.try_send(ledger.bomb()).is_ok());
    fill(&mut one);
    fill(&mut two);
    panics(|| rx.read_chunk(2).unwrap().commit_all());
    panics(|| rx.drain(9, drop));
    assert_eq!(rx.try_iter().count(), 2 + 3, "of eight two went with the chunk, and one was drained");
    drop((one, two, rx));
    ledger.settle();
}
