//! Progress of anything that takes longer than two seconds.

use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar in the style of all examples.
pub fn progress(message: &'static str, length: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} {eta}").expect("a fixed template");
    ProgressBar::new(length)
        .with_message(message)
        .with_style(style)
}
