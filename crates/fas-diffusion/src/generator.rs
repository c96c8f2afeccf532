//! The DiffFAS generator: style encoder, U-Net and process as one thing (DiffFAS, section 3).

use std::collections::HashMap;
use std::path::Path;
use std::sync::OnceLock;

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use fas_kernels::lay_out_convolutions;
use fas_weights::{StoredFloat, Weights, read_weights, save_module};

use crate::stored_config::read_generator_config;
use crate::{
    DiffusionError, DiffusionProcess, NoiseScheduleConfig, Parameterisation, Prediction,
    StyleCondition, StyleEncoder, StyleEncoderConfig, UNet, UNetConfig,
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
    /// The released generator: 256 px, STFM as coded, noise and variance logits.
    pub fn released(num_styles: usize) -> Self {
        Self::new(
            UNetConfig::released(),
            StyleEncoderConfig::released(num_styles),
        )
    }

    /// The generator of the paper's text at 256 px: STFM with 6x6 means and 2x2 variances, variance
    /// logits kept for the hybrid loss.
    pub fn paper(num_styles: usize) -> Self {
        Self::new(
            UNetConfig::paper(),
            StyleEncoderConfig::released(num_styles),
        )
    }

    /// A generator for faces of 64 px that trains on a CPU.
    pub fn small(num_styles: usize) -> Self {
        Self::new(UNetConfig::small(), StyleEncoderConfig::small(num_styles))
            .with_prediction(Prediction::live_centred())
    }

    /// [`small`](Self::small) with [`UNetConfig::wide`].
    pub fn wide(num_styles: usize) -> Self {
        Self {
            unet: UNetConfig::wide(),
            ..Self::small(num_styles)
        }
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
            null: OnceLock::new(),
            weaker: None,
        }
    }
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
    /// Keys and values of no style; of these networks, so it goes when they change.
    pub(crate) null: OnceLock<StyleCondition>,
    /// What generation may be guided away from.
    pub(crate) weaker: Option<Box<Generator>>,
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
        Self {
            networks,
            null: OnceLock::new(),
            ..self
        }
    }

    /// The same generator with a network that can learn to move the live face
    /// ([`UNetConfig::live_warp`]): until it is trained further, its pictures stay the same.
    pub fn with_live_warp(mut self) -> Self {
        if !self.config.unet.live_warp {
            let unet = self.networks.unet;
            self.networks.unet = unet.with_live_warp(&self.config.unet, &self.device);
            self.config.unet.live_warp = true;
            self.null = OnceLock::new();
        }
        self
    }

    /// The same generator beside a weaker one of the same styles, smaller or trained for less time, which generation
    /// is guided away from where [`GenerationConfig::weaker_guidance`](crate::GenerationConfig::weaker_guidance) asks.
    /// [`save`](Self::save) does not write it.
    ///
    /// # Errors
    ///
    /// [`DiffusionError::WeakerGenerator`] if its images are of another size or its schedule is another.
    pub fn with_weaker(self, weaker: Self) -> Result<Self, DiffusionError> {
        let form = |generator: &Self| {
            let config = &generator.config;
            format!(
                "{} px and the schedule {}",
                config.unet.image_size, config.schedule
            )
        };
        let (own, other) = (form(&self), form(&weaker));
        if own != other {
            return Err(DiffusionError::WeakerGenerator { own, other });
        }
        Ok(Self {
            weaker: Some(Box::new(weaker)),
            ..self
        })
    }

    /// What generation may be guided away from.
    pub fn weaker(&self) -> Option<&Self> {
        self.weaker.as_deref()
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
            .and_then(|text| read_generator_config(&text))
            .ok_or_else(|| DiffusionError::Configuration {
                path: path.to_owned(),
            })?;
        let generator = config.init(device);
        let networks = weights.apply(generator.networks.clone(), path)?;
        let networks = lay_out_convolutions(networks);
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DdimConfig, GenerationConfig};
    use burn::tensor::Distribution;

    fn faces(count: usize, device: &Device) -> Tensor<4> {
        Tensor::random([count, 3, 64, 64], Distribution::Uniform(-1.0, 1.0), device)
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
        let sampler = DdimConfig::new(400).with_sampling_steps(3);
        let run = |g: &Generator| {
            let options = GenerationConfig::new(sampler.clone().into());
            g.generate(content.clone(), style.clone(), &["a"], 1, &options)
                .unwrap()
        };
        assert_eq!(run(&generator).into_data(), run(&loaded).into_data());
    }
}
