//! Patch statistics of a feature map: the tokens that STFM attends with (DiffFAS, section 3.2).
//!
//! Pooling and upsampling are linear maps between the pixels of one resolution and the tokens of one
//! patch size, so both are small constant matrices here. That keeps them differentiable on every
//! backend and makes the global token one more column.

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

/// Averaging matrix `[size^2, side^2 + 1]`: `pixels x pool = tokens`.
pub(crate) fn pooling_matrix(
    size: usize,
    patch: usize,
    global: GlobalToken,
    device: &Device,
) -> Tensor<2> {
    let side = grid_side(size, patch);
    // A map smaller than the patch is one patch.
    let patch = patch.min(size);
    let tokens = side * side + 1;
    let (first_patch, global_column) = match global {
        GlobalToken::First => (1, 0),
        GlobalToken::Last => (0, side * side),
    };
    let mut matrix = vec![0f32; size * size * tokens];
    for y in 0..size {
        for x in 0..size {
            let row = &mut matrix[(y * size + x) * tokens..][..tokens];
            row[global_column] = 1.0 / (size * size) as f32;
            if y < side * patch && x < side * patch {
                row[first_patch + (y / patch) * side + x / patch] = 1.0 / (patch * patch) as f32;
            }
        }
    }
    Tensor::from_data(TensorData::new(matrix, [size * size, tokens]), device)
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

/// Interpolation matrix `[side^2, size^2]`: `tokens x upsample = pixels`.
pub(crate) fn upsampling_matrix(
    side: usize,
    size: usize,
    kernel: Upsampling,
    device: &Device,
) -> Tensor<2> {
    let axis = axis_weights(side, size, kernel);
    let mut matrix = vec![0f32; side * side * size * size];
    for ty in 0..side {
        for tx in 0..side {
            let row = &mut matrix[(ty * side + tx) * size * size..][..size * size];
            for y in 0..size {
                for x in 0..size {
                    row[y * size + x] = (axis[y * side + ty] * axis[x * side + tx]) as f32;
                }
            }
        }
    }
    Tensor::from_data(TensorData::new(matrix, [side * side, size * size]), device)
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
    fn pooling_averages_patches_and_drops_the_remainder() {
        let pool = pooling_matrix(3, 2, GlobalToken::Last, &Device::default());
        let pixels = Tensor::<2>::from_data(
            [[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]],
            &pool.device(),
        );
        let tokens: Vec<f32> = pixels.matmul(pool).into_data().try_to_vec().unwrap();
        assert!((tokens[0] - 2.0).abs() < 1e-6, "mean of 0, 1, 3, 4");
        assert!((tokens[1] - 4.0).abs() < 1e-6, "mean of all nine");
    }

    #[test]
    fn bilinear_upsampling_lines_up_centres() {
        let matrix = upsampling_matrix(2, 4, Upsampling::Bilinear, &Device::default());
        let tokens = Tensor::<2>::from_data([[0.0, 4.0, 0.0, 4.0]], &matrix.device());
        let pixels: Vec<f32> = tokens.matmul(matrix).into_data().try_to_vec().unwrap();
        // torch interpolate, bilinear, align_corners=False
        assert_eq!(pixels[..4], [0.0, 1.0, 3.0, 4.0]);
    }

    #[test]
    fn bicubic_upsampling_keeps_corners_and_constants() {
        let matrix = upsampling_matrix(3, 8, Upsampling::BicubicAlignCorners, &Device::default());
        let ones = Tensor::<2>::ones([1, 9], &matrix.device()).matmul(matrix.clone());
        let ones: Vec<f32> = ones.into_data().try_to_vec().unwrap();
        assert!(ones.iter().all(|v| (v - 1.0).abs() < 1e-6));
        let mut tokens = [0.0; 9];
        tokens[8] = 5.0;
        let corner = Tensor::<1>::from_data(tokens, &matrix.device())
            .unsqueeze::<2>()
            .matmul(matrix);
        let corner: Vec<f32> = corner.into_data().try_to_vec().unwrap();
        assert!((corner[63] - 5.0).abs() < 1e-5);
    }
}
