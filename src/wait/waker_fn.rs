//! A waker from a closure, and what user code that wakes may do.

use alloc::sync::Arc;
use alloc::task::Wake;
use core::task::Waker;

/// A [`Waker`] that calls `wake`: to wake a reactor, set a flag, or call a runtime. Allocates once; clones of the waker do not.
///
/// The closure runs on the thread that notifies, in the middle of its send or receive, or, if the two meet, on the thread that arms. Keep it
/// short, and do not wait in it. No lock is held meanwhile: it may notify, and use other channels. It is called at least once for the
/// notifications since the event count was armed; any number of messages may have come, also none.
///
/// # Panics
/// The closure should not panic, and neither should the `clone`, `wake` or `drop` of a [`Waker`]. If one does:
///
/// * The panic unwinds the verb that ran it, in the thread that notified or waited. Event counts, queues and channels stay usable, and all
///   others that are to be woken are woken. Of several panics the first continues.
/// * In a send the message was sent all the same; a verb that sends several may have sent some of them.
/// * In a receive the place is free and the message in hand is dropped; messages that were moved to a buffer are in the buffer.
/// * In a wait nothing stays announced, and no place in a queue stays taken.
/// * In [`try_call`](crate::mesh::call::Endpoint::try_call) the call was sent; its credit comes back with the answer, which is dropped.
/// * While the thread already panics, as in the drop of a handle that a panic unwinds, a panic of a wake ends where it began.
///
/// ```
/// use ringmail::wait::waker_fn;
/// use std::sync::atomic::{AtomicBool, Ordering};
/// static WOKEN: AtomicBool = AtomicBool::new(false);
/// waker_fn(|| WOKEN.store(true, Ordering::Release)).wake();
/// assert!(WOKEN.load(Ordering::Acquire));
/// ```
pub fn waker_fn(wake: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(Function(wake)))
}

struct Function<F>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for Function<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        (self.0)();
    }
}
