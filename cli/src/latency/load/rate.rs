//! Rates as users write them.

use crate::measure::load::sweep::LAST_PER_S;

/// Reads `250`, `10k`, `1.5M` or `1G`: messages per second, 1 to 1G.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    const HELP: &str = "expected messages per second, such as 500, 10k, 1.5M or 1G";
    let (number, scale) = match text.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&text[..at], 1e3),
        Some((at, 'M')) => (&text[..at], 1e6),
        Some((at, 'G')) => (&text[..at], 1e9),
        _ => (text, 1.0),
    };
    if !number.bytes().all(|c| c.is_ascii_digit() || c == b'.') {
        return Err(HELP.to_owned());
    }
    let rate = scale * number.parse::<f64>().map_err(|_| HELP)?;
    if (1.0..=LAST_PER_S).contains(&rate) { Ok(rate) } else { Err("must lie between 1 and 1G".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_a_number_and_a_scale() {
        for (text, per_s) in [("1", 1.0), ("250", 250.0), ("10k", 1e4), ("10K", 1e4), ("1.5M", 1.5e6), ("1G", 1e9)] {
            assert_eq!(rate(text), Ok(per_s), "{text}");
        }
        for bad in ["", "k", "0", "0.5", "2G", "-1", "1e6", "1m", "1 k", "1kk", "1.2.3", "inf", "nan", "٣", "1µ", "M1"]
        {
            assert!(rate(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
