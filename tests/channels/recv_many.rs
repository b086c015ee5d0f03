//! Receiving several messages at once with a wait: blocking, timed and as a future, on each channel.

use crate::support::tasks::poll;
use crate::support::{Wakes, ends, let_it_sleep};
use ringmail::{Flavor, Receiver, RecvError, RecvTimeoutError, Sender, fan_in, mpsc, spsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// Runs a law on each channel.
macro_rules! on_each_channel {
    ($($(#[$meta:meta])* $law:ident;)*) => {$(
        $(#[$meta])*
        #[test]
        fn $law() {
            laws::$law(spsc::channel(4).unwrap());
            laws::$law(mpsc::channel(4).unwrap());
            laws::$law(fan_in::channel(4).unwrap());
        }
    )*};
}

on_each_channel! {
    a_timed_receive_takes_what_is_there_up_to_the_limit;
    a_timed_receive_ends_in_time_and_leaves_the_buffer_as_it_was;
    a_timed_receive_is_woken_by_a_message_and_by_the_end;
    a_pending_receive_of_many_is_woken_once_and_only_appends_what_it_took;
    a_cancelled_receive_of_many_loses_nothing;
    a_limit_of_zero_waits_for_nothing;
    after_128_ready_polls_a_receive_of_many_lets_others_go_first;
    a_receive_of_many_that_was_ready_is_not_polled_again;
}

mod laws {
    use super::*;
    use crate::support::panics;

    type Pair<S> = (Sender<u32, S>, Receiver<u32, S>);

    pub(super) fn a_timed_receive_takes_what_is_there_up_to_the_limit<S: Flavor>((mut tx, mut rx): Pair<S>) {
        let mut buffer = vec![9];
        tx.send_slice(&[1, 2, 3]).unwrap();
        assert_eq!(rx.recv_many_timeout(&mut buffer, 2, Duration::ZERO), Ok(2));
        assert_eq!(rx.recv_many_deadline(&mut buffer, 2, Instant::now()), Ok(1));
        assert_eq!(buffer, [9, 1, 2, 3]);
        tx.send_slice(&[4, 5]).unwrap();
        drop(tx);
        assert_eq!(rx.recv_many_timeout(&mut buffer, 9, Duration::MAX), Ok(2), "what was sent before the end");
        let ended = rx.recv_many_timeout(&mut buffer, 9, Duration::MAX);
        assert_eq!(ended, Err(RecvTimeoutError::Disconnected));
        assert_eq!(buffer, [9, 1, 2, 3, 4, 5]);
    }

    pub(super) fn a_timed_receive_ends_in_time_and_leaves_the_buffer_as_it_was<S: Flavor>((mut tx, mut rx): Pair<S>) {
        let (mut buffer, start) = (vec![9], Instant::now());
        let timeout = Duration::from_millis(20);
        assert_eq!(rx.recv_many_timeout(&mut buffer, 4, timeout), Err(RecvTimeoutError::Timeout));
        assert!(start.elapsed() >= timeout);
        assert_eq!(rx.recv_many_deadline(&mut buffer, 4, start), Err(RecvTimeoutError::Timeout));
        assert_eq!(buffer, [9]);
        tx.try_send(1).unwrap();
        assert_eq!(rx.recv_many_deadline(&mut buffer, 4, start), Ok(1), "a message that is there is taken");
    }

    pub(super) fn a_timed_receive_is_woken_by_a_message_and_by_the_end<S: Flavor>((mut tx, mut rx): Pair<S>)
    where
        Receiver<u32, S>: Send,
        Sender<u32, S>: Send,
    {
        ends(move || {
            let receiver = thread::spawn(move || {
                let mut buffer = Vec::new();
                let minute = Duration::from_secs(60);
                let first = rx.recv_many_timeout(&mut buffer, 4, minute);
                (first, rx.recv_many_timeout(&mut buffer, 4, minute), buffer)
            });
            let_it_sleep();
            tx.send(1).unwrap();
            let_it_sleep();
            drop(tx);
            assert_eq!(receiver.join().unwrap(), (Ok(1), Err(RecvTimeoutError::Disconnected), vec![1]));
        });
    }

    pub(super) fn a_pending_receive_of_many_is_woken_once_and_only_appends_what_it_took<S: Flavor>(
        (mut tx, mut rx): Pair<S>,
    ) {
        let ((wakes, waker), mut buffer) = (Wakes::new(), vec![9]);
        let mut receive = rx.recv_many_async(&mut buffer, 3);
        // Some polls ask to be polled again at once.
        while poll(&mut receive, &waker).is_pending() && wakes.take() != 0 {}
        (1..=4).for_each(|n| tx.try_send(n).unwrap());
        assert_eq!(wakes.count(), 1);
        assert_eq!(poll(&mut receive, &waker), Poll::Ready(Ok(3)));
        drop(receive);
        assert_eq!(buffer, [9, 1, 2, 3]);
        drop(tx);
        assert_eq!(poll(&mut rx.recv_many_async(&mut buffer, 3), &waker), Poll::Ready(Ok(1)));
        assert_eq!(poll(&mut rx.recv_many_async(&mut buffer, 3), &waker), Poll::Ready(Err(RecvError)));
        assert_eq!(buffer, [9, 1, 2, 3, 4]);
    }

    pub(super) fn a_cancelled_receive_of_many_loses_nothing<S: Flavor>((mut tx, mut rx): Pair<S>) {
        let ((wakes, waker), mut buffer) = (Wakes::new(), Vec::with_capacity(8));
        drop(rx.recv_many_async(&mut buffer, 8));
        let mut receive = rx.recv_many_async(&mut buffer, 8);
        while poll(&mut receive, &waker).is_pending() && wakes.take() != 0 {}
        // Woken, and dropped before the next poll.
        tx.send_slice(&[1, 2]).unwrap();
        assert_eq!(wakes.take(), 1);
        drop(receive);
        assert!(buffer.is_empty());
        assert_eq!(rx.recv_many(&mut buffer, 8), Ok(2));
        assert_eq!(buffer, [1, 2]);
        // Dropped while it waits: the next message wakes no task.
        let mut receive = rx.recv_many_async(&mut buffer, 8);
        while poll(&mut receive, &waker).is_pending() && wakes.take() != 0 {}
        drop(receive);
        tx.try_send(3).unwrap();
        assert_eq!((wakes.count(), rx.try_recv()), (0, Ok(3)));
    }

    pub(super) fn a_limit_of_zero_waits_for_nothing<S: Flavor>((tx, mut rx): Pair<S>) {
        let mut buffer = Vec::new();
        assert_eq!(rx.recv_many(&mut buffer, 0), Ok(0));
        assert_eq!(rx.recv_many_timeout(&mut buffer, 0, Duration::MAX), Ok(0));
        assert_eq!(poll(&mut rx.recv_many_async(&mut buffer, 0), Waker::noop()), Poll::Ready(Ok(0)));
        drop(tx);
        assert_eq!(rx.recv_many(&mut buffer, 0), Ok(0));
    }

    pub(super) fn after_128_ready_polls_a_receive_of_many_lets_others_go_first<S: Flavor>((mut tx, mut rx): Pair<S>) {
        let ((wakes, waker), mut buffer) = (Wakes::new(), Vec::new());
        let mut ready = || {
            let _ = tx.try_send(1);
            poll(&mut rx.recv_many_async(&mut buffer, 8), &waker).is_ready()
        };
        assert_eq!((0..1000).take_while(|_| ready()).count(), 128);
        assert_eq!(wakes.count(), 1);
        assert!(ready());
        assert_eq!(buffer.len(), 130, "the pending poll took none, the next took its message as well");
    }

    pub(super) fn a_receive_of_many_that_was_ready_is_not_polled_again<S: Flavor>((mut tx, mut rx): Pair<S>) {
        let mut buffer = Vec::new();
        tx.send_slice(&[1, 2]).unwrap();
        let mut receive = rx.recv_many_async(&mut buffer, 1);
        assert_eq!(poll(&mut receive, Waker::noop()), Poll::Ready(Ok(1)));
        panics(|| poll(&mut receive, Waker::noop()));
        drop(receive);
        assert_eq!((rx.try_recv(), buffer), (Ok(2), vec![1]));
    }
}
