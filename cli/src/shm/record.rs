//! What travels in a channel of messages of one size that `send --to` makes: records up to a limit.
//!
//! ```text
//!    0          4                                        4 + N
//!    ├──────────┼─────────────────────────────┬──────────┤
//!    │ length   │ body                        │ zeros    │
//!    │ u32 LE   │                             │          │
//!    └──────────┴─────────────────────────────┴──────────┘
//! ```
//! A program that wants to meet the command in a channel sends messages of this form, under the name [`SCHEMA`], version 1.

use std::io::Write;

use ringmail::shm::{ChannelInfo, Message, Schema};
use zerocopy::{Immutable, IntoBytes, TryFromBytes};

pub(super) const SCHEMA: &str = "ringmail-record";

/// Bytes before the body.
pub(super) const LENGTH: usize = 4;

/// Bytes of a message: its type fixes them, so there are not more. With what a slot of `shm::lossy` has beside, each is a power of two.
pub(super) const SIZES: [usize; 2] = [992, 65_504];

/// Runs `$body` with the constant `$n`: the longest body of a record in a message of `$bytes` bytes, if that is one of [`SIZES`].
macro_rules! with_size {
    ($bytes:expr, $n:ident => $body:expr) => {
        with_size!(@ $bytes, $n => $body; 992 65_504)
    };
    (@ $bytes:expr, $n:ident => $body:expr; $($size:literal)*) => {
        match $bytes {
            $($size => {
                const $n: usize = $size - $crate::shm::record::LENGTH;
                Some($body)
            })*
            _ => None,
        }
    };
}
pub(super) use with_size;

/// A record of up to `N` bytes.
#[derive(Clone, Copy, TryFromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(super) struct Record<const N: usize> {
    length: [u8; LENGTH],
    body: [u8; N],
}

impl<const N: usize> Message for Record<N> {
    const SCHEMA: Schema = Schema::new(SCHEMA);
}

impl<const N: usize> Record<N> {
    pub(super) fn empty() -> Self {
        Self { length: [0; LENGTH], body: [0; N] }
    }

    /// Takes the first `N` bytes of `body`.
    pub(super) fn fill(&mut self, body: &[u8]) {
        let before = self.len().unwrap_or(N);
        let len = body.len().min(N);
        self.body[..len].copy_from_slice(&body[..len]);
        if len < before {
            self.body[len..before].fill(0);
        }
        self.length = (len as u32).to_le_bytes();
    }

    fn len(&self) -> Option<usize> {
        usize::try_from(u32::from_le_bytes(self.length)).ok().filter(|&len| len <= N)
    }
}

/// A message that can be written as a record.
pub(super) trait Body: Message + Copy {
    /// Puts it behind `text`. Returns whether it is a record at all.
    fn put(&self, text: &mut Vec<u8>) -> bool;
}

impl<const N: usize> Body for Record<N> {
    fn put(&self, text: &mut Vec<u8>) -> bool {
        match self.len() {
            Some(len) => {
                text.extend_from_slice(&self.body[..len]);
                true
            }
            None => false,
        }
    }
}

/// What programs send without a type of their own is written as text.
macro_rules! plain {
    ($($type:ty)*) => {$(
        impl Body for $type {
            fn put(&self, text: &mut Vec<u8>) -> bool {
                write!(text, "{self}").is_ok()
            }
        }
    )*};
}

plain!(u32 u64 i64 f64 bool);

/// Bytes that a message of so many takes in a channel.
pub(super) fn room(size: usize) -> usize {
    size.next_power_of_two()
}

/// Whether a channel's messages are records of this form.
pub(super) fn is_of_records(seen: &ChannelInfo) -> bool {
    seen.schema.split(' ').next() == Some(SCHEMA)
}

/// Bytes of a message that takes a record of so many.
pub(super) fn size_for(longest: usize) -> Option<usize> {
    SIZES.into_iter().find(|size| size - LENGTH >= longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: &impl Body) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        body.put(&mut text).then_some(text)
    }

    #[test]
    fn a_record_has_its_bytes_and_zeros_behind_them() {
        let mut record = Record::<6>::empty();
        for body in [&b""[..], b"abcdef", b"x", b"", b"\n\0\xff"] {
            record.fill(body);
            assert_eq!(text(&record).as_deref(), Some(body));
            assert!(record.body[body.len()..].iter().all(|&byte| byte == 0));
        }
        record.fill(b"abcdefgh");
        assert_eq!(text(&record).as_deref(), Some(&b"abcdef"[..]));
        record.length = 7_u32.to_le_bytes();
        assert_eq!(text(&record), None, "no record is that long");
    }

    #[test]
    fn each_size_has_its_type() {
        for size in SIZES {
            assert_eq!(with_size!(size, N => (size_of::<Record<N>>(), N)), Some((size, size - LENGTH)));
            assert_eq!((size_for(size - LENGTH), size_for(size - LENGTH - 1)), (Some(size), Some(size)));
        }
        assert_eq!(with_size!(100, N => N), None);
        assert_eq!((size_for(0), size_for(989), size_for(65_501)), (Some(992), Some(65_504), None));
    }

    #[test]
    fn plain_messages_are_text() {
        assert_eq!(text(&7_u64).as_deref(), Some(&b"7"[..]));
        assert_eq!(text(&-1.5_f64).as_deref(), Some(&b"-1.5"[..]));
        assert_eq!(text(&true).as_deref(), Some(&b"true"[..]));
    }
}
