//! What a cue says by itself: AUC of a number, and of a linear probe on simple statistics.

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use fas_metrics::{ScoreSet, ScoredSample};

/// Side of a block of [`block_statistics`] in pixels.
const BLOCK: usize = 4;
/// Weight of the squared coefficients beside the mean of the kernel's diagonal.
const RIDGE: f64 = 0.1;

/// AUC of a number that is larger for attacks.
///
/// # Errors
///
/// A message if a class is empty or a value is not finite.
pub fn attack_auc(values: &[f64], attack: &[bool]) -> Result<f64, String> {
    // A score is higher for bona fide faces.
    let scored = values
        .iter()
        .zip(attack)
        .map(|(value, attack)| match attack {
            false => ScoredSample::bona_fide(-value),
            true => ScoredSample::attack(-value, "attack"),
        });
    let set = ScoreSet::new(scored.collect()).map_err(|error| error.to_string())?;
    Ok(set.sweep().auc())
}

/// Mean and mean absolute value of each block of 4 x 4 pixels of each plane: `3 x size x size` values to
/// `2 x 3 x (size / 4)^2`.
///
/// # Panics
///
/// Panics if 4 does not divide `size`, or there are not three planes.
pub fn block_statistics(values: &[f32], size: usize) -> Vec<f64> {
    assert!(size.is_multiple_of(BLOCK), "blocks of {BLOCK} px in {size}");
    assert_eq!(values.len(), 3 * size * size, "three planes of {size} px");
    let across = size / BLOCK;
    let count = 3 * across * across;
    let mut statistics = vec![0.0; 2 * count];
    for (at, value) in values.iter().enumerate() {
        let (plane, pixel) = (at / (size * size), at % (size * size));
        let (row, column) = (pixel / size / BLOCK, pixel % size / BLOCK);
        let block = (plane * across + row) * across + column;
        let value = f64::from(*value) / (BLOCK * BLOCK) as f64;
        statistics[block] += value;
        statistics[count + block] += value.abs();
    }
    statistics
}

/// AUC of a linear probe on each fold, trained on the others: ridge regression of the class on features
/// that are standardised over the training samples.
///
/// # Errors
///
/// A message if a fold lacks a class, or no feature varies.
///
/// # Panics
///
/// Panics if the slices differ in length.
pub fn probe_aucs(
    features: &[Vec<f64>],
    attack: &[bool],
    folds: &[usize],
) -> Result<Vec<f64>, String> {
    assert_eq!(features.len(), attack.len(), "a class a sample");
    assert_eq!(features.len(), folds.len(), "a fold a sample");
    let last = folds.iter().max().copied().unwrap_or(0);
    (0..=last)
        .map(|fold| {
            let rows = |test: bool| -> Vec<usize> {
                let all = 0..features.len();
                all.filter(|&row| (folds[row] == fold) == test).collect()
            };
            let (train, test) = (rows(false), rows(true));
            let scores = ridge_scores(features, attack, &train, &test)?;
            let classes: Vec<bool> = test.iter().map(|&row| attack[row]).collect();
            attack_auc(&scores, &classes)
        })
        .collect()
}

