//! Sides that a reactor waits for, by a descriptor that the other process makes readable.

use crate::support::another::the_test;
use crate::support::scratch::Scratch;
use crate::support::{seen, seen_in};
use ringmail::WaitStrategy;
use ringmail::shm::{self, Cause, TryRecvError, TrySendError, WakeFd, Watched, bytes, fan_in, spsc};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tokio::io::unix::AsyncFd;

/// A death is to be noticed within 100 ms; this machine may have more to do.
const SOON: Duration = Duration::from_secs(1);
/// Far longer than any timer.
const LONG: Duration = Duration::from_secs(60);
/// The timer of a side that is armed ends its sleep about now: a wake that comes so late may have been lost.
const LATE: Duration = Duration::from_millis(85);
const RECORDS: u64 = 10_000;
const HAMMERED: u64 = 30_000;

/// Another process that plays `part`; killed with its test.
struct Other(Child);

impl Other {
    fn start(part: &str, name: &str, input: Option<OwnedFd>) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(the_test(module_path!(), "the_other_process")).env("SHM_FD", format!("{part} {name}"));
        Self(command.stdin(input.map_or(Stdio::null(), Stdio::from)).spawn().expect("a child"))
    }

    fn ends_well(mut self) {
        assert!(self.0.wait().expect("it ends").success());
    }

    /// The machine may stop a process for as long as the timer runs, but not often: how many of its waits ended late, if that were many.
    fn ends_in_time(mut self) -> Result<(), String> {
        match self.0.wait().expect("it ends").code() {
            Some(0) => Ok(()),
            Some(OFTEN_LATE) => Err("many came late".into()),
            code => panic!("{code:?}"),
        }
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

fn numbers(name: &str) -> spsc::Builder<u64> {
    spsc::Builder::new(name).wait(WaitStrategy::ParkAtOnce)
}

fn records(name: &str) -> bytes::Builder {
    bytes::Builder::new(name).wait(WaitStrategy::ParkAtOnce)
}

/// Whether the descriptor became readable in that time.
fn readable(fd: &WakeFd, within: Duration) -> bool {
    poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&Timespec::try_from(within).unwrap())).unwrap() != 0
}

/// Receives by `poll`. What was said, and how many waits ended late although there was something.
fn recv(rx: &mut spsc::Receiver<u64>, fd: &WakeFd, late: &mut u64) -> Result<u64, Cause> {
    loop {
        match rx.try_recv() {
            Ok(n) => return Ok(n),
            Err(TryRecvError::Disconnected(ended)) => return Err(ended),
            Err(TryRecvError::Empty) => {}
        }
        let Some(armed) = rx.arm().unwrap() else { continue };
        let start = Instant::now();
        assert!(readable(fd, LONG), "neither a wake nor the timer");
        let waited = start.elapsed();
        drop(armed);
        *late += u64::from(waited > LATE && !rx.is_empty());
    }
}

/// The same for a sender of numbers.
fn send(tx: &mut spsc::Sender<u64>, fd: &WakeFd, n: u64) -> Result<(), Cause> {
    loop {
        match tx.try_send(n) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Disconnected(_, ended)) => return Err(ended),
            Err(TrySendError::Full(_)) => {}
        }
        if let Some(_armed) = tx.arm().unwrap() {
            assert!(readable(fd, LONG), "neither a wake nor the timer");
        }
    }
}

/// The exit code of a process whose waits often ended late.
const OFTEN_LATE: i32 = 77;

/// The machine may stop a process for as long as the timer runs, but not often.
fn is_seldom(late: u64) -> Result<(), String> {
    if late < 3 { Ok(()) } else { Err(format!("{late} wakes came by the timer alone")) }
}

fn register(fd: WakeFd) -> AsyncFd<WakeFd> {
    // SAFETY: a `WakeFd` has one descriptor, and keeps it open.
    unsafe { AsyncFd::register(fd) }.unwrap()
}

/// Runs in tokio's reactor.
fn tokio<R>(test: impl Future<Output = R>) -> R {
    tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap().block_on(test)
}

