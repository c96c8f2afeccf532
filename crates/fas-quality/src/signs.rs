//! Counts of negative and positive products, from the signs of the factors alone.
//!
//! A byte a coefficient instead of a vector comparison a product: 64 products go into one vector
//! operation, and the counts are exact.

/// Bytes that are summed side by side.
const LANES: usize = 64;

/// Where column 0 stands in its buffer: one column is wrapped around to either side.
const START: usize = 1;

/// Signs of one row of coefficients.
#[derive(Clone)]
pub(crate) struct SignLine {
    width: usize,
    /// 1 where the coefficient is not zero, 0 elsewhere and beyond the row.
    nonzero: Vec<u8>,
    /// 1 where it is negative.
    negative: Vec<u8>,
}

impl SignLine {
    pub(crate) fn new(width: usize) -> Self {
        let buffer = vec![0; width.next_multiple_of(LANES) + 2];
        Self {
            width,
            nonzero: buffer.clone(),
            negative: buffer,
        }
    }

    /// Takes the signs of `values`, as many as the row is wide, and wraps the last to the left.
    #[inline(always)]
    pub(crate) fn fill(&mut self, values: &[f32]) {
        let rows = self.nonzero[START..]
            .iter_mut()
            .zip(&mut self.negative[START..]);
        for ((nonzero, negative), &value) in rows.zip(values) {
            *nonzero = u8::from(value != 0.0);
            *negative = u8::from(value < 0.0);
        }
        for row in [&mut self.nonzero, &mut self.negative] {
            row[0] = row[self.width];
            row[START + self.width] = 0;
        }
    }

    /// Wraps the first column around to the right.
    #[inline(always)]
    pub(crate) fn wrap_right(&mut self) {
        for row in [&mut self.nonzero, &mut self.negative] {
            row[START + self.width] = row[START];
        }
    }

    /// Blocks `start..end` of either row, moved by `shift` columns.
    #[inline(always)]
    fn blocks(&self, shift: isize, start: usize, end: usize) -> Blocks<'_> {
        let first = START.wrapping_add_signed(shift);
        let range = first + start * LANES..first + end * LANES;
        Blocks {
            nonzero: self.nonzero[range.clone()].as_chunks().0,
            negative: self.negative[range].as_chunks().0,
        }
    }
}

/// Signs of a part of a row.
#[derive(Clone, Copy)]
struct Blocks<'a> {
    nonzero: &'a [[u8; LANES]],
    negative: &'a [[u8; LANES]],
}

impl<'a> Blocks<'a> {
    /// Block `i` of either kind.
    #[inline(always)]
    fn at(self, i: usize) -> [&'a [u8; LANES]; 2] {
        [&self.nonzero[i], &self.negative[i]]
    }
}

/// Numbers of products on either side of zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SignCounts {
    pub(crate) left: u64,
    pub(crate) right: u64,
}

/// Sums of [`SignCounts`] for the four neighbours.
pub(crate) struct SignSums {
    counts: [SignCounts; 4],
    lanes: [SignLanes; 4],
    /// Blocks that may be added before a lane of bytes could overflow.
    blocks_left: usize,
}

/// Products counted in bytes side by side: those that are not zero, and the negative ones.
#[derive(Clone, Copy)]
struct SignLanes {
    nonzero: [u8; LANES],
    left: [u8; LANES],
}

const NO_LANES: SignLanes = SignLanes {
    nonzero: [0; LANES],
    left: [0; LANES],
};

impl SignSums {
    pub(crate) fn new() -> Self {
        Self {
            counts: [SignCounts::default(); 4],
            lanes: [NO_LANES; 4],
            blocks_left: u8::MAX as usize,
        }
    }

