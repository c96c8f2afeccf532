//! The one-dimensional transforms `F(2, 3)` and `F(4, 3)`; in two dimensions they run over columns, then rows.
//!
//! `M` outputs of a filter of three taps are made from `N = M + 2` products, one for each point at which the
//! polynomials of input and filter are evaluated, the last of them infinity.

use pulp::Simd;

/// A minimal filtering algorithm: `A^T [(G g) (B^T d)]`.
pub(super) trait Minimal<const M: usize, const N: usize> {
    /// `G g`.
    fn filter<S: Simd>(simd: S, taps: [S::f32s; 3]) -> [S::f32s; N];

    /// `B^T d`.
    fn input<S: Simd>(simd: S, values: [S::f32s; N]) -> [S::f32s; N];

    /// `A^T m`.
    fn output<S: Simd>(simd: S, products: [S::f32s; N]) -> [S::f32s; M];
}

/// `F(2, 3)` with the points 0, 1 and -1.
pub(super) struct Two;

impl Minimal<2, 4> for Two {
    #[inline(always)]
    fn filter<S: Simd>(simd: S, [a, b, c]: [S::f32s; 3]) -> [S::f32s; 4] {
        let half = simd.splat_f32s(0.5);
        let ends = simd.mul_f32s(half, simd.add_f32s(a, c));
        let middle = simd.mul_f32s(half, b);
        let [sum, difference] = [simd.add_f32s(ends, middle), simd.sub_f32s(ends, middle)];
        [a, sum, difference, c]
    }

    #[inline(always)]
    fn input<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 4] {
        [
            simd.sub_f32s(a, c),
            simd.add_f32s(b, c),
            simd.sub_f32s(c, b),
            simd.sub_f32s(b, d),
        ]
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 2] {
        [
            simd.add_f32s(simd.add_f32s(a, b), c),
            simd.sub_f32s(simd.sub_f32s(b, c), d),
        ]
    }
}

/// `F(4, 3)` with the points 0, 5/8, -5/8, 3/2 and -3/2: of the pairs of dyadic fractions that were tried,
/// those of the smallest rounding error, 0.4 of that of the customary 1 and 2.
pub(super) struct Four;

const INNER: f32 = 0.625;
const OUTER: f32 = 1.5;
const INNER_2: f32 = INNER * INNER;
const OUTER_2: f32 = OUTER * OUTER;

/// `factor x + sum`.
#[inline(always)]
fn times<S: Simd>(simd: S, factor: f32, x: S::f32s, sum: S::f32s) -> S::f32s {
    simd.mul_add_e_f32s(simd.splat_f32s(factor), x, sum)
}

impl Four {
    /// Values of a filter at `point` and `-point`, over the product of the point's distances from the others,
    /// of which two are the roots of `other_2`.
    #[inline(always)]
    fn filter_pair<S: Simd>(
        simd: S,
        [a, b, c]: [S::f32s; 3],
        point: f32,
        other_2: f32,
    ) -> [S::f32s; 2] {
        let scale = 1.0 / (2.0 * point * point * (point * point - other_2));
        let ends = simd.mul_f32s(simd.splat_f32s(scale), a);
        let ends = times(simd, point * point * scale, c, ends);
        let middle = simd.mul_f32s(simd.splat_f32s(point * scale), b);
        [simd.add_f32s(ends, middle), simd.sub_f32s(ends, middle)]
    }

    /// Rows of `B^T` for `point` and `-point`: the polynomial with all other roots.
    #[inline(always)]
    fn input_pair<S: Simd>(
        simd: S,
        [b, c, d, e]: [S::f32s; 4],
        point: f32,
        other_2: f32,
    ) -> [S::f32s; 2] {
        let even = times(simd, -other_2, c, e);
        let odd = times(simd, -other_2, b, d);
        [
            times(simd, point, odd, even),
            times(simd, -point, odd, even),
        ]
    }

    /// Row of `B^T` for 0, or for infinity one value on: the polynomial with all four other roots.
    #[inline(always)]
    fn input_end<S: Simd>(simd: S, low: S::f32s, middle: S::f32s, high: S::f32s) -> S::f32s {
        let high = times(simd, -(INNER_2 + OUTER_2), middle, high);
        times(simd, INNER_2 * OUTER_2, low, high)
    }
}

impl Minimal<4, 6> for Four {
    #[inline(always)]
    fn filter<S: Simd>(simd: S, taps: [S::f32s; 3]) -> [S::f32s; 6] {
        let [a, _, last] = taps;
        let first = simd.mul_f32s(simd.splat_f32s(1.0 / (INNER_2 * OUTER_2)), a);
        let [inner, minus_inner] = Self::filter_pair(simd, taps, INNER, OUTER_2);
        let [outer, minus_outer] = Self::filter_pair(simd, taps, OUTER, INNER_2);
        [first, inner, minus_inner, outer, minus_outer, last]
    }

    #[inline(always)]
    fn input<S: Simd>(simd: S, [a, b, c, d, e, f]: [S::f32s; 6]) -> [S::f32s; 6] {
        let [inner, minus_inner] = Self::input_pair(simd, [b, c, d, e], INNER, OUTER_2);
        let [outer, minus_outer] = Self::input_pair(simd, [b, c, d, e], OUTER, INNER_2);
        [
            Self::input_end(simd, a, c, e),
            inner,
            minus_inner,
            outer,
            minus_outer,
            Self::input_end(simd, b, d, f),
        ]
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, [first, a, b, c, d, last]: [S::f32s; 6]) -> [S::f32s; 4] {
        let [sum, difference] = [simd.add_f32s(a, b), simd.sub_f32s(a, b)];
        let [outer_sum, outer_difference] = [simd.add_f32s(c, d), simd.sub_f32s(c, d)];
        let outer = simd.mul_f32s(simd.splat_f32s(OUTER), outer_difference);
        let outer_2 = simd.mul_f32s(simd.splat_f32s(OUTER_2), outer_sum);
        let outer_3 = times(simd, OUTER * OUTER_2, outer_difference, last);
        [
            simd.add_f32s(first, simd.add_f32s(sum, outer_sum)),
            times(simd, INNER, difference, outer),
            times(simd, INNER_2, sum, outer_2),
            times(simd, INNER * INNER_2, difference, outer_3),
        ]
    }
}
