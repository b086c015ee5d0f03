//! What a receiver costs that waits for a message which does not come.

use std::process::ExitCode;
use std::thread::spawn;
use std::time::{Duration, Instant};

/// Prints how much of a core a parked receiver used, in the kernel's own account of its thread.
pub(crate) fn report(wait: Duration) -> ExitCode {
    let (tx, mut rx) = match ringmail::spsc::channel::<u64>(64) {
        Ok(ends) => ends,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let receiver = spawn(move || {
        let (start, before) = (Instant::now(), cpu_time());
        let answer = rx.recv_timeout(wait);
        (start.elapsed(), before.zip(cpu_time()), answer.is_err(), rx)
    });
    let Ok((waited, times, timed_out, rx)) = receiver.join() else { return ExitCode::FAILURE };
    drop(tx);
    let Some((before, after)) = times else {
        eprintln!("this system does not say how much processor time a thread has used");
        return ExitCode::FAILURE;
    };
    let used = after - before;
    println!(
        "a receiver that waited {:.3} s used {:.0} µs of processor time: {:.4} % of a core, {} park(s)",
        waited.as_secs_f64(),
        used.as_secs_f64() * 1e6,
        100.0 * used.as_secs_f64() / waited.as_secs_f64(),
        rx.stats().receiver_parks
    );
    if timed_out { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Processor time of the calling thread, to the nanosecond: the first number of its schedstat.
fn cpu_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?))
}
