//! What the fuzz targets run: plain functions of bytes, without libFuzzer, so that a test can call them too.

pub mod broadcast_model;
pub mod broadcast_ops;
pub mod broadcast_receives;
pub mod fan_in_model;
pub mod fan_in_ops;
pub mod fan_out_model;
pub mod fan_out_ops;
pub mod input;
#[cfg(feature = "lossy")]
pub mod lossy_ops;
pub mod mpsc_model;
pub mod mpsc_ops;
pub mod mpsc_receives;
pub mod mpsc_seat;
pub mod mpsc_sends;
pub mod options;
pub mod payload;
pub mod shared;
#[cfg(all(feature = "shm", target_os = "linux"))]
pub mod shm_bytes;
#[cfg(all(feature = "shm", target_os = "linux"))]
mod shm_bytes_writes;
#[cfg(all(feature = "shm", target_os = "linux"))]
pub mod shm_file;
#[cfg(all(feature = "shm", target_os = "linux"))]
pub mod shm_header;
#[cfg(all(feature = "shm", target_os = "linux"))]
pub mod shm_lossy;
#[cfg(all(feature = "shm", target_os = "linux"))]
pub mod shm_ops;
pub mod spsc_model;
pub mod spsc_ops;
pub mod wake_counter;
