//! Systems on which none of it can be done here.

const ONLY_LINUX: &str = "only on Linux";

pub(super) fn check_node(_node: usize) -> Result<(), String> {
    Err(ONLY_LINUX.into())
}

pub(super) fn check_huge_pages() -> Result<(), String> {
    Err(ONLY_LINUX.into())
}

pub(super) fn check_priority(_priority: u32, _threads: usize) -> Result<(), String> {
    Err(ONLY_LINUX.into())
}

pub(super) fn lock_memory() -> Result<(), String> {
    Err(ONLY_LINUX.into())
}

pub(super) fn bind_memory(_node: usize) -> Result<(), String> {
    Err(ONLY_LINUX.into())
}

pub(super) fn set_priority(_priority: u32) -> Result<(), String> {
    Err(ONLY_LINUX.into())
}

pub(super) fn make_huge(_addresses: &[usize]) -> Result<u64, String> {
    Err(ONLY_LINUX.into())
}

/// Unknown, which is no error: threads touch their memory themselves on any system.
pub(super) fn nodes_of(_addresses: &[usize]) -> Result<Vec<usize>, String> {
    Ok(vec![])
}

pub(super) fn current_node() -> Option<usize> {
    None
}
