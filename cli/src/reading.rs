//! Reads a report that an earlier run wrote as JSON.

use std::io::{ErrorKind, Read};
use std::path::Path;

use serde_json::Value;

use crate::failure::Failure;
use crate::histogram;
use crate::report::{Figures, Report, SCHEMA};

/// The report at `path`; `-` is standard input. Errors name the file and the field.
pub(crate) fn report(path: &Path) -> Result<Report, Failure> {
    let is_stdin = path == Path::new("-");
    let name = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
    let mut bytes = Vec::new();
    let read = if is_stdin {
        std::io::stdin().read_to_end(&mut bytes).map(drop)
    } else {
        std::fs::read(path).map(|all| bytes = all)
    };
    if let Err(error) = read {
        let remedy = if error.kind() == ErrorKind::NotFound { "; name a file that --json wrote" } else { "" };
        return Err(Failure::usage(format!("{name}: {error}{remedy}")));
    }
    parse(&bytes).map_err(|reason| Failure::usage(format!("{name}: {reason}")))
}

fn parse(bytes: &[u8]) -> Result<Report, String> {
    if bytes.trim_ascii().is_empty() {
        return Err("the file is empty; name one that 'ringmail latency --json FILE' wrote".into());
    }
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let parsed: Result<Report, _> = serde_path_to_error::deserialize(&mut from);
    let report = match parsed {
        Ok(report) => report,
        Err(error) => return Err(why_not(bytes, &error)),
    };
    from.end().map_err(|error| format!("there is more after the report: {error}"))?;
    if report.schema != SCHEMA {
        return Err(other_schema(report.schema.into()));
    }
    let figures = report.all_figures().into_iter().map(|(place, figures)| (place, &figures.histogram));
    let jitter = report.jitter.iter().enumerate().map(|(at, jitter)| (format!("jitter[{at}]"), &jitter.histogram));
    for (place, text) in figures.chain(jitter) {
        if let Some(Err(reason)) = text.as_deref().map(histogram::decode) {
            return Err(format!("damaged at {place}.histogram: {reason}"));
        }
    }
    Ok(report)
}

/// What is wrong with a text that is no report of this schema.
fn why_not(bytes: &[u8], error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let value: Value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(error) => return format!("not JSON, or cut short: {error}"),
    };
    match value.get("schema").map(Value::as_u64) {
        None => "JSON, but no report of 'ringmail latency': it has no field 'schema'".into(),
        Some(Some(schema)) if schema != u64::from(SCHEMA) => other_schema(schema),
        Some(_) => {
            let path = error.path().to_string();
            format!("damaged at {}: {}", if path == "." { "its top" } else { &path }, error.inner())
        }
    }
}

fn other_schema(schema: u64) -> String {
    let version = env!("CARGO_PKG_VERSION");
    if schema > u64::from(SCHEMA) {
        format!(
            "schema {schema}, but ringmail {version} reads schema {SCHEMA}: use the ringmail that wrote it, or a newer one"
        )
    } else {
        format!("schema {schema}, which was never in use; ringmail {version} reads schema {SCHEMA}")
    }
}

