//! The fast path: one sweep over the rows of a scale in f32, from grey levels to moments.
//!
//! Arithmetic as in [`crate::mscn`]: differences from the centre, so flat windows and ramps stay
//! exactly zero in f32. Vectors are written out with `pulp`, which picks AVX-512, AVX2, NEON or
//! plain code when the program runs. Only a band of seven rows is alive at a time.

use pulp::{Arch, Simd, WithSimd};

use crate::moments::{Moments, ProductMoments};
use crate::mscn::{RADIUS, window};
use crate::signs::{SignRow, SignSums};

/// Rows are padded to whole vectors of any supported width, and stand this far from either end of
/// their buffer so that shifted reads stay inside.
const PAD: usize = 16;
const BAND: usize = 2 * RADIUS + 1;
/// f32 sums are moved to f64 after this many coefficients or one row, whichever is more.
const FLUSH: usize = 4096;

/// Sums over the scale of `width * height` pixels whose row `y` is written by `load(y, row)`.
pub(crate) fn sweep(width: usize, height: usize, load: impl Fn(usize, &mut [f32])) -> Moments {
    Arch::new().dispatch(Sweep {
        width,
        height,
        load,
    })
}

struct Sweep<F> {
    width: usize,
    height: usize,
    load: F,
}

impl<F: Fn(usize, &mut [f32])> WithSimd for Sweep<F> {
    type Output = Moments;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Moments {
        let Self {
            width,
            height,
            load,
        } = self;
        let padded = width.next_multiple_of(PAD);
        let weights = window().map(|w| simd.splat_f32s(w as f32));
        let zeros = vec![0.0; padded];
        let mut band: [Vec<f32>; BAND] = std::array::from_fn(|_| vec![0.0; padded]);
        for (y, row) in band.iter_mut().enumerate().take(RADIUS.min(height)) {
            load(y, &mut row[..width]);
        }
        let mut mean = vec![0.0; padded + 2 * PAD];
        let mut variance = mean.clone();
        let (mut current, mut previous) = (Row::new(width), Row::new(width));
        let mut first = Row::new(width);
        let mut sums = Sums::new(simd, width, height);

        for y in 0..height {
            if y + RADIUS < height {
                load(y + RADIUS, &mut band[(y + RADIUS) % BAND][..width]);
            }
            let rows: [&[f32]; BAND] = std::array::from_fn(|k| {
                let inside = y + k >= RADIUS && y + k < height + RADIUS;
                if inside {
                    band[(y + k - RADIUS) % BAND].as_slice()
                } else {
                    &zeros
                }
            });
            vertical(simd, &weights, rows, &mut mean[PAD..], &mut variance[PAD..]);
            let centre = rows[RADIUS];
            horizontal(
                simd,
                &weights,
                centre,
                &mean,
                &variance,
                &mut current.values[PAD..],
            );
            current.close_left();
            if y == 0 {
                first.clone_from(&current);
            } else {
                sums.add(&current, &previous);
            }
            current.close_right();
            std::mem::swap(&mut current, &mut previous);
        }
        // Neighbours wrap around: the row above the first is the last.
        sums.add(&first, &previous);
        sums.finish()
    }
}

/// Weighted mean and variance of each column of seven.
#[inline(always)]
fn vertical<S: Simd>(
    simd: S,
    weights: &[S::f32s; RADIUS + 1],
    rows: [&[f32]; BAND],
    mean: &mut [f32],
    variance: &mut [f32],
) {
    let padded = rows[0].len();
    let (mean, _) = S::as_mut_simd_f32s(&mut mean[..padded]);
    let (variance, _) = S::as_mut_simd_f32s(&mut variance[..padded]);
    let rows = rows.map(|row| &S::as_simd_f32s(row).0[..mean.len()]);
    for (i, (mean, variance)) in mean.iter_mut().zip(variance).enumerate() {
        let centre = rows[RADIUS][i];
        let mut shift = simd.splat_f32s(0.0);
        let mut square = shift;
        for (k, &w) in weights.iter().enumerate().skip(1) {
            let above = simd.sub_f32s(rows[RADIUS - k][i], centre);
            let below = simd.sub_f32s(rows[RADIUS + k][i], centre);
            let squares = simd.mul_add_e_f32s(above, above, simd.mul_f32s(below, below));
            shift = simd.mul_add_e_f32s(w, simd.add_f32s(above, below), shift);
            square = simd.mul_add_e_f32s(w, squares, square);
        }
        *mean = simd.add_f32s(centre, shift);
        *variance = simd.negate_mul_add_e_f32s(shift, shift, square);
    }
}

