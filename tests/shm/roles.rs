//! Who gets a side of a mapped channel when several want it, and what those notice who have one.

use crate::support::scratch::Scratch;
use crate::support::seen;
use ringmail::shm::spsc::{Builder, Receiver, Sender};
use ringmail::shm::{OpenError, Peer, Role};
use std::fs;
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

fn sender(name: &str) -> Result<Sender<u64>, OpenError> {
    Builder::new(name).capacity(8).open_sender()
}

fn receiver(name: &str) -> Result<Receiver<u64>, OpenError> {
    Builder::new(name).capacity(8).open_receiver()
}

/// Whichever of many race for a side, one gets it.
fn race(role: Role) {
    // Whoever comes second asks for a while, asleep between: so, many at a time. Each pair of threads has races one after the other.
    const PAIRS: usize = 50;
    let dir = Scratch::new(&format!("race{role:?}"));
    let wins: Vec<[AtomicU32; 2]> = (0..1000).map(|_| Default::default()).collect();
    let starts: Vec<Barrier> = (0..PAIRS).map(|_| Barrier::new(2)).collect();
    std::thread::scope(|scope| {
        for racer in 0..2 * PAIRS {
            let (dir, wins, pair) = (&dir, &wins, racer / 2);
            let start = &starts[pair];
            scope.spawn(move || {
                for (race, wins) in wins.iter().enumerate().skip(pair).step_by(PAIRS) {
                    let name = dir.0.join(race.to_string()).to_string_lossy().into_owned();
                    start.wait();
                    let won = match role {
                        Role::Sender => sender(&name).map(|tx| (Some(tx), None)),
                        Role::Receiver => receiver(&name).map(|rx| (None, Some(rx))),
                    };
                    // Whoever has it keeps it until the other has asked for the last time.
                    start.wait();
                    let code = match won {
                        Ok(_) => WON,
                        Err(OpenError::Taken { role: taken, .. }) if taken == role => LOST,
                        // Not a panic: the other would wait for this thread for ever.
                        Err(error) => {
                            eprintln!("{name}: {error}");
                            FAILED
                        }
                    };
                    wins[racer % 2].store(code, Ordering::Relaxed);
                }
            });
        }
    });
    for (race, wins) in wins.into_iter().enumerate() {
        let mut wins = wins.map(AtomicU32::into_inner);
        wins.sort_unstable();
        assert_eq!(wins, [WON, LOST], "race {race}");
    }
}

/// How a race ended for one of the two; 0 if it was not run.
const WON: u32 = 1;
const LOST: u32 = 2;
const FAILED: u32 = 3;

#[test]
fn of_a_thousand_races_of_two_senders_each_has_one_winner() {
    race(Role::Sender);
}

#[test]
fn of_a_thousand_races_of_two_receivers_each_has_one_winner() {
    race(Role::Receiver);
}

/// Somebody removes the channel again and again, and somebody fails to open it: nobody has its sides, so whoever wants one gets it.
#[test]
fn a_side_that_is_taken_for_a_moment_only_is_not_refused() {
    let dir = Scratch::new("moments");
    let (name, stop) = (dir.file(), AtomicBool::new(false));
    let lock = |file: &fs::File, kind: i32| {
        let range = libc::flock { l_type: kind as i16, l_whence: 0, l_start: 1, l_len: 1, l_pid: 0 };
        // SAFETY: an open descriptor, and a range that the kernel only reads.
        unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const range) }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = Builder::<u64>::new(&name).remove();
            }
        });
        // As an opener that fails after it has the lock, at length.
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let Ok(file) = fs::File::options().read(true).write(true).open(&name) else { continue };
                if lock(&file, libc::F_WRLCK) == 0 {
                    std::thread::sleep(Duration::from_micros(500));
                    lock(&file, libc::F_UNLCK);
                }
                std::thread::sleep(Duration::from_micros(700));
            }
        });
        // A machine with more to do than it has cores for may let one wait with the lock in its hands for longer than anybody asks; without
        // asking again a third is refused.
        let few = catch_unwind(AssertUnwindSafe(|| {
            seen(|| {
                let end = Instant::now() + Duration::from_secs(2);
                let (mut opened, mut refused) = (0, Vec::new());
                while Instant::now() < end {
                    match sender(&name) {
                        Ok(_) => opened += 1,
                        Err(error) => refused.push(error.to_string()),
                    }
                }
                println!("{opened} opened, {} refused", refused.len());
                let few = opened > 100 && refused.len() * 10 <= opened;
                if few { Ok(()) } else { Err(format!("{opened} opened, {refused:?}")) }
            });
        }));
        stop.store(true, Ordering::Relaxed);
        few.unwrap_or_else(|why| resume_unwind(why));
    });
}

/// A look at the other side by way of trying its lock would be seen by it.
#[test]
fn an_open_side_does_not_notice_a_removal() {
    let dir = Scratch::new("unseen");
    let (name, stop) = (dir.file(), AtomicBool::new(false));
    let mut rx = receiver(&name).unwrap();
    drop(sender(&name).unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                assert!(!Builder::<u64>::new(&name).remove().unwrap());
            }
        });
        let end = Instant::now() + Duration::from_millis(700);
        let mut here = 0;
        while Instant::now() < end {
            here += u32::from(rx.peer() == Peer::Here || rx.wait_for_peer(Duration::ZERO));
        }
        stop.store(true, Ordering::Relaxed);
        assert_eq!(here, 0, "nobody was there");
    });
}