/// A receiver of records by tokio's reactor.
async fn next(rx: &mut bytes::Receiver, fd: &AsyncFd<WakeFd>, body: &mut Vec<u8>) -> Result<u64, Cause> {
    loop {
        match rx.try_recv_into(body) {
            Ok(info) => return Ok(info.sequence),
            Err(TryRecvError::Disconnected(ended)) => return Err(ended),
            Err(_) => {}
        }
        if let Some(armed) = rx.arm().unwrap() {
            fd.readable().await.unwrap().clear_ready();
            drop(armed);
        }
    }
}

/// Sends each record back that it gets.
async fn echo(mut rx: bytes::Receiver, mut tx: bytes::Sender) {
    let (fd, mut body) = (register(rx.wake_fd().unwrap()), Vec::new());
    while next(&mut rx, &fd, &mut body).await.is_ok() {
        tx.try_send(&body).unwrap();
    }
}

/// Sends records and waits for each to come back. How often it slept.
async fn ask(mut tx: bytes::Sender, mut rx: bytes::Receiver, n: u64) -> u64 {
    let (fd, mut body) = (register(rx.wake_fd().unwrap()), Vec::new());
    for i in 0..n {
        tx.try_send(&i.to_le_bytes()).unwrap();
        assert_eq!(next(&mut rx, &fd, &mut body).await, Ok(i));
        assert_eq!(body, i.to_le_bytes());
    }
    rx.stats().receiver_parks
}

/// No test of its own: what [`Other`] runs.
#[test]
fn the_other_process() {
    let Ok(order) = std::env::var("SHM_FD") else { return };
    let (part, name) = order.split_once(' ').unwrap();
    let input = || std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    match part {
        "echo" => {
            let rx = records(&format!("{name}/there")).open_receiver().unwrap();
            tokio(echo(rx, records(&format!("{name}/back")).open_sender().unwrap()));
        }
        "anonymous" => {
            let builder = || spsc::Builder::<u64>::from_fd(input()).wait(WaitStrategy::ParkAtOnce);
            let mut rx = builder().open_receiver().unwrap();
            let (fd, mut late) = (rx.wake_fd().unwrap(), 0);
            for i in 0..RECORDS {
                assert_eq!(recv(&mut rx, &fd, &mut late), Ok(i));
            }
            if is_seldom(late).is_err() {
                std::process::exit(OFTEN_LATE);
            }
        }
        "sit" => {
            let _tx = numbers(name).open_sender().unwrap();
            thread::sleep(Duration::from_secs(600));
        }
        "sit-armed" => {
            let mut rx = numbers(name).open_receiver().unwrap();
            let _armed = rx.arm().unwrap();
            thread::sleep(Duration::from_secs(600));
        }
        "hammer" => {
            let mut tx = numbers(name).open_sender().unwrap();
            let mut pause: u64 = 1;
            for i in 0..HAMMERED {
                tx.send(i).unwrap();
                pause = pause.wrapping_mul(6364136223846793005).wrapping_add(1);
                // About as long as the other side takes from one message to the next sleep.
                (0..pause >> 52).for_each(|_| std::hint::spin_loop());
            }
        }
        "take-turns" => {
            let mut tx = numbers(name).open_sender().unwrap();
            let fd = tx.wake_fd().unwrap();
            for i in 0..RECORDS {
                send(&mut tx, &fd, i).unwrap();
            }
        }
        #[cfg(feature = "futures")]
        "sink" => tokio(streams::send(numbers(name).open_sender().unwrap())),
        "lane" => {
            let mut tx = fan_in::Builder::<u64>::new(name).open_sender().unwrap();
            for i in 0..RECORDS / 10 {
                tx.send(i).unwrap();
                if i % 7 == 0 {
                    thread::sleep(Duration::from_micros(300));
                }
            }
        }
        other => panic!("no part {other}"),
    }
}

#[test]
fn ten_thousand_records_go_to_and_fro_through_tokio_with_sleeps() {
    seen(|| {
        let dir = Scratch::new("fd-tokio");
        let name = dir.0.to_string_lossy().into_owned();
        let tx = records(&format!("{name}/there")).open_sender().unwrap();
        let rx = records(&format!("{name}/back")).open_receiver().unwrap();
        let other = Other::start("echo", &name, None);
        let (start, parks) = (Instant::now(), tokio(ask(tx, rx, RECORDS)));
        println!("{RECORDS} round trips in {:?}, {parks} sleeps", start.elapsed());
        other.ends_well();
        // The others were answered before the look after the announcement.
        if parks > RECORDS / 2 { Ok(()) } else { Err(format!("{parks} sleeps: it did not sleep between them")) }
    });
}

