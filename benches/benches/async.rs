//! One-way, futures, one task on each of two threads.

mod common;

fn main() {
    common::run("async");
}
