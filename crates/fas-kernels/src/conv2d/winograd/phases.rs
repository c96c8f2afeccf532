//! Transform of the inputs.

use std::ops::Range;

use pulp::Simd;

use super::LANES;
use super::transform::Minimal;

/// Some rows of a padded plane, split so that vectors of consecutive tiles read consecutive values.
///
/// A tile reads columns `M x + dx` for `dx` below `N`. Wide maps are split by the remainders of row and
/// column over `M`, and `dx` of `M` and more are one value on. In narrow maps a vector would see one row of
/// a few tiles: they get a copy for each `dx`, so that rows of tiles follow each other without a gap.
pub(super) struct Phases<const M: usize, const N: usize> {
    /// `[row remainder][column remainder or dx][row][column]` and slack for the last vector.
    values: Vec<f32>,
    /// A row of the plane between its padding.
    line: Vec<f32>,
    /// Copies for each row remainder: `M`, or `N` in narrow maps.
    copies: usize,
    /// Floats of a copy and of a row of it.
    copy: usize,
    row: usize,
}

impl<const M: usize, const N: usize> Phases<M, N> {
    /// Room for `rows` rows of `columns` tiles.
    pub(super) fn new(rows: usize, columns: usize) -> Self {
        let (copies, row) = if columns < LANES {
            (N, columns)
        } else {
            (M, columns + 1)
        };
        let copy = (rows + 1) * row;
        Self {
            values: vec![0.0; M * copies * copy + LANES],
            line: vec![0.0; M * row + N],
            copies,
            copy,
            row,
        }
    }

    /// Reads what the tiles of `rows` and `columns`, as many as there is room for, see of `plane`.
    #[inline(always)]
    pub(super) fn fill(
        &mut self,
        plane: &[f32],
        width: usize,
        rows: Range<usize>,
        columns: Range<usize>,
    ) {
        let height = plane.len() / width;
        // Padded row and column are one more than those of the plane.
        let left = M * columns.start;
        let seen = left.saturating_sub(1)..width.min(M * columns.end + 1);
        let at = seen.start + 1 - left;
        self.line[..at].fill(0.0);
        self.line[at + seen.len()..].fill(0.0);
        for y in 0..M * rows.len() + 2 {
            let to = y % M * self.copies * self.copy + y / M * self.row;
            let copies = self.values[to..].chunks_mut(self.copy).take(self.copies);
            let Some(y) = (M * rows.start + y).checked_sub(1).filter(|y| *y < height) else {
                for copy in copies {
                    copy[..self.row].fill(0.0);
                }
                continue;
            };
            self.line[at..at + seen.len()].copy_from_slice(&plane[y * width..][seen.clone()]);
            for (dx, copy) in copies.enumerate() {
                let (groups, _) = self.line[dx..].as_chunks::<M>();
                for (value, group) in copy[..self.row].iter_mut().zip(groups) {
                    *value = group[0];
                }
            }
        }
    }

    /// `B^T d B` of `count` rows of `columns` tiles that were read, the places `stride` floats apart.
    #[inline(always)]
    pub(super) fn transform<S: Simd, F: Minimal<M, N>>(
        &self,
        simd: S,
        [count, columns]: [usize; 2],
        output: &mut [f32],
        stride: usize,
    ) {
        if self.copies == N {
            self.transform_line::<S, F>(simd, 0, count * columns, output, stride);
            return;
        }
        for y in 0..count {
            let output = &mut output[y * columns..];
            self.transform_line::<S, F>(simd, y * self.row, columns, output, stride);
        }
    }

    /// `tiles` tiles whose values start at `at` in each copy.
    #[inline(always)]
    fn transform_line<S: Simd, F: Minimal<M, N>>(
        &self,
        simd: S,
        at: usize,
        tiles: usize,
        output: &mut [f32],
        stride: usize,
    ) {
        let zero = simd.splat_f32s(0.0);
        for x in (0..tiles).step_by(S::F32_LANES) {
            let mut columns = [[zero; N]; N];
            for (dx, column) in columns.iter_mut().enumerate() {
                let mut values = [zero; N];
                for (dy, value) in values.iter_mut().enumerate() {
                    let copy = dy % M * self.copies + dx % self.copies;
                    let at = copy * self.copy + at + dy / M * self.row + x + dx / self.copies;
                    *value = S::as_simd_f32s(&self.values[at..at + S::F32_LANES]).0[0];
                }
                *column = F::input(simd, values);
            }
            for dy in 0..N {
                let mut row = [zero; N];
                for (value, column) in row.iter_mut().zip(&columns) {
                    *value = column[dy];
                }
                for (dx, value) in F::input(simd, row).into_iter().enumerate() {
                    let to = &mut output[(N * dy + dx) * stride + x..][..S::F32_LANES];
                    S::as_mut_simd_f32s(to).0[0] = value;
                }
            }
        }
    }
}
