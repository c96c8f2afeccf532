//! Half size: MATLAB's `imresize(x, 0.5)` (anti-aliased bicubic) in exact integers.

use pulp::{Arch, Simd, WithSimd};

use crate::gray::GrayPlane;

/// Half of the symmetric filter `[-3 -9 29 111 111 29 -9 -3] / 256`, from the outside in.
const TAPS: [i32; 4] = [-3, -9, 29, 111];

/// An image at half size whose values are exact multiples of `1 / 65536`.
///
/// The filter overshoots, so values may leave `0..=255` a little.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HalfPlane {
    width: usize,
    height: usize,
    values: Vec<i32>,
}

impl HalfPlane {
    /// What a stored value is divided by to give grey levels.
    pub const ONE: i32 = 65_536;

    /// Halves `plane`: each side becomes `ceil(side / 2)`.
    ///
    /// Output `i` is filtered from inputs `2i - 3 ..= 2i + 4` in each direction; beyond the border
    /// the image is repeated in the mirror, edge pixel included.
    #[must_use]
    pub fn from_gray(plane: &GrayPlane) -> Self {
        let width = plane.width().div_ceil(2);
        let height = plane.height().div_ceil(2);
        let mut values = vec![0; width * height];
        if !values.is_empty() {
            Arch::new().dispatch(Halve {
                plane,
                width,
                values: &mut values,
            });
        }
        Self {
            width,
            height,
            values,
        }
    }

    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// The values times [`ONE`](Self::ONE), row by row.
    #[must_use]
    pub fn values(&self) -> &[i32] {
        &self.values
    }

    /// Row `y`, times [`ONE`](Self::ONE).
    ///
    /// # Panics
    ///
    /// When `y >= height`.
    #[must_use]
    pub fn row(&self, y: usize) -> &[i32] {
        &self.values[y * self.width..][..self.width]
    }
}

/// Index `i` of an image of length `len` that is repeated in the mirror, edge pixel included.
fn mirror(i: isize, len: usize) -> usize {
    let i = i.rem_euclid(2 * len as isize) as usize;
    if i < len { i } else { 2 * len - 1 - i }
}

/// The resize as an operation that is compiled for each instruction set.
struct Halve<'a> {
    plane: &'a GrayPlane,
    width: usize,
    values: &'a mut [i32],
}

impl WithSimd for Halve<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Self {
            plane,
            width,
            values,
        } = self;
        let mut column_sums = vec![0_i32; plane.width()];
        // Even and odd columns apart, so that the horizontal pass reads runs. Two more of each on
        // either side hold the mirrored border.
        let mut even = vec![0_i32; width + 4];
        let mut odd = vec![0_i32; width + 4];
        for (y, out) in values.chunks_exact_mut(width).enumerate() {
            let row = |k: isize| plane.row(mirror(2 * y as isize + k, plane.height()));
            sum_rows([-3, -2, -1, 0, 1, 2, 3, 4].map(row), &mut column_sums);
            split_columns(&column_sums, &mut even, &mut odd);
            sum_columns(&even, &odd, out);
        }
    }
}

#[inline(always)]
fn sum_rows(rows: [&[u8]; 8], out: &mut [i32]) {
    let rows = rows.map(|row| &row[..out.len()]);
    for (x, out) in out.iter_mut().enumerate() {
        let pair = |k: usize| i32::from(rows[k][x]) + i32::from(rows[7 - k][x]);
        *out = TAPS[0] * pair(0) + TAPS[1] * pair(1) + TAPS[2] * pair(2) + TAPS[3] * pair(3);
    }
}

/// `even[j] = sums[2 (j - 2)]`, `odd[j] = sums[2 (j - 2) + 1]`, mirrored beyond the ends.
#[inline(always)]
fn split_columns(sums: &[i32], even: &mut [i32], odd: &mut [i32]) {
    let (pairs, _) = sums.as_chunks::<2>();
    for ((pair, even), odd) in pairs.iter().zip(&mut even[2..]).zip(&mut odd[2..]) {
        *even = pair[0];
        *odd = pair[1];
    }
    for j in [0, 1].into_iter().chain(pairs.len() + 2..even.len()) {
        let i = 2 * (j as isize - 2);
        even[j] = sums[mirror(i, sums.len())];
        odd[j] = sums[mirror(i + 1, sums.len())];
    }
}

#[inline(always)]
fn sum_columns(even: &[i32], odd: &[i32], out: &mut [i32]) {
    let n = out.len();
    // Offsets 2i-3 .. 2i+4 in steps of one: odd, even, odd, even, ...
    let o = [0, 1, 2, 3].map(|shift| &odd[shift..][..n]);
    let e = [1, 2, 3, 4].map(|shift| &even[shift..][..n]);
    for (i, out) in out.iter_mut().enumerate() {
        *out = TAPS[0] * (o[0][i] + e[3][i])
            + TAPS[1] * (e[0][i] + o[3][i])
            + TAPS[2] * (o[1][i] + e[2][i])
            + TAPS[3] * (e[1][i] + o[2][i]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirror_repeats_the_edge() {
        let seen: Vec<_> = (-4..8).map(|i| mirror(i, 3)).collect();
        assert_eq!(seen, [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]);
    }

    #[test]
    fn a_flat_plane_stays_flat() {
        let half = HalfPlane::from_gray(&GrayPlane::new(5, 3, vec![200; 15]).unwrap());
        assert_eq!((half.width(), half.height()), (3, 2));
        assert!(half.values().iter().all(|&v| v == 200 * HalfPlane::ONE));
    }

    #[test]
    fn agrees_with_the_direct_double_sum() {
        let (w, h) = (37, 21);
        let gray = (0..w * h).map(|i| (i * i * 31 % 251) as u8).collect();
        let plane = GrayPlane::new(w, h, gray).unwrap();
        let half = HalfPlane::from_gray(&plane);
        let tap = |k: isize| TAPS[if k < 4 { k } else { 7 - k } as usize];
        for y in 0..h.div_ceil(2) {
            for x in 0..w.div_ceil(2) {
                let mut sum = 0;
                for i in 0..8 {
                    let row = plane.row(mirror(2 * y as isize - 3 + i, h));
                    for j in 0..8 {
                        sum += tap(i) * tap(j) * i32::from(row[mirror(2 * x as isize - 3 + j, w)]);
                    }
                }
                assert_eq!(half.row(y)[x], sum, "at {x}, {y}");
            }
        }
    }

    #[test]
    fn an_empty_plane_stays_empty() {
        let half = HalfPlane::from_gray(&GrayPlane::new(0, 4, Vec::new()).unwrap());
        assert_eq!(
            (half.width(), half.height(), half.values().len()),
            (0, 2, 0)
        );
    }
}
