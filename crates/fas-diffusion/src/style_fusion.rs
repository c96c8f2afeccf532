//! Style Transfer Fusion Module (STFM): DiffFAS, section 3.2, equations 9 to 11.
//!
//! `X_f = X + conv(norm(X) sigma_f + mu_f)`, where `mu_f` and `sigma_f` are attention over patch means
//! and patch variances: queries from the backbone map, keys and values from the style map.

use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, GroupNorm, GroupNormConfig, Initializer, Linear};
use burn::nn::{LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, assert_shape, s};
use fas_kernels::layers::{conv2d, linear};
use fas_kernels::{PatchMoments, PatchOptions, add, modulate_by_grids, patch_moments, softmax};

use crate::ops::group_norm;
use crate::patch_statistics::{GlobalToken, Upsampling, grid_side, upsampling_axis};
use crate::precision::{like, widened};

/// What stands for the spread of a patch.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum SpreadStatistic {
    /// Biased variance `E[x^2] - E[x]^2`, at least 0: the paper's words.
    Variance,
    /// Its root, `sqrt(var + 1e-5)`.
    StandardDeviation,
    /// `E[x] - E[x^2]`, what the released code computes.
    MeanMinusMeanSquare,
}

/// What is done to the style map before its statistics are taken.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum ConditionNorm {
    /// Nothing: the paper.
    None,
    /// BatchNorm, one for each STFM, as in the released code. In training the images of a batch then see
    /// each other, the styles that were dropped included, and an average of the weights needs the
    /// running statistics too.
    BatchNorm,
}

/// Which statistics of the style a place of the face takes.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum StatisticMatching {
    /// What attention finds among all patches of the style (equations 9 and 10).
    Attention,
    /// Those of the patch at the same place, as they are: a baseline of Fig. 5. With patches as large as
    /// the map this is AdaIN (Huang and Belongie, 2017). The linear layers then meet no value.
    SamePlace,
}

/// The points in which the paper's STFM, the released one and its baselines differ, patches and statistic
/// aside.
#[derive(Config, Debug, PartialEq, Eq)]
pub struct StyleFusionForm {
    /// Norm of the style map. Default: none (paper), which is the same in training and use
    #[config(default = "ConditionNorm::None")]
    pub condition_norm: ConditionNorm,
    /// Where the global token stands. Default: last (paper), so that every patch keeps its place
    #[config(default = "GlobalToken::Last")]
    pub global_token: GlobalToken,
    /// From the grid to the map. Default: bilinear (paper), which does not overshoot on grids of one or
    /// two cells
    #[config(default = "Upsampling::Bilinear")]
    pub upsampling: Upsampling,
    /// Whether the inner norm is applied once more, with the same weights, to the result. Default: false
    /// (paper), for a norm there cannot start at zero
    #[config(default = false)]
    pub outer_norm: bool,
    /// Whether the last convolution starts at zero, so that the module starts as the identity.
    /// Default: true; the paper is silent, the released code starts it at random
    #[config(default = true)]
    pub zero_init: bool,
    /// Which statistics of the style a place takes. Default: what attention finds (paper, released)
    #[config(default = "StatisticMatching::Attention")]
    pub matching: StatisticMatching,
}

impl StyleFusionForm {
    /// As the paper writes it.
    pub fn paper() -> Self {
        Self::new()
    }

    /// As the released code runs.
    pub fn released() -> Self {
        Self::new()
            .with_condition_norm(ConditionNorm::BatchNorm)
            .with_global_token(GlobalToken::First)
            .with_upsampling(Upsampling::BicubicAlignCorners)
            .with_outer_norm(true)
            .with_zero_init(false)
    }
}

/// Configuration to create a [`StyleFusion`] with [`init`](StyleFusionConfig::init).
#[derive(Config, Debug)]
pub struct StyleFusionConfig {
    /// Channels of the backbone map and of the style map.
    pub channels: usize,
    /// Height and width of both maps.
    pub size: usize,
    /// Paper's or released form. Default: the paper's, whose statistics mean what they say
    #[config(default = "StyleFusionForm::paper()")]
    pub form: StyleFusionForm,
    /// Patch side of the means, in pixels; larger than that of the spread, or identity leaks. Pixels
    /// that fill no whole patch, on the right and at the bottom, are left out. Default: 6 (paper;
    /// released 5)
    #[config(default = 6)]
    pub mean_patch: usize,
    /// Patch side of the spread, in pixels. Default: 2 (paper; released 3)
    #[config(default = 2)]
    pub spread_patch: usize,
    /// What stands for the spread of a patch. Default: the variance (paper)
    #[config(default = "SpreadStatistic::Variance")]
    pub spread: SpreadStatistic,
    /// Most groups of the norm; fewer where `channels` has fewer. Default: 32
    #[config(default = 32)]
    pub num_groups: usize,
}

