//! Two transformers side by side, one for the face and one for the cue: the "dual-branch" of AG-FAS,
//! Table 3, whose features are joined before the last layer.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use fas_classify::Backbone;

use crate::{Vit, VitConfig};

/// Configuration to create a [`DualBranch`] with [`init`](DualBranchConfig::init).
#[derive(Config, Debug)]
pub struct DualBranchConfig {
    /// Either transformer.
    pub vit: VitConfig,
}

impl DualBranchConfig {
    /// The paper's: two ViT-B/16.
    pub fn base() -> Self {
        Self::new(VitConfig::base())
    }

    /// Initializes the network on `device`, with random weights.
    ///
    /// # Panics
    ///
    /// As [`VitConfig::init`].
    pub fn init(&self, device: &Device) -> DualBranch {
        DualBranch {
            face: self.vit.init(device),
            cue: self.vit.init(device),
        }
    }
}

/// Two transformers, whose feature vectors are joined.
#[derive(Module, Debug)]
pub struct DualBranch {
    face: Vit,
    cue: Vit,
}

/// The face is the first three planes of an image, its cue the next three.
impl Backbone for DualBranch {
    fn channels(&self) -> usize {
        6
    }

    fn feature_length(&self) -> usize {
        self.face.feature_length() + self.cue.feature_length()
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let face = self.face.features(images.clone().narrow(1, 0, 3), None);
        let cue = self.cue.features(images.narrow(1, 3, 3), None);
        Tensor::cat(vec![face, cue], 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    #[test]
    fn each_half_of_the_features_sees_its_own_planes() {
        let device = Device::default();
        let network = DualBranchConfig::new(VitConfig::face64()).init(&device);
        assert_eq!(network.feature_length(), 256);
        let images = Tensor::<4>::random([1, 6, 64, 64], Distribution::Default, &device);
        let other = Tensor::cat(
            vec![
                images.clone().narrow(1, 0, 3),
                images.clone().narrow(1, 3, 3) * 0.5,
            ],
            1,
        );
        let values =
            |images| -> Vec<f32> { network.forward(images).into_data().try_to_vec().unwrap() };
        let (first, second) = (values(images), values(other));
        assert_eq!(first[..128], second[..128]);
        assert_ne!(first[128..], second[128..]);
    }
}
