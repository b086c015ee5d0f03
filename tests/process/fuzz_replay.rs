//! The fuzz targets' bodies on a stable compiler: over the corpus, over past failures, and over programs of its own.

#[path = "../../fuzz/src/lib.rs"]
#[allow(dead_code, unreachable_pub, clippy::disallowed_types)]
mod fuzz;

#[cfg(feature = "lossy")]
use fuzz::lossy_ops;
use fuzz::{broadcast_ops, fan_in_ops, fan_out_ops, mpsc_ops, spsc_ops};
#[cfg(all(feature = "shm", target_os = "linux"))]
use fuzz::{shm_bytes, shm_header, shm_lossy, shm_ops};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

/// One test at a time: the model knows who is woken and how often only if no other thread is inside a heavy barrier.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(|e| e.into_inner())
}

/// A fuzz target's body, its name, and versions of it whose model is wrong.
struct Target {
    name: &'static str,
    body: fn(&[u8]),
    wrong: &'static [fn(&[u8])],
}

const TARGETS: &[Target] = &[
    Target { name: "spsc_ops", body: spsc_ops::spsc_ops, wrong: &[spsc_ops::spsc_ops_off_by_one] },
    Target { name: "mpsc_ops", body: mpsc_ops::mpsc_ops, wrong: &[mpsc_ops::mpsc_ops_off_by_one] },
    Target {
        name: "fan_in_ops",
        body: fan_in_ops::fan_in_ops,
        wrong: &[fan_in_ops::fan_in_ops_off_by_one, fan_in_ops::fan_in_ops_longer_turns],
    },
    Target { name: "fan_out_ops", body: fan_out_ops::fan_out_ops, wrong: &[fan_out_ops::fan_out_ops_off_by_one] },
    Target {
        name: "broadcast_ops",
        body: broadcast_ops::broadcast_ops,
        wrong: &[broadcast_ops::broadcast_ops_off_by_one, broadcast_ops::broadcast_ops_hasty],
    },
    #[cfg(feature = "lossy")]
    Target { name: "lossy_ops", body: lossy_ops::lossy_ops, wrong: &[lossy_ops::lossy_ops_off_by_one] },
    #[cfg(all(feature = "shm", target_os = "linux"))]
    Target { name: "shm_header", body: shm_header::shm_header, wrong: &[shm_header::shm_header_credulous] },
    #[cfg(all(feature = "shm", target_os = "linux"))]
    Target {
        name: "shm_hostile_peer",
        body: shm_ops::shm_hostile_peer,
        wrong: &[shm_ops::shm_hostile_peer_off_by_one],
    },
    #[cfg(all(feature = "shm", target_os = "linux"))]
    Target { name: "shm_lossy", body: shm_lossy::shm_lossy, wrong: &[shm_lossy::shm_lossy_off_by_one] },
    #[cfg(all(feature = "shm", target_os = "linux"))]
    Target {
        name: "shm_bytes",
        body: shm_bytes::shm_bytes,
        wrong: &[shm_bytes::shm_bytes_off_by_one, shm_bytes::shm_bytes_numbered_anew],
    },
];

/// Runs `target` on every file of a directory under `fuzz/`. Returns how many there were.
fn replay(directory: &str, target: fn(&[u8])) -> usize {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(directory);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&directory)
        .unwrap_or_else(|e| panic!("{}: {e}", directory.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_none_or(|extension| extension != "md"))
        .collect();
    files.sort();
    for file in &files {
        let data = std::fs::read(file).unwrap();
        if let Err(panic) = catch_unwind(|| target(&data)) {
            eprintln!("while replaying {}", file.display());
            std::panic::resume_unwind(panic);
        }
    }
    files.len()
}

/// Bytes that look random and are the same every time (xorshift64*).
struct Random(u64);

impl Random {
    fn byte(&mut self) -> u8 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8
    }

    fn program(&mut self) -> Vec<u8> {
        let len = 8 + self.byte() as usize;
        (0..len).map(|_| self.byte()).collect()
    }
}

/// As libFuzzer's builds are: with `RUSTFLAGS="--cfg ringmail_guard_pages"` an access beyond a mapping ends this program too.
#[cfg(all(ringmail_guard_pages, feature = "shm", target_os = "linux"))]
#[test]
fn a_guard_page_is_behind_each_mapping() {
    let _alone = alone();
    let scratch = fuzz::shm_file::Scratch::make();
    let builder = || ringmail::shm::fan_in::Builder::<u64>::new(scratch.name()).lanes(3).capacity(512);
    let _sides =
        (builder().open_receiver().unwrap(), builder().open_sender().unwrap(), builder().open_sender().unwrap());
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let ends = |line: &&str| line.ends_with(&scratch.name());
    let guarded = |line: &str| {
        let end = line.split(['-', ' ']).nth(1).unwrap();
        maps.lines().any(|next| next.starts_with(&format!("{end}-")) && next.contains(" ---p "))
    };
    let mapped: Vec<&str> = maps.lines().filter(ends).collect();
    assert_eq!(mapped.len(), 3 * (3 + 1 + 1), "{mapped:#?}");
    assert!(mapped.iter().all(|line| guarded(line)), "{maps}");
}

#[test]
fn the_corpus_holds() {
    let _alone = alone();
    for &Target { name, body, .. } in TARGETS {
        let replayed = replay(&format!("corpus/{name}"), body);
        assert!(replayed >= 80, "{name}: only {replayed} files: is the corpus there?");
    }
}

#[test]
fn what_once_failed_holds() {
    let _alone = alone();
    for &Target { name, body, .. } in TARGETS {
        replay(&format!("regressions/{name}"), body);
    }
}

#[test]
fn random_programs_hold() {
    let _alone = alone();
    for &Target { name, body, .. } in TARGETS {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for _ in 0..4000 {
            let program = random.program();
            if let Err(panic) = catch_unwind(|| body(&program)) {
                eprintln!("the program for {name} was {program:?}");
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// The oracle can fail: a model that is wrong by one place is found out, by the corpus as by random programs.
#[test]
fn a_model_that_is_off_by_one_is_noticed() {
    let _alone = alone();
    let found = |target: fn(&[u8])| {
        let mut random = Random(7);
        let programs: Vec<_> = (0..300).map(|_| random.program()).collect();
        programs.iter().filter(|program| catch_unwind(|| target(program)).is_err()).count()
    };
    for &Target { name, body, wrong } in TARGETS {
        for &target in wrong {
            let quietly = std::panic::take_hook();
            std::panic::set_hook(Box::new(|_| ()));
            let (right, wrong) = (found(body), found(target));
            let in_corpus = catch_unwind(|| replay(&format!("corpus/{name}"), target)).is_err();
            std::panic::set_hook(quietly);
            assert_eq!(right, 0, "{name}");
            assert!(wrong > 80, "{name}: {wrong} of 300 programs");
            assert!(in_corpus, "{name}: the corpus fills a channel");
        }
    }
}
