//! Whatever allocation fails while something is built, the answer is `OutOfMemory`, and nothing of what was built is left.
//! Its own program: each allocation of a thread fails in its turn, and one that has no error to return ends the program.
// Tests are not what loom models.
#![allow(clippy::disallowed_types)]

use ringmail::mesh::{self, Role};
use ringmail::pool::Pool;
use ringmail::wait::EventCount;
use ringmail::{BuildError, TryRecvError, fan_in, fan_out, mpsc, spsc};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Allocations of this thread until one fails; none does if negative.
    static LEFT: Cell<isize> = const { Cell::new(-1) };
    /// Whether all fail after that one.
    static FOR_GOOD: Cell<bool> = const { Cell::new(false) };
    /// Whether one did.
    static FAILED: Cell<bool> = const { Cell::new(false) };
    /// Blocks and bytes that this thread has.
    static LIVE: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

struct Failing;

impl Failing {
    fn fails() -> bool {
        LEFT.try_with(|left| match left.get() {
            0 => {
                left.set(if FOR_GOOD.get() { 0 } else { -1 });
                FAILED.set(true);
                true
            }
            n => {
                left.set(if n > 0 { n - 1 } else { n });
                false
            }
        })
        .unwrap_or(false)
    }

    fn counts(blocks: isize, bytes: isize) {
        let _ = LIVE.try_with(|live| live.set((live.get().0 + blocks, live.get().1 + bytes)));
    }
}

// SAFETY: passes what does not fail on to the system's allocator.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if Self::fails() {
            return std::ptr::null_mut();
        }
        Self::counts(1, layout.size() as isize);
        // SAFETY: the caller's promise is the callee's condition.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        Self::counts(-1, -(layout.size() as isize));
        // SAFETY: the caller's promise is the callee's condition.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Failing = Failing;

/// Runs `build` with allocation number `n` of it failing, and all after that if `for_good`. What it said, and whether one failed.
fn failing<R>(n: isize, for_good: bool, build: impl FnOnce() -> R) -> (R, bool) {
    FOR_GOOD.set(for_good);
    FAILED.set(false);
    LEFT.set(n);
    let said = build();
    LEFT.set(-1);
    (said, FAILED.get())
}

/// Fails each allocation of `build` in its turn, and checks that it says so and leaves nothing. Returns how many there are.
#[track_caller]
fn each_failure_is_told<R>(mut build: impl FnMut() -> Result<R, BuildError>) -> isize {
    // What is made once for the process, as the registration with the kernel, is made now.
    assert!(build().is_ok());
    for for_good in [false, true] {
        for n in 0.. {
            let before = LIVE.get();
            let (said, failed) = failing(n, for_good, || build().map(drop));
            assert_eq!(LIVE.get(), before, "allocation {n}: something is left");
            if !failed {
                assert_eq!(said, Ok(()));
                if for_good {
                    return n;
                }
                break;
            }
            assert!(matches!(said, Err(BuildError::OutOfMemory { bytes: Some(1..) })), "allocation {n}: {said:?}");
        }
    }
    unreachable!("`for_good` comes last")
}

fn of_a_mesh<R>(built: Result<R, mesh::BuildError>) -> Result<R, BuildError> {
    built.map_err(|error| match error {
        mesh::BuildError::Lane(error) => error,
        other => panic!("{other}"),
    })
}

/// Allocations of messages with a size and of ones without.
#[test]
fn every_channel_is_built_whole_or_says_that_there_is_no_memory() {
    assert!(each_failure_is_told(|| spsc::channel::<[u64; 9]>(16)) >= 6);
    assert!(each_failure_is_told(|| mpsc::channel::<[u64; 9]>(16)) >= 8);
    assert!(each_failure_is_told(|| fan_in::channel::<[u64; 9]>(16)) >= 9);
    assert!(each_failure_is_told(|| fan_out::channel::<[u64; 9]>(16)) >= 15);
    each_failure_is_told(|| spsc::channel::<()>(16));
    each_failure_is_told(|| mpsc::channel::<()>(16));
    each_failure_is_told(|| fan_in::channel::<()>(16));
    each_failure_is_told(|| fan_out::channel::<()>(16));
    let event = EventCount::new();
    each_failure_is_told(|| {
        spsc::Builder::new(3).receiver_event(event.clone()).sender_event(event.clone()).build::<u8>()
    });
    each_failure_is_told(|| mpsc::Builder::new(3).receiver_event(event.clone()).build::<u8>());
    each_failure_is_told(|| fan_in::Builder::new(3).receiver_event(event.clone()).build::<u8>());
    each_failure_is_told(|| {
        fan_out::Builder::new(3).receiver_event(event.clone()).sender_event(event.clone()).build::<u8>()
    });
}

#[test]
fn a_worker_joins_whole_or_not_at_all() {
    let (mut tx, rx) = fan_out::channel::<u64>(4).unwrap();
    assert!(each_failure_is_told(|| rx.join()) >= 8);
    assert_eq!(tx.worker_count(), 1);
    let others: Vec<_> = (0..20).map(|_| rx.join().unwrap()).collect();
    // A sender that has no memory for their lanes sends by those that it has.
    let (said, failed) = failing(0, true, || (0..4).map(|i| tx.try_send(i).is_ok()).filter(|sent| *sent).count());
    assert_eq!((said, failed, rx.len()), (4, true, 4));
    assert_eq!((0..).take_while(|i| tx.try_send(*i).is_ok()).count(), 80);
    // One that leaves, and the one that takes over, need none.
    let (taken, failed) = failing(0, true, || {
        drop(rx);
        others.into_iter().map(|mut rx| rx.try_iter().count()).sum::<usize>()
    });
    assert_eq!((taken, failed), (84, false));
}

