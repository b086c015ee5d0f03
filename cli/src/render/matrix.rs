//! The heat map on a terminal, in the finest form that fits: at most two screens high, and never wider than the terminal.
//!
//! ```text
//!   numbers                    half blocks             groups, as numbers or half blocks
//!        0    1    2    3        0123456…                     0    8   16
//!   0    ·   52  180  181      0 ▀▀▀▄▀▀▀               0-7   50  291  292
//!   1   52    ·  182  181      2 ▀▀▀▀▀▄▀              8-15  291   51  291
//! ```
//! A half block is two cells above each other. Without colour, a shade is one cell.

use anstyle::Style;

use super::cell::cell_title;
use super::color::{self, Depth, Scale};
use super::format;
use super::grid::{By, Grid};
use super::text::{Line, Look, Page};
use crate::options::Cell;
use crate::report::Report;

/// Shades for terminals without colour, from low to high.
const SHADES: [char; 4] = ['░', '▒', '▓', '█'];

/// Lines that a matrix takes at most.
const LINES: usize = 40;

/// Draws the matrix of `cell` with a title and a scale; nothing if no pair has a figure.
pub(crate) fn draw(page: &mut Page, report: &Report, cell: Cell, look: Look) {
    let runs = (1..=report.cores.len().ilog2().max(1) + 1).map(|power| By::Run(1 << power));
    let levels: Vec<By> = [By::Core, By::Cache].into_iter().chain(runs).collect();
    // Four shades tell less than the numbers of larger groups, so cores that are put together by their order alone get them last.
    let with_shades = |shades: bool| levels.iter().map(move |&by| (by, shades || matches!(by, By::Core | By::Cache)));
    for (by, shades) in with_shades(false).chain(with_shades(true)) {
        let grid = Grid::new(report, cell, by);
        let Some(range) = grid.range() else { return };
        let matrix = Matrix { grid, cell, scale: Scale::new(range), look };
        // One group of all cores tells nothing; as many groups as cores were tried before.
        let count = matrix.grid.len();
        if by != By::Core && (count == report.cores.len() || count < 2) {
            continue;
        }
        if let Some(form) = matrix.form().filter(|form| shades || !matches!(form, Form::Shades(_))) {
            page.heading(&matrix.title());
            matrix.draw(page, form);
            matrix.legend(page);
            return;
        }
    }
}

/// How a cell is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// In so many characters.
    Numbers(usize),
    /// Two cells in a character.
    Halves,
    /// In so many characters of colour or shade.
    Shades(usize),
}

struct Matrix {
    grid: Grid,
    cell: Cell,
    scale: Scale,
    look: Look,
}

impl Matrix {
    fn title(&self) -> String {
        let of = match self.grid.by {
            By::Core => return format!("Core by core: {}", cell_title(self.cell)),
            By::Cache => "cores that share a last-level cache".to_owned(),
            By::Run(cores) => format!("{cores} cores"),
        };
        format!("Groups of {of}: {}, medians of their pairs", cell_title(self.cell))
    }

    /// The best form that fits.
    fn form(&self) -> Option<Form> {
        let (count, room) = (self.grid.len(), self.look.width.saturating_sub(self.label_width() + 1));
        let all = (0..count).flat_map(|row| (0..=row).map(move |column| (row, column)));
        let widest = if count <= LINES { all.map(|(a, b)| self.text(a, b).chars().count()).max() } else { None };
        let heads = (0..count).map(|at| self.grid.first(at).len()).max().unwrap_or(1);
        let width = widest.unwrap_or(1).max(heads) + 2;
        let gaps = self.grid.starts.iter().filter(|starts| **starts).count();
        let has_halves = self.look.depth != Depth::None && !self.look.ascii;
        match () {
            () if count <= LINES && count * width + gaps <= room => Some(Form::Numbers(width)),
            () if has_halves && count <= 2 * LINES && count <= room => Some(Form::Halves),
            // Two characters make a block about as wide as it is high.
            () if count <= LINES && count * 2 <= room => Some(Form::Shades(2)),
            () if count <= LINES && count <= room => Some(Form::Shades(1)),
            () => None,
        }
    }

    fn label_width(&self) -> usize {
        (0..self.grid.len()).map(|at| self.grid.name(at).len()).max().unwrap_or(1)
    }

