//! The verbs: one entry of `paths!` each.

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use ringmail::mesh::{self, Endpoint};
use ringmail::{fan_in, mpsc, shm, spsc};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::mark::{Mark, announce, mark};

/// Sizes in bytes. The first is what a message costs apart from its copies.
pub(crate) const SIZES: [usize; 6] = [8, 64, 256, 1024, 4096, 65536];
/// Messages of a round.
pub(crate) const MESSAGES: u64 = 2;
/// Each path and size runs so often, and the last time counts: first uses are not what is asked.
pub(crate) const ROUNDS: usize = 2;
const CAPACITY: usize = 8;

/// A verb to send by and one to receive by.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) name: &'static str,
    /// Whether a send copies the message, and whether a receive does.
    pub(crate) copies: [bool; 2],
    /// One for each size.
    run: [fn(); SIZES.len()],
}

/// Paths that the check must refuse: one copies once more than it says, one less.
pub(crate) const PLANTED: [&str; 2] = ["planted/copied-again", "planted/not-copied"];

/// A message that is moved.
#[derive(Debug, FromBytes, IntoBytes, Immutable)]
#[repr(transparent)]
struct Owned<const W: usize>([u64; W]);

/// A message that can be copied.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[repr(transparent)]
struct Plain<const W: usize>([u64; W]);

impl<const W: usize> shm::Message for Owned<W> {
    const SCHEMA: shm::Schema = shm::Schema::new("words");
}

impl<const W: usize> shm::Message for Plain<W> {
    const SCHEMA: shm::Schema = shm::Schema::new("words");
}

/// One path. `$m` is the message, in a variable that is made and filled before the count begins: an [`Owned`], a [`Plain`], or the array of all `MESSAGES` of
/// a round. `$take` hands the words of each message to `$see`; it may use `$out`, an empty vector with room for all.
macro_rules! path {
    ($paths:ident, $name:literal, $copies:expr, $pair:expr, |$tx:ident, $m:ident: $kind:ident| $put:expr, |$rx:ident, $out:ident, $see:ident| $take:expr) => {{
        fn run<const W: usize>() {
            let (mut tx, mut rx) = $pair;
            let (tx, rx) = (black_box(&mut tx), black_box(&mut rx));
            let mut out = Vec::with_capacity(MESSAGES as usize);
            for _ in 0..ROUNDS {
                mark(Mark::Next);
                let calls = made!($kind, calls);
                for call in 0..calls {
                    #[allow(unused_mut, reason = "some verbs only read it")]
                    let mut $m = made!($kind, message, call);
                    black_box(&mut $m);
                    mark(Mark::Send);
                    {
                        let $tx = &mut *tx;
                        $put;
                    }
                    mark(Mark::Leave);
                }
                let mut next = 0;
                let mut see = |words: &[u64; W]| {
                    let words = black_box(words);
                    assert_eq!([words[0], words[W - 1]], [next, next], "what came out is not what went in");
                    next += 1;
                };
                for _ in 0..calls {
                    out.clear();
                    mark(Mark::Receive);
                    {
                        let ($rx, $out, $see) = (&mut *rx, &mut out, &mut see);
                        let _ = &$out;
                        $take;
                    }
                    mark(Mark::Leave);
                }
                assert_eq!(next, MESSAGES, "as many came out as went in");
                // Only to say what the vector holds, where no verb used it.
                out.extend([made!($kind, one)].into_iter().take(0));
            }
        }
        $paths.push(Path {
            name: $name,
            copies: $copies,
            run: [run::<1>, run::<8>, run::<32>, run::<128>, run::<512>, run::<8192>],
        });
    }};
}

/// What a path is given, by kind.
macro_rules! made {
    (Owned, calls) => {
        MESSAGES
    };
    (Owned, message, $seq:expr) => {
        Owned([$seq; W])
    };
    (Owned, one) => {
        Owned([0; W])
    };
    (Plain, calls) => {
        MESSAGES
    };
    (Plain, message, $seq:expr) => {
        Plain([$seq; W])
    };
    (Plain, one) => {
        Plain([0; W])
    };
    // All at once.
    (Slice, calls) => {
        1
    };
    (Slice, message, $seq:expr) => {
        [Plain([$seq; W]), Plain([1; W])]
    };
    (Slice, one) => {
        Plain([0; W])
    };
}

/// A message that a verb returns, as its caller binds it.
macro_rules! value {
    ($see:ident, $taken:expr) => {{
        let Ok(message) = $taken else { panic!("a message is there") };
        $see(&message.0);
    }};
    // With the number of its lane or its peer.
    ($see:ident, $taken:expr, numbered) => {{
        let Ok((_, message)) = $taken else { panic!("a message is there") };
        $see(&message.0);
    }};
}

/// The verbs that every channel of one process has.
macro_rules! channel {
    ($paths:ident, $module:ident, $([$name:literal, $verb:ident])+) => {
        $(verb!($verb, $paths, $name, $module::channel(CAPACITY).expect("memory for a channel"));)+
    };
}

