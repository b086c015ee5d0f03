//! Round trips, beside the bare two-cache-line round trip.

mod common;

fn main() {
    common::run("rtt");
}
