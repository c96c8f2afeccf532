//! Generation of attacks: DiffFAS, section 3.3: the live face, noised to a chosen step, is denoised
//! towards the style of another image, under classifier-free guidance.

use std::cell::Cell;
use std::ops::Range;

use burn::config::Config;
use burn::nn::PaddingConfig2d;
use burn::nn::pool::AvgPool2dConfig;
use burn::tensor::{Int, Tensor};

use crate::{
    DdimConfig, DiffusionError, Generator, Sampler, StyleCondition, ddim_sample, ddpm_sample,
    dpm_solver_sample, guide, guide_all_channels, sample_noise,
};

/// Which of the network's outputs guidance extrapolates.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum GuidedOutputs {
    /// The noise; variance logits are those of the conditional half.
    Noise,
    /// Variance logits too, as the released ancestral sampler does: log variances leave their range.
    All,
}

/// How an attack is generated.
#[derive(Config, Debug)]
pub struct GenerationConfig {
    /// Sampler, start and steps. A larger start step changes more of the face.
    pub sampler: Sampler,
    /// Guidance: 1 is none, and costs one pass of the network instead of two. Default: 2 (DiffFAS)
    #[config(default = 2.0)]
    pub guidance_scale: f64,
    /// Which outputs are guided. Default: the noise (DiffFAS, equation 12)
    #[config(default = "GuidedOutputs::Noise")]
    pub guided_outputs: GuidedOutputs,
    /// Lowest and highest timestep that `guidance_scale` acts at, both included, below the schedule's length; at the others
    /// the conditional prediction stands, for one pass of the network instead of two (Kynkäänniemi et al. 2024,
    /// <https://arxiv.org/abs/2404.07724>). Default: all (DiffFAS)
    pub guidance_interval: Option<[usize; 2]>,
    /// Guidance towards the live face: 1 is none; above it, the prediction is extrapolated from the one for a blurred
    /// live face in the same style, for one more pass of the network a step, so that what tells people apart is
    /// kept. It needs no training of its own, unlike the image guidance of Brooks et al. 2023
    /// (<https://arxiv.org/abs/2211.09800>). Default: 1 (DiffFAS)
    #[config(default = 1.0)]
    pub content_guidance: f64,
    /// Side, odd, in pixels, of the squares whose mean is the blurred face's pixel. Default: 5 (faces of 64 px)
    #[config(default = 5)]
    pub content_blur: usize,
    /// Guidance away from the weaker generator ([`Generator::with_weaker`]): 1 is none; above it, the prediction is
    /// extrapolated from that generator's, for one of its passes a step (autoguidance, Karras et al. 2024,
    /// <https://arxiv.org/abs/2406.02507>). Default: 1 (DiffFAS)
    #[config(default = 1.0)]
    pub weaker_guidance: f64,
    /// Scale of the noise that is started from, in `(0, 1]`. A briefly trained network takes part of
    /// the noise for detail, and a deterministic sampler keeps it; with less noise than the network is
    /// told of, more of it goes. Default: 1 (DiffFAS)
    #[config(default = 1.0)]
    pub temperature: f64,
}

impl GenerationConfig {
    /// The released sampling script: DDIM in 25 steps from the noise of step 250, guidance 2.
    pub fn released() -> Self {
        Self::new(DdimConfig::released().into())
    }

    fn is_guided_at(&self, timestep: usize) -> bool {
        let within = |[low, high]: [usize; 2]| (low..=high).contains(&timestep);
        self.guidance_scale != 1.0 && self.guidance_interval.is_none_or(within)
    }
}

/// Style images as a generator, and the weaker one that it is guided away from, read them: see
/// [`Generator::prepare_styles`].
#[derive(Debug, Clone)]
pub struct PreparedStyles {
    own: StyleCondition,
    weaker: Option<StyleCondition>,
}

impl PreparedStyles {
    /// Number of style images.
    pub fn batch_size(&self) -> usize {
        self.own.batch_size()
    }

    /// The styles of `range`.
    ///
    /// # Panics
    ///
    /// Panics if `range` is empty or leaves the batch.
    pub fn slice(&self, range: Range<usize>) -> Self {
        Self {
            own: self.own.slice(range.clone()),
            weaker: self.weaker.as_ref().map(|weaker| weaker.slice(range)),
        }
    }
}

impl Generator {
    /// Runs the style encoder and STFM's projections of its statistics: all that generation needs of
    /// style images, for any number of steps and faces, and those of the weaker generator if there is one.
    ///
    /// # Shapes
    ///
    /// - style: `[styles, 3, image_size, image_size]`, attack images in `[-1, 1]`
    pub fn prepare_styles(&self, style: Tensor<4>) -> PreparedStyles {
        PreparedStyles {
            own: self.condition(style.clone()),
            weaker: self.weaker.as_ref().map(|weaker| weaker.condition(style)),
        }
    }

