//! The bundled De-spoofing Face Generator.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::Device;
use fas_dfg::{DespoofingConfig, DespoofingGenerator, DespoofingGrid, DespoofingSolver};

/// First stage, identity encoder and denoiser, all trained here.
const FILES: [&[u8]; 3] = [
    include_bytes!("../weights/dfg/first_stage.safetensors"),
    include_bytes!("../weights/dfg/identity_encoder.safetensors"),
    include_bytes!("../weights/dfg/denoiser.safetensors"),
];

/// The generator and its card. It has seen bona fide faces only, and none of a simulated domain: no
/// target can leak through it.
///
/// # Errors
///
/// A message if the bundled files are damaged.
pub fn bundled_despoofing_generator(
    device: &Device,
) -> Result<(DespoofingGenerator, HashMap<String, String>), String> {
    DespoofingGenerator::from_part_bytes(FILES, Path::new("weights/dfg"), device)
        .map_err(|error| error.to_string())
}

/// How the bundled generator is used where time is short: from step 300, in 5 calls of the network.
pub fn bundled_despoofing() -> DespoofingConfig {
    quick_despoofing(300, 5)
}

/// From `start_step` of 1000 in `steps` calls of the network, by DPM-Solver++(2M).
pub(crate) fn quick_despoofing(start_step: usize, steps: usize) -> DespoofingConfig {
    DespoofingConfig::small(start_step, steps)
        .with_solver(DespoofingSolver::DpmSolver)
        .with_grid(DespoofingGrid::LogSignalToNoise)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bona_fide_views, images_to_tensor};
    use burn::tensor::Tensor;
    use fas_sim::FaceModel;

    /// Bounds in dB: 21.9 for live faces, and a gain of 4.4 to 8.4 over stripes, were measured.
    const FIRST_STAGE: f32 = 21.0;
    const LIVE: f32 = 20.5;
    const GAIN: f32 = 3.0;

    /// Peak signal to noise ratio of images in `[-1, 1]`, in dB.
    fn psnr(a: Tensor<4>, b: Tensor<4>) -> f32 {
        let error: f32 = (a - b).square().mean().into_scalar();
        10.0 * (4.0 / error).log10()
    }

    #[test]
    fn the_bundled_generator_keeps_a_face_and_takes_stripes_off() {
        let device = Device::default();
        let (generator, card) = bundled_despoofing_generator(&device).unwrap();
        assert_eq!(card["training_data"], "bona fide faces only");
        let model = FaceModel::bundled().unwrap();
        let faces: Vec<_> = (0..4).map(|person| model.sample(person, 0)).collect();
        let views = bona_fide_views(&faces, 64, 0, 0).unwrap();
        let faces = images_to_tensor(views.iter().map(|view| &view.image), &device);
        let ids = ["a", "b", "c", "d"];
        let despoof =
            |faces: &Tensor<4>| generator.despoof(faces.clone(), &ids, 0, &bundled_despoofing());
        let first_stage = psnr(generator.reconstruct(faces.clone()), faces.clone());
        assert!(first_stage > FIRST_STAGE, "{first_stage} dB");
        let live = psnr(despoof(&faces), faces.clone());
        assert!(live > LIVE, "{live} dB");
        // Stripes of one pixel, as a display seen by a camera has them, are no part of a face.
        let columns: Vec<f32> = (0..64).map(|x| 0.3 - 0.6 * (x % 2) as f32).collect();
        let stripes = Tensor::<1>::from_data(&columns[..], &device).reshape([1, 1, 1, 64]);
        let striped = (faces.clone() + stripes).clamp(-1.0, 1.0);
        let before = psnr(striped.clone(), faces.clone());
        let after = psnr(despoof(&striped), faces);
        assert!(after > before + GAIN, "{before} to {after} dB");
    }
}
