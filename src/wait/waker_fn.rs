//! A waker from a closure, and what the code of a waker may do.

use alloc::sync::Arc;
use alloc::task::Wake;
use core::task::Waker;

/// A [`Waker`] that calls `wake`: to wake a reactor, set a flag, or call a runtime. Allocates once; clones of the waker do not.
///
/// The closure runs on the thread that notifies, in the middle of its send or receive. If a notification meets
/// [`EventCount::arm`](super::EventCount::arm), it runs on the thread that arms. Keep it short, and do not block in it. No lock of this crate
/// is held meanwhile: the closure may notify, and use other channels. It is called at least once for all notifications since the event count
/// was armed. Any number of messages may have come, also none.
///
/// # Panics
/// The closure should not panic, and neither should the `clone`, `wake` or `drop` of a [`Waker`]. If one does:
///
/// * The panic unwinds the verb that ran it, in the thread that notified or waited. Event counts, queues and channels stay usable. All other
///   wakers that are to be woken are woken. Of several panics the first continues.
/// * In a send, the message was sent. A verb that sends several may have sent some of them.
/// * In a receive, the slot is free and the received message is dropped. Messages that were moved to a buffer are in the buffer.
/// * In a wait, the waiter is no longer registered, and no longer in a queue.
/// * In [`try_call`](crate::mesh::call::Endpoint::try_call), the call was sent. Its credit comes back with the answer, which is dropped.
/// * While the thread already panics, as in the drop of a handle that a panic unwinds, the panic of a wake is caught and dropped.
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
