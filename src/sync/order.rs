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
//! | [`stamp_message`] | Release | [`observe_message`] | one message of a stamped ring |
//! | [`observe_message`] | Acquire | [`stamp_message`] | |
//! | [`publish_newest`] | Release | [`observe_newest`] | the stamp of the newest message of a stamped ring |
//! | [`observe_newest`] | Acquire | [`publish_newest`] | |
//! | [`end_messages`] | Release | [`observe_messages_end`] | the stamps of all messages of a stamped ring |
//! | [`observe_messages_end`] | Acquire | [`end_messages`] | |
//! | [`free_head`] | Release | [`find_head`] | the values before `head` of an `mpsc` ring are out |
//! | [`find_head`] | Acquire | [`free_head`] | and every claim before it: a fresh look at `tail` is not behind |
//! | [`share_head`] | Release | [`find_shared_head`] | a `head` that one thread has found, for the others that use the same sender |
//! | [`find_shared_head`] | Acquire | [`share_head`] | |
//! | [`claim_tail`] | Release | [`observe_claim`] | the `head` that a claim relied on: a look at `head` is not behind it |
//! | [`observe_claim`] | Acquire | [`claim_tail`] | |
//! | [`leave_senders`] | AcqRel | itself | the claims of the senders that left earlier, for the last one |
//! | [`end_tail`] | Release | [`observe_end`] | the claims of all senders: `tail` is final |
//! | [`observe_end`] | Acquire | [`end_tail`] | |
//! | [`give_up_head`] | Release | [`take_over_head`] | the role of an `mpsc` ring's reader |
//! | [`take_over_head`] | Acquire | [`give_up_head`], [`ask_drop_owner`] | |
//! | [`ask_drop_owner`] | AcqRel | [`take_over_head`], [`give_up_head`] | the stamp of a message that the reader may have passed |
//! | [`push_stack`] | Release | [`take_stack`] | what was pushed on a stack |
//! | [`take_stack`] | Acquire | [`push_stack`] | |
//! | [`give_up_share`] | Release | [`take_last_share`], [`sole_share`] | what an owner did with a shared value, before another drops or changes it |
//! | [`take_last_share`] | Acquire | [`give_up_share`] | |
//! | [`sole_share`] | Acquire | [`give_up_share`] | |
//! | [`leave_lanes`] | AcqRel | [`observe_lanes_end`] | the last words of the lanes of senders that left |
//! | [`observe_lanes_end`] | Acquire | [`leave_lanes`] | |
//! | [`publish_cast`] | Release | [`observe_cast`] | the values of a broadcast before `tail` moved |
//! | [`close_cast`] | Release | [`observe_cast`] | the values before the close of a broadcast |
//! | [`observe_cast`] | Acquire | [`publish_cast`], [`close_cast`] | |
//! | [`commit_seat`] | Release | [`see_commit`] | a consumer's reads before its head, for the producer that writes there again; what it did, for followers |
//! | [`see_commit`] | Acquire | [`commit_seat`] | |
//! | [`leave_seat`] | Release | [`see_seat`], [`take_seat`] | all reads of a consumer that gave its seat up |
//! | [`see_seat`] | Acquire | [`leave_seat`], [`live_seat`] | |
//! | [`live_seat`] | Release | [`see_seat`] | where a consumer that joined begins |
//! | [`tell_change`] | Release | the fence of the producer's survey | the state of the seat that came or went: a look that counts the change sees it |
//! | [`take_seat`] | Acquire | [`leave_seat`] | and the head of the seat, for the next owner, who publishes it anew |
//! | [`desert`] | Release | [`see_deserted`] | that nothing is read any more: the producer drops the values |
//! | [`see_deserted`] | Acquire | [`desert`] | |
//! | [`begin_session`] | Release | [`see_session`] | that the lock is taken: the kernel does not give the asker the answer "not held" of an earlier time; where a broadcast's receiver begins |
//! | [`see_session`] | Acquire | [`begin_session`] | |
//! | [`write_entry`] | Release | [`read_entry`] | an entry of the table of sessions, that it is being written over, and all that the session did whose end it says |
//! | [`read_entry`] | Acquire | [`write_entry`] | |
//! | [`name_descriptor`] | Release | [`find_descriptor`] | which event count a side sleeps by, for the side that sees that it sleeps by one |
//! | [`find_descriptor`] | Acquire | [`name_descriptor`] | |
//! | [`wake_shard`] | Release | [`see_wakes`] | what a thread without a seat did before it woke a shard |
//! | [`see_wakes`] | Acquire | [`wake_shard`] | |
//! | [`prepare_wait`] | Release | [`clear_waiting`] | the waker that was registered before WAITING was set |
//! | [`clear_waiting`] | Acquire | [`prepare_wait`] | |
//! | [`see_waiting`] | Acquire | [`prepare_wait`] | what the waiter noted that it waits for |
//! | [`release_waker`] | Release | [`hold_waker`], [`take_waker`] | the waker in the cell, or that it is out |
//! | [`hold_waker`] | Acquire | [`release_waker`] | |
//! | [`take_waker`] | AcqRel | [`release_waker`], [`observe_taker`], itself | all that a notifier did before, for a waiter that it meets in the cell |
//! | [`observe_taker`] | Acquire | [`take_waker`] | |
//!
//! Relaxed on purpose:
//!
//! * the load of the `gone` word: it carries no data, and a side that acts on it goes on with `come_late`;
//! * the count of departures in an event count: either the barrier of the receiver that leaves comes first, and then `gone` is seen too, or the
//!   receiver's last look sees the message;
//! * the load of an event count after a publication: the barrier before it orders it;
//! * the odd stamp and the words of a message of a stamped ring, and the second look at a stamp: the two fences between them order them;
//! * the counts by which a broadcast's handles say that a seat, or a follower, came or went: they say where to look;
//! * a side's loads of its own words, and every statistic.
//!
//! Fences, in `wait::asymmetric_fence`: the notifier's light barrier pairs with the waiter's heavy one. Where an event count is FENCED, the
//! notifier's fence pairs with the waiter's fence. Between processes, in `session`: the fence of a session that begins pairs with the first fence of
//! a side that is about to sleep. In a stamped ring (`ring::stamped`) the Release fence
//! behind an odd stamp pairs with the Acquire fence before the second look: a reader that copied a word of a later message sees its odd stamp.
//!
//! In a normal build each name is a constant; [`order!`] gives it. Under loom each asks whether the running model weakened its [`Site`],
//! so one build runs every mutant. If no model kills a mutant, the proof has a hole.

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
    StampMessage,
    ObserveMessage,
    PublishNewest,
    ObserveNewest,
    EndMessages,
    ObserveMessagesEnd,
    /// A stamp is odd while its message is written.
    StampOdd,
    /// The fence between an odd stamp and the words of its message.
    StampFence,
    /// The fence between the words of a message and the second look at its stamp.
    LookFence,
    /// The second look at the stamp of a message.
    LookTwice,
    /// `begun` is stored before the copy of the newest message is written.
    NewestBegun,
    /// The fence between the two.
    NewestFence,
    /// The fence between the second look at a stamp and what a reader that was overrun does by it.
    LostFence,
    /// A reader's look for the newest message goes by what it has seen as well.
    NewestNotOlder,
    /// The fence between the words of a copy and the look at `begun`.
    NewestLookFence,
    /// That look.
    NewestLooks,
    /// A writer that comes after another finds the messages behind `tail`.
    ResumeScan,
    /// The fence between a stamp that was seen last and the look at how many messages were published, of a reader that believes neither.
    SkipFence,
    FreeHead,
    FindHead,
    ShareHead,
    FindSharedHead,
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
    NameDescriptor,
    FindDescriptor,
    WakeShard,
    SeeWakes,
    PrepareWait,
    ClearWaiting,
    SeeWaiting,
    /// What the waker cell orders by itself, all of it.
    WakerCell,
    ReleaseWaker,
    HoldWaker,
    TakeWaker,
    ObserveTaker,
    /// A waker that meets a notifier in the cell is woken.
    WakeRefused,
    /// A wait that a panic ends is taken back.
    PanicLeaves,
    /// The notifier's barrier between the publication and the load of the event count.
    LightBarrier,
    /// The waiter's barrier between the announcement and its second look, event count not FENCED.
    HeavyBarrier,
    /// The notifier's fence of a FENCED event count.
    NotifyFence,
    /// The notifier's second load of the state, behind that fence.
    NotifyReload,
    /// The waiter's fence of a FENCED event count.
    SleepFence,
    /// The waiter's second look at the ring.
    LookAgain,
    /// A notifier clears WAITING alone, not the whole state with FENCED.
    SwapState,
    /// An announcement is renewed only where no other can stand in its place.
    RenewOwn,
    /// A second waiter of an event count wakes the one that it replaces.
    WakeReplaced,
    /// A waiter that replaces its own waker does not wake itself, also where `will_wake` says no.
    WakeSelf,
    /// A waiter that leaves an event count wakes the one whose announcement it takes back.
    HandOver,
    /// A sender that closes notifies.
    SenderCloseNotifies,
    /// A receiver that closes notifies.
    ReceiverCloseNotifies,
    /// The fence between joining the queue and looking again.
    JoinFence,
    /// A waiter that was woken and leaves wakes another in its place.
    PassWakeOn,
    /// The fence between opening a lane and looking whether the receiver has gone.
    OpenFence,
    /// A ring that a sender takes over is marked empty before its values drop.
    TakeOverStore,
    /// A receiver notes which message it waits for before it announces itself.
    NoteAwaited,
    /// An announcement is renewed only for the same wait.
    RenewSame,
    /// Claims that are given up notify.
    TombstoneNotifies,
    /// A sender whose `tail` is behind its fresh `head` reads `tail` again.
    StaleTail,
    /// A receiver that passed a tombstone while it waited notes and announces anew.
    WaitAnew,
    /// One sender at a time drops what a receiver left behind.
    OneDropOwner,
    /// A waiter that leaves the front of the queue wakes the next.
    LeaveWakes,
    /// A receiver that is about to sleep wakes a sender behind the first.
    WakeBehind,
    /// A sender behind the first looks again once it stands in the queue.
    LookAfterJoin,
    /// A receiver that polls without sleeping wakes one too, after some empty answers.
    WakeBehindIdle,
    /// Where only futures wait behind the first, all of them are woken.
    WakeAllFutures,
    /// A sender that leaves a future in front of an empty ring wakes one behind it.
    LeaveWakesBehind,
    /// A receiver that asks whether the ring is empty wakes one if it is: it may poll by that alone.
    EmptyWakesBehind,
    /// A thread that is about to sleep on an event count of the user's wakes one.
    EventWakesBehind,
    /// A receiver that closes wakes all that stand in the queue.
    CloseWakesAll,
    /// A sender that waits for the close alone looks again once it stands in the list.
    WatchCloseLooks,
    /// A receiver that closes wakes those that wait for the close alone.
    CloseWakesClosers,
    /// A handle that was borrowed from a shared sender goes away if that was closed meanwhile.
    CloseTakesBorrowed,
    /// A shared sender that is closed wakes the tasks that wait for its end.
    SharedCloseWakes,
    /// The last sender of a `fan_in` channel notifies once no sender is left.
    LastLaneNotifies,
    /// A worker of a `fan_out` channel that joins wakes the sender.
    JoinWakesSender,
    /// What a worker leaves wakes the others.
    ReturnWakesWorkers,
    /// The last worker that finds its lane over wakes the others.
    EndWakesWorkers,
    /// A sender whose message came too late for a worker that leaves has it counted.
    LateCountsAgain,
    /// A worker looks for what others have left after it has looked at its lane, and takes that first.
    ReturnedFirst,
    /// A key that moves to a new worker waits until the others have received what was sent before that one joined.
    MarksFirst,
    /// Between processes: the barrier between a publication and the check for a waiter.
    ParkLight,
    /// Between processes: the barrier between an announcement and the look before the sleep.
    ParkHeavy,
    /// Between processes: a waiter says which position it waits for.
    ParkAwaited,
    /// A waiter that is FENCED fences between its announcement and its check.
    ParkFence,
    /// A side that sleeps often says so in its word.
    ParkFenced,
    /// A word is settled by a barrier of its own.
    ParkSettled,
    /// Between processes: one that begins, and fences no more, fences after it has said so.
    BeginFence,
    /// Between processes: a waiter fences between its announcement and the question whether the other side fences.
    AskFence,
    /// Between processes: which session it is about is read before the kernel is asked.
    SessionFirst,
    /// Between processes: the ring is looked at once more after a session was found to be over.
    OverLooks,
    /// Between processes: the ring is looked at once more after the kernel said that the other side is not held.
    LookAtLast,
    /// Between processes: one that takes what a worker left enters that one's death, and has the sender find the lane refused.
    LeftRefuses,
    /// Between processes: a worker is not told the sender's end while a lane holds a message.
    EndWaits,
    /// Between processes: a key that moves waits until what was sent before is received.
    KeyWaits,
    /// An endpoint of a mesh looks at its lanes after it armed its event count.
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
    /// A pool that ends closes its stack.
    ClosePool,
    /// An entry of the roll is sent home before its waker is taken.
    HomeFirst,
    /// A receiver that leaves has its event count say so.
    LeaveTells,
    /// A receiver that leaves passes a barrier before its last look.
    LeaveBarrier,
    /// A sender whose event count says that a receiver has left checks whether that is its own receiver.
    LateLooks,
    /// A receiver that retires looks again if its sender was late.
    RetireLooks,
    /// A sender that drops the rest of a ring without a receiver looks again if another was late.
    DropOwnerLooks,
    PublishCast,
    CloseCast,
    ObserveCast,
    CommitSeat,
    SeeCommit,
    LeaveSeat,
    SeeSeat,
    TakeSeat,
    LiveSeat,
    TellChange,
    Desert,
    SeeDeserted,
    /// The fence of a consumer that joins, between its seat and its second look at `tail`.
    SeatFence,
    /// Where there is no heavy barrier: the fence of a broadcast's handle between what it published and its look for those that wait.
    CastFence,
    /// A consumer that joins begins at a `tail` that it read after the fence.
    SecondLook,
    /// The fence of a producer between `tail` and its look at the seats.
    GateFence,
    SharedGateFence,
    LeftOutSession,
    /// A producer looks for new seats after it published.
    NewsLook,
    /// A consumer that has joined wakes a producer that waits for one.
    JoinNotifies,
    /// A consumer that gives its seat up wakes those that wait for it.
    LeaveSeatNotifies,
    /// A consumer that commits wakes those that come after it.
    WakeFollowers,
    /// A producer that closes wakes all consumers.
    CastCloseNotifies,
    /// The last handle that can receive wakes the producer.
    DesertNotifies,
}

