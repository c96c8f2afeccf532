//! Names and layouts of the released DiffFAS code (murphytju/DiffFAS, commit 23f4051): its checkpoints
//! in, our networks out and back.
//!
//! The training script saves a dictionary with the U-Net's state under `model` and its average under
//! `ema`, and the style encoder as a whole module in a file of its own. Some of its weights are dead: the
//! query-key-value layers of the attention that STFM replaced, a second conditioning layer in every
//! residual block, and a norm of the style encoder. They are left out on the way in and filled with zeros
//! on the way out, so that its strict `load_state_dict` takes the file.

use std::path::Path;

use fas_weights::{ForeignTensor, ParamSite, Weights};

use crate::{DiffusionError, StyleEncoder, UNet};

/// Where the released U-Net keeps one of our parameters; the key map of [`UNet`].
///
/// STFM in the paper's form has no released code; its names are those of the parity fixtures.
pub fn unet_reference(site: &ParamSite, released_fusion: bool) -> Option<ForeignTensor> {
    let (module, _) = site.path.rsplit_once('.')?;
    let parts: Vec<&str> = module.split('.').collect();
    let residual = |prefix: &str, layer: &str| {
        let layer = match layer {
            "norm_1" => "in_layers.0",
            "conv_1" => "in_layers.2",
            "time_projection" => "emb_layers.1",
            "norm_2" => "out_layers.0",
            "conv_2" => "out_layers.3",
            "skip" => "skip_connection",
            _ => return None,
        };
        Some(site.torch_as(&format!("{prefix}.{layer}")))
    };
    let fusion =
        |prefix: &str, rest: &[&str]| fusion_reference(site, prefix, rest, released_fusion);
    match parts[..] {
        ["time_embedding", "linear_1"] => Some(site.torch_as("time_embed.time_embed.0")),
        ["time_embedding", "linear_2"] => Some(site.torch_as("time_embed.time_embed.2")),
        ["stem"] => Some(site.torch_as("input_blocks.0.0")),
        ["out_norm"] => Some(site.torch_as("out.0")),
        ["out_conv"] => Some(site.torch_as("out.2")),
        ["middle", "block_1", layer] => residual("middle_block.0", layer),
        ["middle", "block_2", layer] => residual("middle_block.2", layer),
        ["middle", "fusion", ref rest @ ..] => fusion("middle_block.1.", rest),
        [side, index, part, ref rest @ ..] => {
            let index: usize = index.parse().ok()?;
            let block = match side {
                "encoder" => format!("input_blocks.{}", index + 1),
                "decoder" => format!("output_blocks.{index}"),
                _ => return None,
            };
            match (part, rest) {
                ("residual", [layer]) => residual(&format!("{block}.0"), layer),
                // A block that only changes the resolution stands first in its list.
                ("change", ["block", layer]) if side == "encoder" => {
                    residual(&format!("{block}.0"), layer)
                }
                ("change", ["block", layer]) => residual(&format!("{block}.1"), layer),
                ("fusion", rest) => fusion(&format!("{block}.1."), rest),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Where the released code keeps a parameter of STFM whose names begin with `prefix`.
pub fn fusion_reference(
    site: &ParamSite,
    prefix: &str,
    parts: &[&str],
    released: bool,
) -> Option<ForeignTensor> {
    if !released {
        let prefix = if prefix.is_empty() {
            ""
        } else {
            &format!("{prefix}stfm.")
        };
        return match parts {
            [branch, layer] => {
                let branch = if *branch == "spread" { "var" } else { branch };
                let layer = match *layer {
                    "query" => "q",
                    "key" => "k",
                    "value" => "v",
                    "output" => "proj",
                    _ => return None,
                };
                Some(site.torch_as(&format!("{prefix}{branch}.{layer}")))
            }
            [layer] => Some(site.torch_as(&format!("{prefix}{layer}"))),
            _ => None,
        };
    }
    match parts {
        [branch, layer] => {
            let number = if *branch == "mean" { 1 } else { 2 };
            let width = *site.shape.last()?;
            let named = |name: &str| site.torch_as(&format!("{prefix}{name}{number}"));
            let tensor = match *layer {
                "query" => named("to_q"),
                "key" => named("to_kv").rows(0..width),
                "value" => named("to_kv").rows(width..2 * width),
                "output" => named("proj_out"),
                _ => return None,
            };
            // 1-D convolutions there.
            Some(if site.field() == "weight" {
                tensor.trailing_ones(1)
            } else {
                tensor
            })
        }
        ["condition_norm"] => Some(site.torch_as(&format!("{prefix}bn"))),
        ["conv"] => Some(site.torch_as(&format!("{prefix}conv1"))),
        ["norm"] => Some(site.torch_as(&format!("{prefix}norm"))),
        _ => None,
    }
}

/// Where the released style encoder keeps one of our parameters; the key map of [`StyleEncoder`].
pub fn style_encoder_reference(site: &ParamSite) -> Option<ForeignTensor> {
    let (module, _) = site.path.rsplit_once('.')?;
    let parts: Vec<&str> = module.split('.').collect();
    let name = match parts[..] {
        ["conv"] => "conv1".to_owned(),
        ["norm"] => "bn1".to_owned(),
        ["classifier"] => "fc".to_owned(),
        ["stages", stage, block, layer] => {
            let stage: usize = stage.parse().ok()?;
            let layer = match layer {
                "conv_1" => "conv1",
                "norm_1" => "bn1",
                "conv_2" => "conv2",
                "norm_2" => "bn2",
                "shortcut_conv" => "downsample.0",
                "shortcut_norm" => "downsample.1",
                _ => return None,
            };
            format!("layer{}.{block}.{layer}", stage + 1)
        }
        _ => return None,
    };
    Some(site.torch_as(&name))
}

/// Weights of the released files that take no part in anything.
fn is_dead(name: &str) -> bool {
    name.ends_with("num_batches_tracked")
        || name.contains(".cond_emb_layers.")
        || name.contains(".qkv.")
}

impl UNet {
    /// The network with the weights of a released checkpoint (`read_pytorch(path, Some("model"))`, or
    /// `ema`), or of a file that [`reference_weights`](Self::reference_weights) made.
    ///
    /// # Errors
    ///
    /// [`DiffusionError::Weights`] with all that is missing, unused or misshaped: the checkpoint is of
    /// another configuration. `path` is for the message.
    pub fn load_reference(self, weights: Weights, path: &Path) -> Result<Self, DiffusionError> {
        let released = self.has_released_fusion();
        let key_map = |site: &ParamSite| unet_reference(site, released);
        Ok(weights.apply_foreign(self, path, key_map, is_dead)?)
    }

    /// The weights under the released names and in their layout, dead ones as zeros.
    ///
    /// # Errors
    ///
    /// [`DiffusionError::NoReference`] if the configuration has parts that the released code lacks, as
    /// [`UNetConfig::small`](crate::UNetConfig::small) does.
    pub fn reference_weights(&self) -> Result<Weights, DiffusionError> {
        let released = self.has_released_fusion();
        let mut weights = Weights::of_module(self, |site| unet_reference(site, released))
            .map_err(|parameters| DiffusionError::NoReference { parameters })?;
        let mut dead = Vec::new();
        for (name, (shape, _)) in &weights.tensors {
            if let Some(block) = name.strip_suffix(".emb_layers.1.bias") {
                let channels = shape[0] / 2;
                let layer = format!("{block}.cond_emb_layers.1");
                dead.push((format!("{layer}.weight"), vec![channels, channels]));
                dead.push((format!("{layer}.bias"), vec![channels]));
            }
            if let Some(fusion) = name.strip_suffix(".to_q1.bias") {
                let layer = format!("{fusion}.qkv");
                dead.push((format!("{layer}.weight"), vec![3 * shape[0], shape[0], 1]));
                dead.push((format!("{layer}.bias"), vec![3 * shape[0]]));
            }
        }
        dead.extend(counters(&weights));
        add_zeros(&mut weights, dead);
        Ok(weights)
    }
}

impl StyleEncoder {
    /// The network with the weights of the released file (`read_pytorch(path, None)`).
    ///
    /// # Errors
    ///
    /// [`DiffusionError::Weights`] with all that is missing, unused or misshaped. `path` is for the
    /// message.
    pub fn load_reference(self, weights: Weights, path: &Path) -> Result<Self, DiffusionError> {
        Ok(weights.apply_foreign(self, path, style_encoder_reference, is_dead)?)
    }

    /// The weights under the released names and in their layout, BatchNorm's counters as zeros.
    ///
    /// # Errors
    ///
    /// [`DiffusionError::NoReference`] if the configuration has parts that the released code lacks.
    pub fn reference_weights(&self) -> Result<Weights, DiffusionError> {
        let mut weights = Weights::of_module(self, style_encoder_reference)
            .map_err(|parameters| DiffusionError::NoReference { parameters })?;
        let counters = counters(&weights);
        add_zeros(&mut weights, counters);
        Ok(weights)
    }
}

/// BatchNorm's counters, one beside each running mean.
fn counters(weights: &Weights) -> Vec<(String, Vec<usize>)> {
    let norms = weights
        .tensors
        .keys()
        .filter_map(|name| name.strip_suffix(".running_mean"));
    norms
        .map(|norm| (format!("{norm}.num_batches_tracked"), Vec::new()))
        .collect()
}

fn add_zeros(weights: &mut Weights, dead: Vec<(String, Vec<usize>)>) {
    for (name, shape) in dead {
        let length = shape.iter().product();
        weights.tensors.insert(name, (shape, vec![0.0; length]));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use burn::module::Module;
    use burn::tensor::Device;

    use super::*;
    use crate::{StyleEncoderConfig, UNetConfig};

    /// As the released U-Net, but narrow.
    fn narrow() -> UNetConfig {
        UNetConfig {
            image_size: 32,
            ..UNetConfig::released()
                .with_model_channels(32)
                .with_channel_mult(vec![1, 2])
                .with_embed_channels(64)
                .with_fusion_sizes(vec![16])
        }
    }

    #[test]
    fn what_goes_out_comes_back_bit_for_bit() {
        let device = Device::default();
        let unet = narrow().init(&device);
        let weights = unet.reference_weights().unwrap();
        let back = narrow()
            .init(&device)
            .load_reference(weights.clone(), Path::new("memory"))
            .unwrap();
        assert_eq!(back.reference_weights().unwrap().tensors, weights.tensors);
        let config = StyleEncoderConfig::small(4);
        let encoder = config.init(&device);
        let weights = encoder.reference_weights().unwrap();
        let back = config
            .init(&device)
            .load_reference(weights.clone(), Path::new("memory"))
            .unwrap();
        assert_eq!(back.reference_weights().unwrap().tensors, weights.tensors);
    }

    #[test]
    fn another_configuration_is_listed_whole_and_changes_nothing() {
        let device = Device::default();
        let mut weights = narrow().init(&device).reference_weights().unwrap();
        weights.tensors.remove("out.2.bias");
        weights
            .tensors
            .insert("extra".to_owned(), (vec![1], vec![0.0]));
        let wider = narrow().with_embed_channels(128).init(&device);
        let before = wider.clone().reference_weights().unwrap().tensors;
        let error = wider
            .clone()
            .load_reference(weights, Path::new("model.pt"))
            .unwrap_err()
            .to_string();
        for part in [
            "model.pt do not fit",
            "missing: [\"out.2.bias\"]",
            "unused: [\"extra\"]",
            "time_embed.time_embed.0.bias: expected [128], found [64]",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert_eq!(wider.reference_weights().unwrap().tensors, before);
    }

    #[test]
    fn parts_without_a_released_form_are_named() {
        let unet = UNetConfig::small().init(&Device::default());
        let error = unet.reference_weights().unwrap_err().to_string();
        assert!(error.contains("encoder.1.change.conv.weight"), "{error}");
    }

    #[test]
    fn the_released_style_encoder_has_its_names_and_size() {
        let encoder = StyleEncoderConfig::released(17).init(&Device::default());
        let weights = encoder.reference_weights().unwrap();
        let trained: usize = weights
            .tensors
            .iter()
            .filter(|(name, _)| !name.contains("running_") && !is_dead(name))
            .map(|(_, (_, values))| values.len())
            .sum();
        assert_eq!(trained, 46_238_801);
        let names: BTreeSet<&str> = weights.tensors.keys().map(String::as_str).collect();
        // As many as the reference implementation's strict loading wants.
        assert_eq!(names.len(), 218);
        for name in [
            "conv1.weight",
            "layer1.0.bn1.running_var",
            "layer2.0.downsample.1.bias",
            "fc.weight",
        ] {
            assert!(names.contains(name), "{name}");
        }
        assert_eq!(weights.tensors["fc.weight"].0, [17, 512]);
        assert!(encoder.num_params() > trained);
    }
}
