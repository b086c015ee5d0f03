//! Errors of channels that know why a peer is gone: [`mesh`](crate::mesh) and `shm`.
//!
//! The variants are those of [`error`](super). `Disconnected` carries a `D`: which peer it is, and the cause.

use core::fmt;

/// `try_recv` received nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TryRecvError<D> {
    /// No message now. A sender may send one.
    Empty,
    /// A peer is gone, and all that it sent has been received.
    Disconnected(D),
}

/// A receive without a time limit received nothing: a peer is gone, and all that it sent has been received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecvError<D>(pub D);

/// A receive with a time limit received nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecvTimeoutError<D> {
    /// No message until the deadline.
    Timeout,
    /// A peer is gone, and all that it sent has been received.
    Disconnected(D),
}

/// `try_send` did not send; it returns the message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T, D> {
    /// No room now. The receiver may make some.
    Full(T),
    /// The receiver is gone.
    Disconnected(T, D),
}

/// A send without a time limit did not send, as the receiver is gone; it returns the message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T, D>(pub T, pub D);

/// A send with a time limit did not send; it returns the message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendTimeoutError<T, D> {
    /// No room until the deadline.
    Timeout(T),
    /// The receiver is gone.
    Disconnected(T, D),
}

impl<T, D> TrySendError<T, D> {
    /// The message that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(value) | Self::Disconnected(value, _) => value,
        }
    }

    /// Whether there was no room.
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }
}

impl<T, D> SendError<T, D> {
    /// The message that was not sent.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T, D> SendTimeoutError<T, D> {
    /// The message that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Timeout(value) | Self::Disconnected(value, _) => value,
        }
    }

    /// Whether the time ran out.
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }
}

impl<T, D> From<SendError<T, D>> for TrySendError<T, D> {
    fn from(SendError(value, gone): SendError<T, D>) -> Self {
        Self::Disconnected(value, gone)
    }
}

impl<T, D> From<SendError<T, D>> for SendTimeoutError<T, D> {
    fn from(SendError(value, gone): SendError<T, D>) -> Self {
        Self::Disconnected(value, gone)
    }
}

impl<D> From<RecvError<D>> for TryRecvError<D> {
    fn from(RecvError(gone): RecvError<D>) -> Self {
        Self::Disconnected(gone)
    }
}

impl<D> From<RecvError<D>> for RecvTimeoutError<D> {
    fn from(RecvError(gone): RecvError<D>) -> Self {
        Self::Disconnected(gone)
    }
}

macro_rules! error {
    ($($name:ident<$($generic:ident),+> $({ $short:ident$(($skip:tt))? => $text:literal })?, $long:pat => $gone:ident;)*) => {$(
        impl<$($generic),+> fmt::Display for $name<$($generic),+>
        where
            D: fmt::Display,
        {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$short$(($skip))? => f.write_str($text),)?
                    $long => $gone.fmt(f),
                }
            }
        }

        impl<$($generic),+> core::error::Error for $name<$($generic),+> where D: fmt::Display + fmt::Debug {}
    )*};
}

error! {
    TryRecvError<D> { Empty => "no message now" }, Self::Disconnected(gone) => gone;
    RecvError<D>, Self(gone) => gone;
    RecvTimeoutError<D> { Timeout => "no message until the deadline" }, Self::Disconnected(gone) => gone;
    TrySendError<T, D> { Full(_) => "no room now" }, Self::Disconnected(_, gone) => gone;
    SendError<T, D>, Self(_, gone) => gone;
    SendTimeoutError<T, D> { Timeout(_) => "no room until the deadline" }, Self::Disconnected(_, gone) => gone;
}

/// `Debug` without the message, which may have none, or be large.
macro_rules! debug {
    ($($name:ident { $($short:ident)?, $long:pat => $gone:ident });* $(;)?) => {$(
        impl<T, D: fmt::Debug> fmt::Debug for $name<T, D> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$short(_) => f.write_str(concat!(stringify!($short), "(..)")),)?
                    $long => f.debug_tuple("Disconnected").field(&format_args!("..")).field($gone).finish(),
                }
            }
        }
    )*};
}

debug! {
    TrySendError { Full, Self::Disconnected(_, gone) => gone };
    SendError { , Self(_, gone) => gone };
    SendTimeoutError { Timeout, Self::Disconnected(_, gone) => gone };
}
