//! The released weights: the files `pnet.pt`, `rnet.pt` and `onet.pt` in the Python package
//! `facenet-pytorch` 2.6.0 (MIT, Copyright (c) 2019 Timothy Esler).
//!
//! They are pickles of a format of 2019. Nothing is unpickled: their bytes are known by hash, so where
//! each tensor lies in them is known too. Matrices and kernels are stored with the first index
//! running fastest, as they came from Matlab.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::tensor::Device;
use fas_weights::{StoredFloat, Weights, save_module};
use sha2::{Digest, Sha256};

use crate::MtcnnError;
use crate::detector::Networks;

/// The Python package that carries the weights, as `pip` takes it.
pub const RELEASED_PACKAGE: &str = "facenet-pytorch==2.6.0";

/// One of the files.
struct Released {
    prefix: &'static str,
    member: &'static str,
    sha256: &'static str,
    /// Names, shapes and offsets in bytes.
    tensors: &'static [(&'static str, &'static [usize], usize)],
}

/// Reads the released weights from `packages`, the folder that the package was installed into
/// (`pip install --no-deps --target FOLDER`, or Python's `site-packages`); names are those of the files after
/// `pnet.`, `rnet.` and `onet.`.
///
/// # Errors
///
/// [`MtcnnError::Package`] if the package is not there, and [`MtcnnError::WrongHash`] for other weights.
pub fn read_released(packages: impl AsRef<Path>) -> Result<Weights, MtcnnError> {
    let packages = packages.as_ref();
    let mut tensors = BTreeMap::new();
    for file in &FILES {
        let path = packages.join(file.member);
        let bytes = std::fs::read(&path).map_err(|source| MtcnnError::Package { path, source })?;
        let found: String = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        if found != file.sha256 {
            return Err(MtcnnError::WrongHash {
                path: packages.to_owned(),
                member: file.member,
                found,
                expected: file.sha256,
            });
        }
        for &(name, shape, offset) in file.tensors {
            let values = column_major(&bytes[offset..], shape);
            tensors.insert(format!("{}.{name}", file.prefix), (shape.to_vec(), values));
        }
    }
    let metadata = [
        ("source", "facenet-pytorch 2.6.0"),
        ("license", "MIT, Copyright (c) 2019 Timothy Esler"),
    ];
    Ok(Weights {
        tensors,
        metadata: HashMap::from(metadata.map(|(key, text)| (key.to_owned(), text.to_owned()))),
    })
}

/// Converts the released weights to the safetensors file that
/// [`Mtcnn::load_weights`](crate::Mtcnn::load_weights) reads; written under a temporary name first.
///
/// # Errors
///
/// As [`read_released`], and [`MtcnnError::Weights`] if the file cannot be written.
pub fn save_released(packages: impl AsRef<Path>, path: impl AsRef<Path>) -> Result<(), MtcnnError> {
    let (packages, path) = (packages.as_ref(), path.as_ref());
    let weights = read_released(packages)?;
    let metadata = weights.metadata.clone();
    let networks = weights.apply(Networks::new(&Device::default()), packages)?;
    Ok(save_module(&networks, path, StoredFloat::F32, &metadata)?)
}

/// Values in row-major order of a tensor stored with the first index running fastest.
fn column_major(bytes: &[u8], shape: &[usize]) -> Vec<f32> {
    let (stored, _) = bytes.as_chunks::<4>();
    let len: usize = shape.iter().product();
    (0..len)
        .map(|index| {
            let (mut rest, mut stride, mut at) = (index, len, 0);
            // From the last dimension, which runs fastest here and slowest there.
            for &size in shape.iter().rev() {
                stride /= size;
                at += rest % size * stride;
                rest /= size;
            }
            f32::from_le_bytes(stored[at])
        })
        .collect()
}