    fn text(&self, row: usize, column: usize) -> String {
        match self.grid.value(row, column) {
            _ if self.grid.is_diagonal(row, column) => "·".to_owned(),
            Some((value, _)) if self.cell == Cell::Ratio => format::ratio(value),
            Some((value, resolution)) => format::short(value, resolution),
            None => "?".to_owned(),
        }
    }

    /// Place on the scale; `None` where there is no figure.
    fn place(&self, row: usize, column: usize) -> Option<f64> {
        let (value, _) = self.grid.value(row, column).filter(|_| !self.grid.is_diagonal(row, column))?;
        Some(self.scale.place(value))
    }

    fn draw(&self, page: &mut Page, form: Form) {
        let (count, labels) = (self.grid.len(), self.label_width());
        let step = match form {
            Form::Numbers(width) => {
                let mut head: Line = vec![plain(" ".repeat(labels + 1))];
                head.extend(
                    (0..count).map(|at| plain(format!("{}{:>2$} ", self.gap(at), self.grid.first(at), width - 1))),
                );
                page.line(&head);
                1
            }
            Form::Halves => {
                self.upright(page, 1);
                2
            }
            Form::Shades(width) => {
                self.upright(page, width);
                1
            }
        };
        for row in (0..count).step_by(step) {
            let mut line: Line = vec![plain(format!("{:>labels$} ", self.grid.name(row)))];
            for column in 0..count {
                match form {
                    Form::Numbers(width) => {
                        line.push(plain(self.gap(column).to_owned()));
                        let text = format!("{:>1$} ", self.text(row, column), width - 1);
                        let place = self.place(row, column);
                        line.push((text, place.map_or(Style::new(), |place| color::style(place, self.look.depth))));
                    }
                    Form::Halves => line.push(self.halves(row, column)),
                    Form::Shades(width) => line.push(self.shade(row, column, width)),
                }
            }
            page.line(&line);
        }
    }

    fn gap(&self, column: usize) -> &'static str {
        if self.grid.starts[column] { " " } else { "" }
    }

    /// The columns' ids, one digit a line.
    fn upright(&self, page: &mut Page, width: usize) {
        let labels = self.label_width();
        let digits = (0..self.grid.len()).map(|at| self.grid.first(at).len()).max().unwrap_or(1);
        for digit in 0..digits {
            let mut head = " ".repeat(labels + 1);
            for at in 0..self.grid.len() {
                let id = format!("{:>digits$}", self.grid.first(at));
                head.push_str(&format!("{:>width$}", &id[digit..=digit]));
            }
            page.line(&vec![plain(head)]);
        }
    }

    /// A row's cell above that of the next row.
    fn halves(&self, row: usize, column: usize) -> (String, Style) {
        let below = row + 1 < self.grid.len();
        let lower = if below { self.place(row + 1, column) } else { None };
        let paint = |place: f64| color::paint(place, self.look.depth);
        match (self.place(row, column), lower) {
            (Some(upper), Some(lower)) => ("▀".into(), Style::new().fg_color(paint(upper)).bg_color(paint(lower))),
            (Some(upper), None) => ("▀".into(), Style::new().fg_color(paint(upper))),
            (None, Some(lower)) => ("▄".into(), Style::new().fg_color(paint(lower))),
            (None, None) if !below && self.grid.is_diagonal(row, column) => plain("·".into()),
            (None, None) => plain("?".into()),
        }
    }

    fn shade(&self, row: usize, column: usize, width: usize) -> (String, Style) {
        match self.place(row, column) {
            None => plain(format!("{:>width$}", self.text(row, column))),
            Some(place) if self.look.depth != Depth::None => (" ".repeat(width), color::style(place, self.look.depth)),
            Some(place) => {
                let index = (place * (SHADES.len() as f64 - 0.01)) as usize;
                plain(String::from(SHADES[index.min(SHADES.len() - 1)]).repeat(width))
            }
        }
    }

    fn legend(&self, page: &mut Page) {
        let show = |value| {
            if self.cell == Cell::Ratio { format::ratio(value) } else { format::short(value, self.scale.coarsest()) }
        };
        let (low, high) = (show(self.scale.value(0.0)), show(self.scale.value(1.0)));
        let missing = if self.grid.has_gaps() { "; ? or no colour: not measured" } else { "" };
        if self.scale.is_flat() {
            let text = if low == high { format!("all cells {low}") } else { format!("all cells {low} to {high}") };
            return page.line(&vec![plain(text + missing)]);
        }
        let mut line: Line = vec![plain(format!("scale {low} "))];
        if self.look.depth == Depth::None {
            line.push(plain(SHADES.iter().collect()));
        } else {
            line.extend((0..12).map(|step| (" ".to_owned(), color::style(f64::from(step) / 11.0, self.look.depth))));
        }
        line.push(plain(format!(" {high} (log){missing}")));
        page.line(&line);
    }
}