    /// Adds the products of `row` with its left neighbours and with the row above: straight, on
    /// the left, on the right.
    #[inline(always)]
    pub(crate) fn add(&mut self, row: &SignLine, above: &SignLine) {
        let blocks = row.width.div_ceil(LANES);
        let mut start = 0;
        while start < blocks {
            if self.blocks_left == 0 {
                self.flush();
            }
            let end = blocks.min(start + self.blocks_left);
            self.blocks_left -= end - start;
            let centre = row.blocks(0, start, end);
            let (left, up) = (row.blocks(-1, start, end), above.blocks(0, start, end));
            let (up_left, up_right) = (above.blocks(-1, start, end), above.blocks(1, start, end));
            // All four at once, since loads take most of the time.
            let [mut a, mut b, mut c, mut d] = self.lanes;
            for i in 0..centre.nonzero.len() {
                let block = centre.at(i);
                a.add(block, left.at(i));
                b.add(block, up.at(i));
                c.add(block, up_left.at(i));
                d.add(block, up_right.at(i));
            }
            self.lanes = [a, b, c, d];
            start = end;
        }
    }

    #[inline(always)]
    fn flush(&mut self) {
        for (counts, lanes) in self.counts.iter_mut().zip(&mut self.lanes) {
            let lanes = std::mem::replace(lanes, NO_LANES);
            let left = total(lanes.left);
            counts.left += left;
            counts.right += total(lanes.nonzero) - left;
        }
        self.blocks_left = u8::MAX as usize;
    }

    pub(crate) fn finish(mut self) -> [SignCounts; 4] {
        self.flush();
        self.counts
    }
}

#[inline(always)]
fn total(lanes: [u8; LANES]) -> u64 {
    u64::from(lanes.iter().map(|&v| u16::from(v)).sum::<u16>())
}

impl SignLanes {
    /// Adds a block of products of `a` and `b`.
    #[inline(always)]
    fn add(&mut self, [an, am]: [&[u8; LANES]; 2], [bn, bm]: [&[u8; LANES]; 2]) {
        let nonzero: [u8; LANES] = std::array::from_fn(|j| an[j] & bn[j]);
        let opposite: [u8; LANES] = std::array::from_fn(|j| am[j] ^ bm[j]);
        self.nonzero = std::array::from_fn(|j| self.nonzero[j] + nonzero[j]);
        self.left = std::array::from_fn(|j| self.left[j] + (nonzero[j] & opposite[j]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_hand() {
        // 1 -2  0
        // 3  4 -5
        let (mut above, mut row) = (SignLine::new(3), SignLine::new(3));
        above.fill(&[1.0, -2.0, 0.0]);
        above.wrap_right();
        row.fill(&[3.0, 4.0, -5.0]);
        let mut sums = SignSums::new();
        sums.add(&row, &above);
        let pair = |left, right| SignCounts { left, right };
        // 3*-5 4*3 -5*4; 3*1 4*-2; 4*1 -5*-2; 3*-2 -5*1.
        assert_eq!(
            sums.finish(),
            [pair(2, 1), pair(1, 1), pair(0, 2), pair(2, 0)]
        );
    }

    #[test]
    fn many_rows_do_not_overflow() {
        let (mut above, mut row) = (SignLine::new(100), SignLine::new(100));
        above.fill(&[1.0; 100]);
        above.wrap_right();
        row.fill(&[-3.0; 100]);
        let mut sums = SignSums::new();
        for _ in 0..400 {
            sums.add(&row, &above);
        }
        let vertical = SignCounts {
            left: 40_000,
            right: 0,
        };
        assert_eq!(sums.finish()[1], vertical);
    }

    #[test]
    fn wide_rows_do_not_overflow() {
        let width = 255 * LANES + 300;
        let (mut above, mut row) = (SignLine::new(width), SignLine::new(width));
        above.fill(&vec![-1.0; width]);
        above.wrap_right();
        row.fill(&vec![2.0; width]);
        let mut sums = SignSums::new();
        sums.add(&row, &above);
        let all = width as u64;
        let vertical = SignCounts {
            left: all,
            right: 0,
        };
        let horizontal = SignCounts {
            left: 0,
            right: all,
        };
        assert_eq!(sums.finish(), [horizontal, vertical, vertical, vertical]);
    }
}
