//! Shows that the models can fail: with any one site of the protocol broken, some model fails.
//!
//! Each site lists the models that should fail. A mutant that only another model kills does not count. Arguments choose sites by a part of their names.

use ringmail::model::Site;
use ringmail_loom_tests::models::ALL;
use ringmail_loom_tests::run::{Job, be_child_if_asked, run};
use std::collections::BTreeMap;
use std::process::exit;
use std::sync::Mutex;
use std::time::Instant;

/// Sites that no model can judge, each with the reason. A site is here or killed, never both.
const NOT_MUTATED: &[(Site, &str)] = &[
    (
        Site::SeeWaiting,
        "the barriers order more: either the notifier's load comes after the sleeper's barrier, and then it sees the note, \
         or the sleeper's last check sees the notifier's message. Could be Relaxed",
    ),
    (
        Site::JoinFence,
        "a joiner and a receiver that wakes waiters meet in the mutex, and a sender that leaves a future in front fences and checks itself: no \
         model tells the difference. Kept for a receiver that does not see the future in front yet",
    ),
    (
        Site::TakeSeat,
        "a fence of loom acquires from all stores that its thread knows others to have seen, so the sender's fence behind its look at a head hides this one. By \
         the language it acquires only from stores that it has seen itself: without this one the new owner of a seat would not pass on what the last one did",
    ),
    (
        Site::LeaveLanes,
        "the receiver reports the end only of lanes whose closed `tail` it saw, and a lane is put on the stack before its opener's own \
         lane closes: those pairs order all that this one does. Could be Relaxed",
    ),
    (Site::ObserveLanesEnd, "as LeaveLanes"),
    (
        Site::AskDropOwner,
        "a sender asks after its load of the event count, and in a model the barrier before that load is a fence: it orders all that this one does",
    ),
];

