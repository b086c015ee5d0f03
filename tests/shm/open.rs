//! The opening of mapped channels: who says how large they are, where they lie, and what stands in the way.
//!
//! Some of it needs rights that not every machine gives: then the test says on its output that it was skipped, and why.

use crate::support::another::{Another, is_root, skip};
use crate::support::scratch::Scratch;
use ringmail::shm::spsc::Builder;
use ringmail::shm::{self, Cause, Fault, Mismatch, OpenError, RecvError, bytes, fan_in};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

/// No test of its own: what [`Another`] runs.
#[test]
fn the_other_process() {
    crate::support::another::run(|part, about| match part {
        "environment" => environment(Path::new(about)),
        "masked" => masked(Path::new(about)),
        "denied" => denied(Path::new(about)),
        "limited" => limited(about),
        "read-only" => read_only(about),
        "no proc" => no_proc(about),
        "no shm" => no_shm(),
        "sends" => Builder::<u64>::new(about).open_sender().unwrap().send(7).unwrap(),
        "is taken" => {
            let taken = Builder::<u64>::new(about).open_receiver().unwrap_err();
            assert!(matches!(taken, OpenError::Taken { .. }), "{taken}");
            Builder::<u64>::new(about).open_sender().unwrap().send(8).unwrap();
        }
        other => panic!("no part {other}"),
    });
}

fn left_open(error: &OpenError) -> Option<(u64, u64)> {
    match error {
        OpenError::Mismatch(Mismatch { found, wanted, left_open: true, .. }) => Some((*found, *wanted)),
        _ => None,
    }
}

#[test]
fn one_that_asks_for_the_default_may_come_first_or_second() {
    let dir = Scratch::new("orders");
    let builder = |name: &str| Builder::<u64>::new(name).directory(dir.0.join("private"));
    let asks = |name| builder(name).capacity(64);
    let (tx, rx) = (asks("a").open_sender().unwrap(), builder("a").open_receiver().unwrap());
    assert_eq!((tx.capacity(), rx.capacity()), (64, 64));
    let (rx, tx) = (builder("b").open_receiver().unwrap(), asks("b").open_sender().unwrap());
    assert_eq!((tx.capacity(), rx.capacity()), (1024, 1024));
    let (tx, rx) = (builder("c").open_sender().unwrap(), asks("c").open_receiver().unwrap());
    assert_eq!((tx.capacity(), rx.capacity()), (1024, 1024));
    // And whoever comes later.
    drop((tx, rx));
    assert_eq!(builder("c").capacity(1024).open_sender().unwrap().capacity(), 1024);
    let refused = builder("c").capacity(1025).open_sender().unwrap_err();
    assert_eq!(left_open(&refused), Some((1024, 1025)));
    assert!(refused.to_string().contains("open the side that asks first, or ask on both"), "{refused}");
}

#[test]
fn what_the_first_side_asked_for_is_exact() {
    let dir = Scratch::new("exact");
    let builder = || Builder::<u64>::new(dir.file());
    drop(builder().capacity(1024).open_sender().unwrap());
    for capacity in [1, 1023, 1025] {
        let refused = builder().capacity(capacity).open_receiver().unwrap_err();
        assert!(matches!(refused, OpenError::Mismatch(Mismatch { left_open: false, .. })), "{refused}");
        assert!(refused.to_string().contains("both sides must ask for the same"), "{refused}");
    }
    let anonymous = Builder::<u64>::create_anonymous(64).unwrap();
    assert!(Builder::<u64>::from_fd(&anonymous).capacity(32).open_sender().is_err());
}

