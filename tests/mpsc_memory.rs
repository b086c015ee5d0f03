//! Memory of an `mpsc` ring that cannot be had is an error. Alone in its program: what goes wrong here ends the process.

use ringmail::BuildError;
use ringmail::mpsc::channel;

/// The messages are larger than any stack, on which none of them need ever be.
#[test]
fn memory_that_cannot_be_had_is_an_error_not_an_abort() {
    assert!(matches!(channel::<[u8; 1 << 30]>(1 << 30), Err(BuildError::OutOfMemory { bytes: Some(_) })));
    assert_eq!(channel::<[u8; 1 << 36]>(1 << 30).unwrap_err(), BuildError::OutOfMemory { bytes: None });
}
