//! Iterators over what is seen. A loss is an item, not the end.

use super::{Message, Receiver, Seen};
use core::iter::FusedIterator;

/// Blocks for each message; ends when the sender is gone and its last message was seen. From [`Receiver::iter`].
#[derive(Debug)]
pub struct Iter<'a, T>(&'a mut Receiver<T>);

/// Ends when there is nothing new now. From [`Receiver::try_iter`].
#[derive(Debug)]
pub struct TryIter<'a, T>(&'a mut Receiver<T>);

/// Like [`Iter`], and owns the receiver. From `into_iter`.
#[derive(Debug)]
pub struct IntoIter<T>(Receiver<T>);

impl<T: Message> Receiver<T> {
    /// Every message until the sender is gone, and each loss with its count, blocking in between.
    ///
    /// ```
    /// use ringmail::broadcast::lossy::{self, Seen};
    /// let (mut tx, mut rx) = lossy::channel::<u64>(2)?;
    /// tx.send_slice(&[1, 2, 3]);
    /// drop(tx);
    /// assert_eq!(rx.iter().collect::<Vec<_>>(), [Seen::Lost(2), Seen::Message(3)]);
    /// # Ok::<(), ringmail::BuildError>(())
    /// ```
    pub fn iter(&mut self) -> Iter<'_, T> {
        Iter(self)
    }

    /// What there is now. Not fused: a later message can still be taken. A sender that goes on may keep it busy.
    pub fn try_iter(&mut self) -> TryIter<'_, T> {
        TryIter(self)
    }
}

impl<T: Message> Iterator for Iter<'_, T> {
    type Item = Seen<T>;

    fn next(&mut self) -> Option<Seen<T>> {
        self.0.recv().ok()
    }
}

impl<T: Message> Iterator for TryIter<'_, T> {
    type Item = Seen<T>;

    fn next(&mut self) -> Option<Seen<T>> {
        self.0.try_recv().ok()
    }
}

impl<T: Message> Iterator for IntoIter<T> {
    type Item = Seen<T>;

    fn next(&mut self) -> Option<Seen<T>> {
        self.0.recv().ok()
    }
}

// A channel whose sender is gone stays so.
impl<T: Message> FusedIterator for Iter<'_, T> {}
impl<T: Message> FusedIterator for IntoIter<T> {}

impl<T: Message> IntoIterator for Receiver<T> {
    type Item = Seen<T>;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter(self)
    }
}

impl<'a, T: Message> IntoIterator for &'a mut Receiver<T> {
    type Item = Seen<T>;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}
