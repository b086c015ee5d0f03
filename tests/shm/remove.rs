//! The removal of whatever lies where a channel should: it says what that was, takes it away, and keeps what a process holds.

use crate::support::another::{Another, is_root, skip};
use crate::support::scratch::Scratch;
use ringmail::shm::spsc::Builder;
use ringmail::shm::{self, Fault, Found, Kind, OpenError, Removal, bytes, fan_in};
use std::fs::{self, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, PermissionsExt, chown, symlink};
use std::path::Path;

/// No test of its own: what [`Another`] runs.
#[test]
fn the_other_process() {
    crate::support::another::run(|part, about| match part {
        "plain" => plain(Path::new(about)),
        "no rights" => no_rights(Path::new(about)),
        other => panic!("no part {other}"),
    });
}

/// The check sum of a header, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |sum: u32| if sum & 1 == 1 { sum >> 1 ^ 0x82f6_3b78 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, &byte| (0..8).fold(sum ^ u32::from(byte), |sum, _| step(sum)))
}

/// Changes bytes of a header and mends its sum.
fn edit(path: &str, at: u64, bytes: &[u8]) {
    let file = fs::File::options().read(true).write(true).open(path).unwrap();
    file.write_all_at(bytes, at).unwrap();
    let mut header = [0; 256];
    file.read_exact_at(&mut header, 0).unwrap();
    file.write_all_at(&crc32c(&header[..252]).to_le_bytes(), 252).unwrap();
}

type Case = (Found, fn(&str));

/// What can become of a channel, and what it is then.
fn damages() -> Vec<Case> {
    vec![
        (Found::Channel(Kind::Spsc), |_| {}),
        // A side would be refused, but by its words alone: there is no saying from outside.
        (Found::Channel(Kind::Spsc), |path| edit(path, 4096, &[99])),
        (Found::Damaged, |path| fs::File::options().write(true).open(path).unwrap().set_len(4096).unwrap()),
        (Found::Damaged, |path| fs::File::options().write(true).open(path).unwrap().set_len(8).unwrap()),
        (Found::Damaged, |path| fs::File::options().write(true).open(path).unwrap().write_all_at(&[9], 40).unwrap()),
        (Found::Damaged, |path| edit(path, 20, &[77])),
        (Found::OtherVersion(2), |path| edit(path, 8, &[2])),
        (Found::OtherBoot, |path| edit(path, 136, &[1; 16])),
    ]
}

#[test]
fn it_says_what_a_file_was_and_removes_each_kind() {
    let dir = Scratch::new("removed");
    for (i, (found, damage)) in damages().into_iter().enumerate() {
        drop(Builder::<u64>::new(dir.file()).capacity(16).open_sender().unwrap());
        damage(&dir.file());
        assert_eq!(shm::remove(&dir.file()).unwrap(), Removal::Removed(found), "{i}");
        assert!(!Path::new(&dir.file()).exists(), "{i}");
        assert!(matches!(shm::remove(&dir.file()), Err(OpenError::NotFound { .. })), "{i}");
    }
}

#[test]
fn it_keeps_each_kind_that_a_process_holds() {
    let dir = Scratch::new("held");
    let builder = || Builder::<u64>::new(dir.file()).capacity(16);
    for (i, (found, damage)) in damages().into_iter().enumerate() {
        for sends in [true, false] {
            let sides = match sends {
                true => (Some(builder().open_sender().unwrap()), None),
                false => (None, Some(builder().open_receiver().unwrap())),
            };
            // A handle that is dropped looks at its words, which must be there.
            if matches!(found, Found::Damaged) && i < 4 {
                drop(sides);
                continue;
            }
            damage(&dir.file());
            assert_eq!(shm::remove(&dir.file()).unwrap(), Removal::InUse(found), "{i}");
            assert_eq!(shm::remove_any(&dir.file()).unwrap(), Removal::InUse(found), "{i}");
            assert!(Path::new(&dir.file()).exists());
            drop(sides);
            assert_eq!(shm::remove(&dir.file()).unwrap(), Removal::Removed(found), "{i}");
        }
    }
    // The last lane's, and one of a version that has more.
    let lanes = || fan_in::Builder::<u64>::new(dir.file()).lanes(2);
    let (first, last) = (lanes().open_sender().unwrap(), lanes().open_sender().unwrap());
    drop(first);
    assert_eq!(shm::remove(&dir.file()).unwrap(), Removal::InUse(Found::Channel(Kind::FanIn)));
    drop(last);
    edit(&dir.file(), 8, &[9]);
    let file = fs::File::options().write(true).open(dir.file()).unwrap();
    lock(&file, 5000);
    assert_eq!(shm::remove(&dir.file()).unwrap(), Removal::InUse(Found::OtherVersion(9)));
    drop(file);
    assert_eq!(shm::remove(&dir.file()).unwrap(), Removal::Removed(Found::OtherVersion(9)));
}

