//! Fitting the face model to a folder of aligned faces.
//!
//! Every face is warped from its landmarks to the mean shape and taken with its mirror image. That
//! makes the covariance block-diagonal in even and odd half images, so the exact principal
//! components come from two Gram matrices of one entry a pair of faces. There is no randomness.

mod faces;
mod statistics;

use std::path::Path;

use faer::{Mat, Side};

use self::faces::TrainingFaces;
use super::appearance::{Appearance, HALF_LEN};
use super::{FaceModel, MODEL_SIZE};
use crate::SimError;

/// Configuration of [`FaceModel::fit`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FitConfig {
    /// Components to keep, even and odd together, largest variance first. Default: 512 (3.2 MB)
    pub components: usize,
    /// Weight of the crop's corners in the principal components; the face has 1. In `(0, 1]`.
    /// Default: 0.3
    pub border_weight: f32,
}

impl Default for FitConfig {
    fn default() -> Self {
        Self {
            components: 512,
            border_weight: 0.3,
        }
    }
}

/// Half images of one parity and their principal components.
struct Parity {
    /// Weighted half images less their mean, `[faces, HALF_LEN]`.
    rows: Mat<f32>,
    /// Coefficients in standard deviations, `[faces, kept]`, largest variance first.
    scores: Mat<f32>,
    /// Weighted half images of one standard deviation along each component, `[kept, HALF_LEN]`.
    components: Mat<f32>,
    /// Variance along each component.
    variances: Vec<f32>,
}

