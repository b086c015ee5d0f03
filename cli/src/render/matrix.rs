//! The heat map on a terminal, in the largest of three forms that fits its width.
//!
//! ```text
//!   numbers                    blocks                bands of blocks
//!        0    1    2    3        0 1 2 3               0 1    (columns 0, 1)
//!   0    ·   52  180  181      0 ·░▓▓                0 ·░
//!   1   52    ·  182  181      1 ░·▓▓                …
//! ```

use anstyle::Style;

use super::cell::{cell_range, cell_title, cell_value};
use super::color::{self, Depth, Scale};
use super::format;
use super::text::{Line, Look, Page};
use crate::options::Cell;
use crate::report::{Index, Report};

/// Shades for terminals without colour, from low to high.
const SHADES: [char; 4] = ['░', '▒', '▓', '█'];

/// Draws the matrix of `cell` with a title and a scale; nothing if no pair has a figure.
pub(crate) fn draw(page: &mut Page, report: &Report, cell: Cell, look: Look) {
    let Some(range) = cell_range(report, cell) else { return };
    let scale = Scale::new(range);
    let matrix = Matrix { report, index: report.index(), cell, scale, look };
    page.heading(&format!("Core by core: {}", cell_title(cell)));
    let ids = report.cores.iter().map(|core| core.id.to_string().len()).max().unwrap_or(1);
    let label = |a: usize, b: usize| matrix.label(a, b).chars().count();
    let widest = report.pairs.iter().map(|pair| label(pair.cores[0], pair.cores[1])).max().unwrap_or(1);
    let width = widest.max(ids) + 2;
    let gaps = (1..report.cores.len()).filter(|&column| matrix.starts_group(column)).count();
    let room = look.width.saturating_sub(ids + 1).max(1);
    let cores = report.cores.len();
    if cores * width + gaps <= room {
        matrix.numbers(page, ids, width);
    } else {
        // Two characters make a block about as wide as it is high.
        let width = if cores * 2 <= room { 2 } else { 1 };
        for first in (0..cores).step_by(room / width) {
            matrix.blocks(page, ids, width, first..(first + room / width).min(cores));
        }
    }
    matrix.legend(page);
}

struct Matrix<'a> {
    report: &'a Report,
    index: Index<'a>,
    cell: Cell,
    scale: Scale,
    look: Look,
}

