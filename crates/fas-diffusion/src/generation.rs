//! Generation of attacks: DiffFAS, section 3.3: the live face, noised to a chosen step, is denoised
//! towards the style of another image, under classifier-free guidance.

use std::cell::Cell;

use burn::config::Config;
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
    /// Lowest and highest timestep that guidance acts at, both included, below the schedule's length; at the others
    /// the conditional prediction stands, for one pass of the network instead of two (Kynkäänniemi et al. 2024,
    /// <https://arxiv.org/abs/2404.07724>). Default: all (DiffFAS)
    pub guidance_interval: Option<[usize; 2]>,
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

impl Generator {
    /// Runs the style encoder and STFM's projections of its statistics: all that generation needs of
    /// style images, for any number of steps and faces. Image by image, so that a style does not depend
    /// on its batch.
    ///
    /// # Shapes
    ///
    /// - style: `[styles, 3, image_size, image_size]`, attack images in `[-1, 1]`
    pub fn prepare_styles(&self, style: Tensor<4>) -> StyleCondition {
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
            self.prepare_styles(Tensor::zeros([1, 3, size, size], self.device()))
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
    /// [`DiffusionError::GuidanceInterval`] if the interval of guidance is reversed or leaves the schedule.
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
        styles: &StyleCondition,
        ids: &[&str],
        seed: u64,
        config: &GenerationConfig,
    ) -> Result<Tensor<4>, DiffusionError> {
        self.check_batch(&content, styles.batch_size(), ids)?;
        let [batch_size, channels, size, _] = content.dims();
        let schedule = self.process.schedule();
        let num_timesteps = schedule.alphas_cumprod.len();
        if let Some([low, high]) = config.guidance_interval
            && !(low <= high && high < num_timesteps)
        {
            return Err(DiffusionError::GuidanceInterval {
                low,
                high,
                num_timesteps,
            });
        }
        let noise = sample_noise(seed, ids, channels, size, self.device());
        let start = config.sampler.start_step();
        let noise = noise * (schedule.noise_rate(start) * config.temperature);
        let x = content.clone() * schedule.signal_rate(start) + noise;
        let steps = config.sampler.timesteps(schedule);
        let both = steps
            .iter()
            .any(|&step| config.is_guided_at(step))
            .then(|| StyleCondition::cat(&[styles, &self.null_style().repeat(batch_size)]));
        // Every sampler calls the network once a step.
        let call = Cell::new(0);
        // Noise first, then whatever else the network gives.
        let network = |x_t: Tensor<4>, timesteps: Tensor<1, Int>| {
            let guided = config.is_guided_at(steps[call.replace(call.get() + 1)]);
            let condition = both.as_ref().filter(|_| guided).unwrap_or(styles);
            // One step for the whole batch: its embedding then has the same bits in every batch.
            let timestep = timesteps.narrow(0, 0, 1);
            let output = self.networks().unet.forward(
                x_t.clone(),
                content.clone(),
                timestep.clone(),
                condition,
            );
            let outputs = output.dims()[1];
            let half = |index: usize| {
                let output = output.clone().narrow(0, index * batch_size, batch_size);
                let predicted = output.clone().narrow(1, 0, channels);
                let noise =
                    self.parameterisation
                        .noise(predicted, x_t.clone(), content.clone(), &timestep);
                if outputs == channels {
                    return noise;
                }
                let rest = output.narrow(1, channels, outputs - channels);
                Tensor::cat(vec![noise, rest], 1)
            };
            match (guided, config.guided_outputs) {
                (false, _) => half(0),
                (true, GuidedOutputs::Noise) => {
                    guide(half(0), half(1), config.guidance_scale, channels)
                }
                (true, GuidedOutputs::All) => {
                    guide_all_channels(half(0), half(1), config.guidance_scale)
                }
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        DdpmConfig, DdpmVariance, DpmSolverConfig, GeneratorConfig, Prediction, StyleEncoderConfig,
        UNetConfig,
    };
    use burn::module::{Module, ModuleMapper, Param};
    use burn::tensor::{Device, Distribution, Tolerance};

    fn faces(count: usize, device: &Device) -> Tensor<4> {
        Tensor::random([count, 3, 64, 64], Distribution::Uniform(-1.0, 1.0), device)
    }

    /// Small changes of every weight, for networks end in zeros at the start.
    struct Awake;

    impl ModuleMapper for Awake {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|tensor| {
                let change = tensor.random_like(Distribution::Normal(0.0, 0.02));
                tensor + change
            })
        }
    }

    fn awake(config: &GeneratorConfig, device: &Device) -> Generator {
        device.seed(7);
        let generator = config.init(device);
        let networks = generator.networks().clone().map(&mut Awake);
        generator.with_networks(networks)
    }

