//! The laws of `ringmail send` and `recv`, as a shell has them: in pipes, with signals and kills. `shm_terminal` has those of a terminal.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

#[path = "support/shell.rs"]
mod shell;

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;

use ringmail::shm::spsc;
use serde_json::Value;
use shell::Folder;

fn lines(numbers: impl Iterator<Item = u32>) -> String {
    numbers.map(|n| format!("{n}\n")).collect()
}

#[test]
fn a_hundred_senders_in_a_row_reach_one_follower_in_order() {
    let dir = Folder::new("follow");
    let ran = dir.shell(
        "$R recv --follow ./q >out & me=$!; until_ has q 'receiver  here'
         for i in $(seq 100); do echo $i | $R send ./q || exit 9; done
         until_ count out 100; kill $me; wait $me; echo $?",
    );
    assert_eq!((ran.out.lines().last(), &*dir.read("out")), (Some("143"), &*lines(1..=100)), "{ran:?}");
}

#[test]
fn each_receive_takes_one_session() {
    let dir = Folder::new("turns");
    dir.shell("for i in $(seq 100); do echo $i | $R send ./q && $R recv ./q || exit 9; done").is(&lines(1..=100));
    // The other way round: each receiver waits for its sender.
    dir.shell("for i in $(seq 30); do $R recv ./w & echo $i | $R send ./w || exit 9; wait $! || exit 8; done")
        .is(&lines(1..=30));
    // Those that wait already are taken one by one, also the empty ones, and those that gave up.
    let ran = dir.shell(
        "for i in 1 2 3; do echo $i | $R send ./e; : | $R send ./e; done
         printf 'x\\0\\0' | $R send --length-framed ./e 2>/dev/null; echo sent $?
         for i in $(seq 7); do $R recv ./e 2>/dev/null; echo $?; done",
    );
    ran.is("sent 4\n1\n0\n0\n2\n0\n0\n3\n0\n0\n4\n");
}

#[test]
fn an_empty_session_ends_a_receive_at_once() {
    let dir = Folder::new("empty");
    dir.shell(": | $R send ./q; $R recv ./q").is("");
    dir.shell("$R recv ./q & until_ has q 'receiver  here'; : | $R send ./q && wait $!").is("");
}

#[test]
fn a_receiver_that_has_ended_makes_no_sender_hang() {
    let dir = Folder::new("after");
    let ran = dir.shell(
        "$R recv ./q >out & me=$!; until_ has q 'receiver  here'
         for i in 1 2 3; do echo $i | $R send ./q || exit 9; done
         wait $! || exit 8; cat out; $R recv ./q; $R recv ./q
         echo 4 | $R send ./q; has q '1 untaken' && $R recv ./q",
    );
    ran.is("1\n2\n3\n4\n");
    // What `--count` took is not taken again, nor is what is left of it: nothing.
    let ran = dir.shell("seq 3 | $R send ./q; $R recv --count 3 ./q; echo 4 | $R send ./q; $R recv ./q");
    ran.is("1\n2\n3\n4\n");
    let ran = dir.shell("seq 3 | $R send ./q; $R recv --count 2 ./q; echo 4 | $R send ./q; $R recv ./q; $R recv ./q");
    ran.is("1\n2\n3\n4\n");
    // More sessions than are kept: their records are there all the same, how they ended is not.
    let ran = dir.shell(
        "for i in $(seq 80); do echo $i | $R send ./many; done; $R recv ./many 2>/dev/null; echo $?; $R recv ./many",
    );
    assert_eq!((ran.code, ran.out), (Some(0), lines(1..=16) + "4\n17\n"), "{}", ran.err);
}