macro_rules! verb {
    (tried, $paths:ident, $name:literal, $pair:expr) => {
        path!(
            $paths,
            $name,
            [true, true],
            $pair,
            |tx, m: Owned| assert!(tx.try_send(m).is_ok()),
            |rx, out, see| value!(see, rx.try_recv())
        );
    };
    (tried_plain, $paths:ident, $name:literal, $pair:expr) => {
        path!(
            $paths,
            $name,
            [true, true],
            $pair,
            |tx, m: Plain| assert!(tx.try_send(m).is_ok()),
            |rx, out, see| value!(see, rx.try_recv())
        );
    };
    (blocking, $paths:ident, $name:literal, $pair:expr) => {
        path!($paths, $name, [true, true], $pair, |tx, m: Owned| assert!(tx.send(m).is_ok()), |rx, out, see| value!(
            see,
            rx.recv()
        ));
    };
    (future, $paths:ident, $name:literal, $pair:expr) => {
        path!(
            $paths,
            $name,
            [true, true],
            $pair,
            |tx, m: Owned| assert!(ready(tx.send_async(m)).is_ok()),
            |rx, out, see| value!(see, ready(rx.recv_async()))
        );
    };
    (slice, $paths:ident, $name:literal, $pair:expr) => {
        path!(
            $paths,
            $name,
            [true, true],
            $pair,
            |tx, m: Slice| assert_eq!(tx.try_send_slice(&m), Ok(m.len())),
            |rx, out, see| {
                assert_eq!(rx.try_recv_many(out, out.capacity()), Ok(MESSAGES as usize));
                out.iter().for_each(|message| see(&message.0));
            }
        );
    };
    (drain, $paths:ident, $name:literal, $pair:expr) => {
        path!(
            $paths,
            $name,
            [true, true],
            $pair,
            |tx, m: Slice| assert!(tx.send_slice(&m).is_ok()),
            |rx, out, see| assert_eq!(rx.drain(MESSAGES as usize, |message| see(&message.0)), MESSAGES as usize)
        );
    };
    // Copied into the places, and looked at there.
    (chunk, $paths:ident, $name:literal, $pair:expr) => {
        path!(
            $paths,
            $name,
            [true, false],
            $pair,
            |tx, m: Slice| {
                let Ok(mut chunk) = tx.try_reserve(m.len()) else { panic!("there is room") };
                assert_eq!(chunk.fill_from_slice(&m), m.len());
                chunk.commit();
            },
            |rx, out, see| {
                let Ok(chunk) = rx.read_chunk(MESSAGES as usize) else { panic!("messages are there") };
                chunk.iter().for_each(|message| see(&message.0));
                chunk.commit_all();
            }
        );
    };
    (pushed, $paths:ident, $name:literal, $pair:expr) => {
        path!(
            $paths,
            $name,
            [true, true],
            $pair,
            |tx, m: Owned| {
                let Ok(mut chunk) = tx.try_reserve(1) else { panic!("there is room") };
                assert!(chunk.push(m).is_ok());
                chunk.commit();
            },
            |rx, out, see| value!(see, rx.try_recv())
        );
    };
    // Written where they will lie, and looked at there.
    (in_place, $paths:ident, $name:literal, $pair:expr) => {
        path!($paths, $name, [false, false], $pair, |tx, m: Owned| written_in_place(tx, &m), |rx, out, see| {
            let Ok(chunk) = rx.read_chunk(1) else { panic!("a message is there") };
            chunk.iter().for_each(|message| see(&message.0));
            chunk.commit_all();
        });
    };
    // Mapped channels hand a message out by value.
    (taken_by, $paths:ident, $name:literal, $pair:expr) => {
        path!(
            $paths,
            $name,
            [true, true],
            $pair,
            |tx, m: Owned| assert!(tx.try_send(m).is_ok()),
            |rx, out, see| assert!(rx.try_recv_with(|message| see(&message.0)).is_ok())
        );
    };
}

/// The words of the message's ends; what lies between is the caller's to write, and no verb's.
#[inline(always)]
fn written_in_place<const W: usize>(tx: &mut spsc::Sender<Owned<W>>, message: &Owned<W>) {
    let Ok(mut chunk) = tx.try_reserve(1) else { panic!("there is room") };
    let place: *mut u64 = chunk.vacant_slices().0[0].as_mut_ptr().cast();
    for word in [0, W - 1] {
        // SAFETY: a message is `W` words from `place` on.
        unsafe { place.wrapping_add(word).write(message.0[word]) };
    }
    // SAFETY: its memory was zeroed by `prepared`, and its ends are written: all words are.
    unsafe { chunk.assume_written(1) };
    chunk.commit();
}

