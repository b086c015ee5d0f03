//! What takes a core, or measures time. A program of its own with one test at a time, because each other test would
//! be part of what is measured.
// Tests are not what loom models.
#![allow(clippy::disallowed_types)]

#[path = "../support/mod.rs"]
mod support;

#[cfg(all(target_os = "linux", feature = "std"))]
mod busy_cores;
#[cfg(target_os = "linux")]
mod parked_cpu;
#[cfg(feature = "std")]
mod turns;

/// One test at a time: each holds this until its end.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
