//! In the style of pariter: a map over an iterator by several threads, whose results come in order. No more than `ahead` items a worker
//! are under way, so results that are early take little memory. A panic of the work comes out of `next`, in its turn.
//!
//! With blocks of a file and a work that compresses, it is a parallel compressor (pigz, gzp).

mod on_crossbeam;
mod on_ringmail;
mod work;

use flate2::read::MultiGzDecoder;
use std::cell::Cell;
use std::io::Read;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

const WORKERS: NonZeroUsize = NonZeroUsize::new(3).unwrap();

#[test]
fn both_compressors_write_the_same_file_and_it_holds_the_text() {
    let text = work::text(1_000_000);
    let blocks = || text.chunks(64 << 10).map(<[u8]>::to_vec);
    let ours: Vec<u8> = on_ringmail::pool(blocks(), WORKERS, 2, work::compressed).unwrap().flatten().collect();
    let theirs: Vec<u8> = on_crossbeam::pool(blocks(), WORKERS, 2, work::compressed).flatten().collect();
    assert!(ours == theirs, "{} and {} bytes", ours.len(), theirs.len());
    assert!(ours.len() < text.len() / 2, "{} bytes", ours.len());
    let mut back = Vec::new();
    MultiGzDecoder::new(&*ours).read_to_end(&mut back).unwrap();
    assert!(back == text, "{} bytes come back", back.len());
}

#[test]
fn both_pools_keep_the_order_of_works_of_all_lengths() {
    let slow_at_first = |n: u64| {
        thread::sleep(Duration::from_micros(if n % 7 == 0 { 2000 } else { n % 5 * 20 }));
        n * n
    };
    let squares: Vec<u64> = (0..200).map(|n| n * n).collect();
    assert_eq!(on_ringmail::pool(0..200, WORKERS, 2, slow_at_first).unwrap().collect::<Vec<_>>(), squares);
    assert_eq!(on_crossbeam::pool(0..200, WORKERS, 2, slow_at_first).collect::<Vec<_>>(), squares);
    assert_eq!(on_ringmail::pool(0..0, WORKERS, 2, slow_at_first).unwrap().next(), None);
    let checksums = on_ringmail::pool((0..9).map(|n| vec![n; 99]), WORKERS, 2, work::checksum).unwrap();
    assert!(checksums.eq((0..9).map(|n| work::checksum(vec![n; 99]))));
}

/// Takes three results of a pool over numbers, and returns how far that read its input.
fn read_for_three(made: impl FnOnce(Box<dyn Iterator<Item = u64>>) -> Box<dyn Iterator<Item = u64>>) -> u64 {
    let read = Rc::new(Cell::new(0));
    let seen = Rc::clone(&read);
    let results = made(Box::new((0..1000).inspect(move |_| seen.set(seen.get() + 1))));
    assert!(results.take(3).eq(0..3));
    read.get()
}

#[test]
fn both_pools_read_no_further_ahead_than_their_window() {
    let ours = read_for_three(|input| Box::new(on_ringmail::pool(input, WORKERS, 2, |n| n).unwrap()));
    let theirs = read_for_three(|input| Box::new(on_crossbeam::pool(input, WORKERS, 2, |n| n)));
    assert_eq!((ours, theirs), (8, 8), "two taken, and twice three");
}

/// What comes before the panic of the fifth work, how that comes out, and how much comes after it.
fn around_a_panic(mut results: impl Iterator<Item = u64>) -> (Vec<u64>, Option<&'static str>, usize) {
    let before = results.by_ref().take(4).collect();
    let panic = catch_unwind(AssertUnwindSafe(|| results.next())).unwrap_err();
    (before, panic.downcast_ref().copied(), results.count())
}

#[test]
fn both_pools_pass_a_panic_on_in_its_turn_and_go_on() {
    let work = |n: u64| if n == 4 { std::panic::resume_unwind(Box::new("four")) } else { n };
    let expected = (vec![0, 1, 2, 3], Some("four"), 15);
    assert_eq!(around_a_panic(on_ringmail::pool(0..20, WORKERS, 2, work).unwrap()), expected);
    assert_eq!(around_a_panic(on_crossbeam::pool(0..20, WORKERS, 2, work)), expected);
}
