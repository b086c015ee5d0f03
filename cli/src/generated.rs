//! Completions and manual pages, made of the definition of the command line.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::args::Cli;
use crate::failure::Failure;

pub(crate) fn completions(shell: Shell) -> Result<ExitCode, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ringmail", &mut text);
    print(&text)
}

/// The page of the verb that these words name, or of the command itself without any.
pub(crate) fn man(verb: &[String]) -> Result<ExitCode, Failure> {
    let mut command = Cli::command();
    command.build();
    for (at, word) in verb.iter().enumerate() {
        let found = command.get_subcommands().find(|command| command.get_name() == word && !command.is_hide_set());
        let missing = || Failure::usage(format!("there is no verb `{}`", verb[..=at].join(" ")));
        command = found.ok_or_else(missing)?.clone();
    }
    let mut text = Vec::new();
    Man::new(command).render(&mut text).map_err(|error| Failure::failed(error.to_string()))?;
    print(&text)
}

/// Writes the page of each verb, and of each verb's verbs.
pub(crate) fn all_pages(folder: &Path) -> Result<ExitCode, Failure> {
    clap_mangen::generate_to(Cli::command(), folder)
        .map_err(|error| Failure::failed(format!("cannot write pages into {}: {error}", folder.display())))?;
    Ok(ExitCode::SUCCESS)
}

fn print(text: &[u8]) -> Result<ExitCode, Failure> {
    let mut output = std::io::stdout().lock();
    match output.write_all(text).and_then(|()| output.flush()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Failure::failed(format!("cannot write to standard output: {error}"))),
    }
}
