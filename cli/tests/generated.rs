//! Completions and manual pages name what `--help` names.

use std::process::{Command, Output};

fn ringmail(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ringmail")).args(args).output().unwrap()
}

fn text(args: &[&str]) -> String {
    let output = ringmail(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The verbs that the help of `of` lists.
fn verbs_of(of: &[&str]) -> Vec<String> {
    let help = text(&[of, &["--help"]].concat());
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let verbs = lines.take_while(|line| line.starts_with("  ")).map(|line| &line[2..]);
    // What begins further to the right goes on with the line before.
    verbs
        .filter(|verb| !verb.starts_with(' '))
        .filter_map(|line| Some(line.split_whitespace().next()?.into()))
        .collect()
}

fn verbs() -> Vec<String> {
    verbs_of(&[])
}

/// The long options in the help of a verb.
fn options(verb: &[&str]) -> Vec<String> {
    let help = text(&[verb, &["--help"]].concat());
    let words = help.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words.filter(|word| word.strip_prefix("--").is_some_and(|name| name.len() > 1)).map(Into::into).collect()
}

#[test]
fn each_shell_completes_each_verb() {
    let verbs = verbs();
    assert!(verbs.len() > 2, "{verbs:?}");
    for shell in ["bash", "zsh", "fish"] {
        let script = text(&["completions", shell]);
        for verb in &verbs {
            assert!(script.contains(verb.as_str()), "{shell} does not complete {verb}");
        }
    }
}

#[test]
fn bash_reads_its_completions() {
    let script = text(&["completions", "bash"]);
    let shell = Command::new("bash").args(["-c", "eval \"$1\" && complete -p ringmail", "-", &script]).output();
    let Ok(output) = shell else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("ringmail"));
}

/// The page of the verb that these words name has each option of its help.
fn check_page(verb: &[&str]) {
    let (page, name) = (text(&[&["man"], verb].concat()), verb.join("-"));
    assert!(page.contains(&format!(".TH ringmail-{name} 1")), "{page}");
    for option in options(verb) {
        let escaped = option.replace('-', "\\-");
        assert!(page.contains(&escaped), "{verb:?}: {option} is missing in:\n{page}");
    }
}

#[test]
fn the_page_of_a_verb_has_each_of_its_options() {
    assert!(text(&["man"]).contains(".TH ringmail 1"));
    for verb in verbs().iter().filter(|verb| *verb != "help") {
        check_page(&[verb]);
    }
}

#[test]
fn verbs_of_verbs_have_pages_and_completions_too() {
    let verbs: Vec<String> = verbs_of(&["latency"]).into_iter().filter(|verb| verb != "help").collect();
    for expected in ["load", "wake", "jitter"] {
        assert!(verbs.iter().any(|verb| verb == expected), "{expected} is not in {verbs:?}");
    }
    let scripts = ["bash", "zsh", "fish"].map(|shell| text(&["completions", shell]));
    for verb in &verbs {
        check_page(&["latency", verb]);
        assert!(scripts.iter().all(|script| script.contains(verb.as_str())), "{verb} is not completed");
    }
}

#[test]
fn all_pages_are_written_into_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    text(&["man", "--folder", path]);
    for page in ["ringmail.1", "ringmail-latency.1", "ringmail-latency-wake.1", "ringmail-latency-jitter.1"] {
        let page = std::fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(page.contains(".TH ringmail"), "{page}");
    }
    assert!(!folder.path().join("ringmail-answer-latency.1").exists(), "a verb that is not listed has a page");
    let missing = format!("{path}/nowhere");
    let output = ringmail(&["man", "--folder", &missing]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nowhere"));
}

#[test]
fn a_verb_that_is_not_listed_has_no_page() {
    for verb in [&["nothing"][..], &["answer-latency"], &["latency", "nothing"], &["send", "latency"]] {
        assert_eq!(ringmail(&[&["man"], verb].concat()).status.code(), Some(2), "{verb:?}");
    }
}
