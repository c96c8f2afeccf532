//! The tail of the normal distribution, for every kernel.

/// `0.3 / sqrt(2)`, see [`TAIL`].
pub(super) const WIDTH: f32 = 0.3 * core::f32::consts::FRAC_1_SQRT_2;

/// Coefficients of `Phi(-|x|) exp(x^2 / 2) / t` in powers of `t = 1 / (1 + WIDTH |x|)`, lowest first: a
/// minimax fit for `|x| <= 13.5`, within 2.0e-8, relative.
pub(super) const TAIL: [f32; 9] = [
    0.084_594_704,
    0.085_347_45,
    0.074_232_14,
    0.107_249_06,
    -0.046_879_772,
    0.273_280_62,
    -0.255_678_98,
    0.242_577_31,
    -0.064_722_51,
];
