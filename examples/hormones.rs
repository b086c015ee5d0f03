//! Messages that find those who listen for them, and fade: glands release hormones into one ring, each organ takes the kinds that it has receptors for.
//!
//! ```text
//! cargo run --release --example hormones
//! ```
//!
//! A gland does not know the organs, and pays nothing for their number or their receptors. A hormone that an organ comes to too late has faded.
//! Checked: an organ gets its own kinds only, in order; a slow one gets none that has faded; what each took and passed over adds up to what was released.

use ringmail::broadcast::{self, Expiry, Filtered, Labeled, Receiver, Skipped};
use std::thread;
use std::time::Duration;

type Failed = Box<dyn std::error::Error + Send + Sync>;

const INSULIN: u32 = 1;
const ADRENALINE: u32 = 2;
const MELATONIN: u32 = 3;
const ROUNDS: u64 = 100;
/// Adrenaline fades soon, the others do not while this program runs.
const SHORT: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_secs(600);

#[derive(Clone, Copy, Debug)]
struct Hormone {
    kind: u32,
    round: u64,
    fades: Expiry,
}

impl Labeled for Hormone {
    fn kind(&self) -> u32 {
        self.kind
    }

    fn expiry(&self) -> Expiry {
        self.fades
    }
}

/// Takes hormones until the glands have gone. Returns how many of each kind it took.
fn live(mut receptors: Filtered<Receiver<Hormone>, impl FnMut(u32) -> bool>) -> ([u64; 4], Skipped) {
    let (mut taken, mut last) = ([0; 4], 0);
    while let Ok(hormone) = receptors.recv() {
        assert!(hormone.round >= last, "in the order in which they were released");
        last = hormone.round;
        taken[hormone.kind as usize] += 1;
    }
    (taken, receptors.skipped())
}

fn main() -> Result<(), Failed> {
    // All of it fits: the glands do not wait for the organ that sleeps.
    let (mut blood, body) = broadcast::channel(1024)?;
    let liver = body.join()?.filtered(|kind| kind == INSULIN);
    let heart = body.join()?.filtered(|kind| kind == ADRENALINE || kind == MELATONIN);
    let sleeper = body.join()?.filtered(|_| true);

    let liver = thread::spawn(move || live(liver));
    let heart = thread::spawn(move || live(heart));
    for round in 0..ROUNDS {
        // One reading of the clock for what is released together.
        let (soon, late) = (Expiry::after(SHORT), Expiry::after(LONG));
        for (kind, fades) in [(INSULIN, late), (ADRENALINE, soon), (MELATONIN, late)] {
            blood.send(Hormone { kind, round, fades })?;
        }
    }
    drop(blood);
    thread::sleep(4 * SHORT);
    let sleeper = live(sleeper);

    let organs = [("liver", liver.join().unwrap()), ("heart", heart.join().unwrap()), ("sleeper", sleeper)];
    for (name, (taken, skipped)) in &organs {
        println!(
            "{name}: took {:?}, passed over {} faded and {} of other kinds",
            &taken[1..],
            skipped.expired,
            skipped.unwanted
        );
        assert_eq!(taken.iter().sum::<u64>() + skipped.expired + skipped.unwanted, 3 * ROUNDS);
    }
    let [(_, (liver, of_liver)), (_, (heart, of_heart)), (_, (sleeper, of_sleeper))] = organs;
    assert_eq!((liver, of_liver), ([0, ROUNDS, 0, 0], Skipped { expired: 0, unwanted: 2 * ROUNDS }));
    // How much adrenaline the heart took depends on how busy this machine is.
    assert_eq!((heart[MELATONIN as usize], of_heart.unwanted), (ROUNDS, ROUNDS));
    assert_eq!((sleeper, of_sleeper), ([0, ROUNDS, 0, ROUNDS], Skipped { expired: ROUNDS, unwanted: 0 }));
    Ok(())
}