    /// Image by image, so that a style does not depend on its batch.
    fn condition(&self, style: Tensor<4>) -> StyleCondition {
        let networks = self.networks();
        let styles: Vec<StyleCondition> = style
            .split(1, 0)
            .into_iter()
            .map(|image| {
                networks
                    .unet
                    .condition(&networks.style_encoder.features(image))
            })
            .collect();
        StyleCondition::cat(&styles.iter().collect::<Vec<_>>())
    }

    /// The condition that stands for no style: that of an image of zeros (mid grey), as in training.
    /// Computed once a generator.
    pub fn null_style(&self) -> &StyleCondition {
        self.null.get_or_init(|| {
            let size = self.config().unet.image_size;
            self.condition(Tensor::zeros([1, 3, size, size], self.device()))
        })
    }

    /// Generates one attack for each (content, style) pair.
    ///
    /// The noise of a sample comes from (`seed`, its id), and every operation treats a sample alone: an
    /// image is the same, bit for bit, whatever the batch it is made in, its place there, and the number
    /// of threads.
    ///
    /// # Shapes
    ///
    /// - content: `[batch_size, 3, image_size, image_size]`, bona fide faces in `[-1, 1]`
    /// - style: the same, attack images whose look is taken
    /// - output: the same, in `[-1, 1]`
    ///
    /// # Errors
    ///
    /// [`DiffusionError::BatchSizes`] if the three batches differ in size,
    /// [`DiffusionError::GuidanceInterval`] if the interval of guidance is reversed or leaves the schedule,
    /// [`DiffusionError::ContentBlur`] if the face is to be blurred over an even number of pixels or a single one,
    /// [`DiffusionError::NoWeakerGenerator`] if it is to be guided away from a generator that it was not given.
    pub fn generate(
        &self,
        content: Tensor<4>,
        style: Tensor<4>,
        ids: &[&str],
        seed: u64,
        config: &GenerationConfig,
    ) -> Result<Tensor<4>, DiffusionError> {
        self.check_batch(&content, style.dims()[0], ids)?;
        self.generate_prepared(content, &self.prepare_styles(style), ids, seed, config)
    }

