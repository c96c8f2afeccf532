//! What changes from one capture to the next: pose, expression and side light.
//!
//! The model has one photo a person, so within-person change is not observed directly. Landmark
//! shape and left-right shading are: their regression onto appearance gives the directions in
//! which a face changes when it turns, smiles or is lit from one side.

use super::draw::truncated_normal;
use super::{CANONICAL_LANDMARKS, Landmarks};
use crate::random::Stream;

/// Landmark coordinates.
pub(super) const SHAPE_LEN: usize = 10;
/// Shape modes and the side light.
pub(super) const NUISANCES: usize = SHAPE_LEN + 1;

/// Joint Gaussian of nuisances and appearance. Every nuisance has mean 0 and variance 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Nuisance {
    /// Landmark displacement, in pixels of a 128 px crop, of one standard deviation along each
    /// shape mode: `[10 modes, 10 coordinates]`.
    pub(super) shape_modes: Vec<f32>,
    /// Share of each nuisance's variance that belongs to the person, the rest to the capture.
    pub(super) person_share: Vec<f32>,
    /// Change of appearance coefficients by nuisance, `[components, 11]`.
    pub(super) appearance_by_nuisance: Vec<f32>,
    /// Expected nuisances by appearance coefficient, `[11, components]`.
    pub(super) nuisance_by_appearance: Vec<f32>,
    /// Lower Cholesky factor of the nuisances' covariance given the appearance, `[11, 11]`.
    pub(super) residual_factor: Vec<f32>,
}

impl Nuisance {
    /// Nuisances that fit the appearance of a person.
    pub(super) fn of_appearance(
        &self,
        coefficients: &[f32],
        limit: f32,
        rng: &mut Stream,
    ) -> [f32; NUISANCES] {
        let draws: [f32; NUISANCES] = std::array::from_fn(|_| truncated_normal(rng, limit));
        std::array::from_fn(|i| {
            let expected = dot(
                row(&self.nuisance_by_appearance, i, coefficients.len()),
                coefficients,
            );
            let residual = dot(row(&self.residual_factor, i, NUISANCES), &draws);
            (expected + residual).clamp(-limit, limit)
        })
    }

    /// The person's nuisances with the capture's share drawn anew.
    pub(super) fn vary(
        &self,
        person: &[f32; NUISANCES],
        limit: f32,
        rng: &mut Stream,
    ) -> [f32; NUISANCES] {
        std::array::from_fn(|i| {
            let share = self.person_share[i];
            share.sqrt() * person[i] + (1.0 - share).sqrt() * truncated_normal(rng, limit)
        })
    }

    /// Moves appearance coefficients along with a change of nuisances.
    pub(super) fn move_appearance(&self, coefficients: &mut [f32], change: &[f32; NUISANCES]) {
        for (k, coefficient) in coefficients.iter_mut().enumerate() {
            *coefficient += dot(row(&self.appearance_by_nuisance, k, NUISANCES), change);
        }
    }

    /// Landmarks of the given nuisances, in pixels of a 128 px crop.
    pub(super) fn landmarks(&self, nuisances: &[f32; NUISANCES]) -> Landmarks {
        let mut landmarks = CANONICAL_LANDMARKS;
        for (mode, &score) in nuisances[..SHAPE_LEN].iter().enumerate() {
            for (i, offset) in row(&self.shape_modes, mode, SHAPE_LEN).iter().enumerate() {
                landmarks[i / 2][i % 2] += score * offset;
            }
        }
        landmarks
    }
}

fn row(matrix: &[f32], index: usize, width: usize) -> &[f32] {
    &matrix[index * width..(index + 1) * width]
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::super::draw::person_stream;
    use super::*;

    /// One component; shape mode 0 moves the left eye by 2 px in x and the component by 0.5.
    fn nuisance() -> Nuisance {
        let mut shape_modes = vec![0.0; SHAPE_LEN * SHAPE_LEN];
        shape_modes[0] = 2.0;
        let mut appearance_by_nuisance = vec![0.0; NUISANCES];
        appearance_by_nuisance[0] = 0.5;
        let mut nuisance_by_appearance = vec![0.0; NUISANCES];
        nuisance_by_appearance[0] = 0.25;
        Nuisance {
            shape_modes,
            person_share: vec![1.0; NUISANCES],
            appearance_by_nuisance,
            nuisance_by_appearance,
            residual_factor: vec![0.0; NUISANCES * NUISANCES],
        }
    }

    #[test]
    fn shape_and_appearance_follow_the_nuisance() {
        let nuisance = nuisance();
        let mut change = [0.0; NUISANCES];
        change[0] = 1.5;
        let landmarks = nuisance.landmarks(&change);
        assert_eq!(landmarks[0][0], CANONICAL_LANDMARKS[0][0] + 3.0);
        assert_eq!(landmarks[1], CANONICAL_LANDMARKS[1]);
        let mut coefficients = [1.0];
        nuisance.move_appearance(&mut coefficients, &change);
        assert_eq!(coefficients, [1.75]);
    }

    #[test]
    fn expected_nuisance_comes_from_the_appearance() {
        let mut rng = person_stream(1, "test");
        let person = nuisance().of_appearance(&[2.0], 2.0, &mut rng);
        assert_eq!(person[0], 0.5);
        // with all variance owned by the person nothing is drawn anew
        assert_eq!(nuisance().vary(&person, 2.0, &mut rng), person);
    }
}
