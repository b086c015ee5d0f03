//! Charts as inline SVG for the HTML page. Colours are CSS variables, so that a page can be light or dark; the legend is HTML, so that it can be
//! read on a phone.

use super::format::escape;
use super::svg::Svg;

/// The style of all charts; the page holds it once.
pub(crate) const STYLE: &str = "
.chart{--floor:#667085;--channel:#c2410c;--processes:#1d63c4;--yardstick:#15803d;--grid:#8885;margin:1.2rem 0}
@media (prefers-color-scheme:dark){.chart{--floor:#a9b4c6;--channel:#ff8f66;--processes:#78b4ff;--yardstick:#63d08c;--grid:#9995}}
.chart figcaption{font-weight:600}
.chart .keys{display:flex;flex-wrap:wrap;gap:.1rem 1.1rem;margin:.1rem 0;padding:0;list-style:none;font-size:.9rem;font-weight:400}
.chart .keys i{display:inline-block;width:.8em;height:.8em;border-radius:50%;margin-right:.35em;background:var(--c)}
.chart .note{font-size:.9rem;margin:.1rem 0;opacity:.75}
.chart svg{display:block;width:100%;min-width:0;max-width:760px;height:auto}
.chart svg text{font-size:13px;fill:currentColor}
@media (max-width:600px){.chart svg text{font-size:17px}.chart svg text.minor{display:none}}
";

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 330.0;
const LEFT: f64 = 74.0;
const RIGHT: f64 = 44.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 54.0;

/// A logarithmic or even scale, its marks and what it shows.
#[derive(Debug)]
pub(crate) struct Axis {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) is_log: bool,
    /// Value, text, and whether it may go where there is little room.
    pub(crate) ticks: Vec<(f64, String, bool)>,
    pub(crate) label: &'static str,
}

impl Axis {
    /// A logarithmic axis over all of `values` that are positive, with a little room. `None` without two of them.
    pub(crate) fn log(
        values: impl Iterator<Item = f64>,
        label: &'static str,
        name: impl Fn(f64) -> String,
    ) -> Option<Self> {
        let sane = values.filter(|value| value.is_finite() && *value > 0.0);
        let (low, high, count) =
            sane.fold((f64::MAX, 0.0_f64, 0), |(low, high, n), v| (low.min(v), high.max(v), n + 1));
        if count < 2 {
            return None;
        }
        let (low, high) = (low / 1.15, high * 1.15);
        let digits: &[f64] = match (high / low).log10() {
            decades if decades < 2.0 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
        let every = (powers.clone().count() / 8 + 1) as i32;
        let ticks = powers
            .filter(|power| power % every == 0)
            .flat_map(|power| digits.iter().map(move |digit| digit * 10_f64.powi(power)));
        let ticks = ticks.filter(|tick| (low..=high).contains(tick)).map(|tick| (tick, name(tick), false)).collect();
        Some(Self { low, high, is_log: true, ticks, label })
    }

    /// Where a value lies, 0 to 1; values beyond the ends lie at the ends.
    fn place(&self, value: f64) -> f64 {
        let value = value.clamp(self.low, self.high);
        if self.is_log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }
}

/// How points are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Line,
    Dashed,
    Dots,
    /// A line with a ring at each point.
    Marks,
}

/// Points of one colour.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// Of the CSS variable.
    pub(crate) color: &'static str,
    pub(crate) shape: Shape,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A picture with two axes.
#[derive(Debug)]
pub(crate) struct Chart {
    pub(crate) title: String,
    /// What to know for reading it.
    pub(crate) note: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
    /// Upright lines, each with a text.
    pub(crate) marks: Vec<(f64, String)>,
}

impl Chart {
    /// The `<figure>`; `kind` becomes a class.
    pub(crate) fn draw(&self, kind: &str) -> String {
        let title = escape(&self.title);
        let mut figure =
            format!("<figure class=\"chart {kind}\"><figcaption>{title}</figcaption>\n<ul class=\"keys\">");
        for Series { name, color, .. } in &self.series {
            figure += &format!("<li style=\"--c:var(--{color})\"><i></i>{}</li>", escape(name));
        }
        figure += &format!("</ul>\n{}", self.svg());
        if !self.note.is_empty() {
            figure += &format!("<p class=\"note\">{}</p>\n", escape(&self.note));
        }
        figure + "</figure>\n"
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * self.x.place(value)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * self.y.place(value)
    }

    fn svg(&self) -> String {
        let mut svg = Svg(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n",
            escape(&self.title)
        ));
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for (value, text, minor) in &self.y.ticks {
            let y = self.y(*value);
            svg.put(format_args!("<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"var(--grid)\"/>"));
            svg.text(LEFT - 8.0, y + 4.5, &format!("text-anchor=\"end\"{}", minor_class(*minor)), text);
        }
        for (value, text, minor) in &self.x.ticks {
            let x = self.x(*value);
            svg.put(format_args!("<path d=\"M{x:.1} {TOP}V{:.1}\" stroke=\"var(--grid)\"/>", bottom + 5.0));
            svg.text(x, bottom + 20.0, &format!("text-anchor=\"middle\"{}", minor_class(*minor)), text);
        }
        svg.put(format_args!("<path d=\"M{LEFT} {TOP}V{bottom}H{right}\" fill=\"none\" stroke=\"currentColor\"/>"));
        svg.text((LEFT + right) / 2.0, HEIGHT - 8.0, "text-anchor=\"middle\"", self.x.label);
        svg.text(4.0, 18.0, "", self.y.label);
        for (value, text) in &self.marks {
            let x = self.x(*value);
            svg.put(format_args!(
                "<path d=\"M{x:.1} {TOP}V{bottom}\" stroke=\"currentColor\" stroke-dasharray=\"2 4\"/>"
            ));
            let (anchor, at) = if x > WIDTH / 2.0 { ("end", x + 6.0) } else { ("start", x - 6.0) };
            svg.text(at, TOP - 6.0, &format!("text-anchor=\"{anchor}\""), text);
        }
        self.series.iter().for_each(|series| self.points(&mut svg, series));
        svg.0.push_str("</svg>\n");
        svg.0
    }

    fn points(&self, svg: &mut Svg, series: &Series) {
        let color = series.color;
        let sane = series.points.iter().filter(|(x, y)| x.is_finite() && y.is_finite() && *y > 0.0);
        let placed: Vec<(f64, f64)> = sane.map(|(x, y)| (self.x(*x), self.y(*y))).collect();
        if series.shape == Shape::Dots {
            let width = if placed.len() < 100 { 6.0 } else { 3.5 };
            let path: String = placed.iter().map(|(x, y)| format!("M{x:.1} {y:.1}h.01")).collect();
            svg.put(format_args!(
                "<path d=\"{path}\" stroke=\"var(--{color})\" stroke-width=\"{width}\" stroke-linecap=\"round\" stroke-opacity=\".7\"/>"
            ));
            return;
        }
        let points: Vec<String> = placed.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let dash = if series.shape == Shape::Dashed { " stroke-dasharray=\"6 4\"" } else { "" };
        svg.put(format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"var(--{color})\" stroke-width=\"2.2\" stroke-linejoin=\"round\"{dash}/>",
            points.join(" ")
        ));
        if series.shape == Shape::Marks {
            for (x, y) in placed {
                svg.put(format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"var(--{color})\"/>"));
            }
        }
    }
}

