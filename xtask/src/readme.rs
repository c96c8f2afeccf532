//! The commands that README.md shows.

use std::fs;

use crate::error::XtaskError;
use crate::workspace::root;

/// Arguments after `cargo` of README.md's test command, so that what we check is what we tell people.
pub(crate) fn test_arguments() -> Result<Vec<String>, XtaskError> {
    let path = root().join("README.md");
    let text = fs::read_to_string(&path).map_err(|source| XtaskError::Read {
        path: path.clone(),
        source,
    })?;
    let line = command_line(&text, "cargo test").ok_or(XtaskError::NoTestCommand { path })?;
    Ok(line.split_whitespace().skip(1).map(str::to_owned).collect())
}

/// The first line inside a fenced code block that starts with `command`.
fn command_line<'a>(markdown: &'a str, command: &str) -> Option<&'a str> {
    let mut inside = false;
    for line in markdown.lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if inside && line.starts_with(command) {
            return Some(line);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_of_code_blocks_count() {
        let text = "cargo test --doc\n```sh\ncargo run\ncargo test --release\n```\n";
        assert_eq!(
            command_line(text, "cargo test"),
            Some("cargo test --release")
        );
        assert_eq!(
            command_line("cargo test\n```sh\ncargo run\n```\n", "cargo test"),
            None
        );
    }

    #[test]
    fn the_readme_tests_the_whole_workspace() {
        assert_eq!(
            test_arguments().unwrap(),
            ["test", "--release", "--workspace"]
        );
    }
}
