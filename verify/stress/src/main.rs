//! Threads and a channel: every way to send with every way to receive, checked message by message.
//!
//! ```text
//! ringmail-stress [run] [--messages N] [--seconds N]   every pair of verbs, N messages each (default 2000), once or for N seconds
//! ringmail-stress SHAPE …                               the same for one shape: spsc, mpsc, fan_in, fan_out, broadcast, mesh, and
//!                                                       broadcast_lossy, with a hundred times as many messages
//! ringmail-stress parked [--seconds N]                 what a receiver costs that waits for N seconds (default 5)
//! ```
//!
//! `verify/stress/tsan` runs it under ThreadSanitizer. For that it uses only `spawn` and `join` of std, and every handle goes back to
//! the main thread to be dropped there: the precompiled std is not instrumented, so correct code with a fence inside it (the last
//! drop of an `Arc`) would be reported.

mod broadcast;
mod broadcast_lossy;
mod fan_out;
mod many;
mod mesh;
mod parked;
mod verbs;

use ringmail::fan_in::FanIn;
use ringmail::mpsc::Mpsc;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const USAGE: &str = "usage: ringmail-stress [run|spsc|mpsc|fan_in|fan_out|broadcast|broadcast_lossy|mesh|parked] [--messages N] [--seconds N]";

fn main() -> ExitCode {
    let (mut mode, mut messages, mut seconds) = (String::from("run"), 2000, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|n| n.parse::<u64>().ok());
        let known = match argument.as_str() {
            "run" | "spsc" | "mpsc" | "fan_in" | "fan_out" | "broadcast" | "broadcast_lossy" | "mesh" | "parked" => {
                mode.clone_from(&argument);
                true
            }
            "--messages" => number().filter(|&n| n > 0).inspect(|&n| messages = n).is_some(),
            "--seconds" => {
                seconds = number().filter(|&n| n > 0);
                seconds.is_some()
            }
            _ => false,
        };
        if !known {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    ringmail::init();
    if mode == "parked" {
        parked::report(Duration::from_secs(seconds.unwrap_or(5)))
    } else {
        run(&mode, messages, seconds.map(Duration::from_secs))
    }
}

/// Two threads on an `spsc` ring, three on a mesh, five on most others. Each shape's number of exchanges is printed: none may be zero.
fn run(mode: &str, messages: u64, limit: Option<Duration>) -> ExitCode {
    let wanted = |shape| mode == "run" || mode == shape;
    let start = Instant::now();
    let (mut rounds, mut spsc, mut mpsc, mut fan_in) = (0u64, 0u64, 0u64, 0u64);
    let (mut fan_out, mut broadcast, mut broadcast_lossy, mut mesh) = (0u64, 0u64, 0u64, 0u64);
    loop {
        if wanted("spsc") {
            spsc += verbs::every_pair(messages);
        }
        if wanted("mpsc") {
            mpsc += many::every_pair::<Mpsc>(messages);
        }
        if wanted("fan_in") {
            fan_in += many::every_pair::<FanIn>(messages) + many::lanes_again(messages);
        }
        if wanted("fan_out") {
            fan_out += fan_out::workers_come_and_go(messages);
        }
        if wanted("broadcast") {
            broadcast += broadcast::receivers_come_and_go(messages);
        }
        if wanted("broadcast_lossy") {
            broadcast_lossy += broadcast_lossy::readers_at_full_speed(messages);
        }
        if wanted("mesh") {
            mesh += mesh::every_way(messages);
        }
        rounds += 1;
        if limit.is_none_or(|limit| start.elapsed() >= limit) {
            break;
        }
    }
    println!(
        "{rounds} round(s), {spsc} spsc, {mpsc} mpsc, {fan_in} fan_in, {fan_out} fan_out, {broadcast} broadcast, {broadcast_lossy} broadcast_lossy, {mesh} mesh exchanges of up to {messages} messages, all in order, in {:.1} s",
        start.elapsed().as_secs_f64()
    );
    ExitCode::SUCCESS
}
