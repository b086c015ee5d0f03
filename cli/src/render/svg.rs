//! The heat map as one SVG without scripts, fonts or links, so that it can stand in any page.

use std::fmt::Write;

use super::cell::{cell_range, cell_title, cell_value};
use super::color::{self, Scale};
use super::format::{self, escape};
use crate::options::Cell;
use crate::report::{Pair, Report};

/// Cores up to which each cell is an element of its own, with a tooltip.
const TOOLTIPS: usize = 64;
/// Cores up to which cells hold numbers.
const NUMBERS: usize = 24;
/// Shades that a large matrix is reduced to; each is one path.
const SHADES: usize = 48;

const LEFT: f64 = 64.0;
const TOP: f64 = 104.0;

pub(crate) fn draw(report: &Report, cell: Cell) -> String {
    let cores = report.cores.len();
    let size = match cores {
        0..=8 => 64.0,
        9..=NUMBERS => 44.0,
        _ => (1000.0 / cores as f64).max(3.0),
    };
    let side = size * cores as f64;
    let (width, height) = ((LEFT + side + 32.0).max(640.0), TOP + side + 84.0);
    let mut svg = Svg(String::new());
    svg.put(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" font-family=\"system-ui,'DejaVu Sans',sans-serif\" font-size=\"13\" fill=\"#1b2230\">"
    ));
    svg.put(format_args!("<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"));
    let settings = &report.settings;
    let title = format!("ringmail: {}", cell_title(cell));
    svg.text(20.0, 32.0, "font-size=\"19\" font-weight=\"600\"", &title);
    let cpu = report.env.cpu_model.as_deref().unwrap_or("unknown CPU");
    svg.text(20.0, 54.0, "fill=\"#566\"", &format!("{cpu}; {} of {} pairs", report.pairs.len(), report.planned_pairs));
    let how = format!("{} B messages, capacity {}, wait {}", settings.payload_bytes, settings.capacity, settings.wait);
    svg.text(20.0, 72.0, "fill=\"#566\"", &how);
    if let Some(range) = cell_range(report, cell) {
        let map = Map { report, cell, scale: Scale::new(range), size };
        map.labels(&mut svg);
        if cores <= TOOLTIPS {
            map.cells(&mut svg)
        } else {
            map.paths(&mut svg)
        }
        map.groups(&mut svg);
        map.legend(&mut svg, TOP + side + 28.0);
    } else {
        svg.text(20.0, 96.0, "", "No pair was measured.");
    }
    svg.0.push_str("</svg>\n");
    svg.0
}

/// SVG text in the making.
pub(crate) struct Svg(pub(crate) String);

impl Svg {
    pub(crate) fn put(&mut self, element: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{element}").expect("a String takes everything");
    }

    pub(crate) fn text(&mut self, x: f64, y: f64, attributes: &str, text: &str) {
        self.put(format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" {attributes}>{}</text>", escape(text)));
    }
}

struct Map<'a> {
    report: &'a Report,
    cell: Cell,
    scale: Scale,
    size: f64,
}

