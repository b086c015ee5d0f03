//! Receivers of a broadcast that take certain kinds, and nothing that has expired.

use crate::support::seen;
use crate::support::tasks::block_on;
use ringmail::broadcast::{self, Expiry, Labeled, Skipped};
use ringmail::{RecvError, RecvTimeoutError, TryRecvError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "lossy", derive(zerocopy::IntoBytes, zerocopy::Immutable))]
#[repr(C)]
struct Signal {
    number: u64,
    expires: u64,
    kind: u64,
}

impl Labeled for Signal {
    fn kind(&self) -> u32 {
        self.kind as u32
    }

    fn expiry(&self) -> Expiry {
        Expiry::from_bits(self.expires)
    }
}

fn signal(number: u64, kind: u64) -> Signal {
    Signal { number, kind, expires: Expiry::NEVER.to_bits() }
}

fn fading(number: u64, kind: u64, age: Duration) -> Signal {
    Signal { expires: Expiry::after(age).to_bits(), ..signal(number, kind) }
}

#[test]
fn an_expiry_is_a_time_that_comes() {
    let soon = seen(|| {
        let soon = Expiry::after(Duration::from_millis(20));
        if soon.is_past() { Err("a busy machine may hold this up for so long".into()) } else { Ok(soon) }
    });
    assert!(soon < Expiry::after(Duration::from_secs(1)) && Expiry::after(Duration::MAX) == Expiry::NEVER);
    thread::sleep(Duration::from_millis(21));
    assert!(soon.is_past());
    assert!(!Expiry::default().is_past());
    assert_eq!(Expiry::from_bits(soon.to_bits()), soon);
}

#[test]
fn what_is_taken_and_what_is_passed_over_add_up() {
    let (mut tx, hub) = broadcast::channel(256).unwrap();
    let mut odd = hub.join().unwrap().filtered(|kind| kind % 2 == 1);
    let mut all = hub.join().unwrap();
    for number in 0..100 {
        let age = if number % 10 == 0 { Duration::ZERO } else { Duration::from_secs(600) };
        tx.try_send(fading(number, number / 10, age)).unwrap();
    }
    let taken: Vec<_> = std::iter::from_fn(|| odd.try_recv().ok()).map(|signal| signal.number).collect();
    let wanted: Vec<_> = (0..100).filter(|number| number / 10 % 2 == 1 && number % 10 != 0).collect();
    assert_eq!(taken, wanted);
    assert_eq!(odd.skipped(), Skipped { expired: 5, unwanted: 50 });
    assert_eq!(all.try_recv().unwrap().number, 0, "others take what this one does not");
    assert_eq!(odd.get_ref().lag(), 0, "what was passed over is committed");
    drop(tx);
    assert_eq!(odd.try_recv(), Err(TryRecvError::Disconnected));
    assert_eq!(odd.recv(), Err(RecvError));
    assert_eq!(odd.get_mut().lag(), 0);
    assert_eq!(odd.into_inner().try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn a_message_expires_while_it_waits_to_be_received() {
    let (mut tx, hub) = broadcast::channel(4).unwrap();
    let mut rx = hub.join().unwrap().filtered(|_| true);
    tx.try_send(fading(0, 0, Duration::from_millis(10))).unwrap();
    tx.try_send(signal(1, 0)).unwrap();
    thread::sleep(Duration::from_millis(11));
    assert_eq!(rx.recv(), Ok(signal(1, 0)));
    assert_eq!(rx.skipped(), Skipped { expired: 1, unwanted: 0 });
}

#[test]
fn a_timeout_ends_beside_a_sender_of_other_kinds() {
    let (mut tx, hub) = broadcast::channel(16).unwrap();
    let mut rx = hub.join().unwrap().filtered(|kind| kind == 1);
    let stop = AtomicBool::new(false);
    thread::scope(|threads| {
        threads.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = tx.send_timeout(signal(0, 2), Duration::from_millis(1));
            }
            tx.send(signal(7, 1)).unwrap();
        });
        let (begin, limit) = (Instant::now(), Duration::from_millis(50));
        assert_eq!(rx.recv_timeout(limit), Err(RecvTimeoutError::Timeout));
        assert!(begin.elapsed() >= limit);
        assert_eq!(rx.recv_deadline(Instant::now()), Err(RecvTimeoutError::Timeout));
        stop.store(true, Ordering::Relaxed);
        assert_eq!(rx.recv(), Ok(signal(7, 1)));
    });
    assert!(rx.skipped().unwanted > 0);
}

#[test]
fn a_future_takes_what_the_verbs_take() {
    let (mut tx, hub) = broadcast::channel(16).unwrap();
    let mut rx = hub.join().unwrap().filtered(|kind| kind == 1);
    let sender = thread::spawn(move || {
        for number in 0..1000 {
            tx.send(signal(number, number % 3)).unwrap();
        }
    });
    block_on(async {
        for number in (0..1000).filter(|number| number % 3 == 1) {
            assert_eq!(rx.recv_async().await, Ok(signal(number, 1)));
        }
        assert_eq!(rx.recv_async().await, Err(RecvError));
    });
    sender.join().unwrap();
}

#[test]
fn a_panic_of_the_choice_passes_one_message_over() {
    let (mut tx, hub) = broadcast::channel(4).unwrap();
    let mut rx = hub.join().unwrap().filtered(|kind| if kind == 9 { panic!("kind 9") } else { true });
    tx.try_send(signal(0, 9)).unwrap();
    tx.try_send(signal(1, 0)).unwrap();
    catch_unwind(AssertUnwindSafe(|| rx.try_recv())).unwrap_err();
    assert_eq!(rx.try_recv(), Ok(signal(1, 0)));
}

#[cfg(feature = "lossy")]
#[test]
fn a_loss_is_told_beside_what_is_taken() {
    use ringmail::broadcast::lossy::{self, Resume, Seen};
    let (mut tx, rx) = lossy::channel(4).unwrap();
    let mut rx = rx.filtered(|kind| kind == 1);
    rx.get_mut().set_resume(Resume::Middle);
    tx.send(signal(0, 2));
    tx.send(signal(1, 1));
    assert_eq!(rx.recv(), Ok(Seen::Message(signal(1, 1))));
    for number in 2..12 {
        tx.send(signal(number, number % 2));
    }
    assert_eq!(rx.try_recv(), Ok(Seen::Lost(8)));
    assert_eq!(rx.recv_timeout(Duration::ZERO), Ok(Seen::Message(signal(11, 1))));
    assert_eq!(rx.skipped(), Skipped { expired: 0, unwanted: 2 });
    tx.send(fading(12, 1, Duration::ZERO));
    drop(tx);
    assert_eq!(block_on(rx.recv_async()), Err(RecvError));
    assert_eq!(rx.skipped(), Skipped { expired: 1, unwanted: 2 });
}
