//! Channels between processes, as users have them: the built command on both sides.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

#[path = "support/running.rs"]
mod running;

use running::{Folder, Running, lines, run, run_in, text, wait_for, wait_for_bytes};
use std::fs::File;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

#[test]
fn a_hundred_thousand_lines_arrive_as_they_were() {
    let dir = Folder::new("lines");
    let (name, out) = (dir.file("channel"), dir.file("out"));
    let mut recv = Running::receiver(&["recv", &name, "--capacity", "4096"], &out);
    wait_for(&name, "receiver  here");
    let mut send = Running::sender(&["send", &name]);
    // Lines of all lengths, an empty one, one that is no text, and a last one without an end.
    let mut input = lines(0..100_000).into_bytes();
    (0..300).for_each(|n| input.extend([b'x'; 300][..n].iter().chain(b"\n")));
    input.extend(b"\xff\x00\n\nlast");
    send.write(&input);
    send.finish();
    assert_eq!(send.end(), (Some(0), String::new()));
    assert_eq!(recv.end(), (Some(0), String::new()));
    input.push(b'\n');
    assert!(std::fs::read(out).unwrap() == input);
}

#[test]
fn what_was_sent_waits_for_a_receiver() {
    let dir = Folder::new("waits");
    let name = dir.file("channel");
    for round in 0..3 {
        let mut send = Running::sender(&["send", &name]);
        send.write(lines(0..round).as_bytes());
        send.finish();
        assert_eq!(send.end().0, Some(0));
    }
    // One session each, the empty one too.
    for printed in ["", "0\n"] {
        let out = run(&["recv", &name]);
        assert_eq!((out.status.code(), text(&out.stdout)), (Some(0), printed.into()));
    }
    for printed in ["0\n", "1\n"] {
        let out = run(&["recv", &name, "--count", "1"]);
        assert_eq!((out.status.code(), text(&out.stdout)), (Some(0), printed.into()));
    }
    // With nothing left, a receiver waits for the next sender, even for one that has nothing to say.
    let mut recv = Running::receiver(&["recv", &name], &dir.file("out"));
    wait_for(&name, "receiver  here");
    sleep(Duration::from_millis(200));
    assert_eq!(recv.0.try_wait().unwrap(), None);
    let mut send = Running::sender(&["send", &name]);
    send.finish();
    assert_eq!((send.end().0, recv.end().0), (Some(0), Some(0)));
    // A sender fills the channel, and waits for a receiver that is to come.
    let mut send = Running::sender(&["send", &name]);
    let input = "0123456789\n".repeat(60_000);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            send.write(input.as_bytes());
            send.finish();
        });
        sleep(Duration::from_millis(200));
        assert!(run(&["recv", &name]).stdout == input.as_bytes());
    });
    assert_eq!(send.end(), (Some(0), String::new()));
}

#[test]
fn a_sender_that_was_killed_leaves_whole_lines() {
    let dir = Folder::new("sender-killed");
    let (name, out) = (dir.file("channel"), dir.file("out"));
    let mut recv = Running::receiver(&["recv", &name], &out);
    wait_for(&name, "receiver  here");
    let mut send = Running::sender(&["send", &name]);
    send.write(lines(0..10_000).as_bytes());
    wait_for_bytes(&out, 20_000);
    send.signal("-KILL");
    let (code, said) = recv.end();
    assert_eq!(code, Some(3), "{said}");
    let got = dir.read("out");
    assert!(got.ends_with('\n') && lines(0..10_000).starts_with(&got));
    let n = got.lines().count();
    assert_eq!(
        said,
        format!("error: the sender has died: {n} records were written; nothing that it sent is missing\n")
    );
}

/// What the sender says that it sent is written by the first or by the second, and nothing is missing in between.
#[test]
fn a_receiver_that_was_killed_is_followed_by_one_that_misses_nothing() {
    let dir = Folder::new("receiver-killed");
    let (name, first) = (dir.file("channel"), dir.file("first"));
    let mut recv = Running::receiver(&["recv", &name, "--capacity", "8192"], &first);
    wait_for(&name, "receiver  here");
    let mut send = Running::sender(&["send", &name]);
    send.write(lines(0..5_000).as_bytes());
    wait_for_bytes(&first, 5_000);
    recv.signal("-KILL");
    let _ = recv.0.wait();
    // More than the channel holds: it must notice.
    send.write(lines(5_000..20_000).as_bytes());
    let (code, said) = send.end();
    assert_eq!(code, Some(3), "{said}");
    assert!(said.starts_with("error: the receiver has died: ") && said.contains(" records were sent"), "{said}");
    let sent: u32 = said.split(' ').find_map(|word| word.parse().ok()).unwrap();
    let out = run(&["recv", &name]);
    // The sender had more to send.
    assert_eq!(out.status.code(), Some(4));
    let (first, second) = (dir.read("first"), text(&out.stdout));
    let start: u32 = second.lines().next().unwrap().parse().unwrap();
    assert_eq!(second, lines(start..sent));
    let whole = first.rfind('\n').map_or(0, |end| end + 1);
    let printed = first[..whole].lines().count() as u32;
    assert_eq!(first[..whole], lines(0..printed));
    assert!(start <= printed, "{start} follows {printed}");
}

