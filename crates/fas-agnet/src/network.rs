//! AG-Net: AG-FAS, section 3.3. The later version of the paper calls it OA-Net.

use std::collections::HashMap;
use std::path::Path;

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use fas_classify::Backbone;
use fas_weights::{StoredFloat, load_module, save_module};

use crate::{AgNetError, CueEncoder, CueEncoderConfig, Vit, VitConfig};

/// Configuration to create an [`AgNet`] with [`init`](AgNetConfig::init).
#[derive(Config, Debug)]
pub struct AgNetConfig {
    /// Transformer; its cue width is set to the cue encoder's token length.
    pub vit: VitConfig,
    /// Encoder of the cue.
    pub cue_encoder: CueEncoderConfig,
}

impl AgNetConfig {
    /// The paper's: ViT-B/16 and a ResNet-18.
    pub fn base() -> Self {
        Self::new(VitConfig::base(), CueEncoderConfig::resnet18())
    }

    /// For faces of 64 px and a CPU: 0.92 million parameters.
    pub fn face64() -> Self {
        Self::new(VitConfig::face64(), CueEncoderConfig::small())
    }

    /// Initializes the network on `device`, with random weights.
    ///
    /// # Panics
    ///
    /// As [`VitConfig::init`] and [`CueEncoderConfig::init`].
    pub fn init(&self, device: &Device) -> AgNet {
        let cue_width = Some(self.cue_encoder.token_length());
        AgNet {
            vit: self.vit.clone().with_cue_width(cue_width).init(device),
            cue_encoder: self.cue_encoder.init(device),
        }
    }
}

/// A vision transformer that attends to the tokens of a cue in every layer.
#[derive(Module, Debug)]
pub struct AgNet {
    vit: Vit,
    cue_encoder: CueEncoder,
}

impl AgNet {
    /// The same network around a transformer with weights of its own, such as pretrained ones.
    ///
    /// # Panics
    ///
    /// Panics if the tensors of `vit` are not on the device of the network's.
    pub fn with_vit(self, vit: Vit) -> Self {
        assert_eq!(vit.devices(), self.vit.devices(), "devices differ");
        Self { vit, ..self }
    }

    /// The transformer.
    pub fn vit(&self) -> &Vit {
        &self.vit
    }

    /// The cue encoder.
    pub fn cue_encoder(&self) -> &CueEncoder {
        &self.cue_encoder
    }

    /// Feature vectors of faces with their cues.
    ///
    /// # Shapes
    ///
    /// - faces: `[batch_size, 3, height, width]`, in `[-1, 1]`
    /// - cues: `[batch_size, 3, height, width]`, [standardised](crate::standardise_cue)
    /// - output: `[batch_size, width]`
    pub fn features(&self, faces: Tensor<4>, cues: Tensor<4>) -> Tensor<2> {
        let tokens = self.cue_encoder.forward(cues);
        self.vit.features(faces, Some(tokens))
    }

    /// Writes the weights atomically, with a `card` in the header.
    ///
    /// # Errors
    ///
    /// [`AgNetError::Weights`] if the file cannot be written.
    pub fn save(
        &self,
        path: &Path,
        stored: StoredFloat,
        card: &HashMap<String, String>,
    ) -> Result<(), AgNetError> {
        Ok(save_module(self, path, stored, card)?)
    }

    /// Reads weights that [`save`](Self::save) wrote, and the card.
    ///
    /// # Errors
    ///
    /// [`AgNetError::Weights`] if the file is unreadable or of another configuration.
    pub fn load(self, path: &Path) -> Result<(Self, HashMap<String, String>), AgNetError> {
        Ok(load_module(self, path)?)
    }
}

/// The face is the first three planes of an image, its cue the next three.
impl Backbone for AgNet {
    fn channels(&self) -> usize {
        6
    }

    fn feature_length(&self) -> usize {
        self.vit.feature_length()
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.features(images.clone().narrow(1, 0, 3), images.narrow(1, 3, 3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    fn random(shape: [usize; 4]) -> Tensor<4> {
        Tensor::random(shape, Distribution::Default, &Device::default())
    }

    #[test]
    fn the_paper_s_network_has_the_size_of_its_parts() {
        let network = AgNetConfig::base().init(&Device::default());
        // ViT 85,798,656 and 12 cross-attentions of 1,970,688 (k and v from 512 channels)
        assert_eq!(network.vit.num_params(), 85_798_656 + 12 * 1_970_688);
        // ResNet-18 without head; BatchNorm's running statistics, 9,600 values, count here
        let encoder = 11_176_512;
        assert_eq!(network.cue_encoder.num_params(), encoder + 9_600);
        // 121.61 million with the released network's embedder (768 to 512), classifier (512 to 2) and
        // the pooler (768 to 768) that it holds and never runs
        let head = 768 * 512 + 512 + 512 * 2 + 2;
        let pooler = 768 * 768 + 768;
        let total = network.num_params() - 9_600 + head + pooler;
        assert_eq!(total, 121_608_770);
    }

    #[test]
    fn an_untrained_cue_changes_nothing() {
        let network = AgNetConfig::face64().init(&Device::default());
        let (faces, cues) = (random([2, 3, 64, 64]), random([2, 3, 64, 64]));
        let without = network.vit.features(faces.clone(), None);
        let with = network.features(faces, cues);
        assert_eq!(with.into_data(), without.into_data());
    }

    #[test]
    fn the_zero_projection_opens_under_training() {
        let device = Device::default().autodiff();
        let network = AgNetConfig::face64().init(&device);
        let images = random([2, 6, 64, 64]).to_device(&device);
        let images = if images.is_autodiff() {
            images
        } else {
            Tensor::from_inner(images)
        };
        let loss = network.forward(images).square().sum();
        let gradients = burn::optim::GradientsParams::from_grads(loss.backward(), &network);
        // All parameters have a gradient, those behind the zero projection a zero one.
        let mut count = 0;
        network.visit(&mut Counter(&mut count));
        assert_eq!(gradients.len(), count);
    }

    struct Counter<'a>(&'a mut usize);

    impl burn::module::ModuleVisitor for Counter<'_> {
        fn visit_float<const D: usize>(&mut self, _: &burn::module::Param<Tensor<D>>) {
            *self.0 += 1;
        }
    }

    #[test]
    fn weights_come_back() {
        let device = Device::default();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network.safetensors");
        let network = AgNetConfig::face64().init(&device);
        network
            .save(&path, StoredFloat::F32, &HashMap::new())
            .unwrap();
        let (loaded, _) = AgNetConfig::face64().init(&device).load(&path).unwrap();
        let images = random([1, 6, 64, 64]);
        assert_eq!(
            network.forward(images.clone()).into_data(),
            loaded.forward(images).into_data()
        );
    }
}
