//! Thin-plate spline between two sets of five landmarks (Bookstein 1989, "Principal warps").
//!
//! Maps every point of one face onto the matching point of another. Eight points on the border of
//! the crop are held in place, so that the background does not run away.

use super::{GEOMETRY_SIZE, Landmarks};

/// Landmarks and the eight held border points.
const POINTS: usize = 13;
/// Unknowns of the spline: a weight a point, and an affine part.
const UNKNOWNS: usize = POINTS + 3;

/// Smooth map of the plane that takes each source landmark to its target exactly.
#[derive(Clone, Debug)]
pub(super) struct ThinPlateWarp {
    centres: [[f64; 2]; POINTS],
    /// For x and y: a weight a centre, then constant, x and y factors.
    weights: [[f64; UNKNOWNS]; 2],
}

impl ThinPlateWarp {
    /// Spline with `warp(from[i]) = to[i]`; coordinates in pixels of a 128 px crop.
    ///
    /// `border_shift` is added to the held border points on the target side.
    pub(super) fn new(from: &Landmarks, to: &Landmarks, border_shift: [f32; 2]) -> Self {
        let mut centres = [[0.0; 2]; POINTS];
        let mut targets = [[0.0; 2]; POINTS];
        for i in 0..5 {
            centres[i] = from[i].map(f64::from);
            targets[i] = to[i].map(f64::from);
        }
        let half = f64::from(GEOMETRY_SIZE) / 2.0;
        let ring = (0..9).filter(|&cell| cell != 4);
        for (slot, cell) in (5..).zip(ring) {
            let point = [f64::from(cell % 3) * half, f64::from(cell / 3) * half];
            centres[slot] = point;
            targets[slot] = [
                point[0] + f64::from(border_shift[0]),
                point[1] + f64::from(border_shift[1]),
            ];
        }
        let mut system = [[0.0; UNKNOWNS]; UNKNOWNS];
        let mut sides = [[0.0; UNKNOWNS]; 2];
        for (i, &centre) in centres.iter().enumerate() {
            for (j, &other) in centres.iter().enumerate() {
                system[i][j] = kernel(centre, other);
            }
            let affine = [1.0, centre[0], centre[1]];
            for (k, &value) in affine.iter().enumerate() {
                system[i][POINTS + k] = value;
                system[POINTS + k][i] = value;
            }
            sides[0][i] = targets[i][0];
            sides[1][i] = targets[i][1];
        }
        solve(system, &mut sides);
        Self {
            centres,
            weights: sides,
        }
    }

    /// Image of one point.
    pub(super) fn apply(&self, point: [f32; 2]) -> [f32; 2] {
        let point = point.map(f64::from);
        let mut sum = [0, 1].map(|axis| {
            let w = &self.weights[axis][POINTS..];
            w[0] + w[1] * point[0] + w[2] * point[1]
        });
        for (i, &centre) in self.centres.iter().enumerate() {
            let value = kernel(point, centre);
            sum[0] += self.weights[0][i] * value;
            sum[1] += self.weights[1][i] * value;
        }
        sum.map(|value| value as f32)
    }
}

/// Radial function `r^2 ln r^2`; its scale cancels in the solution.
fn kernel(a: [f64; 2], b: [f64; 2]) -> f64 {
    let squared = (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2);
    if squared == 0.0 {
        0.0
    } else {
        squared * squared.ln()
    }
}

/// Gaussian elimination with row pivoting; replaces each right-hand side by its solution.
fn solve(mut a: [[f64; UNKNOWNS]; UNKNOWNS], sides: &mut [[f64; UNKNOWNS]; 2]) {
    for column in 0..UNKNOWNS {
        let pivot = (column..UNKNOWNS)
            .max_by(|&i, &j| a[i][column].abs().total_cmp(&a[j][column].abs()))
            .unwrap_or(column);
        a.swap(column, pivot);
        for side in sides.iter_mut() {
            side.swap(column, pivot);
        }
        let pivot_row = a[column];
        for row in column + 1..UNKNOWNS {
            let factor = a[row][column] / pivot_row[column];
            for (value, above) in a[row].iter_mut().zip(pivot_row).skip(column) {
                *value -= factor * above;
            }
            for side in sides.iter_mut() {
                side[row] -= factor * side[column];
            }
        }
    }
    for side in sides {
        for row in (0..UNKNOWNS).rev() {
            let known: f64 = (row + 1..UNKNOWNS).map(|k| a[row][k] * side[k]).sum();
            side[row] = (side[row] - known) / a[row][row];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::CANONICAL_LANDMARKS;
    use super::*;

    #[test]
    fn landmarks_and_border_are_met_exactly() {
        let mut to = CANONICAL_LANDMARKS;
        to[2] = [66.0, 68.0];
        to[4] = [85.0, 84.0];
        let warp = ThinPlateWarp::new(&CANONICAL_LANDMARKS, &to, [0.0, 0.0]);
        for (from, to) in CANONICAL_LANDMARKS.into_iter().zip(to) {
            let mapped = warp.apply(from);
            assert!((mapped[0] - to[0]).abs() < 1e-3 && (mapped[1] - to[1]).abs() < 1e-3);
        }
        let corner = warp.apply([128.0, 0.0]);
        assert!((corner[0] - 128.0).abs() < 1e-3 && corner[1].abs() < 1e-3);
    }

    #[test]
    fn a_common_shift_is_reproduced_everywhere() {
        let to = CANONICAL_LANDMARKS.map(|[x, y]| [x + 3.0, y - 2.0]);
        let warp = ThinPlateWarp::new(&CANONICAL_LANDMARKS, &to, [3.0, -2.0]);
        let mapped = warp.apply([17.0, 101.0]);
        assert!((mapped[0] - 20.0).abs() < 1e-3 && (mapped[1] - 99.0).abs() < 1e-3);
    }
}