/// A channel whose places all hold words.
fn prepared<const W: usize>() -> (spsc::Sender<Owned<W>>, spsc::Receiver<Owned<W>>) {
    let (mut tx, mut rx) = spsc::channel(CAPACITY).expect("memory for a channel");
    for _ in 0..CAPACITY {
        assert!(tx.try_send(Owned([0; W])).is_ok());
    }
    assert_eq!(rx.drain(CAPACITY, drop), CAPACITY);
    (tx, rx)
}

/// The result of a future's first polls: none of these has to wait, but some yield to other tasks first.
#[inline(always)]
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    for _ in 0..2 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
    panic!("none was to wait")
}

fn mapped<T: shm::Message>() -> (shm::spsc::Sender<T>, shm::spsc::Receiver<T>) {
    let channel = shm::spsc::Builder::<T>::create_anonymous(CAPACITY).expect("memory for a channel");
    let open = || shm::spsc::Builder::from_fd(&channel);
    (open().open_sender().expect("the sending side"), open().open_receiver().expect("the receiving side"))
}

fn lanes<T: shm::Message>() -> (shm::fan_in::Sender<T>, shm::fan_in::Receiver<T>) {
    let channel = shm::fan_in::Builder::<T>::create_anonymous(2, CAPACITY).expect("memory for a channel");
    let open = || shm::fan_in::Builder::from_fd(&channel);
    (open().open_sender().expect("a sending side"), open().open_receiver().expect("the receiving side"))
}

fn shards<T: Send>() -> (Endpoint<T>, Endpoint<T>) {
    let seats = mesh::Builder::new().shards(2).capacity(CAPACITY).build().expect("memory for a mesh");
    let mut seats = seats.into_iter().map(|seat| seat.join().expect("the seat was just made"));
    (seats.next().expect("two seats"), seats.next().expect("two seats"))
}

/// All of them, in the order in which they run.
pub(crate) fn all() -> Vec<Path> {
    let mut paths = Vec::new();
    path!(
        paths,
        "planted/copied-again",
        [true, true],
        spsc::channel(CAPACITY).expect("memory for a channel"),
        |tx, m: Owned| assert!(tx.try_send(black_box(m)).is_ok()),
        |rx, out, see| value!(see, rx.try_recv())
    );
    verb!(in_place, paths, "planted/not-copied", prepared());
    if let Some(path) = paths.last_mut() {
        path.copies = [true, true];
    }
    channel!(paths, spsc, ["spsc/try", tried] ["spsc/try/Copy", tried_plain] ["spsc/blocking", blocking] ["spsc/async", future]
        ["spsc/slice", slice] ["spsc/drain", drain] ["spsc/chunk", chunk] ["spsc/push", pushed]);
    verb!(in_place, paths, "spsc/in-place", prepared());
    channel!(paths, mpsc, ["mpsc/try", tried] ["mpsc/blocking", blocking] ["mpsc/async", future]
        ["mpsc/slice", slice] ["mpsc/drain", drain]);
    channel!(paths, fan_in, ["fan_in/try", tried]  ["fan_in/blocking", blocking]
        ["fan_in/async", future] ["fan_in/slice", slice] ["fan_in/drain", drain] ["fan_in/chunk", chunk] ["fan_in/push", pushed]);
    path!(
        paths,
        "fan_in/from",
        [true, true],
        fan_in::channel(CAPACITY).expect("memory for a channel"),
        |tx, m: Owned| assert!(tx.try_send(m).is_ok()),
        |rx, out, see| value!(see, rx.try_recv_from(), numbered)
    );
    path!(
        paths,
        "mesh/try",
        [true, true],
        shards(),
        |a, m: Owned| assert!(a.try_send_to(1, m).is_ok()),
        |b, out, see| value!(see, b.try_recv(), numbered)
    );
    path!(
        paths,
        "mesh/poll",
        [true, true],
        shards(),
        |a, m: Owned| assert!(a.try_send_to(1, m).is_ok()),
        |b, out, see| _ = b.poll(1, |_, message| see(&message.0))
    );
    verb!(tried, paths, "shm-spsc/try", mapped());
    verb!(tried_plain, paths, "shm-spsc/try/Copy", mapped());
    verb!(blocking, paths, "shm-spsc/blocking", mapped());
    verb!(taken_by, paths, "shm-spsc/with", mapped());
    verb!(slice, paths, "shm-spsc/slice", mapped());
    verb!(drain, paths, "shm-spsc/drain", mapped());
    verb!(pushed, paths, "shm-spsc/push", mapped());
    verb!(tried, paths, "shm-fan_in/try", lanes());
    verb!(blocking, paths, "shm-fan_in/blocking", lanes());
    paths
}

/// Runs all of them; the counting process reads the stores.
///
/// # Errors
/// The kernel has no `membarrier`: other code would run.
pub(crate) fn run() -> Result<(), String> {
    if !ringmail::init() {
        return Err("no membarrier here: channels fall back to fences".into());
    }
    announce().map_err(|e| format!("saying where the marks are: {e}"))?;
    for path in all() {
        path.run.iter().for_each(|run| run());
    }
    Ok(())
}
