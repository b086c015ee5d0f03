//! Histograms as text, as they stand in a report: hdrhistogram's V2 encoding, deflated, in base64. HdrHistogram's libraries in
//! other languages read it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

/// Pairs up to which a report holds histograms, and figures of each slice beyond its median: 2 KB or so a subject, and 25 bytes a slice.
pub(crate) const MOST_PAIRS: usize = 2_000;

/// Longest text that is decoded. The largest histogram of this tool has 25,600 counts of at most nine bytes.
const LONGEST_TEXT: usize = 1 << 20;

/// `None` for an empty histogram.
pub(crate) fn encode(histogram: &Histogram<u64>) -> Option<String> {
    let mut bytes = Vec::new();
    let not_empty = !histogram.is_empty();
    let encoded = not_empty.then(|| V2DeflateSerializer::new().serialize(histogram, &mut bytes))?;
    encoded.ok().map(|_| STANDARD.encode(bytes))
}

/// The histogram, or why the text is none.
pub(crate) fn decode(text: &str) -> Result<Histogram<u64>, String> {
    if text.len() > LONGEST_TEXT {
        return Err("the histogram is longer than any that this tool writes".into());
    }
    let bytes = STANDARD.decode(text).map_err(|error| format!("the histogram is no base64: {error}"))?;
    Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(|error| format!("the histogram is damaged: {error}"))
}

/// The same samples in whole ns per round trip.
pub(crate) fn per_trip(samples: &Histogram<u64>, trips: u32) -> Histogram<u64> {
    let mut scaled = crate::measure::stats::histogram();
    for value in samples.iter_recorded() {
        let ns = samples.median_equivalent(value.value_iterated_to()) as f64 / f64::from(trips.max(1));
        scaled.saturating_record_n(ns.round() as u64, value.count_at_value());
    }
    scaled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::stats;

    #[test]
    fn what_is_encoded_comes_back() {
        let mut samples = stats::histogram();
        (1..=100_000_u64).for_each(|i| samples.saturating_record(i * i % 1_000_003 + 40));
        let text = encode(&samples).unwrap();
        let back = decode(&text).unwrap();
        assert_eq!((back.len(), back.max(), back.min()), (samples.len(), samples.max(), samples.min()));
        for quantile in [0.01, 0.5, 0.99, 0.9999] {
            assert_eq!(back.value_at_quantile(quantile), samples.value_at_quantile(quantile));
        }
        assert_eq!(encode(&stats::histogram()), None);
    }

    #[test]
    fn a_usual_distribution_takes_few_bytes() {
        let mut samples = stats::histogram();
        // Steps of 10 ns around 100 ns, and a tail to 80 µs.
        for step in 0..400_u64 {
            samples.record_n(80 + 10 * step, 4_000_000 >> step.min(21)).unwrap();
        }
        (0..200).for_each(|i| samples.record(2_000 + i * 397).unwrap());
        let text = encode(&samples).unwrap();
        assert!(text.len() < 2_500, "{} bytes", text.len());
    }

    #[test]
    fn damaged_text_is_an_error() {
        let mut samples = stats::histogram();
        samples.record_n(100, 5).unwrap();
        let text = encode(&samples).unwrap();
        assert!(decode("§").unwrap_err().contains("base64"));
        assert!(decode("").is_err() && decode("AAAA").is_err());
        assert!(decode(&"A".repeat(LONGEST_TEXT + 4)).unwrap_err().contains("longer"));
        let cut = &text[..text.len() / 8 * 4];
        assert!(decode(cut).unwrap_err().contains("damaged"), "{cut}");
        // No change of one character may end in a panic.
        for at in 0..text.len() {
            for other in ["A", "z", "/"] {
                let _ = decode(&format!("{}{other}{}", &text[..at], &text[at + 1..]));
            }
        }
    }

    #[test]
    fn a_sample_of_many_trips_is_divided() {
        let mut samples = stats::histogram();
        samples.record_n(1_600, 3).unwrap();
        let scaled = per_trip(&samples, 16);
        assert_eq!((scaled.len(), scaled.value_at_quantile(0.5)), (3, 100));
    }
}
