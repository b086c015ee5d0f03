//! The report as one HTML page: no scripts, no network, readable in light and dark, on a phone and without eyes, and the
//! data inside.

use super::describe::{self, clock, environment, subject};
use super::embed::embed;
use super::format::escape;
use super::html_table::{scroll, table};
use super::pair_table::{self, Names, PairTable};
use super::units::Column;
use super::{headline, load, notes, pictures, summary, svg, tables, trust};
use crate::measure::jitter::HICCUP_NS;
use crate::options::Cell;
use crate::report::{Pair, Report};

/// Pairs up to which each has a row for each way to pass a message.
const IN_DEPTH: usize = 12;
/// Pairs up to which the table shows them all; beyond, so many of the lowest and of the highest.
const ALL_PAIRS: usize = 400;
const EXTREMES: usize = 50;

const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1b2230;--ground:#fff;--soft:#566070;--line:#8884;--shade:#8881;
--low:#b3261e;--medium:#8a5a00;--high:#1b6e3c}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaee;--ground:#14171c;--soft:#a3acba;--low:#ff8a80;--medium:#f2c063;--high:#7fd49b}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);max-width:1280px;margin:1.5rem auto;padding:0 1rem;
overflow-wrap:anywhere}
h1{font-size:1rem;margin:0;color:var(--soft);font-weight:600}h2{font-size:1.15rem;margin:2rem 0 .5rem}
.answer{font-size:1.3rem;line-height:1.35;font-weight:600;margin:.3rem 0}
.trust{margin:.3rem 0}.trust b{color:var(--c)}.low{--c:var(--low)}.medium{--c:var(--medium)}.high{--c:var(--high)}
.next{margin:.3rem 0}.soft,caption,footer{color:var(--soft)}.soft{margin:.3rem 0}
.scroll{overflow-x:auto;max-width:100%}.scroll>svg{display:block}
table{border-collapse:collapse;overflow-wrap:normal;font-size:.87rem;font-variant-numeric:tabular-nums}
caption{text-align:left;font-size:.87rem;padding:.2rem 0}
th,td{padding:.25rem .5rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap;font-weight:400}
thead th{font-weight:600}.l{text-align:left}
tbody tr:hover{background:var(--shade)}.floor td{color:var(--soft)}
td.note{white-space:normal;text-align:left;color:var(--soft)}
td.note div{position:sticky;left:.5rem;width:max-content;max-width:min(60rem,calc(100vw - 3rem))}
@media (max-width:640px){td.l:nth-child(2){white-space:normal;min-width:6.5rem}}
.facts :is(th,td){white-space:normal;overflow-wrap:anywhere;text-align:left;vertical-align:top}.facts th{color:var(--soft);min-width:7.5rem;overflow-wrap:normal}
.warn{border-left:4px solid #d9a12c;background:var(--shade);padding:.4rem .8rem;margin:.4rem 0}.warn b{font-weight:600}
figure{margin:1rem 0}figcaption{font-weight:600}
footer{margin-top:2rem;font-size:.87rem}
";

pub(crate) fn draw(report: &Report, cell: Cell) -> Result<String, serde_json::Error> {
    let mut page = String::new();
    let answer = headline::answer(report);
    let title = answer.first().map_or("ringmail latency".to_owned(), |answer| format!("{answer} - ringmail latency"));
    page += "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">";
    page += &format!("<title>{}</title><style>{STYLE}</style></head><body>\n", escape(&title));
    head(&mut page, report, &answer);
    page += "<main>\n";
    if report.planned_pairs > 0 {
        of_pairs(&mut page, report, cell);
    }
    if let Some(load) = &report.load {
        let mut rows = load::rows(load).into_iter();
        let heads = rows.next().unwrap_or_default();
        let cells: Vec<Vec<String>> = rows.collect();
        let columns: Vec<Column> = heads
            .into_iter()
            .enumerate()
            .map(|(at, name)| Column { name, unit: None, cells: cells.iter().map(|row| row[at].clone()).collect() })
            .collect();
        page += &format!(
            "<h2>Rates</h2>\n{}\n",
            scroll("rates", &table("From when a message was due until it was received", &columns, 0, &[]))
        );
        for step in load.steps.iter().filter(|step| !step.reached) {
            page += &format!("<p class=\"soft\">{}</p>\n", escape(&load::not_reached(step)));
        }
    }
    page += &pictures::draw(report);
    jitter(&mut page, report);
    if !report.warnings.is_empty() {
        page += "<h2>Warnings</h2>\n";
    }
    for warning in &report.warnings {
        let (what, remedy) = (escape(&warning.what), escape(&warning.remedy));
        page += &format!("<div class=\"warn\"><b>{what}</b> → {remedy}</div>\n");
    }
    method(&mut page, report);
    let data = embed(report)?;
    let left_out = data.left_out.map_or(String::new(), |left_out| format!(", but {left_out}"));
    page += &format!(
        "</main>\n<footer>The report is inside this page as JSON, in the element with the id <code>report</code>{left_out}.</footer>\n"
    );
    // "</" would end the element early; in JSON a slash may be escaped.
    let json = data.json.replace("</", "<\\/");
    page += &format!("<script type=\"application/json\" id=\"report\">{json}</script>\n</body></html>\n");
    Ok(page)
}

fn of_pairs(page: &mut String, report: &Report, cell: Cell) {
    if let Some(map) = svg::map(report, cell).filter(|_| report.planned_pairs > 1) {
        *page += &format!("<h2>Core by core</h2>\n{}\n", scroll("heat map", &map));
    }
    *page += "<h2>Pairs</h2>\n";
    pairs(page, report);
    if report.pairs.len() > 1 {
        *page += "<h2>Clusters</h2>\n";
        let caption = "p50 of the pairs of each relation, closest first";
        *page += &scroll("clusters", &table(caption, &tables::clusters(report), 1, &[]));
    }
}

/// How fast, how sure, what to do next; and of what.
fn head(page: &mut String, report: &Report, answer: &[String]) {
    *page += "<header>\n<h1>ringmail latency</h1>\n";
    for line in answer {
        *page += &format!("<p class=\"answer\">{}</p>\n", escape(line));
    }
    if report.planned_pairs > 0 && answer.is_empty() {
        *page += "<p class=\"answer\">No pair was measured.</p>\n";
    } else {
        let trust = trust::judge(report);
        let (level, reasons) = (trust.level.name(), escape(&trust.reasons()));
        *page += &format!("<p class=\"trust {level}\"><b>trust: {level}</b>: {reasons}</p>\n");
        for line in headline::next(report, &trust) {
            *page += &format!("<p class=\"next\">{}</p>\n", escape(&line));
        }
    }
    for text in [describe::machine(report), describe::settings(report), describe::made(report)] {
        *page += &format!("<p class=\"soft\">{}</p>\n", escape(&text));
    }
    *page += "</header>\n";
}

fn pairs(page: &mut String, report: &Report) {
    let ordered = summary::by_p50(report);
    if ordered.is_empty() {
        *page += "<p>No pair was measured.</p>\n";
        return;
    }
    let all = ordered.len();
    let shown: Vec<&Pair> = if all <= ALL_PAIRS {
        ordered
    } else {
        ordered[..EXTREMES].iter().chain(&ordered[all - EXTREMES..]).copied().collect()
    };
    let in_depth = shown.len() <= IN_DEPTH;
    let drawn =
        if in_depth { pair_table::detailed(report, &shown, Names::Long) } else { pair_table::compact(report, &shown) };
    let which = if shown.len() < all {
        format!(
            "The {EXTREMES} lowest and the {EXTREMES} highest of {all} pairs by p50; --csv and --json contain all. "
        )
    } else {
        String::new()
    };
    let PairTable { columns, words, rows } = &drawn;
    *page += &scroll("pairs", &table("There and back", columns, *words, rows));
    let mut texts = vec![format!("{which}{}", notes::RANGES)];
    if !in_depth {
        texts.push(notes::COLUMNS.into());
        texts.extend(notes::core_to_core(&shown));
    }
    texts.extend(notes::of_samples(&shown).map(str::to_owned));
    for text in texts {
        *page += &format!("<p class=\"soft\">{}</p>\n", escape(&text));
    }
}

fn jitter(page: &mut String, report: &Report) {
    /// Cores up to which each has a row; beyond, those that lost most time.
    const MOST: usize = 128;
    if report.jitter.is_empty() {
        return;
    }
    let shown = tables::worst(report, MOST);
    let which = if shown.len() < report.jitter.len() {
        format!(" The {MOST} of {} cores that lost most time.", report.jitter.len())
    } else {
        String::new()
    };
    let about = format!(
        "Gaps over {} µs in a thread that only reads the clock. A p99.9 or maximum of this size comes from the machine, not \
         from the channel.{which}",
        HICCUP_NS / 1000
    );
    let drawn = table("Gaps of each core", &tables::jitter(&shown), 1, &[]);
    *page += &format!("<h2>Jitter</h2>\n{}<p class=\"soft\">{}</p>\n", scroll("jitter", &drawn), escape(&about));
}

fn method(page: &mut String, report: &Report) {
    *page += "<h2>Method and environment</h2>\n";
    for text in [subject(report), clock(report)] {
        *page += &format!("<p>{}</p>\n", escape(&text));
    }
    *page += "<table class=\"facts\"><caption>The machine and the tool</caption><tbody>\n";
    let command = ("command", report.tool.argv.join(" "));
    for (name, value) in environment(report).into_iter().chain([command]) {
        *page += &format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape(name), escape(&value));
    }
    *page += "</tbody></table>\n";
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
        assert_eq!(text.matches("<figure ").count(), 10);
    }

    #[test]
    fn the_answer_comes_first_and_the_page_says_when_and_where() {
        for mut report in [fixture::report(4), fixture::report(8), fixture::sockets(8)] {
            report.env.hypervisor = Some(true);
            let text = draw(&report, Cell::P50).unwrap();
            let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part:?} is missing"));
            let order =
                ["class=\"answer\"", "<b>trust: ", "next: ", "2027-01-15T08:00:00Z", "Core by core</h2>", "Pairs</h2>"];
            let mut order: Vec<usize> = order.map(at).to_vec();
            order.extend(["Jitter</h2>", "Warnings</h2>", "environment</h2>"].map(at));
            assert!(order.is_sorted(), "{order:?}");
            assert!(text.contains("there and back") && text.contains(&format!("{} cores, ", report.cores.len())));
        }
        let mut empty = fixture::report(2);
        empty.pairs.clear();
        assert!(draw(&empty, Cell::P50).unwrap().contains("No pair was measured."));
    }

    #[test]
    fn tables_can_be_read_aloud_and_scrolled_by_keys() {
        let text = draw(&fixture::report(8), Cell::P50).unwrap();
        let count = |part: &str| text.matches(part).count();
        assert!(text.contains("<html lang=\"en\">") && text.contains("<title>there and back"));
        assert_eq!(count("<table"), count("<caption>"));
        assert_eq!(count("<th"), count("scope=\"") + count("<thead"), "every head has a scope");
        assert_eq!(count("class=\"scroll\""), count("tabindex=\"0\""));
        assert!(text.contains("prefers-color-scheme:dark"));
    }

    #[test]
    fn processes_have_a_row_and_dots() {
        let text = draw(&fixture::between_processes(), Cell::P50).unwrap();
        assert!(text.contains(">channel, processes</td>") && text.contains(">channel, threads</td>"));
        assert!(text.contains("1.50 (1.00–1.70"));
        assert_eq!(text.matches("h.01").count(), 300);
    }

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let mut report = fixture::report(2);
        report.tool.argv.push("</script><script>alert(1)</script>".into());
        report.pairs[0].relation = "<b>".into();
        let text = draw(&report, Cell::P50).unwrap();
        assert_eq!(text.matches("<script").count(), 2, "the element, and the escaped text inside the JSON");
        assert_eq!(text.matches("</script>").count(), 1);
        assert!(text.contains("Some &lt;CPU&gt;"));
        assert_eq!(text.matches("<b>").count(), 1 + 1 + 1, "trust, a warning, and inside the JSON");
    }

    #[test]
    fn the_data_inside_is_the_report() {
        let mut report = fixture::report(2);
        report.pairs[0].flags = vec![Flag::FewSamples];
        let text = draw(&report, Cell::P50).unwrap();
        assert!(text.contains("; few samples</div>"));
        let start = text.find("id=\"report\">").unwrap() + "id=\"report\">".len();
        let end = start + text[start..].find("</script>").unwrap();
        let value: serde_json::Value = serde_json::from_str(&text[start..end]).unwrap();
        assert_eq!(value["settings"]["seed"], 42);
    }

    #[test]
    fn large_machines_stay_pages_that_open_and_say_what_they_leave_out() {
        let text = draw(&fixture::noisy(512), Cell::P50).unwrap();
        assert!(text.len() < 5_000_000, "{} bytes", text.len());
        for part in
            ["The 50 lowest and the 50 highest of 130816 pairs", "but of each pair it has p50", "The 128 of 512 cores"]
        {
            assert!(text.contains(part), "{part:?} is missing");
        }
    }
}
