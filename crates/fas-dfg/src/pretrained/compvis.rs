//! The layout of CompVis' latent-diffusion and stable-diffusion: one file with `model.diffusion_model.`,
//! `first_stage_model.`, a text encoder and tables of the schedule.

use std::path::Path;

use super::read_foreign;
use crate::pretrained::diffusers::diffusers_name;
use crate::{AutoencoderKl, AutoencoderKlConfig, DfgError, LatentUNet, LatentUNetConfig};

const UNET: &str = "model.diffusion_model.";
const FIRST_STAGE: &str = "first_stage_model.";

impl LatentUNet {
    /// Fills the network, which `config` described, from an original Stable Diffusion checkpoint; all
    /// that is not below `model.diffusion_model.` is other networks' and ignored.
    ///
    /// # Errors
    ///
    /// [`DfgError::Weights`] if the file is unreadable or its U-Net is another one.
    pub fn load_compvis(self, config: &LatentUNetConfig, path: &Path) -> Result<Self, DfgError> {
        let layers = config.layers_per_block;
        let transformers = &config.transformers;
        read_foreign(
            self,
            path,
            |name| name.strip_prefix(UNET),
            |_| false,
            |ours| unet_name(&diffusers_name(ours), layers, transformers),
        )
    }
}

impl AutoencoderKl {
    /// Fills the network, which `config` described, from an original checkpoint: of Stable Diffusion,
    /// where all that is not below `first_stage_model.` is ignored.
    ///
    /// # Errors
    ///
    /// [`DfgError::Weights`] if the file is unreadable or its first stage is another one.
    pub fn load_compvis(self, config: &AutoencoderKlConfig, path: &Path) -> Result<Self, DfgError> {
        let levels = config.block_out_channels.len();
        read_foreign(
            self,
            path,
            |name| name.strip_prefix(FIRST_STAGE),
            |name| name.contains(".attn_1."),
            |ours| autoencoder_name(&diffusers_name(ours), levels),
        )
    }
}

fn number(text: &str) -> usize {
    text.parse().expect("an index of a list")
}

/// Name of a U-Net's parameter from diffusers' name. Blocks are numbered through here: `layers`
/// residual blocks and a halving a level, one block more a level on the way up.
fn unet_name(name: &str, layers: usize, transformers: &[bool]) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    let residual = |prefix: String, layer: &str, leaf: &str| {
        let layer = match layer {
            "norm1" => "in_layers.0",
            "conv1" => "in_layers.2",
            "time_emb_proj" => "emb_layers.1",
            "norm2" => "out_layers.0",
            "conv2" => "out_layers.3",
            _ => "skip_connection",
        };
        format!("{prefix}.{layer}.{leaf}")
    };
    match parts[..] {
        ["conv_in", leaf] => format!("input_blocks.0.0.{leaf}"),
        ["time_embedding", "linear_1", leaf] => format!("time_embed.0.{leaf}"),
        ["time_embedding", "linear_2", leaf] => format!("time_embed.2.{leaf}"),
        ["conv_norm_out", leaf] => format!("out.0.{leaf}"),
        ["conv_out", leaf] => format!("out.2.{leaf}"),
        ["down_blocks", level, "resnets", index, layer, leaf] => {
            let place = 1 + number(level) * (layers + 1) + number(index);
            residual(format!("input_blocks.{place}.0"), layer, leaf)
        }
        ["down_blocks", level, "attentions", index, ref rest @ ..] => {
            let place = 1 + number(level) * (layers + 1) + number(index);
            format!("input_blocks.{place}.1.{}", rest.join("."))
        }
        ["down_blocks", level, "downsamplers", _, _, leaf] => {
            let place = (number(level) + 1) * (layers + 1);
            format!("input_blocks.{place}.0.op.{leaf}")
        }
        ["mid_block", "resnets", index, layer, leaf] => {
            residual(format!("middle_block.{}", 2 * number(index)), layer, leaf)
        }
        ["mid_block", "attentions", _, ref rest @ ..] => {
            format!("middle_block.1.{}", rest.join("."))
        }
        ["up_blocks", level, "resnets", index, layer, leaf] => {
            let place = number(level) * (layers + 1) + number(index);
            residual(format!("output_blocks.{place}.0"), layer, leaf)
        }
        ["up_blocks", level, "attentions", index, ref rest @ ..] => {
            let place = number(level) * (layers + 1) + number(index);
            format!("output_blocks.{place}.1.{}", rest.join("."))
        }
        ["up_blocks", level, "upsamplers", _, _, leaf] => {
            let level = number(level);
            // Behind the residual block and, where there is one, the transformer.
            let with = transformers[transformers.len() - 1 - level];
            let place = level * (layers + 1) + layers;
            format!(
                "output_blocks.{place}.{}.conv.{leaf}",
                1 + usize::from(with)
            )
        }
        _ => name.to_owned(),
    }
}

