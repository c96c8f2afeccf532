//! Second-order statistics beside the components: nuisances and fine texture.

use faer::{Mat, Side};

use super::super::appearance::{HALF_LEN, join_halves};
use super::super::detail::{Detail, KERNEL_SIZE};
use super::super::nuisance::{NUISANCES, Nuisance, SHAPE_LEN};
use super::super::{CANONICAL_AXIS, CANONICAL_LANDMARKS, Landmarks, MODEL_SIZE};
use super::{Parity, TrainingFaces};

/// Share of the variance that belongs to the person in modes that keep the face symmetric: widths
/// and heights are mostly anatomy, smiles are not.
const SYMMETRIC_SHARE: f32 = 0.6;
/// The same for modes that do not: turned heads and side light are hardly anatomy.
const ASYMMETRIC_SHARE: f32 = 0.15;
/// Added to the diagonal of correlation matrices, so that they can be factored.
const RIDGE: f64 = 1e-4;
/// Faces that the correlation of the fine texture is measured on.
const TEXTURE_FACES: usize = 600;

/// Regression between nuisances and appearance over all faces and their mirror images.
pub(super) fn nuisance(
    faces: &TrainingFaces,
    even: &Parity,
    odd: &Parity,
    kept: &[(bool, usize)],
) -> Nuisance {
    let shapes: Vec<[[f64; SHAPE_LEN]; 2]> = faces
        .landmarks
        .iter()
        .map(|l| [displacement(l), displacement(&mirrored(l))])
        .collect();
    let modes = ShapeModes::of(&shapes);
    let scores = nuisance_scores(&shapes, &modes, &side_light(&faces.odd));
    let samples = 2.0 * shapes.len() as f64;
    let coefficient = |face: usize, component: usize| {
        let (is_odd, k) = kept[component];
        f64::from(if is_odd { odd } else { even }.scores[(face, k)])
    };
    let sign = |component: usize| if kept[component].0 { -1.0 } else { 1.0 };
    // Coefficients have unit variance and are uncorrelated, so this is also a regression.
    let cross = Mat::from_fn(NUISANCES, kept.len(), |n, k| {
        let sum: f64 = scores
            .iter()
            .enumerate()
            .map(|(face, pair)| coefficient(face, k) * (pair[0][n] + sign(k) * pair[1][n]))
            .sum();
        sum / samples
    });
    let own = Mat::from_fn(NUISANCES, NUISANCES, |i, j| {
        let sum: f64 = scores.iter().flatten().map(|s| s[i] * s[j]).sum();
        sum / samples + if i == j { RIDGE } else { 0.0 }
    });
    let solver = own
        .llt(Side::Lower)
        .expect("a correlation matrix with a ridge");
    let by_nuisance = faer::linalg::solvers::Solve::solve(&solver, &cross);
    let residual = &own - &cross * cross.transpose();
    Nuisance {
        shape_modes: modes.flat(),
        person_share: modes.person_share(),
        appearance_by_nuisance: row_major(&by_nuisance.transpose().to_owned()),
        nuisance_by_appearance: row_major(&cross),
        residual_factor: row_major(&factor(&residual)),
    }
}

/// Principal modes of the landmarks' displacements, largest variance first.
struct ShapeModes {
    vectors: [[f64; SHAPE_LEN]; SHAPE_LEN],
    deviations: [f64; SHAPE_LEN],
}

impl ShapeModes {
    fn of(shapes: &[[[f64; SHAPE_LEN]; 2]]) -> Self {
        let samples = 2.0 * shapes.len() as f64;
        let covariance = Mat::from_fn(SHAPE_LEN, SHAPE_LEN, |i, j| {
            let products = shapes.iter().flatten().map(|s| s[i] * s[j]);
            products.sum::<f64>() / samples
        });
        let eigen = covariance
            .self_adjoint_eigen(Side::Lower)
            .expect("a finite 10 x 10 matrix");
        // Eigenvalues come in nondecreasing order.
        let from_top = |mode: usize| SHAPE_LEN - 1 - mode;
        let variance = |mode: usize| eigen.S().column_vector()[from_top(mode)];
        Self {
            vectors: std::array::from_fn(|mode| {
                std::array::from_fn(|i| eigen.U()[(i, from_top(mode))])
            }),
            deviations: std::array::from_fn(|mode| variance(mode).max(1e-12).sqrt()),
        }
    }

