//! Small matrix products, the parts of attention and of Winograd's convolution.

use prefetch_index::prefetch_index;
use pulp::{Simd, WithSimd};

use crate::scratch::Scratch;
use crate::simd;

/// Rows of a panel with 32 registers: 6 times 4 vectors of sums.
pub(crate) const ROWS: usize = 6;
/// Rows of a panel with 16 registers: 4 times 3 vectors of sums.
pub(crate) const FEW_ROWS: usize = 4;

/// Work on panels of rows.
pub(crate) trait PanelTask {
    type Output;

    /// The work, in panels of `M` rows.
    fn run<S: Simd, const M: usize>(self, simd: S) -> Self::Output;
}

/// Rows of the panels of [`dispatch`].
pub(crate) fn panel_rows() -> usize {
    struct Rows;
    impl PanelTask for Rows {
        type Output = usize;

        #[inline(always)]
        fn run<S: Simd, const M: usize>(self, _simd: S) -> usize {
            M
        }
    }
    dispatch(Rows)
}

/// Runs `task` compiled for the widest instruction set this processor has, in panels as high as its
/// registers hold.
#[inline]
pub(crate) fn dispatch<T: PanelTask>(task: T) -> T::Output {
    struct ByRegisters<T>(T);
    impl<T: PanelTask> WithSimd for ByRegisters<T> {
        type Output = T::Output;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> T::Output {
            if S::REGISTER_COUNT >= 32 {
                self.0.run::<S, ROWS>(simd)
            } else {
                self.0.run::<S, FEW_ROWS>(simd)
            }
        }
    }
    simd::dispatch(ByRegisters(task))
}

/// Matrix of `columns` floats a row, a whole number of vectors, `stride` floats apart.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) columns: usize,
    pub(crate) stride: usize,
}

/// What the sums of a [`panel`] start from.
#[derive(Clone, Copy)]
pub(crate) enum Start<const M: usize> {
    /// `output = left right`.
    Zero,
    /// The output's values: a product in parts of its length has the bits of the whole.
    Output,
    /// `output = factors output + left right`, a factor for each row.
    Scaled([f32; M]),
}

/// `M` rows of a product `left right`, from `start`.
///
/// `left(k)` is the column `k < len` of the left matrix. `output` has `rows <= M` rows, `stride`
/// floats apart; what `left` gives beyond them is dropped. Every sum is one chain over `k`.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // a struct here costs registers in the hot loop
pub(crate) fn panel<S: Simd, const M: usize>(
    simd: S,
    len: usize,
    left: impl Fn(usize) -> [f32; M] + Copy,
    right: Columns<'_>,
    output: &mut [f32],
    stride: usize,
    rows: usize,
    start: Start<M>,
) {
    let vectors = right.columns / S::F32_LANES;
    let mut vector = 0;
    while vector < vectors {
        let at = vector * S::F32_LANES;
        let values = &right.values[at..];
        let out = &mut output[at..];
        let step = match (vectors - vector, M) {
            (count @ 1..=3, _) => count,
            (4, FEW_ROWS) => 2,
            (5 | 6, _) | (_, FEW_ROWS) => 3,
            _ => 4,
        };
        let ld = right.stride;
        match step {
            1 => tile::<S, M, 1>(simd, len, left, values, ld, out, stride, rows, start),
            2 => tile::<S, M, 2>(simd, len, left, values, ld, out, stride, rows, start),
            3 => tile::<S, M, 3>(simd, len, left, values, ld, out, stride, rows, start),
            _ => tile::<S, M, 4>(simd, len, left, values, ld, out, stride, rows, start),
        }
        vector += step;
    }
}

