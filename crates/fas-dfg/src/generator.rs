//! The De-spoofing Face Generator as one thing: first stage, identity encoder, denoiser and process
//! (AG-FAS, section 3.2, figure 2).

use std::collections::HashMap;
use std::path::Path;

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use fas_diffusion::{DiffusionProcess, NoiseScheduleConfig, Parameterisation, Prediction};
use fas_kernels::lay_out_convolutions;
use fas_weights::{StoredFloat, Weights, module_bytes, read_weights};
use sha2::{Digest, Sha256};

use crate::stored::{read_configuration, save_configured};
use crate::{
    AutoencoderKlConfig, Denoiser, DfgError, FirstStage, FirstStageConfig, IResNetConfig,
    IdentityConditionConfig, IdentityEncoder, IdentityEncoderConfig, LatentUNetConfig, TokenForm,
};

/// Key of the configuration in the header of a weight file.
const CONFIG_KEY: &str = "despoofing_generator_config";

/// Configuration to create a [`DespoofingGenerator`] with [`init`](DespoofingGeneratorConfig::init).
#[derive(Config, Debug)]
pub struct DespoofingGeneratorConfig {
    /// Faces to latents and back.
    pub first_stage: FirstStageConfig,
    /// Faces to identity tokens.
    pub identity_encoder: IdentityEncoderConfig,
    /// The denoising network.
    pub unet: LatentUNetConfig,
    /// Side of the faces in pixels. Default: 256 (released code; the paper: 224)
    #[config(default = 256)]
    pub image_size: usize,
    /// How the tokens enter. Default: padded with zeros (released code)
    #[config(default = "TokenForm::ZeroPadded")]
    pub token_form: TokenForm,
    /// Noise schedule. Default: that of Stable Diffusion v1
    #[config(default = "NoiseScheduleConfig::latent_diffusion()")]
    pub schedule: NoiseScheduleConfig,
    /// What the network predicts. Default: the noise (paper)
    #[config(default = "Prediction::Noise")]
    pub prediction: Prediction,
}

impl DespoofingGeneratorConfig {
    /// The paper's networks at the paper's 224 px.
    pub fn paper() -> Self {
        Self::released().with_image_size(224)
    }

    /// The released code: KL-f8, iresnet-18, the U-Net of Stable Diffusion v1, 256 px.
    pub fn released() -> Self {
        Self::new(
            FirstStageConfig::Kl(AutoencoderKlConfig::stable_diffusion()),
            IdentityEncoderConfig::IResNet(IResNetConfig::iresnet18().truncated()),
            LatentUNetConfig::stable_diffusion(),
        )
    }

    /// For faces of 64 px on a CPU: a small U-Net over any first stage of 8 x 8 latents, projected
    /// tokens, velocity prediction.
    pub fn small(first_stage: FirstStageConfig, identity_encoder: IdentityEncoderConfig) -> Self {
        let unet = LatentUNetConfig::small().with_latent_channels(first_stage.latent_channels());
        Self::new(first_stage, identity_encoder.truncated(), unet)
            .with_image_size(64)
            .with_token_form(TokenForm::Projected)
            .with_prediction(Prediction::Velocity)
    }

    /// Initializes the networks on `device`.
    ///
    /// # Panics
    ///
    /// Panics if first stage and U-Net disagree on the channels of latents, if the image cannot be
    /// divided by the first stage, or if the prediction is centred on the live face, which a latent
    /// generator has not.
    pub fn init(&self, device: &Device) -> DespoofingGenerator {
        assert_eq!(
            self.first_stage.latent_channels(),
            self.unet.latent_channels,
            "first stage and U-Net disagree on the channels of latents"
        );
        let factor = self.first_stage.downsampling();
        assert!(
            self.image_size.is_multiple_of(factor),
            "images of {} px cannot be reduced by {factor}",
            self.image_size
        );
        assert!(
            matches!(self.prediction, Prediction::Noise | Prediction::Velocity),
            "this generator predicts noise or velocity"
        );
        let condition = IdentityConditionConfig::new(
            self.identity_encoder.token_channels(),
            self.unet.context_channels,
            self.unet.embed_channels(),
        )
        .with_form(self.token_form);
        let schedule = self.schedule.init();
        DespoofingGenerator {
            networks: DespoofingNetworks {
                first_stage: self.first_stage.init(device).freeze(),
                identity_encoder: self.identity_encoder.init(device).freeze(),
                denoiser: Denoiser {
                    condition: condition.init(device),
                    unet: self.unet.init(device),
                },
            },
            parameterisation: self.prediction.init(&schedule, device),
            process: DiffusionProcess::new(schedule, device),
            config: self.clone(),
            device: device.clone(),
        }
    }

