//! `memcpy` and `memmove` of this program, in place of the C library's: those store some bytes twice where the ends of a copy overlap. These store each
//! byte once, so that what is stored is what was asked for. In assembly, as a copy loop in Rust would become a call of `memcpy`.

use std::arch::global_asm;

global_asm!(
    ".globl memcpy",
    ".type memcpy, @function",
    "memcpy:",
    "mov rax, rdi",
    "2:",
    "mov rcx, rdx",
    "shr rcx, 3",
    "rep movsq",
    "mov rcx, rdx",
    "and rcx, 7",
    "rep movsb",
    "ret",
    ".size memcpy, . - memcpy",
    ".globl memmove",
    ".type memmove, @function",
    "memmove:",
    "mov rax, rdi",
    "mov rcx, rdi",
    "sub rcx, rsi",
    "cmp rcx, rdx",
    // Not within the source, or before it: forwards.
    "jae 2b",
    "lea rdi, [rdi + rdx - 1]",
    "lea rsi, [rsi + rdx - 1]",
    "mov rcx, rdx",
    "std",
    "rep movsb",
    "cld",
    "ret",
    ".size memmove, . - memmove",
);
