//! Three stages, each pinned to a core: read files, count words, add up. Checked against a serial count.
//!
//! ```text
//! cargo run --release --example pinned_pipeline [FILE or DIRECTORY]
//! ```
//!
//! Without a path it counts the words in the sources of this crate. A stage that is slow holds up those before it by its full lane, so
//! no more than some blocks are in memory at a time.

use core_affinity::CoreId;
use ringmail::mesh::{Builder, Endpoint, Peers, RecvError, Role, Seat};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::{cmp, env, error, process, thread};

type Failed = Box<dyn error::Error + Send + Sync>;
type Counts = BTreeMap<String, u64>;
const READER: usize = 0;
const COUNTER: usize = 1;
const ADDER: usize = 2;
/// A block ends with the line in which it gets as large as this, so no word is cut.
const BLOCK: usize = 16 << 10;

enum Message {
    /// From the reader to the counter.
    Block(Vec<u8>),
    /// From the counter to the adder.
    Counts(Counts),
}

fn count(text: &[u8], counts: &mut Counts) {
    for word in String::from_utf8_lossy(text).split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
}

/// The regular files at `path` and below it. Links below it are not followed, so this ends.
fn files(path: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failed> {
    let cannot = |error: io::Error| format!("cannot read {}: {error}", path.display());
    let meta = fs::metadata(path).map_err(cannot)?;
    if meta.is_file() {
        found.push(path.into());
        return Ok(());
    }
    if !meta.is_dir() {
        return Err(format!("{} is neither a regular file nor a directory", path.display()).into());
    }
    for entry in fs::read_dir(path).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let kind = entry.file_type().map_err(cannot)?;
        if kind.is_dir() || kind.is_file() {
            files(&entry.path(), found)?;
        }
    }
    Ok(())
}

/// First stage.
fn read(me: &mut Endpoint<Message>, files: &[PathBuf]) -> Result<(), Failed> {
    for path in files {
        let cannot = |error: io::Error| format!("cannot read {}: {error}", path.display());
        let mut file = BufReader::new(File::open(path).map_err(cannot)?);
        loop {
            let mut block = Vec::with_capacity(BLOCK);
            while block.len() < BLOCK && file.read_until(b'\n', &mut block).map_err(cannot)? != 0 {}
            if block.is_empty() {
                break;
            }
            // A pipeline has no rings: plain sends that wait for room cannot wait for each other.
            me.send_to(COUNTER, Message::Block(block))?;
        }
    }
    Ok(())
}

/// Second stage.
fn count_blocks(me: &mut Endpoint<Message>) -> Result<(), Failed> {
    while let Some(message) = next(me)? {
        let Message::Block(block) = message else { return Err("the counter takes blocks".into()) };
        let mut counts = Counts::new();
        count(&block, &mut counts);
        me.send_to(ADDER, Message::Counts(counts))?;
    }
    Ok(())
}

/// Third stage. Returns the sum, and of how many messages.
fn add_up(me: &mut Endpoint<Message>) -> Result<(Counts, usize), Failed> {
    let (mut sum, mut messages) = (Counts::new(), 0);
    while let Some(message) = next(me)? {
        let Message::Counts(counts) = message else { return Err("the adder takes counts".into()) };
        counts.into_iter().for_each(|(word, n)| *sum.entry(word).or_default() += n);
        messages += 1;
    }
    Ok((sum, messages))
}

/// The next message; None once the stages before this one have ended.
fn next(me: &mut Endpoint<Message>) -> Result<Option<Message>, Failed> {
    match me.recv() {
        Ok((_, message)) => Ok(Some(message)),
        Err(RecvError(Peers::All)) => Ok(None),
        Err(RecvError(Peers::One(gone))) => Err(gone.into()),
    }
}

/// Runs a stage on its core. With feature `affinity`, `Builder::cores` has the seats do this, and checks that it worked.
fn on<R>(
    core: Option<CoreId>,
    seat: Seat<Message>,
    stage: impl FnOnce(&mut Endpoint<Message>) -> Result<R, Failed>,
) -> Result<R, Failed> {
    if let Some(core) = core {
        if !core_affinity::set_for_current(core) {
            return Err(format!("the thread of stage {} cannot be pinned to core {}", seat.id(), core.id).into());
        }
    }
    seat.run(stage)?
}

fn run(path: &Path) -> Result<(), Failed> {
    let mut paths = Vec::new();
    files(path, &mut paths)?;
    let seats = Builder::new().roles([Role::Producer, Role::Both, Role::Consumer]).capacity(16).build()?;
    let Ok([reader, counter, adder]) = <[_; 3]>::try_from(seats) else { return Err("not three seats".into()) };
    // With fewer cores than stages, some share one.
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let core = |stage: usize| cores.get(stage % cores.len().max(1)).copied();
    let (sum, messages) = thread::scope(|s| {
        let reader = s.spawn(|| on(core(READER), reader, |me| read(me, &paths)));
        let counter = s.spawn(|| on(core(COUNTER), counter, count_blocks));
        let adder = s.spawn(|| on(core(ADDER), adder, add_up));
        reader.join().expect("the reader does not panic")?;
        counter.join().expect("the counter does not panic")?;
        adder.join().expect("the adder does not panic")
    })?;

    let mut serial = Counts::new();
    for path in &paths {
        count(&fs::read(path)?, &mut serial);
    }
    assert_eq!(sum, serial, "the pipeline and a serial count agree (unless a file has changed meanwhile)");
    let mut top: Vec<_> = sum.iter().collect();
    top.sort_by_key(|&(word, n)| (cmp::Reverse(*n), word));
    let (words, different, stages) = (sum.values().sum::<u64>(), sum.len(), cores.len().min(3));
    let top: Vec<_> = top.into_iter().take(5).map(|(word, n)| format!("{n} {word}")).collect();
    println!(
        "{words} words, {different} different, in {} files and {messages} blocks; three stages on {stages} cores; most frequent: {}",
        paths.len(),
        top.join(", ")
    );
    Ok(())
}

fn main() {
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let path = PathBuf::from(env::args_os().nth(1).unwrap_or(sources.into()));
    if let Err(error) = run(&path) {
        eprintln!("pinned_pipeline: {error}");
        process::exit(2);
    }
}
