//! Errors: what they say, what they give back, how they convert.

use ringmail::spsc::channel;
use ringmail::{BuildError, RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError};
use std::error::Error;

/// Neither `Debug` nor `Clone`.
#[derive(PartialEq)]
struct Mute(u8);

fn said(error: impl Error + Send + Sync + 'static) -> (String, String) {
    (format!("{error:?}"), error.to_string())
}

#[test]
fn errors_say_what_happened_and_need_no_trait_of_messages() {
    let is = |error: (String, String), debug: &str, text: &str| assert_eq!(error, (debug.into(), text.into()));
    is(said(TrySendError::Full(Mute(0))), "Full(..)", "the channel is full");
    is(said(TrySendError::Disconnected(Mute(0))), "Disconnected(..)", "the channel is closed: the other side is gone");
    is(said(SendError(Mute(0))), "SendError(..)", "the channel is closed: the other side is gone");
    is(said(SendTimeoutError::Timeout(Mute(0))), "Timeout(..)", "no room until the deadline");
    is(
        said(SendTimeoutError::Disconnected(Mute(0))),
        "Disconnected(..)",
        "the channel is closed: the other side is gone",
    );
    is(said(TryRecvError::Empty), "Empty", "the channel is empty");
    is(said(TryRecvError::Disconnected), "Disconnected", "the channel is closed and drained");
    is(said(RecvError), "RecvError", "the channel is closed and drained");
    is(said(RecvTimeoutError::Timeout), "Timeout", "no message until the deadline");
    is(said(RecvTimeoutError::Disconnected), "Disconnected", "the channel is closed and drained");
    for error in [
        BuildError::ZeroCapacity,
        BuildError::CapacityTooLarge { requested: 5, max: 4 },
        BuildError::OutOfMemory { bytes: Some(9) },
        BuildError::OutOfMemory { bytes: None },
    ] {
        let (_, text) = said(error);
        assert!(text.contains("ask for"), "{text}: says what to do");
    }
}

#[test]
fn every_error_gives_its_message_back() {
    assert_eq!(TrySendError::Full(Mute(1)).into_inner().0, 1);
    assert_eq!(TrySendError::Disconnected(Mute(2)).into_inner().0, 2);
    assert_eq!(SendError(Mute(3)).into_inner().0, 3);
    assert_eq!(SendTimeoutError::Timeout(Mute(4)).into_inner().0, 4);
    assert_eq!(SendTimeoutError::Disconnected(Mute(5)).into_inner().0, 5);
}

#[test]
fn every_error_knows_which_it_is() {
    assert!(TrySendError::Full(()).is_full() && !TrySendError::Full(()).is_disconnected());
    assert!(TrySendError::Disconnected(()).is_disconnected() && !TrySendError::Disconnected(()).is_full());
    assert!(SendTimeoutError::Timeout(()).is_timeout() && !SendTimeoutError::Timeout(()).is_disconnected());
    assert!(SendTimeoutError::Disconnected(()).is_disconnected() && !SendTimeoutError::Disconnected(()).is_timeout());
    assert!(TryRecvError::Empty.is_empty() && !TryRecvError::Empty.is_disconnected());
    assert!(TryRecvError::Disconnected.is_disconnected() && !TryRecvError::Disconnected.is_empty());
    assert!(RecvTimeoutError::Timeout.is_timeout() && !RecvTimeoutError::Timeout.is_disconnected());
    assert!(RecvTimeoutError::Disconnected.is_disconnected() && !RecvTimeoutError::Disconnected.is_timeout());
}

#[test]
fn the_narrow_errors_convert_into_the_wide_ones() {
    assert_eq!(TrySendError::from(SendError(7)), TrySendError::Disconnected(7));
    assert_eq!(SendTimeoutError::from(SendError(7)), SendTimeoutError::Disconnected(7));
    assert_eq!(TryRecvError::from(RecvError), TryRecvError::Disconnected);
    assert_eq!(RecvTimeoutError::from(RecvError), RecvTimeoutError::Disconnected);
}

#[test]
fn a_question_mark_takes_them_all() -> Result<(), Box<dyn Error + Send + Sync>> {
    let (mut tx, mut rx) = channel(1)?;
    tx.send(1)?;
    rx.recv()?;
    tx.try_send(2)?;
    rx.try_recv()?;
    tx.send_timeout(3, std::time::Duration::ZERO)?;
    rx.recv_timeout(std::time::Duration::ZERO)?;
    Ok(())
}
