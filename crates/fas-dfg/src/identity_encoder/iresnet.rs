//! Improved residual network of ArcFace (Deng et al. 2019, <https://arxiv.org/abs/1801.07698>), in the
//! form of insightface's `iresnet.py`: AG-FAS's identity encoder.
//!
//! [`IResNet::identity_map`] stops after the last BatchNorm, before flattening, as the released AG-FAS
//! code does. The paper says "Arcface" only; the released code uses 18 layers.

use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, Linear, LinearConfig, PRelu, PReluConfig};
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor, assert_shape};
use fas_kernels::layers::conv2d;

use super::IDENTITY_INPUT_SIZE;
use crate::resample::conv3x3;

/// Side of the last map: four stages halve 112 px.
pub const IDENTITY_MAP_SIZE: usize = IDENTITY_INPUT_SIZE as usize / 16;

/// Configuration to create an [`IResNet`] with [`init`](IResNetConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct IResNetConfig {
    /// Blocks of the four stages.
    pub blocks: [usize; 4],
    /// Channels of the four stages. Default: 64, 128, 256, 512
    #[config(default = "[64, 128, 256, 512]")]
    pub channels: [usize; 4],
    /// Length of the embedding; without, the network ends at its map. Default: 512
    #[config(default = "Some(512)")]
    pub embedding: Option<usize>,
}

impl IResNetConfig {
    /// 18 layers: the released AG-FAS code. 24,025,600 parameters, 11.2 million to the map.
    pub fn iresnet18() -> Self {
        Self::new([2, 2, 2, 2])
    }

    /// 50 layers: 43.59 million parameters.
    pub fn iresnet50() -> Self {
        Self::new([3, 4, 14, 3])
    }

    /// 100 layers: 65.16 million parameters.
    pub fn iresnet100() -> Self {
        Self::new([3, 13, 30, 3])
    }

    /// A small one for a CPU, with a map of 128 channels and an embedding of 128.
    pub fn small() -> Self {
        Self::new([1, 1, 1, 1])
            .with_channels([16, 32, 64, 128])
            .with_embedding(Some(128))
    }

    /// The same without the layers after the map.
    pub fn truncated(self) -> Self {
        self.with_embedding(None)
    }

    /// Initializes the network on `device`; convolutions from N(0, 0.1), as in insightface.
    pub fn init(&self, device: &Device) -> IResNet {
        let [c1, c2, c3, c4] = self.channels;
        let stage = |from, to, blocks| {
            (0..blocks)
                .map(|index| {
                    IResBlock::new(if index == 0 { from } else { to }, to, index == 0, device)
                })
                .collect()
        };
        IResNet {
            conv1: convolution(conv3x3([3, c1]), device),
            bn1: BatchNormConfig::new(c1).init(device),
            prelu: PReluConfig::new().with_num_parameters(c1).init(device),
            layer1: stage(c1, c1, self.blocks[0]),
            layer2: stage(c1, c2, self.blocks[1]),
            layer3: stage(c2, c3, self.blocks[2]),
            layer4: stage(c3, c4, self.blocks[3]),
            bn2: BatchNormConfig::new(c4).init(device),
            head: self.embedding.map(|width| {
                let values = c4 * IDENTITY_MAP_SIZE * IDENTITY_MAP_SIZE;
                EmbeddingHead {
                    fc: LinearConfig::new(values, width).init(device),
                    features: BatchNormConfig::new(width).init(device),
                }
            }),
        }
    }
}

/// A convolution without bias, from insightface's distribution.
fn convolution(config: Conv2dConfig, device: &Device) -> Conv2d {
    let initializer = Initializer::Normal {
        mean: 0.0,
        std: 0.1,
    };
    config
        .with_bias(false)
        .with_initializer(initializer)
        .init(device)
}

/// Face recognition network; use it frozen, or BatchNorm normalises with the batch.
#[derive(Module, Debug)]
pub struct IResNet {
    conv1: Conv2d,
    bn1: BatchNorm,
    prelu: PRelu,
    layer1: Vec<IResBlock>,
    layer2: Vec<IResBlock>,
    layer3: Vec<IResBlock>,
    layer4: Vec<IResBlock>,
    bn2: BatchNorm,
    head: Option<EmbeddingHead>,
}

impl IResNet {
    /// The map after the last BatchNorm, from which the identity tokens are taken.
    ///
    /// # Shapes
    ///
    /// - faces: `[batch_size, 3, height, width]`, RGB in `[-1, 1]`; brought to 112 px, bilinear
    /// - output: `[batch_size, 512, 7, 7]` (the last stage's channels)
    pub fn identity_map(&self, faces: Tensor<4>) -> Tensor<4> {
        self.identity_map_observed(faces, |_, _| {})
    }

    /// [`identity_map`](Self::identity_map); `observe` sees the maps between layers, under the names
    /// of the reference.
    pub fn identity_map_observed(
        &self,
        faces: Tensor<4>,
        mut observe: impl FnMut(&str, &Tensor<4>),
    ) -> Tensor<4> {
        assert_shape!(faces, [_, 3, _, _]);
        let mut x = resize_to_input(faces);
        observe("resized", &x);
        x = conv2d(&self.conv1, x);
        observe("conv1", &x);
        x = self.bn1.forward(x);
        observe("bn1", &x);
        x = self.prelu.forward(x);
        observe("prelu", &x);
        let layers = [&self.layer1, &self.layer2, &self.layer3, &self.layer4];
        for (number, layer) in layers.into_iter().enumerate() {
            x = layer.iter().fold(x, |x, block| block.forward(x));
            observe(&format!("layer{}", number + 1), &x);
        }
        x = self.bn2.forward(x);
        observe("bn2", &x);
        x
    }

