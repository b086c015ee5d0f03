//! Columns of figures, each in one unit.

use super::format;

/// The unit of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Unit {
    pub(crate) name: &'static str,
    ns: f64,
}

const UNITS: [Unit; 3] = [Unit { name: "ns", ns: 1.0 }, Unit { name: "µs", ns: 1e3 }, Unit { name: "ms", ns: 1e6 }];

impl Unit {
    /// ns, unless a larger unit shows the largest value in fewer digits and no value as less than a tenth of it.
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values
            .filter(|ns| ns.is_finite() && *ns > 0.0)
            .fold((f64::INFINITY, 0.0_f64), |(low, high), ns| (low.min(ns), high.max(ns)));
        let reads_better = |unit: &&Unit| high >= 10.0 * unit.ns && low >= 0.1 * unit.ns;
        UNITS[1..].iter().rev().find(reads_better).copied().unwrap_or(UNITS[0])
    }

    /// Without the unit's name; at most three significant digits, and none finer than `resolution_ns`. `<10` if it is less than that,
    /// `1.23M` if it has more than five digits.
    pub(crate) fn show(&self, ns: f64, resolution_ns: f64) -> String {
        if !ns.is_finite() {
            return "?".to_owned();
        }
        if ns < resolution_ns {
            let least =
                if self.ns > 1.0 { self.digits(resolution_ns, 0.0) } else { self.digits(resolution_ns.ceil(), 1.0) };
            return format!("<{least}");
        }
        self.digits(ns, resolution_ns)
    }

    fn digits(&self, ns: f64, resolution_ns: f64) -> String {
        let value = ns / self.ns;
        match value {
            0.0 => return "0".to_owned(),
            // Where a column spans so much that no unit suits all of it.
            99_950.0.. => return format::count(value.round() as u64),
            _ => (),
        }
        // Position of the first digit: 0 for units, 1 for tens. Rounding may carry into the next.
        let first = ((value.log10() + 1e-9).floor() as i32).max(-3);
        let first = if value >= 9.995 * 10_f64.powi(first) { first + 1 } else { first };
        let finest = (resolution_ns > 0.0).then(|| (resolution_ns / self.ns).log10().floor() as i32);
        let last = (first - 2).max(finest.unwrap_or(i32::MIN));
        if last >= 0 {
            let step = 10_f64.powi(first - 2).max(1.0);
            return format!("{:.0}", (value / step).round() * step);
        }
        format!("{value:.0$}", last.unsigned_abs() as usize)
    }

    /// `95–130`.
    pub(crate) fn range(&self, [low, high]: [f64; 2], resolution_ns: f64) -> String {
        let [low, high] = [low, high].map(|ns| self.show(ns, resolution_ns));
        if low == high { low } else { format!("{low}–{high}") }
    }
}

/// A time with its unit in at most three digits: `142 ns`, `8.4 ns`, `1.23 µs`, `<10 ns`.
pub(crate) fn time(ns: f64, resolution_ns: f64) -> String {
    if ns >= 999.5 { format::time(ns, resolution_ns) } else { format!("{} ns", UNITS[0].show(ns, resolution_ns)) }
}

/// Times with their unit: `100–120 ns`.
pub(crate) fn times([low, high]: [f64; 2], resolution_ns: f64) -> String {
    let unit = Unit::of([low, high].into_iter());
    format!("{} {}", unit.range([low, high], resolution_ns), unit.name)
}

/// A cell of a table.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Text(String),
    /// And what it cannot resolve, as below.
    Time(f64, f64),
    Range([f64; 2], f64),
    /// `53 / 80`; one that is not finite was not measured.
    Both([f64; 2], f64),
    None,
}

/// A column of a table: what it shows, and a value for each row.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) unit: Option<&'static str>,
    pub(crate) cells: Vec<String>,
}

