//! Weights of ImageNet that a backbone starts from: torchvision's ResNet and timm's MobileViT, as
//! safetensors or PyTorch checkpoints, strictly.
//!
//! The file's head of classes is left out by name, and so are PyTorch's counters of batches; anything
//! else that is missing, left over or misshaped is an error.

use std::path::{Path, PathBuf};

use burn::config::Config;
use fas_weights::{ForeignTensor, ParamSite, Weights, WeightsError, read_checkpoint};

use crate::{Classifier, ClassifyError, FaceBackbone};

/// A file of weights that a backbone starts from.
#[derive(Config, Debug)]
pub struct PretrainedBackbone {
    /// Weights of torchvision for a ResNet, of timm for a MobileViT.
    pub path: PathBuf,
}

impl FaceBackbone {
    /// The same network with the weights of `path`, in the layout of torchvision or timm.
    ///
    /// # Errors
    ///
    /// [`WeightsError`] if the file is unreadable or of another network; it names what differs.
    pub fn with_pretrained(self, path: &Path) -> Result<Self, WeightsError> {
        let weights = read_checkpoint(path, None)?;
        match self {
            Self::ResNet(network) => {
                let spare = |name: &str| name.starts_with("fc.") || is_counter(name);
                let network = weights.apply_foreign(network, path, torchvision_tensor, spare)?;
                Ok(Self::ResNet(network))
            }
            Self::MobileVit(network) => {
                let spare = |name: &str| name.starts_with("head.") || is_counter(name);
                let network = weights.apply_foreign(network, path, timm_tensor, spare)?;
                Ok(Self::MobileVit(network))
            }
        }
    }

    /// The weights in the layout of torchvision or timm, without a head of classes and without counters of
    /// batches.
    pub fn reference_weights(&self) -> Weights {
        let weights = match self {
            Self::ResNet(network) => Weights::of_module(network, torchvision_tensor),
            Self::MobileVit(network) => Weights::of_module(network, timm_tensor),
        };
        weights.expect("every parameter has a name there")
    }
}

impl Classifier {
    /// The same classifier over a pretrained backbone; the head stays.
    ///
    /// # Errors
    ///
    /// [`ClassifyError::Weights`] as [`FaceBackbone::with_pretrained`].
    pub fn with_pretrained_backbone(
        self,
        pretrained: &PretrainedBackbone,
    ) -> Result<Self, ClassifyError> {
        let backbone = self.backbone().clone().with_pretrained(&pretrained.path)?;
        Ok(self.replace_backbone(|_| backbone))
    }
}

/// How many batches a BatchNorm of PyTorch has seen.
fn is_counter(name: &str) -> bool {
    name.ends_with(".num_batches_tracked")
}

/// torchvision's tensor of a parameter of a [`ResNet`](crate::ResNet).
fn torchvision_tensor(site: &ParamSite) -> Option<ForeignTensor> {
    let (module, _) = site.path.rsplit_once('.')?;
    let module = match module
        .strip_prefix("stages.")
        .and_then(|rest| rest.split_once('.'))
    {
        Some((stage, rest)) => {
            let stage: usize = stage.parse().ok()?;
            format!("layer{}.{rest}", stage + 1)
        }
        None => module.to_owned(),
    };
    let module = module
        .replace("downsample.conv", "downsample.0")
        .replace("downsample.bn", "downsample.1");
    Some(site.torch_as(&module))
}

/// timm's tensor of a parameter of a [`MobileVit`](crate::MobileVit), every stage of which has one
/// residual before its transformer.
fn timm_tensor(site: &ParamSite) -> Option<ForeignTensor> {
    let (module, _) = site.path.rsplit_once('.')?;
    let module = module.replace(".residuals.", ".").replace(".block.", ".1.");
    Some(site.torch_as(&module))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Backbone, BackboneConfig, MobileVitConfig, ResNetConfig};
    use burn::tensor::{Device, Distribution, Tensor};
    use safetensors::tensor::{Dtype, TensorView};
    use std::collections::BTreeMap;

    /// Shapes and values of a file in the foreign layout, from the parity case of the same network.
    fn foreign(case: &str) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
        let file = format!(
            "{}/tests/parity/{case}.safetensors",
            env!("CARGO_MANIFEST_DIR")
        );
        let fixture = fas_testkit::Fixture::open(file).unwrap();
        let weights = fixture.params().iter().map(|param| {
            let data = fixture.weight(&param.name).unwrap();
            let values = data.iter::<f32>().collect();
            (param.name.clone(), (param.shape.clone(), values))
        });
        weights.collect()
    }

    fn write(path: &Path, tensors: &BTreeMap<String, (Vec<usize>, Vec<f32>)>) {
        let bytes: Vec<(&String, &Vec<usize>, Vec<u8>)> = tensors
            .iter()
            .map(|(name, (shape, values))| {
                let bytes = if is_counter(name) {
                    7i64.to_le_bytes().to_vec()
                } else {
                    values.iter().flat_map(|v| v.to_le_bytes()).collect()
                };
                (name, shape, bytes)
            })
            .collect();
        let views = bytes.iter().map(|(name, shape, bytes)| {
            let dtype = if is_counter(name) {
                Dtype::I64
            } else {
                Dtype::F32
            };
            let view = TensorView::new(dtype, (*shape).clone(), bytes).unwrap();
            ((*name).clone(), view)
        });
        std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
    }

    #[test]
    fn files_of_torchvision_and_timm_load_strictly_and_change_every_parameter() {
        let device = Device::default();
        let folder = tempfile::tempdir().unwrap();
        let cases: [(&str, BackboneConfig, &str); 2] = [
            (
                "resnet18_7cls_256",
                ResNetConfig::resnet18().into(),
                "layer3.0.downsample.1.running_var",
            ),
            (
                "mobilevit_s_5cls_256",
                MobileVitConfig::s().into(),
                "stages.3.1.transformer.2.attn.qkv.bias",
            ),
        ];
        for (case, config, name) in cases {
            let mut tensors = foreign(case);
            let path = folder.path().join(case);
            write(&path, &tensors);
            let loaded = config.init(&device).with_pretrained(&path).unwrap();
            let images =
                Tensor::<4>::random([1, 3, 64, 64], Distribution::Uniform(-1.0, 1.0), &device);
            // Two networks of different random weights agree once they are loaded.
            let again = config.init(&device).with_pretrained(&path).unwrap();
            assert_eq!(
                loaded.forward(images.clone()).into_data(),
                again.forward(images).into_data()
            );

            // Out again: every number in its place, but for the head and the counters.
            let out = loaded.reference_weights().tensors;
            let trunk = |name: &&String| {
                !(name.starts_with("fc.") || name.starts_with("head.") || is_counter(name))
            };
            let expected: BTreeMap<_, _> = tensors.iter().filter(|(name, _)| trunk(name)).collect();
            assert!(out.iter().eq(expected), "{case}");

            let tensor = tensors.remove(name).unwrap();
            write(&path, &tensors);
            let error = config.init(&device).with_pretrained(&path).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
            tensors.insert(name.to_owned(), tensor.clone());
            tensors.insert("surplus".to_owned(), tensor);
            write(&path, &tensors);
            let error = config.init(&device).with_pretrained(&path).unwrap_err();
            assert!(
                error.to_string().contains("unused: [\"surplus\"]"),
                "{error}"
            );
        }
    }
}
