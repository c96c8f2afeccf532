//! One interface to the identity encoders: faces in `[-1, 1]`, 49 tokens each (AG-FAS, section 3.2).

use std::collections::HashMap;
use std::path::Path;

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use fas_weights::{StoredFloat, Weights, read_weights};

use super::iresnet::resize_to_input;
use super::{IResNet, IResNetConfig, MobileFaceNet, MobileFaceNetConfig, normalise_identity_input};
use crate::DfgError;
use crate::ops::map_to_tokens;
use crate::stored::{load_configured, save_configured};

/// Key of the configuration in the header of a weight file.
const CONFIG_KEY: &str = "identity_encoder_config";

/// Which identity encoder, for [`init`](IdentityEncoderConfig::init).
#[derive(Config, Debug)]
pub enum IdentityEncoderConfig {
    /// ArcFace's improved residual network: the paper's, and the small one of this project.
    IResNet(IResNetConfig),
    /// MobileFaceNet, whose released weights are for research.
    MobileFaceNet(MobileFaceNetConfig),
}

impl IdentityEncoderConfig {
    /// Initializes the network on `device`.
    pub fn init(&self, device: &Device) -> IdentityEncoder {
        match self {
            Self::IResNet(config) => IdentityEncoder::IResNet(config.init(device)),
            Self::MobileFaceNet(config) => IdentityEncoder::MobileFaceNet(config.init(device)),
        }
    }

    /// Channels of a token.
    pub fn token_channels(&self) -> usize {
        match self {
            Self::IResNet(config) => config.channels[3],
            Self::MobileFaceNet(_) => 512,
        }
    }

    /// The same without what comes after the map, where that can be left out.
    pub fn truncated(self) -> Self {
        match self {
            Self::IResNet(config) => Self::IResNet(config.truncated()),
            Self::MobileFaceNet(config) => Self::MobileFaceNet(config),
        }
    }
}

/// A face recognition network; use it frozen.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "one exists a generator")]
pub enum IdentityEncoder {
    /// ArcFace's improved residual network.
    IResNet(IResNet),
    /// MobileFaceNet.
    MobileFaceNet(MobileFaceNet),
}

impl IdentityEncoder {
    /// Identity tokens: the places of the last 7 x 7 map, row by row.
    ///
    /// # Shapes
    ///
    /// - faces: `[batch_size, 3, height, width]`, RGB in `[-1, 1]`
    /// - output: `[batch_size, 49, token_channels]`
    pub fn tokens(&self, faces: Tensor<4>) -> Tensor<3> {
        map_to_tokens(self.identity_map(faces))
    }

    /// Embeddings, not normalised.
    ///
    /// # Panics
    ///
    /// Panics if the network ends at its map.
    pub fn embed(&self, faces: Tensor<4>) -> Tensor<2> {
        let map = self.identity_map(faces);
        match self {
            Self::IResNet(net) => net.embed_map(map),
            Self::MobileFaceNet(net) => net.embed_map(map),
        }
    }

    fn identity_map(&self, faces: Tensor<4>) -> Tensor<4> {
        match self {
            Self::IResNet(net) => net.identity_map(faces),
            Self::MobileFaceNet(net) => {
                let unit = (resize_to_input(faces) + 1.0) / 2.0;
                net.identity_map(normalise_identity_input(unit))
            }
        }
    }

    /// The network without what comes after the map, where that can be left out.
    pub fn truncated(self) -> Self {
        match self {
            Self::IResNet(net) => Self::IResNet(net.truncated()),
            other => other,
        }
    }

    /// Writes weights, configuration and `card` (data, licence, command, seed) to a safetensors file,
    /// atomically.
    ///
    /// # Errors
    ///
    /// [`DfgError::Weights`] if the file cannot be written.
    pub fn save(
        &self,
        config: &IdentityEncoderConfig,
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
    ) -> Result<(Self, IdentityEncoderConfig, HashMap<String, String>), DfgError> {
        Self::from_weights(read_weights(path)?, path, device)
    }

    /// [`load`](Self::load) from weights; `path` is for messages.
    pub(crate) fn from_weights(
        weights: Weights,
        path: &Path,
        device: &Device,
    ) -> Result<(Self, IdentityEncoderConfig, HashMap<String, String>), DfgError> {
        load_configured(
            weights,
            path,
            (CONFIG_KEY, "identity encoder"),
            |config: &IdentityEncoderConfig| config.init(device),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_network_comes_back_with_its_configuration() {
        let device = Device::default();
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("identity.safetensors");
        let config = IdentityEncoderConfig::IResNet(
            IResNetConfig::new([1, 1, 1, 1])
                .with_channels([4, 4, 4, 8])
                .with_embedding(Some(6)),
        );
        let net = config.init(&device).freeze();
        let card = HashMap::from([("seed".to_owned(), "1".to_owned())]);
        net.save(&config, &path, StoredFloat::F32, &card).unwrap();
        let (read, read_config, read_card) = IdentityEncoder::load(&path, &device).unwrap();
        assert_eq!((read_config.token_channels(), read_card), (8, card));
        let faces = Tensor::<4>::ones([1, 3, 64, 64], &device) * 0.3;
        assert_eq!(
            read.tokens(faces.clone()).into_data(),
            net.tokens(faces.clone()).into_data()
        );
        assert_eq!(read.tokens(faces).dims(), [1, 49, 8]);
    }
}
