//! The layout of diffusers (<https://github.com/huggingface/diffusers>): a folder with `config.json` and
//! `diffusion_pytorch_model.safetensors`.

use std::path::Path;

use burn::module::Module;
use fas_weights::{StoredFloat, Weights, module_bytes};
use half::f16;
use safetensors::tensor::{Dtype, TensorView};

use super::{read_foreign, torch_leaf, transpose};
use crate::face_codes::write_atomically;
use crate::{AutoencoderKl, AutoencoderKlConfig, DfgError, LatentUNet, LatentUNetConfig};

/// File of the weights in a model's folder.
const WEIGHTS: &str = "diffusion_pytorch_model.safetensors";

/// Name of a parameter of ours: fields are named as there, but for the feed-forward layers.
pub(super) fn diffusers_name(path: &str) -> String {
    torch_leaf(path)
        .replace(".ff.proj.", ".ff.net.0.proj.")
        .replace(".ff.out.", ".ff.net.2.")
}

/// Attention layers of an autoencoder as they were called before diffusers 0.18.
fn older_attention_name(name: &str) -> String {
    name.replace(".to_q.", ".query.")
        .replace(".to_k.", ".key.")
        .replace(".to_v.", ".value.")
        .replace(".to_out.0.", ".proj_attn.")
}

/// All of a file is one network.
fn whole(name: &str) -> Option<&str> {
    Some(name)
}

impl LatentUNet {
    /// Fills the network from a `UNet2DConditionModel`'s safetensors file.
    ///
    /// # Errors
    ///
    /// [`DfgError::Weights`] if the file is unreadable or holds another network.
    pub fn load_diffusers(self, path: &Path) -> Result<Self, DfgError> {
        read_foreign(self, path, whole, |_| false, diffusers_name)
    }

    /// Writes `config.json` and the weights into `folder`, for
    /// `UNet2DConditionModel.from_pretrained(folder)`. A pooled condition has no place there.
    ///
    /// # Errors
    ///
    /// [`DfgError::Io`] if a file cannot be written.
    pub fn save_diffusers(
        &self,
        config: &LatentUNetConfig,
        folder: &Path,
        stored: StoredFloat,
    ) -> Result<(), DfgError> {
        let blocks = |plain: &str, crossed: &str, reverse: bool| {
            let mut names: Vec<String> = config
                .transformers
                .iter()
                .map(|&with| format!("\"{}\"", if with { crossed } else { plain }))
                .collect();
            if reverse {
                names.reverse();
            }
            format!("[{}]", names.join(", "))
        };
        let text = format!(
            "{{\n  \"_class_name\": \"UNet2DConditionModel\",\n  \"act_fn\": \"silu\",\n  \
             \"attention_head_dim\": {},\n  \"block_out_channels\": {:?},\n  \
             \"center_input_sample\": false,\n  \"cross_attention_dim\": {},\n  \
             \"down_block_types\": {},\n  \"downsample_padding\": 1,\n  \
             \"flip_sin_to_cos\": true,\n  \"freq_shift\": 0,\n  \"in_channels\": {},\n  \
             \"layers_per_block\": {},\n  \"mid_block_scale_factor\": 1,\n  \
             \"norm_eps\": 1e-05,\n  \"norm_num_groups\": {},\n  \"out_channels\": {},\n  \
             \"up_block_types\": {}\n}}\n",
            config.heads,
            config.block_out_channels,
            config.context_channels,
            blocks("DownBlock2D", "CrossAttnDownBlock2D", false),
            config.latent_channels,
            config.layers_per_block,
            config.num_groups,
            config.latent_channels,
            blocks("UpBlock2D", "CrossAttnUpBlock2D", true),
        );
        write_model(self, &text, folder, stored)
    }
}

impl AutoencoderKl {
    /// Fills the network from an `AutoencoderKL`'s safetensors file, of any release.
    ///
    /// # Errors
    ///
    /// [`DfgError::Weights`] if the file is unreadable or holds another network.
    pub fn load_diffusers(self, path: &Path) -> Result<Self, DfgError> {
        let names = fas_weights::read_weights(path)?;
        let older = names.tensors.keys().any(|name| name.contains(".query."));
        read_foreign(
            self,
            path,
            whole,
            |_| false,
            |ours| {
                let name = diffusers_name(ours);
                if older {
                    older_attention_name(&name)
                } else {
                    name
                }
            },
        )
    }

    /// Writes `config.json` and the weights into `folder`, for `AutoencoderKL.from_pretrained(folder)`.
    ///
    /// # Errors
    ///
    /// [`DfgError::Io`] if a file cannot be written.
    pub fn save_diffusers(
        &self,
        config: &AutoencoderKlConfig,
        folder: &Path,
        stored: StoredFloat,
    ) -> Result<(), DfgError> {
        let blocks = |name: &str| {
            let names = vec![format!("\"{name}\""); config.block_out_channels.len()];
            format!("[{}]", names.join(", "))
        };
        let text = format!(
            "{{\n  \"_class_name\": \"AutoencoderKL\",\n  \"act_fn\": \"silu\",\n  \
             \"block_out_channels\": {:?},\n  \"down_block_types\": {},\n  \"in_channels\": 3,\n  \
             \"latent_channels\": {},\n  \"layers_per_block\": {},\n  \"norm_num_groups\": {},\n  \
             \"out_channels\": 3,\n  \"scaling_factor\": {},\n  \"up_block_types\": {}\n}}\n",
            config.block_out_channels,
            blocks("DownEncoderBlock2D"),
            config.latent_channels,
            config.layers_per_block,
            config.num_groups,
            self.scaling_factor(),
            blocks("UpDecoderBlock2D"),
        );
        write_model(self, &text, folder, stored)
    }
}

