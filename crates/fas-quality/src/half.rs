//! Half size: MATLAB's `imresize(x, 0.5)` (anti-aliased bicubic) in exact integers.

use pulp::{Arch, Simd, WithSimd};

use crate::gray::GrayPlane;
use crate::line::{BAND, Band};

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

/// The resize of a plane, compiled for each instruction set.
struct Halve<'a> {
    plane: &'a GrayPlane,
    width: usize,
    values: &'a mut [i32],
}

impl WithSimd for Halve<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let mut band = Band::new(self.plane.width(), self.plane.height());
        let mut filter = HalfFilter::new(self.plane.width());
        let mut out = self.values.chunks_exact_mut(self.width);
        for y in 0..self.plane.height() {
            band.push(|row| {
                for (out, &v) in row.iter_mut().zip(self.plane.row(y)) {
                    *out = f32::from(v);
                }
            });
            while let Some(half) = filter.next(&band) {
                out.next()
                    .expect("one output for two rows")
                    .copy_from_slice(half);
            }
        }
    }
}

/// Half size of an image whose rows pass through a [`Band`].
pub(crate) struct HalfFilter {
    done: usize,
    column_sums: Vec<i32>,
    /// Even and odd columns apart, so that the horizontal pass reads runs. Two more of each on
    /// either side hold the mirrored border.
    even: Vec<i32>,
    odd: Vec<i32>,
    out: Vec<i32>,
}

impl HalfFilter {
    pub(crate) fn new(width: usize) -> Self {
        let half = width.div_ceil(2);
        Self {
            done: 0,
            column_sums: vec![0; width],
            even: vec![0; half + 4],
            odd: vec![0; half + 4],
            out: vec![0; half],
        }
    }

    /// The next output row times [`HalfPlane::ONE`], if its input is complete. To be called until
    /// `None` after each row is pushed, before the next drops what older outputs need.
    #[inline(always)]
    pub(crate) fn next(&mut self, band: &Band) -> Option<&[i32]> {
        let first = 2 * self.done as isize - 3;
        let needed = (first + BAND as isize).min(band.height() as isize);
        if self.done >= band.height().div_ceil(2) || (band.pushed() as isize) < needed {
            return None;
        }
        self.done += 1;
        let row = |k: isize| band.line(mirror(first + k, band.height())).values();
        sum_rows([0, 1, 2, 3, 4, 5, 6, 7].map(row), &mut self.column_sums);
        split_columns(&self.column_sums, &mut self.even, &mut self.odd);
        sum_columns(&self.even, &self.odd, &mut self.out);
        Some(&self.out)
    }
}

/// Filters columns of eight. Sums of grey levels stay far below `2^24`, so f32 is exact.
#[inline(always)]
fn sum_rows(rows: [&[f32]; BAND], out: &mut [i32]) {
    let n = out.len();
    let [r0, r1, r2, r3, r4, r5, r6, r7] = rows.map(|row| &row[..n]);
    let taps = TAPS.map(|tap| tap as f32);
    for x in 0..n {
        let sum = taps[0] * (r0[x] + r7[x])
            + taps[1] * (r1[x] + r6[x])
            + taps[2] * (r2[x] + r5[x])
            + taps[3] * (r3[x] + r4[x]);
        out[x] = to_integer(sum);
    }
}

/// Exact for whole numbers up to `2^22` either way: at `1.5 * 2^23` the last bit of an f32 is one.
/// A plain cast would test for NaN and overflow.
#[inline(always)]
fn to_integer(value: f32) -> i32 {
    const MAGIC: f32 = 12_582_912.0;
    (value + MAGIC).to_bits() as i32 - MAGIC.to_bits() as i32
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
    fn whole_numbers_convert_exactly() {
        for value in [0, 1, -1, 255, -6_120, 71_400, 4_194_303, -4_194_304] {
            assert_eq!(to_integer(value as f32), value);
        }
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
