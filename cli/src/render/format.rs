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

/// A share as per cent: `2.5 %`, `0.0012 %`, `0 %`.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        _ if !percent.is_finite() => "?".to_owned(),
        _ if percent < 0.000_5 => "0 %".to_owned(),
        _ if percent < 0.1 => format!("{percent:.3} %"),
        _ if percent < 9.95 => format!("{percent:.1} %"),
        _ => format!("{percent:.0} %"),
    }
}

/// A time of seconds to minutes as the command line reads it, rounded up: `45s`, `13m`, `3h`.
pub(crate) fn budget(seconds: f64) -> String {
    match seconds.ceil() {
        seconds if seconds <= 120.0 => format!("{seconds:.0}s"),
        seconds if seconds <= 7_200.0 => format!("{:.0}m", (seconds / 60.0).ceil()),
        seconds => format!("{:.0}h", (seconds / 3_600.0).ceil()),
    }
}

/// Seconds since 1970 as a date and time: `2027-01-15T08:00:00Z`.
pub(crate) fn utc(unix_s: u64) -> String {
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    // Howard Hinnant's civil_from_days: years begin in March, so that the leap day is the last of its year.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// A count: `999`, `12.3k`, `4.56M`.
pub(crate) fn count(count: u64) -> String {
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{}k", three_digits(count as f64 / 1e3)),
        _ => format!("{}M", three_digits(count as f64 / 1e6)),
    }
}

/// Messages per second: `500/s`, `10 k/s`, `3.2 M/s`.
pub(crate) fn rate(per_s: f64) -> String {
    let (scaled, unit) = match per_s {
        _ if !per_s.is_finite() => return "?".to_owned(),
        _ if per_s < 999.5 => return format!("{per_s:.0}/s"),
        _ if per_s < 999_500.0 => (per_s / 1e3, "k"),
        _ if per_s < 999_500_000.0 => (per_s / 1e6, "M"),
        _ => (per_s / 1e9, "G"),
    };
    let digits = three_digits(scaled);
    let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { &digits };
    format!("{digits} {unit}/s")
}

/// All digits, in groups: `1,000,000`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
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
    fn rates_have_no_digits_that_say_nothing() {
        for (per_s, text) in [
            (1.0, "1/s"),
            (999.0, "999/s"),
            (10_000.0, "10 k/s"),
            (999_600.0, "1 M/s"),
            (3_200_000.0, "3.2 M/s"),
            (812_331.0, "812 k/s"),
            (100e6, "100 M/s"),
            (1e9, "1 G/s"),
        ] {
            assert_eq!(rate(per_s), text);
        }
        assert_eq!((grouped(0), grouped(999), grouped(1_000)), ("0".into(), "999".into(), "1,000".into()));
        assert_eq!(grouped(812_331_004), "812,331,004");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        // By `date -u -d @N +%FT%TZ`.
        for (unix_s, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_800_000_000, "2027-01-15T08:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(unix_s), text);
        }
    }

    #[test]
    fn shares_and_budgets_are_short() {
        let shares = [0.0, 0.000_012, 0.004, 0.025, 0.2].map(percent);
        assert_eq!(shares, ["0 %", "0.001 %", "0.4 %", "2.5 %", "20 %"]);
        assert_eq!([44.1, 121.0, 7_201.0].map(budget), ["45s", "3m", "3h"]);
    }

    #[test]
    fn counts_and_ratios() {
        assert_eq!((count(999), count(12_345), count(4_560_000)), ("999".into(), "12.3k".into(), "4.56M".into()));
        assert_eq!((ratio(1.2), ratio(12.34), ratio(480.4)), ("1.20".into(), "12.3".into(), "480".into()));
    }
}
