//! Waiting costs nothing. `ringmail-stress parked` measures it; this only notices when it is grossly untrue.

use ringmail::spsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// Processor time of the calling thread.
fn cpu_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?))
}

#[test]
fn a_parked_side_uses_no_processor_time() {
    let _alone = crate::alone();
    let (mut tx, mut rx) = channel(1).unwrap();
    let wait = Duration::from_secs(1);
    let receiver = thread::spawn(move || {
        let before = cpu_time();
        let start = Instant::now();
        assert!(rx.recv_timeout(wait).is_err());
        assert!(start.elapsed() >= wait);
        (before.zip(cpu_time()), rx)
    });
    let (receiver_time, _rx) = receiver.join().unwrap();
    tx.send(1).unwrap();
    let sender = thread::spawn(move || {
        let before = cpu_time();
        assert!(tx.send_timeout(2, wait).is_err());
        before.zip(cpu_time())
    });
    for times in [receiver_time, sender.join().unwrap()] {
        // A kernel without schedstat cannot say.
        let Some((before, after)) = times else { continue };
        let used = after - before;
        // Spinning before the first park takes tens of microseconds; polling for a second takes a second.
        assert!(used < wait / 50, "{used:?} of {wait:?}");
    }
}
