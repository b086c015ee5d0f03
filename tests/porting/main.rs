//! Programs written for another crate's channels, and their ports. `docs/porting.md` shows the same code.
//!
//! Each file holds a small program in the style of one crate: as it is written there (compiled where the crate is at hand), and its port.
// Tests are not what loom models.
#![allow(clippy::disallowed_types)]

mod from_crossbeam;
mod from_rtrb;
mod from_tokio;
mod instead;
mod logger;
mod verbs;

/// Each block of Rust in these pages that is not marked `ignore` stands in one of the files that are compiled here.
#[test]
fn the_pages_show_code_that_compiles() {
    let pages = [
        ("porting.md", include_str!("../../docs/porting.md"), 18),
        ("waiting.md", include_str!("../../docs/waiting.md"), 1),
    ];
    let sources = [
        include_str!("from_crossbeam.rs"),
        include_str!("from_rtrb.rs"),
        include_str!("from_tokio.rs"),
        include_str!("instead.rs"),
        include_str!("logger.rs"),
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
