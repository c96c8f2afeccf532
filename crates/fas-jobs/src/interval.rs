//! Intervals of timesteps as arguments.

/// Reads `0,500` as the lowest and the highest timestep of an interval, both included: the argument
/// `--guidance-interval`.
///
/// # Errors
///
/// A message if there are not two steps of a schedule of 1000, the lower one first.
pub fn timestep_interval(text: &str) -> Result<[usize; 2], String> {
    let parsed = text
        .split_once(',')
        .and_then(|(low, high)| Some([low.trim().parse().ok()?, high.trim().parse().ok()?]));
    match parsed {
        Some([low, high]) if low <= high && high < 1000 => Ok([low, high]),
        Some([low, high]) if low > high => Err(format!(
            "{low} lies above {high}: the lower one comes first"
        )),
        _ => Err("write two steps of the schedule, 0 to 999, such as 100,600".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_timesteps_in_order() {
        assert_eq!(timestep_interval("0, 999"), Ok([0, 999]));
        assert_eq!(timestep_interval("7,7"), Ok([7, 7]));
        for wrong in ["500", "500,0", "0,5,9", "-1,5", "", "0,1000"] {
            assert!(timestep_interval(wrong).is_err(), "{wrong}");
        }
    }
}
