//! Mapped channels against what the system does to them: little room, other users, other file systems, stopped processes, pages, and
//! openings without end.
//!
//! Some of it needs rights that not every machine gives: then the test says on its output that it was skipped, and why.

use crate::support::another::the_test;
use crate::support::scratch::Scratch;
use ringmail::shm::spsc::{Builder, Receiver, Sender};
use ringmail::shm::{self, Cause, OpenError, Peer, RecvError, Role, bytes};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

fn sender(name: &str) -> Result<Sender<u64>, OpenError> {
    Builder::new(name).capacity(8).open_sender()
}

fn receiver(name: &str) -> Result<Receiver<u64>, OpenError> {
    Builder::new(name).capacity(8).open_receiver()
}

const SKIPPED: &str = "skipped: ";

/// Prints past the test harness, which keeps what a test prints that is ok.
fn skip(why: &str) {
    let _ = writeln!(std::io::stderr(), "{SKIPPED}{why}");
}

/// This program again, for `the_other_process` in `part` with `about`.
fn other(program: &str, before: &[&str], part: &str, about: &str) -> Command {
    let mut command = Command::new(program);
    command.args(before).args(the_test(module_path!(), "the_other_process"));
    command.env("SHM_SYSTEM", part).env("SHM_SYSTEM_ABOUT", about);
    command
}

const THIS: &str = "/proc/self/exe";

/// No test of its own: what [`other`] runs.
#[test]
fn the_other_process() {
    let Ok(part) = std::env::var("SHM_SYSTEM") else { return };
    let about = std::env::var("SHM_SYSTEM_ABOUT").unwrap();
    match &*part {
        "opens" => opens(about.parse().unwrap()),
        "small" => small(&about),
        "ramfs" => ramfs(&about),
        "stranger" => stranger(&about),
        "large" => large_pages(&about),
        "holds" => {
            let mut tx = sender(&about).unwrap();
            tx.send(1).unwrap();
            println!("open");
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).unwrap();
            tx.send(2).unwrap();
        }
        other => panic!("no part {other}"),
    }
    println!("done: {part}");
}

/// Whether it did its part to the end.
fn assert_done(part: &str, output: &std::process::Output) {
    let said = String::from_utf8_lossy(&output.stdout);
    String::from_utf8_lossy(&output.stderr).lines().filter_map(|line| line.strip_prefix(SKIPPED)).for_each(skip);
    assert!(output.status.success() && said.contains(&format!("done: {part}")), "{output:?}");
}

/// In a process of its own: exact counts want that nothing else opens files.
#[test]
fn a_hundred_thousand_openings_leak_nothing() {
    let times = std::env::var("RINGMAIL_OPENS").unwrap_or_else(|_| "4000".into());
    assert_done("opens", &other(THIS, &[], "opens", &times).output().unwrap());
}

fn opens(times: u64) {
    let dir = Scratch::new("opens");
    let name = dir.file();
    let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
    let mappings = || fs::read_to_string("/proc/self/maps").unwrap().lines().count();
    let once = |n: u64| {
        let (mut tx, mut rx) = (sender(&name).unwrap(), receiver(&name).unwrap());
        tx.send(n).unwrap();
        assert_eq!(rx.recv(), Ok(n));
        // What is refused leaks nothing either.
        if n % 64 == 0 {
            assert!(matches!(Builder::<u64>::new(&name).capacity(9).open_sender(), Err(OpenError::Mismatch(_))));
            assert!(matches!(Builder::<i64>::new(&name).open_sender(), Err(OpenError::Schema { .. })));
        }
        if n % 1024 == 0 {
            assert!(matches!(sender(&name), Err(OpenError::Taken { .. })));
        }
        drop((tx, rx));
        if n % 8 == 0 {
            let channel = Builder::<u64>::create_anonymous(8).unwrap();
            let mut tx = Builder::<u64>::from_fd(&channel).open_sender().unwrap();
            tx.send(n).unwrap();
            assert_eq!(Builder::<u64>::from_fd(&channel).open_receiver().unwrap().recv(), Ok(n));
            assert!(Builder::<u64>::new(&name).remove().unwrap());
        }
    };
    once(0);
    let before = (descriptors(), mappings());
    for n in 1..=times {
        once(n);
        // A leak would run into these limits before long, or be seen at the end.
        if n % 1000 == 0 {
            let now = (descriptors(), mappings());
            assert!(now.0 == before.0 && now.1 <= before.1 + 8, "{before:?} before, {now:?} after {n}");
        }
    }
    let after = (descriptors(), mappings());
    // The heap may have grown by a mapping or two.
    assert!(after.0 == before.0 && after.1 <= before.1 + 8, "{before:?} before, {after:?} after {times}");
    assert!(!fs::read_to_string("/proc/self/maps").unwrap().contains("ringmail-system"), "a segment is mapped still");
}

