//! MemAE in two dimensions: Gong et al. 2019, <https://arxiv.org/abs/1904.02639>. The released network
//! for video, with its third axis left out.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::activation::leaky_relu;
use burn::tensor::{Device, Tensor};
use fas_kernels::layers::conv2d;
use rand_chacha::ChaCha8Rng;

use super::FaceReconstruction;
use super::memory::{Addressing, MemorySimilarity, address_memory, addressing_entropy};

/// Slope of the activations below zero.
const SLOPE: f64 = 0.2;

/// Configuration to create a [`MemAe`] with [`init`](MemAeConfig::init).
#[derive(Config, Debug)]
pub struct MemAeConfig {
    /// Channels after each stage; a stage halves the resolution. Default: 96, 128, 256, 256 (released)
    #[config(default = "vec![96, 128, 256, 256]")]
    pub widths: Vec<usize>,
    /// Slots of the memory. Default: 2000 (released)
    #[config(default = 2000)]
    pub slots: usize,
    /// Threshold of the hard shrinkage; 0 is none. Default: 0.0025 (released)
    #[config(default = 0.0025)]
    pub shrink: f64,
    /// Likeness of a code and a slot. Default: the dot product (released; the paper's is the cosine)
    #[config(default = "MemorySimilarity::DotProduct")]
    pub similarity: MemorySimilarity,
    /// Weight of the entropy of the addressing in the loss. Default: 0.0002 (released)
    #[config(default = 0.0002)]
    pub entropy_weight: f64,
}

impl MemAeConfig {
    /// The released network: 2.51 million parameters.
    pub fn paper() -> Self {
        Self::new()
    }

    /// For faces of 64 px and a CPU: three stages and 500 slots.
    pub fn small() -> Self {
        Self::new().with_widths(vec![32, 64, 128]).with_slots(500)
    }

    /// Initializes the network on `device`.
    ///
    /// # Panics
    ///
    /// Panics if there is no stage or no slot.
    pub fn init(&self, device: &Device) -> MemAe {
        let &code = self.widths.last().expect("MemAE needs at least one stage");
        assert!(self.slots > 0, "MemAE needs at least one slot");
        let mut from = 3;
        let encoder = self
            .widths
            .iter()
            .map(|&to| {
                let conv = Conv2dConfig::new([from, to], [3, 3])
                    .with_stride([2, 2])
                    .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                    .init(device);
                from = to;
                EncoderStage {
                    conv,
                    norm: BatchNormConfig::new(to).init(device),
                }
            })
            .collect();
        let outputs = self.widths.iter().rev().skip(1).copied().chain([3]);
        let last = self.widths.len() - 1;
        let decoder = outputs
            .enumerate()
            .map(|(stage, to)| {
                let conv = ConvTranspose2dConfig::new([from, to], [3, 3])
                    .with_stride([2, 2])
                    .with_padding([1, 1])
                    .with_padding_out([1, 1])
                    .init(device);
                from = to;
                DecoderStage {
                    conv,
                    norm: (stage < last).then(|| BatchNormConfig::new(to).init(device)),
                }
            })
            .collect();
        // Uniform within 1 / sqrt(channels), as released.
        let bound = 1.0 / (code as f64).sqrt();
        MemAe {
            encoder,
            memory: Initializer::Uniform {
                min: -bound,
                max: bound,
            }
            .init([self.slots, code], device),
            decoder,
            similarity: self.similarity,
            shrink: self.shrink,
            entropy_weight: self.entropy_weight,
        }
    }
}

#[derive(Module, Debug)]
struct EncoderStage {
    conv: Conv2d,
    norm: BatchNorm,
}

#[derive(Module, Debug)]
struct DecoderStage {
    conv: ConvTranspose2d,
    norm: Option<BatchNorm>,
}

/// Autoencoder whose code is rebuilt from a memory of training codes.
#[derive(Module, Debug)]
pub struct MemAe {
    encoder: Vec<EncoderStage>,
    memory: Param<Tensor<2>>,
    decoder: Vec<DecoderStage>,
    #[module(skip)]
    similarity: MemorySimilarity,
    shrink: f64,
    entropy_weight: f64,
}

impl MemAe {
    /// Reconstruction, and how the memory was read.
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, 3, height, width]`, in `[-1, 1]`; sides divisible by 2 to the stages
    /// - output: the same shape, of any range
    pub fn forward(&self, images: Tensor<4>) -> (Tensor<4>, Addressing) {
        let mut hidden = images;
        for stage in &self.encoder {
            hidden = leaky_relu(stage.norm.forward(conv2d(&stage.conv, hidden)), SLOPE);
        }
        let memory = self.memory.val();
        let addressing = address_memory(hidden, memory, self.similarity, self.shrink);
        let mut hidden = addressing.output.clone();
        for stage in &self.decoder {
            hidden = stage.conv.forward(hidden);
            if let Some(norm) = &stage.norm {
                hidden = leaky_relu(norm.forward(hidden), SLOPE);
            }
        }
        (hidden, addressing)
    }
}

impl FaceReconstruction for MemAe {
    /// Mean square error and the weighted entropy of the addressing.
    fn loss(&self, images: Tensor<4>, _: &mut ChaCha8Rng) -> Tensor<1> {
        let (output, addressing) = self.forward(images.clone());
        let error = (output - images).square().mean();
        error + addressing_entropy(addressing.weights) * self.entropy_weight
    }

    fn reconstruct(&self, images: Tensor<4>, _: &[&str], _: u64) -> Tensor<4> {
        self.forward(images).0.clamp(-1.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_released_layout_has_the_known_size() {
        let network = MemAeConfig::paper().init(&Device::default());
        // 998,656 + 998,403 convolutions, 2,432 norms, 512,000 memory; BatchNorm's running statistics,
        // 2,432 values, count here
        assert_eq!(network.num_params(), 2_511_491 + 2_432);
    }

    #[test]
    fn the_output_has_the_size_of_the_input() {
        let device = Device::default();
        let network = MemAeConfig::small().init(&device);
        let images = Tensor::zeros([2, 3, 32, 64], &device);
        let (output, addressing) = network.forward(images);
        assert_eq!(output.dims(), [2, 3, 32, 64]);
        assert_eq!(addressing.weights.dims(), [2 * 4 * 8, 500]);
    }
}
