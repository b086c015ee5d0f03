//! Keeps an answer whole while the caller's iterator or closure is dropped.

/// Runs `f` on `lent`, drops that, and returns what `f` said. For verbs that take an iterator or a closure by value and answer with a value
/// of the user's.
///
/// The drop of `lent` may panic. An answer that stands in its place by then is leaked; one in a local is dropped.
#[inline(always)]
pub(crate) fn lend<V, R>(mut lent: V, f: impl FnOnce(&mut V) -> R) -> R {
    let said = f(&mut lent);
    drop(lent);
    said
}