/// A [`panel`] whose left matrix is packed, column by column.
#[inline(always)]
pub(crate) fn packed_panel<S: Simd, const M: usize>(
    simd: S,
    left: &[[f32; M]],
    right: Columns<'_>,
    output: &mut [f32],
    stride: usize,
    start: Start<M>,
) {
    let rows = M.min(output.len().div_ceil(stride));
    panel::<S, M>(
        simd,
        left.len(),
        |k| left[k],
        right,
        output,
        stride,
        rows,
        start,
    );
}

/// A [`packed_panel`] that calls `next`, the left matrix of the product after it, into the first-level cache: what
/// lies beyond the second level comes too late on demand.
#[inline(always)]
pub(crate) fn packed_panel_before<S: Simd, const M: usize>(
    simd: S,
    left: &[[f32; M]],
    next: &[[f32; M]],
    right: Columns<'_>,
    output: &mut [f32],
    stride: usize,
    start: Start<M>,
) {
    let rows = M.min(output.len().div_ceil(stride));
    panel::<S, M>(
        simd,
        left.len(),
        |k| {
            prefetch_index(next, k);
            left[k]
        },
        right,
        output,
        stride,
        rows,
        start,
    );
}

/// `V` vectors of the columns of a [`panel`].
#[inline(always)]
#[allow(clippy::too_many_arguments)] // as above
fn tile<S: Simd, const M: usize, const V: usize>(
    simd: S,
    len: usize,
    left: impl Fn(usize) -> [f32; M],
    right: &[f32],
    right_stride: usize,
    output: &mut [f32],
    stride: usize,
    rows: usize,
    start: Start<M>,
) {
    let mut sums = [[simd.splat_f32s(0.0); V]; M];
    if let Start::Output = start {
        for (m, sums) in sums.iter_mut().enumerate().take(rows) {
            let (from, _) = S::as_simd_f32s(&output[m * stride..][..V * S::F32_LANES]);
            sums.copy_from_slice(from);
        }
    }
    for k in 0..len {
        let (line, _) = S::as_simd_f32s(&right[k * right_stride..][..V * S::F32_LANES]);
        let line: [S::f32s; V] = core::array::from_fn(|v| line[v]);
        let left = left(k);
        for m in 0..M {
            let left = simd.splat_f32s(left[m]);
            for v in 0..V {
                sums[m][v] = simd.mul_add_e_f32s(left, line[v], sums[m][v]);
            }
        }
    }
    for (m, sums) in sums.iter().enumerate().take(rows) {
        let (to, _) = S::as_mut_simd_f32s(&mut output[m * stride..][..V * S::F32_LANES]);
        for (to, sum) in to.iter_mut().zip(sums) {
            *to = match start {
                Start::Scaled(factors) => {
                    simd.mul_add_e_f32s(*to, simd.splat_f32s(factors[m]), *sum)
                }
                Start::Zero | Start::Output => *sum,
            };
        }
    }
}

/// Columns of `M` rows of a row-major matrix from row `first` on, for [`panel`]; the last row
/// stands for those beyond it.
#[inline(always)]
pub(crate) fn rows_of<const M: usize>(
    values: &[f32],
    first: usize,
    stride: usize,
    len: usize,
) -> [&[f32]; M] {
    let last = values.len() / stride - 1;
    core::array::from_fn(|m| &values[(first + m).min(last) * stride..][..len])
}

/// A row-major matrix of `len` columns in the panels of [`dispatch`], `[panel][column][row]`; the last row stands
/// for those beyond it.
pub(crate) fn pack(values: &[f32], len: usize) -> Scratch {
    let (count, rows) = (values.len() / len, panel_rows());
    let mut packed = Scratch::new(count.div_ceil(rows) * rows * len);
    for (p, panel) in packed
        .chunks_exact_mut(rows * len)
        .enumerate()
        .take(count.div_ceil(rows))
    {
        for (k, column) in panel.chunks_exact_mut(rows).enumerate() {
            for (r, value) in column.iter_mut().enumerate() {
                *value = values[(p * rows + r).min(count - 1) * len + k];
            }
        }
    }
    packed
}
