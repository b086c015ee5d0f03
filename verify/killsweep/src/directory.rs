//! A channel in a directory of its own.

use crate::scenario::Scenario;
use std::fs;
use std::path::PathBuf;

/// The directory and the path of the channel. Both are removed when this is dropped.
pub(crate) struct Name {
    directory: PathBuf,
    pub(crate) channel: String,
}

impl Name {
    pub(crate) fn new(scenario: &Scenario) -> Result<Self, String> {
        Self::of(scenario.name)
    }

    pub(crate) fn of(name: &str) -> Result<Self, String> {
        let directory = PathBuf::from(format!("/dev/shm/killsweep-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).map_err(|error| format!("no directory: {error}"))?;
        Ok(Self { channel: directory.join("channel").to_string_lossy().into_owned(), directory })
    }

    /// What is there.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}
