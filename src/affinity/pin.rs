//! Pinning that proves itself.
//!
//! ```text
//!   request ──► refused ──────────────────────────► PinRefused   (thread as before)
//!      │
//!      └─────► accepted ──► mask is not {core} ───► PinNotHeld
//!                   │
//!                   └─────► runs on another core ─► PinNotHeld
//!                   │
//!                   └─────► Ok
//! ```

use std::boxed::Box;
use std::format;
use std::string::String;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::vec::Vec;

use super::AffinityError;

/// Core ids from here up do not fit the mask that goes to the system.
#[cfg(target_os = "linux")]
const MASK_BITS: usize = super::ids::ID_LIMIT;
/// Here the mask is that of `core_affinity`, which panics on more.
#[cfg(windows)]
const MASK_BITS: usize = 64;
#[cfg(not(any(target_os = "linux", windows)))]
const MASK_BITS: usize = 256;

/// Pins the calling thread to `core` and, on Linux, checks that it worked: the thread's mask is that core alone, and
/// it runs there. Threads that it starts from then on inherit the pin on Linux.
///
/// The thread's present mask does not matter, only what the system permits: a pinned thread can be pinned elsewhere,
/// and an isolated core can be had. Outside Linux, `Ok` means only that the system accepted the request.
///
/// # Errors
///
/// * [`AffinityError::PinRefused`]: the core does not exist, is offline, is beyond a cpuset, or its number is too
///   large. The thread's mask is as it was.
/// * [`AffinityError::PinNotHeld`]: the system accepted the pin and did something else. The thread keeps the mask that
///   the error tells.
/// * [`AffinityError::NoCores`]: the thread's mask cannot be read, so the pin could not be checked. Nothing was
///   changed, or the pin was made and left unchecked.
pub fn pin_current(core: usize) -> Result<(), AffinityError> {
    let allowed = allowed_cores()?;
    if core >= MASK_BITS {
        let reason = format!("core numbers end at {} here", MASK_BITS - 1);
        return Err(AffinityError::PinRefused { core, reason, allowed });
    }
    if let Err(reason) = request(core) {
        return Err(AffinityError::PinRefused { core, reason, allowed });
    }
    #[cfg(target_os = "linux")]
    check(core, allowed_cores()?, rustix::thread::sched_getcpu(), allowed)?;
    Ok(())
}

/// Whether a pin holds, given what was read back.
#[cfg(target_os = "linux")]
pub(super) fn check(
    core: usize,
    mask: Vec<usize>,
    running_on: usize,
    allowed: Vec<usize>,
) -> Result<(), AffinityError> {
    if mask == [core] && running_on == core {
        Ok(())
    } else {
        Err(AffinityError::PinNotHeld { core, mask, running_on, allowed })
    }
}

/// Asks the system for the pin; the error is why it refused.
#[cfg(target_os = "linux")]
fn request(core: usize) -> Result<(), String> {
    // The mask of `core_affinity` has 1,024 bits, and it panics on more.
    let pinned = if core < rustix::thread::CpuSet::MAX_CPU {
        // It returns straight from the system call, so `errno` is still that call's.
        set_by_id(core).then_some(()).ok_or_else(std::io::Error::last_os_error)
    } else {
        super::mask::set(core)
    };
    pinned.map_err(|error| {
        let hint = match error.raw_os_error() {
            Some(libc::EINVAL) => {
                ": the core does not exist, is offline, or is beyond this process's cpuset (container)"
            }
            Some(libc::EPERM) => ": a security policy (seccomp, container) forbids pinning",
            _ => "",
        };
        format!("{error}{hint}")
    })
}

#[cfg(not(target_os = "linux"))]
fn request(core: usize) -> Result<(), String> {
    if set_by_id(core) { Ok(()) } else { Err("the system refused, without a reason".into()) }
}