impl Column {
    /// Chooses the unit, if any value is a time.
    pub(crate) fn new(name: impl Into<String>, values: &[Value]) -> Self {
        let times = |value: &Value| match value {
            Value::Time(ns, _) => vec![*ns],
            Value::Range(both, _) | Value::Both(both, _) => both.to_vec(),
            Value::Text(_) | Value::None => vec![],
        };
        let of: Vec<f64> = values.iter().flat_map(times).collect();
        let unit = Unit::of(of.iter().copied());
        let show = |value: &Value| match value {
            Value::Text(text) => text.clone(),
            Value::Time(ns, resolution) => unit.show(*ns, *resolution),
            Value::Range(range, resolution) => unit.range(*range, *resolution),
            Value::Both(both, resolution) => {
                both.map(|ns| if ns.is_finite() { unit.show(ns, *resolution) } else { "-".to_owned() }).join(" / ")
            }
            Value::None => String::new(),
        };
        Self {
            name: name.into(),
            unit: (!of.is_empty()).then_some(unit.name),
            cells: values.iter().map(show).collect(),
        }
    }

    /// The name with the unit: `p50 ns`.
    pub(crate) fn head(&self) -> String {
        self.unit.map_or_else(|| self.name.clone(), |unit| format!("{} {unit}", self.name))
    }

    /// Whether no row has a value.
    pub(crate) fn is_empty(&self) -> bool {
        self.cells.iter().all(String::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_has_one_unit_that_suits_all_its_values() {
        let unit = |values: &[f64]| Unit::of(values.iter().copied()).name;
        assert_eq!(unit(&[80.0, 410.0]), "ns");
        assert_eq!(unit(&[270.0, 9_900.0]), "ns");
        assert_eq!(unit(&[270.0, 12_000.0]), "µs");
        assert_eq!(unit(&[27.0, 12_000.0]), "ns");
        assert_eq!(unit(&[81_000.0, 93_000.0]), "µs");
        assert_eq!(unit(&[810_000.0, 20e6]), "ms");
        assert_eq!(unit(&[f64::NAN, 0.0]), "ns");
        assert_eq!(unit(&[]), "ns");
    }

    #[test]
    fn three_digits_and_none_that_the_clock_cannot_tell() {
        let [ns, us, _] = UNITS;
        for (unit, value, resolution, text) in [
            (ns, 142.4, 10.0, "142"),
            (ns, 8.4321, 0.5, "8.4"),
            (ns, 8.4321, 0.01, "8.43"),
            (ns, 8.4321, 5.0, "8"),
            (ns, 99.96, 0.01, "100"),
            (ns, 9.996, 0.01, "10.0"),
            (ns, 12_437.0, 1.0, "12400"),
            (ns, 23_456_789.0, 10.0, "23.5M"),
            (ns, 99_960.0, 10.0, "100k"),
            (ns, 9.0, 10.0, "<10"),
            (ns, 1.0, 1.7, "<2"),
            (us, 270.4, 10.0, "0.27"),
            (us, 12_437.0, 10.0, "12.4"),
            (us, 1_234_567.0, 10.0, "1230"),
            (us, 40_000.0, 1e6, "<1000"),
            (ns, f64::NAN, 1.0, "?"),
            (ns, 0.0, 0.0, "0"),
        ] {
            assert_eq!(unit.show(value, resolution), text, "{value} at {resolution}");
        }
    }

    #[test]
    fn the_unit_stands_in_the_head_alone() {
        let column = Column::new("max", &[Value::Time(81_234.0, 10.0), Value::None, Value::Time(9_990.0, 10.0)]);
        assert_eq!((column.head().as_str(), column.cells.join("|")), ("max µs", "81.2||9.99".to_owned()));
        let both = Column::new("x", &[Value::Both([53.0, f64::NAN], 10.0), Value::Both([9_999.0, 80.0], 10.0)]);
        assert_eq!((both.head().as_str(), both.cells.join("|")), ("x ns", "53 / -|10000 / 80".to_owned()));
        let words = Column::new("pair", &[Value::Text("0-1".into())]);
        assert_eq!((words.head().as_str(), words.is_empty()), ("pair", false));
        assert_eq!(times([100.0, 120.0], 10.0), "100–120 ns");
        assert_eq!(times([100.0, 100.2], 10.0), "100 ns");
        assert_eq!((time(8.44, 0.5), time(1_234.0, 10.0)), ("8.4 ns".into(), "1.23 µs".into()));
    }
}
