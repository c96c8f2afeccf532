//! Weights of a vision transformer as timm and transformers store them, strictly.
//!
//! The paper starts from transformers' `vit-base-patch16-224-in21k`. A file may hold a pooler and
//! heads of classes, which are left out, and, as AG-FAS's released checkpoints do, the weights of the
//! cross-attentions. Anything else that is missing, left over or misshaped is an error.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use fas_weights::{StoredFloat, Weights, WeightsError, module_bytes, read_weights};

use crate::{AgNetError, Vit};

/// Who named the tensors of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VitLayout {
    /// timm: `blocks.0.attn.qkv.weight`.
    Timm,
    /// transformers: `encoder.layer.0.attention.attention.query.weight`, with or without `vit.` before
    /// it.
    Transformers,
}

impl VitLayout {
    /// The layout of a file with tensors of these names.
    fn detect<'a>(names: impl IntoIterator<Item = &'a String>) -> Option<(Self, String)> {
        names.into_iter().find_map(|name| {
            let prefix = |last: &str| name.strip_suffix(last).map(str::to_owned);
            prefix("patch_embed.proj.weight")
                .map(|prefix| (Self::Timm, prefix))
                .or_else(|| {
                    prefix("embeddings.patch_embeddings.projection.weight")
                        .map(|prefix| (Self::Transformers, prefix))
                })
        })
    }

    /// Where the parameter `ours` of a [`Vit`] is found.
    fn source(self, ours: &str) -> Source {
        let (module, field) = ours.rsplit_once('.').unwrap_or(("", ours));
        let leaf = match field {
            "gamma" => "weight",
            "beta" => "bias",
            other => other,
        };
        let timm = self == Self::Timm;
        let named = |timm_name: &str, transformers_name: &str| {
            let name = if timm { timm_name } else { transformers_name };
            Source::new(format!("{name}.{leaf}"))
        };
        if let Some(rest) = module.strip_prefix("blocks.") {
            let (layer, part) = rest.split_once('.').expect("a block has parts");
            let source = match part {
                "norm_attention" => named("norm1", "layernorm_before"),
                "norm_mlp" => named("norm2", "layernorm_after"),
                "mlp_in" => named("mlp.fc1", "intermediate.dense").transposed(),
                "mlp_out" => named("mlp.fc2", "output.dense").transposed(),
                "attention.output" => named("attn.proj", "attention.output.dense").transposed(),
                "cue.norm" => named("ln_cross_attn", "ln_cross_attn"),
                "cue.attention.output" => {
                    named("crossattention.dense", "crossattention.dense").transposed()
                }
                _ => match part.rsplit_once('.') {
                    Some(("attention", projection)) => {
                        let joint = named("attn.qkv", &format!("attention.attention.{projection}"));
                        let third = ["query", "key", "value"]
                            .iter()
                            .position(|p| *p == projection);
                        Source {
                            third: if timm { third } else { None },
                            ..joint
                        }
                        .transposed()
                    }
                    Some((_, projection)) => {
                        let name = format!("crossattention.{projection}");
                        named(&name, &name).transposed()
                    }
                    None => unreachable!("a block has no part {part}"),
                },
            };
            let blocks = if timm { "blocks" } else { "encoder.layer" };
            return Source {
                name: format!("{blocks}.{layer}.{}", source.name),
                // A bias has nothing to transpose.
                transpose: source.transpose && leaf == "weight",
                ..source
            };
        }
        match ours {
            "class_token" if timm => Source::new("cls_token".to_owned()),
            "class_token" => Source::new("embeddings.cls_token".to_owned()),
            "positions" if timm => Source::new("pos_embed".to_owned()),
            "positions" => Source::new("embeddings.position_embeddings".to_owned()),
            _ if module == "norm" => named("norm", "layernorm"),
            _ => named("patch_embed.proj", "embeddings.patch_embeddings.projection"),
        }
    }

    /// Whether a tensor belongs to what this network does not have: heads of classes and the pooler.
    fn is_head(name: &str) -> bool {
        [
            "head.",
            "head_dist.",
            "pre_logits.",
            "pooler.",
            "classifier.",
            "embedder.",
        ]
        .iter()
        .any(|part| name.starts_with(part))
    }
}

