//! The cue encoder: AG-FAS, section 3.3. A ResNet-18 without average and head, whose last map is read
//! as tokens: 49 of length 512 for 224 px (paper), 64 for 256 px (released code).

use burn::config::Config;
use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor};
use fas_classify::{ResNet, ResNetConfig};
use fas_kernels::layers;
use fas_kernels::{GeluForm, gelu};

/// Configuration to create a [`CueEncoder`] with [`init`](CueEncoderConfig::init).
#[derive(Config, Debug)]
pub enum CueEncoderConfig {
    /// Trunk of a residual network: the paper's is [`ResNetConfig::resnet18`].
    ResNet(ResNetConfig),
    /// 3x3 convolutions of stride 2 with GELU between them: for cues of 64 px.
    Stem {
        /// Channels after each convolution.
        widths: Vec<usize>,
    },
}

impl CueEncoderConfig {
    /// ResNet-18 as in torchvision: the paper's.
    pub fn resnet18() -> Self {
        Self::ResNet(ResNetConfig::resnet18())
    }

    /// Three convolutions, 64 tokens of length 128 for 64 px.
    pub fn small() -> Self {
        Self::Stem {
            widths: vec![32, 64, 128],
        }
    }

    /// Length of a token.
    ///
    /// # Panics
    ///
    /// Panics if a stem has no convolution.
    pub fn token_length(&self) -> usize {
        match self {
            Self::ResNet(config) => config.feature_length(),
            Self::Stem { widths } => *widths
                .last()
                .expect("a stem needs at least one convolution"),
        }
    }

    /// Initializes the encoder on `device`.
    ///
    /// # Panics
    ///
    /// Panics if there is no stage or convolution.
    pub fn init(&self, device: &Device) -> CueEncoder {
        match self {
            Self::ResNet(config) => CueEncoder::ResNet(config.init(device)),
            Self::Stem { widths } => {
                assert!(!widths.is_empty(), "a stem needs at least one convolution");
                let inputs = std::iter::once(3).chain(widths.iter().copied());
                let convolution = |(from, &to): (usize, &usize)| {
                    Conv2dConfig::new([from, to], [3, 3])
                        .with_stride([2, 2])
                        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                        .init(device)
                };
                CueEncoder::Stem(CueStem {
                    convolutions: inputs.zip(widths).map(convolution).collect(),
                })
            }
        }
    }
}

/// A cue's tokens, in row order, without positions.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a network has one of them")]
pub enum CueEncoder {
    /// Trunk of a residual network.
    ResNet(ResNet),
    /// A few convolutions.
    Stem(CueStem),
}

/// Convolutions of stride 2 with GELU between them.
#[derive(Module, Debug)]
pub struct CueStem {
    convolutions: Vec<Conv2d>,
}

impl CueStem {
    fn forward(&self, cue: Tensor<4>) -> Tensor<4> {
        let mut maps = cue;
        for (index, convolution) in self.convolutions.iter().enumerate() {
            if index > 0 {
                maps = gelu(maps, GeluForm::Erf);
            }
            maps = layers::conv2d(convolution, maps);
        }
        maps
    }
}

impl CueEncoder {
    /// # Shapes
    ///
    /// - cue: `[batch_size, 3, height, width]`, [standardised](crate::standardise_cue)
    /// - output: `[batch_size, rows * columns, token_length]`
    pub fn forward(&self, cue: Tensor<4>) -> Tensor<3> {
        self.forward_observed(cue, &mut |_, _| {})
    }

    /// [`forward`](Self::forward), showing the maps of a residual network to `observe` under
    /// torchvision's names.
    pub fn forward_observed(
        &self,
        cue: Tensor<4>,
        observe: &mut dyn FnMut(&str, &Tensor<4>),
    ) -> Tensor<3> {
        let maps = match self {
            Self::ResNet(network) => network.maps_observed(cue, observe),
            Self::Stem(stem) => stem.forward(cue),
        };
        let [batch_size, channels, rows, columns] = maps.dims();
        maps.reshape([batch_size, channels, rows * columns])
            .swap_dims(1, 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paper_s_encoder_gives_49_tokens_and_the_released_one_s_input_64() {
        let device = Device::default();
        let encoder = CueEncoderConfig::ResNet(ResNetConfig::resnet18().with_base_width(2));
        assert_eq!(encoder.token_length(), 16);
        let network = encoder.init(&device);
        for (size, tokens) in [(224, 49), (256, 64)] {
            let output = network.forward(Tensor::zeros([1, 3, size, size], &device));
            assert_eq!(output.dims(), [1, tokens, 16]);
        }
    }

    #[test]
    fn tokens_are_in_row_order() {
        let device = Device::default();
        let encoder = CueEncoderConfig::Stem { widths: vec![2] }.init(&device);
        let CueEncoder::Stem(stem) = &encoder else {
            unreachable!("a stem was asked for")
        };
        let images =
            Tensor::<4>::random([1, 3, 6, 4], burn::tensor::Distribution::Default, &device);
        let maps = stem.forward(images.clone());
        assert_eq!(maps.dims(), [1, 2, 3, 2]);
        let maps: Vec<f32> = maps.into_data().try_to_vec().unwrap();
        let tokens: Vec<f32> = encoder.forward(images).into_data().try_to_vec().unwrap();
        for (at, token) in tokens.chunks(2).enumerate() {
            assert_eq!(token, [maps[at], maps[6 + at]]);
        }
    }
}
