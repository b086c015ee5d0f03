//! The Linux calls behind the options. Each error says which limit or right is missing.

use std::ffi::c_void;
use std::io;
use std::path::Path;
use std::ptr::{null, null_mut};

/// What a run may allocate while it is locked: the memory of earlier visits that is kept, samples, stacks.
const ROOM: usize = 512 << 20;

/// Transparent huge pages on all machines that this tool has seen; the kernel tells where it is another size.
const HUGE: usize = 2 << 20;

/// A soft limit; `None` if there is no limit, or it cannot be read.
macro_rules! limit {
    ($resource:ident) => {{
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: `limit` is writable for as long as the call lasts.
        let answer = unsafe { libc::getrlimit(libc::$resource, &raw mut limit) };
        (answer == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
    }};
}

pub(super) fn check_node(node: usize) -> Result<(), String> {
    let nodes = Path::new("/sys/devices/system/node");
    if nodes.join(format!("node{node}")).is_dir() || (node == 0 && !nodes.is_dir()) {
        return Ok(());
    }
    let online = std::fs::read_to_string(nodes.join("online")).unwrap_or_default();
    Err(format!("there is no such memory node (nodes of this machine: {})", online.trim()))
}

/// Has the calling thread's new memory come from the node alone.
pub(super) fn bind_memory(node: usize) -> Result<(), String> {
    const BIND: usize = 2;
    let mut mask = vec![0_usize; node / usize::BITS as usize + 1];
    mask[node / usize::BITS as usize] = 1 << (node % usize::BITS as usize);
    // One more than there are: the kernel takes off one.
    let bits = mask.len() * usize::BITS as usize + 1;
    // SAFETY: the mask is readable for `bits - 1` bits for as long as the call lasts. The policy holds for memory that this thread touches later.
    let answer = unsafe { libc::syscall(libc::SYS_set_mempolicy, BIND, mask.as_ptr(), bits) };
    if answer == 0 { Ok(()) } else { Err(refusal("set_mempolicy")) }
}

/// The nodes of the pages at these addresses.
pub(super) fn nodes_of(addresses: &[usize]) -> Result<Vec<usize>, String> {
    let page = page_size();
    let mut pages: Vec<usize> = addresses.iter().map(|address| address & !(page - 1)).collect();
    pages.sort_unstable();
    pages.dedup();
    let mut nodes = vec![-1_i32; pages.len()];
    // SAFETY: both arrays have `pages.len()` entries, pages are only asked about (no target nodes are given), and `nodes` is writable for as long
    // as the call lasts.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_move_pages,
            0,
            pages.len(),
            pages.as_ptr().cast::<*const c_void>(),
            null::<i32>(),
            nodes.as_mut_ptr(),
            0,
        )
    };
    if answer < 0 {
        return Err(refusal("move_pages"));
    }
    let not_there = || "a page of a channel is not there after it was touched".to_owned();
    let mut nodes: Vec<usize> =
        nodes.into_iter().map(usize::try_from).collect::<Result<_, _>>().map_err(|_| not_there())?;
    nodes.sort_unstable();
    nodes.dedup();
    Ok(nodes)
}

/// The node of the core that the calling thread runs on.
pub(super) fn current_node() -> Option<usize> {
    let mut node = 0_u32;
    // SAFETY: `node` is writable for as long as the call lasts; the two others may be null.
    let answer = unsafe { libc::syscall(libc::SYS_getcpu, null_mut::<u32>(), &raw mut node, null_mut::<c_void>()) };
    (answer == 0).then_some(node as usize)
}

/// Locks all memory that there is and will be. Refused if the limit leaves too little to measure in: then a later allocation would fail.
pub(super) fn lock_memory() -> Result<(), String> {
    // SAFETY: no memory is passed.
    let answer = unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) };
    let limited = |error: &io::Error| matches!(error.raw_os_error(), Some(libc::ENOMEM | libc::EAGAIN | libc::EPERM));
    if answer != 0 {
        let error = io::Error::last_os_error();
        return Err(if limited(&error) { memory_limit() } else { format!("mlockall: {error}") });
    }
    // SAFETY: a mapping of its own, at an address of the kernel's choice, that nothing else knows of.
    let room = unsafe { libc::mmap(null_mut(), ROOM, libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0) };
    if room == libc::MAP_FAILED {
        // SAFETY: no memory is passed.
        unsafe { libc::munlockall() };
        return Err(memory_limit());
    }
    // SAFETY: this is the mapping that was just made, and nothing refers to it.
    unsafe { libc::munmap(room, ROOM) };
    Ok(())
}

fn memory_limit() -> String {
    let limit = limit!(RLIMIT_MEMLOCK).map_or_else(|| "unknown".to_owned(), |bytes| format!("{} KiB", bytes >> 10));
    format!(
        "the limit on locked memory (RLIMIT_MEMLOCK, now {limit}) is too low: raise it with ulimit -l unlimited or in \
         limits.conf, or give this program CAP_IPC_LOCK"
    )
}

