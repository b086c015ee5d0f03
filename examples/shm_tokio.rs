//! Two processes, each with tokio: requests go through one mapped channel and answers come back through another. Both wait in tokio's reactor,
//! beside the other tasks of their runtime.
//!
//! ```text
//! cargo run --release --features shm --example shm_tokio
//! ```
//!
//! This program starts itself a second time. The second process answers each request; the first checks each answer. On Linux; elsewhere there
//! is nothing to show.

#[cfg(not(all(target_os = "linux", feature = "shm")))]
fn main() {
    println!("channels between processes are Linux's, and of the feature shm: nothing to show here");
}

#[cfg(all(target_os = "linux", feature = "shm"))]
fn main() -> Result<(), linux::Failed> {
    linux::main()
}

#[cfg(all(target_os = "linux", feature = "shm"))]
mod linux {
    use ringmail::shm::bytes::{Builder, Receiver, Sender, TrySendError};
    use ringmail::shm::{Cause, TryRecvError, WakeFd, Watched};
    use std::process::Command;
    use std::{error, io};
    use tokio::io::unix::AsyncFd;

    pub(super) type Failed = Box<dyn error::Error + Send + Sync>;
    const REQUESTS: u64 = 10_000;
    /// Requests that are on their way at a time.
    const WINDOW: u64 = 32;

    /// A side, and its descriptor in tokio's reactor.
    struct Registered<S>(S, AsyncFd<WakeFd>);

    impl<S: Watched> Registered<S> {
        fn new(mut side: S) -> Result<Self, Failed> {
            // SAFETY: a `WakeFd` has one descriptor, and keeps it open.
            let fd = unsafe { AsyncFd::register(side.wake_fd()?) }.map_err(io::Error::from)?;
            Ok(Self(side, fd))
        }

        /// Waits until there may be something to do.
        async fn wait(&mut self) -> Result<(), Failed> {
            if let Some(_armed) = self.0.arm()? {
                self.1.readable().await?.clear_ready();
            }
            Ok(())
        }
    }

    impl Registered<Receiver> {
        /// The next record; `None` once the other side has closed.
        async fn recv(&mut self, body: &mut Vec<u8>) -> Result<Option<()>, Failed> {
            loop {
                match self.0.try_recv_into(body) {
                    Ok(_) => return Ok(Some(())),
                    Err(TryRecvError::Empty) => self.wait().await?,
                    Err(TryRecvError::Disconnected(Cause::Closed)) => return Ok(None),
                    Err(ended) => return Err(ended.into()),
                }
            }
        }
    }

    impl Registered<Sender> {
        async fn send(&mut self, record: &[u8]) -> Result<(), Failed> {
            loop {
                match self.0.try_send(record) {
                    Err(TrySendError::Full) => self.wait().await?,
                    other => return Ok(other?),
                }
            }
        }
    }

    fn answer(request: &[u8]) -> String {
        String::from_utf8_lossy(request).chars().rev().collect()
    }

    async fn serve(name: &str) -> Result<(), Failed> {
        let mut requests = Registered::new(Builder::new(format!("{name}-requests")).open_receiver()?)?;
        let mut answers = Registered::new(Builder::new(format!("{name}-answers")).open_sender()?)?;
        let mut request = Vec::new();
        while requests.recv(&mut request).await?.is_some() {
            answers.send(answer(&request).as_bytes()).await?;
        }
        Ok(())
    }

    async fn ask(name: &str) -> Result<u64, Failed> {
        let mut requests = Registered::new(Builder::new(format!("{name}-requests")).open_sender()?)?;
        let mut answers = Registered::new(Builder::new(format!("{name}-answers")).open_receiver()?)?;
        let (mut sent, mut body) = (0, Vec::new());
        for received in 0..REQUESTS {
            while sent < REQUESTS.min(received + WINDOW) {
                requests.send(format!("request {sent}").as_bytes()).await?;
                sent += 1;
            }
            answers.recv(&mut body).await?.ok_or("the other process has left too soon")?;
            assert_eq!(body, answer(format!("request {received}").as_bytes()).as_bytes(), "answer {received}");
        }
        Ok(answers.0.stats().receiver_parks)
    }

    pub(super) fn main() -> Result<(), Failed> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        if let Some(name) = std::env::args().nth(1) {
            return runtime.block_on(serve(&name));
        }
        let name = format!("example-tokio-{}", std::process::id());
        let mut other = Command::new(std::env::current_exe()?).arg(&name).spawn()?;
        let sleeps = runtime.block_on(ask(&name));
        let ended = other.wait()?;
        for channel in ["requests", "answers"] {
            Builder::new(format!("{name}-{channel}")).remove()?;
        }
        let sleeps = sleeps?;
        if !ended.success() {
            return Err(format!("the other process: {ended}").into());
        }
        println!(
            "{REQUESTS} requests were answered by another process, and right; slept in tokio's reactor {sleeps} times"
        );
        Ok(())
    }
}
