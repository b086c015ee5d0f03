//! The verbs: one entry of `paths!` each.

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use ringmail::mesh::{self, Endpoint};
use ringmail::{Flavor, Receiver, Sender, fan_in, mpsc, shm, spsc};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::mark::{Mark, announce, mark};

/// Sizes in bytes. The first is what a message costs apart from its copies.
const SIZES: [usize; 4] = [8, 64, 4096, 65536];

/// The sizes that this run counts: without the largest, which takes most of the time, if `RINGMAIL_BYTES_QUICK` is set.
pub(crate) fn sizes() -> &'static [usize] {
    if std::env::var_os("RINGMAIL_BYTES_QUICK").is_some() { &SIZES[..SIZES.len() - 1] } else { &SIZES }
}

/// Messages of a round.
pub(crate) const MESSAGES: u64 = 2;
/// Each path and size runs so often, and the last time counts: first uses are not what is asked.
pub(crate) const ROUNDS: usize = 2;
const CAPACITY: usize = 8;

/// A verb to send by and one to receive by.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) name: &'static str,
    /// How often a send stores the message at most, and how often a receive does, in the build that stores it more often: with what the program and the
    /// compiler move around the verb.
    pub(crate) copies: [u64; 2],
    /// One for each size.
    run: [fn(); SIZES.len()],
}

