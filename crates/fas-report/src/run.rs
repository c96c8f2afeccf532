//! What it takes to repeat a run: command, configuration, seeds, time and memory.

use std::time::Duration;

/// The record of the run a report is about; shown as its last section.
#[derive(Clone, Debug, Default)]
pub struct RunRecord {
    pub(crate) facts: Vec<(String, String)>,
    pub(crate) configurations: Vec<(String, String)>,
}

impl RunRecord {
    /// A record of the command line that made the report.
    pub fn new(command: &str) -> Self {
        Self::default().with_fact("Command", command)
    }

    /// Adds the seeds of all random number generators.
    pub fn with_seeds(self, seeds: &[u64]) -> Self {
        let seeds: Vec<_> = seeds.iter().map(u64::to_string).collect();
        self.with_fact("Seeds", &seeds.join(", "))
    }

    /// Adds the wall-clock time.
    pub fn with_run_time(self, run_time: Duration) -> Self {
        self.with_fact("Run time", &duration_text(run_time))
    }

    /// Adds the largest resident memory of the process, in bytes.
    pub fn with_peak_memory(self, bytes: u64) -> Self {
        self.with_fact("Peak memory", &bytes_text(bytes))
    }

    /// Adds any other fact, for example the device or the version.
    pub fn with_fact(mut self, name: &str, value: &str) -> Self {
        self.facts.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a configuration, word for word, as TOML, JSON or any other text.
    pub fn with_configuration(mut self, file_name: &str, text: &str) -> Self {
        self.configurations
            .push((file_name.to_owned(), text.to_owned()));
        self
    }
}

fn duration_text(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{hours} h {minutes} min {seconds} s")
    } else {
        format!("{minutes} min {seconds} s")
    }
}

fn bytes_text(bytes: u64) -> String {
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    if mebibytes < 1024.0 {
        format!("{mebibytes:.0} MiB")
    } else {
        format!("{:.2} GiB", mebibytes / 1024.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_readable() {
        assert_eq!(duration_text(Duration::from_millis(5_340)), "5.3 s");
        assert_eq!(duration_text(Duration::from_millis(59_990)), "60.0 s");
        assert_eq!(duration_text(Duration::from_millis(119_900)), "2 min 0 s");
        assert_eq!(duration_text(Duration::from_secs(7_384)), "2 h 3 min 4 s");
        assert_eq!(bytes_text(734_003_200), "700 MiB");
        assert_eq!(bytes_text(3 << 29), "1.50 GiB");
    }

    #[test]
    fn facts_keep_their_order() {
        let run = RunRecord::new("fas x")
            .with_seeds(&[1, 2])
            .with_run_time(Duration::from_secs(1))
            .with_peak_memory(1 << 20);
        let names: Vec<_> = run.facts.iter().map(|fact| fact.0.as_str()).collect();
        assert_eq!(names, ["Command", "Seeds", "Run time", "Peak memory"]);
        assert_eq!(run.facts[1].1, "1, 2");
    }
}
