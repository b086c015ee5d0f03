//! Lines of styled text that never exceed a width.

use std::fmt::Write;

use anstyle::Style;

use super::color::Depth;

/// How to draw on a terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) width: usize,
    pub(crate) depth: Depth,
    pub(crate) ascii: bool,
    pub(crate) quiet: bool,
}

/// A page of lines, each cut to the width.
#[derive(Debug)]
pub(crate) struct Page {
    look: Look,
    text: String,
}

/// A line in the making: pieces of text and their styles.
pub(crate) type Line = Vec<(String, Style)>;

impl Page {
    pub(crate) fn new(look: Look) -> Self {
        Self { look, text: String::new() }
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }

    pub(crate) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// Adds a line; what exceeds the width is cut off, without trailing spaces.
    pub(crate) fn line(&mut self, line: &Line) {
        let mut left = self.look.width;
        let mut plain_end = self.text.len();
        for (text, style) in line {
            let cut: String = self.fold(text).chars().take(left).collect();
            left -= cut.chars().count();
            if self.look.depth == Depth::None || *style == Style::new() {
                self.text.push_str(&cut);
            } else {
                write!(self.text, "{style}{cut}{style:#}").expect("a String takes everything");
                plain_end = self.text.len();
            }
        }
        self.text.truncate(plain_end + self.text[plain_end..].trim_end_matches(' ').len());
        self.text.push('\n');
    }

    /// Adds text, broken between words; lines after the first begin with `indent` spaces, the first as `text` does.
    pub(crate) fn wrapped(&mut self, text: &str, indent: usize, style: Style) {
        let indent = indent.min(self.look.width / 3);
        let start = text.chars().take_while(|c| *c == ' ').count().min(self.look.width / 3);
        let mut line = " ".repeat(start);
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            let length = line.chars().count();
            if !line.trim().is_empty() && length + 1 + word.chars().count() > self.look.width {
                self.line(&vec![(std::mem::take(&mut line), style)]);
                line = " ".repeat(indent);
            } else if !line.trim().is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(&vec![(line, style)]);
    }

    /// A heading.
    pub(crate) fn heading(&mut self, text: &str) {
        self.blank();
        self.wrapped(text, 0, Style::new().bold());
    }

    /// Characters that an ASCII terminal can show.
    fn fold(&self, text: &str) -> String {
        let text = super::format::printable(text);
        if !self.look.ascii {
            return text;
        }
        text.chars()
            .map(|c| match c {
                'µ' => 'u',
                '–' | '·' | '↔' => '-',
                '→' => '>',
                '×' => 'x',
                '░' => '.',
                '▒' => '+',
                '▓' => '#',
                '█' => '@',
                c if c.is_ascii() => c,
                _ => '?',
            })
            .collect()
    }
}

/// Whether rows fit with all their columns.
pub(crate) fn fits(rows: &[Vec<String>], width: usize) -> bool {
    table(rows, 0, &[], 0).iter().all(|line| line.chars().count() <= width)
}

/// Rows of cells as lines: columns are right-aligned but for the first `left`, and those that do not fit are left out in
/// the order of `dispensable`, which names the first row's cells without their units.
pub(crate) fn table(rows: &[Vec<String>], left: usize, dispensable: &[&str], width: usize) -> Vec<String> {
    let Some(head) = rows.first() else { return Vec::new() };
    let widths: Vec<usize> =
        (0..head.len()).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    let mut kept: Vec<usize> = (0..head.len()).collect();
    for name in dispensable {
        let needed: usize = kept.iter().map(|&column| widths[column] + 2).sum();
        if needed <= width + 2 {
            break;
        }
        let is_named = |head: &str| head == *name || head.strip_prefix(name).is_some_and(|unit| unit.starts_with(' '));
        kept.retain(|&column| !is_named(&head[column]));
    }
    rows.iter()
        .map(|row| {
            let cells = kept.iter().map(|&column| {
                let width = widths[column];
                if column < left { format!("{:<width$}", row[column]) } else { format!("{:>width$}", row[column]) }
            });
            cells.collect::<Vec<_>>().join("  ")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(width: usize, depth: Depth, ascii: bool) -> Look {
        Look { width, depth, ascii, quiet: false }
    }

    #[test]
    fn words_wrap_and_long_ones_are_cut() {
        let mut page = Page::new(look(10, Depth::None, false));
        page.wrapped("one two three fourfourfourfour five", 2, Style::new());
        assert_eq!(page.finish(), "one two\n  three\n  fourfour\n  five\n");
    }

    #[test]
    fn ascii_pages_hold_ascii_alone() {
        let mut page = Page::new(look(40, Depth::None, true));
        page.line(&vec![("0↔1 → 1.2 µs – ░▒▓█ ☃".to_owned(), Style::new())]);
        assert_eq!(page.finish(), "0-1 > 1.2 us - .+#@ ?\n");
    }

    #[test]
    fn styles_need_colour() {
        let bold = Style::new().bold();
        for (depth, escapes) in [(Depth::None, false), (Depth::Ansi256, true)] {
            let mut page = Page::new(look(40, depth, false));
            page.line(&vec![("x".to_owned(), bold)]);
            assert_eq!(page.finish().contains('\u{1b}'), escapes);
        }
    }

    #[test]
    fn a_table_drops_columns_in_the_order_named() {
        let rows = [["pair", "p50 ns", "p99 ns"], ["0-1", "100", "200"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows, 1, &["p99"], 80), ["pair  p50 ns  p99 ns", "0-1      100     200"]);
        assert_eq!(table(&rows, 1, &["p99"], 19), ["pair  p50 ns", "0-1      100"]);
        assert_eq!(table(&rows, 1, &["p99"], 20).len(), 2);
    }
}
