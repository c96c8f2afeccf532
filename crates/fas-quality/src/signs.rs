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
pub(crate) struct SignRow {
    width: usize,
    /// 1 where the coefficient is not zero, 0 elsewhere and beyond the row.
    nonzero: Vec<u8>,
    /// 1 where it is negative.
    negative: Vec<u8>,
}

impl SignRow {
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
    pub(crate) fn close_right(&mut self) {
        for row in [&mut self.nonzero, &mut self.negative] {
            row[START + self.width] = row[START];
        }
    }

    #[inline(always)]
    fn shifted(&self, shift: isize) -> [&[u8]; 2] {
        let start = START.wrapping_add_signed(shift);
        let padded = self.width.next_multiple_of(LANES);
        [&self.nonzero, &self.negative].map(|row| &row[start..start + padded])
    }
}

/// Numbers of products on either side of zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SignCounts {
    pub(crate) left: u64,
    pub(crate) right: u64,
}

/// Sums of [`SignCounts`] for the four neighbours.
#[derive(Default)]
pub(crate) struct SignSums {
    counts: [SignCounts; 4],
}

impl SignSums {
    /// Adds the products of `row` with its left neighbours and with the row above: straight, on
    /// the left, on the right.
    #[inline(always)]
    pub(crate) fn add(&mut self, row: &SignRow, above: &SignRow) {
        let centre = row.shifted(0);
        let neighbours = [
            row.shifted(-1),
            above.shifted(0),
            above.shifted(-1),
            above.shifted(1),
        ];
        for (counts, neighbour) in self.counts.iter_mut().zip(neighbours) {
            let (nonzero, left) = count(centre, neighbour);
            counts.left += left;
            counts.right += nonzero - left;
        }
    }

    pub(crate) fn counts(&self) -> [SignCounts; 4] {
        self.counts
    }
}

/// Number of products that are not zero, and of negative ones.
#[inline(always)]
fn count([a_nonzero, a_negative]: [&[u8]; 2], [b_nonzero, b_negative]: [&[u8]; 2]) -> (u64, u64) {
    let (mut all, mut left) = (0, 0);
    // A byte counts to 255 before it is emptied.
    let part = 255 * LANES;
    for start in (0..a_nonzero.len()).step_by(part) {
        let range = start..(start + part).min(a_nonzero.len());
        let chunks = |row: &'_ [u8]| row[range.clone()].as_chunks::<LANES>().0.len();
        let blocks = chunks(a_nonzero);
        let [an, am] = [a_nonzero, a_negative].map(|row| row[range.clone()].as_chunks::<LANES>().0);
        let [bn, bm] = [b_nonzero, b_negative].map(|row| row[range.clone()].as_chunks::<LANES>().0);
        let (mut all_lanes, mut left_lanes) = ([0_u8; LANES], [0_u8; LANES]);
        for i in 0..blocks {
            for j in 0..LANES {
                let nonzero = an[i][j] & bn[i][j];
                all_lanes[j] += nonzero;
                left_lanes[j] += nonzero & (am[i][j] ^ bm[i][j]);
            }
        }
        all += all_lanes.iter().map(|&v| u64::from(v)).sum::<u64>();
        left += left_lanes.iter().map(|&v| u64::from(v)).sum::<u64>();
    }
    (all, left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_hand() {
        // 1 -2  0
        // 3  4 -5
        let (mut above, mut row) = (SignRow::new(3), SignRow::new(3));
        above.fill(&[1.0, -2.0, 0.0]);
        above.close_right();
        row.fill(&[3.0, 4.0, -5.0]);
        let mut sums = SignSums::default();
        sums.add(&row, &above);
        let pair = |left, right| SignCounts { left, right };
        // 3*-5 4*3 -5*4; 3*1 4*-2; 4*1 -5*-2; 3*-2 -5*1.
        assert_eq!(
            sums.counts(),
            [pair(2, 1), pair(1, 1), pair(0, 2), pair(2, 0)]
        );
    }

    #[test]
    fn wide_rows_do_not_overflow() {
        let width = 255 * LANES + 300;
        let (mut above, mut row) = (SignRow::new(width), SignRow::new(width));
        above.fill(&vec![-1.0; width]);
        above.close_right();
        row.fill(&vec![2.0; width]);
        let mut sums = SignSums::default();
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
        assert_eq!(sums.counts(), [horizontal, vertical, vertical, vertical]);
    }
}
