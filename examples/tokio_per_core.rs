//! A tokio runtime for each shard, and requests that come in by sockets on some and are answered on others.
//!
//! ```text
//! cargo run --release --example tokio_per_core
//! ```
//!
//! Two ways to wait. A *store* has nothing but the mesh to wait for: `recv_async`. A *front* waits for its socket, too, by
//! `select!`, and there the mesh is a descriptor that `AsyncFd` watches; `recv_async` would do as well. Each client asks
//! for keys; the stores count them and answer with the count, and in the end counts and answers are checked. On Linux; elsewhere
//! there is nothing to show.

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("eventfd is Linux's: nothing to show here");
}

#[cfg(target_os = "linux")]
fn main() -> Result<(), linux::Failed> {
    linux::main()
}

#[cfg(target_os = "linux")]
mod linux {
    use ringmail::mesh::{Builder, Endpoint, Ready, Seat};
    use ringmail::wait::EventFd;
    use std::collections::{BTreeMap, VecDeque};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;
    use std::task::Waker;
    use std::{error, io, thread};
    use tokio::io::unix::AsyncFd;
    use tokio::runtime;

    pub(super) type Failed = Box<dyn error::Error + Send + Sync>;
    const FRONTS: usize = 2;
    const STORES: usize = 2;
    const REQUESTS: u64 = 5_000;
    /// Requests of a front that are under way at a time: no more than a lane holds, so there is room for each, and for its answer.
    const CAPACITY: usize = 16;

    /// A request is a key, its answer how often the key has been asked for. None: this front asks nothing more. (It could not close its
    /// lanes instead: a store's lanes from the other stores are still open then, so it would wait on.)
    type Message = Option<u64>;
    type Counters = BTreeMap<u64, u64>;

    /// Takes requests from a socket to the shard that owns the key, and answers back, in the order in which they come.
    async fn front(me: &mut Endpoint<Message>, socket: tokio::net::UnixDatagram) -> Result<Counters, Failed> {
        let event = EventFd::new()?;
        let waker = Waker::from(event.clone());
        // SAFETY: `event`, which is dropped after this, keeps the descriptor open, and a borrowed descriptor is always the same one.
        let watched = unsafe { AsyncFd::register(event.as_fd()) }.map_err(io::Error::from)?;
        let (mut under_way, mut ended, mut request) = (0, false, [0; 8]);
        let mut answers = VecDeque::new();
        loop {
            if me.poll(CAPACITY, |_store, count| answers.extend(count)).disconnected {
                return Err(me.next_disconnected().map_or("a store is lost".into(), Failed::from));
            }
            while let Some(answer) = answers.pop_front() {
                socket.send(&answer.to_le_bytes()).await?;
                under_way -= 1;
            }
            if ended && under_way == 0 {
                break;
            }
            let armed = match me.arm(&waker) {
                Ok(armed) => armed,
                Err(Ready::AllDisconnected) => return Err("the stores have gone".into()),
                Err(_) => continue,
            };
            tokio::select! {
                rung = watched.readable() => {
                    event.clear()?;
                    rung?.clear_ready();
                }
                received = socket.recv(&mut request), if !ended && under_way < CAPACITY => {
                    drop(armed);
                    ended = received? == 0; // the client's farewell is an empty datagram
                    if !ended {
                        let key = u64::from_le_bytes(request);
                        me.try_send_to(FRONTS + key as usize % STORES, Some(key))?;
                        under_way += 1;
                    }
                }
            }
        }
        for store in FRONTS..FRONTS + STORES {
            me.try_send_to(store, None)?;
        }
        Ok(Counters::new())
    }

    /// Counts the requests for each key, and answers.
    async fn store(me: &mut Endpoint<Message>) -> Result<Counters, Failed> {
        let (mut counters, mut fronts) = (Counters::new(), FRONTS);
        while fronts != 0 {
            match me.recv_async().await? {
                (_, None) => fronts -= 1,
                (front, Some(key)) => {
                    let count = counters.entry(key).or_default();
                    *count += 1;
                    // Not an error but a panic: of a store that has left in order, the fronts would not be told.
                    me.try_send_to(front, Some(*count)).expect("there is room for as many answers as requests");
                }
            }
        }
        Ok(counters)
    }

    /// What one client asks for, in this order.
    fn keys(client: usize) -> impl Iterator<Item = u64> {
        (0..REQUESTS).map(move |n| (n * n + client as u64) % 97)
    }

    /// A client, which knows nothing of tokio or the mesh. Returns the sum of all answers.
    fn client(client: usize, socket: &UnixDatagram) -> io::Result<u64> {
        thread::scope(|s| {
            let sender = s.spawn(|| {
                keys(client).try_for_each(|key| socket.send(&key.to_le_bytes()).map(drop))?;
                socket.send(&[]).map(drop)
            });
            let (mut sum, mut answer) = (0, [0; 8]);
            for _ in 0..REQUESTS {
                socket.recv(&mut answer)?;
                sum += u64::from_le_bytes(answer);
            }
            sender.join().expect("the sender does not panic").map(|()| sum)
        })
    }

    /// A shard's thread: a runtime of its own, and one task on it.
    fn shard(seat: Seat<Message>, socket: Option<UnixDatagram>) -> Result<Counters, Failed> {
        let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
        seat.run(|me| {
            runtime.block_on(async {
                match socket {
                    Some(socket) => front(me, tokio::net::UnixDatagram::from_std(socket)?).await,
                    None => store(me).await,
                }
            })
        })?
    }

    pub(super) fn main() -> Result<(), Failed> {
        let seats = Builder::new().shards(FRONTS + STORES).capacity(CAPACITY).build()?;
        let (mut shards, mut clients) = (Vec::new(), Vec::new());
        for seat in seats {
            let id = seat.id();
            let mut socket = None;
            if id < FRONTS {
                let (ours, theirs) = UnixDatagram::pair()?;
                ours.set_nonblocking(true)?;
                clients.push(thread::spawn(move || client(id, &theirs)));
                socket = Some(ours);
            }
            shards.push(thread::spawn(move || shard(seat, socket)));
        }
        let (mut counters, mut answers) = (Counters::new(), 0);
        for shard in shards {
            counters.extend(shard.join().expect("a shard does not panic")?);
        }
        for client in clients {
            answers += client.join().expect("a client does not panic")?;
        }

        let mut expected = Counters::new();
        (0..FRONTS).flat_map(keys).for_each(|key| *expected.entry(key).or_default() += 1);
        assert_eq!(counters, expected, "each request was counted once, in the store that owns its key");
        assert_eq!(answers, expected.values().map(|n| n * (n + 1) / 2).sum::<u64>(), "each client got its answers");
        println!(
            "{FRONTS} fronts and {STORES} stores, a tokio runtime each, answered {} requests",
            FRONTS as u64 * REQUESTS
        );
        Ok(())
    }
}