/// Runs `part` with a file system of its own in `dir`, in a namespace where it may mount one; skips it where that is not permitted.
fn mounted(part: &str, kind: &str, options: &str, dir: &Scratch) {
    let at = dir.0.to_string_lossy();
    let program = std::env::current_exe().unwrap();
    let run = |then: &str| {
        let script = format!("mount -t {kind} -o {options} none \"$0\" && {then}");
        let mut command =
            other("unshare", &["-r", "-m", "sh", "-c", &script, &at, &program.to_string_lossy()], part, &at);
        command.output()
    };
    match run("true") {
        Ok(output) if output.status.success() => assert_done(part, &run("exec \"$@\"").unwrap()),
        Ok(output) => {
            skip(&format!("{part}: no mount of a {kind}: {}", String::from_utf8_lossy(&output.stderr).trim()))
        }
        Err(error) => skip(&format!("{part}: no `unshare`: {error}")),
    }
}

#[test]
fn a_file_system_is_full_at_the_opening_and_never_later() {
    let dir = Scratch::new("small");
    mounted("small", "tmpfs", "size=1m", &dir);
}

fn small(dir: &str) {
    let channel = |name: &str| format!("{dir}/{name}");
    let full = |name: &str, capacity| match Builder::<u64>::new(channel(name)).capacity(capacity).open_sender() {
        Err(OpenError::NoSpace { bytes }) => assert!(bytes > 8 * capacity as u64),
        other => panic!("{other:?}"),
    };
    full("large", 1 << 17);
    assert_eq!(fs::read_dir(dir).unwrap().count(), 0, "nothing is left behind");
    // What fits is used to its last byte, with the rest of the room taken.
    let mut tx = Builder::<u64>::new(channel("fits")).capacity(1 << 16).open_sender().unwrap();
    let mut rx = Builder::<u64>::new(channel("fits")).open_receiver().unwrap();
    full("second", 1 << 16);
    let mut rest = fs::File::create(channel("rest")).unwrap();
    while rest.write(&[1; 4096]).is_ok() {}
    assert!(matches!(
        Builder::<u64>::new(channel("third")).capacity(1).open_sender(),
        Err(OpenError::NoSpace { .. } | OpenError::Io { .. })
    ));
    for lap in 0..3 {
        (0..1 << 16).for_each(|n| tx.try_send(lap + n).unwrap());
        (0..1 << 16).for_each(|n| assert_eq!(rx.try_recv(), Ok(lap + n)));
    }
    // With room again, the next one fits.
    drop((tx, rx));
    assert!(Builder::<u64>::new(channel("fits")).remove().unwrap());
    assert!(bytes::Builder::new(channel("second")).capacity(1 << 19).open_sender().is_ok());
}

/// A file system that cannot make room in advance, and does not say how much of a file is there.
#[test]
fn a_file_system_without_fallocate_will_do() {
    let dir = Scratch::new("ramfs");
    mounted("ramfs", "ramfs", "mode=700", &dir);
}