impl StyleFusionConfig {
    /// The module as the paper describes it: patches of 6x6 and 2x2, variances.
    pub fn paper(channels: usize, size: usize) -> Self {
        Self::new(channels, size)
    }

    /// The module as the released code runs it.
    pub fn released(channels: usize, size: usize) -> Self {
        Self::new(channels, size)
            .with_form(StyleFusionForm::released())
            .with_mean_patch(5)
            .with_spread_patch(3)
            .with_spread(SpreadStatistic::MeanMinusMeanSquare)
    }

    /// Initializes the module on `device`.
    ///
    /// # Panics
    ///
    /// Panics if a patch side is 0.
    pub fn init(&self, device: &Device) -> StyleFusion {
        assert!(
            self.mean_patch > 0 && self.spread_patch > 0,
            "patch sides must be positive"
        );
        let conv = Conv2dConfig::new([self.channels, self.channels], [3, 3])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
        let conv = if self.form.zero_init {
            conv.with_initializer(Initializer::Zeros)
        } else {
            conv
        };
        StyleFusion {
            condition_norm: (self.form.condition_norm == ConditionNorm::BatchNorm)
                .then(|| BatchNormConfig::new(self.channels).init(device)),
            mean: self.branch(self.mean_patch, device),
            spread: self.branch(self.spread_patch, device),
            norm: GroupNormConfig::new(self.num_groups.min(self.channels), self.channels)
                .init(device),
            conv: conv.init(device),
            statistic: self.spread,
            patches: PatchOptions {
                mean_patch: self.mean_patch,
                spread_patch: self.spread_patch,
                global_first: self.form.global_token == GlobalToken::First,
            },
            outer_norm: self.form.outer_norm,
            size: self.size,
        }
    }

    fn branch(&self, patch: usize, device: &Device) -> StatisticAttention {
        let side = grid_side(self.size, patch);
        let linear = || LinearConfig::new(self.channels, self.channels);
        StatisticAttention {
            query: linear().init(device),
            key: linear().init(device),
            value: linear().init(device),
            output: linear()
                .with_initializer(Initializer::KaimingNormal {
                    gain: 2f64.sqrt(),
                    fan_out_only: false,
                })
                .init(device),
            matching: self.form.matching,
            axis: upsampling_axis(side, self.size, self.form.upsampling, device),
        }
    }
}

/// Attention over the tokens of one statistic.
#[derive(Module, Debug)]
struct StatisticAttention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    #[module(skip)]
    matching: StatisticMatching,
    /// From a side of the grid to that of the map.
    axis: Tensor<2>,
}

impl StatisticAttention {
    /// What the queries meet: it depends on the style alone.
    fn keys_values(&self, style: Tensor<3>) -> KeysValues {
        match self.matching {
            StatisticMatching::Attention => KeysValues {
                keys: linear(&self.key, style.clone()),
                values: linear(&self.value, style),
            },
            StatisticMatching::SamePlace => KeysValues {
                keys: style.clone(),
                values: style,
            },
        }
    }

    /// Fused statistic on its grid, `[batch_size, channels, side^2]`, from the tokens of the backbone.
    fn forward(&self, x: Tensor<3>, style: &KeysValues) -> Tensor<3> {
        let tokens = x.dims()[1];
        let fused = match self.matching {
            StatisticMatching::Attention => self.attended(x, style),
            StatisticMatching::SamePlace => style.values.clone(),
        };
        // The last token: the global one in the paper's form, the last patch in the released one.
        fused.slice(s![.., ..tokens - 1]).swap_dims(1, 2)
    }

    fn attended(&self, x: Tensor<3>, style: &KeysValues) -> Tensor<3> {
        let channels = x.dims()[2];
        let query = linear(&self.query, x);
        // Not `fas_kernels::attention`: a few dozen tokens make no large score matrix, and scores that
        // are computed again leave small gradients of the keys' bias, which are zero, less exact.
        let keys = style.keys.clone().swap_dims(1, 2);
        let scores = query.matmul(keys) / (channels as f64).sqrt();
        let attended = softmax(scores, 2).matmul(style.values.clone());
        linear(&self.output, attended)
    }
}

