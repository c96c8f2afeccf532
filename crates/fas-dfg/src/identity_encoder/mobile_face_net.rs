//! MobileFaceNet: Chen et al. 2018, <https://arxiv.org/abs/1804.07573>, table 1.
//!
//! In the form of the released weights this crate reads: foamliu/MobileFaceNet at 0a79cb11,
//! `mobilefacenet.py`. It departs from the paper in ReLU6 for PReLU, in a pointwise convolution
//! after the first depthwise one, in a bias before the last BatchNorm, and in nothing else.

use std::path::Path;

use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::activation::{relu, relu6};
use burn::tensor::{Device, Tensor, assert_shape};
use fas_weights::read_weights;

use super::IDENTITY_INPUT_SIZE;
use crate::DfgError;

/// Length of an embedding.
pub const EMBEDDING_SIZE: usize = 128;

const STEM_CHANNELS: usize = 64;
const LAST_CHANNELS: usize = 512;
/// Side of the last feature map for an input of 112 px: the stem and three stages halve it.
const LAST_SIZE: usize = IDENTITY_INPUT_SIZE as usize / 16;

/// A run of inverted residual blocks of one width: a row of table 1.
#[derive(Config, Debug, PartialEq)]
pub struct InvertedResidualStage {
    /// Hidden channels over input channels, `t`; at least 1.
    pub expansion: usize,
    /// Output channels, `c`.
    pub channels: usize,
    /// Blocks, `n`; at least 1.
    pub blocks: usize,
    /// Stride of the first block, `s`: 1 or 2.
    pub stride: usize,
}

/// Configuration to create a [`MobileFaceNet`] with [`init`](MobileFaceNetConfig::init).
#[derive(Config, Debug)]
pub struct MobileFaceNetConfig {
    /// Stages of inverted residual blocks. Default: those of the paper.
    ///
    /// Their strides must multiply to 8, so that the last feature map is 7 x 7.
    #[config(default = "paper_stages()")]
    pub stages: Vec<InvertedResidualStage>,
}

fn paper_stages() -> Vec<InvertedResidualStage> {
    [
        (2, 64, 5, 2),
        (4, 128, 1, 2),
        (2, 128, 6, 1),
        (4, 128, 1, 2),
        (2, 128, 2, 1),
    ]
    .map(|(t, c, n, s)| InvertedResidualStage::new(t, c, n, s))
    .to_vec()
}

impl MobileFaceNetConfig {
    /// Initializes the network on `device`, with random weights; see
    /// [`MobileFaceNet::load_weights`].
    ///
    /// # Panics
    ///
    /// Panics if the strides of the stages do not multiply to 8, or if a stage has no block.
    pub fn init(&self, device: &Device) -> MobileFaceNet {
        let stride: usize = self.stages.iter().map(|stage| stage.stride).product();
        assert_eq!(
            stride, 8,
            "the strides of the stages must multiply to 8, not {stride}"
        );
        let mut channels = STEM_CHANNELS;
        let mut features = Vec::new();
        for stage in &self.stages {
            assert!(stage.blocks > 0, "every stage needs at least one block");
            for block in 0..stage.blocks {
                let stride = if block == 0 { stage.stride } else { 1 };
                let hidden = channels * stage.expansion;
                features.push(InvertedResidual::new(
                    [channels, hidden, stage.channels],
                    stride,
                    device,
                ));
                channels = stage.channels;
            }
        }
        let last = LAST_CHANNELS;
        MobileFaceNet {
            conv1: ConvNorm::new(Conv2dConfig::new([3, STEM_CHANNELS], [3, 3]), 2, device),
            dw_conv: SeparableConv::new(STEM_CHANNELS, device),
            features,
            conv2: ConvNorm::new(Conv2dConfig::new([channels, last], [1, 1]), 1, device),
            gdconv: GlobalDepthwiseConv::new(device),
            conv3: Conv2dConfig::new([last, EMBEDDING_SIZE], [1, 1]).init(device),
            bn: BatchNormConfig::new(EMBEDDING_SIZE).init(device),
        }
    }
}

/// Small face recognition network: an aligned face to a direction in 128 dimensions.
///
/// Use it frozen ([`Module::freeze`]): on an autodiff device an unfrozen BatchNorm would normalise
/// with the batch. Embeddings are compared by [`cosine_similarity`](crate::cosine_similarity).
#[derive(Module, Debug)]
pub struct MobileFaceNet {
    conv1: ConvNorm,
    dw_conv: SeparableConv,
    features: Vec<InvertedResidual>,
    conv2: ConvNorm,
    gdconv: GlobalDepthwiseConv,
    conv3: Conv2d,
    bn: BatchNorm,
}