/// A time at a tick: `100 ns`, `10 µs`.
pub(crate) fn time(ns: f64) -> String {
    let text = super::format::time(ns, 0.0);
    let (number, unit) = text.split_once(' ').unwrap_or((&text, ""));
    let number = if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    format!("{number} {unit}")
}

fn minor_class(minor: bool) -> &'static str {
    if minor { " class=\"minor\"" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(value: f64) -> String {
        value.to_string()
    }

    #[test]
    fn ticks_are_round_and_few() {
        let texts = |low: f64, high: f64| {
            let axis = Axis::log([low, high].into_iter(), "", name).unwrap();
            axis.ticks.into_iter().map(|(_, text, _)| text).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(texts(30.0, 600.0), "50 100 200 500");
        assert_eq!(texts(30.0, 90_000.0), "100 1000 10000 100000");
        assert!(texts(1.0, 1e18).split(' ').count() < 10);
    }

    #[test]
    fn times_at_ticks_are_short() {
        assert_eq!([100.0, 5_000.0, 10_000.0, 2e6, 1e9].map(time), ["100 ns", "5 µs", "10 µs", "2 ms", "1 s"]);
    }

    #[test]
    fn an_axis_needs_two_values_and_keeps_to_its_ends() {
        assert!(Axis::log([5.0].into_iter(), "", name).is_none());
        assert!(Axis::log([5.0, f64::NAN, 0.0, -1.0].into_iter(), "", name).is_none());
        let axis = Axis::log([10.0, 1000.0].into_iter(), "", name).unwrap();
        assert_eq!((axis.place(1.0), axis.place(1e9)), (0.0, 1.0));
        assert!((axis.place(100.0) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_chart_names_its_axes_and_defuses_what_it_shows() {
        let axis = |label| Axis { label, ..Axis::log([1.0, 10.0].into_iter(), "", name).unwrap() };
        let points = vec![(1.0, 2.0), (f64::NAN, 3.0), (5.0, f64::INFINITY), (9.0, 9.0)];
        let series = Series { name: "<b>".into(), color: "channel", shape: Shape::Marks, points };
        let (title, note) = ("a & b".into(), String::new());
        let chart = Chart {
            title,
            note,
            x: axis("rate"),
            y: axis("time"),
            series: vec![series],
            marks: vec![(3.0, "knee".into())],
        };
        let text = chart.draw("rate");
        for part in [">rate<", ">time<", ">knee<", "a &amp; b", "&lt;b&gt;", "var(--channel)", "class=\"chart rate\""] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
        assert!(!text.contains("NaN") && !text.contains("inf") && text.matches("<circle").count() == 2);
    }
}
