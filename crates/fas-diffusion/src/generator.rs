//! The DiffFAS generator: style encoder, U-Net and process as one thing (DiffFAS, section 3).

use std::collections::HashMap;
use std::path::Path;

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use fas_weights::{StoredFloat, Weights, read_weights, save_module};

use crate::{
    DdimConfig, DiffusionError, DiffusionProcess, NoiseScheduleConfig, Parameterisation,
    Prediction, StyleEncoder, StyleEncoderConfig, UNet, UNetConfig, ddim_sample, guide,
    sample_noise,
};

/// Configuration to create a [`Generator`] with [`init`](GeneratorConfig::init).
#[derive(Config, Debug)]
pub struct GeneratorConfig {
    /// The denoising network.
    pub unet: UNetConfig,
    /// The network whose maps carry the style.
    pub style_encoder: StyleEncoderConfig,
    /// Noise schedule. Default: that of DiffFAS
    #[config(default = "NoiseScheduleConfig::difffas()")]
    pub schedule: NoiseScheduleConfig,
    /// What the network predicts. Default: the noise, as in the paper
    #[config(default = "Prediction::Noise")]
    pub prediction: Prediction,
}

impl GeneratorConfig {
    /// A generator for faces of 64 px that trains on a CPU.
    pub fn small(num_styles: usize) -> Self {
        Self::new(UNetConfig::small(), StyleEncoderConfig::small(num_styles))
            .with_prediction(Prediction::LiveCentred { deviation: 0.2 })
    }

    /// Initializes the networks on `device`.
    pub fn init(&self, device: &Device) -> Generator {
        let schedule = self.schedule.init();
        Generator {
            networks: GeneratorNetworks {
                unet: self.unet.init(device),
                style_encoder: self.style_encoder.init(device),
            },
            parameterisation: self.prediction.init(&schedule, device),
            process: DiffusionProcess::new(schedule, device),
            config: self.clone(),
            device: device.clone(),
        }
    }
}

/// How an attack is generated.
#[derive(Config, Debug)]
pub struct GenerationConfig {
    /// Start and steps of the sampler.
    pub sampler: DdimConfig,
    /// Guidance: 1 is none. Default: 2 (DiffFAS)
    #[config(default = 2.0)]
    pub guidance_scale: f64,
    /// Scale of the noise that is started from, in `(0, 1]`. A briefly trained network takes part of
    /// the noise for detail, and a deterministic sampler keeps it; with less noise than the network is
    /// told of, more of it goes. Default: 1 (DiffFAS)
    #[config(default = 1.0)]
    pub temperature: f64,
}

/// The networks of a generator.
#[derive(Module, Debug)]
pub struct GeneratorNetworks {
    /// The denoising network.
    pub unet: UNet,
    /// The style encoder.
    pub style_encoder: StyleEncoder,
}

/// Turns bona fide faces into attacks in the style of other attack images.
#[derive(Debug, Clone)]
pub struct Generator {
    pub(crate) networks: GeneratorNetworks,
    pub(crate) parameterisation: Parameterisation,
    pub(crate) process: DiffusionProcess,
    config: GeneratorConfig,
    device: Device,
}

/// Key of the configuration in the header of a weight file.
const CONFIG_KEY: &str = "generator_config";

impl Generator {
    /// The configuration it was made from.
    pub fn config(&self) -> &GeneratorConfig {
        &self.config
    }

    /// The device its weights are on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The networks.
    pub fn networks(&self) -> &GeneratorNetworks {
        &self.networks
    }

    /// The same generator with other weights.
    pub fn with_networks(self, networks: GeneratorNetworks) -> Self {
        Self { networks, ..self }
    }

    /// Writes weights, configuration and `card` (data, licence, command, seed, training domains) to a
    /// safetensors file, atomically.
    ///
    /// # Errors
    ///
    /// [`DiffusionError::Weights`] if the file cannot be written.
    pub fn save(
        &self,
        path: &Path,
        stored: StoredFloat,
        card: &HashMap<String, String>,
    ) -> Result<(), DiffusionError> {
        let mut metadata = card.clone();
        metadata.insert(CONFIG_KEY.to_owned(), self.config.to_string());
        Ok(save_module(&self.networks, path, stored, &metadata)?)
    }