/// Where the values of a parameter come from.
#[derive(Debug)]
struct Source {
    name: String,
    /// Which third of the first axis: a joint query, key and value projection.
    third: Option<usize>,
    /// From `[out, in]` to Burn's `[in, out]`.
    transpose: bool,
}

impl Source {
    fn new(name: String) -> Self {
        Self {
            name,
            third: None,
            transpose: false,
        }
    }

    fn transposed(self) -> Self {
        Self {
            transpose: true,
            ..self
        }
    }

    fn take(&self, (shape, values): &(Vec<usize>, Vec<f32>)) -> (Vec<usize>, Vec<f32>) {
        let (mut shape, mut values) = (shape.clone(), values.clone());
        if let Some(third) = self.third
            && shape.first().is_some_and(|rows| rows.is_multiple_of(3))
        {
            let length = values.len() / 3;
            values = values[third * length..][..length].to_vec();
            shape[0] /= 3;
        }
        if self.transpose
            && let [rows, columns] = shape[..]
        {
            values = (0..columns * rows)
                .map(|at| values[(at % rows) * columns + at / rows])
                .collect();
            shape = vec![columns, rows];
        }
        (shape, values)
    }
}

impl Vit {
    /// The network with weights of timm or transformers (safetensors). Cross-attentions keep theirs
    /// unless the file has them.
    ///
    /// # Errors
    ///
    /// [`AgNetError::Weights`] with all that is missing, left over or misshaped,
    /// [`AgNetError::UnknownLayout`] if the file is no such transformer.
    pub fn with_pretrained(self, path: &Path) -> Result<Self, AgNetError> {
        let file = read_weights(path)?;
        let (layout, prefix) =
            VitLayout::detect(file.tensors.keys()).ok_or_else(|| AgNetError::UnknownLayout {
                path: path.to_owned(),
            })?;
        let theirs: BTreeMap<&str, &(Vec<usize>, Vec<f32>)> = file
            .tensors
            .iter()
            .map(|(name, tensor)| (name.strip_prefix(&prefix).unwrap_or(name), tensor))
            .collect();
        let bytes = module_bytes(&self, StoredFloat::F32, &HashMap::new());
        let mut own = Weights::from_bytes(&bytes, path)?;
        let has_cross_attention = theirs.keys().any(|name| name.contains("crossattention"));

        let mut used = BTreeSet::new();
        let (mut missing, mut misshaped) = (Vec::new(), Vec::new());
        for (name, tensor) in &mut own.tensors {
            if name.contains(".cue.") && !has_cross_attention {
                continue;
            }
            let source = layout.source(name);
            let Some((&found, foreign)) = theirs.get_key_value(source.name.as_str()) else {
                missing.push(format!("{prefix}{}", source.name));
                continue;
            };
            used.insert(found);
            let taken = source.take(foreign);
            if taken.0 == tensor.0 {
                *tensor = taken;
            } else {
                misshaped.push(format!(
                    "{prefix}{}: expected {:?} for {name}, found {:?}",
                    source.name, tensor.0, taken.0
                ));
            }
        }
        let unused: Vec<String> = theirs
            .keys()
            .filter(|name| !used.contains(*name) && !VitLayout::is_head(name))
            .map(|name| format!("{prefix}{name}"))
            .collect();
        if missing.is_empty() && unused.is_empty() && misshaped.is_empty() {
            return Ok(own.apply(self, path)?);
        }
        Err(WeightsError::Mismatch {
            path: path.to_owned(),
            missing,
            unused,
            misshaped,
        }
        .into())
    }
}