    /// The small network, and one with the blocks, norms and variance logits of the released code.
    fn generators(device: &Device) -> [Generator; 2] {
        let released = UNetConfig::released()
            .with_model_channels(16)
            .with_channel_mult(vec![1, 2, 4, 4])
            .with_embed_channels(32)
            .with_num_res_blocks(1)
            .with_fusion_sizes(vec![16, 8])
            .with_num_groups(8);
        let released = UNetConfig {
            image_size: 64,
            ..released
        };
        let encoder = StyleEncoderConfig::small(3)
            .with_stem_channels(8)
            .with_widths(vec![8, 64, 64]);
        [
            awake(&GeneratorConfig::small(3), device),
            awake(&GeneratorConfig::new(released, encoder), device),
        ]
    }

    fn samplers() -> [Sampler; 3] {
        [
            DdimConfig::new(400)
                .with_sampling_steps(3)
                .with_eta(0.5)
                .into(),
            DpmSolverConfig::new(400).with_sampling_steps(3).into(),
            DdpmConfig::new(2)
                .with_variance(DdpmVariance::Posterior)
                .into(),
        ]
    }

    fn bits(tensor: Tensor<4>) -> Vec<u32> {
        let values: Vec<f32> = tensor.into_data().try_to_vec().unwrap();
        values.into_iter().map(f32::to_bits).collect()
    }

    #[test]
    fn an_untrained_live_centred_generator_gives_back_the_face() {
        // F = 0 at the start, so x_0 moves from the noised face towards the live face.
        let device = Device::default();
        let generator = GeneratorConfig::small(3).init(&device);
        let content = faces(1, &device);
        let sampler = DdimConfig::new(999)
            .with_sampling_steps(2)
            .with_stop_step(900);
        let config = GenerationConfig::new(sampler.into()).with_guidance_scale(1.0);
        let out = generator
            .generate(content.clone(), faces(1, &device), &["a"], 0, &config)
            .unwrap();
        let error: f32 = (out - content).abs().mean().into_scalar();
        assert!(error < 0.02, "{error}");
    }

    #[test]
    fn an_image_is_the_same_to_the_bit_in_every_batch() {
        let device = Device::default();
        let ids = ["a", "b", "c"];
        for generator in generators(&device) {
            let (content, style) = (faces(3, &device), faces(3, &device));
            // Without guidance the passes are half as large: kernels that choose by size would differ.
            let unguided = GenerationConfig::new(samplers()[0].clone()).with_guidance_scale(1.0);
            let guided = samplers().map(GenerationConfig::new);
            for config in guided.into_iter().chain([unguided]) {
                let run = |order: &[usize]| {
                    let pick = |batch: &Tensor<4>| {
                        let rows = order.iter().map(|&i| batch.clone().narrow(0, i, 1));
                        Tensor::cat(rows.collect(), 0)
                    };
                    let names: Vec<&str> = order.iter().map(|&i| ids[i]).collect();
                    generator
                        .generate(pick(&content), pick(&style), &names, 5, &config)
                        .unwrap()
                };
                let whole = run(&[0, 1, 2]);
                let spread: f32 = (whole.clone() - content.clone()).abs().mean().into_scalar();
                assert!(spread > 1e-3, "nothing was generated: {spread}");
                let turned = run(&[2, 0]);
                for (index, part) in [
                    (2, turned.clone().narrow(0, 0, 1)),
                    (0, turned.narrow(0, 1, 1)),
                ] {
                    let joint = whole.clone().narrow(0, index, 1);
                    assert!(
                        bits(joint) == bits(part),
                        "{config}, image {index} of a pair"
                    );
                }
                let alone = run(&[1]);
                assert!(
                    bits(whole.narrow(0, 1, 1)) == bits(alone),
                    "{config}, alone"
                );
            }
        }
    }

    #[test]
    fn guidance_is_equation_12_with_the_live_face_in_both_halves() {
        let device = Device::default();
        let generator = awake(&GeneratorConfig::small(3), &device);
        let (content, style) = (faces(1, &device), faces(1, &device));
        // One step from t to the clean image, so that the result is linear in the guided noise.
        let sampler = DdimConfig::new(300).with_sampling_steps(1).with_clip(false);
        let run = |scale: f64, style: &Tensor<4>| {
            let config = GenerationConfig::new(sampler.clone().into())
                .with_guidance_scale(scale)
                .with_temperature(0.1);
            generator
                .generate(content.clone(), style.clone(), &["a"], 5, &config)
                .unwrap()
        };
        let conditional = run(1.0, &style);
        let unconditional = run(1.0, &style.zeros_like());
        let guided = run(1.5, &style);
        let expected = (unconditional.clone()
            + (conditional.clone() - unconditional.clone()) * 1.5)
            .clamp(-1.0, 1.0);
        let inside = |tensor: Tensor<4>, of: &Tensor<4>| {
            tensor
                .mask_fill(of.clone().abs().greater_elem(0.95), 0.0)
                .into_data()
        };
        let strength: f32 = (conditional - unconditional).abs().mean().into_scalar();
        assert!(strength > 1e-4, "the style does nothing: {strength}");
        inside(guided, &expected).assert_approx_eq(
            &inside(expected.clone(), &expected),
            Tolerance::<f32>::rel_abs(1e-4, 1e-4),
        );
    }