#[test]
fn records_with_a_length_are_any_bytes() {
    let dir = Folder::new("framed");
    let (name, out) = (dir.file("channel"), dir.file("out"));
    let mut recv = Running::receiver(&["recv", &name, "--length-framed"], &out);
    let mut send = Running::sender(&["send", &name, "--length-framed"]);
    let input = b"\x00\x00\x00\x00\x03\x00\x00\x00a\nb\x01\x00\x00\x00\xff";
    send.write(input);
    send.finish();
    assert_eq!((send.end().0, recv.end().0), (Some(0), Some(0)));
    assert_eq!(std::fs::read(&out).unwrap(), input);
    for (input, why) in [
        (&b"\x03\x00\x00"[..], "record 1 of standard input: the input ends within the record"),
        (b"\x03\x00\x00\x00ab", "record 1 of standard input: the input ends within the record"),
        (b"\xff\xff\xff\xff", "record 1 of standard input: the length 4294967295 exceeds the limit"),
    ] {
        let mut send = Running::sender(&["send", &name, "--length-framed"]);
        send.write(input);
        send.finish();
        let (code, said) = send.end();
        assert!(code == Some(4) && said.contains(why), "{code:?} {said}");
        let out = run(&["recv", &name]);
        assert!(out.status.code() == Some(4) && text(&out.stderr).contains("the sender has given up: 0 records"));
    }
}

#[test]
fn a_line_that_can_never_fit_is_told_its_limit() {
    let dir = Folder::new("long");
    let name = dir.file("channel");
    let most = "x".repeat(1000 - 24);
    for (line, code, why) in [
        (format!("{most}\n"), 0, ""),
        (most.clone(), 0, ""),
        (format!("{most}y\n"), 4, "record 1 of standard input: the line exceeds the limit of 976 bytes"),
        (most.repeat(3), 4, "larger --capacity"),
    ] {
        let mut send = Running::sender(&["send", &name, "--capacity", "1000"]);
        send.write(line.as_bytes());
        send.finish();
        let (ended, said) = send.end();
        assert!(ended == Some(code) && said.contains(why), "{ended:?} {said}");
        if code == 0 {
            assert_eq!(text(&run(&["recv", &name]).stdout), format!("{most}\n"));
        }
        assert!(run(&["clean", &name]).status.success());
    }
}

#[test]
fn output_that_nobody_takes_loses_nothing() {
    let dir = Folder::new("pipe");
    let name = dir.file("channel");
    let mut send = Running::sender(&["send", &name]);
    send.write(lines(0..10_000).as_bytes());
    send.finish();
    assert_eq!(send.end().0, Some(0));
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (code, said) = Running::start(&["recv", &name], Stdio::null(), full.into()).end();
    assert!(code == Some(1) && said.contains("cannot write to standard output: No space left"), "{said}");
    let mut recv = Running::start(&["recv", &name], Stdio::null(), Stdio::piped());
    drop(recv.0.stdout.take());
    assert_eq!(recv.end(), (Some(0), String::new()));
    assert!(text(&run(&["recv", &name]).stdout) == lines(0..10_000));
}

#[test]
fn a_signal_ends_either_side_and_the_other_is_told() {
    let dir = Folder::new("signal");
    let name = dir.file("channel");
    // It waits for input.
    let mut send = Running::sender(&["send", &name]);
    send.write(b"a\nb\nhalf a li");
    wait_for(&name, "2 sent");
    send.signal("-INT");
    assert_eq!(send.end(), (Some(130), String::new()));
    wait_for(&name, "sender    gave up");
    let out = run(&["recv", &name]);
    assert_eq!((out.status.code(), text(&out.stdout)), (Some(4), "a\nb\n".into()));
    // It waits for a sender.
    let mut recv = Running::receiver(&["recv", &name], &dir.file("out"));
    wait_for(&name, "receiver  here");
    sleep(Duration::from_millis(300));
    recv.signal("-TERM");
    assert_eq!(recv.end(), (Some(128 + 15), String::new()));
    wait_for(&name, "receiver  gave up");
    // It waits for room.
    let (name, input) = (dir.file("other"), dir.file("input"));
    std::fs::write(&input, "0123456789\n".repeat(60_000)).unwrap();
    let mut send = Running::start(&["send", &name], File::open(&input).unwrap().into(), Stdio::null());
    // Of 5 words each, as many as fit.
    wait_for(&name, "26214 sent");
    sleep(Duration::from_millis(300));
    send.signal("-INT");
    assert_eq!(send.end().0, Some(130));
    wait_for(&name, "sender    gave up");
}

