//! One thread waits for three channels by hanging up one event count for all of them: what `select` is used for elsewhere.
//!
//! ```text
//! cargo run --release --example one_bell
//! ```

use ringmail::TryRecvError;
use ringmail::spsc::{Builder, Receiver};
use ringmail::wait::EventCount;
use std::error::Error;
use std::thread;

const PER_FEED: u64 = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    let event = EventCount::new();
    let mut feeds: Vec<Receiver<u64>> = Vec::new();
    let mut senders = Vec::new();
    for feed in 0..3 {
        let (mut tx, rx) = Builder::new(256).receiver_event(event.clone()).build()?;
        feeds.push(rx);
        senders.push(thread::spawn(move || {
            for i in 0..PER_FEED {
                tx.send(feed * PER_FEED + i).expect("the receiver stays until the end");
            }
        }));
    }

    let mut received = [0; 3];
    let mut sum = 0;
    let mut naps = 0;
    let mut open = [true; 3];
    while open.contains(&true) {
        let mut progress = false;
        for (i, rx) in feeds.iter_mut().enumerate() {
            // A budget, so that a busy feed does not starve the others.
            for _ in 0..64 {
                match rx.try_recv() {
                    Ok(value) => {
                        progress = true;
                        received[i] += 1;
                        sum += value;
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => {
                        progress |= std::mem::replace(&mut open[i], false);
                        break;
                    }
                }
            }
        }
        if !progress {
            naps += 1;
            let ready = || feeds.iter().zip(open).any(|(rx, open)| open && (!rx.is_empty() || rx.is_closed()));
            event.wait(None, ready);
        }
    }
    for sender in senders {
        sender.join().expect("a sender does not panic");
    }

    let n = 3 * PER_FEED;
    assert_eq!(received, [PER_FEED; 3]);
    assert_eq!(sum, n * (n - 1) / 2);
    println!("received {received:?} from three feeds on one event, waited {naps} times");
    Ok(())
}