/// What a killed sender had sent arrives; the next begins where that ended.
#[test]
fn a_sender_that_is_killed_loses_nothing_that_it_sent() {
    let dir = Folder::new("kill-sender");
    let ran = dir.shell(
        "$R recv ./q >out & me=$!; until_ has q 'receiver  here'
         seq 100000000 | $R send ./q & until_ test -s out; sleep 0.3
         kill -KILL $(pid q sender); wait $me; echo $?
         $R stat --json ./q",
    );
    let mut said = ran.out.lines();
    assert_eq!(said.next(), Some("3"), "{ran:?}");
    let stat: Value = serde_json::from_str(said.next().unwrap()).unwrap();
    let out = dir.read("out");
    let n = out.lines().count() as u64;
    // It may have been killed between the note of a record and its publication.
    let noted = stat["sent"].as_u64().unwrap();
    assert!(n > 0 && (noted == n || noted == n + 1), "{n} of {noted}");
    assert!(out.lines().zip(1..).all(|(line, i): (&str, u64)| line == i.to_string()) && out.ends_with('\n'));
    assert_eq!(stat["lanes"][0]["sessions"][0]["ended"], "died");
    assert!(ran.err.contains(&format!("the sender has died: {n} records were written")), "{ran:?}");
    dir.shell("seq 3 | $R send ./q; $R recv ./q").is("1\n2\n3\n");
}

/// A receiver is killed twice beside `send --wait`: nothing is missing, and what comes twice is one batch.
#[test]
fn a_receiver_that_is_killed_loses_nothing() {
    for (name, senders) in [("one", ""), ("many", "--senders 2")] {
        let dir = Folder::new(&format!("kill-receiver-{name}"));
        let n = 400_000;
        let ran = dir.shell(&format!(
            "seq {n} | $R send --wait {senders} ./q & sender=$!
             for i in 1 2; do
               until_ has q sender; $R recv {senders} ./q >$i & until_ test -s $i; sleep 0.1; kill -KILL $!; wait $! 2>/dev/null
             done
             $R recv ./q >3; echo $?; wait $sender; echo $?"
        ));
        assert_eq!(ran.out, "0\n0\n", "{ran:?}");
        let mut next = 1;
        for part in ["1", "2", "3"] {
            let text = dir.read(part);
            // The last line may be cut.
            let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
            let mut numbers = whole.lines().map(|line| line.parse::<u32>().unwrap());
            let Some(first) = numbers.next() else { continue };
            assert!(first <= next && next - first < 1 << 16, "{part} begins with {first}, {next} is due");
            let count = 1 + numbers.clone().count() as u32;
            assert!(numbers.eq(first + 1..first + count), "{part} is out of order");
            next = first + count;
        }
        assert_eq!(next, n + 1);
        assert!(dir.read("3").ends_with('\n'));
    }
}

#[test]
fn many_senders_reach_one_receiver() {
    let dir = Folder::new("fan-in");
    let ran = dir.shell(
        "$R recv --senders 4 ./q >out & me=$!; until_ has q 'receiver  here'
         (sleep 1; echo e0) | $R send ./q & keeps=$!
         for s in a b c; do seq -f $s%.0f 20000 | $R send --senders 4 ./q & senders=\"$senders $!\"; done
         for s in $senders $keeps; do wait $s || exit 9; done; wait $me; echo $?",
    );
    ran.is("0\n");
    let out = dir.read("out");
    for (sender, n) in [("a", 20_000), ("b", 20_000), ("c", 20_000)] {
        let own: Vec<&str> = out.lines().filter_map(|line| line.strip_prefix(sender)).collect();
        assert!(own.iter().zip(1..).all(|(line, i): (_, u32)| **line == i.to_string()) && own.len() == n, "{sender}");
    }
    assert_eq!(out.lines().count(), 60_001);
    // One gives up and one ends in order: the worst counts. What was taken by `--count` is not told again.
    let ran = dir.shell(
        "printf 'x' | $R send --length-framed ./q 2>/dev/null; echo f | $R send ./q
         $R recv ./q; echo $?; echo g | $R send ./q; $R recv --count 1 ./q; echo h | $R send ./q; $R recv ./q",
    );
    assert_eq!((ran.code, &*ran.out), (Some(0), "f\n4\ng\nh\n"), "{ran:?}");
    assert!(ran.err.contains("has given up: ") && ran.err.contains("error: 1 of 2 sessions did not end in order"));
    // One that follows goes on.
    let ran = dir.shell(
        "$R recv --follow ./q >follow & me=$!; until_ has q 'receiver  here'; for i in 1 2 3; do echo $i | $R send ./q; done
         until_ count follow 3; kill $me; wait $me; cat follow",
    );
    ran.is("1\n2\n3\n");
}

