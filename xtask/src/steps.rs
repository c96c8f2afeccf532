//! The single checks.

use std::fmt;
use std::process::{Command, Stdio};

use crate::error::XtaskError;
use crate::features::lone_builds;
use crate::layers::violations;
use crate::readme::test_arguments;
use crate::workspace::{cargo, packages};

/// A check of the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Fmt,
    Layers,
    Deny,
    Clippy,
    Doc,
    Features { gpu: bool },
    Test,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fmt => "fmt",
            Self::Layers => "layers",
            Self::Deny => "deny",
            Self::Clippy => "clippy",
            Self::Doc => "doc",
            Self::Features { .. } => "features",
            Self::Test => "test",
        })
    }
}

impl Step {
    /// Runs the check; what it finds goes to the standard outputs.
    pub(crate) fn run(self) -> Result<(), XtaskError> {
        match self {
            Self::Fmt => run(cargo().args(["fmt", "--all", "--check"])),
            Self::Layers => check_layers(),
            Self::Deny => deny(),
            Self::Clippy => run(cargo()
                .args(["clippy", "--release", "--workspace", "--all-targets"])
                .args(["--", "-D", "warnings"])),
            Self::Doc => run(cargo()
                .args(["doc", "--release", "--workspace", "--no-deps"])
                .env("RUSTDOCFLAGS", "-D warnings")),
            Self::Features { gpu } => {
                let packages = packages()?;
                lone_builds(&packages, gpu)
                    .iter()
                    .try_for_each(|build| run(cargo().args(build.arguments())))
            }
            Self::Test => run(cargo().args(test_arguments()?)),
        }
    }
}

fn check_layers() -> Result<(), XtaskError> {
    let packages = packages()?;
    let found = violations(&packages);
    if !found.is_empty() {
        return Err(XtaskError::Layers(found));
    }
    println!("{} crates follow the layers", packages.len());
    Ok(())
}

fn deny() -> Result<(), XtaskError> {
    let installed = cargo()
        .args(["deny", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !installed {
        println!("skipped: install it with `cargo install --locked cargo-deny`");
        return Ok(());
    }
    // Advisories change without a change of ours, so they do not belong into a check of a commit.
    run(cargo().args(["deny", "check", "bans", "licenses", "sources"]))
}

/// Shows and runs a command.
fn run(command: &mut Command) -> Result<(), XtaskError> {
    let shown = shown(command);
    println!("{shown}");
    let status = command.status().map_err(|source| XtaskError::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    })?;
    if status.success() {
        Ok(())
    } else {
        Err(XtaskError::Failed { command: shown })
    }
}

/// The command as one may type it.
fn shown(command: &Command) -> String {
    let arguments = command
        .get_args()
        .map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once("cargo".to_owned())
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_named() {
        let error = run(cargo().arg("no-such-command")).unwrap_err();
        assert_eq!(error.to_string(), "`cargo no-such-command` failed");
    }

    #[test]
    fn a_program_that_does_not_start_is_named() {
        let error = run(&mut Command::new("/no/such/program")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot start `/no/such/program`"),
            "{error}"
        );
    }
}
