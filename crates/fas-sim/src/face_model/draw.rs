//! Seeded draws for the face model.

use crate::random::Stream;

/// Stream of what all captures of a person share.
pub(super) fn person_stream(subject_seed: u64, purpose: &str) -> Stream {
    Stream::new(subject_seed, "face model person", purpose)
}

/// Stream of what one capture of a person adds.
pub(super) fn capture_stream(subject_seed: u64, capture_seed: u64) -> Stream {
    Stream::new(
        subject_seed,
        &format!("face model capture {capture_seed}"),
        "capture",
    )
}

/// Standard normal draw, repeated until it lies in `[-limit, limit]`.
pub(super) fn truncated_normal(stream: &mut Stream, limit: f32) -> f32 {
    loop {
        let value = stream.normal();
        if value.abs() <= limit {
            return value;
        }
    }
}

/// Uniform draw from `[-limit, limit)`.
pub(super) fn symmetric(stream: &mut Stream, limit: f32) -> f32 {
    limit * (2.0 * stream.uniform() - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncated_draws_have_the_variance_of_the_truncated_law() {
        let mut stream = person_stream(7, "test");
        let draws: Vec<f64> = (0..100_000)
            .map(|_| f64::from(truncated_normal(&mut stream, 1.5)))
            .collect();
        let variance = draws.iter().map(|d| d * d).sum::<f64>() / draws.len() as f64;
        // 1 - 2 a phi(a) / (2 Phi(a) - 1) at a = 1.5
        assert!((variance - 0.5517).abs() < 0.01, "{variance}");
        assert!(draws.iter().all(|d| d.abs() <= 1.5));
    }

    #[test]
    fn captures_of_a_person_have_their_own_streams() {
        let first = capture_stream(1, 2).uniform();
        assert_eq!(first, capture_stream(1, 2).uniform());
        assert_ne!(first, capture_stream(1, 3).uniform());
        assert_ne!(first, capture_stream(2, 2).uniform());
    }
}