#[test]
fn a_lane_is_opened_whole_or_not_at_all() {
    let (mut tx, mut rx) = fan_in::channel::<Box<u64>>(4).unwrap();
    // The receiver adopts each, so that its table has room for those to come.
    let adopted = |rx: &mut fan_in::Receiver<Box<u64>>| assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    drop((tx.lane().unwrap(), tx.lane().unwrap()));
    adopted(&mut rx);
    // The first of them has memory and a number at hand, the second a number, the third nothing.
    let opened = || -> Result<_, BuildError> { Ok((tx.lane()?, tx.lane()?, tx.lane()?)) };
    let mut n = 0;
    loop {
        let (said, failed) = failing(n, false, opened);
        if !failed {
            let (a, b, c) = said.unwrap();
            let mut numbers = [a.id().index(), b.id().index(), c.id().index()];
            numbers.sort_unstable();
            assert_eq!(numbers, [1, 2, 3], "no number is lost");
            break;
        }
        assert!(matches!(said.unwrap_err(), BuildError::OutOfMemory { bytes: Some(1..) }));
        adopted(&mut rx);
        n += 1;
    }
    assert!(n > 9, "{n} allocations");
    adopted(&mut rx);
    assert_eq!(rx.lane_count(), 1);
    assert!(tx.try_send(Box::new(7)).is_ok());
    drop(tx);
    assert_eq!((rx.try_recv(), rx.try_recv()), (Ok(Box::new(7)), Err(TryRecvError::Disconnected)));
}

#[test]
fn a_mesh_is_built_whole_or_says_that_there_is_no_memory() {
    assert!(each_failure_is_told(|| of_a_mesh(mesh::Builder::new().shards(3).build::<[u64; 9]>())) >= 30);
    assert!(each_failure_is_told(|| of_a_mesh(mesh::Builder::new().shards(3).build_calls::<u64, u64>(3))) >= 40);
    each_failure_is_told(|| of_a_mesh(mesh::Builder::new().shards(1).build::<u64>()));
    each_failure_is_told(|| of_a_mesh(mesh::Builder::new().shards(3).build::<()>()));
    let builder = mesh::Builder::new().roles([Role::Producer, Role::Producer, Role::Consumer]);
    // The clone of a builder allocates, and has no error to return.
    let clones = std::cell::RefCell::new(Vec::from_iter((0..500).map(|_| builder.clone())));
    let before = LIVE.get();
    for n in 0.. {
        let builder = clones.borrow_mut().pop().unwrap();
        let (said, failed) = failing(n, false, || of_a_mesh(builder.build::<u64>()).map(drop));
        assert!(failed || said.is_ok());
        if !failed {
            break;
        }
        assert!(matches!(said, Err(BuildError::OutOfMemory { bytes: Some(1..) })), "allocation {n}: {said:?}");
    }
    assert!(LIVE.get().0 < before.0, "nothing is left but what the test has");
}

#[test]
fn a_pool_is_filled_whole_or_says_that_there_is_no_memory() {
    assert_eq!(each_failure_is_told(|| Pool::new(3, || [0u64; 9])), 5);
    // The buffers that were made are dropped.
    let made = Cell::new(0);
    struct Alive<'a>(&'a Cell<isize>);
    impl Drop for Alive<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }
    let alive = || {
        made.set(made.get() + 1);
        Alive(&made)
    };
    each_failure_is_told(|| Pool::new(3, alive));
    assert_eq!(made.get(), 0);
}

#[test]
fn a_count_that_no_machine_has_is_an_error_that_says_what_to_do() {
    let too_many = Pool::new(usize::MAX, || [0u8; 16]).map(drop).unwrap_err();
    assert_eq!(too_many, BuildError::CapacityTooLarge { requested: usize::MAX, max: 1 << 30 });
    assert!(too_many.to_string().ends_with("ask for at most 1073741824"), "{too_many}");
    // None was made: the memory of all is asked for first.
    let never = || -> [u8; 1 << 20] { unreachable!() };
    assert!(matches!(Pool::new(1 << 30, never), Err(BuildError::OutOfMemory { bytes: Some(_) })));
    assert_eq!(Pool::<()>::new(0, || ()).map(drop).unwrap_err(), BuildError::ZeroCapacity);
    let all = |built: Result<(), BuildError>| assert_eq!(built.unwrap_err(), too_many);
    all(spsc::channel::<[u8; 16]>(usize::MAX).map(drop));
    all(mpsc::channel::<[u8; 16]>(usize::MAX).map(drop));
    all(fan_in::channel::<[u8; 16]>(usize::MAX).map(drop));
    all(of_a_mesh(mesh::Builder::new().shards(2).capacity(usize::MAX).build::<u8>().map(drop)));
    let credits = of_a_mesh(mesh::Builder::new().shards(2).build_calls::<u8, u8>(usize::MAX)).map(drop).unwrap_err();
    assert_eq!(credits, BuildError::CapacityTooLarge { requested: usize::MAX, max: (1 << 29) - 1 });
    let shards = mesh::Builder::new().shards(usize::MAX).build::<u8>().map(drop).unwrap_err();
    assert_eq!(shards, mesh::BuildError::TooManyShards { requested: usize::MAX, max: 1024 });
}

/// The messages are larger than any stack, on which none of them need ever be.
#[test]
fn a_ring_that_no_memory_holds_is_an_error_not_an_abort() {
    assert!(matches!(mpsc::channel::<[u8; 1 << 30]>(1 << 30), Err(BuildError::OutOfMemory { bytes: Some(_) })));
    assert_eq!(mpsc::channel::<[u8; 1 << 36]>(1 << 30).unwrap_err(), BuildError::OutOfMemory { bytes: None });
}