#[test]
fn a_channel_is_taken_as_the_kind_that_it_is() {
    let dir = Folder::new("kinds");
    let typed = spsc::Builder::<u64>::new(dir.file("typed")).open_sender().unwrap();
    for verb in ["send", "recv"] {
        let ran = dir.shell(&format!("$R {verb} ./typed"));
        assert!(ran.code == Some(1) && ran.err.contains("channel ./typed carries typed messages (u64"), "{ran:?}");
    }
    drop(typed);
    let ran = dir.shell("echo 1 | $R send ./one; $R recv --senders 2 ./one");
    assert!(ran.code == Some(1) && ran.err.contains("channel ./one is for one sender"), "{ran:?}");
    let ran = dir.shell("echo 1 | $R send --senders 2 ./many; $R recv --senders 3 ./many");
    assert!(ran.code == Some(1) && ran.err.contains("lanes is 2, not 3"), "{ran:?}");
    dir.shell("$R recv ./many").is("1\n");
    let ran = dir.shell("$R send --senders 129 ./x");
    assert!(ran.code == Some(2) && ran.err.contains("1..=128"), "{ran:?}");
    dir.shell("echo 1 | $R send --capacity 64K ./sized; echo 2 | $R send --capacity 65536 ./sized; $R recv ./sized")
        .is("1\n");
    let ran = dir.shell("$R recv --capacity 1M ./sized");
    assert!(ran.code == Some(1) && ran.err.contains("capacity"), "{ran:?}");
    let ran = dir.shell("$R recv --capacity 1.5M ./sized");
    assert!(ran.code == Some(2) && ran.err.contains("64K"), "{ran:?}");
}

#[test]
fn signals_that_were_ignored_stay_ignored() {
    let dir = Folder::new("ignored");
    let ran = dir.shell(
        "(trap '' INT TERM HUP; exec $R recv ./q >out) & me=$!; until_ has q 'receiver  here'
         pid=$(pid q receiver)
         kill -INT $pid; kill -TERM $pid; kill -HUP $pid; sleep 0.5
         has q 'receiver  here' && echo 1 | $R send ./q; wait $me; echo $?; cat out",
    );
    ran.is("0\n1\n");
    let ran = dir.shell(
        "sleep 2 | nohup $R send ./n 2>/dev/null & until_ has n 'sender    here'; kill -HUP $(pid n sender); $R recv ./n; echo $?",
    );
    ran.is("0\n");
}

/// A receiver that is stopped, or whose output is not read, is still there; so is a sender.
#[test]
fn a_side_that_is_blocked_is_still_there() {
    let dir = Folder::new("blocked");
    let ran = dir.shell(
        "mkfifo pipe; idle <pipe >/dev/null & idle=$!; $R recv ./q >pipe & me=$!; until_ has q 'receiver  here'
         seq 1000000 | $R send ./q & send=$!; until_ has q 'sender    here, process [0-9]*, session 1, asleep'; sleep 1
         has q 'receiver  here' && has q 'sender    here' && echo both
         pid=$(pid q receiver)
         kill -STOP $pid; sleep 0.5; has q 'receiver  here' && has q 'sender    here' && echo stopped; kill -CONT $pid
         kill -TERM $pid; wait $me; echo recv $?; wait $send; echo send $?; kill $idle",
    );
    assert_eq!(ran.out, "both\nstopped\nrecv 143\nsend 3\n", "{ran:?}");
    assert!(ran.err.contains("the receiver has given up: ") && !ran.err.contains("died"), "{ran:?}");
}

#[test]
fn a_file_size_limit_is_an_error_that_loses_nothing() {
    let dir = Folder::new("limit");
    let ran = dir.shell("seq 100000 | $R send ./q & until_ has q sender; (ulimit -f 8; $R recv ./q >out); echo $?; $R recv ./q >rest; echo $?; wait $!; echo $?");
    let said = (ran.out.lines().next(), ran.err.contains("cannot write to standard output: File too large"));
    assert_eq!(said, (Some("1"), true), "{ran:?}");
    // What was written by halves comes again, and nothing is left out.
    let (out, rest) = (dir.read("out"), dir.read("rest"));
    let whole = out.rfind('\n').map_or(0, |end| out[..end].lines().count() as u32);
    let first: u32 = rest.lines().next().unwrap().parse().unwrap();
    let last: u32 = rest.lines().last().unwrap().parse().unwrap();
    assert!(first <= whole + 1 && rest == lines(first..=last), "{whole} were written, {first} is next");
}

