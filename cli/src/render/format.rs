//! Figures as text. What the clock cannot resolve is never printed as a number.

/// A time with its unit, such as `142 ns`, `1.23 µs` or `<10 ns`.
pub(crate) fn time(ns: f64, resolution_ns: f64) -> String {
    if !ns.is_finite() {
        return "?".to_owned();
    }
    if ns < resolution_ns {
        return format!("<{}", time(resolution_ns.ceil(), 0.0));
    }
    let (scaled, unit) = match ns {
        _ if ns < 999.5 => return format!("{ns:.0} ns"),
        _ if ns < 999_500.0 => (ns / 1e3, "µs"),
        _ if ns < 999_500_000.0 => (ns / 1e6, "ms"),
        _ => (ns / 1e9, "s"),
    };
    format!("{} {unit}", three_digits(scaled))
}

/// Like [`time`], without unit and at most five characters: `142`, `1.2k`, `35k`, `2.1M`, `<10`.
pub(crate) fn short(ns: f64, resolution_ns: f64) -> String {
    if !ns.is_finite() {
        return "?".to_owned();
    }
    if ns < resolution_ns {
        return format!("<{}", short(resolution_ns.ceil(), 0.0));
    }
    let (scaled, unit) = match ns {
        _ if ns < 999.5 => return format!("{ns:.0}"),
        _ if ns < 999_500.0 => (ns / 1e3, "k"),
        _ if ns < 999_500_000.0 => (ns / 1e6, "M"),
        _ => (ns / 1e9, "G"),
    };
    if scaled < 9.95 { format!("{scaled:.1}{unit}") } else { format!("{scaled:.0}{unit}") }
}

/// A ratio, `1.22`.
pub(crate) fn ratio(value: f64) -> String {
    if value < 99.95 { three_digits(value) } else { format!("{value:.0}") }
}

/// A count: `999`, `12.3k`, `4.56M`.
pub(crate) fn count(count: u64) -> String {
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{}k", three_digits(count as f64 / 1e3)),
        _ => format!("{}M", three_digits(count as f64 / 1e6)),
    }
}

fn three_digits(value: f64) -> String {
    let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.digits$}")
}

/// How a sample came about: one round trip, or the mean of several.
pub(crate) fn per_sample(trips: u32) -> String {
    if trips == 1 { "single".to_owned() } else { format!("mean of {trips}") }
}

/// A core's id and what is known of it are ours; names of CPUs and kernels are not, and may hold anything.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Text for HTML and SVG.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_below_the_resolution_is_a_number() {
        assert_eq!(time(0.0, 10.0), "<10 ns");
        assert_eq!(time(9.9, 10.0), "<10 ns");
        assert_eq!(time(10.0, 10.0), "10 ns");
        assert_eq!(time(1.0, 1.7), "<2 ns");
        assert_eq!(time(40_000.0, 1e6), "<1.00 ms");
        assert_eq!(short(3.0, 10.0), "<10");
    }

    #[test]
    fn times_keep_three_digits_and_carry_at_the_edges() {
        for (ns, text) in [
            (142.4, "142 ns"),
            (999.6, "1.00 µs"),
            (1_234.0, "1.23 µs"),
            (99_960.0, "100 µs"),
            (999_600.0, "1.00 ms"),
            (20_440_000.0, "20.4 ms"),
            (2.5e9, "2.50 s"),
        ] {
            assert_eq!(time(ns, 1.0), text);
        }
        assert_eq!(time(f64::NAN, 1.0), "?");
    }

    #[test]
    fn short_forms_fit_five_characters() {
        for (ns, text) in
            [(7.0, "7"), (999.4, "999"), (999.6, "1.0k"), (9_960.0, "10k"), (999_499.0, "999k"), (2.1e6, "2.1M")]
        {
            assert_eq!(short(ns, 1.0), text);
        }
        assert!((0..100).all(|power| short(1.37_f64.powi(power / 2), 0.5).len() <= 5));
    }

    #[test]
    fn markup_and_control_characters_are_defused() {
        assert_eq!(escape("<b>\"&'\u{1b}"), "&lt;b&gt;&quot;&amp;&#39; ");
        assert_eq!(printable("a\u{1b}[31mb\n"), "a [31mb ");
    }

    #[test]
    fn counts_and_ratios() {
        assert_eq!((count(999), count(12_345), count(4_560_000)), ("999".into(), "12.3k".into(), "4.56M".into()));
        assert_eq!((ratio(1.2), ratio(12.34), ratio(480.4)), ("1.20".into(), "12.3".into(), "480".into()));
    }
}