    /// Reads a generator that [`save`](Self::save) wrote, and its card.
    ///
    /// # Errors
    ///
    /// [`DiffusionError::Weights`] if the file is unreadable or does not fit,
    /// [`DiffusionError::Configuration`] if its header has no configuration.
    pub fn load(
        path: &Path,
        device: &Device,
    ) -> Result<(Self, HashMap<String, String>), DiffusionError> {
        Self::from_weights(read_weights(path)?, path, device)
    }

    /// [`load`](Self::load) from bytes; `path` is for messages.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn from_bytes(
        bytes: &[u8],
        path: &Path,
        device: &Device,
    ) -> Result<(Self, HashMap<String, String>), DiffusionError> {
        Self::from_weights(Weights::from_bytes(bytes, path)?, path, device)
    }

    fn from_weights(
        weights: Weights,
        path: &Path,
        device: &Device,
    ) -> Result<(Self, HashMap<String, String>), DiffusionError> {
        let mut card = weights.metadata.clone();
        let config = card
            .remove(CONFIG_KEY)
            .and_then(|text| GeneratorConfig::load_binary(text.as_bytes()).ok())
            .ok_or_else(|| DiffusionError::Configuration {
                path: path.to_owned(),
            })?;
        let generator = config.init(device);
        let networks = weights.apply(generator.networks.clone(), path)?;
        Ok((generator.with_networks(networks), card))
    }

    /// The clean image that the network sees in attacks noised to `timesteps`, without guidance: what
    /// the error of a generator is measured on, whatever form it predicts.
    ///
    /// # Shapes
    ///
    /// - target, content, style: `[batch_size, 3, image_size, image_size]`, in `[-1, 1]`
    /// - noise: the same, standard normal
    /// - timesteps: `[batch_size]`
    /// - output: as `target`, not clipped
    pub fn denoise(
        &self,
        target: Tensor<4>,
        noise: Tensor<4>,
        content: Tensor<4>,
        style: Tensor<4>,
        timesteps: &Tensor<1, Int>,
    ) -> Tensor<4> {
        let channels = target.dims()[1];
        let x_t = self.process.q_sample(target, timesteps, noise);
        let condition = self
            .networks
            .unet
            .condition(&self.networks.style_encoder.features(style));
        let output = self
            .networks
            .unet
            .forward(x_t.clone(), content.clone(), timesteps.clone(), &condition)
            .narrow(1, 0, channels);
        self.parameterisation
            .x_start(output, x_t, content, timesteps)
    }

    /// Generates one attack for each (content, style) pair.
    ///
    /// The noise of a sample comes from (`seed`, its id): batch size and order change nothing.
    ///
    /// # Shapes
    ///
    /// - content: `[batch_size, 3, image_size, image_size]`, bona fide faces in `[-1, 1]`
    /// - style: the same, attack images whose look is taken
    /// - output: the same, in `[-1, 1]`
    ///
    /// # Errors
    ///
    /// [`DiffusionError::BatchSizes`] if the three batches differ in size.
    pub fn generate(
        &self,
        content: Tensor<4>,
        style: Tensor<4>,
        ids: &[&str],
        seed: u64,
        config: &GenerationConfig,
    ) -> Result<Tensor<4>, DiffusionError> {
        let [batch_size, channels, size, _] = content.dims();
        if style.dims()[0] != batch_size || ids.len() != batch_size {
            return Err(DiffusionError::BatchSizes {
                content: batch_size,
                style: style.dims()[0],
                ids: ids.len(),
            });
        }
        let schedule = self.process.schedule();
        let noise = sample_noise(seed, ids, channels, size, &self.device);
        let start = config.sampler.start_step;
        let noise = noise * (schedule.noise_rate(start) * config.temperature);
        let x = content.clone() * schedule.signal_rate(start) + noise;
        let guided = config.guidance_scale != 1.0;
        // Both halves of guidance run as one batch; style statistics are computed once for all steps.
        let (content, style) = if guided {
            let null = style.zeros_like();
            (
                Tensor::cat(vec![content.clone(), content], 0),
                Tensor::cat(vec![style, null], 0),
            )
        } else {
            (content, style)
        };
        let unet = &self.networks.unet;
        let condition = unet.condition(&self.networks.style_encoder.features(style));
        let denoiser = |x_t: Tensor<4>, timesteps: Tensor<1, Int>| {
            let (x_t, timesteps) = if guided {
                (
                    Tensor::cat(vec![x_t.clone(), x_t], 0),
                    Tensor::cat(vec![timesteps.clone(), timesteps], 0),
                )
            } else {
                (x_t, timesteps)
            };
            let output = unet
                .forward(x_t.clone(), content.clone(), timesteps.clone(), &condition)
                .narrow(1, 0, channels);
            let noise = self
                .parameterisation
                .noise(output, x_t, content.clone(), &timesteps);
            if !guided {
                return noise;
            }
            guide(
                noise.clone().narrow(0, 0, batch_size),
                noise.narrow(0, batch_size, batch_size),
                config.guidance_scale,
                channels,
            )
        };
        let result = ddim_sample(
            denoiser,
            schedule,
            x,
            &config.sampler.timesteps(),
            &config.sampler,
            |t| {
                let names: Vec<String> = ids.iter().map(|id| format!("{id}#{t}")).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                sample_noise(seed, &names, channels, size, &self.device)
            },
            |_, _| {},
        );
        Ok(result.clamp(-1.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Distribution, Tolerance};

    fn faces(count: usize, device: &Device) -> Tensor<4> {
        Tensor::random([count, 3, 64, 64], Distribution::Uniform(-1.0, 1.0), device)
    }

    fn options(guidance_scale: f64) -> GenerationConfig {
        GenerationConfig::new(DdimConfig::new(400).with_sampling_steps(3))
            .with_guidance_scale(guidance_scale)
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
        let config = GenerationConfig::new(sampler).with_guidance_scale(1.0);
        let out = generator
            .generate(content.clone(), faces(1, &device), &["a"], 0, &config)
            .unwrap();
        let error: f32 = (out - content).abs().mean().into_scalar();
        assert!(error < 0.02, "{error}");
    }

    #[test]
    fn an_image_does_not_depend_on_its_batch() {
        let device = Device::default();
        let generator = GeneratorConfig::small(3).init(&device);
        let (content, style) = (faces(2, &device), faces(2, &device));
        let both = generator
            .generate(
                content.clone(),
                style.clone(),
                &["a", "b"],
                5,
                &options(2.0),
            )
            .unwrap();
        let second = generator
            .generate(
                content.narrow(0, 1, 1),
                style.narrow(0, 1, 1),
                &["b"],
                5,
                &options(2.0),
            )
            .unwrap();
        both.narrow(0, 1, 1)
            .into_data()
            .assert_approx_eq(&second.into_data(), Tolerance::<f32>::rel_abs(1e-5, 1e-5));
    }

    #[test]
    fn weights_travel_with_their_configuration() {
        let device = Device::default();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("generator.safetensors");
        let generator = GeneratorConfig::small(4).init(&device);
        let card = HashMap::from([("licence".to_owned(), "MIT".to_owned())]);
        generator.save(&path, StoredFloat::F32, &card).unwrap();
        let (loaded, read) = Generator::load(&path, &device).unwrap();
        assert_eq!(read, card);
        let (content, style) = (faces(1, &device), faces(1, &device));
        let run = |g: &Generator| {
            g.generate(content.clone(), style.clone(), &["a"], 1, &options(1.0))
                .unwrap()
        };
        assert_eq!(run(&generator).into_data(), run(&loaded).into_data());
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
                &options(1.0),
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
