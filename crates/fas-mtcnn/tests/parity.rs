//! Parity with `facenet-pytorch`: `fixtures/README.md` has the cases.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use fas_align::{Geometry, Preset, Sampling, Warp, align};
use fas_mtcnn::{Mtcnn, MtcnnConfig};
use fas_testkit::{Fixture, Parity, Tolerance};
use image::RgbImage;

/// Boxes between the stages have no tolerance in the case: that of its `boxes`, a tenth of a pixel. Their
/// last column, a probability, has it too; the final ones are checked to 1e-3.
const BOXES: Tolerance = Tolerance {
    atol: 0.1,
    rtol: 0.0,
};
const HERE: &str = env!("CARGO_MANIFEST_DIR");

fn released(config: MtcnnConfig, case: &Fixture, device: &Device) -> Mtcnn {
    let weights = case.path().with_file_name("mtcnn_weights.safetensors");
    config.init(device).load_weights(weights).unwrap()
}

#[test]
fn networks() {
    Parity::discover(HERE, &["mtcnn_nets"]).run(|case| {
        let device = Device::default();
        let mtcnn = released(MtcnnConfig::new(), case, &device);
        let (pnet, rnet, onet) = mtcnn.networks();
        let (offsets, probabilities) = pnet.forward(case.input_tensor("pnet", &device)?);
        case.check("pnet_box", &offsets.into_data());
        case.check("pnet_prob", &probabilities.into_data());
        let (offsets, probabilities) = rnet.forward(case.input_tensor("rnet", &device)?);
        case.check("rnet_box", &offsets.into_data());
        case.check("rnet_prob", &probabilities.into_data());
        let (offsets, landmarks, probabilities) = onet.forward(case.input_tensor("onet", &device)?);
        case.check("onet_box", &offsets.into_data());
        case.check("onet_landmark", &landmarks.into_data());
        case.check("onet_prob", &probabilities.into_data());
        Ok(())
    });
}

fn floats(values: &[f32], shape: &[usize]) -> TensorData {
    TensorData::new(values.to_vec(), shape.to_vec())
}

#[test]
fn photos() {
    Parity::discover(HERE, &["mtcnn_image"]).run(|case| {
        let device = Device::default();
        let config = MtcnnConfig::new()
            .with_thresholds(case.get("thresholds")?)
            .with_factor(case.get("factor")?)
            .with_min_face_size(case.get("min_face_size")?);
        let mtcnn = released(config, case, &device);
        let (height, width): (u32, u32) = (case.get("height")?, case.get("width")?);
        let pixels: Vec<u8> = case.input("image")?.iter::<u8>().collect();
        let photo = RgbImage::from_raw(width, height, pixels).ok_or("image size")?;

        // Beside a black photo of the same size and a grey one of another, nothing changes.
        let photos = [
            RgbImage::new(width, height),
            photo.clone(),
            RgbImage::from_pixel(90, 70, image::Rgb([127; 3])),
        ];
        let mut staged = mtcnn.detect_staged(&photos);
        assert!(staged[0].0.is_empty() && staged[2].0.is_empty());
        let (faces, stages) = staged.swap_remove(1);
        assert_eq!(
            mtcnn.detect(std::slice::from_ref(&photo)),
            std::slice::from_ref(&faces)
        );

        let counts = [stages.proposals.len(), stages.refined.len()].map(|n| n as i64);
        case.check("n_stage_boxes", &TensorData::new(counts.to_vec(), [2]));
        case.check_within(
            "stage1_boxes",
            &floats(
                stages.proposals.as_flattened(),
                &[stages.proposals.len(), 5],
            ),
            BOXES,
        );
        if case.output_names().contains(&"stage2_boxes") {
            case.check_within(
                "stage2_boxes",
                &floats(stages.refined.as_flattened(), &[stages.refined.len(), 5]),
                BOXES,
            );
        }
        let bounds: Vec<f32> = faces.iter().flat_map(|face| face.bounds).collect();
        case.check("boxes", &floats(&bounds, &[faces.len(), 4]));
        let scores: Vec<f32> = faces.iter().map(|face| face.score).collect();
        case.check("probabilities", &floats(&scores, &[faces.len()]));
        let landmarks: Vec<f32> = faces
            .iter()
            .flat_map(|face| face.landmarks.expect("MTCNN finds landmarks"))
            .flatten()
            .collect();
        case.check("landmarks", &floats(&landmarks, &[faces.len(), 5, 2]));

        let Some(face) = faces.first() else {
            return Ok(());
        };
        let size: u32 = case.get("template_size")?;
        let geometry = Preset::AgFas.geometry(size);
        assert!(matches!(geometry, Geometry::Landmarks { .. }));
        let crop = align(&photo, face, &geometry, Sampling::Bilinear)?;
        let matrix = crop.to_crop.matrix().as_flattened().to_vec();
        case.check("align_matrix", &TensorData::new(matrix, [1, 2, 3]));
        let side = size as usize;
        let aligned = TensorData::new(crop.image.into_raw(), [side, side, 3]);
        case.check("aligned_u8", &aligned);
        let unrounded = Warp {
            to_photo: crop.to_crop.inverse(),
            size: [size; 2],
            sampling: Sampling::Bilinear,
        }
        .run_unrounded(&photo);
        let every_fourth: Vec<f32> = (0..size)
            .step_by(4)
            .flat_map(|y| (0..size).step_by(4).map(move |x| (x, y)))
            .flat_map(|(x, y)| unrounded.get_pixel(x, y).0)
            .collect();
        case.check(
            "aligned_slice",
            &floats(&every_fourth, &[side / 4, side / 4, 3]),
        );
        Ok(())
    });
}

