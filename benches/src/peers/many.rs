//! Several senders and one receiver: how they are made, how their messages are told apart, and the check of each.

use std::array::from_fn;

use super::Channel;

/// A bounded queue between several senders and one receiver.
pub trait ManySenders<T> {
    /// A sending end.
    type Tx: Send;
    /// The receiving end.
    type Rx: Send;
    /// A queue for `capacity` messages and its `senders` sending ends.
    fn open(capacity: usize, senders: usize) -> (Vec<Self::Tx>, Self::Rx);
}

/// Peers whose senders share one queue: each is a clone of the first.
macro_rules! by_cloning {
    ($($peer:ty),+ $(,)?) => {
        $(impl<T> ManySenders<T> for $peer
        where
            Self: Channel<T, Tx: Clone>,
        {
            type Tx = <Self as Channel<T>>::Tx;
            type Rx = <Self as Channel<T>>::Rx;
            fn open(capacity: usize, senders: usize) -> (Vec<Self::Tx>, Self::Rx) {
                let (tx, rx) = Self::pair(capacity);
                (vec![tx; senders], rx)
            }
        })+
    };
}

by_cloning![
    super::ArrayQueue,
    super::AsyncChannel,
    super::ConcurrentQueue,
    super::Crossbeam,
    super::CrossfireMpsc,
    super::CrossfireMpscAsync,
    super::DisruptorMulti,
    super::Flume,
    super::KanalAsync,
    super::KanalSync,
    super::RingmailMpsc,
    super::RingmailMpscAtOnce,
    super::StdSync,
    super::ThingbufAsync,
    super::ThingbufBlocking,
    super::Tokio,
];

/// Receives what is there.
pub trait Drain<T> {
    /// Takes up to `n` messages without waiting and gives each to `each`; returns how many there were.
    fn drain(&mut self, n: usize, each: impl FnMut(T)) -> usize;
}

/// The most senders that a workload has.
pub const MAX_SENDERS: usize = 16;

/// Above the sequence number stands the sender's.
const SHIFT: u32 = 48;

/// The `seq`-th message of a sender, as a number.
pub const fn tag(sender: usize, seq: u64) -> u64 {
    ((sender as u64) << SHIFT) + seq
}

/// How many of `n` messages are that sender's, if `senders` share them.
pub const fn share(n: u64, senders: usize, sender: usize) -> u64 {
    n / senders as u64 + ((sender as u64) < n % senders as u64) as u64
}

/// What the receiver keeps of each sender's sequence: the number that it expects next, and every bit that was ever
/// wrong. As [`Check`](super::Check), without a branch in the loop.
#[derive(Debug)]
pub struct CheckEach {
    next: [u64; MAX_SENDERS],
    wrong: u64,
    senders: usize,
    due: [u64; MAX_SENDERS],
}

impl CheckEach {
    /// Nothing seen yet of any of `senders`.
    pub fn new(senders: usize) -> Self {
        assert!(senders <= MAX_SENDERS, "{senders} senders, of whom only {MAX_SENDERS} can be told apart");
        let first = from_fn(|sender| tag(sender, 0));
        Self { next: first, wrong: 0, senders, due: first }
    }

    /// Takes the next number in. A number of no sender counts as the next of one that it differs from.
    #[inline]
    pub fn see(&mut self, message: u64) {
        let next = &mut self.next[(message >> SHIFT) as usize % MAX_SENDERS];
        self.wrong |= message ^ *next;
        *next += 1;
    }

    /// Panics unless the senders have shared `n` messages more, and none of theirs was ever lost, repeated, overtaken by
    /// a later one of the same sender, or torn.
    pub fn verify(&mut self, peer: &str, n: u64) {
        let senders = self.senders;
        self.verify_shares(peer, |sender| share(n, senders, sender));
    }

    /// The same of senders that have sent as many messages more as `share` says of each.
    pub fn verify_shares(&mut self, peer: &str, share: impl Fn(usize) -> u64) {
        for (sender, due) in self.due[..self.senders].iter_mut().enumerate() {
            *due += share(sender);
        }
        assert!(
            self.wrong == 0 && self.next == self.due,
            "{peer} lost, repeated, reordered or tore a message: received {:x?}, due {:x?}",
            self.next,
            self.due
        );
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::{CheckEach, MAX_SENDERS, share, tag};

    fn passes(senders: usize, messages: &[(usize, u64)]) -> bool {
        let mut check = CheckEach::new(senders);
        messages.iter().for_each(|&(sender, seq)| check.see(tag(sender, seq)));
        let n = messages.len() as u64;
        catch_unwind(move || check.verify("a peer", n)).is_ok()
    }

    #[test]
    fn senders_may_interleave_in_any_way() {
        assert!(passes(2, &[(0, 0), (0, 1), (1, 0), (1, 1)]));
        assert!(passes(2, &[(1, 0), (0, 0), (1, 1), (0, 1)]));
        assert!(passes(3, &[(2, 0), (1, 0), (0, 0), (0, 1)]));
    }

    #[test]
    fn a_lost_repeated_or_reordered_message_of_one_sender_is_noticed() {
        let wrong = [
            [(0, 0), (0, 2), (1, 0), (1, 1)],
            [(0, 0), (0, 0), (1, 0), (1, 1)],
            [(0, 1), (0, 0), (1, 0), (1, 1)],
            // The next of one sender in place of the other's last.
            [(0, 0), (0, 1), (0, 2), (1, 0)],
            // Of a third sender, and of one that the slots do not know apart from the first.
            [(0, 0), (0, 1), (1, 0), (2, 0)],
            [(0, 0), (MAX_SENDERS, 1), (1, 0), (1, 1)],
        ];
        for messages in wrong {
            assert!(!passes(2, &messages), "{messages:?}");
        }
    }

    #[test]
    fn a_torn_message_is_noticed() {
        let mut check = CheckEach::new(8);
        check.see(u64::MAX);
        assert!(catch_unwind(move || check.verify("a peer", 1)).is_err());
    }

    #[test]
    fn shares_differ_by_one_at_most_and_leave_nothing_over() {
        for n in [0, 1, 7, 8, 9, 1000] {
            let shares: Vec<u64> = (0..8).map(|sender| share(n, 8, sender)).collect();
            assert_eq!(shares.iter().sum::<u64>(), n);
            assert!(shares[0] - shares[7] <= 1);
        }
    }
}
