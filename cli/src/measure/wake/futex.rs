//! A bare futex: one 32-bit word that the sender stores into and wakes, and on which the receiver sleeps. What no channel that sleeps in the
//! kernel can do without.

use std::io;
use std::ptr::null;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crossbeam_utils::CachePadded;

use super::subject::{Receives, Sends};
use crate::measure::round_trip::StopReason;

/// What the word holds once the sender is gone; no message has it.
const GONE: u32 = u32::MAX;

type Word = Arc<CachePadded<AtomicU32>>;

/// Both ends of a new futex.
pub(super) fn pair() -> (FutexSender, FutexReceiver) {
    let word = Word::default();
    (FutexSender(Arc::clone(&word)), FutexReceiver { word, last: 0 })
}

/// The end that wakes.
#[derive(Debug)]
pub(super) struct FutexSender(Word);

impl FutexSender {
    #[inline]
    fn put(&self, value: u32) {
        self.0.store(value, Ordering::Release);
        // Its only errors are those of addresses that are not mapped or not aligned.
        let _ = futex(&self.0, libc::FUTEX_WAKE, 1);
    }
}

impl Sends for FutexSender {
    #[inline]
    fn send(&mut self, message: u32) -> Result<(), StopReason> {
        self.put(message);
        Ok(())
    }
}

impl Drop for FutexSender {
    fn drop(&mut self) {
        self.put(GONE);
    }
}

/// The end that sleeps.
#[derive(Debug)]
pub(super) struct FutexReceiver {
    word: Word,
    last: u32,
}

impl Receives for FutexReceiver {
    #[inline]
    fn receive(&mut self) -> Result<u32, StopReason> {
        loop {
            let value = self.word.load(Ordering::Acquire);
            if value == GONE {
                return Err(StopReason::Gone);
            }
            if value != self.last {
                self.last = value;
                return Ok(value);
            }
            // A signal or a value that has changed already: the loop looks again.
            match futex(&self.word, libc::FUTEX_WAIT, self.last).map_err(|error| error.raw_os_error()) {
                Ok(_) | Err(Some(libc::EINTR | libc::EAGAIN)) => {}
                Err(_) => return Err(StopReason::Build("the kernel refuses to wait on a futex".into())),
            }
        }
    }
}

/// One call of a private futex, without a timeout.
#[inline]
fn futex(word: &AtomicU32, operation: i32, value: u32) -> io::Result<i64> {
    // SAFETY: the word is a live, aligned 32-bit atomic for as long as the call lasts, as `word` is borrowed. Both operations only read it. No
    // timeout is passed.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            operation | libc::FUTEX_PRIVATE_FLAG,
            value,
            null::<libc::timespec>(),
        )
    };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer as i64) }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn messages_arrive_and_a_leaving_sender_ends_the_wait() {
        let (mut sender, mut receiver) = pair();
        let (tell, told) = mpsc::channel();
        let receiving = std::thread::spawn(move || {
            loop {
                let received = receiver.receive();
                let is_over = received.is_err();
                tell.send(received).unwrap();
                if is_over {
                    return;
                }
            }
        });
        for message in [7, 8, 7] {
            sender.send(message).unwrap();
            assert_eq!(told.recv(), Ok(Ok(message)));
        }
        drop(sender);
        assert_eq!(told.recv(), Ok(Err(StopReason::Gone)));
        receiving.join().unwrap();
    }
}
