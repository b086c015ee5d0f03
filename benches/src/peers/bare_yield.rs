//! No channel: the floor of a hand-over between two threads of one core.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::{BlockRecv, BlockSend, Channel};

/// The word when it holds no number.
const FREE: u64 = u64::MAX;

/// One word that holds a number or none; each side yields its core until the word is as it needs it. A message takes two yields, one of each side: a
/// ring of one place, whose places only its two sides write, takes no fewer.
#[derive(Debug)]
pub struct BareYield;

/// Either side.
#[derive(Debug)]
pub struct Word(Arc<AtomicU64>);

impl Channel<u64> for BareYield {
    type Tx = Word;
    type Rx = Word;
    fn pair(_: usize) -> (Word, Word) {
        let word = Arc::new(AtomicU64::new(FREE));
        (Word(Arc::clone(&word)), Word(word))
    }
}

impl BlockSend<u64> for Word {
    #[inline]
    fn send(&mut self, value: u64) {
        while self.0.load(Ordering::Acquire) != FREE {
            thread::yield_now();
        }
        self.0.store(value, Ordering::Release);
    }
}

impl BlockRecv<u64> for Word {
    #[inline]
    fn recv(&mut self) -> u64 {
        loop {
            match self.0.load(Ordering::Acquire) {
                FREE => thread::yield_now(),
                value => {
                    self.0.store(FREE, Ordering::Release);
                    return value;
                }
            }
        }
    }
}
