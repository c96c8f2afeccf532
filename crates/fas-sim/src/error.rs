//! Errors of this crate.

use std::path::PathBuf;

use crate::Presentation;

/// What can go wrong while simulating attacks and captures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// A face crop with unequal sides.
    #[error("face of subject `{subject}` is {width} x {height}; crop it to a square first")]
    NotSquare {
        /// Subject of the face.
        subject: String,
        /// Width of the image in pixels.
        width: u32,
        /// Height of the image in pixels.
        height: u32,
    },
    /// A face crop that is too small to hold a face.
    #[error("face of subject `{subject}` is {size} px wide; at least {minimum} px are needed")]
    FaceTooSmall {
        /// Subject of the face.
        subject: String,
        /// Side of the crop in pixels.
        size: u32,
        /// Smallest side accepted.
        minimum: u32,
    },
    /// Landmarks that are not finite, or whose eyes or mouth coincide.
    #[error("landmarks of subject `{subject}` do not describe a face: {landmarks:?}")]
    DegenerateLandmarks {
        /// Subject of the face.
        subject: String,
        /// The five landmarks in pixels.
        landmarks: [[f32; 2]; 5],
    },
    /// A capture size outside the supported range.
    #[error("capture size {size} px is outside {minimum}..={maximum}")]
    CaptureSize {
        /// The requested side in pixels.
        size: u32,
        /// Smallest side accepted.
        minimum: u32,
        /// Largest side accepted.
        maximum: u32,
    },
    /// A domain name that is not built in.
    #[error("unknown domain `{0}`; known are sim-C, sim-I, sim-M and sim-O")]
    UnknownDomain(String),
    /// A presentation name that is not built in.
    #[error("unknown presentation `{0}`; known are {known}", known = presentation_names())]
    UnknownPresentation(String),
    /// Fewer subjects than a benchmark has cells to fill.
    #[error(
        "the benchmark needs {needed} subjects ({domains} domains, subject-disjoint splits), \
         but the faces hold {found}; add subjects or ask for fewer a split"
    )]
    TooFewSubjects {
        /// Subjects that the configuration asks for.
        needed: usize,
        /// Subjects among the faces.
        found: usize,
        /// Domains of the configuration.
        domains: usize,
    },
    /// A subject that is in the pools of two splits.
    #[error("subject `{0}` is in the pools of two splits; a subject may be in one only")]
    SubjectInTwoPools(String),
    /// Samples that make no valid manifest, or a protocol that contradicts itself.
    #[error(transparent)]
    Data(#[from] fas_data::DataError),
    /// A benchmark folder that exists already.
    #[error("`{0}` exists already; remove it or write elsewhere")]
    FolderExists(PathBuf),
    /// A file or folder that could not be written.
    #[error("cannot write `{path}`: {source}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// An image that could not be encoded or written.
    #[error("cannot encode `{path}`: {source}")]
    EncodeImage {
        /// The image file, or a description of the image in memory.
        path: PathBuf,
        /// Cause.
        source: image::ImageError,
    },
    /// A face model file that could not be read or written.
    #[error("cannot access face model `{path}`: {source}")]
    FaceModelFile {
        /// The model file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// A file that is no intact face model.
    #[error("`{path}` is no intact face model: {reason}; write one with `FaceModel::save`")]
    FaceModelFormat {
        /// The model file.
        path: PathBuf,
        /// What does not hold.
        reason: String,
    },
    /// Training faces that no model can be fitted to.
    #[cfg(feature = "fit")]
    #[error("cannot fit a face model to `{path}`: {reason}")]
    FaceModelFit {
        /// The index or image at fault.
        path: PathBuf,
        /// What does not hold, and the remedy.
        reason: String,
    },
}

fn presentation_names() -> String {
    let names: Vec<&str> = Presentation::all().map(Presentation::name).collect();
    names.join(", ")
}