fn ramfs(dir: &str) {
    let name = format!("{dir}/channel");
    let probe = fs::File::create_new(format!("{dir}/probe")).unwrap();
    let refused = rustix::fs::fallocate(&probe, rustix::fs::FallocateFlags::empty(), 0, 4096);
    assert_eq!(refused, Err(rustix::io::Errno::OPNOTSUPP), "the test is of something");
    fs::remove_file(format!("{dir}/probe")).unwrap();
    let mut tx = Builder::<u64>::new(&name).capacity(5).open_sender().unwrap();
    tx.send_slice(&[1, 2, 3, 4, 5]).unwrap();
    // Opening it writes nothing over what is in it.
    let mut rx = Builder::<u64>::new(&name).open_receiver().unwrap();
    assert_eq!((1..=5).map(|_| rx.recv().unwrap()).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    drop((tx, rx));
    assert_eq!(fs::read_dir(dir).unwrap().count(), 1);
    assert!(Builder::<u64>::new(&name).remove().unwrap());
}

const NOBODY: u32 = 65534;

/// A file that goes with the test.
struct Copy(PathBuf);

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn another_user_gets_neither_in_nor_harmed() {
    if !rustix::process::geteuid().is_root() {
        return skip("another user: only root can become one");
    }
    let dir = Scratch::new("stranger");
    fs::set_permissions(&dir.0, fs::Permissions::from_mode(0o777)).unwrap();
    let name = dir.file();
    let (mut tx, mut rx) = (sender(&name).unwrap(), receiver(&name).unwrap());
    // The program may lie where that user cannot go.
    let program = Copy(std::env::temp_dir().join(format!("ringmail-stranger-{}", std::process::id())));
    fs::copy(THIS, &program.0).unwrap();
    fs::set_permissions(&program.0, fs::Permissions::from_mode(0o755)).unwrap();
    let channel = Builder::<u64>::create_anonymous(8).unwrap();
    let mut their_rx = Builder::<u64>::from_fd(&channel).open_receiver().unwrap();
    let mut child = other(&program.0.to_string_lossy(), &[], "stranger", &name);
    let given = std::os::fd::AsFd::as_fd(&channel).try_clone_to_owned().unwrap();
    child.uid(NOBODY).gid(NOBODY).stdin(Stdio::from(given));
    match child.output() {
        Ok(output) => assert_done("stranger", &output),
        Err(error) => return skip(&format!("another user: cannot run a program as one: {error}")),
    }
    assert_eq!(their_rx.try_recv(), Ok(77), "what it was given it could use");
    tx.send(1).unwrap();
    assert_eq!(rx.recv(), Ok(1));
    // And what it made is not opened by us, who could.
    let refused = sender(&format!("{name}-theirs")).unwrap_err();
    assert!(matches!(refused, OpenError::NotOurs { .. }), "{refused}");
    let refused = shm::look(&format!("{name}-theirs")).unwrap_err();
    assert!(matches!(refused, OpenError::NotOurs { .. }), "{refused}");
    let refused = Builder::<u64>::new(format!("{name}-theirs")).remove().unwrap_err();
    assert!(matches!(refused, OpenError::NotOurs { .. }), "{refused}");
}

fn stranger(name: &str) {
    assert_eq!(rustix::process::geteuid().as_raw(), NOBODY);
    let denied = |error: OpenError| match error {
        OpenError::NotOurs { .. } => {}
        OpenError::Io { source, .. } => assert_eq!(source.kind(), std::io::ErrorKind::PermissionDenied),
        other => panic!("{other}"),
    };
    denied(sender(name).unwrap_err());
    denied(receiver(name).unwrap_err());
    denied(shm::look(name).unwrap_err());
    denied(Builder::<u64>::new(name).remove().unwrap_err());
    // In a directory that all may write it can make its own.
    drop(sender(&format!("{name}-theirs")).unwrap());
    // A descriptor is another matter: who passes it on means it.
    let given = std::os::fd::AsFd::as_fd(&std::io::stdin()).try_clone_to_owned().unwrap();
    Builder::<u64>::from_fd(given).open_sender().unwrap().send(77).unwrap();
}

fn ended(child: &mut Child) -> ExitStatus {
    child.wait().expect("a status")
}

/// Longer than any sleep or look in the library.
#[test]
fn nothing_is_taken_from_a_side_that_is_stopped() {
    let dir = Scratch::new("stopped");
    let (name, mut rx) = (dir.file(), receiver(&dir.file()).unwrap());
    let mut child = other(THIS, &[], "holds", &name).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().ends_with("open")), "it has its side");
    assert_eq!(rx.recv(), Ok(1));
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::STOP).unwrap();
    let until = Instant::now() + Duration::from_millis(2500);
    while Instant::now() < until {
        assert_eq!(rx.recv_timeout(Duration::from_millis(400)), Err(RecvError::Timeout));
        assert_eq!(rx.peer(), Peer::Here);
        let taken = sender(&name).unwrap_err();
        assert!(matches!(taken, OpenError::Taken { role: Role::Sender, pid } if pid == child.id()), "{taken}");
        assert!(!Builder::<u64>::new(&name).remove().unwrap());
    }
    kill_process(pid, Signal::CONT).unwrap();
    writeln!(child.stdin.take().unwrap(), "go on").unwrap();
    assert_eq!(rx.recv_timeout(Duration::from_secs(10)), Ok(2));
    assert_eq!(rx.recv_timeout(Duration::from_secs(10)), Err(RecvError::Disconnected(Cause::Closed)));
    assert!(ended(&mut child).success());
}

