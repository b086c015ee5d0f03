//! Iterators over what arrives.

use core::iter::FusedIterator;

pub(crate) mod sealed {
    /// What an iterator needs of a receiver.
    pub trait Receive {
        /// What it receives.
        type Item;
        /// Why it received nothing.
        type End;

        /// Waits for the next.
        fn receive(&mut self) -> Result<Self::Item, Self::End>;

        /// The next, if it is there now and no end is to be told before it. Tells none.
        fn receive_now(&mut self) -> Option<Self::Item>;
    }
}

/// A receiver of a channel between processes, as its iterators see it. Sealed.
pub trait Receives: sealed::Receive {}

/// Blocks for each message, and ends when an end is told: see [`Iter::ended`]. From `iter` of each receiver.
///
/// Once it has ended it stays so; what comes after that end, of the next sender, comes through a new one.
#[derive(Debug)]
pub struct Iter<'a, R: Receives> {
    rx: &'a mut R,
    ended: Option<R::End>,
}

/// Ends when there is no message now, or an end is to be told before the next one: it tells none, `try_recv` and the verbs that wait do. From
/// `try_iter` of each receiver. Not fused: a later message can still be taken.
#[derive(Debug)]
pub struct TryIter<'a, R: Receives>(&'a mut R);

/// Like [`Iter`], and owns the receiver, which closes when this is dropped. From `into_iter`.
#[derive(Debug)]
pub struct IntoIter<R: Receives> {
    rx: R,
    ended: Option<R::End>,
}

impl<'a, R: Receives> Iter<'a, R> {
    pub(crate) fn new(rx: &'a mut R) -> Self {
        Self { rx, ended: None }
    }

    /// Why it has ended; `None` as long as it has not.
    pub fn ended(&self) -> Option<&R::End> {
        self.ended.as_ref()
    }
}

impl<'a, R: Receives> TryIter<'a, R> {
    pub(crate) fn new(rx: &'a mut R) -> Self {
        Self(rx)
    }
}

impl<R: Receives> IntoIter<R> {
    pub(crate) fn new(rx: R) -> Self {
        Self { rx, ended: None }
    }

    /// Why it has ended; `None` as long as it has not.
    pub fn ended(&self) -> Option<&R::End> {
        self.ended.as_ref()
    }

    /// The receiver, to go on with.
    pub fn into_receiver(self) -> R {
        self.rx
    }
}

fn next<R: Receives>(rx: &mut R, ended: &mut Option<R::End>) -> Option<R::Item> {
    if ended.is_some() {
        return None;
    }
    rx.receive().map_err(|end| *ended = Some(end)).ok()
}

impl<R: Receives> Iterator for Iter<'_, R> {
    type Item = R::Item;

    fn next(&mut self) -> Option<R::Item> {
        next(self.rx, &mut self.ended)
    }
}

impl<R: Receives> Iterator for IntoIter<R> {
    type Item = R::Item;

    fn next(&mut self) -> Option<R::Item> {
        next(&mut self.rx, &mut self.ended)
    }
}

impl<R: Receives> Iterator for TryIter<'_, R> {
    type Item = R::Item;

    fn next(&mut self) -> Option<R::Item> {
        self.0.receive_now()
    }
}

impl<R: Receives> FusedIterator for Iter<'_, R> {}
impl<R: Receives> FusedIterator for IntoIter<R> {}

/// Gives a receiver its iterators; `$item` is what they yield.
macro_rules! iterates {
    ([$($generics:tt)*] $receiver:ty, $item:ty, $error:ty, $recv:expr, $now:expr $(,)?) => {
        impl<$($generics)*> $receiver {
            /// All that comes until an end is told, blocking in between; [`Iter::ended`](crate::shm::Iter::ended) says which end. What comes
            /// after that end, of the next sender, comes through another call. Each counts as received once it was yielded: at most once.
            pub fn iter(&mut self) -> crate::shm::Iter<'_, Self> {
                crate::shm::Iter::new(self)
            }

            /// All that is there now, up to an end that is to be told: this tells none, the verbs with an error do. Not fused.
            pub fn try_iter(&mut self) -> crate::shm::TryIter<'_, Self> {
                crate::shm::TryIter::new(self)
            }
        }

        impl<$($generics)*> crate::shm::iter::sealed::Receive for $receiver {
            type Item = $item;
            type End = $error;

            #[inline]
            fn receive(&mut self) -> Result<$item, $error> {
                $recv(self)
            }

            #[inline]
            fn receive_now(&mut self) -> Option<$item> {
                $now(self)
            }
        }

        impl<$($generics)*> crate::shm::Receives for $receiver {}

        impl<$($generics)*> IntoIterator for $receiver {
            type Item = $item;
            type IntoIter = crate::shm::IntoIter<Self>;

            fn into_iter(self) -> crate::shm::IntoIter<Self> {
                crate::shm::IntoIter::new(self)
            }
        }

        impl<'a, $($generics)*> IntoIterator for &'a mut $receiver {
            type Item = $item;
            type IntoIter = crate::shm::Iter<'a, $receiver>;

            fn into_iter(self) -> crate::shm::Iter<'a, $receiver> {
                self.iter()
            }
        }
    };
}
pub(crate) use iterates;
