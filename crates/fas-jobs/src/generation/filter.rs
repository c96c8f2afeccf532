//! Which pictures are kept.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use fas_dfg::{MobileFaceNet, MobileFaceNetConfig, align_face, cosine_similarity, identity_input};
use fas_sim::Face;
use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::{GenerationJobConfig, JobError};

/// What became of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// It is in the manifest.
    Kept,
    /// Its BRISQUE is above the limit, or not defined.
    PoorQuality,
    /// It does not show the person of the live face.
    OtherPerson,
}

impl Verdict {
    /// The verdict on a picture. A missing measurement fails a limit.
    pub(super) fn of(
        config: &GenerationJobConfig,
        brisque: Option<f64>,
        identity: Option<f64>,
    ) -> Self {
        let fails = |limit: Option<f64>, passes: &dyn Fn(f64) -> bool| {
            limit.is_some_and(|limit| !passes(limit))
        };
        if fails(config.max_brisque, &|limit| {
            brisque.is_some_and(|b| b <= limit)
        }) {
            Self::PoorQuality
        } else if fails(config.min_identity, &|limit| {
            identity.is_some_and(|similarity| similarity >= limit)
        }) {
            Self::OtherPerson
        } else {
            Self::Kept
        }
    }
}

/// Compares people on face crops that are aligned as `fas_sim::CANONICAL_LANDMARKS_128` says.
#[derive(Debug)]
pub struct IdentityFilter {
    encoder: MobileFaceNet,
    device: Device,
}

impl IdentityFilter {
    /// Compares with a network whose weights are in place.
    pub fn new(encoder: MobileFaceNet, device: &Device) -> Self {
        Self {
            encoder: encoder.freeze(),
            device: device.clone(),
        }
    }

    /// Reads the released weights of MobileFaceNet from a safetensors file.
    ///
    /// # Errors
    ///
    /// [`JobError::Identity`] if the file is unreadable or holds another network.
    pub fn load(path: &std::path::Path, device: &Device) -> Result<Self, JobError> {
        let encoder = MobileFaceNetConfig::new().init(device).load_weights(path)?;
        Ok(Self::new(encoder, device))
    }

    /// Cosine similarity of each picture to its live face, in `[-1, 1]`.
    pub(super) fn similarities(
        &self,
        faces: &[RgbImage],
        pictures: &[RgbImage],
    ) -> Result<Vec<f64>, JobError> {
        let embed = |images: &[RgbImage]| -> Result<Tensor<2>, JobError> {
            let crops = images.iter().map(aligned).collect::<Result<Vec<_>, _>>()?;
            Ok(self.encoder.forward(identity_input(&crops, &self.device)))
        };
        let similarity = cosine_similarity(embed(faces)?, embed(pictures)?);
        Ok(similarity.into_data().iter::<f64>().collect())
    }
}

fn aligned(image: &RgbImage) -> Result<RgbImage, JobError> {
    let landmarks = Face::from_aligned(image.clone(), "").landmarks;
    Ok(align_face(image, &landmarks)?)
}

#[cfg(test)]
mod tests {
    use fas_diffusion::{DdimConfig, GenerationConfig};

    use super::*;

    #[test]
    fn limits_hold_at_their_value_and_for_missing_measurements() {
        let config = GenerationJobConfig::new(GenerationConfig::new(DdimConfig::new(10).into()));
        assert_eq!(Verdict::of(&config, None, None), Verdict::Kept);
        let config = config
            .with_max_brisque(Some(40.0))
            .with_min_identity(Some(0.3));
        let cases = [
            (Some(40.0), Some(0.3), Verdict::Kept),
            (Some(40.1), Some(0.3), Verdict::PoorQuality),
            (None, Some(0.9), Verdict::PoorQuality),
            (Some(10.0), Some(0.29), Verdict::OtherPerson),
            (Some(10.0), None, Verdict::OtherPerson),
            (Some(f64::NAN), Some(0.9), Verdict::PoorQuality),
        ];
        for (brisque, identity, expected) in cases {
            assert_eq!(Verdict::of(&config, brisque, identity), expected);
        }
    }

    /// What the network tells apart is tested where it is, with trained weights.
    #[test]
    fn a_face_is_itself() {
        let device = Device::default();
        let filter = IdentityFilter::new(MobileFaceNetConfig::new().init(&device), &device);
        let faces = [90, 200].map(|blue| {
            RgbImage::from_fn(64, 64, |x, y| image::Rgb([x as u8 * 4, y as u8 * 4, blue]))
        });
        let found = filter.similarities(&faces, &faces).unwrap();
        assert_eq!(found.len(), 2);
        for cosine in found {
            assert!((cosine - 1.0).abs() < 1e-5, "{cosine}");
        }
    }
}
