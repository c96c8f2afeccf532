//! The tail of the normal distribution, for every kernel.

/// `0.45 / sqrt(2)`, see [`TAIL`].
pub(super) const WIDTH: f32 = 0.45 * core::f32::consts::FRAC_1_SQRT_2;

/// Coefficients of `2 Phi(-|x|) exp(x^2 / 2) / t` in powers of `t = 1 / (1 + WIDTH |x|)`,
/// lowest first: a minimax fit for `|x| <= 13.5`, within 1.3e-8, relative.
pub(super) const TAIL: [f32; 10] = [
    0.253_867_33,
    0.254_270_88,
    0.224_749_2,
    0.192_975_88,
    0.065_393_89,
    0.084_523_566,
    0.008_654_875,
    -0.197_124_32,
    0.145_640_95,
    -0.032_952_26,
];