    /// One standard deviation along each mode, mode by mode.
    fn flat(&self) -> Vec<f32> {
        self.vectors
            .iter()
            .zip(self.deviations)
            .flat_map(|(vector, deviation)| vector.map(|v| (v * deviation) as f32))
            .collect()
    }

    /// Share of the variance of each nuisance, the side light last, that belongs to the person.
    fn person_share(&self) -> Vec<f32> {
        let share_of = |mode: &[f64; SHAPE_LEN]| {
            if is_odd_mode(mode) {
                ASYMMETRIC_SHARE
            } else {
                SYMMETRIC_SHARE
            }
        };
        let modes = self.vectors.iter().map(share_of);
        modes.chain(std::iter::once(ASYMMETRIC_SHARE)).collect()
    }
}

/// Nuisances of each face and of its mirror image, in standard deviations.
fn nuisance_scores(
    shapes: &[[[f64; SHAPE_LEN]; 2]],
    modes: &ShapeModes,
    light: &[f64],
) -> Vec<[[f64; NUISANCES]; 2]> {
    let of_shape = |shape: &[f64; SHAPE_LEN], light: f64| {
        std::array::from_fn(|n| {
            if n == SHAPE_LEN {
                return light;
            }
            dot(&modes.vectors[n], shape) / modes.deviations[n]
        })
    };
    let pairs = shapes.iter().zip(light);
    pairs
        .map(|([shape, mirrored], &light)| [of_shape(shape, light), of_shape(mirrored, -light)])
        .collect()
}

fn row_major(matrix: &Mat<f64>) -> Vec<f32> {
    (0..matrix.nrows())
        .flat_map(|i| (0..matrix.ncols()).map(move |j| matrix[(i, j)] as f32))
        .collect()
}

/// Lower factor `F` with `F F^T` = the nearest positive semi-definite matrix.
fn factor(matrix: &Mat<f64>) -> Mat<f64> {
    let eigen = matrix
        .self_adjoint_eigen(Side::Lower)
        .expect("a finite 11 x 11 matrix");
    let size = matrix.nrows();
    Mat::from_fn(size, size, |i, j| {
        eigen.U()[(i, j)] * eigen.S().column_vector()[j].max(0.0).sqrt()
    })
}

fn displacement(landmarks: &Landmarks) -> [f64; SHAPE_LEN] {
    std::array::from_fn(|i| f64::from(landmarks[i / 2][i % 2] - CANONICAL_LANDMARKS[i / 2][i % 2]))
}

/// Landmarks of the mirror image: sides are swapped.
fn mirrored(landmarks: &Landmarks) -> Landmarks {
    [1, 0, 2, 4, 3].map(|i| {
        let [x, y] = landmarks[i];
        [2.0 * CANONICAL_AXIS - x, y]
    })
}

/// Whether a shape mode turns into its negative under mirroring.
fn is_odd_mode(mode: &[f64; SHAPE_LEN]) -> bool {
    let reflected: [f64; SHAPE_LEN] = std::array::from_fn(|i| {
        let source = [1, 0, 2, 4, 3][i / 2] * 2 + i % 2;
        if i % 2 == 0 {
            -mode[source]
        } else {
            mode[source]
        }
    });
    dot(mode, &reflected) < 0.0
}

/// Left-right difference of the face's brightness, scaled to unit variance.
fn side_light(odd: &[Vec<f32>]) -> Vec<f64> {
    let half = MODEL_SIZE / 2;
    let raw: Vec<f64> = odd
        .iter()
        .map(|image| {
            let inside = image.iter().enumerate().filter(|(i, _)| {
                let (x, y) = (i % half, i / half % MODEL_SIZE);
                (12..half - 3).contains(&x) && (14..52).contains(&y)
            });
            inside.map(|(_, &value)| f64::from(value)).sum()
        })
        .collect();
    let deviation = (raw.iter().map(|v| v * v).sum::<f64>() / raw.len() as f64).sqrt();
    raw.into_iter()
        .map(|v| v / deviation.max(f64::MIN_POSITIVE))
        .collect()
}

