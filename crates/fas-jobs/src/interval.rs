//! Intervals of timesteps as arguments.

/// Reads `0,500` as the first and the last timestep of an interval: the argument `--guidance-interval`.
///
/// # Errors
///
/// A message if there are not two whole numbers, or the first is the larger one.
pub fn timestep_interval(text: &str) -> Result<[usize; 2], String> {
    let parsed = text
        .split_once(',')
        .and_then(|(first, last)| Some([first.trim().parse().ok()?, last.trim().parse().ok()?]));
    match parsed {
        Some([first, last]) if first <= last => Ok([first, last]),
        Some([first, last]) => Err(format!(
            "{first} lies above {last}: the lower one comes first"
        )),
        None => Err("give two timesteps, such as 0,500".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_timesteps_in_order() {
        assert_eq!(timestep_interval("0, 500"), Ok([0, 500]));
        assert_eq!(timestep_interval("7,7"), Ok([7, 7]));
        for wrong in ["500", "500,0", "0,5,9", "-1,5", ""] {
            assert!(timestep_interval(wrong).is_err(), "{wrong}");
        }
    }
}
