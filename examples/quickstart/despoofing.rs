//! AG-FAS: de-spoofed faces, their cues, and AG-Net.

use std::collections::HashMap;

use burn::tensor::Device;
use fas_agnet::{AgNetConfig, VitConfig};
use fas_classify::HeadConfig;
use fas_classify::loss::ObjectiveConfig;
use fas_classify::training::{ClassifierTrainingConfig, OptimiserConfig};
use fas_data::Sample;
use fas_dfg::DespoofingGenerator;
use fas_examples::{
    Captures, CueDetector, CueMethod, CueStudy, Cues, Despoofer, MethodRuns, bundled_despoofing,
    bundled_despoofing_generator, images_to_tensor, tensor_to_images,
};
use fas_report::HeatMap;
use image::RgbImage;

use crate::settings::Settings;

/// Largest absolute cue of the pictures' scale.
pub(crate) const TOP: f32 = 0.5;

/// What the De-spoofing Face Generator made of the captures.
pub(crate) struct Despoofed {
    /// Cues of all samples of the protocol.
    pub(crate) cues: Cues,
    /// One row a picture of one target person: input, first stage, de-spoofed, cue.
    pub(crate) shown: Vec<(String, Vec<RgbImage>)>,
    /// What the generator's file says of its training.
    pub(crate) card: HashMap<String, String>,
}

/// De-spoofs `samples`; the pictures that are shown are of the first person of `test`.
pub(crate) fn despoof(
    captures: &Captures,
    samples: &[Sample],
    test: &[Sample],
    settings: &Settings,
    device: &Device,
) -> Result<Despoofed, String> {
    let (generator, card) = bundled_despoofing_generator(device)?;
    let images = captures.of(samples)?;
    let pictures: Vec<(&str, &RgbImage)> = samples
        .iter()
        .map(|sample| sample.id.as_str())
        .zip(&images)
        .collect();
    let despoofer = Despoofer::new(generator.clone(), bundled_despoofing(), settings.seed);
    let residuals = despoofer.residuals(&pictures, false);
    let ids = samples.iter().map(|sample| sample.id.clone());
    let cues = Cues::from_residuals("DFG", captures.size(), ids.zip(residuals));
    let first = test.first().ok_or("no target samples")?;
    let one_person = |sample: &&Sample| sample.subject == first.subject;
    let shown = test
        .iter()
        .filter(one_person)
        .map(|sample| {
            let image = captures.image(captures.position(&sample.id)?);
            let kind = sample.style.rsplit('/').next().unwrap_or_default();
            Ok((
                kind.to_owned(),
                row(image, cues.residual(&sample.id)?, &generator),
            ))
        })
        .collect::<Result<_, String>>()?;
    Ok(Despoofed { cues, shown, card })
}

/// Input, first stage, de-spoofed face and absolute cue.
fn row(image: &RgbImage, residual: &[f32], generator: &DespoofingGenerator) -> Vec<RgbImage> {
    let face = images_to_tensor([image], generator.device());
    let cue = burn::tensor::TensorData::new(residual.to_vec(), face.dims());
    let cue = burn::tensor::Tensor::<4>::from_data(cue, generator.device());
    let map: Vec<f32> = cue.clone().abs().mean_dim(1).into_data().iter().collect();
    let mut row = vec![image.clone()];
    row.extend(tensor_to_images(generator.reconstruct(face.clone())));
    row.extend(tensor_to_images(face - cue));
    row.push(HeatMap::new(map, image.width(), image.height()).to_image(TOP));
    row
}

/// A vision transformer on the face alone, and AG-Net: the same with cross-attention to the cue.
pub(crate) fn detectors(
    study: &CueStudy,
    cues: &Cues,
    settings: &Settings,
    seeds: &[u64],
    device: &Device,
) -> Result<Vec<MethodRuns>, String> {
    let method = |name: &str, detector, cues| CueMethod {
        name: name.to_owned(),
        detector,
        cues,
        extra_faces: false,
    };
    let methods = [
        method("ViT", CueDetector::Image(VitConfig::face64()), None),
        method(
            "AG-Net",
            CueDetector::AgNet(AgNetConfig::face64()),
            Some(cues),
        ),
    ];
    let objective = ObjectiveConfig::cross_entropy();
    let training = ClassifierTrainingConfig::new(objective, settings.steps)
        .with_embedding_dropout(0.0)
        .with_optimiser(OptimiserConfig {
            learning_rate: 1e-3,
            ..OptimiserConfig::small()
        });
    study.run(&methods, &HeadConfig::Cosine, &training, seeds, device)
}
