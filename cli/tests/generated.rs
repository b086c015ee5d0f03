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

/// The verbs that `--help` lists.
fn verbs() -> Vec<String> {
    let help = text(&["--help"]);
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let verbs = lines.take_while(|line| line.starts_with("  ")).map(|line| &line[2..]);
    // What begins further to the right goes on with the line before.
    verbs
        .filter(|verb| !verb.starts_with(' '))
        .filter_map(|line| Some(line.split_whitespace().next()?.into()))
        .collect()
}

/// The long options in the help of a verb.
fn options(verb: &str) -> Vec<String> {
    let help = text(&[verb, "--help"]);
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

#[test]
fn the_page_of_a_verb_has_each_of_its_options() {
    assert!(text(&["man"]).contains(".TH ringmail 1"));
    for verb in verbs().iter().filter(|verb| *verb != "help") {
        let page = text(&["man", verb]);
        assert!(page.contains(&format!(".TH ringmail-{verb} 1")), "{page}");
        for option in options(verb) {
            let escaped = option.replace('-', "\\-");
            assert!(page.contains(&escaped), "{verb}: {option} is missing in:\n{page}");
        }
    }
}

#[test]
fn a_verb_that_is_not_listed_has_no_page() {
    for verb in ["nothing", "answer-latency"] {
        assert_eq!(ringmail(&["man", verb]).status.code(), Some(2), "{verb}");
    }
}
