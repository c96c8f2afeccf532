//! The DiffFAS U-Net: `spec` 1.1; DiffFAS, section 3.2. Input is the noised attack beside the live
//! face, attention slots hold STFM.

mod condition;
mod config;
mod warp;

use std::ops::Range;

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{GroupNorm, Linear};
use burn::tensor::{Device, Int, Tensor, assert_shape};
use fas_kernels::layers::conv2d;
use fas_kernels::{concat_channels, nearest_2x};

pub use condition::StyleCondition;
pub use config::{FusionPlacement, LevelChange, UNetConfig};

use self::condition::StyleFeed;
use self::warp::LiveWarp;
use crate::block::ResidualBlock;
use crate::ops::group_norm_silu;
use crate::precision::{Precision, like};
use crate::resample::{channels_to_patches, patches_to_channels, repeat_to};
use crate::{Resample, StyleFeatures, StyleFusion, TimeEmbedding};

/// Maps of pixel gains: three for the noised image, three for the live face.
const GAINS: usize = 6;

/// Change of resolution between two levels: one of the two fields is set.
#[derive(Module, Debug)]
struct LevelLayer {
    block: Option<ResidualBlock>,
    conv: Option<Conv2d>,
    #[module(skip)]
    resample: Resample,
}

impl LevelLayer {
    fn forward(&self, input: Tensor<4>, embedding: Tensor<2>) -> Tensor<4> {
        match (&self.block, &self.conv, self.resample) {
            (Some(block), _, _) => block.forward(input, embedding),
            (None, Some(conv), Resample::Down) => conv2d(conv, input),
            (None, Some(conv), Resample::Up) => conv2d(conv, nearest_2x(input)),
            (None, None, _) => unreachable!("built with one of the two"),
        }
    }
}

/// One entry of the released block lists: any of its parts may be absent.
#[derive(Module, Debug)]
struct UNetBlock {
    residual: Option<ResidualBlock>,
    fusion: Option<StyleFusion>,
    change: Option<LevelLayer>,
}

impl UNetBlock {
    fn forward(
        &self,
        mut hidden: Tensor<4>,
        embedding: &Tensor<2>,
        style: &mut StyleFeed<'_>,
    ) -> Tensor<4> {
        if let Some(block) = &self.residual {
            hidden = block.forward(hidden, embedding.clone());
        }
        if let Some(fusion) = &self.fusion {
            hidden = style.fuse(fusion, hidden);
        }
        match &self.change {
            Some(change) => change.forward(hidden, embedding.clone()),
            None => hidden,
        }
    }
}

#[derive(Module, Debug)]
struct Middle {
    block_1: ResidualBlock,
    fusion: StyleFusion,
    block_2: ResidualBlock,
}

/// The DiffFAS U-Net.
#[derive(Module, Debug)]
pub struct UNet {
    time_embedding: TimeEmbedding,
    stem: Conv2d,
    encoder: Vec<UNetBlock>,
    middle: Middle,
    warp: Option<LiveWarp>,
    decoder: Vec<UNetBlock>,
    out_norm: GroupNorm,
    input_scale: Option<Linear>,
    out_conv: Conv2d,
    image_size: usize,
    stem_patch: usize,
    pixel_gains: bool,
    #[module(skip)]
    precision: Precision,
}

impl UNet {
    /// Whether STFM has the layers of the released code, whose condition is normalised.
    pub(crate) fn has_released_fusion(&self) -> bool {
        self.fusions().all(StyleFusion::has_condition_norm)
    }

    /// The same network, which computes in `precision` from now on: input, output and style are `f32` in each
    /// case, and so is the last layer (as in guided-diffusion).
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The same network with an untrained transformation of the live face, which changes nothing yet.
    pub(crate) fn with_live_warp(self, config: &UNetConfig, device: &Device) -> Self {
        Self {
            warp: Some(config.warp(device)),
            ..self
        }
    }

    /// Every STFM, in the order of use.
    fn fusions(&self) -> impl Iterator<Item = &StyleFusion> {
        self.encoder
            .iter()
            .filter_map(|block| block.fusion.as_ref())
            .chain(std::iter::once(&self.middle.fusion))
            .chain(
                self.decoder
                    .iter()
                    .filter_map(|block| block.fusion.as_ref()),
            )
    }

