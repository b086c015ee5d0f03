//! Iterators over clones of what arrives.

use super::Receiver;
use core::iter::FusedIterator;

/// Blocks for each message; ends when the channel is closed and drained. From [`Receiver::iter`].
#[derive(Debug)]
pub struct Iter<'a, T>(&'a mut Receiver<T>);

/// Ends when there is no message now. From [`Receiver::try_iter`].
#[derive(Debug)]
pub struct TryIter<'a, T>(&'a mut Receiver<T>);

/// Like [`Iter`], and owns the receiver. From `into_iter`.
#[derive(Debug)]
pub struct IntoIter<T>(Receiver<T>);

impl<T: Clone> Receiver<T> {
    /// A clone of every message until the channel is closed and drained, blocking in between.
    pub fn iter(&mut self) -> Iter<'_, T> {
        Iter(self)
    }

    /// A clone of every message that is there now. Not fused: a later message can still be taken.
    pub fn try_iter(&mut self) -> TryIter<'_, T> {
        TryIter(self)
    }
}

impl<T: Clone> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.recv().ok()
    }
}

impl<T: Clone> Iterator for TryIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.try_recv().ok()
    }
}

impl<T: Clone> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.recv().ok()
    }
}

// A closed and drained channel stays so.
impl<T: Clone> FusedIterator for Iter<'_, T> {}
impl<T: Clone> FusedIterator for IntoIter<T> {}

impl<T: Clone> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter(self)
    }
}

impl<'a, T: Clone> IntoIterator for &'a mut Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}