/// Tries the priority on a thread of its own.
pub(super) fn check_priority(priority: u32, threads: usize) -> Result<(), String> {
    let runtime = std::fs::read_to_string("/proc/sys/kernel/sched_rt_runtime_us").unwrap_or_default();
    let online = std::thread::available_parallelism().map_or(1, usize::from);
    if runtime.trim() == "-1" && threads >= online {
        return Err("sched_rt_runtime_us is -1, so that threads which spin on all cores would stop this machine: leave a core free, or \
                    set it to 950000"
            .into());
    }
    let tried = std::thread::spawn(move || set_priority(priority)).join();
    tried.unwrap_or_else(|_| Err("a thread panicked; please report this".into()))
}

/// Of the calling thread. Threads and processes that it starts have the usual priority.
pub(super) fn set_priority(priority: u32) -> Result<(), String> {
    let parameter = libc::sched_param { sched_priority: priority as i32 };
    // SAFETY: `parameter` is readable for as long as the call lasts; 0 is the calling thread.
    let answer =
        unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const parameter) };
    if answer == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() != Some(libc::EPERM) {
        return Err(format!("sched_setscheduler: {error}"));
    }
    let limit = limit!(RLIMIT_RTPRIO).map_or_else(|| "unknown".to_owned(), |most| most.to_string());
    Err(format!(
        "not permitted: the limit on real-time priority (RLIMIT_RTPRIO) is {limit}: raise it with ulimit -r {priority} or in limits.conf, or give \
         this program CAP_SYS_NICE; a control group without real-time runtime refuses it too"
    ))
}

pub(super) fn check_huge_pages() -> Result<(), String> {
    let setting = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled")
        .map_err(|_| "this kernel has no transparent huge pages".to_owned())?;
    if setting.contains("[never]") {
        return Err(
            "transparent huge pages are off: write madvise to /sys/kernel/mm/transparent_hugepage/enabled".into()
        );
    }
    Ok(())
}

/// Puts the whole huge pages among the pages of the slots into huge pages, and returns how many bytes are in some then.
pub(super) fn make_huge(addresses: &[usize]) -> Result<u64, String> {
    /// Since Linux 6.1.
    const COLLAPSE: i32 = 25;
    let (Some(first), Some(last)) = (addresses.iter().min(), addresses.iter().max()) else {
        return Err("the channel has no slots".into());
    };
    let (from, to) = (first.next_multiple_of(HUGE), (last + page_size()) & !(HUGE - 1));
    if from >= to {
        let has = (last - first) >> 10;
        return Err(format!(
            "the slots of a channel take {has} KiB and fill no huge page of {} KiB for certain: use a --capacity and a --payload that take {} KiB",
            HUGE >> 10,
            HUGE >> 9
        ));
    }
    // The address of a slot, with the rights of all that is exposed: it is only told to the kernel.
    let start = std::ptr::with_exposed_provenance_mut::<c_void>(from);
    // SAFETY: the range lies within one live allocation, that of the slots. The call changes what pages it is made of, not what is in them.
    if unsafe { libc::madvise(start, to - from, libc::MADV_HUGEPAGE) } != 0 {
        return Err(format!("madvise: {}", io::Error::last_os_error()));
    }
    // SAFETY: as above. Pages that have been touched are not changed by the first call until the kernel comes by; this one does it now.
    let collapsed = unsafe { libc::madvise(start, to - from, COLLAPSE) };
    let error = io::Error::last_os_error();
    match huge_bytes(from, to) {
        Some(bytes) if bytes > 0 => Ok(bytes),
        _ if collapsed != 0 => Err(format!(
            "the kernel gave none ({error}): free memory, or on Linux before 6.1 write always to /sys/kernel/mm/transparent_hugepage/enabled"
        )),
        _ => Err("the kernel gave none: free memory".into()),
    }
}

/// Bytes in huge pages of the mappings that hold this range, at most as many as the range has.
fn huge_bytes(from: usize, to: usize) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/smaps").ok()?;
    let (mut inside, mut sum) = (false, 0);
    for line in text.lines() {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        let bound = |text: &str| usize::from_str_radix(text, 16).ok();
        if let Some((start, end)) = range.and_then(|(start, end)| Some((bound(start)?, bound(end)?))) {
            inside = start < to && end > from;
        } else if let (true, Some(rest)) = (inside, line.strip_prefix("AnonHugePages:")) {
            sum += rest.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10;
        }
    }
    Some(sum.min((to - from) as u64))
}

fn page_size() -> usize {
    // SAFETY: no memory is passed.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) })
        .ok()
        .filter(|size| size.is_power_of_two())
        .unwrap_or(4096)
}

fn refusal(call: &str) -> String {
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EPERM) => {
            format!("{call}: {error}: a security policy (seccomp, container) forbids it, unless with CAP_SYS_NICE")
        }
        Some(libc::ENOSYS) => format!("{call}: this kernel was built without memory nodes"),
        _ => format!("{call}: {error}"),
    }
}
