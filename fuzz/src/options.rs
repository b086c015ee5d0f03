//! The channel that the first bytes of an input describe.

use super::input::Input;
use ringmail::{Builder, FenceMode, Flavor, WaitStrategy};

pub struct Options<S> {
    pub capacity: usize,
    /// Whether a pending poll is an announcement; if not, it wakes its own task at once.
    pub sleeps: bool,
    pub wait: WaitStrategy,
    pub builder: Builder<S>,
}

impl<S: Flavor> Options<S> {
    /// Reads three bytes.
    pub fn new(input: &mut Input<'_>) -> Self {
        let flags = input.byte();
        let wait = [WaitStrategy::Park, WaitStrategy::Yield, WaitStrategy::BusySpin][flags as usize % 3];
        let barrier = [FenceMode::Fence, FenceMode::Auto, FenceMode::Never][flags as usize / 3 % 3];
        let capacity = 1 + input.below(20);
        // The count of messages wraps at 2^63: begin a little before that, at 0, or at another number.
        let start = match input.byte() {
            b @ 0..200 => (1u64 << 63) - b as u64 % 40,
            b => b as u64 * 0x0101_0101_0101_0101,
        };
        let builder = Builder::new(capacity).start_at(start).wait(wait).fence_mode(barrier);
        Self { capacity, sleeps: barrier != FenceMode::Never, wait, builder }
    }
}