/// Which models should notice that a site is broken: any one suffices, all of these are tried until one does.
fn judges(site: Site) -> &'static [&'static str] {
    match site {
        Site::PublishTail => &["ring::first_in_first_out"],
        Site::CloseTail => &["close::close_alone_publishes_what_came_before"],
        Site::ObserveTail => &["ring::first_in_first_out"],
        Site::PublishHead => &["ring::slots_are_reused_after_they_are_read"],
        Site::ObserveHead => &["ring::slots_are_reused_after_they_are_read"],
        Site::Retire | Site::ComeLate => &["close::the_sender_inherits_the_receivers_role"],
        Site::LeaveTells | Site::LateLooks | Site::RetireLooks => &["leaving::what_was_sent_in_time_is_dropped"],
        Site::DropOwnerLooks => &["leaving::two_claims_that_were_open_are_not_forgotten"],
        // A wake between the barrier and the last look is a fence for loom, except where event counts are FENCED.
        Site::LeaveBarrier => {
            &["leaving::what_was_sent_in_time_is_dropped_fenced", "leaving::what_many_sent_in_time_is_dropped"]
        }
        Site::TakeOverStore => &["close::what_a_receiver_left_behind_drops_at_the_next_send"],
        Site::PrepareWait | Site::ClearWaiting => &["event_count::what_the_notifier_needs_is_there"],
        Site::WakerCell => {
            &["event_count::one_event_count_for_two_channels", "fenced::a_settled_event_count_needs_no_barrier"]
        }
        Site::ReleaseWaker | Site::HoldWaker => &["cell::a_waker_is_moved_whole"],
        Site::TakeWaker => &["cell::a_waker_is_moved_whole", "cell::a_waker_that_meets_a_taker_comes_back"],
        Site::ObserveTaker | Site::WakeRefused => &["cell::a_waker_that_meets_a_taker_comes_back"],
        Site::PanicLeaves => &["queue::a_front_that_panics_wakes_the_next"],
        Site::LightBarrier | Site::HeavyBarrier => &["wait::a_message_wakes_the_receiver"],
        Site::LookAgain => &["wait::a_message_wakes_the_receiver"],
        Site::NotifyFence | Site::NotifyReload | Site::SleepFence => &["fenced::a_message_wakes_the_receiver"],
        Site::SwapState => &["fenced::messages_pass_one_by_one"],
        Site::RenewOwn => &["event_count::the_announcement_of_another_is_not_renewed"],
        Site::WakeReplaced => {
            &["event_count::two_threads_on_one_event_count", "event_count::two_tasks_on_one_event_count"]
        }
        // Loom's `block_on` has wakers that deny being the same.
        Site::WakeSelf => &["event_count::the_announcement_of_another_is_not_renewed"],
        Site::HandOver => &["event_count::two_threads_on_one_event_count", "event_count::two_tasks_on_one_event_count"],
        Site::SenderCloseNotifies => &["wait::a_dropped_sender_wakes_the_receiver"],
        Site::ReceiverCloseNotifies => &["wait::a_closed_receiver_wakes_the_sender"],
        Site::PublishStamp | Site::ObserveStamp => &["mpsc::each_senders_messages_stay_in_order"],
        Site::GiveUpShare => &["share::the_last_owner_has_seen_what_the_others_did"],
        Site::TakeLastShare => &["share::the_last_owner_has_seen_what_the_others_did"],
        Site::SoleShare => &["share::an_owner_that_is_alone_has_seen_what_the_others_did"],
        Site::StampMessage | Site::ObserveMessage => &["lossy::a_message_is_whole"],
        Site::StampOdd | Site::StampFence | Site::LookFence | Site::LookTwice => {
            &["lossy::a_message_that_is_written_over_is_not_shown"]
        }
        Site::NewestBegun | Site::NewestFence | Site::NewestLookFence | Site::NewestLooks => {
            &["lossy::the_newest_is_copied_whole"]
        }
        Site::NewestNotOlder => &["lossy::the_newest_is_not_older_than_what_was_received"],
        Site::LostFence => &["lossy::the_newest_is_there_after_a_loss"],
        Site::ResumeScan => &["lossy_restart::a_sender_that_comes_after_one_killed_uses_no_number_twice"],
        Site::SkipFence => &["lossy_restart::no_honest_sender_is_found_out"],
        Site::PublishNewest | Site::ObserveNewest => &["lossy::the_newest_is_never_looked_for_in_vain"],
        Site::EndMessages | Site::ObserveMessagesEnd => &["lossy::disconnected_only_after_the_last_message"],
        Site::HomeFirst => &["lossy_wait::a_task_waits_again"],
        Site::FreeHead | Site::FindHead => &["mpsc::a_place_is_reused_after_it_is_read"],
        Site::ClaimTail | Site::ObserveClaim => &["mpsc::full_is_never_answered_from_an_old_tail"],
        Site::StaleTail => &["mpsc::full_is_never_answered_from_an_old_tail"],
        Site::LeaveSenders | Site::EndTail | Site::ObserveEnd => {
            &["mpsc_close::the_end_shows_all_that_the_senders_did"]
        }
        Site::GiveUpHead | Site::TakeOverHead => &["mpsc_close::a_sender_inherits_the_receivers_role"],
        Site::OneDropOwner => &["mpsc_close::two_heirs_at_once"],
        Site::NoteAwaited => &["mpsc_wait::the_awaited_sender_notifies"],
        Site::RenewSame => &["mpsc_wait::a_poll_for_another_message_announces_anew"],
        Site::TombstoneNotifies => &["mpsc_wait::a_tombstone_wakes_the_receiver"],
        Site::WaitAnew => &["mpsc_wait::a_message_behind_a_tombstone_wakes_the_receiver"],
        Site::LeaveWakes => &["queue::a_front_that_is_dropped_hands_on_its_wake"],
        Site::WakeBehind | Site::LookAfterJoin => &["queue::a_front_that_does_not_come_stops_no_sender"],
        Site::PassWakeOn => &["queue::a_front_that_is_dropped_before_a_future_calls_up"],
        Site::WakeBehindIdle => &["queue::a_receiver_that_spins_calls_up"],
        Site::WakeAllFutures => &["queue::the_last_of_three_futures_comes"],
        Site::LeaveWakesBehind => &["queue::a_front_that_sends_before_a_future"],
        Site::EmptyWakesBehind => &["queue::a_receiver_that_only_asks_calls_up"],
        Site::EventWakesBehind => {
            &["queue::a_receiver_on_its_own_event_count_calls_up", "queue::a_receiver_on_an_armed_event_count_calls_up"]
        }
        Site::WatchCloseLooks | Site::CloseWakesClosers => {
            &["future::the_close_of_a_shared_ring_wakes_the_task_that_waits_for_it"]
        }
        Site::WakeShard | Site::SeeWakes => &["mesh::a_wake_from_outside_shows_what_came_before"],
        Site::ShareHead | Site::FindSharedHead => &["mpsc_shared::a_position_that_one_found_serves_the_other"],
        Site::SharedCloseWakes => &["mpsc_shared::the_close_of_a_shared_sender_wakes_the_task_that_waits_for_it"],
        Site::CloseTakesBorrowed => &["mpsc_shared::a_close_takes_the_handle_of_one_that_waits"],
        Site::CloseWakesAll => &["queue::a_dropped_receiver_wakes_the_whole_queue"],
        Site::PushStack | Site::TakeStack => {
            &["fan_in::the_end_waits_for_a_lane_just_opened", "pool::a_buffer_comes_home_whole"]
        }
        Site::SeeWaiting
        | Site::JoinFence
        | Site::TakeSeat
        | Site::LeaveLanes
        | Site::ObserveLanesEnd
        | Site::AskDropOwner => &[],
        Site::ParkLight | Site::ParkHeavy => &["park::a_message_wakes_the_receiver"],
        Site::ParkAwaited => &["park::each_sleep_is_answered"],
        Site::ParkSettled => &["park::each_word_is_settled_by_a_barrier_of_its_own"],
        Site::ParkFence | Site::ParkFenced => &["park::a_settled_side_needs_no_barrier"],
        Site::WriteEntry | Site::ReadEntry => &["session::an_entry_is_read_whole"],
        Site::NameDescriptor | Site::FindDescriptor => &["park::a_message_notifies_the_event_count"],
        Site::OverLooks => &["session::a_close_shows_after_the_last_message"],
        Site::BeginSession | Site::SeeSession => &["session::a_restart_cannot_hide_a_death_from_one_that_asks"],
        Site::SessionFirst => &["session::a_look_calls_nobody_dead_who_lives"],
        Site::LookAtLast => &["session::a_death_shows_after_the_last_message"],
        Site::LeftRefuses => &["shm_fan_out::what_a_killed_worker_left_is_received_once"],
        Site::EndWaits => &["shm_fan_out::the_end_comes_once_all_is_received"],
        Site::KeyWaits => &["shm_fan_out::a_key_goes_on_once_what_was_left_is_received"],
        // The fence of a session that begins also pairs with the one of a broadcast's sender: see `broadcast_shm`.
        Site::BeginFence | Site::AskFence => &["reattach::a_sender_that_begins_sees_the_sleeper"],
        Site::ArmLooks => &["mesh::a_message_wakes_an_armed_endpoint"],
        Site::WatchLooks => &["mesh::a_poll_that_watches_misses_nothing"],
        Site::CauseFirst => &["mesh::a_closed_lane_has_a_cause"],
        Site::GivenUpLooks => {
            &["mesh::a_poll_that_watches_sees_a_seat_given_up", "mesh::a_seat_given_up_wakes_a_sleeper"]
        }
        Site::HandBack => &["mesh::a_task_is_not_forgotten"],
        Site::LeaveRefuses => &["mesh::one_that_has_left_takes_nothing"],
        Site::RoomForAnswers => &["call::answers_find_room_beside_requests"],
        Site::EndFailsCalls | Site::EndEndsWait => &["call::a_call_ends_with_its_peer"],
        Site::ClosePool => &["pool::the_owner_goes_while_buffers_come_home"],
        Site::PublishCast | Site::ObserveCast => &["broadcast::first_in_first_out"],
        Site::CloseCast => &["broadcast::disconnected_only_after_the_last_message"],
        Site::CommitSeat | Site::SeeCommit => {
            &["broadcast::both_see_all_and_gate", "broadcast::a_follower_sees_what_was_committed"]
        }
        Site::LeaveSeat | Site::SeeSeat => &["broadcast::two_that_leave_at_once"],
        Site::LiveSeat => &["broadcast::a_join_while_the_sender_laps_the_ring"],
        Site::TellChange => &["broadcast::a_receiver_that_leaves_gates_no_more"],
        Site::Desert | Site::SeeDeserted => &["broadcast::the_sender_drops_what_fills_the_ring"],
        Site::SeatFence | Site::GateFence | Site::SecondLook => {
            &["broadcast::a_join_while_the_sender_laps_the_ring", "broadcast::a_join_beside_another"]
        }
        Site::SharedGateFence => {
            &["broadcast_shm::a_join_while_the_sender_laps_the_ring", "broadcast_shm::a_join_beside_another"]
        }
        Site::LeftOutSession => &["broadcast_shm::a_death_is_of_one_session"],
        Site::NewsLook => &["broadcast::one_that_just_joined_is_woken"],
        Site::CastFence => {
            &["broadcast::one_that_just_joined_is_woken_fenced", "broadcast::a_commit_wakes_the_follower_fenced"]
        }
        Site::JoinNotifies => &["broadcast::a_join_wakes_the_sender"],
        Site::LeaveSeatNotifies => {
            &["broadcast::one_that_leaves_wakes_the_sender", "broadcast::one_that_leaves_wakes_the_follower"]
        }
        Site::WakeFollowers => &["broadcast::a_commit_wakes_the_follower"],
        Site::CastCloseNotifies => &["broadcast::a_dropped_sender_wakes_the_receivers"],
        Site::DesertNotifies => &["broadcast::the_last_handle_wakes_the_sender"],
        Site::LastLaneNotifies => &["fan_in::the_last_sender_wakes_the_receiver"],
        Site::JoinWakesSender => &["fan_out::a_worker_that_joins_wakes_the_sender"],
        Site::ReturnWakesWorkers => &["fan_out::what_one_leaves_wakes_another"],
        Site::EndWakesWorkers => &["fan_out::the_end_comes_once_all_is_received"],
        Site::LateCountsAgain => &["fan_out::what_is_sent_to_one_that_leaves_is_handed_on"],
        Site::ReturnedFirst => &["fan_out::a_key_stays_in_order_when_its_worker_leaves"],
        Site::MarksFirst => &["fan_out::a_key_that_moves_waits_for_its_former_worker"],
        Site::OpenFence => &["fan_in::a_lane_opened_while_the_receiver_leaves"],
    }
}

