//! Writes small cases for this crate's own tests.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};

use crate::Tree;

/// A case `{name}` of component `demo` with one input, one output `y` and inline weights, edited by
/// `edit` before it is written to `{folder}/{name}.safetensors` of `tree`.
pub(crate) fn write_case(
    tree: &Tree,
    folder: &str,
    name: &str,
    tensors: &[(&str, &[usize], &[f32])],
    edit: impl FnOnce(&mut Value),
) -> PathBuf {
    let mut description = json!({
        "case": name, "component": "demo", "config": {"classes": 3, "mode": "var"},
        "weights": "none", "fill_prefix": "", "params": [], "procedural_inputs": [],
        "tolerance": {"y": {"atol": 0.01, "ref_f32_dev": 1e-7, "absmax": 1.0, "rms": 1.0}},
        "source": "by hand", "notes": "",
    });
    edit(&mut description);
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect())
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap();
        (name.to_string(), view)
    });
    let metadata = HashMap::from([("fixture".to_owned(), description.to_string())]);
    let file = safetensors::serialize(views, Some(metadata)).unwrap();
    let folder = if folder == "." { "" } else { folder };
    let path = Path::new(folder).join(format!("{name}.safetensors"));
    tree.write(path.to_str().unwrap(), file).unwrap()
}
