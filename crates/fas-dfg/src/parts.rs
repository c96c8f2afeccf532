//! A generator in three files: first stage and identity encoder as their trainings wrote them, and the
//! denoiser. Each keeps its own card, and several denoisers may share the fixed networks.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::Device;
use fas_weights::{StoredFloat, Weights};

use crate::stored::{read_configuration, save_configured};
use crate::{
    DespoofingGenerator, DespoofingGeneratorConfig, DespoofingNetworks, DfgError, FirstStage,
    IdentityEncoder,
};

/// Key of the generator's configuration in the header of a denoiser's file.
const DENOISER_KEY: &str = "denoiser_of_generator_config";

/// Names of the files in a generator's folder: first stage, identity encoder, denoiser.
pub const PART_FILES: [&str; 3] = [
    "first_stage.safetensors",
    "identity_encoder.safetensors",
    "denoiser.safetensors",
];

impl DespoofingGenerator {
    /// Writes the denoiser alone, with the configuration of the whole generator and `card`, atomically.
    ///
    /// # Errors
    ///
    /// [`DfgError::Weights`] if the file cannot be written.
    pub fn save_denoiser(
        &self,
        path: &Path,
        stored: StoredFloat,
        card: &HashMap<String, String>,
    ) -> Result<(), DfgError> {
        let denoiser = &self.networks().denoiser;
        save_configured((denoiser, self.config()), DENOISER_KEY, path, stored, card)
    }

    /// A generator from the folder of its parts, and the card of the denoiser:
    /// `first_stage.safetensors`, `identity_encoder.safetensors`, whose layers after the identity map are
    /// left out, and `denoiser.safetensors`.
    ///
    /// # Errors
    ///
    /// [`DfgError::Weights`] if a file is unreadable or does not fit, [`DfgError::Configuration`] if a
    /// header has no configuration, [`DfgError::Parts`] if the denoiser was trained on other networks.
    pub fn load_parts(
        folder: &Path,
        device: &Device,
    ) -> Result<(Self, HashMap<String, String>), DfgError> {
        let read = |name: &str| -> Result<Vec<u8>, DfgError> {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|source| DfgError::Io { path, source })
        };
        let [first_stage, identity_encoder, denoiser] = PART_FILES;
        let files = [read(first_stage)?, read(identity_encoder)?, read(denoiser)?];
        Self::from_part_bytes([&files[0], &files[1], &files[2]], folder, device)
    }

    /// [`load_parts`](Self::load_parts) from the bytes of first stage, identity encoder and denoiser;
    /// `folder` is for messages.
    ///
    /// # Errors
    ///
    /// As [`load_parts`](Self::load_parts).
    pub fn from_part_bytes(
        files: [&[u8]; 3],
        folder: &Path,
        device: &Device,
    ) -> Result<(Self, HashMap<String, String>), DfgError> {
        let paths = PART_FILES.map(|name| folder.join(name));
        let weights = |part: usize| Weights::from_bytes(files[part], &paths[part]);
        let (first_stage, first_stage_config, _) =
            FirstStage::from_weights(weights(0)?, &paths[0], device)?;
        let (identity_encoder, identity_config, _) =
            IdentityEncoder::from_weights(weights(1)?, &paths[1], device)?;
        let weights = weights(2)?;
        let (config, card): (DespoofingGeneratorConfig, _) =
            read_configuration(&weights, DENOISER_KEY, "generator", &paths[2])?;
        let differs = |part: usize, what: &'static str| DfgError::Parts {
            path: paths[part].clone(),
            what,
        };
        if config.first_stage.to_string() != first_stage_config.to_string() {
            return Err(differs(0, "first stage"));
        }
        let identity_config = identity_config.truncated();
        if config.identity_encoder.to_string() != identity_config.to_string() {
            return Err(differs(1, "identity encoder"));
        }
        let generator = config.init_around(first_stage, identity_encoder, device);
        let networks = generator.networks().clone();
        let denoiser = weights.apply(networks.denoiser, &paths[2])?;
        let networks = DespoofingNetworks {
            denoiser,
            ..networks
        };
        Ok((generator.with_networks(networks), card))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::tests::{tiny, tiny_config};
    use crate::{AutoencoderKlConfig, FirstStageConfig};

    #[test]
    fn a_generator_in_parts_is_the_same_generator() {
        let device = Device::default();
        let place = tempfile::tempdir().unwrap();
        let folder = place.path();
        let generator = tiny();
        let config = tiny_config();
        let card = HashMap::from([("steps".to_owned(), "3".to_owned())]);
        let empty = HashMap::new();
        let networks = generator.networks();
        let [first_stage, identity_encoder, denoiser] = PART_FILES.map(|name| folder.join(name));
        networks
            .first_stage
            .save(&config.first_stage, &first_stage, StoredFloat::F32, &empty)
            .unwrap();
        let stored = StoredFloat::F32;
        networks
            .identity_encoder
            .save(&config.identity_encoder, &identity_encoder, stored, &empty)
            .unwrap();
        generator.save_denoiser(&denoiser, stored, &card).unwrap();
        let (loaded, read) = DespoofingGenerator::load(folder, &device).unwrap();
        assert_eq!(read, card);
        assert_eq!(loaded.fingerprint(), generator.fingerprint());

        // Another first stage than the denoiser was trained on is refused.
        let other = AutoencoderKlConfig::new(vec![8, 8, 16])
            .with_num_groups(4)
            .with_layers_per_block(1);
        let other = FirstStageConfig::Kl(other);
        let network = other.init(&device);
        network.save(&other, &first_stage, stored, &empty).unwrap();
        let error = DespoofingGenerator::load(folder, &device).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("another first stage"), "{message}");
        std::fs::remove_file(&denoiser).unwrap();
        let error = DespoofingGenerator::load(folder, &device).unwrap_err();
        assert!(error.to_string().contains("denoiser"), "{error}");
    }
}