/// Whether the system pinned the calling thread. The number is not taken from `core_affinity`'s own enumeration, which leaves out isolated cores.
fn set_by_id(core: usize) -> bool {
    core_affinity::set_for_current(core_affinity::CoreId { id: core })
}

/// Starts a thread that is pinned to `core` before `f` begins. The thread is called `core-N`.
///
/// Returns once the pin is made and, on Linux, checked. If it cannot be made, `f` is dropped without having run.
///
/// The pin is tried first on a thread of its own, which ends at once, so that the usual failures stay ordinary values.
/// Should the core be lost between that and the start of the thread proper, that thread ends by unwinding, without a
/// panic message; if the program is built with `panic = "abort"`, it sleeps for good instead.
///
/// # Errors
///
/// Those of [`pin_current`], and [`AffinityError::Spawn`] if the system gives no thread.
///
/// ```
/// use ringmail::affinity::{AffinityError, spawn_pinned};
///
/// let error = spawn_pinned(usize::MAX, || unreachable!("there is no such core")).unwrap_err();
/// assert!(matches!(error, AffinityError::PinRefused { core: usize::MAX, .. }));
/// ```
pub fn spawn_pinned<F, T>(core: usize, f: F) -> Result<JoinHandle<T>, AffinityError>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let rehearsal = start(core, move || pin_current(core))?;
    rehearsal.join().map_err(|_| ended_early())??;
    spawn_with(core, pin_current, f)
}

/// [`spawn_pinned`] without the rehearsal, and with the pin given from outside so that its failure can be tested.
pub(super) fn spawn_with<F, T>(
    core: usize,
    pin: fn(usize) -> Result<(), AffinityError>,
    f: F,
) -> Result<JoinHandle<T>, AffinityError>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let (report, outcome) = mpsc::sync_channel(1);
    let thread = start(core, move || {
        let pinned = pin(core);
        if pinned.is_err() {
            // Before the report: once the caller knows, what `f` held is gone, as after any other failure.
            drop(f);
            let _ = report.send(pinned);
            end_thread();
        }
        // The caller waits for this, so there is someone to receive it.
        let _ = report.send(pinned);
        f()
    })?;
    outcome.recv().map_err(|_| ended_early())??;
    Ok(thread)
}

/// Ends the thread without a value of its result type: `f` would have to run to make one.
fn end_thread() -> ! {
    if cfg!(panic = "unwind") {
        std::panic::resume_unwind(Box::new(()));
    }
    loop {
        thread::park();
    }
}

fn start<F, T>(core: usize, f: F) -> Result<JoinHandle<T>, AffinityError>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let builder = thread::Builder::new().name(format!("core-{core}"));
    builder.spawn(f).map_err(|error| AffinityError::Spawn { reason: format!("{error}") })
}

fn ended_early() -> AffinityError {
    AffinityError::Spawn { reason: "it ended before it was pinned".into() }
}

/// The core that the calling thread runs on at this moment; it can be another one at the next, unless the thread is
/// pinned. `None` outside Linux.
#[must_use]
pub fn current_core() -> Option<usize> {
    #[cfg(target_os = "linux")]
    return Some(rustix::thread::sched_getcpu());
    #[cfg(not(target_os = "linux"))]
    None
}

/// The calling thread's affinity mask, ascending.
#[cfg(target_os = "linux")]
pub(super) fn allowed_cores() -> Result<Vec<usize>, AffinityError> {
    super::mask::read().map_err(|error| AffinityError::NoCores {
        reason: format!("the system does not tell this thread's affinity mask: {error}"),
    })
}

/// The cores that the system tells of, ascending.
#[cfg(not(target_os = "linux"))]
pub(super) fn allowed_cores() -> Result<Vec<usize>, AffinityError> {
    let cores = core_affinity::get_core_ids()
        .ok_or_else(|| AffinityError::NoCores { reason: "the system does not tell this process's cores".into() })?;
    let mut ids: Vec<usize> = cores.into_iter().map(|core| core.id).collect();
    ids.sort_unstable();
    Ok(ids)
}
