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
        assert!(value["pairs"][0].get("processes").is_none(), "only who asks for it gets it");
    }

    #[test]
    fn processes_have_the_fields_of_a_subject_and_two_ratios() {
        let text = super::draw(&fixture::between_processes()).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        let processes = &value["pairs"][0]["processes"];
        assert_eq!(processes["samples"], 123_456);
        assert_eq!(
            (&processes["ratio"]["median"], &processes["ratio_to_channel"]["median"]),
            (&1.5.into(), &1.25.into())
        );
    }
}
