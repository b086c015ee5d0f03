//! Every way to show a report. These modules measure nothing: they show only what is in the report.

pub(crate) mod cell;
pub(crate) mod chart;
pub(crate) mod color;
pub(crate) mod csv;
pub(crate) mod describe;
mod embed;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod format;
#[cfg(test)]
mod gallery;
pub(crate) mod grid;
pub(crate) mod hdr;
pub(crate) mod headline;
mod heat;
pub(crate) mod html;
mod html_table;
pub(crate) mod jitter;
pub(crate) mod json;
pub(crate) mod load;
pub(crate) mod matrix;
pub(crate) mod notes;
pub(crate) mod over_time;
pub(crate) mod pair_table;
mod pairs;
pub(crate) mod pictures;
pub(crate) mod rate;
pub(crate) mod spectrum;
pub(crate) mod summary;
pub(crate) mod svg;
pub(crate) mod tables;
pub(crate) mod terminal;
pub(crate) mod text;
pub(crate) mod trust;
pub(crate) mod units;
pub(crate) mod wake;
