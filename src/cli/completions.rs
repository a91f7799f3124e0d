//! `invalidator completions`: prints the completions of a shell.

use clap::{Args, Command};
use clap_complete::Shell;

use super::terminal::say;

/// The shell.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  invalidator completions bash > ~/.local/share/bash-completion/completions/invalidator
  invalidator completions zsh > \"${fpath[1]}/_invalidator\"
  invalidator completions fish > ~/.config/fish/completions/invalidator.fish")]
pub(super) struct CompletionsArgs {
    /// Shell that reads the completions
    shell: Shell,
}

impl CompletionsArgs {
    /// Prints the completions of this program.
    pub(super) fn run(self, mut program: Command) -> anyhow::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut program, "invalidator", &mut script);
        say(String::from_utf8(script)?.trim_end());
        Ok(())
    }
}
