//! Shards that send to each other: all to all, a token passed round, polls of peers that send nothing.

mod common;

fn main() {
    common::run("mesh");
}
