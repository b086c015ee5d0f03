//! A free place of a ring, lent to the code that writes a message into it.
//!
//! The idea of the lifetime that no other value can have, so that only the place itself leads to the answer: Kiselyov and Shan, "Lightweight static
//! capabilities".

use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

/// Exactly `'p`: neither a longer nor a shorter lifetime.
type Brand<'p> = PhantomData<fn(&'p ()) -> &'p ()>;

/// A free place of a channel, where the next message will lie: what a verb such as [`Sender::try_send_with`](crate::Sender::try_send_with) lends to its
/// closure. It holds no message yet; its bytes are arbitrary.
///
/// The closure returns the [`Filled`] that it gets for this very place.
pub struct Place<'p, T> {
    slot: &'p mut MaybeUninit<T>,
    _brand: Brand<'p>,
}

/// Proof that a [`Place`] holds a message. One of another place is not accepted:
///
/// ```compile_fail
/// let (mut a, _rx) = ringmail::spsc::channel::<u32>(4)?;
/// let (mut b, _rx) = ringmail::spsc::channel::<u32>(4)?;
/// a.try_send_with(|outer| {
///     let mut filled = None;
///     b.try_send_with(|inner| {
///         filled = Some(outer.write(1));
///         inner.write(2)
///     });
///     b.try_send_with(|_| filled.take().unwrap());
///     unreachable!()
/// });
/// # Ok::<(), ringmail::BuildError>(())
/// ```
pub struct Filled<'p>(Brand<'p>);

impl<'p, T> Place<'p, T> {
    /// Writes the message. A large one that is made in the argument is made in the place, as far as the compiler can.
    #[inline(always)]
    pub fn write(self, message: T) -> Filled<'p> {
        self.slot.write(message);
        Filled(PhantomData)
    }

    /// Copies the message from where it is.
    #[inline(always)]
    pub fn copy_from(self, message: &T) -> Filled<'p>
    where
        T: Copy,
    {
        *self.slot = MaybeUninit::new(*message);
        Filled(PhantomData)
    }

    /// The bytes of the place, to be written part by part. Then call [`Place::assume_written`].
    #[inline(always)]
    pub fn as_uninit(&mut self) -> &mut MaybeUninit<T> {
        self.slot
    }

    /// Says that the place holds a message.
    ///
    /// # Safety
    /// It does: a valid `T` was written to it through [`Place::as_uninit`].
    #[inline(always)]
    pub unsafe fn assume_written(self) -> Filled<'p> {
        Filled(PhantomData)
    }
}

impl<'p, T, const N: usize> Place<'p, [T; N]> {
    /// Writes an array element by element, each where it will lie: nothing is moved. If `element` panics, what was written is leaked.
    ///
    /// ```
    /// let (mut tx, mut rx) = ringmail::spsc::channel::<[u8; 4096]>(4)?;
    /// assert!(tx.try_send_with(|place| place.write_each(|i| i as u8)).is_ok());
    /// assert_eq!(rx.try_recv_with(|message| message[300]), Ok(44));
    /// # Ok::<(), ringmail::BuildError>(())
    /// ```
    #[inline(always)]
    pub fn write_each(mut self, mut element: impl FnMut(usize) -> T) -> Filled<'p> {
        let first = self.as_uninit().as_mut_ptr().cast::<T>();
        for i in 0..N {
            // SAFETY: `i < N`, inside the array.
            let at = unsafe { first.add(i) };
            // SAFETY: of the place, which is ours and holds nothing yet.
            unsafe { at.write(element(i)) };
        }
        // SAFETY: all elements were written.
        unsafe { self.assume_written() }
    }
}

/// Lends `slot` to `write`. After that it holds a value.
#[inline(always)]
pub(super) fn lend<T>(slot: &mut MaybeUninit<T>, write: impl FnOnce(Place<'_, T>) -> Filled<'_>) {
    let Filled(_) = write(Place { slot, _brand: PhantomData });
}

impl<T> fmt::Debug for Place<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").finish_non_exhaustive()
    }
}

impl fmt::Debug for Filled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Filled")
    }
}
