//! Vision transformer: Dosovitskiy et al. 2021, <https://arxiv.org/abs/2010.11929>, with AG-FAS's
//! cross-attention to a cue after each self-attention (section 3.3).

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::interpolate::{Interpolate2dConfig, InterpolateMode};
use burn::nn::{Initializer, LayerNorm, LayerNormConfig};
use burn::tensor::{Device, Tensor};
use fas_classify::Backbone;

use crate::TransformerBlock;
use crate::attention::INITIAL_DEVIATION;

/// Configuration to create a [`Vit`] with [`init`](VitConfig::init).
#[derive(Config, Debug)]
pub struct VitConfig {
    /// Side of the images the network works on, in pixels; others are resized. Default: 224
    #[config(default = 224)]
    pub image_size: usize,
    /// Side of a patch, in pixels; it divides `image_size`. Default: 16
    #[config(default = 16)]
    pub patch_size: usize,
    /// Length of a token. Default: 768
    #[config(default = 768)]
    pub width: usize,
    /// Layers. Default: 12
    #[config(default = 12)]
    pub depth: usize,
    /// Heads of each attention. Default: 12
    #[config(default = 12)]
    pub num_heads: usize,
    /// Hidden channels of each perceptron. Default: 3072
    #[config(default = 3072)]
    pub mlp_width: usize,
    /// Epsilon of every layer norm: 1e-12 in transformers' weights, 1e-6 in timm's. Default: 1e-12
    #[config(default = 1e-12)]
    pub layer_norm_epsilon: f64,
    /// Length of a cue's token; without one there is no cross-attention. Default: none
    pub cue_width: Option<usize>,
}

impl VitConfig {
    /// ViT-B/16, the paper's: 85.8 million parameters.
    pub fn base() -> Self {
        Self::new()
    }

    /// ViT-S/16 of DeiT (Touvron et al. 2021).
    pub fn small() -> Self {
        Self::new()
            .with_width(384)
            .with_num_heads(6)
            .with_mlp_width(1536)
    }

    /// ViT-Ti/16 of DeiT.
    pub fn tiny() -> Self {
        Self::new()
            .with_width(192)
            .with_num_heads(3)
            .with_mlp_width(768)
    }

    /// For faces of 64 px and a CPU: patches of 8 px, 4 layers of width 128, 0.56 million parameters.
    pub fn face64() -> Self {
        Self::new()
            .with_image_size(64)
            .with_patch_size(8)
            .with_width(128)
            .with_depth(4)
            .with_num_heads(4)
            .with_mlp_width(256)
            .with_layer_norm_epsilon(1e-6)
    }

    /// Tokens of an image, the class token included.
    pub fn num_tokens(&self) -> usize {
        (self.image_size / self.patch_size).pow(2) + 1
    }

    /// Initializes the network on `device`, with random weights; see [`Vit::with_pretrained`].
    ///
    /// # Panics
    ///
    /// Panics if the patches do not tile the image or the heads do not divide the width.
    pub fn init(&self, device: &Device) -> Vit {
        assert!(
            self.patch_size > 0 && self.image_size.is_multiple_of(self.patch_size),
            "patches of {} px do not tile an image of {} px",
            self.patch_size,
            self.image_size
        );
        let normal = Initializer::Normal {
            mean: 0.0,
            std: INITIAL_DEVIATION,
        };
        Vit {
            patch_embedding: PatchEmbedding {
                weight: normal.init([self.width, 3, self.patch_size, self.patch_size], device),
                bias: Initializer::Zeros.init([self.width], device),
            },
            class_token: normal.init([1, 1, self.width], device),
            positions: normal.init([1, self.num_tokens(), self.width], device),
            blocks: (0..self.depth)
                .map(|_| TransformerBlock::new(self, device))
                .collect(),
            norm: LayerNormConfig::new(self.width)
                .with_epsilon(self.layer_norm_epsilon)
                .init(device),
            image_size: self.image_size,
        }
    }
}

/// Patches of an image as tokens: a convolution whose stride is its kernel, as a matrix product.
#[derive(Module, Debug)]
struct PatchEmbedding {
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
}

impl PatchEmbedding {
    fn forward(&self, images: Tensor<4>) -> Tensor<3> {
        let weight = self.weight.val();
        let [to, from, patch, _] = weight.dims();
        let [batch_size, _, height, width] = images.dims();
        let (rows, columns) = (height / patch, width / patch);
        let length = from * patch * patch;
        let patches: Tensor<6> = images
            .reshape([batch_size, from, rows, patch, columns, patch])
            .permute([0, 2, 4, 1, 3, 5]);
        let patches: Tensor<2> = patches.reshape([batch_size * rows * columns, length]);
        let tokens = patches.matmul(weight.reshape([to, length]).transpose())
            + self.bias.val().reshape([1, to]);
        tokens.reshape([batch_size, rows * columns, to])
    }
}

/// Vision transformer; its feature vector is the class token after the last norm.
#[derive(Module, Debug)]
pub struct Vit {
    patch_embedding: PatchEmbedding,
    class_token: Param<Tensor<3>>,
    positions: Param<Tensor<3>>,
    blocks: Vec<TransformerBlock>,
    norm: LayerNorm,
    image_size: usize,
}

