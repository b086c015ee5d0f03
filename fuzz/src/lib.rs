//! What the fuzz targets run: plain functions of bytes, without libFuzzer, so that a test can call them too.

pub mod input;
pub mod payload;
pub mod spsc_ops;
pub mod world;