#[test]
fn lanes_and_records_are_settled_likewise() {
    let dir = Scratch::new("lanes");
    let at = |name: &str| dir.0.join(name).to_string_lossy().into_owned();
    // A sender that asks for nothing comes before a receiver that asks for both.
    let tx = fan_in::Builder::<u64>::new(at("lanes")).open_sender().unwrap();
    let rx = fan_in::Builder::<u64>::new(at("lanes")).lanes(8).capacity(64).open_receiver().unwrap();
    assert_eq!((rx.lanes(), rx.capacity(), tx.capacity()), (16, 16 * 1024, 1024));
    let refused = fan_in::Builder::<u64>::new(at("lanes")).lanes(17).open_sender().unwrap_err();
    assert_eq!(left_open(&refused), Some((16, 17)));
    assert!(refused.to_string().contains("lanes is 16, less than 17"), "{refused}");
    // One that asks for lanes alone leaves the capacity open.
    let _tx = fan_in::Builder::<u64>::new(at("half")).lanes(4).open_sender().unwrap();
    assert!(fan_in::Builder::<u64>::new(at("half")).capacity(7).open_sender().is_ok());
    let refused = fan_in::Builder::<u64>::new(at("half")).lanes(3).open_sender().unwrap_err();
    assert!(
        matches!(refused, OpenError::Mismatch(Mismatch { found: 4, wanted: 3, left_open: false, .. })),
        "{refused}"
    );

    let rx = bytes::Builder::new(at("bytes")).open_receiver().unwrap();
    let tx = bytes::Builder::new(at("bytes")).capacity(1 << 16).open_sender().unwrap();
    assert_eq!((tx.capacity(), rx.capacity()), (1 << 20, 1 << 20));
    let refused = bytes::Builder::new(at("bytes")).capacity((1 << 20) + 1).open_sender().unwrap_err();
    assert_eq!(left_open(&refused), Some(((1 << 20) / 8, (1 << 20) / 8 + 1)));

    let _tx = bytes::fan_in::Builder::new(at("records")).open_sender().unwrap();
    let rx = bytes::fan_in::Builder::new(at("records")).lanes(8).open_receiver().unwrap();
    assert_eq!(rx.lanes(), 16);
}

#[test]
fn without_create_nothing_is_made() {
    let dir = Scratch::new("absent");
    let private = dir.0.join("private");
    let builder = || Builder::<u64>::new("channel").directory(&private);
    for _ in 0..2 {
        let refused = builder().create(false).open_sender().unwrap_err();
        assert!(matches!(&refused, OpenError::NotFound { path } if *path == private.join("channel")), "{refused}");
        assert!(refused.to_string().contains("open a side first that may make it"), "{refused}");
    }
    assert!(!private.exists());
    assert!(matches!(Builder::<u64>::new(dir.file()).create(false).open_receiver(), Err(OpenError::NotFound { .. })));
    assert_eq!(fs::read_dir(&dir.0).unwrap().count(), 0);
    let mut tx = builder().open_sender().unwrap();
    tx.send(7).unwrap();
    assert!(matches!(builder().create(false).capacity(2000).open_receiver(), Err(OpenError::Mismatch(_))));
    assert_eq!(builder().create(false).open_receiver().unwrap().recv(), Ok(7));
}

#[test]
fn another_directory_is_made_for_this_user_alone() {
    let dir = Scratch::new("directory");
    let private = dir.0.join("private");
    // By whatever way it is written.
    let builder = || Builder::<u64>::new("channel").directory(format!("{}//private/.", dir.0.display()));
    let tx = builder().open_sender().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&private), mode(&private.join("channel"))), (0o700, 0o600));
    assert_eq!(shm::list_in(&private).unwrap(), ["channel"]);
    assert!(!builder().remove().unwrap());
    drop(tx);
    assert!(builder().remove().unwrap());
    assert_eq!(shm::list_in(&private).unwrap(), [""; 0]);
    assert_eq!(shm::list_in(dir.0.join("none")).unwrap(), [""; 0]);
    // A path is a path.
    drop(Builder::<u64>::new(dir.file()).directory(&private).open_sender().unwrap());
    assert!(dir.0.join("channel").is_file());
}

#[test]
fn the_environment_names_the_directory() {
    let dir = Scratch::new("environment");
    let (named, about) = (dir.0.join("named"), dir.0.to_string_lossy());
    Another::new(module_path!(), "environment", &about).env("RINGMAIL_DIR", named.as_os_str()).run();
}

fn environment(dir: &Path) {
    let (named, asked) = (dir.join("named"), dir.join("asked"));
    assert_eq!(shm::list().unwrap(), [""; 0]);
    assert!(matches!(shm::look("a"), Err(OpenError::NotFound { .. })));
    assert!(matches!(shm::remove("a"), Err(OpenError::NotFound { .. })));
    let _tx = Builder::<u64>::new("a").open_sender().unwrap();
    assert!(named.join("a").is_file());
    assert_eq!(shm::look("a").unwrap().capacity, 1024);
    // The builder wins.
    let _other = Builder::<u64>::new("b").directory(&asked).open_sender().unwrap();
    assert!(asked.join("b").is_file());
    assert_eq!(shm::list().unwrap(), ["a"]);
    fs::set_permissions(&named, Permissions::from_mode(0o755)).unwrap();
    let refused = shm::list().unwrap_err();
    assert!(refused.to_string().contains("chmod 700"), "{refused}");
}