/// Takes the lock of one byte, as a side does.
fn lock(file: &fs::File, at: i64) {
    // SAFETY: all zero is a valid `flock`.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    (lock.l_type, lock.l_start, lock.l_len) = (libc::F_WRLCK as i16, at, 1);
    // SAFETY: an open descriptor and a valid `flock`.
    assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw mut lock) }, 0);
}

#[test]
fn of_a_path_only_a_channel_goes_unless_forced() {
    let dir = Scratch::new("paths");
    let name = dir.file();
    for content in ["", "RINGMAI", "dear diary, today I wrote more than eight bytes"] {
        fs::write(&name, content).unwrap();
        for refused in [shm::remove(&name), shm::remove_channel(&name)] {
            assert!(matches!(refused, Err(OpenError::NotASegment { .. })), "{refused:?}");
        }
        assert_eq!(fs::read_to_string(&name).unwrap(), content);
        assert_eq!(shm::remove_any(&name).unwrap(), Removal::Removed(Found::Foreign));
        assert!(!Path::new(&name).exists());
    }
    // Begun as a channel, and cut.
    fs::write(&name, "RINGMAIL").unwrap();
    assert_eq!(shm::remove_channel(&name).unwrap(), Removal::Removed(Found::Damaged));
    let unfinished = dir.0.join(".ringmail-0123456789abcdef.new");
    fs::write(&unfinished, "").unwrap();
    assert_eq!(shm::remove(&unfinished.to_string_lossy()).unwrap(), Removal::Removed(Found::Unfinished));
    for not_quite in
        [".ringmail-0123456789abcde.new", ".ringmail-0123456789abcdeg.new", "ringmail-0123456789abcdef.new"]
    {
        let path = dir.0.join(not_quite);
        fs::write(&path, "").unwrap();
        assert!(matches!(shm::remove(&path.to_string_lossy()), Err(OpenError::NotASegment { .. })), "{not_quite}");
    }
}

#[test]
fn links_directories_and_other_users_files_stay() {
    let dir = Scratch::new("others");
    let (name, link) = (dir.file(), dir.0.join("link").to_string_lossy().into_owned());
    drop(Builder::<u64>::new(&name).open_sender().unwrap());
    symlink(&name, &link).unwrap();
    let directory = dir.0.join("directory");
    fs::create_dir(&directory).unwrap();
    let fifo = dir.0.join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for path in [link.as_str(), directory.to_str().unwrap(), fifo.to_str().unwrap()] {
        assert!(matches!(shm::remove_any(path), Err(OpenError::NotASegment { .. })), "{path}");
        assert!(Path::new(path).symlink_metadata().is_ok(), "{path}");
    }
    assert!(Path::new(&name).exists());
    if is_root() {
        chown(&name, Some(65534), None).unwrap();
        let refused = shm::remove_any(&name).unwrap_err();
        assert!(matches!(refused, OpenError::NotOurs { why: Fault::Owner(65534), .. }), "{refused}");
        assert!(Path::new(&name).exists());
    } else {
        skip("a file of another user: only root can make one");
    }
}