impl Map<'_> {
    fn value(&self, pair: &Pair) -> Option<(f64, f64)> {
        cell_value(pair, self.cell)
    }

    fn show(&self, (value, resolution): (f64, f64)) -> String {
        if self.cell == Cell::Ratio { format::ratio(value) } else { format::short(value, resolution) }
    }

    /// Core ids above and beside; every n-th when they would touch.
    fn labels(&self, svg: &mut Svg) {
        let step = (26.0 / self.size).ceil() as usize;
        for (index, core) in self.report.cores.iter().enumerate().step_by(step) {
            let middle = self.size * (index as f64 + 0.5);
            svg.text(LEFT + middle, TOP - 8.0, "text-anchor=\"middle\" fill=\"#566\"", &core.id.to_string());
            svg.text(LEFT - 8.0, TOP + middle + 4.5, "text-anchor=\"end\" fill=\"#566\"", &core.id.to_string());
        }
    }

    fn cells(&self, svg: &mut Svg) {
        let (cores, size, index) = (&self.report.cores, self.size, self.report.index());
        let inner = if size > 20.0 { size - 2.0 } else { size };
        for (row, a) in cores.iter().enumerate() {
            for (column, b) in cores.iter().enumerate() {
                let (x, y) = (LEFT + size * column as f64, TOP + size * row as f64);
                let pair = index.pair(a.id, b.id).filter(|_| a.id != b.id);
                let value = pair.and_then(|pair| Some((pair, self.value(pair)?)));
                let fill = value.map_or("#eef0f3".to_owned(), |(_, (value, _))| color::hex(self.scale.place(value)));
                let tip = match value {
                    _ if a.id == b.id => format!("core {}", a.id),
                    Some((pair, _)) => tooltip(pair),
                    None => format!("cores {} and {}: not measured", a.id, b.id),
                };
                let tip = escape(&tip);
                svg.put(format_args!(
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{inner:.1}\" height=\"{inner:.1}\" rx=\"{:.0}\" \
                     fill=\"{fill}\"><title>{tip}</title></rect>",
                    if size > 20.0 { 4 } else { 0 }
                ));
                if cores.len() > NUMBERS || a.id == b.id {
                    continue;
                }
                let (text, ink) = match value {
                    Some((_, value)) if !color::is_light(self.scale.place(value.0)) => (self.show(value), "#fff"),
                    Some((_, value)) => (self.show(value), "#111"),
                    None => ("?".to_owned(), "#889"),
                };
                let attributes = format!("text-anchor=\"middle\" fill=\"{ink}\" pointer-events=\"none\"");
                svg.text(x + inner / 2.0, y + inner / 2.0 + 4.5, &attributes, &text);
            }
        }
    }

    /// One path per shade: a matrix of hundreds of cores stays a file that opens.
    fn paths(&self, svg: &mut Svg) {
        let mut shades = vec![String::new(); SHADES];
        let place: std::collections::HashMap<usize, usize> =
            self.report.cores.iter().enumerate().map(|(index, core)| (core.id, index)).collect();
        for pair in &self.report.pairs {
            let Some((value, _)) = self.value(pair) else { continue };
            let shade = (self.scale.place(value) * (SHADES - 1) as f64).round() as usize;
            let [Some(a), Some(b)] = pair.cores.map(|id| place.get(&id)) else { continue };
            for (row, column) in [(a, b), (b, a)] {
                let (x, y) = (LEFT + self.size * *column as f64, TOP + self.size * *row as f64);
                let size = self.size;
                write!(shades[shade], "M{x:.1} {y:.1}h{size:.2}v{size:.2}h-{size:.2}z")
                    .expect("a String takes everything");
            }
        }
        for (shade, path) in shades.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
            let fill = color::hex(shade as f64 / (SHADES - 1) as f64);
            svg.put(format_args!("<path fill=\"{fill}\" d=\"{path}\"/>"));
        }
    }

    /// Lines where cores stop sharing an L3.
    fn groups(&self, svg: &mut Svg) {
        let cores = &self.report.cores;
        let side = self.size * cores.len() as f64;
        for index in (1..cores.len()).filter(|&index| cores[index - 1].l3 != cores[index].l3) {
            let at = self.size * index as f64 - if self.size > 20.0 { 1.0 } else { 0.0 };
            let (x, y, right, bottom) = (LEFT + at, TOP + at, LEFT + side, TOP + side);
            let line = "stroke=\"#1b2230\" stroke-width=\"1.5\" fill=\"none\"";
            svg.put(format_args!("<path {line} d=\"M{x:.1} {TOP}V{bottom:.1}M{LEFT} {y:.1}H{right:.1}\"/>"));
        }
    }

    fn legend(&self, svg: &mut Svg, y: f64) {
        const STEPS: i32 = 40;
        let show = |place| self.show((self.scale.value(place), self.scale.coarsest()));
        if self.scale.is_flat() {
            let (low, high) = (show(0.0), show(1.0));
            let text = if low == high { format!("all cells {low}") } else { format!("all cells {low} to {high}") };
            return svg.text(LEFT, y + 12.0, "fill=\"#566\"", &text);
        }
        svg.put(format_args!("<g shape-rendering=\"crispEdges\">"));
        for step in 0..STEPS {
            let fill = color::hex(f64::from(step) / f64::from(STEPS - 1));
            let x = LEFT + f64::from(step) * 6.0;
            svg.put(format_args!("<rect x=\"{x:.0}\" y=\"{y:.0}\" width=\"6\" height=\"14\" fill=\"{fill}\"/>"));
        }
        svg.put(format_args!("</g>"));
        for (place, anchor) in [(0.0, "start"), (0.5, "middle"), (1.0, "end")] {
            let x = LEFT + place * 6.0 * f64::from(STEPS);
            svg.text(x, y + 30.0, &format!("text-anchor=\"{anchor}\" fill=\"#566\""), &show(place));
        }
        let x = LEFT + 6.0 * f64::from(STEPS) + 14.0;
        svg.text(x, y + 12.0, "fill=\"#566\"", "logarithmic; lines part cores that share no L3");
    }
}

/// A pair's figures in a few lines.
fn tooltip(pair: &Pair) -> String {
    let (figures, ratio) = pair.headline();
    let time = |ns| format::time(ns, figures.resolution_ns);
    let [a, b] = pair.cores;
    let (p50, p99, p999) = (time(figures.p50_ns), time(figures.p99_ns), time(figures.p999_ns));
    let floor = format::time(pair.floor.p50_ns, pair.floor.resolution_ns);
    let ratio = ratio.map_or("?".to_owned(), |ratio| format::ratio(ratio.median));
    let relation = &pair.relation;
    format!("cores {a} and {b}, {relation}: p50 {p50}, p99 {p99}, p99.9 {p999}; floor {floor}, ratio {ratio}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn each_cell_has_a_tooltip_and_a_number() {
        let text = draw(&fixture::report(8), Cell::P50);
        assert_eq!(text.matches("<title>").count(), 64);
        assert_eq!(text.matches("p99.9").count(), 56);
        assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>"));
        assert!(text.contains("Some &lt;CPU&gt; &amp;") && !text.contains('\u{1b}'));
        assert_eq!(text.matches("stroke-width=\"1.5\"").count(), 1);
    }

    #[test]
    fn large_machines_stay_small_files() {
        let text = draw(&fixture::report(192), Cell::P99);
        assert!(text.len() < 2_000_000, "{} bytes", text.len());
        assert!(text.matches("<path").count() <= SHADES + 192 / 4);
    }

    #[test]
    fn an_empty_report_draws() {
        let mut report = fixture::report(4);
        report.pairs.clear();
        assert!(draw(&report, Cell::P50).contains("No pair was measured."));
    }
}