/// Keys and values, `[batch_size, tokens, channels]`, always in this order in memory: a product of
/// matrices rounds differently for another one, and a style would depend on its batch.
#[derive(Debug, Clone)]
struct KeysValues {
    keys: Tensor<3>,
    values: Tensor<3>,
}

impl KeysValues {
    fn map(&self, change: &dyn Fn(Tensor<3>) -> Tensor<3>) -> Self {
        Self {
            keys: change(self.keys.clone()),
            values: change(self.values.clone()),
        }
    }
}

/// All that a [`StyleFusion`] reads of a style map: keys and values of both statistics. They do not
/// depend on the diffusion step nor on the face, so a sampler computes them once for all steps.
#[derive(Debug, Clone)]
pub struct StyleTokens {
    mean: KeysValues,
    spread: KeysValues,
}

impl StyleTokens {
    /// Number of style images.
    pub fn batch_size(&self) -> usize {
        self.mean.keys.dims()[0]
    }

    /// The same change of every tensor, each with the batch as its first axis.
    pub(crate) fn map(&self, change: &dyn Fn(Tensor<3>) -> Tensor<3>) -> Self {
        Self {
            mean: self.mean.map(change),
            spread: self.spread.map(change),
        }
    }

    /// The styles of all parts, in order.
    pub(crate) fn cat(parts: &[&Self]) -> Self {
        let column = |tensor: fn(&Self) -> &Tensor<3>| {
            Tensor::cat(parts.iter().map(|part| tensor(part).clone()).collect(), 0)
        };
        Self {
            mean: KeysValues {
                keys: column(|part| &part.mean.keys),
                values: column(|part| &part.mean.values),
            },
            spread: KeysValues {
                keys: column(|part| &part.spread.keys),
                values: column(|part| &part.spread.values),
            },
        }
    }
}

/// Style Transfer Fusion Module.
#[derive(Module, Debug)]
pub struct StyleFusion {
    condition_norm: Option<BatchNorm>,
    mean: StatisticAttention,
    spread: StatisticAttention,
    norm: GroupNorm,
    conv: Conv2d,
    #[module(skip)]
    statistic: SpreadStatistic,
    #[module(skip)]
    patches: PatchOptions,
    outer_norm: bool,
    size: usize,
}

impl StyleFusion {
    /// Whether the style maps are normalised first.
    pub(crate) fn has_condition_norm(&self) -> bool {
        self.condition_norm.is_some()
    }

    /// Height and width of the maps.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Statistics of a style map, as the keys and values that the queries of a face meet.
    ///
    /// # Shapes
    ///
    /// - style_features: `[batch_size, channels, size, size]`; of a half type the tokens are `f32`
    pub fn style_tokens(&self, style_features: Tensor<4>) -> StyleTokens {
        let style_features = widened(style_features);
        let normalised = match &self.condition_norm {
            Some(norm) => norm.forward(style_features),
            None => style_features,
        };
        let (mean, spread) = self.statistics(normalised);
        StyleTokens {
            mean: self.mean.keys_values(mean),
            spread: self.spread.keys_values(spread),
        }
    }

    /// Fuses the style into the backbone map.
    ///
    /// # Shapes
    ///
    /// - x, output: `[batch_size, channels, size, size]`
    pub fn forward(&self, x: Tensor<4>, style: &StyleTokens) -> Tensor<4> {
        let [batch_size, channels, ..] = x.dims();
        assert_shape!(x, [batch_size, channels, self.size, self.size]);
        // A variance as a difference of means needs more digits than a half type has, and more range.
        let wide = widened(x.clone());
        let (mean, spread) = self.statistics(wide.clone());
        let mean = self.mean.forward(mean, &style.mean);
        let spread = self.spread.forward(spread, &style.spread);
        let normalised = group_norm(&self.norm, wide);
        let (mean_axis, spread_axis) = (self.mean.axis.clone(), self.spread.axis.clone());
        let styled = modulate_by_grids(normalised, spread, mean, spread_axis, mean_axis);
        let fused = conv2d(&self.conv, like(styled, &x));
        let change = if self.outer_norm {
            group_norm(&self.norm, fused)
        } else {
            fused
        };
        add(x, change)
    }