impl Matrix<'_> {
    fn value(&self, a: usize, b: usize) -> Option<(f64, f64)> {
        cell_value(self.index.pair(a, b)?, self.cell)
    }

    fn label(&self, a: usize, b: usize) -> String {
        match self.value(a, b) {
            _ if a == b => "·".to_owned(),
            Some((value, _)) if self.cell == Cell::Ratio => format::ratio(value),
            Some((value, resolution)) => format::short(value, resolution),
            None => "?".to_owned(),
        }
    }

    fn style(&self, a: usize, b: usize) -> Style {
        match self.value(a, b) {
            Some((value, _)) if a != b => color::style(self.scale.place(value), self.look.depth),
            _ => Style::new(),
        }
    }

    /// Whether this column's core shares no L3 with the one before.
    fn starts_group(&self, column: usize) -> bool {
        column > 0 && self.report.cores[column - 1].l3 != self.report.cores[column].l3
    }

    fn numbers(&self, page: &mut Page, ids: usize, width: usize) {
        let cores = &self.report.cores;
        let plain = |text: String| (text, Style::new());
        let gap = |column| if self.starts_group(column) { " " } else { "" };
        let mut head: Line = vec![plain(" ".repeat(ids + 1))];
        head.extend(
            cores.iter().enumerate().map(|(at, core)| plain(format!("{}{:>2$} ", gap(at), core.id, width - 1))),
        );
        page.line(&head);
        for row in cores {
            let mut line: Line = vec![plain(format!("{:>ids$} ", row.id))];
            for (at, column) in cores.iter().enumerate() {
                line.push(plain(gap(at).to_owned()));
                let label = format!("{:>1$} ", self.label(row.id, column.id), width - 1);
                line.push((label, self.style(row.id, column.id)));
            }
            page.line(&line);
        }
    }

    fn blocks(&self, page: &mut Page, ids: usize, width: usize, columns: std::ops::Range<usize>) {
        let cores = &self.report.cores;
        // Column ids stand upright, one digit a line.
        for digit in 0..ids {
            let mut head = " ".repeat(ids + 1);
            for core in &cores[columns.clone()] {
                let id = format!("{:>ids$}", core.id);
                head.push_str(&format!("{:>width$}", &id[digit..=digit]));
            }
            page.line(&vec![(head, Style::new())]);
        }
        for row in cores {
            let mut line: Line = vec![(format!("{:>ids$} ", row.id), Style::new())];
            for column in &cores[columns.clone()] {
                let text = match self.value(row.id, column.id) {
                    _ if row.id == column.id => "·",
                    None => "?",
                    Some(_) if self.look.depth != Depth::None => " ",
                    Some((value, _)) => {
                        let index = (self.scale.place(value) * (SHADES.len() as f64 - 0.01)) as usize;
                        &String::from(SHADES[index.min(SHADES.len() - 1)])
                    }
                };
                let text = if text == "·" || text == "?" { format!("{text:>width$}") } else { text.repeat(width) };
                line.push((text, self.style(row.id, column.id)));
            }
            page.line(&line);
        }
    }

    fn legend(&self, page: &mut Page) {
        let show = |value| {
            if self.cell == Cell::Ratio { format::ratio(value) } else { format::short(value, self.scale.coarsest()) }
        };
        let (low, high) = (show(self.scale.value(0.0)), show(self.scale.value(1.0)));
        if self.scale.is_flat() {
            let text = if low == high { format!("all cells {low}") } else { format!("all cells {low} to {high}") };
            return page.line(&vec![(text, Style::new())]);
        }
        let mut line: Line = vec![(format!("scale {low} "), Style::new())];
        if self.look.depth == Depth::None {
            line.push((SHADES.iter().collect(), Style::new()));
        } else {
            line.extend((0..12).map(|step| (" ".to_owned(), color::style(f64::from(step) / 11.0, self.look.depth))));
        }
        line.push((format!(" {high} (log)"), Style::new()));
        page.line(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    fn drawn(cores: usize, width: usize, depth: Depth) -> String {
        let look = Look { width, depth, ascii: false, quiet: false };
        let mut page = Page::new(look);
        draw(&mut page, &fixture::report(cores), Cell::P50, look);
        page.finish()
    }

    #[test]
    fn wide_terminals_get_numbers_in_a_symmetric_matrix() {
        let text = drawn(4, 80, Depth::None);
        let rows: Vec<Vec<&str>> =
            text.lines().skip(3).take(4).map(|line| line.split_whitespace().skip(1).collect()).collect();
        for (a, row) in rows.iter().enumerate() {
            assert_eq!((row.len(), row[a]), (4, "·"));
            assert!((0..4).all(|b| row[b] == rows[b][a]));
        }
        assert!(!text.contains('?'));
    }

    #[test]
    fn narrow_terminals_get_blocks_then_bands_and_lose_no_core() {
        let blocks = drawn(16, 40, Depth::None);
        assert_eq!(blocks.matches('·').count(), 16);
        let bands = drawn(64, 30, Depth::None);
        assert_eq!(bands.matches('·').count(), 64);
        assert!(bands.lines().count() > 3 * 64);
    }

    #[test]
    fn no_line_exceeds_any_width() {
        for cores in [2, 3, 8, 16, 100] {
            for width in [1, 2, 5, 12, 20, 40, 79, 120, 300] {
                let text = drawn(cores, width, Depth::None);
                let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
                assert!(longest <= width, "{longest} > {width} with {cores} cores:\n{text}");
            }
        }
    }

    #[test]
    fn missing_pairs_are_marked_not_invented() {
        let look = Look { width: 80, depth: Depth::None, ascii: true, quiet: false };
        let mut report = fixture::report(4);
        report.pairs.pop();
        let mut page = Page::new(look);
        draw(&mut page, &report, Cell::Ratio, look);
        assert_eq!(page.finish().matches('?').count(), 2);
    }

    #[test]
    fn colour_escapes_are_closed_on_every_line() {
        let text = drawn(4, 80, Depth::True);
        assert!(text.contains("\u{1b}[48;2;"));
        for line in text.lines().filter(|line| line.contains('\u{1b}')) {
            assert!(line.contains("\u{1b}[0m"), "{line:?}");
        }
    }
}
