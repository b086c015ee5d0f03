//! Colours of heat maps, on a logarithmic scale from the smallest to the largest cell.

use std::fmt::Write;

use anstyle::{Ansi256Color, Color, RgbColor, Style};

/// Control points of the ramp from low to high. Lightness grows steadily, so that it also reads in grey and to most
/// colour-blind eyes.
const RAMP: [[f64; 3]; 5] =
    [[38.0, 34.0, 98.0], [32.0, 96.0, 140.0], [38.0, 150.0, 132.0], [122.0, 198.0, 84.0], [248.0, 226.0, 76.0]];

/// How many colours a terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    None,
    Ansi256,
    True,
}

/// Maps a value to its place between low and high.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    coarsest: f64,
}

impl Scale {
    pub(crate) fn new(range: super::cell::Range) -> Self {
        // Zeros occur when a clock resolves nothing; a logarithm needs more than that.
        Self { low: range.low.max(1e-3), high: range.high.max(1e-3), coarsest: range.coarsest }
    }

    /// What a value of the scale cannot resolve.
    pub(crate) fn coarsest(&self) -> f64 {
        self.coarsest
    }

    /// All cells lie within 10 %.
    pub(crate) fn is_flat(&self) -> bool {
        self.high / self.low < 1.1
    }

    /// 0 for the lowest, 1 for the highest. Cells that hardly differ all get the middle: a full ramp over a spread of a
    /// few percent would show noise as structure.
    pub(crate) fn place(&self, value: f64) -> f64 {
        if self.is_flat() {
            return 0.5;
        }
        ((value.max(1e-3) / self.low).ln() / (self.high / self.low).ln()).clamp(0.0, 1.0)
    }

    /// The value at a place; the inverse of [`Self::place`].
    pub(crate) fn value(&self, place: f64) -> f64 {
        self.low * (self.high / self.low).powf(place)
    }
}

/// Colour at a place between 0 and 1.
pub(crate) fn rgb(place: f64) -> [u8; 3] {
    let position = place.clamp(0.0, 1.0) * (RAMP.len() - 1) as f64;
    let index = (position as usize).min(RAMP.len() - 2);
    let share = position - index as f64;
    std::array::from_fn(|i| (RAMP[index][i] + (RAMP[index + 1][i] - RAMP[index][i]) * share).round() as u8)
}

/// `#rrggbb` at a place between 0 and 1.
pub(crate) fn hex(place: f64) -> String {
    let mut text = String::from("#");
    for part in rgb(place) {
        write!(text, "{part:02x}").expect("a String takes everything");
    }
    text
}

/// Text on this colour must be dark.
pub(crate) fn is_light(place: f64) -> bool {
    let [r, g, b] = rgb(place).map(f64::from);
    0.299 * r + 0.587 * g + 0.114 * b > 128.0
}

/// The terminal's colour at a place; `None` if it shows none.
pub(crate) fn paint(place: f64, depth: Depth) -> Option<Color> {
    let [r, g, b] = rgb(place);
    match depth {
        Depth::None => None,
        Depth::True => Some(Color::Rgb(RgbColor(r, g, b))),
        Depth::Ansi256 => {
            // The 6×6×6 cube: levels 0, 95, 135, 175, 215, 255.
            let level = |part: u8| if part < 48 { 0 } else { ((u16::from(part).saturating_sub(35)) / 40).min(5) as u8 };
            Some(Color::Ansi256(Ansi256Color(16 + 36 * level(r) + 6 * level(g) + level(b))))
        }
    }
}

/// Background at a place, with a legible foreground.
pub(crate) fn style(place: f64, depth: Depth) -> Style {
    let Some(color) = paint(place, depth) else { return Style::new() };
    let text = if is_light(place) { 16 } else { 231 };
    Style::new().bg_color(Some(color)).fg_color(Some(Color::Ansi256(Ansi256Color(text))))
}

/// What the terminal on standard output can show, given the environment.
pub(crate) fn detect(when: crate::options::When, is_terminal: bool, var: impl Fn(&str) -> Option<String>) -> Depth {
    use crate::options::When;
    let term = var("TERM").unwrap_or_default();
    let refuses = var("NO_COLOR").is_some_and(|value| !value.is_empty()) || !is_terminal || term == "dumb";
    if when == When::Never || (when == When::Auto && refuses) {
        return Depth::None;
    }
    match var("COLORTERM").as_deref() {
        Some("truecolor" | "24bit") => Depth::True,
        // Sixteen colours are too few for a ramp: such terminals get the numbers alone.
        _ if term.contains("256") || when == When::Always => Depth::Ansi256,
        _ => Depth::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::When;
    use crate::render::cell::Range;

    #[test]
    fn the_scale_is_logarithmic_and_flat_when_all_is_alike() {
        let scale = |low, high| Scale::new(Range { low, high, coarsest: 0.0 });
        let flat = scale(100.0, 105.0);
        let zero = scale(0.0, 0.0);
        let scale = scale(10.0, 1000.0);
        assert!((scale.place(100.0) - 0.5).abs() < 1e-9);
        assert!((scale.value(0.5) - 100.0).abs() < 1e-9);
        assert_eq!((scale.place(10.0), scale.place(1000.0), scale.place(0.0)), (0.0, 1.0, 0.0));
        assert_eq!(flat.place(105.0), 0.5);
        assert!(zero.place(0.0).is_finite());
    }

    #[test]
    fn lightness_grows_along_the_ramp() {
        let light = |place| rgb(place).iter().zip([0.299, 0.587, 0.114]).map(|(c, w)| f64::from(*c) * w).sum::<f64>();
        assert!((1..=20).all(|step| light(f64::from(step) / 20.0) > light(f64::from(step - 1) / 20.0)));
    }

    #[test]
    fn colour_follows_flag_then_environment() {
        let none = |_: &str| None;
        let rich = |name: &str| match name {
            "TERM" => Some("xterm-256color".to_owned()),
            "COLORTERM" => Some("truecolor".to_owned()),
            _ => None,
        };
        let refused = |name: &str| if name == "NO_COLOR" { Some("1".to_owned()) } else { rich(name) };
        assert_eq!(detect(When::Auto, true, rich), Depth::True);
        assert_eq!(detect(When::Auto, false, rich), Depth::None);
        assert_eq!(detect(When::Auto, true, refused), Depth::None);
        assert_eq!(detect(When::Always, false, refused), Depth::True);
        assert_eq!(detect(When::Always, false, none), Depth::Ansi256);
        assert_eq!(detect(When::Never, true, rich), Depth::None);
        assert_eq!(detect(When::Auto, true, |name| (name == "TERM").then(|| "dumb".to_owned())), Depth::None);
    }
}