    /// Embeddings, not normalised; dropout is left out, as in inference.
    ///
    /// # Shapes
    ///
    /// - faces: `[batch_size, 3, height, width]`, RGB in `[-1, 1]`
    /// - output: `[batch_size, embedding]`
    ///
    /// # Panics
    ///
    /// Panics if the network is [truncated](IResNetConfig::truncated).
    pub fn embed(&self, faces: Tensor<4>) -> Tensor<2> {
        self.embed_map(self.identity_map(faces))
    }

    /// The embedding of a map that [`identity_map`](Self::identity_map) gave.
    ///
    /// # Panics
    ///
    /// Panics if the network is [truncated](IResNetConfig::truncated).
    pub fn embed_map(&self, map: Tensor<4>) -> Tensor<2> {
        let head = self
            .head
            .as_ref()
            .expect("a truncated network has no embedding");
        head.features
            .forward(head.fc.forward(map.flatten::<2>(1, 3)))
    }

    /// Whether the network goes on after its map.
    pub fn has_embedding(&self) -> bool {
        self.head.is_some()
    }

    /// The same network without the layers after the map.
    pub fn truncated(self) -> Self {
        Self { head: None, ..self }
    }
}

/// Bilinear, pixel centres at half integers (`align_corners = false`).
pub(super) fn resize_to_input(faces: Tensor<4>) -> Tensor<4> {
    let side = IDENTITY_INPUT_SIZE as usize;
    let [_, _, height, width] = faces.dims();
    if [height, width] == [side, side] {
        return faces;
    }
    let options = InterpolateOptions::new(InterpolateMode::Bilinear)
        .with_align_corners(false)
        .with_output_size([side, side]);
    interpolate(faces, options)
}

/// Norm, convolution, norm, PReLU, convolution (with the stride), norm; plus the input. No activation
/// after the sum.
#[derive(Module, Debug)]
struct IResBlock {
    bn1: BatchNorm,
    conv1: Conv2d,
    bn2: BatchNorm,
    prelu: PRelu,
    conv2: Conv2d,
    bn3: BatchNorm,
    downsample: Option<Shortcut>,
}

impl IResBlock {
    fn new(from: usize, to: usize, halve: bool, device: &Device) -> Self {
        let norm = |channels| BatchNormConfig::new(channels).init(device);
        let stride = if halve { [2, 2] } else { [1, 1] };
        Self {
            bn1: norm(from),
            conv1: convolution(conv3x3([from, to]), device),
            bn2: norm(to),
            prelu: PReluConfig::new().with_num_parameters(to).init(device),
            conv2: convolution(conv3x3([to, to]).with_stride(stride), device),
            bn3: norm(to),
            downsample: (halve || from != to).then(|| Shortcut {
                conv: convolution(
                    Conv2dConfig::new([from, to], [1, 1]).with_stride(stride),
                    device,
                ),
                norm: norm(to),
            }),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let hidden = conv2d(&self.conv1, self.bn1.forward(input.clone()));
        let hidden = self.prelu.forward(self.bn2.forward(hidden));
        let hidden = self.bn3.forward(conv2d(&self.conv2, hidden));
        match &self.downsample {
            Some(shortcut) => hidden + shortcut.norm.forward(conv2d(&shortcut.conv, input)),
            None => hidden + input,
        }
    }
}

#[derive(Module, Debug)]
struct Shortcut {
    conv: Conv2d,
    norm: BatchNorm,
}

#[derive(Module, Debug)]
struct EmbeddingHead {
    fc: Linear,
    features: BatchNorm,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parameters without running statistics, which PyTorch does not count.
    fn trained_parameters(config: &IResNetConfig) -> usize {
        use burn::module::{ModuleVisitor, Param};
        struct Count(usize, Vec<String>);
        impl ModuleVisitor for Count {
            fn enter_module(&mut self, name: &str, _: &str) {
                self.1.push(name.to_owned());
            }
            fn exit_module(&mut self, _: &str, _: &str) {
                self.1.pop();
            }
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let name = self.1.last().map_or("", String::as_str);
                if !name.starts_with("running_") {
                    self.0 += param.lazy_shape().num_elements();
                }
            }
        }
        let mut count = Count(0, Vec::new());
        config.init(&Device::default()).visit(&mut count);
        count.0
    }

    #[test]
    fn as_many_parameters_as_insightface() {
        for (config, expected) in [
            (IResNetConfig::iresnet18(), 24_025_600),
            (IResNetConfig::iresnet50(), 43_590_848),
            (IResNetConfig::iresnet100(), 65_156_160),
        ] {
            assert_eq!(trained_parameters(&config), expected);
        }
    }

    #[test]
    fn the_map_has_seven_by_seven_places() {
        let device = Device::default();
        let net = IResNetConfig::small().init(&device);
        let faces = Tensor::<4>::ones([2, 3, 64, 64], &device);
        assert_eq!(net.identity_map(faces.clone()).dims(), [2, 128, 7, 7]);
        assert_eq!(net.embed(faces).dims(), [2, 128]);
    }

    #[test]
    #[should_panic(expected = "truncated network")]
    fn a_truncated_network_does_not_embed() {
        let device = Device::default();
        let net = IResNetConfig::small().init(&device).truncated();
        let _ = net.embed(Tensor::<4>::ones([1, 3, 112, 112], &device));
    }
}
