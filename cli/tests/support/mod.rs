//! What the tests of `ringmail latency` share.

use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ringmail::affinity::Topology;

/// Runs spin on the same cores, so they take turns.
static TURN: Mutex<()> = Mutex::new(());

/// The first two cores this process may use, and the turn; `None` if there is only one.
pub(crate) fn two_cores() -> Option<([String; 2], MutexGuard<'static, ()>)> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let allowed = Topology::detect().unwrap().allowed();
    match allowed[..] {
        [a, b, ..] => Some(([a.to_string(), b.to_string()], turn)),
        _ => None,
    }
}

pub(crate) fn ringmail() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringmail"));
    for name in ["NO_COLOR", "COLORTERM", "LC_ALL", "LC_CTYPE", "LANG", "COLUMNS"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm-256color").stdin(Stdio::null());
    command
}

pub(crate) fn run(args: &[&str]) -> Output {
    ringmail().args(args).output().unwrap()
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
