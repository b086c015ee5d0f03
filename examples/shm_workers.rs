//! A pool of worker processes: one sends jobs, several work on them, two are killed in the middle of it, and no job is lost.
//!
//! Each job is done under `recv_with`: one whose worker is killed is done again by another. So the results, which go back by a `fan_in`, may hold one twice, and the
//! collector counts each once. Start it without arguments: it starts its workers, and checks that every result came.

#[cfg(all(target_os = "linux", feature = "shm", target_pointer_width = "64"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    pool::main()
}

#[cfg(not(all(target_os = "linux", feature = "shm", target_pointer_width = "64")))]
fn main() {
    println!("channels between processes are for Linux, with the feature `shm`");
}

#[cfg(all(target_os = "linux", feature = "shm", target_pointer_width = "64"))]
mod pool {
    use ringmail::shm::{fan_in, fan_out};
    use std::error::Error;
    use std::process::{Child, Command};
    use std::time::Duration;

    const JOBS: u64 = 2000;
    const WORKERS: usize = 3;

    fn jobs(name: &str) -> fan_out::Builder<u64> {
        // Few places: not many jobs wait behind a long one. A lane more than workers, for one that comes in place of one that was killed.
        fan_out::Builder::new(format!("{name}-jobs")).lanes(WORKERS + 1).capacity(4)
    }

    /// A job in the upper half, its result in the lower.
    fn results(name: &str) -> fan_in::Builder<u64> {
        fan_in::Builder::new(format!("{name}-results")).lanes(WORKERS + 3).capacity(64)
    }

    /// The work: the steps from a number to 1 by the rule of Collatz.
    fn work(job: u64) -> u64 {
        std::iter::successors(Some(job + 1), |&n| match n {
            1 => None,
            n if n % 2 == 0 => Some(n / 2),
            n => Some(3 * n + 1),
        })
        .count() as u64
    }

    fn worker(name: &str) -> Result<(), Box<dyn Error>> {
        let (mut jobs, mut results) = (jobs(name).open_receiver()?, results(name).open_sender()?);
        // The place of a job is free once its result is sent.
        while jobs.recv_with(|&job| results.send(job << 32 | work(job))).is_ok_and(|sent| sent.is_ok()) {}
        Ok(())
    }

    fn start(name: &str) -> std::io::Result<Child> {
        Command::new(std::env::current_exe()?).arg(name).spawn()
    }

    pub(crate) fn main() -> Result<(), Box<dyn Error>> {
        if let Some(name) = std::env::args().nth(1) {
            return worker(&name);
        }
        let name = format!("workers-{}", std::process::id());
        let (mut tx, mut collector) = (jobs(&name).open_sender()?, results(&name).open_receiver()?);
        let mut workers = (0..WORKERS).map(|_| start(&name)).collect::<Result<Vec<_>, _>>()?;
        let (mut done, mut twice) = (vec![None; JOBS as usize], 0);
        let mut collect = |wait: Duration| -> Result<bool, Box<dyn Error>> {
            loop {
                let found = match collector.recv_timeout(wait) {
                    Ok(found) => found,
                    Err(_) => return Ok(done.iter().all(Option::is_some)),
                };
                let (job, result) = (found >> 32, found as u32);
                twice += u64::from(done[job as usize].replace(result).is_some());
            }
        };
        for job in 0..JOBS {
            while tx.try_send(job).is_err() {
                collect(Duration::from_micros(100))?;
            }
            if job == JOBS / 3 || job == 2 * JOBS / 3 {
                // As if the machine had run out of memory.
                let mut killed = workers.remove(0);
                let was_there = killed.kill();
                killed.wait()?;
                was_there?;
                workers.push(start(&name)?);
            }
        }
        drop(tx);
        while !collect(Duration::from_millis(10))? {}
        for mut worker in workers {
            assert!(worker.wait()?.success(), "a worker ends when all jobs are done");
        }
        let right = done.iter().zip(0..).all(|(result, job)| result.map(u64::from) == Some(work(job)));
        assert!(right, "every job is done, and right");
        assert!(twice <= 2, "a kill repeats one job at most");
        println!("{JOBS} jobs by {WORKERS} workers, of which 2 were killed: none lost, {twice} done twice");
        jobs(&name).remove()?;
        drop(collector);
        results(&name).remove()?;
        Ok(())
    }
}
