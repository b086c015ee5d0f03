//! Draws the fixtures into files, for a person to look at:
//! `GALLERY=DIR cargo test -p ringmail-cli gallery -- --ignored`.

use std::path::Path;

use super::color::Depth;
use super::text::Look;
use super::{csv, fixture, html, svg, terminal};
use crate::options::Cell;
use crate::report::Report;

fn reports() -> Vec<(&'static str, Report)> {
    let mut partial = fixture::sockets(64);
    fixture::cut_short(&mut partial, 900);
    let mut quiet = fixture::report(2);
    fixture::quiet(&mut quiet);
    let mut parked = fixture::report(2);
    (parked.settings.wait, parked.pairs[0].sleeps_per_trip) = ("park".into(), Some(0.000_01));
    let mut unsteady = fixture::report(2);
    unsteady.pairs.iter_mut().for_each(fixture::unsettle);
    let mut mesh = fixture::report(4);
    mesh.settings.mesh_shards = Some(4);
    vec![
        ("pair", fixture::report(2)),
        ("quiet", quiet),
        ("levels", fixture::two_levels()),
        ("parked", parked),
        ("unsteady", unsteady),
        ("processes", fixture::between_processes()),
        ("cores-3", fixture::report(3)),
        ("mesh-4", mesh),
        ("cores-8", fixture::report(8)),
        ("hybrid", fixture::hybrid()),
        ("sockets-32", fixture::sockets(32)),
        ("partial-64", partial),
        ("sockets-64", fixture::sockets(64)),
        ("sockets-128", fixture::sockets(128)),
        ("sockets-512", fixture::sockets(512)),
        ("noisy-512", fixture::noisy(512)),
        ("noisy-64", fixture::noisy(64)),
    ]
}

#[test]
#[ignore = "writes files for a person to look at"]
fn gallery() {
    let folder = std::env::var("GALLERY").expect("GALLERY names the folder");
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder).unwrap();
    for (name, report) in reports() {
        let began = std::time::Instant::now();
        let write = |kind: &str, text: String| std::fs::write(folder.join(format!("{name}.{kind}")), text).unwrap();
        let look = |width, depth| Look { width, depth, ascii: false, quiet: false };
        write("txt", terminal::draw(&report, Cell::P50, look(110, Depth::None)));
        write("narrow.txt", terminal::draw(&report, Cell::P50, look(40, Depth::None)));
        write("ansi", terminal::draw(&report, Cell::P50, look(110, Depth::True)));
        write("ascii", terminal::draw(&report, Cell::P50, Look { ascii: true, ..look(80, Depth::None) }));
        write("svg", svg::draw(&report, Cell::P50));
        write("html", html::draw(&report, Cell::P50).unwrap());
        if report.cores.len() < 64 {
            write("csv", csv::draw(&report));
        }
        println!("{name}: {:.1} s", began.elapsed().as_secs_f64());
    }
}
