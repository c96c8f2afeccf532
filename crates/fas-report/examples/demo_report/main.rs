//! Writes a page with every kind of content, from invented numbers.
//!
//! `cargo run --release -p fas-report --example demo_report [FILE]` prints the path of the page
//! (default `demo_report.html` in the temporary folder).

mod demo;

use std::path::PathBuf;

fn main() -> Result<(), fas_report::ReportError> {
    let argument = std::env::args_os().nth(1).map(PathBuf::from);
    let path = argument.unwrap_or_else(|| std::env::temp_dir().join("demo_report.html"));
    demo::demo_report()?.write(&path)?;
    println!("{}", path.display());
    Ok(())
}
