//! The message of every contender: words that all carry its place in the sequence.

use std::fmt;

use iceoryx2::prelude::ZeroCopySend;
use ringmail::shm::{Message, Schema};
use ringmail_benches::peers::Msg;
use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// `N` words of eight bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[repr(transparent)]
pub struct Words<const N: usize>([u64; N]);

/// What a message must be to travel by every contender.
pub trait Parcel: Msg + Message + FromBytes + ZeroCopySend + Serialize + DeserializeOwned {
    /// Makes it the `seq`-th message, where it lies.
    fn fill(&mut self, seq: u64);
}

impl<const N: usize> Parcel for Words<N> {
    #[inline]
    fn fill(&mut self, seq: u64) {
        self.0.fill(seq);
    }
}

impl<const N: usize> Default for Words<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> Msg for Words<N> {
    #[inline]
    fn make(seq: u64) -> Self {
        Self([seq; N])
    }
    #[inline]
    fn seq(&self) -> u64 {
        // Every word, of a message that is really there: see `ringmail_benches::peers::Payload`.
        let words = std::hint::black_box(&self.0);
        let torn = words.iter().fold(0, |torn, word| torn | (word ^ words[0]));
        if torn == 0 { words[0] } else { u64::MAX }
    }
}

impl<const N: usize> Message for Words<N> {
    // The size is compared beside the name.
    const SCHEMA: Schema = Schema::new("ringmail-ipc-bench words");
}

// SAFETY: words and nothing else: no pointer, no handle, nothing to drop, and the same layout in both processes.
unsafe impl<const N: usize> ZeroCopySend for Words<N> {}

// As one run of bytes, which is the least work that serde can have with it: it knows no arrays of any length.
impl<const N: usize> Serialize for Words<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.as_bytes())
    }
}

impl<'de, const N: usize> Deserialize<'de> for Words<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes<const N: usize>;
        impl<const N: usize> Visitor<'_> for Bytes<N> {
            type Value = Words<N>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{N} words")
            }
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Words<N>, E> {
                Words::read_from_bytes(bytes).map_err(|_| E::invalid_length(bytes.len(), &self))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use ringmail_benches::peers::Msg;
    use zerocopy::{FromBytes, IntoBytes};

    use super::Words;

    #[test]
    fn a_torn_message_has_no_place_in_the_sequence() {
        for torn in [0, 1, 31] {
            let mut words = Words::<32>::make(7);
            assert_eq!(words.seq(), 7);
            words.0[torn] ^= 1;
            assert_eq!(words.seq(), u64::MAX);
        }
    }

    #[test]
    fn serde_takes_a_message_as_its_bytes() {
        let words = Words::<512>::make(7);
        let text = serde_json::to_string(&words).expect("a list of bytes");
        let bytes: Vec<u8> = serde_json::from_str(&text).expect("a list of bytes");
        assert_eq!(Words::<512>::read_from_bytes(&bytes).expect("as many").as_bytes(), words.as_bytes());
    }
}
