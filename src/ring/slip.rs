//! How a receiver lets messages gather.

/// Whether the next look for messages waits a little before.
///
/// A receiver that is faster than its sender takes each message alone: the line of the position or stamp and that of the slot travel to and fro for every
/// one of them, and both sides wait for the lines. A receiver that lets some messages gather first finds them in one look. So after two
/// looks in a row that were not in vain, the second of which found a few, it waits eight spin hints (about 0.1 to 0.3 µs) before the next; and so on while
/// its looks find many. One message at a time, as in a round trip, is never waited for.
///
/// After the temporal slipping of FastForward: Giacomoni, Moseley, Vachharajani, "FastForward for efficient pipeline parallelism", PPoPP 2008. New ÷ old
/// program in one run of `paired --suite poll,payload-64,mpsc-block-1,mpsc-try-1,rtt`, near: 1.21, 1.16, 1.40, 1.09, 0.97.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Slip {
    /// The last look was in vain, or there was none.
    Vain,
    /// The last look found something.
    Found,
    /// It does.
    Wait,
}

/// What follows a look, by how many messages it found: none, one, a few, [`Slip::MANY`] or more. A table: the verbs stay short enough for the compiler
/// to inline them.
const NEXT: [[Slip; Slip::MANY as usize + 1]; 3] = {
    use Slip::{Found, Vain, Wait};
    [
        [Vain, Found, Found, Found, Found, Found, Found, Found, Found],
        [Vain, Found, Wait, Wait, Wait, Wait, Wait, Wait, Found],
        [Vain, Found, Found, Found, Found, Found, Found, Found, Wait],
    ]
};

impl Slip {
    /// So many messages in one look are worth the wait: as many as a line holds of the smallest.
    const MANY: u64 = 8;

    #[inline(always)]
    pub(crate) fn after(self, found: u64) -> Self {
        NEXT[self as usize][found.min(Self::MANY) as usize]
    }

    /// Whether a receiver that sees one message at a time, and now none, waits: `run` messages came since it last saw none.
    #[inline(always)]
    pub(crate) fn waits_after(&mut self, run: u64) -> bool {
        *self = if *self == Self::Vain { Self::Found.after(run) } else { self.after(run) };
        *self == Self::Wait
    }

    /// Waits eight spin hints; none in a model, which has no time. In one block of assembly: the compiler takes each hint for a call, and would not
    /// inline a verb that has eight.
    #[inline(always)]
    pub(crate) fn wait() {
        #[cfg(all(target_arch = "x86_64", not(any(miri, ringmail_loom))))]
        // SAFETY: hints to the processor; they change neither memory nor registers nor flags.
        unsafe {
            core::arch::asm!(".rept 8", "pause", ".endr", options(nomem, nostack, preserves_flags));
        }
        #[cfg(not(any(all(target_arch = "x86_64", not(miri)), ringmail_loom)))]
        (0..8).for_each(|_| core::hint::spin_loop());
    }
}

#[cfg(all(test, not(ringmail_loom)))]
mod tests {
    use super::Slip;

    #[test]
    fn a_message_at_a_time_is_never_waited_for() {
        let mut slip = Slip::Vain;
        for _ in 0..100 {
            slip = slip.after(1);
            assert_ne!(slip, Slip::Wait);
            assert!(!slip.waits_after(1));
            slip = slip.after(0);
        }
    }

    #[test]
    fn a_few_at_once_are_waited_for_until_looks_find_few() {
        // Looks that see all there is: the first after one in vain says nothing of how close messages come.
        let after = |looks: &[u64]| looks.iter().fold(Slip::Vain, |slip, &found| slip.after(found));
        assert_eq!(after(&[2]), Slip::Found);
        assert_eq!(after(&[2, 2]), Slip::Wait);
        assert_eq!(after(&[2, 2, 8, 1000]), Slip::Wait);
        assert_eq!(after(&[2, 2, 7]), Slip::Found);
        assert_eq!(after(&[2, 2, 8, 0]), Slip::Vain);
        assert_eq!(after(&[2, 8]), Slip::Found, "many come as they are");
        // Looks that see one each: a run of them.
        let mut slip = Slip::Vain;
        assert_eq!([1, 2, 8, 7, 7, 0].map(|run| slip.waits_after(run)), [false, true, true, false, true, false]);
    }
}
