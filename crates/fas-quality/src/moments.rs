//! The sums over normalised coefficients from which the features of one scale are fitted.

use crate::error::Neighbour;

/// Sums over all products of a coefficient with one neighbour.
///
/// A product of zero counts in `abs` and in neither side.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ProductMoments {
    /// Sum of absolute products.
    pub(crate) abs: f64,
    /// Sum of squares of the negative products.
    pub(crate) left_sq: f64,
    /// Sum of squares of the positive products.
    pub(crate) right_sq: f64,
    /// Number of negative products.
    pub(crate) left: u64,
    /// Number of positive products.
    pub(crate) right: u64,
}

/// Sums over one scale of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Moments {
    /// Number of coefficients, `width * height`.
    pub(crate) count: u64,
    /// Sum of absolute coefficients.
    pub(crate) abs: f64,
    /// Sum of squared coefficients.
    pub(crate) sq: f64,
    /// One entry a neighbour, in the order of [`Neighbour::ALL`].
    pub(crate) products: [ProductMoments; 4],
}

impl Moments {
    /// Sums over a plane of coefficients in f64; neighbours wrap around the borders.
    pub(crate) fn of(width: usize, height: usize, mscn: &[f64]) -> Self {
        let mut moments = Self {
            count: mscn.len() as u64,
            ..Self::default()
        };
        for (i, &c) in mscn.iter().enumerate() {
            moments.abs += c.abs();
            moments.sq += c * c;
            let (x, y) = (i % width, i / width);
            for (sums, neighbour) in moments.products.iter_mut().zip(Neighbour::ALL) {
                sums.add(c * mscn[neighbour_index(neighbour, x, y, width, height)]);
            }
        }
        moments
    }
}

impl ProductMoments {
    fn add(&mut self, product: f64) {
        self.abs += product.abs();
        if product < 0.0 {
            self.left += 1;
            self.left_sq += product * product;
        } else if product > 0.0 {
            self.right += 1;
            self.right_sq += product * product;
        }
    }
}

fn neighbour_index(neighbour: Neighbour, x: usize, y: usize, width: usize, height: usize) -> usize {
    let left = (x + width - 1) % width;
    let above = (y + height - 1) % height;
    let below = (y + 1) % height;
    let (x, y) = match neighbour {
        Neighbour::Horizontal => (left, y),
        Neighbour::Vertical => (x, above),
        Neighbour::MainDiagonal => (left, above),
        Neighbour::AntiDiagonal => (left, below),
    };
    y * width + x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_by_three_by_hand() {
        // 1 -2  0
        // 3  4 -5
        let found = Moments::of(3, 2, &[1.0, -2.0, 0.0, 3.0, 4.0, -5.0]);
        assert_eq!((found.count, found.abs, found.sq), (6, 15.0, 55.0));
        let [horizontal, vertical, main, anti] = found.products;
        // Pairs with the left neighbour: 1*0, -2*1, 0*-2, 3*-5, 4*3, -5*4.
        let expected = ProductMoments {
            abs: 49.0,
            left_sq: 629.0,
            right_sq: 144.0,
            left: 3,
            right: 1,
        };
        assert_eq!(horizontal, expected);
        // With the pixel above, each of 1*3, -2*4, 0*-5 twice.
        let expected = ProductMoments {
            abs: 22.0,
            left_sq: 128.0,
            right_sq: 18.0,
            left: 2,
            right: 2,
        };
        assert_eq!(vertical, expected);
        // Above on the left: 1*-5, -2*3, 0*4, 3*0, 4*1, -5*-2.
        let expected = ProductMoments {
            abs: 25.0,
            left_sq: 61.0,
            right_sq: 116.0,
            left: 2,
            right: 2,
        };
        assert_eq!(main, expected);
        // Height 2: the row below is the row above.
        assert_eq!(anti, main);
    }
}
