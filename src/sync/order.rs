//! Every memory ordering of the ring and the event count, by name, each with its partner.
//!
//! | site | ordering | partner | what the pair carries |
//! |---|---|---|---|
//! | [`publish_tail`] | Release | [`observe_tail`] | the values written before `tail` moved |
//! | [`close_tail`] | Release | [`observe_tail`] | the values before a close: position and close are one word |
//! | [`observe_tail`] | Acquire | [`publish_tail`], [`close_tail`] | |
//! | [`publish_head`] | Release | [`observe_head`] | the values before `head` are out, their slots may be overwritten |
//! | [`observe_head`] | Acquire | [`publish_head`] | |
//! | [`retire`] | AcqRel | [`come_late`] | the consumer's whole role, `head` too: the sender owns what is left |
//! | [`come_late`] | AcqRel | [`retire`] | the last message: a consumer that retires after it takes it |
//! | [`publish_stamp`] | Release | [`observe_stamp`] | one value of an `mpsc` ring |
//! | [`observe_stamp`] | Acquire | [`publish_stamp`] | |
//! | [`free_head`] | Release | [`find_head`] | the values before `head` of an `mpsc` ring are out |
//! | [`find_head`] | Acquire | [`free_head`] | and every claim before it: a fresh look at `tail` is not behind |
//! | [`claim_tail`] | Release | [`observe_claim`] | the `head` that a claim relied on: a look at `head` is not behind it |
//! | [`observe_claim`] | Acquire | [`claim_tail`] | |
//! | [`leave_senders`] | AcqRel | itself | the claims of the senders that left earlier, for the last one |
//! | [`end_tail`] | Release | [`observe_end`] | the claims of all senders: `tail` is final |
//! | [`observe_end`] | Acquire | [`end_tail`] | |
//! | [`give_up_head`] | Release | [`take_over_head`] | an `mpsc` receiver's role, and that of an heir |
//! | [`take_over_head`] | Acquire | [`give_up_head`], [`ask_drop_owner`] | |
//! | [`ask_drop_owner`] | AcqRel | [`take_over_head`], [`give_up_head`] | the stamp of a message that whoever reads may have passed by |
//! | [`push_stack`] | Release | [`take_stack`] | what was put on a pile |
//! | [`take_stack`] | Acquire | [`push_stack`] | |
//! | [`give_up_share`] | Release | [`take_last_share`], [`sole_share`] | what an owner did with a shared value, before another drops or changes it |
//! | [`take_last_share`] | Acquire | [`give_up_share`] | |
//! | [`sole_share`] | Acquire | [`give_up_share`] | |
//! | [`leave_lanes`] | AcqRel | [`observe_lanes_end`] | the last words of the lanes of senders that left |
//! | [`observe_lanes_end`] | Acquire | [`leave_lanes`] | |
//! | [`begin_session`] | Release | [`see_session`] | that the lock is taken: who asks the kernel then is not told "nobody" of an earlier time |
//! | [`see_session`] | Acquire | [`begin_session`] | |
//! | [`write_entry`] | Release | [`read_entry`] | an entry of the table of sessions, that it is being written over, and all that the session did whose end it says |
//! | [`read_entry`] | Acquire | [`write_entry`] | |
//! | [`name_bell`] | Release | [`find_bell`] | which event count a side sleeps by, for whoever sees that it sleeps by one |
//! | [`find_bell`] | Acquire | [`name_bell`] | |
//! | [`announce`] | Release | [`answer`] | the waker that was registered before WAITING was set |
//! | [`answer`] | Acquire | [`announce`] | |
//! | [`see_waiting`] | Acquire | [`announce`] | what the sleeper noted that it waits for |
//! | [`leave_waker`] | Release | [`hold_waker`], [`take_waker`] | the waker in the cell, or that it is out |
//! | [`hold_waker`] | Acquire | [`leave_waker`] | |
//! | [`take_waker`] | AcqRel | [`leave_waker`], [`hear_taker`], itself | all that a ringer did before, for a sleeper that it meets in the cell |
//! | [`hear_taker`] | Acquire | [`take_waker`] | |
//!
//! Relaxed on purpose: the look at the `gone` word (it carries no data; whoever acts on it goes on with `come_late`), the count of leavers in
//! a event count (either the leaver's barrier comes first, and then the `gone` word is seen too, or its last look sees the message),
//! the look at a event count after a publish (the barrier before it is its order), a side's reads of its own words, and
//! every statistic.
//!
//! Fences, in `wait::barrier`: the ringer's light barrier pairs with the sleeper's heavy one; where a event count is FENCED, the
//! ringer's fence pairs with the sleeper's fence. Between processes, in `session`: the fence of one that begins pairs with the first of
//! one that is about to sleep.
//!
//! In a normal build each name is a constant; [`order!`] gives it. Under loom each asks whether the running model weakened its [`Site`],
//! so one build runs every mutant, and a mutant that no model kills is a hole in the proof.

