//! Deep SVDD's autoencoder: Ruff et al. 2018 (ICML); released code `networks/cifar10_LeNet.py`.
//!
//! Deep SVDD itself has no reconstruction: its network is pretrained as the encoder of this
//! autoencoder, and that is what AG-FAS takes "its" reconstruction from.

use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{Initializer, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::{leaky_relu, sigmoid};
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor};
use fas_kernels::layers::conv2d;
use rand_chacha::ChaCha8Rng;

use super::FaceReconstruction;
use super::plain_batch_norm::PlainBatchNorm;

const SLOPE: f64 = 0.01;

/// Configuration to create a [`DeepSvdd`] with [`init`](DeepSvddConfig::init).
#[derive(Config, Debug)]
pub struct DeepSvddConfig {
    /// Side of the images, in pixels, divisible by 2 to the stages. Default: 32 (released, CIFAR-10)
    #[config(default = 32)]
    pub image_size: usize,
    /// Channels after each stage of the encoder. Default: 32, 64, 128 (released)
    #[config(default = "vec![32, 64, 128]")]
    pub widths: Vec<usize>,
    /// Length of the representation: a multiple of the last map's pixels. Default: 128 (released)
    #[config(default = 128)]
    pub representation: usize,
}

impl DeepSvddConfig {
    /// For faces of 256 px: six stages, down to the 4 x 4 of the released network.
    pub fn paper() -> Self {
        Self::new()
            .with_image_size(256)
            .with_widths(vec![32, 64, 128, 128, 256, 256])
            .with_representation(256)
    }

    /// For faces of 64 px and a CPU: four stages.
    pub fn small() -> Self {
        Self::new()
            .with_image_size(64)
            .with_widths(vec![16, 32, 64, 128])
    }

    /// Initializes the network on `device`; Xavier's rule, as released.
    ///
    /// # Panics
    ///
    /// Panics if the size cannot be halved that often, or the representation is no map of it.
    pub fn init(&self, device: &Device) -> DeepSvdd {
        let stages = self.widths.len();
        let side = self.image_size >> stages;
        assert!(
            side > 0 && side << stages == self.image_size,
            "an image of {} px cannot be halved {stages} times",
            self.image_size
        );
        assert!(
            stages > 0 && self.representation.is_multiple_of(side * side),
            "a representation of {} is no map of {side} x {side} px",
            self.representation
        );
        let initializer = Initializer::XavierUniform {
            gain: (2.0 / (1.0 + SLOPE * SLOPE)).sqrt(),
        };
        let xavier = |[rows, columns]: [usize; 2], [from, to]: [usize; 2]| {
            let shape = [rows, columns, 5, 5];
            initializer.init_with(shape, Some(25 * from), Some(25 * to), device)
        };
        let mut from = 3;
        let enc = self
            .widths
            .iter()
            .map(|&to| {
                let conv = Conv2dConfig::new([from, to], [5, 5])
                    .with_padding(PaddingConfig2d::Explicit(2, 2, 2, 2))
                    .with_bias(false);
                let mut conv = conv.init(device);
                conv.weight = xavier([to, from], [from, to]);
                from = to;
                conv
            })
            .collect();
        let transposed = |from, to| {
            let mut conv = ConvTranspose2dConfig::new([from, to], [5, 5])
                .with_padding([2, 2])
                .with_bias(false)
                .init(device);
            conv.weight = xavier([from, to], [from, to]);
            conv
        };
        let fc1 = LinearConfig::new(from * side * side, self.representation)
            .with_bias(false)
            .init(device);
        let mut from = self.representation / (side * side);
        let mut dec = Vec::new();
        for &to in self.widths.iter().rev() {
            dec.push(transposed(from, to));
            from = to;
        }
        let norm = |&channels: &usize| PlainBatchNorm::new(channels, device);
        DeepSvdd {
            enc,
            ebn: self.widths.iter().map(norm).collect(),
            fc1,
            bn1d: PlainBatchNorm::new(self.representation, device),
            dec,
            dbn: self.widths.iter().rev().map(norm).collect(),
            out: transposed(from, 3),
            side,
        }
    }
}

/// LeNet-like autoencoder without a bias anywhere.
#[derive(Module, Debug)]
pub struct DeepSvdd {
    enc: Vec<Conv2d>,
    ebn: Vec<PlainBatchNorm>,
    fc1: Linear,
    bn1d: PlainBatchNorm,
    dec: Vec<ConvTranspose2d>,
    dbn: Vec<PlainBatchNorm>,
    out: ConvTranspose2d,
    side: usize,
}

impl DeepSvdd {
    /// What Deep SVDD measures the distance of, before the decoder's norm.
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, 3, size, size]`, in `[0, 1]`
    /// - output: `[batch_size, representation]`
    pub fn representation(&self, images: Tensor<4>) -> Tensor<2> {
        let mut hidden = images;
        for (conv, norm) in self.enc.iter().zip(&self.ebn) {
            hidden = leaky_relu(norm.forward(conv2d(conv, hidden)), SLOPE);
            hidden = max_pool2d(hidden, MaxPoolOptions::new([2, 2]).with_stride([2, 2]));
        }
        self.fc1.forward(hidden.flatten(1, 3))
    }

    /// The face that a representation stands for.
    ///
    /// # Shapes
    ///
    /// - representation: `[batch_size, representation]`
    /// - output: `[batch_size, 3, size, size]`, in `[0, 1]`
    pub fn decode(&self, representation: Tensor<2>) -> Tensor<4> {
        let [batch_size, length] = representation.dims();
        let shape = [
            batch_size,
            length / (self.side * self.side),
            self.side,
            self.side,
        ];
        let mut hidden = leaky_relu(self.bn1d.forward(representation).reshape(shape), SLOPE);
        for (conv, norm) in self.dec.iter().zip(&self.dbn) {
            hidden = nearest_2x(leaky_relu(norm.forward(conv.forward(hidden)), SLOPE));
        }
        sigmoid(self.out.forward(hidden))
    }
}

fn nearest_2x(map: Tensor<4>) -> Tensor<4> {
    let [batch_size, channels, height, width] = map.dims();
    let repeated: Tensor<6> = map
        .reshape([batch_size, channels, height, 1, width, 1])
        .expand([batch_size, channels, height, 2, width, 2]);
    repeated.reshape([batch_size, channels, 2 * height, 2 * width])
}

impl FaceReconstruction for DeepSvdd {
    /// Sum of square errors of an image in `[0, 1]`, mean over the batch.
    fn loss(&self, images: Tensor<4>, _: &mut ChaCha8Rng) -> Tensor<1> {
        let images = (images + 1.0) / 2.0;
        let [batch_size, ..] = images.dims();
        let output = self.decode(self.representation(images.clone()));
        (output - images).square().sum() / batch_size as f64
    }

    fn reconstruct(&self, images: Tensor<4>, _: &[&str], _: u64) -> Tensor<4> {
        self.decode(self.representation((images + 1.0) / 2.0)) * 2.0 - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "a representation of 100 is no map of 4 x 4 px")]
    fn a_representation_must_be_a_map() {
        DeepSvddConfig::new()
            .with_representation(100)
            .init(&Device::default());
    }

    #[test]
    fn presets_reconstruct_their_size() {
        let device = Device::default();
        let network = DeepSvddConfig::small().init(&device);
        let output = network.reconstruct(Tensor::zeros([1, 3, 64, 64], &device), &["a"], 0);
        assert_eq!(output.dims(), [1, 3, 64, 64]);
    }
}