    #[test]
    fn guidance_acts_within_its_interval() {
        let device = Device::default();
        let generator = awake(&GeneratorConfig::small(3), &device);
        let (content, style) = (faces(1, &device), faces(1, &device));
        let run = |steps: usize, scale: f64, interval: Option<[usize; 2]>| {
            let sampler = DdimConfig::new(300)
                .with_sampling_steps(steps)
                .with_stop_step(100);
            let config = GenerationConfig::new(sampler.into())
                .with_guidance_scale(scale)
                .with_guidance_interval(interval);
            let out = generator.generate(content.clone(), style.clone(), &["a"], 5, &config);
            bits(out.unwrap())
        };
        assert!(run(1, 3.0, Some([0, 299])) == run(1, 1.0, None));
        assert!(run(1, 3.0, Some([300, 300])) == run(1, 3.0, None));
        // Steps 300 and 100.
        let parts = [None, Some([101, 999]), Some([0, 299]), Some([101, 299])];
        let [all, first, second, neither] = parts.map(|interval| run(2, 3.0, interval));
        assert!(neither == run(2, 1.0, None));
        assert!(run(2, 3.0, Some([100, 300])) == all);
        for (a, b) in [(&first, &second), (&first, &all), (&second, &all)] {
            assert!(a != b);
        }
        assert!(first != neither && second != neither);
    }

    #[test]
    fn every_sampler_guides_within_the_interval() {
        let device = Device::default();
        let [_, generator] = generators(&device);
        let (content, style) = (faces(1, &device), faces(1, &device));
        let [ddim, solver, _] = samplers();
        for sampler in [ddim, solver, DdpmConfig::new(2).into()] {
            let start = sampler.start_step();
            let run = |scale: f64, interval: Option<[usize; 2]>| {
                let config = GenerationConfig::new(sampler.clone())
                    .with_guidance_scale(scale)
                    .with_guidance_interval(interval);
                let out = generator.generate(content.clone(), style.clone(), &["a"], 5, &config);
                bits(out.unwrap())
            };
            let (none, all) = (run(1.0, None), run(3.0, None));
            let first = run(3.0, Some([start, start]));
            assert!(run(3.0, Some([0, 999])) == all, "{start}");
            assert!(first != all && first != none, "{start}");
        }
    }

    #[test]
    fn an_interval_that_is_none_is_an_error() {
        let device = Device::default();
        let generator = GeneratorConfig::small(3).init(&device);
        for interval in [[600, 100], [0, 1000]] {
            let config = GenerationConfig::new(DdimConfig::new(300).into())
                .with_guidance_interval(Some(interval));
            let made = generator.generate(faces(1, &device), faces(1, &device), &["a"], 0, &config);
            assert!(matches!(
                made.unwrap_err(),
                DiffusionError::GuidanceInterval { .. }
            ));
        }
    }

    #[test]
    fn ancestral_sampling_uses_the_learned_variance() {
        let device = Device::default();
        let [_, generator] = generators(&device);
        let (content, style) = (faces(1, &device), faces(1, &device));
        let run = |variance: DdpmVariance| {
            let sampler = DdpmConfig::new(3).with_variance(variance);
            let config = GenerationConfig::new(sampler.into());
            let out = generator.generate(content.clone(), style.clone(), &["a"], 5, &config);
            bits(out.unwrap())
        };
        assert!(run(DdpmVariance::Learned) != run(DdpmVariance::Posterior));
    }

    #[test]
    fn every_form_of_prediction_samples_alike() {
        // A network whose output is the right one for x_0 = the live face: all forms, all samplers.
        let device = Device::default();
        let content = faces(1, &device);
        for prediction in [Prediction::Noise, Prediction::Velocity] {
            let config = GeneratorConfig::small(3).with_prediction(prediction);
            let generator = config.init(&device);
            let schedule = generator.process.schedule();
            let form = prediction.init(schedule, &device);
            let denoiser = |x_t: Tensor<4>, t: Tensor<1, Int>| {
                let output = form.target(content.clone(), x_t.clone(), content.clone(), &t);
                form.noise(output, x_t, content.clone(), &t)
            };
            let solver = DpmSolverConfig::new(500).with_sampling_steps(5);
            let steps = solver.timesteps(schedule);
            let x = content.clone() * schedule.signal_rate(500)
                + sample_noise(1, &["x"], 3, 64, &device) * schedule.noise_rate(500);
            dpm_solver_sample(denoiser, schedule, x, &steps, &solver, |_, _| {})
                .into_data()
                .assert_approx_eq(&content.to_data(), Tolerance::<f32>::rel_abs(1e-3, 1e-3));
        }
    }

    #[test]
    fn uneven_batches_are_an_error() {
        let device = Device::default();
        let generator = GeneratorConfig::small(3).init(&device);
        let error = generator
            .generate(
                faces(2, &device),
                faces(1, &device),
                &["a", "b"],
                0,
                &GenerationConfig::released(),
            )
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("2 content images, 1 style images"),
            "{error}"
        );
    }
}