/// Page faults of this thread so far that needed no disk.
fn faults() -> i64 {
    // SAFETY: all zero is a valid `rusage`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: room for what is asked for.
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) }, 0);
    usage.ru_minflt
}

#[test]
fn with_prefault_no_message_waits_for_a_page() {
    const CAPACITY: usize = 1 << 20;
    let lap = |prefault: bool, huge: bool| {
        let dir = Scratch::new(&format!("prefault{prefault}{huge}"));
        let open = || Builder::<u64>::new(dir.file()).capacity(CAPACITY).prefault(prefault).hugepages(huge);
        let (mut tx, mut rx) = (open().open_sender().unwrap(), open().open_receiver().unwrap());
        let before = faults();
        (0..CAPACITY as u64).for_each(|n| tx.try_send(n).unwrap());
        (0..CAPACITY as u64).for_each(|n| assert_eq!(rx.try_recv(), Ok(n)));
        faults() - before
    };
    let (without, with) = (lap(false, false), lap(true, false));
    assert!(with < 16 && without > 16 * with, "{with} page faults with, {without} without");
    let huge = lap(true, true);
    assert!(huge < 16, "{huge} page faults with large pages");
}

/// KiB of this process's mappings of `name` that large pages hold.
fn large(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/smaps").unwrap();
    let (mut inside, mut sum) = (false, 0);
    for line in text.lines() {
        // A mapping begins with its addresses, and what follows has a name with a colon.
        if line.split(' ').next().is_some_and(|first| !first.ends_with(':')) {
            inside = line.ends_with(name);
        } else if let Some(size) = line.strip_prefix("ShmemPmdMapped:").filter(|_| inside) {
            sum += size.trim().trim_end_matches(" kB").parse::<u64>().unwrap();
        }
    }
    sum
}

/// Sends and receives more than a lap of a channel of 16 MiB. KiB of large pages on the way.
fn lap_of_large_pages(name: &str, ask: bool) -> u64 {
    let open = || Builder::<u64>::new(name).capacity(1 << 21).hugepages(ask);
    let (mut tx, mut rx) = (open().open_sender().unwrap(), open().open_receiver().unwrap());
    let large = large(name);
    for n in 0..3 << 20 {
        tx.send(n).unwrap();
        assert_eq!(rx.recv(), Ok(n));
    }
    drop((tx, rx));
    assert!(Builder::<u64>::new(name).remove().unwrap());
    large
}

#[test]
fn large_pages_are_had_where_the_kernel_gives_them() {
    let dir = Scratch::new("large");
    mounted("large", "tmpfs", "huge=advise,size=64m", &dir);
}

fn large_pages(dir: &str) {
    const MADV_COLLAPSE: libc::c_int = 25;
    let name = format!("{dir}/channel");
    assert_eq!(lap_of_large_pages(&name, false), 0, "nobody asked");
    let given = lap_of_large_pages(&name, true);
    // Whether the kernel gives any to a plain mapping of a file.
    let file = fs::File::create_new(format!("{dir}/plain")).unwrap();
    drop(file);
    let file = fs::File::options().read(true).write(true).open(format!("{dir}/plain")).unwrap();
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, 16 << 20).unwrap();
    let (rights, fd) = (libc::PROT_READ | libc::PROT_WRITE, std::os::fd::AsRawFd::as_raw_fd(&file));
    // SAFETY: a mapping where nothing is.
    let plain = unsafe { libc::mmap(std::ptr::null_mut(), 16 << 20, rights, libc::MAP_SHARED, fd, 0) };
    assert_ne!(plain, libc::MAP_FAILED);
    // SAFETY: the mapping of the line above.
    let gives = unsafe { libc::madvise(plain, 16 << 20, MADV_COLLAPSE) } == 0;
    match gives {
        true => assert!(given >= 8 << 10, "{given} KiB of 16384"),
        false => skip("large pages: this kernel gives none at once"),
    }
}

#[test]
fn large_pages_that_are_not_had_are_no_error() {
    let dir = Scratch::new("not-large");
    lap_of_large_pages(&dir.file(), true);
    // Too small for one.
    let mut tx = Builder::<u64>::new(dir.file()).capacity(1).hugepages(true).prefault(true).open_sender().unwrap();
    tx.send(1).unwrap();
}
