//! One function per hot verb. `check` beside this file compiles them and reads the assembly.

use ringmail::spsc::{Receiver, Sender};
use ringmail::{RecvError, SendError, TryRecvError, TrySendError};

/// `try_send` of one word.
#[inline(never)]
pub fn hot_try_send(tx: &mut Sender<u64>, value: u64) -> Result<(), TrySendError<u64>> {
    tx.try_send(value)
}

/// `try_recv` of one word.
#[inline(never)]
pub fn hot_try_recv(rx: &mut Receiver<u64>) -> Result<u64, TryRecvError> {
    rx.try_recv()
}

/// `send` of one word.
#[inline(never)]
pub fn hot_send(tx: &mut Sender<u64>, value: u64) -> Result<(), SendError<u64>> {
    tx.send(value)
}

/// `recv` of one word.
#[inline(never)]
pub fn hot_recv(rx: &mut Receiver<u64>) -> Result<u64, RecvError> {
    rx.recv()
}

/// `try_send` of 256 bytes: one copy, into the slot.
#[inline(never)]
pub fn hot_try_send_256(tx: &mut Sender<[u64; 32]>, value: [u64; 32]) -> bool {
    tx.try_send(value).is_ok()
}

/// `try_recv` of 256 bytes: one copy, out of the slot.
#[inline(never)]
pub fn hot_try_recv_256(rx: &mut Receiver<[u64; 32]>) -> Result<[u64; 32], TryRecvError> {
    rx.try_recv()
}

/// A planted locked instruction: `check` must find it, or it finds nothing.
#[inline(never)]
pub fn planted_lock(word: &std::sync::atomic::AtomicU64) -> u64 {
    word.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

/// A planted fence: `check` must find it, or it finds nothing.
#[inline(never)]
pub fn planted_fence(word: &std::sync::atomic::AtomicU64) -> u64 {
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
    word.load(std::sync::atomic::Ordering::Relaxed)
}
