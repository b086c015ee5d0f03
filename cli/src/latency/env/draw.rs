//! The verdict and the checks, for a person at a terminal.

use anstyle::{AnsiColor, Style};

use super::Findings;
use super::verdict::Verdict;
use crate::checks::{Check, State};
use crate::render::text::{Line, Look, Page};

const STATE: usize = 9;
const NAME: usize = 20;
/// Narrower terminals get what was seen on lines of its own.
const WIDE: usize = 64;

pub(super) fn draw(findings: &Findings, look: Look) -> String {
    let mut page = Page::new(look);
    let color = match findings.verdict {
        Verdict::Fit => AnsiColor::Green,
        Verdict::FitWithDoubts => AnsiColor::Yellow,
        Verdict::Unfit => AnsiColor::Red,
    };
    page.wrapped(&findings.sentence, 2, color.on_default().bold());
    page.blank();
    for check in findings.checks.iter().filter(|check| !look.quiet || check.state == State::Warn) {
        line(&mut page, check, look.width);
    }
    page.finish()
}

fn line(page: &mut Page, check: &Check, width: usize) {
    let (state, style) = match check.state {
        State::Ok => ("ok", AnsiColor::Green.on_default()),
        State::Warn if check.grave => ("WARN", AnsiColor::Red.on_default().bold()),
        State::Warn => ("WARN", AnsiColor::Yellow.on_default().bold()),
        State::Unknown => ("unknown", Style::new().dimmed()),
    };
    let head: Line = vec![(format!("{state:<STATE$}"), style), (format!("{:<NAME$}", check.name), Style::new().bold())];
    let text = match &check.remedy {
        Some(remedy) => format!("{} -> {remedy}", check.seen),
        None => check.seen.clone(),
    };
    let wide = width >= WIDE;
    let indent = if wide { STATE + NAME } else { 2.min(width / 3) };
    let mut rest = words(&text, width - indent).into_iter();
    let first = if wide { rest.next() } else { None };
    page.line(&head.into_iter().chain(first.map(|text| (text, Style::new()))).collect());
    for part in rest {
        page.line(&vec![(" ".repeat(indent) + &part, Style::new())]);
    }
}

/// Text in lines of at most `width`, broken between words; a word that is longer is broken, too, so that paths stay whole to the reader.
fn words(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let letters: Vec<char> = word.chars().collect();
        for (at, piece) in letters.chunks(width).enumerate() {
            let line = lines.last_mut().expect("there is one from the start");
            let used = line.chars().count();
            let space = usize::from(used > 0);
            if used + space + piece.len() > width || at > 0 {
                lines.push(piece.iter().collect());
            } else {
                line.extend(std::iter::repeat_n(' ', space).chain(piece.iter().copied()));
            }
        }
    }
    lines
}
