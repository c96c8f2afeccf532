//! A progress bar that shows itself only when the work takes more than two seconds.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const PATIENCE: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(200);

/// Progress of one task, on the standard error output of a terminal; gone when dropped.
pub(crate) struct Progress {
    bar: ProgressBar,
    waker: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Progress over `total` steps.
    pub(crate) fn of_steps(task: &'static str, total: usize) -> Self {
        let template = "{msg} {wide_bar} {pos}/{len}, {eta} left";
        Self::start(
            ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::hidden()),
            task,
            template,
        )
    }

    /// Progress of a task whose length is not known.
    pub(crate) fn of_unknown_length(task: &'static str) -> Self {
        let template = "{spinner} {msg}, {elapsed}";
        Self::start(
            ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()),
            task,
            template,
        )
    }

    fn start(bar: ProgressBar, task: &'static str, template: &str) -> Self {
        let style = ProgressStyle::with_template(template).expect("the template is valid");
        bar.set_style(style);
        bar.set_message(task);
        let (sender, receiver) = mpsc::channel();
        let shown = bar.clone();
        let thread = thread::spawn(move || {
            if receiver.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                shown.set_draw_target(ProgressDrawTarget::stderr());
                shown.enable_steady_tick(TICK);
            }
        });
        Self {
            bar,
            waker: Some((sender, thread)),
        }
    }

    /// Names what is being done now.
    pub(crate) fn say(&self, task: &str) {
        self.bar.set_message(task.to_owned());
    }

    /// One more step is done.
    pub(crate) fn step(&self) {
        self.bar.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.waker.take() {
            drop(sender);
            // It cannot panic; and if it did, the work itself is done.
            let _ = thread.join();
        }
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn short_work_does_not_wait_for_the_bar() {
        let start = Instant::now();
        let progress = Progress::of_steps("test", 3);
        progress.step();
        drop(progress);
        drop(Progress::of_unknown_length("test"));
        assert!(start.elapsed() < PATIENCE);
    }
}
