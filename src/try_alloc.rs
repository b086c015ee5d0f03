//! Memory for tables, asked for so that a refusal is an error.

use crate::error::BuildError;
#[cfg(feature = "std")]
use alloc::boxed::Box;
use alloc::vec::Vec;

/// What is missing if there is no room for `n` values.
pub(crate) const fn missing<T>(n: usize) -> BuildError {
    BuildError::OutOfMemory { bytes: n.checked_mul(size_of::<T>()) }
}

/// An empty table with room for `n`.
pub(crate) fn room<T>(n: usize) -> Result<Vec<T>, BuildError> {
    let mut table = Vec::new();
    table.try_reserve_exact(n).map_err(|_| missing::<T>(n))?;
    Ok(table)
}

/// A table of `n` values, each of which may fail.
#[cfg(feature = "std")]
pub(crate) fn table<T>(n: usize, each: impl FnMut(usize) -> Result<T, BuildError>) -> Result<Vec<T>, BuildError> {
    let mut table = room(n)?;
    let mut values = (0..n).map(each);
    while let Some(value) = values.next().transpose()? {
        table.push(value);
    }
    Ok(table)
}

/// The same as a slice. The table is exactly full: nothing is moved.
#[cfg(feature = "std")]
pub(crate) fn slice<T>(n: usize, mut each: impl FnMut(usize) -> T) -> Result<Box<[T]>, BuildError> {
    Ok(table(n, |i| Ok(each(i)))?.into_boxed_slice())
}
