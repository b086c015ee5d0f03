//! The report as JSON: all of it, in one line.

use crate::report::Report;

pub(crate) fn draw(report: &Report) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string(report)? + "\n")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::render::fixture;

    #[test]
    fn the_report_survives_as_data() {
        let text = super::draw(&fixture::report(4)).unwrap();
        assert!(text.ends_with('\n') && text.lines().count() == 1);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["schema"], 1);
        assert_eq!(value["ended"], "complete");
        assert_eq!(value["pairs"].as_array().unwrap().len(), 6);
        assert_eq!(value["pairs"][0]["channel"]["samples"], 123_456);
        assert_eq!(value["env"]["governor"], Value::Null);
    }
}
