//! A reactor that sleeps in `epoll` is woken by a channel through one `eventfd`.
//!
//! The order is the whole trick: arm the event count, look again, and only then sleep.
//!
//! ```text
//! cargo run --release --example reactor
//! ```

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use ringmail::TryRecvError;
    use ringmail::spsc::Builder;
    use ringmail::wait::{EventCount, EventFd};
    use rustix::event::epoll;
    use std::time::Duration;

    const N: u64 = 20_000;
    let wakeup = EventFd::new()?;
    let event = EventCount::with_waker(wakeup.clone());
    let (mut tx, mut rx) = Builder::new(64).receiver_event(event.clone()).build()?;

    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&poll, &wakeup, epoll::EventData::new_u64(1), epoll::EventFlags::IN)?;

    let sender = std::thread::spawn(move || {
        for i in 0..N {
            tx.send(i).expect("the reactor stays until the end");
            if i % 1000 == 0 {
                std::thread::sleep(Duration::from_millis(1)); // let the reactor fall asleep
            }
        }
    });

    let (mut next, mut sleeps) = (0, 0);
    'reactor: loop {
        // The turn: all that is there, in order.
        loop {
            match rx.try_recv() {
                Ok(value) => {
                    assert_eq!(value, next, "first in, first out");
                    next += 1;
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => break 'reactor,
            }
        }
        // Nothing left: announce that we sleep, look again, sleep.
        if let Some(asleep) = event.arm().confirm(|| !rx.is_empty() || rx.is_closed()) {
            sleeps += 1;
            let mut events = Vec::with_capacity(8);
            epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None)?;
            drop(asleep);
            wakeup.clear()?;
        }
    }
    sender.join().expect("the sender does not panic");
    assert_eq!(next, N);
    println!("received {next} messages in order, slept in epoll {sleeps} times");
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("epoll and eventfd are Linux's: nothing to show here");
}
