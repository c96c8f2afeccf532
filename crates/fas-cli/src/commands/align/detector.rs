//! Where faces come from.

use std::path::Path;

use fas_align::{BoxesFile, Face, Preset};
use fas_mtcnn::{Mtcnn, MtcnnConfig};
use image::RgbImage;

use super::Align;
use crate::error::CliError;

/// A source of faces.
pub(super) enum Detector {
    Mtcnn {
        mtcnn: Box<Mtcnn>,
        min_face: u32,
    },
    Boxes(BoxesFile),
    /// The whole photo is the face.
    Whole,
}

impl Detector {
    pub(super) fn new(arguments: &Align) -> Result<Self, CliError> {
        if arguments.preset == Preset::None {
            return Ok(Self::Whole);
        }
        if let Some(path) = &arguments.boxes {
            return Ok(Self::Boxes(BoxesFile::read(path)?));
        }
        let Some(weights) = &arguments.weights else {
            return Err(CliError::NoDetector);
        };
        let device = arguments.device.device()?;
        let config = MtcnnConfig::new().with_min_face_size(arguments.min_face as usize);
        Ok(Self::Mtcnn {
            mtcnn: Box::new(config.init(&device).load_weights(weights)?),
            min_face: arguments.min_face,
        })
    }

    /// Name in the table.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Mtcnn { min_face, .. } => format!("mtcnn min_face={min_face}"),
            Self::Boxes(_) => "boxes".to_owned(),
            Self::Whole => "none".to_owned(),
        }
    }

    /// Faces of photos with these names.
    pub(super) fn detect(&self, names: &[&str], photos: &[RgbImage]) -> Vec<Vec<Face>> {
        match self {
            Self::Mtcnn { mtcnn, .. } => mtcnn.detect(photos),
            Self::Boxes(file) => names
                .iter()
                .map(|name| file.faces(Path::new(name)).to_vec())
                .collect(),
            Self::Whole => photos
                .iter()
                .map(|photo| {
                    let (width, height) = photo.dimensions();
                    vec![Face {
                        bounds: [0.0, 0.0, width as f32, height as f32],
                        score: 1.0,
                        landmarks: None,
                    }]
                })
                .collect(),
        }
    }
}