impl Vit {
    /// All tokens after the last norm, the class token first.
    ///
    /// Images of another size are resized, bilinearly and without aligned corners, as the released
    /// code does (256 to 224).
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, 3, height, width]`, in `[-1, 1]`
    /// - cue: `[batch_size, cue_tokens, cue_width]`, the same for all layers
    /// - output: `[batch_size, num_tokens, width]`
    ///
    /// # Panics
    ///
    /// Panics if there is a cue and [`VitConfig::cue_width`] is not set.
    pub fn tokens(&self, images: Tensor<4>, cue: Option<Tensor<3>>) -> Tensor<3> {
        self.tokens_observed(images, cue, &mut |_| {})
    }

    /// [`tokens`](Self::tokens), showing the tokens before the first layer and after each to
    /// `observe`.
    pub fn tokens_observed(
        &self,
        images: Tensor<4>,
        cue: Option<Tensor<3>>,
        observe: &mut dyn FnMut(&Tensor<3>),
    ) -> Tensor<3> {
        let images = self.resized(images);
        let [batch_size, ..] = images.dims();
        let patches = self.patch_embedding.forward(images);
        let [_, _, width] = patches.dims();
        let class_token = self.class_token.val().expand([batch_size, 1, width]);
        let mut tokens = Tensor::cat(vec![class_token, patches], 1) + self.positions.val();
        observe(&tokens);
        for block in &self.blocks {
            tokens = block.forward(tokens, cue.clone());
            observe(&tokens);
        }
        self.norm.forward(tokens)
    }

    /// The class token after the last norm.
    ///
    /// # Shapes
    ///
    /// As [`tokens`](Self::tokens), but output: `[batch_size, width]`
    ///
    /// # Panics
    ///
    /// As [`tokens`](Self::tokens).
    pub fn features(&self, images: Tensor<4>, cue: Option<Tensor<3>>) -> Tensor<2> {
        self.tokens(images, cue).narrow(1, 0, 1).squeeze_dim(1)
    }

    fn resized(&self, images: Tensor<4>) -> Tensor<4> {
        let size = self.image_size;
        let [_, _, height, width] = images.dims();
        if [height, width] == [size, size] {
            return images;
        }
        Interpolate2dConfig::new()
            .with_output_size(Some([size, size]))
            .with_mode(InterpolateMode::Linear)
            .with_align_corners(false)
            .init()
            .forward(images)
    }
}

/// The paper's "only image", and with the cue as the image its "only residual" (Table 3).
impl Backbone for Vit {
    fn feature_length(&self) -> usize {
        self.class_token.lazy_shape()[2]
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.features(images, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vit_b16_has_the_published_size() {
        let device = Device::default();
        let network = VitConfig::base().init(&device);
        assert_eq!(network.num_params(), 85_798_656);
        // With a head of 1,000 classes: the 86.57 million of the paper that introduced it.
        assert_eq!(85_798_656 + 768 * 1000 + 1000, 86_567_656);
        // DeiT's, less their heads of 1,000 classes: 22,050,664 and 5,717,416.
        let small = VitConfig::small().init(&device);
        assert_eq!(small.num_params(), 22_050_664 - 384 * 1000 - 1000);
        let face = VitConfig::face64().init(&device);
        // 4 layers of 132,480, patches 24,704, 66 tokens' worth of class token and positions, a norm
        assert_eq!(face.num_params(), 4 * 132_480 + 24_704 + 66 * 128 + 256);
        let tiny = VitConfig::tiny().init(&device);
        assert_eq!(tiny.num_params(), 5_717_416 - 192 * 1000 - 1000);
    }

    #[test]
    fn patches_are_convolved() {
        let device = Device::default();
        let embedding = VitConfig::face64().init(&device).patch_embedding;
        let images =
            Tensor::<4>::random([2, 3, 64, 64], burn::tensor::Distribution::Default, &device);
        let options = burn::tensor::ops::ConvOptions::new([8, 8], [0, 0], [1, 1], 1);
        let convolved = burn::tensor::module::conv2d(
            images.clone(),
            embedding.weight.val(),
            Some(embedding.bias.val()),
            options,
        );
        let expected = convolved.reshape([2, 128, 64]).swap_dims(1, 2);
        let tolerance = burn::tensor::Tolerance::<f32>::rel_abs(1e-4, 1e-5);
        embedding
            .forward(images)
            .into_data()
            .assert_approx_eq(&expected.into_data(), tolerance);
    }

    #[test]
    fn other_sizes_are_resized_without_aligned_corners() {
        let device = Device::default();
        let config = VitConfig::face64().with_image_size(8);
        let network = config.init(&device);
        // Half the size: every output pixel is the mean of the two inputs it lies between.
        let ramp: Vec<f32> = (0..16).map(|x| x as f32).collect();
        let image = Tensor::<1>::from_data(&ramp[..], &device)
            .reshape([1, 1, 1, 16])
            .expand([1, 3, 16, 16]);
        let resized: Vec<f32> = network
            .resized(image)
            .slice([0..1, 2..3, 5..6, 0..8])
            .into_data()
            .try_to_vec()
            .unwrap();
        assert_eq!(resized, [0.5, 2.5, 4.5, 6.5, 8.5, 10.5, 12.5, 14.5]);
    }

    #[test]
    #[should_panic(expected = "patches of 16 px do not tile an image of 100 px")]
    fn patches_must_tile_the_image() {
        VitConfig::base()
            .with_image_size(100)
            .init(&Device::default());
    }
}
