//! De-spoofing: from any face to the bona fide face of the same person (AG-FAS, section 3.2).
//!
//! The paper starts from pure noise, so the identity tokens alone must carry pose, light and background.
//! The released code starts from the input's own latents, noised to step 801 of 1000.
//!
//! **A bug of the released code, avoided here.** Its sampler (PLMS) wants its second timestep twice
//! (981, 961, 961, 941, ...). The truncated list keeps the steps up to 801 and so loses the repetition;
//! from the third call on the network is asked 20 steps ahead of the noise that is there. Here the list
//! is cut, and the sampler started at its first entry, at which the latents are noised too.

use burn::config::Config;
use burn::tensor::{Int, Tensor};
use fas_diffusion::{
    DdimConfig, DpmSolverConfig, NoiseSchedule, StepSpacing, ddim_sample, dpm_solver_sample,
    sample_noise,
};

use crate::DespoofingGenerator;

/// What denoising starts from.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum DespoofingStart {
    /// Pure noise, at the first step of the list: the paper.
    PureNoise,
    /// The input's latents, noised to the first step of the list that is not above this one: the
    /// released code, at 801.
    NoisedInput {
        /// Noise level, in `0..num_timesteps`.
        start_step: usize,
    },
}

/// Where the steps lie.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum DespoofingGrid {
    /// Stable Diffusion's: `sampling_steps` steps over the whole range, each one higher than a multiple
    /// of the interval (981, 961, ..., 21, 1 for 50), of which those up to the start are taken.
    Leading,
    /// `sampling_steps` steps, evenly from the start down to 0, both included.
    Even,
    /// The same, evenly in the logarithm of the signal-to-noise ratio: what a solver of second order
    /// wants, whose last steps would otherwise be its longest.
    LogSignalToNoise,
}

/// How the steps are taken.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum DespoofingSolver {
    /// DDIM without noise, of first order.
    Ddim,
    /// DPM-Solver++(2M), of second order at the same price. It ends at the clean latents, whatever
    /// [`FinalLevel`] says.
    DpmSolver,
}

/// The noise level that the last step of DDIM ends at.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum FinalLevel {
    /// No noise.
    Clean,
    /// That of step 0, as Stable Diffusion's samplers do (`set_alpha_to_one = false`).
    FirstStep,
}

/// How faces are de-spoofed.
#[derive(Config, Debug, PartialEq)]
pub struct DespoofingConfig {
    /// What denoising starts from. Default: the input noised to step 801 (released code)
    #[config(default = "DespoofingStart::NoisedInput { start_step: 801 }")]
    pub start: DespoofingStart,
    /// Where the steps lie. Default: Stable Diffusion's
    #[config(default = "DespoofingGrid::Leading")]
    pub grid: DespoofingGrid,
    /// Steps of the list, before it is cut at the start in Stable Diffusion's grid. Default: 50
    #[config(default = 50)]
    pub sampling_steps: usize,
    /// How the steps are taken. Default: DDIM (the released code: PLMS)
    #[config(default = "DespoofingSolver::Ddim")]
    pub solver: DespoofingSolver,
    /// Noise level after the last step of DDIM. Default: that of step 0 (released code)
    #[config(default = "FinalLevel::FirstStep")]
    pub final_level: FinalLevel,
    /// Whether latents are drawn from the first stage's distribution (released code) or are its mean.
    /// Default: drawn
    #[config(default = true)]
    pub sample_posterior: bool,
}

impl DespoofingConfig {
    /// The paper: pure noise; its sampler is not stated, so the released code's steps are taken.
    pub fn paper() -> Self {
        Self::new().with_start(DespoofingStart::PureNoise)
    }

    /// The released code, with DDIM for its PLMS: the input noised to step 801, 41 calls.
    pub fn released() -> Self {
        Self::new()
    }

    /// For small generators: `sampling_steps` even steps from `start_step` to no noise, from the mean
    /// of the latents.
    pub fn small(start_step: usize, sampling_steps: usize) -> Self {
        Self::new()
            .with_start(DespoofingStart::NoisedInput { start_step })
            .with_grid(DespoofingGrid::Even)
            .with_sampling_steps(sampling_steps)
            .with_final_level(FinalLevel::Clean)
            .with_sample_posterior(false)
    }

    /// The steps at which the network is asked, descending. The first is the noise level of the start.
    ///
    /// # Panics
    ///
    /// Panics if there are no steps, or the start leaves the schedule or lies below all steps.
    pub fn timesteps(&self, schedule: &NoiseSchedule) -> Vec<usize> {
        let range = schedule.num_timesteps();
        assert!(
            (1..=range).contains(&self.sampling_steps),
            "{} sampling steps of {range}",
            self.sampling_steps
        );
        let start = match self.start {
            DespoofingStart::PureNoise => range - 1,
            DespoofingStart::NoisedInput { start_step } => start_step,
        };
        assert!(
            start < range,
            "start_step {start} leaves the {range} steps of the schedule"
        );
        match self.grid {
            DespoofingGrid::Leading => {
                let interval = range / self.sampling_steps;
                let steps: Vec<usize> = (0..self.sampling_steps)
                    .rev()
                    .map(|index| index * interval + 1)
                    .filter(|&step| step <= start && step < range)
                    .collect();
                assert!(
                    !steps.is_empty(),
                    "no step of the grid lies at or below {start}"
                );
                steps
            }
            DespoofingGrid::Even => DdimConfig::new(start)
                .with_sampling_steps(self.sampling_steps)
                .timesteps(),
            DespoofingGrid::LogSignalToNoise => DpmSolverConfig::new(start)
                .with_sampling_steps(self.sampling_steps)
                .with_spacing(StepSpacing::LogSignalToNoise)
                .timesteps(schedule),
        }
    }
}

