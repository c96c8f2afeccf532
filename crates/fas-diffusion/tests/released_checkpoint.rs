//! A checkpoint as the released training script saves it, loaded and run: the pickle is PyTorch's own
//! (`released_checkpoint/make.py`), the numbers are those of the procedural fill, the result is the parity
//! fixture's.

use std::error::Error;

use burn::tensor::{Device, Tensor};
use fas_diffusion::{LevelChange, StyleFeatures, StyleFusionForm, UNet, UNetConfig};
use fas_testkit::{Case, Parity};
use fas_weights::{StoredFloat, read_pytorch, read_weights};

const PICKLE: &[u8] = include_bytes!("released_checkpoint/data.pkl");

/// A zip file with stored entries and without checksums, as `torch.save` writes under
/// `compute_crc32=False`.
fn zip(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in entries {
        let start = (file.len() as u32).to_le_bytes();
        // Version, flags, method, time, date, checksum, both sizes, length of the name, no extra field.
        let mut common = vec![20, 0];
        common.extend([0; 12]);
        common.extend((bytes.len() as u32).to_le_bytes());
        common.extend((bytes.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        file.extend(b"PK\x03\x04");
        file.extend(&common);
        file.extend(name.as_bytes());
        file.extend(bytes);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(start);
        directory.extend(name.as_bytes());
    }
    let count = (entries.len() as u16).to_le_bytes();
    let start = (file.len() as u32).to_le_bytes();
    file.extend(&directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend(count);
    file.extend(count);
    file.extend((directory.len() as u32).to_le_bytes());
    file.extend(start);
    file.extend([0, 0]);
    file
}

/// The checkpoint with the fixture's weights under `model` and their negatives under `ema`.
fn checkpoint(case: &Case) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut entries = vec![
        ("model_010000/data.pkl".to_owned(), PICKLE.to_vec()),
        ("model_010000/byteorder".to_owned(), b"little".to_vec()),
    ];
    let mut storages = Vec::new();
    for sign in [1.0, -1.0] {
        for spec in case.params() {
            storages.push(if spec.kind == "counter" {
                vec![0; 8]
            } else {
                let values = case.weight(&spec.name)?;
                values
                    .iter::<f32>()
                    .flat_map(|value| (sign * value).to_le_bytes())
                    .collect()
            });
        }
    }
    // The optimiser's.
    storages.push(vec![0; 4]);
    storages.push(vec![0; 4 * 64 * 32]);
    for (number, bytes) in storages.into_iter().enumerate() {
        entries.push((format!("model_010000/data/{number}"), bytes));
    }
    Ok(zip(&entries))
}

fn network(case: &Case, device: &Device) -> Result<UNet, Box<dyn Error>> {
    let config = UNetConfig {
        image_size: case.get("image_size")?,
        ..UNetConfig::released()
            .with_model_channels(case.get("model_channels")?)
            .with_channel_mult(case.get("channel_mult")?)
            .with_num_res_blocks(case.get("num_res_blocks")?)
            .with_embed_channels(case.get("embed_channels")?)
            .with_fusion_sizes(case.get("stfm_resolutions")?)
            .with_fusion_form(StyleFusionForm::released())
            .with_level_change(LevelChange::Residual)
    };
    Ok(config.init(device))
}

fn output(case: &Case, network: &UNet, device: &Device) -> Result<Tensor<4>, Box<dyn Error>> {
    let x = case.input_tensor::<4>("x", device)?;
    let maps = [16, 8]
        .iter()
        .map(|size| case.input_tensor::<4>(&format!("cond{size}"), device))
        .collect::<Result<Vec<_>, _>>()?;
    let condition = network.condition(&StyleFeatures(maps));
    let timesteps = case.input_int_tensor::<1>("t", device)?;
    let (x_t, content) = (x.clone().narrow(1, 0, 3), x.narrow(1, 3, 3));
    Ok(network.forward(x_t, content, timesteps, &condition))
}

#[test]
fn a_released_checkpoint_gives_the_fixtures_output() {
    let cases = Parity::discover(env!("CARGO_MANIFEST_DIR"), &["difffas_unet_small_official"]);
    cases.run(|case| {
        let device = Device::default();
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("model_010000.pt");
        std::fs::write(&path, checkpoint(case)?)?;

        let loaded =
            network(case, &device)?.load_reference(read_pytorch(&path, Some("model"))?, &path)?;
        case.check("y", &output(case, &loaded, &device)?.into_data());
        let average = read_pytorch(&path, Some("ema"))?;
        let weights = read_pytorch(&path, Some("model"))?;
        for (name, (shape, values)) in &average.tensors {
            let (known, model) = &weights.tensors[name];
            assert!(shape == known && values.iter().zip(model).all(|(a, b)| *a == -b));
        }

        // Out under the reference's names: every one of them, dead ones included, in its shape.
        let reference = loaded.reference_weights()?;
        assert_eq!(reference.tensors.len(), case.params().len());
        for spec in case.params() {
            let (shape, values) = &reference.tensors[&spec.name];
            assert_eq!(*shape, spec.shape, "{}", spec.name);
            let (_, theirs) = &weights.tensors[&spec.name];
            assert!(spec.dead || values == theirs, "{}", spec.name);
        }
        let exported = folder.path().join("reference.safetensors");
        reference.save(&exported, StoredFloat::F32)?;
        let read = read_weights(&exported)?;
        let again = network(case, &device)?.load_reference(read, &exported)?;
        let same = output(case, &again, &device)?.into_data();
        assert_eq!(same, output(case, &loaded, &device)?.into_data());

        // The optimiser is no network; a network of another width is listed, tensor by tensor.
        let wrong = read_pytorch(&path, Some("optimizer"))
            .unwrap_err()
            .to_string();
        assert!(wrong.contains("not a tensor"), "{wrong}");
        let missing = read_pytorch(&path, Some("net")).unwrap_err().to_string();
        assert!(missing.contains("\"ema\", \"model\""), "{missing}");
        let others: Vec<String> = case
            .output_names()
            .into_iter()
            .filter(|name| *name != "y")
            .map(str::to_owned)
            .collect();
        for name in others {
            case.waive(&name, "checked in parity.rs; here the file is what matters");
        }
        Ok(())
    });
}
