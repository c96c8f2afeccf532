//! TAEF2: a tiny autoencoder of the FLUX.2 latent, from madebyollin/taesd (MIT).
//!
//! It has no distribution and no scale factor: its latents are of mean 0 and deviation about 1.

use std::path::Path;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, Initializer};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, assert_shape};
use fas_kernels::layers::{conv2d, group_norm};
use fas_weights::read_weights;

use crate::DfgError;
use crate::ops::group_norm_layer;
use crate::resample::{conv3x3, nearest_2x};

const CHANNELS: usize = 64;
const LATENT_CHANNELS: usize = 32;
/// Groups, and channels over those of the map, of a block's pooled branch.
const POOL: usize = 4;

/// Tiny autoencoder: 8 times smaller, 32 channels.
#[derive(Module, Debug)]
pub struct Taef2 {
    encoder: TinyEncoder,
    decoder: TinyDecoder,
}

impl Taef2 {
    /// Initializes the networks on `device`, with random weights; see
    /// [`load_weights`](Self::load_weights).
    pub fn new(device: &Device) -> Self {
        let plain = |count| (0..count).map(|_| TinyBlock::new(false, device)).collect();
        let pooled = |count| (0..count).map(|_| TinyBlock::new(true, device)).collect();
        let resample = |stride| {
            conv3x3([CHANNELS, CHANNELS])
                .with_stride([stride, stride])
                .with_bias(false)
                .init(device)
        };
        Self {
            encoder: TinyEncoder {
                conv_in: conv3x3([3, CHANNELS]).init(device),
                stages: vec![plain(1), plain(3), plain(3), pooled(3)]
                    .into_iter()
                    .map(|blocks| TinyStage { blocks })
                    .collect(),
                halve: (0..3).map(|_| resample(2)).collect(),
                conv_out: conv3x3([CHANNELS, LATENT_CHANNELS]).init(device),
            },
            decoder: TinyDecoder {
                conv_in: conv3x3([LATENT_CHANNELS, CHANNELS]).init(device),
                stages: vec![pooled(3), plain(3), plain(3), plain(1)]
                    .into_iter()
                    .map(|blocks| TinyStage { blocks })
                    .collect(),
                double: (0..3).map(|_| resample(1)).collect(),
                conv_out: conv3x3([CHANNELS, 3]).init(device),
            },
        }
    }

    /// Fills both networks from the safetensors files of the release, which number the layers.
    ///
    /// # Errors
    ///
    /// [`DfgError::Weights`] if a file is unreadable or holds another network.
    pub fn load_weights(
        self,
        encoder: impl AsRef<Path>,
        decoder: impl AsRef<Path>,
    ) -> Result<Self, DfgError> {
        let (from, to) = (encoder.as_ref(), decoder.as_ref());
        let names = |first: usize, first_of_stage: [usize; 4], last: usize, change: [usize; 3]| {
            move |path: &str| released_name(path, first, first_of_stage, last, change)
        };
        Ok(Self {
            encoder: read_weights(from)?.apply_renamed(
                self.encoder,
                from,
                names(0, [1, 3, 7, 11], 14, [2, 6, 10]),
            )?,
            decoder: read_weights(to)?.apply_renamed(
                self.decoder,
                to,
                names(1, [3, 8, 13, 18], 19, [7, 12, 17]),
            )?,
        })
    }

    /// # Shapes
    ///
    /// - images: `[batch_size, 3, height, width]`, in `[0, 1]`, sides that 8 divides
    /// - output: `[batch_size, 32, height / 8, width / 8]`
    pub fn encode(&self, images: Tensor<4>) -> Tensor<4> {
        assert_shape!(images, [_, 3, _, _]);
        let mut hidden = conv2d(&self.encoder.conv_in, images);
        for (index, stage) in self.encoder.stages.iter().enumerate() {
            if index > 0 {
                hidden = conv2d(&self.encoder.halve[index - 1], hidden);
            }
            hidden = stage.forward(hidden);
        }
        conv2d(&self.encoder.conv_out, hidden)
    }

    /// # Shapes
    ///
    /// - latents: `[batch_size, 32, height, width]`
    /// - output: `[batch_size, 3, 8 height, 8 width]`, about `[0, 1]`, not clamped
    pub fn decode(&self, latents: Tensor<4>) -> Tensor<4> {
        let limited = (latents / 3.0).tanh() * 3.0;
        let mut hidden = relu(conv2d(&self.decoder.conv_in, limited));
        for (index, stage) in self.decoder.stages.iter().enumerate() {
            if index > 0 {
                hidden = conv2d(&self.decoder.double[index - 1], nearest_2x(hidden));
            }
            hidden = stage.forward(hidden);
        }
        conv2d(&self.decoder.conv_out, hidden)
    }
}