    /// Mean tokens and spread tokens of a map, `[batch_size, tokens, channels]`.
    fn statistics(&self, x: Tensor<4>) -> (Tensor<3>, Tensor<3>) {
        let PatchMoments {
            means,
            spread_means: patch_mean,
            spread_squares: mean_square,
        } = patch_moments(x, self.patches);
        let variance =
            |mean: Tensor<3>, square: Tensor<3>| (square - mean.clone() * mean).clamp_min(0.0);
        let spread = match self.statistic {
            SpreadStatistic::Variance => variance(patch_mean, mean_square),
            SpreadStatistic::StandardDeviation => (variance(patch_mean, mean_square) + 1e-5).sqrt(),
            SpreadStatistic::MeanMinusMeanSquare => patch_mean - mean_square,
        };
        (means.swap_dims(1, 2), spread.swap_dims(1, 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;
    use burn::tensor::{Distribution, TensorData, Tolerance};

    #[test]
    fn starts_as_the_identity() {
        let device = Device::default();
        let fusion = StyleFusionConfig::paper(8, 8)
            .with_num_groups(4)
            .init(&device);
        let x = Tensor::<4>::random([2, 8, 8, 8], Distribution::Default, &device);
        let style =
            fusion.style_tokens(Tensor::random([2, 8, 8, 8], Distribution::Default, &device));
        assert_eq!(fusion.forward(x.clone(), &style).into_data(), x.into_data());
    }

    #[test]
    fn adain_is_patches_as_large_as_the_map_without_attention() {
        let device = Device::default();
        let form = StyleFusionForm::paper().with_matching(StatisticMatching::SamePlace);
        let fusion = StyleFusionConfig::paper(1, 2)
            .with_form(form)
            .with_mean_patch(2)
            .with_spread_patch(2)
            .with_spread(SpreadStatistic::StandardDeviation)
            .init(&device);
        // Instead of zeros, the centre tap alone: the convolution is the identity.
        let mut kernel = vec![0.0; 9];
        kernel[4] = 1.0;
        let kernel = Tensor::from_data(TensorData::new(kernel, [1, 1, 3, 3]), &device);
        let fusion = StyleFusion {
            conv: Conv2d {
                weight: Param::from_tensor(kernel),
                ..fusion.conv.clone()
            },
            ..fusion
        };
        let map = |values: [f32; 4]| {
            Tensor::<4>::from_data(TensorData::new(values.to_vec(), [1, 1, 2, 2]), &device)
        };
        // Mean 10 and variance 16; the face has mean 2 and deviation 1.
        let style = fusion.style_tokens(map([6.0, 14.0, 14.0, 6.0]));
        let fused = fusion.forward(map([1.0, 3.0, 1.0, 3.0]), &style);
        // x + (x - 2) / 1 * 4 + 10
        fused.into_data().assert_approx_eq::<f32>(
            &TensorData::new(vec![7f32, 17.0, 7.0, 17.0], [1, 1, 2, 2]),
            Tolerance::rel_abs(1e-4, 1e-4),
        );
    }

    #[test]
    fn without_attention_a_place_takes_the_patch_at_its_place() {
        let device = Device::default();
        let form = StyleFusionForm::paper().with_matching(StatisticMatching::SamePlace);
        let fusion = StyleFusionConfig::paper(1, 2)
            .with_form(form)
            .with_mean_patch(1)
            .with_spread_patch(1)
            .init(&device);
        let values = vec![1f32, 2.0, 3.0, 5.0];
        let map = Tensor::<4>::from_data(TensorData::new(values.clone(), [1, 1, 2, 2]), &device);
        let style = fusion.style_tokens(map.clone());
        let (mean, _) = fusion.statistics(map * -1.0);
        let fused = fusion.mean.forward(mean, &style.mean);
        assert_eq!(fused.into_data(), TensorData::new(values, [1, 1, 4]));
    }

    #[test]
    fn variance_of_a_patch_is_biased() {
        let device = Device::default();
        let fusion = StyleFusionConfig::paper(1, 2)
            .with_num_groups(1)
            .init(&device);
        let map = Tensor::<4>::from_data([[[[1.0, 3.0], [1.0, 3.0]]]], &device);
        let (_, spread) = fusion.statistics(map);
        let spread: Vec<f32> = spread.into_data().try_to_vec().unwrap();
        // one patch and the global token, both the variance of {1, 3, 1, 3}
        assert_eq!(spread, [1.0, 1.0]);
    }
}