impl Report {
    /// Every distribution of the report, and the name of its place in the JSON.
    pub(crate) fn all_figures(&self) -> Vec<(String, &Figures)> {
        let mut all = Vec::new();
        for (index, pair) in self.pairs.iter().enumerate() {
            all.push((format!("pairs[{index}].channel"), &pair.channel));
            all.push((format!("pairs[{index}].floor"), &pair.floor));
            all.extend(pair.yardstick.iter().map(|figures| (format!("pairs[{index}].yardstick"), figures)));
            all.extend(pair.processes.iter().map(|it| (format!("pairs[{index}].processes"), &it.figures)));
        }
        for (index, step) in self.load.iter().flat_map(|load| &load.steps).enumerate() {
            all.push((format!("load.steps[{index}].response"), &step.response));
            all.push((format!("load.steps[{index}].service"), &step.service));
        }
        for (index, row) in self.wake.iter().flat_map(|wake| &wake.rows).enumerate() {
            all.push((format!("wake.rows[{index}].figures"), &row.figures));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{fixture, json};

    fn value() -> Value {
        serde_json::from_str(&json::draw(&fixture::between_processes()).unwrap()).unwrap()
    }

    fn read(value: &Value) -> Result<Report, String> {
        parse(value.to_string().as_bytes())
    }

    #[test]
    fn a_report_comes_back_as_it_was_written() {
        for report in [fixture::report(4), fixture::between_processes()] {
            let text = json::draw(&report).unwrap();
            assert_eq!(json::draw(&parse(text.as_bytes()).unwrap()).unwrap(), text);
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_field() {
        let text = value().to_string();
        for (bytes, part) in [
            ("", "empty"),
            (" \n", "empty"),
            ("hello", "not JSON"),
            (&text[..text.len() / 2], "cut short"),
            ("[1,2]", "no field 'schema'"),
            ("{\"name\":\"other\"}", "no field 'schema'"),
            ("{\"schema\":1}", "missing field `tool`"),
            ("{\"schema\":\"one\"}", "damaged at schema"),
            ("{\"schema\":2}", "schema 2, but"),
            ("{\"schema\":0}", "never in use"),
            (&format!("{text} {text}"), "more after the report"),
        ] {
            let error = parse(bytes.as_bytes()).unwrap_err();
            assert!(error.contains(part), "{part:?} is missing in: {error}");
        }
        assert!(parse(b"\xff\xfe{").unwrap_err().contains("not JSON"));
        let mut damaged = value();
        damaged["pairs"][0]["channel"]["p50_ns"] = "fast".into();
        assert!(read(&damaged).unwrap_err().contains("pairs[0].channel.p50_ns"), "{:?}", read(&damaged));
        let mut damaged = value();
        damaged["pairs"][0]["floor"]["histogram"] = "AAAA".into();
        assert!(read(&damaged).unwrap_err().contains("pairs[0].floor.histogram"));
        let mut damaged = value();
        damaged["jitter"][1]["histogram"] = "§".into();
        assert!(read(&damaged).unwrap_err().contains("jitter[1].histogram"));
        let mut newer = value();
        newer["schema"] = 2.into();
        assert!(read(&newer).unwrap_err().contains("newer"));
    }

    #[test]
    fn a_report_from_before_some_fields_were_added_is_read() {
        let mut older = value();
        let cut = |object: &mut Value, names: &[&str]| {
            names.iter().for_each(|name| drop(object.as_object_mut().unwrap().remove(*name)));
        };
        cut(&mut older["settings"], &["between_processes"]);
        cut(&mut older["pairs"][0], &["processes", "floor_kind", "tails_ns", "visit_slices"]);
        cut(&mut older["pairs"][0]["channel"], &["p9999_ns", "p99999_ns", "mean_ns", "stalled_share"]);
        cut(&mut older["env"], &["governors", "hypervisor"]);
        older["env"]["caches"] = serde_json::json!(["L1d 32K", "L2 512K"]);
        let report = read(&older).unwrap();
        assert_eq!(report.env.caches[0].value, "L1d 32K, L2 512K");
        // What is not known is not zero.
        assert!(report.pairs[0].channel.mean_ns.is_nan());
        let again = json::draw(&report).unwrap();
        assert_eq!(json::draw(&parse(again.as_bytes()).unwrap()).unwrap(), again);
        // And drawn without a zero that nobody measured.
        assert!(crate::render::csv::draw(&report).lines().all(|line| !line.contains(",channel,mean,0.00")));
    }

    #[test]
    fn fields_of_later_versions_are_passed_over() {
        let mut newer = value();
        newer["pairs"][0]["something"] = 5.into();
        assert!(read(&newer).is_ok());
    }
}