    /// Statistics of the style maps for every STFM.
    ///
    /// # Panics
    ///
    /// Panics if `features` has no map of the size of one of the STFMs.
    pub fn condition(&self, features: &StyleFeatures) -> StyleCondition {
        StyleCondition::new(
            self.fusions()
                .map(|fusion| fusion.style_tokens(features.of_size(fusion.size())))
                .collect(),
        )
    }

    /// Predicts the noise (and variance logits) of `x_t`.
    ///
    /// `style` may hold several styles an image, all images with the first, then all with the second:
    /// guidance asks for the same images with their style and without. What comes before the first STFM
    /// does not see the style and is computed once an image, with the same result as one call a style.
    ///
    /// # Shapes
    ///
    /// - x_t, content: `[batch_size, 3, image_size, image_size]`, content in `[-1, 1]`
    /// - timesteps: `[batch_size]`, each in `0..num_timesteps`; or `[1]`, the same for all, whose result
    ///   does not depend on the batch size by a single bit
    /// - style: of `styles * batch_size` images
    /// - output: `[styles * batch_size, out_channels, image_size, image_size]`
    ///
    /// # Panics
    ///
    /// Panics if the number of styles is no multiple of `batch_size`.
    pub fn forward(
        &self,
        x_t: Tensor<4>,
        content: Tensor<4>,
        timesteps: Tensor<1, Int>,
        style: &StyleCondition,
    ) -> Tensor<4> {
        self.forward_observed(x_t, content, timesteps, style, &mut |_, _| {})
    }

    /// [`forward`](Self::forward), showing each block's output to `observe` under the released name
    /// of the block (`input_blocks.3`, `middle_block`, `output_blocks.0`); blocks after the last STFM are
    /// shown once a style.
    pub fn forward_observed(
        &self,
        x_t: Tensor<4>,
        content: Tensor<4>,
        timesteps: Tensor<1, Int>,
        style: &StyleCondition,
        observe: &mut dyn FnMut(&str, &Tensor<4>),
    ) -> Tensor<4> {
        let [batch_size, _, _, _] = x_t.dims();
        assert_shape!(x_t, [batch_size, 3, self.image_size, self.image_size]);
        assert_shape!(content, [batch_size, 3, self.image_size, self.image_size]);
        let embedding = self.time_embedding.forward(timesteps);
        let mut style = style.feed(batch_size);
        let pixels = Tensor::cat(vec![x_t, content], 1);
        let input = patches_to_channels(pixels.clone(), self.stem_patch);

        let mut hidden = conv2d(&self.stem, self.precision.enter(input.clone()));
        observe("input_blocks.0", &hidden);
        let mut skips = vec![hidden.clone()];
        for (index, block) in self.encoder.iter().enumerate() {
            hidden = block.forward(hidden, &embedding, &mut style);
            observe(&format!("input_blocks.{}", index + 1), &hidden);
            skips.push(hidden.clone());
        }
        hidden = self.middle.block_1.forward(hidden, embedding.clone());
        hidden = style.fuse(&self.middle.fusion, hidden);
        hidden = self.middle.block_2.forward(hidden, embedding.clone());
        observe("middle_block", &hidden);
        let warp = self.warp.as_ref().map(|warp| (warp, hidden.clone()));
        let images = Images {
            pixels,
            input,
            embedding,
            moved: None,
        };
        let last_fusion = self
            .decoder
            .iter()
            .rposition(|block| block.fusion.is_some());
        let styled = 0..last_fusion.map_or(0, |index| index + 1);
        hidden = self.decode(
            styled.clone(),
            hidden,
            &mut skips,
            &images,
            &mut style,
            observe,
        );
        // No style from here on, on the largest maps: one style after the other holds the maps of one.
        let unstyled = styled.end..self.decoder.len();
        let styles = hidden.dims()[0] / batch_size;
        let mut held = skips;
        held.push(hidden);
        let mut outputs = Vec::with_capacity(styles);
        for index in 0..styles {
            let own = |maps: Tensor<4>| match maps.dims()[0] {
                entries if entries == batch_size => maps,
                _ => maps.narrow(0, index * batch_size, batch_size),
            };
            let maps = match index + 1 < styles {
                true => held.clone(),
                false => std::mem::take(&mut held),
            };
            let mut skips: Vec<Tensor<4>> = maps.into_iter().map(own).collect();
            let hidden = skips.pop().expect("pushed above");
            let blocks = unstyled.clone();
            let hidden = self.decode(blocks, hidden, &mut skips, &images, &mut style, observe);
            outputs.push(match &warp {
                Some((warp, middle)) => {
                    let middle = own(middle.clone());
                    self.output(hidden, &images.warped(warp, middle, self.stem_patch))
                }
                None => self.output(hidden, &images),
            });
        }
        match outputs.len() {
            1 => outputs.remove(0),
            _ => Tensor::cat(outputs, 0),
        }
    }

