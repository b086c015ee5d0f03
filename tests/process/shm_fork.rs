//! What a forked child has of a mapped channel: nothing, but its parent's locks until it ends. Forks want a program of one thread, so
//! there is no test harness.

#[cfg(not(all(target_os = "linux", feature = "shm")))]
fn main() {}

#[cfg(all(target_os = "linux", feature = "shm"))]
fn main() {
    let name = format!("/dev/shm/ringmail-test-fork-{}", std::process::id());
    if std::env::args().any(|argument| argument == "--list") {
        println!("a_child_leaves_its_parents_channel_alone: test");
        println!("a_child_leaves_its_parents_lossy_channel_alone: test");
        println!("a_child_leaves_its_parents_broadcast_alone: test");
        println!("a_child_leaves_its_parents_fan_out_alone: test");
        return;
    }
    let laws = [
        imp::a_child_leaves_its_parents_channel_alone,
        imp::a_child_leaves_its_parents_lossy_channel_alone,
        imp::a_child_leaves_its_parents_broadcast_alone,
        imp::a_child_leaves_its_parents_fan_out_alone,
    ];
    for law in laws {
        let held = std::panic::catch_unwind(|| law(&name));
        let _ = std::fs::remove_file(&name);
        if held.is_err() {
            std::process::exit(1);
        }
    }
    println!("\ntest result: ok. 4 passed; 0 failed");
}

#[cfg(all(target_os = "linux", feature = "shm"))]
mod imp {
    use ringmail::shm::lossy::{self, Seen};
    use ringmail::shm::spsc::Builder;
    use ringmail::shm::{Cause, OpenError, Peer, RecvError, TryRecvError, WakeFd, Watched};
    use ringmail::shm::{broadcast, fan_out};
    use std::io::Read;

