//! The models, one law a function.

pub mod batch;
pub mod bell;
pub mod close;
pub mod fenced;
pub mod future;
pub mod ring;
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
                a_busy_barrier_is_retried, a_refused_barrier_falls_back_to_fences;
            future: a_message_wakes_the_task, room_wakes_the_task, both_sides_await, a_cancelled_receive_leaves_no_trace,
                a_cancelled_send_leaves_no_trace, a_second_poll_by_the_same_task, a_second_poll_by_another_task,
                a_poll_then_a_blocking_receive, ready_means_room, a_dropped_sender_wakes_the_task,
                a_dropped_receiver_wakes_the_task;
            bell: one_bell_for_two_channels, a_reactor_sleeps_on_its_own, what_the_notifier_needs_is_there,
                two_threads_on_one_bell, two_tasks_on_one_bell,
                the_announcement_of_another_is_not_renewed;
            fenced: a_message_wakes_the_receiver, room_wakes_the_sender, messages_pass_one_by_one, a_message_wakes_the_task,
                a_second_poll_by_another_task, a_dropped_sender_wakes_the_receiver,
                a_settled_bell_needs_no_barrier, the_step_to_fenced, the_step_back;
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
