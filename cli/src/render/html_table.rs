//! Tables of an HTML page.

use super::format::escape;
use super::pair_table::RowEnd;
use super::units::Column;

/// A box that scrolls by itself, also by keys.
pub(crate) fn scroll(name: &str, inside: &str) -> String {
    format!("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">{inside}</div>\n", escape(name))
}

/// The first `words` columns hold words; the first one names its row.
pub(crate) fn table(caption: &str, columns: &[Column], words: usize, rows: &[RowEnd]) -> String {
    let mut text = format!("<table><caption>{}</caption><thead><tr>", escape(caption));
    let left = |at: usize| if at < words { " class=\"l\"" } else { "" };
    for (at, column) in columns.iter().enumerate() {
        text += &format!("<th scope=\"col\"{}>{}</th>", left(at), escape(&column.head()));
    }
    text += "</tr></thead><tbody>\n";
    for at in 0..columns.first().map_or(0, |column| column.cells.len()) {
        let end = rows.get(at);
        text += if end.is_some_and(|end| end.is_floor) { "<tr class=\"floor\">" } else { "<tr>" };
        for (place, column) in columns.iter().enumerate() {
            let cell = escape(&column.cells[at]);
            let names_row = place == 0 && !cell.is_empty();
            text += &if names_row {
                format!("<th scope=\"row\" class=\"l\">{cell}</th>")
            } else {
                format!("<td{}>{cell}</td>", left(place))
            };
        }
        text += "</tr>\n";
        for note in end.iter().flat_map(|end| &end.notes) {
            text += &format!(
                "<tr><td class=\"note\" colspan=\"{}\"><div>{}</div></td></tr>\n",
                columns.len(),
                escape(note)
            );
        }
    }
    text + "</tbody></table>"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_heads_notes_and_no_markup_from_outside() {
        let column = |name: &str, cells: [&str; 2]| Column {
            name: name.into(),
            unit: None,
            cells: cells.map(str::to_owned).to_vec(),
        };
        let columns = [column("pair", ["0↔1", ""]), column("p50", ["<10", "5"])];
        let rows = [RowEnd::default(), RowEnd { is_floor: true, notes: vec!["a & b".into()] }];
        let text = table("<x>", &columns, 1, &rows);
        for part in [
            "<caption>&lt;x&gt;</caption>",
            "<th scope=\"col\" class=\"l\">pair</th><th scope=\"col\">p50</th>",
            "<tr><th scope=\"row\" class=\"l\">0↔1</th><td>&lt;10</td></tr>",
            "<tr class=\"floor\"><td class=\"l\"></td><td>5</td></tr>",
            "<td class=\"note\" colspan=\"2\"><div>a &amp; b</div></td>",
        ] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
        assert!(scroll("a \"b\"", "x").contains("aria-label=\"a &quot;b&quot;\">x</div>"));
    }
}
