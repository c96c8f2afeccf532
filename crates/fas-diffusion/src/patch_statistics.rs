//! Patch statistics of a feature map: the tokens that STFM attends with (DiffFAS, section 3.2).
//!
//! The statistics themselves are a kernel, [`fas_kernels::patch_moments`]. From the grid of tokens back to the
//! map, interpolation is the same small constant matrix along either axis.

use burn::config::Config;
use burn::tensor::{Device, Tensor, TensorData};

/// Where the token of the whole map stands among those of the patches. After the attention the last
/// token of all is dropped, whichever it is.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum GlobalToken {
    /// Before the patches, as the released code has it: what is dropped is then the last patch, and the
    /// grid is shifted by one cell.
    First,
    /// After the patches, as the paper has it: what is dropped is the global token.
    Last,
}

/// Number of whole patches along a side of `size` pixels; the remainder on the right and bottom is
/// left out.
pub(crate) fn grid_side(size: usize, patch: usize) -> usize {
    (size / patch).max(1)
}

/// Interpolation weights of one axis, `[to, from]`.
fn axis_weights(from: usize, to: usize, kernel: Upsampling) -> Vec<f64> {
    let mut weights = vec![0f64; to * from];
    for target in 0..to {
        let row = &mut weights[target * from..][..from];
        let mut add = |index: i64, weight: f64| {
            row[index.clamp(0, from as i64 - 1) as usize] += weight;
        };
        match kernel {
            Upsampling::Bilinear => {
                let position = ((target as f64 + 0.5) * from as f64 / to as f64 - 0.5).max(0.0);
                let left = position.floor();
                add(left as i64, 1.0 - (position - left));
                add(left as i64 + 1, position - left);
            }
            Upsampling::BicubicAlignCorners => {
                let scale = if to > 1 {
                    (from as f64 - 1.0) / (to as f64 - 1.0)
                } else {
                    0.0
                };
                let position = target as f64 * scale;
                let left = position.floor();
                for tap in -1..=2 {
                    add(left as i64 + tap, cubic(position - left - tap as f64));
                }
            }
        }
    }
    weights
}

/// Keys' cubic kernel with a = -0.75, as PyTorch has it.
fn cubic(distance: f64) -> f64 {
    const A: f64 = -0.75;
    let d = distance.abs();
    if d <= 1.0 {
        ((A + 2.0) * d - (A + 3.0)) * d * d + 1.0
    } else if d < 2.0 {
        ((A * d - 5.0 * A) * d + 8.0 * A) * d - 4.0 * A
    } else {
        0.0
    }
}

/// How a grid of tokens becomes a map again.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum Upsampling {
    /// Patch centres line up with pixel centres (the paper).
    Bilinear,
    /// Corner tokens on corner pixels (the released code).
    BicubicAlignCorners,
}

/// Interpolation weights of either axis as a tensor, `[size, side]`.
pub(crate) fn upsampling_axis(
    side: usize,
    size: usize,
    kernel: Upsampling,
    device: &Device,
) -> Tensor<2> {
    let weights = axis_weights(side, size, kernel);
    let weights: Vec<f32> = weights.into_iter().map(|weight| weight as f32).collect();
    Tensor::from_data(TensorData::new(weights, [size, side]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_grids_have_the_sizes_of_the_paper() {
        // spec 1.4: 32 px with 6x6 patches is 5x5, with 2x2 patches 16x16; 8 px with 6x6 is 1x1
        assert_eq!(grid_side(32, 6), 5);
        assert_eq!(grid_side(32, 2), 16);
        assert_eq!(grid_side(16, 6), 2);
        assert_eq!(grid_side(8, 6), 1);
        assert_eq!(grid_side(4, 6), 1);
    }

    #[test]
    fn bilinear_upsampling_lines_up_centres() {
        let axis = upsampling_axis(2, 4, Upsampling::Bilinear, &Device::default());
        let tokens = Tensor::<2>::from_data([[0.0], [4.0]], &axis.device());
        let pixels: Vec<f32> = axis.matmul(tokens).into_data().try_to_vec().unwrap();
        // torch interpolate, bilinear, align_corners=False
        assert_eq!(pixels, [0.0, 1.0, 3.0, 4.0]);
    }

    #[test]
    fn bicubic_upsampling_keeps_corners_and_constants() {
        let axis = upsampling_axis(3, 8, Upsampling::BicubicAlignCorners, &Device::default());
        let tokens = Tensor::<2>::from_data([[1.0, 0.0], [1.0, 0.0], [1.0, 5.0]], &axis.device());
        let pixels: Vec<f32> = axis.matmul(tokens).into_data().try_to_vec().unwrap();
        let (constants, ramp) = (pixels.iter().step_by(2), pixels.iter().skip(1).step_by(2));
        assert!(constants.into_iter().all(|v| (v - 1.0).abs() < 1e-6));
        let ramp: Vec<f32> = ramp.copied().collect();
        assert!(ramp[0].abs() < 1e-5 && (ramp[7] - 5.0).abs() < 1e-5);
    }
}
