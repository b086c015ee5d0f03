//! An event loop on mio: sockets and the mesh in one `epoll` (or kqueue), woken through one `mio::Waker`.
//!
//! ```text
//! cargo run --release --example mio_loop
//! ```
//!
//! Shard 0 is the loop. It takes numbers from a socket to whichever worker is least busy, and their answers back. What a worker does
//! takes a while (the length of a Collatz sequence); it has the mesh alone to wait for, and so just receives. The client checks each
//! answer. On Unix; elsewhere there is nothing to show, for the sockets are Unix's.

#[cfg(not(unix))]
fn main() {
    println!("the sockets are Unix's: nothing to show here");
}

#[cfg(unix)]
fn main() -> Result<(), unix::Failed> {
    unix::main()
}

#[cfg(unix)]
mod unix {
    use mio::net::UnixDatagram;
    use mio::{Events, Interest, Poll, Token, Waker};
    use ringmail::mesh::{Builder, Endpoint, Ready};
    use ringmail::wait::waker_fn;
    use std::collections::{BTreeSet, VecDeque};
    use std::io::{self, ErrorKind};
    use std::{error, thread};

    pub(super) type Failed = Box<dyn error::Error + Send + Sync>;
    /// A number, and the length of its sequence once that is known. None: no more.
    type Message = Option<(u64, u64)>;
    const REQUESTS: u64 = 5_000;
    /// Requests that one worker has at a time. So many fit into a lane, and so there is room for each, and for its answer.
    const CAPACITY: usize = 16;
    const MESH: Token = Token(0);
    const SOCKET: Token = Token(1);

    fn steps(mut n: u64) -> u64 {
        let mut steps = 0;
        while n > 1 {
            n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
            steps += 1;
        }
        steps
    }

    fn worker(me: &mut Endpoint<Message>) -> Result<(), Failed> {
        loop {
            let (from, request) = me.recv()?;
            let Some((n, _)) = request else { return Ok(()) };
            // Not an error but a panic: of a worker that has left in order, the loop would not be told.
            me.try_send_to(from, Some((n, steps(n)))).expect("there is room for as many answers as requests");
        }
    }

    /// The loop: do all there is to do, then sleep in `poll`, which the socket and the mesh both end.
    fn front(me: &mut Endpoint<Message>, socket: &mut UnixDatagram) -> Result<u64, Failed> {
        let mut poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), MESH)?;
        // It runs in the middle of a worker's send, which it must not fail; a wake-up that fails is one that is already on its way.
        let waker = waker_fn(move || drop(waker.wake()));
        poll.registry().register(socket, SOCKET, Interest::READABLE | Interest::WRITABLE)?;
        let (mut events, mut sleeps) = (Events::with_capacity(8), 0);
        let (mut readable, mut writable, mut ended) = (true, true, false);
        let (mut busy, mut answers) = (vec![0; me.shards()], VecDeque::new());
        loop {
            let progress = me.poll(256, |from, answer| {
                busy[from] -= 1;
                answers.extend(answer);
            });
            if progress.disconnected {
                return Err(me.next_disconnected().map_or("a worker is lost".into(), Failed::from));
            }
            while let (true, Some((n, steps))) = (writable, answers.front()) {
                match socket.send(&[n.to_le_bytes(), u64::to_le_bytes(*steps)].concat()) {
                    Ok(_) => drop(answers.pop_front()),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => writable = false,
                    Err(error) => return Err(error.into()),
                }
            }
            // Its events tell of a change alone, so it is read until it says that it would block, or all workers are busy.
            while readable && !ended {
                let Some(worker) = me.peers().filter(|&w| busy[w] < CAPACITY).min_by_key(|&w| busy[w]) else { break };
                let mut request = [0; 8];
                match socket.recv(&mut request) {
                    Ok(0) => ended = true, // the client's farewell
                    Ok(_) => {
                        me.try_send_to(worker, Some((u64::from_le_bytes(request), 0)))?;
                        busy[worker] += 1;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => readable = false,
                    Err(error) => return Err(error.into()),
                }
            }
            if ended && answers.is_empty() && busy.iter().all(|&n| n == 0) {
                break;
            }
            match me.arm(&waker) {
                Ok(armed) => armed.sleep(|limit| poll.poll(&mut events, limit))?,
                Err(Ready::AllDisconnected) => return Err("the workers have gone".into()),
                Err(_) => continue,
            }
            sleeps += 1;
            for event in events.iter().filter(|event| event.token() == SOCKET) {
                readable |= event.is_readable();
                writable |= event.is_writable();
            }
        }
        me.broadcast(&None);
        Ok(sleeps)
    }

    /// Asks, knowing nothing of mio or the mesh. Returns how many answers are right.
    fn client(socket: &std::os::unix::net::UnixDatagram) -> io::Result<u64> {
        thread::scope(|s| {
            let sender = s.spawn(|| {
                (1..=REQUESTS).try_for_each(|n| socket.send(&n.to_le_bytes()).map(drop))?;
                socket.send(&[]).map(drop)
            });
            let (mut right, mut answer) = (BTreeSet::new(), [[0; 8]; 2]);
            for _ in 0..REQUESTS {
                socket.recv(answer.as_flattened_mut())?;
                let [n, answered] = answer.map(u64::from_le_bytes);
                if answered == steps(n) {
                    right.insert(n);
                }
            }
            sender.join().expect("the sender does not panic").map(|()| right.len() as u64)
        })
    }

    pub(super) fn main() -> Result<(), Failed> {
        let (theirs, ours) = std::os::unix::net::UnixDatagram::pair()?;
        ours.set_nonblocking(true)?;
        let mut socket = UnixDatagram::from_std(ours);
        let shards = 1 + thread::available_parallelism()?.get().max(2);
        let mut seats = Builder::new().shards(shards).capacity(CAPACITY).build()?.into_iter();
        let seat = seats.next().ok_or("no seats")?;
        let client = thread::spawn(move || client(&theirs));
        let workers: Vec<_> = seats.map(|seat| thread::spawn(move || seat.run(worker))).collect();
        let sleeps = seat.run(|me| front(me, &mut socket))??;
        for worker in workers {
            worker.join().expect("a worker does not panic")??;
        }
        let right = client.join().expect("the client does not panic")?;
        assert_eq!(right, REQUESTS, "each number was answered, and right");
        println!(
            "{} workers answered {right} requests of a socket; the loop slept in mio's poll {sleeps} times",
            shards - 1
        );
        Ok(())
    }
}