/// Why a channel cannot be opened in that directory, and whether nothing has changed there.
fn refused(directory: &Path) -> OpenError {
    let builder = || Builder::<u64>::new("channel").directory(directory);
    let error = builder().open_sender().unwrap_err();
    let again = builder().create(false).open_sender().unwrap_err();
    // Without a directory there is no channel, either.
    let same =
        std::mem::discriminant(&again) == std::mem::discriminant(&error) || matches!(again, OpenError::NotFound { .. });
    assert!(same, "{again} instead of {error}");
    error
}

#[test]
fn a_shared_directory_is_refused_with_what_to_do() {
    let dir = Scratch::new("squatted");
    let at = |name: &str| dir.0.join(name);
    let says = |directory: &Path, why: Fault, remedy: &str| {
        let error = refused(directory);
        assert!(matches!(error, OpenError::NotOurs { why: found, .. } if found == why), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(remedy) && (why == Fault::Relative || text.contains("RINGMAIL_DIR")), "{text}");
    };
    fs::create_dir(at("open")).unwrap();
    for mode in [0o750, 0o705, 0o777, 0o500, 0o000] {
        fs::set_permissions(at("open"), Permissions::from_mode(mode)).unwrap();
        says(&at("open"), Fault::Mode(0o040_000 | mode), "run `chmod 700`");
        assert!(shm::list_in(at("open")).is_err());
    }
    fs::set_permissions(at("open"), Permissions::from_mode(0o700)).unwrap();
    assert_eq!(fs::read_dir(at("open")).unwrap().count(), 0);
    symlink(at("open"), at("link")).unwrap();
    says(&at("link"), Fault::Link, "is a symbolic link");
    says(Path::new(&format!("{}/", at("link").display())), Fault::Link, "is a symbolic link");
    fs::write(at("file"), "").unwrap();
    says(&at("file"), Fault::NotADirectory, "is no directory");
    says(&at("file/below"), Fault::NotADirectory, "is no directory");
    says(Path::new("relative"), Fault::Relative, "from / on");
    if is_root() {
        chown(at("open"), Some(65534), None).unwrap();
        says(&at("open"), Fault::Owner(65534), "belongs to user 65534");
    } else {
        skip("a directory of another user: only root can make one");
    }
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let dir = Scratch::new("missing");
    let error = refused(&dir.0.join("none/private"));
    assert!(matches!(&error, OpenError::NoDirectory { path } if *path == dir.0.join("none")), "{error:?}");
    assert!(error.to_string().ends_with("make it, or name another directory by RINGMAIL_DIR"), "{error}");
    let error = Builder::<u64>::new(format!("{}/none/channel", dir.0.display())).open_sender().unwrap_err();
    assert!(matches!(&error, OpenError::NoDirectory { path } if *path == dir.0.join("none")), "{error:?}");
}

#[test]
fn a_mask_that_takes_all_rights_away_takes_none_from_a_channel() {
    let dir = Scratch::new("masked");
    Another::new(module_path!(), "masked", &dir.0.to_string_lossy()).run();
    fs::set_permissions(&dir.0, Permissions::from_mode(0o777)).unwrap();
    let theirs = dir.0.join("nobody");
    // Root may do anything; another user shows what is needed.
    Another::new(module_path!(), "masked", &theirs.to_string_lossy()).by_nobody().run();
}

fn masked(dir: &Path) {
    if !dir.exists() {
        fs::create_dir(dir).unwrap();
    }
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o777));
    let builder = || Builder::<u64>::new("channel").directory(dir.join("private"));
    let mut tx = builder().open_sender().unwrap();
    tx.send(7).unwrap();
    assert_eq!(builder().open_receiver().unwrap().recv(), Ok(7));
    drop(tx);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dir.join("private")), mode(&dir.join("private/channel"))), (0o700, 0o600));
    assert!(builder().remove().unwrap());
    rustix::process::umask(before);
}

#[test]
fn a_directory_where_this_user_may_not_go_is_named() {
    if !is_root() {
        return skip("a directory of another user: only root can become one");
    }
    let dir = Scratch::new("denied");
    let closed = dir.0.join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    Another::new(module_path!(), "denied", &closed.to_string_lossy()).by_nobody().run();
}

fn denied(closed: &Path) {
    for directory in [closed.to_path_buf(), closed.join("below")] {
        let refused = refused(&directory);
        let text = refused.to_string();
        let owner = matches!(refused, OpenError::NotOurs { why: Fault::Owner(0), .. });
        assert!(owner || text.contains("give this user the right"), "{text}");
        assert!(text.contains(&*closed.to_string_lossy()) && text.contains("RINGMAIL_DIR"), "{text}");
    }
}

