//! Where one output is written. An earlier file stays until another is whole.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::to_stdout;
use crate::render::hdr;

/// Where an output is written.
#[derive(Debug)]
pub(super) enum Place {
    Stdout,
    /// To a new file beside the target, with the rights of the one that it replaces once it is whole.
    Beside(PathBuf, Option<Permissions>),
    /// Several files in a folder, that is made if it is not there.
    Folder(PathBuf),
    /// A device or a pipe, or a file in a folder that takes no other.
    Itself(File),
}

/// What a path leads to, also if it is not there yet.
pub(super) fn target(path: &Path) -> PathBuf {
    let of_folder = || {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(folder.canonicalize().ok()?.join(path.file_name()?))
    };
    if path == Path::new("-") {
        return path.into();
    }
    path.canonicalize().ok().or_else(of_folder).unwrap_or_else(|| path.into())
}

/// A file beside `target`, gone when dropped.
fn beside(target: &Path, rights: Option<&Permissions>) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".ringmail-");
    if let Some(rights) = rights {
        builder.permissions(rights.clone());
    } else {
        // As of any new file: less what the process masks.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    }
    builder.tempfile_in(target.parent().unwrap_or(Path::new("/")))
}

impl Place {
    pub(super) fn open(target: PathBuf) -> io::Result<Self> {
        if target == Path::new("-") {
            return Ok(Self::Stdout);
        }
        // Not truncated, and not made.
        let itself = match OpenOptions::new().write(true).open(&target) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let found = itself.as_ref().map(File::metadata).transpose()?;
        if let (Some(file), Some(_)) = (&itself, found.as_ref().filter(|found| !found.is_file())) {
            return Ok(Self::Itself(file.try_clone()?));
        }
        let rights = found.map(|found| found.permissions());
        // Tried now, and made when there is something to write: a run that is ended by force leaves nothing.
        match (beside(&target, rights.as_ref()), itself) {
            (Ok(_), _) => Ok(Self::Beside(target, rights)),
            (Err(_), Some(file)) => Ok(Self::Itself(file)),
            // Without the name of the file that was tried, which is not the one asked for.
            (Err(error), None) => Err(error.kind().into()),
        }
    }

    /// A folder to write files into.
    pub(super) fn folder(target: PathBuf) -> io::Result<Self> {
        if target == Path::new("-") {
            return Err(io::Error::new(ErrorKind::InvalidInput, "this output is a folder of files"));
        }
        match std::fs::metadata(&target) {
            Ok(found) if !found.is_dir() => return Err(ErrorKind::NotADirectory.into()),
            // Tried as one file is.
            Ok(_) => beside(&target.join(hdr::LOG), None).map_err(|error| io::Error::from(error.kind()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                beside(&target, None).map_err(|error| io::Error::from(error.kind()))?
            }
            Err(error) => return Err(error),
        };
        Ok(Self::Folder(target))
    }

    /// Writes files into a folder; those of other names in it stay.
    pub(super) fn write_all(self, files: &[(String, String)]) -> io::Result<()> {
        let Self::Folder(folder) = self else { return Err(ErrorKind::NotADirectory.into()) };
        match std::fs::create_dir(&folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        files.iter().try_for_each(|(name, text)| Self::open(folder.join(name))?.write(text))
    }

    pub(super) fn write(self, text: &str) -> io::Result<()> {
        match self {
            Self::Stdout => to_stdout(text).map(drop),
            Self::Folder(_) => Err(ErrorKind::IsADirectory.into()),
            Self::Beside(target, rights) => {
                let mut file = beside(&target, rights.as_ref())?;
                file.write_all(text.as_bytes())?;
                file.persist(target).map(drop).map_err(|failed| failed.error)
            }
            Self::Itself(mut file) => {
                // Devices and pipes have no length to cut.
                if file.metadata()?.is_file() {
                    file.set_len(0)?;
                }
                file.write_all(text.as_bytes())?;
                file.flush()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn names(folder: &tempfile::TempDir) -> Vec<String> {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn an_earlier_report_stays_until_another_is_whole() {
        let folder = folder();
        let path = folder.path().join("r.json");
        std::fs::write(&path, "a long report of an earlier run").unwrap();
        drop(Place::open(target(&path)).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a long report of an earlier run");
        Place::open(target(&path)).unwrap().write("short").unwrap();
        assert_eq!(
            (std::fs::read_to_string(&path).unwrap().as_str(), names(&folder)),
            ("short", vec!["r.json".into()])
        );
    }

    #[test]
    fn what_is_not_written_leaves_nothing() {
        let folder = folder();
        let path = folder.path().join("r.json");
        drop(Place::open(target(&path)).unwrap());
        assert!(names(&folder).is_empty());
        Place::open(target(&path)).unwrap().write("whole").unwrap();
        assert_eq!(names(&folder), ["r.json"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_and_rights_stay_and_a_device_is_written_to() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = folder();
        let [path, link] = ["r.json", "link"].map(|name| folder.path().join(name));
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        symlink(&path, &link).unwrap();
        Place::open(target(&link)).unwrap().write("new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        let device = Place::open(target(Path::new("/dev/null"))).unwrap();
        assert!(matches!(device, Place::Itself(_)));
        device.write("gone").unwrap();
    }

    #[test]
    fn files_go_into_a_folder_that_is_made_when_there_is_something_to_write() {
        let folder = folder();
        let path = folder.path().join("r.hdr");
        drop(Place::folder(target(&path)).unwrap());
        assert!(names(&folder).is_empty());
        for text in ["old", "new"] {
            let files = [("a.hgrm".to_owned(), text.to_owned()), ("b.hgrm".to_owned(), text.to_owned())];
            Place::folder(target(&path)).unwrap().write_all(&files).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path.join("b.hgrm")).unwrap(), "new");
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 2);
        assert!(Place::folder(path.join("a.hgrm")).is_err() && Place::folder("-".into()).is_err());
        assert!(Place::folder(folder.path().join("no/such/folder")).is_err());
    }

    #[test]
    fn a_folder_cannot_be_written() {
        assert!(Place::open(target(Path::new("/"))).is_err());
    }
}