    /// [`generate`](Self::generate) with styles that [`prepare_styles`](Self::prepare_styles) made
    /// ready, one a face.
    ///
    /// # Errors
    ///
    /// As [`generate`](Self::generate).
    pub fn generate_prepared(
        &self,
        content: Tensor<4>,
        styles: &PreparedStyles,
        ids: &[&str],
        seed: u64,
        config: &GenerationConfig,
    ) -> Result<Tensor<4>, DiffusionError> {
        self.check_batch(&content, styles.batch_size(), ids)?;
        self.check_guidance(config, styles)?;
        let [batch_size, channels, size, _] = content.dims();
        let schedule = self.process.schedule();
        let noise = sample_noise(seed, ids, channels, size, self.device());
        let start = config.sampler.start_step();
        let noise = noise * (schedule.noise_rate(start) * config.temperature);
        let x = content.clone() * schedule.signal_rate(start) + noise;
        let steps = config.sampler.timesteps(schedule);
        let both = steps
            .iter()
            .any(|&step| config.is_guided_at(step))
            .then(|| StyleCondition::cat(&[&styles.own, &self.null_style().repeat(batch_size)]));
        let blurred =
            (config.content_guidance != 1.0).then(|| blurred(content.clone(), config.content_blur));
        let weaker = self
            .weaker
            .as_deref()
            .zip(styles.weaker.as_ref())
            .filter(|_| config.weaker_guidance != 1.0);
        // Every sampler calls the network once a step.
        let call = Cell::new(0);
        // Noise first, then whatever else the network gives.
        let network = |x_t: Tensor<4>, timesteps: Tensor<1, Int>| {
            let guided = config.is_guided_at(steps[call.replace(call.get() + 1)]);
            let condition = both.as_ref().filter(|_| guided).unwrap_or(&styles.own);
            // One step for the whole batch: its embedding then has the same bits in every batch.
            let timestep = timesteps.narrow(0, 0, 1);
            let mut halves = self.predict(&x_t, &content, &timestep, condition);
            let conditional = halves.remove(0);
            let guided = match (halves.pop(), config.guided_outputs) {
                (None, _) => conditional.clone(),
                (Some(null), GuidedOutputs::Noise) => {
                    guide(conditional.clone(), null, config.guidance_scale, channels)
                }
                (Some(null), GuidedOutputs::All) => {
                    guide_all_channels(conditional.clone(), null, config.guidance_scale)
                }
            };
            let mut noise = guided.clone().narrow(1, 0, channels);
            let own = conditional.narrow(1, 0, channels);
            let away = |by: &Self, live: &Tensor<4>, style: &StyleCondition, scale: f64| {
                let weak = by.predict(&x_t, live, &timestep, style).remove(0);
                (own.clone() - weak.narrow(1, 0, channels)) * (scale - 1.0)
            };
            if let Some(blurred) = &blurred {
                noise = noise + away(self, blurred, &styles.own, config.content_guidance);
            }
            if let Some((weaker, style)) = weaker {
                noise = noise + away(weaker, &content, style, config.weaker_guidance);
            }
            let outputs = guided.dims()[1];
            if outputs == channels {
                return noise;
            }
            let rest = guided.narrow(1, channels, outputs - channels);
            Tensor::cat(vec![noise, rest], 1)
        };
        let denoiser = |x_t: Tensor<4>, timesteps: Tensor<1, Int>| {
            network(x_t, timesteps).narrow(1, 0, channels)
        };
        let step_noise = |t: usize| {
            let names: Vec<String> = ids.iter().map(|id| format!("{id}#{t}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            sample_noise(seed, &names, channels, size, self.device())
        };
        let result = match &config.sampler {
            Sampler::Ddim(ddim) => {
                ddim_sample(denoiser, schedule, x, &steps, ddim, step_noise, |_, _| {})
            }
            Sampler::DpmSolver(solver) => {
                dpm_solver_sample(denoiser, schedule, x, &steps, solver, |_, _| {})
            }
            Sampler::Ddpm(ddpm) => ddpm_sample(
                network,
                &self.process,
                x,
                steps[0],
                ddpm.variance,
                step_noise,
            ),
        };
        Ok(result.clamp(-1.0, 1.0))
    }

    /// What the network sees in `x_t` under each style that `condition` has for an image: noise first, then whatever
    /// else it gives.
    fn predict(
        &self,
        x_t: &Tensor<4>,
        content: &Tensor<4>,
        timestep: &Tensor<1, Int>,
        condition: &StyleCondition,
    ) -> Vec<Tensor<4>> {
        let [batch_size, channels, ..] = x_t.dims();
        let output =
            self.networks()
                .unet
                .forward(x_t.clone(), content.clone(), timestep.clone(), condition);
        let outputs = output.dims()[1];
        output
            .split(batch_size, 0)
            .into_iter()
            .map(|output| {
                let predicted = output.clone().narrow(1, 0, channels);
                let noise =
                    self.parameterisation
                        .noise(predicted, x_t.clone(), content.clone(), timestep);
                if outputs == channels {
                    return noise;
                }
                let rest = output.narrow(1, channels, outputs - channels);
                Tensor::cat(vec![noise, rest], 1)
            })
            .collect()
    }

    fn check_guidance(
        &self,
        config: &GenerationConfig,
        styles: &PreparedStyles,
    ) -> Result<(), DiffusionError> {
        let num_timesteps = self.process.schedule().alphas_cumprod.len();
        if let Some([low, high]) = config.guidance_interval
            && !(low <= high && high < num_timesteps)
        {
            return Err(DiffusionError::GuidanceInterval {
                low,
                high,
                num_timesteps,
            });
        }
        let side = config.content_blur;
        if config.content_guidance != 1.0 && (side < 3 || side.is_multiple_of(2)) {
            return Err(DiffusionError::ContentBlur { side });
        }
        if config.weaker_guidance != 1.0 && (self.weaker.is_none() || styles.weaker.is_none()) {
            return Err(DiffusionError::NoWeakerGenerator {
                scale: config.weaker_guidance,
            });
        }
        Ok(())
    }

    fn check_batch(
        &self,
        content: &Tensor<4>,
        styles: usize,
        ids: &[&str],
    ) -> Result<(), DiffusionError> {
        let content = content.dims()[0];
        if styles != content || ids.len() != content {
            return Err(DiffusionError::BatchSizes {
                content,
                style: styles,
                ids: ids.len(),
            });
        }
        Ok(())
    }
}

/// Means over squares of `side` pixels around each, of those inside the image.
fn blurred(images: Tensor<4>, side: usize) -> Tensor<4> {
    let reach = side / 2;
    AvgPool2dConfig::new([side, side])
        .with_strides([1, 1])
        .with_padding(PaddingConfig2d::Explicit(reach, reach, reach, reach))
        .with_count_include_pad(false)
        .init()
        .forward(images)
}

#[cfg(test)]
mod tests;
