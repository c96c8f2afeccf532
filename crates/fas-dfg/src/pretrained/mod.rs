//! Checkpoints of other implementations: diffusers (read and written), CompVis and insightface (read).
//!
//! Reading is strict: every tensor of the network must be there in its shape, and nothing of it may be
//! left over. What a file holds of *other* networks (a text encoder, a classifier's head) is named in
//! the function that ignores it.

mod compvis;
mod diffusers;
mod insightface;

use std::path::Path;

use burn::module::Module;
use fas_weights::{Weights, read_weights};

use crate::DfgError;

/// Reads `path` into `module`.
///
/// `part` gives a tensor's name without the prefix of the network, or nothing for a tensor of another
/// network; `theirs` gives the name of our parameter there, without the prefix. Matrices are stored as
/// `[out, in]` by PyTorch and as `[in, out]` by Burn. `squeezed` says which tensors are 1x1 convolutions
/// there and linear layers here.
fn read_foreign<M: Module>(
    module: M,
    path: &Path,
    part: impl Fn(&str) -> Option<&str>,
    squeezed: impl Fn(&str) -> bool,
    theirs: impl Fn(&str) -> String,
) -> Result<M, DfgError> {
    let file = read_weights(path)?;
    let mut weights = Weights::default();
    for (name, (mut shape, mut values)) in file.tensors {
        let Some(name) = part(&name) else { continue };
        if squeezed(name) && shape.len() == 4 && shape[2..] == [1, 1] {
            shape.truncate(2);
        }
        if let [rows, columns] = shape[..] {
            values = transpose(&values, rows, columns);
            shape = vec![columns, rows];
        }
        weights.tensors.insert(name.to_owned(), (shape, values));
    }
    Ok(weights.apply_renamed(module, path, theirs)?)
}

fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|column| (0..rows).map(move |row| values[row * columns + column]))
        .collect()
}

/// PyTorch's name of a norm's parameters.
fn torch_leaf(path: &str) -> String {
    match path.rsplit_once('.') {
        Some((module, "gamma")) => format!("{module}.weight"),
        Some((module, "beta")) => format!("{module}.bias"),
        _ => path.to_owned(),
    }
}
