//! Programs written for another crate's channels, and their ports. `docs/porting.md` shows the same code.
//!
//! Each `from_` file holds a small program in the style of one crate: as it is written there (compiled where the crate is at hand), and its port.
//! `logger`, `pool` and `server` are programs in the manner of well-known crates, each on ringmail and on the channels it is usually written on: tested for
//! the same output, and for their lines of code. `benches/src/bin/programs.rs` times them.
// Tests are not what loom models.
#![allow(clippy::disallowed_types)]

mod from_crossbeam;
mod from_rtrb;
mod from_tokio;
mod instead;
mod logger;
mod pool;
#[cfg(feature = "lossy")]
mod server;
mod verbs;

/// Each block of Rust in these pages that is not marked `ignore` stands in one of the files that are compiled here.
#[test]
fn the_pages_show_code_that_compiles() {
    let pages = [
        ("porting.md", include_str!("../../docs/porting.md"), 28),
        ("waiting.md", include_str!("../../docs/waiting.md"), 1),
    ];
    let sources = [
        include_str!("from_crossbeam.rs"),
        include_str!("from_rtrb.rs"),
        include_str!("from_tokio.rs"),
        include_str!("instead.rs"),
        include_str!("logger/on_ringmail.rs"),
        include_str!("pool/on_ringmail.rs"),
        include_str!("server/on_ringmail.rs"),
        include_str!("verbs.rs"),
    ]
    .map(flush_left);
    for (page, text, least) in pages {
        let blocks = blocks(text);
        assert!(blocks.len() >= least, "{page} has {} blocks, at least {least} were expected", blocks.len());
        for block in blocks {
            let block = flush_left(&block);
            assert!(
                sources.iter().any(|source| source.contains(&block)),
                "{page} shows what is not compiled:\n{block}"
            );
        }
    }
}

#[test]
fn a_page_with_code_that_is_not_compiled_would_be_found() {
    let page = "text\n```rust\nlet never_compiled = 1;\n```\n```rust,ignore\nnot looked at\n```\n```rust\nfn a() {\n    b\n}\n```\n";
    assert_eq!(blocks(page), ["let never_compiled = 1;\n", "fn a() {\n    b\n}\n"]);
    assert_eq!(flush_left("  fn a() {\n      b\n  }\n"), flush_left("fn a() {\n    b\n}\n"));
}

/// Lines of a program that are neither empty nor comments. All are formatted by rustfmt, so they count alike.
fn lines_of_code(source: &str) -> usize {
    source.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

#[test]
fn no_program_has_more_lines_than_on_crossbeam_and_the_page_says_how_many() {
    let page = include_str!("../../docs/porting.md");
    let programs = [
        ("logger", include_str!("logger/on_ringmail.rs"), include_str!("logger/on_crossbeam.rs"), None),
        ("pool", include_str!("pool/on_ringmail.rs"), include_str!("pool/on_crossbeam.rs"), None),
        (
            "server",
            include_str!("server/on_ringmail.rs"),
            include_str!("server/on_crossbeam.rs"),
            Some(include_str!("server/on_tokio.rs")),
        ),
    ];
    for (name, ours, theirs, tokio) in programs {
        let (ours, theirs) = (lines_of_code(ours), lines_of_code(theirs));
        assert!(ours > 20 && ours <= theirs, "{name}: {ours} lines on ringmail, {theirs} on crossbeam");
        let tokio = tokio.map(|source| format!("{} ", lines_of_code(source))).unwrap_or_default();
        let row = page.lines().find(|line| line.starts_with(&format!("| `{name}` |"))).unwrap_or_default();
        let figures = format!("| {ours} | {theirs} | {tokio}|");
        assert!(row.ends_with(&figures), "{row} should end with {figures}");
    }
}

#[test]
fn comments_and_empty_lines_are_no_lines_of_code() {
    assert_eq!(lines_of_code("//! a\n\nfn a() {\n    // b\n    b() // c\n}\n"), 3);
}

/// The blocks of a page that are fenced as plain `rust`.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else { continue };
        let block: String = lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
        if language == "rust" {
            blocks.push(block);
        }
    }
    blocks
}

/// The same lines without indentation and visibility: code in a page stands further to the left than in its file, and in no module.
fn flush_left(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.trim_start().trim_start_matches("pub(super) "))).collect()
}
