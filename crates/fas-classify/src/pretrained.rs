//! Weights of ImageNet that a backbone starts from: torchvision's ResNet and timm's MobileViT, as
//! safetensors, strictly.
//!
//! The file's head of classes is left out by name, and so are PyTorch's counters of batches; anything
//! else that is missing, left over or misshaped is an error.

use std::path::{Path, PathBuf};

use burn::config::Config;
use fas_weights::{Weights, WeightsError, read_weights};

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
        let weights = read_weights(path)?;
        match self {
            Self::ResNet(network) => {
                let weights = prepared(weights, |name| name.starts_with("fc."), |_| false);
                let network = weights.apply_renamed(network, path, torchvision_name)?;
                Ok(Self::ResNet(network))
            }
            Self::MobileVit(network) => {
                let is_linear = |name: &str| name.contains(".attn.") || name.contains(".mlp.");
                let weights = prepared(weights, |name| name.starts_with("head."), is_linear);
                let network = weights.apply_renamed(network, path, timm_name)?;
                Ok(Self::MobileVit(network))
            }
        }
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

/// Tensors of the trunk, with linear layers turned from `[out, in]` to Burn's `[in, out]`.
fn prepared(
    mut weights: Weights,
    is_head: impl Fn(&str) -> bool,
    is_linear: impl Fn(&str) -> bool,
) -> Weights {
    weights.tensors.retain(|name, _| !is_head(name));
    for (name, (shape, values)) in &mut weights.tensors {
        if let (true, &[rows, columns]) = (is_linear(name), shape.as_slice()) {
            *values = (0..columns)
                .flat_map(|column| (0..rows).map(move |row| (row, column)))
                .map(|(row, column)| values[row * columns + column])
                .collect();
            shape.swap(0, 1);
        }
    }
    weights
}

/// PyTorch's names of the values of a norm.
fn torch_leaf(path: &str) -> String {
    match path.rsplit_once('.') {
        Some((module, "gamma")) => format!("{module}.weight"),
        Some((module, "beta")) => format!("{module}.bias"),
        _ => path.to_owned(),
    }
}

/// torchvision's name of a parameter of a [`ResNet`](crate::ResNet).
fn torchvision_name(path: &str) -> String {
    let path = torch_leaf(path);
    let path = match path
        .strip_prefix("stages.")
        .and_then(|rest| rest.split_once('.'))
    {
        Some((stage, rest)) => {
            let stage: usize = stage.parse().expect("stages are numbered");
            format!("layer{}.{rest}", stage + 1)
        }
        None => path,
    };
    path.replace("downsample.conv.", "downsample.0.")
        .replace("downsample.bn.", "downsample.1.")
}

/// timm's name of a parameter of a [`MobileVit`](crate::MobileVit), every stage of which has one
/// residual before its transformer.
fn timm_name(path: &str) -> String {
    torch_leaf(path)
        .replace(".residuals.", ".")
        .replace(".block.", ".1.")
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

    /// As PyTorch writes them: integers beside the weights.
    fn is_counter(name: &str) -> bool {
        name.ends_with(".num_batches_tracked")
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