#[test]
fn a_channel_without_a_name_wakes_another_process() {
    seen(|| {
        let channel = spsc::Builder::<u64>::create_anonymous(4).unwrap();
        let other = Other::start("anonymous", "", Some(channel.as_fd().try_clone_to_owned().unwrap()));
        let mut tx = spsc::Builder::<u64>::from_fd(&channel).wait(WaitStrategy::ParkAtOnce).open_sender().unwrap();
        for i in 0..RECORDS {
            tx.send(i).unwrap();
            // So that the other side sleeps by its event count now and then, which it is to be woken from.
            if i % 100 == 0 {
                thread::sleep(Duration::from_millis(1));
            }
        }
        other.ends_in_time()
    });
}

#[test]
fn a_death_makes_it_readable() {
    seen(a_death_in_time);
}

fn a_death_in_time() -> Result<(), String> {
    let dir = Scratch::new("fd-death");
    let mut rx = numbers(&dir.file()).open_receiver().unwrap();
    let mut other = Other::start("sit", &dir.file(), None);
    assert!(rx.wait_for_peer(LONG));
    let fd = rx.wake_fd().unwrap();
    let mut late = 0;
    let noticed = thread::scope(|s| {
        let killer = s.spawn(|| {
            thread::sleep(Duration::from_millis(30));
            other.kill();
            Instant::now()
        });
        assert_eq!(recv(&mut rx, &fd, &mut late), Err(Cause::PeerDied));
        let noticed = killer.join().unwrap().elapsed();
        println!("a death was noticed after {noticed:?}");
        noticed
    });
    // Told once.
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    if noticed < SOON { Ok(()) } else { Err(format!("noticed after {noticed:?}")) }
}

#[test]
fn the_removal_of_the_file_makes_it_readable() {
    seen(a_removal_in_time);
}

fn a_removal_in_time() -> Result<(), String> {
    let dir = Scratch::new("fd-removal");
    let mut rx = numbers(&dir.file()).open_receiver().unwrap();
    let mut tx = numbers(&dir.file()).capacity(1024).open_sender().unwrap();
    (0..1024).for_each(|n| tx.try_send(n).unwrap());
    let (room, fd) = (tx.wake_fd().unwrap(), rx.wake_fd().unwrap());
    std::fs::remove_file(dir.file()).unwrap();
    let start = Instant::now();
    assert_eq!(send(&mut tx, &room, 7), Err(Cause::Removed));
    (0..1024).for_each(|n| assert_eq!(rx.try_recv(), Ok(n)));
    assert_eq!(recv(&mut rx, &fd, &mut 0), Err(Cause::Removed));
    let took = start.elapsed();
    if took < SOON { Ok(()) } else { Err(format!("told after {took:?}")) }
}

#[test]
fn a_close_and_a_session_that_gives_up_make_it_readable_at_once() {
    for gives_up in [false, true] {
        let dir = Scratch::new("fd-close");
        let mut rx = numbers(&dir.file()).open_receiver().unwrap();
        let fd = rx.wake_fd().unwrap();
        // Before the timer, by the event.
        seen(|| {
            let mut tx = numbers(&dir.file()).open_sender().unwrap();
            while rx.arm().unwrap().is_none() {}
            let armed = rx.arm().unwrap().expect("there is nothing");
            let start = Instant::now();
            if gives_up {
                tx.give_up()
            } else {
                tx.close()
            }
            assert!(readable(&fd, LONG));
            let took = start.elapsed();
            drop(armed);
            let told = if gives_up { Cause::GivenUp } else { Cause::Closed };
            assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected(told)));
            if took < LATE / 2 { Ok(()) } else { Err(format!("told after {took:?}")) }
        });
    }
}

