//! What is measured of a picture: style, identity and quality.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use fas_dfg::{MobileFaceNet, MobileFaceNetConfig, align_face, cosine_similarity, identity_input};
use fas_diffusion::StyleEncoder;
use fas_quality::Brisque;
use fas_sim::Face;
use image::RgbImage;

use crate::{Edit, images_to_tensor};

/// Pictures in one call of a network.
const BATCH: usize = 16;

/// What was measured of one picture.
#[derive(Debug)]
pub struct Measured {
    /// Whether the judge assigns it to the requested style.
    pub style_found: bool,
    /// Cosine of the embeddings of live face and picture.
    pub identity: f64,
    /// BRISQUE, lower is better; none for a blank picture.
    pub brisque: Option<f64>,
}

/// What measures pictures.
#[derive(Debug)]
pub struct Instruments<'a> {
    /// Independent classifier of styles; see [`train_judge`](crate::train_judge).
    pub judge: StyleEncoder,
    /// Embeds faces.
    pub recogniser: MobileFaceNet,
    /// Scores quality.
    pub brisque: Brisque,
    /// Where the networks are.
    pub device: &'a Device,
}

/// MobileFaceNet with the weights of a file.
///
/// # Errors
///
/// A message that names the file if it cannot be read or does not fit.
pub fn load_recogniser(path: &Path, device: &Device) -> Result<MobileFaceNet, String> {
    MobileFaceNetConfig::new()
        .init(device)
        .load_weights(path)
        .map_err(|error| error.to_string())
}

/// Embeddings of pictures of `faces`, aligned by the faces' landmarks.
///
/// # Errors
///
/// A message if a face cannot be aligned.
pub fn embed_faces(
    recogniser: &MobileFaceNet,
    images: &[RgbImage],
    faces: &[&Face],
    device: &Device,
) -> Result<Tensor<2>, String> {
    let crops = images
        .iter()
        .zip(faces)
        .map(|(image, face)| {
            let scale = image.width() as f32 / face.image.width() as f32;
            let landmarks = face.landmarks.map(|p| p.map(|v| (v + 0.5) * scale - 0.5));
            align_face(image, &landmarks).map_err(|error| error.to_string())
        })
        .collect::<Result<Vec<_>, String>>()?;
    let parts = crops
        .chunks(BATCH)
        .map(|crops| recogniser.forward(identity_input(crops, device)))
        .collect();
    Ok(Tensor::cat(parts, 0))
}

impl Instruments<'_> {
    fn embed(&self, images: &[RgbImage], faces: &[&Face]) -> Result<Tensor<2>, String> {
        embed_faces(&self.recogniser, images, faces, self.device)
    }

    /// Measures `images`, which were made of `edits` on the people `test`.
    ///
    /// # Errors
    ///
    /// As [`embed_faces`].
    pub fn measure(
        &self,
        edits: &[Edit],
        images: &[RgbImage],
        test: &[Face],
    ) -> Result<Vec<Measured>, String> {
        let faces: Vec<&Face> = edits.iter().map(|edit| &test[edit.person]).collect();
        let lives: Vec<RgbImage> = edits.iter().map(|edit| edit.live.clone()).collect();
        let cosine = cosine_similarity(self.embed(&lives, &faces)?, self.embed(images, &faces)?);
        let cosine: Vec<f32> = cosine
            .into_data_as::<f32>()
            .try_to_vec()
            .expect("f32 above");
        let mut found: Vec<i64> = Vec::new();
        for chunk in images.chunks(BATCH) {
            let logits = self.judge.forward(images_to_tensor(chunk, self.device));
            let classes = logits
                .argmax(1)
                .into_data()
                .iter::<i64>()
                .collect::<Vec<_>>();
            found.extend(classes);
        }
        let brisque = self.brisque.score_many(images);
        Ok(edits
            .iter()
            .zip(cosine)
            .zip(found)
            .zip(brisque)
            .map(|(((edit, cosine), found), brisque)| Measured {
                style_found: found == edit.style as i64,
                identity: f64::from(cosine),
                brisque: brisque.ok(),
            })
            .collect())
    }

    /// Mean cosine of live captures of neighbouring people.
    ///
    /// # Errors
    ///
    /// A message if there is only one person; as [`embed_faces`].
    pub fn different_people(&self, edits: &[Edit], test: &[Face]) -> Result<f64, String> {
        let people = edits.iter().map(|edit| edit.person).max().unwrap_or(0) + 1;
        if people < 2 {
            return Err(
                "one person is like nobody else: edit at least two (--people 2)".to_owned(),
            );
        }
        let lives: Vec<RgbImage> = edits[..people]
            .iter()
            .map(|edit| edit.live.clone())
            .collect();
        let faces: Vec<&Face> = edits[..people]
            .iter()
            .map(|edit| &test[edit.person])
            .collect();
        let embedded = self.embed(&lives, &faces)?;
        let mut rolled: Vec<Tensor<2>> = vec![embedded.clone().narrow(0, 1, people - 1)];
        rolled.push(embedded.clone().narrow(0, 0, 1));
        let cosine = cosine_similarity(embedded, Tensor::cat(rolled, 0));
        Ok(f64::from(cosine.mean().into_scalar::<f32>()))
    }
}
