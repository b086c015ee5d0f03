//! One-way, in runs.

mod common;

fn main() {
    common::run("batch");
}