/// Name of an autoencoder's parameter from diffusers' name. Levels of the decoder are counted from full
/// resolution here.
fn autoencoder_name(name: &str, levels: usize) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    let shortcut = |layer: &str| match layer {
        "conv_shortcut" => "nin_shortcut".to_owned(),
        other => other.to_owned(),
    };
    match parts[..] {
        [side, "conv_norm_out", leaf] => format!("{side}.norm_out.{leaf}"),
        [side, "down_blocks", level, "resnets", index, layer, leaf] => {
            format!(
                "{side}.down.{level}.block.{index}.{}.{leaf}",
                shortcut(layer)
            )
        }
        [side, "down_blocks", level, "downsamplers", _, _, leaf] => {
            format!("{side}.down.{level}.downsample.conv.{leaf}")
        }
        [side, "up_blocks", level, "resnets", index, layer, leaf] => {
            let level = levels - 1 - number(level);
            format!("{side}.up.{level}.block.{index}.{}.{leaf}", shortcut(layer))
        }
        [side, "up_blocks", level, "upsamplers", _, _, leaf] => {
            let level = levels - 1 - number(level);
            format!("{side}.up.{level}.upsample.conv.{leaf}")
        }
        [side, "mid_block", "resnets", index, layer, leaf] => {
            format!(
                "{side}.mid.block_{}.{}.{leaf}",
                number(index) + 1,
                shortcut(layer)
            )
        }
        [side, "mid_block", "attentions", _, ref rest @ ..] => {
            let layer = match rest[0] {
                "group_norm" => "norm",
                "to_q" => "q",
                "to_k" => "k",
                "to_v" => "v",
                _ => "proj_out",
            };
            format!("{side}.mid.attn_1.{layer}.{}", rest[rest.len() - 1])
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pretrained::diffusers::tests::{autoencoder_config, bytes, unet_config};
    use crate::pretrained::transpose;
    use burn::module::Module;
    use burn::tensor::Device;
    use fas_weights::{StoredFloat, Weights, module_bytes};
    use safetensors::tensor::{Dtype, TensorView};

    #[test]
    fn names_of_stable_diffusion() {
        let transformers = [true, true, true, false];
        for (diffusers, original) in [
            (
                "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight",
                "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
            ),
            (
                "down_blocks.0.downsamplers.0.conv.weight",
                "input_blocks.3.0.op.weight",
            ),
            (
                "down_blocks.1.resnets.0.conv_shortcut.bias",
                "input_blocks.4.0.skip_connection.bias",
            ),
            (
                "down_blocks.3.resnets.1.time_emb_proj.weight",
                "input_blocks.11.0.emb_layers.1.weight",
            ),
            (
                "mid_block.resnets.1.norm2.weight",
                "middle_block.2.out_layers.0.weight",
            ),
            (
                "mid_block.attentions.0.proj_in.weight",
                "middle_block.1.proj_in.weight",
            ),
            (
                "up_blocks.0.upsamplers.0.conv.weight",
                "output_blocks.2.1.conv.weight",
            ),
            (
                "up_blocks.1.upsamplers.0.conv.weight",
                "output_blocks.5.2.conv.weight",
            ),
            (
                "up_blocks.3.resnets.2.conv1.weight",
                "output_blocks.11.0.in_layers.2.weight",
            ),
            ("time_embedding.linear_2.bias", "time_embed.2.bias"),
            ("conv_norm_out.weight", "out.0.weight"),
        ] {
            assert_eq!(unet_name(diffusers, 2, &transformers), original);
        }
        for (diffusers, original) in [
            (
                "decoder.up_blocks.0.upsamplers.0.conv.weight",
                "decoder.up.3.upsample.conv.weight",
            ),
            (
                "decoder.up_blocks.3.resnets.0.conv_shortcut.weight",
                "decoder.up.0.block.0.nin_shortcut.weight",
            ),
            (
                "encoder.down_blocks.2.downsamplers.0.conv.bias",
                "encoder.down.2.downsample.conv.bias",
            ),
            (
                "encoder.mid_block.attentions.0.to_out.0.weight",
                "encoder.mid.attn_1.proj_out.weight",
            ),
            (
                "encoder.mid_block.attentions.0.group_norm.bias",
                "encoder.mid.attn_1.norm.bias",
            ),
            (
                "decoder.mid_block.resnets.1.norm1.weight",
                "decoder.mid.block_2.norm1.weight",
            ),
            ("encoder.conv_norm_out.bias", "encoder.norm_out.bias"),
            ("quant_conv.weight", "quant_conv.weight"),
        ] {
            assert_eq!(autoencoder_name(diffusers, 4), original);
        }
    }

    /// Tensors of a module as an original checkpoint has them.
    fn original<M: Module>(
        module: &M,
        name: impl Fn(&str) -> String,
    ) -> Vec<(String, Vec<usize>, Vec<u8>)> {
        let ours = module_bytes(module, StoredFloat::F32, &Default::default());
        let ours = Weights::from_bytes(&ours, Path::new("memory")).unwrap();
        ours.tensors
            .into_iter()
            .map(|(path, (mut shape, mut values))| {
                if let [rows, columns] = shape[..] {
                    values = transpose(&values, rows, columns);
                    shape = vec![columns, rows];
                }
                let name = name(&diffusers_name(&path));
                if name.contains(".attn_1.") && shape.len() == 2 {
                    shape.extend([1, 1]);
                }
                (
                    name,
                    shape,
                    values.iter().flat_map(|v| v.to_le_bytes()).collect(),
                )
            })
            .collect()
    }

    #[test]
    fn both_networks_are_found_in_one_checkpoint() {
        let device = Device::default();
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("sd.safetensors");
        let (unet, autoencoder) = (
            unet_config().init(&device),
            autoencoder_config().init(&device),
        );
        let mut tensors = original(&unet, |name| {
            format!("{UNET}{}", unet_name(name, 1, &[true, false]))
        });
        tensors.extend(original(&autoencoder, |name| {
            format!("{FIRST_STAGE}{}", autoencoder_name(name, 2))
        }));
        tensors.push((
            "cond_stage_model.text.weight".to_owned(),
            vec![1],
            vec![0; 4],
        ));
        let write = |tensors: &[(String, Vec<usize>, Vec<u8>)]| {
            let views = tensors.iter().map(|(name, shape, bytes)| {
                (
                    name.as_str(),
                    TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
                )
            });
            std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        };
        write(&tensors);
        let read = unet_config()
            .init(&device)
            .load_compvis(&unet_config(), &path)
            .unwrap();
        assert_eq!(bytes(&read), bytes(&unet));
        let read = autoencoder_config()
            .init(&device)
            .load_compvis(&autoencoder_config(), &path)
            .unwrap();
        assert_eq!(bytes(&read), bytes(&autoencoder));
        // strict below the prefix
        tensors.push((format!("{UNET}label_emb.weight"), vec![1], vec![0; 4]));
        write(&tensors);
        let error = unet_config()
            .init(&device)
            .load_compvis(&unet_config(), &path)
            .unwrap_err();
        assert!(
            error.to_string().contains("unused: [\"label_emb.weight\"]"),
            "{error}"
        );
    }
}
