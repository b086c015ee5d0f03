//! What every measuring verb has in common: the clock, the machine, the signals, and the head of the report.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::env::cgroup::Throttling;
use crate::env::root::Root;
use crate::env::{Env, Steal};
use crate::failure::Failure;
use crate::measure::clock::Clock;
use crate::report::{ClockInfo, CoreInfo, Report, RunEnd, SCHEMA, Settings, Tool};

/// A run that has begun.
pub(crate) struct Session {
    pub(crate) clock: Clock,
    pub(crate) clock_info: ClockInfo,
    pub(crate) env: Env,
    /// Set by the first Ctrl-C, SIGTERM or SIGHUP: end early with what there is.
    pub(crate) stop: Arc<AtomicBool>,
    /// To use where the user names none.
    pub(crate) seed: u64,
    started_unix_s: u64,
    began: Instant,
    steal: Option<Steal>,
    throttling: Throttling,
}

impl Session {
    /// Watches for signals, reads the machine, and measures the clock.
    pub(crate) fn begin() -> Result<Self, Failure> {
        let stop = stop_on_signals()?;
        ringmail::init();
        let root = machine();
        let env = Env::read(root);
        let clock = Clock::choose(env.clocksource.as_deref());
        let clock_info = clock.info();
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            clock,
            clock_info,
            env,
            stop,
            seed: since_epoch.as_nanos() as u64 & 0xFFFF_FFFF,
            started_unix_s: since_epoch.as_secs(),
            began: Instant::now(),
            steal: Steal::read(root),
            throttling: Throttling::read(root),
        })
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// A report of this run that holds no figures yet. Call it when all is measured: it ends the time of the run.
    pub(crate) fn report(&self, cores: Vec<CoreInfo>, settings: Settings) -> Report {
        let mut env = self.env.clone();
        let root = machine();
        env.steal_share = Steal::read(root).zip(self.steal).and_then(|(now, then)| now.share_since(then));
        env.throttled = Throttling::read(root).since(&self.throttling);
        env.read_cores(root, &cores.iter().map(|core| core.id).collect::<Vec<_>>());
        Report {
            schema: SCHEMA,
            tool: Tool {
                name: "ringmail".into(),
                version: env!("CARGO_PKG_VERSION").into(),
                rustc: option_env!("RINGMAIL_RUSTC").map(str::to_owned),
                profile: option_env!("RINGMAIL_PROFILE").map(str::to_owned),
                argv: public(std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()), root.host().as_deref()),
            },
            started_unix_s: self.started_unix_s,
            elapsed_s: self.began.elapsed().as_secs_f64(),
            ended: if self.is_stopped() { RunEnd::Interrupted } else { RunEnd::Complete },
            settings,
            clock: self.clock_info.clone(),
            env,
            cores,
            cores_left_out: vec![],
            jitter: vec![],
            planned_pairs: 0,
            planned_visits: 0,
            pairs: vec![],
            left_out: None,
            full_run_s: None,
            failures: vec![],
            load: None,
            wake: None,
            warnings: vec![],
        }
    }
}

/// The command line for reports, which are passed on: without the folder of the program, and without words that hold the machine's name.
fn public(argv: impl Iterator<Item = String>, host: Option<&str>) -> Vec<String> {
    let mut argv: Vec<String> = argv
        .map(|arg| if host.is_some_and(|host| arg.to_lowercase().contains(host)) { "…".to_owned() } else { arg })
        .collect();
    if let Some(program) = argv.first_mut() {
        let name = Path::new(program.as_str()).file_name().map(|name| name.to_string_lossy().into_owned());
        *program = name.unwrap_or_else(|| "ringmail".to_owned());
    }
    argv
}

fn machine() -> Root<'static> {
    Root(Path::new("/"))
}

/// The first signal ends the run early with what there is; the second ends the process.
fn stop_on_signals() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            // What the run shows of itself may stand there; the next prompt is to have a line of its own.
            if std::io::stderr().is_terminal() {
                eprintln!();
            }
            std::process::exit(130);
        }
    };
    ctrlc::set_handler(handler).map_err(|error| Failure::failed(format!("cannot watch for Ctrl-C: {error}")))?;
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_tells_neither_folder_nor_machine() {
        let argv = |host| {
            public(
                ["/home/a/bin/ringmail", "latency", "--json", "/net/Box9/r.json"].map(str::to_owned).into_iter(),
                host,
            )
        };
        assert_eq!(argv(None), ["ringmail", "latency", "--json", "/net/Box9/r.json"]);
        assert_eq!(argv(Some("box9")), ["ringmail", "latency", "--json", "…"]);
    }
}
