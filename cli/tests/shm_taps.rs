//! The laws of `send --to taps` and `recv --tap`, as a shell has them.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

#[path = "support/shell.rs"]
mod shell;

use ringmail::shm::lossy::Builder;
use ringmail::shm::{Message, Schema};
use shell::Folder;

/// A program's own message, of the size of a record.
#[derive(Clone, Copy, zerocopy::TryFromBytes, zerocopy::IntoBytes, zerocopy::Immutable)]
#[repr(C)]
struct Tick([u64; 7]);

impl Message for Tick {
    const SCHEMA: Schema = Schema::new("tick");
}

fn lines(numbers: impl Iterator<Item = u32>) -> String {
    numbers.map(|n| format!("{n}\n")).collect()
}

/// A tap that is there before the channel, so that it gets all of it: `tap NAME` runs in the background, and `$tap` is it.
const TAP: &str =
    "tap() { rm -f err-$1; $R recv --tap ./$1 >out-$1 2>err-$1 & tap=$!; until_ grep -sq waiting err-$1; }\n";

#[test]
fn a_tap_that_keeps_up_gets_every_record() {
    let dir = Folder::new("all");
    let ran = dir
        .shell(&format!("{TAP}tap q; seq 1000 | $R send --to taps ./q || exit 9; wait $tap; echo $?; cat out-q err-q"));
    ran.is(&format!("0\n{}there is no channel ./q yet: waiting for a sender to make it\n", lines(1..=1000)));
    // Any number of them; each begins with what is sent from then on, or with what is kept.
    let ran = dir.shell(
        "(until_ test -e go; seq 2001 2003; idle) | $R send ./q & until_ has q 'sender    here'
         for i in 1 2 3; do $R recv --tap --count 3 ./q >$i & taps=\"$taps $!\"; done; sleep 0.5; touch go
         for tap in $taps; do wait $tap || exit 9; done; cat 1 2 3
         $R recv --tap --from-oldest --count 1003 ./q | tail -4",
    );
    let new = lines(2001..=2003);
    ran.is(&format!("{new}{new}{new}1000\n{new}"));
}

/// What it wrote and what it says that it lost add up, and are in order.
#[test]
fn what_a_stopped_tap_loses_is_counted() {
    let dir = Folder::new("lost");
    let n = 100_000;
    let ran = dir.shell(&format!(
        "{TAP}tap q; (seq 10; until_ count out-q 10; kill -STOP $tap; seq 11 {n}; kill -CONT $tap) | $R send --to taps ./q
         echo $?; wait $tap; echo $?"
    ));
    ran.is("0\n6\n");
    let (out, err) = (dir.read("out-q"), dir.read("err-q"));
    let said = err.lines().last().unwrap();
    let number = |before: &str| -> usize {
        let at = said.find(before).unwrap_or_else(|| panic!("{before:?} in {said}")) + before.len();
        said[at..].split(' ').next().unwrap().parse().unwrap()
    };
    let (lost, written) = (number("error: "), number("in time; "));
    assert_eq!((written, written + lost), (out.lines().count(), n), "{err}");
    let numbers: Vec<usize> = out.lines().map(|line| line.parse().unwrap()).collect();
    assert!(lost > 0 && numbers.is_sorted_by(|a, b| a < b) && numbers.last() == Some(&n), "{err}");
    assert!(err.contains("were lost so far"), "{err}");
}

#[test]
fn nothing_feels_a_tap() {
    let dir = Folder::new("unfelt");
    // It maps the channel for reading alone; its sender goes on while it is stopped, and after it was killed.
    let ran = dir.shell(&format!(
        "{TAP}tap q; (echo 1; idle) | $R send --to taps ./q & until_ count out-q 1
         pid=$tap; test -e /proc/$pid/maps && grep ' .*/q$' /proc/$pid/maps | cut -d' ' -f2 | sort -u
         has q 'receivers only read' && ! has q 'receiver  here' && echo unseen
         kill $tap; wait $tap; echo tap $?"
    ));
    ran.is("r--s\nunseen\ntap 143\n");
    let ran = dir.shell(&format!(
        "{TAP}tap w; (echo 1; until_ count out-w 1; kill -STOP $tap; seq 100000; kill -KILL $tap; seq 100000) | $R send --to taps ./w
         echo send $?; has w '200001 sent' || $R stat ./w | grep -o 'sent 200001'"
    ));
    assert_eq!(ran.out, "send 0\nsent 200001\n", "{ran:?}");
    // No tap keeps the channel from being removed, and a second sender finds the first.
    let ran = dir.shell(
        "(idle) | $R send --to taps ./r & until_ has r 'sender    here'; $R recv --tap ./r & tap=$!; sleep 0.3
         echo 1 | $R send ./r 2>&1 | grep -o 'has a sender already'; $R clean ./r 2>&1 | grep -o 'in use'; kill $(pid r sender)
         wait $tap; echo $?; $R recv --tap ./r & tap=$!; sleep 0.3; $R clean ./r; wait $tap; echo $?",
    );
    assert_eq!(ran.out, "has a sender already\nin use\n4\nremoved ./r: a channel, lossy\n5\n", "{ran:?}");
}

