//! Small matrix products, the parts of attention and of Winograd's convolution.

use pulp::{Simd, WithSimd};

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

/// `M` rows of a product: `output = factors output + left right`, or without `factors`
/// `output = left right`.
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
    factors: Option<[f32; M]>,
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
            1 => tile::<S, M, 1>(simd, len, left, values, ld, out, stride, rows, factors),
            2 => tile::<S, M, 2>(simd, len, left, values, ld, out, stride, rows, factors),
            3 => tile::<S, M, 3>(simd, len, left, values, ld, out, stride, rows, factors),
            _ => tile::<S, M, 4>(simd, len, left, values, ld, out, stride, rows, factors),
        }
        vector += step;
    }
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
    factors: Option<[f32; M]>,
) {
    let mut sums = [[simd.splat_f32s(0.0); V]; M];
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
            *to = match factors {
                Some(factors) => simd.mul_add_e_f32s(*to, simd.splat_f32s(factors[m]), *sum),
                None => *sum,
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
