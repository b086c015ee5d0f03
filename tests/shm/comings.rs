//! Receivers of a broadcast and workers of a fan-out that come and go without end, and processes that are killed while they have a seat or a lane: nothing is
//! left of them. Descriptors, mappings, locks, the files and the process's memory are counted before and after.

use crate::support::another::{Another, run};
use crate::support::scratch::Scratch;
use ringmail::shm::{broadcast, fan_out};
use std::fs;
use std::os::unix::fs::MetadataExt;

const SEATS: usize = 4;
const MOST: u64 = 8;

/// No test of its own: what the others run in a process of its own.
#[test]
fn the_other_process() {
    run(|part, about| {
        let mut numbers = about.split(' ').map(|number| number.parse().unwrap());
        let (comings, kills) = (numbers.next().unwrap(), numbers.next().unwrap());
        match part {
            "broadcast" => broadcast_comings(comings, kills),
            "fan-out" => fan_out_comings(comings, kills),
            other => panic!("no part {other}"),
        }
    });
}

#[test]
fn many_receivers_come_and_go_and_leave_nothing() {
    Another::new(module_path!(), "broadcast", "10000 200").run();
}

#[test]
fn many_workers_come_and_go_and_leave_nothing() {
    Another::new(module_path!(), "fan-out", "10000 200").run();
}

/// Minutes in a build without optimisation: `cargo test --release --features shm --test shm -- --ignored a_million`.
#[test]
#[ignore = "minutes in a debug build"]
fn a_million_receivers_come_and_go_and_leave_nothing() {
    Another::new(module_path!(), "broadcast", "1000000 1000").run();
}

#[test]
#[ignore = "minutes in a debug build"]
fn a_million_workers_come_and_go_and_leave_nothing() {
    Another::new(module_path!(), "fan-out", "1000000 1000").run();
}

/// What there is of this process and of the channel in `dir`.
#[derive(PartialEq, Eq, Debug)]
struct There {
    descriptors: usize,
    files: usize,
    bytes: u64,
    locks: usize,
}

struct Before {
    there: There,
    mappings: usize,
    /// KiB of memory that is the process's.
    memory: u64,
}

impl Before {
    fn now(dir: &Scratch) -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let memory = memory.trim().trim_end_matches(" kB").parse().unwrap();
        let file = fs::metadata(dir.file()).unwrap();
        let locks = fs::read_to_string("/proc/locks").unwrap();
        let there = There {
            descriptors: fs::read_dir("/proc/self/fd").unwrap().count(),
            files: fs::read_dir(&dir.0).unwrap().count(),
            bytes: file.len() + file.blocks(),
            locks: locks.lines().filter(|line| line.contains(&format!(":{} ", file.ino()))).count(),
        };
        Self { there, mappings: fs::read_to_string("/proc/self/maps").unwrap().lines().count(), memory }
    }

    /// Of what is exact nothing has changed; the heap may have grown by little.
    fn compare(&self, dir: &Scratch, what: &str) {
        let now = Self::now(dir);
        let Self { there, mappings, memory } = self;
        println!(
            "counted: {what}: {there:?}, {mappings} mappings, {memory} KiB before; {} mappings, {} KiB after",
            now.mappings, now.memory
        );
        assert_eq!(*there, now.there, "{what}");
        assert!(now.mappings <= mappings + 8, "{what}: {mappings} mappings before, {} after", now.mappings);
        assert!(now.memory <= memory + 1024, "{what}: {memory} KiB before, {} after", now.memory);
    }
}

/// A child that does `part`, and is killed by itself there. Waits for that.
fn killed(part: impl FnOnce()) {
    // SAFETY: the child runs `part` in this thread alone, and is killed.
    match unsafe { libc::fork() } {
        -1 => panic!("no fork: {}", std::io::Error::last_os_error()),
        0 => {
            part();
            kill_this();
        }
        child => {
            let mut status = 0;
            // SAFETY: a child of ours.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL, "status {status}");
        }
    }
}

fn kill_this() -> ! {
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
    unreachable!("it is killed");
}