    /// Initializes a generator on `device` around fixed networks; of `identity_encoder`, layers after the
    /// identity map are left out.
    ///
    /// # Panics
    ///
    /// As [`init`](Self::init).
    pub fn init_around(
        &self,
        first_stage: FirstStage,
        identity_encoder: IdentityEncoder,
        device: &Device,
    ) -> DespoofingGenerator {
        let generator = self.init(device);
        let networks = DespoofingNetworks {
            first_stage,
            identity_encoder: identity_encoder.truncated(),
            denoiser: generator.networks.denoiser.clone(),
        };
        generator.with_networks(networks)
    }
}

/// The networks of a generator.
#[derive(Module, Debug)]
pub struct DespoofingNetworks {
    /// Faces to latents and back; frozen.
    pub first_stage: FirstStage,
    /// Faces to identity tokens; frozen.
    pub identity_encoder: IdentityEncoder,
    /// What is trained.
    pub denoiser: Denoiser,
}

/// Turns any face into the bona fide face of the same person.
#[derive(Debug, Clone)]
pub struct DespoofingGenerator {
    pub(crate) networks: DespoofingNetworks,
    pub(crate) parameterisation: Parameterisation,
    pub(crate) process: DiffusionProcess,
    config: DespoofingGeneratorConfig,
    device: Device,
}

impl DespoofingGenerator {
    /// The configuration it was made from.
    pub fn config(&self) -> &DespoofingGeneratorConfig {
        &self.config
    }

    /// The device its weights are on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The networks.
    pub fn networks(&self) -> &DespoofingNetworks {
        &self.networks
    }

    /// The same generator with other weights.
    pub fn with_networks(self, networks: DespoofingNetworks) -> Self {
        Self { networks, ..self }
    }

    /// SHA-256 of all weights as f32 and of the configuration, in hexadecimal: what cached results
    /// are keyed by.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.networks, &self.config.to_string())
    }

    /// The clean latents that the network sees in `x_start` noised to `timesteps`.
    ///
    /// # Shapes
    ///
    /// - x_start, noise, output: `[batch_size, latent_channels, height, width]`, scaled latents
    /// - timesteps: `[batch_size]`
    /// - tokens: `[batch_size, 49, token_channels]`
    pub fn denoise(
        &self,
        x_start: Tensor<4>,
        noise: Tensor<4>,
        timesteps: &Tensor<1, Int>,
        tokens: Tensor<3>,
    ) -> Tensor<4> {
        let x_t = self.process.q_sample(x_start, timesteps, noise);
        let output = self
            .networks
            .denoiser
            .forward(x_t.clone(), timesteps.clone(), tokens, None);
        let unused = x_t.zeros_like();
        self.parameterisation
            .x_start(output, x_t, unused, timesteps)
    }

    /// Writes weights, configuration and `card` (data, licence, command, seed) to a safetensors file,
    /// atomically.
    ///
    /// # Errors
    ///
    /// [`DfgError::Weights`] if the file cannot be written.
    pub fn save(
        &self,
        path: &Path,
        stored: StoredFloat,
        card: &HashMap<String, String>,
    ) -> Result<(), DfgError> {
        save_configured(
            (&self.networks, &self.config),
            CONFIG_KEY,
            path,
            stored,
            card,
        )
    }

    /// Reads a generator that [`save`](Self::save) wrote, or the folder of its parts
    /// ([`load_parts`](Self::load_parts)), and its card.
    ///
    /// # Errors
    ///
    /// [`DfgError::Weights`] if the file is unreadable or does not fit, [`DfgError::Configuration`] if
    /// its header has no configuration; of a folder as [`load_parts`](Self::load_parts).
    pub fn load(path: &Path, device: &Device) -> Result<(Self, HashMap<String, String>), DfgError> {
        if path.is_dir() {
            return Self::load_parts(path, device);
        }
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
    ) -> Result<(Self, HashMap<String, String>), DfgError> {
        Self::from_weights(Weights::from_bytes(bytes, path)?, path, device)
    }

    fn from_weights(
        weights: Weights,
        path: &Path,
        device: &Device,
    ) -> Result<(Self, HashMap<String, String>), DfgError> {
        let (config, card): (DespoofingGeneratorConfig, _) =
            read_configuration(&weights, CONFIG_KEY, "generator", path)?;
        let generator = config.init(device);
        let networks = weights.apply(generator.networks.clone(), path)?;
        let networks = lay_out_convolutions(networks);
        Ok((generator.with_networks(networks), card))
    }
}

