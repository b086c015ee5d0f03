//! Wakers and hooks that panic, or run others' code.

use ringmail::wait::{EventCount, waker_fn};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{RawWaker, RawWakerVTable, Waker};

/// A waker of which a test says what panics. All of its clones are the same one.
#[derive(Default)]
pub struct Nasty {
    /// Clones that succeed before one panics; nothing panics if it is 0.
    clones: AtomicUsize,
    pub wake: AtomicBool,
    pub drop: AtomicBool,
    pub woken: AtomicUsize,
}

impl Nasty {
    pub fn new() -> (Arc<Self>, Waker) {
        let nasty = Arc::new(Self::default());
        let raw = RawWaker::new(Arc::into_raw(Arc::clone(&nasty)).cast(), &Self::VTABLE);
        // SAFETY: the table's functions keep the contract of `RawWaker`: each waker owns one reference.
        (nasty, unsafe { Waker::from_raw(raw) })
    }

    const VTABLE: RawWakerVTable =
        RawWakerVTable::new(Self::clone_raw, Self::wake_raw, Self::wake_by_ref, Self::drop_raw);

    /// Has the `n`th clone from now on panic.
    pub fn nth_clone_panics(&self, n: usize) {
        self.clones.store(n, Ordering::SeqCst);
    }

    fn clone_raw(raw: *const ()) -> RawWaker {
        // SAFETY: of a waker that lives.
        let nasty = unsafe { &*raw.cast::<Self>() };
        if nasty.clones.load(Ordering::SeqCst) != 0 && nasty.clones.fetch_sub(1, Ordering::SeqCst) == 1 {
            panic!("no memory for a waker");
        }
        // SAFETY: as above; the clone owns the reference added here.
        unsafe { Arc::increment_strong_count(raw.cast::<Self>()) };
        RawWaker::new(raw, &Self::VTABLE)
    }

    fn wake_raw(raw: *const ()) {
        // SAFETY: the waker's reference is this one's now.
        let nasty = unsafe { Arc::from_raw(raw.cast::<Self>()) };
        nasty.count();
    }

    fn wake_by_ref(raw: *const ()) {
        // SAFETY: of a waker that lives.
        unsafe { &*raw.cast::<Self>() }.count();
    }

    fn drop_raw(raw: *const ()) {
        // SAFETY: the waker's reference is this one's now.
        let nasty = unsafe { Arc::from_raw(raw.cast::<Self>()) };
        if nasty.drop.swap(false, Ordering::SeqCst) {
            panic!("a waker panics in drop");
        }
    }

    fn count(&self) {
        self.woken.fetch_add(1, Ordering::SeqCst);
        if self.wake.load(Ordering::SeqCst) {
            panic!("the executor is gone");
        }
    }
}

/// An event count whose waker panics each time while the switch is on.
pub fn bomb() -> (Arc<AtomicBool>, EventCount) {
    let on = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&on);
    let event = EventCount::with_waker(waker_fn(move || {
        if switch.load(Ordering::SeqCst) {
            panic!("the reactor is gone");
        }
    }));
    (on, event)
}

type Code = Box<dyn FnMut()>;

thread_local! {
    /// What a waker of [`meddler`] does when it is cloned, and when it is dropped: once each time that it is put here.
    static MEDDLE: RefCell<[Option<Code>; 2]> = const { RefCell::new([None, None]) };
}

/// A waker that runs others' code in its `clone` and `drop`.
pub fn meddler() -> Waker {
    fn meddle(at: usize) {
        let code = MEDDLE.with_borrow_mut(|code| code[at].take());
        if let Some(mut code) = code {
            code();
        }
    }
    fn clone(_: *const ()) -> RawWaker {
        meddle(0);
        RawWaker::new(std::ptr::null(), &VTABLE)
    }
    fn wake(_: *const ()) {
        WOKEN.fetch_add(1, Ordering::SeqCst);
    }
    fn drop(_: *const ()) {
        meddle(1);
    }
    static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, drop);
    // SAFETY: the waker owns nothing.
    unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &VTABLE)) }
}

pub static WOKEN: AtomicUsize = AtomicUsize::new(0);

pub fn on_clone(code: impl FnMut() + 'static) {
    MEDDLE.with_borrow_mut(|slots| slots[0] = Some(Box::new(code)));
}

pub fn on_drop(code: impl FnMut() + 'static) {
    MEDDLE.with_borrow_mut(|slots| slots[1] = Some(Box::new(code)));
}