#[test]
fn a_tap_says_how_its_sender_ended() {
    let dir = Folder::new("ends");
    let ends = |script: &str, code: u32| {
        let ran = dir.shell(&format!("{TAP}{script}; wait $tap; echo $?"));
        assert_eq!((ran.code, &*ran.out), (Some(0), &*format!("{code}\n")), "{script}: {ran:?}");
    };
    ends("tap a; (echo 1; until_ count out-a 1; kill -KILL $(pid a sender)) | $R send --to taps ./a 2>/dev/null", 3);
    let said = dir.read("err-a");
    assert!(said.ends_with("error: the sender has died: 1 record was written\n"), "{said}");
    ends("tap b; printf 'x' | $R send --to taps --length-framed ./b 2>/dev/null", 4);
    let said = dir.read("err-b");
    assert!(
        said.ends_with(
            "error: the sender has given up: 0 records were written; it ended before the end of its input\n"
        ),
        "{said}"
    );
    ends("tap c; (echo 1; until_ count out-c 1; rm c; sleep 0.3; seq 9) | $R send --to taps ./c 2>send", 4);
    let said = dir.read("send");
    assert!(said.starts_with("error: the channel was removed: 1 record was sent, the rest"), "{said}");
    // One that follows goes on with the next sender.
    let ran = dir.shell(
        "$R recv --tap --follow ./f >out 2>err & tap=$!; until_ grep -sq waiting err
         echo 1 | $R send --to taps ./f; printf x | $R send --length-framed ./f 2>/dev/null; until_ grep -q 'given up' err
         echo 2 | $R send ./f; until_ count out 2; kill $tap; wait $tap; echo $?; cat out",
    );
    ran.is("143\n1\n2\n");
}

#[test]
fn output_that_is_not_read_ends_a_tap() {
    let dir = Folder::new("output");
    let ran = dir.shell(
        "(seq 100; idle) | $R send --to taps ./q &          until_ has q 'sent 100'; $R recv --tap --from-oldest ./q >/dev/full 2>full; echo $?; cat full
         ($R recv --tap --from-oldest ./q; echo $? >code) | head -1 & sleep 0.5; kill $(pid q sender); wait; cat code",
    );
    assert_eq!(ran.out.lines().next(), Some("1"), "{ran:?}");
    assert!(ran.out.contains("cannot write to standard output: No space left"), "{ran:?}");
}

#[test]
fn a_signal_ends_a_tap_that_waits() {
    let dir = Folder::new("signal");
    dir.shell(&format!("{TAP}tap q; kill $tap; wait $tap; echo $?; ls")).is("143\nerr-q\nout-q\n");
    let ran = dir.shell(
        "$R send --to taps ./q </dev/null; $R recv --tap ./q & sleep 0.3; kill -TERM $!; wait $!; echo $?
         $R send ./q < <(idle) & me=$!; until_ has q 'sender    here'; sleep 0.2; kill $me; wait $me; echo $?; has q 'gave up' && echo told",
    );
    ran.is("143\n143\ntold\n");
}

#[test]
fn records_are_as_long_as_was_asked_for() {
    let dir = Folder::new("long");
    for (longest, limit) in [("1", 988), ("988", 988), ("989", 65_500), ("65500", 65_500)] {
        let most = "x".repeat(limit);
        std::fs::write(dir.file("most"), format!("{most}\n\n{most}")).unwrap();
        std::fs::write(dir.file("more"), format!("{most}x\n")).unwrap();
        let ran = dir.shell(&format!(
            "{TAP}tap q; $R send --to taps --max-bytes {longest} ./q <most || exit 9; wait $tap; echo $?
             $R send ./q <more; echo $?; $R clean ./q"
        ));
        assert_eq!(ran.out, "0\n4\nremoved ./q: a channel, lossy\n", "{longest}: {ran:?}");
        let said = format!("the line exceeds the limit of {limit} bytes: make the channel with a larger --max-bytes");
        assert!(ran.err.contains(&said), "{ran:?}");
        assert!(dir.read("out-q") == format!("{most}\n\n{most}\n"), "{longest}");
    }
    // Any bytes.
    let input = b"\x00\x00\x00\x00\x03\x00\x00\x00a\nb\x01\x00\x00\x00\xff";
    std::fs::write(dir.file("in"), input).unwrap();
    let ran = dir.shell(
        "$R recv --tap --length-framed ./f >out 2>err & tap=$!; until_ grep -sq waiting err
         $R send --to taps --length-framed ./f <in || exit 9; wait $tap",
    );
    ran.is("");
    assert_eq!(std::fs::read(dir.file("out")).unwrap(), input);
}

