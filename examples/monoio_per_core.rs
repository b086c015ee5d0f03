//! A monoio runtime for each shard: io_uring reads a file while the mesh brings messages. (Where io_uring is not allowed: epoll.)
//!
//! ```text
//! cargo run --release --example monoio_per_core [FILE]
//! ```
//!
//! Each shard reads its part of the file and tells each byte's owner how often it met it. The owners' counts are checked against a
//! serial count. Without a file it counts the bytes of a source file of this crate. On Linux; elsewhere there is nothing to show.

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("io_uring is Linux's: nothing to show here");
}

#[cfg(target_os = "linux")]
fn main() -> Result<(), linux::Failed> {
    linux::main()
}

#[cfg(target_os = "linux")]
mod linux {
    use monoio::fs::File;
    use monoio::{FusionDriver, RuntimeBuilder};
    use ringmail::mesh::{self, Builder, Disconnected, Endpoint, Seat, TrySendError};
    use std::future::poll_fn;
    use std::path::PathBuf;
    use std::pin::pin;
    use std::task::Poll;
    use std::{env, error, fs, io, iter, process, thread};

    pub(super) type Failed = Box<dyn error::Error + Send + Sync>;
    type Counts = [u64; 256];
    /// How often a byte was met.
    type Met = (u8, u64);
    const BLOCK: u64 = 1024;

    /// Waits until there is something to do on the mesh: a message, or room for one. It is woken by the waker of the task that polls it
    /// first, on any runtime, so it is not for moving from task to task.
    async fn park(me: &mut Endpoint<Met>) -> mesh::Ready {
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        loop {
            match me.arm(&waker) {
                Ok(armed) => poll_fn(|_| if armed.is_quiet() { Poll::Pending } else { Poll::Ready(()) }).await,
                Err(ready) => return ready,
            }
        }
    }

    /// Takes all that the others have sent.
    fn receive(me: &mut Endpoint<Met>, counts: &mut Counts) -> Result<(), Disconnected> {
        me.poll(usize::MAX, |_, (byte, n)| counts[usize::from(byte)] += n);
        me.next_disconnected().map_or(Ok(()), Err)
    }

    /// Reads this shard's part of the file, and returns the counts of the bytes that are this shard's.
    async fn shard(me: &mut Endpoint<Met>, file: PathBuf, len: u64) -> Result<Counts, Failed> {
        let (id, shards) = (me.id() as u64, me.shards() as u64);
        let (mut at, end) = (len * id / shards, len * (id + 1) / shards);
        let (file, mut counts, mut over) = (File::open(file).await?, [0; 256], false);
        while at < end {
            let mut reading = pin!(file.read_at(Vec::with_capacity(BLOCK.min(end - at) as usize), at));
            let (read, block) = loop {
                monoio::select! {
                    read = &mut reading => break read,
                    ready = park(me), if !over => {
                        over = ready == mesh::Ready::AllDisconnected;
                        receive(me, &mut counts)?;
                    }
                }
            };
            let block = &block[..read?];
            at += block.len() as u64;
            if block.is_empty() {
                return Err("the file has become shorter".into());
            }
            let mut met = [0; 256];
            block.iter().for_each(|&byte| met[usize::from(byte)] += 1);
            for mut message in (0..=255).zip(met).filter(|&(_, n)| n != 0) {
                let owner = usize::from(message.0) % me.shards();
                if owner == me.id() {
                    counts[usize::from(message.0)] += message.1;
                    continue;
                }
                while let Err(error) = me.try_send_to(owner, message) {
                    match error {
                        TrySendError::Full(back) => message = back,
                        TrySendError::Disconnected(_, gone) => return Err(gone.into()),
                    }
                    park(me).await;
                    receive(me, &mut counts)?;
                }
            }
        }
        me.close();
        while park(me).await != mesh::Ready::AllDisconnected {
            receive(me, &mut counts)?;
        }
        Ok(counts)
    }

    pub(super) fn main() -> Result<(), Failed> {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/mesh.rs");
        let file = PathBuf::from(env::args_os().nth(1).unwrap_or(source.into()));
        let read = fs::metadata(&file).and_then(|meta| {
            if meta.is_file() { fs::read(&file) } else { Err(io::Error::other("it is not a regular file")) }
        });
        let bytes = read.unwrap_or_else(|error| {
            eprintln!("monoio_per_core: cannot count {}: {error}", file.display());
            process::exit(2)
        });

        let (shards, len) = (thread::available_parallelism()?.get().max(2), bytes.len() as u64);
        let seats = Builder::new().shards(shards).capacity(64).build()?;
        let on_runtime = move |me: &mut Endpoint<Met>, file| -> Result<Counts, Failed> {
            RuntimeBuilder::<FusionDriver>::new().build()?.block_on(shard(me, file, len))
        };
        let spawn = |(seat, file)| thread::spawn(move || Seat::run(seat, |me| on_runtime(me, file)));
        let threads: Vec<_> = seats.into_iter().zip(iter::repeat(file)).map(spawn).collect();
        let mut counts = [0; 256];
        for thread in threads {
            let part = thread.join().expect("a shard does not panic")??;
            counts.iter_mut().zip(part).for_each(|(sum, n)| *sum += n);
        }

        let mut serial = [0; 256];
        bytes.iter().for_each(|&byte| serial[usize::from(byte)] += 1);
        assert_eq!(counts, serial, "the shards' counts and a serial one agree");
        let driver = if monoio::utils::detect_uring() { "io_uring" } else { "epoll" };
        println!("{shards} runtimes on {driver} counted {len} bytes as a serial count does");
        Ok(())
    }
}