#[test]
fn channels_are_shown_and_removed_when_free() {
    let name = format!("cli-test-{}", std::process::id());
    let mut recv = Running::start(&["recv", &name], Stdio::null(), Stdio::null());
    wait_for(&name, "receiver  here");
    let out = run(&["ls"]);
    let row = text(&out.stdout).lines().find(|line| line.starts_with(&name)).map(str::to_owned).unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells, [&*name, "bytes", "1048576", "B", "0", "B", "0", "never", "here"]);
    let stat = run(&["stat", &name]);
    assert!(text(&stat.stdout).contains("bytes, 1048576 bytes"));
    let second = run(&["recv", &name]);
    assert!(second.status.code() == Some(1) && text(&second.stderr).contains("has a receiver already"));
    let kept = run(&["clean", &name]);
    assert_eq!(kept.status.code(), Some(1));
    assert!(text(&kept.stderr).contains("is in use: end its sender and its receiver first"));
    recv.signal("-KILL");
    let _ = recv.0.wait();
    let stat = text(&run(&["stat", &name]).stdout);
    assert!(stat.contains("receiver  died"), "{stat}");
    assert_eq!(text(&run(&["clean", &name]).stdout), format!("removed {name}: a channel, bytes\n"));
    for args in [["stat", &*name], ["clean", &*name]] {
        let gone = run(&args);
        assert!(gone.status.code() == Some(1) && text(&gone.stderr).contains("there is no channel at"));
    }
}

