//! Memory of MemAE: Gong et al. 2019, <https://arxiv.org/abs/1904.02639>, section 3.3; released code
//! `models/memory_module.py`.
//!
//! `w = softmax(similarity)`; hard shrinkage `w' = relu(w - l) w / (|w - l| + 1e-12)`; divided by its
//! sum; `z' = w' M`. A code can thus be made of a few prototypes of training faces only.

use burn::config::Config;
use burn::tensor::activation::{relu, softmax};
use burn::tensor::{Tensor, assert_shape};

/// Keeps divisions and logarithms finite, as in the released code.
const EPSILON: f64 = 1e-12;

/// Likeness of a code and a memory slot.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum MemorySimilarity {
    /// Dot product: the released code.
    DotProduct,
    /// Cosine: the paper's equation 4.
    Cosine,
}

/// Codes rebuilt from memory, and how.
#[derive(Debug, Clone)]
pub struct Addressing {
    /// `w' M`, shape of the codes.
    pub output: Tensor<4>,
    /// `w` of every pixel, row by row: `[batch_size * height * width, slots]`.
    pub softmax: Tensor<2>,
    /// `w'`, shrunk and normalised; all zero where no slot was above the threshold.
    pub weights: Tensor<2>,
}

/// Rebuilds every pixel of `codes` from the slots of `memory`.
///
/// With 2,000 slots an even softmax is 5e-4, below the usual threshold of 0.0025: all weights of a pixel
/// may shrink to zero, and its output is then zero.
///
/// # Shapes
///
/// - codes: `[batch_size, channels, height, width]`
/// - memory: `[slots, channels]`
///
/// # Panics
///
/// Panics if the channels differ.
pub fn address_memory(
    codes: Tensor<4>,
    memory: Tensor<2>,
    similarity: MemorySimilarity,
    shrink: f64,
) -> Addressing {
    let [batch_size, channels, height, width] = codes.dims();
    let slots = memory.dims()[0];
    assert_shape!(memory, [slots, channels]);
    let rows: Tensor<2> = codes
        .permute([0, 2, 3, 1])
        .reshape([batch_size * height * width, channels]);
    let likeness = match similarity {
        MemorySimilarity::DotProduct => rows.matmul(memory.clone().transpose()),
        MemorySimilarity::Cosine => unit(rows).matmul(unit(memory.clone()).transpose()),
    };
    let softmax = softmax(likeness, 1);
    let weights = if shrink > 0.0 {
        let above = softmax.clone() - shrink;
        let shrunk = relu(above.clone()) * softmax.clone() / (above.abs() + EPSILON);
        // All weights are at least zero, so their sum is their L1 norm.
        let sum = shrunk.clone().sum_dim(1).clamp_min(EPSILON);
        shrunk / sum
    } else {
        softmax.clone()
    };
    let output = weights
        .clone()
        .matmul(memory)
        .reshape([batch_size, height, width, channels])
        .permute([0, 3, 1, 2]);
    Addressing {
        output,
        softmax,
        weights,
    }
}

/// Mean entropy of the weights of a pixel, in nats: what keeps the addressing sparse.
///
/// # Shapes
///
/// - weights: `[pixels, slots]`
/// - output: `[1]`
pub fn addressing_entropy(weights: Tensor<2>) -> Tensor<1> {
    let logarithm = (weights.clone() + EPSILON).log();
    (weights * logarithm).sum_dim(1).neg().mean()
}

fn unit(rows: Tensor<2>) -> Tensor<2> {
    let length = rows.clone().square().sum_dim(1).clamp_min(1e-24).sqrt();
    rows / length
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn slots_below_the_threshold_are_forgotten() {
        let device = Device::default();
        // Scores ln 6, ln 3, 0: softmax 0.6, 0.3, 0.1.
        let memory = Tensor::<2>::from_data([[1.791_759_5], [1.098_612_3], [0.0]], &device);
        let code = Tensor::<4>::ones([1, 1, 1, 1], &device);
        let found = address_memory(code, memory, MemorySimilarity::DotProduct, 0.2);
        let weights: Vec<f32> = found.weights.into_data().try_to_vec().unwrap();
        for (weight, expected) in weights.iter().zip([2.0 / 3.0, 1.0 / 3.0, 0.0]) {
            assert!((weight - expected).abs() < 1e-6, "{weights:?}");
        }
        let output: f32 = found.output.into_scalar();
        assert!((output - (2.0 * 1.791_759_5 + 1.098_612_3) / 3.0).abs() < 1e-6);
    }

    #[test]
    fn the_cosine_does_not_see_lengths() {
        let device = Device::default();
        let memory = Tensor::<2>::from_data([[10.0, 0.0], [0.0, 0.1]], &device);
        let code = Tensor::<4>::ones([1, 2, 1, 1], &device);
        let found = address_memory(code, memory, MemorySimilarity::Cosine, 0.0);
        let weights: Vec<f32> = found.weights.into_data().try_to_vec().unwrap();
        assert!((weights[0] - 0.5).abs() < 1e-6, "{weights:?}");
    }

    #[test]
    fn entropy_of_even_weights_is_the_logarithm_of_their_number() {
        let device = Device::default();
        let entropy: f32 = addressing_entropy(Tensor::full([3, 4], 0.25, &device)).into_scalar();
        assert!((entropy - 4f32.ln()).abs() < 1e-6, "{entropy}");
    }
}