#[test]
fn a_plain_name_removes_only_in_the_directory_of_names() {
    let dir = Scratch::new("plain");
    let named = dir.0.join("named");
    Another::new(module_path!(), "plain", &dir.0.to_string_lossy()).env("RINGMAIL_DIR", named.as_os_str()).run();
}

fn plain(dir: &Path) {
    let named = dir.join("named");
    assert_eq!(shm::unfinished().unwrap(), [""; 0]);
    drop(bytes::Builder::new("channel").open_sender().unwrap());
    fs::write(named.join("diary"), "dear diary").unwrap();
    fs::write(named.join("empty"), "").unwrap();
    let unfinished = ".ringmail-0123456789abcdef.new";
    fs::write(named.join(unfinished), "RINGMAIL").unwrap();
    fs::write(named.join(".hidden"), "").unwrap();
    fs::create_dir(named.join("folder")).unwrap();
    assert_eq!(shm::list().unwrap(), ["channel", "diary", "empty", "folder"]);
    assert_eq!(shm::unfinished().unwrap(), [unfinished]);
    assert!(matches!(shm::remove_channel("diary"), Err(OpenError::NotASegment { .. })));
    assert!(matches!(shm::remove("folder"), Err(OpenError::NotASegment { .. })));
    for name in [".hidden", "..", "", "a b"] {
        assert!(matches!(shm::remove_any(name), Err(OpenError::Name { .. })), "{name}");
    }
    // With rights that no side would accept.
    fs::set_permissions(named.join("empty"), Permissions::from_mode(0o666)).unwrap();
    for (name, found) in [
        ("channel", Found::Channel(Kind::Bytes)),
        ("diary", Found::Foreign),
        ("empty", Found::Foreign),
        (unfinished, Found::Unfinished),
    ] {
        assert_eq!(shm::remove(name).unwrap(), Removal::Removed(found), "{name}");
        assert!(matches!(shm::remove(name), Err(OpenError::NotFound { .. })), "{name}");
    }
    assert_eq!(fs::read_dir(&named).unwrap().count(), 2);
    // Where others could plant something nothing is removed.
    drop(bytes::Builder::new("channel").open_sender().unwrap());
    fs::set_permissions(&named, Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(shm::remove("channel"), Err(OpenError::NotOurs { why: Fault::Mode(_), .. })));
    assert!(named.join("channel").exists());
}

#[test]
fn a_file_that_its_maker_left_without_rights_goes_too() {
    let dir = Scratch::new("no-rights");
    fs::set_permissions(&dir.0, Permissions::from_mode(0o777)).unwrap();
    let named = dir.0.join("named");
    Another::new(module_path!(), "no rights", &named.to_string_lossy())
        .by_nobody()
        .env("RINGMAIL_DIR", named.as_os_str())
        .run();
}

fn no_rights(named: &Path) {
    drop(Builder::<u64>::new("channel").open_sender().unwrap());
    fs::set_permissions(named.join("channel"), Permissions::from_mode(0o000)).unwrap();
    if !is_root() {
        let refused = Builder::<u64>::new("channel").open_sender().unwrap_err();
        assert!(matches!(refused, OpenError::NotOurs { why: Fault::Mode(_), .. }), "{refused:?}");
        assert!(refused.to_string().contains("chmod 600"), "{refused}");
    }
    assert_eq!(shm::remove("channel").unwrap(), Removal::Removed(Found::Channel(Kind::Spsc)));
}

#[test]
fn a_segment_of_the_layout_before_says_what_to_run() {
    let dir = Scratch::new("layout");
    drop(Builder::<u64>::new(dir.file()).open_sender().unwrap());
    edit(&dir.file(), 8, &[2]);
    let refused = Builder::<u64>::new(dir.file()).open_sender().unwrap_err();
    assert!(matches!(refused, OpenError::Abi { found: 2, .. }), "{refused:?}");
    assert!(refused.to_string().contains(&format!("remove it (`ringmail clean {}`)", dir.file())), "{refused}");
}
