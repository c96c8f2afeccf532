//! Rows of f32 values in padded buffers, read as vectors at any small shift.

use pulp::Simd;

/// Lines are padded to whole vectors of any supported width, and stand this far from either end of
/// their buffer so that shifted reads stay inside.
const PAD: usize = 16;

/// Bytes of a cache line and of the widest vector.
const ALIGNMENT: usize = 64;

/// One row of an image. Beyond the width it holds zeros, unless a caller says otherwise.
pub(crate) struct Line {
    width: usize,
    /// Index of column 0; chosen so that unshifted vectors do not straddle cache lines. Only speed
    /// depends on that, and only until the buffer moves, which it never does.
    start: usize,
    buffer: Vec<f32>,
}

impl Line {
    pub(crate) fn new(width: usize) -> Self {
        let padded = width.next_multiple_of(PAD);
        let buffer = vec![0.0; padded + 3 * PAD];
        let start = PAD + buffer.as_ptr().align_offset(ALIGNMENT).min(PAD);
        Self {
            width,
            start,
            buffer,
        }
    }

    /// The values, without padding.
    #[inline(always)]
    pub(crate) fn values_mut(&mut self) -> &mut [f32] {
        &mut self.buffer[self.start..self.start + self.width]
    }

    /// The values, without padding.
    #[inline(always)]
    pub(crate) fn values(&self) -> &[f32] {
        &self.buffer[self.start..self.start + self.width]
    }

    /// The line as vectors, moved by `shift` columns (at most [`PAD`] either way).
    #[inline(always)]
    pub(crate) fn vectors<S: Simd>(&self, shift: isize) -> &[S::f32s] {
        let start = self.start.wrapping_add_signed(shift);
        S::as_simd_f32s(&self.buffer[start..start + self.width.next_multiple_of(PAD)]).0
    }

    /// The line as vectors to write, padding to a whole vector included.
    #[inline(always)]
    pub(crate) fn vectors_mut<S: Simd>(&mut self) -> &mut [S::f32s] {
        let padded = self.width.next_multiple_of(PAD);
        S::as_mut_simd_f32s(&mut self.buffer[self.start..self.start + padded]).0
    }

    /// As [`vectors_mut`](Self::vectors_mut), preceded by one vector of padding.
    #[inline(always)]
    pub(crate) fn early_vectors_mut<S: Simd>(&mut self) -> &mut [S::f32s] {
        let padded = self.width.next_multiple_of(PAD);
        let start = self.start - S::F32_LANES;
        S::as_mut_simd_f32s(&mut self.buffer[start..self.start + padded]).0
    }

    /// Clears what vector code wrote beyond the width.
    #[inline(always)]
    pub(crate) fn clear_padding(&mut self) {
        let padded = self.width.next_multiple_of(PAD);
        self.buffer[self.start + self.width..=self.start + padded].fill(0.0);
    }

    /// Wraps the last value around to the left of the first.
    #[inline(always)]
    pub(crate) fn wrap_left(&mut self) {
        self.buffer[self.start - 1] = self.buffer[self.start + self.width - 1];
    }

    /// Wraps the first value around to the right of the last, into the padding.
    #[inline(always)]
    pub(crate) fn wrap_right(&mut self) {
        self.buffer[self.start + self.width] = self.buffer[self.start];
    }
}

/// Number of rows a [`Band`] keeps: what half size reads for one output row.
pub(crate) const BAND: usize = 8;

/// The last rows of an image that is pushed in from top to bottom.
pub(crate) struct Band {
    /// Row `y` is in slot `y % 8`.
    lines: [Line; BAND],
    pushed: usize,
    height: usize,
}

impl Band {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        Self {
            lines: std::array::from_fn(|_| Line::new(width)),
            pushed: 0,
            height,
        }
    }

    /// Takes the next row, written by `load`.
    #[inline(always)]
    pub(crate) fn push(&mut self, load: impl FnOnce(&mut [f32])) {
        load(self.lines[self.pushed % BAND].values_mut());
        self.pushed += 1;
    }

    /// Row `y`, one of the last eight pushed.
    #[inline(always)]
    pub(crate) fn line(&self, y: usize) -> &Line {
        debug_assert!(y < self.pushed && y + BAND >= self.pushed);
        &self.lines[y % BAND]
    }

    /// Number of rows pushed so far.
    #[inline(always)]
    pub(crate) fn pushed(&self) -> usize {
        self.pushed
    }

    /// Number of rows there will be.
    #[inline(always)]
    pub(crate) fn height(&self) -> usize {
        self.height
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::Scalar;

    #[test]
    fn shifts_and_wraps() {
        let mut line = Line::new(3);
        line.values_mut().copy_from_slice(&[1.0, 2.0, 3.0]);
        assert_eq!(line.vectors::<Scalar>(-1)[..4], [0.0, 1.0, 2.0, 3.0]);
        line.wrap_left();
        assert_eq!(line.vectors::<Scalar>(-1)[..4], [3.0, 1.0, 2.0, 3.0]);
        line.wrap_right();
        assert_eq!(line.vectors::<Scalar>(1)[..3], [2.0, 3.0, 1.0]);
        line.clear_padding();
        assert_eq!(
            line.vectors::<Scalar>(0),
            [&[1.0, 2.0, 3.0][..], &[0.0; 13]].concat()
        );
        assert_eq!(line.values(), [1.0, 2.0, 3.0]);
    }
}