/// The look after the announcement, and the wake, between them miss nothing, whenever the message comes.
#[test]
fn no_wake_is_lost_between_a_look_and_a_sleep() {
    seen_in(3, || {
        let dir = Scratch::new("fd-hammer");
        let mut rx = numbers(&dir.file()).open_receiver().unwrap();
        let other = Other::start("hammer", &dir.file(), None);
        let (fd, mut late) = (rx.wake_fd().unwrap(), 0);
        for i in 0..HAMMERED {
            assert_eq!(recv(&mut rx, &fd, &mut late), Ok(i));
        }
        println!("{HAMMERED} messages, {} sleeps, {late} late", rx.stats().receiver_parks);
        other.ends_well();
        is_seldom(late)
    });
}

#[test]
fn a_sender_that_waits_for_room_and_its_receiver_take_turns() {
    seen_in(3, || {
        let dir = Scratch::new("fd-turns");
        let mut rx = numbers(&dir.file()).capacity(1).open_receiver().unwrap();
        let other = Other::start("take-turns", &dir.file(), None);
        let (fd, mut late) = (rx.wake_fd().unwrap(), 0);
        for i in 0..RECORDS {
            assert_eq!(recv(&mut rx, &fd, &mut late), Ok(i));
        }
        assert_eq!(recv(&mut rx, &fd, &mut late), Err(Cause::Closed));
        other.ends_well();
        is_seldom(late)
    });
}

#[test]
fn a_sender_is_woken_when_the_refused_record_has_room() {
    let channel = bytes::Builder::create_anonymous(256, None).unwrap();
    let mut tx = bytes::Builder::from_fd(&channel).open_sender().unwrap();
    let mut rx = bytes::Builder::from_fd(&channel).open_receiver().unwrap();
    let (fd, mut body) = (tx.wake_fd().unwrap(), Vec::new());
    (0..4).for_each(|_| tx.try_send(&[1; 40]).unwrap());
    let large = vec![2; 150];
    assert!(matches!(tx.try_send(&large), Err(bytes::TrySendError::Full)));
    let armed = tx.arm().unwrap().expect("there is no room");
    // Room for a smaller one wakes nobody.
    rx.try_recv_into(&mut body).unwrap();
    assert!(!readable(&fd, Duration::from_millis(5)));
    (0..3).for_each(|_| assert!(rx.try_recv_into(&mut body).is_ok()));
    assert!(readable(&fd, Duration::ZERO));
    drop(armed);
    assert!(!readable(&fd, Duration::ZERO), "disarmed, it is unreadable");
    tx.try_send(&large).unwrap();
}

#[test]
fn many_lanes_wake_one_descriptor() {
    let dir = Scratch::new("fd-lanes");
    let mut rx = fan_in::Builder::<u64>::new(dir.file()).lanes(16).open_receiver().unwrap();
    let others: Vec<_> = (0..4).map(|_| Other::start("lane", &dir.file(), None)).collect();
    let (fd, mut next, mut departed) = (rx.wake_fd().unwrap(), [0; 16], 0);
    loop {
        match rx.try_recv_from() {
            Ok((lane, n)) => {
                assert_eq!(n, next[lane]);
                next[lane] += 1;
            }
            Err(TryRecvError::Disconnected(fan_in::Disconnected::Sender(gone))) => {
                assert_eq!((gone.cause, gone.sent), (Cause::Closed, Some(next[gone.lane])));
                // The next session of the lane, if another sender takes it.
                next[gone.lane] = 0;
                departed += 1;
            }
            Err(TryRecvError::Disconnected(fan_in::Disconnected::All)) if departed == 4 => break,
            Err(TryRecvError::Disconnected(fan_in::Disconnected::All)) => {}
            Err(TryRecvError::Empty) => {
                if let Some(_armed) = rx.arm().unwrap() {
                    assert!(readable(&fd, LONG), "neither a wake nor the timer");
                }
            }
            Err(other) => panic!("{other}"),
        }
    }
    let all: u64 = (0..16).map(|lane| rx.stats(lane).unwrap().received).sum();
    assert_eq!(all, 4 * RECORDS / 10);
    others.into_iter().for_each(Other::ends_well);
}