#[cfg(ringmail_loom)]
std::thread_local! {
    // Loom runs every modelled thread on the thread that called `loom::model`, so all of them see this switch.
    static WEAKENED: core::cell::Cell<[bool; Site::ALL.len()]> = const { core::cell::Cell::new([false; Site::ALL.len()]) };
}

/// Runs `model` with `site` broken, and the sites that an outer call broke.
#[cfg(ringmail_loom)]
pub fn with_mutant<R>(site: Site, model: impl FnOnce() -> R) -> R {
    struct Restore([bool; Site::ALL.len()]);
    impl Drop for Restore {
        fn drop(&mut self) {
            WEAKENED.set(self.0);
        }
    }
    let before = WEAKENED.get();
    let _restore = Restore(before);
    let mut weakened = before;
    weakened[site as usize] = true;
    WEAKENED.set(weakened);
    model()
}

/// Whether the running model broke `site`.
#[cfg(ringmail_loom)]
pub(crate) fn weakened(site: Site) -> bool {
    WEAKENED.get()[site as usize]
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
    #[cfg(feature = "lossy")]
    stamp_message = Release, StampMessage;
    #[cfg(feature = "lossy")]
    observe_message = Acquire, ObserveMessage;
    #[cfg(feature = "lossy")]
    publish_newest = Release, PublishNewest;
    #[cfg(feature = "lossy")]
    observe_newest = Acquire, ObserveNewest;
    #[cfg(feature = "lossy")]
    end_messages = Release, EndMessages;
    #[cfg(feature = "lossy")]
    observe_messages_end = Acquire, ObserveMessagesEnd;
    free_head = Release, FreeHead;
    find_head = Acquire, FindHead;
    #[cfg(feature = "std")]
    share_head = Release, ShareHead;
    #[cfg(feature = "std")]
    find_shared_head = Acquire, FindSharedHead;
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
    #[cfg(not(ringmail_planted_race))]
    publish_cast = Release, PublishCast;
    #[cfg(ringmail_planted_race)]
    publish_cast = Relaxed, PublishCast;
    close_cast = Release, CloseCast;
    observe_cast = Acquire, ObserveCast;
    commit_seat = Release, CommitSeat;
    see_commit = Acquire, SeeCommit;
    leave_seat = Release, LeaveSeat;
    see_seat = Acquire, SeeSeat;
    take_seat = Acquire, TakeSeat;
    live_seat = Release, LiveSeat;
    tell_change = Release, TellChange;
    desert = Release, Desert;
    see_deserted = Acquire, SeeDeserted;
    begin_session = Release, BeginSession;
    see_session = Acquire, SeeSession;
    write_entry = Release, WriteEntry;
    read_entry = Acquire, ReadEntry;
    name_descriptor = Release, NameDescriptor;
    find_descriptor = Acquire, FindDescriptor;
    #[cfg(feature = "std")]
    wake_shard = Release, WakeShard;
    #[cfg(feature = "std")]
    see_wakes = Acquire, SeeWakes;
    #[cfg(feature = "std")]
    prepare_wait = Release, PrepareWait;
    #[cfg(feature = "std")]
    clear_waiting = Acquire, ClearWaiting;
    #[cfg(feature = "std")]
    see_waiting = Acquire, SeeWaiting;
    #[cfg(feature = "std")]
    release_waker = Release, ReleaseWaker;
    #[cfg(feature = "std")]
    hold_waker = Acquire, HoldWaker;
    #[cfg(feature = "std")]
    take_waker = AcqRel, TakeWaker;
    #[cfg(feature = "std")]
    observe_taker = Acquire, ObserveTaker;
}