const FILES: [Released; 3] = [
    Released {
        prefix: "pnet",
        member: "facenet_pytorch/data/pnet.pt",
        sha256: "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f",
        tensors: &[
            ("conv1.weight", &[10, 3, 3, 3], 27418),
            ("conv1.bias", &[10], 27298),
            ("prelu1.weight", &[10], 27250),
            ("conv2.weight", &[16, 10, 3, 3], 1946),
            ("conv2.bias", &[16], 27346),
            ("prelu2.weight", &[16], 28506),
            ("conv3.weight", &[32, 16, 3, 3], 8810),
            ("conv3.bias", &[32], 8522),
            ("prelu3.weight", &[32], 8658),
            ("conv4_1.weight", &[2, 32, 1, 1], 7714),
            ("conv4_1.bias", &[2], 8794),
            ("conv4_2.weight", &[4, 32, 1, 1], 8002),
            ("conv4_2.bias", &[4], 7978),
        ],
    },
    Released {
        prefix: "rnet",
        member: "facenet_pytorch/data/rnet.pt",
        sha256: "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86",
        tensors: &[
            ("conv1.weight", &[28, 3, 3, 3], 4691),
            ("conv1.bias", &[28], 2315),
            ("prelu1.weight", &[28], 403019),
            ("conv2.weight", &[48, 28, 3, 3], 354107),
            ("conv2.bias", &[48], 4491),
            ("prelu2.weight", &[48], 7987),
            ("conv3.weight", &[64, 48, 2, 2], 8187),
            ("conv3.bias", &[64], 7723),
            ("prelu3.weight", &[64], 353323),
            ("dense4.weight", &[128, 576], 58379),
            ("dense4.bias", &[128], 353587),
            ("prelu4.weight", &[128], 402499),
            ("dense5_1.weight", &[2, 128], 57347),
            ("dense5_1.bias", &[2], 403139),
            ("dense5_2.weight", &[4, 128], 2435),
            ("dense5_2.bias", &[4], 353299),
        ],
    },
    Released {
        prefix: "onet",
        member: "facenet_pytorch/data/onet.pt",
        sha256: "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d",
        tensors: &[
            ("conv1.weight", &[32, 3, 3, 3], 302149),
            ("conv1.bias", &[32], 305613),
            ("prelu1.weight", &[32], 379485),
            ("conv2.weight", &[64, 32, 3, 3], 305749),
            ("conv2.bias", &[64], 8125),
            ("prelu2.weight", &[64], 152085),
            ("conv3.weight", &[64, 64, 3, 3], 152349),
            ("conv3.bias", &[64], 20741),
            ("prelu3.weight", &[64], 300853),
            ("conv4.weight", &[128, 64, 2, 2], 21005),
            ("conv4.bias", &[128], 299813),
            ("prelu4.weight", &[128], 300333),
            ("dense5.weight", &[256, 1152], 379621),
            ("dense5.bias", &[256], 301117),
            ("prelu5.weight", &[256], 2973),
            ("dense6_1.weight", &[2, 256], 18685),
            ("dense6_1.bias", &[2], 8109),
            ("dense6_2.weight", &[4, 256], 4005),
            ("dense6_2.bias", &[4], 2949),
            ("dense6_3.weight", &[10, 256], 8389),
            ("dense6_3.bias", &[10], 18637),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_index_runs_fastest() {
        let stored: Vec<u8> = (0..6).flat_map(|v| (v as f32).to_le_bytes()).collect();
        // [[0, 2, 4], [1, 3, 5]]
        let values = column_major(&stored, &[2, 3]);
        assert_eq!(values, [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
        let values = column_major(&stored, &[1, 2, 3]);
        assert_eq!(values, [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
        assert_eq!(column_major(&stored[8..], &[3]), [2.0, 3.0, 4.0]);
    }

    #[test]
    fn other_files_are_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let refusal = || read_released(folder.path()).unwrap_err();
        let error = refusal();
        assert!(matches!(error, MtcnnError::Package { .. }), "{error}");
        assert!(error.to_string().contains("pip install --no-deps"));
        let data = folder.path().join("facenet_pytorch/data");
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.join("pnet.pt"), "other weights").unwrap();
        let error = refusal();
        assert!(matches!(error, MtcnnError::WrongHash { .. }), "{error}");
        assert!(
            error
                .to_string()
                .contains("facenet_pytorch/data/pnet.pt has SHA-256")
        );
    }
}