fn dot<const N: usize>(a: &[f64; N], b: &[f64; N]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Amplitude, correlation and colour of what the kept components leave over.
pub(super) fn detail(
    even: &Parity,
    odd: &Parity,
    kept: &[(bool, usize)],
    weights: &[f32],
) -> Detail {
    let kept_of = |wanted: bool| kept.iter().filter(|(is_odd, _)| *is_odd == wanted).count();
    let even_rest = leftover(even, kept_of(false));
    let odd_rest = leftover(odd, kept_of(true));
    let count = even_rest.nrows();
    let plane = MODEL_SIZE * MODEL_SIZE / 2;
    // Left and right half together: the mixed terms of even + odd and even - odd cancel.
    let variance = |j: usize| -> f64 {
        let sum: f64 = (0..count)
            .map(|i| f64::from(even_rest[(i, j)]).powi(2) + f64::from(odd_rest[(i, j)]).powi(2))
            .sum();
        sum / count as f64 / f64::from(weights[j]).powi(2)
    };
    let amplitude: Vec<f32> = (0..plane)
        .map(|p| ((0..3).map(|c| variance(c * plane + p)).sum::<f64>() / 3.0).sqrt() as f32)
        .map(|v| half::f16::from_f32(v).to_f32())
        .collect();

    let used = count.min(TEXTURE_FACES);
    let full_amplitude = join_halves(&amplitude.repeat(3), &vec![0.0; HALF_LEN]);
    let pictures: Vec<Vec<f32>> = (0..used)
        .map(|n| {
            let face = n * count / used;
            let half = |rest: &Mat<f32>| -> Vec<f32> {
                (0..HALF_LEN)
                    .map(|j| rest[(face, j)] / weights[j])
                    .collect()
            };
            let mut picture = join_halves(&half(&even_rest), &half(&odd_rest));
            for (value, deviation) in picture.iter_mut().zip(&full_amplitude) {
                *value /= deviation.max(1e-4);
            }
            picture
        })
        .collect();
    Detail {
        amplitude,
        kernel: correlation_kernel(&pictures),
        colour_factor: colour_factor(&pictures),
    }
}

/// What is left of the weighted half images without the first `kept` components.
fn leftover(parity: &Parity, kept: usize) -> Mat<f32> {
    let scores = parity.scores.subcols(0, kept);
    let components = parity.components.subrows(0, kept);
    &parity.rows - scores * components
}

/// Lower Cholesky factor of the colour covariance, scaled to a mean variance of 1.
fn colour_factor(pictures: &[Vec<f32>]) -> Vec<f32> {
    let plane = MODEL_SIZE * MODEL_SIZE;
    let covariance = Mat::from_fn(3, 3, |a, b| {
        let products = pictures.iter().flat_map(|picture| {
            let (a, b) = (
                &picture[a * plane..][..plane],
                &picture[b * plane..][..plane],
            );
            a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y))
        });
        products.sum::<f64>()
    });
    let scale = (0..3).map(|c| covariance[(c, c)]).sum::<f64>() / 3.0;
    let normalised = Mat::from_fn(3, 3, |a, b| {
        covariance[(a, b)] / scale + if a == b { RIDGE } else { 0.0 }
    });
    let factor = normalised
        .llt(Side::Lower)
        .expect("a covariance with a ridge");
    (0..9)
        .map(|i| {
            if i % 3 <= i / 3 {
                factor.L()[(i / 3, i % 3)] as f32
            } else {
                0.0
            }
        })
        .collect()
}

/// Symmetric kernel of unit energy whose autocorrelation is that of the pictures' green channel:
/// the inverse transform of the square root of their power spectrum.
fn correlation_kernel(pictures: &[Vec<f32>]) -> Vec<f32> {
    let reach = KERNEL_SIZE as i64 - 1;
    let lags: Vec<(i64, i64)> = (-reach..=reach)
        .flat_map(|dy| (-reach..=reach).map(move |dx| (dx, dy)))
        .collect();
    let correlation: Vec<f64> = lags
        .iter()
        .map(|&(dx, dy)| correlation_at(pictures, dx, dy))
        .collect();
    let period = 4 * KERNEL_SIZE as i64;
    let wave = |u: i64, v: i64, x: i64, y: i64| {
        (std::f64::consts::TAU * (u * x + v * y) as f64 / period as f64).cos()
    };
    let frequencies: Vec<(i64, i64)> = (0..period)
        .flat_map(|v| (0..period).map(move |u| (u, v)))
        .collect();
    let magnitude: Vec<f64> = frequencies
        .iter()
        .map(|&(u, v)| {
            let power: f64 = lags
                .iter()
                .zip(&correlation)
                .map(|(&(x, y), c)| c * wave(u, v, x, y))
                .sum();
            power.max(0.0).sqrt()
        })
        .collect();
    let half = KERNEL_SIZE as i64 / 2;
    let taps: Vec<f64> = (-half..=half)
        .flat_map(|y| (-half..=half).map(move |x| (x, y)))
        .map(|(x, y)| {
            frequencies
                .iter()
                .zip(&magnitude)
                .map(|(&(u, v), m)| m * wave(u, v, x, y))
                .sum()
        })
        .collect();
    let energy = taps.iter().map(|t| t * t).sum::<f64>().sqrt();
    taps.iter().map(|t| (t / energy) as f32).collect()
}

