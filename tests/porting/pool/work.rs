//! What the workers do with a block.

use flate2::write::GzEncoder;
use flate2::{Compression, Crc};
use std::io::Write;

/// A block as a gzip member. Members one after another are a gzip file.
pub(super) fn compressed(block: Vec<u8>) -> Vec<u8> {
    let mut member = GzEncoder::new(Vec::new(), Compression::fast());
    member.write_all(&block).and_then(|()| member.finish()).expect("memory takes all that is written")
}

/// A short work: the checksum of a block.
pub(super) fn checksum(block: Vec<u8>) -> u32 {
    let mut sum = Crc::new();
    sum.update(&block);
    sum.sum()
}

/// Lines of a log, `bytes` in all: what compresses to about a third.
pub(super) fn text(bytes: usize) -> Vec<u8> {
    let (mut text, mut seed) = (Vec::with_capacity(bytes + 80), 1_u64);
    while text.len() < bytes {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        writeln!(text, "order {} of client {} is filled at {}", seed >> 44, seed % 97, seed >> 33 & 0xfff)
            .expect("memory takes all that is written");
    }
    text.truncate(bytes);
    text
}