use crate::sync::Ordering;

/// The sites, in one list: the enum and [`Site::ALL`] are made of it.
#[cfg(ringmail_loom)]
macro_rules! sites {
    ($($(#[$doc:meta])* $site:ident,)*) => {
        /// A place of the protocol that a mutant can break.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[allow(missing_docs, reason = "the names say it")]
        pub enum Site {
            $($(#[$doc])* $site,)*
        }

        impl Site {
            /// Every site, so that a test can insist that each is either killed or excused.
            pub const ALL: [Site; [$(Site::$site),*].len()] = [$(Site::$site),*];
        }
    };
}

#[cfg(ringmail_loom)]
sites! {
    PublishTail,
    CloseTail,
    ObserveTail,
    PublishHead,
    ObserveHead,
    Retire,
    ComeLate,
    PublishStamp,
    ObserveStamp,
    FreeHead,
    FindHead,
    ClaimTail,
    ObserveClaim,
    LeaveSenders,
    EndTail,
    ObserveEnd,
    GiveUpHead,
    TakeOverHead,
    AskDropOwner,
    PushStack,
    TakeStack,
    GiveUpShare,
    TakeLastShare,
    SoleShare,
    LeaveLanes,
    ObserveLanesEnd,
    BeginSession,
    SeeSession,
    WriteEntry,
    ReadEntry,
    NameBell,
    FindBell,
    Announce,
    Answer,
    SeeWaiting,
    /// What the waker cell orders by itself, all of it.
    WakerCell,
    LeaveWaker,
    HoldWaker,
    TakeWaker,
    HearTaker,
    /// A waker that meets a ringer in the cell is woken.
    WakeRefused,
    /// A wait that a panic ends is taken back.
    PanicLeaves,
    /// The ringer's barrier between publishing and looking at the event.
    LightBarrier,
    /// The sleeper's barrier between announcing and looking again, event count not FENCED.
    HeavyBarrier,
    /// The ringer's fence of a FENCED event.
    RingFence,
    /// The ringer's second look at the state, behind that fence.
    RingReload,
    /// The sleeper's fence of a FENCED event.
    SleepFence,
    /// The sleeper's second look at the ring.
    LookAgain,
    /// A ringer that clears the whole state, FENCED too, instead of WAITING alone.
    SwapState,
    /// An announcement is renewed only where no other can stand in its place.
    RenewOwn,
    /// A second waiter of a event count wakes the one that it replaces.
    WakeReplaced,
    /// A waiter that replaces its own waker does not wake itself, whatever `will_wake` says.
    WakeSelf,
    /// A waiter that leaves a event count wakes the one whose announcement it takes back.
    HandOver,
    /// A sender that closes rings.
    SenderCloseRings,
    /// A receiver that closes rings.
    ReceiverCloseRings,
    /// The fence between joining the queue and looking again.
    JoinFence,
    /// Who was called up and leaves has another called in its stead.
    PassCallOn,
    /// The fence between opening a lane and looking whether the receiver has gone.
    OpenFence,
    /// An inherited ring is marked empty before its values drop.
    TakeOverStore,
    /// A receiver notes which message it waits for before it announces itself.
    NoteAwaited,
    /// An announcement is renewed only for the same wait.
    RenewSame,
    /// Claims that are given up ring.
    TombstoneRings,
    /// A sender whose `tail` is behind its fresh `head` reads `tail` again.
    StaleTail,
    /// A receiver that passed a tombstone while it waited notes and announces anew.
    WaitAnew,
    /// One sender at a time drops what a receiver left behind.
    OneDropOwner,
    /// Who leaves the front of the queue wakes the next.
    LeaveWakes,
    /// A receiver that is about to sleep calls up a sender behind the first.
    CallUp,
    /// A sender behind the first looks again once it stands in the queue.
    LookAfterJoin,
    /// A receiver that polls without sleeping calls one up too, now and then.
    CallUpIdle,
    /// Where none but futures wait behind the first, all of them are called up.
    CallOne,
    /// A sender that leaves a future in front of an empty ring calls up.
    LeftLooks,
    /// A receiver that asks whether the ring is empty calls up if it is: it may poll by that alone.
    EmptyCallsUp,
    /// One that is about to sleep on a event count of the user's calls up.
    BellCallsUp,
    /// A receiver that closes wakes all that stand in the queue.
    CloseCallsAll,
    /// The last sender of a `fan_in` channel rings once no sender is left.
    LastLaneRings,
    /// Between processes: the barrier between a publication and the look for a sleeper.
    NapLight,
    /// Between processes: the barrier between an announcement and the look before the sleep.
    NapHeavy,
    /// Between processes: a sleeper says which position it waits for.
    NapAwaited,
    /// A sleeper that is FENCED fences between its announcement and its look.
    NapFence,
    /// A sleeper that sleeps often says so in its word.
    NapFenced,
    /// Between processes: one that begins, and fences no more, fences after it has said so.
    BeginFence,
    /// Between processes: a sleeper fences between its announcement and the question whether the other side fences.
    AskFence,
    /// Between processes: which session it is about is read before the kernel is asked.
    SessionFirst,
    /// Between processes: the ring is looked at once more after a session was found to be over.
    OverLooks,
    /// Between processes: the ring is looked at once more after the kernel said that nobody is there.
    LookAtLast,
    /// An endpoint of a mesh looks at its lanes after it armed its event.
    ArmLooks,
    /// An endpoint that polls looks at its lanes after it had its event count watch.
    WatchLooks,
    /// A shard that panics says so before its lanes close.
    CauseFirst,
    /// An endpoint that announced itself looks whether a seat was given up.
    GivenUpLooks,
    /// A verb that took the event count from a task wakes that.
    HandBack,
    /// An endpoint that leaves refuses messages before it closes.
    LeaveRefuses,
    /// A lane of calls has room for all answers beside all requests.
    RoomForAnswers,
    /// Calls to a peer whose lane is over fail.
    EndFailsCalls,
    /// An endpoint that waits for an answer looks for lanes that are over, too.
    EndEndsWait,
    /// A pool that ends closes its pile.
    ClosePool,
    /// A receiver that leaves has its event count say so.
    LeaveTells,
    /// A receiver that leaves passes a barrier before its last look.
    LeaveBarrier,
    /// A sender whose event count says that a receiver has left looks whether it is its own.
    LateLooks,
    /// A receiver that retires looks again if its sender was late.
    RetireLooks,
    /// Whoever reads a ring without a receiver looks again if a sender was late.
    DropOwnerLooks,
}

#[cfg(ringmail_loom)]
std::thread_local! {
    // Loom runs every modelled thread on the thread that called `loom::model`, so all of them see this switch.
    // One bit a site.
    static WEAKENED: core::cell::Cell<u128> = const { core::cell::Cell::new(0) };
}

/// Runs `model` with `site` broken, and whatever an outer call broke.
#[cfg(ringmail_loom)]
pub fn with_mutant<R>(site: Site, model: impl FnOnce() -> R) -> R {
    struct Restore(u128);
    impl Drop for Restore {
        fn drop(&mut self) {
            WEAKENED.set(self.0);
        }
    }
    let before = WEAKENED.get();
    let _restore = Restore(before);
    WEAKENED.set(before | 1 << site as u32);
    model()
}

/// Whether the running model broke `site`.
#[cfg(ringmail_loom)]
pub(crate) fn weakened(site: Site) -> bool {
    WEAKENED.get() & 1 << site as u32 != 0
}

/// `true` when the running model broke this site; a plain `false` in every build that ships.
macro_rules! mutant {
    ($site:ident) => {{
        #[cfg(ringmail_loom)]
        let broken = $crate::sync::order::weakened($crate::sync::order::Site::$site);
        #[cfg(not(ringmail_loom))]
        let broken = false;
        broken
    }};
}
pub(crate) use mutant;

/// The ordering of a site: a constant, or in a model what the running mutant has left of it.
macro_rules! order {
    ($name:ident) => {{
        #[cfg(ringmail_loom)]
        let order = $crate::sync::order::$name();
        #[cfg(not(ringmail_loom))]
        let order = $crate::sync::order::$name;
        order
    }};
}
pub(crate) use order;

macro_rules! orders {
    ($($(#[$cfg:meta])* $name:ident = $order:ident, $site:ident;)*) => {
        $(
            $(#[$cfg])*
            #[cfg(not(ringmail_loom))]
            #[allow(non_upper_case_globals, reason = "a function in the models")]
            pub(crate) const $name: Ordering = Ordering::$order;

            $(#[$cfg])*
            #[cfg(ringmail_loom)]
            pub(crate) fn $name() -> Ordering {
                if weakened(Site::$site) { Ordering::Relaxed } else { Ordering::$order }
            }
        )*
    };
}

orders! {
    #[cfg(not(ringmail_planted_race))]
    publish_tail = Release, PublishTail;
    // Wrong on purpose: `verify/stress/tsan` shows with it that ThreadSanitizer would notice.
    #[cfg(ringmail_planted_race)]
    publish_tail = Relaxed, PublishTail;
    close_tail = Release, CloseTail;
    observe_tail = Acquire, ObserveTail;
    publish_head = Release, PublishHead;
    observe_head = Acquire, ObserveHead;
    retire = AcqRel, Retire;
    come_late = AcqRel, ComeLate;
    #[cfg(not(ringmail_planted_race))]
    publish_stamp = Release, PublishStamp;
    #[cfg(ringmail_planted_race)]
    publish_stamp = Relaxed, PublishStamp;
    observe_stamp = Acquire, ObserveStamp;
    free_head = Release, FreeHead;
    find_head = Acquire, FindHead;
    claim_tail = Release, ClaimTail;
    observe_claim = Acquire, ObserveClaim;
    leave_senders = AcqRel, LeaveSenders;
    end_tail = Release, EndTail;
    observe_end = Acquire, ObserveEnd;
    give_up_head = Release, GiveUpHead;
    take_over_head = Acquire, TakeOverHead;
    ask_drop_owner = AcqRel, AskDropOwner;
    push_stack = Release, PushStack;
    take_stack = Acquire, TakeStack;
    give_up_share = Release, GiveUpShare;
    take_last_share = Acquire, TakeLastShare;
    sole_share = Acquire, SoleShare;
    leave_lanes = AcqRel, LeaveLanes;
    observe_lanes_end = Acquire, ObserveLanesEnd;
    #[cfg(any(all(feature = "shm", target_os = "linux"), ringmail_loom))]
    begin_session = Release, BeginSession;
    #[cfg(any(all(feature = "shm", target_os = "linux"), ringmail_loom))]
    see_session = Acquire, SeeSession;
    #[cfg(any(all(feature = "shm", target_os = "linux"), ringmail_loom))]
    write_entry = Release, WriteEntry;
    #[cfg(any(all(feature = "shm", target_os = "linux"), ringmail_loom))]
    read_entry = Acquire, ReadEntry;
    #[cfg(any(all(feature = "shm", target_os = "linux"), ringmail_loom))]
    name_bell = Release, NameBell;
    #[cfg(any(all(feature = "shm", target_os = "linux"), ringmail_loom))]
    find_bell = Acquire, FindBell;
    #[cfg(feature = "std")]
    announce = Release, Announce;
    #[cfg(feature = "std")]
    answer = Acquire, Answer;
    #[cfg(feature = "std")]
    see_waiting = Acquire, SeeWaiting;
    #[cfg(feature = "std")]
    leave_waker = Release, LeaveWaker;
    #[cfg(feature = "std")]
    hold_waker = Acquire, HoldWaker;
    #[cfg(feature = "std")]
    take_waker = AcqRel, TakeWaker;
    #[cfg(feature = "std")]
    hear_taker = Acquire, HearTaker;
}
