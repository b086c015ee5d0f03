//! Without `std` nobody sleeps, so there is nobody to wake: a event count of no size that never hangs, and a queue that is always empty.

#[derive(Clone, Debug)]
#[allow(unreachable_pub, missing_docs, reason = "in a signature of the sealed traits")]
pub struct EventCount;

pub(crate) struct Answer {
    pub(crate) woke: bool,
    pub(crate) left: bool,
}

impl EventCount {
    #[inline(always)]
    pub(crate) fn has_waiter(&self) -> bool {
        false
    }

    pub(crate) fn notify_slow(&self) -> bool {
        false
    }

    pub(crate) fn notify_slow_if(&self, _mine: impl FnOnce() -> bool) -> Answer {
        Answer { woke: false, left: false }
    }

    pub(crate) fn leave(&self, _rings: u32) {}

    pub(crate) fn forget(&self) {}

    #[inline(always)]
    pub(crate) fn notify(&self) -> bool {
        false
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Queue;

impl Queue {
    pub(crate) fn widen(&self, _senders: usize) {}

    pub(crate) fn narrow(&self, _now: usize, _senders: impl FnOnce() -> usize) {}

    pub(crate) fn call_all(&self) {}
}

/// Without `std` nobody is woken and no panic is caught: what is to run runs, until one does not come back.
pub(crate) mod guard {
    pub(crate) struct Panics;

    impl Panics {
        pub(crate) const fn new() -> Self {
            Self
        }

        pub(crate) fn catch(&mut self, f: impl FnOnce()) {
            f();
        }

        pub(crate) fn go_on(self) {}
    }

    pub(crate) fn each<T>(items: impl IntoIterator<Item = T>, f: impl FnMut(T)) {
        items.into_iter().for_each(f);
    }
}