    pub(crate) fn a_child_leaves_its_parents_channel_alone(name: &str) {
        let open = || Builder::<u64>::new(name);
        let maps = || std::fs::read_to_string("/proc/self/maps").unwrap();
        let mut tx = open().capacity(4).open_sender().unwrap();
        let mut rx = open().open_receiver().unwrap();
        tx.send_slice(&[1, 2]).unwrap();
        assert!(maps().contains(name));

        // A child that drops its copies changes nothing, and has none of the memory.
        if let Some(child) = fork() {
            assert_eq!(wait(child), 0, "the child ended as it should");
        } else {
            let mapped = maps().contains(name);
            drop((tx, rx));
            end(i32::from(mapped));
        }
        assert_eq!((tx.peer(), rx.peer()), (Peer::Here, Peer::Here));
        assert!(matches!(open().open_sender(), Err(OpenError::Taken { .. })));
        tx.send(3).unwrap();
        assert_eq!((rx.recv(), rx.recv(), rx.recv()), (Ok(1), Ok(2), Ok(3)));
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));

        // A side that is closed is free at once, whoever else still has its descriptor.
        let (mut read, write) = std::os::unix::net::UnixStream::pair().unwrap();
        let Some(child) = fork() else {
            drop(write);
            end(read.read(&mut [0]).unwrap_or(1) as i32);
        };
        drop(tx);
        assert_eq!(rx.peer(), Peer::Left);
        assert!(open().open_sender().is_ok());
        drop(write);
        assert_eq!(wait(child), 0);
        assert!(open().open_sender().is_ok());

        // A child that drops a side that is armed, and its descriptor, leaves its parent's event count alone.
        let mut tx = open().open_sender().unwrap();
        let fd = rx.wake_fd().unwrap();
        let armed = loop {
            // What the ends of the senders above left to tell.
            while rx.try_recv().is_ok() || matches!(rx.try_recv(), Err(TryRecvError::Disconnected(_))) {}
            if let Some(armed) = rx.arm().unwrap() {
                break armed;
            }
        };
        if let Some(child) = fork() {
            assert_eq!(wait(child), 0);
        } else {
            drop(armed);
            let refused = rx.arm().is_ok_and(|armed| armed.is_some());
            drop((fd, tx));
            drop(rx);
            end(i32::from(refused));
        }
        tx.send(4).unwrap();
        assert!(is_readable(&fd), "the parent's is rung");
        drop(armed);
        assert!(!is_readable(&fd));
        assert_eq!(rx.recv(), Ok(4));
        let event =
            std::path::Path::new(name).with_file_name(format!(".{}.receiver.event", &name["/dev/shm/".len()..]));
        assert!(event.exists(), "a child does not remove it");
        drop((rx, tx));
        assert!(!event.exists());

        // By a descriptor that it has anyway, a child opens a side of its own; it ends without closing it.
        let channel = Builder::<u64>::create_anonymous(4).unwrap();
        let mut rx = Builder::<u64>::from_fd(&channel).open_receiver().unwrap();
        let Some(child) = fork() else {
            let mut tx = Builder::<u64>::from_fd(&channel).open_sender().unwrap();
            end(i32::from(tx.send(7).is_err()));
        };
        assert_eq!(rx.recv(), Ok(7));
        assert_eq!(wait(child), 0);
        assert_eq!(rx.peer(), Peer::Died);
        assert_eq!(rx.recv(), Err(RecvError(Cause::PeerDied)));
    }

    pub(crate) fn a_child_leaves_its_parents_lossy_channel_alone(name: &str) {
        let open = || lossy::Builder::<u64>::new(name);
        let maps = || std::fs::read_to_string("/proc/self/maps").unwrap();
        let mut tx = open().open_sender().unwrap();
        let mut rx = open().open_receiver().unwrap();
        tx.send(1);
        assert!(maps().contains(name));
        // A child has none of the memory, and ends no session of its parent's.
        let Some(child) = fork() else {
            let mapped = maps().contains(name);
            drop((tx, rx.clone(), rx));
            end(i32::from(mapped));
        };
        assert_eq!(wait(child), 0, "the child ended as it should");
        assert_eq!((rx.peer(), rx.is_closed()), (Peer::Here, false));
        assert!(matches!(open().open_sender(), Err(OpenError::Taken { .. })));
        tx.send(2);
        assert_eq!((rx.recv(), rx.recv()), (Ok(Seen::Message(1)), Ok(Seen::Message(2))));
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        // It opens sides of its own, and ends without closing them.
        drop(tx);
        assert_eq!(rx.recv(), Err(RecvError(Cause::Closed)));
        let Some(child) = fork() else {
            let (mut tx, mut rx) = (open().open_sender().unwrap(), open().open_receiver().unwrap());
            tx.send(3);
            end(i32::from(rx.recv() != Ok(Seen::Message(3))));
        };
        assert_eq!(wait(child), 0);
        assert_eq!((rx.recv(), rx.recv()), (Ok(Seen::Message(3)), Err(RecvError(Cause::PeerDied))));
    }

    pub(crate) fn a_child_leaves_its_parents_broadcast_alone(name: &str) {
        let open = || broadcast::Builder::<u64>::new(name).capacity(4);
        let mut tx = open().open_sender().unwrap();
        let (mut rx, mut journal) = (open().open_receiver().unwrap(), open().open_reserved("journal").unwrap());
        tx.send(1).unwrap();
        let fd = rx.wake_fd().unwrap();
        let maps = || std::fs::read_to_string("/proc/self/maps").unwrap();
        assert!(maps().contains(name));
        // A child has none of the memory, and ends no session of its parent's. It is refused a descriptor, and a sleep by one.
        let Some(child) = fork() else {
            let is_refused = |error: std::io::Error| error.kind() == std::io::ErrorKind::Unsupported;
            let refused = journal.wake_fd().is_err_and(is_refused) && rx.arm().is_err_and(is_refused);
            let mapped = maps().contains(name);
            drop((tx, rx, journal));
            end(i32::from(mapped || !refused));
        };
        assert_eq!(wait(child), 0, "the child ended as it should");
        assert!(!is_readable(&fd));
        assert_eq!((rx.peer(), tx.receivers(), tx.departed()), (Peer::Here, 2, None));
        tx.send(2).unwrap();
        for rx in [&mut rx, &mut journal] {
            assert_eq!((rx.recv(), rx.recv(), rx.try_recv()), (Ok(1), Ok(2), Err(TryRecvError::Empty)));
        }
        // It opens a seat of its own, and ends without closing it: then it gates no more.
        let Some(child) = fork() else {
            let rx = open().open_receiver().unwrap();
            let seat = rx.seat() as i32;
            std::mem::forget(rx);
            end(seat);
        };
        assert_eq!(wait(child), 2);
        for n in 3..20 {
            tx.send(n).unwrap();
            assert_eq!((rx.recv(), journal.recv()), (Ok(n), Ok(n)));
        }
        let departed = tx.departed().map(|told| (told.seat, told.cause, told.at));
        assert_eq!(departed, Some((2, Cause::PeerDied, Some(2))));
    }

    pub(crate) fn a_child_leaves_its_parents_fan_out_alone(name: &str) {
        let open = || fan_out::Builder::<u64>::new(name).capacity(4).lanes(3);
        let maps = || std::fs::read_to_string("/proc/self/maps").unwrap();
        let mut tx = open().open_sender().unwrap();
        let (mut one, two) = (open().open_receiver().unwrap(), open().open_receiver().unwrap());
        (0..4).for_each(|n| tx.send(n).unwrap());
        assert!(maps().contains(name));
        // A child has none of the memory, ends no session of its parent's, and gives none of its lanes back.
        let Some(child) = fork() else {
            let mapped = maps().contains(name);
            drop((tx, one, two));
            end(i32::from(mapped));
        };
        assert_eq!(wait(child), 0, "the child ended as it should");
        assert_eq!((tx.worker_count(), one.peer()), (2, Peer::Here));
        assert!(matches!(open().open_sender(), Err(OpenError::Taken { .. })));

        // Nor those that a worker has for a moment: one that is forked in a handler and leaves that by a panic.
        let lane = two.lane() as i32;
        drop(two);
        let mut got = Vec::new();
        while !one.is_empty() {
            got.push(one.recv().unwrap());
        }
        assert!(got.len() < 4, "one at least was left by the other");
        let handled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            one.recv_with(|&message| {
                let Some(child) = fork() else {
                    std::panic::set_hook(Box::new(|_| {}));
                    panic!("the child leaves the handler");
                };
                // The child has ended. The lane is locked still: a worker that comes has another.
                let code = wait(child);
                let next = open().open_receiver().unwrap();
                (message, code, next.lane() as i32)
            })
        }));
        let Ok(handled) = handled else {
            // The child, which has dropped what the handler had.
            drop((tx, one));
            end(0);
        };
        let (message, code, next) = handled.unwrap();
        assert_eq!(code, 0);
        assert_ne!(next, lane, "its parent has the lane");
        got.push(message);
        got.extend(one.try_iter());
        got.sort_unstable();
        assert_eq!(got, [0, 1, 2, 3]);

        // It takes a lane of its own, and ends without closing it: what is in it others receive.
        let Some(child) = fork() else {
            let rx = open().open_receiver().unwrap();
            let lane = rx.lane() as i32;
            std::mem::forget(rx);
            end(lane);
        };
        assert_eq!(wait(child), lane);
        for n in 4..40 {
            tx.send(n).unwrap();
            assert_eq!(one.recv(), Ok(n));
        }
        assert_eq!(tx.peer(lane as usize), Some(Peer::Died));
    }

    fn is_readable(fd: &WakeFd) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() != 0
    }

    /// The child's number; `None` in the child.
    fn fork() -> Option<i32> {
        // SAFETY: this program has one thread.
        match unsafe { libc::fork() } {
            -1 => panic!("no fork: {}", std::io::Error::last_os_error()),
            0 => None,
            child => Some(child),
        }
    }

    /// Ends the child without what the parent would do at its end.
    fn end(code: i32) -> ! {
        // SAFETY: always allowed.
        unsafe { libc::_exit(code) }
    }

    /// The child's exit code, -1 if a signal ended it.
    fn wait(child: i32) -> i32 {
        let mut status = 0;
        // SAFETY: a number of our own child, and room for its status.
        let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!(waited, child);
        if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -1 }
    }
}
