//! `ringmail clean`: removes channels that are not in use.

use std::path::Path;
use std::process::ExitCode;

use clap::{ArgGroup, Args};
use ringmail::shm::{self, Found, OpenError, Removal};

use super::exit::{refused, show, warn};
use super::ls::names;
use crate::failure::Failure;

pub(super) const HELP: &str = "\
Prints what each was. Removes also channels that are damaged, of another version
of ringmail, or from before the last boot. Keeps channels that a process has
open.

Plain names are files in /dev/shm/ringmail-<uid>, or in the directory that
RINGMAIL_DIR names.";

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true)))]
pub(crate) struct Clean {
    /// Name of the channel; with a '/', the path of its file
    #[arg(group = "which")]
    name: Option<String>,
    /// All channels of the directory, and files of channels that were never finished
    #[arg(long, group = "which")]
    all: bool,
    /// Remove also files that are not channels: at a path, or with --all
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Clean) -> Result<ExitCode, Failure> {
    if let Some(name) = &args.name {
        let removal = if args.force { shm::remove_any(name) } else { shm::remove(name) };
        let why = |error| match error {
            OpenError::NotASegment { path } => Failure::failed(format!("kept {name}: {}", stays(&path, "--force"))),
            error => refused(error),
        };
        return match removal.map_err(why)? {
            Removal::Removed(found) => show(&removed(name, found)).map(|_| ExitCode::SUCCESS),
            _ => Err(Failure::failed(format!("{name} is in use: end its sender and its receiver first"))),
        };
    }
    let left = shm::unfinished().map_err(|error| Failure::failed(format!("cannot list what is left: {error}")))?;
    let mut code = ExitCode::SUCCESS;
    for name in names()?.into_iter().chain(left) {
        // The directory may be one that has other files.
        match if args.force { shm::remove_any(&name) } else { shm::remove_channel(&name) } {
            Ok(Removal::Removed(found)) => {
                show(&removed(&name, found))?;
            }
            Ok(_) => warn(format_args!("kept {name}: it is in use")),
            Err(OpenError::NotFound { .. }) => {}
            Err(OpenError::NotASegment { path }) => {
                let by = format!("`ringmail clean {name}`, or by --force");
                warn(format_args!("kept {name}: {}", stays(&path, &by)));
                code = ExitCode::FAILURE;
            }
            Err(error) => {
                warn(format_args!("kept {name}: {error}"));
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

/// Why something that is not a channel is kept. `by`: what removes it, if it is a file.
fn stays(path: &Path, by: &str) -> String {
    match path.symlink_metadata().is_ok_and(|found| found.is_file()) {
        true => format!("it is no channel (remove it by {by})"),
        false => "it is no file, and only those are removed: remove it by `rm`".into(),
    }
}

fn removed(name: &str, found: Found) -> String {
    format!("removed {name}: {found}\n")
}
