//! Runs the built program.

use std::path::Path;
use std::process::Command;

/// What the program did.
pub(crate) struct Run {
    /// Exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) output: String,
    /// Standard error output.
    pub(crate) errors: String,
}

/// Runs `fas` with `arguments` in `folder`.
pub(crate) fn fas(folder: &Path, arguments: &[&str]) -> Run {
    let run = Command::new(env!("CARGO_BIN_EXE_fas"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    Run {
        code: run.status.code().expect("the program ends by itself"),
        output: text(run.stdout),
        errors: text(run.stderr),
    }
}