/// Coefficients of a row from the means and variances of its columns (law of total variance).
#[inline(always)]
fn horizontal<S: Simd>(
    simd: S,
    weights: &[S::f32s; RADIUS + 1],
    centre: &[f32],
    mean: &[f32],
    variance: &[f32],
    out: &mut [f32],
) {
    let padded = centre.len();
    let (out, _) = S::as_mut_simd_f32s(&mut out[..padded]);
    let (centre, _) = S::as_simd_f32s(centre);
    let centre = &centre[..out.len()];
    let shifted: [_; BAND] = std::array::from_fn(|k| {
        let taps = PAD + k - RADIUS..PAD + k - RADIUS + padded;
        let (mean, _) = S::as_simd_f32s(&mean[taps.clone()]);
        let (variance, _) = S::as_simd_f32s(&variance[taps]);
        (&mean[..out.len()], &variance[..out.len()])
    });
    let one = simd.splat_f32s(1.0);
    for (i, (out, &x)) in out.iter_mut().zip(centre).enumerate() {
        let (mean, variance) = (shifted[RADIUS].0[i], shifted[RADIUS].1[i]);
        let mut shift = simd.splat_f32s(0.0);
        let mut total = simd.mul_f32s(weights[0], variance);
        for (k, &w) in weights.iter().enumerate().skip(1) {
            let (mean_a, variance_a) = shifted[RADIUS - k];
            let (mean_b, variance_b) = shifted[RADIUS + k];
            let a = simd.sub_f32s(mean_a[i], mean);
            let b = simd.sub_f32s(mean_b[i], mean);
            let a_sq = simd.mul_add_e_f32s(a, a, variance_a[i]);
            let b_sq = simd.mul_add_e_f32s(b, b, variance_b[i]);
            shift = simd.mul_add_e_f32s(w, simd.add_f32s(a, b), shift);
            total = simd.mul_add_e_f32s(w, simd.add_f32s(a_sq, b_sq), total);
        }
        total = simd.negate_mul_add_e_f32s(shift, shift, total);
        let sigma = simd.sqrt_f32s(simd.abs_f32s(total));
        // Not `x - (mean + shift)` as in f64: in f32 that sum would round true differences away.
        let difference = simd.sub_f32s(simd.sub_f32s(x, mean), shift);
        *out = simd.div_f32s(difference, simd.add_f32s(sigma, one));
    }
}

/// One row of coefficients between two pads, and their signs.
#[derive(Clone)]
struct Row {
    width: usize,
    values: Vec<f32>,
    signs: SignRow,
}

impl Row {
    fn new(width: usize) -> Self {
        let padded = width.next_multiple_of(PAD);
        Self {
            width,
            values: vec![0.0; padded + 2 * PAD],
            signs: SignRow::new(width),
        }
    }

    /// Clears what was computed beyond the width, so that it adds nothing, and wraps the last
    /// value around to the left.
    #[inline(always)]
    fn close_left(&mut self) {
        self.values[PAD + self.width..].fill(0.0);
        self.values[PAD - 1] = self.values[PAD + self.width - 1];
        self.signs.fill(&self.values[PAD..PAD + self.width]);
    }

    /// Wraps the first value around to the right, once the row is only read as a neighbour.
    #[inline(always)]
    fn close_right(&mut self) {
        self.values[PAD + self.width] = self.values[PAD];
        self.signs.close_right();
    }

    /// The row as vectors, `shift` (-1, 0 or 1) to the right of each pixel.
    #[inline(always)]
    fn shifted<S: Simd>(&self, shift: isize) -> &[S::f32s] {
        let start = PAD.wrapping_add_signed(shift);
        let padded = self.values.len() - 2 * PAD;
        S::as_simd_f32s(&self.values[start..start + padded]).0
    }
}

/// f32 sums of one product, a vector each.
#[derive(Clone, Copy)]
struct Lanes<V> {
    abs: V,
    left_sq: V,
    right_sq: V,
}