#[test]
fn a_tap_reads_the_numbers_of_a_program() {
    let dir = Folder::new("program");
    let mut prices = Builder::<u64>::new(dir.file("prices")).open_sender().unwrap();
    prices.send_slice(&[7, u64::MAX]);
    let mut flags = Builder::<bool>::new(dir.file("flags")).open_sender().unwrap();
    flags.send_slice(&[true, false]);
    let ticks = Builder::<Tick>::new(dir.file("ticks")).open_sender().unwrap();
    dir.shell("$R recv --tap --from-oldest --count 2 ./prices; $R recv --tap --from-oldest --count 2 ./flags")
        .is("7\n18446744073709551615\ntrue\nfalse\n");
    for (call, why) in [
        ("recv ./prices", "`recv --tap` reads it"),
        ("recv --tap ./ticks", "carries typed messages (tick version 1"),
        ("recv ./ticks", "`recv --tap` reads it"),
    ] {
        let ran = dir.shell(&format!("$R {call}"));
        assert!(ran.code == Some(1) && ran.err.contains(why), "{call}: {ran:?}");
    }
    drop((prices, ticks));
    for (name, of) in [("prices", "u64"), ("ticks", "tick")] {
        let ran = dir.shell(&format!("$R send ./{name} </dev/null"));
        assert!(ran.code == Some(1) && ran.err.contains(&format!("typed messages ({of}")), "{ran:?}");
    }
}

#[test]
fn a_damaged_record_is_an_error() {
    let dir = Folder::new("damaged");
    dir.shell("echo abc | $R send --to taps ./q").is("");
    // The first slot lies behind the header and two pages; its message begins at byte 32 of it.
    let file = std::fs::File::options().write(true).open(dir.file("q")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0xff; 4], 3 * 4096 + 32).unwrap();
    let ran = dir.shell("$R recv --tap --from-oldest ./q");
    assert!(ran.code == Some(1) && ran.err.contains("the sender: "), "{ran:?}");
}

#[test]
fn wrong_calls_say_what_to_do() {
    let dir = Folder::new("wrong");
    dir.shell("$R send ./one </dev/null; $R send --to taps ./taps </dev/null; $R send --senders 2 ./many </dev/null")
        .is("");
    for (call, code, why) in [
        ("recv ./taps", 1, "is for taps, and `recv --tap` reads it"),
        ("recv --tap ./one", 1, "channel ./one is for one sender and one receiver"),
        ("recv --tap ./many", 1, "channel ./many is for many senders"),
        ("send --to taps ./one", 1, "channel ./one is for one sender and one receiver"),
        ("send --senders 2 ./taps", 1, "channel ./taps is for taps"),
        ("recv --tap /nowhere/x", 1, "there is no channel at /nowhere/x"),
        ("recv --tap 'a b'", 2, "1 to 100 letters"),
        ("recv --tap --senders 2 ./taps", 2, "--senders"),
        ("recv --from-oldest ./taps", 2, "--tap"),
        ("send --to some ./taps", 2, "possible values: all, taps"),
        ("send --to taps --senders 2 ./taps", 2, "--senders"),
        ("send --to taps --wait ./taps", 2, "--wait"),
        ("send --max-bytes 9 ./one", 2, "--max-bytes is for channels of --to"),
        ("send --max-bytes 9 ./newer", 2, "--max-bytes is for channels of --to"),
        ("send --to taps --receivers 3 ./new", 2, "--receivers is for --to all"),
        ("recv --tap --receivers 3 ./taps", 2, "--receivers"),
        ("recv --tap --max-bytes 3 ./taps", 2, "--max-bytes"),
        ("send --to taps --max-bytes 65501 ./new", 2, "--max-bytes is at most 65500"),
        ("send --to taps --max-bytes 2000 ./taps", 1, "takes records of up to 988 bytes, not of 2000"),
        ("send --to taps --capacity 0 ./new", 2, "capacity 0"),
        ("send --to taps --capacity 4K ./taps", 1, "capacity"),
    ] {
        let ran = dir.shell(&format!("timeout 20 $R {call} </dev/null"));
        assert!(ran.code == Some(code) && ran.err.contains(why) && ran.out.is_empty(), "{call}: {ran:?}");
    }
    assert!(!dir.0.join("new").exists());
}