/// Mean product of pixels at a lag.
fn correlation_at(pictures: &[Vec<f32>], dx: i64, dy: i64) -> f64 {
    let size = MODEL_SIZE as i64;
    let green = MODEL_SIZE * MODEL_SIZE;
    let at = |picture: &[f32], x: i64, y: i64| f64::from(picture[green + (y * size + x) as usize]);
    let (mut sum, mut count) = (0.0, 0.0);
    for picture in pictures {
        for y in 0.max(-dy)..size.min(size - dy) {
            for x in 0.max(-dx)..size.min(size - dx) {
                sum += at(picture, x, y) * at(picture, x + dx, y + dy);
                count += 1.0;
            }
        }
    }
    sum / count
}

#[cfg(test)]
mod tests {
    use super::super::super::draw::person_stream;
    use super::*;

    #[test]
    fn mirrored_twice_is_the_face_itself() {
        let mut landmarks = CANONICAL_LANDMARKS;
        landmarks[0] = [35.0, 42.0];
        let twice = mirrored(&mirrored(&landmarks));
        for (a, b) in twice.iter().flatten().zip(landmarks.iter().flatten()) {
            assert!((a - b).abs() < 1e-4);
        }
        let canonical = displacement(&mirrored(&CANONICAL_LANDMARKS));
        assert!(canonical.iter().all(|d| d.abs() < 1e-4));
    }

    #[test]
    fn turning_is_odd_and_widening_is_even() {
        let mut turning = [0.0; SHAPE_LEN];
        turning[4] = 1.0;
        assert!(is_odd_mode(&turning));
        let mut widening = [0.0; SHAPE_LEN];
        (widening[6], widening[8]) = (-1.0, 1.0);
        assert!(!is_odd_mode(&widening));
    }

    #[test]
    fn kernel_of_filtered_noise_is_the_filter() {
        // Noise through the symmetric filter [1 2 1] x [1 2 1].
        let mut rng = person_stream(5, "test");
        let padded = MODEL_SIZE + 2;
        let pictures: Vec<Vec<f32>> = (0..20)
            .map(|_| {
                let white: Vec<f32> = (0..padded * padded).map(|_| rng.normal()).collect();
                let plane: Vec<f32> = (0..MODEL_SIZE * MODEL_SIZE)
                    .map(|i| {
                        let (x, y) = (i % MODEL_SIZE, i / MODEL_SIZE);
                        let taps = [1.0, 2.0, 1.0];
                        let mut sum = 0.0;
                        for dy in 0..3 {
                            for dx in 0..3 {
                                sum += taps[dx] * taps[dy] * white[(y + dy) * padded + x + dx];
                            }
                        }
                        sum
                    })
                    .collect();
                plane.repeat(3)
            })
            .collect();
        let kernel = correlation_kernel(&pictures);
        let centre = KERNEL_SIZE * KERNEL_SIZE / 2;
        // unit energy: [1 2 1] has energy 6 in each direction, so the centre tap is 4 / 6
        assert!(
            (kernel[centre] - 4.0 / 6.0).abs() < 0.05,
            "{}",
            kernel[centre]
        );
        assert!(
            (kernel[centre + 1] - 2.0 / 6.0).abs() < 0.05,
            "{}",
            kernel[centre + 1]
        );
        assert!(kernel[centre + 3].abs() < 0.05, "{}", kernel[centre + 3]);
    }
}
