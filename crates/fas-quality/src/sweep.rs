//! The fast path: one sweep over the rows of a scale in f32, from grey levels to moments.
//!
//! Arithmetic as in [`crate::mscn`]: differences from the centre, so flat windows and ramps stay
//! exactly zero in f32. Rows are pushed in one by one and only a band is kept, so the whole
//! state stays in the cache nearest to the core. Vectors are written out with `pulp`; the
//! caller dispatches to AVX-512, AVX2, NEON or plain code.

use pulp::{Simd, WithSimd};

use crate::line::{Band, Line};
use crate::moments::Moments;
use crate::mscn::{RADIUS, window};
use crate::sums::{Coefficients, Sums};

/// Side of the window.
const SIDE: usize = 2 * RADIUS + 1;

/// Sums over a scale whose rows are pushed from top to bottom.
pub(crate) struct Sweep<S: Simd> {
    simd: S,
    weights: [S::f32s; RADIUS + 1],
    /// Rows of grey levels.
    band: Band,
    /// A row beyond the border.
    zeros: Line,
    /// Means and variances of the columns around the last two rows; row `y` is in slot `y % 2`.
    columns: [Columns; 2],
    coefficients: Coefficients,
    above: Coefficients,
    first: Coefficients,
    sums: Sums<S>,
    steps: usize,
}

/// Weighted mean and variance of each column of seven pixels.
struct Columns {
    mean: Line,
    variance: Line,
}

impl<S: Simd> Sweep<S> {
    #[inline(always)]
    pub(crate) fn new(simd: S, width: usize, height: usize) -> Self {
        Self {
            simd,
            weights: window().map(|w| simd.splat_f32s(w as f32)),
            band: Band::new(width, height),
            zeros: Line::new(width),
            columns: std::array::from_fn(|_| Columns {
                mean: Line::new(width),
                variance: Line::new(width),
            }),
            coefficients: Coefficients::new(width),
            above: Coefficients::new(width),
            first: Coefficients::new(width),
            sums: Sums::new(simd, width, height),
            steps: 0,
        }
    }

    /// Takes the next row, grey levels written by `load`.
    #[inline(always)]
    pub(crate) fn push(&mut self, load: impl FnOnce(&mut [f32])) {
        self.band.push(load);
        if self.band.pushed() > RADIUS {
            self.step();
        }
    }

    /// The last rows pushed.
    #[inline(always)]
    pub(crate) fn band(&self) -> &Band {
        &self.band
    }

    /// The moments, once all rows are in.
    #[inline(always)]
    pub(crate) fn finish(mut self) -> Moments {
        while self.steps <= self.band.height() {
            self.step();
        }
        // Neighbours wrap around: the row above the first is the last.
        self.sums.add(&self.first, &self.above);
        self.sums.finish()
    }

    /// Works on the rows that have become complete. Not inlined, so that the four places which
    /// come here share one copy of the machine code.
    #[inline(always)]
    fn step(&mut self) {
        let simd = self.simd;
        simd.vectorize(Step(self));
    }

    /// Vertical pass of row `y` and horizontal pass of row `y - 1`. In one loop, since the second
    /// waits for square root and division while the first has multiplications to do.
    #[inline(always)]
    fn step_inlined(&mut self) {
        let y = self.steps;
        self.steps += 1;
        let rows: [&Line; SIDE] = std::array::from_fn(|k| {
            let inside = y + k >= RADIUS && y + k < self.band.height() + RADIUS;
            if inside {
                self.band.line(y + k - RADIUS)
            } else {
                &self.zeros
            }
        });
        let [even, odd] = &mut self.columns;
        let (next, columns) = if y.is_multiple_of(2) {
            (even, odd)
        } else {
            (odd, even)
        };
        let out = if y == 1 {
            &mut self.first.line
        } else {
            &mut self.coefficients.line
        };
        passes(self.simd, self.weights, rows, next, columns, out);
        match y {
            0 => {}
            1 => {
                self.first.close();
                // The first row is needed twice: above the second, and below the last.
                self.above
                    .line
                    .values_mut()
                    .copy_from_slice(self.first.line.values());
                self.above.close();
                self.above.close_above();
            }
            _ => {
                self.coefficients.close();
                self.sums.add(&self.coefficients, &self.above);
                self.coefficients.close_above();
                std::mem::swap(&mut self.coefficients, &mut self.above);
            }
        }
    }
}

