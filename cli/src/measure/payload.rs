//! Sizes of messages: each has a measuring loop of its own, compiled for its number of words.

/// Payload sizes, in bytes, for which a measuring loop is compiled.
pub(crate) const PAYLOADS: [usize; 8] = [8, 16, 64, 256, 1024, 4096, 16_384, 65_536];

/// Chooses the loop that was compiled for a payload of so many bytes; `$words` stands for its words.
macro_rules! with_words {
    ($payload:expr, $words:ident => $call:expr) => {
        with_words!($payload, $words => $call, 8 16 64 256 1024 4096 16384 65536)
    };
    ($payload:expr, $words:ident => $call:expr, $($bytes:literal)*) => {
        match $payload {
            $($bytes => {
                const $words: usize = $bytes / 8;
                $call
            })*
            other => Err(format!("no loop was compiled for messages of {other} bytes")),
        }
    };
}
pub(crate) use with_words;
