//! Completions and manual pages, made of the definition of the command line.

use std::io::Write;
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

pub(crate) fn man(verb: Option<&str>) -> Result<ExitCode, Failure> {
    let mut command = Cli::command();
    command.build();
    if let Some(verb) = verb {
        let found = command.get_subcommands().find(|command| command.get_name() == verb && !command.is_hide_set());
        command = found.ok_or_else(|| Failure::usage(format!("there is no verb `{verb}`")))?.clone();
    }
    let mut text = Vec::new();
    Man::new(command).render(&mut text).map_err(|error| Failure::failed(error.to_string()))?;
    print(&text)
}

fn print(text: &[u8]) -> Result<ExitCode, Failure> {
    let mut output = std::io::stdout().lock();
    match output.write_all(text).and_then(|()| output.flush()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Failure::failed(format!("cannot write to standard output: {error}"))),
    }
}