/// Sums in f32 vectors, moved to f64 every few rows.
struct Sums<S: Simd> {
    simd: S,
    abs: S::f32s,
    sq: S::f32s,
    products: [Lanes<S::f32s>; 4],
    signs: SignSums,
    rows_until_flush: usize,
    moments: Moments,
}

impl<S: Simd> Sums<S> {
    #[inline(always)]
    fn new(simd: S, width: usize, height: usize) -> Self {
        let zero = simd.splat_f32s(0.0);
        let count = (width * height) as u64;
        Self {
            simd,
            abs: zero,
            sq: zero,
            products: [Lanes {
                abs: zero,
                left_sq: zero,
                right_sq: zero,
            }; 4],
            signs: SignSums::default(),
            rows_until_flush: FLUSH.div_ceil(width),
            moments: Moments {
                count,
                ..Moments::default()
            },
        }
    }

    /// Adds a row and its products with its left neighbours and with the row above. The last
    /// neighbour, below on the left, is met from the lower row as above on the right.
    #[inline(always)]
    fn add(&mut self, row: &Row, above: &Row) {
        let simd = self.simd;
        let zero = simd.splat_f32s(0.0);
        let centre = row.shifted::<S>(0);
        let neighbours = [
            row.shifted::<S>(-1),
            above.shifted::<S>(0),
            above.shifted::<S>(-1),
            above.shifted::<S>(1),
        ]
        .map(|neighbour| &neighbour[..centre.len()]);
        let (mut abs, mut sq, mut products) = (self.abs, self.sq, self.products);
        for (i, &c) in centre.iter().enumerate() {
            abs = simd.add_f32s(abs, simd.abs_f32s(c));
            sq = simd.mul_add_e_f32s(c, c, sq);
            for (lanes, neighbour) in products.iter_mut().zip(neighbours) {
                let product = simd.mul_f32s(c, neighbour[i]);
                let right = simd.max_f32s(product, zero);
                let left = simd.min_f32s(product, zero);
                lanes.abs = simd.add_f32s(lanes.abs, simd.abs_f32s(product));
                lanes.right_sq = simd.mul_add_e_f32s(right, right, lanes.right_sq);
                lanes.left_sq = simd.mul_add_e_f32s(left, left, lanes.left_sq);
            }
        }
        (self.abs, self.sq, self.products) = (abs, sq, products);
        self.signs.add(&row.signs, &above.signs);
        self.rows_until_flush -= 1;
        if self.rows_until_flush == 0 {
            self.flush();
            self.rows_until_flush = FLUSH.div_ceil(row.width);
        }
    }

    #[inline(always)]
    fn flush(&mut self) {
        let simd = self.simd;
        let take = |lanes: &mut S::f32s| {
            f64::from(simd.reduce_sum_f32s(std::mem::replace(lanes, simd.splat_f32s(0.0))))
        };
        self.moments.abs += take(&mut self.abs);
        self.moments.sq += take(&mut self.sq);
        for (total, lanes) in self.moments.products.iter_mut().zip(&mut self.products) {
            total.abs += take(&mut lanes.abs);
            total.left_sq += take(&mut lanes.left_sq);
            total.right_sq += take(&mut lanes.right_sq);
        }
    }

    #[inline(always)]
    fn finish(mut self) -> Moments {
        self.flush();
        let mut moments = self.moments;
        for (total, counts) in moments.products.iter_mut().zip(self.signs.counts()) {
            *total = ProductMoments {
                left: counts.left,
                right: counts.right,
                ..*total
            };
        }
        moments
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mscn::mscn;

    fn compare(width: usize, height: usize, plane: &[u8]) {
        let levels: Vec<f64> = plane.iter().map(|&v| f64::from(v)).collect();
        let expected = Moments::of(width, height, &mscn(width, height, &levels));
        let found = sweep(width, height, |y, row| {
            for (out, &v) in row.iter_mut().zip(&plane[y * width..]) {
                *out = f32::from(v);
            }
        });
        let close = |a: f64, b: f64| assert!((a - b).abs() <= 2e-6 * b.abs(), "{a} {b}");
        close(found.abs, expected.abs);
        close(found.sq, expected.sq);
        for (found, expected) in found.products.iter().zip(&expected.products) {
            assert_eq!((found.left, found.right), (expected.left, expected.right));
            close(found.abs, expected.abs);
            close(found.left_sq, expected.left_sq);
            close(found.right_sq, expected.right_sq);
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
