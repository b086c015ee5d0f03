//! A death of the other side is found by each verb that waits, however short, and however a side stays awake.

use crate::support::another::the_test;
use crate::support::scratch::Scratch;
use crate::support::seen;
use ringmail::WaitStrategy;
use ringmail::shm::{fan_in, spsc};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

fn start(part: &str, name: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(the_test(module_path!(), "the_other_process"))
        .env("SHM_DEATHS", format!("{part} {name}"))
        .spawn()
        .unwrap()
}

#[test]
fn the_other_process() {
    let Ok(order) = std::env::var("SHM_DEATHS") else { return };
    let (part, name) = order.split_once(' ').unwrap();
    let _tx = spsc::Builder::<u64>::new(name);
    match part {
        "sender" => {
            let _tx = spsc::Builder::<u64>::new(name).capacity(4).open_sender().unwrap();
            loop {
                std::thread::sleep(Duration::from_secs(1))
            }
        }
        "lane" => {
            let _tx = fan_in::Builder::<u64>::new(name).capacity(4).lanes(2).open_sender().unwrap();
            loop {
                std::thread::sleep(Duration::from_secs(1))
            }
        }
        _ => {
            let _rx = spsc::Builder::<u64>::new(name).capacity(4).open_receiver().unwrap();
            loop {
                std::thread::sleep(Duration::from_secs(1))
            }
        }
    }
}

/// How long until `recv_timeout` of `timeout` says that the sender has died.
fn noticed(wait: WaitStrategy, timeout: Duration, pause: Duration) -> Option<Duration> {
    let dir = Scratch::new("deaths");
    let mut rx = spsc::Builder::<u64>::new(dir.file()).capacity(4).wait(wait).open_receiver().unwrap();
    let mut child = start("sender", &dir.file());
    assert!(rx.wait_for_peer(Duration::from_secs(60)));
    child.kill().unwrap();
    child.wait().unwrap();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(60) {
        match rx.recv_timeout(timeout) {
            Err(ringmail::shm::RecvTimeoutError::Timeout) => std::thread::sleep(pause),
            _ => return Some(start.elapsed()),
        }
    }
    None
}

#[test]
fn a_death_is_noticed_by_short_waits() {
    let all = [WaitStrategy::Park, WaitStrategy::ParkAtOnce, WaitStrategy::Yield, WaitStrategy::BusySpin];
    for wait in all {
        for us in [0, 1, 20, 100, 1000] {
            seen(|| {
                let took = noticed(wait, Duration::from_micros(us), Duration::from_millis(1)).expect("it is noticed");
                println!("{wait:?} {us} us: {took:?}");
                is_soon(took)
            });
        }
    }
}

fn is_soon(took: Duration) -> Result<(), String> {
    if took < Duration::from_millis(150) { Ok(()) } else { Err(format!("noticed after {took:?}")) }
}

#[test]
fn a_side_that_yields_beside_a_computing_thread_notices_a_death() {
    seen(|| is_soon(noticed_beside_a_computing_thread()));
}

fn noticed_beside_a_computing_thread() -> Duration {
    use rustix::thread::{CpuSet, sched_setaffinity};
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let pin = || {
        let mut c = CpuSet::new();
        c.set(0);
        sched_setaffinity(None, &c).unwrap()
    };
    let stops = stop.clone();
    let t = std::thread::spawn(move || {
        pin();
        while !stops.load(std::sync::atomic::Ordering::Relaxed) {
            std::hint::spin_loop()
        }
    });
    let dir = Scratch::new("deaths-yield");
    let mut rx = spsc::Builder::<u64>::new(dir.file()).capacity(4).wait(WaitStrategy::Yield).open_receiver().unwrap();
    let mut child = start("sender", &dir.file());
    assert!(rx.wait_for_peer(Duration::from_secs(60)));
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(700));
        child.kill().unwrap();
        child.wait().unwrap();
        Instant::now()
    });
    // A thread of its own, as the others may not stay on one core.
    let waits = std::thread::spawn(move || {
        pin();
        (rx.recv(), Instant::now())
    });
    let (end, end_at) = waits.join().unwrap();
    let killed = killer.join().unwrap();
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    t.join().unwrap();
    let took = end_at.saturating_duration_since(killed);
    println!("{end:?} after {took:?}");
    took
}