impl FaceModel {
    /// Fits a model to the rows of split `train` in an index of 128 px crops.
    ///
    /// `index` is a CSV with columns `file`, `split` and the landmarks `leye_x`, `leye_y`,
    /// `reye_*`, `nose_*`, `lmouth_*`, `rmouth_*` in pixels (centres at integers); `file` is
    /// relative to `faces`. `provenance` becomes the metadata of the file. About 700 MB and a few
    /// minutes for 5,000 faces.
    ///
    /// # Errors
    ///
    /// [`SimError::FaceModelFit`] names the row or image at fault.
    ///
    /// # Panics
    ///
    /// Panics if `config.components` is 0 or `config.border_weight` is outside `(0, 1]`.
    pub fn fit(
        faces: impl AsRef<Path>,
        index: impl AsRef<Path>,
        config: &FitConfig,
        provenance: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SimError> {
        assert!(
            config.components > 0,
            "a face model needs at least one component"
        );
        assert!(
            config.border_weight > 0.0 && config.border_weight <= 1.0,
            "border_weight must be in (0, 1], got {}",
            config.border_weight
        );
        let index = index.as_ref();
        let faces = TrainingFaces::read(faces.as_ref(), index)?;
        // Rank of the smaller block; one face is lost to the mean.
        let available = 2 * (faces.len().min(HALF_LEN + 1) - 1);
        if config.components > available {
            return Err(SimError::FaceModelFit {
                path: index.to_path_buf(),
                reason: format!(
                    "{} components need more than the {} training faces it lists; ask for at \
                     most {available}",
                    config.components,
                    faces.len(),
                ),
            });
        }
        let weights = pixel_weights(config.border_weight);
        let fit_error = |reason: String| SimError::FaceModelFit {
            path: index.into(),
            reason,
        };
        let mean = mean(&faces.even);
        let even = principal_components(&faces.even, &mean, &weights, config.components)
            .map_err(fit_error)?;
        let zero = vec![0.0; HALF_LEN];
        let odd = principal_components(&faces.odd, &zero, &weights, config.components)
            .map_err(fit_error)?;
        let kept = strongest(&even, &odd, config.components);
        let appearance = quantise(mean, &even, &odd, &kept, &weights);
        let nuisance = statistics::nuisance(&faces, &even, &odd, &kept);
        let detail = statistics::detail(&even, &odd, &kept, &weights);
        let mut provenance: std::collections::BTreeMap<_, _> = provenance.into_iter().collect();
        provenance.insert("faces".into(), faces.len().to_string());
        provenance.insert("components".into(), config.components.to_string());
        provenance.insert("border_weight".into(), config.border_weight.to_string());
        provenance.insert("explained_variance".into(), explained(&even, &odd, &kept));
        Ok(Self {
            appearance,
            nuisance,
            detail,
            provenance,
        })
    }
}

/// Square roots of the pixel weights of a half image, `[3, 64, 32]`.
///
/// 1 inside an ellipse around the face, falling smoothly to the square root of `border` outside.
fn pixel_weights(border: f32) -> Vec<f32> {
    let size = MODEL_SIZE as f32;
    (0..HALF_LEN)
        .map(|i| {
            let column = (i % (MODEL_SIZE / 2)) as f32 + 0.5;
            let row = (i / (MODEL_SIZE / 2) % MODEL_SIZE) as f32 + 0.5;
            let (dx, dy) = ((column / size - 0.5) / 0.40, (row / size - 0.47) / 0.50);
            let beyond = ((dx * dx + dy * dy).sqrt() - 0.85).clamp(0.0, 0.5) / 0.5;
            (1.0 - (1.0 - border) * beyond).sqrt()
        })
        .collect()
}

fn mean(rows: &[Vec<f32>]) -> Vec<f32> {
    let mut sum = vec![0.0_f64; HALF_LEN];
    for row in rows {
        for (total, &value) in sum.iter_mut().zip(row) {
            *total += f64::from(value);
        }
    }
    sum.iter()
        .map(|total| (total / rows.len() as f64) as f32)
        .collect()
}

/// Exact principal components by the eigenvectors of the Gram matrix.
fn principal_components(
    halves: &[Vec<f32>],
    mean: &[f32],
    weights: &[f32],
    at_most: usize,
) -> Result<Parity, String> {
    let count = halves.len();
    let rows = Mat::from_fn(count, HALF_LEN, |i, j| {
        (halves[i][j] - mean[j]) * weights[j]
    });
    let gram = &rows * rows.transpose();
    let eigen = gram
        .self_adjoint_eigen(Side::Lower)
        .map_err(|error| format!("the eigenvalue iteration failed: {error:?}"))?;
    let values = eigen.S().column_vector();
    let kept = at_most.min(count - 1).min(HALF_LEN);
    // Eigenvalues come in nondecreasing order.
    let from_top = |k: usize| count - 1 - k;
    let variances: Vec<f32> = (0..kept)
        .map(|k| (values[from_top(k)] / count as f32).max(f32::MIN_POSITIVE))
        .collect();
    let scores = Mat::from_fn(count, kept, |i, k| {
        eigen.U()[(i, from_top(k))] * (count as f32).sqrt()
    });
    // X^T u / sqrt(count) is the component times its standard deviation.
    let components = scores.transpose() * &rows * faer::Scale(1.0 / count as f32);
    Ok(Parity {
        rows,
        scores,
        components,
        variances,
    })
}

/// The strongest components over both parities: (is odd, index in its parity).
fn strongest(even: &Parity, odd: &Parity, count: usize) -> Vec<(bool, usize)> {
    let list = |parity: &Parity, is_odd| -> Vec<_> {
        parity
            .variances
            .iter()
            .enumerate()
            .map(|(k, &v)| (v, is_odd, k))
            .collect()
    };
    let mut all = [list(even, false), list(odd, true)].concat();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    all.truncate(count);
    all.into_iter().map(|(_, is_odd, k)| (is_odd, k)).collect()
}

fn quantise(
    mean: Vec<f32>,
    even: &Parity,
    odd: &Parity,
    kept: &[(bool, usize)],
    weights: &[f32],
) -> Appearance {
    let mut basis = Vec::with_capacity(kept.len() * HALF_LEN);
    let mut steps = Vec::with_capacity(kept.len());
    for &(is_odd, k) in kept {
        let parity = if is_odd { odd } else { even };
        let component: Vec<f32> = (0..HALF_LEN)
            .map(|j| parity.components[(k, j)] / weights[j])
            .collect();
        let peak = component
            .iter()
            .fold(f32::MIN_POSITIVE, |m, v| m.max(v.abs()));
        let step = peak / 127.0;
        steps.push(step);
        basis.extend(component.iter().map(|v| (v / step).round() as i8));
    }
    // What the file holds is what the model computes with.
    let mean = mean
        .into_iter()
        .map(|v| half::f16::from_f32(v).to_f32())
        .collect();
    let odd = kept.iter().map(|&(is_odd, _)| is_odd).collect();
    Appearance {
        mean,
        basis,
        steps,
        odd,
    }
}

/// Share of the weighted variance that the kept components carry.
fn explained(even: &Parity, odd: &Parity, kept: &[(bool, usize)]) -> String {
    let count = even.rows.nrows() as f64;
    let total: f64 = [even, odd]
        .iter()
        .map(|p| f64::from(p.rows.squared_norm_l2()) / count)
        .sum();
    let carried: f64 = kept
        .iter()
        .map(|&(is_odd, k)| f64::from(if is_odd { odd } else { even }.variances[k]))
        .sum();
    format!("{:.4}", carried / total)
}

#[cfg(test)]
mod tests {
    use super::super::frame_landmarks;
    use super::*;
    use image::{Rgb, RgbImage};

