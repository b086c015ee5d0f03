//! The cells of a heat map in SVG, with core ids, lines between sockets, nodes and caches, and a scale.

use std::collections::HashMap;
use std::fmt::Write;

use super::cell::cell_value;
use super::color::{self, Scale};
use super::format::{self, escape};
use super::svg::Svg;
use super::{headline, summary, units};
use crate::options::Cell;
use crate::report::{CoreInfo, Pair, Report};

/// Cores up to which each cell is an element of its own, with a tooltip.
const TOOLTIPS: usize = 48;
/// Cores up to which cells hold numbers.
const NUMBERS: usize = 24;
/// Shades that a large matrix is reduced to; each is one path.
const SHADES: usize = 40;

const LEFT: f64 = 64.0;
const TOP: f64 = 28.0;
const BELOW: f64 = 84.0;
/// Of the scale.
const SCALE: f64 = 240.0;

pub(crate) struct Heat<'a> {
    report: &'a Report,
    cell: Cell,
    scale: Scale,
    /// Of a cell.
    size: f64,
}

/// A border between groups of cores: its name, its width, and what cores on both sides do not share.
type Border = (&'static str, f64, fn(&CoreInfo) -> Option<usize>);

/// The thickest first.
const BORDERS: [Border; 3] = [
    ("sockets", 4.0, |core| core.package),
    ("NUMA nodes", 2.5, |core| core.node),
    ("last-level caches", 1.0, CoreInfo::last_level_cache),
];

impl<'a> Heat<'a> {
    pub(crate) fn new(report: &'a Report, cell: Cell, scale: Scale) -> Self {
        let size = match report.cores.len() {
            0..=8 => 64.0,
            9..=NUMBERS => 44.0,
            cores => (1000.0 / cores as f64).max(2.0),
        };
        Self { report, cell, scale, size }
    }

    /// Width and height, with all that stands around the cells.
    pub(crate) fn size(&self) -> (f64, f64) {
        let side = self.side();
        ((LEFT + side).max(LEFT + SCALE + 40.0) + 16.0, TOP + side + BELOW)
    }

    pub(crate) fn draw(&self, svg: &mut Svg) {
        self.labels(svg);
        if self.report.cores.len() <= TOOLTIPS {
            self.cells(svg)
        } else {
            self.paths(svg)
        }
        let borders = self.borders(svg);
        self.legend(svg, &borders);
    }

    fn side(&self) -> f64 {
        self.size * self.report.cores.len() as f64
    }

    fn show(&self, (value, resolution): (f64, f64)) -> String {
        if self.cell == Cell::Ratio { format::ratio(value) } else { format::short(value, resolution) }
    }

    /// Core ids above and beside; every n-th when they would touch.
    fn labels(&self, svg: &mut Svg) {
        let step = (30.0 / self.size).ceil() as usize;
        for (index, core) in self.report.cores.iter().enumerate().step_by(step) {
            let middle = self.size * (index as f64 + 0.5);
            let id = core.id.to_string();
            svg.text(LEFT + middle, TOP - 8.0, "text-anchor=\"middle\" class=\"rm-soft\"", &id);
            svg.text(LEFT - 8.0, TOP + middle + 4.5, "text-anchor=\"end\" class=\"rm-soft\"", &id);
        }
        svg.text(LEFT - 8.0, TOP - 8.0, "text-anchor=\"end\" class=\"rm-soft\"", "core");
    }

    fn cells(&self, svg: &mut Svg) {
        let (cores, size, index) = (&self.report.cores, self.size, self.report.index());
        let inner = if size > 20.0 { size - 2.0 } else { size };
        let round = if size > 20.0 { " rx=\"4\"" } else { "" };
        for (row, a) in cores.iter().enumerate() {
            for (column, b) in cores.iter().enumerate() {
                let (x, y) = (LEFT + size * column as f64, TOP + size * row as f64);
                let pair = index.pair(a.id, b.id).filter(|_| a.id != b.id);
                let value = pair.and_then(|pair| Some((pair, cell_value(pair, self.cell)?)));
                let fill = match value {
                    Some((_, (value, _))) => format!("fill=\"{}\"", color::hex(self.scale.place(value))),
                    None => "class=\"rm-none\"".to_owned(),
                };
                let tip = match value {
                    _ if a.id == b.id => format!("core {}", a.id),
                    Some((pair, _)) => tooltip(self.report, pair),
                    None => format!("{}↔{}: not measured", a.id, b.id),
                };
                let tip = escape(&tip);
                svg.put(format_args!(
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{inner:.1}\" height=\"{inner:.1}\"{round} {fill}>\
                     <title>{tip}</title></rect>"
                ));
                if cores.len() > NUMBERS || a.id == b.id {
                    continue;
                }
                let (text, ink) = match value {
                    Some((_, value)) if !color::is_light(self.scale.place(value.0)) => {
                        (self.show(value), "fill=\"#fff\"")
                    }
                    Some((_, value)) => (self.show(value), "fill=\"#111\""),
                    None => ("?".to_owned(), "class=\"rm-gap\""),
                };
                let attributes = format!("text-anchor=\"middle\" {ink} pointer-events=\"none\"");
                svg.text(x + inner / 2.0, y + inner / 2.0 + 4.5, &attributes, &text);
            }
        }
    }

    /// A path for each shade, of runs of equal cells, below the diagonal; its mirror image is above. So a matrix of hundreds of cores stays a
    /// small file.
    fn paths(&self, svg: &mut Svg) {
        let cores = self.report.cores.len();
        let place: HashMap<usize, usize> =
            self.report.cores.iter().enumerate().map(|(index, core)| (core.id, index)).collect();
        let mut shades = vec![None; cores * cores];
        for pair in &self.report.pairs {
            let Some((value, _)) = cell_value(pair, self.cell) else { continue };
            let [Some(&a), Some(&b)] = pair.cores.map(|id| place.get(&id)) else { continue };
            let shade = (self.scale.place(value) * (SHADES - 1) as f64).round() as usize;
            shades[a.max(b) * cores + a.min(b)] = Some(shade);
        }
        // And the row and the column at which each path ends: within a row, moves are relative, for these are shorter.
        let mut paths = vec![(String::new(), (0, 0)); SHADES];
        for row in 1..cores {
            let mut column = 0;
            for run in shades[row * cores..row * cores + row].chunk_by(|a, b| a == b) {
                if let Some(shade) = run[0] {
                    let (path, end) = &mut paths[shade];
                    let length = run.len();
                    if end.0 == row {
                        write!(path, "m{} 0h{length}", column - end.1)
                    } else {
                        write!(path, "M{column} {row}.5h{length}")
                    }
                    .expect("a String takes everything");
                    *end = (row, column + length);
                }
                column += run.len();
            }
        }
        let (size, side) = (self.size, self.side());
        svg.put(format_args!(
            "<rect class=\"rm-none\" x=\"{LEFT}\" y=\"{TOP}\" width=\"{side:.1}\" height=\"{side:.1}\"/>"
        ));
        svg.put(format_args!(
            "<g transform=\"translate({LEFT} {TOP}) scale({size:.4})\" shape-rendering=\"crispEdges\">"
        ));
        svg.put(format_args!("<g id=\"rm-half\" fill=\"none\" stroke-width=\"1.01\">"));
        for (shade, (path, _)) in paths.iter().enumerate().filter(|(_, (path, _))| !path.is_empty()) {
            let stroke = color::hex(shade as f64 / (SHADES - 1) as f64);
            svg.put(format_args!("<path stroke=\"{stroke}\" d=\"{path}\"/>"));
        }
        svg.put(format_args!("</g><use href=\"#rm-half\" transform=\"matrix(0 1 1 0 0 0)\"/></g>"));
    }

    /// Lines where cores stop sharing. Returns the names of those that occur.
    fn borders(&self, svg: &mut Svg) -> Vec<&'static str> {
        let (cores, side) = (&self.report.cores, self.side());
        let mut drawn: Vec<Vec<usize>> = vec![vec![]; BORDERS.len()];
        for index in 1..cores.len() {
            let differs = |border: &Border| border.2(&cores[index - 1]) != border.2(&cores[index]);
            if let Some(border) = BORDERS.iter().position(differs) {
                drawn[border].push(index);
            }
        }
        for ((_, width, _), at) in BORDERS.iter().zip(&drawn).rev().filter(|(_, at)| !at.is_empty()) {
            let mut path = String::new();
            for index in at {
                let at = self.size * *index as f64 - if self.size > 20.0 { 1.0 } else { 0.0 };
                let (x, y, right, bottom) = (LEFT + at, TOP + at, LEFT + side, TOP + side);
                write!(path, "M{x:.1} {TOP}V{bottom:.1}M{LEFT} {y:.1}H{right:.1}").expect("a String takes everything");
            }
            // Where cells are small or lines are many, they must not hide what they part.
            let width = if self.size < 6.0 { width / 2.0 } else { *width };
            let faint = if side / (at.len() as f64 + 1.0) < 30.0 { " stroke-opacity=\".25\"" } else { "" };
            svg.put(format_args!("<path class=\"rm-line\" stroke-width=\"{width}\"{faint} d=\"{path}\"/>"));
        }
        BORDERS.iter().zip(&drawn).filter(|(_, at)| !at.is_empty()).map(|((name, ..), _)| *name).collect()
    }

    fn legend(&self, svg: &mut Svg, borders: &[&str]) {
        const STEPS: i32 = 40;
        let y = TOP + self.side() + 16.0;
        let show = |place| self.show((self.scale.value(place), self.scale.coarsest()));
        let unit = if self.cell == Cell::Ratio { "times the floor" } else { "ns" };
        let step = SCALE / f64::from(STEPS);
        let mut notes = Vec::new();
        if self.scale.is_flat() {
            let (low, high) = (show(0.0), show(1.0));
            let text = if low == high { low } else { format!("{low} to {high}") };
            svg.text(LEFT, y + 12.0, "class=\"rm-soft\"", &format!("all cells {text} {unit}"));
        } else {
            svg.put(format_args!("<g shape-rendering=\"crispEdges\">"));
            for index in 0..STEPS {
                let fill = color::hex(f64::from(index) / f64::from(STEPS - 1));
                let x = LEFT + f64::from(index) * step;
                svg.put(format_args!(
                    "<rect x=\"{x:.0}\" y=\"{y:.0}\" width=\"{step}\" height=\"14\" fill=\"{fill}\"/>"
                ));
            }
            svg.put(format_args!("</g>"));
            for (place, anchor) in [(0.0, "start"), (0.5, "middle"), (1.0, "end")] {
                let attributes = format!("text-anchor=\"{anchor}\" class=\"rm-soft\"");
                svg.text(LEFT + place * SCALE, y + 30.0, &attributes, &show(place));
            }
            svg.text(LEFT + SCALE + 10.0, y + 12.0, "class=\"rm-soft\"", unit);
            notes.push("logarithmic".to_owned());
        }
        if self.report.pairs.len() < self.report.planned_pairs {
            notes.push("grey: not measured".into());
        }
        if !borders.is_empty() {
            let thick = if borders.len() > 1 { ", the thickest first" } else { "" };
            notes.push(format!("lines part {}{thick}", borders.join(", ")));
        }
        svg.text(LEFT, y + 48.0, "class=\"rm-soft\"", &notes.join("; "));
    }
}

