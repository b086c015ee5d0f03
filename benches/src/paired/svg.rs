//! The README's picture: one bar a workload, the baseline's advantage over its best peer.

use std::fmt::Write;

/// One workload.
#[derive(Debug)]
pub struct Bar {
    /// The workload's name.
    pub label: String,
    /// The baseline's advantage; 1 is a draw.
    pub ratio: f64,
    /// Its 95 % interval.
    pub interval: [f64; 2],
    /// The contender that it is compared with.
    pub note: String,
}

const WIDTH: f64 = 780.0;
/// Where bars begin, and how much room they and the words after them have.
const LEFT: f64 = 150.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 54.0;
const STEP: f64 = 28.0;
const THICK: f64 = 16.0;

/// Mid-tones that stand out from white and from near-black alike, for a page shows the picture on either.
const INK: &str = "#77818c";
const FAINT: &str = "#77818c40";
const AHEAD: &str = "#3b82c4";
const BEHIND: &str = "#c77d33";
/// The interval holds 1: neither is shown to be ahead.
const EVEN: &str = "#a3adb8";
/// Whiskers lie on bars and beyond them, on any page: dark, with a light edge.
const WHISKER: [(&str, f64); 2] = [("#ffffffc0", 4.0), ("#2a3540", 1.5)];

/// The picture as SVG text.
pub fn picture(bars: &[Bar], baseline: &str) -> String {
    let scale = Scale::of(bars);
    let x = |ratio: f64| LEFT + scale.part(ratio) * (WIDTH - LEFT - RIGHT);
    let bottom = TOP + STEP * bars.len() as f64;
    let height = bottom + 30.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" font-family=\"system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif\" font-size=\"13\" \
         fill=\"{INK}\">\n<title>{0} beside its best peer, by workload</title>\n",
        escape(baseline)
    );
    let way = if scale.low > 0.0 { "; logarithmic" } else { "" };
    let title = format!("{} ÷ best peer (above 1: faster; grey: a draw{way})", escape(baseline));
    let _ = writeln!(out, "<text x=\"{LEFT}\" y=\"20\" font-size=\"14\" font-weight=\"600\">{title}</text>");
    for tick in scale.ticks() {
        let (at, weight) = (x(tick), if tick == 1.0 { (INK, "1.5") } else { (FAINT, "1") });
        let _ = writeln!(
            out,
            "<path d=\"M{at:.1} {:.1}V{bottom:.1}\" stroke=\"{}\" stroke-width=\"{}\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"11\">{tick}</text>",
            TOP - 8.0,
            weight.0,
            weight.1,
            TOP - 14.0
        );
    }
    for (i, bar) in bars.iter().enumerate() {
        let y = TOP + STEP * i as f64 + (STEP - THICK) / 2.0;
        let middle = y + THICK / 2.0;
        let colour = match bar.interval {
            [low, _] if low > 1.0 => AHEAD,
            [_, high] if high < 1.0 => BEHIND,
            _ => EVEN,
        };
        let [low, high] = bar.interval.map(x);
        let _ = write!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{THICK}\" rx=\"2\" fill=\"{colour}\"/>",
            LEFT - 10.0,
            middle + 4.5,
            escape(&bar.label),
            x(bar.ratio) - LEFT
        );
        // A whisker that leaves the picture has no cap there.
        let cap = if bar.interval[1] > scale.end { String::new() } else { format!("M{high:.1} {:.1}v6", middle - 3.0) };
        for (stroke, width) in WHISKER {
            let _ = write!(
                out,
                "<path d=\"M{low:.1} {middle:.1}H{high:.1}M{low:.1} {:.1}v6{cap}\" stroke=\"{stroke}\" \
                 stroke-width=\"{width}\" fill=\"none\"/>",
                middle - 3.0
            );
        }
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\"><tspan font-weight=\"600\">{:.2}</tspan> {}</text>",
            high.max(x(bar.ratio)) + 8.0,
            middle + 4.5,
            bar.ratio,
            escape(&bar.note)
        );
    }
    out.push_str("</svg>\n");
    out
}

/// What lies at the left and at the right edge. From 0 on, distances are differences; from elsewhere, factors.
struct Scale {
    low: f64,
    end: f64,
}

impl Scale {
    /// Room for every bar and for most whiskers, but one wide whisker must not flatten all bars.
    fn of(bars: &[Bar]) -> Self {
        let longest = bars.iter().map(|bar| bar.ratio).fold(1.2, f64::max);
        let whiskers = bars.iter().map(|bar| bar.interval[1]).fold(longest, f64::max);
        let end = whiskers.min(longest * 1.25);
        if longest > 20.0 {
            let shortest = bars.iter().map(|bar| bar.interval[0]).fold(1.0, f64::min);
            return Self { low: (shortest / 1.25).max(0.01), end };
        }
        Self { low: 0.0, end: (end * 2.0).ceil() / 2.0 }
    }

    /// Where `ratio` lies: 0 at the left edge, 1 at the right one.
    fn part(&self, ratio: f64) -> f64 {
        let ratio = ratio.clamp(self.low, self.end);
        if self.low > 0.0 { (ratio / self.low).ln() / (self.end / self.low).ln() } else { ratio / self.end }
    }

    /// Round numbers, not so many that they touch; 1 is always among them.
    fn ticks(&self) -> Vec<f64> {
        if self.low > 0.0 {
            let round = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];
            return round.into_iter().filter(|tick| (self.low..=self.end).contains(tick)).collect();
        }
        let step = if self.end > 8.0 { 2 } else { 1 };
        let mut ticks: Vec<f64> = (0..=self.end as u32).step_by(step).map(f64::from).collect();
        if step > 1 {
            ticks.insert(1, 1.0);
        }
        ticks
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::{Bar, picture};

    #[test]
    fn every_bar_lies_inside_the_picture_and_names_are_escaped() {
        let bar = |label: &str, ratio| Bar {
            label: label.into(),
            ratio,
            interval: [ratio * 0.9, ratio * 1.1],
            note: "vs <peer>".into(),
        };
        for far in [5.0, 50.0] {
            let text = picture(&[bar("a&b", 0.4), bar("far", far)], "ringmail");
            assert_eq!(text.contains("logarithmic"), far > 20.0);
            all_is_inside(&text);
        }
    }

    fn all_is_inside(text: &str) {
        assert!(text.contains("a&amp;b") && text.contains("vs &lt;peer&gt;") && !text.contains("<peer>"));
        let widths = text.split("width=\"").skip(1).filter_map(|rest| rest.split('"').next()?.parse::<f64>().ok());
        assert!(widths.into_iter().all(|width| (0.0..=super::WIDTH).contains(&width)));
    }
}