/// Scores of the `test` rows by ridge regression on the `train` rows, in its dual form: there are more
/// features than samples.
fn ridge_scores(
    features: &[Vec<f64>],
    attack: &[bool],
    train: &[usize],
    test: &[usize],
) -> Result<Vec<f64>, String> {
    let width = features[0].len();
    let count = train.len() as f64;
    let mut mean = vec![0.0; width];
    let mut deviation = vec![0.0; width];
    for &row in train {
        for (mean, value) in mean.iter_mut().zip(&features[row]) {
            *mean += value / count;
        }
    }
    for &row in train {
        for ((deviation, mean), value) in deviation.iter_mut().zip(&mean).zip(&features[row]) {
            *deviation += (value - mean).powi(2) / count;
        }
    }
    let standardised = |row: usize| -> Vec<f64> {
        let parts = features[row].iter().zip(&mean).zip(&deviation);
        parts
            .map(|((value, mean), variance)| (value - mean) / (variance.sqrt() + 1e-9))
            .collect()
    };
    let inputs: Vec<Vec<f64>> = train.iter().map(|&row| standardised(row)).collect();
    let share = train.iter().filter(|&&row| attack[row]).count() as f64 / count;
    let targets: Vec<f64> = train
        .iter()
        .map(|&row| f64::from(u8::from(attack[row])) - share)
        .collect();
    let mut kernel: Vec<Vec<f64>> = inputs
        .iter()
        .map(|a| inputs.iter().map(|b| dot(a, b)).collect())
        .collect();
    let diagonal = (0..inputs.len()).map(|at| kernel[at][at]).sum::<f64>() / count;
    for (at, row) in kernel.iter_mut().enumerate() {
        row[at] += RIDGE * diagonal;
    }
    let weights = solve(&kernel, &targets)?;
    let mut direction = vec![0.0; width];
    for (input, weight) in inputs.iter().zip(&weights) {
        for (sum, value) in direction.iter_mut().zip(input) {
            *sum += weight * value;
        }
    }
    let score = |&row: &usize| dot(&standardised(row), &direction);
    Ok(test.iter().map(score).collect())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Solution of `matrix x = target` for a symmetric positive definite matrix.
fn solve(matrix: &[Vec<f64>], target: &[f64]) -> Result<Vec<f64>, String> {
    let count = target.len();
    let matrix = Mat::from_fn(count, count, |row, column| matrix[row][column]);
    let factors = matrix.llt(Side::Lower);
    let factors = factors.map_err(|error| format!("features that do not vary: {error:?}"))?;
    let solution = factors.solve(&Mat::from_fn(count, 1, |row, _| target[row]));
    Ok((0..count).map(|row| solution[(row, 0)]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn statistics_are_those_of_blocks() {
        let mut values = vec![0.0; 3 * 8 * 8];
        // One pixel of the second plane, in the block right above.
        values[64 + 2 * 8 + 5] = -0.8;
        let statistics = block_statistics(&values, 8);
        assert_eq!(statistics.len(), 24);
        let block = 4 + 1;
        assert!((statistics[block] + 0.05).abs() < 1e-7);
        assert!((statistics[12 + block] - 0.05).abs() < 1e-7);
        assert_eq!(statistics.iter().filter(|&&value| value != 0.0).count(), 2);
    }

    #[test]
    fn linear_systems_are_solved() {
        let matrix = [
            vec![4.0, 1.0, 0.0],
            vec![1.0, 3.0, 0.5],
            vec![0.0, 0.5, 2.0],
        ];
        let solution = solve(&matrix, &[1.0, -2.0, 3.0]).unwrap();
        for (row, wanted) in matrix.iter().zip([1.0, -2.0, 3.0]) {
            assert!((dot(row, &solution) - wanted).abs() < 1e-5, "{solution:?}");
        }
    }

    #[test]
    fn a_probe_finds_what_is_there_and_nothing_where_nothing_is() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let attack: Vec<bool> = (0..160).map(|at| at % 2 == 1).collect();
        let folds: Vec<usize> = (0..160).map(|at| at / 2 % 4).collect();
        let mut features = |shift: f64| -> Vec<Vec<f64>> {
            let noise = |random: &mut ChaCha8Rng| random.random::<f64>() - 0.5;
            attack
                .iter()
                .map(|&attack| {
                    let mut row: Vec<f64> = (0..300).map(|_| noise(&mut random)).collect();
                    // A direction, not a coordinate: 30 features share it.
                    for value in &mut row[..30] {
                        *value += if attack { shift } else { 0.0 };
                    }
                    row
                })
                .collect()
        };
        let (clear, none) = (features(0.4), features(0.0));
        let mean = |features: &[Vec<f64>]| {
            let aucs = probe_aucs(features, &attack, &folds).unwrap();
            assert_eq!(aucs.len(), 4);
            aucs.iter().sum::<f64>() / 4.0
        };
        assert!(mean(&clear) > 0.95, "{}", mean(&clear));
        assert!((mean(&none) - 0.5).abs() < 0.15, "{}", mean(&none));
    }

    #[test]
    fn a_larger_number_for_attacks_is_a_high_auc() {
        let attack = [false, false, true, true];
        assert_eq!(attack_auc(&[0.1, 0.2, 0.3, 0.4], &attack).unwrap(), 1.0);
        assert_eq!(attack_auc(&[0.4, 0.2, 0.3, 0.1], &attack).unwrap(), 0.25);
        assert!(attack_auc(&[0.1, 0.2], &[true, true]).is_err());
    }
}