/// Name of a parameter in a released file: `stages.1.blocks.2.conv_3.weight` is block 2 of a stage that
/// starts at some number, its convolutions at the even places of a sequence.
fn released_name(
    path: &str,
    first: usize,
    first_of_stage: [usize; 4],
    last: usize,
    change: [usize; 3],
) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    let number = |text: &str| text.parse::<usize>().expect("an index of a list");
    let leaf = match parts[parts.len() - 1] {
        "gamma" => "weight",
        "beta" => "bias",
        other => other,
    };
    match parts[..] {
        ["conv_in", _] => format!("{first}.{leaf}"),
        ["conv_out", _] => format!("{last}.{leaf}"),
        ["halve" | "double", index, _] => format!("{}.{leaf}", change[number(index)]),
        ["stages", stage, "blocks", block, layer, ..] => {
            let place = first_of_stage[number(stage)] + number(block);
            let layer = match (layer, parts[parts.len() - 2]) {
                ("conv_1", _) => "conv.0",
                ("conv_2", _) => "conv.2",
                ("conv_3", _) => "conv.4",
                (_, "expand") => "pool.0",
                (_, "norm") => "pool.1",
                _ => "pool.3",
            };
            format!("{place}.{layer}.{leaf}")
        }
        _ => path.to_owned(),
    }
}

#[derive(Module, Debug)]
struct TinyEncoder {
    conv_in: Conv2d,
    stages: Vec<TinyStage>,
    halve: Vec<Conv2d>,
    conv_out: Conv2d,
}

#[derive(Module, Debug)]
struct TinyDecoder {
    conv_in: Conv2d,
    stages: Vec<TinyStage>,
    double: Vec<Conv2d>,
    conv_out: Conv2d,
}

#[derive(Module, Debug)]
struct TinyStage {
    blocks: Vec<TinyBlock>,
}

impl TinyStage {
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        self.blocks.iter().fold(input, |x, block| block.forward(x))
    }
}

/// Three convolutions, plus the input, ReLU; at the lowest resolution behind a branch whose GroupNorm
/// lets all places of the map speak to each other.
#[derive(Module, Debug)]
struct TinyBlock {
    pool: Option<PooledBranch>,
    conv_1: Conv2d,
    conv_2: Conv2d,
    conv_3: Conv2d,
}

impl TinyBlock {
    fn new(pooled: bool, device: &Device) -> Self {
        let conv = || conv3x3([CHANNELS, CHANNELS]).init(device);
        Self {
            pool: pooled.then(|| PooledBranch::new(device)),
            conv_1: conv(),
            conv_2: conv(),
            conv_3: conv(),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let input = match &self.pool {
            Some(pool) => input.clone() + pool.forward(input),
            None => input,
        };
        let hidden = relu(conv2d(&self.conv_1, input.clone()));
        let hidden = relu(conv2d(&self.conv_2, hidden));
        relu(conv2d(&self.conv_3, hidden) + input)
    }
}

#[derive(Module, Debug)]
struct PooledBranch {
    expand: Conv2d,
    norm: GroupNorm,
    reduce: Conv2d,
}

impl PooledBranch {
    fn new(device: &Device) -> Self {
        let conv = |channels| {
            Conv2dConfig::new(channels, [1, 1])
                .with_bias(false)
                .with_initializer(Initializer::KaimingUniform {
                    gain: 1.0,
                    fan_out_only: false,
                })
                .init(device)
        };
        Self {
            expand: conv([CHANNELS, POOL * CHANNELS]),
            norm: group_norm_layer(POOL, POOL * CHANNELS, 1e-5, device),
            reduce: conv([POOL * CHANNELS, CHANNELS]),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let hidden = group_norm(&self.norm, conv2d(&self.expand, input), None, false);
        conv2d(&self.reduce, relu(hidden))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn released_names() {
        let encoder = |path| released_name(path, 0, [1, 3, 7, 11], 14, [2, 6, 10]);
        for (path, name) in [
            ("conv_in.weight", "0.weight"),
            ("stages.0.blocks.0.conv_1.bias", "1.conv.0.bias"),
            ("halve.2.weight", "10.weight"),
            ("stages.3.blocks.2.conv_3.weight", "13.conv.4.weight"),
            ("stages.3.blocks.0.pool.norm.gamma", "11.pool.1.weight"),
            ("stages.3.blocks.0.pool.expand.weight", "11.pool.0.weight"),
            ("conv_out.bias", "14.bias"),
        ] {
            assert_eq!(encoder(path), name);
        }
    }
}