impl DespoofingGenerator {
    /// De-spoofed faces.
    ///
    /// The noise of a face comes from (`seed`, its id) alone: batch size and order change nothing.
    ///
    /// # Shapes
    ///
    /// - faces, output: `[batch_size, 3, image_size, image_size]`, in `[-1, 1]`
    ///
    /// # Panics
    ///
    /// Panics if the faces are of another size, or there is not one id a face.
    pub fn despoof(
        &self,
        faces: Tensor<4>,
        ids: &[&str],
        seed: u64,
        config: &DespoofingConfig,
    ) -> Tensor<4> {
        let size = self.config().image_size;
        assert_eq!(
            faces.dims(),
            [ids.len(), 3, size, size],
            "one face of {size} px for each of {} ids",
            ids.len()
        );
        let tokens = self.networks.identity_encoder.tokens(faces.clone());
        let latents = self.encode(faces, ids, seed, config.sample_posterior);
        let despoofed = self.despoof_latents(latents, tokens, ids, seed, config, |_, _| {});
        self.networks.first_stage.decode(despoofed)
    }

    /// What the first stage alone makes of faces: the part of the cue that no diffusion explains.
    ///
    /// # Shapes
    ///
    /// - faces, output: `[batch_size, 3, image_size, image_size]`, in `[-1, 1]`
    pub fn reconstruct(&self, faces: Tensor<4>) -> Tensor<4> {
        let first_stage = &self.networks.first_stage;
        first_stage.decode(first_stage.encode(faces).mean)
    }

    /// Scaled latents of faces: their means, or drawn with noise of (`seed`, id).
    fn encode(&self, faces: Tensor<4>, ids: &[&str], seed: u64, sample: bool) -> Tensor<4> {
        let posterior = self.networks.first_stage.encode(faces);
        if !sample {
            return posterior.mean;
        }
        let noise = self.noise("posterior", ids, seed, &posterior.mean);
        posterior.sample(noise)
    }

    /// De-spoofed latents of scaled latents. `observe` sees the latents after each step, and before
    /// the first as step 0.
    ///
    /// # Shapes
    ///
    /// - latents, output: `[batch_size, latent_channels, height, width]`
    /// - tokens: `[batch_size, 49, token_channels]`
    pub fn despoof_latents(
        &self,
        latents: Tensor<4>,
        tokens: Tensor<3>,
        ids: &[&str],
        seed: u64,
        config: &DespoofingConfig,
        observe: impl FnMut(usize, &Tensor<4>),
    ) -> Tensor<4> {
        let noise = self.noise("start", ids, seed, &latents);
        let schedule = self.process.schedule();
        let steps = config.timesteps(schedule);
        let x = match config.start {
            DespoofingStart::PureNoise => noise,
            DespoofingStart::NoisedInput { .. } => {
                latents * schedule.signal_rate(steps[0]) + noise * schedule.noise_rate(steps[0])
            }
        };
        self.denoise_along(x, tokens, &steps, config, observe)
    }

    /// Denoises along `steps` (descending); `observe` as for
    /// [`despoof_latents`](Self::despoof_latents).
    fn denoise_along(
        &self,
        x: Tensor<4>,
        tokens: Tensor<3>,
        steps: &[usize],
        config: &DespoofingConfig,
        mut observe: impl FnMut(usize, &Tensor<4>),
    ) -> Tensor<4> {
        observe(0, &x);
        // The condition is the same at every step.
        let denoiser = &self.networks.denoiser;
        let condition = denoiser.condition.forward(tokens, None);
        let predict = |x_t: Tensor<4>, t: Tensor<1, Int>| {
            let (context, pooled) = (condition.context.clone(), condition.pooled.clone());
            let output = denoiser
                .unet
                .forward_with_pooled(x_t.clone(), t.clone(), context, pooled);
            let unused = x_t.zeros_like();
            self.parameterisation.noise(output, x_t, unused, &t)
        };
        let schedule = self.process.schedule();
        let observe = |index: usize, x: &Tensor<4>| observe(index + 1, x);
        match config.solver {
            DespoofingSolver::Ddim => {
                let ddim = DdimConfig::new(steps[0])
                    .with_clip(false)
                    .with_final_alphas_cumprod(match config.final_level {
                        FinalLevel::Clean => 1.0,
                        FinalLevel::FirstStep => schedule.alphas_cumprod[0],
                    });
                ddim_sample(
                    predict,
                    schedule,
                    x,
                    steps,
                    &ddim,
                    |_| unreachable!("a deterministic sampler draws no noise"),
                    observe,
                )
            }
            DespoofingSolver::DpmSolver => {
                let solver = DpmSolverConfig::new(steps[0]).with_clip(false);
                dpm_solver_sample(predict, schedule, x, steps, &solver, observe)
            }
        }
    }

