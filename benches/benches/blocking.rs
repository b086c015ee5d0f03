//! One-way, blocking verbs.

mod common;

fn main() {
    common::run("blocking");
}
