//! What a run took.

use std::time::Instant;

/// Largest resident memory of this process, in bytes, where the system tells.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(1024 * kilobytes)
}

/// Starts [`peak_memory`] anew, where the system can.
pub fn reset_peak_memory() {
    // Linux; elsewhere the peak stays that of the whole process.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Time since `started` and peak memory, as the last line of every example.
pub fn cost(started: Instant) -> String {
    let time = format!("{:.0} s", started.elapsed().as_secs_f64());
    match peak_memory() {
        Some(bytes) => format!("{time}, peak memory {:.2} GB", bytes as f64 / 1e9),
        None => time,
    }
}
