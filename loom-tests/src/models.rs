//! The models, one law a function.

pub mod batch;
pub mod broadcast;
pub mod broadcast_shm;
pub mod call;
pub mod cell;
pub mod close;
pub mod event_count;
pub mod fan_in;
pub mod fan_out;
pub mod fenced;
pub mod future;
pub mod leaving;
pub mod lossy;
pub mod lossy_restart;
pub mod lossy_wait;
pub mod mesh;
pub mod mpsc;
pub mod mpsc_close;
pub mod mpsc_shared;
pub mod mpsc_wait;
pub mod park;
pub mod pool;
pub mod queue;
pub mod reattach;
pub mod ring;
pub mod session;
mod session_channel;
pub mod share;
pub mod shm_fan_out;
pub mod wait;

/// Hands the list of all models to a macro, so that the test runner and the mutant runner cannot disagree.
#[macro_export]
macro_rules! every_model {
    ($with:ident) => {
        $with! {
            ring: first_in_first_out, slots_are_reused_after_they_are_read, positions_wrap,
                full_and_empty_are_never_answered_from_an_old_look;
            close: disconnected_only_after_the_last_message, close_alone_publishes_what_came_before,
                values_in_a_dropped_channel_drop_once, a_retired_ring_may_be_overwritten,
                what_a_receiver_left_behind_drops_at_the_next_send, the_sender_inherits_the_receivers_role,
                a_closed_receiver_drains, both_leave_at_once;
            batch: a_chunk_appears_at_once, a_slice_and_a_copy, a_drain_frees_as_one,
                a_dropped_chunk_sends_nothing, an_iterator_that_panics_sends_what_came_before,
                chunks_reuse_slots;
            wait: a_message_wakes_the_receiver, room_wakes_the_sender, messages_pass_one_by_one,
                a_dropped_sender_wakes_the_receiver, a_dropped_receiver_wakes_the_sender,
                a_closed_receiver_wakes_the_sender, request_and_reply, many_at_once, an_iterator_waits_for_room,
                a_wait_that_timed_out_leaves_no_trace, a_send_that_timed_out_leaves_no_trace,
                a_refused_barrier_falls_back_to_fences;
            future: a_message_wakes_the_task, room_wakes_the_task, both_sides_await, a_cancelled_receive_leaves_no_trace,
                a_cancelled_send_leaves_no_trace, a_second_poll_by_the_same_task, a_second_poll_by_another_task,
                a_poll_then_a_blocking_receive, ready_means_room, a_dropped_sender_wakes_the_task,
                a_dropped_receiver_wakes_the_task, the_close_wakes_the_task_that_waits_for_it,
                the_close_of_a_shared_ring_wakes_the_task_that_waits_for_it;
            event_count: one_event_count_for_two_channels, one_event_count_for_input_and_room, a_reactor_sleeps_on_its_own, what_the_notifier_needs_is_there,
                two_threads_on_one_event_count, two_tasks_on_one_event_count,
                the_announcement_of_another_is_not_renewed;
            cell: a_waker_is_moved_whole, a_waker_is_taken_once, a_waker_that_meets_a_taker_comes_back;
            fenced: a_message_wakes_the_receiver, room_wakes_the_sender, messages_pass_one_by_one, a_message_wakes_the_task,
                a_second_poll_by_another_task, a_dropped_sender_wakes_the_receiver,
                a_settled_event_count_needs_no_barrier, the_step_to_fenced, the_step_back;
            mpsc: each_senders_messages_stay_in_order, a_message_written_in_place_is_whole, one_place_is_claimed_once, two_places_are_claimed_twice,
                a_place_is_reused_after_it_is_read, full_is_never_answered_from_an_old_tail,
                full_and_empty_are_never_answered_from_an_old_look, positions_wrap, no_sender_waits_for_a_stalled_one,
                a_message_behind_an_open_claim_is_not_next, tombstones_are_passed_over;
            mpsc_shared: each_threads_messages_stay_in_order, a_place_is_reused_after_it_is_read,
                full_is_never_answered_from_an_old_tail, a_position_that_one_found_serves_the_other, a_close_beside_a_send_loses_nothing,
                a_close_takes_the_handle_of_one_that_waits, a_receiver_that_leaves_beside_two_sends,
                the_close_of_a_shared_sender_wakes_the_task_that_waits_for_it;
            mpsc_close: a_closed_receiver_gets_what_was_claimed, the_end_shows_all_that_the_senders_did,
                a_weak_sender_and_the_last_one, what_a_receiver_left_behind_drops_at_the_next_send,
                a_sender_inherits_the_receivers_role, two_heirs_at_once, an_inherited_value_panics, all_leave_at_once;
            mpsc_wait: the_awaited_sender_notifies, the_awaited_sender_notifies_fenced, a_message_out_of_turn_wakes_nobody,
                the_last_sender_wakes_the_receiver, the_last_sender_wakes_the_receiver_fenced,
                a_poll_for_another_message_announces_anew, a_poll_for_another_message_announces_anew_fenced,
                a_tombstone_wakes_the_receiver, a_tombstone_wakes_the_receiver_fenced,
                a_message_behind_a_tombstone_wakes_the_receiver,
                a_message_behind_a_tombstone_wakes_the_receiver_fenced;
            queue: two_blocked_senders_get_through, two_blocked_senders_get_through_fenced,
                a_wait_that_timed_out_stops_no_sender, a_front_that_is_dropped_wakes_the_next,
                a_front_that_is_dropped_wakes_the_next_fenced, a_front_that_is_dropped_hands_on_its_wake,
                a_front_that_is_dropped_before_a_future_calls_up,
                a_front_that_does_not_come_stops_no_sender, a_front_that_does_not_come_stops_no_sender_fenced,
                a_receiver_that_spins_calls_up, two_that_do_not_come_stop_no_sender, two_that_do_not_come_stop_no_sender_fenced,
                a_future_that_was_called_up_is_dropped, one_that_was_called_up_gives_up,
                one_that_was_called_up_gives_up_before_a_future, a_front_that_timed_out_before_a_future,
                a_front_that_sends_before_a_future, the_last_of_three_futures_comes, a_receiver_on_its_own_event_count_calls_up,
                a_receiver_on_an_armed_event_count_calls_up, a_receiver_that_only_asks_calls_up,
                a_close_wakes_the_whole_queue, a_close_wakes_the_whole_queue_fenced,
                a_dropped_receiver_wakes_the_whole_queue, a_front_that_panics_wakes_the_next,
                a_front_that_panics_wakes_the_next_fenced;
            fan_in: the_end_waits_for_a_lane_just_opened, a_lane_just_opened_wakes_the_receiver,
                a_lane_just_opened_wakes_the_receiver_fenced, the_last_sender_wakes_the_receiver,
                the_last_sender_wakes_the_receiver_fenced, the_last_sender_wakes_the_task,
                the_end_shows_all_that_the_senders_did, a_lane_opened_while_the_receiver_leaves,
                a_lane_opened_while_the_receiver_closes, two_lanes_notify_one_event_count, two_lanes_notify_one_event_count_fenced,
                a_lane_is_used_again, two_lanes_opened_at_once;
            fan_out: what_is_sent_to_one_that_leaves_is_handed_on, what_is_sent_to_one_that_leaves_is_handed_on_fenced,
                what_was_not_begun_is_handed_on, what_one_leaves_wakes_another, what_one_leaves_wakes_another_fenced,
                what_one_leaves_wakes_a_task, a_worker_that_joins_wakes_the_sender, a_worker_joins_while_the_sender_sends,
                the_last_worker_that_leaves_wakes_the_sender, the_end_comes_once_all_is_received,
                the_end_comes_once_all_is_received_fenced, what_is_left_at_the_end_is_received, all_leave_at_once,
                a_key_stays_in_order_when_its_worker_leaves, a_key_that_moves_waits_for_its_former_worker;
            leaving: what_was_sent_in_time_is_dropped, what_was_sent_in_time_is_dropped_fenced,
                what_was_committed_in_time_is_dropped, what_a_closed_receiver_told_the_end_of_is_dropped,
                a_lane_forgets_nothing, a_lane_forgets_nothing_fenced, a_mesh_forgets_nothing, a_mesh_forgets_nothing_fenced,
                what_many_sent_in_time_is_dropped, what_many_sent_in_time_is_dropped_fenced,
                two_claims_that_were_open_are_not_forgotten, an_event_count_forgets_who_left, an_event_count_forgets_who_left_with_a_claim_open;
            park: a_message_wakes_the_receiver, each_sleep_is_answered, a_message_wakes_the_receiver_fenced,
                a_side_that_sleeps_often_is_settled_by_one_barrier, each_word_is_settled_by_a_barrier_of_its_own,
                a_settled_side_needs_no_barrier, the_step_back_from_settled,
                any_lane_wakes_the_receiver, a_message_notifies_the_event_count;
            lossy: a_message_is_whole, a_message_that_is_written_over_is_not_shown, received_and_lost_add_up,
                the_newest_is_never_looked_for_in_vain, the_newest_is_whole_while_the_sender_goes_on, the_newest_is_copied_whole, the_newest_is_not_older_than_what_was_received, the_newest_is_there_after_a_loss, the_newest_of_a_slice_is_copied_whole, changes_are_seen_in_order,
                a_slice_appears_whole, one_that_joins_begins_with_what_comes_next,
                disconnected_only_after_the_last_message, the_last_message_stays;
            lossy_restart: a_sender_that_comes_after_one_killed_uses_no_number_twice, one_killed_beside_old_messages_hides_none,
                no_honest_sender_is_found_out, the_newest_is_whole_over_a_restart;
            lossy_wait: a_message_wakes_all, a_message_wakes_all_fenced, a_message_wakes_all_tasks, a_message_wakes_all_tasks_fenced,
                a_dropped_sender_wakes_all, one_that_gives_up_keeps_no_other_asleep, one_that_leaves_keeps_no_other_asleep,
                a_task_waits_again, one_seat_waits_twice;
            mesh: a_wake_from_outside_ends_a_sleep, a_wake_from_outside_shows_what_came_before, all_to_all_then_shutdown, all_to_all_then_shutdown_fenced, two_that_send_without_room_make_room,
                a_message_wakes_an_armed_endpoint, room_wakes_an_armed_endpoint, a_poll_that_watches_misses_nothing,
                two_peers_notify_one_event_count, a_task_is_not_forgotten, a_closed_lane_has_a_cause,
                a_panic_wakes_who_waits_for_it, a_poll_that_watches_sees_a_seat_given_up, a_seat_given_up_wakes_a_sleeper,
                one_that_has_left_takes_nothing, a_consumer_that_leaves_wakes_a_producer;
            call: two_that_call_each_other_have_their_answers, one_that_calls_has_its_answer_fenced,
                a_credit_is_used_again, answers_find_room_beside_requests, a_call_ends_with_its_peer, a_dropped_token_answers,
                an_armed_endpoint_hears_the_answer_or_the_end, a_reply_is_awaited;
            broadcast: both_see_all_and_gate, first_in_first_out, disconnected_only_after_the_last_message,
                a_join_while_the_sender_laps_the_ring, a_join_beside_a_reservation, a_join_beside_another, a_receiver_that_leaves_gates_no_more, two_that_leave_at_once,
                a_seat_is_used_again, a_follower_sees_what_was_committed, a_follower_of_one_that_left_sees_all,
                a_reserved_seat_goes_from_one_to_the_next, the_sender_drops_what_is_left,
                the_sender_drops_what_fills_the_ring, values_drop_once,
                a_message_wakes_the_receiver, a_message_wakes_the_receiver_fenced, a_message_wakes_the_task,
                one_that_just_joined_is_woken, one_that_just_joined_is_woken_fenced, room_wakes_the_sender,
                room_wakes_the_sender_fenced, one_that_leaves_wakes_the_sender, a_join_wakes_the_sender,
                the_last_handle_wakes_the_sender, a_dropped_sender_wakes_the_receivers, a_commit_wakes_the_follower,
                a_commit_wakes_the_follower_fenced, one_that_leaves_wakes_the_follower;
            pool: a_buffer_comes_home_whole, a_buffer_travels_twice, the_owner_goes_while_buffers_come_home;
            share: the_last_owner_has_seen_what_the_others_did, an_owner_that_is_alone_has_seen_what_the_others_did;
            broadcast_shm: a_join_while_the_sender_laps_the_ring, a_join_beside_another,
                slots_are_written_again_after_they_are_read, a_death_is_of_one_session,
                a_receiver_that_leaves_gates_no_more, a_reserved_seat_gates_when_its_holder_died;
            session: a_death_shows_after_the_last_message, a_close_shows_after_the_last_message,
                a_restart_cannot_hide_a_death, a_restart_cannot_hide_a_death_from_one_that_asks, a_close_is_no_death,
                an_end_that_is_not_kept_is_counted, a_death_before_the_session_was_set_up,
                a_death_and_a_close_before_the_next_look, one_that_comes_late_is_told_what_it_has_messages_of,
                one_that_comes_late_need_not_be_told, an_end_is_not_told_to_two_receivers, an_entry_is_read_whole,
                a_sender_is_told_of_a_receiver_once,
                a_look_calls_nobody_dead_who_lives;
            reattach: a_sender_goes_on_where_one_died, a_message_that_was_not_freed_comes_again,
                a_message_that_was_freed_does_not_come_again,
                a_receiver_goes_on_where_one_left, both_go_on, one_that_waits_for_a_receiver_finds_it_open,
                a_sender_that_begins_sees_the_sleeper, a_sender_that_begins_sees_that_the_sleeper_sleeps_often;
            shm_fan_out: what_a_killed_worker_left_is_received_once, one_killed_with_what_another_left_loses_nothing,
                a_message_on_its_way_to_one_that_leaves_is_found, a_place_that_another_worker_freed_is_used_again,
                the_end_comes_once_all_is_received, a_key_goes_on_once_what_was_left_is_received;
        }
    };
}

macro_rules! catalog {
    ($($module:ident: $($name:ident),+;)+) => {
        /// Every model by name.
        pub const ALL: &[(&str, fn())] =
            &[$($((concat!(stringify!($module), "::", stringify!($name)), $module::$name)),+),+];
    };
}
every_model!(catalog);