impl MobileFaceNet {
    /// Fills the network from a safetensors file of the released weights.
    ///
    /// # Errors
    ///
    /// [`DfgError::Weights`] if the file is unreadable or holds another network; then missing, unused
    /// and misshaped tensors are listed together.
    pub fn load_weights(self, path: impl AsRef<Path>) -> Result<Self, DfgError> {
        let path = path.as_ref();
        Ok(read_weights(path)?.apply_renamed(self, path, released_name)?)
    }

    /// Embeddings, not normalised.
    ///
    /// # Shapes
    ///
    /// - faces: `[batch_size, 3, 112, 112]`, from [`identity_input`](crate::identity_input)
    /// - output: `[batch_size, 128]`
    ///
    /// # Panics
    ///
    /// Panics if the input is not `[_, 3, 112, 112]`.
    pub fn forward(&self, faces: Tensor<4>) -> Tensor<2> {
        self.embed_map(self.identity_map(faces))
    }

    /// The last map before the global convolution: what AG-FAS takes identity tokens from.
    ///
    /// # Shapes
    ///
    /// - faces: `[batch_size, 3, 112, 112]`, from [`identity_input`](crate::identity_input)
    /// - output: `[batch_size, 512, 7, 7]`, in `[0, 6]`
    ///
    /// # Panics
    ///
    /// Panics if the input is not `[_, 3, 112, 112]`.
    pub fn identity_map(&self, faces: Tensor<4>) -> Tensor<4> {
        let side = IDENTITY_INPUT_SIZE as usize;
        assert_shape!(faces, [_, 3, side, side]);
        let mut x = self.dw_conv.forward(relu6(self.conv1.forward(faces)));
        for block in &self.features {
            x = block.forward(x);
        }
        let map = relu6(self.conv2.forward(x));
        assert_shape!(map, [_, LAST_CHANNELS, LAST_SIZE, LAST_SIZE]);
        map
    }

    /// The embedding of a map that [`identity_map`](Self::identity_map) gave.
    pub fn embed_map(&self, map: Tensor<4>) -> Tensor<2> {
        let x = self.gdconv.forward(map);
        self.bn.forward(self.conv3.forward(x)).flatten(1, 3)
    }
}

/// Name of a parameter in the released file, where blocks are numbered sequences.
fn released_name(path: &str) -> String {
    let (module, parameter) = path.rsplit_once('.').unwrap_or(("", path));
    let parameter = match parameter {
        "gamma" => "weight",
        "beta" => "bias",
        other => other,
    };
    let module = module
        .replace(".expand.", ".conv.0.")
        .replace(".depthwise.", ".conv.1.")
        .replace(".project_norm", ".conv.3")
        .replace(".project", ".conv.2");
    let module = match module.rsplit_once('.') {
        Some((owner, "conv")) => format!("{owner}.0"),
        Some((owner, "norm")) => format!("{owner}.1"),
        _ => module,
    };
    format!("{module}.{parameter}")
}

/// Convolution without bias, then BatchNorm; the activation is left to the caller.
#[derive(Module, Debug)]
struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
}

impl ConvNorm {
    /// Pads so that a stride of 1 keeps the size.
    fn new(config: Conv2dConfig, stride: usize, device: &Device) -> Self {
        let [_, channels] = config.channels;
        let pad = (config.kernel_size[0] - 1) / 2;
        let config = config
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
            .with_bias(false);
        Self {
            conv: config.init(device),
            norm: BatchNormConfig::new(channels).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(x))
    }
}

/// Depthwise 3 x 3 and pointwise convolution after the stem, with ReLU rather than ReLU6.
#[derive(Module, Debug)]
struct SeparableConv {
    depthwise: Conv2d,
    bn1: BatchNorm,
    pointwise: Conv2d,
    bn2: BatchNorm,
}