impl Path {
    /// How often the message is stored at least: once, if at all. Of the floor, as often as it says.
    pub(crate) fn least(&self, side: usize) -> u64 {
        if self.name == "floor/by-value" { self.copies[side] } else { self.copies[side].min(1) }
    }
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
        $paths.push(Path { name: $name, copies: $copies, run: [run::<1>, run::<8>, run::<512>, run::<8192>] });
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
        path!($paths, $name, [2, 3], $pair, |tx, m: Owned| assert!(tx.try_send(m).is_ok()), |rx, out, see| value!(
            see,
            rx.try_recv()
        ));
    };
    (blocking, $paths:ident, $name:literal, $pair:expr) => {
        path!($paths, $name, [3, 3], $pair, |tx, m: Owned| assert!(tx.send(m).is_ok()), |rx, out, see| value!(
            see,
            rx.recv()
        ));
    };
    (future, $paths:ident, $name:literal, $pair:expr) => {
        path!(
            $paths,
            $name,
            [4, 4],
            $pair,
            |tx, m: Owned| assert!(ready(tx.send_async(m)).is_ok()),
            |rx, out, see| value!(see, ready(rx.recv_async()))
        );
    };
    (slice, $paths:ident, $name:literal, $pair:expr) => {
        path!(
            $paths,
            $name,
            [1, 1],
            $pair,
            |tx, m: Slice| assert_eq!(tx.try_send_slice(&m), Ok(m.len())),
            |rx, out, see| {
                assert_eq!(rx.try_recv_many(out, out.capacity()), Ok(MESSAGES as usize));
                out.iter().for_each(|message| see(&message.0));
            }
        );
    };
    // A closure takes the message by value.
    (drain, $paths:ident, $name:literal, $pair:expr) => {
        path!(
            $paths,
            $name,
            [1, 2],
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
            [1, 0],
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
            [1, 3],
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
        path!($paths, $name, [0, 0], $pair, |tx, m: Owned| written_in_place(tx, &m), |rx, out, see| {
            let Ok(chunk) = rx.read_chunk(1) else { panic!("a message is there") };
            chunk.iter().for_each(|message| see(&message.0));
            chunk.commit_all();
        });
    };
    // Copied once on each side, whatever the program does with its variables.
    (by_reference, $paths:ident, $name:literal, $pair:expr) => {
        path!($paths, $name, [1, 1], $pair, |tx, m: Plain| assert!(tx.try_send_ref(&m).is_ok()), |rx, out, see| {
            let mut target = MaybeUninit::uninit();
            let Ok(message) = rx.try_recv_into(&mut target) else { panic!("a message is there") };
            see(&message.0);
        });
    };
    (by_closures, $paths:ident, $name:literal, $pair:expr) => {
        path!(
            $paths,
            $name,
            [0, 0],
            prepared($pair),
            |tx, m: Owned| written_by_closure(tx, &m),
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

/// As [`written_in_place`], of any channel.
#[inline(always)]
fn written_by_closure<const W: usize, S: Flavor>(tx: &mut Sender<Owned<W>, S>, message: &Owned<W>) {
    let sent = tx.try_send_with(|mut place| {
        let words: *mut u64 = place.as_uninit().as_mut_ptr().cast();
        for word in [0, W - 1] {
            // SAFETY: a message is `W` words from there on.
            unsafe { words.wrapping_add(word).write(message.0[word]) };
        }
        // SAFETY: its memory was zeroed by `prepared`, and its ends are written: all words are.
        unsafe { place.assume_written() }
    });
    assert!(sent.is_ok());
}

/// The channel, once all its places have held words.
fn prepared<const W: usize, S: Flavor>(
    (mut tx, mut rx): (Sender<Owned<W>, S>, Receiver<Owned<W>, S>),
) -> (Sender<Owned<W>, S>, Receiver<Owned<W>, S>) {
    for _ in 0..CAPACITY {
        assert!(tx.try_send(Owned([0; W])).is_ok());
    }
    assert_eq!(rx.drain(CAPACITY, drop), CAPACITY);
    (tx, rx)
}

/// No channel, but what passing a message by value costs: the places of a round, behind two functions that the compiler does not look into. The program
/// moves its variable to an argument, and the answer out of a `Result`.
struct Floor<const W: usize> {
    places: Vec<MaybeUninit<Owned<W>>>,
    put: usize,
    taken: usize,
}

impl<const W: usize> Floor<W> {
    fn pair() -> (*mut Self, *mut Self) {
        let places = (0..MESSAGES).map(|_| MaybeUninit::uninit()).collect();
        let floor = Box::into_raw(Box::new(Self { places, put: 0, taken: 0 }));
        (floor, floor)
    }

    #[inline(never)]
    fn put(floor: *mut Self, message: Owned<W>) -> Result<(), Owned<W>> {
        // SAFETY: from `pair`, and this thread alone has it.
        let floor = unsafe { &mut *floor };
        if black_box(false) {
            return Err(message);
        }
        let place = floor.put % floor.places.len();
        floor.places[place].write(message);
        floor.put += 1;
        Ok(())
    }

    #[inline(never)]
    fn take(floor: *mut Self) -> Result<Owned<W>, ()> {
        // SAFETY: from `pair`, and this thread alone has it.
        let floor = unsafe { &mut *floor };
        if floor.taken == floor.put {
            return Err(());
        }
        let place = floor.taken % floor.places.len();
        floor.taken += 1;
        // SAFETY: `put` came before.
        Ok(unsafe { floor.places[place].assume_init_read() })
    }
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
        [1, 1],
        spsc::channel(CAPACITY).expect("memory for a channel"),
        |tx, m: Owned| assert!(tx.try_send(black_box(m)).is_ok()),
        |rx, out, see| value!(see, rx.try_recv())
    );
    verb!(in_place, paths, "planted/not-copied", prepared(spsc::channel(CAPACITY).expect("memory for a channel")));
    if let Some(path) = paths.last_mut() {
        path.copies = [1, 1];
    }
    // What a verb by value is held to.
    path!(
        paths,
        "floor/by-value",
        [2, 2],
        Floor::pair(),
        |floor, m: Owned| assert!(Floor::put(*floor, m).is_ok()),
        |floor, out, see| value!(see, Floor::take(*floor))
    );
    path!(
        paths,
        "floor/async",
        [2, 4],
        Floor::pair(),
        |floor, m: Owned| assert!(ready(async { Floor::put(*floor, m) }).is_ok()),
        |floor, out, see| value!(see, ready(async { Floor::take(*floor) }))
    );
    channel!(paths, spsc, ["spsc/try", tried] ["spsc/blocking", blocking] ["spsc/async", future]
        ["spsc/slice", slice] ["spsc/drain", drain] ["spsc/chunk", chunk] ["spsc/push", pushed] ["spsc/reference", by_reference]
        ["spsc/closures", by_closures]);
    verb!(in_place, paths, "spsc/in-place", prepared(spsc::channel(CAPACITY).expect("memory for a channel")));
    channel!(paths, mpsc, ["mpsc/try", tried] ["mpsc/blocking", blocking] ["mpsc/async", future]
        ["mpsc/slice", slice] ["mpsc/drain", drain] ["mpsc/reference", by_reference] ["mpsc/closures", by_closures]);
    channel!(paths, fan_in, ["fan_in/try", tried]  ["fan_in/blocking", blocking]
        ["fan_in/async", future] ["fan_in/slice", slice] ["fan_in/drain", drain] ["fan_in/chunk", chunk] ["fan_in/reference", by_reference]
        ["fan_in/closures", by_closures]);
    path!(
        paths,
        "fan_in/from",
        [2, 5],
        fan_in::channel(CAPACITY).expect("memory for a channel"),
        |tx, m: Owned| assert!(tx.try_send(m).is_ok()),
        |rx, out, see| value!(see, rx.try_recv_from(), numbered)
    );
    path!(
        paths,
        "mesh/try",
        [2, 3],
        shards(),
        |a, m: Owned| assert!(a.try_send_to(1, m).is_ok()),
        |b, out, see| value!(see, b.try_recv(), numbered)
    );
    path!(paths, "mesh/poll", [2, 2], shards(), |a, m: Owned| assert!(a.try_send_to(1, m).is_ok()), |b, out, see| _ =
        b.poll(1, |_, message| see(&message.0)));
    verb!(tried, paths, "shm-spsc/try", mapped());
    verb!(blocking, paths, "shm-spsc/blocking", mapped());
    verb!(by_reference, paths, "shm-spsc/reference", mapped());
    path!(
        paths,
        "shm-spsc/closures",
        [0, 0],
        mapped::<Owned<W>>(),
        |tx, m: Owned| {
            let ends = [m.0[0], m.0[W - 1]];
            assert!(tx.try_send_with(|message| [message.0[0], message.0[W - 1]] = ends).is_ok());
        },
        // SAFETY: the sender is of this program.
        |rx, out, see| assert!(unsafe { rx.try_recv_in_place(|message| see(&message.0)) }.is_ok())
    );
    verb!(slice, paths, "shm-spsc/slice", mapped());
    path!(
        paths,
        "shm-spsc/drain",
        [1, 3],
        mapped(),
        |tx, m: Slice| assert!(tx.send_slice(&m).is_ok()),
        |rx, out, see| assert_eq!(rx.drain(MESSAGES as usize, |message| see(&message.0)), MESSAGES as usize)
    );
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
        path.run[..sizes().len()].iter().for_each(|run| run());
    }
    Ok(())
}
