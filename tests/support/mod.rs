//! What several of these programs need. Each uses a part of it.
#![allow(dead_code, unreachable_pub)]
// Tests are not what loom models.
#![allow(clippy::disallowed_types)]

#[cfg(all(target_os = "linux", feature = "shm"))]
pub mod another;
pub mod hostile;
#[cfg(all(target_os = "linux", feature = "shm"))]
pub mod scratch;
pub mod tasks;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Wake, Waker};
use std::thread;
use std::time::Duration;

/// Long enough for any of these tests on a machine that does much else; a lost wake-up would last for ever.
const PATIENCE: Duration = Duration::from_secs(240);

/// Runs `test` on a thread of its own and fails, instead of hanging, if it does not end.
pub fn ends<R: Send + 'static>(test: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, finished) = mpsc::channel();
    let runner = thread::spawn(move || {
        let result = test();
        // Nobody listens any more if this came too late.
        let _ = done.send(());
        result
    });
    // An error that is not a timeout means that `test` panicked, which the join below passes on.
    assert_ne!(finished.recv_timeout(PATIENCE), Err(mpsc::RecvTimeoutError::Timeout), "still waiting: it hangs");
    runner.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Gives another thread the time to fall asleep. Whether it did must not matter to the test.
pub fn let_it_sleep() {
    thread::sleep(Duration::from_millis(20));
}

/// Waits until `happened` says so, and fails if it never does.
pub fn until(mut happened: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !happened() {
        assert!(start.elapsed() < PATIENCE, "it did not happen");
        thread::yield_now();
    }
}

/// Tries until it was seen: a busy machine may hold up any one try, what is wrong shows in all of them. Fails with what the last one saw.
#[track_caller]
pub fn seen<R>(attempt: impl FnMut() -> Result<R, String>) -> R {
    seen_in(20, attempt)
}

/// The same in so many tries: few, where what is wrong shows in some of them alone.
#[track_caller]
pub fn seen_in<R>(tries: u32, mut attempt: impl FnMut() -> Result<R, String>) -> R {
    for _ in 1..tries {
        match attempt() {
            Ok(found) => return found,
            Err(saw) => println!("not yet: {saw}"),
        }
    }
    attempt().unwrap_or_else(|saw| panic!("not in {tries} tries: {saw}"))
}

/// Counts its wakes.
#[derive(Default)]
pub struct Wakes(AtomicUsize);

impl Wakes {
    pub fn new() -> (Arc<Self>, Waker) {
        let wakes = Arc::new(Self::default());
        let waker = Waker::from(Arc::clone(&wakes));
        (wakes, waker)
    }

    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Wakes since the last call.
    pub fn take(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Says how often each of the values it made was dropped.
#[derive(Clone, Default)]
pub struct Ledger(Arc<std::sync::Mutex<Vec<u32>>>);

impl Ledger {
    /// A new value, numbered from 0.
    pub fn value(&self) -> Counted {
        let mut drops = self.0.lock().unwrap_or_else(|e| e.into_inner());
        drops.push(0);
        Counted { id: drops.len() - 1, ledger: self.clone(), panics: false }
    }

    /// A value whose `drop` panics, after counting.
    pub fn bomb(&self) -> Counted {
        let mut value = self.value();
        value.panics = true;
        value
    }

    /// How often each value was dropped, by number.
    pub fn drops(&self) -> Vec<u32> {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// Values that were made.
    pub fn made(&self) -> usize {
        self.drops().len()
    }

    /// Fails unless every value was dropped exactly once.
    #[track_caller]
    pub fn settle(&self) {
        let drops = self.drops();
        assert!(drops.iter().all(|&n| n == 1), "drops by value: {drops:?}");
    }
}

pub struct Counted {
    pub id: usize,
    ledger: Ledger,
    panics: bool,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.ledger.0.lock().unwrap_or_else(|e| e.into_inner())[self.id] += 1;
        if self.panics {
            panic!("value {} panics in drop", self.id);
        }
    }
}

/// Runs `f`, which must panic.
#[track_caller]
pub fn panics<R>(f: impl FnOnce() -> R) {
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err(), "it should have panicked");
}
