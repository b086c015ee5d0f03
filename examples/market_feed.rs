//! A market feed: a recorder that must not miss a tick, an engine that sees a tick once it is recorded, and screens that show the newest price.
//!
//! ```text
//! cargo run --release --features lossy --example market_feed
//!
//!                    ┌──► recorder, on a reserved seat; it fails halfway, and another goes on
//! feed ──► broadcast ┴──► engine, after the recorder ──► lossy broadcast ┬──► screen
//!                                                                        └──► screen, which is slow
//! ```
//!
//! Checked: the record has every tick once and in order, although its first recorder failed; the engine never saw a tick that was not recorded; each
//! screen saw the last price, and what it saw and what it lost add up to what was sent.
// What loom models is the crate; this is a program of a user.
#![allow(clippy::disallowed_types)]

#[cfg(not(feature = "lossy"))]
fn main() {
    println!("run it with --features lossy");
}

#[cfg(feature = "lossy")]
fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    feed::run()
}

#[cfg(feature = "lossy")]
mod feed {
    use ringmail::broadcast::lossy::{self, Resume, Seen};
    use ringmail::broadcast::{self, Receiver};
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;
    use std::time::Duration;

    type Failed = Box<dyn std::error::Error + Send + Sync>;

    const TICKS: u64 = 100_000;
    /// Where the first recorder fails.
    const FAILS_AT: u64 = TICKS / 2;

    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    struct Tick {
        number: u64,
        price: u64,
    }

    /// What a screen shows.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, zerocopy::IntoBytes, zerocopy::Immutable)]
    #[repr(C)]
    struct Quote {
        number: u64,
        price: u64,
    }

    fn price_of(number: u64) -> u64 {
        10_000 + number * 7 % 97
    }

    /// Records ticks until the feed ends, or fails at the tick of this number. A tick is committed when the closure returns: it is recorded then.
    fn record(mut ticks: Receiver<Tick>, recorded: &AtomicU64, fails_at: Option<u64>) -> Vec<Tick> {
        let mut record = Vec::new();
        let mut write = |tick: &Tick| {
            record.push(*tick);
            recorded.store(tick.number + 1, Ordering::Release);
            tick.number
        };
        while let Ok(number) = ticks.recv_with(&mut write) {
            if fails_at == Some(number) {
                break; // and drops its receiver: the seat is vacant, and still reserved
            }
        }
        record
    }

    /// Passes each tick on as a quote. Returns how many it saw before they were recorded.
    fn trade(mut ticks: Receiver<Tick>, mut quotes: lossy::Sender<Quote>, recorded: &AtomicU64) -> u64 {
        let mut too_early = 0;
        while let Ok(Tick { number, price }) = ticks.recv() {
            too_early += u64::from(recorded.load(Ordering::Acquire) <= number);
            quotes.send(Quote { number, price }); // never waits for a screen
        }
        too_early
    }

    /// Draws each quote for as long as `pause`. Returns what it drew last, and how many it drew and lost.
    fn draw(mut quotes: lossy::Receiver<Quote>, pause: Duration) -> (Option<Quote>, u64, u64) {
        quotes.set_resume(Resume::Newest);
        let (mut shown, mut drawn, mut lost) = (None, 0, 0);
        while let Ok(seen) = quotes.recv() {
            match seen {
                Seen::Message(quote) => {
                    (shown, drawn) = (Some(quote), drawn + 1);
                    thread::sleep(pause);
                }
                Seen::Lost(count) => lost += count,
            }
        }
        (shown, drawn, lost)
    }

    pub(super) fn run() -> Result<(), Failed> {
        let (mut feed, hub) = broadcast::channel(1024)?;
        let recorder = hub.reserve("recorder")?;
        let engine = hub.after(&[&recorder])?;
        let (quotes, screen) = lossy::channel(256)?;
        let slow_screen = screen.clone();
        let recorded = &AtomicU64::new(0);

        thread::scope(|threads| {
            let recorders = threads.spawn(move || -> Result<Vec<Tick>, broadcast::JoinError> {
                let mut all = record(recorder, recorded, Some(FAILS_AT));
                println!("the recorder failed after {} ticks: the feed waits for it", all.len());
                all.extend(record(hub.take("recorder")?, recorded, None));
                Ok(all)
            });
            let engine = threads.spawn(move || trade(engine, quotes, recorded));
            let screens = [(screen, 0), (slow_screen, 2)]
                .map(|(quotes, ms)| threads.spawn(move || draw(quotes, Duration::from_millis(ms))));

            for number in 0..TICKS {
                feed.send(Tick { number, price: price_of(number) })?;
            }
            drop(feed);

            let record = recorders.join().expect("it does not panic")?;
            assert!(record.iter().map(|tick| tick.number).eq(0..TICKS), "each tick is recorded once, in order");
            assert!(record.iter().all(|tick| tick.price == price_of(tick.number)));
            assert_eq!(engine.join().expect("it does not panic"), 0, "no tick is traded before it is recorded");
            println!("{TICKS} ticks recorded, each before it was traded");
            for screen in screens {
                let (shown, drawn, lost) = screen.join().expect("it does not panic");
                assert_eq!(shown, Some(Quote { number: TICKS - 1, price: price_of(TICKS - 1) }), "the last price");
                assert_eq!(drawn + lost, TICKS);
                println!("a screen drew {drawn} quotes and passed over {lost}");
            }
            Ok(())
        })
    }
}