/// SHA-256 of a module's weights as f32 and of `text`, in hexadecimal.
pub(crate) fn fingerprint<M: Module>(module: &M, text: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(module_bytes(module, StoredFloat::F32, &HashMap::new()));
    hash.update(text.as_bytes());
    hexadecimal(&hash.finalize())
}

/// Two digits a byte.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::OnceLock;

    use super::*;

    /// Faces of 16 px, latents of 4 x 4.
    pub(crate) fn tiny_config() -> DespoofingGeneratorConfig {
        let first_stage = AutoencoderKlConfig::new(vec![8, 8, 8])
            .with_num_groups(4)
            .with_layers_per_block(1);
        let identity = IResNetConfig::new([1, 1, 1, 1])
            .with_channels([4, 4, 4, 8])
            .truncated();
        let unet = LatentUNetConfig::new(vec![8, 8], vec![true, false])
            .with_layers_per_block(1)
            .with_context_channels(8)
            .with_heads(2)
            .with_num_groups(4);
        DespoofingGeneratorConfig::new(
            FirstStageConfig::Kl(first_stage),
            IdentityEncoderConfig::IResNet(identity),
            unet,
        )
        .with_image_size(16)
        .with_token_form(TokenForm::Projected)
        .with_prediction(Prediction::Velocity)
    }

    /// The same generator each time: weights come from one generator of the whole process, so that
    /// tests in other threads would change those of a second one.
    pub(crate) fn tiny() -> DespoofingGenerator {
        static FILE: OnceLock<Vec<u8>> = OnceLock::new();
        let device = Device::default();
        let file = FILE.get_or_init(|| {
            let networks = tiny_config().init(&device).networks;
            let header = HashMap::from([(CONFIG_KEY.to_owned(), tiny_config().to_string())]);
            module_bytes(&networks, StoredFloat::F32, &header)
        });
        let (generator, _) =
            DespoofingGenerator::from_bytes(file, Path::new("memory"), &device).unwrap();
        generator
    }

    #[test]
    fn weights_travel_with_their_configuration() {
        let device = Device::default();
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("generator.safetensors");
        let generator = tiny();
        let card = HashMap::from([("seed".to_owned(), "11".to_owned())]);
        generator.save(&path, StoredFloat::F32, &card).unwrap();
        let (loaded, read) = DespoofingGenerator::load(&path, &device).unwrap();
        assert_eq!(read, card);
        assert_eq!(loaded.fingerprint(), generator.fingerprint());
        assert_ne!(
            tiny_config().init(&device).fingerprint(),
            generator.fingerprint()
        );
    }

    #[test]
    fn the_full_generator_has_the_paper_s_networks() {
        let config = DespoofingGeneratorConfig::released();
        assert_eq!(
            (config.image_size, config.unet.context_channels),
            (256, 768)
        );
        assert_eq!(DespoofingGeneratorConfig::paper().image_size, 224);
        let networks = config.init(&Device::default()).networks;
        assert_eq!(networks.denoiser.num_params(), 859_520_964);
        assert_eq!(networks.first_stage.num_params(), 83_653_863);
    }

    #[test]
    #[should_panic(expected = "disagree on the channels")]
    fn networks_that_do_not_fit_are_rejected() {
        let mut config = tiny_config();
        config.unet.latent_channels = 32;
        let _ = config.init(&Device::default());
    }
}