#[test]
fn closed_descriptors_are_errors() {
    let dir = Folder::new("closed");
    for verb in ["send ./q", "recv ./q", "ls", "stat ./q"] {
        for (closed, name) in [("<&-", "input"), (">&-", "output")] {
            let ran = dir.shell(&format!("$R {verb} {closed}"));
            let why = format!("error: standard {name} is closed: ");
            assert!(ran.code == Some(1) && ran.err.starts_with(&why), "{verb} {closed}: {ran:?}");
        }
        assert_eq!(dir.shell(&format!("$R {verb} 2>&-")).code, Some(1));
    }
    // None of them made the channel.
    assert!(!dir.0.join("q").exists());
}

/// Each exit code that `--help` lists is that of the scenario beside it, and there are no others.
#[test]
fn the_exit_codes_are_those_of_the_help() {
    let dir = Folder::new("codes");
    let damage = || {
        dir.shell("seq 3 | $R send ./damaged; $R recv --count 1 ./damaged").is("1\n");
        let file = File::options().write(true).open(dir.0.join("damaged")).unwrap();
        let len = file.metadata().unwrap().len();
        file.write_all_at(&vec![0xff; 1 << 20], len - (1 << 20)).unwrap();
    };
    damage();
    let cases: [(&str, &[(&str, i32)]); 2] = [
        (
            "send",
            &[
                ("echo 1 | $R send ./ok", 0),
                ("echo 1 | $R send /nowhere/x", 1),
                ("$R send 'a b'", 2),
                ("$R send", 2),
                (
                    "$R recv --count 1 ./three >/dev/null & until_ has three 'receiver  here'; seq 1000000 | $R send ./three",
                    3,
                ),
                ("printf 'abc' | $R send --length-framed ./four", 4),
                ("$R send ./four <.", 4),
                ("(until_ has five asleep; rm five) & seq 1000000 | $R send ./five", 5),
                (
                    "$R send ./six < <(idle) & me=$!; until_ has six 'sender    here'; sleep 0.2; kill $me; wait $me",
                    143,
                ),
            ],
        ),
        (
            "recv",
            &[
                ("$R recv ./ok", 0),
                ("seq 1000000 | $R send ./head 2>/dev/null & $R recv ./head | head -1; exit ${PIPESTATUS[0]}", 0),
                ("$R recv ./damaged", 1),
                ("echo 1 | $R send ./full; $R recv ./full >/dev/full", 1),
                ("$R recv ./full --count 0", 2),
                (
                    "$R send ./dies < <(idle) & me=$!; until_ has dies 'sender    here'; kill -KILL $me; $R recv ./dies",
                    3,
                ),
                ("$R recv ./four", 4),
                ("$R recv ./gone & until_ has gone 'receiver  here'; rm gone; wait $!", 5),
                (
                    "seq 10 | $R send --to taps --capacity 2K ./few; $R recv --tap ./few 2>/dev/null & me=$!; sleep 0.5
                     kill -STOP $me; seq 10 | $R send ./few; kill -CONT $me; wait $me",
                    6,
                ),
                ("$R recv ./sig & until_ has sig 'receiver  here'; sleep 0.2; kill $!; wait $!", 143),
            ],
        ),
    ];
    for (verb, scenarios) in cases {
        let help = dir.shell(&format!("$R {verb} --help")).out;
        let table = help.split("Exit codes:").nth(1).unwrap();
        let mut listed: BTreeSet<String> = BTreeSet::new();
        for line in table.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' ')) {
            let word = line.split(' ').next().unwrap();
            if word.parse::<u32>().is_ok() || word == "128+n" {
                listed.insert(word.into());
            }
        }
        let mut seen = BTreeSet::new();
        for &(script, code) in scenarios {
            let ran = dir.shell(script);
            assert_eq!(ran.code, Some(code), "{script}: {ran:?}");
            seen.insert(if code > 128 { "128+n".into() } else { code.to_string() });
        }
        assert_eq!(listed, seen, "{verb}");
    }
}