/// A pair's figures in a line.
fn tooltip(report: &Report, pair: &Pair) -> String {
    let (figures, ratio) = pair.headline();
    let time = |ns| units::time(ns, figures.resolution_ns);
    let [a, b] = pair.cores;
    let lead = format!("{a}↔{b}, {}", summary::relation_of(report, pair));
    let (p50, p99, p999) = (time(figures.p50_ns), time(figures.p99_ns), time(figures.p999_ns));
    let floor = units::time(pair.floor.p50_ns, pair.floor.resolution_ns);
    let ratio = ratio.map_or("no ratio".to_owned(), |ratio| format!("{} ×", format::ratio(ratio.median)));
    let levels = if pair.bands.is_empty() { String::new() } else { format!("; {}", headline::levels(pair)) };
    format!("{lead}: p50 {p50}, p99 {p99}, p99.9 {p999}; floor {floor}, {ratio}{levels}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::cell::cell_range;
    use crate::render::fixture;

    fn drawn(report: &Report, cell: Cell) -> String {
        let mut svg = Svg(String::new());
        Heat::new(report, cell, Scale::new(cell_range(report, cell).unwrap())).draw(&mut svg);
        svg.0
    }

    #[test]
    fn lines_part_sockets_nodes_and_caches_by_their_width() {
        let text = drawn(&fixture::sockets(64), Cell::P50);
        let moves = |width: &str| {
            let path = text.lines().find(|line| line.contains(&format!("stroke-width=\"{width}\" d="))).unwrap();
            path.matches('V').count()
        };
        assert_eq!((moves("4"), moves("2.5"), moves("1")), (1, 2, 4), "{text}");
        assert!(text.contains("lines part sockets, NUMA nodes, last-level caches, the thickest first"));
        let one = drawn(&fixture::report(8), Cell::P50);
        assert!(one.contains("lines part last-level caches<") && one.matches("rm-line").count() == 1, "{one}");
        let flat = drawn(&fixture::report(2), Cell::P50);
        assert!(flat.contains(">all cells 12 ns<") && !flat.contains("lines part") && !flat.contains("logarithmic"));
    }

    #[test]
    fn paths_hold_every_pair_once_and_its_mirror_image() {
        let report = fixture::sockets(64);
        let text = drawn(&report, Cell::P50);
        assert!(text.contains("<use href=\"#rm-half\"") && !text.contains("<title>"));
        let cells: usize = text
            .lines()
            .filter(|line| line.starts_with("<path stroke"))
            .flat_map(|line| line.split('h').skip(1))
            .filter_map(|run| run.split(|c: char| !c.is_ascii_digit()).next()?.parse::<usize>().ok())
            .sum();
        assert_eq!(cells, report.pairs.len());
    }

    #[test]
    fn what_was_not_measured_is_grey_and_said() {
        let mut report = fixture::report(4);
        fixture::cut_short(&mut report, 4);
        let text = drawn(&report, Cell::P50);
        assert_eq!(text.matches("not measured</title>").count(), 4);
        assert_eq!(text.matches(">?</text>").count(), 4);
        assert!(text.contains("grey: not measured"));
        assert!(drawn(&report, Cell::Ratio).contains("times the floor"));
    }
}
