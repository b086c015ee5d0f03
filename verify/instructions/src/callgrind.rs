//! What a program can ask of callgrind that it runs under. Outside valgrind nothing happens.

use std::arch::asm;
use std::ffi::CString;

/// The tool's requests: its two letters, and a number.
const ZERO: usize = 0x4354_0001;
const DUMP_AT: usize = 0x4354_0003;

/// Counts from here on.
pub(crate) fn zero() {
    request([ZERO, 0, 0, 0, 0, 0]);
}

/// Writes what was counted, under that name.
pub(crate) fn dump(name: &str) {
    let name = CString::new(name).expect("names have no zero");
    request([DUMP_AT, name.as_ptr().addr(), 0, 0, 0, 0]);
}

fn request(request: [usize; 6]) {
    // SAFETY: the sequence that valgrind recognises. It turns a register by twice its width and exchanges another with itself: only `rdx`, the answer,
    // changes. The request, and the name in it, outlive it.
    unsafe {
        asm!("rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51", "xchg rbx, rbx",
            in("rax") request.as_ptr(), inout("rdx") 0_usize => _, options(nostack));
    }
}