fn main() {
    be_child_if_asked();
    for (site, reason) in NOT_MUTATED {
        assert!(!reason.is_empty() && Site::ALL.contains(site), "{site:?} needs a reason");
    }
    let excused = |site: Site| NOT_MUTATED.iter().find(|(s, _)| *s == site);
    let chosen: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let is_chosen =
        |site: Site| chosen.is_empty() || chosen.iter().any(|part| format!("{site:?}").contains(part.as_str()));
    let jobs: Vec<Job> = Site::ALL
        .into_iter()
        .filter(|&site| excused(site).is_none() && is_chosen(site))
        .flat_map(|site| judges(site).iter().map(move |&model| Job { model, mutant: Some(site) }))
        .collect();
    for job in &jobs {
        assert!(ALL.iter().any(|(name, _)| *name == job.model), "no model {}", job.model);
    }
    let start = Instant::now();
    let killed = Mutex::new(BTreeMap::new());
    run(
        &jobs,
        |job| !killed.lock().unwrap().contains_key(&name(job)),
        |report| {
            let site = name(&report.job);
            if report.held {
                println!("  {site:<20} lives in {} ({:.1} s)", report.job.model, report.took.as_secs_f32());
            } else {
                println!(
                    "  {site:<20} dies in {} ({:.1} s): {}",
                    report.job.model,
                    report.took.as_secs_f32(),
                    report.said
                );
                killed.lock().unwrap().insert(site, report.job.model);
            }
        },
    );
    let killed = killed.into_inner().unwrap();
    for (site, reason) in NOT_MUTATED {
        println!("  {:<20} not mutated: {reason}", format!("{site:?}"));
    }
    let alive: Vec<Site> = Site::ALL
        .into_iter()
        .filter(|&site| excused(site).is_none() && is_chosen(site) && !killed.contains_key(&format!("{site:?}")))
        .collect();
    println!(
        "mutants: {} killed, {} not mutated, {} alive {alive:?}, of {} in {:.0} s",
        killed.len(),
        NOT_MUTATED.len(),
        alive.len(),
        Site::ALL.len(),
        start.elapsed().as_secs_f32()
    );
    exit(i32::from(killed.is_empty() || !alive.is_empty()));
}

fn name(job: &Job) -> String {
    format!("{:?}", job.mutant.expect("every job here has one"))
}
