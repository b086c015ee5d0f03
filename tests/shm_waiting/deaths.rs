//! A death of the other side is found by each verb that waits, however short, and however a side stays awake.

use crate::support::another::the_test;
use crate::support::scratch::Scratch;
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
    assert!(rx.wait_for_peer(Duration::from_secs(20)));
    child.kill().unwrap();
    child.wait().unwrap();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        match rx.recv_timeout(timeout) {
            Err(ringmail::shm::RecvError::Timeout) => std::thread::sleep(pause),
            _ => return Some(start.elapsed()),
        }
    }
    None
}

#[test]
fn a_death_is_noticed_by_short_waits() {
    let all = [WaitStrategy::Park, WaitStrategy::ParkAtOnce, WaitStrategy::Yield, WaitStrategy::BusySpin];
    let mut bad = vec![];
    for wait in all {
        for us in [0, 1, 20, 100, 1000] {
            let took = noticed(wait, Duration::from_micros(us), Duration::from_millis(1));
            println!("{wait:?} {us} us: {took:?}");
            if took.is_none_or(|took| took > Duration::from_millis(150)) {
                bad.push((wait, us, took));
            }
        }
    }
    assert!(bad.is_empty(), "{bad:?}");
}

#[test]
fn a_side_that_yields_beside_a_computing_thread_notices_a_death() {
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
    assert!(rx.wait_for_peer(Duration::from_secs(20)));
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(700));
        child.kill().unwrap();
        child.wait().unwrap();
        Instant::now()
    });
    pin();
    let end = rx.recv();
    let end_at = Instant::now();
    let killed = killer.join().unwrap();
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    t.join().unwrap();
    let took = end_at.saturating_duration_since(killed);
    println!("{end:?} after {took:?}");
    assert!(took < Duration::from_millis(150), "{took:?}");
}