#[test]
fn a_limit_on_the_length_of_files_is_an_error_and_no_signal() {
    let dir = Scratch::new("limited");
    Another::new(module_path!(), "limited", &dir.file()).run();
}

fn limited(name: &str) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    setrlimit(Resource::Fsize, Rlimit { current: Some(1 << 16), maximum: Some(1 << 16) }).unwrap();
    let refused = Builder::<u64>::new(name).capacity(1 << 13).open_sender().unwrap_err();
    assert!(matches!(refused, OpenError::FileLimit { bytes, limit: 0x1_0000 } if bytes > 1 << 16), "{refused:?}");
    assert!(refused.to_string().contains("ulimit -f unlimited"), "{refused}");
    assert!(!Path::new(name).exists());
    assert!(matches!(Builder::<u64>::create_anonymous(1 << 13), Err(OpenError::FileLimit { .. })));
    let mut tx = Builder::<u64>::new(name).capacity(1 << 12).open_sender().unwrap();
    tx.send(7).unwrap();
    assert_eq!(Builder::<u64>::new(name).open_receiver().unwrap().recv(), Ok(7));
}

#[test]
fn a_file_system_that_can_only_be_read_is_named() {
    let dir = Scratch::new("read-only");
    let at = dir.0.to_string_lossy();
    let mount = "mount -t tmpfs none \"$0\" && mkdir -m 700 \"$0/private\" && mount -o remount,ro \"$0\"";
    Another::new(module_path!(), "read-only", &at).in_namespaces(&["-m"], mount).run();
}

fn read_only(dir: &str) {
    for (name, directory) in [("channel".into(), "private"), ("channel".into(), "new"), (format!("{dir}/x"), "")] {
        let builder = Builder::<u64>::new(name).directory(format!("{dir}/{directory}"));
        let refused = builder.open_sender().unwrap_err();
        assert!(matches!(refused, OpenError::ReadOnly { .. }), "{refused:?}");
        assert!(refused.to_string().contains("RINGMAIL_DIR"), "{refused}");
    }
}

#[test]
fn without_proc_names_work_and_descriptors_say_what_is_missing() {
    let dir = Scratch::new("no-proc");
    Another::new(module_path!(), "no proc", &dir.file()).in_namespaces(&["-m"], "mount -t tmpfs none /proc").run();
    // What was made there is known to be of no other boot.
    assert_eq!(Builder::<u64>::new(dir.file()).open_receiver().unwrap().recv(), Ok(2));
}

fn no_proc(name: &str) {
    assert!(!Path::new("/proc/self").exists(), "the test is of something");
    let mut tx = Builder::<u64>::new(name).open_sender().unwrap();
    tx.send(1).unwrap();
    tx.send(2).unwrap();
    assert_eq!(Builder::<u64>::new(name).open_receiver().unwrap().recv(), Ok(1));
    assert_eq!(shm::look(name).unwrap().depth(), 1);
    let channel = Builder::<u64>::create_anonymous(8).unwrap();
    let refused = Builder::<u64>::from_fd(&channel).open_sender().unwrap_err();
    assert!(matches!(refused, OpenError::NoProc), "{refused:?}");
    assert!(refused.to_string().contains("/proc is not mounted"), "{refused}");
}

#[test]
fn without_dev_shm_the_error_says_so() {
    let dir = Scratch::new("no-shm");
    Another::new(module_path!(), "no shm", &dir.file()).in_namespaces(&["-m"], "mount -t tmpfs none /dev").run();
}

fn no_shm() {
    let refused = Builder::<u64>::new("channel").open_sender().unwrap_err();
    assert!(matches!(&refused, OpenError::NoDirectory { path } if path == Path::new("/dev/shm")), "{refused:?}");
    assert!(refused.to_string().contains("RINGMAIL_DIR"), "{refused}");
    assert_eq!(shm::list().unwrap(), [""; 0]);
}

#[test]
fn process_numbers_of_another_namespace_decide_nothing() {
    let dir = Scratch::new("pids");
    let mut rx = Builder::<u64>::new(dir.file()).open_receiver().unwrap();
    let there = |part| Another::new(module_path!(), part, &dir.file()).in_namespaces(&["-p", "-f"], "true").run();
    if there("sends") {
        assert_eq!(rx.recv(), Ok(7));
        there("is taken");
        assert_eq!(rx.recv(), Err(RecvError::Disconnected(Cause::Closed)), "the first has closed");
        assert_eq!(rx.recv(), Ok(8));
    }
}