    /// The decoder's `blocks`, each of which takes its skip from the end of `skips`.
    fn decode(
        &self,
        blocks: Range<usize>,
        mut hidden: Tensor<4>,
        skips: &mut Vec<Tensor<4>>,
        images: &Images,
        style: &mut StyleFeed<'_>,
        observe: &mut dyn FnMut(&str, &Tensor<4>),
    ) -> Tensor<4> {
        for index in blocks {
            let skip = skips.pop().expect("one skip a decoder block");
            let skip = repeat_to(skip, hidden.dims()[0]);
            let joined = concat_channels(hidden, skip);
            hidden = self.decoder[index].forward(joined, &images.embedding, style);
            observe(&format!("output_blocks.{index}"), &hidden);
        }
        hidden
    }

    /// The network's output from the last block's.
    fn output(&self, hidden: Tensor<4>, images: &Images) -> Tensor<4> {
        let Images {
            pixels,
            input,
            embedding,
            moved,
        } = images;
        let batch_size = hidden.dims()[0];
        let mut hidden = group_norm_silu(&self.out_norm, like(hidden, pixels));
        if let Some(linear) = &self.input_scale {
            let channels = input.dims()[1];
            let scale = linear
                .forward(embedding.clone())
                .reshape([-1, channels as i32, 1, 1])
                + 1.0;
            hidden = Tensor::cat(vec![hidden, input.clone() * scale], 1);
        }
        let mut output = channels_to_patches(conv2d(&self.out_conv, hidden), self.stem_patch);
        if self.pixel_gains {
            let [_, channels, height, width] = output.dims();
            let channels = channels - GAINS;
            let gains = output.clone().narrow(1, channels, GAINS);
            let weighted = (gains * pixels.clone()).reshape([batch_size, 2, 3, height, width]);
            let weighted: Tensor<4> = weighted.sum_dim(1).squeeze_dim(1);
            output = add_to_noise(output.narrow(1, 0, channels), weighted);
        }
        match moved {
            Some(moved) => add_to_noise(output, moved.clone()),
            None => output,
        }
    }
}

/// What every style of a forward pass has in common.
struct Images {
    /// The noised images beside the live faces.
    pixels: Tensor<4>,
    /// The same with patches as channels.
    input: Tensor<4>,
    /// Of the timesteps.
    embedding: Tensor<2>,
    /// What moving the live face adds to the output.
    moved: Option<Tensor<4>>,
}

impl Images {
    /// The same with the live faces where `warp` sees them in the `middle` maps.
    fn warped(&self, warp: &LiveWarp, middle: Tensor<4>, stem_patch: usize) -> Self {
        let noised = self.pixels.clone().narrow(1, 0, 3);
        let live = self.pixels.clone().narrow(1, 3, 3);
        let [live, moved] = warp.forward(middle, &self.embedding, live);
        let pixels = Tensor::cat(vec![noised, live], 1);
        Self {
            input: patches_to_channels(pixels.clone(), stem_patch),
            pixels,
            embedding: self.embedding.clone(),
            moved: Some(moved),
        }
    }
}

