//! A task that somebody should wake.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Counts the wakes of one side's task.
#[derive(Default)]
pub struct Alarm {
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

impl Alarm {
    pub fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.wakes))
    }

    /// Polls as an executor does: again if that woke the task, which a poll does that lets other tasks go first.
    pub fn poll<R>(&mut self, mut poll: impl FnMut(&mut Context<'_>) -> Poll<R>) -> Poll<R> {
        let waker = self.waker();
        let mut cx = Context::from_waker(&waker);
        let answer = poll(&mut cx);
        if answer.is_pending() && self.rung() != 0 { poll(&mut cx) } else { answer }
    }

    /// How often it was woken since the last time.
    pub fn rung(&mut self) -> usize {
        let now = self.wakes.0.load(Ordering::Relaxed);
        now - std::mem::replace(&mut self.seen, now)
    }

    /// After a pending poll.
    pub fn arm(&mut self, sleeps: bool) {
        assert_eq!(self.rung(), usize::from(!sleeps), "a task that nobody will wake wakes itself, and only such a one");
        self.armed = sleeps;
    }

    /// After a future that was pending was dropped.
    pub fn disarm(&mut self) {
        self.armed = false;
    }

    /// After something happened on the other side; `must`: something that this side waits for.
    pub fn heard(&mut self, must: bool) {
        let rung = self.rung();
        assert!(rung <= usize::from(self.armed), "woken without having asked, or twice");
        assert!(!must || rung == usize::from(self.armed), "a wake-up was lost");
        self.armed &= rung == 0;
    }
}
