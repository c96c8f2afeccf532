//! One interface to the first stages: faces in `[-1, 1]`, latents of about unit variance.

use std::collections::HashMap;
use std::path::Path;

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use fas_weights::{StoredFloat, Weights, read_weights};

use super::{AutoencoderKl, AutoencoderKlConfig, LatentPosterior, Taef2};
use crate::DfgError;
use crate::stored::{load_configured, save_configured};

/// Key of the configuration in the header of a weight file.
const CONFIG_KEY: &str = "first_stage_config";

/// Which first stage, for [`init`](FirstStageConfig::init).
#[derive(Config, Debug, PartialEq)]
pub enum FirstStageConfig {
    /// KL-regularised autoencoder: the paper's, and the small one of this project.
    Kl(AutoencoderKlConfig),
    /// TAEF2, whose weights are a third party's.
    Taef2,
}

impl FirstStageConfig {
    /// Initializes the networks on `device`.
    pub fn init(&self, device: &Device) -> FirstStage {
        match self {
            Self::Kl(config) => FirstStage::Kl(config.init(device)),
            Self::Taef2 => FirstStage::Taef2(Taef2::new(device)),
        }
    }

    /// Channels of the latents.
    pub fn latent_channels(&self) -> usize {
        match self {
            Self::Kl(config) => config.latent_channels,
            Self::Taef2 => 32,
        }
    }

    /// Side of a latent's pixel in image pixels.
    pub fn downsampling(&self) -> usize {
        match self {
            Self::Kl(config) => config.downsampling(),
            Self::Taef2 => 8,
        }
    }
}

/// A first stage; use it frozen.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "one exists a generator")]
pub enum FirstStage {
    /// KL-regularised autoencoder.
    Kl(AutoencoderKl),
    /// TAEF2.
    Taef2(Taef2),
}

impl FirstStage {
    /// Distribution of the scaled latents. TAEF2's has no width: its variance is `exp(-30)`.
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, 3, height, width]`, in `[-1, 1]`
    /// - posterior: `[batch_size, latent_channels, height / f, width / f]`
    pub fn encode(&self, images: Tensor<4>) -> LatentPosterior {
        match self {
            Self::Kl(net) => {
                let posterior = net.encode(images);
                let scale = net.scaling_factor();
                LatentPosterior {
                    mean: posterior.mean * scale,
                    log_variance: posterior.log_variance + 2.0 * scale.ln(),
                }
            }
            Self::Taef2(net) => {
                let mean = net.encode((images + 1.0) / 2.0);
                let log_variance = mean.full_like(-30.0);
                LatentPosterior { mean, log_variance }
            }
        }
    }

    /// Faces of scaled latents.
    ///
    /// # Shapes
    ///
    /// - latents: `[batch_size, latent_channels, height, width]`
    /// - output: `[batch_size, 3, f height, f width]`, clamped to `[-1, 1]`
    pub fn decode(&self, latents: Tensor<4>) -> Tensor<4> {
        let images = match self {
            Self::Kl(net) => net.decode(latents / net.scaling_factor()),
            Self::Taef2(net) => net.decode(latents) * 2.0 - 1.0,
        };
        images.clamp(-1.0, 1.0)
    }

    /// Writes weights, configuration and `card` (data, licence, command, seed) to a safetensors file,
    /// atomically.
    ///
    /// # Errors
    ///
    /// [`DfgError::Weights`] if the file cannot be written.
    pub fn save(
        &self,
        config: &FirstStageConfig,
        path: &Path,
        stored: StoredFloat,
        card: &HashMap<String, String>,
    ) -> Result<(), DfgError> {
        save_configured((self, config), CONFIG_KEY, path, stored, card)
    }

    /// Reads what [`save`](Self::save) wrote: the network, frozen, its configuration and its card.
    ///
    /// # Errors
    ///
    /// [`DfgError::Weights`] if the file is unreadable or does not fit, [`DfgError::Configuration`] if
    /// its header has no configuration.
    pub fn load(
        path: &Path,
        device: &Device,
    ) -> Result<(Self, FirstStageConfig, HashMap<String, String>), DfgError> {
        Self::from_weights(read_weights(path)?, path, device)
    }

    /// [`load`](Self::load) from weights; `path` is for messages.
    pub(crate) fn from_weights(
        weights: Weights,
        path: &Path,
        device: &Device,
    ) -> Result<(Self, FirstStageConfig, HashMap<String, String>), DfgError> {
        load_configured(
            weights,
            path,
            (CONFIG_KEY, "first stage"),
            |config: &FirstStageConfig| config.init(device),
        )
    }
}