impl SeparableConv {
    fn new(channels: usize, device: &Device) -> Self {
        let depthwise = Conv2dConfig::new([channels, channels], [3, 3])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_groups(channels)
            .with_bias(false);
        let pointwise = Conv2dConfig::new([channels, channels], [1, 1]).with_bias(false);
        Self {
            depthwise: depthwise.init(device),
            bn1: BatchNormConfig::new(channels).init(device),
            pointwise: pointwise.init(device),
            bn2: BatchNormConfig::new(channels).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = relu(self.bn1.forward(self.depthwise.forward(x)));
        relu(self.bn2.forward(self.pointwise.forward(x)))
    }
}

/// Expand, depthwise, project; added to its input where the shape allows it.
#[derive(Module, Debug)]
struct InvertedResidual {
    expand: ConvNorm,
    depthwise: ConvNorm,
    project: Conv2d,
    project_norm: BatchNorm,
    residual: bool,
}

impl InvertedResidual {
    fn new([input, hidden, output]: [usize; 3], stride: usize, device: &Device) -> Self {
        let depthwise = Conv2dConfig::new([hidden, hidden], [3, 3]).with_groups(hidden);
        let project = Conv2dConfig::new([hidden, output], [1, 1]).with_bias(false);
        Self {
            expand: ConvNorm::new(Conv2dConfig::new([input, hidden], [1, 1]), 1, device),
            depthwise: ConvNorm::new(depthwise, stride, device),
            project: project.init(device),
            project_norm: BatchNormConfig::new(output).init(device),
            residual: stride == 1 && input == output,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let hidden = relu6(self.expand.forward(x.clone()));
        let hidden = relu6(self.depthwise.forward(hidden));
        let out = self.project_norm.forward(self.project.forward(hidden));
        if self.residual { x + out } else { out }
    }
}

/// Depthwise convolution over the whole map: a learned weight a position, where others average.
#[derive(Module, Debug)]
struct GlobalDepthwiseConv {
    depthwise: Conv2d,
    bn: BatchNorm,
}

impl GlobalDepthwiseConv {
    fn new(device: &Device) -> Self {
        let config = Conv2dConfig::new([LAST_CHANNELS, LAST_CHANNELS], [LAST_SIZE, LAST_SIZE])
            .with_groups(LAST_CHANNELS)
            .with_bias(false);
        Self {
            depthwise: config.init(device),
            bn: BatchNormConfig::new(LAST_CHANNELS).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.bn.forward(self.depthwise.forward(x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    #[test]
    fn released_names() {
        for (path, name) in [
            ("conv1.conv.weight", "conv1.0.weight"),
            ("conv1.norm.gamma", "conv1.1.weight"),
            ("dw_conv.depthwise.weight", "dw_conv.depthwise.weight"),
            ("dw_conv.bn1.beta", "dw_conv.bn1.bias"),
            (
                "features.3.expand.conv.weight",
                "features.3.conv.0.0.weight",
            ),
            (
                "features.3.depthwise.norm.running_var",
                "features.3.conv.1.1.running_var",
            ),
            ("features.14.project.weight", "features.14.conv.2.weight"),
            (
                "features.14.project_norm.gamma",
                "features.14.conv.3.weight",
            ),
            ("gdconv.depthwise.weight", "gdconv.depthwise.weight"),
            ("bn.running_mean", "bn.running_mean"),
        ] {
            assert_eq!(released_name(path), name);
        }
    }

    #[test]
    fn as_many_parameters_as_the_released_file() {
        // 999,936 weights and 19,712 running statistics
        let net = MobileFaceNetConfig::new().init(&Device::default());
        assert_eq!(net.num_params(), 1_019_648);
    }

    #[test]
    fn faces_in_a_batch_do_not_mix() {
        let device = Device::default();
        let net = MobileFaceNetConfig::new().init(&device);
        let pair = Tensor::<4>::random([2, 3, 112, 112], Distribution::Normal(0.0, 1.0), &device);
        let together = net.forward(pair.clone());
        assert_eq!(together.dims(), [2, EMBEDDING_SIZE]);
        let alone = net.forward(pair.narrow(0, 1, 1));
        let gap: f32 = (together.narrow(0, 1, 1) - alone).abs().max().into_scalar();
        assert!(gap < 1e-5, "{gap}");
    }

    #[test]
    #[should_panic(expected = "multiply to 8")]
    fn strides_that_miss_the_last_map_are_rejected() {
        let stages = vec![InvertedResidualStage::new(2, 64, 1, 2)];
        let _ = MobileFaceNetConfig::new()
            .with_stages(stages)
            .init(&Device::default());
    }
}
