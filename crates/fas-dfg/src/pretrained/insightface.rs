//! The layout of insightface's `iresnet.py` (<https://github.com/deepinsight/insightface>), whose
//! `backbone.pth` AG-FAS takes its identity encoder from.

use std::path::Path;

use super::{read_foreign, torch_leaf};
use crate::{DfgError, IResNet};

impl IResNet {
    /// Fills the network from an insightface backbone. A truncated network leaves the file's `fc.` and
    /// `features.` aside.
    ///
    /// # Errors
    ///
    /// [`DfgError::Weights`] if the file is unreadable or holds another network.
    pub fn load_insightface(self, path: &Path) -> Result<Self, DfgError> {
        let truncated = !self.has_embedding();
        let part = |name: &str| {
            let head = name.starts_with("fc.") || name.starts_with("features.");
            !(truncated && head)
        };
        read_foreign(
            self,
            path,
            |name| part(name).then_some(name),
            |_| false,
            insightface_name,
        )
    }
}

/// Name of a parameter in the file.
fn insightface_name(path: &str) -> String {
    torch_leaf(path)
        .replace("prelu.alpha", "prelu.weight")
        .replace(".downsample.conv.", ".downsample.0.")
        .replace(".downsample.norm.", ".downsample.1.")
        .replace("head.", "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IResNetConfig;
    use crate::pretrained::diffusers::tests::bytes;
    use crate::pretrained::transpose;
    use burn::tensor::Device;
    use fas_weights::{StoredFloat, Weights, module_bytes};
    use safetensors::tensor::{Dtype, TensorView};

    #[test]
    fn names_of_insightface() {
        for (ours, theirs) in [
            ("prelu.alpha", "prelu.weight"),
            ("bn2.gamma", "bn2.weight"),
            (
                "layer2.0.downsample.norm.running_mean",
                "layer2.0.downsample.1.running_mean",
            ),
            (
                "layer2.0.downsample.conv.weight",
                "layer2.0.downsample.0.weight",
            ),
            ("layer4.1.bn3.beta", "layer4.1.bn3.bias"),
            ("head.fc.weight", "fc.weight"),
            ("head.features.running_var", "features.running_var"),
        ] {
            assert_eq!(insightface_name(ours), theirs);
        }
    }

    #[test]
    fn whole_and_truncated_networks_read_one_file() {
        let device = Device::default();
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("backbone.safetensors");
        let config = IResNetConfig::new([1, 1, 1, 1])
            .with_channels([4, 4, 4, 8])
            .with_embedding(Some(6));
        let net = config.init(&device);
        let ours = module_bytes(&net, StoredFloat::F32, &Default::default());
        let ours = Weights::from_bytes(&ours, &path).unwrap();
        let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = ours
            .tensors
            .into_iter()
            .map(|(name, (mut shape, mut values))| {
                if let [rows, columns] = shape[..] {
                    values = transpose(&values, rows, columns);
                    shape = vec![columns, rows];
                }
                let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                (insightface_name(&name), shape, bytes)
            })
            .collect();
        let views = tensors.iter().map(|(name, shape, bytes)| {
            (
                name.as_str(),
                TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
            )
        });
        std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        let whole = config.init(&device).load_insightface(&path).unwrap();
        assert_eq!(bytes(&whole), bytes(&net));
        let short = config.clone().truncated().init(&device);
        let short = short.load_insightface(&path).unwrap();
        assert_eq!(bytes(&short), bytes(&net.truncated()));
        let other = IResNetConfig::iresnet18()
            .with_channels([4, 4, 4, 8])
            .with_embedding(Some(6));
        let error = other
            .init(&device)
            .load_insightface(&path)
            .unwrap_err()
            .to_string();
        assert!(error.contains("layer1.1.bn1.weight"), "{error}");
    }
}