fn broadcast_comings(comings: u64, kills: u64) {
    let dir = Scratch::new("comings");
    let open = || broadcast::Builder::<u64>::new(dir.file()).receivers(SEATS).capacity(8);
    let mut tx = open().open_sender().unwrap();
    let mut told = 0;
    let mut once = |n: u64, tx: &mut broadcast::Sender<u64>| {
        let mut rx = open().open_receiver().unwrap();
        assert_eq!(rx.seat(), 0);
        tx.send(n).unwrap();
        assert_eq!(rx.recv(), Ok(n));
        match n % 64 {
            // A seat that was reserved, with its name, its descriptor, and a message that is not taken.
            0 => {
                use ringmail::shm::Watched;
                let mut journal = open().open_reserved("journal").unwrap();
                drop(journal.wake_fd().unwrap());
                tx.send(n).unwrap();
                drop(journal);
                assert!(open().release("journal").unwrap());
            }
            1 => {
                let all: Vec<_> = (1..SEATS).map(|_| open().open_receiver().unwrap()).collect();
                assert!(open().open_receiver().is_err(), "no seat is free");
                assert_eq!(all.last().map(broadcast::Receiver::seat), Some(SEATS - 1));
            }
            2 => rx.give_up(),
            _ => {}
        }
        drop(rx);
        told += u64::from(tx.departed().is_some());
    };
    (0..1000).for_each(|n| once(n, &mut tx));
    let before = Before::now(&dir);
    (0..comings).for_each(|n| once(n, &mut tx));
    before.compare(&dir, &format!("{comings} receivers came and went"));
    assert!(told > 0);
    assert_eq!(tx.receivers(), 0);

    // One that stays, so that messages pass beside those that are killed.
    let mut stays = open().open_receiver().unwrap();
    let before = Before::now(&dir);
    for n in 0..kills {
        tx.send(n).unwrap();
        killed(|| match n % 4 {
            0 => {
                let _rx = open().open_receiver().unwrap();
                kill_this();
            }
            1 => {
                let mut rx = open().open_reserved("journal").unwrap();
                let _ = rx.try_recv();
                kill_this();
            }
            2 => {
                let mut rx = open().open_receiver().unwrap();
                let _ = rx.recv_timeout(std::time::Duration::from_millis(1));
                kill_this();
            }
            _ => {
                let mut rx = open().open_reserved("journal").unwrap();
                rx.drain(8, |_| kill_this());
                kill_this();
            }
        });
        assert_eq!(stays.recv(), Ok(n));
        if n % 4 == 3 {
            assert!(open().release("journal").unwrap());
        }
    }
    before.compare(&dir, &format!("{kills} receivers were killed"));
    // The dead gate no more: the sender goes on beyond what they had not taken, and all seats are free.
    for n in 0..3 * MOST {
        tx.send(n).unwrap();
        assert_eq!(stays.recv(), Ok(n));
    }
    assert_eq!(tx.receivers(), 1);
    let all: Vec<_> = (1..SEATS).map(|_| open().open_receiver().unwrap()).collect();
    assert_eq!(tx.receivers(), SEATS);
    drop((all, stays, tx));
    assert!(open().remove().unwrap());
}

fn fan_out_comings(comings: u64, kills: u64) {
    let dir = Scratch::new("comings");
    let open = || fan_out::Builder::<u64>::new(dir.file()).lanes(SEATS).capacity(MOST as usize);
    let mut tx = open().open_sender().unwrap();
    let once = |n: u64, tx: &mut fan_out::Sender<u64>| {
        let mut rx = open().open_receiver().unwrap();
        assert_eq!(rx.lane(), 0);
        tx.send(2 * n).unwrap();
        match n % 64 {
            // What one leaves the other gets.
            0 => {
                let mut other = open().open_receiver().unwrap();
                drop(rx);
                assert_eq!(other.recv(), Ok(2 * n));
                return;
            }
            1 => {
                let all: Vec<_> = (1..SEATS).map(|_| open().open_receiver().unwrap()).collect();
                assert_eq!(all.last().map(fan_out::Receiver::lane), Some(SEATS - 1));
            }
            2 => {
                drop(rx);
                rx = open().open_receiver().unwrap();
            }
            _ => tx.send_by_key("key", 2 * n + 1).unwrap(),
        }
        assert_eq!(rx.recv(), Ok(2 * n));
        if n % 64 > 2 {
            assert_eq!(rx.recv(), Ok(2 * n + 1));
        }
        if n % 64 == 3 {
            rx.give_up();
        }
    };
    (0..1000).for_each(|n| once(n, &mut tx));
    let before = Before::now(&dir);
    (0..comings).for_each(|n| once(n, &mut tx));
    before.compare(&dir, &format!("{comings} workers came and went"));
    assert_eq!((tx.worker_count(), tx.len()), (0, 0));

    // One that stays gets all that those leave which are killed, but what they have received by then.
    let mut stays = open().open_receiver().unwrap();
    let before = Before::now(&dir);
    for n in 0..kills {
        killed(|| {
            let mut rx = open().open_receiver().unwrap();
            assert_ne!(rx.lane(), 0);
            match n % 3 {
                0 => {}
                // In the handler of a message that may be its own or another's.
                1 => drop(rx.try_recv_with(|_| kill_this())),
                _ => drop(rx.drain(8, |_| kill_this())),
            }
            kill_this();
        });
        // The sender finds a lane without a worker sooner or later, and sends there until then.
        tx.send(n).unwrap();
        assert_eq!(stays.recv(), Ok(n));
    }
    before.compare(&dir, &format!("{kills} workers were killed"));
    assert_eq!((tx.worker_count(), tx.len()), (1, 0));
    let all: Vec<_> = (1..SEATS).map(|_| open().open_receiver().unwrap()).collect();
    assert_eq!(tx.worker_count(), SEATS);
    drop((all, stays, tx));
    assert!(open().remove().unwrap());
}
