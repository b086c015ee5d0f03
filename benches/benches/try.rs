//! One-way, `try` verbs.

mod common;

fn main() {
    common::run("try");
}
