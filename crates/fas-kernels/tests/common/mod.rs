//! Deterministic inputs and comparisons.
#![allow(dead_code)] // each test file uses some of them

use burn::tensor::{Device, Shape, Tensor};

/// Values in `[-1, 1)` that depend on `seed` and the position only.
pub(crate) fn random<const D: usize>(seed: u64, dims: [usize; D], device: &Device) -> Tensor<D> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let values: Vec<f32> = (0..dims.iter().product())
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
        })
        .collect();
    Tensor::<1>::from_data(values.as_slice(), device).reshape(Shape::from(dims))
}

/// `|a - b| <= tolerance * max(1, largest |b|)` for every value.
pub(crate) fn assert_close(a: &[f32], b: &[f32], tolerance: f32, what: &str) {
    assert_eq!(a.len(), b.len(), "{what}: number of values");
    let scale = b.iter().fold(1.0_f32, |m, v| m.max(v.abs()));
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        let close = (a - b).abs() <= tolerance * scale || (a.is_nan() && b.is_nan()) || a == b;
        assert!(
            close,
            "{what}: value {i} is {a}, expected {b} (largest {scale})"
        );
    }
}

/// Runs `f` in a pool of so many threads.
pub(crate) fn with_threads<R: Send>(threads: usize, f: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
        .install(f)
}