/// Writes both files of a model.
fn write_model<M: Module>(
    module: &M,
    config: &str,
    folder: &Path,
    stored: StoredFloat,
) -> Result<(), DfgError> {
    std::fs::create_dir_all(folder).map_err(|source| DfgError::Io {
        path: folder.to_owned(),
        source,
    })?;
    let ours = module_bytes(module, StoredFloat::F32, &Default::default());
    let ours = Weights::from_bytes(&ours, folder)?;
    let half = stored == StoredFloat::F16;
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = ours
        .tensors
        .into_iter()
        .map(|(name, (mut shape, mut values))| {
            if let [rows, columns] = shape[..] {
                values = transpose(&values, rows, columns);
                shape = vec![columns, rows];
            }
            let bytes = if half {
                let halves = values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes());
                halves.collect()
            } else {
                values.iter().flat_map(|v| v.to_le_bytes()).collect()
            };
            (diffusers_name(&name), shape, bytes)
        })
        .collect();
    let dtype = if half { Dtype::F16 } else { Dtype::F32 };
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(dtype, shape.clone(), bytes).expect("bytes match the shape");
        (name.as_str(), view)
    });
    // diffusers refuses files that do not say which framework's layout they are in.
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    let file = safetensors::serialize(views, Some(metadata)).expect("names are unique");
    write_atomically(&folder.join(WEIGHTS), &file)?;
    write_atomically(&folder.join("config.json"), config.as_bytes())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use burn::tensor::{Device, Tensor};

    pub(in crate::pretrained) fn unet_config() -> LatentUNetConfig {
        LatentUNetConfig::new(vec![8, 16], vec![true, false])
            .with_layers_per_block(1)
            .with_context_channels(6)
            .with_heads(2)
            .with_num_groups(4)
    }

    pub(in crate::pretrained) fn autoencoder_config() -> AutoencoderKlConfig {
        AutoencoderKlConfig::new(vec![8, 16])
            .with_layers_per_block(1)
            .with_num_groups(4)
    }

    /// Every byte of a module's weights.
    pub(in crate::pretrained) fn bytes<M: Module>(module: &M) -> Vec<u8> {
        module_bytes(module, StoredFloat::F32, &Default::default())
    }

    #[test]
    fn what_is_written_is_read_and_named_as_there() {
        let device = Device::default();
        let place = tempfile::tempdir().unwrap();
        let (unet, autoencoder) = (
            unet_config().init(&device),
            autoencoder_config().init(&device),
        );
        unet.save_diffusers(&unet_config(), &place.path().join("unet"), StoredFloat::F32)
            .unwrap();
        let path = place.path().join("unet").join(WEIGHTS);
        let file = fas_weights::read_weights(&path).unwrap();
        // [out, in] as in PyTorch: 8 inner 4 times, twice for the gate
        for (name, shape) in [
            (
                "down_blocks.0.attentions.0.transformer_blocks.0.ff.net.0.proj.weight",
                vec![64, 8],
            ),
            (
                "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight",
                vec![8, 6],
            ),
            ("up_blocks.0.upsamplers.0.conv.bias", vec![16]),
            ("time_embedding.linear_1.weight", vec![32, 8]),
        ] {
            assert_eq!(file.tensors[name].0, shape, "{name}");
        }
        let read = unet_config().init(&device).load_diffusers(&path).unwrap();
        assert_eq!(bytes(&read), bytes(&unet));
        let json = std::fs::read_to_string(place.path().join("unet/config.json")).unwrap();
        assert!(
            json.contains("\"up_block_types\": [\"UpBlock2D\", \"CrossAttnUpBlock2D\"]"),
            "{json}"
        );

        autoencoder
            .save_diffusers(
                &autoencoder_config(),
                &place.path().join("vae"),
                StoredFloat::F32,
            )
            .unwrap();
        let path = place.path().join("vae").join(WEIGHTS);
        let read = autoencoder_config()
            .init(&device)
            .load_diffusers(&path)
            .unwrap();
        assert_eq!(bytes(&read), bytes(&autoencoder));
        let error = unet_config()
            .init(&device)
            .load_diffusers(&path)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("quant_conv.weight") && error.contains("missing"),
            "{error}"
        );
    }

    #[test]
    fn autoencoders_of_older_releases_are_read() {
        let device = Device::default();
        let place = tempfile::tempdir().unwrap();
        let net = autoencoder_config().init(&device);
        net.save_diffusers(&autoencoder_config(), place.path(), StoredFloat::F32)
            .unwrap();
        let path = place.path().join(WEIGHTS);
        let file = fas_weights::read_weights(&path).unwrap();
        let renamed: Vec<(String, Vec<usize>, Vec<u8>)> = file
            .tensors
            .into_iter()
            .map(|(name, (shape, values))| {
                let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                (older_attention_name(&name), shape, bytes)
            })
            .collect();
        assert!(
            renamed
                .iter()
                .any(|(name, ..)| name == "encoder.mid_block.attentions.0.proj_attn.bias")
        );
        let views = renamed.iter().map(|(name, shape, bytes)| {
            (
                name.as_str(),
                TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
            )
        });
        std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        let read = autoencoder_config()
            .init(&device)
            .load_diffusers(&path)
            .unwrap();
        let images = Tensor::<4>::ones([1, 3, 8, 8], &device) * 0.2;
        assert_eq!(
            read.encode(images.clone()).mean.into_data(),
            net.encode(images).mean.into_data()
        );
    }
}
