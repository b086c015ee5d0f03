//! What a side that sleeps in another process costs: itself, and whoever sends to it. `benches/ipc` has the figures beside others'
//! (`ipc --suite wake,parked`).

use crate::support::another::the_test;
use crate::support::scratch::Scratch;
use crate::support::seen;
use ringmail::WaitStrategy;
use ringmail::shm::{fan_in, spsc};
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const CAPACITY: usize = 1024;
/// How long a side is left alone that says what it has used.
const ALONE: Duration = Duration::from_secs(5);

fn messages(name: &str, wait: WaitStrategy) -> spsc::Builder<u64> {
    spsc::Builder::new(name).capacity(CAPACITY).wait(wait)
}

fn lanes(name: &str) -> fan_in::Builder<u64> {
    fan_in::Builder::new(name).capacity(CAPACITY).lanes(16)
}

/// Another process that plays `part`; killed with its test.
struct Other(Child, Lines<BufReader<ChildStdout>>);

impl Other {
    fn start(part: &str, name: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(the_test(module_path!(), "the_other_process"))
            .env("SHM_PARKED", format!("{part} {name}"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        Self(child, lines)
    }

    /// What it says after `word`; waits for it.
    fn says(&mut self, word: &str) -> String {
        let rest = |line: String| line.split_once(word).map(|(_, rest)| rest.trim().to_owned());
        self.1.find_map(|line| rest(line.expect("text"))).unwrap_or_else(|| panic!("it ended without {word:?}"))
    }

    fn kill(&mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("it has ended");
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Processor time of this thread.
fn worked() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// A side that sleeps looks after the other so often.
const NAP: Duration = Duration::from_millis(90);

/// Waits for as long as it is left alone, and says in nanoseconds how long that was, what it took, and what as many bare sleeps take here.
fn wait_alone(mut wait: impl FnMut(Duration) -> bool) {
    let (start, idle) = (Instant::now(), worked());
    let came = wait(ALONE);
    let (waited, used) = (start.elapsed(), worked() - idle);
    assert!(!came && waited >= ALONE, "{came} after {waited:?}");
    let (few, idle) = (20, worked());
    (0..few).for_each(|_| std::thread::sleep(NAP));
    let naps = (waited.as_nanos() / NAP.as_nanos()) as u32;
    let bare = (worked() - idle) * naps / few;
    println!("used {} of {} where sleeps take {}", used.as_nanos(), waited.as_nanos(), bare.as_nanos());
}

/// No test of its own: what [`Other`] runs.
#[test]
fn the_other_process() {
    let Ok(order) = std::env::var("SHM_PARKED") else { return };
    let (part, name) = order.split_once(' ').unwrap();
    let at_once = WaitStrategy::ParkAtOnce;
    match part {
        "idle-receiver" => {
            let mut rx = messages(name, WaitStrategy::Park).open_receiver().unwrap();
            wait_alone(|timeout| rx.recv_timeout(timeout).is_ok());
        }
        "idle-lanes" => {
            let mut rx = lanes(name).open_receiver().unwrap();
            // A lane that somebody has, whom the kernel is asked about.
            assert!(rx.wait_for_sender(Duration::from_secs(60)));
            wait_alone(|timeout| rx.recv_timeout(timeout).is_ok());
        }
        "idle-sender" => {
            let mut tx = messages(name, WaitStrategy::Park).open_sender().unwrap();
            (0..CAPACITY as u64).for_each(|i| tx.try_send(i).unwrap());
            wait_alone(|timeout| tx.send_timeout(7, timeout).is_ok());
        }
        "receiver" => drop(messages(name, at_once).open_receiver().unwrap().recv()),
        "sender" => {
            let mut tx = messages(name, at_once).open_sender().unwrap();
            (0..=CAPACITY as u64).for_each(|i| tx.send(i).unwrap());
        }
        other => panic!("no part {other}"),
    }
}

/// A side of another process that waits for nothing uses less than a thousandth of a core, a receiver of sixteen lanes not much more; on a
/// machine where as many sleeps alone take more than half of that, at most twice what these do.
#[test]
fn a_side_that_sleeps_in_another_process_uses_no_processor_time() {
    seen(used_by_sides_that_sleep);
}

fn used_by_sides_that_sleep() -> Result<(), String> {
    let [receiver, sender, fan] = ["receiver", "sender", "lanes"].map(Scratch::new);
    let _tx = messages(&receiver.file(), WaitStrategy::Park).open_sender().unwrap();
    let _rx = messages(&sender.file(), WaitStrategy::Park).open_receiver().unwrap();
    let _lane = lanes(&fan.file()).open_sender().unwrap();
    // Side by side: each counts its own time.
    // In percent. To sleep on sixteen words at once costs the kernel some multiple of one.
    let parts = [("idle-receiver", &receiver, 0.1), ("idle-sender", &sender, 0.1), ("idle-lanes", &fan, 0.25)];
    for (part, mut other, most) in parts.map(|(part, dir, most)| (part, Other::start(part, &dir.file()), most)) {
        let said = other.says("used ");
        let numbers: Vec<f64> = said.split(' ').filter_map(|word| word.parse().ok()).collect();
        let [used, waited, bare] = numbers[..] else { panic!("{said}") };
        let (share, sleeps) = (100.0 * used / waited, 100.0 * bare / waited);
        println!("{part}: {share:.4} % of a core; as many bare sleeps: {sleeps:.4} %");
        // A build that is not optimised may take twice as long about it.
        let most = if cfg!(debug_assertions) { 2.0 * most } else { most };
        if share >= f64::max(most, 2.0 * sleeps) {
            return Err(format!("{part}: {share:.4} % of a core; bare sleeps: {sleeps:.4} %"));
        }
    }
    Ok(())
}

fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let late = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < late, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Sleeps, or is about to: it has announced what it waits for.
fn asleep(name: &str, of: impl Fn(&ringmail::shm::ChannelInfo) -> ringmail::shm::SideView) {
    soon("the other side sleeps", || ringmail::shm::inspect(name).is_ok_and(|seen| of(&seen).parked));
}

/// Who was killed in its sleep cannot say that it wakes: it is woken once, and not for each message.
#[test]
fn a_receiver_killed_asleep_costs_its_sender_one_wake() {
    let dir = Scratch::new("killed-receiver");
    let mut tx = messages(&dir.file(), WaitStrategy::Park).open_sender().unwrap();
    let mut other = Other::start("receiver", &dir.file());
    asleep(&dir.file(), |seen| seen.receiver);
    other.kill();
    let sent = (0..CAPACITY as u64).filter(|&i| tx.try_send(i).is_ok()).count();
    println!("{} wakes for {sent} messages", tx.stats().sender_wakes);
    assert_eq!((sent, tx.stats().sender_wakes), (CAPACITY, 1));
    // The next one is woken like any other.
    let mut other = Other::start("receiver", &dir.file());
    soon("the next receiver takes one", || tx.stats().received != 0);
    assert!(other.0.wait().expect("it ends").success());
}

#[test]
fn a_sender_killed_asleep_costs_its_receiver_one_wake() {
    let dir = Scratch::new("killed-sender");
    let mut rx = messages(&dir.file(), WaitStrategy::Park).open_receiver().unwrap();
    let mut other = Other::start("sender", &dir.file());
    asleep(&dir.file(), |seen| seen.lanes[0].sender);
    other.kill();
    assert!((0..CAPACITY as u64).all(|i| rx.try_recv() == Ok(i)));
    println!("{} wakes for {CAPACITY} messages", rx.stats().receiver_wakes);
    assert_eq!(rx.stats().receiver_wakes, 1);
}

/// Nor does one that was stopped, and it goes on where it was.
#[test]
fn a_receiver_stopped_asleep_costs_its_sender_one_wake() {
    let dir = Scratch::new("stopped");
    let mut tx = messages(&dir.file(), WaitStrategy::Park).open_sender().unwrap();
    let mut other = Other::start("receiver", &dir.file());
    asleep(&dir.file(), |seen| seen.receiver);
    let pid = rustix::process::Pid::from_child(&other.0);
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).expect("it runs");
    let stat = format!("/proc/{}/stat", other.0.id());
    let stopped = |stat: String| stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'));
    soon("it is stopped", || std::fs::read_to_string(&stat).is_ok_and(stopped));
    let sent = (0..CAPACITY as u64).filter(|&i| tx.try_send(i).is_ok()).count();
    assert_eq!((sent, tx.stats().sender_wakes), (CAPACITY, 1));
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).expect("it runs");
    assert!(other.0.wait().expect("it ends").success());
    assert_eq!(tx.stats().received, 1);
}