/// [`Sweep::step`] as an operation that is compiled for the instruction set `S`.
struct Step<'a, S: Simd>(&'a mut Sweep<S>);

impl<S: Simd> WithSimd for Step<'_, S> {
    type Output = ();

    #[inline(always)]
    fn with_simd<T: Simd>(self, _simd: T) {
        self.0.step_inlined();
    }
}

/// Vertical pass of the middle of `rows` into `next`, and horizontal pass of the row above it from
/// `columns` into `out`.
#[inline(always)]
fn passes<S: Simd>(
    simd: S,
    weights: [S::f32s; RADIUS + 1],
    rows: [&Line; SIDE],
    next: &mut Columns,
    columns: &Columns,
    out: &mut Line,
) {
    // One vector early: see `pending`.
    let out = out.early_vectors_mut::<S>();
    let n = out.len() - 1;
    let next_mean = &mut next.mean.vectors_mut::<S>()[..n];
    let next_variance = &mut next.variance.vectors_mut::<S>()[..n];
    // Named one by one: behind an index the compiler loses their lengths, and with them the speed.
    let row = |k: usize| &rows[k].vectors::<S>(0)[..n];
    let (r0, r1, r2, r3, r4, r5, r6) = (row(0), row(1), row(2), row(3), row(4), row(5), row(6));
    let mean = |shift| &columns.mean.vectors::<S>(shift)[..n];
    let variance = |shift| &columns.variance.vectors::<S>(shift)[..n];
    let (m0, m1, m2, m3) = (mean(-3), mean(-2), mean(-1), mean(0));
    let (m4, m5, m6) = (mean(1), mean(2), mean(3));
    let (v0, v1, v2, v3) = (variance(-3), variance(-2), variance(-1), variance(0));
    let (v4, v5, v6) = (variance(1), variance(2), variance(3));
    // Square root and division of a vector wait until the next one is on its way, so that their
    // latency does not hold up the loop.
    let mut pending = (simd.splat_f32s(0.0), simd.splat_f32s(0.0));
    for i in 0..n {
        out[i] = normalise(simd, pending);
        let means = [m0[i], m1[i], m2[i], m3[i], m4[i], m5[i], m6[i]];
        let variances = [v0[i], v1[i], v2[i], v3[i], v4[i], v5[i], v6[i]];
        let column = [r0[i], r1[i], r2[i], r3[i], r4[i], r5[i], r6[i]];
        pending = horizontal(simd, &weights, column[RADIUS - 1], means, variances);
        (next_mean[i], next_variance[i]) = vertical(simd, &weights, column);
    }
    out[n] = normalise(simd, pending);
}

/// Weighted mean and variance of columns of seven.
#[inline(always)]
fn vertical<S: Simd>(
    simd: S,
    weights: &[S::f32s; RADIUS + 1],
    column: [S::f32s; SIDE],
) -> (S::f32s, S::f32s) {
    let centre = column[RADIUS];
    let (mut shift, mut square) = (simd.splat_f32s(0.0), simd.splat_f32s(0.0));
    for (k, &weight) in weights.iter().enumerate().skip(1) {
        let above = simd.sub_f32s(column[RADIUS - k], centre);
        let below = simd.sub_f32s(column[RADIUS + k], centre);
        let squares = simd.mul_add_e_f32s(above, above, simd.mul_f32s(below, below));
        shift = simd.mul_add_e_f32s(weight, simd.add_f32s(above, below), shift);
        square = simd.mul_add_e_f32s(weight, squares, square);
    }
    (
        simd.add_f32s(centre, shift),
        simd.negate_mul_add_e_f32s(shift, shift, square),
    )
}

