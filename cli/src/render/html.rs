//! The report as one HTML page: no scripts, no network, readable in light and dark, and the data inside.

use std::fmt::Write;

use super::describe::{clock, environment, subject};
use super::format::{self, escape};
use super::{json, slices, summary, svg};
use crate::options::Cell;
use crate::report::{Figures, Pair, Ratio, Report, RunEnd};

/// Pairs up to which each gets a chart of its slices.
const CHARTS: usize = 12;

const STYLE: &str = "
:root{color-scheme:light dark;--line:#8883;--soft:#8881}
body{font:15px/1.5 system-ui,sans-serif;max-width:1080px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td:first-child,td.l,th.l{text-align:left}
tbody tr:hover{background:var(--soft)}
.scroll{overflow-x:auto}.scroll>svg{max-width:100%;height:auto;border-radius:8px}
.warn{border-left:4px solid #d9a12c;background:var(--soft);padding:.4rem .8rem;margin:.4rem 0}
.warn b{font-weight:600}figure{margin:1rem 0}figcaption{font-weight:600}figure svg{width:100%;height:auto}
.pairs :is(th,td):nth-child(-n+3){text-align:left}
.floor td{opacity:.7}footer{margin-top:2rem;opacity:.7;font-size:.85rem}
";

pub(crate) fn draw(report: &Report, cell: Cell) -> Result<String, serde_json::Error> {
    let mut page = String::new();
    let ended = match report.ended {
        RunEnd::Complete => "",
        RunEnd::TimeBudget => ", stopped at the time budget",
        RunEnd::Interrupted => ", interrupted",
    };
    let (pairs, planned) = (report.pairs.len(), report.planned_pairs);
    page += "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <title>ringmail latency</title>";
    page += &format!("<style>{STYLE}</style></head><body>\n<h1>ringmail latency</h1>\n");
    page += &format!("<p>{}<br>{}<br>", escape(&subject(report)), escape(&clock(report)));
    page += &format!("{pairs} of {planned} pairs in {:.1} s{ended}.</p>\n", report.elapsed_s);
    for warning in &report.warnings {
        let (what, remedy) = (escape(&warning.what), escape(&warning.remedy));
        page += &format!("<div class=\"warn\"><b>{what}</b> → {remedy}</div>\n");
    }
    page += &format!("<h2>Core by core</h2>\n<div class=\"scroll\">{}</div>\n", svg::draw(report, cell));
    page += "<h2>Clusters</h2>\n";
    clusters(&mut page, report);
    page += "<h2>Pairs</h2>\n";
    pair_table(&mut page, report);
    if pairs <= CHARTS {
        page += "<h2>Slice by slice</h2>\n";
        for pair in &report.pairs {
            let Some(chart) = slices::draw(pair) else { continue };
            let [a, b] = pair.cores;
            page += &format!("<figure><figcaption>Cores {a} and {b}, ns per round trip</figcaption>{chart}</figure>\n");
        }
    }
    page += "<h2>Jitter</h2>\n<p>Gaps over 1 µs in a thread that only reads the clock. \
             A p99.9 or maximum of this size comes from the machine, not from the channel.</p>\n";
    let rows = report.jitter.iter().map(|jitter| {
        let longest = format::time(jitter.max_ns as f64, 0.0);
        let stolen = format!("{:.3} %", jitter.stolen_share() * 100.0);
        vec![jitter.core.to_string(), format!("{:.0}", jitter.per_second()), longest, stolen]
    });
    table(&mut page, &["core", "per second", "longest", "time stolen"], rows.map(|row| ("", row)));
    page += "<h2>Environment</h2>\n<table><tbody>\n";
    for (name, value) in environment(report) {
        page += &format!("<tr><th>{}</th><td class=\"l\">{}</td></tr>\n", escape(name), escape(&value));
    }
    let argv = escape(&report.tool.argv.join(" "));
    page += &format!("<tr><th>command</th><td class=\"l\"><code>{argv}</code></td></tr>\n</tbody></table>\n");
    page += "<footer>The whole report is inside this page as JSON, in the element with the id <code>report</code>.</footer>\n";
    // "</" would end the element early; in JSON a slash may be escaped.
    let data = json::draw(report)?.replace("</", "<\\/");
    page += &format!("<script type=\"application/json\" id=\"report\">{}</script>\n</body></html>\n", data.trim_end());
    Ok(page)
}

fn clusters(page: &mut String, report: &Report) {
    let rows = summary::clusters(report).into_iter().map(|cluster| {
        let time = |ns| escape(&format::time(ns, cluster.resolution_ns));
        let ratio = cluster.median_ratio.map_or("?".to_owned(), format::ratio);
        let times = [cluster.lowest_ns, cluster.median_ns, cluster.highest_ns].map(time);
        let mut row = vec![escape(&cluster.relation), cluster.pairs.to_string()];
        row.extend(times);
        row.push(ratio);
        ("", row)
    });
    table(page, &["relation", "pairs", "lowest p50", "median p50", "highest p50", "median RTT / floor"], rows);
}

fn pair_table(page: &mut String, report: &Report) {
    const HEAD: [&str; 12] = [
        "cores",
        "relation",
        "",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "max",
        "slices 5–95 %",
        "RTT / floor",
        "sample",
        "samples",
    ];
    let mut rows = Vec::new();
    for pair in summary::by_p50(report) {
        for (name, figures, ratio) in pair.subjects() {
            rows.push((if name == "floor" { name } else { "" }, row(pair, name, figures, ratio)));
        }
    }
    page.push_str("<div class=\"scroll pairs\">");
    table(page, &HEAD, rows.into_iter());
    page.push_str("</div>\n");
}

fn row(pair: &Pair, name: &str, figures: &Figures, ratio: Option<&Ratio>) -> Vec<String> {
    let time = |ns| escape(&format::time(ns, figures.resolution_ns));
    let [a, b] = pair.cores;
    let [low, high] = figures.slice_range_ns;
    let flags = pair.flags.iter().map(|flag| format!(", <i>{}</i>", flag.name())).collect::<String>();
    let relation = escape(&pair.relation) + &flags;
    let ratio = match ratio {
        Some(ratio) => {
            let [low, high] = ratio.range.map(format::ratio);
            format!("{} ({low}–{high})", format::ratio(ratio.median))
        }
        None => String::new(),
    };
    let mut row = vec![format!("{a}–{b}"), relation, name.to_owned()];
    row.extend([figures.p50_ns, figures.p90_ns, figures.p99_ns, figures.p999_ns, figures.max_ns].map(time));
    row.push(format!("{}–{}", escape(&format::short(low, figures.resolution_ns)), time(high)));
    row.extend([ratio, format::per_sample(figures.trips_per_sample), format::count(figures.samples)]);
    row
}

/// A table of ready HTML cells; each row may have a class.
fn table(page: &mut String, head: &[&str], rows: impl Iterator<Item = (&'static str, Vec<String>)>) {
    page.push_str("<table><thead><tr>");
    for cell in head {
        write!(page, "<th>{cell}</th>").expect("a String takes everything");
    }
    page.push_str("</tr></thead><tbody>\n");
    for (class, row) in rows {
        write!(page, "<tr class=\"{class}\">").expect("a String takes everything");
        for cell in row {
            write!(page, "<td>{cell}</td>").expect("a String takes everything");
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;
    use crate::report::Flag;

    #[test]
    fn the_page_is_self_contained() {
        let text = draw(&fixture::report(4), Cell::P50).unwrap();
        // The name of the SVG vocabulary is the one address. It is a name only: no program fetches it.
        assert!(!text.replace("xmlns=\"http://www.w3.org/2000/svg\"", "").contains("http"));
        assert!(!text.contains("<link") && !text.contains("src="));
        assert!(text.contains("load 2.3 on 2 cores</b> → stop other work"));
        assert_eq!(text.matches("<figure>").count(), 6);
    }

    #[test]
    fn processes_have_a_row_and_dots() {
        let text = draw(&fixture::between_processes(), Cell::P50).unwrap();
        assert!(text.contains("<td>processes</td>") && text.contains("<td>threads</td>"));
        assert!(text.contains("1.50 (1.00–1.70)"));
        assert_eq!(text.matches("h.01").count(), 300);
    }

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let mut report = fixture::report(2);
        report.tool.argv.push("</script><script>alert(1)</script>".into());
        let text = draw(&report, Cell::P50).unwrap();
        assert_eq!(text.matches("<script").count(), 2, "the element, and the escaped text inside the JSON");
        assert_eq!(text.matches("</script>").count(), 1);
        assert!(text.contains("Some &lt;CPU&gt;"));
    }

    #[test]
    fn the_data_inside_is_the_report() {
        let mut report = fixture::report(2);
        report.pairs[0].flags = vec![Flag::FewSamples];
        let text = draw(&report, Cell::P50).unwrap();
        assert!(text.contains("SMT sibling, <i>few samples</i>"));
        let start = text.find("id=\"report\">").unwrap() + "id=\"report\">".len();
        let end = start + text[start..].find("</script>").unwrap();
        let value: serde_json::Value = serde_json::from_str(&text[start..end]).unwrap();
        assert_eq!(value["settings"]["seed"], 42);
    }
}
