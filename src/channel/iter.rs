//! Iterators over what arrives.

use super::{Flavor, Receiver};
use core::iter::FusedIterator;

/// Blocks for each message; ends when the channel is closed and drained. From [`Receiver::iter`].
#[derive(Debug)]
pub struct Iter<'a, T, S: Flavor>(&'a mut Receiver<T, S>);

/// Ends when there is no message now. From [`Receiver::try_iter`].
#[derive(Debug)]
pub struct TryIter<'a, T, S: Flavor>(&'a mut Receiver<T, S>);

/// Like [`Iter`], and owns the receiver. From `into_iter`.
#[derive(Debug)]
pub struct IntoIter<T, S: Flavor>(Receiver<T, S>);

impl<T, S: Flavor> Receiver<T, S> {
    /// Every message until the channel is closed and drained, blocking in between.
    pub fn iter(&mut self) -> Iter<'_, T, S> {
        Iter(self)
    }

    /// Every message that is there now. Not fused: a later message can still be taken.
    pub fn try_iter(&mut self) -> TryIter<'_, T, S> {
        TryIter(self)
    }
}

impl<T, S: Flavor> Iterator for Iter<'_, T, S> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.recv().ok()
    }
}

impl<T, S: Flavor> Iterator for TryIter<'_, T, S> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.try_recv().ok()
    }
}

impl<T, S: Flavor> Iterator for IntoIter<T, S> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.recv().ok()
    }
}

// A closed and drained channel stays so.
impl<T, S: Flavor> FusedIterator for Iter<'_, T, S> {}
impl<T, S: Flavor> FusedIterator for IntoIter<T, S> {}

impl<T, S: Flavor> IntoIterator for Receiver<T, S> {
    type Item = T;
    type IntoIter = IntoIter<T, S>;

    fn into_iter(self) -> IntoIter<T, S> {
        IntoIter(self)
    }
}

impl<'a, T, S: Flavor> IntoIterator for &'a mut Receiver<T, S> {
    type Item = T;
    type IntoIter = Iter<'a, T, S>;

    fn into_iter(self) -> Iter<'a, T, S> {
        self.iter()
    }
}