    /// Standard normal noise that belongs to each face, of the shape of `like`.
    fn noise(&self, purpose: &str, ids: &[&str], seed: u64, like: &Tensor<4>) -> Tensor<4> {
        let [_, channels, height, _] = like.dims();
        let names: Vec<String> = ids.iter().map(|id| format!("{purpose}/{id}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        sample_noise(seed, &names, channels, height, &like.device())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::tests::tiny;
    use burn::tensor::{Distribution, Tolerance};
    use fas_diffusion::NoiseScheduleConfig;

    fn schedule() -> NoiseSchedule {
        NoiseScheduleConfig::latent_diffusion().init()
    }

    #[test]
    fn the_released_list_is_cut_at_its_start() {
        let steps = DespoofingConfig::released().timesteps(&schedule());
        assert_eq!(
            (steps.len(), steps[0], steps[1], steps[40]),
            (41, 801, 781, 1)
        );
        let whole = DespoofingConfig::paper().timesteps(&schedule());
        assert_eq!((whole.len(), whole[0], whole[49]), (50, 981, 1));
        let small = DespoofingConfig::small(300, 4).timesteps(&schedule());
        assert_eq!(small, [300, 200, 100, 0]);
    }

    #[test]
    fn a_face_does_not_depend_on_its_batch() {
        let generator = tiny();
        let device = generator.device();
        let faces = Tensor::<4>::random([2, 3, 16, 16], Distribution::Uniform(-1.0, 1.0), device);
        for config in [
            DespoofingConfig::small(300, 3),
            DespoofingConfig::paper().with_sampling_steps(3),
        ] {
            let both = generator.despoof(faces.clone(), &["a", "b"], 5, &config);
            let alone = generator.despoof(faces.clone().narrow(0, 1, 1), &["b"], 5, &config);
            both.narrow(0, 1, 1).into_data().assert_approx_eq(
                &alone.clone().into_data(),
                Tolerance::<f32>::rel_abs(1e-5, 1e-5),
            );
            let other = generator.despoof(faces.clone().narrow(0, 1, 1), &["b"], 6, &config);
            assert_ne!(alone.into_data(), other.into_data());
        }
    }

    #[test]
    fn pure_noise_forgets_the_latents_and_a_noised_input_does_not() {
        let generator = tiny();
        let device = generator.device();
        let latents = |value: f64| Tensor::<4>::ones([1, 4, 4, 4], device) * value;
        let tokens = Tensor::<3>::zeros([1, 49, 8], device);
        let run = |value, config: &DespoofingConfig| {
            generator
                .despoof_latents(latents(value), tokens.clone(), &["a"], 0, config, |_, _| {})
                .into_data()
        };
        let noise = DespoofingConfig::paper().with_sampling_steps(2);
        assert_eq!(run(0.5, &noise), run(-0.5, &noise));
        let input = DespoofingConfig::small(300, 2);
        assert_ne!(run(0.5, &input), run(-0.5, &input));
    }

    #[test]
    fn the_solver_of_second_order_comes_nearer_to_the_limit_in_as_many_steps() {
        let generator = tiny();
        let device = generator.device();
        let latents = Tensor::<4>::random([1, 4, 4, 4], Distribution::Normal(0.0, 1.0), device);
        let tokens = Tensor::<3>::ones([1, 49, 8], device);
        let run = |solver, steps| {
            let config = DespoofingConfig::small(800, steps)
                .with_solver(solver)
                .with_grid(DespoofingGrid::LogSignalToNoise);
            let (latents, tokens) = (latents.clone(), tokens.clone());
            generator.despoof_latents(latents, tokens, &["a"], 0, &config, |_, _| {})
        };
        let limit = run(DespoofingSolver::DpmSolver, 300);
        let error = |solver, steps| -> f32 {
            let gap = run(solver, steps) - limit.clone();
            gap.square().mean().sqrt().into_scalar()
        };
        let (ddim, solver) = (
            error(DespoofingSolver::Ddim, 12),
            error(DespoofingSolver::DpmSolver, 12),
        );
        assert!(solver < 0.5 * ddim, "{solver} {ddim}");
        // Both go to the same limit.
        let far = error(DespoofingSolver::Ddim, 300);
        assert!(far < 0.2 * ddim, "{far} {ddim}");
        // One step is the network's clean latents in either case.
        let once = [DespoofingSolver::Ddim, DespoofingSolver::DpmSolver].map(|one| run(one, 1));
        let [ddim, solver] = once.map(Tensor::into_data);
        ddim.assert_approx_eq(&solver, Tolerance::<f32>::rel_abs(1e-5, 1e-5));
    }

    #[test]
    #[should_panic(expected = "leaves the 1000 steps")]
    fn starts_beyond_the_schedule_are_rejected() {
        let _ = DespoofingConfig::small(1000, 4).timesteps(&schedule());
    }
}
