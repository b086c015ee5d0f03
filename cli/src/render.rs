//! Every way to show a report. These modules measure nothing: they show only what is in the report.

pub(crate) mod cell;
pub(crate) mod color;
pub(crate) mod csv;
pub(crate) mod describe;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod format;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod matrix;
pub(crate) mod slices;
pub(crate) mod summary;
pub(crate) mod svg;
pub(crate) mod terminal;
pub(crate) mod text;