    /// Twelve grey crops: brightness varies by `even` steps of 10, left-right contrast by `odd`
    /// steps of 4, all with the landmarks of the mean shape.
    fn fit_to_patterns(config: &FitConfig) -> Result<FaceModel, SimError> {
        let folder = tempfile::tempdir().unwrap();
        let landmarks: Vec<String> = frame_landmarks()
            .iter()
            .flatten()
            .map(|v| (v - 0.5).to_string())
            .collect();
        let mut index = "file,split,leye_x,leye_y,reye_x,reye_y,nose_x,nose_y,\
                         lmouth_x,lmouth_y,rmouth_x,rmouth_y\n"
            .to_string();
        for i in 0..12 {
            let (even, odd) = (10 * (i % 4 - 1), 4 * (i % 3 - 1));
            let crop = RgbImage::from_fn(128, 128, |x, _| {
                let side = if x < 64 { odd } else { -odd };
                Rgb([(120 + even + side) as u8; 3])
            });
            crop.save(folder.path().join(format!("{i}.png"))).unwrap();
            index += &format!("{i}.png,train,{}\n", landmarks.join(","));
        }
        let path = folder.path().join("index.csv");
        std::fs::write(&path, index).unwrap();
        FaceModel::fit(
            folder.path(),
            &path,
            config,
            [("seed".into(), "none".into())],
        )
    }

    #[test]
    fn known_patterns_are_the_components() {
        let config = FitConfig {
            components: 2,
            ..FitConfig::default()
        };
        let model = fit_to_patterns(&config).unwrap();
        assert_eq!(model.appearance.odd, [false, true]);
        let explained: f32 = model.provenance()["explained_variance"].parse().unwrap();
        assert!(explained > 0.999, "{explained}");
        // brightness -10, 0, 10, 20: mean 5, variance 125; contrast -4, 0, 4: variance 32 / 3
        let pixel = 20 * MODEL_SIZE + 8;
        let mean = model.appearance.render(&[0.0, 0.0])[pixel] * 255.0;
        let even = model.appearance.render(&[1.0, 0.0])[pixel] * 255.0 - mean;
        let odd = model.appearance.render(&[0.0, 1.0])[pixel] * 255.0 - mean;
        assert!((mean - 125.0).abs() < 0.1, "{mean}");
        assert!((even.abs() - 125.0_f32.sqrt()).abs() < 0.1, "{even}");
        assert!((odd.abs() - (32.0_f32 / 3.0).sqrt()).abs() < 0.1, "{odd}");
        // all contrast is side light, which the regression must have found
        let by_light = model.nuisance.appearance_by_nuisance[2 * super::super::NUISANCES - 1];
        assert!((by_light.abs() - 1.0).abs() < 0.01, "{by_light}");
    }

    #[test]
    fn more_components_than_faces_are_refused() {
        let error = fit_to_patterns(&FitConfig::default())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("512 components") && error.contains("at most 22"),
            "{error}"
        );
    }
}
