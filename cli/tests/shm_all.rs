//! The laws of `send --to all` and its receivers, as a shell has them.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

#[path = "support/shell.rs"]
mod shell;

use serde_json::Value;
use shell::Folder;

fn lines(numbers: impl Iterator<Item = u32>) -> String {
    numbers.map(|n| format!("{n}\n")).collect()
}

/// `joins NAME OUT [OPTION...]`: a receiver in the background, which is there afterwards; `$rx` is it.
const JOINS: &str = "n=0
joins() { $R recv --receivers 4 ${@:3} ./$1 >$2 2>$2.err & rx=$!; n=$((n + 1)); until_ has $1 \"receivers $n of 4 seats\"; }\n";

#[test]
fn each_receiver_gets_every_record() {
    let dir = Folder::new("all");
    let ran = dir.shell(&format!(
        "{JOINS}for i in a b c; do joins q $i; all=\"$all $rx\"; done
         seq 10000 | $R send --to all ./q || exit 9; for rx in $all; do wait $rx || exit 8; done; cat *.err; $R clean ./q"
    ));
    ran.is("removed ./q: a channel, broadcast\n");
    for name in ["a", "b", "c"] {
        assert!(dir.read(name) == lines(1..=10_000), "{name}");
    }
    // Records of any bytes, of an empty line to the longest; and a session without one.
    let most = "x".repeat(988);
    std::fs::write(dir.file("in"), format!("\n{most}\n\u{0}")).unwrap();
    let ran = dir.shell(&format!(
        "{JOINS}joins f d; $R send --to all ./f <in || exit 9; wait $rx; echo $?; n=0; joins f e; : | $R send ./f; wait $rx; echo $?"
    ));
    ran.is("0\n0\n");
    assert_eq!((dir.read("d"), dir.read("e")), (format!("\n{most}\n\u{0}\n"), String::new()));
}

#[test]
fn a_sender_waits_for_the_first_receiver_and_for_the_slowest() {
    let dir = Folder::new("waits");
    // It comes first, and nothing is lost.
    let ran = dir.shell(
        "seq 3 | $R send --to all ./q & tx=$!; until_ has q 'sender    here'; sleep 0.5; has q 'sent 0' && echo waits
         $R recv ./q; echo $?; wait $tx; echo $?",
    );
    ran.is("waits\n1\n2\n3\n0\n0\n");
    // One is stopped: no other gets more than the channel holds, and both get all in the end.
    let ran = dir.shell(&format!(
        "{JOINS}joins w a; a=$rx; joins w b; kill -STOP $a; seq 20000 | $R send --to all ./w & tx=$!
         until_ has w 'asleep$'; sleep 0.5; has w 'sender    here' && test $(wc -l <b) -le 1024 && echo gates
         kill -CONT $a; wait $tx; echo $?; wait $a $rx; echo $?"
    ));
    ran.is("gates\n0\n0\n");
    assert!(dir.read("a") == lines(1..=20_000) && dir.read("b") == dir.read("a"));
}

#[test]
fn a_sender_waits_for_as_many_as_it_was_told() {
    let dir = Folder::new("waits-for");
    let ran = dir.shell(
        "seq 100 | $R send --to all --receivers 4 --wait-for 2 ./q & tx=$!; until_ has q 'sender    here'; $R recv ./q >a & a=$!
         until_ has q 'receivers 1 of 4'; sleep 0.3; has q 'sent 0' && echo waits; $R recv ./q >b & b=$!
         wait $tx; echo $?; wait $a; echo $?; wait $b; echo $?",
    );
    ran.is("waits\n0\n0\n0\n");
    assert!(dir.read("a") == lines(1..=100) && dir.read("b") == dir.read("a"));
    let ran = dir.shell("$R send --to taps --wait-for 2 ./x; echo $?; $R send --wait-for 2 ./x; echo $?");
    assert_eq!(ran.out, "2\n2\n", "{ran:?}");
}

#[test]
fn receivers_that_die_or_leave_stop_no_other() {
    let dir = Folder::new("dies");
    let ran = dir.shell(&format!(
        "{JOINS}joins q a; a=$rx; joins q b --count 100; b=$rx; joins q c; c=$rx; joins q d; d=$rx
         (seq 1000; until_ count a 1000; kill -KILL $a; kill -TERM $d; seq 1001 10000) | $R send --to all ./q; echo $?
         wait $b; echo $?; wait $c; echo $?; wait $d; echo $?"
    ));
    assert_eq!(ran.out, "0\n0\n0\n143\n", "{ran:?}");
    assert!(
        ran.err.contains("warning: a receiver (process ") && ran.err.contains("has died: it is waited for"),
        "{ran:?}"
    );
    assert!(dir.read("b") == lines(1..=100) && dir.read("c") == lines(1..=10_000));
    let head = dir.shell(&format!(
        "{JOINS}joins h e; e=$rx; ($R recv ./h; echo $? >code) | head -1 & until_ has h 'receivers 2 of 4'
         seq 20000 | $R send --to all ./h; echo $?; wait $e; wait; cat code"
    ));
    assert_eq!(head.out.replace("1\n", ""), "0\n0\n", "{head:?}");
    assert!(dir.read("e") == lines(1..=20_000));
    let ran = dir.shell(&format!("{JOINS}joins o /dev/full; seq 9 | $R send --to all ./o; wait $rx; echo $?"));
    assert!(ran.out == "1\n", "{ran:?}");
}

#[test]
fn a_receiver_says_how_the_sender_ended() {
    let dir = Folder::new("ends");
    let ends = |name: &str, sender: &str, code: i32, said: &str| {
        let ran = dir.shell(&format!("{JOINS}joins {name} out-{name}; {sender} 2>send-{name}; wait $rx; echo $?"));
        assert_eq!(ran.out, format!("{code}\n"), "{sender}: {ran:?}");
        let error = dir.read(&format!("out-{name}.err"));
        assert!(error.contains(said), "{sender}: {error}");
    };
    let dies = "(echo 1; until_ count out-a 1; kill -KILL $(pid a sender)) | $R send --to all ./a";
    ends("a", dies, 3, "the sender has died: 1 record was written\n");
    let cut = "printf '\\1\\0\\0\\0xabc' | $R send --to all --length-framed ./b";
    ends("b", cut, 4, "the sender has given up: 1 record was written; it ended before the end of its input");
    let interrupted = "(echo 1; until_ count out-c 1; kill -TERM $(pid c sender); sleep 0.3) | $R send --to all ./c";
    ends("c", interrupted, 4, "the sender has given up");
    let removed = "(echo 1; until_ count out-d 1; rm d; sleep 0.5; seq 9) | $R send --to all ./d";
    ends("d", removed, 5, "the channel was removed: 1 record was written");
    assert!(
        dir.read("send-d").starts_with("error: the channel was removed: 1 record was sent"),
        "{}",
        dir.read("send-d")
    );
    ends("e", "rm e", 5, "the channel was removed: 0 records were written");
    // One that follows goes on with the next sender.
    let ran = dir.shell(&format!(
        "{JOINS}joins f out --follow; for i in 1 2 3; do echo $i | $R send ./f || exit 9; done
         until_ count out 3; kill $rx; wait $rx; echo $?; cat out"
    ));
    ran.is("143\n1\n2\n3\n");
}

#[test]
fn a_signal_ends_a_sender_that_waits_for_a_receiver() {
    let dir = Folder::new("signal");
    let ran = dir.shell(
        "$R send --to all ./q < <(echo 1; idle) & tx=$!; until_ has q 'sender    here'; sleep 0.3; kill $tx; wait $tx; echo $?
         has q 'sender    gave up' && echo told",
    );
    ran.is("143\ntold\n");
}

#[test]
fn who_is_how_far_behind_is_shown() {
    let dir = Folder::new("shown");
    let ran = dir.shell(&format!(
        "{JOINS}joins q a; a=$rx; joins q b; kill -STOP $a; seq 7 | $R send --to all ./q; until_ count b 7
         $R stat --json ./q; $R stat ./q | grep -c '7 behind, here'; mkdir -m 700 names; ln q names/q; RINGMAIL_DIR=$PWD/names $R ls
         kill -CONT $a; wait"
    ));
    let mut said = ran.out.lines();
    let stat: Value = serde_json::from_str(said.next().unwrap()).unwrap();
    assert_eq!((&stat["kind"], &stat["sent"], &stat["used"]), (&"broadcast".into(), &7.into(), &7.into()));
    assert_eq!((&stat["seats"][0]["lag"], &stat["seats"][2]["gates"]), (&7.into(), &false.into()));
    assert_eq!(said.next(), Some("1"));
    assert!(said.nth(1).is_some_and(|row| row.starts_with("q ") && row.ends_with(" 4 here")), "{ran:?}");
}

#[test]
fn wrong_calls_say_what_to_do() {
    let dir = Folder::new("wrong");
    dir.shell("$R send ./one </dev/null; $R send --to all --receivers 2 ./all </dev/null; $R send --to taps ./taps </dev/null").is("");
    for (call, code, why) in [
        ("send --to all ./one", 1, "channel ./one is for one sender and one receiver"),
        ("send --to all ./taps", 1, "channel ./taps is for taps"),
        ("send --to taps ./all", 1, "channel ./all is for one sender and several receivers"),
        ("recv --tap ./all", 1, "channel ./all is for one sender and several receivers"),
        ("recv --senders 2 ./all", 1, "channel ./all is for one sender and several receivers"),
        ("recv --receivers 3 ./all", 1, "2, not 3"),
        ("recv --receivers 3 ./one", 1, "channel ./one is for one sender and one receiver"),
        ("send --to all --receivers 0 ./new", 2, "1..=64"),
        ("send --to all --receivers 65 ./new", 2, "1..=64"),
        ("send --receivers 2 --senders 2 ./new", 2, "--senders"),
        ("send --to all --senders 2 ./new", 2, "--senders"),
        ("send --to all --wait ./all", 2, "--wait"),
        ("send --to all --max-bytes 2000 ./all", 1, "takes records of up to 988 bytes, not of 2000"),
        ("send --to all --max-bytes 65501 ./new", 2, "--max-bytes is at most 65500"),
        ("send --to all --capacity 0 ./new", 2, "capacity 0"),
        ("send --to all /nowhere/x", 1, "there is no directory /nowhere"),
        ("send --to all 'a b'", 2, "1 to 100 letters"),
    ] {
        let ran = dir.shell(&format!("timeout 20 $R {call} </dev/null"));
        assert!(ran.code == Some(code) && ran.err.contains(why) && ran.out.is_empty(), "{call}: {ran:?}");
    }
    assert!(!dir.0.join("new").exists());
    // All seats are taken, or the sender's.
    let ran = dir.shell(
        "$R recv ./all & until_ has all '1 of 2'; $R recv ./all & until_ has all '2 of 2'; timeout 20 $R recv ./all; echo $?
         $R send ./all < <(echo 1; idle) & tx=$!; until_ has all 'sender    here'; $R send ./all </dev/null; echo $?; kill $tx; wait",
    );
    assert!(ran.out.contains("1\n1\n") && ran.err.contains("has a sender already"), "{ran:?}");
}