#[test]
fn a_broadcast_shows_who_gates() {
    let dir = Folder::new("broadcast");
    std::fs::create_dir(dir.0.join("names")).unwrap();
    std::fs::set_permissions(dir.0.join("names"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let name = dir.file("names/orders");
    let open = || ringmail::shm::broadcast::Builder::<u64>::new(&name).capacity(4).receivers(3);
    let mut tx = open().open_sender().unwrap();
    let mut rx = open().open_receiver().unwrap();
    drop(open().open_reserved("journal").unwrap());
    tx.send_slice(&[1, 2, 3]).unwrap();
    assert_eq!(rx.recv(), Ok(1));
    let shown = text(&run(&["stat", &name]).stdout);
    for part in [
        "broadcast, 4 messages of 8 bytes",
        "receivers 2 of 3 seats",
        "seat 0    2 behind, here",
        "seat 1    \"journal\", 3 behind, left",
        "sent 3 received 0 depth 3",
    ] {
        assert!(shown.contains(part), "{part:?} in {shown}");
    }
    assert!(!shown.contains("seat 2") && !shown.contains("untaken"), "{shown}");
    let listed = text(&run_in(&dir, &["ls"]).stdout);
    let row = listed.lines().find(|line| line.starts_with("orders")).unwrap();
    let cells: Vec<_> = row.split_whitespace().collect();
    assert_eq!(cells, ["orders", "broadcast", "4", "3", "3", "here", "1", "of", "3", "here"]);
    let json = text(&run(&["stat", "--json", &name]).stdout);
    assert!(json.contains("\"name\":\"journal\",\"gates\":true,\"lag\":3"), "{json}");
    drop((tx, rx));
    assert!(run(&["clean", &name]).status.success());
}

#[test]
fn a_channel_whose_receivers_only_read_is_shown_and_left_alone() {
    let dir = Folder::new("lossy");
    std::fs::create_dir(dir.0.join("names")).unwrap();
    std::fs::set_permissions(dir.0.join("names"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let name = dir.file("names/prices");
    let open = || ringmail::shm::lossy::Builder::<u64>::new(&name).capacity(4);
    let mut tx = open().open_sender().unwrap();
    let rx = open().open_receiver().unwrap();
    (0..6).for_each(|price| tx.send(price));
    let shown = text(&run(&["stat", &name]).stdout);
    for part in ["lossy, 4 messages of 8 bytes", "receivers only read", "sent 6 kept 4", "1 so far; the last:"] {
        assert!(shown.contains(part), "{part:?} in {shown}");
    }
    let listed = text(&run_in(&dir, &["ls"]).stdout);
    let row = listed.lines().find(|line| line.starts_with("prices")).unwrap();
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["prices", "lossy", "4", "4", "6", "here", "unlisted"]);
    let json = text(&run(&["stat", "--json", &name]).stdout);
    assert!(json.contains("\"kind\":\"lossy\"") && json.contains("\"sent\":6"), "{json}");
    let refused = run(&["recv", &name]);
    assert!(!refused.status.success() && text(&refused.stderr).contains("`recv --tap` reads it"), "{refused:?}");
    drop(tx);
    assert!(run(&["clean", &name]).status.success());
    assert_eq!(rx.latest(), Ok(Some((5, 5))), "a receiver keeps what it has mapped");
    assert!(!std::path::Path::new(&name).exists());
}

#[test]
fn clean_says_what_there_was_and_removes_what_nobody_holds() {
    let dir = Folder::new("clean");
    let names = dir.0.join("names");
    let file = |name: &str| names.join(name).to_str().unwrap().to_owned();
    for name in ["whole", "cut", "old", "held"] {
        assert!(run_in(&dir, &["send", name]).status.success());
    }
    File::options().write(true).open(file("cut")).unwrap().set_len(100).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&File::options().write(true).open(file("old")).unwrap(), &[2], 8).unwrap();
    std::fs::write(file("diary"), "dear diary").unwrap();
    std::fs::write(file(".ringmail-0123456789abcdef.new"), "").unwrap();
    let path = file("held");
    let mut recv = Running::start(&["recv", &path, "--follow"], Stdio::null(), Stdio::null());
    wait_for(&path, "receiver  here");

    let out = run_in(&dir, &["clean", "--all"]);
    let removed = "removed cut: a damaged channel\nremoved old: a channel of layout 2\nremoved whole: a channel, bytes\n\
                   removed .ringmail-0123456789abcdef.new: a channel that was never finished\n";
    assert_eq!(text(&out.stdout), removed);
    let kept = text(&out.stderr);
    assert!(kept.starts_with("kept diary: it is no channel") && kept.ends_with("kept held: it is in use\n"), "{kept}");
    assert_eq!(out.status.code(), Some(1));
    // At a path it is none of this command's business.
    let out = run_in(&dir, &["clean", &file("diary")]);
    assert!(
        out.status.code() == Some(1) && text(&out.stderr).contains("it is no channel (remove it by --force)"),
        "{out:?}"
    );
    assert_eq!(text(&run_in(&dir, &["clean", "diary"]).stdout), "removed diary: no channel\n");
    recv.signal("-TERM");
    recv.end();
    assert_eq!(text(&run_in(&dir, &["ls"]).stdout).lines().count(), 2);
    let out = run_in(&dir, &["clean", "--all"]);
    assert_eq!((text(&out.stdout), out.status.code()), ("removed held: a channel, bytes\n".into(), Some(0)));
    std::fs::write(file("diary"), "dear diary").unwrap();
    let out = run_in(&dir, &["clean", &file("diary"), "--force"]);
    assert_eq!(text(&out.stdout), format!("removed {}: no channel\n", file("diary")));
    // Advice that does not help is none: these are not removed by any of its calls.
    std::fs::create_dir(file("folder")).unwrap();
    std::os::unix::fs::symlink("folder", file("link")).unwrap();
    for args in [&["--all"][..], &["--all", "--force"], &["folder"], &["link", "--force"], &[&*file("folder")]] {
        let out = run_in(&dir, &[&["clean"], args].concat());
        let said = text(&out.stderr);
        let helps = said.contains("it is no file, and only those are removed: remove it by `rm`");
        assert!(out.status.code() == Some(1) && helps && !said.contains("ringmail clean"), "{args:?}: {said}");
    }
    assert_eq!(std::fs::read_dir(&names).unwrap().count(), 2);
}

#[test]
fn a_directory_of_names_that_others_may_use_is_refused_with_what_to_do() {
    let dir = Folder::new("squatted");
    std::fs::create_dir(dir.0.join("names")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(dir.0.join("names"), mode).unwrap();
    for args in [&["send", "x"][..], &["recv", "x"], &["ls"], &["clean", "x"], &["clean", "--all"]] {
        let out = run_in(&dir, args);
        let said = text(&out.stderr);
        assert!(out.status.code() == Some(1) && said.contains("run `chmod 700` on it"), "{args:?}: {said}");
    }
}

#[test]
fn a_wrong_call_says_what_to_do() {
    for (args, code, why) in [
        (&["send", "a b"][..], 2, "1 to 100 letters"),
        (&["recv", ""], 2, "1 to 100 letters"),
        (&["stat", ".x"], 2, "1 to 100 letters"),
        (&["stat", "x", "--watch", "y"], 2, "a number of seconds"),
        (&["recv", "x", "--count", "0"], 2, "--count"),
        (&["send", "x", "--capacity", "0"], 2, "capacity 0"),
        (&["clean"], 2, "--all"),
        (&["clean", "x", "--all"], 2, "--all"),
        (&["send", "/nowhere/x"], 1, "there is no directory /nowhere: make it"),
    ] {
        let out = run(args);
        let said = text(&out.stderr);
        assert!(out.status.code() == Some(code) && said.contains(why), "{args:?}: {said}");
        assert_eq!(text(&out.stdout), "");
    }
}
