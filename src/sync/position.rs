//! Position arithmetic: how far, how full, which slot. Pure and safe.
//!
//! A position counts messages since the ring was made. It travels in a word with a closed bit:
//!
//! ```text
//!  bit 63                                    1     0
//!     ├──────────── position ────────────────┼──────┤
//!     │ messages ever published / consumed   │closed│
//!     └──────────────────────────────────────┴──────┘
//! ```
//!
//! The last position and the close are therefore one store, and "closed after the last message" cannot be misread.
//! Bit 0 changes with a close and every other bit pattern with a publish, so the low half alone can be slept on.
//! Differences are taken modulo the word, so wrap-around needs no special case as long as no distance reaches half
//! of the range: capacity is at most 2^30, the range 2^63.

/// Makes a position type over an unsigned word. Two widths exist: `u64`, which ships, and `u8`, whose whole state
/// space a test walks.
macro_rules! position {
    ($(#[$doc:meta])* $name:ident, $word:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) struct $name($word);

        impl $name {
            /// The position whose message count is `count` (modulo the range).
            pub(crate) const fn new(count: $word) -> Self {
                Self(count << 1)
            }

            /// The message count of this position.
            #[cfg_attr(test, allow(dead_code, reason = "the small position of the unit tests does not use it"))]
            #[inline(always)]
            pub(crate) const fn count(self) -> $word {
                self.0 >> 1
            }

            /// What a word says, without its closed bit.
            #[inline(always)]
            pub(crate) const fn from_word(word: $word) -> Self {
                Self(word & !1)
            }

            #[inline(always)]
            pub(crate) const fn is_closed(word: $word) -> bool {
                word & 1 != 0
            }

            /// This position as a word of an open side.
            #[inline(always)]
            pub(crate) const fn open_word(self) -> $word {
                self.0
            }

            /// This position as the last word of its side.
            #[inline(always)]
            pub(crate) const fn closed_word(self) -> $word {
                self.0 | 1
            }

            #[inline(always)]
            pub(crate) const fn plus(self, messages: $word) -> Self {
                Self(self.0.wrapping_add(messages << 1))
            }

            /// Messages between `earlier` and this position.
            #[inline(always)]
            pub(crate) const fn since(self, earlier: Self) -> $word {
                self.0.wrapping_sub(earlier.0) >> 1
            }

            /// The same, or 0 if that position is not earlier.
            #[cfg_attr(test, allow(dead_code, reason = "the small position of the unit tests does not use it"))]
            #[inline(always)]
            pub(crate) const fn since_or_zero(self, earlier: Self) -> $word {
                let distance = self.since(earlier);
                if distance >> (<$word>::BITS - 2) == 0 { distance } else { 0 }
            }

            /// The slot of this position in a storage of `mask + 1` slots, a power of two.
            #[inline(always)]
            pub(crate) const fn slot(self, mask: $word) -> $word {
                (self.0 >> 1) & mask
            }
        }
    };
}

position!(
    /// A count of messages, in a 64-bit word: at 10^9 messages a second it wraps after 292 years.
    Position,
    u64
);

#[cfg(all(test, not(ringmail_loom)))]
mod tests {
    use alloc::collections::VecDeque;

    position!(
        /// Seven bits of position: small enough to try every state.
        Narrow,
        u8
    );

    /// Every head, every fill level, every capacity that seven bits can hold, across the wrap.
    #[test]
    fn distance_and_slot_hold_in_every_state_of_a_narrow_counter() {
        let mut states = 0;
        for capacity in 1..=63u8 {
            let mask = (capacity as usize).next_power_of_two() as u8 - 1;
            for head in 0..128u8 {
                let head = Narrow::new(head);
                for fill in 0..=capacity {
                    let tail = head.plus(fill);
                    assert_eq!(tail.since(head), fill);
                    assert_eq!(tail == head, fill == 0, "empty is equality");
                    // The producer keeps `full_at = head seen + capacity` and is full when tail reaches it.
                    let full_at = head.plus(capacity);
                    assert_eq!(full_at.since(tail), capacity - fill, "room");
                    assert_eq!(tail == full_at, fill == capacity, "full is equality");
                    // The close changes neither the position nor any distance.
                    assert_eq!(Narrow::from_word(tail.closed_word()), tail);
                    assert_eq!(Narrow::from_word(tail.open_word()), tail);
                    assert!(Narrow::is_closed(tail.closed_word()) && !Narrow::is_closed(tail.open_word()));
                    assert_ne!(tail.closed_word(), tail.open_word());
                    // No two live messages share a slot.
                    let mut used = 0u64;
                    for i in 0..fill {
                        let slot = head.plus(i).slot(mask);
                        assert!(slot <= mask);
                        assert_eq!(used & (1 << slot), 0, "slot reused while live");
                        used |= 1 << slot;
                    }
                    states += 1;
                }
            }
        }
        assert_eq!(states, 128 * (1..=63).map(|c| c + 1).sum::<u32>());
    }

    /// A ring of narrow counters against a queue: every start position, every capacity, a pattern of pushes and pops
    /// that keeps visiting full and empty.
    #[test]
    fn a_narrow_ring_agrees_with_a_queue_from_every_start() {
        for start in 0..128u8 {
            for capacity in 1..=17u8 {
                let mask = (capacity as usize).next_power_of_two() as u8 - 1;
                let (mut head, mut tail) = (Narrow::new(start), Narrow::new(start));
                let mut slots = [0u32; 32];
                let mut model = VecDeque::new();
                for step in 0..400u32 {
                    // Alternate runs of pushes and pops of changing length.
                    if (step / (1 + step % 7)) % 2 == 0 {
                        let full = tail == head.plus(capacity);
                        assert_eq!(full, model.len() == capacity as usize);
                        if !full {
                            slots[tail.slot(mask) as usize] = step;
                            tail = tail.plus(1);
                            model.push_back(step);
                        }
                    } else {
                        assert_eq!(tail == head, model.is_empty());
                        if let Some(expected) = model.pop_front() {
                            assert_eq!(slots[head.slot(mask) as usize], expected);
                            head = head.plus(1);
                        }
                    }
                    assert_eq!(tail.since(head) as usize, model.len());
                }
            }
        }
    }
}
