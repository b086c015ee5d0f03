//! Several senders, one receiver: `try` verbs, blocking verbs, futures, and messages of 64 and 256 bytes.

mod common;

fn main() {
    common::run("mpsc");
}
