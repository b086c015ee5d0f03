//! One sender, many receivers.

#[cfg(feature = "lossy")]
pub mod lossy;
