//! The receiving end that [`Flavor`](crate::Flavor) names and a broadcast does not have: its receivers share messages, and take none out.

use crate::channel::RingReceiver;
use crate::channel::message::Message;
use crate::ring::layout::Stats;
use crate::wait::EventCount;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::marker::PhantomData;

/// There is none.
#[allow(missing_debug_implementations, reason = "there is none")]
pub struct NoEnd<T>(Infallible, PhantomData<fn() -> T>);

impl<T> RingReceiver for NoEnd<T> {
    type Item = T;

    fn next(&mut self) -> Option<Message<'_, T>> {
        match self.0 {}
    }

    fn has_message(&mut self) -> bool {
        match self.0 {}
    }

    fn take<R>(&mut self, _: impl FnOnce(T) -> R) -> Option<R> {
        match self.0 {}
    }

    fn free(&mut self) {
        match self.0 {}
    }

    fn available(&mut self, _: u64) -> u64 {
        match self.0 {}
    }

    fn front(&self, _: u64) -> Option<&T> {
        match self.0 {}
    }

    fn move_into(&mut self, _: &mut Vec<T>, _: u64) -> usize {
        match self.0 {}
    }

    fn skip(&mut self, _: u64) {
        match self.0 {}
    }

    fn found_nothing(&mut self, _: bool) {
        match self.0 {}
    }

    fn is_over(&self) -> bool {
        match self.0 {}
    }

    fn close(&mut self, _: &EventCount) {
        match self.0 {}
    }

    fn peer_closed(&self) -> bool {
        match self.0 {}
    }

    fn len(&self) -> usize {
        match self.0 {}
    }

    fn capacity(&self) -> usize {
        match self.0 {}
    }

    fn stats(&self) -> Stats {
        match self.0 {}
    }

    fn count_parks(&mut self, _: u64) {
        match self.0 {}
    }

    fn transferred(&self) -> u64 {
        match self.0 {}
    }
}
