//! A contender's own process: sleeps in a read, runs a slice when asked, answers in one line.

use std::hint::black_box;
use std::io::{BufRead, Write, stdin, stdout};
use std::thread::sleep;
use std::time::Duration;

use super::band;
use super::data::{Reply, Request};
use crate::catalog::{Contender, Suite};
use crate::pair_slice::{Env, end_on_panic, pair_slice};

/// How often to look again at a floor outside the band before running all the same, and how long to sleep in between:
/// the host moves the cores every 5 to 100 ms.
const LOOKS: usize = 12;
const NAP: Duration = Duration::from_millis(3);

/// Serves until standard input ends.
///
/// # Errors
/// The pipe broke, or a line on it was no request.
pub fn serve(suite: &Suite, contender: &Contender, env: Env) -> Result<(), String> {
    end_on_panic();
    die_with_parent();
    let env = suite.env(env);
    for line in stdin().lock().lines() {
        let line = line.map_err(|e| format!("reading a request: {e}"))?;
        let request: Request = serde_json::from_str(&line).map_err(|e| format!("not a request: {line}: {e}"))?;
        if let Some(band) = request.band {
            await_band(&env, band);
        }
        let padding = black_box(vec![0_u8; request.padding]);
        let outcome = (contender.run)(&env, request.n, contender.name);
        drop(padding);
        let reply = Reply {
            elapsed_ns: outcome.elapsed.as_nanos() as u64,
            floor: outcome.floor,
            stolen_ns: outcome.stolen.as_nanos() as u64,
            parked: outcome.parked,
            latency: outcome.latency,
        };
        let line = serde_json::to_string(&reply).map_err(|e| format!("writing a reply: {e}"))?;
        writeln!(stdout().lock(), "{line}").map_err(|e| format!("writing a reply: {e}"))?;
    }
    Ok(())
}

fn await_band(env: &Env, wanted: [f64; 2]) {
    for _ in 0..LOOKS {
        if band::holds(wanted, pair_slice(env, 0, 0, |_| (), |_| ()).floor) {
            return;
        }
        sleep(NAP);
    }
}

/// A child that hangs in a slice would outlive a parent that was killed.
#[cfg(target_os = "linux")]
pub(crate) fn die_with_parent() {
    use rustix::process::{Signal, set_parent_process_death_signal};
    if let Err(e) = set_parent_process_death_signal(Some(Signal::KILL)) {
        eprintln!("this child will not die with its parent: {e}");
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn die_with_parent() {}
