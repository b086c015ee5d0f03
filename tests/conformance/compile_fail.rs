//! Programs that must not compile: each breaks one rule of the handles, in the one line that it marks.
//!
//! A marked line ends in `//~` and the error code expected there. That code must appear on that line and no error anywhere else. Then
//! the same program without the line must compile: so it fails for that line alone, and for the reason marked.
//!
//! Codes and lines, not texts: the texts change with every compiler, and this has to hold on the stable one of the day.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program, and what is expected of it: error codes and the lines they belong to.
type Expected = BTreeSet<(String, usize, String)>;

#[test]
fn each_program_fails_in_its_marked_line_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_fail");
    let programs = project.join("src/bin");
    // Left over from an earlier run, perhaps of other programs.
    let _ = fs::remove_dir_all(&programs);
    fs::create_dir_all(&programs).unwrap();
    fs::write(
        project.join("Cargo.toml"),
        format!(
            "[package]\nname = \"compile-fail\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
             [dependencies]\nringmail = {{ path = {:?} }}\n",
            root.display().to_string()
        ),
    )
    .unwrap();
    // The same versions as everything else here, without asking the registry. A packaged crate may come without.
    let _ = fs::copy(root.join("Cargo.lock"), project.join("Cargo.lock"));

    let mut expected = Expected::new();
    let mut cases: Vec<PathBuf> =
        fs::read_dir(root.join("tests/compile_fail")).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    for case in &cases {
        let name = case.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(case).unwrap();
        let marks: Vec<_> = text.lines().enumerate().filter_map(|(i, l)| Some((i, l.split_once("//~ ")?.1))).collect();
        assert_eq!(marks.len(), 1, "{name} breaks one rule, in one line");
        let (index, code) = marks[0];
        expected.insert((name.clone(), index + 1, code.trim().to_owned()));
        let twin: Vec<_> = text.lines().enumerate().map(|(i, l)| if i == index { "" } else { l }).collect();
        fs::write(programs.join(format!("{name}.rs")), &text).unwrap();
        fs::write(programs.join(format!("{name}_twin.rs")), twin.join("\n")).unwrap();
    }
    assert!(cases.len() >= 30, "where are the programs?");

    let output = Command::new(env!("CARGO"))
        .args(["check", "--bins", "--keep-going", "--offline", "--message-format=short", "--color=never"])
        .current_dir(&project)
        .env("CARGO_TARGET_DIR", project.join("target"))
        // Settings meant for the tests themselves, such as a sanitizer or coverage, are not for these.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let found: Expected = said.lines().filter_map(error).collect();
    assert_eq!(found, expected, "cargo said:\n{said}");
}

/// `src/bin/name.rs:4:10: error[E0499]: …` as (name, 4, E0499). An error without a code or a place counts too.
fn error(line: &str) -> Option<(String, usize, String)> {
    if line.starts_with("error: could not compile") {
        return None;
    }
    let (place, rest) = line.split_once("error")?;
    let mut place = place.split(':');
    let file = Path::new(place.next()?.trim()).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let number = place.next().and_then(|n| n.parse().ok()).unwrap_or(0);
    let code = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(rest, |(code, _)| code);
    Some((file, number, code.to_owned()))
}
