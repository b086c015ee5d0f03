//! One-way, `try` verbs, messages of 8 to 1024 bytes.

mod common;

fn main() {
    common::run("payload");
}
