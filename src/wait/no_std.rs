//! The waiting parts without `std`: no verb waits, so an event count has no waiter and a queue has no entries.

#[derive(Clone, Debug)]
#[allow(unreachable_pub, missing_docs, reason = "in a signature of the sealed traits")]
pub struct EventCount;

pub(crate) struct Notified {
    pub(crate) woke: bool,
    pub(crate) departed: bool,
}

impl EventCount {
    #[inline(always)]
    pub(crate) fn has_waiter(&self) -> bool {
        false
    }

    pub(crate) fn notify_slow(&self) -> bool {
        false
    }

    pub(crate) fn notify_slow_if(&self, _mine: impl FnOnce() -> bool) -> Notified {
        Notified { woke: false, departed: false }
    }

    pub(crate) fn announce_departure(&self, _rings: u32) {}

    pub(crate) fn acknowledge_departure(&self) {}

    #[inline(always)]
    pub(crate) fn notify(&self) -> bool {
        false
    }

    pub(crate) fn is_same(&self, _other: &Self) -> bool {
        true
    }
}

#[derive(Clone, Debug)]
pub(crate) struct SenderQueue;

impl SenderQueue {
    pub(crate) fn reserve_slot(&self, _senders: usize) {}

    pub(crate) fn shrink(&self, _now: usize, _senders: impl FnOnce() -> usize) {}

    pub(crate) fn wake_all(&self) {}
}

/// Without `std` no panic is caught: the functions run one after the other, and a panic of one ends the rest.
pub(crate) mod panics {
    pub(crate) struct Panics;

    impl Panics {
        pub(crate) const fn new() -> Self {
            Self
        }

        pub(crate) fn catch(&mut self, f: impl FnOnce()) {
            f();
        }

        pub(crate) fn resume(self) {}
    }

    pub(crate) fn each<T>(items: impl IntoIterator<Item = T>, f: impl FnMut(T)) {
        items.into_iter().for_each(f);
    }
}