/// Difference of pixels `x` from their mean, and their variance, from the means and variances of the
/// seven columns around each (law of total variance).
#[inline(always)]
fn horizontal<S: Simd>(
    simd: S,
    weights: &[S::f32s; RADIUS + 1],
    x: S::f32s,
    means: [S::f32s; SIDE],
    variances: [S::f32s; SIDE],
) -> (S::f32s, S::f32s) {
    let mean = means[RADIUS];
    let mut shift = simd.splat_f32s(0.0);
    let mut total = simd.mul_f32s(weights[0], variances[RADIUS]);
    for (k, &weight) in weights.iter().enumerate().skip(1) {
        let (left, right) = (RADIUS - k, RADIUS + k);
        let (a, b) = (
            simd.sub_f32s(means[left], mean),
            simd.sub_f32s(means[right], mean),
        );
        let a_sq = simd.mul_add_e_f32s(a, a, variances[left]);
        let b_sq = simd.mul_add_e_f32s(b, b, variances[right]);
        shift = simd.mul_add_e_f32s(weight, simd.add_f32s(a, b), shift);
        total = simd.mul_add_e_f32s(weight, simd.add_f32s(a_sq, b_sq), total);
    }
    total = simd.negate_mul_add_e_f32s(shift, shift, total);
    // Not `x - (mean + shift)` as in f64: in f32 that sum would round true differences away.
    (simd.sub_f32s(simd.sub_f32s(x, mean), shift), total)
}

#[inline(always)]
fn normalise<S: Simd>(simd: S, (difference, variance): (S::f32s, S::f32s)) -> S::f32s {
    let sigma = simd.sqrt_f32s(simd.abs_f32s(variance));
    simd.div_f32s(difference, simd.add_f32s(sigma, simd.splat_f32s(1.0)))
}

#[cfg(test)]
mod tests {
    use pulp::{Arch, WithSimd};

    use super::*;
    use crate::mscn::mscn;

    struct Run<'a> {
        width: usize,
        height: usize,
        levels: &'a [f64],
    }

    impl WithSimd for Run<'_> {
        type Output = Moments;

        fn with_simd<S: Simd>(self, simd: S) -> Moments {
            let mut sweep = Sweep::new(simd, self.width, self.height);
            for levels in self.levels.chunks_exact(self.width) {
                sweep.push(|row| {
                    for (out, &v) in row.iter_mut().zip(levels) {
                        *out = v as f32;
                    }
                });
            }
            sweep.finish()
        }
    }

    fn compare(width: usize, height: usize, plane: &[u8]) {
        let levels: Vec<f64> = plane.iter().map(|&v| f64::from(v)).collect();
        let expected = Moments::of(width, height, &mscn(width, height, &levels));
        let run = || Run {
            width,
            height,
            levels: &levels,
        };
        for found in [Arch::new().dispatch(run()), Arch::Scalar.dispatch(run())] {
            let close = |a: f64, b: f64| assert!((a - b).abs() <= 4e-6 * b.abs(), "{a} {b}");
            close(found.abs, expected.abs);
            close(found.sq, expected.sq);
            for (found, expected) in found.products.iter().zip(&expected.products) {
                assert_eq!((found.left, found.right), (expected.left, expected.right));
                close(found.abs, expected.abs);
                close(found.left_sq, expected.left_sq);
                close(found.right_sq, expected.right_sq);
            }
        }
    }

    #[test]
    fn agrees_with_the_reference_at_any_size() {
        for (w, h) in [
            (1, 1),
            (1, 9),
            (9, 1),
            (2, 2),
            (7, 5),
            (16, 16),
            (33, 18),
            (129, 40),
        ] {
            let plane: Vec<u8> = (0..w * h).map(|i| (i * i * 41 % 253) as u8).collect();
            compare(w, h, &plane);
        }
    }

    #[test]
    fn zeros_of_flat_parts_are_on_neither_side() {
        let (w, h) = (64, 48);
        let plane: Vec<u8> = (0..w * h)
            .map(|i| if i % w < 40 { 90 } else { (i * i % 251) as u8 })
            .collect();
        compare(w, h, &plane);
    }
}