#[test]
fn a_named_channels_bell_is_a_hidden_file_that_its_side_removes() {
    let dir = Scratch::new("fd-event");
    let files = || std::fs::read_dir(&dir.0).unwrap().count();
    let mut rx = numbers(&dir.file()).open_receiver().unwrap();
    let mut tx = numbers(&dir.file()).open_sender().unwrap();
    assert_eq!(files(), 1);
    let _fds = (rx.wake_fd().unwrap(), tx.wake_fd().unwrap());
    assert_eq!(files(), 3);
    drop((rx, tx));
    assert_eq!(files(), 1, "the channel alone is left");

    let other = format!("fd-event-{}", std::process::id());
    let mut rx = numbers(&other).open_receiver().unwrap();
    let _fd = rx.wake_fd().unwrap();
    let listed: Vec<_> = shm::list().unwrap().into_iter().filter(|name| name.contains(&other)).collect();
    assert_eq!(listed, std::slice::from_ref(&other), "a event is no channel");
    drop(rx);
    assert!(numbers(&other).remove().unwrap());
}

#[test]
fn the_next_side_uses_or_removes_a_killed_sides_bell() {
    let dir = Scratch::new("fd-killed");
    let files = || std::fs::read_dir(&dir.0).unwrap().count();
    for _ in 0..2 {
        let mut tx = numbers(&dir.file()).open_sender().unwrap();
        let mut other = Other::start("sit-armed", &dir.file(), None);
        assert!(tx.wait_for_peer(LONG));
        while !shm::inspect(&dir.file()).unwrap().receiver.parked {
            thread::sleep(Duration::from_millis(1));
        }
        other.kill();
        assert_eq!(files(), 2);
        // It is rung once, and then no more.
        (0..100).for_each(|n| tx.try_send(n).unwrap());
        assert_eq!(tx.stats().sender_wakes % 100, tx.epoch());
        let mut rx = numbers(&dir.file()).open_receiver().unwrap();
        let fd = rx.wake_fd().unwrap();
        assert!(!readable(&fd, Duration::ZERO), "nothing of the one before");
        (0..100).for_each(|n| assert_eq!(rx.try_recv(), Ok(n)));
        drop((tx, rx));
        assert_eq!(files(), 1);
    }
    let mut other = Other::start("sit-armed", &dir.file(), None);
    while !shm::inspect(&dir.file()).unwrap().receiver.parked {
        thread::sleep(Duration::from_millis(1));
    }
    other.kill();
    assert_eq!(files(), 2);
    assert!(numbers(&dir.file()).remove().unwrap());
    assert_eq!(files(), 0);
}

#[test]
fn a_side_whose_bell_cannot_be_reached_looks_by_itself() {
    let dir = Scratch::new("fd-mute");
    let mut rx = numbers(&dir.file()).open_receiver().unwrap();
    let mut tx = numbers(&dir.file()).open_sender().unwrap();
    let fd = rx.wake_fd().unwrap();
    std::fs::remove_file(dir.0.join(".channel.receiver.event")).unwrap();
    // The first by the timer of 90 ms, the others by that of one.
    let mut i = 0;
    seen(|| {
        let start = Instant::now();
        for _ in 0..50 {
            i += 1;
            let armed = rx.arm().unwrap().expect("there is nothing");
            tx.try_send(i).unwrap();
            assert!(readable(&fd, LONG));
            drop(armed);
            assert_eq!(rx.try_recv(), Ok(i));
        }
        let took = start.elapsed();
        if took < SOON { Ok(()) } else { Err(format!("50 by the timers took {took:?}")) }
    });

    // In the event count's place lies what is none: refused.
    drop(rx);
    let mut rx = numbers(&dir.file()).open_receiver().unwrap();
    std::fs::write(dir.0.join(".channel.receiver.event"), "precious").unwrap();
    let refused = rx.wake_fd().unwrap_err().to_string();
    assert!(refused.contains("is no FIFO of this user's alone: remove it"), "{refused}");
    assert!(rx.arm().is_err());
    drop((rx, tx));
    assert!(numbers(&dir.file()).remove().unwrap());
    assert_eq!(std::fs::read(dir.0.join(".channel.receiver.event")).unwrap(), b"precious");
}

#[cfg(feature = "futures")]
mod streams {
    use super::*;
    use futures_core::Stream;
    use futures_sink::Sink;
    use ringmail::shm::{FdError, MessageSink, MessageStream, Readiness};
    use std::future::poll_fn;
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    pub(super) struct Tokio(AsyncFd<WakeFd>);