#[test]
fn a_follower_says_who_did_not_end_in_order_and_goes_on() {
    let dir = Folder::new("says");
    let ran = dir.shell(
        "$R recv --follow ./q >out 2>err & me=$!; until_ has q 'receiver  here'
         echo 1 | $R send ./q; printf abc | $R send --length-framed ./q 2>/dev/null
         $R send ./q < <(echo 2; idle) & until_ grep -q 2 out
         kill -KILL $(pid q sender)
         until_ grep -q died err; echo 3 | $R send ./q; until_ grep -q 3 out; kill $me; wait $me; echo $?; cat out err",
    );
    let start = "143\n1\n2\n3\nwarning: the sender has given up: 1 record was written; ";
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.starts_with(start) && ran.out.contains("warning: the sender has died: 2 records were"), "{ran:?}");
}

#[test]
fn a_sender_says_what_is_lost_with_a_removed_channel() {
    let dir = Folder::new("removed");
    let says = |script: &str, what: &str| {
        let ran = dir.shell(script);
        assert!(ran.code == Some(5) && ran.err.contains(&format!("removed: {what}")), "{script}: {ran:?}");
    };
    // There is room, so that no send finds it out.
    says(
        "(echo 1; until_ has a 'records   1 sent'; rm a; sleep 0.3; seq 2 9) | $R send ./a",
        "1 record was sent, the rest of the input was not",
    );
    says(
        "(echo 1; until_ has b 'records   1 sent'; rm b) | $R send ./b",
        "1 record was sent, not everything was received",
    );
    // A receiver that leaves for that reason leaves nothing for the next.
    says(
        "$R recv --follow ./c >out 2>/dev/null & (echo 1; until_ count out 1; rm c; sleep 0.5; seq 2 9) | $R send ./c",
        "1 record was sent, the rest of the input was not",
    );
    // All of it was received: nothing is lost.
    dir.shell("$R recv --count 1 ./d & (echo 1; until_ has d 'received 4'; rm d) | $R send ./d").is("1\n");
}

#[test]
fn what_is_shown_is_also_json() {
    let dir = Folder::new("json");
    let ran = dir.shell("echo 1 | $R send ./q; : | $R send ./q; $R recv ./q; $R stat --json ./q; $R stat ./q");
    let mut said = ran.out.lines().skip(1);
    let stat: Value = serde_json::from_str(said.next().unwrap()).unwrap();
    let lane = &stat["lanes"][0];
    assert_eq!(
        (&stat["kind"], &stat["sent"], &stat["receiver"]["state"]),
        (&"bytes".into(), &1.into(), &"left".into())
    );
    assert_eq!(
        (&lane["taken"], &lane["untaken"], &lane["sessions"][1]["ended"]),
        (&1.into(), &1.into(), &"in order".into())
    );
    assert!(said.any(|line| line == "sessions  2 so far, 1 untaken; the last:"), "{ran:?}");
    let ran = dir.shell("export RINGMAIL_DIR=$PWD/own; $R ls --json; echo 1 | $R send name; $R ls --json");
    let lists: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (&lists[0], &lists[1][0]["name"], &lists[1][0]["sent"]),
        (&Value::Array(vec![]), &"name".into(), &1.into())
    );
    // In whichever order.
    for form in
        ["./q --watch", "--watch ./q", "--watch 0.05 ./q", "./q --watch 0.05", "./q --watch=0.05", "--watch=0.05 ./q"]
    {
        let ran = dir.shell(&format!("$R stat {form} | sed '/^rate/q'; $R stat --json {form} | head -2"));
        assert!(ran.out.contains("rate      0 records/s"), "{form}: {ran:?}");
        let second: Value = serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
        assert_eq!(second["sent_per_second"], 0.0, "{form}");
    }
    let ran = dir.shell("$R stat ./q ./q");
    assert!(ran.code == Some(2) && ran.err.contains("--watch"), "{ran:?}");
}