/// Outputs of PyTorch for each network, beside the fixtures.
#[test]
fn networks_against_the_goldens() {
    let device = Device::default();
    let Some(list) = std::env::var_os("FAS_FIXTURES") else {
        println!("skipped: set FAS_FIXTURES");
        return;
    };
    let workspace = Path::new(HERE).join("../..");
    for fixtures in std::env::split_paths(&list).map(|folder| workspace.join(folder)) {
        let golden = |net: &str| {
            let path = fixtures.join(format!("../goldens/mtcnn_{net}.safetensors"));
            fas_weights::read_weights(&path).ok()
        };
        let (Some(p), Some(r), Some(o)) = (golden("pnet"), golden("rnet"), golden("onet")) else {
            continue;
        };
        let mtcnn = MtcnnConfig::new().init(&device);
        let mtcnn = mtcnn
            .load_weights(fixtures.join("mtcnn_weights.safetensors"))
            .unwrap();
        let (pnet, rnet, onet) = mtcnn.networks();
        let input = |weights: &fas_weights::Weights| {
            let (shape, values) = weights.tensors["x"].clone();
            Tensor::<4>::from_data(TensorData::new(values, shape), &device)
        };
        let compare = |weights: &fas_weights::Weights, name: &str, found: TensorData| {
            let (shape, expected) = &weights.tensors[name];
            assert_eq!(found.shape()[..], shape[..]);
            let pairs = found.iter::<f32>().zip(expected);
            let max_abs = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            println!("parity mtcnn golden {name} max_abs={max_abs:.1e} atol=1e-5");
            assert!(max_abs <= 1e-5);
        };
        let (offsets, probabilities) = pnet.forward(input(&p));
        compare(&p, "out0", offsets.into_data());
        compare(&p, "out1", probabilities.into_data());
        let (offsets, probabilities) = rnet.forward(input(&r));
        compare(&r, "out0", offsets.into_data());
        compare(&r, "out1", probabilities.into_data());
        let (offsets, landmarks, probabilities) = onet.forward(input(&o));
        compare(&o, "out0", offsets.into_data());
        compare(&o, "out1", landmarks.into_data());
        compare(&o, "out2", probabilities.into_data());
    }
}