    impl Tokio {
        fn new(fd: WakeFd) -> io::Result<Self> {
            Ok(Self(register(fd)))
        }
    }

    impl Readiness for Tokio {
        fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.0.poll_read_ready(cx).map_ok(|mut ready| ready.clear_ready())
        }
    }

    pub(super) async fn send(tx: spsc::Sender<u64>) {
        let mut sink = MessageSink::new(tx, Tokio::new).unwrap();
        for i in 0..RECORDS {
            poll_fn(|cx| Pin::new(&mut sink).poll_ready(cx)).await.unwrap();
            Pin::new(&mut sink).start_send(i).unwrap();
        }
        poll_fn(|cx| Sink::<u64>::poll_close(Pin::new(&mut sink), cx)).await.unwrap();
    }

    async fn next(stream: &mut MessageStream<spsc::Receiver<u64>, Tokio>) -> Option<Result<u64, FdError<Cause>>> {
        poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)).await
    }

    #[test]
    fn a_sink_feeds_another_processs_stream_through_a_ring_of_one() {
        let dir = Scratch::new("fd-stream");
        let rx = numbers(&dir.file()).capacity(1).open_receiver().unwrap();
        let other = Other::start("sink", &dir.file(), None);
        tokio(async {
            let mut stream = MessageStream::new(rx, Tokio::new).unwrap();
            for i in 0..RECORDS {
                assert_eq!(next(&mut stream).await.unwrap().unwrap(), i);
            }
            assert!(matches!(next(&mut stream).await, Some(Err(FdError::Channel(Cause::Closed)))));
            // It waits for the next session, which begins with another sender.
            let mut tx = numbers(&dir.file()).open_sender().unwrap();
            tx.try_send(7).unwrap();
            assert_eq!(next(&mut stream).await.unwrap().unwrap(), 7);
            std::fs::remove_file(dir.file()).unwrap();
            assert!(matches!(next(&mut stream).await, Some(Err(FdError::Channel(Cause::Removed)))));
            assert!(next(&mut stream).await.is_none(), "over");
            // Whoever goes on with the receiver finds it disarmed.
            let mut rx = stream.into_inner();
            tx.try_send(8).unwrap();
            assert_eq!(rx.try_recv(), Ok(8));
        });
        other.ends_well();
    }

    #[test]
    fn a_stream_that_always_has_messages_yields_to_other_tasks() {
        let channel = spsc::Builder::<u64>::create_anonymous(1024).unwrap();
        let mut tx = spsc::Builder::<u64>::from_fd(&channel).open_sender().unwrap();
        let rx = spsc::Builder::<u64>::from_fd(&channel).open_receiver().unwrap();
        (0..1024).for_each(|n| tx.try_send(n).unwrap());
        tokio(async {
            let mut stream = MessageStream::new(rx, Tokio::new).unwrap();
            let mut pending = 0;
            let mut received = 0;
            while received < 1024 {
                poll_fn(|cx| {
                    match Pin::new(&mut stream).poll_next(cx) {
                        Poll::Ready(item) => {
                            assert_eq!(item.unwrap().unwrap(), received);
                            received += 1;
                        }
                        Poll::Pending => pending += 1,
                    }
                    Poll::Ready(())
                })
                .await;
            }
            assert!(pending >= 7, "{pending} of 1024 polls were pending");
        });
    }

    #[test]
    fn a_sink_not_asked_for_readiness_gives_the_message_back() {
        let channel = spsc::Builder::<u64>::create_anonymous(1).unwrap();
        let tx = spsc::Builder::<u64>::from_fd(&channel).open_sender().unwrap();
        tokio(async {
            let mut sink = MessageSink::new(tx, Tokio::new).unwrap();
            (0..2).for_each(|n| Pin::new(&mut sink).start_send(n).unwrap());
            let refused = Pin::new(&mut sink).start_send(2);
            assert!(matches!(refused, Err(FdError::Channel(TrySendError::Full(2)))), "{refused:?}");
            assert_eq!(sink.into_inner().1, Some(1));
        });
    }
}
