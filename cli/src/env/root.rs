//! Small files of Linux's `/proc` and `/sys`. Each may be missing or of another form: then what it says is unknown.

use std::path::{Path, PathBuf};

/// `/`, or a copy of parts of it for tests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Root<'a>(pub(crate) &'a Path);

impl Root<'_> {
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    /// What the file holds, without white space around it; `None` if that is nothing.
    pub(crate) fn text(&self, path: &str) -> Option<String> {
        self.maybe_empty(path).filter(|text| !text.is_empty())
    }

    /// As [`Self::text`], where an empty file says something.
    pub(crate) fn maybe_empty(&self, path: &str) -> Option<String> {
        // Not every file of the kernel is UTF-8.
        let bytes = std::fs::read(self.path(path)).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    pub(crate) fn number<T: std::str::FromStr>(&self, path: &str) -> Option<T> {
        self.text(path)?.parse().ok()
    }

    /// Cores in a list such as `0-3,7`; an empty file is an empty list.
    pub(crate) fn list(&self, path: &str) -> Option<Vec<usize>> {
        list(&self.maybe_empty(path)?)
    }

    /// A file of one core, below its folder in `/sys`.
    pub(crate) fn of_core(&self, core: usize, file: &str) -> Option<String> {
        self.text(&format!("sys/devices/system/cpu/cpu{core}/{file}"))
    }

    /// The names in a folder, sorted; empty if it cannot be read.
    pub(crate) fn names(&self, path: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(path)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_unstable();
        names
    }

    /// The name of the machine without its domain, in small letters, to keep it out of reports. One of two letters is part of too many words.
    pub(crate) fn host(&self) -> Option<String> {
        let name = self.text("proc/sys/kernel/hostname")?.to_lowercase();
        let alone = name.split('.').next().unwrap_or_default();
        [alone, name.as_str()].into_iter().find(|name| name.len() > 2).map(str::to_owned)
    }

    pub(crate) fn is_there(&self, path: &str) -> bool {
        self.path(path).exists()
    }
}

/// Numbers in a list such as `0-3,7`. Kernels end at 8192 cores; a list of more is none.
pub(crate) fn list(text: &str) -> Option<Vec<usize>> {
    let mut ids = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        if last < first || last >= 65_536 || ids.len() > 65_536 {
            return None;
        }
        ids.extend(first..=last);
    }
    Some(ids)
}

#[cfg(test)]
pub(crate) mod fixture {
    //! Trees for tests.

    use super::Root;

    /// A folder with these files, gone when dropped.
    pub(crate) struct Tree(tempfile::TempDir);

    impl Tree {
        pub(crate) fn new(files: &[(&str, &str)]) -> Self {
            let tree = Self(tempfile::tempdir().unwrap());
            files.iter().for_each(|(path, text)| tree.write(path, text));
            tree
        }

        pub(crate) fn write(&self, path: &str, text: &str) {
            let path = self.root().path(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        pub(crate) fn root(&self) -> Root<'_> {
            Root(self.0.path())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_or_refused() {
        assert_eq!(list("0-2,7"), Some(vec![0, 1, 2, 7]));
        assert_eq!(list(""), Some(vec![]));
        for bad in ["(null)", "3-1", "x", "0-", "0-99999999", "-1"] {
            assert_eq!(list(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_name_of_the_machine_is_the_first_that_is_long_enough() {
        for (name, told) in [("Big-Box.lan\n", Some("big-box")), ("vm.lan\n", Some("vm.lan")), ("vm", None), ("", None)]
        {
            let tree = fixture::Tree::new(&[("proc/sys/kernel/hostname", name)]);
            assert_eq!(tree.root().host().as_deref(), told, "{name}");
        }
    }

    #[test]
    fn files_are_looked_for_below_the_root() {
        let tree = fixture::Tree::new(&[("proc/a", " 7 \n"), ("proc/empty", "\n"), ("proc/list", "0-1\n")]);
        let root = tree.root();
        assert_eq!((root.number::<u64>("/proc/a"), root.text("proc/empty")), (Some(7), None));
        assert_eq!((root.maybe_empty("proc/empty").as_deref(), root.maybe_empty("proc/none")), (Some(""), None));
        assert_eq!((root.list("proc/list"), root.list("proc/empty")), (Some(vec![0, 1]), Some(vec![])));
        assert_eq!((root.names("proc"), root.names("sys")), (vec!["a".into(), "empty".into(), "list".into()], vec![]));
    }
}
