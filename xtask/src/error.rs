//! What can go wrong in a check.

use std::fmt;
use std::path::PathBuf;

use crate::layers::Violation;

/// Failure of a check, or of running it.
#[derive(Debug)]
pub(crate) enum XtaskError {
    /// A program could not be started.
    Start {
        program: String,
        source: std::io::Error,
    },
    /// A program ran and failed; it has said why.
    Failed { command: String },
    /// A file could not be read.
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    /// `cargo metadata` gave something else than expected.
    Metadata { problem: String },
    /// Imports that point the wrong way.
    Layers(Vec<Violation>),
    /// README.md names no test command.
    NoTestCommand { path: PathBuf },
}

impl fmt::Display for XtaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { program, source } => write!(f, "cannot start `{program}`: {source}"),
            Self::Failed { command } => write!(f, "`{command}` failed"),
            Self::Read { path, source } => write!(f, "cannot read {}: {source}", path.display()),
            Self::Metadata { problem } => write!(f, "unexpected `cargo metadata`: {problem}"),
            Self::Layers(violations) => {
                write!(f, "imports against the layers (DESIGN.md, \"Layers\"):")?;
                violations
                    .iter()
                    .try_for_each(|violation| write!(f, "\n  {violation}"))
            }
            Self::NoTestCommand { path } => write!(
                f,
                "{}: no line starts with `cargo test` inside a code block",
                path.display()
            ),
        }
    }
}
