//! Parts of a test that want a process of their own: another environment, limits, user or namespaces.
#![allow(dead_code, unreachable_pub)]

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

const SKIPPED: &str = "skipped: ";

/// Prints past the test harness, which keeps what a test prints that is ok.
pub fn skip(why: &str) {
    let _ = writeln!(std::io::stderr(), "{SKIPPED}{why}");
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What the test called `the_other_process` does: its part, if there is one.
pub fn run(part: impl FnOnce(&str, &str)) {
    let Ok(name) = std::env::var("SHM_PART") else { return };
    part(&name, &std::env::var("SHM_PART_ABOUT").unwrap());
    println!("done: {name}");
}

/// Arguments of a test program that run one test alone, of the module whose `module_path!()` is given.
pub fn the_test(module: &str, name: &str) -> [String; 3] {
    // The harness leaves out the name of the program.
    let module = module.split_once("::").expect("a module of the program").1;
    ["--exact".into(), format!("{module}::{name}"), "--nocapture".into()]
}

/// This program again, for one part of what `the_other_process` of a module does.
pub struct Another {
    part: String,
    args: [String; 3],
    about: String,
    command: Command,
    /// Without which the system does not permit it.
    trial: Option<Command>,
    /// A file that goes with it.
    copy: Option<std::path::PathBuf>,
}

impl Drop for Another {
    fn drop(&mut self) {
        if let Some(copy) = &self.copy {
            let _ = std::fs::remove_file(copy);
        }
    }
}

impl Another {
    pub fn new(module: &str, part: &str, about: &str) -> Self {
        let args = the_test(module, "the_other_process");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(&args);
        Self { part: part.into(), args, about: about.into(), command, trial: None, copy: None }
    }

    pub fn env(mut self, name: &str, value: &OsStr) -> Self {
        self.command.env(name, value);
        self
    }

    /// As the user who has no rights; as this one unless it is root.
    pub fn by_nobody(mut self) -> Self {
        if is_root() {
            // The program may lie where that user cannot go.
            let copy = std::env::temp_dir().join(format!("ringmail-{}-{}", self.part, std::process::id()));
            std::fs::copy("/proc/self/exe", &copy).unwrap();
            std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).unwrap();
            self.command = Command::new(&copy);
            self.command.args(&self.args).uid(65534).gid(65534).current_dir("/");
            self.copy = Some(copy);
        }
        self
    }

    /// In new namespaces, after a script there that finds `about` as `$0`.
    pub fn in_namespaces(mut self, which: &[&str], script: &str) -> Self {
        let command = |then: &str| {
            let mut command = Command::new("unshare");
            command.arg("-r").args(which).args(["sh", "-c", &format!("{script} && {then}"), &self.about]);
            command
        };
        self.trial = Some(command("true"));
        self.command = command("exec \"$@\"");
        self.command.arg(std::env::current_exe().unwrap()).args(&self.args);
        self
    }

    /// Runs it; it must do its part to the end. Whether the system permits it.
    pub fn run(mut self) -> bool {
        match self.trial.as_mut().map(Command::output) {
            None => {}
            Some(Ok(output)) if output.status.success() => {}
            Some(Ok(output)) => {
                skip(&format!("{}: {}", self.part, String::from_utf8_lossy(&output.stderr).trim()));
                return false;
            }
            Some(Err(error)) => {
                skip(&format!("{}: no `unshare`: {error}", self.part));
                return false;
            }
        }
        self.command.env("SHM_PART", &self.part).env("SHM_PART_ABOUT", &self.about);
        let output = loop {
            match self.command.output() {
                // A child that another test started meanwhile has the copy open for writing until it calls `exec`.
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
                output => break output.unwrap(),
            }
        };
        let said = String::from_utf8_lossy(&output.stdout);
        let done = format!("done: {}", self.part);
        // What was counted there, for `--nocapture`.
        said.lines().filter(|line| line.starts_with("counted: ")).for_each(|line| println!("{line}"));
        assert!(output.status.success() && said.contains(&done), "{}: {output:?}", self.part);
        true
    }
}
