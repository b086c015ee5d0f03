//! Three stages on three threads, joined by two channels: read lines, count words, add up. Checked against a serial count.
//!
//! ```text
//! cargo run --release --example pipeline [FILE]
//! ```
//!
//! Without a file it counts the words of this program.

use ringmail::spsc;
use std::collections::BTreeMap;
use std::error::Error;
use std::{env, fs, thread};

type Counts = BTreeMap<String, u64>;

fn count(line: &str) -> Counts {
    let mut counts = Counts::new();
    for word in line.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    counts
}

fn main() -> Result<(), Box<dyn Error>> {
    let text = match env::args_os().nth(1) {
        Some(file) => fs::read_to_string(&file).map_err(|e| format!("cannot read {}: {e}", file.to_string_lossy()))?,
        None => include_str!("pipeline.rs").to_owned(),
    };
    let expected = count(&text);

    let (mut lines, mut unread) = spsc::channel::<String>(64)?;
    let (mut counted, mut sums) = spsc::channel::<Counts>(64)?;
    let (total, stats) = thread::scope(|s| {
        s.spawn(|| {
            // A send fails only if the next stage is gone, and then there is nothing left to do.
            let _ = lines.send_iter(text.lines().map(str::to_owned));
            lines.close();
        });
        s.spawn(move || {
            for line in &mut unread {
                if counted.send(count(&line)).is_err() {
                    break;
                }
            }
        });
        let mut total = Counts::new();
        for counts in &mut sums {
            for (word, n) in counts {
                *total.entry(word).or_default() += n;
            }
        }
        (total, sums.stats())
    });

    assert_eq!(total, expected, "the pipeline and the serial count agree");
    let mut top: Vec<_> = total.iter().collect();
    top.sort_by_key(|&(word, n)| (std::cmp::Reverse(*n), word));
    println!("{} words, {} different, in {} messages", total.values().sum::<u64>(), total.len(), stats.received);
    for (word, n) in top.into_iter().take(5) {
        println!("{n:6}  {word}");
    }
    Ok(())
}
