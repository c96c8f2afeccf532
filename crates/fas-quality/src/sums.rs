//! Moments of coefficients that arrive row by row, summed in f32 vectors and kept in f64.

use pulp::Simd;

use crate::line::Line;
use crate::moments::{Moments, ProductMoments};
use crate::signs::{SignLine, SignSums};

/// f32 sums are moved to f64 after this many additions to each lane or one row, whichever is more.
const FLUSH: usize = 256;

/// One row of coefficients and their signs.
pub(crate) struct Coefficients {
    pub(crate) line: Line,
    signs: SignLine,
}

impl Coefficients {
    pub(crate) fn new(width: usize) -> Self {
        Self {
            line: Line::new(width),
            signs: SignLine::new(width),
        }
    }

    /// Completes a row whose vectors were just written.
    #[inline(always)]
    pub(crate) fn close(&mut self) {
        self.line.clear_padding();
        self.line.wrap_left();
        self.signs.fill(self.line.values());
    }

    /// Makes the row fit to be the neighbour above another.
    #[inline(always)]
    pub(crate) fn close_above(&mut self) {
        self.line.wrap_right();
        self.signs.wrap_right();
    }
}

/// f32 sums of one product. Both sides are summed twice as large, so their squares fourfold.
#[derive(Clone, Copy)]
struct Lanes<V> {
    abs: V,
    left_sq: V,
    right_sq: V,
}

/// Sums of a scale; see [`Moments`].
pub(crate) struct Sums<S: Simd> {
    simd: S,
    abs: S::f32s,
    sq: S::f32s,
    products: [Lanes<S::f32s>; 4],
    signs: SignSums,
    rows_until_flush: usize,
    rows_a_flush: usize,
    moments: Moments,
}

impl<S: Simd> Sums<S> {
    #[inline(always)]
    pub(crate) fn new(simd: S, width: usize, height: usize) -> Self {
        let zero = simd.splat_f32s(0.0);
        let count = (width * height) as u64;
        let rows_a_flush = (FLUSH * S::F32_LANES).div_ceil(width);
        Self {
            simd,
            abs: zero,
            sq: zero,
            products: [Lanes {
                abs: zero,
                left_sq: zero,
                right_sq: zero,
            }; 4],
            signs: SignSums::new(),
            rows_until_flush: rows_a_flush,
            rows_a_flush,
            moments: Moments {
                count,
                ..Moments::default()
            },
        }
    }

    /// Adds a row and its products with its left neighbours and with the row above. The last
    /// neighbour, below on the left, is met from the lower row as above on the right.
    #[inline(always)]
    pub(crate) fn add(&mut self, row: &Coefficients, above: &Coefficients) {
        let simd = self.simd;
        let centre = row.line.vectors::<S>(0);
        let left = &row.line.vectors::<S>(-1)[..centre.len()];
        let [up, up_left, up_right] =
            [0, -1, 1].map(|shift| &above.line.vectors::<S>(shift)[..centre.len()]);
        let (mut abs, mut sq, mut products) = (self.abs, self.sq, self.products);
        for (i, &c) in centre.iter().enumerate() {
            abs = simd.add_f32s(abs, simd.abs_f32s(c));
            sq = simd.mul_add_e_f32s(c, c, sq);
            let neighbours = [left[i], up[i], up_left[i], up_right[i]];
            for (lanes, neighbour) in products.iter_mut().zip(neighbours) {
                let product = simd.mul_f32s(c, neighbour);
                let magnitude = simd.abs_f32s(product);
                // Twice max(product, 0) and twice min(product, 0), exactly.
                let right = simd.add_f32s(product, magnitude);
                let left = simd.sub_f32s(product, magnitude);
                lanes.abs = simd.add_f32s(lanes.abs, magnitude);
                lanes.right_sq = simd.mul_add_e_f32s(right, right, lanes.right_sq);
                lanes.left_sq = simd.mul_add_e_f32s(left, left, lanes.left_sq);
            }
        }
        (self.abs, self.sq, self.products) = (abs, sq, products);
        self.signs.add(&row.signs, &above.signs);
        self.rows_until_flush -= 1;
        if self.rows_until_flush == 0 {
            self.flush();
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
            total.left_sq += take(&mut lanes.left_sq) / 4.0;
            total.right_sq += take(&mut lanes.right_sq) / 4.0;
        }
        self.rows_until_flush = self.rows_a_flush;
    }

    #[inline(always)]
    pub(crate) fn finish(mut self) -> Moments {
        self.flush();
        let mut moments = self.moments;
        for (total, counts) in moments.products.iter_mut().zip(self.signs.finish()) {
            *total = ProductMoments {
                left: counts.left,
                right: counts.right,
                ..*total
            };
        }
        moments
    }
}
