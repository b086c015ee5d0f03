//! What a wake through a [`WakeFd`](ringmail::shm::WakeFd) costs beside one through a bare pipe: two processes, each asleep in tokio's reactor
//! until the other has sent.
//!
//! ```text
//! cargo run --release --package ringmail-benches --bin shm_fd
//! ```
//!
//! A round is so many asks and answers over one link, then as many over the next; so what else the machine does meets all of them. Printed are the
//! medians of the rounds, and of the ratios to the pipe's round beside it. Half a round trip is a send, a wake and a receive. Processor time
//! is that of both processes, by the scheduler's count. With a pause between two asks the processors go idle and come back.

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("epoll is Linux's: nothing to measure here");
}

#[cfg(target_os = "linux")]
fn main() -> Result<(), linux::Failed> {
    linux::main()
}

#[cfg(target_os = "linux")]
mod linux {
    use ringmail::WaitStrategy;
    use ringmail::shm::{Cause, TryRecvError, WakeFd, Watched, bytes};
    use std::fs::File;
    use std::io::{self, Read, Write};
    use std::os::fd::{AsFd, OwnedFd};
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};
    use tokio::io::unix::AsyncFd;

    pub(super) type Failed = Box<dyn std::error::Error>;
    const ROUNDS: usize = 41;
    const ASKS: usize = 1000;
    const PAUSES: [Duration; 2] = [Duration::ZERO, Duration::from_micros(300)];
    const LINKS: [&str; 3] = ["pipe", "shm", "shm-at-once"];

    /// One way of records of 8 bytes there and back, as one process has it.
    enum Link {
        Pipe(AsyncFd<File>, File),
        Shm(Box<bytes::Receiver>, AsyncFd<WakeFd>, Box<bytes::Sender>, Vec<u8>),
    }

    impl Link {
        fn pipe(from: OwnedFd, to: OwnedFd) -> io::Result<Self> {
            rustix::io::ioctl_fionbio(&from, true)?;
            // SAFETY: a file has one descriptor, and keeps it open.
            Ok(Self::Pipe(unsafe { AsyncFd::register(File::from(from)) }.map_err(io::Error::from)?, File::from(to)))
        }

        fn shm(kind: &str, from: &str, to: &str) -> Result<Self, Failed> {
            let wait = if kind == "shm" { WaitStrategy::Park } else { WaitStrategy::ParkAtOnce };
            let open = |path: &str| bytes::Builder::new(path).wait(wait);
            let mut rx = open(from).open_receiver()?;
            // SAFETY: a `WakeFd` has one descriptor, and keeps it open.
            let fd = unsafe { AsyncFd::register(rx.wake_fd()?) }.map_err(io::Error::from)?;
            Ok(Self::Shm(Box::new(rx), fd, Box::new(open(to).open_sender()?), Vec::new()))
        }

        fn send(&mut self, record: u64) -> Result<(), Failed> {
            match self {
                Self::Pipe(_, to) => to.write_all(&record.to_ne_bytes())?,
                Self::Shm(_, _, tx, _) => tx.try_send(&record.to_ne_bytes())?,
            }
            Ok(())
        }

        /// `None` once the other side has ended.
        async fn recv(&mut self) -> Result<Option<u64>, Failed> {
            let mut record = [0; 8];
            match self {
                Self::Pipe(from, _) => loop {
                    match from.readable().await?.try_io(|from| from.get_ref().read(&mut record)) {
                        Ok(Ok(0)) => return Ok(None),
                        Ok(Ok(_)) => break,
                        Ok(Err(error)) => return Err(error.into()),
                        Err(_) => {}
                    }
                },
                Self::Shm(rx, fd, _, body) => loop {
                    match rx.try_recv_into(body) {
                        Ok(_) => {
                            record.copy_from_slice(body);
                            break;
                        }
                        Err(TryRecvError::Disconnected(Cause::Closed | Cause::PeerDied)) => return Ok(None),
                        Err(TryRecvError::Empty) => {}
                        Err(other) => return Err(other.into()),
                    }
                    if let Some(_armed) = rx.arm()? {
                        fd.readable().await?.clear_ready();
                    }
                },
            }
            Ok(Some(u64::from_ne_bytes(record)))
        }
    }

    /// Nanoseconds that a process of one thread has run.
    fn ran(process: &str) -> Result<f64, Failed> {
        let text = std::fs::read_to_string(format!("/proc/{process}/schedstat"))?;
        Ok(text.split(' ').next().unwrap_or_default().parse()?)
    }

    /// The other process: sends back what it gets.
    async fn echo(kind: &str, dir: &str) -> Result<(), Failed> {
        let mut link = match kind {
            "pipe" => {
                Link::pipe(io::stdin().as_fd().try_clone_to_owned()?, io::stdout().as_fd().try_clone_to_owned()?)?
            }
            _ => Link::shm(kind, &format!("{dir}/there"), &format!("{dir}/back"))?,
        };
        while let Some(record) = link.recv().await? {
            link.send(record)?;
        }
        Ok(())
    }

    fn start(kind: &str, dir: &str) -> Result<(Link, Child), Failed> {
        std::fs::create_dir_all(dir)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args([kind, dir]);
        if kind != "pipe" {
            return Ok((Link::shm(kind, &format!("{dir}/back"), &format!("{dir}/there"))?, command.spawn()?));
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (to, from) = (child.stdin.take().ok_or("no pipe")?, child.stdout.take().ok_or("no pipe")?);
        Ok((Link::pipe(from.into(), to.into())?, child))
    }

    /// Half a round trip, and processor time of both sides for it, in microseconds.
    async fn round(link: &mut Link, child: &Child, pause: Duration) -> Result<[f64; 2], Failed> {
        let other = child.id().to_string();
        let before = ran("self")? + ran(&other)?;
        let mut waited = Duration::ZERO;
        for i in 0..ASKS as u64 {
            if !pause.is_zero() {
                std::thread::sleep(pause);
            }
            let start = Instant::now();
            link.send(i)?;
            if link.recv().await? != Some(i) {
                return Err("a record is lost".into());
            }
            waited += start.elapsed();
        }
        let halves = 2.0 * ASKS as f64;
        Ok([waited.as_nanos() as f64 / 1e3 / halves, (ran("self")? + ran(&other)? - before) / 1e3 / halves])
    }

    fn median(mut of: Vec<f64>) -> f64 {
        of.sort_by(f64::total_cmp);
        of[of.len() / 2]
    }

    pub(super) fn main() -> Result<(), Failed> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let arguments: Vec<_> = std::env::args().collect();
        if let [_, kind, dir] = &arguments[..] {
            return runtime.block_on(echo(kind, dir));
        }
        let dir = format!("/dev/shm/ringmail-bench-fd-{}", std::process::id());
        let measured = runtime.block_on(measure(&dir));
        std::fs::remove_dir_all(&dir)?;
        measured
    }

    async fn measure(dir: &str) -> Result<(), Failed> {
        let mut links = Vec::new();
        for kind in LINKS {
            links.push(start(kind, &format!("{dir}/{kind}"))?);
        }
        for pause in PAUSES {
            let mut rounds = Vec::new();
            // The first is to warm up.
            for _ in 0..=ROUNDS {
                let mut row = Vec::new();
                for (link, child) in &mut links {
                    row.push(round(link, child, pause).await?);
                }
                rounds.push(row);
            }
            rounds.remove(0);
            println!("{pause:?} between two asks: microseconds, and the ratio to a pipe");
            for (i, kind) in LINKS.iter().enumerate() {
                let [wake, processor] = [0, 1].map(|what| {
                    let of = |f: &dyn Fn(&Vec<[f64; 2]>) -> f64| median(rounds.iter().map(f).collect());
                    (of(&|row| row[i][what]), of(&|row| row[i][what] / row[0][what]))
                });
                println!(
                    "  {kind:12} a wake {:6.2} ({:.2})   processor time {:6.2} ({:.2})",
                    wake.0, wake.1, processor.0, processor.1
                );
            }
        }
        for (link, mut child) in links {
            drop(link);
            child.wait()?;
        }
        Ok(())
    }
}