/// `output` with `noise` added to its first three channels: variance logits come after them.
fn add_to_noise(output: Tensor<4>, noise: Tensor<4>) -> Tensor<4> {
    let channels = output.dims()[1];
    if channels == 3 {
        return output + noise;
    }
    let mean = output.clone().narrow(1, 0, 3) + noise;
    Tensor::cat(vec![mean, output.narrow(1, 3, channels - 3)], 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::awake::Awake;
    use crate::{StyleEncoderConfig, StyleFusionForm};
    use burn::module::{Module, Param};
    use burn::tensor::{Distribution, Tolerance};

    #[test]
    fn released_network_has_the_published_size() {
        let unet = UNetConfig::released().init(&Device::default());
        // BatchNorm's running statistics are parameters here: two a channel, of seven STFMs
        let statistics = 2 * (2 * 256 + 5 * 512);
        let live = unet.num_params() - statistics;
        assert_eq!(live, 149_957_254);
        // Beside them the released code has weights that it never uses: a second conditioning of every
        // residual block, Linear(out, out), and the self-attention of every STFM, Conv1d(c, 3 c).
        // Of its 42 residual blocks, changes of resolution included, 13 are 128 wide, 14 256, 15 512.
        let conditioning: usize = [(128, 13), (256, 14), (512, 15)]
            .map(|(width, blocks)| blocks * (width * width + width))
            .iter()
            .sum();
        let attention: usize = unet
            .fusions()
            .map(|fusion| if fusion.size() == 32 { 256 } else { 512 })
            .map(|width| 3 * width * width + 3 * width)
            .sum();
        assert_eq!(live + conditioning + attention, 159_367_430);
    }

    #[test]
    fn two_styles_in_one_pass_are_two_passes_bit_for_bit() {
        let device = Device::default();
        device.seed(3);
        let released = UNetConfig::released()
            .with_model_channels(32)
            .with_channel_mult(vec![1, 2, 2])
            .with_embed_channels(64)
            .with_dropout(0.0)
            .with_fusion_sizes(vec![32, 16, 8]);
        let released = UNetConfig {
            image_size: 32,
            ..released
        };
        let paper = released
            .clone()
            .with_fusion_form(StyleFusionForm::paper())
            .with_mean_patch(6)
            .with_spread_patch(2);
        let small = UNetConfig::small();
        let warped = small.clone().with_live_warp(true);
        for (config, widths) in [
            (released, [64, 64]),
            (paper, [64, 64]),
            (small, [64, 96]),
            (warped, [64, 96]),
        ] {
            let size = config.image_size;
            let unet = config.init(&device).map(&mut Awake);
            let random = |shape: [usize; 4]| {
                Tensor::<4>::random(shape, Distribution::Uniform(-1.0, 1.0), &device)
            };
            let features = |_| {
                StyleFeatures(vec![
                    random([1, 32, 32, 32]),
                    random([1, widths[0], 16, 16]),
                    random([1, widths[1], 8, 8]),
                ])
            };
            let styles: Vec<StyleCondition> = (0..6)
                .map(|index| unet.condition(&features(index)))
                .collect();
            let joint = StyleCondition::cat(&styles.iter().collect::<Vec<_>>());
            let (x_t, content) = (random([3, 3, size, size]), random([3, 3, size, size]));
            let timesteps = Tensor::<1, Int>::from_data([250], &device);
            let values = |tensor: Tensor<4>| -> Vec<u32> {
                let values: Vec<f32> = tensor.into_data().try_to_vec().unwrap();
                values.into_iter().map(f32::to_bits).collect()
            };
            let together = unet.forward(x_t.clone(), content.clone(), timesteps.clone(), &joint);
            assert_eq!(together.dims()[0], 6);
            for (index, style) in styles.iter().enumerate() {
                let image = |batch: &Tensor<4>| batch.clone().narrow(0, index % 3, 1);
                let alone = unet.forward(image(&x_t), image(&content), timesteps.clone(), style);
                let joint = together.clone().narrow(0, index, 1);
                let spread: f32 = joint.clone().var(1).mean().into_scalar();
                assert!(spread > 1e-6, "the network says nothing: {spread}");
                assert!(values(joint) == values(alone), "style {index} of {size} px");
            }
        }
    }

    #[test]
    fn seven_fusions_or_sixteen() {
        let device = Device::default();
        let config = UNetConfig::paper()
            .with_model_channels(4)
            .with_embed_channels(8);
        assert_eq!(config.init(&device).fusions().count(), 7);
        let every = config.with_fusion_placement(FusionPlacement::EveryBlock);
        assert_eq!(every.init(&device).fusions().count(), 16);
    }

    #[test]
    fn small_networks_fit_the_small_encoder() {
        let device = Device::default();
        for (config, most_params) in [
            (UNetConfig::small(), 3_000_000),
            (UNetConfig::wide(), 4_000_000),
        ] {
            let unet = config.init(&device);
            let encoder = StyleEncoderConfig::small(3).init(&device);
            let images = Tensor::<4>::zeros([2, 3, 64, 64], &device);
            let condition = unet.condition(&encoder.features(images.clone()));
            let timesteps = Tensor::<1, Int>::from_data([0, 999], &device);
            let noise = unet.forward(images.clone(), images, timesteps, &condition);
            assert_eq!(noise.dims(), [2, 3, 64, 64]);
            assert!(unet.num_params() < most_params, "{}", unet.num_params());
        }
    }

    #[test]
    fn the_live_face_is_moved_where_the_transformation_says() {
        let device = Device::default();
        let encoder = StyleEncoderConfig::small(3).init(&device);
        let random =
            || Tensor::<4>::random([1, 3, 64, 64], Distribution::Uniform(-1.0, 1.0), &device);
        let (x_t, live) = (random(), random());
        for out_channels in [3, 6] {
            let config = UNetConfig::small()
                .with_out_channels(out_channels)
                .with_pixel_gains(false);
            let unet = config.init(&device);
            let condition = unet.condition(&encoder.features(random()));
            let run = |unet: &UNet| {
                let timesteps = Tensor::<1, Int>::from_data([100], &device);
                unet.forward(x_t.clone(), live.clone(), timesteps, &condition)
            };
            // Untrained, it moves nothing.
            let mut unet = unet.with_live_warp(&config, &device);
            let strongest: f32 = run(&unet).abs().max().into_scalar();
            assert!(strongest < 1e-4, "{strongest}");
            // The last convolution is zero: what is left is the gain of 4 times the difference. A column is 2 / 63
            // of the face's width from -1 to 1, and a tenth of the output moves.
            let by_three_columns = [0.0, 0.0, 10.0 * 3.0 * 2.0 / 63.0, 0.0, 0.0, 0.0f32];
            let warp = unet.warp.as_mut().unwrap();
            warp.transform.bias = Some(Param::from_data(by_three_columns, &device));
            let last = live.clone().narrow(3, 63, 1).repeat_dim(3, 3);
            let moved = Tensor::cat(vec![live.clone().narrow(3, 3, 61), last], 3);
            let expected = (moved - live.clone()) * 4.0;
            let output = run(&unet);
            assert_eq!(output.dims(), [1, out_channels, 64, 64]);
            output
                .clone()
                .narrow(1, 0, 3)
                .into_data()
                .assert_approx_eq(&expected.into_data(), Tolerance::<f32>::absolute(1e-3));
            if out_channels == 6 {
                let logits: f32 = output.narrow(1, 3, 3).abs().max().into_scalar();
                assert!(logits == 0.0, "{logits}");
            }
        }
    }

    #[test]
    fn pixel_gains_weigh_the_noised_image_and_the_live_face() {
        let device = Device::default();
        for out_channels in [3, 6] {
            let config = UNetConfig::small().with_out_channels(out_channels);
            let mut unet = config.init(&device);
            // The last convolution starts at zero: its bias alone makes the maps. The gains are 2 for
            // the noised image and -1 for the live face, the output before them 0.25.
            let bias: Vec<f32> = (0..out_channels + 6)
                .flat_map(|channel| {
                    let value = match channel.checked_sub(out_channels) {
                        None => 0.25,
                        Some(0..3) => 2.0,
                        Some(_) => -1.0,
                    };
                    [value; 4]
                })
                .collect();
            unet.out_conv.bias = Some(Param::from_data(bias.as_slice(), &device));
            let encoder = StyleEncoderConfig::small(3).init(&device);
            let x_t = Tensor::<4>::full([1, 3, 64, 64], 0.5, &device);
            let content = Tensor::<4>::full([1, 3, 64, 64], 0.125, &device);
            let condition = unet.condition(&encoder.features(content.clone()));
            let timesteps = Tensor::<1, Int>::from_data([10], &device);
            let output = unet.forward(x_t, content, timesteps, &condition);
            let mean: Vec<f32> = output
                .clone()
                .narrow(1, 0, 3)
                .into_data()
                .try_to_vec()
                .unwrap();
            assert!(mean.iter().all(|&value| value == 0.25 + 1.0 - 0.125));
            if out_channels > 3 {
                let rest = output.narrow(1, 3, out_channels - 3);
                let rest: Vec<f32> = rest.into_data().try_to_vec().unwrap();
                assert!(rest.iter().all(|&value| value == 0.25));
            }
        }
    }

    #[test]
    #[should_panic(expected = "cannot be halved")]
    fn odd_sizes_are_rejected() {
        UNetConfig {
            image_size: 60,
            ..UNetConfig::small()
        }
        .init(&Device::default());
    }
}
