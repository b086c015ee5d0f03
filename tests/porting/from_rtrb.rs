//! In the style of rtrb: a thread decodes audio, a callback of the sound card takes it, and neither waits in the callback.
//!
//! As it is written there:
//!
//! ```ignore
//! struct Callback {
//!     samples: Consumer<f32>,
//!     underruns: u64,
//! }
//!
//! impl Callback {
//!     fn process(&mut self, out: &mut [f32]) {
//!         let n = self.samples.slots().min(out.len());
//!         let chunk = self.samples.read_chunk(n).unwrap(); // all n, or an error
//!         let (first, second) = chunk.as_slices();
//!         out[..first.len()].copy_from_slice(first);
//!         out[first.len()..n].copy_from_slice(second);
//!         chunk.commit_all();
//!         if n < out.len() {
//!             out[n..].fill(0.0);
//!             self.underruns += 1;
//!         }
//!     }
//! }
//!
//! fn feed(samples: &mut Producer<f32>, source: &mut impl Iterator<Item = f32>) -> usize {
//!     let n = samples.slots().min(64);
//!     let chunk = samples.write_chunk_uninit(n).unwrap();
//!     chunk.fill_from_iter(source) // commits what it wrote
//! }
//!
//! let (mut producer, consumer) = RingBuffer::new(256);
//! while !producer.is_abandoned() { ... }
//! ```

use ringmail::spsc::{self, Receiver, Sender};
use ringmail::{BuildError, FenceMode};
use std::thread;

struct Callback {
    samples: Receiver<f32>,
    underruns: u64,
}

impl Callback {
    fn process(&mut self, out: &mut [f32]) {
        let mut n = 0;
        // Up to as many as asked for; `Err` if there are none.
        if let Ok(chunk) = self.samples.read_chunk(out.len()) {
            n = chunk.len();
            let (first, second) = chunk.as_slices();
            out[..first.len()].copy_from_slice(first);
            out[first.len()..n].copy_from_slice(second);
            chunk.commit_all();
        }
        if n < out.len() {
            out[n..].fill(0.0);
            self.underruns += 1;
        }
    }
}

fn feed(samples: &mut Sender<f32>, source: &mut impl Iterator<Item = f32>) -> usize {
    let Ok(mut chunk) = samples.try_reserve(64) else { return 0 }; // full, or the callback is gone
    chunk.fill_from_iter(source);
    chunk.commit()
}

#[test]
fn an_audio_callback() -> Result<(), BuildError> {
    // Neither side ever sleeps, so neither side ever calls the kernel to wake the other.
    let (mut tx, rx) = spsc::Builder::new(256).fence_mode(FenceMode::Never).build()?;
    let decoder = thread::spawn(move || {
        let mut source = (1..=10_000).map(|n| n as f32);
        let mut fed = 0;
        while fed < 10_000 && !tx.is_closed() {
            match feed(&mut tx, &mut source) {
                0 => thread::yield_now(),
                n => fed += n,
            }
        }
        fed
    });

    let mut callback = Callback { samples: rx, underruns: 0 };
    let mut out = [0.0; 100];
    let mut heard: Vec<f32> = Vec::new();
    while heard.len() < 10_000 {
        callback.process(&mut out);
        heard.extend(out.iter().filter(|&&sample| sample != 0.0));
        thread::yield_now();
    }
    assert_eq!(decoder.join().unwrap(), 10_000);
    assert!(heard.iter().copied().eq((1..=10_000).map(|n| n as f32)));
    callback.process(&mut out);
    assert!(callback.underruns > 0 && out == [0.0; 100]);
    Ok(())
}