fn plain(text: String) -> (String, Style) {
    (text, Style::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    fn of(report: &Report, width: usize, depth: Depth) -> String {
        let look = Look { width, depth, ascii: false, quiet: false };
        let mut page = Page::new(look);
        draw(&mut page, report, Cell::P50, look);
        page.finish()
    }

    fn drawn(cores: usize, width: usize, depth: Depth) -> String {
        of(&fixture::report(cores), width, depth)
    }

    /// Without escape sequences.
    fn bare(text: &str) -> String {
        text.split('\u{1b}')
            .enumerate()
            .map(|(at, part)| if at == 0 { part } else { part.split_once('m').unwrap().1 })
            .collect()
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
    fn narrow_terminals_get_blocks_and_then_groups() {
        let blocks = drawn(16, 40, Depth::None);
        assert_eq!(blocks.matches('·').count(), 16, "{blocks}");
        let groups = drawn(16, 34, Depth::True);
        assert!(groups.contains("Core by core") && groups.contains('▀'), "{groups}");
        let groups = drawn(64, 30, Depth::None);
        assert!(groups.contains("Groups of cores that share") && groups.contains("60-63 █"), "{groups}");
    }

    #[test]
    fn colour_shows_two_rows_in_one_line() {
        let text = bare(&drawn(64, 110, Depth::True));
        let rows: Vec<&str> = text.lines().filter(|line| line.contains('▀')).collect();
        assert_eq!(rows.len(), 32, "{text}");
        assert!(rows.iter().all(|row| row.chars().count() == 3 + 64), "{text}");
        // Core 0 has no figure with itself, and shows that of core 1 below.
        assert!(rows[0].starts_with(" 0 ▄▀▀▀"), "{}", rows[0]);
        assert!(!text.contains('?'));
    }

    #[test]
    fn any_machine_fits_two_screens_and_any_width() {
        for cores in [2, 3, 8, 16, 64, 128] {
            let report = fixture::sockets(cores);
            for depth in [Depth::None, Depth::True] {
                for width in [1, 5, 12, 20, 40, 79, 110, 300] {
                    let text = bare(&of(&report, width, depth));
                    let longest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
                    assert!(longest <= width, "{longest} > {width} with {cores} cores:\n{text}");
                    let most = LINES + 8 + 200 / width;
                    assert!(text.lines().count() <= most, "{width} wide, {cores} cores:\n{text}");
                }
            }
        }
    }

    #[test]
    fn a_large_machine_has_a_row_of_numbers_for_each_l3() {
        let text = of(&fixture::sockets(128), 110, Depth::None);
        assert!(
            text.contains("Groups of cores that share a last-level cache: round trip, p50, ns, medians of their pairs"),
            "{text}"
        );
        let row = text.lines().find(|line| line.starts_with("    0-7 ")).unwrap();
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!((cells.len(), cells[1], cells[16]), (17, "51", "470"), "{text}");
    }

    #[test]
    fn missing_pairs_are_marked_not_invented() {
        let look = Look { width: 80, depth: Depth::None, ascii: true, quiet: false };
        let mut report = fixture::report(4);
        report.pairs.pop();
        let mut page = Page::new(look);
        draw(&mut page, &report, Cell::Ratio, look);
        let text = page.finish();
        assert_eq!(text.matches(" ?").count(), 2 + 1, "two cells and the legend: {text}");
        assert!(text.contains("? or no colour: not measured"));
        let mut half = fixture::report(64);
        fixture::cut_short(&mut half, 1000);
        assert!(bare(&of(&half, 110, Depth::True)).contains("????"));
    }

    #[test]
    fn colour_escapes_are_closed_on_every_line() {
        for cores in [4, 64] {
            let text = drawn(cores, 80, Depth::True);
            assert!(text.contains("\u{1b}[48;2;"));
            for line in text.lines().filter(|line| line.contains('\u{1b}')) {
                assert!(line.contains("\u{1b}[0m"), "{line:?}");
            }
        }
    }
}
