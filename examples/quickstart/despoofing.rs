//! AG-FAS: de-spoofed faces, their cues, and AG-Net.

use std::collections::HashMap;

use burn::tensor::Device;
use fas_agnet::{AgNetConfig, VitConfig};
use fas_classify::HeadConfig;
use fas_classify::loss::ObjectiveConfig;
use fas_data::Sample;
use fas_dfg::DespoofingGenerator;
use fas_examples::{
    Captures, CueDetector, CueMethod, CueStudy, Cues, Despoofer, MethodRuns, bundled_despoofing,
    bundled_despoofing_generator, images_to_tensor, presentation_name, small_training,
    tensor_to_images,
};
use image::RgbImage;

use crate::settings::Settings;

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
            let kind = presentation_name(sample);
            Ok((kind.to_owned(), row(image, &sample.id, &cues, &generator)?))
        })
        .collect::<Result<_, String>>()?;
    Ok(Despoofed { cues, shown, card })
}

/// Input, first stage, de-spoofed face and absolute cue.
fn row(
    image: &RgbImage,
    id: &str,
    cues: &Cues,
    generator: &DespoofingGenerator,
) -> Result<Vec<RgbImage>, String> {
    let face = images_to_tensor([image], generator.device());
    let mut row = vec![image.clone()];
    row.extend(tensor_to_images(generator.reconstruct(face)));
    row.push(cues.despoofed(id, image, generator.device())?);
    row.push(cues.heat_map(id)?);
    Ok(row)
}

/// A vision transformer on the face alone, and AG-Net: the same with cross-attention to the cue.
pub(crate) fn detectors(
    study: &CueStudy,
    cues: &Cues,
    settings: &Settings,
    seeds: &[u64],
    device: &Device,
) -> Result<Vec<MethodRuns>, String> {
    let vit = CueDetector::Image(VitConfig::face64());
    let agnet = CueDetector::AgNet(AgNetConfig::face64());
    let methods = [
        CueMethod::new("ViT", vit, None),
        CueMethod::new("AG-Net", agnet, Some(cues)),
    ];
    let training = small_training(ObjectiveConfig::cross_entropy(), settings.steps);
    study.run(&methods, &HeadConfig::Cosine, &training, seeds, device)
}
