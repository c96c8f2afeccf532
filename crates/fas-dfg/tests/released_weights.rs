//! MobileFaceNet against PyTorch, with the released weights.
//!
//! Needs `../weights/mobilefacenet_foamliu.safetensors` and `../goldens/mobilefacenet.safetensors`
//! beside a folder of `FAS_FIXTURES`; the weights are research-only and not part of this repository.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use fas_dfg::{
    MobileFaceNet, MobileFaceNetConfig, Taef2, align_face, cosine_similarity, identity_input,
};
use safetensors::SafeTensors;

/// Largest difference allowed in an embedding whose values reach about 3; float32 sums in another
/// order differ by a few 1e-6.
const ATOL: f32 = 5e-5;

/// First file of this name in a folder beside a fixture folder.
fn beside_fixtures(folder: &str, file: &str) -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let list = std::env::var_os("FAS_FIXTURES")?;
    std::env::split_paths(&list)
        .map(|fixtures| workspace.join(fixtures).join("..").join(folder).join(file))
        .find(|path| path.exists())
}

fn released(device: &Device) -> Option<MobileFaceNet> {
    let weights = beside_fixtures("weights", "mobilefacenet_foamliu.safetensors")?;
    Some(
        MobileFaceNetConfig::new()
            .init(device)
            .load_weights(weights)
            .unwrap()
            .freeze(),
    )
}

fn read(path: &Path, name: &str) -> TensorData {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = file.tensor(name).unwrap();
    let (quads, _) = tensor.data().as_chunks::<4>();
    let values: Vec<f32> = quads.iter().map(|&quad| f32::from_le_bytes(quad)).collect();
    TensorData::new(values, tensor.shape().to_vec())
}

#[test]
fn embedding_is_that_of_the_released_network() {
    let device = Device::default();
    let golden = beside_fixtures("goldens", "mobilefacenet.safetensors");
    let (Some(net), Some(golden)) = (released(&device), golden) else {
        println!("skipped: set FAS_FIXTURES");
        return;
    };
    let embedding = net.forward(Tensor::from_data(read(&golden, "x"), &device));
    let expected = Tensor::<2>::from_data(read(&golden, "emb"), &device);
    let max_abs: f32 = (embedding - expected).abs().max().into_scalar();
    let verdict = if max_abs <= ATOL { "ok" } else { "FAIL" };
    println!("parity mobilefacenet emb max_abs={max_abs:.1e} atol={ATOL:.1e} {verdict}");
    assert!(max_abs <= ATOL);
}

/// The London Set, neutral against smiling: elsewhere measured as rank-1 102 / 102, mean cosine
/// 0.908 of one person and 0.035 of different people.
#[test]
fn people_of_the_london_set_are_told_apart() {
    let device = Device::default();
    let index = beside_fixtures("faces", "faces128/index.csv");
    let (Some(net), Some(index)) = (released(&device), index) else {
        println!("skipped: set FAS_FIXTURES");
        return;
    };
    let folder = index.parent().and_then(Path::parent).unwrap();
    let embeddings = |subset: &str| -> Tensor<2> {
        let mut crops: Vec<(String, image::RgbImage)> = Vec::new();
        for record in csv::Reader::from_path(&index).unwrap().records() {
            let record = record.unwrap();
            if &record[2] != subset {
                continue;
            }
            let photo = image::open(folder.join(&record[0])).unwrap().to_rgb8();
            let at = |i: usize| record[i].parse::<f32>().unwrap();
            let landmarks = std::array::from_fn(|point| [at(7 + 2 * point), at(8 + 2 * point)]);
            crops.push((
                record[1].to_owned(),
                align_face(&photo, &landmarks).unwrap(),
            ));
        }
        crops.sort_by(|a, b| a.0.cmp(&b.0));
        let crops: Vec<_> = crops.into_iter().map(|(_, crop)| crop).collect();
        let parts = crops
            .chunks(17)
            .map(|part| net.forward(identity_input(part, &device)));
        Tensor::cat(parts.collect(), 0)
    };
    let (neutral, smiling) = (embeddings("london_neutral"), embeddings("london_smiling"));
    let [people, _] = neutral.dims();
    let (mut first, mut same, mut others) = (0, 0.0, 0.0);
    for person in 0..people {
        let probe = neutral.clone().narrow(0, person, 1).repeat_dim(0, people);
        let cosines: Vec<f32> = cosine_similarity(probe, smiling.clone())
            .into_data()
            .iter::<f32>()
            .collect();
        let best = (0..people).max_by(|&a, &b| cosines[a].total_cmp(&cosines[b]));
        first += usize::from(best == Some(person));
        same += cosines[person];
        others += cosines.iter().sum::<f32>() - cosines[person];
    }
    same /= people as f32;
    others /= (people * (people - 1)) as f32;
    println!("london: rank-1 {first}/{people}, cosine {same:.3} same, {others:.3} others");
    assert_eq!((first, people), (102, 102));
    assert!((same - 0.908).abs() < 0.02 && (others - 0.035).abs() < 0.02);
}

/// TAEF2 against its golden; its weights are stored as 16-bit floats and run as 32-bit ones.
#[test]
fn taef2_is_that_of_the_release() {
    let device = Device::default();
    let files = [
        ("weights", "taef2_encoder.safetensors"),
        ("weights", "taef2_decoder.safetensors"),
        ("goldens", "taef2_f32.safetensors"),
    ];
    let [Some(encoder), Some(decoder), Some(golden)] =
        files.map(|(folder, file)| beside_fixtures(folder, file))
    else {
        println!("skipped: set FAS_FIXTURES");
        return;
    };
    let net = Taef2::new(&device).load_weights(encoder, decoder).unwrap();
    let tensor = |name| Tensor::<4>::from_data(read(&golden, name), &device);
    let latents = net.encode(tensor("x"));
    let images = net.decode(tensor("z"));
    for (name, found, expected) in [("z", latents, tensor("z")), ("y", images, tensor("y"))] {
        let max_abs: f32 = (found - expected).abs().max().into_scalar();
        let verdict = if max_abs <= ATOL { "ok" } else { "FAIL" };
        println!("parity taef2 {name} max_abs={max_abs:.1e} atol={ATOL:.1e} {verdict}");
        assert!(max_abs <= ATOL);
    }
}
