//! The heat map as one SVG without scripts, fonts or links, so that it can stand in any page, light or dark.

use std::fmt::Write;

use super::cell::{cell_range, cell_title};
use super::color::Scale;
use super::describe;
use super::format::escape;
use super::heat::Heat;
use super::{headline, trust};
use crate::options::Cell;
use crate::report::Report;

/// Of a character in the size of the text, on average; to break lines, as SVG does not.
const CHARACTER: f64 = 7.0;
const LINE: f64 = 18.0;
const MARGIN: f64 = 20.0;
/// Narrower pictures have no room for the text above them.
const NARROWEST: f64 = 640.0;

/// Colours by role: in a dark page, the page's text and ground change places. Renderers that know no media queries draw it light.
pub(crate) const STYLE: &str = "\
.rm-ground{fill:#fff}.rm-ink{fill:#1b2230}.rm-soft{fill:#566070}.rm-none{fill:#eceef1}.rm-gap{fill:#7a8494}\
.rm-line{stroke:#1b2230;fill:none}\
@media (prefers-color-scheme:dark){.rm-ground{fill:#14171c}.rm-ink{fill:#e8eaee}.rm-soft{fill:#a3acba}\
.rm-none{fill:#262b33}.rm-gap{fill:#8d97a6}.rm-line{stroke:#f4f5f7}}";

/// The picture that stands alone: with title, machine, settings, date and warnings.
pub(crate) fn draw(report: &Report, cell: Cell) -> String {
    let heat = heat(report, cell);
    let (map_width, map_height) = heat.as_ref().map_or((0.0, 0.0), Heat::size);
    let width = (map_width + MARGIN).max(NARROWEST);
    let mut svg = Svg(String::new());
    let mut y = 34.0;
    svg.text(MARGIN, y, "class=\"rm-ink\" font-size=\"19\" font-weight=\"600\"", &title(cell));
    y += 6.0;
    let trust = trust::judge(report);
    let verdict = if report.pairs.is_empty() { "No pair was measured.".into() } else { trust.line() };
    let answer = headline::answer(report).into_iter().chain([verdict]);
    for text in answer {
        svg.wrapped(&mut y, width, "class=\"rm-ink\"", &text);
    }
    for text in [describe::machine(report), describe::settings(report)] {
        svg.wrapped(&mut y, width, "class=\"rm-soft\"", &text);
    }
    y += 12.0;
    if let Some(heat) = &heat {
        svg.put(format_args!("<g transform=\"translate(0 {y:.0})\">"));
        heat.draw(&mut svg);
        svg.put(format_args!("</g>"));
        y += map_height;
    }
    for warning in &report.warnings {
        svg.wrapped(&mut y, width, "class=\"rm-soft\"", &format!("Warning: {}", warning.what));
    }
    svg.wrapped(&mut y, width, "class=\"rm-soft\"", &describe::made(report));
    let height = y + MARGIN;
    frame(
        width,
        height,
        &title(cell),
        &format!("<rect class=\"rm-ground\" width=\"100%\" height=\"100%\"/>\n{}", svg.0),
    )
}

/// The map alone, for a page that tells the rest; `None` if no pair has a figure.
pub(crate) fn map(report: &Report, cell: Cell) -> Option<String> {
    let heat = heat(report, cell)?;
    let (width, height) = heat.size();
    let mut svg = Svg(String::new());
    heat.draw(&mut svg);
    Some(frame(width, height, &title(cell), &svg.0))
}

fn heat(report: &Report, cell: Cell) -> Option<Heat<'_>> {
    Some(Heat::new(report, cell, Scale::new(cell_range(report, cell)?)))
}

fn title(cell: Cell) -> String {
    format!("Core by core: {}", cell_title(cell))
}

fn frame(width: f64, height: f64, label: &str, inside: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" font-family=\"system-ui,'DejaVu Sans',sans-serif\" font-size=\"13\" role=\"img\" \
         aria-label=\"{}\">\n<style>{STYLE}</style>\n{inside}</svg>\n",
        escape(label)
    )
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

    /// Lines of text below `y`, which then is the last one's; broken between words where they would exceed `width`.
    fn wrapped(&mut self, y: &mut f64, width: f64, attributes: &str, text: &str) {
        let most = ((width - 2.0 * MARGIN) / CHARACTER) as usize;
        let mut line = String::new();
        for word in text.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > most {
                *y += LINE;
                self.text(MARGIN, *y, attributes, &line);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        *y += LINE;
        self.text(MARGIN, *y, attributes, &line);
    }
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
    }

    #[test]
    fn the_picture_says_what_when_where_and_how_sure() {
        let text = draw(&fixture::report(8), Cell::P99);
        for part in [
            "Core by core: round trip, p99, ns",
            "there and back (p50)",
            "trust: high",
            "2027-01-15T08:00:00Z",
            "ringmail 9.9.9",
            "8 cores",
            "linux x86_64",
            "8 B messages",
            "wait spin",
            "Warning: load 2.3 on 2 cores",
            "prefers-color-scheme:dark",
        ] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
        let map = map(&fixture::report(8), Cell::P99).unwrap();
        assert!(!map.contains("trust") && map.contains("aria-label=\"Core by core: round trip, p99, ns\""));
    }

    #[test]
    fn large_machines_stay_small_files() {
        for cores in [64, 128, 512] {
            let report = fixture::noisy(cores);
            let text = draw(&report, Cell::P99);
            assert!(text.len() < 1_000_000, "{cores} cores: {} bytes", text.len());
        }
    }

    #[test]
    fn an_empty_report_draws() {
        let mut report = fixture::report(4);
        report.pairs.clear();
        assert!(draw(&report, Cell::P50).contains("No pair was measured."));
        assert!(map(&report, Cell::P50).is_none());
    }
}
