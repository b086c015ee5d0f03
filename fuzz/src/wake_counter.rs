//! Counts the wakes of a task.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Counts the wakes of one side's task.
#[derive(Default)]
pub struct WakeCounter {
    wakes: Arc<Wakes>,
    seen: usize,
    armed: bool,
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl WakeCounter {
    pub fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.wakes))
    }

    /// Polls as an executor does: again if that woke the task, which a poll does that lets other tasks go first.
    pub fn poll<R>(&mut self, mut poll: impl FnMut(&mut Context<'_>) -> Poll<R>) -> Poll<R> {
        let waker = self.waker();
        let mut cx = Context::from_waker(&waker);
        let answer = poll(&mut cx);
        if answer.is_pending() && self.new_wakes() != 0 { poll(&mut cx) } else { answer }
    }

    /// How often it was woken since the last call.
    pub fn new_wakes(&mut self) -> usize {
        let now = self.wakes.0.load(Ordering::Relaxed);
        now - std::mem::replace(&mut self.seen, now)
    }

    /// After a pending poll.
    pub fn arm(&mut self, sleeps: bool) {
        assert_eq!(
            self.new_wakes(),
            usize::from(!sleeps),
            "a task that no side will wake wakes itself, and only such a task"
        );
        self.armed = sleeps;
    }

    /// After a future that was pending was dropped.
    pub fn disarm(&mut self) {
        self.armed = false;
    }

    /// Checks the wakes after an operation of the other side. `must`: this side waits for that operation.
    pub fn check(&mut self, must: bool) {
        let wakes = self.new_wakes();
        assert!(wakes <= usize::from(self.armed), "woken without having asked, or twice");
        assert!(!must || wakes == usize::from(self.armed), "a wake-up was lost");
        self.armed &= wakes == 0;
    }

    /// Whether the task that was armed was woken since: then it is to be polled.
    pub fn take_wake(&mut self) -> bool {
        let wakes = self.new_wakes();
        assert!(wakes <= usize::from(self.armed), "woken without having asked, or twice");
        self.armed &= wakes == 0;
        wakes != 0
    }
}
